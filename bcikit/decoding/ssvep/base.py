"""What SSVEP decoders share: targets, references, sub-bands."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder, in_type_of, taken_as_numbers
from bcikit.decoding.ssvep.stimuli import check_frequencies
from bcikit.decoding.ssvep.subbands import SubBands, default_bands, fit_weights
from bcikit.signal import DataError, check_int

Array = NDArray[np.float64]


class SsvepDecoder(Decoder):
    """Base of the SSVEP decoders.

    Parameters
    ----------
    sfreq : float
        Sampling rate in Hz.
    frequencies : mapping of str to float
        Class to frequency in Hz.
    n_harmonics : int
        Harmonics in the reference signals.
    n_bands : int
        Sub-bands, see `default_bands`; fewer where the sampling rate leaves no room.
    bands : sequence of (float, float), optional
        Edges in Hz of the sub-bands, instead.
    subbands : {"fft", "iir", "none"}
        See `SubBands`.
    """

    only_targets: ClassVar[bool] = True
    """Whether trials of a class without frequency are refused."""
    frequencies_: dict[str, float]
    weights_: Array

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        n_harmonics: int = 5,
        n_bands: int = 5,
        bands: Sequence[tuple[float, float]] | None = None,
        subbands: str = "fft",
    ) -> None:
        self.sfreq = sfreq
        self.frequencies = frequencies
        self.n_harmonics = n_harmonics
        self.n_bands = n_bands
        self.bands = bands
        self.subbands = subbands

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return all targets, whether there are trials of them or not, sorted."""
        labels = np.asarray(y)
        return np.unique(np.concatenate([in_type_of(self.frequencies, labels, who=type(self).__name__), labels]))

    def _set_up(self, labels: NDArray[Any] | None = None) -> NDArray[Any]:
        """Check the targets, make the sub-bands and return the targets, sorted, in the type of the labels."""
        frequencies = check_frequencies(self.frequencies, sfreq=self.sfreq)
        names = np.array(list(self.frequencies)) if labels is None else None
        if names is None:
            names = in_type_of(self.frequencies, np.asarray(labels), who=type(self).__name__)
        # The columns of the scores follow the sorted labels, as everywhere in scikit-learn.
        order = np.argsort(names)
        keys = list(frequencies)
        self.frequencies_ = {keys[place]: frequencies[keys[place]] for place in order}
        self._split_bands()
        return names[order]

    def _split_bands(self) -> None:
        check_int("n_bands", self.n_bands, low=1)
        frequencies = self.frequencies_
        bands = self.bands or default_bands(list(frequencies.values()), sfreq=self.sfreq, n_bands=self.n_bands)
        self._splitter = SubBands(tuple(map(tuple, bands)), sfreq=self.sfreq, method=self.subbands)  # type: ignore[arg-type]
        self.weights_ = fit_weights(len(self._splitter))

    def _begin_targets(self, X: ArrayLike, y: ArrayLike) -> tuple[Array, NDArray[np.intp]]:
        """Check training data whose classes must all be targets; return it with columns of `frequencies_`."""
        labels = np.asarray(y)
        targets = self._set_up(labels)
        data, _ = self._begin(X, y)
        strange = np.setdiff1d(labels, targets)
        if strange.size:
            raise DataError(
                f"{type(self).__name__}: the trials have {', '.join(map(str, strange))}, which has no frequency. Leave "
                "these trials out, or use a decoder with a no-control class (fbcca-lda, fb-tangent, ssvep-stack)."
            )
        there = np.isin(targets, labels)
        if self.needs_every_class and not there.all():
            names = ", ".join(str(name) for name, some in zip(self.frequencies_, there, strict=True) if not some)
            if not taken_as_numbers(self.frequencies_, labels):
                raise DataError(
                    f"{type(self).__name__} needs trials of every target; there is none of {names}. Leave it out of "
                    "frequencies, or, in cross-validation, take folds that leave some of each (StratifiedKFold)."
                )
            # In one fold of scikit-learn's, which gives a class that a decoder does not know a column of its own.
            self.frequencies_ = {
                name: value for (name, value), some in zip(self.frequencies_.items(), there, strict=True) if some
            }
            targets = targets[there]
        self.classes_ = targets
        return data, np.searchsorted(self.classes_, labels)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the splitter out of what is stored: it follows from the parameters."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_splitter", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the splitter again."""
        super().__setstate__(state)
        if "frequencies_" in state:
            self._split_bands()

    def prepare(self, *, n_channels: int, n_times: int) -> Self:
        """Return the decoder ready without training; only decoders that need none have a use for it."""
        raise NotImplementedError(f"{type(self).__name__} must be trained.")


def class_means(parts: Array, index: NDArray[np.intp], n_classes: int) -> Array:
    """Return the mean trial of each class, ``(n_classes, n_bands, n_channels, n_times)``."""
    return np.stack([parts[index == k].mean(axis=0) for k in range(n_classes)])
