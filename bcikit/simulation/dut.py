"""`dut:` addresses: a simulated amplifier with known faults, on a bench whose instruments have known errors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import Address, Source
from bcikit.signal import Capabilities, Chunk, Event, Flag, Health, SourceError, StreamInfo, check_range
from bcikit.simulation.frontend import Frontend
from bcikit.simulation.quirk_effects import QuirkBlock, QuirkMemory
from bcikit.simulation.quirks import Quirk, parse_quirks
from bcikit.simulation.stimulus import Instruments, Stimulus

OUTPUT_UV = 1000.0
"""What the digital output puts on the input that it is wired to, behind its divider."""


def _number(default: float, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """The faults of a simulated amplifier. Each number is an option of a ``dut:`` address, too.

    Where channels differ, the number is that of the worst one.
    """

    gain: float = _number(1.0, 0.1, 10.0, "Gain over nominal gain, all channels")
    mismatch: float = _number(0.0005, 0.0, 0.5, "Spread of the gain between channels, standard deviation")
    noise_uv: float = _number(0.12, 0.0, 1000.0, "Input noise, rms from 0.5 to 70 Hz")
    corner_hz: float = _number(0.0, 0.0, 20.0, "Below it the noise rises as 1/f; 0 for white")
    bandwidth_hz: float = _number(65.0, 1.0, 10000.0, "-3 dB, fourth order")
    highpass_hz: float = _number(0.0, 0.0, 10.0, "-3 dB at the low end, first order; 0 for a direct-coupled device")
    thd_db: float = _number(-100.0, -140.0, -3.0, "Total harmonic distortion 1 dB below full scale")
    cmrr_db: float = _number(110.0, 0.0, 200.0, "Common-mode rejection at mains frequency")
    crosstalk_db: float = _number(-90.0, -200.0, 0.0, "From the worst channel to its neighbour")
    skew_ms: float = _number(0.0, 0.0, 100.0, "From the first to the last channel")
    clock_ppm: float = _number(5.0, -1e5, 1e5, "Sampling clock, fast is positive")
    jitter_ms: float = _number(0.2, 0.0, 100.0, "Spread of time stamps, standard deviation")
    loss: float = _number(0.0, 0.0, 1.0, "Share of samples that never arrive")
    latency_ms: float = _number(12.0, 0.0, 1000.0, "From the input to the time stamp's arrival")
    trigger_ms: float = _number(8.0, -500.0, 500.0, "Software marker before the pulse at the input")
    trigger_jitter_ms: float = _number(0.4, 0.0, 500.0, "Spread of that, standard deviation")
    impedance_error: float = _number(0.0, -0.95, 10.0, "Error of the impedance check, relative")
    offset_range_mv: float = _number(180.0, 1.0, 10000.0, "Direct voltage at which the gain has fallen by 10 %")
    test_error: float = _number(0.0, -0.9, 10.0, "Error of the internal test signal, relative")
    drift_uv_min: float = _number(2.0, 0.0, 1e5, "Drift of an electrode pair, microvolts a minute")
    motion_uv: float = _number(15.0, 0.0, 1e6, "Answer to a tap at the cable, peak to peak")
    battery_noise: float = _number(0.02, 0.0, 10.0, "Growth of the noise in two hours on battery, relative")
    recovery_s: float = _number(0.2, 0.0, 100.0, "Time constant of coming back from full scale")
    full_scale_mv: float = _number(187.5, 0.1, 1e5, "Largest input")
    bits: float = _number(24, 8, 32, "Resolution of the converter")

    def __post_init__(self) -> None:
        for item in fields(self):
            low, high = item.metadata["low"], item.metadata["high"]
            object.__setattr__(self, item.name, check_range(item.name, getattr(self, item.name), low=low, high=high))

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Return the settings that the options of an address ask for; other options are left alone."""
        values = {}
        for item in fields(cls):
            if item.name in address.options:
                low, high = item.metadata["low"], item.metadata["high"]
                values[item.name] = address.number(item.name, 0.0, low=low, high=high)
        return cls(**values)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all options."""
        return tuple(item.name for item in fields(cls))


class DeviceUnderTest(Source):
    """A simulated amplifier. Its bench can be set by program (`Arrangeable`).

    Parameters
    ----------
    settings : DeviceSettings
        Its faults.
    info : StreamInfo
        Channels and rate.
    seed : int
        Draws noise, channel differences, and the errors of the bench's instruments.
    chunk : int
        Samples a pull.
    instruments : Instruments
        How far the instruments of the bench may be off.
    quirks : sequence of (Quirk, size)
        Faults that no data sheet names.
    """

    live = False

    def __init__(
        self,
        settings: DeviceSettings,
        *,
        info: StreamInfo,
        seed: int = 0,
        chunk: int = 250,
        instruments: Instruments | None = None,
        quirks: Sequence[tuple[Quirk, float]] = (),
    ) -> None:
        self.info = info
        self.settings = settings
        self._chunk = chunk
        front, clock = np.random.SeedSequence(seed).spawn(2)
        self.frontend = Frontend(settings, info, instruments or Instruments(), rng=np.random.default_rng(front))
        self._rng = np.random.default_rng(clock)
        self._stimulus = Stimulus(kind="short", seconds=1.0)
        self._sample = 0
        self._since = 0
        self._late = 0.0
        self._pulse = 0
        self._events: list[Event] = []
        self._running = False
        self._lost = 0
        self._flags = Flag.START
        self._pieces: Iterator[Chunk] = iter(())
        self._out: list[tuple[int, int]] = []
        self._quirks = [(quirk, size, QuirkMemory(seed + number)) for number, (quirk, size) in enumerate(quirks)]
        self._marks = 0

    def connect(self, stimulus: Stimulus) -> None:
        """Connect something else to the inputs; the next sample is the first of it."""
        self._stimulus = stimulus
        # What was made before it and not yet handed over is gone: it is of the set-up before.
        self._lost += sum(piece.n_times + piece.health.lost for piece in self._pieces)
        self._pieces = iter(())
        self._since = self._sample
        self._pulse = 0
        for _, _, memory in self._quirks:
            memory.clear()
        self.frontend.settle(stimulus)

    def digital_out(self) -> None:
        """Raise the digital output for a tenth of a second; on this bench it is wired to the last input."""
        rate = self.info.sfreq
        begin = self._sample + round(1e-3 * self.settings.latency_ms * rate)
        self._out.append((begin, begin + round(0.1 * rate)))

    def impedances(self) -> NDArray[np.float64]:
        """Return what the device reads as impedance of each input, in ohms."""
        ohms = self.frontend.impedances(self._stimulus)
        for quirk, size, _ in self._quirks:
            ohms = ohms if quirk.ohms is None else quirk.ohms(ohms, size)
        return ohms

    def start(self) -> None:
        """Begin to stream."""
        self._running = True

    def stop(self) -> None:
        """Stop streaming."""
        self._running = False

    def pull(self, timeout: float = 1.0) -> Chunk | None:  # noqa: ARG002 (never has to wait)
        """Return the next samples that were not lost."""
        if not self._running:
            raise SourceError(f"{self.info.name} is not started; use it in a 'with' block or call start().")
        while True:
            chunk = next(self._pieces, None)
            if chunk is not None:
                return chunk
            # Where the answer of a program is measured, data come in small packets, as from a real device.
            small = max(1, round(0.02 * self.info.sfreq))
            self._pieces = self._produce(min(self._chunk, small) if self._stimulus.kind == "bursts" else self._chunk)

    def _produce(self, count: int) -> Iterator[Chunk]:
        """Make `count` samples and yield them, parted where some were lost."""
        rate = self.info.sfreq * (1 + 1e-6 * self.settings.clock_ppm)
        index = self._sample + np.arange(count)
        true = self._world(index) / rate
        begun = float(self._world(np.array([self._since]))[0]) / rate
        data = self.frontend.respond(self._stimulus, true - begun)
        for quirk, size, memory in self._quirks:
            if quirk.data is not None:
                block = QuirkBlock(
                    data=data,
                    index=index,
                    t=true - begun,
                    sfreq=self.info.sfreq,
                    stimulus=self._stimulus,
                    full_scale=1e3 * self.settings.full_scale_mv,
                    lsb=self.frontend.step,
                )
                data = np.ascontiguousarray(quirk.data(block, size, memory))
        for begin, end in self._out:
            data[(index >= begin) & (index < end), -1] += OUTPUT_UV
        # The clock of the host is off, too, by what its certificate allows.
        times = true * self.frontend.errors["timebase"] + 1e-3 * self.settings.latency_ms + self._jitter(count)
        np.maximum.accumulate(times, out=times)
        for quirk, size, _ in self._quirks:
            times = times if quirk.stamps is None else quirk.stamps(times, index, self.info.sfreq, size)
        self._mark(begun, true[-1], rate)
        lost = self._rng.uniform(size=count) < self.settings.loss
        self._sample += count
        kept = np.flatnonzero(~lost)
        before = self._lost
        self._lost = count - 1 - int(kept[-1]) if len(kept) else before + count
        if not len(kept):
            return
        runs = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1)
        last = -1 - before
        for run in runs:
            missing = int(run[0]) - last - 1
            last = int(run[-1])
            flags, self._flags = self._flags | (Flag.GAP if missing else Flag.NONE), Flag.NONE
            piece = slice(int(run[0]), last + 1)
            health = Health(lost=missing, flags=flags)
            yield Chunk(np.ascontiguousarray(data[piece]), times[piece], int(index[run[0]]), health)

    def _jitter(self, count: int) -> NDArray[np.float64]:
        """Return the next delays of the time stamps: they wander within 50 ms, as those of a radio link do.

        Large ones wander more slowly, so that stamps do not go back and none has to be bent.
        """
        from scipy.signal import lfilter

        sigma = 1e-3 * self.settings.jitter_ms
        wander = max(0.05, 2 / self.info.sfreq * (5 * sigma * self.info.sfreq) ** 2)
        keep = float(np.exp(-1 / (wander * self.info.sfreq)))
        noise = self._rng.standard_normal(count) * sigma * np.sqrt(1 - keep * keep)
        out, _ = lfilter([1.0], [1.0, -keep], noise, zi=[keep * self._late])
        self._late = float(out[-1])
        return np.asarray(out)

    def _world(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return where in the world's time the device takes each sample, in samples."""
        for quirk, size, _ in self._quirks:
            if quirk.world is not None:
                return quirk.world(index.astype(np.float64), self.info.sfreq, size)
        return index.astype(np.float64)

    def _mark(self, begin: float, until: float, rate: float) -> None:
        """Give the software marker of each pulse whose time has come."""
        if self._stimulus.kind != "pulses":
            return
        while (at := begin + (self._pulse + 0.5) / self._stimulus.frequency) <= until:
            spread = self._rng.standard_normal() * self.settings.trigger_jitter_ms
            time = at * self.frontend.errors["timebase"] + 1e-3 * (
                self.settings.latency_ms - self.settings.trigger_ms + spread
            )
            sample = round((at - 1e-3 * (self.settings.trigger_ms - spread)) * rate)
            given = [Event(name="marker", time=time, sample=sample, value=1, source="trigger")]
            for quirk, size, _ in self._quirks:
                given = given if quirk.marks is None else quirk.marks(self._marks, given[0], size)
            self._events += given
            self._marks += 1
            self._pulse += 1

    def pull_events(self) -> list[Event]:
        """Return the software markers that came since the last call."""
        events, self._events = self._events, []
        return events


