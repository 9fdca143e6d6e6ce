"""Canonical correlation with sines: decoders that need no training, and those that add templates."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.centre import group_centred, trust_between
from bcikit.decoding.estimator import Centring
from bcikit.decoding.linear import linear_scores
from bcikit.decoding.ssvep.base import SsvepDecoder, class_means
from bcikit.decoding.ssvep.stimuli import reference_bases, references
from bcikit.decoding.ssvep.whitening import canonical_pair, squared_correlations
from bcikit.signal import DataError, check_int

Array = NDArray[np.float64]


class Fbcca(SsvepDecoder):
    """Filter-bank canonical correlation analysis; needs no training.

    ``score_k = sum_b w_b rho(X_b, Y_k)^2`` with ``w_b = b^-1.25 + 0.25`` (Chen et al. 2015, J Neural Eng 12(4));
    with one band the CCA of Lin et al. 2006 (IEEE TBME 53(12)).

    Parameters
    ----------
    gain : float
        Log-odds a unit of score and second of window: what makes probabilities without training. It is a rule of
        thumb; train a model to have calibrated ones.
    sfreq, frequencies, n_harmonics, n_bands, bands, subbands
        See `SsvepDecoder`.
    """

    min_trials = 0
    any_length = True
    needs_every_class = False

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        n_harmonics: int = 5,
        n_bands: int = 5,
        bands: Sequence[tuple[float, float]] | None = None,
        subbands: str = "fft",
        gain: float = 8.0,
    ) -> None:
        super().__init__(
            sfreq=sfreq,
            frequencies=frequencies,
            n_harmonics=n_harmonics,
            n_bands=n_bands,
            bands=bands,
            subbands=subbands,
        )
        self.gain = gain

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Take the number of channels; nothing else is learned."""
        self._begin_targets(X, y)
        self._bases: dict[int, Array] = {}
        return self

    def prepare(self, *, n_channels: int, n_times: int) -> Self:
        """Return the decoder ready without training."""
        self.classes_ = self._set_up()
        self.n_channels_ = self.n_features_in_ = check_int("n_channels", n_channels, low=1)
        self.n_times_ = check_int("n_times", n_times, low=2)
        self._bases = {}
        return self

    def correlations(self, X: ArrayLike) -> Array:
        """Return the largest canonical correlation squared, shape ``(n_epochs, n_bands, n_targets)``."""
        data = self._check(X)
        return self._correlations(self._splitter(data))

    def _correlations(self, parts: Array) -> Array:
        basis, sizes = self._basis(parts.shape[-1])
        return np.stack([squared_correlations(epoch, basis, sizes) for epoch in parts])

    def _scores(self, data: Array) -> Array:
        return self.score_parts(self._splitter(data))

    def score_parts(self, parts: Array) -> Array:
        """Return the scores of windows that are split into sub-bands already."""
        seconds = parts.shape[-1] / self.sfreq
        return np.einsum("b,nbk->nk", self.weights_, self._correlations(parts)) * self.gain * seconds

    def _basis(self, n_times: int) -> tuple[Array, tuple[int, ...]]:
        """Return the references of all targets side by side, ``(n_times, sum of sizes)``; kept for each length."""
        if n_times not in self._bases:
            bases = reference_bases(self.frequencies_, sfreq=self.sfreq, n_times=n_times, n_harmonics=self.n_harmonics)
            self._bases[n_times] = (
                np.ascontiguousarray(np.concatenate(bases, axis=1)),
                tuple(b.shape[1] for b in bases),
            )  # type: ignore[assignment]
        return self._bases[n_times]  # type: ignore[return-value]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the references out of what is stored: they follow from the parameters."""
        state = super().__getstate__()
        if "_bases" in state:
            state["_bases"] = {}
        return state


