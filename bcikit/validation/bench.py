"""Benches: how a set-up comes about, by program, by an operator, or not at all."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import Source
from bcikit.signal import Chunk, DataError, Event
from bcikit.simulation.stimulus import Arrangeable, Stimulus
from bcikit.validation.catalogue import BenchTest
from bcikit.validation.takes import Take, voltages

_SETTLE = 0.3
"""Seconds that are thrown away after a set-up was made: the link's delay, and what was under way."""

_LONGEST_DRAIN = 30.0
"""Seconds after which a stream that still gives old samples is given up."""

Progress = Callable[[float], None]
Ask = Callable[[str], bool]
"""Shows a set-up to the operator; False skips the test."""


class Bench(Protocol):
    """Sets up and records."""

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done here, or nothing."""

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Bring a set-up about; False if the operator skips it."""

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the set-up whose recording serves for this one."""


def bench_for(source: Source, *, ask: Ask | None, generator: bool, setup: Stimulus | None = None) -> "Bench":
    """Return the bench that fits a source.

    Parameters
    ----------
    ask : callable or None
        Shows set-ups to an operator; None where nobody is there.
    generator : bool
        Whether the profile describes the device's own test signal.
    setup : Stimulus or None
        What was connected while a recording was made.
    """
    if setup is not None:
        return RecordedBench(setup)
    # A fault injector hides what it wraps.
    inner = getattr(source, "source", source)
    if isinstance(inner, Arrangeable):
        return ProgrammedBench(inner)
    if getattr(inner, "on_event", None) is not None and not source.live:
        return PersonBench(source)
    if ask is not None:
        return OperatorBench(source, ask)
    return FreeRunning(source, generator=generator)


class ProgrammedBench:
    """A bench that a program sets: the simulated device."""

    def __init__(self, device: Arrangeable) -> None:
        self._device = device

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done."""
        if test.needs == "person":
            return "needs a person with electrodes; nobody is connected to this bench"
        return ""

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the set-up itself."""
        return stimulus

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Connect the stimulus."""
        del test
        self._device.connect(stimulus)
        return True


class PersonBench:
    """A simulated person: eyes open and closed can be asked for, nothing can be connected."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done."""
        if test.needs in ("person", "stream"):
            return ""
        return "needs signals at the inputs of an amplifier; this is a simulated person"

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the set-up itself."""
        return stimulus

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Ask the person to open or close the eyes."""
        del test
        tell = getattr(self._source, "on_event", None)
        if tell is not None and stimulus.kind.startswith("eyes-"):
            tell(Event(name=f"phase/{stimulus.kind}", time=0.0))
        return True


class OperatorBench:
    """A real bench: somebody connects what the protocol says."""

    def __init__(self, source: Source, ask: Ask) -> None:
        self._source = source
        self._ask = ask
        self._last: Stimulus | None = None

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done."""
        if test.needs == "impedance" and not self._source.info.capabilities.impedance:
            return "the device cannot tell the impedance of its electrodes"
        if test.needs == "output":
            return "needs a digital output that bcikit can raise, wired to an input"
        return ""

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the set-up itself."""
        return stimulus

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Show the set-up and wait."""
        if test.needs == "stream" and self._last is not None and self._last.kind == "open":
            return True
        self._last = stimulus
        return self._ask(f"{test.test} {test.title}: {describe(stimulus)}\n  {test.protocol}")


class RecordedBench:
    """A recording that was made with one set-up: every test that this set-up serves, and no other.

    Parameters
    ----------
    setup : Stimulus
        What was connected.
    """

    def __init__(self, setup: Stimulus) -> None:
        self._setup = setup

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done."""
        if test.test in ("V-RATE", "V-JIT"):
            return "a recording has times that were smoothed or made up; test the stream itself"
        return "" if test.needs in ("bench", "stream") else "cannot be told from a recording"

    def fits(self, stimulus: Stimulus) -> bool:
        """Return whether the recording holds what a set-up asks for."""
        return stimulus is self._setup

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the recorded set-up where it is of the same kind and frequency, on all channels."""
        own = self._setup
        alike = stimulus.kind == own.kind and stimulus.frequency in (0.0, own.frequency)
        alone = stimulus.channel is None and not stimulus.offset_uv and not stimulus.after
        return own if stimulus.kind == "open" or (alike and alone) else stimulus

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Accept what was recorded."""
        del test, stimulus
        return True


class FreeRunning:
    """Nobody is there and nothing can be connected: only what the stream itself shows."""

    def __init__(self, source: Source, *, generator: bool) -> None:
        self._source = source
        self._generator = generator

    def refuses(self, test: BenchTest) -> str:
        """Return why a test cannot be done."""
        if test.needs == "stream":
            return ""
        if test.needs == "generator":
            return "" if self._generator else "the profile does not say what test signal the device generates"
        reasons = {
            "person": "needs a person with electrodes; nobody is connected",
            "impedance": "needs known resistors at the inputs",
            "output": "needs a digital output that bcikit can raise, wired to an input",
        }
        return reasons.get(test.needs, "needs a generator at the inputs; nothing can be connected to this source")

    def same(self, stimulus: Stimulus) -> Stimulus:
        """Return the set-up "as it is": there is no other, and one recording serves all."""
        return replace(stimulus, kind="open")

    def arrange(self, test: BenchTest, stimulus: Stimulus) -> bool:
        """Accept what is there."""
        del test, stimulus
        return True


