"""The structure of a MATLAB 5 file, looked at before it is read: SciPy's reader ends the whole program on some damage.

Source: MathWorks, "MAT-File Format", chapter "Level 5 MAT-File Format".
"""

import struct
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

from bcikit.signal import SourceError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8, 16: 1, 17: 2, 18: 4}
"""Bytes of one number of each data type."""

_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED, _UTF8 = 1, 5, 6, 14, 15, 16
_CELL, _STRUCT, _OBJECT, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 5, 16, 17
_DEEPEST = 32
_MOST = 1 << 40
"""Entries that no array of a recording has."""

_GROWTH = 1100
"""Deflate makes a byte into at most 1,032."""


@dataclass(slots=True)
class _Reader:
    """A stretch of bytes that is read element by element."""

    raw: memoryview
    order: str
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.raw) - self.at

    def element(self) -> tuple[int, memoryview]:
        """Return type and content of the next element."""
        if self.left < 8:
            raise _BrokenError("it ends inside an element")
        first, size = struct.unpack_from(f"{self.order}II", self.raw, self.at)
        if first >> 16:
            kind, size = first & 0xFFFF, first >> 16
            if size > 4:
                raise _BrokenError("a small element is larger than it can be")
            content = self.raw[self.at + 4 : self.at + 4 + size]
            self.at += 8
            return kind, content
        start = self.at + 8
        if size > len(self.raw) - start:
            raise _BrokenError(f"an element says that it has {size} bytes, where {len(self.raw) - start} are left")
        self.at = start + size + (0 if first == _COMPRESSED else -size % 8)
        return first, self.raw[start : start + size]

    def numbers(self, *kinds: int) -> tuple[int, ...]:
        """Return the next element as whole numbers of 32 bits."""
        kind, content = self.element()
        if kind not in kinds or len(content) % 4:
            raise _BrokenError(f"an element of type {kind} stands where numbers must be")
        return struct.unpack(f"{self.order}{len(content) // 4}{'I' if kind == _UINT32 else 'i'}", content)


class _BrokenError(Exception):
    """What is wrong."""


def check_mat(path: Path) -> None:
    """Refuse a MATLAB 5 file whose parts do not fit into each other; files of other versions are left alone.

    Raises
    ------
    SourceError
        If the file is damaged; the message says how.
    """
    raw = path.read_bytes()
    mark = raw[126:128]
    if len(raw) < 136 or mark not in (b"IM", b"MI") or raw[124:126] in (b"\x00\x02", b"\x02\x00"):
        return
    reader = _Reader(memoryview(raw), "<" if mark == b"IM" else ">", 128)
    try:
        while reader.left > 0:
            kind, content = reader.element()
            if kind == _COMPRESSED:
                inner = _Reader(memoryview(_inflated(content)), reader.order)
                kind, content = inner.element()
            if kind != _MATRIX:
                raise _BrokenError(f"an element of type {kind} stands where an array must be")
            _check_matrix(_Reader(content, reader.order), 0)
    except (_BrokenError, struct.error) as error:
        raise SourceError(f"{path} is damaged: {error}.") from None


def _inflated(content: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(content, _GROWTH * len(content) + 64)
    except zlib.error as error:
        raise _BrokenError(f"a packed array cannot be unpacked ({error})") from None
    if not unpacker.eof:
        raise _BrokenError("a packed array is cut off")
    return found


def _check_matrix(reader: _Reader, depth: int) -> None:
    """Check one array: flags, shape, name, and what its class asks for."""
    if not reader.left:
        # An empty cell.
        return
    if depth > _DEEPEST:
        raise _BrokenError("arrays are nested too deeply")
    flags = reader.numbers(_UINT32)
    if len(flags) != 2:
        raise _BrokenError("an array has no flags")
    kind = flags[0] & 0xFF
    if kind == _OPAQUE:
        _check_opaque(reader, depth)
        return
    shape = reader.numbers(_INT32)
    if len(shape) < 2 or len(shape) > 32 or any(side < 0 for side in shape) or prod(shape) > _MOST:
        raise _BrokenError(f"an array has the shape {'x'.join(map(str, shape[:8]))}")
    _text(reader)
    count = prod(shape)
    if kind == _CELL:
        _children(reader, count, depth)
    elif kind in (_STRUCT, _OBJECT):
        if kind == _OBJECT:
            _text(reader)
        (width,) = reader.numbers(_INT32) or (0,)
        names = _text(reader)
        if not 0 < width <= 256 or len(names) % width:
            raise _BrokenError("the fields of a structure have no names")
        _children(reader, count * (len(names) // width), depth)
    elif kind == _FUNCTION:
        _children(reader, 1, depth)
    elif kind == _SPARSE:
        _check_sparse(reader, shape, complex_=bool(flags[0] & 0x800))
    elif 4 <= kind <= 15:
        for _ in range(2 if flags[0] & 0x800 and kind != 4 else 1):
            _values(reader, count, exact=kind != 4)
    else:
        raise _BrokenError(f"an array is of class {kind}")


def _check_opaque(reader: _Reader, depth: int) -> None:
    for _ in range(3):
        _text(reader)
    _children(reader, 1, depth)


def _check_sparse(reader: _Reader, shape: tuple[int, ...], *, complex_: bool) -> None:
    rows, columns = reader.numbers(_INT32, _UINT32), reader.numbers(_INT32, _UINT32)
    if len(shape) != 2 or len(columns) != shape[1] + 1 or columns[0] or columns[-1] > len(rows):
        raise _BrokenError("a sparse array does not fit its own indices")
    if any(not 0 <= row < shape[0] for row in rows[: columns[-1]]) or list(columns) != sorted(columns):
        raise _BrokenError("a sparse array does not fit its own indices")
    for _ in range(2 if complex_ else 1):
        _values(reader, columns[-1], exact=False)


def _children(reader: _Reader, count: int, depth: int) -> None:
    if 8 * count > reader.left:
        raise _BrokenError(f"it says that it has {count} arrays within {reader.left} bytes")
    for _ in range(count):
        kind, content = reader.element()
        if kind != _MATRIX:
            raise _BrokenError(f"an element of type {kind} stands where an array must be")
        _check_matrix(_Reader(content, reader.order), depth + 1)


def _text(reader: _Reader) -> bytes:
    kind, content = reader.element()
    if kind not in (_INT8, 2, _UTF8):
        raise _BrokenError(f"an element of type {kind} stands where a name must be")
    return bytes(content)


def _values(reader: _Reader, count: int, *, exact: bool) -> None:
    kind, content = reader.element()
    if kind not in _SIZES:
        raise _BrokenError(f"numbers are of type {kind}")
    held = len(content) // _SIZES[kind]
    if len(content) % _SIZES[kind] or (exact and held != count) or held < (0 if kind >= 16 else count):
        raise _BrokenError(f"an array of {count} numbers holds {held}")