class FbccaLda(Centring, Fbcca):
    """Canonical correlations of all bands and targets as features of a shrinkage LDA.

    Learns how each target's correlations look in one person, and with them a no-control class: labels without a
    frequency may be in the training.
    """

    min_trials = 5
    needs_every_class = True

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return the labels, sorted: this decoder knows what it was shown."""
        return np.unique(np.asarray(y))

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from trials; labels without a frequency are no-control classes; see `Centring` for groups."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        self._set_up()
        self._bases = {}
        data, index = self._begin(X, y)
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        found = self._features(data)
        features = group_centred(found, groups)
        self.trust_ = trust_between(found, groups)
        self.centre_ = features.mean(axis=0)
        self.classifier_.fit(features, index)
        return self

    def prepare(self, *, n_channels: int, n_times: int) -> Self:  # noqa: ARG002
        """Refuse: this decoder must be trained."""
        raise DataError("fbcca-lda must be trained; fbcca needs no training.")

    def _features(self, data: Array) -> Array:
        """Return Fisher-transformed correlations, shape ``(n_epochs, n_bands * n_targets)``."""
        rho = np.sqrt(np.clip(self._correlations(self._splitter(data)), 0.0, 0.999**2))
        return np.arctanh(rho).reshape(len(rho), -1)

    def scores_from(self, features: Array) -> Array:
        """Return the scores of epochs by their features."""
        return linear_scores(self.classifier_, features)


class ExtendedCca(SsvepDecoder):
    """Extended CCA: sines, and the person's own mean response as a template.

    Four correlations a target (Chen et al. 2015, PNAS 112(44), eq. 3): with sines; with the template through the
    filters of window and template, of window and sines, of template and sines. ``score = sum sign(r) r^2``.
    """

    min_trials = 2

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn the template of each target."""
        data, index = self._begin_targets(X, y)
        self.templates_ = class_means(self._splitter(data), index, len(self.classes_))
        bases = reference_bases(
            self.frequencies_, sfreq=self.sfreq, n_times=self.n_times_, n_harmonics=self.n_harmonics
        )
        self.bases_ = bases
        self.reference_filters_ = np.stack(
            [
                [canonical_pair(band, basis.T)[0] for band in template]
                for template, basis in zip(self.templates_, bases, strict=True)
            ]
        )
        return self

    def _scores(self, data: Array) -> Array:
        parts = self._splitter(data)
        return np.stack([[self._score(epoch, k) for k in range(len(self.classes_))] for epoch in parts])

    def _score(self, epoch: Array, k: int) -> float:
        total = 0.0
        for band, window in enumerate(epoch):
            template, sines = self.templates_[k, band], self.bases_[k].T
            to_sines, _, rho = canonical_pair(window, sines)
            to_template, _, _ = canonical_pair(window, template)
            values = [rho] + [
                _correlation(filters @ window, filters @ template)
                for filters in (to_template, to_sines, self.reference_filters_[k, band])
            ]
            total += float(self.weights_[band]) * sum(np.sign(value) * value**2 for value in values)
        return total


class MsEcca(SsvepDecoder):
    """Multi-stimulus extended CCA: filters learned from a target and its neighbours in frequency.

    Wong et al. 2020 (J Neural Eng 17(1)): templates and sines of `n_neighbours` stimuli are put one after the other
    and give one pair of filters; ``score = sum sign(r) r^2`` of the window with sines and with the template.

    Parameters
    ----------
    n_neighbours : int
        Stimuli that are learned from together, the target included.
    sfreq, frequencies, n_harmonics, n_bands, bands, subbands
        See `SsvepDecoder`.
    """

    min_trials = 2

    only_targets: ClassVar[bool] = False

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        n_harmonics: int = 5,
        n_bands: int = 5,
        bands: Sequence[tuple[float, float]] | None = None,
        subbands: str = "fft",
        n_neighbours: int = 12,
    ) -> None:
        super().__init__(
            sfreq=sfreq,
            frequencies=frequencies,
            n_harmonics=n_harmonics,
            n_bands=n_bands,
            bands=bands,
            subbands=subbands,
        )
        self.n_neighbours = n_neighbours

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn templates and filters."""
        data, index = self._begin_targets(X, y)
        n_classes = len(self.classes_)
        templates = class_means(self._splitter(data), index, n_classes)
        # Sines as they are: one set of weights must mean the same harmonics for every neighbour.
        waves = [
            references(value, sfreq=self.sfreq, n_times=self.n_times_, n_harmonics=self.n_harmonics)
            for value in self.frequencies_.values()
        ]
        width = min(len(rows) for rows in waves)
        waves = [rows[:width] - rows[:width].mean(axis=1, keepdims=True) for rows in waves]
        n_bands = templates.shape[1]
        by_template = np.empty((n_bands, n_classes, self.n_times_))
        by_sines = np.empty_like(by_template)
        self.filters_ = np.empty((n_bands, n_classes, self.n_channels_))
        for k in range(n_classes):
            near = self._near(k)
            sines = np.concatenate([waves[other] for other in near], axis=1)
            for band in range(n_bands):
                together = np.concatenate([templates[other, band] for other in near], axis=1)
                spatial, weights, _ = canonical_pair(together, sines)
                self.filters_[band, k] = spatial
                by_template[band, k] = _unit(spatial @ templates[k, band])
                by_sines[band, k] = _unit(weights @ waves[k])
        self.templates_, self.sines_ = by_template, by_sines
        return self

    def _near(self, k: int) -> NDArray[np.intp]:
        """Return the targets nearest in frequency, those at the edge taking more from one side."""
        values = np.array(list(self.frequencies_.values()))
        order = np.argsort(values)
        count = min(self.n_neighbours, len(values))
        place = int(np.flatnonzero(order == k)[0])
        start = min(max(0, place - count // 2), len(values) - count)
        return order[start : start + count]

    def _scores(self, data: Array) -> Array:
        parts = self._splitter(data)
        virtual = self.filters_ @ parts
        virtual = virtual / np.maximum(np.linalg.norm(virtual, axis=-1, keepdims=True), 1e-300)
        first = np.einsum("nbkt,bkt->nbk", virtual, self.templates_)
        second = np.einsum("nbkt,bkt->nbk", virtual, self.sines_)
        return np.einsum("b,nbk->nk", self.weights_, np.sign(first) * first**2 + np.sign(second) * second**2)


def _correlation(a: Array, b: Array) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300))


def _unit(signal: Array) -> Array:
    centred = signal - signal.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-300)