def describe(stimulus: Stimulus) -> str:
    """Return a set-up in words."""
    parts = [stimulus.kind]
    if stimulus.amplitude_uv:
        parts.append(f"{stimulus.amplitude_uv:.6g} uV peak")
    if stimulus.frequency:
        second = f" and {stimulus.second:g} Hz" if stimulus.second else ""
        parts.append(f"{stimulus.frequency:g} Hz{second}")
    if stimulus.offset_uv:
        parts.append(f"with {stimulus.offset_uv / 1000:+g} mV direct voltage")
    if stimulus.ohms:
        parts.append(f"{stimulus.ohms:g} ohm")
    if stimulus.channel is not None:
        parts.append(f"on channel {stimulus.channel + 1} only")
    if stimulus.again:
        parts.append("once more")
    if stimulus.after:
        parts.append(f"after {stimulus.after / 3600:g} h on battery")
    return f"{' '.join(parts)}, {stimulus.seconds:g} s"


def record(source: Source, stimulus: Stimulus, key: str, *, progress: Progress) -> Take:
    """Record one set-up from a source that runs.

    Raises
    ------
    DataError
        If nothing came, or less than the set-up asks for: only a file may be shorter, and has ended then.
    """
    info = source.info
    wanted = round(stimulus.seconds * info.sfreq)
    chunks: list[Chunk] = []
    events: list[Event] = []
    if source.live:
        _drain(source)
    source.pull_events()
    answer = _Answer(source, stimulus) if stimulus.kind == "bursts" else None
    deadline = time.monotonic() + 1.5 * stimulus.seconds + 10.0
    got = 0
    while got < wanted:
        if source.ended:
            break
        chunk = source.pull(1.0)
        # What is said of the stream itself (its clock, a gap) is no marker that somebody sent.
        events += [event for event in source.pull_events() if not event.name.startswith("stream/")]
        if chunk is None:
            if time.monotonic() > deadline:
                break
            continue
        chunks.append(chunk)
        if answer is not None:
            answer.look(chunk)
        got = chunk.end_sample - chunks[0].first_sample
        progress(min(1.0, got / wanted))
    if not chunks:
        raise DataError(f"{info.name} delivered nothing within {1.5 * stimulus.seconds + 10:.0f} s.")
    if got < wanted and not source.ended:
        # A file that is over says so, also at its own pace. A device that is slow is waited for, and V-RATE says it;
        # this one stopped, and what it gave before looks well.
        raise DataError(f"{info.name} fell silent after {got / info.sfreq:.1f} of {stimulus.seconds:g} s.")
    first = chunks[0].first_sample
    samples = np.concatenate([np.arange(c.first_sample, c.end_sample, dtype=np.int64) for c in chunks]) - first
    keep = samples < wanted
    return Take(
        key=key,
        stimulus=stimulus,
        info=info,
        data=np.concatenate([c.data for c in chunks])[keep],
        samples=samples[keep],
        times=np.concatenate([c.times for c in chunks])[keep],
        events=tuple(events),
        impedances=_impedances(source) if stimulus.kind == "resistors" else None,
    )


def _impedances(source: Source) -> NDArray[np.float64] | None:
    inner = getattr(source, "source", source)
    if isinstance(inner, Arrangeable):
        return inner.impedances()
    # A board tells what it read last, one value an electrode; those of reference and ground come after.
    read = getattr(inner, "impedances", None)
    values = None if read is None else read()
    if values is None:
        return None
    return np.asarray(values, dtype=np.float64)[: len(voltages(source.info))]


def _drain(source: Source) -> None:
    """Throw away what came before the set-up was made."""
    began = time.monotonic()
    cut = began + _SETTLE
    while not source.ended:
        asked = time.monotonic()
        chunk = source.pull(0.2)
        # What lay in a buffer comes at once; what is taken after the set-up was made has to be waited for.
        waited = time.monotonic() - asked
        if asked >= cut and (chunk is None or waited > 0.5 * chunk.n_times / source.info.sfreq):
            return
        if time.monotonic() - began > _LONGEST_DRAIN:
            raise DataError(f"{source.info.name} gives old samples faster than they can be thrown away.")


class _Answer:
    """A brain-computer interface in the small: raises the output when the power of the burst's band is high."""

    def __init__(self, source: Source, stimulus: Stimulus) -> None:
        from scipy.signal import butter

        self._device = getattr(source, "source", source)
        self._column = voltages(source.info)[0]
        f = stimulus.frequency
        self._sos = butter(1, [0.5 * f, 1.5 * f], "band", fs=source.info.sfreq, output="sos")
        self._zi = np.zeros((len(self._sos), 2))
        self._keep = float(np.exp(-1 / (0.03 * source.info.sfreq)))
        self._threshold = 0.2 * stimulus.amplitude_uv**2 / 2
        self._power = 0.0
        self._high = False

    def look(self, chunk: Chunk) -> None:
        """Filter a chunk and answer when the power rises above the threshold."""
        from scipy.signal import lfilter, sosfilt

        band, self._zi = sosfilt(self._sos, chunk.data[:, self._column], zi=self._zi)
        power, _ = lfilter([1 - self._keep], [1, -self._keep], band**2, zi=[self._keep * self._power])
        self._power = float(power[-1])
        high = self._power > self._threshold
        if high and not self._high and isinstance(self._device, Arrangeable):
            self._device.digital_out()
        self._high = high or (self._high and self._power > 0.3 * self._threshold)
