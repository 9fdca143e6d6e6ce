"""The header of EDF and BDF files, for what MNE does not tell of them: units, interruptions, whether all is there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import SourceError

ANNOTATIONS = ("EDF Annotations", "BDF Annotations")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdfHeader:
    """What the header says.

    Attributes
    ----------
    size : int
        Bytes of the header.
    interrupted : bool
        True for EDF+D and BDF+D: there may be time between two records.
    n_records : int
        Records; -1 where the writer did not come to its end.
    seconds : float
        Length of a record.
    labels, units : tuple of str
        Of each signal, annotations included.
    lengths : tuple of int
        Samples of each signal in a record.
    width : int
        Bytes of a sample.
    """

    size: int
    interrupted: bool
    n_records: int
    seconds: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    lengths: tuple[int, ...]
    width: int

    @property
    def record_size(self) -> int:
        """Bytes of a record."""
        return sum(self.lengths) * self.width


def read_edf_header(path: Path) -> EdfHeader:
    """Return the header of an EDF or BDF file.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(256)
        try:
            n_signals = int(head[252:256])
            signals = file.read(n_signals * 256)
            fields = [
                [signals[at * n_signals + width * i : at * n_signals + width * (i + 1)] for i in range(n_signals)]
                for at, width in ((0, 16), (96, 8), (216, 8))
            ]
            labels, units = (tuple(item.decode("latin-1").strip() for item in field) for field in fields[:2])
            return EdfHeader(
                size=int(head[184:192]),
                interrupted=head[192:197] in (b"EDF+D", b"BDF+D"),
                n_records=int(head[236:244]),
                seconds=float(head[244:252]),
                labels=labels,
                units=units,
                lengths=tuple(int(item) for item in fields[2]),
                width=3 if path.suffix.lower() == ".bdf" else 2,
            )
        except ValueError:
            raise SourceError(f"{path} is no {path.suffix[1:].upper()} file: its header is not readable.") from None


def record_onsets(path: Path, header: EdfHeader) -> NDArray[np.float64]:
    """Return when each record begins, in seconds: what its first annotation says, as EDF+ asks of it.

    Raises
    ------
    SourceError
        If a record does not say.
    """
    signal = next((i for i, label in enumerate(header.labels) if label in ANNOTATIONS), None)
    if signal is None:
        raise SourceError(f"{path} is interrupted (EDF+D) but has no annotations that say when its records begin.")
    start = sum(header.lengths[:signal]) * header.width
    stop = start + header.lengths[signal] * header.width
    onsets = []
    with path.open("rb") as file:
        file.seek(header.size)
        while len(record := file.read(header.record_size)) == header.record_size:
            text = record[start:stop].partition(b"\x14")[0]
            try:
                onsets.append(float(text))
            except ValueError:
                raise SourceError(f"{path} is damaged: record {len(onsets)} does not say when it begins.") from None
    return np.array(onsets)
