"""Body and room: what an electrode sees that is not brain, with nothing wrong with the equipment."""

import numpy as np
from numpy.typing import NDArray

from bcikit.simulation.leadfield import Head
from bcikit.simulation.noise import Pink
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Waves
from bcikit.simulation.truth import Truth


def blink_wave(sfreq: float, duration: float) -> NDArray[np.float64]:
    """Return a blink of unit peak: a fast closing, a slower opening, a small undershoot.

    Parameters
    ----------
    duration : float
        Seconds from the start to the end of the opening, 0.2 to 0.5 for an awake person.
    """
    t = np.arange(round(1.6 * duration * sfreq)) / sfreq
    rise = np.exp(-0.5 * ((t - 0.35 * duration) / (0.13 * duration)) ** 2)
    fall = np.exp(-0.5 * ((t - 0.5 * duration) / (0.2 * duration)) ** 2)
    under = np.exp(-0.5 * ((t - 1.15 * duration) / (0.2 * duration)) ** 2)
    wave = np.maximum(rise, fall) - 0.12 * under
    return wave * np.hanning(len(t) + 2)[1:-1] ** 0.1 / wave.max()


class Body:
    """Blinks, eye movements, muscles, heart, skin, mains and electrode noise of one user.

    Parameters
    ----------
    head : Head
        Where the electrodes are.
    settings : TwinSettings
        The user.
    sfreq : float
        Hz.
    seed : numpy.random.SeedSequence
        Everything random comes from it.
    truth : Truth
        Takes each blink, eye movement and burst.
    """

    def __init__(
        self, head: Head, settings: TwinSettings, sfreq: float, *, seed: np.random.SeedSequence, truth: Truth
    ) -> None:
        children = seed.spawn(4)
        self._events, self._white, sweat, setup = (np.random.default_rng(child) for child in children)
        self._settings = settings
        self._sfreq = sfreq
        self._truth = truth
        n_channels = len(head.ch_names)
        self._eyes, self._gaze = head.face("eyes"), head.gaze()
        self._muscles = {name: head.face(name) for name in ("jaw_left", "jaw_right", "neck")}
        self._heart = head.face("heart")
        self._mains = setup.normal(1.0, 0.4, n_channels)
        self._mains_phase = setup.uniform(0, 2 * np.pi)
        self._offsets = setup.normal(0.0, 1e3 * settings.offset_mv, n_channels)
        self._sweat = Pink(n_channels, sfreq, exponent=2.0, rng=sweat)
        self._next_beat = 0.3
        self._direction = 0.0
        self.blink_rate = settings.blink_per_min
        """Blinks a minute now; a drowsy or busy person changes it."""
        self.blink_duration = 0.3
        """Seconds of a blink now."""
        self._eyes_open = True

    def draw(self, first: int, n_times: int, waves: Waves) -> NDArray[np.float64]:
        """Return what is always there in the next samples, and plan into `waves` what happens in them."""
        s = self._settings
        noise = self._white.standard_normal((n_times, len(self._eyes))) * s.noise_uv
        if s.sweat_uv:
            # The integrated slow part: its rms over half a minute is about what was asked for.
            noise += self._sweat.draw(n_times) * (0.35 * s.sweat_uv)
        noise += self._offsets
        self._add_mains(first, noise)
        seconds = n_times / self._sfreq
        for plan, rate in (
            (self._blink, self.blink_rate),
            (self._saccade, s.saccade_per_min * self._eyes_open),
            (self._burst, s.emg_per_min),
            (self._pop, s.pops_per_min),
        ):
            for start in self._events.uniform(0, n_times, self._events.poisson(rate * seconds / 60)):
                plan(first + int(start), waves)
        self._beats(first, n_times, waves)
        return noise

    def drowse(self, drowsy: float, *, eyes_closed: bool) -> None:
        """Set how the eyes behave: a drowsy person blinks more often and longer (PERCLOS), closed eyes do not blink.

        Parameters
        ----------
        drowsy : float
            0 awake, 1 asleep.
        """
        self.blink_rate = 0.0 if eyes_closed else self._settings.blink_per_min * (1 + 1.2 * drowsy)
        self.blink_duration = 0.3 * (1 + 1.5 * drowsy)
        self._eyes_open = not eyes_closed

    def press(self, sample: int, waves: Waves) -> None:
        """Plan the neck and jaw muscles of a quick movement."""
        n = max(8, round(0.4 * self._sfreq))
        wave = 0.5 * self._settings.emg_uv * muscle(n, self._sfreq, self._events) * np.hanning(n + 2)[1:-1]
        waves.add(sample, wave, self._muscles["neck"])

    def _pop(self, start: int, waves: Waves) -> None:
        shape = np.zeros(len(self._eyes))
        channel = int(self._events.integers(len(shape)))
        shape[channel] = 1.0
        size = float(self._events.choice([-1.0, 1.0]) * self._events.uniform(100, 300))
        t = np.arange(round(2 * self._sfreq)) / self._sfreq
        waves.add(start, size * np.exp(-t / 0.5), shape)
        self._truth.add(start, "pop", channel=channel, size_uv=size)

    def _add_mains(self, first: int, out: NDArray[np.float64]) -> None:
        s = self._settings
        if not s.mains_hz or not s.mains_uv:
            return
        t = (first + np.arange(len(out))) / self._sfreq
        # Real mains wander within 0.1 Hz over minutes: a slow, deterministic sway of the phase.
        phase = 2 * np.pi * s.mains_hz * t + 2.0 * np.sin(2 * np.pi * t / 97.0) + self._mains_phase
        wave = np.zeros(len(out))
        for harmonic, share in ((1, 1.0), (2, 0.12), (3, 0.25), (5, 0.08)):
            if harmonic * s.mains_hz < self._sfreq / 2:
                wave += share * np.sin(harmonic * phase)
        out += s.mains_uv * wave[:, None] * self._mains

    def _blink(self, start: int, waves: Waves) -> None:
        duration = self.blink_duration * self._events.lognormal(0.0, 0.2)
        size = self._settings.blink_uv * self._events.lognormal(0.0, 0.25)
        waves.add(start, size * blink_wave(self._sfreq, duration), self._eyes)
        self._truth.add(start, "blink", duration=duration, size_uv=size)

    def _saccade(self, start: int, waves: Waves) -> None:
        # The eyes come back: the next one goes the other way, more often than not.
        direction = -self._direction if self._direction else float(self._events.choice([-1.0, 1.0]))
        self._direction = direction if self._direction == 0.0 else 0.0
        hold = self._events.uniform(0.3, 1.0)
        size = direction * self._settings.saccade_uv * self._events.lognormal(0.0, 0.3)
        t = np.arange(round((hold + 0.1) * self._sfreq)) / self._sfreq
        wave = np.clip(t / 0.04, 0, 1) * np.clip((t[-1] - t) / 0.05, 0, 1)
        waves.add(start, size * wave, self._gaze)
        self._truth.add(start, "saccade", size_uv=size, duration=float(hold))

    def _burst(self, start: int, waves: Waves) -> None:
        name = str(self._events.choice(sorted(self._muscles)))
        duration = float(self._events.uniform(0.3, 1.5))
        size = self._settings.emg_uv * self._events.lognormal(0.0, 0.4)
        n = max(8, round(duration * self._sfreq))
        waves.add(start, size * muscle(n, self._sfreq, self._events) * np.hanning(n + 2)[1:-1], self._muscles[name])
        self._truth.add(start, "emg", muscle=name, size_uv=size, duration=duration)

    def _beats(self, first: int, n_times: int, waves: Waves) -> None:
        s = self._settings
        if not s.heart_uv:
            return
        stop = (first + n_times) / self._sfreq
        while self._next_beat < stop:
            t = np.arange(round(0.1 * self._sfreq)) / self._sfreq - 0.05
            wave = np.exp(-0.5 * (t / 0.01) ** 2) - 0.25 * np.exp(-0.5 * ((t - 0.025) / 0.012) ** 2)
            waves.add(round(self._next_beat * self._sfreq), s.heart_uv * wave, self._heart)
            self._next_beat += 60 / s.heart_bpm * self._events.normal(1.0, 0.03)


def muscle(n_times: int, sfreq: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return surface EMG of unit rms: noise above about 20 Hz, as motor units fire without rhythm."""
    from scipy.signal import butter, sosfilt

    edge = min(20.0, 0.4 * sfreq / 2)
    noise = sosfilt(butter(2, edge, "high", fs=sfreq, output="sos"), rng.standard_normal(n_times + 64))[64:]
    return noise / max(noise.std(), 1e-12)
