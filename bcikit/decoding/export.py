"""Decoders for devices without Python: what a model does to a window, as matrices; spiking ones as NIR.

`bcikit.decoding.export_c` and `bcikit.decoding.export_onnx` write the matrices as programs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.auto import AutoDecoder
from bcikit.decoding.calibration import Isotonic, Temperature
from bcikit.decoding.erp import ErpLda
from bcikit.decoding.model import Model
from bcikit.decoding.riemann import Acm, CovarianceDecoder, CspLda, Mdm, TangentSpace
from bcikit.decoding.toeplitz import ToeplitzLda
from bcikit.signal import ArgumentError

Array = NDArray[np.float64]

EXPORTED = (
    "csp-lda, tangent-lr, tangent-svm of two classes, acm-svm of two classes, mdm, erp-lda, toeplitz-lda, errp-lda"
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chain:
    """What a model does to a window, as matrices.

    ``window -> delayed copies -> before -> features -> weights, offsets -> scores -> mean over slopes of
    softmax(slope * score)``

    Attributes
    ----------
    kind : {"means", "powers", "tangent", "distances"}
        Features: means over pieces of samples; log variances of the rows; the covariance of the rows in the tangent
        space; its squared distances to the class means, which are scores already.
    before : ndarray, shape (n_rows, order * n_channels)
        Spatial filters, re-centring in them.
    order, lag : int
        Copies of the window that are stacked, the most delayed last, and samples between two.
    length : int
        Samples averaged into one feature ("means"); 0 otherwise.
    covariance : str
        Estimator, of `bcikit.decoding.spd.covariances`, of "tangent" and "distances".
    whiteners : ndarray, shape (n_references, n_rows, n_rows)
        Inverse square roots of the reference ("tangent") or of the class means ("distances").
    weights, offsets : ndarray, shapes (n_classes, n_features) and (n_classes,)
        Linear classifier; features of "means" have all rows of the first piece first, those of "tangent" are the upper
        triangle row by row, without the factor sqrt(2) of the others than the diagonal, which the weights hold.
    slopes, shares : ndarray, shape (n_slopes,)
        Of the calibration.
    """

    kind: str
    before: Array
    order: int
    lag: int
    length: int
    covariance: str
    whiteners: Array
    weights: Array
    offsets: Array
    slopes: Array
    shares: Array


def chain_of(model: Model) -> Chain:
    """Return a model as matrices.

    Raises
    ------
    ArgumentError
        If its decoder or its calibration is none that can be exported, or it knows data with zero phase alone.
    """
    _check_causal(model)
    estimator = model.estimator
    if isinstance(estimator, AutoDecoder):
        estimator = estimator.decoder_
    n_channels = len(model.sheet.ch_names)
    before: Array = np.eye(n_channels) if model.mapping is None else model.mapping
    order, lag, length, covariance = 1, 0, 0, ""
    whiteners: Array = np.zeros((0, 0, 0))
    weights: Array = np.zeros((len(model.classes), 0))
    offsets: Array = np.zeros(len(model.classes))
    if isinstance(estimator, CspLda) and estimator.estimator == "cov":
        kind, before = "powers", estimator.filters_ @ before
        weights, offsets = _linear(estimator.classifier_)
    elif isinstance(estimator, ErpLda) and type(estimator) is ErpLda:
        kind, length = "means", max(1, round(estimator.interval * estimator.sfreq))
        weights, offsets = _linear(estimator.classifier_)
    elif type(estimator) in (TangentSpace, Acm, Mdm) and _is_linear(estimator):
        if isinstance(estimator, Acm):
            order, lag = estimator.order, estimator.lag
            before = np.asarray(np.kron(np.eye(order), before), dtype=np.float64)
        before = before if estimator.projection_ is None else estimator.projection_ @ before
        covariance = estimator.estimator
        if isinstance(estimator, Mdm):
            kind, whiteners = "distances", estimator.whiteners_
        else:
            kind, whiteners = "tangent", estimator.whitener_[None]
            weights, offsets = _linear(estimator.classifier_)
            rows, columns = np.triu_indices(len(before))
            weights = np.asarray(weights * np.where(rows == columns, 1.0, np.sqrt(2.0)), dtype=np.float64)
    else:
        raise ArgumentError(
            f"{model.sheet.decoder} has no export to ONNX or C in this form; allowed: {EXPORTED}. A spiking decoder is "
            "exported to NIR."
        )
    slopes, shares = _slopes(model.calibrator)
    chain = Chain(
        kind=kind, before=before, order=order, lag=lag, length=length, covariance=covariance, whiteners=whiteners,
        weights=weights, offsets=offsets, slopes=slopes, shares=shares,
    )  # fmt: skip
    if not all(np.isfinite(part).all() for part in (before, whiteners, weights, offsets, slopes, shares)):
        raise ArgumentError(f"The {model.sheet.decoder} holds numbers that are not finite; train it anew.")
    return chain


def _check_causal(model: Model) -> None:
    """Refuse what no device can have live, as `Model.attach` does."""
    if not model.sheet.causal:
        raise ArgumentError(
            "The model was trained on data filtered with zero phase, which no device can have live; train it on data "
            "behind causal filters."
        )


def _is_linear(estimator: CovarianceDecoder) -> bool:
    """Tell whether one weight a feature and class gives the scores: support vectors of three classes vote in pairs."""
    return getattr(estimator, "classifier", "") != "svm" or len(estimator.classes_) == 2


def _slopes(calibrator: Any) -> tuple[Array, Array]:
    if isinstance(calibrator, Isotonic):
        raise ArgumentError("Isotonic calibration has no export; train with calibration='temperature'.")
    if not isinstance(calibrator, Temperature):
        return np.ones(1), np.ones(1)
    slopes = getattr(calibrator, "slopes_", np.array([1.0 / calibrator.temperature_]))
    return slopes, getattr(calibrator, "weights_", np.ones(1))


def _linear(classifier: Any) -> tuple[Array, Array]:
    """Return weights and offsets with one row a class."""
    weights, offsets = np.atleast_2d(classifier.coef_), np.atleast_1d(classifier.intercept_)
    if len(classifier.classes_) == 2 and not isinstance(classifier, ToeplitzLda):
        return np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], offsets])
    return np.asarray(weights, dtype=np.float64), np.asarray(offsets, dtype=np.float64)


def to_nir(model: Model, path: str | Path) -> Path:
    """Write a spiking model as a NIR graph; return its path (extra ``nir``).

    Raises
    ------
    ArgumentError
        If the model is none of spiking neurons, or knows data with zero phase alone.
    """
    from bcikit.decoding.spiking import SpikingDecoder

    _check_causal(model)
    if not isinstance(model.estimator, SpikingDecoder):
        raise ArgumentError(
            f"{model.sheet.decoder} has no spiking neurons; only the decoder 'spiking' is written as NIR."
        )
    model.estimator.to_nir(path)
    return Path(path)
