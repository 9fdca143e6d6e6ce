"""A tap on a stream that a window reads: what it reads is recorded, by the recorder of `bcikit record`."""

import threading
import time
from pathlib import Path

from bcikit.acquisition import StreamStatus, TimeTrust
from bcikit.recording import SessionWriter
from bcikit.signal import BciError, Chunk, Event, StreamInfo


class Tap:
    """Writes a stream into a session folder, whole at every moment.

    The reader's thread hands over chunks as they arrive; the window adds events and ends it.

    Parameters
    ----------
    folder : Path
        The session folder to make.
    info : StreamInfo
        Of the stream.
    address : str
        Where it comes from, for the header.

    Raises
    ------
    RecordingError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path, info: StreamInfo, *, address: str) -> None:
        self.folder = folder
        self.info = info
        self._writer = SessionWriter(folder, info=info, config={"source": address, "also": [], "duration": None})
        self._trust = TimeTrust()
        self._lock = threading.Lock()
        self._open = True
        self._begun = time.monotonic()
        self._status: StreamStatus | None = None
        self.begins: float | None = None
        """Time of its first sample; None until that came."""
        self.lost = 0
        self.n_samples = 0
        self.fault = ""

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._begun

    def chunk(self, chunk: Chunk, arrival: float) -> None:
        """Write a chunk; what goes wrong ends the recording and is said in `fault`."""
        with self._lock:
            if not self._open:
                return
            try:
                self._writer.chunk(chunk, arrival)
                if self.begins is None and chunk.n_times:
                    self.begins = float(chunk.times[0])
                self.n_samples += chunk.n_times
                self.lost += chunk.health.lost if self.n_samples > chunk.n_times else 0
            except BciError as error:
                self.fault = str(error)
                self._open = False

    def silence(self, now: float) -> None:
        """Take notice that nothing came."""
        with self._lock:
            if self._open:
                self._writer.silence(now)

    def events(self, events: list[Event], status: StreamStatus | None = None) -> None:
        """Write events of the stream or of a person."""
        with self._lock:
            self._status = status or self._status
            if not self._open or not events:
                return
            self._trust.see(events)
            try:
                for event in events:
                    self._writer.event(event)
            except BciError as error:
                self.fault = str(error)
                self._open = False

    def close(self, how: str = "complete") -> list[str]:
        """End the recording and seal it; return what is in doubt about its times."""
        with self._lock:
            was_open, self._open = self._open, False
            how = how if was_open else "failed"
            if self._status is None:
                self._writer.close(how)
                return []
            doubts = self._trust.doubts(self._status, samples=self._writer.n_samples)
            self._writer.close(how, timing=self._trust.header(self._status, doubts))
            return doubts
