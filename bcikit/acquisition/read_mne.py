"""Files that MNE reads: EDF, BDF, GDF, BrainVision, FIF, EEGLAB, CNT and the rest."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.edf_header import ANNOTATIONS, read_edf_header, record_onsets
from bcikit.acquisition.gdf_header import gdf_units
from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.signal import ArgumentError, Event, Recording, SourceError, microvolts_per

_KINDS = {
    "eog": "eog", "emg": "emg", "ecg": "ecg", "ekg": "ecg", "resp": "resp", "temp": "temperature", "gsr": "gsr",
}  # fmt: skip
"""First words of labels that name another kind of signal than EEG, as EDF+ writes them ("EOG horizontal")."""

_FILLINGS = ("BAD_lost", "BAD_padding")
"""Annotations of exports over samples that were never measured."""

_TAKEN = {"\u03bcV": 1.0, "\u00b5V": 1.0, "\x83\xcaV": 1.0, "uV": 1.0, "mV": 1e3}
"""The units of EDF that MNE knows, and the microvolts it takes one for; one of any other unit it takes for a volt."""


def read_with_mne(path: Path, *, unit: str | None = None) -> Recording:
    """Return a file that MNE can read, in microvolts; annotations, or else the trigger channel, become events.

    Parameters
    ----------
    path : Path
        The file.
    unit : str or None
        Unit of the voltages of an EDF, BDF or GDF file that states none.

    Raises
    ------
    SourceError
        If it is truncated, damaged or of no format MNE knows.
    ArgumentError
        If it is EDF, BDF or GDF and states the unit of no channel.
    """
    import mne

    try:
        with warnings.catch_warnings():
            # Of units of GDF; they are looked after below.
            warnings.filterwarnings("ignore", message="Unsupported physical dimension")
            raw = mne.io.read_raw(path, preload=True, verbose="ERROR")
    except Exception as error:  # noqa: BLE001  whatever a damaged file makes a reader do
        first = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise SourceError(f"{path} cannot be read: it is damaged, truncated or no recording ({first[0]}).") from None
    if not raw.info["sfreq"] > 0:
        raise SourceError(f"{path} has a sampling rate of {raw.info['sfreq']:g} Hz.")
    if not raw.n_times:
        raise SourceError(f"{path} holds no samples.")
    recording = Recording.from_mne(raw, name=path.name)
    if path.suffix.lower() in (".edf", ".bdf"):
        recording = _as_the_header_says(recording, path, unit)
    elif path.suffix.lower() == ".gdf":
        signals, taken = gdf_units(path)
        if len(signals) == recording.info.n_channels:
            recording = _in_microvolts(recording, signals, taken, where=str(path), unit=unit)
    if recording.events:
        return _without_fillings(recording)
    events = _events_beside(path, raw) or _events_of_triggers(recording)
    return replace(recording, events=events)


def _without_fillings(recording: Recording) -> Recording:
    """Return what was exported without the samples that stand for lost ones or fill the last record."""
    keep = np.ones(recording.n_times, dtype=bool)
    events = []
    for event in recording.events:
        name = event.name.rpartition("/")[2]
        start = int(np.searchsorted(recording.samples, event.sample or 0))
        stop = recording.n_times if name == "BAD_padding" else start + round(event.duration * recording.info.sfreq)
        span = recording.data[start:stop]
        # Nothing is left out that could have been measured.
        if name in _FILLINGS and span.shape[0] and not np.ptp(span, axis=0).any():
            keep[start:stop] = False
        else:
            events.append(event)
    if keep.all():
        return recording
    return replace(
        recording,
        data=np.ascontiguousarray(recording.data[keep]),
        times=recording.times[keep],
        samples=recording.samples[keep],
        events=tuple(events),
    )


def _as_the_header_says(recording: Recording, path: Path, unit: str | None) -> Recording:
    """Return an EDF or BDF with what MNE leaves out: units it does not know, and the time between records."""
    header = read_edf_header(path)
    signals = [
        (label, text) for label, text in zip(header.labels, header.units, strict=True) if label not in ANNOTATIONS
    ]
    if len(signals) == recording.info.n_channels:
        recording = _in_microvolts(recording, signals, _TAKEN, where=str(path), unit=unit)
    if not header.interrupted:
        return recording
    info, n_records = recording.info, len(onsets := record_onsets(path, header))
    if not n_records:
        raise SourceError(f"{path} holds no whole record.")
    per_record = recording.n_times // n_records
    places = np.repeat(onsets - onsets[0], per_record) + np.tile(np.arange(per_record) / info.sfreq, n_records)
    samples = np.round(places * info.sfreq).astype(np.int64)
    if samples.shape[0] != recording.n_times or (np.diff(samples) < 1).any():
        raise SourceError(f"{path} is damaged: its records do not follow each other in time.")
    return replace(recording, times=places, samples=samples, events=_annotated(path, info.sfreq))


def _annotated(path: Path, sfreq: float) -> tuple[Event, ...]:
    """Return all annotations of an interrupted file: MNE leaves out those after the end without interruptions."""
    import mne

    return tuple(
        Event(
            name=str(found["description"]),
            time=float(found["onset"]),
            sample=round(float(found["onset"]) * sfreq),
            duration=float(found["duration"]),
            source="annotation",
        )
        for found in mne.read_annotations(path)
    )


def _in_microvolts(
    recording: Recording, signals: list[tuple[str, str]], known: Mapping[str, float], *, where: str, unit: str | None
) -> Recording:
    """Return the recording with voltages in microvolts and everything else in the unit the file has it in."""
    stated: float | None = None
    if any(not text for _, text in signals) and not any(_factor(text) for _, text in signals):
        stated = microvolts_per(unit or "", where=where)
    kinds = list(recording.info.ch_types)
    scale = np.ones(len(signals))
    for column, (label, text) in enumerate(signals):
        if kinds[column] == "stim":
            continue
        kind = _KINDS.get(label.partition(" ")[0].lower(), "")
        factor = _factor(text) if text else stated
        taken = known.get(text, 1e6)
        if factor is None:
            kinds[column] = kind if kind in ("resp", "temperature", "gsr") else "misc"
            scale[column] = 1.0 / taken
        else:
            kinds[column] = kind if kind in ("eog", "emg", "ecg") else "eeg"
            scale[column] = factor / taken
    return replace(recording, info=recording.info.replace(ch_types=tuple(kinds)), data=recording.data * scale)


def _factor(unit: str) -> float | None:
    """Return how many microvolts a unit is; None where it is no voltage."""
    try:
        return microvolts_per(unit)
    except ArgumentError:
        return None


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
