"""Trigger channels of files: levels become codes; nothing here is a quantity."""

import itertools

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.signal import Event, Note, Recording

BIOSEMI_MASK = 0xFFFF
"""The lower 16 bits of the status channel of BDF are triggers; above are the amplifier's own bits.

Source: https://www.biosemi.com/faq/trigger_signals.htm
"""

_COMPOSITE = ("STI 014", "STI014", "STI101", "STI 101", "Status")
"""Trigger channels that hold what the others of a file hold bit by bit."""


def resting_level(levels: NDArray[np.int64]) -> int:
    """Return the level that means "nothing": 0 where it occurs, else the first one if the channel comes back to it."""
    if not levels.size or (levels == 0).any():
        return 0
    runs = levels[np.concatenate([[True], np.diff(levels) != 0])]
    first = int(levels[0])
    return first if np.count_nonzero(runs == first) >= 2 else 0


def trigger_events(recording: Recording, *, mask: int | None, fallback: int | None) -> tuple[list[Event], list[Note]]:
    """Return the codes of the trigger channels, of the first that has any.

    Parameters
    ----------
    recording : Recording
        Its channels of type "stim" are looked at.
    mask : int or None
        Bits that are codes, as the user says.
    fallback : int or None
        Bits that are codes in this format, where the user says nothing.
    """
    columns = recording.info.indices(ch_type="stim")
    names = [recording.info.ch_names[column] for column in columns]
    order = sorted(range(len(columns)), key=lambda i: _COMPOSITE.index(names[i]) if names[i] in _COMPOSITE else 99)
    bits = fallback if mask is None else mask
    for place in order:
        values = np.ascontiguousarray(recording.data[:, columns[place]])
        levels = np.where(np.isfinite(values), np.rint(values), 0).astype(np.int64)
        in_volts = levels.any() and not (levels % 1_000_000).any()
        if in_volts:
            levels //= 1_000_000
        if bits is not None:
            levels &= bits
        rest = resting_level(levels)
        decoder = TriggerDecoder(names[place], recording.info.sfreq, debounce=0.0, rest=rest)
        found = _over_gaps(decoder, levels, recording)
        if found:
            text = f"{len(found)} codes of the trigger channel {names[place]!r}"
            if bits is not None:
                text += f", bits {bits:#x}"
            if rest:
                text += f", resting at {rest}"
            if in_volts:
                text += ", which the file has as volts"
            return found, [Note(code="triggers", text=text, count=len(found))]
    return [], []


def _over_gaps(decoder: TriggerDecoder, levels: NDArray[np.int64], recording: Recording) -> list[Event]:
    edges = [0, *(np.flatnonzero(np.diff(recording.samples) != 1) + 1).tolist(), levels.shape[0]]
    found: list[Event] = []
    for start, stop in itertools.pairwise(edges):
        # A level that is there when a stretch begins did not begin with it.
        decoder.reset()
        cut = slice(start, stop)
        found += decoder.decode(levels[cut].astype(np.float64), recording.samples[cut], recording.times[cut])
    return found


def column_events(
    values: NDArray[np.float64], samples: NDArray[np.int64], times: NDArray[np.float64], source: str
) -> list[Event]:
    """Return the codes of a marker column of a table: zero is none, and a level that is held is one event."""
    clean = np.nan_to_num(values)
    starts = np.flatnonzero((clean != 0) & (np.diff(clean, prepend=0.0) != 0))
    found = []
    for row in starts.tolist():
        value = float(clean[row])
        number = int(value) if value.is_integer() else value
        found.append(
            Event(name=str(number), time=float(times[row]), sample=int(samples[row]), value=number, source=source)
        )
    return found
