"""What every decoder shares: the checks before fit and predict, and how scores become probabilities."""

import contextlib
import warnings
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from bcikit.signal import DataError, DoubtWarning, StreamInfo


class Decoder(ClassifierMixin, BaseEstimator):
    """Base of the classifiers on ``(n_epochs, n_channels, n_times)``.

    A subclass sets ``classes_``, ``n_channels_`` and ``n_times_`` in `fit` (by `_begin`) and implements `_scores`, from
    which `decision_scores`, `decision_function`, `predict_proba` and `predict` follow. They check before anything else:
    what was not fitted raises scikit-learn's ``NotFittedError``, what does not fit a `DataError`.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Sorted labels, in the type in which they were given to `fit`.
    n_features_in_ : int
        Channels; scikit-learn's name for the second axis.
    n_channels_, n_times_ : int
        Shape of the epochs it was fitted on.
    min_trials : int
        Trials a class below which a model is refused; 0 for decoders that need none.
    any_length : bool
        True if windows of another length than the fitted one can be decided, too.
    needs_every_class : bool
        False for decoders that can decide classes without a trial of them in the training.
    """

    min_trials: ClassVar[int] = 5
    any_length: ClassVar[bool] = False
    needs_every_class: ClassVar[bool] = True

    @property
    def types(self) -> tuple[str, ...]:
        """Types of channels that it decides by."""
        return ("eeg",)

    def problem(self, X: ArrayLike) -> str:  # noqa: ARG002
        """Return why epochs of finite numbers must not be decided all the same, in words; empty if they may."""
        return ""

    classes_: NDArray[Any]
    n_features_in_: int
    n_channels_: int
    n_times_: int

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from trials; see the class."""
        raise NotImplementedError

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return what `classes_` will be after a fit on these labels, sorted."""
        return np.unique(np.asarray(y))

    def decision_scores(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return one score a class, shape ``(n_epochs, n_classes)``: log-odds up to a constant a row."""
        return self._scores(self._check(X))

    def _scores(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of epochs that were checked."""
        raise NotImplementedError

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return scores as scikit-learn wants them: a column a class, one log-odds an epoch where there are two."""
        scores = self.decision_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return probabilities, shape ``(n_epochs, n_classes)``, in the order of `classes_`."""
        return softmax(self.decision_scores(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each epoch, shape ``(n_epochs,)``."""
        scores = self.decision_scores(X)
        return self.classes_[np.argmax(scores, axis=1)]

    def _begin(self, X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Check the training data; return it with labels as indices into `classes_`."""
        data = check_epochs(X, who=type(self).__name__)
        self.classes_, index = check_labels(y, data.shape[0], who=type(self).__name__)
        self.n_channels_, self.n_times_ = data.shape[1:]
        self.n_features_in_ = self.n_channels_
        return data, index

    def _begin_weighted(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64] | None]:
        """Check the training data and their weights; trials that weigh nothing are left out."""
        data, index = self._begin(X, y)
        weights = check_weights(sample_weight, len(data), who=type(self).__name__)
        if weights is not None:
            data, index, weights = data[weights > 0], index[weights > 0], weights[weights > 0]
            if len(np.unique(index)) < len(self.classes_):
                raise DataError(f"{type(self).__name__}: all trials of one class have the weight 0.")
        return data, index, weights

    def _check(self, X: ArrayLike) -> NDArray[np.float64]:
        """Check epochs to be decided."""
        check_is_fitted(self, "classes_")
        data = check_epochs(X, who=type(self).__name__)
        if data.shape[1] != self.n_channels_:
            raise DataError(
                f"{type(self).__name__}: epochs have {data.shape[1]} channels; it was fitted on {self.n_channels_}."
            )
        if not self.any_length and data.shape[2] != self.n_times_:
            raise DataError(
                f"{type(self).__name__}: epochs have {data.shape[2]} samples; it was fitted on {self.n_times_}."
            )
        return data

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


class Centring:
    """Part of a decoder whose features have a centre that can follow another person or another day.

    A subclass implements `_features` and `scores_from`, and sets ``centre_`` in ``fit(X, y, groups=None)``, where
    groups say whose an epoch is: features of several people are moved onto one mean first (`group_centred`).

    Attributes
    ----------
    centre_ : ndarray, shape (n_features,)
        Mean of the features in the training.
    trust_ : float
        Windows of a new person after which their mean counts as much as that (`bcikit.decoding.centre.trust_between`).
    """

    centre_: NDArray[np.float64]
    trust_: float = 8.0

    def features(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the features of epochs, shape ``(n_epochs, n_features)``, not moved."""
        return self._features(self._check(X))  # type: ignore[attr-defined]

    def shifted_scores(self, X: ArrayLike, shift: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of epochs whose features are `shift` away from those of the training."""
        return self.scores_from(self.features(X) - shift)

    def scores_from(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of epochs by their features, moved or not."""
        raise NotImplementedError

    def _features(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError

    def _scores(self, data: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.scores_from(self._features(data))


def check_labels(y: ArrayLike, n: int, *, who: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the classes, sorted, and the class of each of `n` trials.

    Raises
    ------
    DataError
        If there are not as many labels as trials, one is missing (NaN, None), they cannot be compared, or all are one.
    """
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise DataError(f"{who}: y has shape {labels.shape}; it must be ({n},).")
    # What is missing is not even itself (NaN), or cannot say whether it is (NA of pandas).
    missing = [place for place, one in enumerate(labels.tolist()) if one is None or (one == one) is not True]
    if missing:
        raise DataError(
            f"{who}: {len(missing)} of {n} labels are missing (trial {missing[0]}); leave those trials out."
        )
    try:
        classes, index = np.unique(labels, return_inverse=True)
    except TypeError:
        kinds = ", ".join(sorted({type(one).__name__ for one in labels.tolist()}))
        raise DataError(f"{who}: labels of several types cannot be sorted: {kinds}; give them in one type.") from None
    if len(classes) < 2:
        raise DataError(f"{who} needs trials of at least two classes; there is one class: {classes.tolist()[0]!r}.")
    return classes, index


def check_epochs(X: ArrayLike, *, who: str) -> NDArray[np.float64]:
    """Return `X` as float64 ``(n_epochs, n_channels, n_times)``; channels of `mne.Epochs` in volts as microvolts.

    Raises
    ------
    DataError
        If the shape is another, there is no epoch, or a value is not finite, masked, or no real number.
    """
    given: Any = X
    if hasattr(given, "get_data") and hasattr(given, "info"):
        volts = np.array([one["unit"] == 107 for one in given.info["chs"]])  # FIFF.FIFF_UNIT_V
        given = given.get_data(copy=False) * np.where(volts, 1e6, 1.0)[:, None]
    elif isinstance(given, np.ma.MaskedArray):
        given = np.ma.filled(given.astype(np.float64), np.nan)
    if np.iscomplexobj(given):
        raise DataError(f"{who}: epochs are complex; they must be real numbers.")
    try:
        data = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{who}: epochs are no array of numbers: {error}.") from None
    if data.ndim != 3:
        raise DataError(f"{who}: epochs must have the shape (n_epochs, n_channels, n_times); they have {data.shape}.")
    if 0 in data.shape:
        raise DataError(f"{who}: epochs of shape {data.shape} are empty.")
    if not np.isfinite(data.sum()):
        # A sum is NaN or infinite if any value is; only then is it worth looking for where.
        bad = np.flatnonzero(~np.isfinite(data).all(axis=(1, 2)))
        if bad.size:
            shown = ", ".join(map(str, bad[:5])) + (", ..." if bad.size > 5 else "")
            raise DataError(f"{who}: {bad.size} of {len(data)} epochs hold NaN or infinite values (epoch {shown}).")
    return data


def check_weights(sample_weight: ArrayLike | None, n: int, *, who: str) -> NDArray[np.float64] | None:
    """Return weights of trials, one a trial, or None where there are none.

    Raises
    ------
    DataError
        If there are not as many as trials, one is negative or not finite, or all are zero.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise DataError(
            f"{who}: sample_weight must hold {n} finite numbers from 0 on, not all of them 0; its shape is "
            f"{weights.shape}."
        )
    return weights


def in_type_of(names: Iterable[Any], labels: NDArray[Any], *, who: str) -> NDArray[Any]:
    """Return names of classes, in their order, as the labels of the trials say them.

    Where scikit-learn asks for probabilities or scores (``cross_val_predict``, voting, stacking) it hands over the
    number of each class among the sorted ones. Numbers that cannot be the names are taken as these, with a
    `DoubtWarning`; it needs a name for every class.

    Parameters
    ----------
    names : iterable
        Of all classes that are known before there is a trial.
    labels : ndarray, shape (n_epochs,)
        Of the trials.
    who : str
        Whose names, for messages.

    Raises
    ------
    DataError
        If they cannot be compared: names that are words, labels that are numbers of other classes.
    """
    listed = list(names)
    if labels.dtype.kind in "US":
        return np.array([str(name) for name in listed])
    if labels.dtype.kind == "O":
        return np.array(listed, dtype=object)
    same = _converted(listed, labels.dtype.type)
    there = np.unique(labels)
    ranks = _numbers_of(listed)
    numbered = labels.dtype.kind in "iu" and there.size > 0 and there[0] >= 0 and there[-1] < len(listed)
    if ranks is not None and numbered and (same is None or not np.array_equal(ranks, same)):
        named = np.isin(there, same) if same is not None else np.zeros(len(there), dtype=bool)
        lacking = ", ".join(str(name) for name, rank in zip(listed, ranks, strict=True) if rank not in there)
        if same is not None and named.all():
            _doubt(who, f"are taken by name, not as scikit-learn's numbers of {_listed(sorted(listed))}")
            return same
        # Somebody's own numbers in another order would be learned wrongly, so it is never taken without a word.
        what = f"; no trial has {lacking}" if lacking else ""
        _doubt(who, f"are taken as scikit-learn's numbers of {_listed(sorted(listed))}{what}")
        return ranks
    if same is None:
        raise DataError(
            f"{who}: the classes are named {_listed(listed)}, the labels of the trials are {_listed(there[:6])} "
            f"({labels.dtype}); give both in one type. Numbers that scikit-learn makes of labels (cross_val_predict, "
            "voting) are understood where every class has a name."
        )
    return same


def taken_as_numbers(names: Iterable[Any], labels: NDArray[Any]) -> bool:
    """Return whether `in_type_of` takes labels as scikit-learn's numbers and not as names."""
    same = _converted(list(names), labels.dtype.type) if labels.dtype.kind in "iu" else None
    return labels.dtype.kind in "iu" and (same is None or not np.isin(labels, same).all())


def _doubt(who: str, what: str) -> None:
    warnings.warn(f"{who}: the labels of the trials {what}.", DoubtWarning, stacklevel=4)


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names))


def _converted(names: list[Any], kind: type[np.generic]) -> NDArray[Any] | None:
    """Return names as numbers; None where one is no such number."""
    try:
        found = [kind(name) for name in names]
        kept = all(str(one) == str(name) or float(one) == float(name) for one, name in zip(found, names, strict=True))
    except (TypeError, ValueError, OverflowError):
        return None
    return np.array(found) if kept else None


def _numbers_of(names: list[Any]) -> NDArray[np.int64] | None:
    """Return the place of each among the sorted ones; None where words and numbers are sorted in other ways."""
    try:
        order = sorted(range(len(names)), key=lambda place: names[place])
        if all(isinstance(name, str) for name in names):
            with contextlib.suppress(ValueError):
                if order != sorted(range(len(names)), key=lambda place: float(names[place])):
                    return None
    except TypeError:
        return None
    return np.argsort(order).astype(np.int64)


def classes_of(decoder: Any, y: ArrayLike) -> NDArray[Any]:
    """Return what any classifier will decide among after a fit on these labels, sorted."""
    if isinstance(decoder, Decoder):
        return decoder.known_classes(y)
    return np.unique(np.asarray(y))


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities of rows of log-odds, without overflow."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def knowing_channels(decoder: Any, info: StreamInfo) -> Any:
    """Return a decoder that knows names and types of the channels, where it has a parameter ``channels`` for them."""
    if isinstance(decoder, Decoder) and getattr(decoder, "channels", ()) is None:
        from sklearn.base import clone

        return clone(decoder).set_params(channels=dict(zip(info.ch_names, info.ch_types, strict=True)))
    return decoder


def check_trials(y: ArrayLike, *, minimum: int, who: str) -> None:
    """Refuse labels with a single class or too few trials of one.

    Raises
    ------
    DataError
        Naming the counts and the minimum.
    """
    labels, counts = np.unique(np.asarray(y), return_counts=True)
    listed = ", ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    if len(labels) < 2:
        raise DataError(f"{who} needs at least two classes; the trials are {listed or 'none'}.")
    if counts.min() < minimum:
        raise DataError(f"{who} needs at least {minimum} trials of each class; there are {listed}. Record more.")
