"""Decoders for devices without Python: plain C99 and ONNX, equal to the decoder within 1e-6."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.calibration import Isotonic, Temperature
from bcikit.decoding.erp import ErpLda
from bcikit.decoding.model import Model
from bcikit.decoding.riemann import CspLda
from bcikit.decoding.toeplitz import ToeplitzLda
from bcikit.signal import ArgumentError, MissingDependencyError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chain:
    """What a model does to a window, as matrices.

    ``window -> mapping -> [pieces: means over samples | powers: log variance behind filters] -> weights, offsets ->
    scores -> mean over slopes of softmax(slope * score)``

    Attributes
    ----------
    kind : {"means", "powers"}
        Features.
    before : ndarray, shape (n_rows, n_channels)
        Spatial filters, re-centring in them.
    length : int
        Samples averaged into one feature ("means"); 0 otherwise.
    weights, offsets : ndarray, shapes (n_classes, n_features) and (n_classes,)
        Linear classifier; features of "means" have all rows of the first piece first.
    slopes, shares : ndarray, shape (n_slopes,)
        Of the calibration.
    """

    kind: str
    before: Array
    length: int
    weights: Array
    offsets: Array
    slopes: Array
    shares: Array


def chain_of(model: Model) -> Chain:
    """Return a model as matrices.

    Raises
    ------
    ArgumentError
        If its decoder or its calibration is none that can be exported.
    """
    estimator, sheet = model.estimator, model.sheet
    n_channels = len(sheet.ch_names)
    mapping = np.eye(n_channels) if model.mapping is None else model.mapping
    if isinstance(estimator, CspLda) and estimator.estimator == "cov":
        kind, length, before = "powers", 0, estimator.filters_ @ mapping
    elif isinstance(estimator, ErpLda) and type(estimator) is ErpLda:
        kind, before = "means", mapping
        length = max(1, round(estimator.interval * estimator.sfreq))
    else:
        raise ArgumentError(
            f"{sheet.decoder} has no export to ONNX or C; allowed: csp-lda (estimator 'cov'), erp-lda, toeplitz-lda, "
            "errp-lda. A spiking decoder is exported to NIR."
        )
    weights, offsets = _linear(estimator.classifier_)
    calibrator = model.calibrator
    if isinstance(calibrator, Isotonic):
        raise ArgumentError("Isotonic calibration has no export; train with calibration='temperature'.")
    slopes, shares = np.ones(1), np.ones(1)
    if isinstance(calibrator, Temperature):
        slopes = getattr(calibrator, "slopes_", np.array([1.0 / calibrator.temperature_]))
        shares = getattr(calibrator, "weights_", np.ones(1))
    return Chain(
        kind=kind, before=before, length=length, weights=weights, offsets=offsets, slopes=slopes, shares=shares
    )


def _linear(classifier: Any) -> tuple[Array, Array]:
    """Return weights and offsets with one row a class."""
    weights, offsets = np.atleast_2d(classifier.coef_), np.atleast_1d(classifier.intercept_)
    if len(classifier.classes_) == 2 and not isinstance(classifier, ToeplitzLda):
        return np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], offsets])
    return np.asarray(weights, dtype=np.float64), np.asarray(offsets, dtype=np.float64)


def to_c(model: Model, path: str | Path) -> Path:
    """Write a model as one C99 file without allocation, recursion or library but ``exp`` and ``log``; return its path.

    ``void bcikit_decide(const double window[CHANNELS][TIMES], double probabilities[CLASSES])``; the comment at its head
    says channels, rate, filters before it, and the operations of the worst case, which is every case.
    """
    chain, sheet = chain_of(model), model.sheet
    n_rows, n_channels = chain.before.shape
    n_classes, n_features = chain.weights.shape
    n_times = sheet.n_times
    spatial = n_rows * n_channels * n_times
    operations = 2 * spatial + 4 * n_rows * n_times + 2 * n_classes * n_features
    calls = len(chain.slopes) * n_classes + (n_rows if chain.kind == "powers" else 0)
    lines = [
        f"/* {sheet.decoder}: {', '.join(sheet.classes)}; made by bcikit from data {sheet.data or 'unknown'}.",
        f" * Channels, in this order, in {sheet.unit}: {', '.join(sheet.ch_names)}.",
        f" * {sheet.sfreq:g} Hz, {n_times} samples, behind the causal filters: {[dict(s) for s in sheet.filters]}.",
        f" * Worst case, which is every case: {operations} multiplications and additions, {calls} calls of exp or log.",
        " * C99, no allocation, no recursion, no state. */",
        "#include <math.h>",
        f"#define CHANNELS {n_channels}",
        f"#define TIMES {n_times}",
        f"#define ROWS {n_rows}",
        f"#define FEATURES {n_features}",
        f"#define CLASSES {n_classes}",
        f"#define SLOPES {len(chain.slopes)}",
        _table("BEFORE", chain.before, "[ROWS][CHANNELS]"),
        _table("WEIGHTS", chain.weights, "[CLASSES][FEATURES]"),
        _table("OFFSETS", chain.offsets, "[CLASSES]"),
        _table("SLOPE", chain.slopes, "[SLOPES]"),
        _table("SHARE", chain.shares, "[SLOPES]"),
        "void bcikit_decide(const double window[CHANNELS][TIMES], double probabilities[CLASSES]) {",
        "  double features[FEATURES], scores[CLASSES], part[CLASSES];",
        "  int r, c, t, k, s;",
        "  for (k = 0; k < FEATURES; k++) features[k] = 0.0;",
        "  for (r = 0; r < ROWS; r++) {",
        *(_C_POWERS if chain.kind == "powers" else [line.replace("LENGTH", str(chain.length)) for line in _C_MEANS]),
        "  }",
        *_C_TAIL,
        "",
    ]
    target = Path(path)
    target.write_text("\n".join(lines), encoding="utf-8")
    return target


_C_POWERS = [
    "    double sum = 0.0, squares = 0.0, mean;",
    "    for (t = 0; t < TIMES; t++) {",
    "      double value = 0.0;",
    "      for (c = 0; c < CHANNELS; c++) value += BEFORE[r][c] * window[c][t];",
    "      sum += value;",
    "    }",
    "    mean = sum / TIMES;",
    "    for (t = 0; t < TIMES; t++) {",
    "      double value = -mean;",
    "      for (c = 0; c < CHANNELS; c++) value += BEFORE[r][c] * window[c][t];",
    "      squares += value * value;",
    "    }",
    "    features[r] = log(squares / (TIMES - 1));",
]
_C_MEANS = [
    "    for (t = 0; t < (FEATURES / ROWS) * LENGTH; t++) {",
    "      double value = 0.0;",
    "      for (c = 0; c < CHANNELS; c++) value += BEFORE[r][c] * window[c][t];",
    "      features[(t / LENGTH) * ROWS + r] += value / LENGTH;",
    "    }",
]
_C_TAIL = [
    "  for (k = 0; k < CLASSES; k++) {",
    "    scores[k] = OFFSETS[k];",
    "    for (t = 0; t < FEATURES; t++) scores[k] += WEIGHTS[k][t] * features[t];",
    "    probabilities[k] = 0.0;",
    "  }",
    "  for (s = 0; s < SLOPES; s++) {",
    "    double highest = scores[0], total = 0.0;",
    "    for (k = 1; k < CLASSES; k++) if (scores[k] > highest) highest = scores[k];",
    "    for (k = 0; k < CLASSES; k++) {",
    "      part[k] = exp(SLOPE[s] * (scores[k] - highest));",
    "      total += part[k];",
    "    }",
    "    for (k = 0; k < CLASSES; k++) probabilities[k] += SHARE[s] * part[k] / total;",
    "  }",
    "}",
]


def _table(name: str, values: Array, shape: str) -> str:
    numbers = ", ".join(f"{value:.17g}" for value in np.asarray(values).ravel())
    if values.ndim == 2:
        rows = ["{" + ", ".join(f"{value:.17g}" for value in row) + "}" for row in values]
        numbers = ", ".join(rows)
    return f"static const double {name}{shape} = {{{numbers}}};"


def to_onnx(model: Model, path: str | Path) -> Path:
    """Write a model as an ONNX graph in double precision; return its path (extra ``onnx``).

    Input ``window`` ``(n, n_channels, n_times)``, output ``probabilities`` ``(n, n_classes)``.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper, save_model
    except ImportError:
        raise MissingDependencyError("onnx", "onnx", "Export to ONNX") from None
    chain, sheet = chain_of(model), model.sheet
    n_rows, n_channels = chain.before.shape
    n_classes, n_features = chain.weights.shape
    constants: dict[str, NDArray[Any]] = {
        "before": chain.before,
        "weights": np.ascontiguousarray(chain.weights.T),
        "offsets": chain.offsets,
        "slopes": chain.slopes[:, None, None],
        "shares": chain.shares[:, None, None],
    }
    nodes = [helper.make_node("MatMul", ["before", "window"], ["rows"])]
    if chain.kind == "powers":
        constants |= {"freedom": np.array(float(sheet.n_times - 1)), "axis": np.array([2], dtype=np.int64)}
        nodes += [
            helper.make_node("ReduceMean", ["rows", "axis"], ["mean"], keepdims=1),
            helper.make_node("Sub", ["rows", "mean"], ["around"]),
            helper.make_node("Mul", ["around", "around"], ["squares"]),
            helper.make_node("ReduceSum", ["squares", "axis"], ["power"], keepdims=0),
            helper.make_node("Div", ["power", "freedom"], ["variance"]),
            helper.make_node("Log", ["variance"], ["features"]),
        ]
    else:
        pieces = n_features // n_rows
        constants |= {
            "begin": np.array([0], dtype=np.int64),
            "end": np.array([pieces * chain.length], dtype=np.int64),
            "axis": np.array([2], dtype=np.int64),
            "cut": np.array([0, n_rows, pieces, chain.length], dtype=np.int64),
            "last": np.array([3], dtype=np.int64),
            "flat": np.array([0, -1], dtype=np.int64),
        }
        nodes += [
            helper.make_node("Slice", ["rows", "begin", "end", "axis"], ["used"]),
            helper.make_node("Reshape", ["used", "cut"], ["pieces"]),
            helper.make_node("ReduceMean", ["pieces", "last"], ["means"], keepdims=0),
            helper.make_node("Transpose", ["means"], ["ordered"], perm=[0, 2, 1]),
            helper.make_node("Reshape", ["ordered", "flat"], ["features"]),
        ]
    constants["first"] = np.array([0], dtype=np.int64)
    nodes += [
        helper.make_node("MatMul", ["features", "weights"], ["product"]),
        helper.make_node("Add", ["product", "offsets"], ["scores"]),
        helper.make_node("Mul", ["slopes", "scores"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["parts"], axis=-1),
        helper.make_node("Mul", ["parts", "shares"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "first"], ["probabilities"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        f"bcikit {sheet.decoder}",
        [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", n_channels, sheet.n_times])],
        [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["n", n_classes])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="bcikit", ir_version=9)
    helper.set_model_props(
        made,
        {
            "classes": ",".join(sheet.classes),
            "channels": ",".join(sheet.ch_names),
            "sfreq": f"{sheet.sfreq:g}",
            "unit": sheet.unit,
            "data": sheet.data,
        },
    )
    checker.check_model(made)
    target = Path(path)
    save_model(made, str(target))
    return target


def to_nir(model: Model, path: str | Path) -> Path:
    """Write a spiking model as a NIR graph; return its path (extra ``nir``).

    Raises
    ------
    ArgumentError
        If the model is none of spiking neurons.
    """
    from bcikit.decoding.spiking import SpikingDecoder

    if not isinstance(model.estimator, SpikingDecoder):
        raise ArgumentError(
            f"{model.sheet.decoder} has no spiking neurons; only the decoder 'spiking' is written as NIR."
        )
    model.estimator.to_nir(path)
    return Path(path)
