"""Learns how the packet counter of a device runs, where nobody says: its step, samples a packet, and where it wraps."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.counter import PacketCounter

_ENOUGH = 200
"""Changes of the counter that must have been seen."""

_REGULAR = 0.9
"""Share of the changes that must be alike, or it is no counter."""

_LONG = 1 << 30
"""Modulus of a counter that was not seen to wrap: a wrap later shows as samples that came before they were taken."""

_PATIENCE = 20.0
"""Seconds without a wrap after which a counter counts as long."""

_KEPT = 8192
"""Samples that are looked at together."""


class CounterLearner:
    """Watches the packet numbers of a device until they can be followed.

    Parameters
    ----------
    sfreq : float
        Samples a second.
    """

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._seen = np.zeros(0)
        self._total = 0
        self.hopeless = False

    def feed(self, packets: NDArray[np.float64], last: float) -> PacketCounter | None:
        """Take the packet numbers of a block, and return a counter that goes on from it once it is known.

        Parameters
        ----------
        packets : ndarray, shape (n,)
            In the order of arrival.
        last : float
            Time of the last one, seconds.
        """
        if self.hopeless:
            return None
        self._total += packets.shape[0]
        self._seen = np.concatenate([self._seen, packets])[-_KEPT:]
        steps = np.diff(self._seen)
        changes = np.flatnonzero(steps) + 1
        if changes.size < _ENOUGH:
            self.hopeless = self._total > 60.0 * self._sfreq
            return None
        values = self._seen[changes]
        if not np.array_equal(values, np.rint(values)):
            self.hopeless = True
            return None
        found = self._shape(values, np.diff(changes))
        if found is None:
            return None
        modulus, step, samples = found
        counter = PacketCounter(modulus, self._sfreq, step=step, samples_per_packet=samples)
        # Begin with the last whole packet, so that the next block is counted from here on.
        tail = self._seen[changes[-1] :]
        counter.count(tail, last + np.arange(1.0 - tail.size, 1.0) / self._sfreq)
        return counter

    def _shape(self, values: NDArray[np.float64], lengths: NDArray[np.intp]) -> tuple[int, int, int] | None:
        """Return modulus, step and samples a packet."""
        differences = np.diff(values)
        step, often = Counter(differences[differences > 0].tolist()).most_common(1)[0]
        samples, regular = Counter(lengths.tolist()).most_common(1)[0]
        if regular < _REGULAR * lengths.size:
            return None
        wraps = Counter((step - differences[differences < 0]).tolist()).most_common(1)
        back = int(np.count_nonzero(differences < 0))
        if often + back < _REGULAR * differences.size:
            self.hopeless = self._total > 60.0 * self._sfreq
            return None
        if wraps and wraps[0][1] >= 2 and wraps[0][1] > 0.5 * back:
            modulus = int(wraps[0][0])
            return (modulus, int(step), int(samples)) if modulus >= 4 and modulus % int(step) == 0 else None
        if not back and self._total > _PATIENCE * self._sfreq:
            return _LONG - _LONG % int(step), int(step), int(samples)
        return None
