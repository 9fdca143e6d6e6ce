"""The worst of several channels, without the luck of the draw: noise makes the largest of many too large."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.validation.results import Measurement

PASSBAND = 50.0
"""Hz, up to which limits are about the response."""


def calmed(values: NDArray[np.float64], u: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return values drawn to their mean as far as their uncertainty explains their spread, and their new uncertainty.

    The largest of `n` equal values that are known to `u` comes out too large by up to ``u * sqrt(2 ln n)``. Empirical
    Bayes takes that off: each value moves to the mean by the share ``u^2 / (u^2 + s^2)``, with ``s^2`` the spread that
    the uncertainty does not explain (Efron and Morris, 1973). Where channels really differ, nothing changes.

    Parameters
    ----------
    values, u : ndarray, shape (n,)
        Estimates and their standard uncertainties.
    """
    n = values.shape[0]
    if n < 2:
        return values, u
    if not np.all(np.isfinite(u)):
        return values, u
    # What scatters not at all (a dead channel) is known as well as numbers are written.
    u = np.maximum(u, 1e-12 * np.max(np.abs(values), initial=1e-100))
    weight = 1.0 / u**2
    mean = float(np.sum(weight * values) / np.sum(weight))
    spread = max(0.0, float(np.sum((values - mean) ** 2)) / (n - 1) - float(np.mean(u**2)))
    keep = spread / (spread + u**2) if spread > 0 else np.zeros(n)
    left = np.sqrt(keep * u**2 + (1 - keep) ** 2 / np.sum(weight))
    return mean + keep * (values - mean), left


def extreme_share(
    shares: NDArray[np.float64],
    u: NDArray[np.float64],
    names: Sequence[str],
    pick: Callable[[NDArray[np.float64]], Any],
    *,
    quantity: str,
    label: str,
    whole: bool = True,
) -> Measurement:
    """Return the smallest or largest of the channels' shares in percent, calmed.

    Parameters
    ----------
    shares, u : ndarray, shape (n_channels,)
        Shares of 1, and their standard uncertainties.
    names : sequence of str
        Of the channels.
    pick : callable
        `numpy.argmin` or `numpy.argmax`.
    quantity, label, whole
        Of the measurement.
    """
    calm, u_calm = calmed(shares, u)
    column = int(pick(calm))
    return Measurement(
        quantity=quantity,
        label=label,
        value=100 * float(calm[column]),
        unit="%",
        uncertainty=200 * float(u_calm[column]),
        channel=names[column],
        whole=whole,
    )


def amplitude(size: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return amplitudes of fitted sines less what noise adds: ``A^2`` is too large by ``2 u^2`` (Rice)."""
    return np.sqrt(np.maximum(size**2 - 2 * u**2, (0.5 * u) ** 2))
