"""The tests of the bench: what to connect, what is computed, after which text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bcikit.signal import StreamInfo
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation import amplitude, noise, residual, response, timebase
from bcikit.validation.profile import Profile
from bcikit.validation.results import Measurement
from bcikit.validation.takes import Context, Take

Compute = Callable[[list[Take], Context], tuple[list[Measurement], dict[str, Any]]]
SetUps = Callable[[StreamInfo, Profile], list[Stimulus]]
AMPLITUDE_UV = 1000.0
"""Peak of the sine of most tests: 1 mV, far above noise, far below full scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchTest:
    """One test.

    Attributes
    ----------
    test : str
        Its id.
    title : str
        Its name.
    requirement : str
        What the device shall do, in one sentence; the id of the test is the id of the requirement.
    protocol : str
        What to connect and do.
    formula : str
        How the value is computed.
    source : str
        Where method and formula come from.
    setups : callable
        Gives the set-ups for a stream and a profile.
    compute : callable
        Makes measurements of the takes.
    needs : str
        "bench" (something must be connected), "stream" (nothing), "impedance", "person", "output", "generator"
        (a test signal of its own).
    """

    test: str
    title: str
    requirement: str
    protocol: str
    formula: str
    source: str
    setups: SetUps
    compute: Compute
    needs: str = "bench"


def _columns(info: StreamInfo) -> list[int]:
    kinds = ("eeg", "eog", "emg", "ecg", "ref", "bio")
    return [index for index, kind in enumerate(info.ch_types) if kind in kinds]


def _alone(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    seconds = profile.seconds("sine", 4.0)
    return [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=AMPLITUDE_UV, frequency=10.0, channel=index)
        for index in range(len(_columns(info)))
    ]