def open_dut(address: Address) -> Source:
    """Open ``dut:option=value`` or, with faults of the stream, ``dut:faults?do=...&source=ADDRESS``.

    Parameters
    ----------
    address : Address
        Options: ``seed``, ``channels`` (how many), ``sfreq``, ``chunk``, every number of `DeviceSettings`, and
        ``quirk=NAME:SIZE,...`` of `bcikit.simulation.quirks`;
        for ``dut:faults`` see `bcikit.simulation.faults`.
    """
    if address.body == "faults":
        from bcikit.simulation.faults import open_faults

        return open_faults(address)
    if address.body:
        raise SourceError(
            f"dut:{address.body} is unknown; it is 'dut:gain=1.02&...' or 'dut:faults?do=...&source=...'."
        )
    address.check_options(["seed", "channels", "sfreq", "chunk", "quirk", *DeviceSettings.names()])
    settings = DeviceSettings.from_address(address)
    sfreq = address.number("sfreq", 250.0, low=50.0, high=100000.0)
    n_channels = int(address.number("channels", 8, low=1, high=1024))
    seed = int(address.number("seed", 0, low=0))
    info = StreamInfo(
        name="dut",
        sfreq=sfreq,
        ch_names=tuple(f"ch{index + 1}" for index in range(n_channels)),
        source_id=f"dut-{seed}",
        device="bcikit simulated amplifier",
        line_freq=50.0,
        capabilities=Capabilities(
            impedance=True, packet_modulus=2**32, full_scale=1e3 * settings.full_scale_mv, markers=True, trigger=True
        ),
    )
    chunk = int(address.number("chunk", max(1, round(sfreq)), low=1))
    quirks = parse_quirks(address.options.get("quirk", ""))
    return DeviceUnderTest(settings, info=info, seed=seed, chunk=chunk, quirks=quirks)


open_dut.addresses = ("source",)  # type: ignore[attr-defined]
