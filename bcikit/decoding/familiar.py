"""Whether today's windows look like those that a model learned from."""

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.spd import covariances, function_of, mean_riemann, squared_distances
from bcikit.signal import check_int, check_range

Array = NDArray[np.float64]

QUANTILE = 0.95
"""Share of the windows of a training that are nearer to its centre than what is called strange."""


def typical_distance(X: Array, groups: NDArray[np.int64]) -> float:
    """Return the distance from the centre of a training that `QUANTILE` of unseen windows of it stay below.

    Distances are affine-invariant ones between covariances; each run is measured from the centre of the others, or,
    where there is one run, each half from the centre of the other.

    Parameters
    ----------
    X : ndarray, shape (n_epochs, n_channels, n_times)
        Training epochs.
    groups : ndarray of int, shape (n_epochs,)
        Run of each.
    """
    matrices = covariances(X, "oas")
    where = groups if len(np.unique(groups)) > 1 else (np.arange(len(X)) * 2 // len(X))
    found = []
    for group in np.unique(where):
        held = where == group
        whitener = function_of(mean_riemann(matrices[~held]), "invsqrt")
        found.append(np.sqrt(squared_distances(matrices[held], whitener[None])[:, 0]))
    return float(np.quantile(np.concatenate(found), QUANTILE))


class Familiarity:
    """Follows how many of the newest windows are stranger than nearly all of the training.

    Of windows like those of the training one in twenty is. Once at least half of the newest ten are, the model is asked
    about something it has not seen: other electrodes, a cap that moved, another state. That is told before the patient
    notices wrong decisions.

    Parameters
    ----------
    centre : ndarray, shape (n_channels, n_channels)
        Mean covariance of the training.
    limit : float
        See `typical_distance`.
    recent : int
        Windows looked back on.
    share : float
        Share of them that must be strange.
    """

    def __init__(self, centre: Array, limit: float, *, recent: int = 10, share: float = 0.5) -> None:
        self.limit = limit
        self.recent = check_int("recent", recent, low=1)
        self.share = check_range("share", share, low=0.0, high=1.0, low_open=True)
        self._whitener = function_of(np.asarray(centre, dtype=np.float64), "invsqrt")
        self._strange: list[bool] = []
        self.drifted = False

    def distance(self, X: Array) -> float:
        """Return the distance of a window, shape ``(1, n_channels, n_times)``, from the centre of the training."""
        return float(np.sqrt(squared_distances(covariances(X, "oas"), self._whitener[None])[0, 0]))

    def update(self, X: Array) -> bool:
        """Take a window; return whether windows have just become strange, or familiar again."""
        self._strange.append(self.distance(X) > self.limit)
        del self._strange[: -self.recent]
        before = self.drifted
        enough = len(self._strange) == self.recent
        # Left only once clearly fewer are strange than it took to get there.
        needed = self.share * self.recent * (0.5 if before else 1.0)
        self.drifted = enough and sum(self._strange) >= needed
        return self.drifted != before

    @property
    def strange(self) -> float:
        """Share of the newest windows that are strange."""
        return sum(self._strange) / len(self._strange) if self._strange else 0.0
