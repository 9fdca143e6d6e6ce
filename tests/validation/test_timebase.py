"""Time: Allan deviation, correlation and lines against what is known in closed form."""

import numpy as np
import pytest

from bcikit.signal import Chunk, DataError, Event, StreamInfo
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation.bench import _Answer
from bcikit.validation.residual.channels import between_channels
from bcikit.validation.residual.time import triggers
from bcikit.validation.takes import Context, Take
from bcikit.validation.timebase import allan_deviation, correlation_time, fit_line, trigger


def test_allan_deviation_of_white_time_noise_falls_as_one_over_tau():
    error = np.random.default_rng(1).standard_normal(20000) * 1e-3
    tau, deviation = allan_deviation(error, 1.0)
    # White phase noise: sigma(tau) = sqrt(3) s / tau.
    short = tau < 300
    np.testing.assert_allclose(deviation[short] * tau[short], np.sqrt(3) * 1e-3, rtol=0.1)


def test_allan_deviation_of_a_drift_grows_with_tau():
    tau, deviation = allan_deviation(0.5e-9 * np.arange(1000.0) ** 2, 1.0)
    # x = d t^2 / 2 gives sigma = d tau / sqrt(2).
    np.testing.assert_allclose(deviation, 1e-9 * tau / np.sqrt(2), rtol=1e-6)


def test_correlation_time_of_a_first_order_process():
    from scipy.signal import lfilter

    values = lfilter([1.0], [1.0, -0.9], np.random.default_rng(2).standard_normal(200000))
    assert correlation_time(values) == pytest.approx((1 + 0.9) / (1 - 0.9), rel=0.15)


def test_a_line_finds_the_rate_through_late_packets():
    rng = np.random.default_rng(3)
    samples = np.arange(15000)
    times = samples / 250 * (1 - 100e-6) + rng.normal(0, 2e-4, 15000)
    times[rng.integers(0, 15000, 50)] += 0.05
    period, _, _, u = fit_line(samples, times)
    assert 1e6 * (1 / (period * 250) - 1) == pytest.approx(100, abs=max(3e6 * u, 1))


def test_too_few_samples_are_refused():
    with pytest.raises(DataError, match="too few"):
        fit_line(np.arange(5), np.arange(5.0))


@pytest.mark.parametrize("missing", [slice(0), slice(120), slice(200, 320), slice(380, 500)])
def test_the_spread_and_the_drift_of_a_trigger_are_those_of_the_pulses_that_have_markers(missing):
    rate, seconds, every = 1000, 250, 0.5
    samples = np.arange(rate * seconds)
    times = samples / rate
    signal = np.zeros((len(samples), 1))
    pulses = np.arange(0.25, seconds, every)
    for pulse in pulses:
        at = round(pulse * rate)
        signal[at : at + 50] = 1000.0
    # 0.5 ms of scatter upon a delay that grows by 20 ms over the recording: 4.8 ms a minute.
    delays = 0.010 + 0.020 * pulses / seconds + np.random.default_rng(3).normal(0, 0.0005, len(pulses))
    kept = np.delete(np.arange(len(pulses)), missing)
    take = Take(
        key="001-pulses",
        stimulus=Stimulus(kind="pulses", seconds=seconds, amplitude_uv=500.0, frequency=1 / every, channel=0),
        info=StreamInfo(name="amp", sfreq=rate, ch_names=("a",)),
        data=signal,
        samples=samples,
        times=times,
        events=tuple(Event(name="marker", time=float(pulses[k] - delays[k])) for k in kept),
    )
    values = {m.quantity: m.value for m in trigger([take], Context())[0]}
    assert values["trigger_sd"] == pytest.approx(0.5, rel=0.1)
    assert values["trigger_drift"] == pytest.approx(4.8, rel=0.02)


def test_the_pulse_is_looked_for_on_the_first_voltage_not_on_a_counter_before_it():
    samples = np.arange(250 * 60)
    times = samples / 250
    pulses = np.arange(0.4, 60, 0.5)
    wave = np.zeros(len(samples))
    for pulse in pulses:
        wave[round(pulse * 250) : round(pulse * 250) + 12] = 1000.0
    noise = np.random.default_rng(1).normal(0, 1.0, len(samples))

    def take(delay: float, sign: float = 1.0) -> Take:
        return Take(
            key="001-pulses",
            stimulus=Stimulus(kind="pulses", seconds=60, amplitude_uv=500.0, frequency=2.0, channel=0),
            info=StreamInfo(name="amp", sfreq=250, ch_names=("COUNTER", "Fp1"), ch_types=("misc", "eeg")),
            data=np.column_stack([samples % 256, sign * wave + noise]),
            samples=samples,
            times=times,
            events=tuple(Event(name="marker", time=float(pulse - delay)) for pulse in pulses),
        )

    values = {m.quantity: m.value for m in trigger([take(0.010)], Context())[0]}
    # Half the height lies between two samples, 2 ms before the first that is high.
    assert values["trigger_delay"] == pytest.approx(8.0, abs=0.1)
    assert values["trigger_sd"] < 0.05
    found = {one.quantity: one.value for one in triggers(take(0.1))}
    assert found == {"trigger_offset": pytest.approx(98.0, abs=0.1)}
    (upside,) = between_channels([take(0.01, -1.0)], Context())
    assert (upside.quantity, upside.channel) == ("polarity", "Fp1")


def test_a_burst_is_answered_on_the_first_voltage_not_on_a_counter_before_it():
    class Device:
        info = StreamInfo(name="amp", sfreq=250, ch_names=("COUNTER", "Fp1"), ch_types=("misc", "eeg"))
        answers = 0

        def connect(self, stimulus):
            pass

        def digital_out(self):
            self.answers += 1

        def impedances(self):
            return np.zeros(1)

    device = Device()
    answer = _Answer(device, Stimulus(kind="bursts", seconds=4, amplitude_uv=100.0, frequency=10.0))
    for first in range(0, 1000, 50):
        at = np.arange(first, first + 50)
        burst = np.where((at >= 500) & (at < 750), 100 * np.sin(2 * np.pi * 10 * at / 250), 0.0)
        answer.look(Chunk(data=np.column_stack([at % 256, burst]), times=at / 250, first_sample=first))
        assert device.answers == (first + 50 > 500)
