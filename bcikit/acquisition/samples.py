"""Bad samples, told from the samples alone: not a number, at full scale, repeated."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Bad, StreamInfo

RAIL = 0.99
"""Share of the full scale from which a sample counts as railed: the last codes of a converter cannot be trusted."""

IMPOSSIBLE = 1e12
"""Microvolts, or counts of a converter, from which a sample is railed whatever the full scale: no electrode gives a
million volts and no converter 40 bits, and what is computed of it overflows."""

_MIN_CHANNELS_TO_REPEAT = 4
"""With fewer channels, equal neighbours happen by chance."""


class SampleCheck:
    """Marks bad samples. A clean block costs two passes over it and no mask.

    Parameters
    ----------
    info : StreamInfo
        Channel types and full scale of the device.
    full_scale : ndarray, shape (n_channels,), or None
        Largest absolute value of each channel, NaN where it is not known; that of `info` where it is left out.
    """

    def __init__(self, info: StreamInfo, *, full_scale: NDArray[np.float64] | None = None) -> None:
        signal = [i for i, kind in enumerate(info.ch_types) if kind in ("eeg", "eog", "emg", "ecg", "ref", "bio")]
        self._columns = np.array(signal, dtype=np.intp)
        self._all_signal = len(signal) == info.n_channels
        if full_scale is None or not np.isfinite(full_scale[signal]).any():
            full_scale = info.full_scale_array()
        # Of a scale that is not known, fmin takes the other.
        self._rails = np.fmin(RAIL * full_scale[signal], IMPOSSIBLE)
        self._rail = float(self._rails.min()) if signal else None
        self._last: NDArray[np.float64] | None = None

    def reset(self) -> None:
        """Forget the sample before: a new segment begins."""
        self._last = None

    def mask(self, data: NDArray[np.float64]) -> NDArray[np.uint8] | None:
        """Return `Bad` bits, uint8 ``(n_times, n_channels)``, or None where all samples are good."""
        mask: NDArray[np.uint8] | None = None
        high, low = float(data.max()), float(data.min())
        # max and min hand on NaN, and infinity is never the limit of a sound sample.
        finite = isfinite(high) and isfinite(low)
        if not finite:
            mask = np.where(np.isfinite(data), 0, int(Bad.NAN)).astype(np.uint8)
        rail = self._rail
        if rail is not None and (not finite or high >= rail or low <= -rail):
            columns = data[:, self._columns]
            with np.errstate(invalid="ignore"):
                railed = np.abs(columns) >= self._rails
            railed &= np.isfinite(columns)
            if railed.any():
                mask = np.zeros(data.shape, np.uint8) if mask is None else mask
                mask[:, self._columns] |= np.where(railed, np.uint8(Bad.RAILED), np.uint8(0))
        return self._repeats(data, mask)

    def added(self, data: NDArray[np.float64], mask: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Return a mask that says what is bad by the samples, too, beside what a reader knew of them."""
        found = self.mask(data)
        if mask is None or found is None:
            return found if mask is None else mask
        return mask | found

    def _repeats(self, data: NDArray[np.float64], mask: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Mark samples of which every signal channel equals the sample before."""
        if self._columns.size < _MIN_CHANNELS_TO_REPEAT:
            return mask
        column = self._columns[0]
        last, self._last = self._last, data[-1]
        head = last is not None and last[column] == data[0, column]
        if not head and not (data[1:, column] == data[:-1, column]).any():
            return mask
        signal = data if self._all_signal else data[:, self._columns]
        repeated = np.zeros(data.shape[0], dtype=bool)
        repeated[1:] = (signal[1:] == signal[:-1]).all(axis=1)
        if last is not None and head:
            repeated[0] = bool((last[self._columns] == data[0, self._columns]).all())
        if not repeated.any():
            return mask
        mask = np.zeros(data.shape, np.uint8) if mask is None else mask
        mask[np.ix_(repeated, self._columns)] |= np.uint8(Bad.REPEATED)
        return mask
