"""The conformance suite of steps: what pipelines rely on, as tests."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from bcikit.processing import Pipeline, Step
from bcikit.signal import Bad, Chunk, Recording, StreamInfo


class StepConformance:
    """Base of a test class for a step: subclass it, name it ``Test...``, and say how to `make` the step.

    Attributes
    ----------
    info : StreamInfo
        A stream it can work on.
    seed : int
        Of the made signal.
    """

    info: StreamInfo = StreamInfo(name="made", sfreq=250.0, ch_names=("F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4"))
    seed: int = 0

    @abstractmethod
    def make(self) -> Step:
        """Return a new step."""

    def signal(self, seconds: float = 6.0) -> Recording:
        """Return the signal of the tests: noise of 10 uV on an offset of 200 uV."""
        rng = np.random.default_rng(self.seed)
        data = rng.normal(200.0, 10.0, (round(seconds * self.info.sfreq), self.info.n_channels))
        return Recording.from_arrays(self.info, data)

    def _run(self, recording: Recording, sizes: Sequence[int], step: Step | None = None) -> list[Chunk]:
        step = step or self.make()
        step.configure(recording.info)
        made, start = [], 0
        for number in range(len(recording.data)):
            if start >= len(recording.data):
                break
            stop = min(start + sizes[number % len(sizes)], len(recording.data))
            chunk = Chunk(data=recording.data[start:stop], times=recording.times[start:stop], first_sample=start)
            made.append(step.process(chunk))
            start = stop
        return [chunk for chunk in made if chunk.n_times]

    def test_any_split_into_chunks_gives_the_same(self) -> None:
        """Online equals offline: what comes out does not depend on how the stream was cut."""
        recording = self.signal()
        whole = self._run(recording, [len(recording.data)])
        want = np.concatenate([chunk.data for chunk in whole])
        for sizes in ([1, 7, 64], [250], [33, 2]):
            got = np.concatenate([chunk.data for chunk in self._run(recording, sizes)])
            assert got.shape == want.shape, f"chunks of {sizes} give {got.shape}, one chunk gives {want.shape}"
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-9 * max(float(np.nanmax(np.abs(want))), 1.0))

    def test_the_input_is_never_changed(self) -> None:
        """A chunk may be used by others at the same time."""
        recording = self.signal(2.0)
        before = recording.data.copy()
        self._run(recording, [50])
        np.testing.assert_array_equal(recording.data, before)

    def test_configuring_again_forgets_the_past(self) -> None:
        """The same step on the same signal gives the same, also the second time."""
        recording, step = self.signal(3.0), self.make()
        first = np.concatenate([chunk.data for chunk in self._run(recording, [40], step)])
        again = np.concatenate([chunk.data for chunk in self._run(recording, [40], step)])
        np.testing.assert_array_equal(again, first)

    def test_one_bad_sample_does_not_poison_what_follows(self) -> None:
        """After its settling time a step has forgotten a NaN, and the output says what is not a number."""
        clean = self.signal(12.0)
        data = clean.data.copy()
        at = len(data) // 4
        data[at, 0] = np.nan
        mask = np.zeros(data.shape, np.uint8)
        mask[at, 0] = int(Bad.NAN)
        step = self.make()
        got = step.apply(Recording.from_arrays(self.info, data, mask=mask))
        late = got.times > clean.times[at] + step.settling + 2 / self.info.sfreq
        assert late.any(), "settling is longer than 9 s: the test needs a longer signal"
        assert np.isfinite(got.data[late]).all(), "a NaN is still in the output after the settling time"
        if not np.isfinite(got.data).all():
            assert got.mask is not None, "NaN without a mask"
            assert (got.mask[~np.isfinite(got.data)] & int(Bad.NAN)).all(), "NaN without Bad.NAN"

    def test_it_describes_its_output(self) -> None:
        """Channels and rate are what `configure` says; delay and settling are not negative."""
        step = self.make()
        out = step.configure(self.info)
        chunks = self._run(self.signal(2.0), [100], step)
        assert step.delay >= 0.0
        assert step.settling >= 0.0
        for chunk in chunks:
            chunk.check()
            assert chunk.n_channels == out.n_channels

    def test_it_can_be_written_to_a_file_and_read_again(self) -> None:
        """A session file names the step and its parameters."""
        config = Pipeline([self.make()]).to_config()
        assert config[0]["step"] == self.make().name
        assert Pipeline.from_config(config).to_config() == config
