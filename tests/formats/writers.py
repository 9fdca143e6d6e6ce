"""Small writers of files as other programs write them, from the public specifications of the formats."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

CODES = {"float32": "<f4", "double64": "<f8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}


def _length(value: int) -> bytes:
    if value < 256:
        return struct.pack("<BB", 1, value)
    return struct.pack("<BI", 4, value) if value < 2**32 else struct.pack("<BQ", 8, value)


def _chunk(tag: int, content: bytes) -> bytes:
    return _length(len(content) + 2) + struct.pack("<H", tag) + content


class Xdf:
    """An XDF file, stream by stream."""

    def __init__(self) -> None:
        self.parts = [b"XDF:", _chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')]
        self.n = 0

    def stream(
        self, name: str, kind: str, rate: float, stamps: Sequence[float], values: Any, *, fmt: str = "float32",
        labels: Sequence[str] = (), units: Sequence[str] = (), types: Sequence[str] = (), source_id: str = "",
    ) -> "Xdf":  # fmt: skip
        self.n += 1
        texts = fmt == "string"
        rows = [value if isinstance(value, list | tuple) else [value] for value in values] if texts else values
        count = len(rows[0]) if texts and len(rows) else 1 if texts else np.atleast_2d(rows).shape[1]
        channels = "".join(
            f"<channel><label>{label}</label>"
            + (f"<unit>{units[i]}</unit>" if units else "")
            + (f"<type>{types[i]}</type>" if types else "")
            + "</channel>"
            for i, label in enumerate(labels)
        )
        header = (
            f'<?xml version="1.0"?><info><name>{name}</name><type>{kind}</type><channel_count>{count}</channel_count>'
            f"<nominal_srate>{rate}</nominal_srate><channel_format>{fmt}</channel_format>"
            f"<source_id>{source_id}</source_id>"
            f"<desc><channels>{channels}</channels></desc></info>"
        )
        self.parts.append(_chunk(2, struct.pack("<I", self.n) + header.encode()))
        for start in range(0, len(rows), 200):
            body = b""
            block = rows[start : start + 200]
            for stamp, row in zip(stamps[start : start + 200], block, strict=True):
                body += b"\x08" + struct.pack("<d", stamp)
                if texts:
                    body += b"".join(_length(len(word.encode())) + word.encode() for word in row)
                else:
                    body += np.atleast_1d(np.asarray(row, dtype=CODES[fmt])).tobytes()
            self.parts.append(_chunk(3, struct.pack("<I", self.n) + _length(len(block)) + body))
        return self

    def write(self, path: Path) -> Path:
        path.write_bytes(b"".join(self.parts))
        return path


def edf(
    path: Path, channels: Sequence[tuple[Any, Any, np.ndarray]], *, rate: int = 100, bdf: bool = False, kind: str = "",
    annotations: Sequence[tuple[float, bytes]] = (), onsets: Sequence[float] | None = None, records: int | None = None,
) -> Path:  # fmt: skip
    """Write EDF+ or BDF+ of one-second records; digital is physical value. A channel: label, unit, whole numbers."""
    width = 3 if bdf else 2
    top = 2 ** (8 * width - 1)
    n_records = records or len(channels[0][2]) // rate
    rows = list(channels)
    with_texts = bool(annotations) or onsets is not None or not channels
    labels = [label for label, _, _ in rows] + (["BDF Annotations" if bdf else "EDF Annotations"] if with_texts else [])
    units = [unit for _, unit, _ in rows] + ([""] if with_texts else [])
    lengths = [rate] * len(rows) + ([80] if with_texts else [])
    n = len(labels)

    def text(value: Any, size: int) -> bytes:
        raw = value if isinstance(value, bytes) else str(value).encode("latin-1")
        return raw[:size].ljust(size)

    head = (b"\xffBIOSEMI" if bdf else text("0", 8)) + text("X X X X", 80) + text("Startdate X X X X", 80)
    head += text("01.01.20", 8) + text("00.00.00", 8) + text(256 * (n + 1), 8)
    head += text(kind or (f"{'BDF' if bdf else 'EDF'}+C" if with_texts else ""), 44) + text(n_records, 8)
    head += text(1, 8) + text(n, 4)
    for size, values in (
        (16, labels), (80, [""] * n), (8, units), (8, [-top] * n), (8, [top - 1] * n), (8, [-top] * n),
        (8, [top - 1] * n), (80, [""] * n), (8, lengths), (32, [""] * n),
    ):  # fmt: skip
        head += b"".join(text(value, size) for value in values)
    body = []
    waiting = list(annotations)
    for record in range(n_records):
        for _, _, values in rows:
            block = np.asarray(values[record * rate : (record + 1) * rate], dtype="<i4")
            body.append(block.astype("<i2").tobytes() if not bdf else block.view("u1").reshape(-1, 4)[:, :3].tobytes())
        if with_texts:
            begin = record if onsets is None else onsets[record]
            listed = f"+{begin:g}\x14\x14\0".encode()
            while waiting and (waiting[0][0] < begin + 1 or record == n_records - 1):
                onset, words = waiting.pop(0)
                listed += f"+{onset:g}\x14".encode() + words + b"\x14\0"
            body.append(listed.ljust(80 * width, b"\0"))
    path.write_bytes(head + b"".join(body))
    return path


def brainvision(
    folder: Path, name: str, channels: Sequence[tuple[str, str, str]], data: np.ndarray, *, rate: float = 250.0,
    markers: Sequence[str] = (), coordinates: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Write BrainVision in 16 bits. A channel is name, resolution and unit."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.eeg").write_bytes(np.asarray(data).astype("<i2").tobytes())
    head = (
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={name}.eeg\nMarkerFile={name}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(channels)}\nSamplingInterval={1e6 / rate:g}\n[Binary Infos]\nBinaryFormat=INT_16\n"
        "[Channel Infos]\n"
    )
    head += "".join(f"Ch{i}={label},,{step},{unit}\n" for i, (label, step, unit) in enumerate(channels, start=1))
    if coordinates:
        head += "[Coordinates]\n" + "".join(f"Ch{i}={xyz}\n" for i, xyz in enumerate(coordinates, start=1))
    (folder / f"{name}.vhdr").write_text(head, encoding="utf-8")
    lines = "".join(f"Mk{i}={marker}\n" for i, marker in enumerate(markers, start=1))
    (folder / f"{name}.vmrk").write_text(
        f"Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile={name}.eeg\n"
        f"[Marker Infos]\n{lines}",
        encoding="utf-8",
    )
    return folder / f"{name}.vhdr"


def openbci(path: Path, rows: Sequence[str], *, titles: str = "", head: str = "") -> Path:
    """Write OpenBCI GUI text of 8 channels."""
    head = head or (
        "%OpenBCI Raw EXG Data\n%Number of channels = 8\n%Sample Rate = 250 Hz\n"
        "%Board = OpenBCI_GUI$BoardCytonSerial\n"
    )  # fmt: skip
    path.write_text(head + titles + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def table(path: Path, titles: str, rows: Sequence[str]) -> Path:
    path.write_text(titles + "\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def bci2000(path: Path, counts: np.ndarray, code: np.ndarray, *, gain: str = "0.02", offset: str = "50") -> Path:
    """Write a BCI2000 file of two channels with one state of 8 bits."""
    body = [
        "[ State Vector Definition ]", "Running 1 1 0 0", "StimulusCode 8 0 1 0", "[ Parameter Definition ]",
        "Source int SamplingRate= 256 256 1 4000", "Source:AD int SourceCh= 2 16 1 128",
        "Source:AD list ChannelNames= 2 C3 C4", f"Filtering floatlist SourceChGain= 2 {gain} {gain}",
        f"Filtering floatlist SourceChOffset= 2 {offset} {offset}", "",
    ]  # fmt: skip
    first = "BCI2000V= 1.1 HeaderLen= {:6d} SourceCh= 2 StatevectorLen= 2 DataFormat= int16\r\n"
    rest = "\r\n".join(body) + "\r\n"
    head = (first.format(len(first.format(0)) + len(rest)) + rest).encode()
    rows = b"".join(row.astype("<i2").tobytes() + bytes([1, int(c)]) for row, c in zip(counts, code, strict=True))
    path.write_bytes(head + rows)
    return path
