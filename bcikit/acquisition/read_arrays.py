"""Arrays without a format: NumPy archives and MATLAB files, by a mapping that says what is what."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.lsl_meta import unique_names
from bcikit.acquisition.mat_check import check_mat
from bcikit.signal import ArgumentError, Event, Note, Recording, SourceError, StreamInfo, microvolts_per
from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings


class ArrayMap(BaseModel):
    """Where in a file of arrays what is. A place is a name, with dots into structures: "mrk.pos"."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: str = Field(description="Samples: (n_times, n_channels) or the other way around; the longer side is time.")
    rate: str | float = Field(description="Sampling rate in Hz, or its place.")
    unit: str = Field(default="", description="Unit of the samples: uV, mV, V, nV.")
    scale: float | None = Field(default=None, gt=0, description="Microvolts a count, in place of a unit.")
    channels: str | list[str] = Field(default="", description="Names, or their place.")
    events: str = Field(default="", description="Place of the samples at which events happened.")
    codes: str = Field(default="", description="Place of the code or name of each event; or a matrix, a row a class.")
    names: str | list[str] = Field(
        default="", description="Name of each code, 0=left,1=right, or names in order from code 1, or their place."
    )
    first: int = Field(default=-1, ge=-1, le=1, description="Number of the first sample; 1 for MATLAB, 0 for NumPy.")
    codes_channel: str = Field(default="", description="A channel of codes in place of events: its place.")


_COMMON: dict[str, tuple[str, ...]] = {
    "data": ("data", "X", "x", "eeg", "EEG", "cnt", "signal", "signals", "y"),
    "rate": ("sfreq", "fs", "Fs", "srate", "rate", "sampling_rate", "nfo.fs", "hdr.fs", "SampleRate"),
    "channels": ("ch_names", "channels", "labels", "channel_names", "nfo.clab", "clab"),
    "events": ("events", "event_samples", "mrk.pos", "pos", "trial"),
    "codes": ("codes", "event_codes", "event_names", "mrk.y", "mrk.toe", "labels_y"),
}
"""Names under which programs keep these, where a user gives no mapping."""

_ONSETS = "onsets"
"""Where programs keep samples or seconds; whole seconds cannot be told from samples, so it is no usual name."""

_USUAL = "by usual names"

_NAMED = re.compile(r"(-?\d+)=(.+)")
"""A code with its name: 769=left."""


def _look(values: Any, place: str) -> Any:
    """Return what lies at a place; None where nothing does."""
    found = values
    for part in place.split("."):
        if isinstance(found, np.ndarray) and found.dtype == object and found.size == 1:
            found = found.reshape(-1)[0]
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, np.ndarray) and found.dtype.names and part in found.dtype.names:
            found = found[part].reshape(-1)[0]
        elif isinstance(found, np.ndarray) and part.isdecimal() and int(part) < found.size:
            found = found.reshape(-1)[int(part)]
        else:
            return None
        if found is None:
            return None
    return found


