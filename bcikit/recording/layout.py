"""What lies where in a session folder."""

from collections.abc import Mapping
from dataclasses import dataclass

from bcikit.signal import StreamInfo

FORMAT = "bcikit-session"
FORMAT_VERSION = 1

SIGNALS = "signals.xdf"
HEADER = "session.json"
INDEX = "signals.index"
"""Checksums of the signals, JSON lines."""
LINE_FILES = ("events", "decisions", "verdicts", "health", "alarms")
"""JSON-lines files that every session has; the writer makes others as they are needed."""

RECORDING = "recording"
"""Status in the header of a session that is not closed."""

RESCUED = "-rescued-"
"""What a copy is called of a session whose folder went while it was written, behind the name of the folder."""

MARKERS = 1
"""Number of the XDF stream of events."""

CHUNK_COLUMNS = ("first_sample", "n_times", "lost", "flags", "age", "masked", "order")
"""Columns of the stream that keeps the boundaries and the health of the chunks; its time stamps are the arrivals.

"order" counts the chunks of all streams together, as "after_chunk" in the JSON lines does.
"""


@dataclass(frozen=True, slots=True)
class TrackNumbers:
    """Numbers of the three XDF streams in which one stream of chunks is kept."""

    signal: int
    chunks: int
    mask: int

    @classmethod
    def of(cls, index: int) -> "TrackNumbers":
        """Return the numbers of the stream with this index; 0 is the main one."""
        return cls(10 * index + 11, 10 * index + 12, 10 * index + 13)


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of chunks in a session.

    Attributes
    ----------
    name : str
        Key in the session: "" for the main stream.
    info : StreamInfo
        What the stream is.
    numbers : TrackNumbers
        Where it lies in the XDF file.
    """

    name: str
    info: StreamInfo
    numbers: TrackNumbers


def tracks_of(info: StreamInfo, extra: Mapping[str, StreamInfo]) -> dict[str, Track]:
    """Return the tracks of a session, the main one under the name ""."""
    infos = {"": info, **extra}
    return {name: Track(name, item, TrackNumbers.of(index)) for index, (name, item) in enumerate(infos.items())}


def stream_numbers(tracks: Mapping[str, Track]) -> list[int]:
    """Return the numbers of every XDF stream of a session."""
    numbers = [MARKERS]
    for track in tracks.values():
        numbers += [track.numbers.signal, track.numbers.chunks, track.numbers.mask]
    return numbers
