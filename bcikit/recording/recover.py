"""Recovery: closes the files of a session that was cut off."""

import datetime
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.recording.append_file import lock_handle
from bcikit.recording.header import read_header, write_header
from bcikit.recording.jsonlines import whole_lines
from bcikit.recording.layout import MARKERS, RECORDING, SIGNALS, Track, stream_numbers, tracks_of
from bcikit.recording.tracks import encode_footers, encode_headers
from bcikit.recording.xdf import SAMPLES, STREAM_FOOTER, STREAM_HEADER
from bcikit.recording.xdf_reader import XdfStream, decode_samples, parse_header, walk
from bcikit.signal import RecordingError, StreamInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a recovery found and did.

    Attributes
    ----------
    path : Path
        The session folder.
    needed : bool
        False if the session was closed properly; then nothing was touched.
    status : str
        Status before.
    n_samples : int
        Samples of the main stream that are whole.
    seconds : float
        From the first to the last of them.
    removed : mapping of str to int
        Bytes that were not whole and were taken off, by file.
    """

    path: Path
    needed: bool
    status: str
    n_samples: int
    seconds: float
    removed: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "path": str(self.path)}


def recover(path: str | Path) -> Recovery:
    """Close the files of a session that was cut off by a crash, a kill or a full disk.

    What was not written whole is taken off the ends of the files, the XDF file gets its footers and the header the
    status "recovered". A session that was closed properly is left as it is.

    Raises
    ------
    RecordingError
        If it is no session, it is still being recorded, or the folder cannot be written.
    """
    folder = Path(path)
    header = read_header(folder)
    infos = {name: StreamInfo.from_dict(values) for name, values in header.get("extra", {}).items()}
    tracks = tracks_of(StreamInfo.from_dict(header["info"]), infos)
    try:
        return _recover(folder, header, tracks)
    except OSError as error:
        raise RecordingError(f"{folder} cannot be recovered: {error.strerror or error}.") from error


def _recover(folder: Path, header: dict[str, Any], tracks: Mapping[str, Track]) -> Recovery:
    status = str(header["status"])
    signals = folder / SIGNALS
    signals.touch()
    with signals.open("r+b") as file:
        if status == RECORDING and not lock_handle(file.fileno()):
            raise RecordingError(f"{folder} is still being recorded; stop that first.")
        raw = file.read()
        scan = _Scan(tracks)
        end = scan.run(memoryview(raw))
        closed = scan.n_footers >= len(stream_numbers(tracks))
        removed = {SIGNALS: len(raw) - end} if end < len(raw) else {}
        if removed or not closed:
            file.truncate(end)
            file.seek(end)
            if scan.n_headers < len(stream_numbers(tracks)):
                # Killed before the headers were whole: there can be no samples yet.
                file.seek(0)
                file.truncate(0)
                file.write(encode_headers(tracks))
            if not closed:
                file.write(encode_footers(stream_numbers(tracks), scan.counts, scan.spans))
            file.flush()
            os.fsync(file.fileno())
    number = tracks[""].numbers.signal
    first, last = scan.spans.get(number, (0.0, 0.0))
    needed = status == RECORDING or not closed or bool(removed)
    for lines in sorted(folder.glob("*.jsonl")):
        cut = _cut_lines(lines)
        if cut:
            needed = True
            removed[lines.name] = cut
    if needed:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        fresh = "recovered" if status == RECORDING else status
        write_header(folder, {**header, "status": fresh, "recovered": now})
    return Recovery(
        path=folder,
        needed=needed,
        status=status,
        n_samples=scan.counts.get(number, 0),
        seconds=last - first,
        removed=removed,
    )


def _cut_lines(path: Path) -> int:
    """Take an incomplete last line off; return how many bytes that were."""
    raw = path.read_bytes()
    whole = whole_lines(raw)
    if whole < len(raw):
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
    return len(raw) - whole


class _Scan:
    """Goes through an XDF file up to the last place where it is whole, and counts for the footers.

    Samples and masks count once the row of their chunk has come: all of them were one append.
    """

    def __init__(self, tracks: Mapping[str, Track]) -> None:
        self.counts: dict[int, int] = {}
        self.spans: dict[int, tuple[float, float]] = {}
        self.n_footers = 0
        self.n_headers = 0
        self._streams: dict[int, XdfStream] = {}
        self._rows = {track.numbers.chunks for track in tracks.values()}
        self._pending: list[tuple[int, Any]] = []

    def run(self, raw: memoryview) -> int:
        """Return where the file stops being whole, in bytes; footers that are not the last of all do not count."""
        end = 4 if len(raw) >= 4 else 0
        for chunk in walk(raw):
            number = chunk.stream
            if chunk.tag == STREAM_HEADER:
                self._streams[number or 0] = parse_header(chunk)
                self.n_headers += 1
            elif chunk.tag == SAMPLES and number in self._streams:
                try:
                    times, _ = decode_samples(self._streams[number], chunk.content)
                except RecordingError:
                    break
                self._pending.append((number, np.array(times)))
                if number not in self._rows and number != MARKERS:
                    continue
                self._commit()
            elif chunk.tag == STREAM_FOOTER:
                self.n_footers += 1
                if self.n_footers < len(self._streams):
                    continue
            if not self._pending:
                end = chunk.end
        return end

    def _commit(self) -> None:
        for number, times in self._pending:
            if len(times):
                first = self.spans.get(number, (float(times[0]), 0.0))[0]
                self.spans[number] = (first, float(times[-1]))
                self.counts[number] = self.counts.get(number, 0) + len(times)
        self._pending.clear()