def _texts(value: Any) -> list[str]:
    """Return texts from whatever MATLAB or NumPy keeps them in."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bytes):
        return [value.decode("latin-1")]
    if isinstance(value, np.ndarray):
        return [text for item in value.reshape(-1) for text in _texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [str(int(value)) if float(value).is_integer() else str(value)]


_CELLS = 24
"""Cells of which each may be a run of its own; what holds more is names."""


def _places(values: Any, prefix: str = "") -> Iterator[str]:
    """Yield what a file holds, for a message."""
    if isinstance(values, np.ndarray) and values.dtype == object and 0 < values.size <= _CELLS:
        cells = values.reshape(-1)
        for at, cell in enumerate(cells):
            yield from _places(cell, prefix if cells.size == 1 else f"{prefix}{at}.")
        return
    if isinstance(values, Mapping):
        items: Any = ((key, value) for key, value in values.items() if not key.startswith("__"))
    elif isinstance(values, np.ndarray) and values.dtype.names and values.size:
        items = ((name, values[name].reshape(-1)[0]) for name in values.dtype.names)
    else:
        return
    for name, value in items:
        shape = "x".join(map(str, value.shape)) if isinstance(value, np.ndarray) else type(value).__name__
        deeper = list(_places(value, f"{prefix}{name}.")) if prefix.count(".") < 3 else []
        yield from deeper or [f"{prefix}{name} ({shape})"]


def _mapping(path: Path, reading: FileHints, values: Mapping[str, Any]) -> tuple[ArrayMap, str]:
    """Return what is what: as the user says, by a file beside it, or by usual names."""
    if reading.map:
        return _parsed(reading.map, path), "as you say"
    for beside in (path.with_suffix(".map.toml"), path.parent / "map.toml"):
        if beside.is_file():
            return check_settings(ArrayMap, read_toml(beside), where=str(beside)), beside.name
    found = {key: next((p for p in places if _look(values, p) is not None), "") for key, places in _COMMON.items()}
    if found["data"] and not found["rate"] and reading.sfreq:
        found["rate"] = str(reading.sfreq)
    if not found["data"] or not found["rate"]:
        listed = ", ".join(_places(values)) or "nothing"
        raise ArgumentError(
            f"{path} says no {'samples' if not found['data'] else 'sampling rate'} under a name bcikit knows. It holds "
            f"{listed}. Say what is what: map='data=X rate=250 unit=uV channels=names events=mrk.pos codes=mrk.y', or "
            f"the same in {path.with_suffix('.map.toml').name} or map.toml beside it."
        )
    told = {key: value for key, value in found.items() if value}
    return check_settings(ArrayMap, told, where=str(path)), _USUAL


def _parsed(text: str, path: Path) -> ArrayMap:
    told: dict[str, Any] = {}
    for part in text.split():
        key, equals, value = part.partition("=")
        if not equals:
            raise ArgumentError(f"map has {part!r}; each part must be like data=cnt or rate=250.")
        several = (key in ("channels", "names") and "," in value) or (key == "names" and _NAMED.match(value))
        told[key] = value.split(",") if several else value
    return check_settings(ArrayMap, told, where=f"map of {path.name}")


def _number(value: Any) -> float | None:
    try:
        return float(np.asarray(value).reshape(-1)[0])
    except (TypeError, ValueError, IndexError):
        return None


def read_arrays(path: Path, reading: FileHints) -> Recording:
    """Return a file of arrays as a recording.

    Raises
    ------
    ArgumentError
        If nothing says what is what, or in which unit; the message lists what is in the file.
    """
    values, matlab = _load(path)
    what, who = _mapping(path, reading, values)
    data = np.asarray(_look(values, what.data))
    if data.dtype == object or data.dtype.names or data.ndim not in (1, 2) or data.dtype.kind not in "iuf":
        raise SourceError(f"{path}: {what.data} is no matrix of samples; the file holds {', '.join(_places(values))}.")
    data = data.astype(np.float64).reshape(data.shape[0], -1)
    if data.shape[0] < data.shape[1]:
        data = data.T
    rate = reading.sfreq or _number(what.rate if isinstance(what.rate, float) else _look(values, what.rate))
    rate = rate if rate is not None else _number(what.rate)
    if not rate or rate <= 0:
        raise ArgumentError(f"{path} says no sampling rate at {what.rate!r}; say it: sfreq=250.")
    n_channels = data.shape[1]
    doubts: list[Note] = []
    names = what.channels if isinstance(what.channels, list) else []
    if not names and what.channels:
        found = _look(values, str(what.channels))
        names = _texts(found) if found is not None else [str(what.channels)]
    if len(names) != n_channels:
        if names and who != _USUAL:
            text = f"{len(names)} names ({what.channels}) for {n_channels} channels; they are called Ch1, Ch2 ..."
            doubts.append(Note(code="channels", text=text, doubt=True))
        names = [f"Ch{i + 1}" for i in range(n_channels)]
    unit = what.unit or reading.unit or ""
    if what.scale is None and not unit:
        raise ArgumentError(f"{path} states no unit. Say which it is: '{path}?unit=uV' (or mV, V, nV).")
    factor = what.scale if what.scale is not None else microvolts_per(unit, where=str(path))
    said = (
        f"counts of {what.scale:g} uV"
        if what.scale is not None
        else f"{unit} ({'as you say' if not what.unit else who})"
    )
    first = what.first if what.first >= 0 else int(matlab)
    events = _events(values, what, first, float(rate), path, doubts)
    if who == _USUAL and not what.events and _look(values, _ONSETS) is not None:
        text = f"{_ONSETS} may be samples or seconds, so no events are read; where they are samples say so: map='... "
        doubts.append(Note(code="events", text=f"{text}events={_ONSETS}', else write their samples", doubt=True))
    notes = (
        Note(
            code="columns", text=f"{who}: samples at {what.data}, {n_channels} channels, events at {what.events or '-'}"
        ),
        Note(code="unit", text=said),
        *doubts,
    )
    info = StreamInfo(name=path.name, sfreq=float(rate), ch_names=unique_names(names))
    recording = Recording.from_arrays(info, data * factor, events=tuple(events))
    return Recording(
        info=info, data=recording.data, times=recording.times, samples=recording.samples, events=recording.events,
        notes=notes,
    )  # fmt: skip


def _load(path: Path) -> tuple[dict[str, Any], bool]:
    if path.suffix.lower() == ".npz":
        # Opened here: NumPy leaves a file open where it is no archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}, False
    from scipy.io import loadmat

    check_mat(path)
    try:
        return loadmat(path), True
    except NotImplementedError:
        return _load_hdf5(path), True


def _load_hdf5(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB 7.3 file, which is HDF5 with all arrays turned."""
    try:
        import h5py
    except ImportError as error:
        from bcikit.signal import MissingDependencyError

        raise MissingDependencyError("h5py", "formats", "Reading MATLAB 7.3 files") from error

    def read(node: Any, file: Any) -> Any:
        if isinstance(node, h5py.Group):
            return {name: read(child, file) for name, child in node.items()}
        value = node[()]
        if node.dtype == h5py.ref_dtype:
            return np.array([read(file[ref], file) for ref in np.ravel(value)], dtype=object)
        if node.attrs.get("MATLAB_class") == b"char":
            return "".join(chr(code) for code in np.ravel(value))
        return value.T if isinstance(value, np.ndarray) else value

    with h5py.File(path) as file:
        return {name: read(node, file) for name, node in file.items() if not name.startswith("#")}


