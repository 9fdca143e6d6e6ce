"""Brain and muscle together: an EEG decoder, and the loudness of EMG or EOG channels, each trusted as it proved."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from bcikit.decoding.calibration import Temperature
from bcikit.decoding.estimator import Decoder
from bcikit.decoding.linear import linear_scores
from bcikit.decoding.registry import check_decoder, make_decoder
from bcikit.decoding.scores import held_out_scores, make_folds
from bcikit.signal import DataError, check_choice, check_int, check_range

Array = NDArray[np.float64]

BODY_TYPES = ("emg", "eog")
"""Channel types whose loudness can be a part of the decision."""

TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Exponents of the product rule that are tried; 0 leaves the body out."""

RANGE = 10.0
"""Factor by which a channel may be quieter, or louder, than in any trial of the training before it counts as broken."""


class Hybrid(Decoder):
    """EEG by any motor-imagery decoder, EMG or EOG by log power, combined by the product rule.

    Each part gives log-odds; held-out scores of an inner cross-validation make probabilities of them (`Temperature`).
    They are multiplied, those of the body raised to a trust: the smallest of `TRUSTS` whose held-out log-loss is within
    one standard error of the best, so that a channel that says nothing is left out. Product rule: Kittler et al. 1998
    (IEEE TPAMI 20(3)); EEG with residual EMG: Leeb et al. 2011 (J Neural Eng 8(2)).

    A channel of the body that is flat, or ten times quieter or louder than in any trial of the training, decides
    nothing: the EEG alone gives the scores of that epoch, and `problem` says so; a `Model` then refuses the window.

    Parameters
    ----------
    sfreq : float
        Hz.
    channels : mapping of str to str
        Name of each channel, in the order of the epochs, and its type ("eeg", "emg", "eog"). `Model.fit` takes it from
        the trials.
    eeg : str
        Name of the decoder of the EEG channels, one of the paradigm "motor-imagery".
    body : sequence of str
        Types of the other part, of `BODY_TYPES`.
    piece : float
        Seconds over which a power is taken.
    n_folds : int
        Folds of the inner cross-validation, blocks of neighbours in time.

    Attributes
    ----------
    trust_ : float
        Exponent of the body's probabilities.
    losses_ : dict of float to float
        Held-out log-loss by trust.
    """

    def __init__(
        self,
        *,
        sfreq: float,
        channels: Mapping[str, str] | None = None,
        eeg: str = "csp-lda",
        body: Sequence[str] = ("emg",),
        piece: float = 0.5,
        n_folds: int = 4,
    ) -> None:
        self.sfreq = sfreq
        self.channels = channels
        self.eeg = eeg
        self.body = body
        self.piece = piece
        self.n_folds = n_folds

    @property
    def types(self) -> tuple[str, ...]:
        """Types of channels that it decides by."""
        return ("eeg", *self.body)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn both parts, and how far the body is to be trusted.

        Raises
        ------
        DataError
            If there is no EEG channel, or none of the body, or one of the body is flat in the training.
        """
        check_decoder("eeg", self.eeg, "motor-imagery")
        check_range("piece", self.piece, low=0.0, low_open=True, unit="s")
        check_int("n_folds", self.n_folds, low=2)
        data, index = self._begin(X, y)
        self._find_channels(data.shape[1])
        rms = self._rms(data)
        flat = [name for name, low in zip(self._names, rms.min(axis=0), strict=True) if low <= 0.0]
        if flat:
            raise DataError(f"hybrid: {', '.join(flat)} is flat in trials of the training; check the electrode, or "
                            "leave the channel out.")  # fmt: skip
        self.limits_ = np.stack([rms.min(axis=0) / RANGE, rms.max(axis=0) * RANGE])
        labels = np.asarray(y)
        eeg, body = make_decoder(self.eeg, sfreq=self.sfreq), Loudness(pieces=self._pieces(data.shape[2]))
        _, folds = make_folds(labels, None, split="blocked", n_folds=self.n_folds)
        held = [
            held_out_scores(part, data[:, columns], labels, folds)
            for part, columns in ((eeg, self._eeg), (body, self._body))
        ]
        self.calibrators_ = [Temperature().fit(scores, index, folds) for scores in held]
        logs = [_logs(calibrator, scores) for calibrator, scores in zip(self.calibrators_, held, strict=True)]
        self.trust_ = self._trust(logs[0], logs[1], index)
        self.eeg_ = eeg.fit(data[:, self._eeg], labels)
        self.body_ = body.fit(data[:, self._body], labels)
        return self

    def _trust(self, eeg: Array, body: Array, index: NDArray[np.intp]) -> float:
        rows = np.arange(len(index))
        losses = np.stack([np.logaddexp.reduce(mixed := eeg + trust * body, axis=1) - mixed[rows, index]
                           for trust in TRUSTS])  # fmt: skip
        means = losses.mean(axis=1)
        self.losses_ = dict(zip(TRUSTS, means.tolist(), strict=True))
        best = int(means.argmin())
        worse = losses - losses[best]
        slack = worse.std(axis=1) / np.sqrt(len(index))
        return TRUSTS[int(np.flatnonzero(worse.mean(axis=1) <= slack)[0])]

    def problem(self, X: ArrayLike) -> str:
        """Return which channel of the body is broken in epochs, in words; empty if none is."""
        rms = self._rms(self._check(X))
        for column, name in enumerate(self._names):
            low, high = self.limits_[:, column]
            for value in rms[:, column]:
                if not low <= value <= high:
                    what = "flat" if value < low else "too loud"
                    return f"{name} is {what}: rms {value:.3g}, in the training {low * RANGE:.3g} to {high / RANGE:.3g}"
        return ""

    def _scores(self, data: Array) -> Array:
        eeg = _logs(self.calibrators_[0], self.eeg_.decision_scores(data[:, self._eeg]))
        if self.trust_ == 0.0:
            return eeg
        rms = self._rms(data)
        whole = ((rms >= self.limits_[0]) & (rms <= self.limits_[1])).all(axis=1)
        if whole.any():
            body = self.body_.decision_scores(data[whole][:, self._body])
            eeg[whole] += self.trust_ * _logs(self.calibrators_[1], body)
        return eeg

    def _find_channels(self, n_channels: int) -> None:
        for kind in self.body:
            check_choice("type of body", kind, BODY_TYPES)
        wanted = " or ".join(kind.upper() for kind in self.body)
        if self.channels is None:
            raise DataError(
                f"hybrid must know which channels are EEG and which {wanted}: give channels={{name: type}}."
            )
        if len(self.channels) != n_channels:
            raise DataError(
                f"hybrid: channels has {len(self.channels)} entries; the epochs have {n_channels} channels."
            )
        kinds = list(self.channels.values())
        self._eeg = np.flatnonzero([kind == "eeg" for kind in kinds])
        self._body = np.flatnonzero([kind in self.body for kind in kinds])
        self._names = [name for name, kind in self.channels.items() if kind in self.body]
        for found, kind in ((self._eeg, "EEG"), (self._body, wanted)):
            if not len(found):
                raise DataError(
                    f"hybrid decides by EEG and {wanted}; there is no {kind} channel among {', '.join(self.channels)}. "
                    f'Record one and use it (source.types = ["eeg", "{self.body[0]}"]), or take the decoder {self.eeg}.'
                )

    def _rms(self, data: Array) -> Array:
        return np.asarray(data[:, self._body].std(axis=2))

    def _pieces(self, n_times: int) -> int:
        return max(1, round(n_times / (self.piece * self.sfreq)))


class Loudness(Decoder):
    """Log power of each channel in equal pieces of the window, and LDA with automatic shrinkage.

    Features are kept within what the training had: louder than ever before is no more certain than the loudest.

    Parameters
    ----------
    pieces : int
        Pieces of the window.
    """

    def __init__(self, *, pieces: int = 1) -> None:
        self.pieces = pieces

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from trials."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        data, index = self._begin(X, y)
        features = self._features(data)
        self.range_ = np.stack([features.min(axis=0), features.max(axis=0)])
        self.classifier_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features, index)
        return self

    def _features(self, data: Array) -> Array:
        parts = np.array_split(data, self.pieces, axis=2)
        powers = np.concatenate([np.square(part).mean(axis=2) for part in parts], axis=1)
        return np.asarray(np.log(np.maximum(powers, 1e-12)))

    def _scores(self, data: Array) -> Array:
        return linear_scores(self.classifier_, np.clip(self._features(data), *self.range_))


def _logs(calibrator: BaseEstimator, scores: Array) -> Array:
    """Return the logarithm of calibrated probabilities."""
    probabilities: Any = calibrator.predict_proba(scores)
    return np.asarray(np.log(np.maximum(probabilities, 1e-9)))
