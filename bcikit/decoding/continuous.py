"""Continuous control: a cursor or a grip force by ridge regression or a Kalman filter, with limits on speed."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bcikit.signal import ArgumentError, check_range

Array = NDArray[np.float64]


class RidgeDecoder(RegressorMixin, BaseEstimator):
    """Ridge regression from features to a position, a velocity or a force.

    ``W = (F'F + alpha tr(F'F) / n I)^-1 F'Y`` on centred features: `alpha` is relative to the features' mean power, so
    that it means the same in any unit.

    Parameters
    ----------
    alpha : float
        Strength of the regularisation.
    """

    def __init__(self, *, alpha: float = 0.01) -> None:
        self.alpha = alpha

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from features ``(n, n_features)`` and targets ``(n,)`` or ``(n, n_outputs)``."""
        check_range("alpha", self.alpha, low=0.0)
        features, goals = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self.flat_ = goals.ndim == 1
        goals = goals[:, None] if self.flat_ else goals
        self.mean_ = features.mean(axis=0)
        centre = goals.mean(axis=0)
        centred = features - self.mean_
        gram = centred.T @ centred
        ridge = self.alpha * np.trace(gram) / len(gram) * np.eye(len(gram))
        weights = np.linalg.lstsq(gram + ridge, centred.T @ (goals - centre), rcond=None)[0]
        self.coef_ = weights.T
        self.intercept_ = centre - self.mean_ @ weights
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Return the outputs, shape ``(n,)`` or ``(n, n_outputs)``."""
        check_is_fitted(self, "coef_")
        values: Array = validate_data(self, X, dtype=np.float64, reset=False) @ self.coef_.T + self.intercept_
        return values[:, 0] if self.flat_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class KalmanDecoder(RegressorMixin, BaseEstimator):
    """Kalman filter from features to a state such as position and velocity.

    Wu et al. 2006 (Neural Comput 18(1)): ``x_t = A x_t-1 + w``, ``z_t = H x_t + c + q``, all by least squares from the
    training; `step` is the recursion, started from the stationary uncertainty.

    Parameters
    ----------
    ridge : float
        Regularisation of the noise covariances, relative to their mean variance.
    """

    def __init__(self, *, ridge: float = 1e-3) -> None:
        self.ridge = ridge

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from features ``(n, n_features)`` and states ``(n, n_states)`` in the order of time."""
        features, states = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=3
        )
        self.flat_ = states.ndim == 1
        states = states[:, None] if self.flat_ else states
        before, after = states[:-1], states[1:]
        self.state_mean_ = states.mean(axis=0)
        before, after, centred = before - self.state_mean_, after - self.state_mean_, states - self.state_mean_
        self.transition_ = np.linalg.lstsq(before, after, rcond=None)[0].T
        # A person's state does not grow without bound, whatever few samples say.
        radius = float(np.abs(np.linalg.eigvals(self.transition_)).max())
        if radius >= 1.0:
            self.transition_ = self.transition_ * (0.999 / radius)
        self.process_ = self._covariance(after - before @ self.transition_.T)
        self.offset_ = features.mean(axis=0)
        self.observation_ = np.linalg.lstsq(centred, features - self.offset_, rcond=None)[0].T
        self.noise_ = self._covariance(features - self.offset_ - centred @ self.observation_.T)
        self.reset()
        return self

    def _covariance(self, residual: Array) -> Array:
        covariance = residual.T @ residual / max(1, len(residual) - 1)
        n = len(covariance)
        floor = self.ridge * np.trace(covariance) / n + 1e-12
        result: Array = covariance + floor * np.eye(n)
        return result

    def reset(self) -> None:
        """Begin again from the mean state."""
        self._state, self._uncertainty = self._start()

    def _start(self) -> tuple[Array, Array]:
        from scipy.linalg import solve_discrete_lyapunov

        return np.zeros(len(self.transition_)), solve_discrete_lyapunov(self.transition_, self.process_)

    def step(self, features: ArrayLike) -> Array:
        """Take the features of one window and return the state, shape ``(n_states,)``.

        Features that are not finite only let time pass.
        """
        check_is_fitted(self, "transition_")
        z = np.asarray(features, dtype=np.float64)
        if z.shape != self.offset_.shape:
            raise ArgumentError(f"features must have the shape {self.offset_.shape}; they have {z.shape}.")
        self._state, self._uncertainty = self._advance(self._state, self._uncertainty, z)
        return self._state + self.state_mean_

    def _advance(self, state: Array, uncertainty: Array, z: Array) -> tuple[Array, Array]:
        """Return state and uncertainty after one window."""
        state = self.transition_ @ state
        uncertainty = self.transition_ @ uncertainty @ self.transition_.T + self.process_
        if np.isfinite(z).all():
            innovation = self.observation_ @ uncertainty @ self.observation_.T + self.noise_
            gain = np.linalg.solve(innovation, self.observation_ @ uncertainty).T
            state = state + gain @ (z - self.offset_ - self.observation_ @ state)
            uncertainty = uncertainty - gain @ self.observation_ @ uncertainty
            uncertainty = (uncertainty + uncertainty.T) / 2
        return state, uncertainty

    def predict(self, X: ArrayLike) -> Array:
        """Return the states of consecutive windows, from a fresh start."""
        check_is_fitted(self, "transition_")
        features = validate_data(self, X, dtype=np.float64, reset=False)
        state, uncertainty = self._start()
        values = np.empty((len(features), len(state)))
        for row, z in enumerate(features):
            state, uncertainty = self._advance(state, uncertainty, z)
            values[row] = state + self.state_mean_
        return values[:, 0] if self.flat_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class Limiter:
    """Keeps a continuous output within its range and its speed, whatever the decoder says.

    Parameters
    ----------
    low, high : float
        Range.
    max_speed : float
        Largest change a second.
    start : float
        Value before the first update.
    """

    def __init__(self, *, low: float = 0.0, high: float = 1.0, max_speed: float = 1.0, start: float = 0.0) -> None:
        self.low = check_range("low", low, high=high, high_open=True)
        self.high = check_range("high", high)
        self.max_speed = check_range("max_speed", max_speed, low=0.0, low_open=True)
        self.value = check_range("start", start, low=low, high=high)

    def update(self, wanted: float, seconds: float) -> float:
        """Return the new value: towards `wanted`, no faster than allowed; one that is not finite holds the old."""
        check_range("seconds", seconds, low=0.0, unit="s")
        if np.isfinite(wanted):
            reach = self.max_speed * seconds
            goal = min(max(float(wanted), self.low), self.high)
            self.value += min(max(goal - self.value, -reach), reach)
        return self.value
