"""A model as a graph of ONNX in double precision."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.export import Chain, chain_of
from bcikit.decoding.model import Model
from bcikit.signal import MissingDependencyError

ROOTS = (36, 22, 14, 10, 9, 8, 7, 6)
"""Steps of Newton and Schulz to each square root of a matrix, of condition up to 1e12 at first; each root halves the
digits that lie between the eigenvalues."""

SERIES = 16
"""Terms of the logarithm of what is left, within .11 of one: the last is below 1e-16."""


class _Graph:
    """Nodes and constants under names of their own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = out or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def put(self, values: Any) -> str:
        """Return the name of a constant; lists of integers are axes and shapes."""
        array = np.asarray(values)
        name = f"c_{len(self.constants)}"
        self.constants[name] = array.astype(np.int64 if array.dtype.kind == "i" else np.float64)
        return name

    def total(self, values: str, *axes: int, keep: bool = False) -> str:
        return self.add("ReduceSum", values, self.put(list(axes)), keepdims=int(keep))


def to_onnx(model: Model, path: str | Path) -> Path:
    """Write a model as an ONNX graph in double precision; return its path (extra ``onnx``).

    Input ``window`` ``(n, n_channels, n_times)``, output ``probabilities`` ``(n, n_classes)``; a window that is not
    finite has probabilities that are not. ``sheet`` of its metadata says the rest as JSON: classes, channels, rate,
    filters before it, the probability below which nothing is decided.

    Raises
    ------
    ArgumentError
        If the decoder has no such form.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper, save_model
    except ImportError:
        raise MissingDependencyError("onnx", "onnx", "Export to ONNX") from None
    chain, sheet = chain_of(model), model.sheet
    graph = _Graph()
    scores = _scores(graph, chain, sheet.n_times)
    slopes, shares = graph.put(chain.slopes[:, None, None]), graph.put(chain.shares[:, None, None])
    parts = graph.add("Softmax", graph.add("Mul", slopes, scores), axis=-1)
    weighted = graph.add("Mul", parts, shares)
    graph.add("ReduceSum", weighted, graph.put([0]), keepdims=0, out="probabilities")
    n_classes = len(sheet.classes)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            f"bcikit {sheet.decoder}",
            [helper.make_tensor_value_info("window", TensorProto.DOUBLE, ["n", len(sheet.ch_names), sheet.n_times])],
            [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["n", n_classes])],
            [numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        producer_name="bcikit",
        ir_version=9,
    )
    told = sheet.to_dict()
    kept = (
        "decoder",
        "classes",
        "ch_names",
        "sfreq",
        "unit",
        "n_times",
        "filters",
        "reject",
        "idle",
        "max_bad",
        "data",
    )
    about = {
        "classes": ",".join(sheet.classes),
        "channels": ",".join(sheet.ch_names),
        "sfreq": f"{sheet.sfreq:g}",
        "unit": sheet.unit,
        "data": sheet.data,
        "sheet": json.dumps({key: told[key] for key in kept}, ensure_ascii=False),
    }
    helper.set_model_props(made, about)
    checker.check_model(made)
    target = Path(path)
    save_model(made, str(target))
    return target


def _scores(graph: _Graph, chain: Chain, n_times: int) -> str:
    used = n_times - (chain.order - 1) * chain.lag
    window = "window"
    if chain.order > 1:
        starts = [copy * chain.lag for copy in range(chain.order)][::-1]
        window = graph.add("Concat", *[_cut(graph, window, start, start + used) for start in starts], axis=1)
    rows = graph.add("MatMul", graph.put(chain.before), window)
    if chain.kind == "distances":
        logs = _logarithm(graph, _whitened(graph, _covariance(graph, chain, rows, used), chain), len(chain.before))
        return graph.add("Neg", graph.total(graph.add("Mul", logs, logs), 2, 3))
    if chain.kind == "tangent":
        features = _tangent(graph, chain, rows, used)
    elif chain.kind == "powers":
        features = graph.add("Log", graph.add("Div", graph.total(_squares(graph, rows), 2), graph.put(used - 1.0)))
    else:
        n_rows, n_features = len(chain.before), chain.weights.shape[1]
        pieces = n_features // n_rows
        cut = graph.put([0, n_rows, pieces, chain.length])
        parts = graph.add("Reshape", _cut(graph, rows, 0, pieces * chain.length), cut)
        means = graph.add("ReduceMean", parts, graph.put([3]), keepdims=0)
        features = graph.add("Reshape", graph.add("Transpose", means, perm=[0, 2, 1]), graph.put([0, -1]))
    product = graph.add("MatMul", features, graph.put(np.ascontiguousarray(chain.weights.T)))
    return graph.add("Add", product, graph.put(chain.offsets))


def _cut(graph: _Graph, values: str, start: int, stop: int) -> str:
    return graph.add("Slice", values, graph.put([start]), graph.put([stop]), graph.put([2]))


def _around(graph: _Graph, rows: str) -> str:
    return graph.add("Sub", rows, graph.add("ReduceMean", rows, graph.put([2]), keepdims=1))


def _squares(graph: _Graph, rows: str) -> str:
    around = _around(graph, rows)
    return graph.add("Mul", around, around)


def _covariance(graph: _Graph, chain: Chain, rows: str, n: int) -> str:
    """Return the covariance of rows, shrunk as its estimator has it (`bcikit.decoding.spd.covariances`)."""
    c = float(len(chain.before))
    around = rows if chain.covariance == "scm" else _around(graph, rows)
    # Not MatMul of a Transpose: onnxruntime before 1.26 makes one of both that it has for float32 only.
    product = graph.add("Einsum", around, around, equation="nit,njt->nij")
    raw = graph.add("Div", product, graph.put(float(n - 1 if chain.covariance == "cov" else n)))
    if chain.covariance in ("cov", "scm"):
        return raw
    eye = graph.put(np.eye(len(chain.before)))
    level = graph.add("Div", graph.total(graph.add("Mul", raw, eye), 1, 2, keep=True), graph.put(c))
    square = graph.add("Mul", level, level)
    every = graph.total(graph.add("Mul", raw, raw), 1, 2, keep=True)
    if chain.covariance == "oas":
        alpha = graph.add("Div", every, graph.put(c * c))
        rest = graph.add("Sub", alpha, graph.add("Div", square, graph.put(c)))
        rest = graph.add("Mul", rest, graph.put(n + 1.0))
        share = graph.add("Min", graph.add("Div", graph.add("Add", alpha, square), rest), graph.put(1.0))
    else:
        power = graph.total(graph.add("Mul", around, around), 1, keep=True)
        fourth = graph.add("Div", graph.total(graph.add("Mul", power, power), 1, 2, keep=True), graph.put(float(n)))
        beta = graph.add("Div", graph.add("Sub", fourth, every), graph.put(c * n))
        delta = graph.add("Div", graph.add("Sub", every, graph.add("Mul", square, graph.put(c))), graph.put(c))
        share = graph.add("Div", graph.add("Min", beta, delta), delta)
    kept = graph.add("Mul", raw, graph.add("Sub", graph.put(1.0), share))
    return graph.add("Add", kept, graph.add("Mul", graph.add("Mul", share, level), eye))


def _whitened(graph: _Graph, covariance: str, chain: Chain) -> str:
    """Return the covariances beside each reference, ``(n, n_references, n_rows, n_rows)``."""
    one = graph.add("Unsqueeze", covariance, graph.put([1]))
    left = graph.add("MatMul", graph.put(chain.whiteners), one)
    return graph.add("MatMul", left, graph.put(np.ascontiguousarray(chain.whiteners.swapaxes(1, 2))))


def _logarithm(graph: _Graph, matrices: str, n: int) -> str:
    """Return the logarithm of positive definite matrices by products alone: ONNX knows no eigenvalues.

    The matrix over its mean eigenvalue, roots taken by the coupled iteration of Newton and Schulz until it is nearly
    one, then the series; as many doublings (inverse scaling and squaring; Higham 2008, Functions of Matrices, 11).
    """
    eye = graph.put(np.eye(n))
    half, three = graph.put(0.5), graph.put(3.0 * np.eye(n))
    # By the Frobenius norm, so that every eigenvalue lies in (0, 1], where the iteration converges.
    norm = graph.add("Sqrt", graph.total(graph.add("Mul", matrices, matrices), 2, 3, keep=True))
    root = graph.add("Div", matrices, norm)
    for steps in ROOTS:
        # Y to the root, Z to its inverse: T = (3 I - Z Y) / 2, Y T, T Z.
        inverse = ""
        for _ in range(steps):
            product = root if not inverse else graph.add("MatMul", inverse, root)
            turn = graph.add("Mul", graph.add("Sub", three, product), half)
            root = graph.add("MatMul", root, turn)
            inverse = turn if not inverse else graph.add("MatMul", turn, inverse)
    rest = graph.add("Sub", eye, root)
    # log(I - E) = -(E + E^2 / 2 + ...), by Horner.
    found = graph.put(np.eye(n) / SERIES)
    for term in range(SERIES - 1, 0, -1):
        found = graph.add("Add", graph.add("MatMul", rest, found), graph.put(np.eye(n) / term))
    found = graph.add("Mul", graph.add("MatMul", rest, found), graph.put(-(2.0 ** len(ROOTS))))
    return graph.add("Add", found, graph.add("Mul", graph.add("Log", norm), eye))


def _tangent(graph: _Graph, chain: Chain, rows: str, n: int) -> str:
    size = len(chain.before)
    logs = _logarithm(graph, _whitened(graph, _covariance(graph, chain, rows, n), chain), size)
    flat = graph.add("Reshape", logs, graph.put([0, size * size]))
    first, second = np.triu_indices(size)
    return graph.add("Gather", flat, graph.put((first * size + second).tolist()), axis=1)
