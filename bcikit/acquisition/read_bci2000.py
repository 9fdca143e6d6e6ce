"""BCI2000 recordings (.dat): counts with gain and offset in the header, and states as events.

The format: https://www.bci2000.org/mediawiki/index.php/Technical_Reference:BCI2000_File_Format
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.lsl_meta import unique_names
from bcikit.signal import Event, Note, Recording, SourceError, StreamInfo, microvolts_per

_DTYPES = {"int16": "<i2", "int32": "<i4", "float32": "<f4"}
_SYSTEM = frozenset({"Running", "Recording", "SourceTime", "StimulusTime", "AppStartTime", "EventOffset", "Keyboard"})
"""States that BCI2000 keeps for itself: times and switches, no events."""


@dataclass(frozen=True, slots=True)
class _State:
    name: str
    bits: int
    byte: int
    bit: int


def read_bci2000(path: Path, reading: FileHints) -> Recording:
    """Return a BCI2000 file in microvolts; every change of a state to a value other than 0 is an event.

    Raises
    ------
    SourceError
        If its header cannot be read or it is damaged.
    """
    raw = path.read_bytes()
    first = raw.split(b"\r\n", 1)[0].decode("latin-1")
    fields = dict(re.findall(r"(\w+)\s*=\s*(\S+)", first))
    try:
        length, n_channels, width = (int(fields[key]) for key in ("HeaderLen", "SourceCh", "StatevectorLen"))
    except (KeyError, ValueError):
        raise SourceError(f"{path} is damaged: its first line is no header of BCI2000.") from None
    header = raw[:length].decode("latin-1")
    dtype = np.dtype(_DTYPES.get(fields.get("DataFormat", "int16"), "<i2"))
    row = n_channels * dtype.itemsize + width
    n_times, rest = divmod(len(raw) - length, row)
    if n_channels < 1 or n_times < 1:
        raise SourceError(f"{path} holds no samples.")
    if rest and not reading.partial:
        raise SourceError(
            f"{path} is truncated: it ends within sample {n_times}. To read what is there: '{path}?partial=true'."
        )
    table = np.frombuffer(raw, dtype=np.uint8, offset=length, count=n_times * row).reshape(n_times, row)
    counts = np.ascontiguousarray(table[:, : n_channels * dtype.itemsize]).view(dtype).astype(np.float64)
    rate = _values(header, "SamplingRate")
    sfreq = reading.sfreq or (_number(rate[0], path)[0] if rate else 0.0)
    if sfreq <= 0:
        raise SourceError(f"{path} says no sampling rate; say it: '{path}?sfreq=256'.")
    gain, origin = _scale(header, n_channels, reading.unit, path)
    offset = np.array([_number(text, path)[0] for text in _values(header, "SourceChOffset")] or [0.0] * n_channels)
    offset = np.resize(offset, n_channels)
    labels = _values(header, "ChannelNames")
    names = unique_names(labels if len(labels) == n_channels else [f"Ch{i + 1}" for i in range(n_channels)])
    samples = np.arange(n_times, dtype=np.int64)
    states = table[:, n_channels * dtype.itemsize :]
    events = _events(_states(header), states, sfreq)
    note = Note(code="unit", text=f"{n_channels} channels: {origin}")
    return Recording(
        info=StreamInfo(name=path.name, sfreq=sfreq, ch_names=names, device="BCI2000"),
        data=(counts - offset) * gain,
        times=samples / sfreq,
        samples=samples,
        events=tuple(events),
        notes=(note,),
    )


def _values(header: str, name: str) -> list[str]:
    """Return the values of a parameter: a list says how many it has."""
    found = re.search(rf"^\S+ (\w+) {name}= ([^\r\n]*)$", header.replace("\r", ""), re.MULTILINE)
    if found is None:
        return []
    words = found[2].split("//", 1)[0].split()
    if "list" not in found[1]:
        return words[:1]
    count = int(words[0]) if words and words[0].isdecimal() else 0
    if not count and words[:1] == ["{"] and "}" in words:
        names = words[1 : words.index("}")]
        return words[len(names) + 2 : 2 * len(names) + 2]
    return words[1 : count + 1]


def _number(text: str, path: Path) -> tuple[float, str]:
    """Return number and unit of a value like "0.02muV" or "256Hz"."""
    found = re.fullmatch(r"([+-]?[\d.]+(?:[eE][+-]?\d+)?)\s*(\S*)", text)
    if found is None:
        raise SourceError(f"{path} is damaged: its header has {text!r} where a number must be.")
    return float(found[1]), found[2].replace("mu", "u")


def _scale(header: str, n_channels: int, unit: str | None, path: Path) -> tuple[NDArray[np.float64], str]:
    """Return microvolts a count for each channel; BCI2000 means microvolts where it states no unit."""
    name = "SourceChGain"
    found = [_number(text, path) for text in _values(header, name)]
    if not found:
        return np.full(n_channels, microvolts_per(unit or "uV")), "counts (the header states no gain)"
    said = {one for _, one in found if one}
    factors = [value * microvolts_per(one or unit or "uV", where=name) for value, one in found]
    origin = f"{', '.join(sorted(said))} (stated by {name})" if said else "uV (BCI2000's unit where none is stated)"
    return np.resize(np.array(factors), n_channels), origin


def _states(header: str) -> list[_State]:
    block = header.partition("State Vector Definition ]")[2].partition("[ Parameter Definition")[0]
    found = []
    for line in block.splitlines():
        words = line.split()
        if len(words) >= 5 and all(word.isdecimal() for word in words[1:5]):
            found.append(_State(words[0], int(words[1]), int(words[3]), int(words[4])))
    return found


def _events(states: list[_State], vector: NDArray[np.uint8], sfreq: float) -> list[Event]:
    found = []
    for state in states:
        if state.name in _SYSTEM or state.bits > 32:
            continue
        n_bytes = (state.bit + state.bits + 7) // 8
        if state.byte + n_bytes > vector.shape[1]:
            continue
        packed = np.zeros(vector.shape[0], dtype=np.uint64)
        for index in range(n_bytes):
            packed |= vector[:, state.byte + index].astype(np.uint64) << np.uint64(8 * index)
        values = ((packed >> np.uint64(state.bit)) & np.uint64(2**state.bits - 1)).astype(np.int64)
        starts = np.flatnonzero((np.diff(values, prepend=0) != 0) & (values != 0))
        found += [
            Event(
                name=f"{state.name}/{values[row]}", time=row / sfreq, sample=row, value=int(values[row]),
                source=state.name,
            )
            for row in starts.tolist()
        ]  # fmt: skip
    return sorted(found, key=lambda event: (event.time, event.name))


def _probe(_path: Path, head: bytes) -> bool:
    return head.startswith((b"BCI2000V=", b"HeaderLen="))


BCI2000 = Format(
    name="bci2000", title="BCI2000", suffixes=(".dat",), probe=_probe, read=read_bci2000, options=("sfreq",)
)
