"""The conformance suite of sources: what the engine relies on, as tests."""

import contextlib
import math
import time
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from bcikit.acquisition import Pulse, Source, StreamStatus
from bcikit.signal import Bad, Chunk, Event, Flag, HostClock, SourceError, StreamEndedError, StreamInfo

_SLACK = 0.5
"""Seconds a pull may be late on a busy machine."""

_TRIES = 5
"""Times that something is measured on the computer's clock."""

_RATE_TOLERANCE = 0.02
"""Relative error of the rate by time stamps; crystals are off by 0.0001, a wrong setting by far more."""

_PACE_TOLERANCE = 0.1
"""Relative error of samples a second of wall time, of a live source over a few seconds."""


_HOLE = 0.04
"""Seconds by which the first stamp of a chunk may lie too late where nothing was lost: jitter of a link."""


def check_chunks(info: StreamInfo, chunks: Sequence[Chunk]) -> None:
    """Check consecutive chunks of one stream, from its start on.

    Shapes and types are as promised; indices go on and count what was lost; times rise and agree with the rate; what
    is not finite is marked.

    Parameters
    ----------
    info : StreamInfo
        What the stream said of itself.
    chunks : sequence of Chunk
        What was pulled, in order.

    Raises
    ------
    AssertionError
        Naming the chunk and what is wrong with it.
    """
    assert chunks, "no chunk came"
    assert chunks[0].health.flags & Flag.START, "the first chunk must carry Flag.START"
    assert chunks[0].health.lost == 0, "nothing can be lost before the first chunk"
    for number, chunk in enumerate(chunks):
        where = f"chunk {number} at sample {chunk.first_sample}"
        chunk.check()
        assert chunk.n_times > 0, f"{where} is empty"
        assert chunk.n_channels == info.n_channels, f"{where} has {chunk.n_channels} columns, not {info.n_channels}"
        assert np.isfinite(chunk.times).all(), f"{where}: times must be finite"
        assert (np.diff(chunk.times) >= 0).all(), f"{where}: times go back"
        health = chunk.health
        assert health.lost >= 0, f"{where}: lost is {health.lost}"
        assert bool(health.flags & Flag.GAP) == (health.lost > 0), f"{where}: Flag.GAP and lost disagree"
        wrong = ~np.isfinite(chunk.data)
        if wrong.any():
            assert health.mask is not None, f"{where} has NaN or infinity and no mask"
            assert (health.mask[wrong] & Bad.NAN).all(), f"{where}: NaN or infinity without Bad.NAN"
        if health.mask is not None:
            assert health.mask.any(), f"{where}: a mask that marks nothing must be None"
        if number:
            before = chunks[number - 1]
            assert chunk.first_sample == before.end_sample + health.lost, f"{where}: the index does not go on"
            assert chunk.times[0] >= before.times[-1], f"{where}: times go back from the chunk before"
            waited = float(chunk.times[0] - before.times[-1]) * info.sfreq
            assert waited < 1 + health.lost + max(2.0, _HOLE * info.sfreq), (
                f"{where}: {waited - 1:.0f} samples are missing by the times and {health.lost} are said to be lost"
            )


