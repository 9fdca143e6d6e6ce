"""The tables that BIDS keeps beside a file of signals: events, channels, and what holds for many files above."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.gaps import FILLINGS, moved_by
from bcikit.acquisition.marker_grammar import marker_value
from bcikit.acquisition.mne_files import LEFT_OUT, SCALED, UnitNote, is_position
from bcikit.signal import CHANNEL_TYPES, Event, Note, Recording, SourceError, is_voltage, microvolts_per
from bcikit.signal.documents import read_json

_SIGNALS = re.compile(r"(?P<stem>(sub-[A-Za-z0-9]+_)?([a-z]+-[A-Za-z0-9]+_)*task-[A-Za-z0-9]+.*)_eeg\.[A-Za-z.]+$")
_TYPES = {
    "veog": "eog", "heog": "eog", "trig": "stim", "temp": "temperature", "ppg": "ppg", "audio": "misc",
    "eyegaze": "misc", "pupil": "misc", "sysclock": "misc", "latency": "misc", "other": "misc",
}  # fmt: skip
_NONE = frozenset({"", "n/a", "nan"})
_NAMES = ("trial_type", "event_type", "stimulus", "stim_type", "response", "value", "code", "trigger")
"""Columns of events.tsv that may say what an event is, the likeliest first."""


def with_sidecars(recording: Recording, path: Path) -> Recording:
    """Return a recording with what the tables of a BIDS data set say of it; any other file is left as it is.

    Events are those of ``events.tsv`` where there is one, types, units and bad channels those of ``channels.tsv``. Each
    table holds for its file, or, standing in a folder above, for all files its name fits.

    Raises
    ------
    SourceError
        If a table is there and cannot be read.
    """
    found = _SIGNALS.fullmatch(path.name)
    if found is None or path.is_dir():
        return recording
    notes = list(recording.notes)
    channels = _nearest(path, "channels", ".tsv")
    if channels is not None:
        recording = _with_channels(recording, channels, notes)
    sidecar = _merged(path)
    line = sidecar.get("PowerLineFrequency")
    info = recording.info
    if info.line_freq is None and isinstance(line, int | float) and 0 < line < 1e6:
        info = info.replace(line_freq=float(line))
    if not info.reference and isinstance(sidecar.get("EEGReference"), str) and sidecar["EEGReference"] not in _NONE:
        info = info.replace(reference=sidecar["EEGReference"])
    stated = sidecar.get("SamplingFrequency")
    if isinstance(stated, int | float) and 0 < stated < 1e9 and abs(stated / info.sfreq - 1.0) > 0.001:
        text = f"the sidecar says {stated:g} Hz, the file {info.sfreq:g} Hz"
        notes.append(Note(code="rate", text=text, doubt=True))
    whole, there = sidecar.get("RecordingDuration"), float(recording.times[-1] - recording.times[0]) + 1 / info.sfreq
    there -= moved_by(notes, recording.n_times) / info.sfreq
    if isinstance(whole, int | float) and 0 < whole < 1e9 and there < min(0.99 * whole, whole - 1.0):
        text = f"the sidecar says {whole:g} s, the file has {there:g} s: the rest is missing; accept=records if not"
        notes.append(Note(code="records", text=text, doubt=True))
    recording = replace(recording, info=info)
    events = _nearest(path, "events", ".tsv")
    if events is not None:
        recording = _with_events(recording, events, notes)
    return replace(recording, notes=tuple(notes))


def tables_of(path: Path) -> tuple[Path, ...]:
    """Return the tables and sidecars of BIDS that hold for a file, those in folders above it included."""
    if _SIGNALS.fullmatch(path.name) is None or path.is_dir():
        return ()
    ends = (("events", ".tsv"), ("channels", ".tsv"), ("eeg", ".json"))
    return tuple(file for suffix, end in ends for file in _fitting(path, suffix, end))


def _entities(name: str) -> dict[str, str]:
    return dict(part.split("-", 1) for part in name.split("_") if "-" in part)


def _above(path: Path) -> Iterator[Path]:
    """Yield the folders from that of a file up to the root of its data set."""
    folder = path.parent
    for _ in range(6):
        yield folder
        if (folder / "dataset_description.json").is_file() or folder.parent == folder:
            return
        folder = folder.parent


def _fitting(path: Path, suffix: str, end: str) -> Iterator[Path]:
    """Yield the sidecars of a file, the nearest first, and of one folder the most special first."""
    own = _entities(path.name.rpartition("_")[0])
    for folder in _above(path):
        files = sorted(folder.glob(f"*{suffix}{end}"))
        fits = []
        for file in files:
            stem, _, last = file.name.removesuffix(end).rpartition("_")
            given = _entities(stem)
            if last == suffix and all(own.get(key) == value for key, value in given.items() if key != "space"):
                fits.append((len(given), file))
        yield from (file for _, file in sorted(fits, key=lambda item: -item[0]))


def _nearest(path: Path, suffix: str, end: str) -> Path | None:
    return next(_fitting(path, suffix, end), None)


def _merged(path: Path) -> dict[str, Any]:
    """Return the sidecar of the signals, nearer ones over those above."""
    values: dict[str, Any] = {}
    for file in reversed(list(_fitting(path, "eeg", ".json"))):
        try:
            found = read_json(file)
        except (OSError, ValueError) as error:
            raise SourceError(f"{file} beside {path.name} cannot be read: {error}.") from None
        values |= found if isinstance(found, dict) else {}
    return values


def read_tsv(file: Path) -> list[dict[str, str]]:
    """Return the rows of a table of BIDS.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{file} cannot be read as a table: {error}.") from None
    return [{(key or "").strip(): (value or "").strip() for key, value in row.items() if key} for row in rows]


