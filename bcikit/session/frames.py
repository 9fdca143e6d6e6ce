"""Frames of the channel: a length, a kind, a payload; signals as binary numbers."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Chunk, DataError, Flag, Health
from bcikit.signal.messages import Filtered, Raw

HELLO, WELCOME, SAID, ORDER, ANSWER, SIGNAL = b"H", b"W", b"J", b"O", b"A", b"S"

_HEAD = struct.Struct(">Ic")
_SIGNAL = struct.Struct("<BBHIIIqqqdd")
HEAD_BYTES = _HEAD.size

LARGEST_FROM_PEER = 65536
"""Longest frame that a session takes from a peer."""

LARGEST_FROM_SESSION = 64 * 2**20
"""Longest frame that a peer takes from a session."""


def frame(kind: bytes, payload: bytes) -> bytes:
    """Return a frame."""
    return _HEAD.pack(len(payload), kind) + payload


class Unframer:
    """Cuts frames out of what comes, whatever the pieces.

    Parameters
    ----------
    largest : int
        Bytes that a payload may have.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Take bytes and return the frames that are whole now, as ``(kind, payload)``.

        Raises
        ------
        DataError
            If a frame says that it is longer than allowed.
        """
        self._bytes += data
        found = []
        at = 0
        while len(self._bytes) - at >= HEAD_BYTES:
            length, kind = _HEAD.unpack_from(self._bytes, at)
            if length > self._largest:
                raise DataError(f"A frame has {length} bytes; allowed: {self._largest}.")
            end = at + HEAD_BYTES + length
            if len(self._bytes) < end:
                break
            found.append((kind, bytes(self._bytes[at + HEAD_BYTES : end])))
            at = end
        del self._bytes[:at]
        return found


@dataclass(frozen=True, slots=True)
class Signal:
    """A chunk as it came over the channel; ``age`` is how long ago the session had it, in seconds."""

    kind: str
    chunk: Chunk
    sequence: int
    age: float


def pack_signal(message: Raw | Filtered, *, sequence: int, age: float) -> bytes:
    """Return the payload of a signal frame.

    All numbers are little endian: one byte that is 1 for the filtered stream, one that is 1 where a mask follows, the
    flags (uint16), samples, channels and lost samples (uint32), sequence, first sample, a reserved number (int64), the
    age of the link and the age of the message (float64, s); then the times (float64), the samples (float64, time by
    time) and the mask (uint8).
    """
    chunk, health = message.chunk, message.chunk.health
    mask = health.mask
    head = _SIGNAL.pack(
        message.type == "filtered",
        mask is not None,
        int(health.flags) & 0xFFFF,
        chunk.n_times,
        chunk.n_channels,
        min(int(health.lost), 0xFFFFFFFF),
        sequence,
        chunk.first_sample,
        0,
        health.age,
        age,
    )
    parts = [head, chunk.times.astype("<f8", copy=False).tobytes(), chunk.data.astype("<f8", copy=False).tobytes()]
    if mask is not None:
        parts.append(mask.tobytes())
    return b"".join(parts)


def unpack_signal(payload: bytes) -> Signal:
    """Return the signal of a frame.

    Raises
    ------
    DataError
        If the payload is not as long as it says.
    """
    if len(payload) < _SIGNAL.size:
        raise DataError("A signal frame is shorter than its head.")
    filtered, masked, flags, n, m, lost, sequence, first, _, link_age, age = _SIGNAL.unpack_from(payload)
    length = _SIGNAL.size + 8 * n + 8 * n * m + (n * m if masked else 0)
    if len(payload) != length:
        raise DataError(f"A signal frame has {len(payload)} bytes; its head says {length}.")
    at = _SIGNAL.size
    times: NDArray[Any] = np.frombuffer(payload, "<f8", n, at).astype(np.float64)
    data = np.frombuffer(payload, "<f8", n * m, at + 8 * n).astype(np.float64).reshape(n, m)
    mask = np.frombuffer(payload, np.uint8, n * m, at + 8 * n * (m + 1)).reshape(n, m).copy() if masked else None
    chunk = Chunk(data, times, first, Health(lost, mask, link_age, Flag(flags)))
    return Signal("filtered" if filtered else "raw", chunk, sequence, age)
