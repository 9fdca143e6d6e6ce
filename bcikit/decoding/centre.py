"""Re-centring: the mean of now, of covariances or of a decoder's features, carried to where it was in the training."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.spd import covariances, function_of, geodesic, mean_riemann
from bcikit.signal import check_range

Array = NDArray[np.float64]


TRUST = 8.0
"""About what `trust_between` finds for SSVEP over six people; for models of one person, whose days differ no more."""


class Recentring:
    """Maps windows so that their mean covariance is where it was in the training, without labels.

    ``X <- M0^1/2 M^-1/2 X`` with M0 the mean covariance of the training and M the one of now: re-centring (Zanini et
    al. 2018, IEEE TBME 65(5); online: Kumar et al. 2024, PNAS Nexus 3(2)) on the signals, so that every decoder
    follows; for a tangent space it is the same as moving its reference. M is the point at ``n / (n + trust)`` of the
    way from the start to the running mean of n windows: few windows move little. The running mean goes along the
    geodesic, ``1/n`` of the way to each of the first windows and `rate` later.

    Feed it windows that do not depend on the task (rest, fixation), or all classes alike: windows of one class pull the
    centre towards that class and bias the decoder (arXiv 2603.16825).

    Parameters
    ----------
    reference : ndarray, shape (n_channels, n_channels)
        M0: mean covariance of such windows in the training.
    rate : float
        Share of the way to a new covariance in the long run.
    trust : float
        Windows after which the running mean counts as much as where it began.
    mapping : ndarray, shape (n_channels, n_channels), optional
        Where an earlier session had come to: this one begins there, in place of the training.

    Attributes
    ----------
    mapping : ndarray, shape (n_channels, n_channels)
        What windows are multiplied by.
    """

    def __init__(
        self, reference: Array, *, rate: float = 0.02, trust: float = 4.0, mapping: Array | None = None
    ) -> None:
        self.reference = np.asarray(reference, dtype=np.float64)
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.trust = check_range("trust", trust, low=0.0)
        self.n = 0
        self.mean: Array | None = None
        self._root = function_of(self.reference, "sqrt")
        self.mapping = np.eye(len(self.reference))
        self._start = self.reference
        if mapping is not None:
            self.mapping = np.asarray(mapping, dtype=np.float64)
            root = np.linalg.solve(self.mapping, self._root)
            root = (root + root.T) / 2
            self._start = root @ root

    def update(self, X: Array) -> None:
        """Take windows ``(n, n_channels, n_times)`` in order, as they came: not mapped."""
        for matrix in covariances(X, "oas"):
            self.n += 1
            share = max(1.0 / self.n, self.rate)
            self.mean = matrix if self.mean is None else geodesic(self.mean, matrix, share)
        if self.mean is not None:
            now = geodesic(self._start, self.mean, self.n / (self.n + self.trust))
            self.mapping = self._root @ function_of(now, "invsqrt")


def followed(X: Array, reference: Array) -> Array:
    """Return one person's windows, each mapped by the mean covariance of those before it, as a session does it live.

    Parameters
    ----------
    X : ndarray, shape (n, n_channels, n_times)
        In the order in which they came.
    reference : ndarray, shape (n_channels, n_channels)
        Where the mean is carried to.
    """
    centre = Recentring(reference, rate=1e-9)
    mapped = np.empty_like(X)
    for place in range(len(X)):
        mapped[place] = centre.mapping @ X[place]
        centre.update(X[place : place + 1])
    return mapped


class FeatureRecentring:
    """Moves a decoder's features so that their mean is where it was in the training, without labels.

    For decoders whose features no linear map of the channels changes, canonical correlations above all, and that say
    so by `Decoder.features`: ``f <- f - n / (n + trust) (m - m0)`` with m0 the mean of the training and m the running
    mean of n windows. Only the mean moves: the spread of a few windows is known too badly, and scaling by it gained
    nothing on the six people of Kalunga et al. 2016.

    Feed it as `Recentring`.

    Parameters
    ----------
    reference : ndarray, shape (n_features,)
        m0.
    rate : float
        Share of the way to a new window in the long run.
    trust : float
        Windows after which the running mean counts as much as where it began: `trust_between` of a population.
    shift : ndarray, shape (n_features,), optional
        Where an earlier session had come to: this one begins there, in place of the training.

    Attributes
    ----------
    shift : ndarray, shape (n_features,)
        What is taken from features.
    """

    def __init__(
        self,
        reference: Array,
        *,
        rate: float = 0.02,
        trust: float = TRUST,
        shift: Array | None = None,
    ) -> None:
        self.reference = np.asarray(reference, dtype=np.float64)
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.trust = check_range("trust", trust, low=0.0)
        self.n = 0
        self.shift = np.zeros(len(self.reference)) if shift is None else np.asarray(shift, dtype=np.float64)
        self.mean = self._start = self.reference + self.shift

    def update(self, features: Array) -> None:
        """Take the features of windows ``(n, n_features)`` in order, not moved."""
        for row in features:
            self.n += 1
            self.mean = self.mean + max(1.0 / self.n, self.rate) * (row - self.mean)
        if self.n:
            now = self._start + self.n / (self.n + self.trust) * (self.mean - self._start)
            self.shift = now - self.reference


def group_centred(features: Array, groups: ArrayLike | None) -> Array:
    """Return features of several people or sessions, each group moved so that all have the mean of the groups' means.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        Of all.
    groups : ndarray, shape (n,), or None
        Whose; None leaves all as they are.
    """
    if groups is None:
        return features
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    means = np.stack([features[index == place].mean(axis=0) for place in range(len(names))])
    return features - means[index] + means.mean(axis=0)


def trust_between(features: Array, groups: ArrayLike | None) -> float:
    """Return after how many windows a person's own mean is worth as much as the mean of all people.

    Where means of people scatter with variance ``b`` about that of all, and windows of one person with ``w`` about
    their own, the best guess of a person's mean is ``n / (n + w / b)`` of the way to the mean of n windows (Robinson
    1991, Stat Sci 6(1)); both are summed over features, b less what the scatter of windows adds to it. Within 1 and
    64: people are too few to say more.

    Parameters
    ----------
    features : ndarray, shape (n, n_features)
        Of all, not moved.
    groups : ndarray, shape (n,), or None
        Whose; `TRUST` for None or one person.
    """
    if groups is None:
        return TRUST
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        return TRUST
    parts = [features[index == place] for place in range(len(names))]
    within = float(np.mean([part.var(axis=0).sum() for part in parts]))
    means = np.stack([part.mean(axis=0) for part in parts])
    noise = within * float(np.mean([1.0 / len(part) for part in parts]))
    between = float(means.var(axis=0, ddof=1).sum()) - noise
    return float(np.clip(within / max(between, within / 64.0), 1.0, 64.0))


def centre_of(X: Array) -> Array:
    """Return the geometric mean of the covariances of epochs, the reference of `Recentring`."""
    return mean_riemann(covariances(X, "oas"))
