"""Monitors of the person: unusual rhythmic activity and fatigue. Advisories for an operator, never a diagnosis."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bcikit.safety.levels import Reading, Severity
from bcikit.safety.measures import Array, Measures

_FOREHEAD = ("fp1", "fp2", "fpz", "af7", "af8", "afz", "af3", "af4")
_BASELINE_S = 300.0
_WARM_UP_S = 30.0
_MIN_CHANNELS = 3
_EVERY = 10
"""Windows between two looks at the past."""

POWER_RATIO = 4.0
RHYTHM_UV = 150.0
SPIKE_UV = 100.0
EMG_RATIO = 10.0


class RhythmMonitor:
    """Says when the EEG shows rhythmic activity of a kind that the operator should look at.

    Four signs, each on three channels and a fifth of those away from the forehead (blinks), with muscle activity
    explained away:

    - power from 2.5 to 7 Hz more than four times the channel's median of five minutes and more than below 2 Hz, where
      movement is, for 5 s (after Hopfengärtner et al. 2014, without the alpha band, which closing the eyes multiplies);
    - a peak from 2.5 to 4.5 Hz with two harmonics and more than 150 uV peak to peak, for 3 s;
    - sharp waves of 20 to 70 ms, more than 100 uV and five times the channel's background, in a window that is not
      alpha, five in 10 s;
    - muscle activity above ten times its median on all channels without a pause, for 5 s (chewing pauses).

    Parameters
    ----------
    ch_names : sequence of str
        The EEG channels, in the order of `Measures`.
    sfreq : float
        Hz.
    hop_s : float
        Seconds between two windows.
    """

    def __init__(self, ch_names: Sequence[str], sfreq: float, *, hop_s: float) -> None:
        self._inner = np.array([name.lower().strip(".") not in _FOREHEAD for name in ch_names], dtype=bool)
        self._least = max(_MIN_CHANNELS, math.ceil(0.2 * int(self._inner.sum())))
        self._sfreq = sfreq
        self._hop_s = hop_s
        length = round(_BASELINE_S / hop_s)
        # Rows: slow power and muscle power as logarithms, amplitude from 4 to 35 Hz.
        self._past: deque[Array] = deque(maxlen=length)
        self._typical: Array | None = None
        self._count = 0
        self._runs = dict.fromkeys(("slow power", "rhythm", "muscle"), 0)
        self._spikes: deque[int] = deque(maxlen=round(10.0 / hop_s))
        self._held_s = 0.0
        self._held = ""

    def update(self, found: Measures, usable: NDArray[np.bool_]) -> Reading | None:
        """Take the measures of the next window.

        Parameters
        ----------
        found : Measures
            Of the newest window.
        usable : ndarray of bool
            Channels that can be believed.

        Returns
        -------
        Reading or None
            The advisory, held for 10 s after the last sign.
        """
        slow = np.log10(found.band(2.5, 7.0) + 1e-3)
        muscle, quiet_part = self._muscle_of(found)
        muscle = np.log10(muscle + 1e-3)
        signs: list[str] = []
        if self._typical is not None and self._inner.sum() >= _MIN_CHANNELS:
            tense = muscle - self._typical[1] > 0.5
            inner = self._inner & usable & ~tense
            risen = slow - self._typical[0] > np.log10(POWER_RATIO)
            risen &= slow > np.log10(found.band(0.4, 2.0) + 1e-3)
            signs = self._signs(found, inner, risen, self._typical[2])
            held = np.log10(quiet_part + 1e-3) - self._typical[1] > np.log10(EMG_RATIO)
            sure = usable.any() and bool(held[usable].all())
            if self._lasts("muscle", sure, 5.0):
                signs.append("muscle activity without a pause")
        self._past.append(np.stack([slow, muscle, np.sqrt(found.band(4.0, 35.0))]))
        self._count += 1
        # A median of five minutes does not change from one window to the next.
        if self._count * self._hop_s >= _WARM_UP_S and self._count % _EVERY == 0:
            self._typical = np.median(np.asarray(self._past), axis=0)
        return self._hold(signs)

    def _signs(self, found: Measures, inner: NDArray[np.bool_], risen: NDArray[np.bool_], fast: Array) -> list[str]:
        signs = []
        wide = np.ptp(found.slow, axis=1)
        if self._lasts("slow power", (risen & inner).sum() >= self._least, 5.0):
            signs.append("slow power")
        large = inner & (wide > RHYTHM_UV)
        rhythmic = large.copy()
        if large.sum() >= self._least:
            rhythmic[large] = self._harmonic(found.power[large], found.freqs)
        if self._lasts("rhythm", rhythmic.sum() >= self._least, 3.0):
            signs.append("rhythm with harmonics")
        alpha = found.band(8.0, 13.0) > 0.5 * found.band(4.0, 35.0)
        pointed = inner & (wide > SPIKE_UV) & ~alpha
        count = 0
        # A blink reaches far back in large heads of many channels, but it is largest at the forehead.
        front = wide[~self._inner]
        blink = front.size > 0 and pointed.any() and front.max() > 1.5 * np.median(wide[pointed])
        if pointed.sum() >= self._least and not blink:
            count = self._sharp(found.window[pointed], np.maximum(SPIKE_UV, 5.0 * fast[pointed]))
        self._spikes.append(count)
        if sum(self._spikes) >= 5:
            signs.append("sharp waves")
        return signs

    def _lasts(self, sign: str, now: bool | np.bool_, seconds: float) -> bool:  # noqa: FBT001 - a truth value, no option
        self._runs[sign] = self._runs[sign] + 1 if now else 0
        return self._runs[sign] * self._hop_s >= seconds

    def _hold(self, signs: list[str]) -> Reading | None:
        if signs:
            self._held, self._held_s = ", ".join(signs), 10.0
        elif self._held_s > 0:
            self._held_s -= self._hop_s
        if self._held_s <= 0:
            return None
        return Reading(rule="P-RHYTHM", severity=Severity.FAULT, value=self._held, limit="none")

    def _muscle_of(self, found: Measures) -> tuple[Array, Array]:
        """Return the power above 30 Hz without mains, of the window and of its quietest quarter of a second."""
        freqs = found.freqs
        keep = (freqs >= 30.0) & (freqs <= min(110.0, self._sfreq / 2 - 2))
        for mains in (50.0, 60.0, 100.0):
            keep &= np.abs(freqs - mains) > 1.5
        power = found.power[:, keep].sum(axis=1)
        if self._typical is None:
            return power, power
        typical = 10.0 ** self._typical[1]
        if not (power > EMG_RATIO * typical).all():
            return power, np.minimum(power, typical)
        n = found.window.shape[1]
        spectrum = np.fft.rfft(found.window, axis=1)
        fast = np.fft.irfft(np.where(keep, spectrum, 0.0), n, axis=1)
        block = max(1, round(0.25 * self._sfreq))
        blocks = fast[:, : n // block * block].reshape(len(fast), -1, block)
        return power, (blocks**2).mean(axis=2).min(axis=1)

    @staticmethod
    def _harmonic(power: Array, freqs: Array) -> NDArray[np.bool_]:
        """Return which spectra are a line from 2.5 to 4.5 Hz with its harmonics."""
        base = (freqs >= 2.5) & (freqs <= 4.5)
        first = freqs[base][power[:, base].argmax(axis=1)]
        band = (freqs >= 1.0) & (freqs <= 30.0)
        total = power[:, band].sum(axis=1) + 1e-9
        shares = np.zeros((3, len(power)))
        for order in (1, 2, 3):
            near = np.abs(freqs[None, :] - order * first[:, None]) <= 0.75
            shares[order - 1] = np.where(near, power, 0.0).sum(axis=1) / total
        return np.asarray((shares.sum(axis=0) > 0.7) & (shares[1] > 0.03) & (shares[2] > 0.01))

    def _sharp(self, window: Array, height: Array) -> int:
        """Return how many sharp waves of at least `height` one hop holds on enough channels at once."""
        n = window.shape[1]
        spectrum = np.fft.rfft(window, axis=1)
        freqs = np.fft.rfftfreq(n, 1.0 / self._sfreq)
        trace = np.fft.irfft(np.where((freqs >= 4.0) & (freqs <= 35.0), spectrum, 0.0), n, axis=1)
        # A wave of 20 to 70 ms stands out by the height on both its sides, 35 ms away.
        side = max(1, round(0.035 * self._sfreq))
        middle = np.abs(trace[:, side:-side])
        rise = np.minimum(
            np.abs(trace[:, side:-side] - trace[:, : -2 * side]), np.abs(trace[:, side:-side] - trace[:, 2 * side :])
        )
        least = height[:, None]
        high = ((rise > least) & (middle > least / 2)).sum(axis=0) >= self._least
        # The edges of a window belong to the windows before and after it.
        hop = round(self._hop_s * self._sfreq)
        start = max(0, (high.size - hop) // 2)
        part = high[start : start + hop]
        return int(part[0]) + int((part[1:] & ~part[:-1]).sum())


class FatigueMonitor:
    """Compares (theta + alpha) / beta of each block with the first one.

    Parameters
    ----------
    hop_s : float
        Seconds between two windows.
    block_s : float
        Length of a block.

    Notes
    -----
    The direction is published (Cao et al. 2014 and a meta-analysis of 2023); the 30 % for two blocks are the project's.
    """

    def __init__(self, *, hop_s: float, block_s: float = 60.0) -> None:
        self._windows = round(block_s / hop_s)
        self._current: list[float] = []
        self.blocks: list[float] = []

    def update(self, found: Measures, usable: NDArray[np.bool_]) -> None:
        """Take the measures of the next window."""
        if not usable.any():
            return
        beta = found.band(13.0, 30.0)[usable].sum() + 1e-9
        self._current.append(float(found.band(4.0, 13.0)[usable].sum() / beta))
        if len(self._current) == self._windows:
            self.blocks.append(float(np.median(self._current)))
            self._current.clear()

    def reading(self) -> Reading | None:
        """Return a warning if two blocks in a row are 30 % above the first."""
        if len(self.blocks) >= 3:
            change = min(self.blocks[-2:]) / self.blocks[0] - 1.0
            if change > 0.3:
                return Reading(rule="P-FATIGUE", severity=Severity.WARN, value=round(change, 3), limit=0.3)
        return None


def drowsiness(score: int) -> Reading | None:
    """Return what the operator is told of a Karolinska sleepiness score: 7 and above (EU 2021/1341).

    A warning, and no more: what closes the gate would take away the advice that the driver is to get.

    Parameters
    ----------
    score : int
        1 (very alert) to 9 (fighting sleep).
    """
    if score < 7:
        return None
    return Reading(rule="P-DROWSY", severity=Severity.WARN, value=score, limit=7)
