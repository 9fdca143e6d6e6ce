"""Models of other tools behind bcikit's interface: ONNX files, and fitted torch or braindecode networks."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.estimator import Decoder, in_type_of
from bcikit.signal import ArgumentError, DataError, MissingDependencyError, ModelError

Array = NDArray[np.float64]


class OnnxNetwork(BaseEstimator):
    """A network in ONNX, run as it is by onnxruntime on one thread (extra ``onnx``); a saved model keeps its bytes.

    Parameters
    ----------
    content : bytes
        The file.
    name : str
        What errors call it.
    """

    def __init__(self, *, content: bytes, name: str = "the network") -> None:
        self.content = content
        self.name = name

    @classmethod
    def read(cls, path: str) -> Self:
        """Return the network in a file.

        Raises
        ------
        ModelError
            If it is missing or no network.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}.") from None
        network = cls(content=content, name=path)
        network._open()
        return network

    def _open(self) -> Any:
        if not hasattr(self, "_session"):
            try:
                import onnxruntime
            except ImportError:
                raise MissingDependencyError("onnxruntime", "onnx", "A network in ONNX") from None
            options = onnxruntime.SessionOptions()
            # One thread: a decision every few milliseconds gains nothing from more and waits for busy cores.
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            try:
                self._session = onnxruntime.InferenceSession(self.content, options, providers=["CPUExecutionProvider"])
            except Exception as error:
                raise ModelError(f"{self.name} is no network that onnxruntime can run: {error}.") from error
        return self._session

    def run(self, data: Array) -> Array:
        """Return the output for epochs ``(n, n_channels, n_times)``; a fourth axis is added where it wants one.

        A network that was exported for a fixed number of windows is run as often as it takes.
        """
        session = self._open()
        given = session.get_inputs()[0]
        batch = given.shape[0]
        if isinstance(batch, int) and 0 < batch != len(data):
            filled = np.concatenate([data, np.zeros((-len(data) % batch, *data.shape[1:]))])
            parts = [self.run(filled[start : start + batch]) for start in range(0, len(filled), batch)]
            return np.concatenate(parts)[: len(data)]
        values = np.asarray(data, dtype=np.float32)
        if len(given.shape) == 4:
            values = values[:, None] if given.shape[1] == 1 else values[..., None]
        try:
            result = session.run(None, {given.name: values})[0]
        except Exception as error:
            raise ModelError(f"{self.name} does not take epochs of shape {data.shape}: {error}.") from error
        return np.asarray(result, dtype=np.float64)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session out of what is stored: it is opened again when it is needed."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_session", None)
        return state


class OnnxDecoder(Decoder):
    """A network in an ONNX file; it is run as it is and cannot be trained here.

    Input ``(n, n_channels, n_times)`` float32 (a fourth axis of one is added where the file wants it), output
    ``(n, n_classes)`` logits or, with ``outputs="probabilities"``, probabilities. Extra ``onnx``.

    Parameters
    ----------
    path : str
        The file. Its bytes are kept in a saved model.
    classes : sequence of str
        Class of each output.
    scale : float
        Factor on the microvolts before the network.
    outputs : {"logits", "probabilities"}
        What the network gives.
    """

    min_trials = 0
    needs_every_class = False

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return the class of every output, sorted."""
        return np.unique(in_type_of(self.classes, np.asarray(y), who=type(self).__name__))

    def __init__(self, *, path: str, classes: Any, scale: float = 1.0, outputs: str = "logits") -> None:
        self.path = path
        self.classes = classes
        self.scale = scale
        self.outputs = outputs

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Check that the network takes such epochs; nothing is learned."""
        data, _ = self._begin(X, y)
        names = in_type_of(self.classes, np.asarray(y), who=type(self).__name__)
        strange = np.setdiff1d(np.asarray(y), names)
        if strange.size:
            raise DataError(f"The network has no output for {', '.join(map(str, strange))}.")
        self.prepare(n_channels=data.shape[1], n_times=data.shape[2])
        self._order = np.argsort(names)
        self.classes_ = names[self._order]
        return self

    def prepare(self, *, n_channels: int, n_times: int) -> Self:
        """Load the file and check its input and output.

        Raises
        ------
        ModelError
            If the file is missing, no network, or does not fit the epochs.
        """
        names = np.asarray(self.classes)
        self._order = np.argsort(names)
        self.classes_ = names[self._order]
        self.n_channels_, self.n_times_ = n_channels, n_times
        self.n_features_in_ = n_channels
        if self.outputs not in ("logits", "probabilities"):
            raise ArgumentError(f"outputs is {self.outputs!r}; allowed: logits, probabilities.")
        self.network_ = OnnxNetwork.read(self.path)
        found = self._run(np.zeros((1, n_channels, n_times)))
        if found.shape != (1, len(names)):
            raise ModelError(f"{self.path} gives {found.shape} for one epoch; expected (1, {len(names)}).")
        return self

    def _run(self, data: Array) -> Array:
        return self.network_.run(data * self.scale)

    def _scores(self, data: Array) -> Array:
        found = self._run(data)[:, self._order]
        return np.log(np.maximum(found, 1e-12)) if self.outputs == "probabilities" else found


class ModuleDecoder(Decoder):
    """A torch module (braindecode, your own) used for inference, or a scikit-learn wrapper of one that is trained.

    bcikit never imports torch by itself: the module you pass brings it. Such a decoder cannot be stored in a model
    file, because a module is arbitrary code; export it to ONNX for that.

    Parameters
    ----------
    module : object
        With ``fit`` (braindecode's EEGClassifier, skorch): trained by `fit`. Else a torch module, called with a float32
        tensor ``(n, n_channels, n_times)``, giving logits.
    classes : sequence of str, optional
        Class of each output of a torch module.
    scale : float
        Factor on the microvolts.
    """

    min_trials = 0

    def __init__(self, *, module: Any, classes: Any = None, scale: float = 1.0) -> None:
        self.module = module
        self.classes = classes
        self.scale = scale

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train what can be trained."""
        data, index = self._begin(X, y)
        if hasattr(self.module, "fit"):
            self.module.fit((data * self.scale).astype(np.float32), index.astype(np.int64))
            self._order = np.arange(len(self.classes_))
            return self
        if self.classes is None:
            raise ArgumentError("A torch module needs classes, one for each output.")
        names = in_type_of(self.classes, np.asarray(y), who=type(self).__name__)
        self._order = np.argsort(names)
        self.classes_ = names[self._order]
        return self

    def _scores(self, data: Array) -> Array:
        values = (data * self.scale).astype(np.float32)
        if hasattr(self.module, "predict_proba"):
            return np.log(np.maximum(np.asarray(self.module.predict_proba(values), dtype=np.float64), 1e-12))
        import torch

        self.module.eval()
        with torch.inference_mode():
            found = self.module(torch.from_numpy(values))
        return np.asarray(found.cpu().numpy(), dtype=np.float64)[:, self._order]
