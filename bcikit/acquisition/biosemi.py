"""What a BioSemi amplifier says of itself in the upper bits of the status channel of its BDF files."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.gaps import with_gaps
from bcikit.signal import Bad, Note, Recording
from bcikit.signal.lazy import LazyRows

_EPOCH, _IN_RANGE, _BATTERY = 1 << 16, 1 << 20, 1 << 22
"""A new epoch begins; the common mode (CMS) is in range; the battery is low.

Source: https://www.biosemi.com/faq/trigger_signals.htm
"""

_OWN = 17
"""From this bit on some are always set where an ActiveTwo wrote the file: its speed, its kind, CMS in range."""


def with_status(recording: Recording, levels: NDArray[np.int64]) -> Recording:
    """Return a recording with what the amplifier says of itself: doubts, samples that are bad, seams.

    Parameters
    ----------
    levels : ndarray of int64, shape (n_times,)
        All 24 bits of the status channel.
    """
    if not (levels >> _OWN).any():
        return recording
    notes: list[Note] = []
    out = (levels & _IN_RANGE) == 0
    if out.any():
        said = f"CMS was out of range (bit 20 of the status) {_spans(out, recording)}"
        text = f"{said}: these samples measure nothing and are marked as bad; accept=status if that will do"
        notes.append(Note(code="status", text=text, doubt=True, count=int(np.count_nonzero(out))))
        recording = replace(recording, mask=_mask(recording, out))
    low = (levels & _BATTERY) != 0
    if low.any():
        text = f"the battery was low (bit 22 of the status) {_spans(low, recording)}; accept=status if that will do"
        notes.append(Note(code="status", text=text, doubt=True, count=int(np.count_nonzero(low))))
    begins = np.flatnonzero(np.diff((levels & _EPOCH) != 0, prepend=True) & ((levels & _EPOCH) != 0))
    if begins.size:
        first = recording.times[begins[0]] - recording.times[0]
        text = (
            f"{begins.size} times a new epoch begins (bit 16 of the status, first at {first:.4g} s): the recording was "
            "paused for a time that nobody knows, which counts as one lost sample; accept=status if that will do"
        )
        notes.append(Note(code="status", text=text, doubt=True, count=int(begins.size)))
        recording = with_gaps(recording, [(int(row), 1) for row in begins], "new epochs of the status channel")
    return replace(recording, notes=(*recording.notes, *notes))


def _spans(which: NDArray[np.bool_], recording: Recording) -> str:
    """Return how often, how long and when first something was so."""
    begins = np.flatnonzero(np.diff(which, prepend=False) & which)
    first = recording.times[begins[0]] - recording.times[0]
    seconds = np.count_nonzero(which) / recording.info.sfreq
    times = "in one stretch" if begins.size == 1 else f"in {begins.size} stretches"
    return f"{times}, {seconds:.4g} s in all, first at {first:.4g} s"


def _mask(recording: Recording, out: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the mask, read when it is looked at, as the samples are: of a recording of hours it is large."""
    info = recording.info
    kept = np.array([0 if kind == "stim" else int(Bad.RAILED) for kind in info.ch_types], dtype=np.uint8)

    def read(start: int, stop: int, columns: list[int] | None) -> NDArray[np.uint8]:
        picked = kept if columns is None else kept[columns]
        return picked[:, None] * out[start:stop].astype(np.uint8)

    found = LazyRows(read, recording.data.shape, dtype=np.uint8)
    return found if recording.lazy else np.asarray(found)  # type: ignore[return-value]
