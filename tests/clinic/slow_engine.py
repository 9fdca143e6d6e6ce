"""An engine whose headset takes its time to open: ``python slow_engine.py SECONDS JOB``."""

import sys
import time
from pathlib import Path

from bcikit.acquisition.lsl import LslSource
from bcikit.clinic.engine_process import main

start = LslSource.start


def slowly(source: LslSource) -> None:
    """Open as a wireless headset does."""
    time.sleep(float(sys.argv[1]))
    start(source)


LslSource.start = slowly  # type: ignore[method-assign]
if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[2])))
