"""Answers of the brain to single events: flicker, flashes, codes, errors, and the readiness before a movement."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Event
from bcikit.simulation.leadfield import Head
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.timeline import Waves
from bcikit.simulation.truth import Truth

VISUAL_LATENCY = 0.13
"""Seconds from a flicker to its steady response (Di Russo and Spinelli 1999: 0.1 to 0.15)."""

_HARMONICS = ((1, 1.0, "occipital"), (2, 0.45, "occipital_left"), (2, 0.45, "occipital_right"), (3, 0.2, "occipital"))


class Evoked:
    """Plans the evoked waves of one user.

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
    waves : Waves
        Takes the waves.
    truth : Truth
        Takes what was planned.
    """

    def __init__(
        self,
        head: Head,
        settings: TwinSettings,
        sfreq: float,
        *,
        seed: np.random.SeedSequence,
        waves: Waves,
        truth: Truth,
    ) -> None:
        self._settings = settings
        self._sfreq = sfreq
        self._rng = np.random.default_rng(seed)
        self._waves = waves
        self._truth = truth
        sites = ("occipital", "occipital_left", "occipital_right", "parietal", "central", "cingulate")
        self._shapes = {name: head.site(name) / head.best(name) for name in sites}
        self._last_target = -10 * round(sfreq)
        self._targets = 0

    def on_event(self, event: Event, sample: int, *, vigilance: float) -> None:
        """Plan the answer to one event that was seen at `sample`."""
        name, data = event.name, event.data
        if name == "stimulus/flicker" and "code" in data:
            self._codes(sample, event.duration, data, vigilance)
        elif name == "stimulus/flicker":
            self._flicker(sample, event.duration, data, vigilance)
        elif name == "stimulus/off":
            self._waves.cut("flicker", sample + round(VISUAL_LATENCY * self._sfreq))
        elif name in ("stimulus/flash", "stimulus/tone"):
            heard = name == "stimulus/tone"
            self._flash(sample, target=bool(data.get("target")), vigilance=vigilance, heard=heard)
        elif name == "stimulus/code":
            self._code(sample, data, vigilance)
        elif name == "feedback/error":
            self._error(sample, vigilance)
        elif name == "stimulus/lead-brake":
            self._flash(sample, target=True, vigilance=vigilance, peak_uv=self._settings.brake_uv)
            if data.get("reaction") is not None:
                # Nobody gets ready for what was not seen yet.
                seconds = float(data["reaction"])
                lead = max(seconds - VISUAL_LATENCY, 1 / self._sfreq)
                self._readiness(sample + round(seconds * self._sfreq), lead=lead)
        elif name == "movement/planned":
            self._readiness(sample + round(float(data.get("seconds", 1.5)) * self._sfreq))

    def _attends(self, vigilance: float) -> bool:
        return bool(self._rng.uniform() >= self._settings.inattention + 0.4 * (1 - vigilance))

    def _flicker(self, sample: int, seconds: float, data: Any, vigilance: float) -> None:
        """Plan a steady-state response: harmonics, phase, slow start; what is beside the gaze answers faintly."""
        s = self._settings
        attends = self._attends(vigilance)
        strength = self._rng.lognormal(0.0, 0.2) * (0.4 + 0.6 * vigilance)
        scatter = self._rng.uniform(-np.pi, np.pi) * (1 - s.phase_lock)
        depth = float(data.get("depth", 1.0)) ** 0.5
        seen = [(float(data.get("frequency", 0.0)), float(data.get("phase", 0.0)), 1.0 if attends else 0.1)]
        for other in data.get("targets", ()):
            if abs(float(other["frequency"]) - seen[0][0]) > 1e-6:
                seen.append((float(other["frequency"]), float(other.get("phase", 0.0)), 0.08))
        n = round((seconds or 4.0) * self._sfreq)
        t = np.arange(n) / self._sfreq
        rise = 1 - np.exp(-t / 0.15)
        begin = sample + round(VISUAL_LATENCY * self._sfreq)
        for frequency, phase, share in seen:
            if frequency <= 0:
                continue
            # The response falls with frequency; below 8 Hz it is a train of transients and no larger.
            size = s.ssvep_uv * strength * share * depth * min(1.25, (10.0 / frequency) ** 0.7)
            for order, part, site in _HARMONICS:
                if order * frequency < self._sfreq / 2:
                    wave = np.sin(2 * np.pi * order * frequency * t + order * (phase + scatter))
                    self._waves.add(begin, size * part * rise * wave, self._shapes[site], tag="flicker")
        self._truth.add(begin, "ssvep", frequency=seen[0][0], attended=attends, strength=strength, phase=scatter)

    def _bump(self, at: float, width: float) -> NDArray[np.float64]:
        """Return a Gaussian bump with its peak at `at` seconds."""
        t = np.arange(round((at + 3 * width) * self._sfreq) + 1) / self._sfreq
        return np.exp(-0.5 * ((t - at) / width) ** 2)

    def _flash(
        self, sample: int, *, target: bool, vigilance: float, peak_uv: float | None = None, heard: bool = False
    ) -> None:
        """Plan the visual response to every flash, and the P300 to the one that is waited for."""
        s, shapes = self._settings, self._shapes
        if heard:
            # N1 and P2 of a tone, at the vertex.
            self._waves.add(sample, -2.0 * self._bump(0.1, 0.018), shapes["central"])
            self._waves.add(sample, 1.6 * self._bump(0.18, 0.025), shapes["central"])
        else:
            self._waves.add(sample, 1.2 * self._bump(0.1, 0.018), shapes["occipital"])
            self._waves.add(sample, -1.8 * self._bump(0.165, 0.025), shapes["occipital"])
        if not target:
            return
        interval = (sample - self._last_target) / self._sfreq
        self._last_target = sample
        self._targets += 1
        if not self._attends(vigilance):
            self._truth.add(sample, "missed-target")
            return
        # Targets that follow soon after another, and the hundredth target, are less surprising.
        surprise = min(1.0, 0.55 + 0.3 * interval)
        worn = 1 - s.habituation * (1 - np.exp(-self._targets / 150))
        peak = s.p300_uv if peak_uv is None else peak_uv
        size = peak * surprise * worn * vigilance * self._rng.lognormal(0.0, 0.25)
        latency = max(0.2, 1e-3 * (s.p300_ms + s.jitter_ms * self._rng.standard_normal()))
        self._waves.add(sample, size * self._bump(latency, 0.07), shapes["parietal"])
        self._waves.add(sample, 0.4 * size * self._bump(latency - 0.02, 0.06), shapes["central"])
        early = -0.35 * size * self._bump(0.22, 0.03)
        for site in () if heard else ("occipital_left", "occipital_right"):
            self._waves.add(sample, early, shapes[site])
        self._truth.add(sample, "p300", size_uv=size, latency=latency)

    def _code(self, sample: int, data: Any, vigilance: float) -> None:
        """Plan the response to a code: each onset of a bright frame answers with one wave, and they add up."""
        attends = self._attends(vigilance)
        bits = np.array([int(bit) for bit in data.get("code", "")])
        if not len(bits):
            return
        rate = float(data.get("rate", 60.0))
        repeats = int(data.get("repeats", 1))
        onsets = np.flatnonzero(np.diff(np.tile(bits, repeats), prepend=0) > 0) / rate
        train = np.zeros(round(len(bits) * repeats / rate * self._sfreq) + round(0.4 * self._sfreq))
        train[np.round(onsets * self._sfreq).astype(int)] = 1.0
        answer = self._bump(0.105, 0.015)
        late = self._bump(0.15, 0.02)
        answer = np.pad(answer, (0, max(0, len(late) - len(answer))))
        answer -= 0.8 * np.pad(late, (0, len(answer) - len(late)))
        depth = float(data.get("depth", 1.0)) ** 0.5
        size = self._settings.cvep_uv * (1.0 if attends else 0.1) * (0.4 + 0.6 * vigilance) * depth
        wave = size * np.convolve(train, answer)[: len(train)]
        self._waves.add(sample, wave, self._shapes["occipital"], tag="flicker")
        self._truth.add(sample, "cvep", attended=attends, size_uv=size)

    def _codes(self, sample: int, seconds: float, data: Any, vigilance: float) -> None:
        """Plan the response to the code that is looked at, for as long as it is shown."""
        rate, length = float(data.get("rate", 0.0)), len(data.get("code", ""))
        if length and rate > 0:
            self._code(sample, {**data, "repeats": max(1, round((seconds or 4.0) * rate / length))}, vigilance)

    def _error(self, sample: int, vigilance: float) -> None:
        """Plan an error potential: negative at 0.25 s, positive at 0.33 s, negative at 0.47 s (Chavarriaga 2014)."""
        if not self._attends(vigilance):
            return
        size = self._settings.errp_uv * self._rng.lognormal(0.0, 0.2)
        shift = 1e-3 * self._settings.jitter_ms * 0.5 * self._rng.standard_normal()
        for at, width, part in ((0.25, 0.03, -0.7), (0.33, 0.04, 1.0), (0.47, 0.07, -0.6)):
            self._waves.add(sample, part * size * self._bump(at + shift, width), self._shapes["cingulate"])
        self._truth.add(sample, "errp", size_uv=size)

    def _readiness(self, movement: int, *, lead: float = 1.2) -> None:
        """Plan the slow negativity in the `lead` seconds before a movement, and its end (Kornhuber and Deecke 1965)."""
        size = self._settings.readiness_uv * self._rng.lognormal(0.0, 0.2)
        after = 0.4
        t = np.arange(round((lead + after) * self._sfreq)) / self._sfreq - lead
        early = np.clip((t + lead) / lead, 0, 1) ** 2
        wave = -size * np.where(t <= 0, early, np.exp(-np.maximum(t, 0) / 0.1))
        # A movement that is told less than that before begins its wave where the signal stands.
        self._waves.add(movement - round(lead * self._sfreq), wave, self._shapes["central"])
        self._truth.add(movement, "movement", size_uv=size)