def _there(values: Mapping[str, Any], place: str, path: Path) -> Any:
    found = _look(values, place)
    if found is None:
        raise ArgumentError(f"{path} has nothing at {place!r}; it holds {', '.join(_places(values))}.")
    return found


def _numbers(values: Mapping[str, Any], place: str, path: Path) -> Any:
    found = _there(values, place, path)
    try:
        return np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{path}: {place} holds no numbers.") from None


def _events(
    values: Mapping[str, Any], what: ArrayMap, first: int, sfreq: float, path: Path, doubts: list[Note]
) -> list[Event]:
    names = (
        what.names if isinstance(what.names, list) else _texts(_there(values, what.names, path)) if what.names else []
    )
    if what.codes_channel:
        levels = np.nan_to_num(_numbers(values, what.codes_channel, path).reshape(-1))
        rows = np.flatnonzero((levels != 0) & (np.diff(levels, prepend=0.0) != 0))
        called = _called(levels[rows].tolist(), names, doubts)
        return [_event(int(row), levels[row], called, sfreq) for row in rows]
    if not what.events:
        return []
    places = _numbers(values, what.events, path)
    codes: Any = None
    if places.ndim > 1 and (min(places.shape) > 1 or (places.shape == (1, 3) and path.suffix.lower() == ".npz")):
        # A row of three alone is a list of places in MATLAB, where a list is a matrix; NumPy has lists.
        places, codes, first = _columns(places, what, first, path, doubts)
    elif places.shape in ((1, 2), (1, 3)) and not what.codes:
        _check_row(places[0], what, path, doubts)
    positions = places.reshape(-1)
    if what.codes:
        codes = np.asarray(_there(values, what.codes, path))
        if codes.ndim == 2 and min(codes.shape) > 1 and positions.size in codes.shape:
            codes = _classes(codes if codes.shape[1] == positions.size else codes.T, what, path)
        codes = codes.reshape(-1)
    if codes is not None and len(codes) != positions.size:
        raise ArgumentError(f"{path}: {what.events} has {positions.size} events, {what.codes} {len(codes)} codes.")
    placed: list[tuple[float, Any]] = []
    unplaced = unknown = 0
    for number, position in enumerate(positions):
        code = 1 if codes is None else codes[number]
        # A trial without a class (a test set) is not shown to anybody as one.
        if not isinstance(code, str | bytes | np.ndarray) and not np.isfinite(float(code)):
            unknown += 1
        elif np.isfinite(position):
            placed.append((position, code))
        else:
            unplaced += 1
    called = _called([code for _, code in placed], names, doubts)
    if unknown:
        doubts.append(
            Note(code="events", text=f"{unknown} events of {what.events} have no class; left out", count=unknown)
        )
    if unplaced:
        text = f"{unplaced} events of {what.events} have no position; left out"
        doubts.append(Note(code="events", text=text, doubt=True, count=unplaced))
    # What was computed may be off by its last digits.
    broken = [position for position, _ in placed if abs(position - round(position)) > 1e-6]
    if broken:
        text = (
            f"{len(broken)} places of {what.events} are no whole numbers ({broken[0]:g}): are they seconds? They are "
        )
        text += "taken for samples, the nearest; accept=events if that is what they are"
        doubts.append(Note(code="events", text=text, doubt=True, count=len(broken)))
    # Half a sample is a seam, and what happened there belongs to the sample after it.
    return [_event(math.floor(position - first + 0.5), code, called, sfreq) for position, code in placed]


