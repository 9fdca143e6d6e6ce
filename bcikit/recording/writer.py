"""SessionWriter: a session folder that is whole at every moment while it is written."""

import contextlib
import datetime
import math
import tempfile
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from bcikit.recording.append_file import AppendFile
from bcikit.recording.checksums import LINES, Index
from bcikit.recording.header import write_header
from bcikit.recording.jsonlines import encode_line, to_json
from bcikit.recording.layout import (
    FORMAT,
    FORMAT_VERSION,
    HEADER,
    INDEX,
    LINE_FILES,
    MARKERS,
    RECORDING,
    RESCUED,
    SIGNALS,
    stream_numbers,
    tracks_of,
)
from bcikit.recording.tracks import encode_footers, encode_headers, encode_track, health_record
from bcikit.recording.versions import installed_versions
from bcikit.recording.xdf import encode_boundary, encode_clock_offset, encode_texts
from bcikit.signal import (
    ArgumentError,
    Chunk,
    DataError,
    Decision,
    Event,
    RecordingError,
    StreamInfo,
    Verdict,
    check_choice,
)

SYNC_SECONDS = 0.5
"""How often the disk is told to keep what was written, and the folder is looked for."""

BOUNDARY_SECONDS = 5.0
"""How often the XDF file gets a boundary and a clock offset."""


def marker_text(event: Event) -> str:
    """Return what the marker stream says of an event: its name, and its value where the name does not hold it."""
    if event.value is None or f"/{event.name}".endswith(f"/{event.value}"):
        return event.name
    return f"{event.name}/{event.value}"


def _readable(event: Event) -> dict[str, Any]:
    """Return an event as it can be read again; else the whole session could not be, for one value."""
    values = event.to_dict()
    try:
        return {**values, "value": Event.from_dict(to_json(values)).value}
    except DataError:
        return {**values, "value": str(event.value)}


