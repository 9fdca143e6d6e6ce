"""The small files of a BIDS dataset: tables, sidecars and the description."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.montage import montage_positions
from bcikit.recording.versions import installed_versions
from bcikit.recording.view import ExportView
from bcikit.recording.vocabulary import HED_VERSION, hed_of

BIDS_VERSION = "1.10.0"

_TYPES = {"eeg": "EEG", "eog": "EOG", "emg": "EMG", "ecg": "ECG", "ref": "REF", "stim": "TRIG", "gsr": "GSR"}
_TYPES |= {"resp": "RESP", "temperature": "TEMP", "ppg": "PPG"}
_TYPE_DESCRIPTIONS = {"MISC": "Other", "PPG": "Other", "TEMP": "Temperature", "TRIG": "Trigger"}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a sidecar."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text with the line ends of BIDS."""
    path.write_bytes(text.encode("utf-8"))


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, *([_cell(cell) for cell in row] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _cell(value: object) -> str:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return "n/a"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    return str(value).replace("\t", " ").replace("\n", " ")


def dataset_description() -> dict[str, Any]:
    """Return `dataset_description.json`."""
    return {
        "Name": "EEG recorded with bcikit",
        "BIDSVersion": BIDS_VERSION,
        "HEDVersion": HED_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "bcikit", "Version": installed_versions().get("bcikit", "n/a")}],
    }


def readme() -> str:
    """Return the text that tells a reader what is special about these files."""
    return (
        "# EEG recorded with bcikit\n\n"
        "Exported from session folders of bcikit and de-identified: names, dates, serial numbers and texts that could\n"
        "identify are taken out. Brain signals themselves remain characteristic of a person.\n\n"
        '- Samples that were lost on the way are zeros under an event "BAD_lost"; such a recording has the\n'
        '  RecordingType "discontinuous".\n'
        '- Spans in which a channel cannot be believed are events "BAD_..." with the name of the channel.\n'
        "- A channel is bad if it was marked so, or if more than a tenth of its samples are bad; why is in\n"
        "  status_description.\n"
    )


def merge_participants(before: str, subject: str) -> str:
    """Return `participants.tsv` with the person in it."""
    lines = before.splitlines() or ["participant_id"]
    label = f"sub-{subject}"
    if not any(line.split("\t")[0] == label for line in lines[1:]):
        lines.append("\t".join([label, *["n/a"] * lines[0].count("\t")]))
    return "\n".join(lines) + "\n"


def participants_sidecar() -> dict[str, Any]:
    """Return `participants.json`."""
    return {"participant_id": {"Description": "Code of the person; who it is, is not in this dataset"}}


def signal_sidecar(view: ExportView, task: str) -> dict[str, Any]:
    """Return the sidecar of the signals."""
    info = view.info
    kinds = [bids_type(kind) for kind in info.ch_types]
    values: dict[str, Any] = {
        "TaskName": task,
        "EEGReference": info.reference or "n/a",
        "SamplingFrequency": info.sfreq,
        "PowerLineFrequency": info.line_freq or "n/a",
        "SoftwareFilters": "n/a",
        "HardwareFilters": "n/a",
        "RecordingType": "continuous" if view.continuous else "discontinuous",
        "RecordingDuration": view.n_times / info.sfreq,
        "EEGChannelCount": kinds.count("EEG"),
        "EOGChannelCount": kinds.count("EOG"),
        "EMGChannelCount": kinds.count("EMG"),
        "ECGChannelCount": kinds.count("ECG"),
        "TriggerChannelCount": kinds.count("TRIG"),
        "MISCChannelCount": kinds.count("MISC"),
    }
    if info.device:
        values["ManufacturersModelName"] = info.device
    return values


def bids_type(kind: str) -> str:
    """Return BIDS's word for a channel type."""
    return _TYPES.get(kind, "MISC")


def channels_table(view: ExportView) -> str:
    """Return `channels.tsv`, the status from the health of the samples."""
    rows = []
    for index, (name, kind) in enumerate(zip(view.info.ch_names, view.info.ch_types, strict=True)):
        good, why = view.status[index]
        unit = {"uV": "µV"}.get(view.unit(index), view.unit(index))
        rows.append([name, bids_type(kind), unit, view.info.sfreq, view.info.reference, "good" if good else "bad", why])
    header = ["name", "type", "units", "sampling_frequency", "reference", "status", "status_description"]
    return _table(header, rows)


def events_table(view: ExportView) -> str:
    """Return `events.tsv`."""
    rows = [
        [
            float(row.onset),
            float(row.duration),
            row.name,
            row.value,
            round(row.onset * view.info.sfreq),
            ",".join(row.channels),
        ]
        for row in view.rows
    ]
    return _table(["onset", "duration", "trial_type", "value", "sample", "channel"], rows)


def events_sidecar(view: ExportView) -> dict[str, Any]:
    """Return `events.json`: what the columns mean, and HED tags of every event name."""
    names = sorted({row.name for row in view.rows})
    described: dict[str, Any] = {"LongName": "Event", "Description": "What happened"}
    if names:
        described["Levels"] = {name: _level(name) for name in names}
    # HED forbids the same tags twice at one time, so a name that comes twice at once has none.
    count = Counter((row.onset, row.name) for row in view.rows)
    twice = {name for (_, name), times in count.items() if times > 1}
    tags = {name: hed_of(name) for name in names if name not in twice}
    if tags:
        described["HED"] = tags
    return {
        "trial_type": described,
        "value": {"Description": "What a marker carried; for BAD_lost the number of samples"},
        "sample": {"Description": "Index of the sample in the file, counted from 0"},
        "channel": {"Description": "The channels an event is about; n/a if all"},
    }


def _level(name: str) -> str:
    known = {
        "BAD_lost": "Samples were lost on the way; zeros stand for them",
        "BAD_nan": "No number came from the device",
        "BAD_railed": "At or near the full scale of the device",
        "BAD_repeated": "The device repeated an older sample",
        "BAD_filled": "Never measured; put in to bridge a gap",
        "BAD_flat": "No change for longer than a living electrode allows",
    }
    return known.get(name, name.replace("/", ", "))


def electrodes_table(view: ExportView) -> tuple[str, str]:
    """Return `electrodes.tsv` and where the positions come from: "stream" or "template"; an empty table if unknown."""
    eeg = [index for index, kind in enumerate(view.info.ch_types) if kind == "eeg"]
    positions = view.info.positions_array()
    template = view.info.replace(positions=montage_positions(view.info.ch_names)).positions_array()
    stated = eeg and not np.isnan(positions[eeg]).any(axis=1).all()
    # A file without positions was given those of the template when it was opened.
    if stated and not np.allclose(positions[eeg], template[eeg], atol=1e-5, equal_nan=True):
        source = "stream"
    else:
        positions, source = template, "template"
    if not eeg or np.isnan(positions[eeg]).any(axis=1).all():
        return "", source
    rows = [[view.info.ch_names[index], *(float(value) for value in positions[index])] for index in eeg]
    return _table(["name", "x", "y", "z"], rows), source


def coordinate_system(source: str) -> dict[str, Any]:
    """Return `coordsystem.json`."""
    where = {
        "stream": "Positions as the device, its profile or the file stated them, head coordinates: right, front, up",
        "template": "Template positions of the 10-05 system by channel name, not measured; head coordinates",
    }
    return {
        "EEGCoordinateSystem": "CapTrak",
        "EEGCoordinateUnits": "m",
        "EEGCoordinateSystemDescription": where[source],
    }
