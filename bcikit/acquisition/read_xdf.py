"""XDF files: a stream of samples, the markers of all other streams on it, and what else came at the same time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.checks import grid_notes, tidy_rate
from bcikit.acquisition.codes import resting_level, trigger_events
from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.lsl_meta import VOLTAGE_TYPES, doubled, positions_of, stated_unit, unique_names, unit_factor
from bcikit.acquisition.marker_grammar import event_of, row_text
from bcikit.acquisition.profile import profile_for_lsl
from bcikit.acquisition.stamps import on_grid
from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.acquisition.xdf_samples import SamplesInFile
from bcikit.acquisition.xdf_streams import XdfStream, choose_stream, load_streams, within
from bcikit.signal import ArgumentError, BciError, Event, Note, Recording, SourceError, StreamInfo

_DEVICE = ("manufacturer", "model")
_EXACT = 2**53


def read_xdf(path: Path, reading: FileHints) -> Recording:
    """Return one stream of an XDF file, with the events of all marker streams in it.

    Clock offsets and clock resets are handled by pyxdf. Rate and losses are what the stamps say over the whole stream
    (see `bcikit.acquisition.stamps`); pyxdf's own removal of jitter would draw time over a gap of less than a second.

    Raises
    ------
    SourceError
        If the file is damaged or holds no such stream.
    """
    return _main(load_streams(path, lazy=True), path, reading)


def read_other_streams(path: Path, reading: FileHints) -> tuple[dict[str, Recording], list[Note]]:
    """Return every stream of samples but the one that is meant, by name, with what is to be told of them.

    That is doubts, those that cannot be read, and channels that may be voltages and state no unit. A stream without a
    rate keeps its stamps.
    """
    streams = load_streams(path, lazy=True)
    chosen = choose_stream(streams, reading.stream, path)
    others: dict[str, Recording] = {}
    notes: list[Note] = []
    for stream in streams:
        if stream is chosen or not stream.is_signal or not stream.n_times:
            continue
        taken = stream.name in (chosen.name, *others) or not stream.name
        label = f"{stream.name or 'stream'}-{stream.place}" if taken else stream.name
        try:
            others[label] = _extra(stream, path, reading)
            # What is true of a stream beside the one that is meant is told with that one.
            told = [note for note in others[label].notes if note.doubt or note.code == "streams"]
            notes += [replace(note, text=f"{label}: {note.text}") for note in told]
        except BciError as error:
            notes.append(Note(code="streams", text=f"{stream.describe()} was left out: {error}", doubt=True, count=1))
    return others, notes


def _main(streams: list[XdfStream], path: Path, reading: FileHints) -> Recording:
    chosen = choose_stream(streams, reading.stream, path)
    recording = _recording(chosen, path, reading)
    notes = list(recording.notes)
    events: list[Event] = []
    for stream in streams:
        if stream is chosen or stream.own:
            continue
        if stream.is_markers:
            try:
                found = _events(stream, recording, reading)
            except SourceError as error:
                notes.append(
                    Note(code="events", text=f"{stream.describe()} was left out: {error}", doubt=True, count=1)
                )
                continue
            events += found
            notes.append(Note(code="events", text=f"{len(found)} events of {stream.describe()}", count=len(found)))
        elif stream.n_times:
            notes.append(Note(code="streams", text=f"beside it: {stream.describe()}", count=1))
    codes, said = trigger_events(recording, mask=reading.trigger_mask, fallback=None)
    # What the recorder of the session made of them stands among its markers.
    known = {(event.name, event.sample) for event in events}
    events += [event for event in codes if (event.name, event.sample) not in known]
    notes += said
    ordered = tuple(sorted(events, key=lambda event: event.time))
    return Recording(
        info=recording.info, data=recording.data, times=recording.times, samples=recording.samples, events=ordered,
        notes=tuple(notes),
    )  # fmt: skip


def _extra(stream: XdfStream, path: Path, reading: FileHints) -> Recording:
    """Return a stream beside the one that is meant; one without a rate keeps its stamps."""
    if stream.sfreq > 0:
        return _recording(stream, path, reading, strict=False)
    data, kinds, notes = _values(stream, path, reading, strict=False)
    order = np.argsort(stream.stamps, kind="stable")
    ramp = 1e-9 * np.arange(stream.n_times)
    times = np.maximum.accumulate(stream.stamps[order] - ramp) + ramp
    names = unique_names([texts["label"] for texts in stream.channels])
    info = StreamInfo(name=stream.name or f"stream-{stream.place}", sfreq=0.0, ch_names=names, ch_types=kinds)
    samples = np.arange(stream.n_times, dtype=np.int64)
    return Recording(info=info, data=data[order], times=times, samples=samples, notes=tuple(notes))


def _values(
    stream: XdfStream, path: Path, reading: FileHints, *, strict: bool = True
) -> tuple[NDArray[np.float64], tuple[str, ...], list[Note]]:
    """Return samples in bcikit's units, types of channels, and where the units come from."""
    info, where = stream.info, f"{path.name}, stream {stream.name!r},"
    profile = profile_for_lsl(stream.name, stream.source_id, *(_text(info, key) for key in _DEVICE))
    known = profile.unit if profile is not None and profile.unit else ""
    kinds = list(stream.kinds)
    factors: list[float] = []
    said: dict[str, list[str]] = {}
    unstated: list[str] = []
    for index, texts in enumerate(stream.channels):
        kind, unit, who = kinds[index], stated_unit(texts["unit"]), "stated by the stream"
        if kind in VOLTAGE_TYPES and not unit:
            unit, who = (
                (reading.unit, "as you say") if reading.unit else (known, f"known of {profile.name}" if profile else "")
            )
        label = texts["label"] or f"Ch{index + 1}"
        if kind in VOLTAGE_TYPES and not unit and not strict:
            # Beside the stream that is meant: kept as it is, and not called a voltage.
            kinds[index] = "misc"
            unstated.append(label)
        elif kind in VOLTAGE_TYPES:
            said.setdefault(f"{unit or 'no unit'} ({who})", []).append(label)
        factors.append(unit_factor(unit, kinds[index], where=where))
    notes = [Note(code="unit", text=f"{_some(labels)}: {text}") for text, labels in said.items()]
    if unstated:
        text = f"{_some(unstated)}: no unit is stated, so they are kept as numbers and called misc; unit=uV states it"
        notes.append(Note(code="streams", text=text, count=len(unstated)))
    if isinstance(stream.values, SamplesInFile):
        return stream.values.rows(np.array(factors)), tuple(kinds), notes  # type: ignore[return-value]
    values = np.asarray(stream.values)
    if values.dtype.kind in "iu" and values.size and np.abs(values.astype(np.float64)).max() > _EXACT:
        text = "whole numbers above 2^53 were rounded: a double cannot hold them"
        notes.append(Note(code="precision", text=text, doubt=True))
    data = values.astype(np.float64).reshape(stream.n_times, stream.n_channels) * np.array(factors)
    return np.ascontiguousarray(data), tuple(kinds), notes