def _with_channels(recording: Recording, file: Path, notes: list[Note]) -> Recording:
    info = recording.info
    rows = {row.get("name", ""): row for row in read_tsv(file)}
    kinds = list(info.ch_types)
    bads = list(info.bads)
    scale = np.ones(info.n_channels)
    unstated: list[str] = []
    matched = 0
    for column, name in enumerate(info.ch_names):
        row = rows.get(name)
        if row is None:
            continue
        matched += 1
        word = row.get("type", "").lower()
        kind = word if word in CHANNEL_TYPES else _TYPES.get(word, "")
        if kinds[column] == "misc" and kind in SCALED:
            # The file itself did not say that this is a voltage.
            if not is_voltage(row.get("units", "")):
                unstated.append(f"{name}: {row['type']}")
                kind = ""
            else:
                scale[column] = microvolts_per(row["units"])
        kinds[column] = kind or kinds[column]
        if row.get("status", "").lower() == "bad" and name not in bads:
            bads.append(name)
    for note in [note for note in notes if note.text.startswith(LEFT_OUT)]:
        pairs = zip(info.ch_names, kinds, strict=True)
        unclear = [name for name, kind in pairs if kind == "misc" and is_position(name)]
        words = [rows.get(name, {}).get("type", "").lower() for name in unclear]
        if not any(word in _NONE or word in SCALED for word in words):
            # The table says of each what it is.
            notes.remove(note)
    rates = {_number(rows[name].get("sampling_frequency", "")) for name in info.ch_names if name in rows} - {None}
    if rates and all(abs(rate / info.sfreq - 1.0) > 0.001 for rate in rates if rate is not None):
        text = f"{file.name} says {', '.join(f'{rate:g}' for rate in rates)} Hz, the file {info.sfreq:g} Hz"
        notes.append(Note(code="rate", text=text, doubt=True))
    own = {name: note.unit for note in notes if isinstance(note, UnitNote) for name in note.names}
    apart = [
        f"{name}: {there}, in the file {unit}"
        for name, unit in own.items()
        if is_voltage(there := rows.get(name, {}).get("units", "")) and is_voltage(unit)
        if microvolts_per(there) != microvolts_per(unit)
    ]
    if apart:
        text = f"{file.name} says another unit of {len(apart)} channels than the file ({apart[0]}), which is taken; "
        text += (
            "accept=unit where that is right; if not, correct its header (of EEGLAB, which states none, say unit=mV)"
        )
        notes.append(Note(code="unit", text=text, doubt=True, count=len(apart)))
    if unstated:
        text = (
            f"{file.name} says no unit of {len(unstated)} channels of which the file has none ({unstated[0]}), so they "
        )
        text += "are not taken for voltages; state it there; accept=unit if they may stay so"
        notes.append(Note(code="unit", text=text, doubt=True, count=len(unstated)))
    missing = [name for name in rows if name not in info.ch_names]
    if not matched:
        text = f"{file.name} names none of the channels of the file; it was not used"
        notes.append(Note(code="channels", text=text, doubt=True))
        return recording
    text = f"{file.name}: types of {matched} channels" + (f", bad: {', '.join(bads)}" if bads else "")
    notes.append(Note(code="channels", text=text, count=matched))
    if missing:
        text = f"{file.name} lists channels that the file has not: {', '.join(missing[:6])}"
        notes.append(Note(code="channels", text=text, count=len(missing)))
    # Of samples that are left in the file, too: nothing is read for it.
    data = recording.data if (scale == 1.0).all() else recording.data * scale
    return replace(recording, info=info.replace(ch_types=tuple(kinds), bads=tuple(bads)), data=data)


