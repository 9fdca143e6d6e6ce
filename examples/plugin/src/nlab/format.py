"""A file format: text, "NLAB" and the rate in the first line, then three columns of microvolts."""

from pathlib import Path

import numpy as np

from bcikit.acquisition import FileHints, Format
from bcikit.signal import Recording, SourceError, StreamInfo


def is_ours(path: Path, head: bytes) -> bool:  # noqa: ARG001 - the content decides
    """Return whether the content begins as ours does."""
    return head.startswith(b"NLAB ")


def read(path: Path, reading: FileHints) -> Recording:  # noqa: ARG001 - nothing is in doubt
    """Read a file of the laboratory."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().split()
        try:
            sfreq, data = float(first[1]), np.loadtxt(file, ndmin=2)
        except (ValueError, IndexError) as error:
            raise SourceError(f"{path} is damaged: {error}.") from None
    info = StreamInfo(name=path.name, sfreq=sfreq, ch_names=("C3", "Cz", "C4"))
    return Recording.from_arrays(info, data)


NLAB = Format(name="nlab", title="Text of the laboratory", suffixes=(".nlab",), probe=is_ours, read=read)
