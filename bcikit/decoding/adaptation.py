"""Decoders that follow a person: re-centring, recursive updates, a guard that freezes and rolls back."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.calibration import scores_of
from bcikit.decoding.estimator import softmax
from bcikit.decoding.model import Model, WindowLike
from bcikit.decoding.riemann import CovarianceDecoder, CspLda, Mdm, TangentSpace
from bcikit.decoding.spd import function_of, geodesic, mean_riemann
from bcikit.signal import ArgumentError, check_int, check_range

Array = NDArray[np.float64]


class Recentring:
    """Moves the reference of a decoder to the mean of what comes now, without labels.

    The running mean goes along the geodesic to each new covariance, ``1/n`` of the way for the first ones and `rate`
    later (Zanini et al. 2018, IEEE TBME 65(5); online: Kumar et al. 2024, PNAS Nexus 3(2)). Feed it windows that do
    not depend on the task (rest, fixation), or both classes alike: windows of one class pull the reference towards
    that class and bias the decoder (arXiv 2603.16825).

    Parameters
    ----------
    decoder : TangentSpace or Mdm
        Fitted; changed in place by `update`.
    rate : float
        Share of the way to a new covariance once `warm` windows have come.
    warm : int
        Windows before the reference is moved at all.
    """

    def __init__(self, decoder: CovarianceDecoder, *, rate: float = 0.02, warm: int = 10) -> None:
        if not isinstance(decoder, TangentSpace | Mdm):
            raise ArgumentError(f"{type(decoder).__name__} has no reference to move; allowed: tangent space, MDM.")
        self.decoder = decoder
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.warm = check_int("warm", warm, low=1)
        self.n = 0
        self.mean: Array | None = None
        self._means = decoder.means_.copy() if isinstance(decoder, Mdm) else None

    def update(self, X: Array) -> None:
        """Take epochs ``(n, n_channels, n_times)`` in order."""
        for matrix in self.decoder.matrices(X):
            self.n += 1
            share = max(1.0 / self.n, self.rate)
            self.mean = matrix if self.mean is None else geodesic(self.mean, matrix, share)
        if self.mean is None or self.n < self.warm:
            return
        if isinstance(self.decoder, TangentSpace):
            self.decoder.set_reference(self.mean)
        elif self._means is not None:
            # Carry the class means from the centre of the training to the centre of now.
            centre = mean_riemann(self._means)
            carry = function_of(self.mean, "sqrt") @ function_of(centre, "invsqrt")
            self.decoder.set_means(carry @ self._means @ carry.T)


def update_estimator(estimator: Any, X: Array, label: Any, *, rate: float) -> None:
    """Learn one labelled epoch, in place.

    * MDM: the mean of the class goes `rate` of the way to the covariance, along the geodesic.
    * CSP + LDA, and tangent space + LDA: means and covariance are updated exponentially (Vidaurre et al. 2011, IEEE
      TBME 58(3), supervised) and the weights solved again.
    * Tangent space + logistic regression: one normalised gradient step.

    Parameters
    ----------
    estimator : Mdm, CspLda or TangentSpace
        Fitted.
    X : ndarray, shape (1, n_channels, n_times)
        The epoch.
    label : str
        Its class.
    rate : float
        Share of the new.
    """
    found = np.flatnonzero(estimator.classes_ == label)
    if not found.size:
        raise ArgumentError(f"label is {label!r}; allowed: {', '.join(map(str, estimator.classes_))}.")
    k = int(found[0])
    if isinstance(estimator, Mdm):
        means = estimator.means_.copy()
        means[k] = geodesic(means[k], estimator.matrices(X)[0], rate)
        estimator.set_means(means)
        return
    if isinstance(estimator, CspLda):
        features = estimator.features(X)[0]
    elif isinstance(estimator, TangentSpace):
        features = estimator.tangent(estimator.matrices(X))[0]
    else:
        raise ArgumentError(f"{type(estimator).__name__} cannot be updated; allowed: MDM, CSP+LDA, tangent space.")
    classifier = estimator.classifier_
    if hasattr(classifier, "covariance_"):
        _update_lda(classifier, features, k, rate)
    elif hasattr(classifier, "predict_log_proba"):
        _update_logistic(classifier, features, k, rate)
    else:
        raise ArgumentError("Support vectors cannot be updated; use the classifiers lda or lr.")


def _update_lda(classifier: Any, features: Array, k: int, rate: float) -> None:
    difference = features - classifier.means_[k]
    classifier.means_[k] = classifier.means_[k] + rate * difference
    classifier.covariance_ = (1.0 - rate) * classifier.covariance_ + rate * np.outer(difference, difference)
    weights = np.linalg.lstsq(classifier.covariance_, classifier.means_.T, rcond=None)[0].T
    offsets = -0.5 * np.sum(weights * classifier.means_, axis=1) + np.log(classifier.priors_)
    if len(classifier.classes_) == 2:
        classifier.coef_ = (weights[1] - weights[0])[None]
        classifier.intercept_ = np.array([offsets[1] - offsets[0]])
    else:
        classifier.coef_, classifier.intercept_ = weights, offsets


def _update_logistic(classifier: Any, features: Array, k: int, rate: float) -> None:
    scores = features @ classifier.coef_.T + classifier.intercept_
    step = rate / (1.0 + float(features @ features) / len(features))
    if len(classifier.classes_) == 2:
        error = np.array([float(k) - 1.0 / (1.0 + np.exp(-float(scores[0])))])
    else:
        error = np.eye(len(classifier.classes_))[k] - softmax(scores[None])[0]
    classifier.coef_ = classifier.coef_ + step * np.outer(error, features)
    classifier.intercept_ = classifier.intercept_ + step * error


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Limits of adaptation.

    Attributes
    ----------
    max_bad : float
        Share of bad samples in a window above which nothing is learned of it.
    patience : int
        Labelled windows over which the adapted and the original decoder are compared.
    slack : float
        Nats by which the mean log-loss of the adapted decoder may exceed that of the original.
    keep : int
        Earlier states kept for `AdaptiveModel.rollback`.
    """

    max_bad: float = 0.0
    patience: int = 20
    slack: float = 0.1
    keep: int = 20