def _some(labels: list[str]) -> str:
    return ", ".join(labels) if len(labels) <= 6 else f"{labels[0]} ... {labels[-1]} ({len(labels)})"


def _text(info: Any, key: str) -> str:
    return str(within(info, "desc", "acquisition", key) or within(info, "desc", key) or "")


def _recording(stream: XdfStream, path: Path, reading: FileHints, *, strict: bool = True) -> Recording:
    info, where = stream.info, f"{path.name}, stream {stream.name!r},"
    if not stream.n_times:
        raise SourceError(f"{where} holds no samples.")
    data, kinds, notes = _values(stream, path, reading, strict=strict)
    nominal = reading.sfreq or stream.sfreq if strict else stream.sfreq
    try:
        grid = on_grid(stream.stamps, nominal)
    except SourceError as error:
        raise SourceError(f"{where} {error}") from None
    decided = strict and reading.sfreq is not None
    if not nominal and grid.uncertainty > 0.02:
        raise ArgumentError(f"{where} states no sampling rate (about {grid.rate:.3g} Hz); say it: sfreq=...")
    labels = [texts["label"] for texts in stream.channels]
    notes += [*grid_notes(grid, nominal, decided=decided), *doubled(labels)]
    if not nominal:
        text = f"takes {tidy_rate(grid):g} Hz, which its stamps say; sfreq={tidy_rate(grid):g} confirms it"
        notes.append(Note(code="rate", text=text, doubt=True))
    rate = nominal if nominal and (decided or not grid.contradicts(nominal)) else tidy_rate(grid)
    return Recording(
        info=StreamInfo(
            name=stream.name or path.name,
            sfreq=rate,
            ch_names=unique_names(labels),
            ch_types=kinds,
            positions=positions_of(stream.channels),
            source_id=stream.source_id,
            device=" ".join(filter(None, (str(within(info, "desc", "acquisition", key) or "") for key in _DEVICE))),
            reference=str(within(info, "desc", "reference", "label") or ""),
        ),
        data=data,
        times=grid.times,
        samples=grid.samples,
        notes=tuple(notes),
    )


