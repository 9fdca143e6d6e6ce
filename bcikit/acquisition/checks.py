"""The one check at the end of every reader: index, time, rate, events and amplitudes must not contradict each other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.blocks import rises
from bcikit.acquisition.stamps import BAND, Grid
from bcikit.signal import Event, Note, Recording, SourceError

SLOWEST, FASTEST = 50.0, 100_000.0
"""Rates in Hz at which a voltage of the body is sampled."""

QUIET, LOUD = 0.05, 5_000.0
"""Microvolts between which the usual spread of an EEG channel within a second lies, whatever amplifier and head:
the noise of the best amplifiers is above the one, the range of most is below the other."""

_ACROSS = ("eeg",)


def check_recording(recording: Recording) -> Recording:
    """Return a recording that keeps its promises, with a note for each thing that is in doubt.

    Events that lie outside of it lose their sample: they cannot be placed, and say so.

    Raises
    ------
    SourceError
        If its times or indices contradict themselves, which no reader may let through.
    """
    info = recording.info
    if not recording.n_times:
        raise SourceError(f"{info.name} holds no samples.")
    if not rises(recording.times) or not rises(recording.samples):
        raise SourceError(f"{info.name}: its times do not rise; this file cannot be read as it is.")
    events, notes = _events(recording)
    notes = [*recording.notes, *notes, *_rate(recording), *_amplitude(recording)]
    return replace(recording, events=events, notes=tuple(notes))


def _events(recording: Recording) -> tuple[tuple[Event, ...], list[Note]]:
    """Return the events in order, those outside without a sample, and what is to be said of them."""
    first, last = int(recording.samples[0]), int(recording.samples[-1])
    begin, end = float(recording.times[0]), float(recording.times[-1])
    half = 0.5 / recording.info.sfreq if recording.info.sfreq > 0 else 0.0
    inside: list[Event] = []
    outside: list[Event] = []
    for event in recording.events:
        by_sample = event.sample is not None and first <= event.sample <= last
        if by_sample or (event.sample is None and begin - half <= event.time <= end + half):
            inside.append(event)
        elif event.sample == last + 1 or (event.sample is not None and event.sample == first - 1):
            # Rounding at an edge: within half a sample it is the sample there.
            edge = last if event.sample == last + 1 else first
            near = min(abs(event.time - end), abs(event.time - begin)) <= 2.2 * half
            (inside if near else outside).append(replace(event, sample=edge) if near else event)
        else:
            outside.append(replace(event, sample=None))
    notes: list[Note] = []
    events = tuple(sorted([*inside, *outside], key=lambda event: event.time))
    # That nothing comes any more is said after the last sample, where else.
    outside = [event for event in outside if not event.name.startswith("stream/")]
    if outside:
        far = min(min(abs(e.time - begin), abs(e.time - end)) for e in outside)
        names = ", ".join(dict.fromkeys(repr(e.name) for e in outside[:4]))
        if not inside and far > max(60.0, end - begin):
            text = (
                f"none of the {len(outside)} events can be placed: they are on another clock than the samples "
                f"({outside[0].time:.3f} s against {begin:.3f} to {end:.3f} s)"
            )
            notes.append(Note(code="clock", text=text, doubt=True, count=len(outside)))
        else:
            text = f"{len(outside)} of {len(recording.events)} events lie outside the recording ({names})"
            notes.append(Note(code="events", text=text, doubt=True, count=len(outside)))
    return events, notes


def _rate(recording: Recording) -> list[Note]:
    """Return doubts about the rate: impossible, or not the one that indices and times say together."""
    info = recording.info
    found: list[Note] = []
    n = int(recording.samples[-1] - recording.samples[0])
    span = float(recording.times[-1] - recording.times[0])
    if n > 10 and span > 2.0 and info.sfreq > 0:
        real = n / span
        if abs(real / info.sfreq - 1.0) > 2.0 * BAND and not any(n.code == "rate" for n in recording.notes):
            text = f"says {info.sfreq:g} Hz; its times and indices say {real:.4g} Hz"
            found.append(Note(code="rate", text=text, doubt=True))
    if "eeg" in info.ch_types and not SLOWEST <= info.sfreq <= FASTEST:
        text = f"{info.sfreq:g} Hz is no rate at which EEG is recorded; say the right one: sfreq=..."
        found.append(Note(code="rate", text=text, doubt=True))
    return found


def _amplitude(recording: Recording) -> list[Note]:
    """Return a doubt where the usual spread of the EEG channels is none that EEG can have."""
    columns = [i for i, kind in enumerate(recording.info.ch_types) if kind in _ACROSS]
    if not columns or recording.info.unit != "uV" or recording.info.sfreq <= 0:
        return []
    spread = usual_spread(recording.data, recording.info.sfreq, columns)
    if spread == 0.0 or QUIET <= spread <= LOUD:
        return []
    text = (
        f"the EEG channels spread over {spread:.3g} uV within a second, which EEG cannot ({QUIET:g} to {LOUD:g} uV): "
        "the unit is wrong. Say which it is: unit=uV, mV, V or nV; or accept=amplitude if it is as it should be"
    )
    return [Note(code="amplitude", text=text, doubt=True)]


def usual_spread(data: NDArray[np.float64], sfreq: float, columns: Sequence[int]) -> float:
    """Return the median over channels of the usual standard deviation within a second; flat channels do not count."""
    size = max(2, min(data.shape[0], round(sfreq)))
    blocks = min(60, max(1, data.shape[0] // size))
    starts = np.linspace(0, data.shape[0] - size, blocks).astype(int)
    with np.errstate(all="ignore"):
        spreads = np.array([np.std(data[start : start + size, columns], axis=0) for start in starts])
    spreads[~np.isfinite(spreads)] = 0.0
    usual = np.median(spreads, axis=0)
    moving = usual[usual > 0]
    return float(np.median(moving)) if moving.size else 0.0


def grid_notes(grid: Grid, nominal: float, *, decided: bool = False) -> list[Note]:
    """Return what is to be said of rate, losses and repaired stamps.

    Parameters
    ----------
    nominal : float
        The rate that is stated; 0 where none is.
    decided : bool
        Whether the user stated it.
    """
    found: list[Note] = []
    if grid.still:
        text = (
            f"all {grid.samples.shape[0]} samples have one stamp: their times are counted from it at {nominal:g} Hz, "
            "losses cannot be seen and events may lie elsewhere; accept=clock if that will do"
        )
        return [Note(code="clock", text=text, doubt=True, count=grid.samples.shape[0])]
    if nominal > 0 and grid.contradicts(nominal):
        text = f"says {nominal:g} Hz, its stamps say {grid.rate:.6g} Hz"
        if not decided:
            text += f", which is taken; sfreq={nominal:g} or sfreq={tidy_rate(grid):g} decides"
        found.append(Note(code="rate", text=text, doubt=not decided))
    elif nominal > 0:
        found.append(Note(code="rate", text=f"states {nominal:g} Hz; its stamps say {grid.rate:.6g} Hz"))
    else:
        found.append(Note(code="rate", text=f"states no rate; its stamps say {grid.rate:.6g} Hz"))
    if grid.together > 1.0:
        late = (grid.together - 1.0) / grid.rate * 1e3
        text = (
            f"one stamp for about {grid.together:.3g} samples, taken for the arrival of the last of them; of a program "
            f"that stamps the first, all of these times are {late:.3g} ms early"
        )
        found.append(Note(code="times", text=text))
    if grid.lost:
        text = f"{grid.lost} samples lost in {grid.gaps} gaps"
        found.append(Note(code="lost", text=text, count=grid.lost))
    if grid.unknown:
        text = f"{grid.unknown} stamps were no time or stood far from their neighbours; put between these"
        found.append(Note(code="repaired", text=text, count=grid.unknown))
    if grid.back:
        text = f"the clock was set back {grid.back} times; the stamps after it were moved on"
        found.append(Note(code="repaired", text=text, count=grid.back))
    if grid.unexplained:
        text = f"the stamps leave room for {grid.unexplained} samples that are missing without a gap"
        found.append(Note(code="lost", text=text, doubt=True, count=grid.unexplained))
    return found


def tidy_rate(grid: Grid) -> float:
    """Return the rate that was found, as a whole number where it is one as far as can be told."""
    whole = float(round(grid.rate))
    near = max(1e-3, min(0.01, grid.uncertainty)) * grid.rate
    return whole if whole > 0 and abs(grid.rate - whole) <= near else float(f"{grid.rate:.6g}")


def accepted(notes: Sequence[Note], codes: Sequence[str]) -> tuple[Note, ...]:
    """Return notes whose doubts the user decided by naming their codes."""
    return tuple(replace(note, doubt=False) if note.doubt and note.code in codes else note for note in notes)
