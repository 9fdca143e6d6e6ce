"""The conformance suite of decoders: what sessions, evaluation and model files rely on, as tests."""

import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.decoding import Decoder, Model, epochs, make_decoder
from bcikit.signal import DataError, Event, Recording, StreamInfo


class DecoderConformance:
    """Base of a test class for a decoder: subclass it, name it ``Test...``, and say what its `name` is.

    Attributes
    ----------
    name : str
        Its name in the registry.
    params : dict
        Parameters it must have.
    seed : int
        Of the made trials.
    """

    params: dict[str, Any] = {}  # noqa: RUF012 - a class of tests is not shared between threads
    seed: int = 0

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in the registry."""

    def make(self) -> Decoder:
        """Return the decoder, not fitted."""
        return make_decoder(self.name, sfreq=100.0, **self.params)

    def trials(self, n: int = 40) -> tuple[Any, Any]:
        """Return epochs ``(n, 4, 100)`` in microvolts and their labels: two classes that differ in power and mean."""
        rng = np.random.default_rng(self.seed)
        labels = np.array(["left", "right"])[np.arange(n) % 2]
        data = rng.normal(0.0, 10.0, (n, 4, 100))
        data[labels == "left", 0] *= 3.0
        data[labels == "right", 1] *= 3.0
        data[labels == "left", 2, 30:60] += 8.0
        return data, labels

    def test_it_learns_what_can_be_learnt(self) -> None:
        """Trials that differ clearly are told apart better than by chance."""
        X, y = self.trials()
        X_new, y_new = type(self)._other(self)
        right = float(np.mean(self.make().fit(X, y).predict(X_new) == y_new))
        assert right > 0.6, f"{right:.2f} right of two classes that differ clearly"

    def _other(self) -> tuple[Any, Any]:
        self.seed += 1
        return self.trials()

    def test_probabilities_are_probabilities(self) -> None:
        """One row an epoch, one column a class, each row sums to one."""
        X, y = self.trials()
        model = self.make().fit(X, y)
        found = model.predict_proba(X)
        assert found.shape == (len(X), 2)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-9)
        assert (found >= 0).all()
        np.testing.assert_array_equal(model.classes_[np.argmax(found, axis=1)], model.predict(X))

    def test_what_was_not_fitted_says_so(self) -> None:
        """scikit-learn's own error."""
        from sklearn.exceptions import NotFittedError

        X, _ = self.trials(4)
        try:
            self.make().predict(X)
        except NotFittedError:
            return
        raise AssertionError("predict before fit must raise sklearn.exceptions.NotFittedError")

    def test_it_can_be_cloned_and_fitted_again(self) -> None:
        """The same trials give the same model."""
        from sklearn.base import clone

        X, y = self.trials()
        first = self.make().fit(X, y)
        again = clone(first).fit(X, y)
        np.testing.assert_allclose(again.predict_proba(X), first.predict_proba(X), atol=1e-9)

    def test_what_is_not_finite_is_refused(self) -> None:
        """A NaN must not become a decision."""
        X, y = self.trials()
        model = self.make().fit(X, y)
        X[0, 0, 0] = np.nan
        try:
            model.predict_proba(X)
        except DataError:
            return
        raise AssertionError("epochs with NaN must raise DataError")

    def test_it_survives_a_model_file(self) -> None:
        """Saved, read again with its package trusted by name, it decides the same."""
        X, y = self.trials()
        info = StreamInfo(name="made", sfreq=100.0, ch_names=("C3", "Cz", "C4", "Pz"))
        events = tuple(Event(name=str(label), time=number + 0.0) for number, label in enumerate(y))
        recording = Recording.from_arrays(info, X.transpose(0, 2, 1).reshape(-1, 4), events=events)
        trials = epochs(recording, events={"left": "left", "right": "right"}, tmin=0.0, tmax=1.0)
        model = Model.fit(self.name, trials, params=self.params)
        with tempfile.TemporaryDirectory() as folder:
            path = model.save(Path(folder) / "model.bcikit")
            again = Model.load(path)
        np.testing.assert_array_equal(again.probabilities(trials.X), model.probabilities(trials.X))
