"""What is planned on the sample clock: short waves on the scalp, and levels that rise and fall."""

from bisect import insort
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True, eq=False)
class Waves:
    """Waves that were planned and are added when their time comes.

    A wave planned into the past is played from where the stream stands, as a person cannot answer backwards.
    """

    _waves: list[tuple[int, NDArray[np.float64], NDArray[np.float64], str]] = field(default_factory=list)

    def add(self, start: int, wave: NDArray[np.float64], shape: NDArray[np.float64], *, tag: str = "") -> None:
        """Plan one.

        Parameters
        ----------
        start : int
            First sample.
        wave : ndarray, shape (n,)
            Course over time.
        shape : ndarray, shape (n_channels,)
            Size on each channel.
        tag : str
            Name by which it can be cut short.
        """
        self._waves.append((start, wave, shape, tag))

    def cut(self, tag: str, sample: int) -> None:
        """Let every wave of a tag end at a sample."""
        self._waves = [
            (start, wave[: max(0, sample - start)] if name == tag else wave, shape, name)
            for start, wave, shape, name in self._waves
        ]

    def render(self, first: int, out: NDArray[np.float64]) -> None:
        """Add what falls into the samples from `first` on to `out`, shape ``(n_times, n_channels)``."""
        stop = first + len(out)
        kept = []
        for item in self._waves:
            start, wave, shape, _ = item
            end = start + len(wave)
            if start < stop and end > first:
                begin, last = max(start, first), min(end, stop)
                out[begin - first : last - first] += wave[begin - start : last - start, None] * shape
            if end > stop:
                kept.append(item)
        self._waves = kept


class Levels:
    """Levels that are set at planned samples and approached smoothly (two equal first-order lags).

    Parameters
    ----------
    initial : ndarray, shape (n,)
        Levels at the start.
    sfreq : float
        Samples a second.
    lag : float
        Time constant of each lag in seconds.
    """

    def __init__(self, initial: NDArray[np.float64], sfreq: float, *, lag: float) -> None:
        self._target = np.array(initial, dtype=np.float64)
        self._plan: list[tuple[int, int, NDArray[np.float64]]] = []
        self._count = 0
        keep = float(np.exp(-1 / (lag * sfreq)))
        self._a = [1.0, -2 * keep, keep * keep]
        self._b = [(1 - keep) ** 2]
        # At rest in the initial levels.
        out = self._target
        self._zi = np.array([out * (1 - self._b[0]), -self._a[2] * out])

    def plan(self, sample: int, target: NDArray[np.float64]) -> None:
        """Set the levels from `sample` on; of two plans for one sample the later one counts."""
        self._count += 1
        insort(self._plan, (sample, self._count, np.array(target, dtype=np.float64)), key=lambda item: item[:2])

    def drop(self, sample: int) -> None:
        """Forget what was planned for `sample` and later."""
        self._plan = [item for item in self._plan if item[0] < sample]

    def render(self, first: int, n_times: int) -> NDArray[np.float64]:
        """Return the levels of the next samples, shape ``(n_times, n)``."""
        from scipy.signal import lfilter

        stop = first + n_times
        targets = np.empty((n_times, len(self._target)))
        at = first
        while self._plan and self._plan[0][0] < stop:
            sample, _, target = self._plan.pop(0)
            sample = max(sample, first)
            targets[at - first : sample - first] = self._target
            self._target = target
            at = sample
        targets[at - first :] = self._target
        out, self._zi = lfilter(self._b, self._a, targets, axis=0, zi=self._zi)
        return out