def _events(stream: XdfStream, recording: Recording, reading: FileHints) -> list[Event]:
    """Return the texts or numbers of a marker stream, on the samples of the recording."""
    source = stream.name or stream.kind
    if not stream.n_times:
        return []
    if stream.channel_format != "string" and stream.sfreq > 0:
        return _sampled_codes(stream, recording, reading)
    found = []
    rows = stream.values if stream.channel_format == "string" else np.asarray(stream.values)
    for time, row in zip(stream.stamps.tolist(), rows, strict=True):
        if not np.isfinite(time):
            continue
        parts = row if stream.channel_format == "string" else np.atleast_1d(row).tolist()
        text = row_text(parts)
        if text:
            sample = nearest_sample(time, recording)
            found.append(event_of(text, time, source=source, grammar="plain", sample=sample))
    return found


def _sampled_codes(stream: XdfStream, recording: Recording, reading: FileHints) -> list[Event]:
    """Return the changes of a trigger that was sampled at a rate, each channel by itself."""
    grid = on_grid(stream.stamps, stream.sfreq)
    values = np.asarray(stream.values, dtype=np.float64).reshape(stream.n_times, stream.n_channels)
    found = []
    for column, texts in enumerate(stream.channels):
        levels = np.rint(np.nan_to_num(values[:, column])).astype(np.int64)
        if reading.trigger_mask is not None:
            levels &= reading.trigger_mask
        label = texts["label"] if stream.n_channels > 1 and texts["label"] else stream.name
        decoder = TriggerDecoder(label, stream.sfreq, debounce=0.0, rest=resting_level(levels))
        for event in decoder.decode(levels.astype(np.float64), grid.samples, grid.times):
            sample = nearest_sample(event.time, recording)
            found.append(Event(name=str(event.value), time=event.time, sample=sample, value=event.value, source=label))
    return found


def nearest_sample(time: float, recording: Recording) -> int:
    """Return the index of the sample of a recording that is nearest to a time."""
    times = recording.times
    row = int(np.searchsorted(times, time))
    if row == 0:
        return int(recording.samples[0]) + round((time - float(times[0])) * recording.info.sfreq)
    if row == times.shape[0]:
        return int(recording.samples[-1]) + round((time - float(times[-1])) * recording.info.sfreq)
    before, after = row - 1, row
    if recording.samples[after] - recording.samples[before] > 1:
        # In a gap: the lost sample that was nearest, so that nothing is cut at the wrong place.
        return int(recording.samples[before]) + round((time - float(times[before])) * recording.info.sfreq)
    return int(recording.samples[before if time - times[before] < times[after] - time else after])


def _probe(_path: Path, head: bytes) -> bool:
    return head.startswith(b"XDF:")


XDF = Format(
    name="xdf",
    title="XDF",
    suffixes=(".xdf", ".xdfz", ".xdf.gz"),
    probe=_probe,
    read=read_xdf,
    options=("stream", "sfreq", "trigger_mask"),
)
