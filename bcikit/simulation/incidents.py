"""Incidents: what goes wrong between head and amplifier, and rare patterns of the brain, at planned times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import check_choice, check_range
from bcikit.simulation.body import muscle
from bcikit.simulation.leadfield import Head
from bcikit.simulation.planned import LATEST, LONGEST, parse_planned
from bcikit.simulation.truth import Truth

KINDS = {
    "pop": "an electrode jumps and creeps back",
    "contact": "an electrode hardly touches: mains and noise grow",
    "bridge": "gel joins an electrode with its neighbour: both show the same",
    "movement": "head and cables move: large slow waves everywhere",
    "chew": "both jaw muscles, one to two times a second",
    "sweat": "slow skin potentials grow",
    "sight": "the link is covered: samples are lost",
    "cable": "the cable is out: nothing comes, and what was measured meanwhile is lost",
    "spike-wave": "spikes and waves at 3 Hz over the whole head",
    "ppr": "spikes over the back of the head in time with a flicker of 15 Hz",
    "suppression": "the EEG is almost flat everywhere",
}
"""What can be planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    at, length : float
        Seconds.
    channel : int
        Which electrode, for the kinds that have one.
    """

    kind: str
    at: float
    length: float = 3.0
    channel: int = 0

    def __post_init__(self) -> None:
        check_choice("incident", self.kind, KINDS)
        check_range("at", self.at, low=0.0, high=LATEST, unit="s")
        check_range("length", self.length, low=0.0, high=LONGEST, low_open=True, unit="s")

    @classmethod
    def parse(cls, text: str) -> "Incident":
        """Return the incident that ``kind@at~length*channel`` stands for; length and channel may be left out.

        Raises
        ------
        ArgumentError
            If it is not of that form.
        """
        return cls(**parse_planned(text, what="incident", length=3.0))


class Incidents:
    """Applies planned incidents to the signal, each exactly at its samples.

    Parameters
    ----------
    incidents : tuple of Incident
        All of them.
    head : Head
        Where the electrodes are.
    sfreq : float
        Hz.
    mains : float
        Hz of the mains that a bad contact lets in.
    seed : numpy.random.SeedSequence
        Everything random comes from it.
    truth : Truth
        Takes each.
    """

    def __init__(
        self,
        incidents: tuple[Incident, ...],
        head: Head,
        sfreq: float,
        *,
        mains: float,
        seed: np.random.SeedSequence,
        truth: Truth,
    ) -> None:
        self._head = head
        self._sfreq = sfreq
        self._mains = mains or 50.0
        self._plans: list[tuple[Incident, int, NDArray[np.float64] | None]] = []
        self.lost: list[tuple[int, int]] = []
        """First and last-plus-one sample of each time without a link ..."""
        self.silent: set[int] = set()
        """... and the first samples of those in which the source says nothing at all."""
        for incident, child in zip(incidents, seed.spawn(len(incidents)), strict=True):
            check_range("channel of an incident", incident.channel, low=0, high=len(head.ch_names) - 1)
            start = round(incident.at * sfreq)
            n = max(2, round(incident.length * sfreq))
            wave = self._wave(incident, n, np.random.default_rng(child))
            self._plans.append((incident, start, wave))
            if incident.kind in ("sight", "cable"):
                self.lost.append((start, start + n))
            if incident.kind == "cable":
                self.silent.add(start)
            place = {"channel": head.ch_names[incident.channel]}
            truth.add(start, incident.kind, seconds=incident.length, **place)

    def apply(self, first: int, data: NDArray[np.float64]) -> None:
        """Change the samples from `first` on, in place."""
        stop = first + len(data)
        for incident, start, wave in self._plans:
            n = round(incident.length * self._sfreq) if wave is None else len(wave)
            if start >= stop or start + n <= first:
                continue
            rows = slice(max(start - first, 0), min(start + n - first, len(data)))
            if incident.kind == "bridge":
                pair = [incident.channel, self._neighbour(incident.channel)]
                data[rows, pair] = data[rows][:, pair].mean(axis=1, keepdims=True)
            elif incident.kind == "suppression":
                data[rows] *= 0.08
            elif wave is not None:
                data[rows] += wave[max(first - start, 0) :][: rows.stop - rows.start]

    def _neighbour(self, channel: int) -> int:
        distance = np.linalg.norm(self._head.positions - self._head.positions[channel], axis=1)
        distance[channel] = np.inf
        return int(np.argmin(distance))

    def _wave(self, incident: Incident, n: int, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Return what an incident adds, shape ``(n, n_channels)``; None for the kinds that do something else."""
        count = len(self._head.ch_names)
        t = np.arange(n) / self._sfreq
        edge = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.1)
        one = np.zeros(count)
        one[incident.channel] = 1.0
        if incident.kind == "pop":
            size = float(rng.choice([-1.0, 1.0]) * rng.uniform(150, 400))
            return np.outer(size * np.exp(-t / (0.25 * max(t[-1], 0.1))), one)
        if incident.kind == "contact":
            noise = 12 * rng.standard_normal(n) + 90 * np.sin(2 * np.pi * self._mains * t + rng.uniform(0, 6))
            drift = np.cumsum(rng.standard_normal(n)) * 40 / np.sqrt(self._sfreq)
            return np.outer(edge * (noise + drift), one)
        if incident.kind == "movement":
            return edge[:, None] * 60 * _slow(n, count, 3.0, self._sfreq, rng)
        if incident.kind == "sweat":
            return edge[:, None] * 60 * _slow(n, count, 0.3, self._sfreq, rng)
        if incident.kind == "chew":
            return self._chew(t, rng)
        if incident.kind == "spike-wave":
            return edge[:, None] * np.outer(180 * _spike_wave(t, 3.0), self._whole(front=True))
        if incident.kind == "ppr":
            return edge[:, None] * np.outer(110 * _spike_wave(t, 15.0, spike=0.25), self._whole(front=False))
        return None

    def _chew(self, t: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        gate = np.clip(np.sin(2 * np.pi * 1.4 * t), 0, 1)
        out = np.zeros((len(t), len(self._head.ch_names)))
        for name in ("jaw_left", "jaw_right"):
            out += np.outer(80 * gate * muscle(len(t), self._sfreq, rng), self._head.face(name))
        return out

    def _whole(self, *, front: bool) -> NDArray[np.float64]:
        """Return the size of a generalised pattern on each electrode: largest in front, or at the back."""
        along = self._head.positions[:, 1]
        share = (along - along.min()) / max(float(np.ptp(along)), 1e-9)
        return 0.6 + 0.4 * (share if front else 1 - share)


def _slow(n: int, count: int, edge: float, sfreq: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return slow noise of unit rms, the same on all channels in part."""
    from scipy.signal import butter, sosfilt

    noise = rng.standard_normal((n, count)) + 1.5 * rng.standard_normal((n, 1))
    out = sosfilt(butter(2, min(edge, 0.4 * sfreq), fs=sfreq, output="sos"), noise, axis=0)
    return out / max(float(out.std()), 1e-12)


def _spike_wave(t: NDArray[np.float64], rate: float, *, spike: float = 0.18) -> NDArray[np.float64]:
    """Return spikes, each with its slow wave, of unit peak to peak and more."""
    phase = np.mod(t * rate, 1.0)
    sharp = np.exp(-0.5 * ((phase - 0.15) / (spike / 3)) ** 2)
    wave = -0.7 * np.sin(np.pi * np.clip((phase - 0.3) / 0.7, 0, 1))
    return sharp + wave