def _with_events(recording: Recording, file: Path, notes: list[Note]) -> Recording:
    rows = read_tsv(file)
    sfreq, first = recording.info.sfreq, int(recording.samples[0])
    found: list[Event] = []
    unplaced = 0
    apart: list[str] = []
    for row in rows:
        onset = _number(row.get("onset", ""))
        if onset is None:
            unplaced += 1
            continue
        name = next((row[key] for key in _NAMES if row.get(key, "").lower() not in _NONE), "")
        value = row.get("value", "")
        carried = None if value.lower() in _NONE else marker_value(value)
        name = name or "event"
        place = _number(row.get("sample", ""))
        # Some count samples from 1.
        if place is not None and abs(place - onset * sfreq) > 1.5:
            apart.append(f"{name}: {place:g}, by its onset {onset * sfreq:.0f}")
        # Onsets count the samples of the file, which knows no pause; the clock went on.
        moved = moved_by(recording.notes, round(onset * sfreq))
        channels = [part for part in row.get("channel", "").split(",") if part.strip().lower() not in _NONE]
        found.append(
            Event(
                name=name, time=float(recording.times[0]) + onset + moved / sfreq,
                sample=first + round(onset * sfreq) + moved,
                value=carried, duration=_number(row.get("duration", "")) or 0.0,
                source=file.name, data={"channels": channels} if channels else {},
            )
        )  # fmt: skip
    # Spans of the file itself that were never measured were taken out before; here they only repeat that.
    kept = [event for event in found if event.name not in FILLINGS]
    text = f"{len(kept)} events of {file.name}"
    if recording.events:
        text += f", which stand for the {len(recording.events)} of the file itself"
    notes.append(Note(code="events", text=text, count=len(kept)))
    if apart:
        text = f"{len(apart)} events of {file.name} have another sample than their onset ({apart[0]}); onsets are taken"
        notes.append(Note(code="events", text=text, doubt=True, count=len(apart)))
    if unplaced:
        text = f"{unplaced} events of {file.name} have no onset; left out"
        notes.append(Note(code="events", text=text, doubt=True, count=unplaced))
    return replace(recording, events=tuple(sorted(kept, key=lambda event: event.time)))


def _number(text: str) -> float | None:
    try:
        value = float(text) if "_" not in text else float("nan")
    except ValueError:
        return None
    return value if np.isfinite(value) else None
