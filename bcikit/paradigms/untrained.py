"""Deciders that need no training: filter-bank CCA for the SSVEP menu."""

from collections.abc import Mapping

import numpy as np

from bcikit.decoding import make_decoder
from bcikit.paradigms.base import WindowLike
from bcikit.signal import Decision, StreamInfo


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
        self._decoder = make_decoder(
            decoder, sfreq=info.sfreq, frequencies=tuple(frequencies.values()), n_harmonics=harmonics
        )

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the decision for one window."""
        age = 0.0 if now is None else max(0.0, now - window.time)
        classes = (*self._names, self._idle)
        if np.max(np.asarray(window.bad)[self._picks]) > 0.0:
            return Decision(
                time=window.time, sample=window.stop_sample - 1, classes=classes, reason="bad-data", age=age
            )
        p = self._decoder.predict_proba(np.asarray(window.data)[None, self._picks])[0]
        return Decision(
            time=window.time,
            sample=window.stop_sample - 1,
            classes=classes,
            probabilities=tuple(float(value) for value in p),
            label=classes[int(np.argmax(p))],
            age=age,
        )
