"""Re-centring: the mean covariance of now, carried to where it was in the training."""

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.spd import covariances, function_of, geodesic, mean_riemann
from bcikit.signal import check_range

Array = NDArray[np.float64]


class Recentring:
    """Maps windows so that their mean covariance is where it was in the training, without labels.

    ``X <- M0^1/2 M^-1/2 X`` with M0 the mean covariance of the training and M the one of now: re-centring (Zanini et
    al. 2018, IEEE TBME 65(5); online: Kumar et al. 2024, PNAS Nexus 3(2)) on the signals, so that every decoder
    follows; for a tangent space it is the same as moving its reference. M is the point at ``n / (n + trust)`` of the
    way from M0 to the running mean of n windows: few windows move little. The running mean goes along the geodesic,
    ``1/n`` of the way to each of the first windows and `rate` later.

    Feed it windows that do not depend on the task (rest, fixation), or all classes alike: windows of one class pull the
    centre towards that class and bias the decoder (arXiv 2603.16825).

    Parameters
    ----------
    reference : ndarray, shape (n_channels, n_channels)
        M0: mean covariance of such windows in the training.
    rate : float
        Share of the way to a new covariance in the long run.
    trust : float
        Windows after which the running mean counts as much as the training.

    Attributes
    ----------
    mapping : ndarray, shape (n_channels, n_channels)
        What windows are multiplied by.
    """

    def __init__(self, reference: Array, *, rate: float = 0.02, trust: float = 4.0) -> None:
        self.reference = np.asarray(reference, dtype=np.float64)
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.trust = check_range("trust", trust, low=0.0)
        self.n = 0
        self.mean: Array | None = None
        self.mapping = np.eye(len(self.reference))
        self._root = function_of(self.reference, "sqrt")

    def update(self, X: Array) -> None:
        """Take windows ``(n, n_channels, n_times)`` in order, as they came: not mapped."""
        for matrix in covariances(X, "oas"):
            self.n += 1
            share = max(1.0 / self.n, self.rate)
            self.mean = matrix if self.mean is None else geodesic(self.mean, matrix, share)
        if self.mean is not None:
            now = geodesic(self.reference, self.mean, self.n / (self.n + self.trust))
            self.mapping = self._root @ function_of(now, "invsqrt")


def centre_of(X: Array) -> Array:
    """Return the geometric mean of the covariances of epochs, the reference of `Recentring`."""
    return mean_riemann(covariances(X, "oas"))
