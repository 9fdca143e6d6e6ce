"""Drowsiness from slow rhythms: an index with a person's own baseline, hysteresis, and an optional calibration."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.estimator import check_epochs
from bcikit.signal import ArgumentError, DataError, check_int, check_range

Array = NDArray[np.float64]

BANDS = {"theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "muscle": (35.0, 45.0)}
"""Hz. The last is no rhythm of the brain: it tells alertness that is only a tense jaw."""


def band_powers(X: ArrayLike, *, sfreq: float) -> Array:
    """Return log10 power in each of `BANDS`, shape ``(n_epochs, 4, n_channels)``, by a Hann-tapered periodogram."""
    data = check_epochs(X, who="band_powers")
    spectrum = np.abs(np.fft.rfft((data - data.mean(axis=-1, keepdims=True)) * np.hanning(data.shape[-1]))) ** 2
    bins = np.fft.rfftfreq(data.shape[-1], 1.0 / sfreq)
    result = []
    for low, high in BANDS.values():
        chosen = (bins >= low) & (bins < high)
        if not chosen.any() or high > sfreq / 2:
            raise ArgumentError(f"Windows of {data.shape[-1] / sfreq:g} s at {sfreq:g} Hz hold no {low:g}-{high:g} Hz.")
        result.append(np.log10(np.maximum(spectrum[..., chosen].mean(axis=-1), 1e-12)))
    return np.stack(result, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vigilance:
    """State of a person at a window.

    Attributes
    ----------
    index : float
        Standard deviations of the baseline by which ``log10((theta + alpha) / beta)`` is above it, smoothed; larger is
        drowsier. NaN until the baseline is known.
    drowsiness : float
        0 (awake) to 1; a probability only after `VigilanceMonitor.calibrate`.
    drowsy : bool
        With hysteresis.
    muscle : bool
        Muscle activity is so high that the index cannot be trusted; the state is held.
    """

    index: float
    drowsiness: float
    drowsy: bool
    muscle: bool


class VigilanceMonitor(BaseEstimator):
    """Follows drowsiness window by window.

    Index: ``log10((theta + alpha) / beta)`` (Eoh et al. 2005, Int J Ind Ergon 35(4); Jap et al. 2009, Expert Syst Appl
    36(2)), median over channels, in standard deviations of the person's own first `baseline` windows, smoothed
    exponentially. Muscle activity raises beta and would count as being awake: windows with it are left out.

    Works without calibration; `calibrate` fits the drowsiness to a reference (eye closure, reaction time).

    Parameters
    ----------
    sfreq : float
        Hz.
    baseline : int
        Windows of the baseline, taken awake.
    smoothing : float
        Share of a new window in the smoothed index.
    on, off : float
        Index at which the state becomes drowsy, and awake again.
    muscle_limit : float
        Standard deviations of muscle power above its baseline at which a window is left out.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        baseline: int = 30,
        smoothing: float = 0.2,
        on: float = 2.0,
        off: float = 1.0,
        muscle_limit: float = 4.0,
    ) -> None:
        self.sfreq = sfreq
        self.baseline = baseline
        self.smoothing = smoothing
        self.on = on
        self.off = off
        self.muscle_limit = muscle_limit

    def reset(self) -> Self:
        """Begin with another person."""
        check_int("baseline", self.baseline, low=5)
        check_range("smoothing", self.smoothing, low=0.0, high=1.0, low_open=True)
        check_range("off", self.off, high=self.on)
        self._raw: list[tuple[float, float]] = []
        self._level: float | None = None
        self._drowsy = False
        return self

    def update(self, X: ArrayLike) -> Vigilance:
        """Take one window ``(1, n_channels, n_times)`` or ``(n_channels, n_times)``."""
        if not hasattr(self, "_raw"):
            self.reset()
        data = np.asarray(X, dtype=np.float64)
        powers = np.median(band_powers(data[None] if data.ndim == 2 else data, sfreq=self.sfreq)[0], axis=1)
        theta, alpha, beta, muscle = powers
        value = float(np.log10(10**theta + 10**alpha) - beta)
        if len(self._raw) < self.baseline:
            self._raw.append((value, float(muscle)))
            return Vigilance(index=float("nan"), drowsiness=0.0, drowsy=False, muscle=False)
        base = np.asarray(self._raw)
        centre = np.median(base, axis=0)
        # Median absolute deviation: a blink in the baseline must not widen it; 1.4826 makes it a standard deviation.
        spread = np.maximum(1.4826 * np.median(np.abs(base - centre), axis=0), 1e-3)
        tense = bool((muscle - centre[1]) / spread[1] > self.muscle_limit)
        if not tense:
            z = (value - centre[0]) / spread[0]
            self._level = z if self._level is None else self._level + self.smoothing * (z - self._level)
        level = 0.0 if self._level is None else float(self._level)
        self._drowsy = level > (self.off if self._drowsy else self.on)
        return Vigilance(index=level, drowsiness=self._drowsiness(level), drowsy=self._drowsy, muscle=tense)

    def calibrate(self, index: ArrayLike, reference: ArrayLike) -> Self:
        """Fit the drowsiness to a reference between 0 (awake) and 1 (asleep) by a logistic curve.

        Parameters
        ----------
        index : array, shape (n,)
            Indices that `update` gave.
        reference : array, shape (n,)
            PERCLOS, or scaled reaction times, of the same windows.
        """
        from sklearn.linear_model import LogisticRegression

        x, goal = np.asarray(index, dtype=np.float64), np.asarray(reference, dtype=np.float64)
        known = np.isfinite(x) & np.isfinite(goal)
        x, goal = x[known], goal[known]
        if len(x) < 10 or goal.min() < 0 or goal.max() > 1 or np.ptp(goal) < 0.1:
            raise DataError("calibrate needs at least 10 windows with references between 0 and 1 that differ by 0.1.")
        features = np.concatenate([x, x])[:, None]
        labels = np.repeat([1, 0], len(x))
        weights = np.concatenate([goal, 1.0 - goal])
        fitted = LogisticRegression(C=10.0).fit(features, labels, sample_weight=weights)
        self.slope_, self.offset_ = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        return self

    def _drowsiness(self, level: float) -> float:
        middle = (self.on + self.off) / 2
        slope = getattr(self, "slope_", 2.0 / max(self.on - self.off, 1e-3))
        offset = getattr(self, "offset_", -slope * middle)
        return float(1.0 / (1.0 + np.exp(-(slope * level + offset))))
