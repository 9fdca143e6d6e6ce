"""Fit a twin to a person: settings that give a simulated user the spectrum, reactions and noise of a recording."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError, DoubtWarning, Event, Recording
from bcikit.simulation.imagery import CLASSES
from bcikit.simulation.leadfield import make_head
from bcikit.simulation.settings import TwinSettings
from bcikit.simulation.twin import Twin

_BANDS = {"theta": (4.0, 7.5), "alpha": (7.5, 13.5), "beta": (15.0, 28.0)}
_AREAS = {
    "theta": ("Fz", "AFz", "FCz", "F1", "F2"),
    "alpha": ("O1", "Oz", "O2", "PO3", "POz", "PO4", "PO7", "PO8"),
    "mu": ("C3", "C4", "C1", "C2", "CP3", "CP4"),
    "beta": ("C3", "C4", "Cz", "FC3", "FC4"),
}
LEAST_R, MOST_DB = 0.95, 2.0
"""From 1 to 40 Hz, mean spectra of a twin agree so well at least with those of a person whom it can be like."""

MOST_TIMES = 2.0
"""A size of a microvolt or more that is so many times as large or small is not met."""

_MOST_BAD = 0.01
"""Share of a channel's samples that may be no numbers: a straight line in their place has no rhythm."""

