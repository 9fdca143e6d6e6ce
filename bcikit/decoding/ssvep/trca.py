"""Task-related component analysis and task-discriminant component analysis, scored by one matrix product a band."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.ssvep.base import SsvepDecoder, class_means
from bcikit.decoding.ssvep.stimuli import reference_bases
from bcikit.signal import check_int

Array = NDArray[np.float64]


class Etrca(SsvepDecoder):
    """Ensemble task-related component analysis.

    Nakanishi et al. 2018 (IEEE TBME 65(1)): the filter of a target maximises the covariance between its trials; all
    filters together are applied to window and template, ``score_k = sum_b w_b corr(W'x, W'z_k)``.

    With ``A = sum_k w_k w_k'`` the correlation is ``<A z_k, x> / sqrt(<A z_k, z_k> <A x, x>)``: what depends on the
    templates is computed once, and a window costs one matrix product a band. Equal to the plain form (tests).

    Parameters
    ----------
    ensemble : bool
        False: each target by its own filter only (TRCA).
    references : bool
        True: eTRCA-R, the filter maximises what the sines explain (Wong et al. 2020, IEEE TNSRE 28(10)).
    sfreq, frequencies, n_harmonics, n_bands, bands, subbands
        See `SsvepDecoder`.
    """

    min_trials = 2

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        n_harmonics: int = 5,
        n_bands: int = 5,
        bands: Sequence[tuple[float, float]] | None = None,
        subbands: str = "fft",
        ensemble: bool = True,
        references: bool = False,
    ) -> None:
        super().__init__(
            sfreq=sfreq,
            frequencies=frequencies,
            n_harmonics=n_harmonics,
            n_bands=n_bands,
            bands=bands,
            subbands=subbands,
        )
        self.ensemble = ensemble
        self.references = references

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn templates and filters."""
        data, index = self._begin_targets(X, y)
        parts = self._splitter(data)
        n_classes = len(self.classes_)
        templates = class_means(parts, index, n_classes).swapaxes(0, 1)
        self.filters_ = np.empty((templates.shape[0], n_classes, self.n_channels_))
        bases = self._bases() if self.references else None
        for k in range(n_classes):
            trials = parts[index == k]
            for band in range(templates.shape[0]):
                basis = None if bases is None else bases[k]
                self.filters_[band, k] = _trca_filter(trials[:, band], basis)
        self._precompute(templates)
        return self

    def _bases(self) -> list[Array]:
        return reference_bases(self.frequencies_, sfreq=self.sfreq, n_times=self.n_times_, n_harmonics=self.n_harmonics)

    def _precompute(self, templates: Array) -> None:
        n_bands, n_classes, n_channels, n_times = templates.shape
        if self.ensemble:
            self.metric_ = self.filters_.swapaxes(-1, -2) @ self.filters_
            projected = self.metric_[:, None] @ templates
            norms = np.sqrt(np.einsum("bkct,bkct->bk", projected, templates))
            scaled = projected / np.maximum(norms, 1e-300)[..., None, None]
            self.templates_ = np.ascontiguousarray(scaled.reshape(n_bands, n_classes, n_channels * n_times))
        else:
            virtual = np.einsum("bkc,bkct->bkt", self.filters_, templates)
            self.templates_ = virtual / np.maximum(np.linalg.norm(virtual, axis=-1, keepdims=True), 1e-300)

    def _scores(self, data: Array) -> Array:
        return self.score_parts(self._splitter(data))

    def score_parts(self, parts: Array) -> Array:
        """Return the scores of windows that are split into sub-bands already (by a filter bank on the stream)."""
        weights = self.weights_
        if not self.ensemble:
            virtual = self.filters_ @ parts
            virtual = virtual / np.maximum(np.linalg.norm(virtual, axis=-1, keepdims=True), 1e-300)
            return np.einsum("b,nbkt,bkt->nk", weights, virtual, self.templates_)
        n_epochs, n_bands = parts.shape[:2]
        # <A x, x> is the trace of A times the channel products, which are small.
        powers = np.einsum("bcd,nbcd->nb", self.metric_, parts @ parts.swapaxes(-1, -2))
        scales = weights / np.sqrt(np.maximum(powers, 1e-300))
        flat = parts.reshape(n_epochs, n_bands, -1)
        scores = np.zeros((n_epochs, self.templates_.shape[1]))
        for band in range(n_bands):
            scores += (flat[:, band] @ self.templates_[band].T) * scales[:, band, None]
        return scores


def _trca_filter(trials: Array, basis: Array | None) -> Array:
    """Return the filter that makes trials alike, of ``(n_trials, n_channels, n_times)``."""
    from scipy.linalg import eigh

    within = np.einsum("nct,ndt->cd", trials, trials)
    total = trials.sum(axis=0)
    between = (total @ total.T - within) if basis is None else (total @ basis) @ (total @ basis).T
    # A trace of a ridge: an average reference leaves the matrix without full rank.
    within = within + 1e-10 * np.trace(within) / len(within) * np.eye(len(within))
    n = len(within)
    vector: Array = eigh(between, within, subset_by_index=[n - 1, n - 1])[1][:, 0]
    return vector


