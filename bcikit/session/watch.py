"""Watches what a live session runs on: processing time, room on the disk, and what stands behind the outputs."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from bcikit.outputs import Output
from bcikit.safety import Severity
from bcikit.session.conductor import Conductor

PERIOD = 1.0
"""Seconds between two looks."""

SPAN = 10.0
"""Processing time is averaged over this many seconds, as BCI2000 does."""

DISK_WARN_BYTES = 5e9
DISK_FAULT_BYTES = 1e8


class Watch:
    """Measures, and hands what it finds to the conductor, so that it is recorded and repeated on replay.

    Parameters
    ----------
    conductor : Conductor
        Of the session.
    folder : Path or None
        Where the session is written.
    outputs : sequence of Output
        What moves; trouble behind them closes the gate.
    """

    def __init__(self, conductor: Conductor, folder: Path | None, outputs: Sequence[Output] = ()) -> None:
        self._conductor = conductor
        self._folder = folder
        self._outputs = outputs
        self._begin: float | None = None
        self._spent = 0.0
        self._shares: list[tuple[float, float]] = []

    def took(self, seconds: float, time: float) -> None:
        """Take the processing time of a chunk whose newest sample is of `time`."""
        self._look_at_outputs()
        if self._begin is None:
            self._begin = time
            return
        self._spent += seconds
        passed = time - self._begin
        if passed < PERIOD:
            return
        self._shares.append((passed, self._spent))
        self._begin, self._spent = time, 0.0
        while sum(span for span, _ in self._shares) > SPAN and len(self._shares) > 1:
            self._shares.pop(0)
        span = sum(span for span, _ in self._shares)
        self._conductor.on_load(sum(spent for _, spent in self._shares) / span)
        self._look_at_disk()

    def _look_at_outputs(self) -> None:
        for output in self._outputs:
            found = output.trouble()
            if found is not None:
                self._conductor.on_finding(found.rule, int(found.severity), found.value, found.limit, 2 * PERIOD)

    def _look_at_disk(self) -> None:
        if self._folder is None:
            return
        free = shutil.disk_usage(self._folder).free
        if free < DISK_WARN_BYTES:
            severity = Severity.FAULT if free < DISK_FAULT_BYTES else Severity.WARN
            limit = DISK_FAULT_BYTES if severity is Severity.FAULT else DISK_WARN_BYTES
            self._conductor.on_finding("H-DISK", int(severity), round(free / 1e9, 3), limit / 1e9, 2 * PERIOD)