def _columns(places: Any, what: ArrayMap, first: int, path: Path, doubts: list[Note]) -> tuple[Any, Any, int]:
    """Return places, codes and the number of the first sample of a table of events, a row each."""
    columns = places.shape[1] if places.ndim == 2 else 0
    if columns == 3:
        # As MNE keeps events: sample, code before, code.
        return places[:, 0], places[:, 2], max(what.first, 0)
    if columns != 2:
        shape = " x ".join(map(str, places.shape))
        raise ArgumentError(
            f"{path}: {what.events} is {shape}; events are a list of places, or a row each: place and code, or sample, "
            "code before, code (as MNE keeps them)."
        )
    if not what.codes:
        text = f"{what.events} has two columns, taken for place and code; accept=events if that is what they are"
        doubts.append(Note(code="events", text=text, doubt=True, count=places.shape[0]))
    return places[:, 0], places[:, 1], first


def _check_row(row: Any, what: ArrayMap, path: Path, doubts: list[Note]) -> None:
    """Say that a row of places alone may be a table of one event; one that does not rise is no list of places."""
    if not (np.diff(row[np.isfinite(row)]) > 0).all():
        raise ArgumentError(
            f"{path}: {what.events} is the one row {', '.join(f'{one:g}' for one in row)}, which does not rise as "
            "places do. Is it one event with its code? Then write place and code as arrays of their own and name both: "
            "map='... events=PLACES codes=CODES'."
        )
    if row.size == 3:
        text = f"{what.events} is one row of three, taken for three places and not for one event with its code; "
        text += "accept=events if that is what they are"
        doubts.append(Note(code="events", text=text, doubt=True, count=row.size))


def _classes(matrix: Any, what: ArrayMap, path: Path) -> Any:
    """Return the number of the class of each trial by a matrix, a row a class; NaN where no class is marked."""
    try:
        marks = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"{path}: {what.codes} is a matrix and holds no numbers.") from None
    marks = np.where(np.isfinite(marks), marks, 0.0)
    return np.where(marks.max(axis=0) > 0, np.argmax(marks, axis=0) + 1.0, np.nan)


def _called(codes: list[Any], names: list[str], notes: list[Note]) -> dict[int, str]:
    """Return what each code is called: as the names say, else from 1, or from 0 or by size where that is in doubt.

    A code that is a name's number already (2 of 2 and 3) is never called by the size of the others: another run of the
    person, with codes 1 and 2, would call it otherwise.
    """
    there = sorted({int(text) for code in codes if re.fullmatch(r"-?\d+", text := _texts(code)[0])})
    said = [_NAMED.fullmatch(name) for name in names]
    if any(said):
        if not all(said):
            raise ArgumentError(f"names has {', '.join(names)}; name every code (0=left,1=right), or none of them.")
        called = {int(one[1]): one[2] for one in said if one is not None}
        if left := [str(code) for code in there if code not in called]:
            notes.append(Note(code="events", text=f"codes without a name keep their number: {', '.join(left)}"))
        return called
    called = dict(enumerate(names, start=1))
    if not names or not there or all(code in called for code in there):
        return called
    if there[0] == 0 and there[-1] < len(names):
        called = dict(enumerate(names))
    elif len(there) == len(names) and (there[0] < 0 or called.keys().isdisjoint(there)):
        called = dict(zip(there, names, strict=True))
    else:
        text = f"codes that no name is for keep their number: {', '.join(str(c) for c in there if c not in called)}; "
        text += "name each (names=1=left,2=right), or accept=events if they may"
        notes.append(Note(code="events", text=text, doubt=True))
        return called
    each = ",".join(f"{code}={name}" for code, name in called.items())
    text = f"codes by the order of their names, which another run may have otherwise; say names={each}, or "
    notes.append(Note(code="events", text=f"{text}accept=events if that is right of all runs", doubt=True))
    return called


def _event(sample: int, code: Any, called: Mapping[int, str], sfreq: float) -> Event:
    text = _texts(code)[0]
    value: Any = text
    if re.fullmatch(r"-?\d+", text):
        value = int(text)
        text = called.get(value, text)
    return Event(name=text, time=sample / sfreq, sample=sample, value=value, source="file")


def _probe(path: Path, head: bytes) -> bool:
    if path.suffix.lower() == ".npz":
        return head.startswith(b"PK")
    return path.suffix.lower() == ".mat" and head.startswith((b"MATLAB", b"\x89HDF"))


ARRAYS = Format(
    name="arrays",
    title="a file of arrays (MATLAB, NumPy archive) with a mapping",
    suffixes=(".mat", ".npz"),
    probe=_probe,
    read=read_arrays,
    options=("map", "sfreq"),
)