class SourceConformance:
    """Base of a test class for an adapter: subclass it, name it ``Test...``, and say how to `open` the source.

    Attributes
    ----------
    seconds : float
        Signal to pull in each test.
    amplitude : tuple of float
        Smallest and largest plausible standard deviation of an EEG channel, in microvolts. What is open or on the bench
        may need other limits; volts and raw counts must lie outside.
    age : float
        Most seconds the newest sample of a live source may be old when it is pulled.
    real_time : bool
        False for a player that is faster or slower than life: its pace and its stamps are its own.
    """

    seconds: float = 1.0
    amplitude: tuple[float, float] = (0.05, 20_000.0)
    age: float = 1.0
    real_time: bool = True

    @abstractmethod
    def open(self) -> Source:
        """Return a source that is open and not started."""

    def lose(self, source: Source, n: int) -> bool:  # noqa: ARG002
        """Make the device lose `n` samples while it streams; return False where that cannot be done."""
        return False

    def _pull(self, source: Source, seconds: float | None = None) -> list[Chunk]:
        """Pull until there are as many seconds of signal, or the source ends."""
        wanted = (self.seconds if seconds is None else seconds) * source.info.sfreq
        chunks: list[Chunk] = []
        limit = time.monotonic() + 20.0 + 3.0 * self.seconds
        while sum(chunk.n_times for chunk in chunks) < wanted and not source.ended:
            chunk = source.pull(1.0)
            if chunk is not None:
                chunks.append(chunk)
            assert time.monotonic() < limit, "the source gives too few samples"
        return chunks

    def test_it_is_a_source_that_describes_itself_before_it_starts(self) -> None:
        """Opening makes `info` known."""
        source = self.open()
        try:
            assert isinstance(source, Source)
            info = source.info
            assert isinstance(info, StreamInfo)
            assert info.sfreq > 0
            assert info.n_channels > 0
            assert info.name
            assert isinstance(source.live, bool)
            assert not source.ended
            assert StreamInfo.from_dict(info.to_dict()).fingerprint() == info.fingerprint()
        finally:
            source.close()

    def test_pulling_before_the_start_is_an_error(self) -> None:
        """A source that does not run says so."""
        source = self.open()
        try:
            with contextlib.suppress(SourceError):
                source.pull(0.01)
                raise AssertionError("pull before start must raise SourceError")
        finally:
            source.close()

    def test_chunks_keep_their_promises(self) -> None:
        """Everything that `check_chunks` asks for."""
        with self.open() as source:
            info = source.info
            chunks = self._pull(source)
            assert source.info is info, "info must not change while the source is open"
        check_chunks(info, chunks)

    def test_times_agree_with_the_rate(self) -> None:
        """Times are seconds, and the rate is the one stated."""
        with self.open() as source:
            chunks = self._pull(source, 2 * self.seconds)
            sfreq = source.info.sfreq
        first, last = chunks[0], chunks[-1]
        samples = last.end_sample - 1 - first.first_sample
        rate = samples / float(last.times[-1] - first.times[0])
        # Short and with jitter: for wrong units, clocks and settings, not for drift.
        allowed = _RATE_TOLERANCE + 0.05 * min(1.0, 0.5 / self.seconds)
        assert abs(rate / sfreq - 1) < allowed, f"{rate:.1f} samples a second by their times, {sfreq:g} by its info"

    def test_a_live_source_keeps_the_pace_it_states(self) -> None:
        """As many samples a second of wall time as the rate says."""
        with self.open() as source:
            if not (source.live and self.real_time):
                return
            # The first block may hold what waited in the driver.
            self._pull(source, 0.3)
            sfreq = source.info.sfreq
            # A machine that stands still spoils some seconds; a source that keeps another pace is never right.
            for _ in range(_TRIES):
                begin, samples = time.monotonic(), 0
                seconds = max(2.0, self.seconds)
                while time.monotonic() - begin < seconds:
                    chunk = source.pull(0.2)
                    samples += 0 if chunk is None else chunk.n_times + chunk.health.lost
                spent = time.monotonic() - begin
                rate = samples / spent
                if right := abs(rate / sfreq - 1) < _PACE_TOLERANCE + 0.2 / spent:
                    break
        assert right, f"{rate:.1f} samples a second came, {sfreq:g} are stated"

    def test_a_live_source_stamps_on_the_clock_of_the_host(self) -> None:
        """Times are seconds on LSL's clock, and the newest sample is young when it is pulled."""
        with self.open() as source:
            if not (source.live and self.real_time):
                return
            clock = HostClock()
            ages: list[float] = []
            limit = time.monotonic() + 20.0 + 3.0 * self.seconds
            while len(ages) < 10 and not source.ended:
                chunk = source.pull(1.0)
                if chunk is not None:
                    ages.append(clock.now() - float(chunk.times[-1]))
                assert time.monotonic() < limit, "the source gives too few chunks"
        # The youngest is looked at: a machine that stands still makes any one of them old.
        youngest = min(ages)
        assert -0.1 < youngest < self.age, (
            f"the newest sample is {youngest:.3f} s old on the clock of pylsl.local_clock(); another clock, or late"
        )

    def test_amplitudes_are_those_of_microvolts(self) -> None:
        """The unit inside is the microvolt; volts, millivolts and raw counts are told by their size."""
        with self.open() as source:
            chunks = self._pull(source)
            kinds = source.info.ch_types
        data = np.concatenate([chunk.data for chunk in chunks])
        columns = [number for number, kind in enumerate(kinds) if kind == "eeg"]
        spread = [float(np.nanstd(data[:, number])) for number in columns]
        low, high = self.amplitude
        if spread:
            middle = float(np.median(spread))
            assert low <= middle <= high, (
                f"EEG channels vary by {middle:.3g} uV (median); plausible are {low:g} to {high:g}: another unit?"
            )

    def test_lost_samples_are_counted(self) -> None:
        """What the device loses is said, to the sample; only where `lose` can make it lose."""
        with self.open() as source:
            chunks = self._pull(source, 0.3)
            if not self.lose(source, 20):
                return
            chunks += self._pull(source)
        lost = sum(chunk.health.lost for chunk in chunks)
        assert lost == 20, f"20 samples were lost and {lost} are said to be"

    def test_chunks_are_not_overwritten_by_later_ones(self) -> None:
        """A chunk belongs to whoever pulled it."""
        with self.open() as source:
            chunks: list[Chunk] = []
            copies = []
            while sum(chunk.n_times for chunk in chunks) < 0.5 * source.info.sfreq and not source.ended:
                chunk = source.pull(1.0)
                if chunk is not None:
                    chunks.append(chunk)
                    copies.append((chunk.data.copy(), chunk.times.copy()))
        for chunk, (data, times) in zip(chunks, copies, strict=True):
            np.testing.assert_array_equal(chunk.data, data)
            np.testing.assert_array_equal(chunk.times, times)

    def test_pull_keeps_its_timeout(self) -> None:
        """Waiting has an end."""
        with self.open() as source:
            for timeout in (0.0, 0.05):
                took: list[float] = []
                for _ in range(_TRIES):
                    begin = time.monotonic()
                    chunk = source.pull(timeout)
                    took.append(spent := time.monotonic() - begin)
                    assert chunk is not None or source.ended or spent >= 0.8 * timeout, (
                        f"pull({timeout}) gave nothing after {spent:.4f} s: it must wait, not be asked in a circle"
                    )
                # Most of them: a machine that stands still makes any one of them late.
                usual = sorted(took)[_TRIES // 2]
                assert usual < timeout + _SLACK, f"pull({timeout}) took {usual:.2f} s"

    def test_the_end_is_no_silence(self) -> None:
        """None is "nothing came in time"; a stream that has an end says so by an error of its own."""
        with self.open() as source:
            limit, seconds = time.monotonic() + self.seconds, 0.0
            # What comes as fast as it is pulled is looked at for so much signal, on a slow machine too.
            while not source.ended and (time.monotonic() < limit if source.live else seconds < 20.0):
                chunk = source.pull(0.1)
                seconds += chunk.n_times / max(source.info.sfreq, 1.0) if chunk is not None and chunk.n_times else 0.1
            if not source.ended:
                return
            try:
                source.pull(0.0)
            except StreamEndedError:
                return
        raise AssertionError("pull() of a source that has ended must raise StreamEndedError")

    def test_events_lie_on_samples(self) -> None:
        """Events have names, times, and samples that have come; each is given once."""
        with self.open() as source:
            chunks = self._pull(source)
            events = source.pull_events()
            end = chunks[-1].end_sample
        for event in events:
            assert isinstance(event, Event)
            assert event.name
            assert math.isfinite(event.time)
            assert event.sample is None or event.sample <= end
        assert source.pull_events() == [] or source.live, "events must be given once"

    def test_status_tells_what_was_given(self) -> None:
        """The status agrees with the chunks."""
        with self.open() as source:
            chunks = self._pull(source)
            status = source.status()
        assert isinstance(status, StreamStatus)
        assert status.pulse in (Pulse.ALIVE, Pulse.LATE, Pulse.ENDED)
        assert status.lost == sum(chunk.health.lost for chunk in chunks) or status.samples == 0
        assert set(status.to_dict()) >= {"name", "pulse", "lost"}

    def test_it_can_be_started_again_after_a_stop(self) -> None:
        """Stop is no close."""
        with self.open() as source:
            self._pull(source, 0.2)
            source.stop()
            source.start()
            chunks = self._pull(source, 0.2)
        assert chunks
        for chunk in chunks:
            chunk.check()

    def test_closing_twice_is_fine(self) -> None:
        """Whatever cleans up may close again."""
        source = self.open()
        source.start()
        source.close()
        source.close()
