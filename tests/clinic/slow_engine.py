"""An engine whose headset takes its time to open: ``python slow_engine.py SECONDS JOB``."""

import sys
import time
from pathlib import Path

from bcikit.clinic.engine_process import main
from bcikit.simulation.source import SimSource

start = SimSource.start


def slowly(source: SimSource) -> None:
    """Open as a wireless headset does."""
    time.sleep(float(sys.argv[1]))
    start(source)


SimSource.start = slowly  # type: ignore[method-assign]
if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[2])))
