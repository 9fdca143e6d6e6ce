"""Takes the screenshots of the WebXR page for the documentation, in headless Chromium.

uv run python tools/screenshots_web.py            into docs/images
"""

import argparse
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import chromium

from bcikit.outputs import open_output
from bcikit.signal import Command, HostClock


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    folder = parser.parse_args().out
    clock = HostClock()

    with open_output("ws:127.0.0.1:0") as output:

        def tell(name: str, **more: Any) -> None:
            output.inform({"type": "event", "name": name, "time": clock.now(), **more})

        with chromium.open_page(f"{output.url}&lang=en") as page:
            page.until(chromium.READY)
            output.inform({"type": "state", "state": "ACTIVE", "time": clock.now()})
            tell("cue/right_hand")
            tell("feedback/start")
            tell("feedback/update", value=0.72)
            data = {"class": "right_hand"}
            output.send(Command(sequence=1, time=clock.now(), ttl=30.0, name="close", value=1.0, data=data))
            page.until("bcikit.stage.right.closure === 1 && bcikit.page.still")
            (folder / "webxr-hand.png").write_bytes(page.picture())


if __name__ == "__main__":
    main()
