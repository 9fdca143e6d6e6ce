"""EDF and BDF files: signals by MNE, units, annotations and interruptions from the file itself."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.biosemi import with_status
from bcikit.acquisition.codes import BIOSEMI_MASK
from bcikit.acquisition.edf_header import ANNOTATIONS, EdfHeader, decode_texts, read_annotations, read_edf_header
from bcikit.acquisition.edf_samples import edf_rows
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.lsl_meta import doubled
from bcikit.acquisition.mne_files import SCALED, finished, in_microvolts, named_as, open_raw, starts
from bcikit.acquisition.rows import is_garbled
from bcikit.signal import Event, Note, Recording, SourceError
from bcikit.signal.lazy import LazyRows

_TAKEN = {"\u03bcV": 1.0, "\u00b5V": 1.0, "\x83\xcaV": 1.0, "uV": 1.0, "mV": 1e3}
"""The units of EDF that MNE knows, and the microvolts it takes one for; one of any other unit it takes for a volt."""


def read_edf(path: Path, reading: FileHints) -> Recording:
    """Return an EDF or BDF file; annotations are read here, in whatever encoding they are."""
    header = read_edf_header(path)
    signals = [
        (label, text) for label, text in zip(header.labels, header.units, strict=True) if label not in ANNOTATIONS
    ]
    if not signals:
        _, found = read_annotations(path, header)
        raise SourceError(
            f"{path} holds {len(found)} annotations and no signals (a hypnogram or a list of events); give the "
            "recording that they are about."
        )
    if header.seconds <= 0:
        raise SourceError(
            f"{path} states records of {header.seconds:g} s, so nobody can know its sampling rate; put the length of a "
            "record into its header (EDFbrowser has an editor for it)."
        )
    bdf = header.width == 3
    with named_as(path, ".bdf" if bdf else ".edf") as named:
        raw = open_raw(named, "read_raw_bdf" if bdf else "read_raw_edf", encoding="latin1")
        recording = Recording.from_mne(raw, name=path.name, lazy=True)
        rows = edf_rows(path, header, recording.n_times)
        if rows is not None and rows.shape == recording.data.shape:
            recording = replace(recording, data=_as_mne(rows, recording, signals))
        elif named != path:
            # MNE reads from the name it was given, which is there for a moment only.
            recording = recording.loaded()
    onsets, annotations = read_annotations(path, header)
    texts, encoding = decode_texts([one.raw for one in annotations], reading.encoding)
    notes = [*_records(path, header), *_without_range(header), *doubled([label for label, _ in signals])]
    if encoding not in ("utf-8", "utf8") and any(not text.isascii() for text in texts):
        said = "as you say" if reading.encoding else "guessed; encoding=... decides"
        garbled = not reading.encoding and any(is_garbled(text) for text in texts)
        if garbled:
            said = (
                f"guessed, and that makes {next(filter(is_garbled, texts))!r} of one: say what they are, encoding=..."
            )
        notes.append(Note(code="encoding", text=f"annotations in {encoding} ({said})", doubt=garbled))
    sfreq = recording.info.sfreq
    events = tuple(
        Event(
            name=text.strip(), time=one.onset, sample=round(one.onset * sfreq), duration=one.duration,
            source="annotation",
        )
        for one, text in zip(annotations, texts, strict=True)
        if text.strip()
    )  # fmt: skip
    recording = replace(recording, events=tuple(sorted(events, key=lambda event: event.time)), notes=tuple(notes))
    if len(signals) == recording.info.n_channels:
        kept = [length for label, length in zip(header.labels, header.lengths, strict=True) if label not in ANNOTATIONS]
        slow = [i for i, length in enumerate(kept) if length < max(kept)]
        recording = in_microvolts(recording, signals, _TAKEN, where=str(path), unit=reading.unit, slow=slow)
        recording = replace(recording, notes=(*recording.notes, *_slower(header)))
    if header.interrupted:
        recording = _interrupted(recording, path, onsets)
    elif onsets is not None and len(onsets) > 1:
        recording = _contradicted(recording, path, header, onsets)
    if bdf and rows is not None and rows.shape == recording.data.shape and "Status" in header.labels:
        column = [label for label, _ in signals].index("Status")
        step, zero = (values[header.labels.index("Status")] for values in (header.scales, header.offsets))
        recording = with_status(recording, np.rint((rows[:, column] - zero) / step).astype(np.int64) & 0xFFFFFF)
    return finished(recording, reading, fallback=BIOSEMI_MASK if bdf else None)


def _records(path: Path, header: EdfHeader) -> list[Note]:
    """Return what is to be said where a file holds more than its header states, or the header states nothing."""
    there, rest = divmod(max(0, path.stat().st_size - header.size), max(1, header.record_size))
    if header.n_records < 0:
        text = f"its writer did not come to its end: the {there} records that are there are taken"
        return [Note(code="records", text=text, count=there)]
    if there > header.n_records:
        text = (
            f"its header states {header.n_records} records and {there} are there, all of which are taken; "
            "accept=records if they are of this recording"
        )
        return [Note(code="records", text=text, doubt=True, count=there - header.n_records)]
    return [Note(code="records", text=f"{rest} bytes behind the last record were left out", count=rest)] if rest else []


def _without_range(header: EdfHeader) -> list[Note]:
    """Return what is to be said of signals for which the header does not say what a step of the converter is."""
    pairs = zip(header.labels, header.scales, strict=True)
    found = [label for label, step in pairs if label not in ANNOTATIONS and (not np.isfinite(step) or step == 0)]
    if not found:
        return []
    text = f"{', '.join(found)}: minimum and maximum are equal or no numbers, so their samples have no scale"
    return [Note(code="scale", text=f"{text}; accept=scale if they are not needed", doubt=True, count=len(found))]


def _contradicted(recording: Recording, path: Path, header: EdfHeader, onsets: NDArray[np.float64]) -> Recording:
    """Return a recording that calls itself continuous, with the pauses that the times of its records say."""
    late = np.diff(onsets) - header.seconds
    sample = 1 / recording.info.sfreq
    if (np.abs(late) < sample).all():
        return recording
    worst = float(late[np.argmax(np.abs(late))])
    said = f"says that it is continuous, and the times of its records jump (by {worst:+.3g} s)"
    if (late > -sample).all():
        said += ": taken as interrupted"
        recording = _interrupted(recording, path, onsets)
    else:
        said += ", back too: taken as continuous"
    text = f"{said}; accept=records if that is right"
    return replace(recording, notes=(*recording.notes, Note(code="records", text=text, doubt=True)))


def _as_mne(rows: LazyRows, recording: Recording, signals: list[tuple[str, str]]) -> NDArray[np.float64]:
    """Return the rows as `Recording.from_mne` has them: MNE takes what has no unit that it knows for volts."""
    info = recording.info
    volts = np.array([_TAKEN.get(text, 1e6) / 1e6 for _, text in signals])
    scale = volts * np.array([1e6 if kind in SCALED else 1.0 for kind in info.ch_types])
    stim = info.indices(ch_type="stim")
    if not stim:
        return rows * scale
    codes = recording.data

    def read(start: int, stop: int, columns: list[int] | None) -> NDArray[np.float64]:
        picked = list(range(info.n_channels)) if columns is None else columns
        found = (rows * scale)[start:stop, picked].T
        for row, column in enumerate(picked):
            if column in stim:
                found[row] = codes[start:stop, column]
        return found

    return LazyRows(read, rows.shape)  # type: ignore[return-value]


def _slower(header: EdfHeader) -> list[Note]:
    """Return a note on channels of a lower rate than the fastest, which MNE interpolates."""
    kept = [(label, n) for label, n in zip(header.labels, header.lengths, strict=True) if label not in ANNOTATIONS]
    fastest = max(n for _, n in kept)
    slow = [f"{label} ({n / header.seconds:g} Hz)" for label, n in kept if n != fastest]
    if not slow or header.seconds <= 0:
        return []
    some = ", ".join(slow[:6]) + (f" and {len(slow) - 6} more" if len(slow) > 6 else "")
    text = f"channels of a lower rate were interpolated to {fastest / header.seconds:g} Hz: {some}"
    return [Note(code="rate", text=text, count=len(slow))]


def _interrupted(recording: Recording, path: Path, onsets: Any) -> Recording:
    info = recording.info
    if onsets is None or not len(onsets):
        raise SourceError(f"{path} holds no whole record.")
    per_record = recording.n_times // len(onsets)
    places = np.repeat(onsets - onsets[0], per_record) + np.tile(np.arange(per_record) / info.sfreq, len(onsets))
    # A record begins at one sample and goes on from there; it may begin between two.
    begins = np.floor((onsets - onsets[0]) * info.sfreq + 0.5).astype(np.int64)
    samples = np.repeat(begins, per_record) + np.tile(np.arange(per_record), len(onsets))
    if samples.shape[0] != recording.n_times or (np.diff(samples) < 1).any():
        raise SourceError(f"{path} is damaged: its records do not follow each other in time.")
    lost = int(samples[-1] - samples[0]) + 1 - samples.shape[0]
    note = Note(code="lost", text=f"{lost} samples lost between records", count=lost)
    return replace(
        recording, times=places, samples=samples, notes=(*recording.notes, note) if lost else recording.notes
    )


EDF = Format(
    name="edf", title="EDF or EDF+", suffixes=(".edf",), probe=starts(b"0       "), read=read_edf,
    options=("encoding", "trigger_mask"),
)  # fmt: skip
BDF = Format(
    name="bdf", title="BDF or BDF+", suffixes=(".bdf",), probe=starts(b"\xffBIOSEMI"), read=read_edf,
    options=("encoding", "trigger_mask"),
)  # fmt: skip
