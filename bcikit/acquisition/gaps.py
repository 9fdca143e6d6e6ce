"""Gaps that a format states: what was never measured counts as lost, and what comes after it moves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Note, Recording

FILLINGS = ("BAD_lost", "BAD_padding", "BAD_ACQ_SKIP")
"""Annotations over samples that were never measured: of our exports, and of MNE for a skipped acquisition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GapNote(Note):
    """Where the clock goes on while the file does not, for what stands beside it and counts in samples of the file.

    Attributes
    ----------
    gaps : tuple of (int, int)
        Row of the first sample after each gap, and how many samples are missing before it.
    """

    gaps: tuple[tuple[int, int], ...]


def with_gaps(recording: Recording, gaps: Sequence[tuple[int, int]], why: str) -> Recording:
    """Return a recording with samples missing before some of its rows.

    Parameters
    ----------
    gaps : sequence of (int, int)
        Row of the first sample after a gap, and how many samples are missing before it.
    why : str
        What states them, for the note.
    """
    lost = np.zeros(recording.n_times, dtype=np.int64)
    for row, count in gaps:
        if 0 < row < recording.n_times and count > 0:
            lost[row] += count
    total = int(lost.sum())
    if not total:
        return recording
    shift = np.cumsum(lost)
    samples = recording.samples + shift
    times = recording.times + shift / recording.info.sfreq
    events = []
    for event in recording.events:
        row = int(np.searchsorted(recording.samples, event.sample or 0, side="right")) - 1
        moved = int(shift[min(max(row, 0), recording.n_times - 1)])
        sample = None if event.sample is None else event.sample + moved
        events.append(replace(event, sample=sample, time=event.time + moved / recording.info.sfreq))
    text = f"{total} samples lost in {np.count_nonzero(lost)} gaps ({why})"
    placed = tuple((int(row), int(lost[row])) for row in np.flatnonzero(lost))
    note = GapNote(code="lost", text=text, count=total, gaps=placed)
    return replace(recording, samples=samples, times=times, events=tuple(events), notes=(*recording.notes, note))


def moved_by(notes: Sequence[Note], row: int) -> int:
    """Return how many samples are missing before a row of the file, as `with_gaps` found them."""
    return sum(count for note in notes if isinstance(note, GapNote) for at, count in note.gaps if at <= row)


def without_fillings(recording: Recording) -> Recording:
    """Return a recording without the samples that stand for lost ones or fill the last record."""
    keep = np.ones(recording.n_times, dtype=bool)
    events = []
    for event in recording.events:
        name = event.name.rpartition("/")[2]
        start = int(np.searchsorted(recording.samples, event.sample or 0))
        stop = recording.n_times if name == "BAD_padding" else start + round(event.duration * recording.info.sfreq)
        span = recording.data[start:stop]
        # Nothing is left out that could have been measured.
        if name in FILLINGS and span.shape[0] and _still(span):
            keep[start:stop] = False
        else:
            events.append(event)
    if keep.all():
        return recording
    left = int(np.count_nonzero(~keep))
    note = Note(code="lost", text=f"{left} samples that were never measured, as the file marks them", count=left)
    return replace(
        recording,
        data=np.ascontiguousarray(recording.data[keep]),
        times=recording.times[keep],
        samples=recording.samples[keep],
        mask=None if recording.mask is None else recording.mask[keep],
        events=tuple(events),
        notes=(*recording.notes, note),
    )


def _still(span: NDArray[np.float64]) -> bool:
    return not np.ptp(span, axis=0).any()
