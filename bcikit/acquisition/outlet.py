"""Out again: chunks and texts as LSL outlets, with all their metadata."""

import uuid
from typing import Any

import numpy as np

from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.lsl_meta import write_info
from bcikit.signal import ArgumentError, Chunk, SourceError, StreamInfo, check_choice

_FORMATS = ("double64", "float32")


class LslOutlet:
    """Gives a stream of chunks to other programs: raw, filtered or features.

    Times go out as they are, so that a receiver sees gaps as gaps.

    Parameters
    ----------
    info : StreamInfo
        What the stream is; names, types, units, reference and positions go into the description.
    name : str or None
        Name of the outlet; that of the stream where it is left out.
    type : str
        LSL's content type.
    source_id : str or None
        What stays the same when the program is started again; a fresh one where it is left out.
    format : {"double64", "float32"}
        "double64" hands on every bit; "float32" halves the traffic.
    irregular : bool
        No nominal rate: features and decisions that come when they come.
    buffered : float
        Seconds kept for receivers that are late.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        name: str | None = None,
        type: str = "EEG",  # noqa: A002  LSL's own word
        source_id: str | None = None,
        format: str = "double64",  # noqa: A002
        irregular: bool = False,
        buffered: float = 60.0,
    ) -> None:
        pylsl = lsl()

        check_choice("format", format, _FORMATS)
        self.info = info
        self.source_id = source_id or f"bcikit-{uuid.uuid4()}"
        self._dtype = np.float64 if format == "double64" else np.float32
        self._info = write_info(
            info,
            name=name or info.name,
            kind=type,
            source_id=self.source_id,
            sfreq=pylsl.IRREGULAR_RATE if irregular else info.sfreq,
            channel_format=format,
        )
        self._outlet: Any = pylsl.StreamOutlet(self._info, 0, max(1, round(buffered)))

    @property
    def name(self) -> str:
        """Name under which the outlet is found."""
        return str(self._info.name())

    @property
    def has_consumers(self) -> bool:
        """True if somebody listens."""
        return self._outlet is not None and bool(self._outlet.have_consumers())

    def push(self, chunk: Chunk) -> None:
        """Send a chunk with its times.

        Raises
        ------
        ArgumentError
            If its channels are not those of the outlet.
        SourceError
            If the outlet is closed.
        """
        if self._outlet is None:
            raise SourceError(f"The LSL outlet {self.name!r} is closed.")
        if chunk.n_channels != self.info.n_channels:
            raise ArgumentError(
                f"The LSL outlet {self.name!r} has {self.info.n_channels} channels, the chunk {chunk.n_channels}."
            )
        if chunk.n_times:
            self._outlet.push_chunk(np.ascontiguousarray(chunk.data, dtype=self._dtype), chunk.times.tolist())

    def close(self) -> None:
        """Take the outlet from the network. May be called twice."""
        self._outlet = None

    def __enter__(self) -> "LslOutlet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LslTextOutlet:
    """Gives texts at moments to other programs: markers, decisions, states as JSON.

    Parameters
    ----------
    name : str
        Name of the outlet.
    type : str
        LSL's content type.
    source_id : str or None
        What stays the same when the program is started again; a fresh one where it is left out.
    """

    def __init__(self, name: str, *, type: str = "Markers", source_id: str | None = None) -> None:  # noqa: A002
        pylsl = lsl()

        self.source_id = source_id or f"bcikit-{uuid.uuid4()}"
        self.name = name
        info = pylsl.StreamInfo(name, type, 1, pylsl.IRREGULAR_RATE, "string", self.source_id)
        channel = info.desc().append_child("channels").append_child("channel")
        channel.append_child_value("label", name)
        channel.append_child_value("type", "marker")
        self._outlet: Any = pylsl.StreamOutlet(info)

    @property
    def has_consumers(self) -> bool:
        """True if somebody listens."""
        return self._outlet is not None and bool(self._outlet.have_consumers())

    def push(self, text: str, time: float | None = None) -> None:
        """Send a text; `time` in seconds on the host's clock, now where it is left out."""
        pylsl = lsl()

        if self._outlet is None:
            raise SourceError(f"The LSL outlet {self.name!r} is closed.")
        self._outlet.push_sample([text], pylsl.local_clock() if time is None else time)

    def close(self) -> None:
        """Take the outlet from the network. May be called twice."""
        self._outlet = None

    def __enter__(self) -> "LslTextOutlet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