class AdaptiveModel:
    """A model that learns while it runs, and stops learning when that is not safe.

    Nothing is learned from a window that is bad, lost samples, or could not be decided. Where the adapted decoder does
    worse on labelled windows than the original one by more than the slack of the guard, it goes back to the original
    and stays frozen until `thaw`. Decisions come from the model as before (`decide`).

    Parameters
    ----------
    model : Model
        Its estimator is copied; the original stays as it is.
    rate : float
        Share of the new in an update.
    recentre : bool
        Follow the mean of all windows without labels, too (`Recentring`).
    guard : Guard
        Limits.
    """

    def __init__(self, model: Model, *, rate: float = 0.05, recentre: bool = False, guard: Guard | None = None) -> None:
        self.original = model
        self.model = Model(deepcopy(model.estimator), model.calibrator, model.sheet)
        self.model._columns, self.model._n_stream = model._columns, model._n_stream
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.guard = guard or Guard()
        if recentre and isinstance(model.estimator, Mdm):
            raise ArgumentError("MDM learns class means, or follows the centre by Recentring; not both at once.")
        self.frozen: str | None = None
        self._recentring = Recentring(self.model.estimator, rate=rate) if recentre else None
        self._states: list[Any] = []
        self._losses: list[tuple[float, float]] = []

    def decide(self, window: WindowLike, *, now: float | None = None) -> Any:
        """Return the decision of the adapted model."""
        return self.model.decide(window, now=now)

    def learn(self, window: WindowLike, label: str | None = None) -> bool:
        """Learn a window; return whether anything was learned.

        Parameters
        ----------
        window : Window
            In the channels of the attached stream.
        label : str, optional
            What the person was asked for; without it only the reference can follow.
        """
        if self.frozen is not None or not self._usable(window):
            return False
        data = window.data if self.model._columns is None else window.data[self.model._columns]
        X = data[None, :, data.shape[1] - self.model.sheet.n_times :]
        if label is None and self._recentring is None:
            return False
        if label is not None and not self._still_good(X, label):
            return False
        self._remember()
        if self._recentring is not None:
            self._recentring.update(X)
        if label is not None:
            update_estimator(self.model.estimator, X, label, rate=self.rate)
        return True

    def freeze(self, reason: str) -> None:
        """Learn nothing more until `thaw`."""
        self.frozen = reason

    def thaw(self) -> None:
        """Learn again."""
        self.frozen = None
        self._losses.clear()

    def rollback(self, n: int = 1) -> None:
        """Go back by `n` updates, as far as states are kept.

        Raises
        ------
        ArgumentError
            If there are fewer.
        """
        check_int("n", n, low=1, high=max(1, len(self._states)))
        if not self._states:
            raise ArgumentError("Nothing was learned yet; there is no state to go back to.")
        self._restore(self._states[-n])
        del self._states[-n:]

    def _usable(self, window: WindowLike) -> bool:
        bad = window.bad if self.model._columns is None else window.bad[self.model._columns]
        enough = window.data.shape[0] == self.model._n_stream and window.data.shape[1] >= self.model.sheet.n_times
        return bool(
            enough
            and window.n_lost == 0
            and float(bad.max(initial=0.0)) <= self.guard.max_bad
            and np.isfinite(window.data).all()
        )

    def _still_good(self, X: Array, label: str) -> bool:
        """Compare both decoders on a window neither has learned, and go back if the adapted one is worse."""
        k = self.model.classes.index(label)
        losses = []
        for model in (self.model, self.original):
            row = model.calibrator.predict_proba(scores_of(model.estimator, X))[0]
            losses.append(-float(np.log(max(row[k], 1e-6))))
        self._losses.append((losses[0], losses[1]))
        self._losses = self._losses[-self.guard.patience :]
        if len(self._losses) < self.guard.patience:
            return True
        adapted, original = np.mean(self._losses, axis=0)
        if adapted <= original + self.guard.slack:
            return True
        self._restore(deepcopy(self.original.estimator))
        self._states.clear()
        self.freeze(f"worse than the original by {adapted - original:.2f} nats over {self.guard.patience} windows")
        return False

    def _remember(self) -> None:
        self._states.append(deepcopy(self.model.estimator))
        del self._states[: -self.guard.keep]

    def _restore(self, estimator: Any) -> None:
        self.model.estimator = estimator
        if self._recentring is not None:
            self._recentring = Recentring(estimator, rate=self._recentring.rate, warm=self._recentring.warm)
