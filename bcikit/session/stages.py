"""Time of each stage of a chunk's way through the engine, measured beside the session and never decided upon."""

import math
import time
from typing import Any

import numpy as np

from bcikit.safety import GateSettings
from bcikit.session.listener import Listener
from bcikit.signal import Chunk
from bcikit.signal.messages import Decided, Filtered, Happened, Message, Raw, Sent

SPAN = 10.0
"""Seconds of signal that a summary covers."""

_ROWS = 1024
_ENGINE = ("record", "safety", "filter", "task", "decode", "gate", "output", "publish")
NAMES = ("arrival", *_ENGINE, "total")
"""Stages in the order of the way: newest sample to arrival, writing, safety rules, pipeline, the paradigm and what has
no name of its own, window to decision, gate, outputs, windows in other processes; last, newest sample to verdict."""


class StageMeter:
    """Adds up the time of each stage of a chunk and keeps the chunks of the last seconds.

    Whoever ends a stage calls `lap`; the time since the lap before belongs to it.

    Parameters
    ----------
    sfreq : float
        Of the stream, in Hz.
    settings : GateSettings
        Deadlines of arrival (`age_warn_s`) and verdict (`age_max_s`, H-LAT). What the engine does itself must be over
        when the next chunk is there.
    """

    def __init__(self, sfreq: float, settings: GateSettings) -> None:
        self._sfreq = sfreq
        self._settings = settings
        self._rows = np.zeros((_ROWS, len(NAMES) + 2))
        self._n = 0
        self._spent = dict.fromkeys(NAMES, 0.0)
        self._last = time.perf_counter()

    def begin(self, arrived: float) -> None:
        """Begin with a chunk that arrived at `arrived` (`time.perf_counter`)."""
        self._spent = dict.fromkeys(NAMES, 0.0)
        self._last = arrived

    def lap(self, stage: str) -> None:
        """Give the time since the lap before to a stage."""
        now = time.perf_counter()
        self._spent[stage] += now - self._last
        self._last = now

    def verdict(self, seconds: float) -> None:
        """Take the time from the newest sample of a window to the verdict; the longest of a chunk counts."""
        self._spent["total"] = max(seconds, self._spent["total"])

    def end(self, chunk: Chunk) -> None:
        """Keep what was measured of a chunk."""
        self._spent["arrival"] = chunk.health.age
        self._rows[self._n % _ROWS] = [*self._spent.values(), float(chunk.times[-1]), chunk.n_times]
        self._n += 1

    def summary(self) -> dict[str, dict[str, float]]:
        """Return for each stage that took place in the last `SPAN` seconds the times of its chunks, in milliseconds.

        Returns
        -------
        dict
            Stage to ``p50``, ``p99``, ``max``, ``n`` (chunks) and ``deadline``.
        """
        rows = self._rows[: min(self._n, _ROWS)]
        if not rows.shape[0]:
            return {}
        newest = rows[(self._n - 1) % _ROWS, -2]
        recent = rows[(rows[:, -2] > newest - SPAN) & (rows[:, -2] <= newest)]
        chunk_s = float(np.median(recent[:, -1])) / self._sfreq
        deadlines = {"arrival": self._settings.age_warn_s, "total": self._settings.age_max_s}
        ordered = np.sort(recent[:, : len(NAMES)], axis=0)
        absent = np.count_nonzero(ordered <= 0, axis=0)
        found = {}
        for index, name in enumerate(NAMES):
            took = ordered[absent[index] :, index]
            if took.size:
                # Nearest rank: a time that one of the chunks really took.
                middle, late = (took[math.ceil(share * took.size) - 1] for share in (0.5, 0.99))
                values = {"p50": middle, "p99": late, "max": took[-1], "deadline": deadlines.get(name, chunk_s)}
                found[name] = {key: round(1e3 * float(value), 4) for key, value in values.items()} | {"n": took.size}
        return found


class Lap(Listener):
    """Stands behind other listeners and gives the time until then to a stage.

    Parameters
    ----------
    meter : StageMeter
        What measures.
    stage : str
        Whose time it is.
    filtered : str
        Whose time it is where the pipeline's chunk is told.
    """

    def __init__(self, meter: StageMeter, stage: str, *, filtered: str = "") -> None:
        self._meter, self._stage, self._filtered = meter, stage, filtered or stage

    def take(self, message: Message) -> None:
        """End the stage."""
        if isinstance(message, Raw | Happened | Decided | Sent):
            self._meter.lap(self._stage)
        elif isinstance(message, Filtered):
            self._meter.lap(self._filtered)


class FirstLap(Lap):
    """Stands before all listeners: what comes to it was not theirs; it also takes the time to each verdict."""

    def __init__(self, meter: StageMeter) -> None:
        super().__init__(meter, "task", filtered="filter")

    def take(self, message: Message) -> None:
        """Take the time to the verdict."""
        super().take(message)
        if isinstance(message, Decided) and message.latency is not None:
            self._meter.verdict(message.decision.age + message.latency)


def with_laps(meter: StageMeter, parts: list[tuple[str, list[Any]]]) -> list[Listener]:
    """Return listeners in order with a lap behind each group, named by its stage."""
    listeners: list[Listener] = [FirstLap(meter)]
    for stage, group in parts:
        if group:
            listeners += [*group, Lap(meter, stage)]
    return listeners
