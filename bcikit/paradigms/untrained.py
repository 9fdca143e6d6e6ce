"""Deciders that need no training: filter-bank CCA for the SSVEP menu."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding import make_decoder
from bcikit.paradigms.base import WindowLike
from bcikit.signal import Decision, StreamInfo

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
        self._make = partial(
            make_decoder, decoder, sfreq=info.sfreq, frequencies=dict(frequencies), n_harmonics=harmonics
        )
        self._decoder: Any = None

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the decision for one window."""
        age = 0.0 if now is None else max(0.0, now - window.time)
        classes = (*self._names, self._idle)
        if np.max(np.asarray(window.bad)[self._picks]) > 0.0:
            return Decision(
                time=window.time, sample=window.stop_sample - 1, classes=classes, reason="bad-data", age=age
            )
        data = np.asarray(window.data)[None, self._picks]
        if self._decoder is None:
            self._decoder = self._make().prepare(n_channels=data.shape[1], n_times=data.shape[2])
        scores = self._decoder.decision_scores(data)[0]
        # Whoever looks at none raises no score above the others, however long the window is.
        p = _shares(np.append(scores, scores.mean() + IDLE_MARGIN))
        return Decision(
            time=window.time,
            sample=window.stop_sample - 1,
            classes=classes,
            probabilities=tuple(float(value) for value in p),
            label=classes[int(np.argmax(p))],
            age=age,
        )


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()
