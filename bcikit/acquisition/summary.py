"""What is in a file, before anything is taken from it."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.checks import usual_spread
from bcikit.acquisition.formats import Format, format_of
from bcikit.signal import ArgumentError, BciError, Note, Recording


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What a file holds.

    Attributes
    ----------
    path : Path
        The file.
    format : str
        Title of its format.
    streams : tuple of str
        Of a file of several streams, one line each.
    recording : Recording or None
        What would be taken; None where that cannot be decided without an option.
    notes : tuple of Note
        Found, changed, left out, in doubt.
    unit_known : bool
        Whether the unit of the voltages is known.
    """

    path: Path
    format: str
    streams: tuple[str, ...]
    recording: Recording | None
    notes: tuple[Note, ...]
    unit_known: bool = True

    @property
    def doubts(self) -> tuple[Note, ...]:
        """What may be wrong and nobody decided."""
        return tuple(note for note in self.notes if note.doubt)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        found: dict[str, Any] = {
            "path": str(self.path),
            "format": self.format,
            "streams": list(self.streams),
            "doubts": [note.text for note in self.doubts],
            "notes": [note.to_dict() for note in self.notes],
        }
        if self.recording is not None:
            found |= describe(self.recording)
            if not self.unit_known:
                found["unit"] = None
        return found


def describe(recording: Recording) -> dict[str, Any]:
    """Return channels, rate, time, losses and events of a recording, ready for JSON."""
    info = recording.info
    gaps = np.flatnonzero(np.diff(recording.samples) > 1) if recording.lost else np.empty(0, dtype=np.int64)
    span = float(recording.times[-1] - recording.times[0]) if recording.n_times else 0.0
    steps = int(recording.samples[-1] - recording.samples[0]) if recording.n_times else 0
    by_source: dict[str, Counter[str]] = {}
    for event in recording.events:
        by_source.setdefault(event.source or "file", Counter())[event.name] += 1
    eeg = info.indices(ch_type="eeg")
    return {
        "stream": info.name,
        "n_channels": info.n_channels,
        "channels": [
            {"name": name, "type": kind} for name, kind in zip(info.ch_names, info.ch_types, strict=True)
        ],
        "bads": list(info.bads),
        "unit": info.unit,
        "device": info.device,
        "reference": info.reference,
        "positions": info.positions is not None,
        "n_times": recording.n_times,
        "sfreq": info.sfreq,
        "sfreq_found": round(steps / span, 4) if span > 0 else None,
        "duration_s": round((steps + 1) / info.sfreq, 3) if info.sfreq > 0 else round(span, 3),
        "first_time": float(recording.times[0]) if recording.n_times else None,
        "lost_samples": recording.lost,
        "gaps": [
            {
                "after_sample": int(recording.samples[gap]),
                "at_s": round(float(recording.times[gap] - recording.times[0]), 3),
                "lost": int(recording.samples[gap + 1] - recording.samples[gap]) - 1,
            }
            for gap in gaps.tolist()[:100]
        ],
        "n_gaps": int(gaps.size),
        "spread": round(usual_spread(recording.data, info.sfreq, eeg), 4) if eeg and info.sfreq > 0 else None,
        "n_events": len(recording.events),
        "events": {source: dict(counts.most_common(40)) for source, counts in by_source.items()},
        "events_outside": sum(event.sample is None for event in recording.events),
    }  # fmt: skip


def summarise(path: str | Path, **options: Any) -> Summary:
    """Return what is in a file.

    Parameters
    ----------
    path : str or Path
        The file.
    **options
        As `read_recording` takes them.

    Raises
    ------
    SourceError
        If it is of no format bcikit knows, or damaged.
    """
    from bcikit.acquisition.xdf_chunks import loaded_once

    path = Path(path)
    with loaded_once():
        return _summarise(path, options)


def _summarise(path: Path, options: dict[str, Any]) -> Summary:
    import warnings

    from bcikit.acquisition.file import check_there, read_recording

    check_there(path, partial=bool(options.get("partial")))
    one = format_of(path)
    streams = _streams(one, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            recording = read_recording(path, lazy=True, **options)
        except ArgumentError as error:
            return _undecided(path, one, streams, str(error), options)
        except BciError as error:
            if not streams:
                raise
            note = Note(code="streams", text=str(error).removeprefix(f"{path} "), doubt=True)
            return Summary(path=path, format=one.title, streams=streams, recording=None, notes=(note,))
    return Summary(path=path, format=one.title, streams=streams, recording=recording, notes=recording.notes)


def _streams(one: Format, path: Path) -> tuple[str, ...]:
    if one.name != "xdf":
        return ()
    from bcikit.acquisition.xdf_streams import load_streams

    return tuple(stream.describe() for stream in load_streams(path, lazy=True) if not stream.own)


def _undecided(path: Path, one: Format, streams: tuple[str, ...], why: str, options: dict[str, Any]) -> Summary:
    """Return what can be said of a file of which an option is missing; its numbers are taken as they are."""
    from bcikit.acquisition.file import read_recording

    note = Note(code="unit" if "unit" in why else "options", text=why, doubt=True)
    try:
        recording = read_recording(
            path, lazy=True, **{**options, "unit": options.get("unit") or "uV", "accept": ("amplitude",)}
        )
    except BciError:
        return Summary(path=path, format=one.title, streams=streams, recording=None, notes=(note,), unit_known=False)
    notes = (note, *(other for other in recording.notes if other.code not in ("unit", "amplitude")))
    return Summary(
        path=path, format=one.title, streams=streams, recording=replace(recording, notes=notes), notes=notes,
        unit_known=False,
    )  # fmt: skip