def _levels(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    top = 0.8 * (info.capabilities.full_scale or 187500.0)
    steps = [top * 10 ** (-5.2 * (9 - step) / 9) for step in range(10)]
    seconds = profile.seconds("sine", 4.0)
    return [Stimulus(kind="sine", seconds=seconds, amplitude_uv=level, frequency=10.0) for level in steps]


def _near_full_scale(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    level = (info.capabilities.full_scale or 187500.0) * 10 ** (-1 / 20)
    seconds = profile.seconds("thd", 10.0)
    return [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=level, frequency=10.0, channel=index)
        for index in range(len(_columns(info)))
    ]


def _frequencies(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    fixed = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    shares = [share / 100 * info.sfreq for share in range(10, 46, 5)]
    values = sorted({round(f, 3) for f in [*fixed, *shares] if f <= 0.45 * info.sfreq})
    return [Stimulus(kind="sine", seconds=_long(profile, f), amplitude_uv=AMPLITUDE_UV, frequency=f) for f in values]


def _offsets(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    del info
    step = profile.seconds("offset_step_mv", 20.0)
    count = int(200 // step)
    return [
        Stimulus(
            kind="sine",
            seconds=profile.seconds("offset", 4.0),
            amplitude_uv=AMPLITUDE_UV,
            frequency=10.0,
            offset_uv=1e3 * step * index,
        )
        for index in range(-count, count + 1)
    ]


def _one(kind: str, name: str, default: float, **values: Any) -> SetUps:
    """Return a function that gives one set-up whose time the profile may change."""

    def setups(info: StreamInfo, profile: Profile) -> list[Stimulus]:
        del info
        return [Stimulus(kind=kind, seconds=profile.seconds(name, default), **values)]

    return setups


def _common(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    mains = info.line_freq or 50.0
    wave = Stimulus(kind="common", seconds=profile.seconds("cmrr", 20.0), amplitude_uv=1e6 * 2**0.5, frequency=mains)
    # What a differential sine of that frequency becomes: gain at 10 Hz, and the response from there to mains.
    together = [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=AMPLITUDE_UV, frequency=frequency)
        for frequency, seconds in ((10.0, profile.seconds("skew", 10.0)), (mains, _long(profile, mains)))
    ]
    return [wave, *together, *_alone(info, profile)]


def _long(profile: Profile, frequency: float) -> float:
    """Return how long a sine of the frequency response is recorded."""
    return max(profile.seconds("cycles", 20.0) / frequency, 4.0)


def _resistors(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    del info
    values = (1e3, 5e3, 1e4, 5e4, 1e5, 3.3e5, 2e6)
    return [Stimulus(kind="resistors", seconds=profile.seconds("impedance", 2.0), ohms=value) for value in values]


def _eyes(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    del info
    seconds = profile.seconds("eyes", 60.0)
    return [Stimulus(kind="eyes-open", seconds=seconds), Stimulus(kind="eyes-closed", seconds=seconds)]


def _electrodes(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    return [Stimulus(kind="electrodes", seconds=profile.seconds("drift", 1800.0)), *_alone(info, profile)]


def _run_down(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    del info
    long, short = profile.seconds("noise", 120.0), profile.seconds("sine", 4.0)
    return [
        stimulus
        for after in (0.0, 7200.0)
        for stimulus in (
            Stimulus(kind="short", seconds=long, after=after),
            Stimulus(kind="sine", seconds=short, amplitude_uv=AMPLITUDE_UV, frequency=10.0, channel=0, after=after),
        )
    ]


RESIDUAL = "V-RESID"
"""The test that looks at all recordings of a run, after all others."""

_1057 = "IEEE Std 1057-2017, sine fit"
TESTS: tuple[BenchTest, ...] = (
    BenchTest(
        test="V-NOISE",
        title="Input-referred noise",
        requirement="The noise of a channel with shorted inputs stays within the limit.",
        protocol="Short all inputs to the reference and bias at the connector, shield the device, wait a minute.",
        formula="rms over 0.5 to 70 Hz by Parseval; peak to peak in blocks of 10 s; Welch density",
        source="IEC 80601-2-26 (noise); IFCN 1998; TI ADS1299 data sheet, 1000 samples and more",
        setups=_one("short", "noise", 120.0),
        compute=noise.input_noise,
    ),
    BenchTest(
        test="V-GAIN",
        title="Gain accuracy",
        requirement="A sine is reproduced at its size on every channel.",
        protocol="Sine of 10 Hz, 1 mV peak, through the divider to one channel after the other; the others shorted.",
        formula="gain = fitted amplitude / applied amplitude",
        source=_1057,
        setups=_alone,
        compute=amplitude.gain,
    ),
    BenchTest(
        test="V-LIN",
        title="Linearity",
        requirement="Output grows in a straight line with the input.",
        protocol="Sine of 10 Hz on all channels, ten amplitudes from 1 uV to 80 % of full scale.",
        formula="largest |A_out - (a + b A_in)| / full scale",
        source=f"{_1057}, regression",
        setups=_levels,
        compute=amplitude.linearity,
    ),
    BenchTest(
        test="V-THD",
        title="Distortion: THD, SINAD, SFDR, ENOB",
        requirement="A pure sine stays pure.",
        protocol="Low-distortion sine of 10 Hz, 1 dB below full scale, to one channel after the other.",
        formula="THD = 20 log sqrt(sum A_k^2) / A_1, k = 2..10; ENOB = (SINAD - 1.76 + 20 log FS / A) / 6.02",
        source="IEEE Std 1057-2017 and 1241-2010",
        setups=_near_full_scale,
        compute=amplitude.distortion,
    ),
    BenchTest(
        test="V-FREQ",
        title="Frequency response",
        requirement="The response from 0.5 to 50 Hz stays within the limits, against 5 Hz.",
        protocol="Sine of 1 mV peak on all channels, stepped from 0.5 Hz to 0.45 of the rate, 20 periods each.",
        formula="A(f) / A(5 Hz) from sine fits; -3 dB by monotone interpolation",
        source=f"{_1057}; limits IEC 80601-2-26",
        setups=_frequencies,
        compute=response.frequency_response,
    ),
    BenchTest(
        test="V-STEP",
        title="Step response",
        requirement="Rise time, overshoot and sag are known.",
        protocol="Square wave of 1 Hz, 100 uV peak to peak, on all channels.",
        formula="10 to 90 % of the mean period",
        source="IFCN 1998 (calibration)",
        setups=_one("square", "step", 20.0, amplitude_uv=50.0, frequency=1.0),
        compute=response.step_response,
    ),
    BenchTest(
        test="V-CMRR",
        title="Common-mode rejection",
        requirement="What all inputs share is rejected.",
        protocol="Sine at mains frequency, 1 V rms, to all inputs and the reference together (bias connected).",
        formula="20 log V_common / (A_out / gain at that frequency)",
        source=f"{_1057}; IEC 80601-2-26, balanced part",
        setups=_common,
        compute=amplitude.common_mode,
    ),
    BenchTest(
        test="V-XTALK",
        title="Crosstalk",
        requirement="A channel does not hear its neighbours.",
        protocol="Sine of 10 Hz, 1 mV peak, to one channel after the other; the others shorted.",
        formula="20 log A_idle / A_driven",
        source=f"{_1057}; IFCN 1998 (1 %)",
        setups=_alone,
        compute=amplitude.crosstalk,
    ),
    BenchTest(
        test="V-SKEW",
        title="Skew between channels",
        requirement="All channels are sampled at the same time.",
        protocol="The same sine of 10 Hz, 1 mV peak, on all channels.",
        formula="largest phase difference / (2 pi f)",
        source=_1057,
        setups=_one("sine", "skew", 10.0, amplitude_uv=AMPLITUDE_UV, frequency=10.0),
        compute=amplitude.skew,
    ),
    BenchTest(
        test="V-OFFS",
        title="Offset range",
        requirement="Electrode offsets do not change the gain.",
        protocol="Sine of 10 Hz, 1 mV peak, with a direct voltage from -200 to +200 mV.",
        formula="largest |U| with |gain(U) / gain(0) - 1| <= 10 %",
        source="IEC 80601-2-26 (dynamic range with offset)",
        setups=_offsets,
        compute=amplitude.offset_range,
    ),
    BenchTest(
        test="V-IMP",
        title="Impedance check",
        requirement="The impedance that is shown is the impedance that is there.",
        protocol="Resistors of 1 % in front of every input: 1k, 5k, 10k, 50k, 100k, 330k, 2M.",
        formula="reading / resistor - 1",
        source="bcikit",
        setups=_resistors,
        compute=noise.impedance,
        needs="impedance",
    ),
    BenchTest(
        test="V-TEST",
        title="Internal test signal",
        requirement="The device's own test signal is what its maker says.",
        protocol="Switch the internal test signal on.",
        formula="fitted size, period and direct part against the documented ones",
        source="TI ADS1299 data sheet, (VREFP - VREFN) / 2400; for others their documents",
        setups=_one("internal", "internal", 20.0),
        compute=response.internal_signal,
        needs="generator",
    ),
    BenchTest(
        test="V-RATE",
        title="Sampling rate",
        requirement="The sampling clock keeps its nominal rate.",
        protocol="Let it run; nothing needs to be connected. Best for half an hour, the host's clock disciplined.",
        formula="least squares of time stamps over sample numbers; Allan deviation of the residual",
        source="IEEE Std 1139 (Allan deviation)",
        setups=_one("open", "timing", 1800.0),
        compute=timebase.sampling_rate,
        needs="stream",
    ),
    BenchTest(
        test="V-JIT",
        title="Jitter of the time stamps",
        requirement="Time stamps lie close to the line of the clock.",
        protocol="The recording of V-RATE.",
        formula="standard deviation and 99.9 % quantile of the residual",
        source="bcikit",
        setups=_one("open", "timing", 1800.0),
        compute=timebase.jitter,
        needs="stream",
    ),
    BenchTest(
        test="V-LOSS",
        title="Loss of samples",
        requirement="Samples are not lost.",
        protocol="The recording of V-RATE; for radio links at the largest distance, and with other radios on.",
        formula="missing indices / all indices, Wilson interval",
        source="Wilson 1927",
        setups=_one("open", "timing", 1800.0),
        compute=timebase.loss,
        needs="stream",
    ),
    BenchTest(
        test="V-TRIG",
        title="Trigger latency and jitter",
        requirement="A marker stands where the event was.",
        protocol="A pulse (photodiode or TTL) into the first input at every software marker, 500 times.",
        formula="rising edge at half height, interpolated, minus marker",
        source="Wilson et al. 2010",
        setups=_one("pulses", "trigger", 250.0, amplitude_uv=5000.0, frequency=2.0, channel=0),
        compute=timebase.trigger,
    ),
    BenchTest(
        test="V-E2E",
        title="End-to-end loop",
        requirement="What happens at an input reaches the output in time.",
        protocol="Bursts of 10 Hz into the first input; the digital output, raised by a threshold on band power, "
        "wired to the last input.",
        formula="edge of the output minus start of the burst, both in samples of the device",
        source="Wilson et al. 2010",
        setups=_one("bursts", "e2e", 90.0, amplitude_uv=100.0, frequency=10.0, channel=0),
        compute=timebase.end_to_end,
        needs="output",
    ),
    BenchTest(
        test="V-DRIFT",
        title="Electrode drift",
        requirement="Drift of an electrode pair is known.",
        protocol="A pair of electrodes in saline or gel, half an hour after they were put in.",
        formula="slope of means of one second; rms of 0.01 to 0.5 Hz",
        source="bcikit",
        setups=_electrodes,
        compute=noise.electrode_drift,
    ),
    BenchTest(
        test="V-PHANT",
        title="Phantom",
        requirement="An EEG that is played comes out as it went in.",
        protocol="Play the phantom waveform (100 uV) through the divider or a resistor head on all channels.",
        formula="Pearson r with the waveform, 1 to 20 Hz, at the best delay; Fisher's z",
        source="bcikit",
        setups=_one("phantom", "phantom", 60.0, amplitude_uv=100.0),
        compute=noise.phantom,
    ),
    BenchTest(
        test="V-MOT",
        title="Motion",
        requirement="What a tap at the cable does is known.",
        protocol="Short the inputs at the end of the cable and tap it every two seconds.",
        formula="largest peak to peak in a second, 0.5 to 70 Hz",
        source="bcikit",
        setups=_one("taps", "motion", 30.0),
        compute=noise.motion,
    ),
    BenchTest(
        test="V-BIO",
        title="Biological check",
        requirement="A person's alpha is seen.",
        protocol="On a person: a minute with open eyes, a minute with closed eyes.",
        formula="power of 8 to 12 Hz, closed over open",
        source="Berger effect; the limit is bcikit's",
        setups=_eyes,
        compute=noise.biological,
        needs="person",
    ),
    BenchTest(
        test="V-BATT",
        title="Battery run-down",
        requirement="Noise and gain do not change while the battery runs down.",
        protocol="Noise and gain at the start and after two hours on battery.",
        formula="relative change",
        source="bcikit",
        setups=_run_down,
        compute=noise.battery,
    ),
    BenchTest(
        test=RESIDUAL,
        title="What nothing explains",
        requirement="What is left without gain, response, noise and time is white, Gaussian, whole and on time.",
        protocol="Nothing of its own: every recording of the run is looked at.",
        formula="offset, drift, steps, colour, holes in the band, codes, kurtosis, shared noise, phase slips, lines, "
        "channel map, polarity, grid and bursts of stamps, markers missing, doubled or in two places",
        source="bcikit",
        setups=_one("open", "timing", 1800.0),
        compute=residual.unexplained,
        needs="stream",
    ),
)
"""All tests, in the order in which they are run."""
