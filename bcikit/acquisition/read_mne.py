"""Files that MNE reads: EDF, BDF, GDF, BrainVision, FIF, EEGLAB, CNT and the rest."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.signal import Event, Recording, SourceError


def read_with_mne(path: Path) -> Recording:
    """Return a file that MNE can read, in microvolts; annotations, or else the trigger channel, become events.

    Raises
    ------
    SourceError
        If it is truncated, damaged or of no format MNE knows.
    """
    import mne

    try:
        raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
    except (ValueError, RuntimeError, OSError, KeyError, IndexError, AssertionError, struct.error, NotImplementedError,
            TypeError, AttributeError, UnicodeDecodeError) as error:  # fmt: skip
        first = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise SourceError(f"{path} cannot be read: it is damaged, truncated or no recording ({first[0]}).") from None
    if not raw.info["sfreq"] > 0:
        raise SourceError(f"{path} has a sampling rate of {raw.info['sfreq']:g} Hz.")
    if not raw.n_times:
        raise SourceError(f"{path} holds no samples.")
    recording = Recording.from_mne(raw, name=path.name)
    if recording.events:
        return recording
    events = _events_beside(path, raw) or _events_of_triggers(recording)
    if not events:
        return recording
    return Recording(
        info=recording.info, data=recording.data, times=recording.times, samples=recording.samples, events=events
    )


def _events_beside(path: Path, raw: Any) -> tuple[Event, ...]:
    """Return the events of a file ``*-eve.fif`` beside ``*_raw.fif``, as MNE names them."""
    if not path.name.endswith(("_raw.fif", "-raw.fif")):
        return ()
    beside = path.with_name(path.name[: -len("_raw.fif")] + "-eve.fif")
    if not beside.is_file():
        return ()
    import mne

    rows = mne.read_events(beside, verbose="ERROR")
    sfreq = float(raw.info["sfreq"])
    return tuple(
        Event(
            name=str(int(code)),
            time=(int(sample) - raw.first_samp) / sfreq,
            sample=int(sample) - raw.first_samp,
            value=int(code),
            source="events file",
        )
        for sample, _, code in rows
    )


def _events_of_triggers(recording: Recording) -> tuple[Event, ...]:
    """Return what the first trigger channel says."""
    columns = recording.info.indices(ch_type="stim")
    if not columns:
        return ()
    column = columns[0]
    decoder = TriggerDecoder(recording.info.ch_names[column], recording.info.sfreq, debounce=0.0)
    return tuple(decoder.decode(np.ascontiguousarray(recording.data[:, column]), recording.samples, recording.times))
