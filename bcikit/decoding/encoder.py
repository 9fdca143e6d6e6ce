"""Embeddings of a network as features of a small head that is trained on the person."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder
from bcikit.decoding.external import OnnxNetwork
from bcikit.decoding.linear import linear_scores
from bcikit.signal import Address, ArgumentError, DataError, check_choice

Array = NDArray[np.float64]


def _how(address: Address) -> str:
    """Return how a network that is not in ONNX comes in."""
    name = address.body if address.scheme == "braindecode" and address.body else "EEGNet"
    return (
        "To export other networks, where torch is installed: "
        f"network = braindecode.models.{name}(n_chans=..., n_outputs=..., n_times=...).eval(); "
        'torch.onnx.export(network, (torch.zeros(2, n_chans, n_times),), "network.onnx", '
        'dynamic_shapes=({0: torch.export.Dim("batch")},), external_data=False); see the page on networks.'
    )


class EncoderDecoder(Decoder):
    """A frozen network gives an embedding of each window; LDA with shrinkage or logistic regression decides on it.

    A foundation model, or any network that was trained on many people, is used as it is: only the head learns, which
    a calibration of a few minutes is enough for. Whether that is better than covariances is an open question; published
    comparisons are mixed, so compare both on your data (``bcikit evaluate``).

    Parameters
    ----------
    encoder : str
        ``onnx:FILE``: a network in an ONNX file, input ``(n, n_channels, n_times)`` float32, any output, which is
        flattened. Its bytes are kept in a saved model. A network of torch or braindecode is exported to ONNX first.
    head : {"lda", "lr"}
        LDA with shrinkage (Bayes' rule with one covariance), or logistic regression.
    scale : float
        Factor on the microvolts before the network.
    C : float
        Inverse regularisation of "lr".
    """

    def __init__(self, *, encoder: str, head: str = "lda", scale: float = 1.0, C: float = 1.0) -> None:
        self.encoder = encoder
        self.head = head
        self.scale = scale
        self.C = C

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the head on the embeddings of trials."""
        from bcikit.decoding.riemann import linear_classifier

        check_choice("head", self.head, ("lda", "lr"))
        address = Address.parse(self.encoder)
        if address.scheme != "onnx" or not address.body:
            raise ArgumentError(f"encoder is {self.encoder!r}; allowed: onnx:FILE. {_how(address)}")
        data, index = self._begin(X, y)
        self.network_ = OnnxNetwork.read(address.body)
        features = self._embed(data)
        lost = int(np.count_nonzero(~np.isfinite(features).all(axis=1)))
        if lost:
            raise DataError(
                f"{address.body} gives {lost} of {len(data)} windows an embedding that is not finite; see to its unit "
                f"(scale, now {self.scale:g}), and that no channel is flat."
            )
        self.mean_ = features.mean(axis=0)
        self.deviation_ = np.maximum(features.std(axis=0), 1e-9 * max(1.0, float(np.abs(features).max())))
        self.classifier_ = linear_classifier(self.head, self.C)
        self.classifier_.fit((features - self.mean_) / self.deviation_, index)
        return self

    def embed(self, X: ArrayLike) -> Array:
        """Return the embeddings of epochs, shape ``(n_epochs, n_features)``."""
        return self._embed(self._check(X))

    def _embed(self, data: Array) -> Array:
        found = self.network_.run(data * self.scale)
        return found.reshape(len(found), -1)

    def _scores(self, data: Array) -> Array:
        return linear_scores(self.classifier_, (self._embed(data) - self.mean_) / self.deviation_)

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return the labels, sorted: the head knows what it was shown."""
        return np.unique(np.asarray(y))
