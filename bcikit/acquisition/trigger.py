"""Hardware triggers: levels of a channel become events, bounces do not."""

import itertools

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Event, check_range

TRIGGER = "trigger/"
"""How the events of a trigger channel begin, whoever read its codes."""


class TriggerDecoder:
    """Turns the level of a trigger channel into events, one a change to a new level that holds.

    A level counts once it held for `debounce` seconds; the event lies on the first sample of it. A return to the
    resting level is no event. State is carried over blocks.

    Parameters
    ----------
    channel : str
        Name of the channel, for the events.
    sfreq : float
        Sampling rate in Hz.
    debounce : float
        Seconds a level must hold; 0 takes every change.
    mask : int or None
        Bits that belong to the trigger; all where it is left out.
    rest : int
        The resting level, after the mask.
    """

    def __init__(
        self, channel: str, sfreq: float, *, debounce: float = 0.002, mask: int | None = None, rest: int = 0
    ) -> None:
        self.channel = channel
        self.hold = max(1, round(check_range("debounce", debounce, low=0.0, unit="s") * sfreq))
        self.mask = mask
        self.rest = rest
        self._level: int | None = None
        self._candidate: tuple[int, int, float, int] | None = None

    def reset(self) -> None:
        """Forget the level: a new segment begins."""
        self._level = self._candidate = None

    def decode(
        self, values: NDArray[np.float64], samples: NDArray[np.int64], times: NDArray[np.float64]
    ) -> list[Event]:
        """Return the events of a block.

        Parameters
        ----------
        values, samples, times : ndarray, shape (n,)
            Level, index and time of each sample.
        """
        levels = np.where(np.isfinite(values), np.rint(values), self.rest).astype(np.int64)
        if self.mask is not None:
            levels &= self.mask
        if levels.shape[0] == 0:
            return []
        if self._level is None:
            # Whatever the level is when it is first seen did not happen now.
            self._level = int(levels[0])
        found: list[Event] = []
        edges = [0, *(np.flatnonzero(np.diff(levels)) + 1).tolist(), levels.shape[0]]
        for start, stop in itertools.pairwise(edges):
            level, length = int(levels[start]), stop - start
            if self._candidate is not None and self._candidate[0] == level:
                value, sample, time, held = self._candidate
                self._candidate = (value, sample, time, held + length)
            elif level == self._level:
                self._candidate = None
                continue
            else:
                self._candidate = (level, int(samples[start]), float(times[start]), length)
            value, sample, time, held = self._candidate
            if held >= self.hold:
                self._level, self._candidate = value, None
                if value != self.rest:
                    found.append(
                        Event(name=f"{TRIGGER}{value}", time=time, sample=sample, value=value, source=self.channel)
                    )
        return found