class SessionWriter:
    """Writes a session while it happens, append-only.

    Each call hands its bytes to the system before it returns, so a process that is killed loses nothing that was
    written; a thread has the disk keep it every half second, so a machine that stops loses at most the last second.

    Parameters
    ----------
    path : str or Path
        Folder to make; it must not exist, or be empty.
    info : StreamInfo
        The main stream.
    config : mapping
        The configuration of the session, ready for JSON.
    versions : mapping of str to str, or None
        Programs and their versions; what is installed where it is left out.
    extra : mapping of str to StreamInfo
        Further streams, each with its own chunks and health.
    device : mapping or None
        Device sheet: whatever is known of the amplifier, ready for JSON.

    Raises
    ------
    RecordingError
        If the folder holds something already or cannot be written; from every method, once writing has failed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        info: StreamInfo,
        config: Mapping[str, Any] | None = None,
        versions: Mapping[str, str] | None = None,
        extra: Mapping[str, StreamInfo] | None = None,
        device: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.n_chunks = 0
        self._lock = threading.Lock()
        self._fault: RecordingError | None = None
        self._closed = False
        self._files: dict[str, AppendFile] = {}
        self._tracks = tracks_of(info, dict(extra or {}))
        self._counts: dict[int, int] = {}
        self._spans: dict[int, tuple[float, float]] = {}
        self._boundary = float("-inf")
        self._index = Index()
        self._sums = dict.fromkeys(LINE_FILES, 0)
        self._header: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "status": RECORDING,
            "checksums": INDEX,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "info": info.to_dict(),
            "extra": {name: track.info.to_dict() for name, track in self._tracks.items() if name},
            "device": dict(device or {"description": info.device, "source_id": info.source_id}),
            "config": dict(config or {}),
            "versions": dict(installed_versions() if versions is None else versions),
        }
        try:
            self._create()
        except OSError as error:
            self._close_files()
            raise RecordingError(f"{self.path} cannot be written: {error.strerror or error}.") from error
        self._stop = threading.Event()
        self._syncer = threading.Thread(target=self._keep_syncing, name="bcikit-recording", daemon=True)
        self._syncer.start()

    def _create(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if any(self.path.iterdir()):
            raise RecordingError(
                f"{self.path} is not empty; a session is never written over another. Name a new folder."
            )
        write_header(self.path, self._header)
        signals = self._files[SIGNALS] = AppendFile(self.path / SIGNALS)
        signals.lock()
        self._files[INDEX] = AppendFile(self.path / INDEX)
        headers = encode_headers(self._tracks)
        signals.append(headers)
        self._index.add(headers)
        for kind in LINE_FILES:
            self._files[kind] = AppendFile(self.path / f"{kind}.jsonl")
        for file in self._files.values():
            file.sync()

    @property
    def n_samples(self) -> int:
        """Number of samples of the main stream that were written."""
        return self._counts.get(self._tracks[""].numbers.signal, 0)

    # -- what happens -------------------------------------------------------------------------------------------------

    def chunk(self, chunk: Chunk, arrival: float, *, stream: str = "") -> None:
        """Write a chunk exactly as it came.

        Parameters
        ----------
        chunk : Chunk
            Samples, times, health.
        arrival : float
            When it arrived, seconds on the host clock.
        stream : str
            Name of an extra stream; the main one where it is left out.
        """
        track = self._tracks[check_choice("stream", stream, self._tracks)]
        if chunk.n_channels != track.info.n_channels:
            raise ArgumentError(f"The chunk has {chunk.n_channels} channels; the session has {track.info.n_channels}.")
        with self._lock:
            payload = encode_track(track, chunk, arrival, self.n_chunks)
            if arrival >= self._boundary + BOUNDARY_SECONDS:
                self._boundary = arrival
                payload += self._housekeeping(arrival)
            # Samples and their row of health are one append: both are there or neither.
            self._append(SIGNALS, payload)
            self._account(track.numbers.signal, chunk.times)
            self._account(track.numbers.chunks, np.array([arrival]))
            if chunk.health.mask is not None:
                self._account(track.numbers.mask, chunk.times)
            self.n_chunks += 1
            if not chunk.health.clean:
                self._line("health", health_record(track, chunk, arrival))

    def silence(self, now: float) -> None:
        """Write that nothing came in time; a replay needs to know."""
        self.record("health", {"kind": "silence", "time": now})

    def event(self, event: Event) -> None:
        """Write an event.

        Raises
        ------
        DataError
            If its time is no number: nobody could read the session any more.
        """
        if not math.isfinite(event.time):
            raise DataError(f"event {event.name!r}: time is {event.time}; it must be a number of seconds.")
        with self._lock:
            self._line("events", _readable(event))
            self._append(SIGNALS, encode_texts(MARKERS, [event.time], [marker_text(event)]))
            self._account(MARKERS, np.array([event.time]))

    def decision(self, decision: Decision) -> None:
        """Write a decision."""
        self.record("decisions", decision.to_dict())

    def verdict(self, verdict: Verdict) -> None:
        """Write a verdict of the gate."""
        self.record("verdicts", verdict.to_dict())

    def alarm(self, alarm: Mapping[str, Any]) -> None:
        """Write an alarm, ready for JSON."""
        self.record("alarms", alarm)

    def record(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write a line to ``<kind>.jsonl``: commands, notes of the operator, whatever is worth keeping.

        Parameters
        ----------
        kind : str
            Small letters, digits and "-"; the file is made with its first line.
        values : mapping
            Ready for JSON; the number of chunks before it is added as "after_chunk".
        """
        if not kind or not all(letter.isdigit() or "a" <= letter <= "z" or letter == "-" for letter in kind):
            raise ArgumentError(f"kind is {kind!r}; allowed: small letters, digits and '-'.")
        with self._lock:
            self._line(kind, values)

    # -- how it is kept -----------------------------------------------------------------------------------------------

    def _line(self, kind: str, values: Mapping[str, Any]) -> None:
        self._check()
        if kind not in self._files:
            try:
                self._files[kind] = AppendFile(self.path / f"{kind}.jsonl")
            except OSError as error:
                raise self._fail(error) from error
        line = encode_line({"after_chunk": self.n_chunks, **values})
        self._append(kind, line)
        self._sums[kind] = zlib.crc32(line, self._sums.get(kind, 0))

    def _append(self, name: str, data: bytes) -> None:
        self._check()
        try:
            self._files[name].append(data)
            # After what it tells of: a line never speaks of bytes that are not there.
            if name == SIGNALS and self._index.add(data):
                self._files[INDEX].append(self._index.line())
        except OSError as error:
            raise self._fail(error) from error

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise RecordingError(f"The session {self.path} is closed.")

    def _account(self, number: int, times: Any) -> None:
        if len(times):
            first = self._spans.get(number, (float(times[0]), 0.0))[0]
            self._spans[number] = (first, float(times[-1]))
            self._counts[number] = self._counts.get(number, 0) + len(times)

    def _housekeeping(self, now: float) -> bytes:
        # Every time in the file is on the host clock already, so the offset that remains is zero.
        offsets = [encode_clock_offset(number, now, 0.0) for number in stream_numbers(self._tracks)]
        return b"".join([*offsets, encode_boundary()])

    def _fail(self, error: OSError) -> RecordingError:
        fault = RecordingError(
            f"The session {self.path} cannot be written any further: {error.strerror or error}. "
            f"Everything before is kept ({self.n_samples} samples). "
            f"Make room, then: bcikit recover {self.path}"
        )
        self._fault = fault
        return fault

    def _keep_syncing(self) -> None:
        while not self._stop.wait(SYNC_SECONDS):
            try:
                for file in list(self._files.values()):
                    file.sync()
            except OSError as error:
                self._fault = self._fault or self._fail(error)
                return
            if not all(file.reachable for file in list(self._files.values())):
                with self._lock:
                    self._fault = self._fault or self._rescue()
                return

    def _rescue(self) -> RecordingError:
        """Copy what the open files still hold to a place beside the folder that is gone."""
        try:
            parent = self.path.parent if self.path.parent.is_dir() else Path(tempfile.gettempdir())
            place = Path(tempfile.mkdtemp(prefix=f"{self.path.name}{RESCUED}", dir=parent))
            write_header(place, self._header)
            for file in self._files.values():
                file.copy_to(place / file.path.name)
        except OSError as error:
            return RecordingError(f"The folder {self.path} was removed or moved, and no copy could be made: {error}.")
        return RecordingError(
            f"The folder {self.path} was removed or moved while it was written. Everything so far is in {place}; "
            f"close it with: bcikit recover {place}"
        )

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()

    def close(self, status: str = "complete", **summary: Any) -> None:
        """Write the footers and the final header, and close; may be called twice.

        Parameters
        ----------
        status : str
            How it ended: "complete", "stopped", "failed", ...
        **summary
            More for the header, ready for JSON.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stop.set()
        self._syncer.join()
        footers = encode_footers(stream_numbers(self._tracks), self._counts, self._spans)
        ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._header |= {
            "status": "failed" if self._fault else status,
            "ended": ended,
            "n_chunks": self.n_chunks,
            **summary,
        }
        # After a fault these are attempts; the one error that counts was raised already.
        tolerated: tuple[type[OSError], ...] = (OSError,) if self._fault else ()
        try:
            with contextlib.suppress(*tolerated):
                self._files[SIGNALS].append(footers)
                self._index.add(footers)
                self._files[INDEX].append(self._index.line())
                for file in self._files.values():
                    file.sync()
                self._header["signals_bytes"] = self._files[SIGNALS].size
                self._header[LINES] = {
                    f"{kind}.jsonl": [self._files[kind].size, crc] for kind, crc in self._sums.items()
                }
            with contextlib.suppress(*tolerated):
                if (self.path / HEADER).is_file():
                    write_header(self.path, self._header)
        except OSError as error:
            raise self._fail(error) from error
        finally:
            self._close_files()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("complete" if error is None else "failed")
