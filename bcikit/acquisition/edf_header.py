"""The header of EDF and BDF files, for what MNE does not tell of them: units, interruptions, whether all is there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.rows import guess_encoding
from bcikit.signal import ArgumentError, SourceError

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
    scales, offsets : tuple of float
        Physical value of one step of each signal, and of the digital 0; NaN where the header does not say.
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
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
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
                for at, width in ((0, 16), (96, 8), (216, 8), (104, 8), (112, 8), (120, 8), (128, 8))
            ]
            if n_signals < 1 or len(signals) < n_signals * 256:
                raise ValueError
            labels, units = (tuple(item.decode("latin-1").strip() for item in field) for field in fields[:2])
            scales, offsets = zip(*map(_line, *fields[3:]), strict=True)
            return EdfHeader(
                size=int(head[184:192]),
                interrupted=head[192:197] in (b"EDF+D", b"BDF+D"),
                n_records=int(head[236:244]),
                seconds=float(head[244:252]),
                labels=labels,
                units=units,
                lengths=tuple(int(item) for item in fields[2]),
                scales=scales,
                offsets=offsets,
                width=3 if head[:1] == b"\xff" else 2,
            )
        except (ValueError, OverflowError):
            kind = "BDF" if head[:1] == b"\xff" else "EDF"
            raise SourceError(f"{path} is no {kind} file, or damaged: its header is not readable.") from None


def _line(*texts: bytes) -> tuple[float, float]:
    """Return step and offset from physical minimum and maximum, digital minimum and maximum (EDF, 2.1.3)."""
    try:
        low, high, first, last = (float(text.replace(b",", b".")) for text in texts)
        step = (high - low) / (last - first)
    except (ValueError, ZeroDivisionError):
        return float("nan"), float("nan")
    return step, low - first * step


@dataclass(frozen=True, slots=True)
class EdfAnnotation:
    """One annotation of EDF+ or BDF+: onset and duration in seconds from the first record, its bytes as they are."""

    onset: float
    duration: float
    raw: bytes


def read_annotations(path: Path, header: EdfHeader) -> tuple[NDArray[np.float64] | None, list[EdfAnnotation]]:
    """Return when each record begins (None where nothing says) and all annotations, of all annotation signals.

    Raises
    ------
    SourceError
        If a record of an interrupted file does not say when it begins.
    """
    signals = [i for i, label in enumerate(header.labels) if label in ANNOTATIONS]
    if not signals:
        if header.interrupted:
            raise SourceError(f"{path} is interrupted (EDF+D) but has no annotations that say when its records begin.")
        return None, []
    starts = np.concatenate([[0], np.cumsum(header.lengths)]) * header.width
    onsets: list[float] = []
    found: list[EdfAnnotation] = []
    first, last = int(starts[signals[0]]), int(starts[signals[-1] + 1])
    whole = (path.stat().st_size - header.size) // max(1, header.record_size)
    with path.open("rb", buffering=0) as file:
        for number in range(whole):
            # Of a record of many channels only this part is read.
            file.seek(header.size + number * header.record_size + first)
            record = file.read(last - first)
            for place, signal in enumerate(signals):
                lists = record[starts[signal] - first : starts[signal + 1] - first].split(b"\0")
                for at, item in enumerate(part for part in lists if part):
                    parsed = _parse(item)
                    if parsed is None:
                        if place == 0 and at == 0 and header.interrupted:
                            raise SourceError(f"{path} is damaged: record {len(onsets)} does not say when it begins.")
                        continue
                    onset, duration, texts = parsed
                    if place == 0 and at == 0:
                        onsets.append(onset)
                        texts = texts[1:] if texts and not texts[0] else texts
                    found += [EdfAnnotation(onset, duration, text) for text in texts if text]
    origin = onsets[0] if onsets else 0.0
    moved = [EdfAnnotation(one.onset - origin, one.duration, one.raw) for one in found]
    return (np.array(onsets) if onsets else None), moved


def _parse(item: bytes) -> tuple[float, float, list[bytes]] | None:
    """Return onset, duration and texts of one time-stamped list; None if it is none."""
    head, _, rest = item.partition(b"\x14")
    onset, _, duration = head.partition(b"\x15")
    try:
        return float(onset), float(duration) if duration else 0.0, rest.split(b"\x14")
    except ValueError:
        return None


def decode_texts(raw: list[bytes], encoding: str | None) -> tuple[list[str], str]:
    """Return the texts of annotations and the encoding they are in: as stated, else UTF-8, GBK or Latin-1.

    Raises
    ------
    ArgumentError
        If the stated encoding is none, or not theirs.
    """
    wanted = encoding
    if wanted is None:
        joined = b" ".join(raw)
        try:
            joined.decode("utf-8")
            wanted = "utf-8"
        except UnicodeDecodeError:
            wanted = guess_encoding(joined)
    try:
        return [text.decode(wanted) for text in raw], wanted
    except (LookupError, UnicodeDecodeError) as error:
        raise ArgumentError(f"encoding is {encoding!r}: {error}; for example utf-8, latin-1, gbk.") from None
