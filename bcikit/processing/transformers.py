"""scikit-learn transformers on epochs, made of the steps that run live."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from bcikit.processing.pipeline import Pipeline
from bcikit.signal import Chunk, StreamInfo


class StepTransformer(TransformerMixin, BaseEstimator):
    """Runs steps over epochs; every epoch is a stream of its own.

    Parameters
    ----------
    steps : sequence of mapping or None
        Configuration of a pipeline (see `Pipeline.from_config`); None changes nothing.
    sfreq : float
        Sampling rate in Hz.
    ch_names : sequence of str or None
        Names of the channels, for steps that need them; "0", "1", ... if left out.

    Notes
    -----
    Filters start anew in each epoch, in the steady state of its first sample: filter the whole recording before cutting
    where that matters. Two-dimensional data are epochs of one channel.
    """

    def __init__(
        self,
        steps: Sequence[Mapping[str, Any]] | None = None,
        *,
        sfreq: float = 250.0,
        ch_names: Sequence[str] | None = None,
    ) -> None:
        self.steps = steps
        self.sfreq = sfreq
        self.ch_names = ch_names

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's interface
        """Configure the steps for epochs of the shape of `X`.

        Parameters
        ----------
        X : ndarray, shape (n_epochs, n_channels, n_times) or (n_epochs, n_times)
            Epochs.
        y : ignored
        """
        X = validate_data(self, X, allow_nd=True, dtype=np.float64)
        n_channels = 1 if X.ndim == 2 else X.shape[1]
        names = tuple(self.ch_names) if self.ch_names is not None else tuple(map(str, range(n_channels)))
        info = StreamInfo(name="epochs", sfreq=self.sfreq, ch_names=names)
        Pipeline.from_config(self.steps or []).configure(info)
        self.info_ = info
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the processed epochs, with as many dimensions as `X`.

        Parameters
        ----------
        X : ndarray, shape (n_epochs, n_channels, n_times) or (n_epochs, n_times)
            Epochs.
        """
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, dtype=np.float64, reset=False)
        epochs = X[:, None, :] if X.ndim == 2 else X
        times = np.arange(epochs.shape[2]) / self.sfreq
        pipeline = Pipeline.from_config(self.steps or [])
        pipeline.configure(self.info_)
        results = []
        for epoch in epochs:
            pipeline.reset()
            chunk = pipeline.process(Chunk(np.ascontiguousarray(epoch.T), times, 0))
            results.append(chunk.data.T)
        out = np.stack(results)
        return out.reshape(len(out), -1) if X.ndim == 2 else out


class LogVariance(TransformerMixin, BaseEstimator):
    """Logarithm of each channel's variance: the log band power of band-passed epochs.

    Parameters
    ----------
    floor : float
        Smallest variance, so that a dead channel gives a finite number.
    """

    def __init__(self, *, floor: float = 1e-12) -> None:
        self.floor = floor

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's interface
        """Check the epochs, shape (n_epochs, n_channels, n_times) or (n_epochs, n_times)."""
        validate_data(self, X, allow_nd=True, dtype=np.float64)
        self.fitted_ = True
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log variances, shape (n_epochs, n_channels)."""
        check_is_fitted(self)
        X = validate_data(self, X, allow_nd=True, dtype=np.float64, reset=False)
        variance = np.var(X, axis=-1, keepdims=X.ndim == 2)
        return np.log(np.maximum(variance, self.floor))
