"""Deciders that need no training: filter-bank CCA for the SSVEP menu."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bcikit.decoding import make_decoder
from bcikit.decoding.windows import WindowLike
from bcikit.signal import ArgumentError, DataError, Decision, StreamInfo

UNTRAINED = ("cca", "fbcca")
"""Decoders that need no training."""

IDLE_MARGIN = 1.5
"""Log-odds by which a target's score must lead the mean of all scores before it is likelier than none."""


class SsvepDecider:
    """Probabilities of the targets, and of none, from one window of any length.

    Parameters
    ----------
    info : StreamInfo
        Stream that is decoded; its EEG channels are used.
    frequencies : mapping of str to float
        Target to Hz.
    idle : str
        Class of looking at none.
    decoder : str
        Name of a decoder that needs no training.
    harmonics : int
        Harmonics of the reference signals.
    """

    def __init__(
        self, info: StreamInfo, *, frequencies: Mapping[str, float], idle: str, decoder: str, harmonics: int
    ) -> None:
        self._picks = np.asarray(info.indices(ch_type="eeg"))
        self._names = tuple(frequencies)
        self._idle = idle
        try:
            found = make_decoder(decoder, sfreq=info.sfreq, frequencies=dict(frequencies), n_harmonics=harmonics)
            # References of a length are made when the first window of it comes.
            self._decoder: Any = found.prepare(n_channels=len(self._picks), n_times=round(info.sfreq))
        except (ArgumentError, AttributeError, NotImplementedError, DataError):
            if decoder in UNTRAINED:
                raise
            raise ArgumentError(
                f"decoder = {decoder!r} needs training, or is none; without training decide {', '.join(UNTRAINED)}. "
                'For a trained one say decoder = "" and calibration_rounds, and name it in the table [decoder].'
            ) from None

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the decision for one window."""
        age = 0.0 if now is None else max(0.0, now - window.time)
        classes = (*self._names, self._idle)
        if np.max(np.asarray(window.bad)[self._picks]) > 0.0:
            return Decision(
                time=window.time, sample=window.stop_sample - 1, classes=classes, reason="bad-data", age=age
            )
        data = np.asarray(window.data)[None, self._picks]
        scores = self._decoder.decision_scores(data)[0]
        own = {str(name): float(score) for name, score in zip(self._decoder.classes_, scores, strict=True)}
        p = shares(own, self._idle)
        return Decision(
            time=window.time,
            sample=window.stop_sample - 1,
            classes=classes,
            probabilities=tuple(p[name] for name in classes),
            label=max(p, key=p.__getitem__),
            age=age,
            data={"scores": own},
        )


def shares(scores: Mapping[str, float], idle: str) -> dict[str, float]:
    """Return probabilities of the targets and of none from log-odds.

    Whoever looks at none raises no score above the others, however long the window is: none has the mean of all
    scores and `IDLE_MARGIN`.
    """
    values = np.array([*scores.values(), np.mean(list(scores.values())) + IDLE_MARGIN])
    weights = np.exp(values - values.max())
    return dict(zip((*scores, idle), (weights / weights.sum()).tolist(), strict=True))


class RestScores:
    """What each target scores while nothing flickers: alpha near a target's frequency is no answer to it."""

    def __init__(self) -> None:
        self._seen: dict[int, list[dict[str, float]]] = {}

    def learn(self, n_times: int, scores: Mapping[str, float]) -> None:
        """Take the scores of one window at rest."""
        self._seen.setdefault(n_times, []).append(dict(scores))

    def correct(self, n_times: int, scores: Mapping[str, float]) -> dict[str, float]:
        """Return scores less the mean and one standard deviation at rest, by windows of the nearest length."""
        if not self._seen:
            return dict(scores)
        rest = self._seen[min(self._seen, key=lambda length: abs(length - n_times))]
        corrected = {}
        for name, score in scores.items():
            values = [item[name] for item in rest]
            corrected[name] = score - float(np.mean(values)) - float(np.std(values))
        return corrected
