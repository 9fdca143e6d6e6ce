"""Checksums of a session: one for each append to the XDF file, in an index of its own, and one for each other file.

Those of the files of lines are in the header, from when the session is closed.
"""

import mmap
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcikit.acquisition.xdf_chunks import WINDOW, let_go
from bcikit.recording.jsonlines import encode_line, read_lines
from bcikit.recording.layout import INDEX, RECORDING, SIGNALS
from bcikit.signal import RecordingError

LINES = "lines"
"""Key of the header: size and CRC-32 of each file of lines, by its name."""

_LINE_FILE = re.compile(r"[a-z0-9-]+\.jsonl")

PENDING_APPENDS = 64
PENDING_BYTES = 1 << 18
"""When so much has no line in the index yet, one is written."""


@dataclass(frozen=True, slots=True)
class Part:
    """One append: where it lies in the file, in bytes, and its CRC-32."""

    start: int
    stop: int
    crc: int

    def fits(self, raw: memoryview, start: int | None = None) -> bool:
        """Return whether the bytes there, or from another `start` on, are those that were written."""
        begin = self.start if start is None else start
        end = begin + self.stop - self.start
        return begin >= 0 and end <= len(raw) and zlib.crc32(raw[begin:end]) == self.crc


class Index:
    """Collects checksums of appends until there are enough for a line.

    Parameters
    ----------
    start : int
        Where the first append lies.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = self._end = start
        self._sizes: list[int] = []
        self._crcs: list[int] = []

    def add(self, data: bytes) -> bool:
        """Take an append; return whether `line` is due."""
        self._sizes.append(len(data))
        self._crcs.append(zlib.crc32(data))
        self._end += len(data)
        return len(self._sizes) >= PENDING_APPENDS or self._end - self._start >= PENDING_BYTES

    def line(self) -> bytes:
        """Return the line for what was collected, and begin anew; empty if there is nothing."""
        if not self._sizes:
            return b""
        line = encode_line({"start": self._start, "sizes": self._sizes, "crc32": self._crcs})
        self._start, self._sizes, self._crcs = self._end, [], []
        return line


def heading(made: str) -> bytes:
    """Return the first line of an index that a recovery made, which ties it to the header that it wrote."""
    return encode_line({"made": made})


def read_parts(folder: Path, header: Mapping[str, Any]) -> list[Part]:
    """Return the parts of a session's index, in order; none where the index belongs to another header.

    Raises
    ------
    RecordingError
        If a whole line is damaged.
    """
    lines = read_lines(folder / INDEX)
    made = lines.pop(0)["made"] if lines and "made" in lines[0] else ""
    if made != header.get("index", ""):
        return []
    return [part for line in lines for part in _parts_of(line)]


def _parts_of(line: Mapping[str, Any]) -> list[Part]:
    start: Any = line.get("start")
    sizes: Any = line.get("sizes")
    crcs: Any = line.get("crc32")
    if not (_numbers([start]) and _numbers(sizes) and _numbers(crcs) and len(sizes) == len(crcs)):
        raise RecordingError(f"{INDEX} is damaged: {str(line)[:80]} is no line of it.")
    parts = []
    for size, crc in zip(sizes, crcs, strict=True):
        parts.append(Part(start, start + size, crc))
        start += size
    return parts


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 62 for value in values)


def signal_damage(folder: Path, header: Mapping[str, Any], raw: memoryview) -> str:
    """Return how the signals of a session differ from what was written, and what to do; empty if they do not.

    A session of an earlier version has no checksums and is taken as it is; one that was cut off has none for its last
    moment.
    """
    if header.get("checksums") != INDEX:
        return ""
    mend = f"What is whole is kept by: bcikit recover {folder}"
    try:
        parts = read_parts(folder, header)
    except RecordingError as error:
        return f"{error} {mend}"
    # A session that was cut off: its index may have reached the disk before its signals did.
    cut = header["status"] == RECORDING
    size = None if cut else header.get("signals_bytes")
    if not parts and size is not None:
        return f"{folder} has no {INDEX} of its own, so that nobody can say whether its signals are whole. {mend}"
    broken = [part for part in _looked_at(parts, raw) if not part.fits(raw) and not (cut and part.stop > len(raw))]
    end = max((part.stop for part in parts), default=0)
    if broken:
        return (
            f"{folder / SIGNALS} is damaged: {len(broken)} of {len(parts)} blocks are not as they were written, "
            f"the first at byte {broken[0].start}. {mend}"
        )
    if size is not None and not size == end == len(raw):
        return f"{folder / SIGNALS} has {len(raw)} bytes, {end} with a checksum; it was closed with {size}. {mend}"
    return ""


def changed_lines(folder: Path, header: Mapping[str, Any]) -> list[str]:
    """Return which files of lines are not as they were when the session was closed.

    A session that was not closed, or of an earlier version, says nothing of them.
    """
    told = header.get(LINES)
    if header["status"] == RECORDING or not isinstance(told, Mapping):
        return []
    # A header may come from anybody: what it names is a file of lines in the folder itself, or none.
    return [name for name, was in told.items() if not _LINE_FILE.fullmatch(name) or line_sum(folder / name) != was]


def line_damage(folder: Path, header: Mapping[str, Any]) -> str:
    """Return which files of lines differ from what was written, and what to do; empty if none does."""
    wrong = changed_lines(folder, header)
    if not wrong:
        return ""
    return (
        f"{folder} is damaged: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not as written. "
        f"What there is is kept, and marked as recovered, by: bcikit recover {folder}"
    )


def line_sum(path: Path) -> list[int] | None:
    """Return size and CRC-32 of a file; None where there is none."""
    if path.is_symlink() or not path.is_file():
        return None
    raw = path.read_bytes()
    return [len(raw), zlib.crc32(raw)]


def _looked_at(parts: list[Part], raw: memoryview) -> Iterator[Part]:
    """Yield parts one by one; of a mapped file, the memory of those that were looked at is given back."""
    done = 0
    for part in parts:
        yield part
        if isinstance(raw.obj, mmap.mmap) and part.stop - done >= WINDOW:
            done = let_go(raw.obj, done, min(part.stop, len(raw)))
