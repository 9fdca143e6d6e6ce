"""Watches what a live session runs on: processing time, disk, driver, and what stands behind the outputs."""

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bcikit.acquisition import Source
from bcikit.acquisition.watchdog import Pulse
from bcikit.outputs import Output
from bcikit.safety import Severity
from bcikit.safety.quality import OPEN_OHM

PERIOD = 1.0
"""Seconds between two looks."""

SPAN = 10.0
"""Processing time is averaged over this many seconds, as BCI2000 does."""

DISK_WARN_BYTES = 5e9
DISK_FAULT_BYTES = 1e8

CLOCK_TOLD = 60.0
"""Seconds for which it is said that a sender's stamps cannot be used."""

BUFFER_TOLD = 0.4
"""A driver's buffer is worth a word when it is fuller than this; H-OVR warns at half."""

Found = tuple[str, Mapping[str, Any]]
"""Kind and values of an input of the conductor (`Conductor.take_input`)."""


class SessionWatch:
    """Measures; what it finds is handed to the conductor, so that it is recorded and repeated on replay.

    Parameters
    ----------
    source : Source
        Its driver tells of battery, impedances and buffer.
    folder : Path or None
        Where the session is written.
    outputs : sequence of Output
        What moves; trouble behind them closes the gate.
    """

    def __init__(self, source: Source, folder: Path | None, outputs: Sequence[Output] = ()) -> None:
        self._source = source
        self._folder = folder
        self._outputs = outputs
        self._begin: float | None = None
        self._spent = 0.0
        self._shares: list[tuple[float, float]] = []

    def took(self, seconds: float, time: float) -> Iterator[Found]:
        """Take the processing time of a chunk whose newest sample is of `time`; yield what was found."""
        yield from self._look_at_outputs()
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
        yield "load", {"share": sum(spent for _, spent in self._shares) / span}
        yield from self._look_at_disk()
        yield from self._look_at_driver()

    def _look_at_outputs(self) -> Iterator[Found]:
        for output in self._outputs:
            found = output.trouble()
            if found is not None:
                yield _finding(found.rule, found.severity, found.value, found.limit)

    def _look_at_disk(self) -> Iterator[Found]:
        if self._folder is None:
            return
        free = shutil.disk_usage(self._folder).free
        if free < DISK_WARN_BYTES:
            severity = Severity.FAULT if free < DISK_FAULT_BYTES else Severity.WARN
            limit = DISK_FAULT_BYTES if severity is Severity.FAULT else DISK_WARN_BYTES
            yield _finding("H-DISK", severity, round(free / 1e9, 3), limit / 1e9)

    def _look_at_driver(self) -> Iterator[Found]:
        status = self._source.status()
        # The first battery that is empty, and the first buffer that is full, spoils the stream of all.
        # One that was given up spoils nothing any more.
        every = (status, *(one for one in status.joined if one.pulse is not Pulse.LOST))
        batteries = [one.battery for one in every if one.battery is not None and math.isfinite(one.battery)]
        if batteries:
            yield "battery", {"percent": float(min(batteries))}
        fill = max(one.buffer_fill for one in every)
        if fill > BUFFER_TOLD:
            yield "buffer", {"fill": float(fill)}
        # An open circuit is infinite, which is worse than any number, and no reason to go on with the last one.
        ohms = {name: min(float(ohm), OPEN_OHM) for name, ohm in status.impedances.items() if ohm > 0}
        if ohms:
            yield "impedance", {"ohms": ohms}


def unknown_clock(how: str) -> Mapping[str, Any]:
    """Return the finding that samples are dated "arrival" (by when they come) or come far "behind" their stamps."""
    value = "stamps of no known clock" if how == "arrival" else "samples far behind their stamps"
    return {**_finding("H-DRIFT", Severity.WARN, value, "the host's clock")[1], "hold": CLOCK_TOLD}


def _finding(rule: str, severity: Severity, value: float | str, limit: float | str) -> Found:
    return "finding", {"rule": rule, "severity": int(severity), "value": value, "limit": limit, "hold": 2 * PERIOD}
