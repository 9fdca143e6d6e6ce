"""The analogue part of the simulated amplifier: from what is connected to the numbers of the converter."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import StreamInfo
from bcikit.simulation.noise import Pink
from bcikit.simulation.stimulus import BURST_PERIOD, OFF_SECONDS, Instruments, Stimulus, phantom_wave

if TYPE_CHECKING:
    from bcikit.simulation.dut import DeviceSettings

NOISE_BAND = (0.5, 70.0)
"""Hz; in it the noise of the settings holds."""

TEST_SIGNAL_UV = 1875.0
"""Internal test signal: half the swing of a square of 1 Hz; ADS1299, VREF 4.5 V, 1x: (VREFP - VREFN) / 2400."""


class Frontend:
    """Electrodes, input stage and converter of the simulated amplifier.

    The order of the faults is that of the parts: coupling of the cables, common mode, input divider (gain), filter,
    sampling (skew), converter (distortion, noise, steps). The internal test signal enters behind the divider.

    Parameters
    ----------
    settings : DeviceSettings
        Its faults.
    info : StreamInfo
        Channels and rate.
    instruments : Instruments
        Standard uncertainties of the bench; one error of each is drawn.
    rng : numpy.random.Generator
        Everything random comes from it.
    """

    def __init__(
        self, settings: "DeviceSettings", info: StreamInfo, instruments: Instruments, *, rng: np.random.Generator
    ) -> None:
        self._settings = s = settings
        self._rng = rng
        self._sfreq = info.sfreq
        n = self._n = info.n_channels
        self.errors = {
            name: 1 + rng.standard_normal() * getattr(instruments, name)
            for name in ("amplitude", "common", "offset", "frequency", "timebase")
        }
        self._instruments = instruments
        mismatch = rng.standard_normal(n) * s.mismatch
        self.gains = s.gain * (1 + mismatch - mismatch.mean())
        # The number of the settings is that of the worst channel; the others are better by a tenth and more.
        self.noise = s.noise_uv * self._worst(rng.uniform(0.75, 0.9, n))
        self.distortion = 10 ** (s.thd_db / 20) * self._worst(rng.uniform(0.3, 0.7, n))
        self.rejection = 10 ** (-s.cmrr_db / 20) * self._worst(rng.uniform(0.3, 0.7, n)) * rng.choice([-1, 1], n)
        self.coupling = np.zeros((n, n))
        if n > 1:
            edge = np.arange(n - 1)
            shares = self._worst(rng.uniform(0.3, 0.7, n - 1))
            self.coupling[edge, edge + 1] = 10 ** (s.crosstalk_db / 20) * shares
            self.coupling[edge + 1, edge] = 0.9 * self.coupling[edge, edge + 1]
        self.skews = 1e-3 * s.skew_ms * (np.arange(n) / max(1, n - 1))
        self._pink = Pink(n, info.sfreq, exponent=1.0, rng=np.random.default_rng(rng.integers(2**63)))
        self._resistors: dict[float, float] = {}
        self.step = 1e3 * s.full_scale_mv / 2 ** (s.bits - 1)
        self._drift = 0.0
        self._responses: dict[float, complex] = {}
        self._taps = np.empty(0)

    def _worst(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        shares[self._rng.integers(len(shares))] = 1.0
        return shares

    def settle(self, stimulus: Stimulus) -> None:
        """Take notice that something else was connected."""
        if stimulus.kind == "electrodes":
            self._drift = float(self._rng.choice([-1.0, 1.0])) * self._settings.drift_uv_min / 60
        if stimulus.kind == "taps":
            self._taps = np.arange(1.0, stimulus.seconds, 2.0)

    def respond(self, stimulus: Stimulus, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the samples at times `t` since the stimulus was connected, ``(n_times, n_channels)`` in uV."""
        s = self._settings
        at = t[:, None] + self.skews
        if stimulus.kind == "internal":
            # Behind the input divider: the gain error of the inputs does not reach it.
            signal = self._square(at, 1.0, TEST_SIGNAL_UV * (1 + s.test_error))
        else:
            wave = self._wave(stimulus, at)
            signal = self._inputs(stimulus, at, wave)
            # The cables couple before anything is sampled, so each channel sees its neighbour at its own instant.
            if stimulus.kind in ("sine", "two-tone", "square", "pulses"):
                signal = signal + wave * (self._driven(stimulus) @ self.coupling)
            signal *= self.gains
            if stimulus.offset_uv:
                offset = stimulus.offset_uv * self.errors["offset"]
                signal *= 1 - 0.1 * (abs(offset) / (1e3 * s.offset_range_mv)) ** 8
                signal += offset if s.highpass_hz == 0 else 0.0
        if s.thd_db > -139:
            # x + a2 x^2 + a3 x^3: second and third harmonic of a sine 1 dB below full scale at the input. The
            # third is small, because it would bend the gain, too, and that is another fault.
            reference = 1e3 * s.full_scale_mv * 10 ** (-1 / 20) * self.gains
            x = signal / reference
            signal = reference * (x + 2 * self.distortion * (x * x) + 4 * 0.02 * self.distortion * x**3)
        signal = signal + self._noise(len(t), stimulus)
        limit = 1e3 * s.full_scale_mv
        if stimulus.kind == "off":
            back = np.maximum(at - OFF_SECONDS, 0.0)
            left = np.exp(-back / s.recovery_s) if s.recovery_s else (at < OFF_SECONDS) * 1.0
            signal = signal + limit * np.where(at < OFF_SECONDS, 1.0, left)
        return np.ascontiguousarray(np.clip(np.round(signal / self.step) * self.step, -limit, limit))

    def _driven(self, stimulus: Stimulus) -> NDArray[np.float64]:
        if stimulus.channel is None:
            return np.ones(self._n)
        mask = np.zeros(self._n)
        mask[stimulus.channel] = 1.0
        return mask

    def _wave(self, stimulus: Stimulus, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the voltage of the generator behind the filter, as each channel samples it."""
        size = stimulus.amplitude_uv * self.errors["amplitude"]
        frequency = stimulus.frequency * self.errors["frequency"]
        if stimulus.kind == "sine":
            return self._sine(at, frequency, size)
        if stimulus.kind == "two-tone":
            other = stimulus.second * self.errors["frequency"]
            return self._sine(at, frequency, size) + self._sine(at, other, size)
        if stimulus.kind == "square":
            return self._square(at, frequency, size)
        if stimulus.kind == "pulses":
            phase = np.mod(at * stimulus.frequency, 1.0) - 0.5
            distance = phase / stimulus.frequency * self._sfreq
            high = _smooth(distance) - _smooth(distance - 0.1 / stimulus.frequency * self._sfreq)
            return 2 * size * high
        if stimulus.kind == "bursts":
            within = (np.mod(at / BURST_PERIOD, 1.0) - 0.5) * BURST_PERIOD * self._sfreq
            gate = _smooth(within) - _smooth(within - self._sfreq)
            return self._sine(at, frequency, size) * gate
        if stimulus.kind == "phantom":
            return size * phantom_wave(at)
        return np.zeros_like(at)

    def _inputs(self, stimulus: Stimulus, at: NDArray[np.float64], wave: NDArray[np.float64]) -> NDArray[np.float64]:
        if stimulus.kind == "common":
            size = stimulus.amplitude_uv * self.errors["common"]
            return self._sine(at, stimulus.frequency * self.errors["frequency"], size) * self.rejection
        signal = wave * self._driven(stimulus)
        if stimulus.kind == "electrodes":
            signal = signal + self._drift * at
        if stimulus.kind == "taps":
            for tap in self._taps:
                ring = np.where(at > tap, at - tap, 0.0)
                wave = np.sin(2 * np.pi * 8 * ring) * np.exp(-ring / 0.08) * (at > tap)
                signal = signal + 0.79 * self._settings.motion_uv * wave
        return signal

    def _response(self, frequency: float) -> complex:
        """Return the filter's complex gain: Butterworth of order four, and a first-order high-pass."""
        known = self._responses.get(frequency)
        if known is not None:
            return known
        s = self._settings
        x = 1j * frequency / s.bandwidth_hz
        poles = np.exp(1j * np.pi * (2 * np.arange(1, 5) + 3) / 8)
        low = 1 / np.prod((x - poles) / -poles)
        high = 1.0 if s.highpass_hz == 0 else 1j * frequency / (1j * frequency + s.highpass_hz)
        self._responses[frequency] = complex(low * high)
        return self._responses[frequency]

    def _sine(self, at: NDArray[np.float64], frequency: float, size: float) -> NDArray[np.float64]:
        response = self._response(frequency)
        return size * abs(response) * np.sin(2 * np.pi * frequency * at + np.angle(response))

    def _square(self, at: NDArray[np.float64], frequency: float, size: float) -> NDArray[np.float64]:
        """Return a square as its Fourier series through the filter, up to where the filter leaves nothing."""
        out = np.zeros_like(at)
        top = min(8 * self._settings.bandwidth_hz, 10 * self._sfreq)
        for harmonic in range(1, int(top / frequency) + 1, 2):
            out += self._sine(at, harmonic * frequency, 4 / np.pi * size / harmonic)
        return out

    def _noise(self, n_times: int, stimulus: Stimulus) -> NDArray[np.float64]:
        s = self._settings
        low, high = NOISE_BAND
        high = min(high, self._sfreq / 2)
        density = self.noise / np.sqrt(high - low)
        if s.corner_hz:
            # White plus pink of equal density at the corner; scaled so that the band holds what was asked for.
            density = self.noise / np.sqrt(high - low + s.corner_hz * np.log(high / low))
        age = 1 + s.battery_noise * stimulus.after / 7200
        white = self._rng.standard_normal((n_times, self._n)) * np.sqrt(self._sfreq / 2)
        if s.corner_hz:
            # `Pink` has unit variance from 1 to 40 Hz, which is a density of 1 / ln(40) at 1 Hz.
            white += self._pink.draw(n_times) * np.sqrt(np.log(40.0) * s.corner_hz)
        return white * density * age

    def impedances(self, stimulus: Stimulus) -> NDArray[np.float64]:
        """Return what the device reads with the resistors of a stimulus, in ohms."""
        if stimulus.ohms not in self._resistors:
            # The tolerance is the half-width of a rectangle: 1 % is a standard uncertainty of 0.58 %.
            half = self._instruments.resistor * np.sqrt(3)
            self._resistors[stimulus.ohms] = float(self._rng.uniform(-half, half))
        true = stimulus.ohms * (1 + self._resistors[stimulus.ohms])
        reading = true * (1 + self._settings.impedance_error) * self._driven(stimulus)
        return np.abs(reading * (1 + 0.005 * self._rng.standard_normal(self._n)))


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a step from 0 to 1 about one sample wide, with its middle at zero."""
    u = np.clip(x / 2.0 + 0.5, 0.0, 1.0)
    return u * u * (3 - 2 * u)
