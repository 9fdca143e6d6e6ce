"""The tests of the bench: what to connect, what is computed, after which text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bcikit.validation import amplitude, band, inputs, noise, residual, response, setups, timebase
from bcikit.validation.results import Measurement
from bcikit.validation.takes import Context, Take

Compute = Callable[[list[Take], Context], tuple[list[Measurement], dict[str, Any]]]


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
    setups: setups.SetUps
    compute: Compute
    needs: str = "bench"


RESIDUAL = "V-RESID"
"""The test that looks at all recordings of a run, after all others."""

_1057 = "IEEE Std 1057-2017, sine fit"
TESTS: tuple[BenchTest, ...] = (
    BenchTest(
        test="V-NOISE",
        title="Input-referred noise",
        requirement="The noise of a channel with shorted inputs stays within the limit.",
        protocol="Short all inputs to the reference and bias at the connector, shield the device, wait a minute.",
        formula="rms over 0.5 to 70 Hz by Parseval; peak to peak in blocks of 10 s; largest line to 100 Hz; Welch",
        source="IEC 80601-2-26 (noise); IFCN 1998; TI ADS1299 data sheet, 1000 samples and more",
        setups=setups.one("short", "noise", 120.0),
        compute=noise.input_noise,
    ),
    BenchTest(
        test="V-GAIN",
        title="Gain accuracy",
        requirement="A sine is reproduced at its size on every channel.",
        protocol="Sine of 10 Hz, 1 mV peak, through the divider to one channel after the other; the others shorted.",
        formula="gain = fitted amplitude / applied amplitude",
        source=_1057,
        setups=setups.alone,
        compute=amplitude.gain,
    ),
    BenchTest(
        test="V-LIN",
        title="Linearity",
        requirement="Output grows in a straight line with the input.",
        protocol="Sine of 10 Hz on all channels, ten amplitudes from 1 uV to 80 % of full scale.",
        formula="largest |A_out - (a + b A_in)| / full scale",
        source=f"{_1057}, regression",
        setups=setups.levels,
        compute=amplitude.linearity,
    ),
    BenchTest(
        test="V-THD",
        title="Distortion: THD, SINAD, SFDR, ENOB",
        requirement="A pure sine stays pure.",
        protocol="Low-distortion sine of 10 Hz, 1 dB below full scale, to one channel after the other.",
        formula="THD = 20 log sqrt(sum A_k^2) / A_1, k = 2..10; ENOB = (SINAD - 1.76 + 20 log FS / A) / 6.02",
        source="IEEE Std 1057-2017 and 1241-2010",
        setups=setups.near_full_scale,
        compute=amplitude.distortion,
    ),
    BenchTest(
        test="V-FREQ",
        title="Frequency response",
        requirement="The response from 0.5 to 50 Hz stays within the limits, against 5 Hz.",
        protocol="Sine of 1 mV peak on all channels, stepped from 0.5 Hz to 0.45 of the rate, 20 periods each.",
        formula="A(f) / A(5 Hz) from sine fits; -3 dB by monotone interpolation",
        source=f"{_1057}; limits IEC 80601-2-26",
        setups=setups.frequencies,
        compute=response.frequency_response,
    ),
    BenchTest(
        test="V-STEP",
        title="Step response",
        requirement="Rise time, overshoot and sag are known.",
        protocol="Square wave of 1 Hz, 100 uV peak to peak, on all channels.",
        formula="10 to 90 % of the mean period",
        source="IFCN 1998 (calibration)",
        setups=setups.one("square", "step", 20.0, amplitude_uv=50.0, frequency=1.0),
        compute=response.step_response,
    ),
    BenchTest(
        test="V-FLAT",
        title="Flatness of the whole passband",
        requirement="The response has no hole and no hump between the frequencies that V-FREQ looks at.",
        protocol="The recording of V-STEP: a square wave of 1 Hz holds every odd frequency.",
        formula="A_k k pi / (4 A), k = 1, 3, 5, ..., against that at 5 Hz",
        source="Fourier series of a square wave; limits as V-FREQ",
        setups=setups.one("square", "step", 20.0, amplitude_uv=50.0, frequency=1.0),
        compute=band.flatness,
    ),
    BenchTest(
        test="V-ALIAS",
        title="Aliasing",
        requirement="A tone above half the sampling rate does not come back as an EEG.",
        protocol="Sine of 0.92 of the sampling rate, 1 mV peak, on all channels.",
        formula="20 log (A_image / gain) / A_applied",
        source=_1057,
        setups=setups.above,
        compute=band.aliasing,
    ),
    BenchTest(
        test="V-IMD",
        title="Intermodulation",
        requirement="Two tones stay two tones.",
        protocol="Two sines of one size, 0.124 and 0.148 of the rate, together 1 dB below full scale, on all channels.",
        formula="20 log sqrt(sum A_p^2) / (A_1 + A_2), p = f2 - f1, f1 + f2, 2 f1 - f2, 2 f2 - f1",
        source=f"{_1057}, several sines; IEC 60268-3 (difference-frequency distortion)",
        setups=setups.two_tones,
        compute=band.intermodulation,
    ),
    BenchTest(
        test="V-CMRR",
        title="Common-mode rejection",
        requirement="What all inputs share is rejected.",
        protocol="Sine at mains frequency, 1 V rms, to all inputs and the reference together (bias connected).",
        formula="20 log V_common / (A_out / gain at that frequency)",
        source=f"{_1057}; IEC 80601-2-26, balanced part",
        setups=setups.common,
        compute=amplitude.common_mode,
    ),
    BenchTest(
        test="V-XTALK",
        title="Crosstalk",
        requirement="A channel does not hear its neighbours.",
        protocol="Sine of 10 Hz, 1 mV peak, to one channel after the other; the others shorted.",
        formula="20 log A_idle / A_driven",
        source=f"{_1057}; IFCN 1998 (1 %)",
        setups=setups.alone,
        compute=amplitude.crosstalk,
    ),
    BenchTest(
        test="V-SKEW",
        title="Skew between channels",
        requirement="All channels are sampled at the same time.",
        protocol="The same sine of 10 Hz, 1 mV peak, on all channels.",
        formula="largest phase difference / (2 pi f)",
        source=_1057,
        setups=setups.one("sine", "skew", 10.0, amplitude_uv=setups.AMPLITUDE_UV, frequency=10.0),
        compute=amplitude.skew,
    ),
    BenchTest(
        test="V-OFFS",
        title="Offset range",
        requirement="Electrode offsets do not change the gain.",
        protocol="Sine of 10 Hz, 1 mV peak, with a direct voltage from -200 to +200 mV.",
        formula="largest |U| with |gain(U) / gain(0) - 1| <= 10 %",
        source="IEC 80601-2-26 (dynamic range with offset)",
        setups=setups.offsets,
        compute=amplitude.offset_range,
    ),
    BenchTest(
        test="V-SETTLE",
        title="Electrode off and on",
        requirement="After an electrode came off and was put on again the signal is soon back.",
        protocol="Open all inputs for two seconds, then short them again to the reference.",
        formula=f"from the last sample at full scale until all later ones are within {inputs.SETTLED_UV:g} uV of rest",
        source="bcikit; IEC 80601-2-26 has a recovery from overload",
        setups=setups.one("off", "off", 12.0),
        compute=inputs.settling,
    ),
    BenchTest(
        test="V-IMAP",
        title="Impedance, channel by channel",
        requirement="The impedance of an electrode is shown at that electrode.",
        protocol="A resistor of 50k in front of one input after the other; the others shorted.",
        formula="channel with the largest reading = channel with the resistor",
        source="bcikit",
        setups=setups.one_resistor,
        compute=inputs.impedance_map,
        needs="impedance",
    ),
    BenchTest(
        test="V-IMP",
        title="Impedance check",
        requirement="The impedance that is shown is the impedance that is there.",
        protocol="Resistors of 1 % in front of every input: 1k, 5k, 10k, 50k, 100k, 330k, 2M.",
        formula="reading / resistor - 1",
        source="bcikit",
        setups=setups.resistors,
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
        setups=setups.one("internal", "internal", 20.0),
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
        setups=setups.one("open", "timing", 1800.0),
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
        setups=setups.one("open", "timing", 1800.0),
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
        setups=setups.one("open", "timing", 1800.0),
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
        setups=setups.one("pulses", "trigger", 250.0, amplitude_uv=5000.0, frequency=2.0, channel=0),
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
        setups=setups.one("bursts", "e2e", 90.0, amplitude_uv=100.0, frequency=10.0, channel=0),
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
        setups=setups.electrodes,
        compute=noise.electrode_drift,
    ),
    BenchTest(
        test="V-PHANT",
        title="Phantom",
        requirement="An EEG that is played comes out as it went in.",
        protocol="Play the phantom waveform (100 uV) through the divider or a resistor head on all channels.",
        formula="Pearson r with the waveform, 1 to 20 Hz, at the best delay; Fisher's z",
        source="bcikit",
        setups=setups.one("phantom", "phantom", 60.0, amplitude_uv=100.0),
        compute=noise.phantom,
    ),
    BenchTest(
        test="V-MOT",
        title="Motion",
        requirement="What a tap at the cable does is known.",
        protocol="Short the inputs at the end of the cable and tap it every two seconds.",
        formula="largest peak to peak in a second, 0.5 to 70 Hz",
        source="bcikit",
        setups=setups.one("taps", "motion", 30.0),
        compute=noise.motion,
    ),
    BenchTest(
        test="V-BIO",
        title="Biological check",
        requirement="A person's alpha is seen.",
        protocol="On a person: a minute with open eyes, a minute with closed eyes.",
        formula="power of 8 to 12 Hz, closed over open",
        source="Berger effect; the limit is bcikit's",
        setups=setups.eyes,
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
        setups=setups.run_down,
        compute=noise.battery,
    ),
    BenchTest(
        test="V-REP",
        title="Repeatability",
        requirement="What was measured at the beginning is measured at the end.",
        protocol="The sine of V-SKEW once more at the end of the run.",
        formula="A_end / A_begin - 1",
        source=_1057,
        setups=setups.twice,
        compute=inputs.repeat,
    ),
    BenchTest(
        test=RESIDUAL,
        title="What nothing explains",
        requirement="What is left without gain, response, noise and time is white, Gaussian, whole and on time.",
        protocol="Nothing of its own: every recording of the run is looked at.",
        formula="offset, drift, steps, colour, holes in the band, codes, kurtosis, shared noise, phase slips, lines, "
        "channel map, polarity, grid and bursts of stamps, markers missing, doubled or in two places",
        source="bcikit",
        setups=setups.one("open", "timing", 1800.0),
        compute=residual.unexplained,
        needs="stream",
    ),
)
"""All tests, in the order in which they are run."""
