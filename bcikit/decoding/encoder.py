"""Embeddings of a network as features of a small head that is trained on the person."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.architectures import check_architecture, make_network, note_on
from bcikit.decoding.estimator import Decoder
from bcikit.decoding.external import OnnxNetwork
from bcikit.decoding.linear import linear_scores
from bcikit.signal import Address, ArgumentError, DataError, ModelError, check_choice

Array = NDArray[np.float64]

MOST_FEATURES = 4096
"""Largest embedding: the covariance of the head grows with its square, the time to solve it with its cube."""


def check_encoder(encoder: str) -> Address:
    """Return the address of an encoder that can be made here.

    Raises
    ------
    ArgumentError
        If it is no address of one, or an option is wrong.
    ModelError
        If there is no such file.
    MissingDependencyError
        If what makes it is not installed.
    """
    address = Address.parse(encoder)
    if address.scheme not in ("onnx", "braindecode") or not address.body:
        raise ArgumentError(
            f"encoder is {encoder!r}; allowed: onnx:FILE, braindecode:NAME (a class of braindecode.models)."
        )
    if address.scheme == "braindecode":
        check_architecture(address)
    else:
        address.check_options(())
        if not Path(address.body).is_file():
            raise ModelError(f"{address.body} (encoder) is no file.")
    return address


def try_encoder(encoder: str) -> None:
    """Open an encoder's file, too, before anybody calibrates for it; raises like `check_encoder`, and `ModelError`."""
    address = check_encoder(encoder)
    if address.scheme == "onnx":
        OnnxNetwork.read(address.body)


def files_of(encoder: str) -> tuple[Path, ...]:
    """Return the files that an encoder is made of: its network, or its weights."""
    address = Address.parse(encoder)
    named = address.body if address.scheme == "onnx" else address.options.get("weights", "")
    return (Path(named),) if named and Path(named).is_file() else ()


class EncoderDecoder(Decoder):
    """A frozen network gives an embedding of each window; LDA with shrinkage or logistic regression decides on it.

    A foundation model, or any network that was trained on many people, is used as it is: only the head learns, which
    a calibration of a few minutes is enough for. Whether that is better than covariances is an open question; published
    comparisons are mixed, so compare both on your data (``bcikit evaluate``).

    Parameters
    ----------
    encoder : str
        ``onnx:FILE``: a network in an ONNX file, input ``(n, n_channels, n_times)`` float32, any output, which is
        flattened. Its bytes are kept in a saved model. ``braindecode:NAME``: an architecture of braindecode, made for
        the windows of the training and exported to ONNX (`bcikit.decoding.architectures`), so that torch is needed in
        `fit` only; with ``?weights=FILE``, else with random weights, ``?seed=N``.
    head : {"lda", "lr"}
        LDA with shrinkage (Bayes' rule with one covariance), or logistic regression.
    scale : float
        Factor on the microvolts before the network.
    C : float
        Inverse regularisation of "lr".
    sfreq : float, optional
        Sampling rate in Hz, for "braindecode:NAME".
    channels : mapping of str to str, optional
        Name to type of the channels in their order, for architectures of braindecode that go by names.

    Attributes
    ----------
    why_ : str
        Of "braindecode:NAME": what the network is, in words.
    """

    def __init__(
        self,
        *,
        encoder: str,
        head: str = "lda",
        scale: float = 1.0,
        C: float = 1.0,
        sfreq: float | None = None,
        channels: Mapping[str, str] | None = None,
    ) -> None:
        self.encoder = encoder
        self.head = head
        self.scale = scale
        self.C = C
        self.sfreq = sfreq
        self.channels = channels

    @property
    def note(self) -> str:
        """What must be known beside its scores; empty where there is nothing."""
        return note_on(Address.parse(self.encoder))

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the head on the embeddings of trials."""
        from bcikit.decoding.riemann import linear_classifier

        check_choice("head", self.head, ("lda", "lr"))
        address = check_encoder(self.encoder)
        data, index = self._begin(X, y)
        if address.scheme == "onnx":
            self.network_ = OnnxNetwork.read(address.body)
        elif self.sfreq is None:
            raise ArgumentError(f"encoder {self.encoder!r} needs sfreq, the sampling rate in Hz.")
        else:
            self.network_, self.why_ = make_network(
                address, n_channels=self.n_channels_, n_times=self.n_times_, sfreq=self.sfreq,
                n_outputs=len(self.classes_), ch_names=tuple(self.channels or ()),
            )  # fmt: skip
        size = self._embed(data[:1]).shape[1]
        if size > MOST_FEATURES:
            raise DataError(
                f"{self.network_.name} gives {size} features of a window; a head takes {MOST_FEATURES} at most. Take a "
                "network that pools its output, or shorter windows."
            )
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
