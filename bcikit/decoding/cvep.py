"""Code-modulated visual evoked potentials: reconvolution CCA, by pyntbci."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bcikit.decoding.estimator import Decoder, in_type_of
from bcikit.signal import DataError, MissingDependencyError, check_choice

Array = NDArray[np.float64]


class ReconvolutionCca(Decoder):
    """Learns the response to a single flash and predicts that to any code.

    Thielen et al. 2015 (PLoS ONE 10(7)) and 2021 (J Neural Eng 18(5)): the response to a code is the sum of responses
    to its events; spatial filter and event response come from one CCA over all training trials, so that codes never
    shown in the calibration can be decided, too. The work is done by pyntbci (extra ``cvep``).

    Parameters
    ----------
    sfreq : float
        Hz.
    codes : array, shape (n_codes, n_samples)
        One cycle of each code at the sampling rate: 1 is bright.
    classes : sequence of str
        Class of each code.
    event : {"duration", "contrast", "refe", "dur"}
        What counts as an event of a code, see pyntbci.
    response : float
        Length of the response to an event in seconds.
    gain : float
        Log-odds a unit of correlation, before calibration.
    """

    min_trials = 1
    needs_every_class = False

    def known_classes(self, y: ArrayLike) -> NDArray[Any]:
        """Return the class of every code, sorted."""
        return np.unique(in_type_of(self.classes, np.asarray(y), who=type(self).__name__))

    def __init__(
        self,
        *,
        sfreq: float,
        codes: Any,
        classes: Any,
        event: str = "duration",
        response: float = 0.3,
        gain: float = 10.0,
    ) -> None:
        self.sfreq = sfreq
        self.codes = codes
        self.classes = classes
        self.event = event
        self.response = response
        self.gain = gain

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn spatial filter and response from trials of some or all codes."""
        names = [str(name) for name in self.classes]
        codes = np.asarray(self.codes)
        if codes.ndim != 2 or len(codes) != len(names) or len(set(names)) != len(names):
            raise DataError(f"codes of shape {codes.shape} need as many different classes; there are {len(names)}.")
        check_choice("event", self.event, ("contrast", "dur", "duration", "refe"))
        data, _ = self._begin(X, y)
        labels = np.asarray(y)
        typed = in_type_of(self.classes, labels, who=type(self).__name__)
        strange = np.setdiff1d(labels, typed)
        if strange.size:
            raise DataError(f"The trials have {', '.join(map(str, strange))}, which has no code.")
        order = np.argsort(typed)
        self.classes_ = typed[order]
        self.codes_ = codes[order]
        self._estimator = self._fresh()
        self._estimator.fit(data, np.searchsorted(self.classes_, labels))
        # pyntbci's object holds types that a model file must not; fitting again takes less than a second.
        self._training = (data, labels)
        return self

    def _fresh(self) -> Any:
        try:
            from pyntbci.classifiers import rCCA
        except ImportError:
            raise MissingDependencyError("pyntbci", "cvep", "Code-modulated VEP") from None
        return rCCA(
            stimulus=self.codes_,
            fs=self.sfreq,
            event=self.event,
            encoding_length=self.response,
            onset_event=True,
        )

    def _scores(self, data: Array) -> Array:
        scores = np.asarray(self._estimator.decision_function(data), dtype=np.float64)
        return self.gain * scores.reshape(len(scores), -1)[:, : len(self.classes_)]

    def __getstate__(self) -> dict[str, Any]:
        """Keep the training trials instead of pyntbci's object."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_estimator", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fit again on the training trials."""
        super().__setstate__(state)
        if "_training" in state:
            data, labels = state["_training"]
            self._estimator = self._fresh()
            self._estimator.fit(data, np.searchsorted(self.classes_, labels))
