"""Whether a file is whole: readers are patient with files that were cut off, and would give what is left."""

import os
from pathlib import Path

from bcikit.signal import SourceError

_XDF_LENGTHS = {1: 1, 4: 4, 8: 8}


def check_whole(path: Path) -> None:
    """Refuse an EDF, BDF or XDF file that is shorter than it says.

    Raises
    ------
    SourceError
        Saying how much is there, and how to read that.
    """
    suffix = path.suffix.lower()
    if suffix in (".edf", ".bdf"):
        _check_edf(path)
    elif suffix == ".xdf":
        _check_xdf(path)


def _fail(path: Path, what: str) -> SourceError:
    return SourceError(f"{path} is truncated: {what}. To read what is there: '{path}?partial=true'.")


def _check_edf(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(256)
        try:
            header_bytes, n_records, n_signals = int(head[184:192]), int(head[236:244]), int(head[252:256])
            signals = file.read(n_signals * 256)
            start = n_signals * 216
            per_record = sum(int(signals[start + 8 * i : start + 8 * i + 8]) for i in range(n_signals))
        except ValueError:
            raise SourceError(f"{path} is no {path.suffix[1:].upper()} file: its header is not readable.") from None
    width = 3 if path.suffix.lower() == ".bdf" else 2
    record = per_record * width
    # -1 is what a writer leaves that did not come to its end.
    if n_records >= 0 and record and size < header_bytes + n_records * record:
        whole = max(0, (size - header_bytes) // record)
        raise _fail(path, f"it holds {whole} of {n_records} records")


def _check_xdf(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"XDF:":
            raise SourceError(f"{path} is no XDF file: it does not begin with 'XDF:'.")
        while (at := file.tell()) < size:
            width = _XDF_LENGTHS.get(file.read(1)[0])
            if width is None:
                raise SourceError(f"{path} is damaged at byte {at}: no chunk begins there.")
            length = int.from_bytes(file.read(width), "little")
            if file.tell() + length > size:
                raise _fail(path, f"it ends within the chunk that begins at byte {at} of {size}")
            file.seek(length, os.SEEK_CUR)
