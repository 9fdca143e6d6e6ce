"""From a decision to the hand on the WebXR page: what a person waits until the hand is seen to move.

The page runs in headless Chromium, drawn by software; a graphics card draws faster. Run it as `bcikit bench webxr`.
"""

import statistics
import sys

import chromium
from table import Row, options, show

from bcikit.outputs import open_output


def percentile(values: list[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def main() -> None:
    chosen = options()
    if chromium.PROGRAM is None:
        sys.exit("no Chromium on this machine: apt-get install chromium")
    with open_output("ws:127.0.0.1:0") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        found = chromium.decisions(output, 20 if chosen.quick else 120)
        gap = page.value("bcikit.frames.median")
        ratio = page.value("bcikit.stage.ratios.hands")
        if page.errors:
            sys.exit(f"the page failed: {page.errors}")
    rows = []
    for what, key in (("heard", "heard"), ("hand seen to move", "seen")):
        values = [item[key] for item in found]
        median, late = percentile(values, 50), percentile(values, 95)
        said = f"{1e3 * median:.0f} ms, p95 {1e3 * late:.0f} ms"
        bar = (f"p95 <= {1e3 * chromium.BAR_S:.0f} ms", late <= chromium.BAR_S) if key == "seen" else ("", None)
        rows.append(Row(f"decision to {what} (n={len(values)})", said, "", late / chromium.BAR_S, *bar))
    rows.append(Row(f"frame while it moves, at {ratio:.2f} of the pixels", f"{1e3 * gap:.0f} ms", "", 0.0, "", None))
    show("WebXR page in headless Chromium, 1280 x 800, no graphics card", rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
