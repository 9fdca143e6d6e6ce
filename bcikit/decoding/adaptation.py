"""Decoders that follow a person: re-centring, recursive updates, a guard that freezes and rolls back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.centre import FeatureRecentring, Recentring
from bcikit.decoding.estimator import softmax
from bcikit.decoding.model import Model
from bcikit.decoding.riemann import CspLda, Mdm, TangentSpace
from bcikit.decoding.sheet import ModelSheet
from bcikit.decoding.spd import geodesic
from bcikit.decoding.windows import WindowLike
from bcikit.signal import ArgumentError, Decision, check_choice, check_range

Array = NDArray[np.float64]


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


def can_update(estimator: Any) -> bool:
    """Return whether `update_estimator` can teach a fitted decoder a window at a time."""
    classifier = getattr(estimator, "classifier_", None)
    linear = hasattr(classifier, "covariance_") or hasattr(classifier, "predict_log_proba")
    return isinstance(estimator, Mdm) or (isinstance(estimator, CspLda | TangentSpace) and linear)


def could_update(decoder: Any) -> bool:
    """Return the same of a decoder that is not fitted yet."""
    linear = getattr(decoder, "classifier", "lda") in ("lda", "lr")
    return isinstance(decoder, Mdm | CspLda) or (isinstance(decoder, TangentSpace) and linear)


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
    errors : float
        Standard errors of that difference that come on top: few windows differ by chance, and a decoder that has
        followed a new cap is not given up for two unlucky ones.
    recent, allowed : int
        If more than `allowed` of the `recent` newest windows were bad, nothing is learned until so many in a row are
        good: a signal that is breaking is no teacher, even where a window of it looks well.
    """

    max_bad: float = 0.0
    patience: int = 20
    slack: float = 0.1
    errors: float = 2.0
    recent: int = 10
    allowed: int = 2


