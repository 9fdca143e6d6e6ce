"""Encoding of XDF, the Extensible Data Format: no kept Python library writes it.

An XDF file is ``XDF:`` and then chunks, each ``[length of length][length][tag][content]``, so that a file that was cut
off anywhere is whole up to the last complete chunk. Specification: https://github.com/sccn/xdf/wiki/Specifications.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import MICROVOLT, StreamInfo

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = 1, 2, 3, 4, 5, 6
BOUNDARY_MARK = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
"""What a reader looks for behind a damaged place."""

DTYPES = {"double64": "<f8", "float32": "<f4", "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "<i1"}
"""Numpy's word for each numeric channel format of XDF."""

# Characters that XML 1.0 cannot carry in any form.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_text(text: str) -> str:
    """Return the text without the control characters that XML forbids."""
    return _NOT_XML.sub("", text)


def _length(value: int) -> bytes:
    if value < 256:
        return struct.pack("<BB", 1, value)
    if value < 2**32:
        return struct.pack("<BI", 4, value)
    return struct.pack("<BQ", 8, value)


def encode_chunk(tag: int, content: bytes, stream: int | None = None) -> bytes:
    """Return one chunk: its length, tag, stream number where the tag has one, and content."""
    head = struct.pack("<H", tag) if stream is None else struct.pack("<HI", tag, stream)
    return _length(len(head) + len(content)) + head + content


def encode_file_header() -> bytes:
    """Return the magic bytes and the file header."""
    root = Element("info")
    SubElement(root, "version").text = "1.0"
    return MAGIC + encode_chunk(FILE_HEADER, b'<?xml version="1.0"?>' + tostring(root))


def encode_stream_header(
    stream: int,
    *,
    name: str,
    kind: str,
    channel_format: str,
    labels: Sequence[str],
    sfreq: float = 0.0,
    source_id: str = "",
    info: StreamInfo | None = None,
) -> bytes:
    """Return the header chunk of a stream.

    Parameters
    ----------
    stream : int
        Number of the stream in the file.
    name, kind : str
        Name and content type ("EEG", "Markers").
    channel_format : str
        "string" or one of `DTYPES`.
    labels : sequence of str
        One a channel.
    sfreq : float
        Nominal rate in Hz; 0 for an irregular stream.
    source_id : str
        What stays the same when the stream comes back.
    info : StreamInfo or None
        Gives types, units, positions (millimetres: right, front, up) and the reference.
    """
    root = Element("info")
    fields = {
        # pyxdf cannot read a stream without a name.
        "name": clean_text(name) or "stream",
        "type": kind,
        "channel_count": str(len(labels)),
        "nominal_srate": repr(float(sfreq)),
        "channel_format": channel_format,
        "source_id": source_id,
        "version": "1.0",
    }
    for key, value in fields.items():
        SubElement(root, key).text = clean_text(value)
    description = SubElement(root, "desc")
    if info is not None:
        SubElement(SubElement(description, "reference"), "label").text = clean_text(info.reference)
        SubElement(SubElement(description, "acquisition"), "model").text = clean_text(info.device)
    channels = SubElement(description, "channels")
    for index, label in enumerate(labels):
        channel = SubElement(channels, "channel")
        SubElement(channel, "label").text = clean_text(label)
        if info is not None:
            _describe_channel(channel, info, index)
    return encode_chunk(STREAM_HEADER, b'<?xml version="1.0"?>' + tostring(root, encoding="utf-8"), stream)


def _describe_channel(channel: Element, info: StreamInfo, index: int) -> None:
    SubElement(channel, "type").text = info.ch_types[index].upper()
    SubElement(channel, "unit").text = "microvolts" if info.unit == MICROVOLT else clean_text(info.unit)
    if info.positions is not None and not np.isnan(info.positions[index]).any():
        location = SubElement(channel, "location")
        for axis, metres in zip("XYZ", info.positions[index], strict=True):
            SubElement(location, axis).text = repr(metres * 1000.0)


def sample_dtype(channel_format: str, n_channels: int) -> np.dtype[Any]:
    """Return how one numeric sample with its own time stamp lies in the file."""
    return np.dtype([("size", "u1"), ("time", "<f8"), ("values", DTYPES[channel_format], (n_channels,))])


def encode_samples(
    stream: int, times: NDArray[np.float64], values: NDArray[Any], *, channel_format: str = "double64"
) -> bytes:
    """Return a chunk of numeric samples, each with its own time stamp, so that both come back bit for bit.

    Parameters
    ----------
    times : ndarray of float64, shape (n_times,)
        Seconds.
    values : ndarray, shape (n_times, n_channels)
        Samples.
    """
    rows = np.empty(values.shape[0], dtype=sample_dtype(channel_format, values.shape[1]))
    rows["size"] = 8
    rows["time"] = times
    rows["values"] = values
    return encode_chunk(SAMPLES, _length(len(rows)) + rows.tobytes(), stream)


def encode_texts(stream: int, times: Sequence[float], texts: Sequence[str]) -> bytes:
    """Return a chunk of one-channel strings with their time stamps."""
    parts = [_length(len(texts))]
    for time, text in zip(times, texts, strict=True):
        raw = text.encode(errors="replace")
        parts += [struct.pack("<Bd", 8, time), _length(len(raw)), raw]
    return encode_chunk(SAMPLES, b"".join(parts), stream)


def encode_boundary() -> bytes:
    """Return a boundary, where a reader finds its way again behind a damaged place."""
    return encode_chunk(BOUNDARY, BOUNDARY_MARK)


def encode_clock_offset(stream: int, time: float, offset: float) -> bytes:
    """Return a measurement of a stream's clock: `offset` seconds are to be added to its stamps at `time`."""
    return encode_chunk(CLOCK_OFFSET, struct.pack("<dd", time, offset), stream)


def encode_stream_footer(stream: int, summary: Mapping[str, float | int]) -> bytes:
    """Return the footer of a stream: first_timestamp, last_timestamp, sample_count."""
    root = Element("info")
    for key, value in summary.items():
        SubElement(root, key).text = repr(value)
    return encode_chunk(STREAM_FOOTER, b'<?xml version="1.0"?>' + tostring(root), stream)