class Tdca(SsvepDecoder):
    """Task-discriminant component analysis.

    Liu et al. 2021 (IEEE TNSRE 29): the window and its delayed copies, beside their projection onto each target's
    sines, go through one discriminant filter for all targets; the score is the correlation with the filtered mean.

    ``corr([U, U P_k], [V_k, V_k'])``, with ``V_k'`` in the span of ``P_k``, needs only ``<U, V_k + V_k'>`` and
    ``|U|^2 + |U Q_k|^2``: two matrix products a band for all targets. Samples a delayed copy lacks are zero, in
    training and live alike, so that windows need not be longer than the trial.

    Parameters
    ----------
    n_delays : int
        Delayed copies beside the window itself.
    n_components : int
        Discriminant directions.
    sfreq, frequencies, n_harmonics, n_bands, bands, subbands
        See `SsvepDecoder`.
    """

    min_trials = 2

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        n_harmonics: int = 5,
        n_bands: int = 5,
        bands: Sequence[tuple[float, float]] | None = None,
        subbands: str = "fft",
        n_delays: int = 5,
        n_components: int = 8,
    ) -> None:
        super().__init__(
            sfreq=sfreq,
            frequencies=frequencies,
            n_harmonics=n_harmonics,
            n_bands=n_bands,
            bands=bands,
            subbands=subbands,
        )
        self.n_delays = n_delays
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn the discriminant filters and the filtered means."""
        check_int("n_delays", self.n_delays, low=0)
        data, index = self._begin_targets(X, y)
        bases = reference_bases(
            self.frequencies_, sfreq=self.sfreq, n_times=self.n_times_, n_harmonics=self.n_harmonics
        )
        parts = self._splitter(data)
        filters, templates, norms = [], [], []
        for band in range(parts.shape[1]):
            delayed = self._delay(parts[:, band])
            spatial = self._filter(delayed, index, bases)
            filters.append(spatial)
            means = np.stack([spatial @ delayed[index == k].mean(axis=0) for k in range(len(self.classes_))])
            explained = np.stack([mean @ basis @ basis.T for mean, basis in zip(means, bases, strict=True)])
            norms.append(np.sqrt(np.sum(means**2, axis=(1, 2)) + np.sum(explained**2, axis=(1, 2))))
            templates.append((means + explained).reshape(len(means), -1))
        self.filters_, self.norms_ = np.stack(filters), np.stack(norms)
        self.templates_ = np.ascontiguousarray(np.stack(templates))
        self.basis_ = np.ascontiguousarray(np.concatenate(bases, axis=1))
        self.edges_ = np.concatenate([[0], np.cumsum([basis.shape[1] for basis in bases])[:-1]])
        return self

    def _delay(self, X: Array) -> Array:
        """Return windows with their delayed copies below, ``(n, channels * (n_delays + 1), n_times)``."""
        copies = [X]
        for delay in range(1, self.n_delays + 1):
            later = np.zeros_like(X)
            later[..., : X.shape[-1] - delay] = X[..., delay:]
            copies.append(later)
        return np.concatenate(copies, axis=-2)

    def _filter(self, delayed: Array, index: NDArray[np.intp], bases: list[Array]) -> Array:
        """Return the discriminant filters of one band, ``(n_components, n_rows)``."""
        from scipy.linalg import eigh

        n_rows = delayed.shape[1]
        within, between = np.zeros((n_rows, n_rows)), np.zeros((n_rows, n_rows))
        means, spans = [], []
        for k, basis in enumerate(bases):
            trials = delayed[index == k]
            mean = trials.mean(axis=0)
            spread = trials - mean
            within += np.einsum("nct,ndt->cd", spread, spread)
            inner = spread @ basis
            within += np.einsum("nch,ndh->cd", inner, inner)
            means.append(mean)
            spans.append(mean @ basis @ basis.T)
        within /= len(delayed)
        grand, grand_span = np.mean(means, axis=0), np.mean(spans, axis=0)
        for mean, span in zip(means, spans, strict=True):
            between += (mean - grand) @ (mean - grand).T + (span - grand_span) @ (span - grand_span).T
        between /= len(means)
        within += 1e-6 * np.trace(within) / n_rows * np.eye(n_rows)
        count = min(check_int("n_components", self.n_components, low=1), n_rows)
        vectors = eigh(between, within, subset_by_index=[n_rows - count, n_rows - 1])[1]
        return np.ascontiguousarray(vectors.T)

    def _scores(self, data: Array) -> Array:
        return self.score_parts(self._splitter(data))

    def score_parts(self, parts: Array) -> Array:
        """Return the scores of windows that are split into sub-bands already."""
        n_epochs = len(parts)
        scores = np.zeros((n_epochs, len(self.classes_)))
        delayed = self._delay(parts)
        for band, weight in enumerate(self.weights_):
            filtered = self.filters_[band] @ delayed[:, band]
            inner = filtered.reshape(n_epochs, -1) @ self.templates_[band].T
            explained = np.sum((filtered @ self.basis_) ** 2, axis=1)
            power = np.sum(filtered**2, axis=(1, 2))[:, None] + np.add.reduceat(explained, self.edges_, axis=1)
            rho = inner / np.maximum(np.sqrt(power) * self.norms_[band], 1e-300)
            scores += weight * rho
        return scores
