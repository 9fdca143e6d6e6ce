"""The chain of tags of a FIF file, followed once before it is read: MNE follows one that bites its tail for ever."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import IO, cast

from bcikit.signal import SourceError

_TAG = struct.Struct(">iIii")
_MOST = 10_000_000
"""Tags that no file has: a day in blocks of 10 ms."""


def check_fif(path: Path) -> None:
    """Refuse a FIF file whose tags do not lead on from one to the next until the end.

    Raises
    ------
    SourceError
        If one leads back to where the reading came from.
    """
    open_it = gzip.open if path.name.lower().endswith(".gz") else open
    with open_it(path, "rb") as file:
        try:
            problem = _walk(cast("IO[bytes]", file))
        except (OSError, EOFError, zlib.error, struct.error, ValueError) as error:
            problem = f"its tags cannot be followed ({error})"
    if problem:
        raise SourceError(f"{path} is damaged: {problem}.")


def _walk(file: IO[bytes]) -> str:
    place = 0
    for _ in range(_MOST):
        file.seek(place)
        head = file.read(_TAG.size)
        if len(head) < _TAG.size:
            return ""
        _, _, length, following = _TAG.unpack(head)
        end = place + _TAG.size + length
        if length < 0:
            return f"the tag at byte {place} says that it has {length} bytes"
        if following < 0:
            return ""
        if following and following <= place:
            return f"the tag at byte {place} leads back to byte {following}"
        place = following or end
    return "it has more tags than any recording"
