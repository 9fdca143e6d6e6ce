"""Whether a file is whole: readers are patient with files that were cut off, and would give what is left."""

import re
from pathlib import Path

from bcikit.acquisition.edf_header import read_edf_header
from bcikit.acquisition.xdf_chunks import CutOffError, chunks_of
from bcikit.signal import SourceError

_BRAINVISION_WIDTHS = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}


def check_whole(path: Path) -> None:
    """Refuse an EDF, BDF, XDF or BrainVision file that is shorter than it says.

    Raises
    ------
    SourceError
        Saying how much is there, and how to read that.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith((b"0       ", b"\xffBIOSEMI")):
        _check_edf(path)
    elif head.startswith(b"XDF:"):
        _check_xdf(path)
    elif head.lstrip(b"\xef\xbb\xbf").startswith(b"Brain"):
        _check_brainvision(path)


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
    try:
        chunks_of(path)
    except CutOffError as error:
        raise _fail(path, str(error)) from None


def is_there(path: Path) -> bool:
    """Return whether there is such a file; a name that no disk takes is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _check_brainvision(path: Path) -> None:
    """Look whether samples are whole, and whether there are some at the last marker: the header states no length."""
    text = path.read_text(encoding="utf-8", errors="replace")
    keys = ("DataFile", "MarkerFile", "NumberOfChannels", "BinaryFormat", "DataFormat")
    found = {key: re.search(rf"^{key}\s*=\s*(.+?)\s*$", text, re.MULTILINE | re.IGNORECASE) for key in keys}
    values = {key: match[1] for key, match in found.items() if match is not None}
    width = _BRAINVISION_WIDTHS.get(values.get("BinaryFormat", "").upper())
    data = path.parent / values.get("DataFile", "").replace("$b", path.stem)
    if width is None or values.get("DataFormat", "").upper() != "BINARY" or not is_there(data):
        return
    count = values.get("NumberOfChannels", "")
    size, row = data.stat().st_size, width * (int(count) if count.isdecimal() else 0)
    if not row:
        return
    if size % row:
        raise _fail(path, f"{data.name} ends within a sample")
    markers = path.parent / values.get("MarkerFile", "").replace("$b", path.stem)
    if is_there(markers):
        listed = markers.read_text(encoding="utf-8", errors="replace")
        last = max(map(int, re.findall(r"^Mk\d+=[^,\n]*,[^,\n]*,(\d+)", listed, re.MULTILINE)), default=0)
        if last > size // row:
            raise _fail(path, f"{data.name} holds {size // row} samples and there is a marker at {last}")
