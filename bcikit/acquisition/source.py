"""The one contract behind which every source of chunks stands."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np

from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse
from bcikit.signal import BciError, Chunk, Command, Decision, Event, SourceError, StreamInfo, Verdict


class Source(ABC):
    """Gives chunks: a headset, an LSL stream, a file, a simulation.

    Opening connects and makes `info` known; `start` begins the stream; `pull` gives what came since. Use it as a
    context manager: entering starts it, leaving closes it, whatever happened.

    Attributes
    ----------
    info : StreamInfo
        What the stream is. It does not change while the source is open.
    live : bool
        True if samples arrive at their own pace; False if they can be had as fast as they are pulled (files,
        simulations), so that an engine may run faster than live.
    """

    info: StreamInfo
    live: bool = True

    def __repr__(self) -> str:
        info = self.info
        state = ", over" if self.ended else ""
        return f"<{type(self).__name__} {info.name!r}: {info.n_channels} channels at {info.sfreq:g} Hz{state}>"

    @abstractmethod
    def start(self) -> None:
        """Begin to stream.

        Raises
        ------
        SourceError
            If the device does not start.
        """

    @abstractmethod
    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return what came since the last call, waiting for at least one sample.

        Parameters
        ----------
        timeout : float
            Longest wait in seconds.

        Returns
        -------
        Chunk or None
            None if nothing came in time.

        Raises
        ------
        StreamEndedError
            If the stream has `ended`: a file at its end, a simulation that is over.
        StreamLostError
            If the stream is gone and reconnecting was given up.
        StreamChangedError
            If it came back with other channels or another rate.
        """

    def pull_events(self) -> list[Event]:
        """Return the markers that came since the last call, placed on samples of this stream."""
        return []

    def status(self) -> StreamStatus:
        """Return the health of the whole stream up to now; a source that can tell more does."""
        return StreamStatus(name=self.info.name, pulse=Pulse.ENDED if self.ended else Pulse.ALIVE, rate=self.info.sfreq)

    @property
    def ended(self) -> bool:
        """True once no further chunk will come: a file at its end, a simulation that is over."""
        return False

    def stop(self) -> None:
        """Stop streaming; `start` may begin again. Does nothing where it does not run."""

    def close(self) -> None:
        """Stop and give back every handle. May be called twice."""
        self.stop()

    def __iter__(self) -> Iterator[Chunk]:
        """Yield every chunk until the source is over; of a live one, for ever. Start it first."""
        while not self.ended:
            chunk = self.pull()
            if chunk is not None:
                yield chunk

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def taken(source: Source, timeout: float) -> Chunk | None:
    """Return the next chunk of a source; what a stranger's source does against its contract is named.

    Raises
    ------
    SourceError
        If it fails with an error that is none of bcikit's, or its chunk is not what `Chunk` and its `info` say.
    """
    try:
        chunk = source.pull(timeout)
    except (BciError, OSError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(f"{source.info.name!r}: its source failed ({type(error).__name__}: {error}).") from error
    if chunk is None:
        return None
    data, times, problem = chunk.data, chunk.times, ""
    if data.ndim != 2 or data.shape[1] != source.info.n_channels:
        problem = f"data have the shape {data.shape}; (n, {source.info.n_channels}) is expected"
    elif data.dtype != np.float64 or not data.flags.c_contiguous:
        problem = f"data are {data.dtype} or no rows in order; np.ascontiguousarray(data, np.float64) makes them so"
    elif times.dtype != np.float64 or times.shape != data.shape[:1]:
        problem = f"times are {times.dtype} of the shape {times.shape}; float64 of {data.shape[:1]} is expected"
    elif not np.isfinite(times).all():
        problem = "a time is no number"
    if problem:
        raise SourceError(f"{source.info.name!r}: a chunk is not what its source promises: {problem}.")
    return chunk


@runtime_checkable
class Interactive(Protocol):
    """A source whose user sees what happens: the engine tells it everything a person would perceive."""

    def on_event(self, event: Event) -> None:
        """Take notice of a cue, a phase or a stimulus."""

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Take notice of feedback: what was decoded and whether it was let through."""

    def on_command(self, command: Command) -> None:
        """Take notice of what moved."""
