"""SSVEP by covariances in narrow bands around each target, alone and stacked with canonical correlations."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.centre import group_centred, trust_between
from bcikit.decoding.estimator import Centring, Decoder, softmax
from bcikit.decoding.linear import linear_scores
from bcikit.decoding.spd import function_of, mean_riemann, rank_projection, shrink, upper
from bcikit.decoding.ssvep.cca import FbccaLda
from bcikit.decoding.ssvep.stimuli import check_frequencies
from bcikit.decoding.ssvep.subbands import remove_line
from bcikit.signal import DataError, check_range

Array = NDArray[np.float64]

ALPHA_BAND = (6.0, 12.0)
"""Hz; theta and alpha below the targets: whoever looks at a flicker has less of it than at rest."""


class FbTangent(Centring, Decoder):
    """Covariances in narrow bands around each target, their tangent spaces side by side, a linear classifier.

    After Kalunga et al. 2016 (Neurocomputing 191) and MOABB's SSVEP_TS. The bands are bins of the window's Fourier
    transform, so that nothing but the window is needed. It needs no phase lock, and labels without a frequency may be
    in the training (no-control class).

    Parameters
    ----------
    sfreq : float
        Hz.
    frequencies : mapping of str to float
        Class to frequency in Hz.
    bandwidth : float
        Half width of a band in Hz.
    harmonics : int
        Bands around this many harmonics of each target.
    shrinkage : float
        Share of the identity in each covariance: a narrow band has few degrees of freedom.
    alpha : bool
        Add the covariance of `ALPHA_BAND`, where no target lies in it.
    classifier : {"lda", "lr", "svm"}
        See `bcikit.decoding.riemann.TangentSpace`.
    C : float
        Inverse regularisation of "lr" and "svm".
    """

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        bandwidth: float = 0.5,
        harmonics: int = 2,
        shrinkage: float = 0.02,
        alpha: bool = True,
        classifier: str = "lda",
        C: float = 1.0,
    ) -> None:
        self.sfreq = sfreq
        self.frequencies = frequencies
        self.bandwidth = bandwidth
        self.harmonics = harmonics
        self.shrinkage = shrinkage
        self.alpha = alpha
        self.classifier = classifier
        self.C = C

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from trials; see `Centring` for groups."""
        from bcikit.decoding.riemann import linear_classifier

        check_range("shrinkage", self.shrinkage, low=0.0, high=1.0, low_open=True)
        self.bands_ = self._bands()
        data, index = self._begin(X, y)
        pooled = np.einsum("nct,ndt->cd", remove_line(data), remove_line(data))
        self.projection_ = rank_projection(pooled)
        matrices = self._matrices(data)
        self.whiteners_ = np.stack([function_of(mean_riemann(band), "invsqrt") for band in matrices.swapaxes(0, 1)])
        self.classifier_ = linear_classifier(self.classifier, self.C)
        found = self._tangent(matrices)
        features = group_centred(found, groups)
        self.trust_ = trust_between(found, groups)
        self.centre_ = features.mean(axis=0)
        self.classifier_.fit(features, index)
        return self

    def _features(self, data: Array) -> Array:
        return self._tangent(self._matrices(data))

    def scores_from(self, features: Array) -> Array:
        """Return the scores of epochs by their features."""
        return linear_scores(self.classifier_, features)

    def _bands(self) -> tuple[tuple[float, float], ...]:
        frequencies = check_frequencies(self.frequencies, sfreq=self.sfreq)
        width = check_range("bandwidth", self.bandwidth, low=0.0, low_open=True, unit="Hz")
        centres = [f * h for h in range(1, self.harmonics + 1) for f in frequencies.values()]
        bands = [(c - width, c + width) for c in centres if c + width < self.sfreq / 2]
        low, high = ALPHA_BAND
        if self.alpha and not any(low <= f <= high for f in frequencies.values()):
            bands.append(ALPHA_BAND)
        return tuple(bands)

    def _matrices(self, data: Array) -> Array:
        """Return ``(n_epochs, n_bands, rank, rank)``."""
        n_times = data.shape[-1]
        spectrum = np.fft.rfft(remove_line(data), axis=-1) / n_times
        if self.projection_ is not None:
            spectrum = self.projection_ @ spectrum
        bins = np.fft.rfftfreq(n_times, 1.0 / self.sfreq)
        result = []
        for low, high in self.bands_:
            chosen = (bins >= low - 1e-9) & (bins <= high + 1e-9)
            if not chosen.any():
                raise DataError(
                    f"A window of {n_times / self.sfreq:g} s has no frequency bin within {low:g}-{high:g} Hz; "
                    f"take windows of at least {1 / (high - low):g} s or a larger bandwidth."
                )
            part = spectrum[..., chosen]
            result.append(2.0 * (part @ part.conj().swapaxes(-1, -2)).real)
        matrices = np.stack(result, axis=1)
        return shrink(matrices, np.full(matrices.shape[:2], self.shrinkage))

    def _tangent(self, matrices: Array) -> Array:
        vectors = upper(function_of(self.whiteners_ @ matrices @ self.whiteners_, "log"))
        return vectors.reshape(len(vectors), -1)


