"""Whether a file is whole: readers are patient with files that were cut off, and would give what is left."""

import os
from pathlib import Path

from bcikit.acquisition.edf_header import read_edf_header
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
    header = read_edf_header(path)
    record = header.record_size
    if header.n_records >= 0 and record and size < header.size + header.n_records * record:
        whole = max(0, (size - header.size) // record)
        raise _fail(path, f"it holds {whole} of {header.n_records} records")


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
