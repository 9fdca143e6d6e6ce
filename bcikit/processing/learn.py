"""Spatial filters learnt offline, as steps: CSP, xDAWN, ICA, ocular regression."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.spatial import OcularRegression, SpatialFilter, Unmix
from bcikit.signal import ArgumentError, DataError, Recording


def csp(
    X: NDArray[np.float64], y: Sequence[Any] | NDArray[Any], *, channels: Sequence[str], n_components: int = 4
) -> SpatialFilter:
    """Return common spatial patterns as a step (pyRiemann's CSP on regularised covariances).

    Parameters
    ----------
    X : ndarray, shape (n_epochs, n_channels, n_times)
        Band-passed epochs.
    y : array-like, shape (n_epochs,)
        Classes.
    channels : sequence of str
        Names of the channels of `X`.
    n_components : int
        Components.
    """
    from pyriemann.estimation import Covariances
    from pyriemann.spatialfilters import CSP

    # Shrinkage keeps the matrices positive definite under an average reference.
    covariances = Covariances("lwf").fit_transform(_checked(X, channels))
    found = CSP(nfilter=n_components, log=False).fit(covariances, np.asarray(y))
    return SpatialFilter(weights=found.filters_.tolist(), channels=tuple(channels), names=_names("CSP", found.filters_))


def xdawn(
    X: NDArray[np.float64], y: Sequence[Any] | NDArray[Any], *, channels: Sequence[str], n_components: int = 3
) -> SpatialFilter:
    """Return xDAWN filters as a step: `n_components` for each class (pyRiemann's Xdawn).

    Parameters
    ----------
    X : ndarray, shape (n_epochs, n_channels, n_times)
        Epochs around events.
    y : array-like, shape (n_epochs,)
        Classes.
    channels : sequence of str
        Names of the channels of `X`.
    n_components : int
        Components a class.
    """
    from pyriemann.spatialfilters import Xdawn

    found = Xdawn(nfilter=n_components, estimator="lwf").fit(_checked(X, channels), np.asarray(y))
    weights = np.asarray(found.filters_).reshape(-1, len(channels))
    return SpatialFilter(weights=weights.tolist(), channels=tuple(channels), names=_names("xDAWN", weights))


def ica_removal(ica: Any, *, exclude: Sequence[int] = ()) -> Unmix:
    """Return the removal of independent components, fitted by `mne.preprocessing.ICA`, as a step.

    Parameters
    ----------
    ica : mne.preprocessing.ICA
        Fitted.
    exclude : sequence of int
        Components to remove, beside those in ``ica.exclude``.

    Notes
    -----
    MNE subtracts the mean of the data that the ICA was fitted to; a step has no constant, so offsets stay. High-pass
    first, as an ICA needs anyway.
    """
    import mne

    names = list(ica.ch_names)
    info = mne.create_info(names, 100.0, "eeg", verbose="ERROR")
    units = mne.io.RawArray(np.eye(len(names)), info, verbose="ERROR")
    zeros = mne.io.RawArray(np.zeros((len(names), 1)), info, verbose="ERROR")
    removed = sorted({*map(int, exclude), *map(int, ica.exclude)})
    if not removed:
        raise ArgumentError("exclude names no component, and ica.exclude is empty: there is nothing to remove.")
    with mne.utils.use_log_level("ERROR"):
        units = ica.apply(units, exclude=removed)
        zeros = ica.apply(zeros, exclude=removed)
    return Unmix(weights=(units.get_data() - zeros.get_data()).tolist(), channels=tuple(names))


def ocular_regression(recording: Recording, *, eog: Sequence[str] = ()) -> OcularRegression:
    """Return the regression of the EOG channels out of the EEG channels, learnt from a recording.

    Parameters
    ----------
    recording : Recording
        High-passed at 0.5 to 1 Hz, with blinks and eye movements in it.
    eog : sequence of str
        EOG channels; all of type "eog" if left out.

    Raises
    ------
    DataError
        If there is no EOG channel, or it does not move.
    """
    info = recording.info
    columns = info.index_of(eog, who="ocular_regression") if eog else info.indices(ch_type="eog")
    if not columns:
        raise DataError(f"{info.name!r} has no EOG channel; name channels with eog=...")
    eeg = [column for column in info.indices(ch_type="eeg") if column not in columns]
    used = np.isfinite(recording.data[:, [*eeg, *columns]]).all(axis=1)
    if recording.mask is not None:
        used &= ~np.any(recording.mask[:, [*eeg, *columns]], axis=1)
    if used.sum() < 10 * len(columns):
        raise DataError(f"ocular_regression needs good samples of every channel; there are {int(used.sum())}.")
    sources = recording.data[used][:, columns]
    targets = recording.data[used][:, eeg]
    sources = sources - sources.mean(axis=0)
    targets = targets - targets.mean(axis=0)
    if (sources.std(axis=0) < 1e-9).any():
        raise DataError("ocular_regression: an EOG channel is constant.")
    weights = np.linalg.lstsq(sources, targets, rcond=None)[0].T
    return OcularRegression(
        weights=weights.tolist(),
        channels=tuple(info.ch_names[column] for column in eeg),
        eog=tuple(info.ch_names[column] for column in columns),
    )


def _checked(X: NDArray[np.float64], channels: Sequence[str]) -> NDArray[np.float64]:
    """Return epochs as finite float64.

    Raises
    ------
    DataError
        If they are not.
    """
    X = np.asarray(X, dtype=np.float64)
    if X.ndim != 3 or X.shape[1] != len(channels) or not np.isfinite(X).all():
        raise DataError(
            f"Epochs must be finite and have shape (n_epochs, {len(channels)}, n_times); they have {X.shape}."
        )
    return X


def _names(prefix: str, weights: NDArray[np.float64]) -> tuple[str, ...]:
    return tuple(f"{prefix}{index + 1}" for index in range(len(weights)))