class SsvepStack(Centring, Decoder):
    """Canonical correlations and narrow-band tangent space, each with its own shrinkage LDA, joined.

    Log-probabilities of `FbccaLda` and `FbTangent` are averaged, ``(1 - weight) log p_cca + weight log p_ts``, over
    the whole window and, where it is long enough, over three overlapping halves of it: what one view is sure of and
    wrong about, the other may know. The least probability of one view is held at 1e-4, so that no view vetoes.
    The settings were chosen on six people of Kalunga et al. 2016; they are no optimum for others.

    Parameters
    ----------
    sfreq : float
        Hz.
    frequencies : mapping of str to float
        Class to frequency in Hz; labels without one are no-control classes.
    weight : float
        Weight of the tangent space.
    n_harmonics, bands
        Of the canonical correlations, see `SsvepDecoder`; three bands that begin below the first harmonic, at 12 and
        at 22 Hz if left out.
    bandwidth, shrinkage
        Of the tangent space, see `FbTangent`.
    shortest : float
        Seconds that half a window must have to be used on its own.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        frequencies: Mapping[str, float],
        weight: float = 0.35,
        n_harmonics: int = 3,
        bands: Sequence[tuple[float, float]] | None = None,
        bandwidth: float = 0.5,
        shrinkage: float = 0.02,
        shortest: float = 1.0,
    ) -> None:
        self.sfreq = sfreq
        self.frequencies = frequencies
        self.weight = weight
        self.n_harmonics = n_harmonics
        self.bands = bands
        self.bandwidth = bandwidth
        self.shrinkage = shrinkage
        self.shortest = shortest

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Learn from trials; see `Centring` for groups."""
        check_range("weight", self.weight, low=0.0, high=1.0)
        data, _ = self._begin(X, y)
        self.views_ = []
        for start, stop, share in self._pieces():
            piece = data[:, :, start:stop]
            for decoder, weight in ((self._cca(), 1.0 - self.weight), (self._tangent(), self.weight)):
                if weight > 0.0:
                    fitted = decoder.fit(piece, y, groups)
                    self.views_.append({"start": start, "stop": stop, "weight": share * weight, "decoder": fitted})
        self.centre_ = np.concatenate([view["decoder"].centre_ for view in self.views_])
        self.trust_ = trust_between(self._features(data) if groups is not None else np.empty((0, 0)), groups)
        return self

    def _features(self, data: Array) -> Array:
        """Return the features of all views side by side."""
        return np.concatenate(
            [view["decoder"].features(data[:, :, view["start"] : view["stop"]]) for view in self.views_], axis=1
        )

    def scores_from(self, features: Array) -> Array:
        """Return the scores of epochs by their features."""
        total = np.zeros((len(features), len(self.classes_)))
        begin = 0
        for view in self.views_:
            end = begin + view["decoder"].classifier_.n_features_in_
            probabilities = softmax(view["decoder"].scores_from(features[:, begin:end]))
            total += view["weight"] * np.log(np.maximum(probabilities, 1e-4))
            begin = end
        return total

    def _pieces(self) -> list[tuple[int, int, float]]:
        """Return start, stop and share of the parts of a window."""
        n = self.n_times_
        half = n // 2
        if half < self.shortest * self.sfreq:
            return [(0, n, 1.0)]
        starts = (0, (n - half) // 2, n - half)
        return [(0, n, 0.5), *((start, start + half, 0.5 / 3) for start in starts)]

    def _cca(self) -> Any:
        bands = self.bands
        if bands is None:
            lowest = min(check_frequencies(self.frequencies, sfreq=self.sfreq).values())
            top = min(80.0, 0.45 * self.sfreq)
            # First, second and third harmonic of the lowest target, a little below each.
            bands = tuple((low, top) for low in (0.46 * lowest, 0.92 * lowest, 1.7 * lowest) if low < top - 4.0)
        return FbccaLda(sfreq=self.sfreq, frequencies=self.frequencies, n_harmonics=self.n_harmonics, bands=bands)

    def _tangent(self) -> Any:
        return FbTangent(
            sfreq=self.sfreq,
            frequencies=self.frequencies,
            bandwidth=self.bandwidth,
            shrinkage=self.shrinkage,
        )