_FRONTAL = ("Fp1", "Fpz", "Fp2", "AF7", "AF8", "AF3", "AF4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What a recording and a twin are compared by. NaN where the recording cannot tell.

    Attributes
    ----------
    background : float
        Rms of the aperiodic part from 1 to 40 Hz, uV, median of the channels.
    exponent : float
        Its slope.
    alpha_hz : float
        Frequency of the largest peak over the slope from 7 to 13.5 Hz.
    theta, alpha, mu, beta : float
        Rms over the aperiodic part in the band, uV, at the best electrode of the area.
    mains : float
        Amplitude at the mains frequency, uV, median of the channels.
    erd : float
        Fall of the power of the mu band from 0.5 to 3.5 s after cues, share, at the best central electrode.
    blinks : float
        Blinks a minute at the front.
    blink : float
        Their median size, uV.
    """

    background: float
    exponent: float
    alpha_hz: float
    theta: float
    alpha: float
    mu: float
    beta: float
    mains: float
    erd: float
    blinks: float
    blink: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted twin and how well it fits.

    Attributes
    ----------
    settings : TwinSettings
        The user.
    wanted, reached : Features
        Of the recording, and of the twin.
    spectrum_r : float
        Pearson correlation of the mean log spectra from 1 to 40 Hz.
    spectrum_db : float
        Their rms difference in decibels.
    """

    settings: TwinSettings
    wanted: Features
    reached: Features
    spectrum_r: float
    spectrum_db: float

    def rows(self) -> list[tuple[str, float, float, float]]:
        """Return feature, recording, twin, and relative difference."""
        rows = []
        for item in fields(Features):
            real, twin = getattr(self.wanted, item.name), getattr(self.reached, item.name)
            rows.append((item.name, real, twin, (twin - real) / abs(real) if real else float("nan")))
        return rows

    def doubts(self) -> list[str]:
        """Return in what the twin is not like the recording, in words; empty if it is."""
        said = []
        if not (self.spectrum_r >= LEAST_R and self.spectrum_db <= MOST_DB):
            said.append(
                f"its mean spectrum has r = {self.spectrum_r:.2f} and is off by {self.spectrum_db:.1f} dB, 1 to 40 Hz"
            )
        said += [
            f"{name} is {twin:.3g} in place of {real:.3g}"
            for name, real, twin, _ in self.rows()
            if name in _MOVES.values() and max(real, twin) >= 1.0 and max(real, twin) > MOST_TIMES * min(real, twin)
        ]
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        clean = {
            key: {name: (value if np.isfinite(value) else None) for name, value in asdict(part).items()}
            for key, part in (("recording", self.wanted), ("twin", self.reached))
        }
        fit = {"spectrum_r": self.spectrum_r, "spectrum_db": self.spectrum_db, "doubts": self.doubts()}
        return {"settings": self.settings.to_dict(), **clean, **fit}

    def address(self, task: str = "motor-imagery", *, seed: int = 1) -> str:
        """Return the address of the fitted user."""
        usual = TwinSettings().to_dict()
        changed = {key: value for key, value in self.settings.to_dict().items() if value != usual[key]}
        return f"sim:{task}?seed={seed}" + "".join(f"&{key}={value:.5g}" for key, value in changed.items())


def features(recording: Recording, *, cues: Mapping[str, str] | None = None, mains: float | None = None) -> Features:
    """Measure a recording.

    Parameters
    ----------
    recording : Recording
        Microvolts, 10-05 names.
    cues : mapping of str to str
        Event name to class; ``cue/...`` events count without.
    mains : float or None
        Hz; what the stream says if left out.
    """
    from scipy.signal import welch

    data, names = _eeg(recording)
    sfreq = recording.info.sfreq
    frequencies, power = welch(data, sfreq, nperseg=min(len(data), round(4 * sfreq)), axis=0)
    exponent, level = _aperiodic(frequencies, power)
    floor = level * np.maximum(frequencies[:, None], 0.25) ** -exponent
    over = np.clip(power - floor, 0.0, None)
    step = frequencies[1]
    inside = (frequencies >= 1) & (frequencies <= 40)
    excess = {}
    for key, band in (("theta", "theta"), ("alpha", "alpha"), ("mu", "alpha"), ("beta", "beta")):
        columns = [names.index(name) for name in _AREAS[key] if name in names]
        low, high = _BANDS[band]
        rows = (frequencies >= low) & (frequencies <= high)
        excess[key] = float(np.sqrt(over[rows][:, columns].sum(axis=0).max() * step)) if columns else float("nan")
    peak = (frequencies >= 7) & (frequencies <= 13.5)
    # Over the slope, in decibels: an absolute peak would be pulled towards low frequencies.
    shape = np.mean(np.log(power[peak] / floor[peak]), axis=1)
    line = mains if mains is not None else (recording.info.line_freq or 50.0)
    blinks, size = _blinks(data, names, sfreq)
    return Features(
        background=float(np.sqrt(np.median(floor[inside].sum(axis=0)) * step)),
        exponent=exponent,
        alpha_hz=float(frequencies[peak][np.argmax(shape)]),
        **excess,
        mains=_mains(frequencies, power, line),
        erd=_erd(recording, data, names, cues),
        blinks=blinks,
        blink=size,
    )


def fit_twin(recording: Recording, *, cues: Mapping[str, str] | None = None, rounds: int = 4, seed: int = 1) -> Fit:
    """Fit a twin to a recording.

    The twin lives through the same events with the same electrodes, is measured as the recording is, and each
    setting is moved by the ratio of what was wanted to what was reached.

    Parameters
    ----------
    recording : Recording
        At least 30 s with 10-05 names; in microvolts.
    cues : mapping of str to str
        Event name to class ("T1": "both_hands"); ``cue/...`` events count without.
    rounds : int
        Moves of the settings.
    seed : int
        Of the twin.

    Raises
    ------
    DataError
        If the recording is too short.

    Warns
    -----
    DoubtWarning
        If the twin is not like it (`Fit.doubts`).
    """
    seconds = recording.n_times / recording.info.sfreq
    if seconds < 30:
        raise DataError(f"{recording.info.name}: {seconds:.0f} s are too short to fit a twin; 30 s are needed.")
    line = recording.info.line_freq or 50.0
    wanted = features(recording, cues=cues, mains=line)
    settings = replace(
        TwinSettings(),
        mains_hz=line if line < recording.info.sfreq / 2 else 0.0,
        alpha_hz=float(np.clip(wanted.alpha_hz, 7.0, 13.5)),
        exponent=float(np.clip(wanted.exponent, 0.0, 2.0)),
        blink_per_min=float(np.clip(np.nan_to_num(wanted.blinks, nan=12.0), 0, 80)),
        inattention=0.0,
        confusion=0.0,
    )
    best = (np.inf, settings, wanted, recording)
    for _ in range(rounds + 1):
        twin = live_through(recording, settings, cues=cues, seed=seed)
        reached = features(twin, cues=cues, mains=line)
        _, difference = spectra_agree(recording, twin)
        if difference < best[0]:
            best = (difference, settings, reached, twin)
        settings = _moved(settings, wanted, reached)
    r, difference = spectra_agree(recording, best[3])
    found = Fit(settings=best[1], wanted=wanted, reached=best[2], spectrum_r=r, spectrum_db=difference)
    if doubts := found.doubts():
        said = (
            f"The twin is not like {recording.info.name}: {'; '.join(doubts)}. What is tried on it holds for it alone."
        )
        warnings.warn(said, DoubtWarning, stacklevel=2)
    return found


def live_through(
    recording: Recording, settings: TwinSettings, *, cues: Mapping[str, str] | None = None, seed: int = 1
) -> Recording:
    """Return what a twin gives with the electrodes, the length and the events of a recording."""
    _, names = _eeg(recording)
    head = make_head(tuple(names), reference="mastoids")
    twin = Twin(head, settings, recording.info.sfreq, seed=seed)
    table = _cues(recording, cues)
    pending = sorted(
        (event for event in recording.events if event.name in table or event.name in ("T0", "trial/end")),
        key=lambda event: event.sample or 0,
    )
    first = int(recording.samples[0]) if recording.n_times else 0
    done: list[NDArray[np.float64]] = []
    for event in pending:
        at = (event.sample or 0) - first
        if at > twin.sample:
            done.append(twin.generate(min(at, recording.n_times) - twin.sample))
        said = f"cue/{table[event.name]}" if event.name in table else "trial/end"
        twin.on_event(Event(name=said, time=event.time, sample=at))
    done.append(twin.generate(max(0, recording.n_times - twin.sample)))
    info = recording.info.replace(ch_names=head.ch_names, ch_types=("eeg",) * len(names), name="twin")
    info = info.replace(positions=None)
    events = tuple(replace(event, sample=(event.sample or 0) - first) for event in recording.events)
    return Recording.from_arrays(info, np.concatenate(done), events=events)


def spectra_agree(one: Recording, other: Recording) -> tuple[float, float]:
    """Return correlation and rms difference in decibels of the mean log spectra from 1 to 40 Hz."""
    from scipy.signal import welch

    curves = []
    for recording in (one, other):
        data, _ = _eeg(recording)
        frequencies, power = welch(data, recording.info.sfreq, nperseg=round(2 * recording.info.sfreq), axis=0)
        curves.append(10 * np.log10(power[(frequencies >= 1) & (frequencies <= 40)] + 1e-12).mean(axis=1))
    return float(np.corrcoef(curves[0], curves[1])[0, 1]), float(np.sqrt(np.mean((curves[0] - curves[1]) ** 2)))


_MOVES = {
    "background_uv": "background",
    "theta_uv": "theta",
    "alpha_uv": "alpha",
    "mu_uv": "mu",
    "beta_uv": "beta",
    "mains_uv": "mains",
    "blink_uv": "blink",
}


def _moved(settings: TwinSettings, wanted: Features, reached: Features) -> TwinSettings:
    """Return settings nearer to what is wanted; what cannot be measured stays."""
    limits = {item.name: (item.metadata["low"], item.metadata["high"]) for item in fields(TwinSettings)}
    changes: dict[str, float] = {}
    for name, feature in _MOVES.items():
        real, twin = getattr(wanted, feature), getattr(reached, feature)
        if np.isfinite([real, twin]).all() and twin > 0:
            ratio = float(np.clip(real / twin, 0.3, 3.0)) ** 0.8
            changes[name] = float(np.clip(getattr(settings, name) * ratio, *limits[name]))
    changes["exponent"] = float(np.clip(settings.exponent + 0.7 * (wanted.exponent - reached.exponent), 0.0, 2.0))
    if np.isfinite([wanted.erd, reached.erd]).all():
        moved = settings.ability * (1 + 0.8 * (wanted.erd - reached.erd))
        changes["ability"] = float(np.clip(moved, 0.0, 1.0))
    return replace(settings, **changes)


def _eeg(recording: Recording) -> tuple[NDArray[np.float64], list[str]]:
    columns = recording.info.indices(ch_type="eeg")
    names = [recording.info.ch_names[column].strip(".") for column in columns]
    data = recording.data[:, columns]
    bad = ~np.isfinite(data)
    if not bad.any():
        return data, names
    lost = [f"{name} ({share:.1%})" for name, share in zip(names, bad.mean(axis=0), strict=True) if share > _MOST_BAD]
    if lost:
        raise DataError(
            f"{recording.info.name}: too many samples are no numbers in {', '.join(lost)}; at most {_MOST_BAD:.0%} of "
            "a channel are bridged. Leave these channels out, or take a part of the recording that has them."
        )
    rows = np.arange(len(data))
    columns_of = zip(data.T, bad.T, strict=True)
    bridged = [np.interp(rows, rows[~gone], column[~gone]) for column, gone in columns_of]
    return np.column_stack(bridged), names


def _aperiodic(frequencies: NDArray[np.float64], power: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the slope and the level of each channel, from a line through where no rhythm is."""
    quiet = ((frequencies >= 2) & (frequencies <= 4)) | ((frequencies >= 14) & (frequencies <= 40))
    x = np.log(frequencies[quiet])
    y = np.log(power[quiet] + 1e-20)
    # A beta peak or a line of the mains stands out upwards: the lower half of the residual counts.
    slope = float(np.polyfit(x, np.median(y, axis=1), 1)[0])
    level = np.exp(np.quantile(y - slope * x[:, None], 0.4, axis=0))
    return float(np.clip(-slope, 0.0, 3.0)), level


def _mains(frequencies: NDArray[np.float64], power: NDArray[np.float64], line: float) -> float:
    near = np.abs(frequencies - line) <= 0.6
    around = (np.abs(frequencies - line) > 1) & (np.abs(frequencies - line) < 4)
    if not near.any() or not around.any():
        return float("nan")
    extra = (power[near] - np.median(power[around], axis=0)).sum(axis=0) * frequencies[1]
    return float(np.sqrt(2 * np.clip(np.median(extra), 0, None)))


def _blinks(data: NDArray[np.float64], names: list[str], sfreq: float) -> tuple[float, float]:
    """Return blinks a minute and their median size at the front."""
    from scipy.signal import butter, find_peaks, sosfiltfilt

    columns = [names.index(name) for name in _FRONTAL if name in names]
    if not columns:
        return float("nan"), float("nan")
    front = sosfiltfilt(butter(2, [1.0, 8.0], "band", fs=sfreq, output="sos"), data[:, columns].mean(axis=1))
    threshold = max(45.0, 4.0 * float(np.median(np.abs(front))) / 0.6745)
    peaks, found = find_peaks(front, height=threshold, distance=round(0.4 * sfreq))
    minutes = len(front) / sfreq / 60
    return len(peaks) / minutes, float(np.median(found["peak_heights"])) if len(peaks) else float("nan")


def _cues(recording: Recording, cues: Mapping[str, str] | None) -> dict[str, str]:
    if cues is not None:
        return dict(cues)
    words = {event.name: event.name.partition("/")[2] for event in recording.events if event.name.startswith("cue/")}
    return {name: word for name, word in words.items() if word in CLASSES}


def _erd(recording: Recording, data: NDArray[np.float64], names: list[str], cues: Mapping[str, str] | None) -> float:
    """Return the fall of mu power after cues at the electrode where it is largest."""
    from scipy.signal import butter, sosfiltfilt

    columns = [names.index(name) for name in _AREAS["mu"] if name in names]
    table = _cues(recording, cues)
    sfreq = recording.info.sfreq
    found = [e.sample or 0 for e in recording.events if e.name in table and table[e.name] != "rest"]
    # Lost samples are counted by the places of events, and have no row.
    starts = np.searchsorted(recording.samples, found).tolist()
    if not columns or len(starts) < 5:
        return float("nan")
    power = sosfiltfilt(butter(4, [8.0, 13.0], "band", fs=sfreq, output="sos"), data[:, columns], axis=0) ** 2
    during, before = [], []
    for start in starts:
        first, a, b = (start + round(seconds * sfreq) for seconds in (-1.5, 0.5, 3.5))
        if first >= 0 and b <= len(power) and recording.samples[b - 1] - recording.samples[first] == b - 1 - first:
            during.append(power[a:b].mean(axis=0))
            before.append(power[first:start].mean(axis=0))
    if len(during) < 5:
        return float("nan")
    return float(np.max(1 - np.mean(during, axis=0) / np.mean(before, axis=0)))