class AdaptiveModel:
    """A model that learns while it runs, and stops learning when that is not safe.

    Nothing is learned from a window that is bad, lost samples, or could not be decided, and nothing at all while too
    many windows are bad. Where the adapted decoder does worse on labelled windows than the original one by more than
    the slack of the guard, it goes back to the original and stays frozen. The same windows in the same order give the
    same decoder: a replay repeats it bit for bit.

    Parameters
    ----------
    model : Model
        Its estimator is copied; the original stays as it is.
    rate : float
        Share of the new in an update.
    recentre : {"", "rest", "windows"}
        Which unlabelled windows the centre follows (`Recentring`): those of rest, those of the task, or none.
    labelled : bool
        Learn from windows whose class is known, too.
    guard : Guard
        Limits.

    Attributes
    ----------
    frozen : str or None
        Why nothing is learned any more.
    counts : dict
        Windows ``learned``, ``centred`` and ``refused``; ``rolled_back`` is 0 or 1.
    """

    def __init__(
        self,
        model: Model,
        *,
        rate: float = 0.05,
        recentre: str = "",
        labelled: bool = True,
        guard: Guard | None = None,
    ) -> None:
        self.original = model
        self.model = model.copy()
        self.rate = check_range("rate", rate, low=0.0, high=1.0, low_open=True)
        self.guard = guard or Guard()
        self.recentre = check_choice("recentre", recentre, ("", "rest", "windows"))
        self.labelled = labelled
        if labelled and not can_update(model.estimator):
            raise ArgumentError(
                f"{model.sheet.decoder} cannot learn window by window; allowed: csp-lda, tangent-lr, mdm, acm-svm with "
                'classifier "lr" or "lda". Leave out adapt, or take one of them.'
            )
        if recentre and recentre not in model.centres:
            raise ArgumentError(
                f"This model does not know the covariance of {recentre} in its training; calibrate again"
                + (' with phases of rest, or take recentre = "windows".' if recentre == "rest" else ".")
            )
        if recentre and getattr(model.estimator, "types", ("eeg",)) != ("eeg",):
            raise ArgumentError(
                f"{model.sheet.decoder} cannot be re-centred: that would mix EEG with "
                f"{model.estimator.types[1].upper()}. Leave out recentre."
            )
        self.frozen: str | None = None
        self.counts = {"learned": 0, "centred": 0, "refused": 0, "rolled_back": 0}
        self._centre: Recentring | FeatureRecentring | None = None
        if recentre == "windows" and "features" in model.centres:
            # What such a decoder looks at, no linear map of the channels changes.
            self._centre = FeatureRecentring(
                model.centres["features"], rate=rate, trust=model.estimator.trust_, shift=model.shift
            )
        elif recentre:
            self._centre = Recentring(model.centres[recentre], rate=rate, mapping=model.mapping)
        self._losses: list[tuple[float, float]] = []
        self._bad: list[bool] = []

    @property
    def sheet(self) -> ModelSheet:
        """Sheet of the model."""
        return self.model.sheet

    @property
    def classes(self) -> tuple[str, ...]:
        """What can be decided."""
        return self.model.classes

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the decision of the adapted model."""
        return self.model.decide(window, now=now)

    def rest(self, window: WindowLike) -> bool:
        """Take a window of rest; return whether the centre followed it."""
        return self.recentre == "rest" and self._usable(window) and self._follow(window)

    def learn(self, window: WindowLike, label: str | None = None) -> bool:
        """Learn a window of the task; return whether anything was learned.

        Parameters
        ----------
        window : Window
            In the channels of the attached stream.
        label : str, optional
            What the person was asked for; without it only the centre can follow.
        """
        if not self._usable(window):
            return False
        X = self.model.pick(window)
        if label is not None and not self._still_good(X, label):
            return False
        followed = self.recentre == "windows" and self._follow(window)
        if label is None or not self.labelled:
            return followed
        update_estimator(self.model.estimator, self.model.centred(X), label, rate=self.rate)
        self.counts["learned"] += 1
        return True

    def save(self, path: str | Path) -> Path:
        """Write the model as it is now; see `Model.save`."""
        return self.model.save(path)

    def _follow(self, window: WindowLike) -> bool:
        if self._centre is None:
            return False
        X = self.model.pick(window)
        if isinstance(self._centre, FeatureRecentring):
            self._centre.update(self.model.estimator.features(X))
            self.model.shift = self._centre.shift
        else:
            self._centre.update(X)
            self.model.mapping = self._centre.mapping
        self.counts["centred"] += 1
        return True

    def _usable(self, window: WindowLike) -> bool:
        if self.frozen is not None:
            return False
        good = self.model.fits(window) and window.n_lost == 0
        if good:
            bad = window.bad if self.model.columns is None else window.bad[self.model.columns]
            good = float(bad.max(initial=0.0)) <= self.guard.max_bad and bool(np.isfinite(window.data).all())
        self._bad.append(not good)
        del self._bad[: -self.guard.recent]
        usable = good and sum(self._bad) <= self.guard.allowed
        self.counts["refused"] += not usable
        return usable

    def _still_good(self, X: Array, label: str) -> bool:
        """Compare both decoders on a window neither has learned, and go back if the adapted one is worse."""
        if label not in self.model.classes:
            raise ArgumentError(f"label is {label!r}; allowed: {', '.join(self.model.classes)}.")
        k = self.model.classes.index(label)
        losses = [-float(np.log(max(model.probabilities(X)[0, k], 1e-6))) for model in (self.model, self.original)]
        self._losses.append((losses[0], losses[1]))
        self._losses = self._losses[-self.guard.patience :]
        if len(self._losses) < self.guard.patience:
            return True
        worse = np.subtract(*np.transpose(self._losses))
        chance = float(worse.std(ddof=1)) / np.sqrt(len(worse))
        if worse.mean() <= self.guard.slack + self.guard.errors * chance:
            return True
        self.model = self.original.copy()
        self.counts["rolled_back"] = 1
        self.frozen = f"worse than the original by {worse.mean():.2f} nats over {self.guard.patience} windows"
        return False
