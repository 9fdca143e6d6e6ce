"""Runs an emulated device until its standard input closes; see `bcikit.testing.emulators` and `stop_box`."""

import json
import sys

from bcikit.signal import BciError
from bcikit.testing.emulators import CytonDaisyEmulator, CytonEmulator, Emulator
from bcikit.testing.link_plan import LinkPlan
from bcikit.testing.stop_box import SimulatedStopBox
from bcikit.testing.wifi_emulator import GanglionWifiEmulator

KINDS: dict[str, type[Emulator]] = {
    kind.kind: kind for kind in (CytonEmulator, CytonDaisyEmulator, GanglionWifiEmulator)
}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _stop_box() -> None:
    """Print the address of a stop box, then do what standard input says: "press", "release", "silent"."""
    with SimulatedStopBox() as box:
        does = {"press": box.press, "release": box.release, "silent": box.fall_silent}
        _say(box.address)
        for line in sys.stdin:
            word = line.strip()
            _say(f"{word} at {does[word]():.4f}" if word in does else f"one of {', '.join(does)}")


def main(arguments: list[str]) -> None:
    """Print the address to open, then a line of JSON each time the stream starts."""
    if arguments == ["stop-box"]:
        _stop_box()
        return
    if not 1 <= len(arguments) <= 2 or arguments[0] not in KINDS:
        raise BciError(f"Which emulator? One of {', '.join(KINDS)}, and its plan as JSON; or stop-box.")
    plan = LinkPlan.from_json(arguments[1]) if len(arguments) == 2 else LinkPlan()

    def told(started: float, sample: int) -> None:
        _say(json.dumps({"started": started, "sample": sample}))

    with KINDS[arguments[0]](plan) as emulator:
        emulator.on_start = told
        _say(emulator.address)
        sys.stdin.read()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BciError as error:
        sys.exit(f"error: {error}")
