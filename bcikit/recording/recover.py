"""Recovery: closes the files of a session that was cut off or damaged, beside the originals, which stay."""

import datetime
import os
import shutil
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bcikit.recording.checksums import LINES, Index, changed_lines, heading, line_sum, read_parts
from bcikit.recording.header import read_header, write_header
from bcikit.recording.jsonlines import is_record, whole_lines
from bcikit.recording.layout import HEADER, INDEX, RECORDING, SIGNALS, Track, stream_numbers, tracks_of
from bcikit.recording.salvage import Salvage, described_streams, salvage
from bcikit.recording.tracks import encode_footers, encode_headers
from bcikit.safety.audit import FILE_NAME as AUDIT
from bcikit.signal import RecordingError, StreamInfo
from bcikit.signal.disk import lock, put, sync

GROWS_SECONDS = 3.0
"""How long a file is watched for growing; a recording writes several times a second, with or without samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a recovery found and did.

    Attributes
    ----------
    path : Path
        The session folder.
    needed : bool
        False if the session was closed properly and is whole; then nothing was touched.
    status : str
        Status before.
    n_samples : int
        Samples of the main stream that are whole.
    seconds : float
        From the first to the last of them.
    removed : mapping of str to int
        Bytes that were not whole and are not in the new files, by file.
    lost_samples : int
        Samples within the recording that damage cost; they count as lost, as if the device had not delivered them.
    damaged : tuple of (int, int)
        Bytes of the old signal file that could not be kept, from and to.
    originals : mapping of str to str
        Where each file that was written anew is kept as it was, by its name.
    changed : tuple of str
        Files of lines that were not as they were when the session was closed; what is whole in them is kept.
    """

    path: Path
    needed: bool
    status: str
    n_samples: int
    seconds: float
    removed: Mapping[str, int]
    lost_samples: int = 0
    damaged: tuple[tuple[int, int], ...] = ()
    originals: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {**asdict(self), "path": str(self.path)}


def recover(path: str | Path) -> Recovery:
    """Close the files of a session that a crash, a kill, a full disk or a damaged disk left.

    Every file that is not whole is written anew beside the old one, which stays as ``NAME.original``. Behind a damaged
    place in the signals the recording goes on where it is whole again, and what is missing counts as lost samples. The
    new XDF file gets its footers and checksums and the header the status "recovered". A session that was closed
    properly and is whole is left as it is.

    Raises
    ------
    RecordingError
        If it is no session, it is still being recorded, a file of it is a link, or the folder cannot be written.
    """
    folder = Path(path)
    _refuse_links(folder)
    header = read_header(folder)
    infos = {name: StreamInfo.from_dict(values) for name, values in header.get("extra", {}).items()}
    tracks = tracks_of(StreamInfo.from_dict(header["info"]), infos)
    try:
        return _recover(folder, header, tracks)
    except OSError as error:
        raise RecordingError(f"{folder} cannot be recovered: {error.strerror or error}.") from error


def _refuse_links(folder: Path) -> None:
    """Refuse a session whose files lead elsewhere: what is written must stay in its folder."""
    for place in [folder / HEADER, folder / SIGNALS, folder / INDEX, *folder.glob("*.jsonl")]:
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(mode):
            raise RecordingError(
                f"{place} is a link or no file; a recovery writes only what lies in the folder itself."
            )


def _grows(path: Path) -> bool:
    """Return whether somebody writes to a file now, where its drive has no locks that would tell."""
    before = path.stat().st_size
    time.sleep(GROWS_SECONDS)
    # Opened anew: a network drive then asks its server how long the file is.
    with path.open("rb") as file:
        return file.seek(0, os.SEEK_END) != before


def _recover(folder: Path, header: dict[str, Any], tracks: Mapping[str, Track]) -> Recovery:
    status = str(header["status"])
    signals = folder / SIGNALS
    raw = b""
    if signals.exists():
        # Network drives lock only what is open for writing.
        with signals.open("r+b" if os.access(signals, os.W_OK) else "rb") as file:
            held = lock(file.fileno()) if status == RECORDING else True
            if held is False or (held is None and _grows(signals)):
                raise RecordingError(f"{folder} is still being recorded; stop that first.")
            raw = file.read()
    try:
        parts = read_parts(folder, header)
    except RecordingError:
        parts = []
    numbers = stream_numbers(tracks)
    headers = encode_headers(tracks)
    found = salvage(raw, tracks, described_streams(headers), parts)
    whole = not found.gaps and found.footers >= len(numbers) and found.headers >= len(numbers)
    sized = header.get("signals_bytes") in (None, len(raw)) and (not parts or parts[-1].stop == len(raw))
    unchecked = header.get("checksums") == INDEX and not parts
    now = datetime.datetime.now(datetime.UTC)
    fresh_header = dict(header)
    originals: dict[str, str] = {}
    removed: dict[str, int] = {}
    if not whole or unchecked or (status != RECORDING and not sized):
        footers = encode_footers(numbers, found.counts, found.spans)
        made = now.isoformat()
        size = _write_signals(folder, [headers, *found.kept, footers], made, originals)
        fresh_header |= {"checksums": INDEX, "signals_bytes": size, "index": made}
    gone = sum(stop - start for start, stop in found.gaps)
    if gone:
        removed[SIGNALS] = gone
    changed = tuple(changed_lines(folder, header))
    for lines in sorted(folder.glob("*.jsonl")):
        cut = _mend_lines(lines, originals)
        if cut:
            removed[lines.name] = cut
    needed = status == RECORDING or bool(originals) or bool(changed)
    lost = found.lost.get("", 0)
    if needed:
        fresh = "recovered" if status == RECORDING or changed or _damaged_inside(found, len(raw)) else status
        told = {"lost_samples": lost, "removed": removed, "originals": originals, "changed": changed}
        fresh_header |= {"status": fresh, "recovered": now.isoformat(timespec="seconds"), "recovery": told}
        fresh_header[LINES] = {
            path.name: line_sum(path) for path in sorted(folder.glob("*.jsonl")) if path.name != AUDIT
        }
        write_header(folder, fresh_header)
    first, last = found.spans.get(tracks[""].numbers.signal, (0.0, 0.0))
    return Recovery(
        path=folder,
        needed=needed,
        status=status,
        n_samples=found.counts.get(tracks[""].numbers.signal, 0),
        seconds=last - first,
        removed=removed,
        lost_samples=lost,
        damaged=tuple(found.gaps),
        originals=originals,
        changed=changed,
    )


def _damaged_inside(found: Salvage, size: int) -> bool:
    return bool(found.lost) or any(stop < size for _, stop in found.gaps)


def _write_signals(folder: Path, pieces: Iterable[bytes | memoryview], made: str, originals: dict[str, str]) -> int:
    """Write signals and their index anew; return how many bytes of signals there are."""
    index = Index()
    lines = [heading(made)]
    size = 0
    fresh = _fresh(folder / SIGNALS)
    try:
        with fresh.open("xb") as file:
            for piece in pieces:
                file.write(piece)
                size += len(piece)
                if index.add(bytes(piece)):
                    lines.append(index.line())
            file.flush()
            sync(file.fileno())
        lines.append(index.line())
        _put(fresh, folder / SIGNALS, originals)
    finally:
        fresh.unlink(missing_ok=True)
    _write(folder / INDEX, b"".join(lines), originals)
    return size


def _mend_lines(path: Path, originals: dict[str, str]) -> int:
    """Leave out what is no record; return how many bytes that were."""
    raw = path.read_bytes()
    whole = whole_lines(raw)
    kept = b"".join(line + b"\n" for line in raw[:whole].split(b"\n")[:-1] if is_record(line))
    if kept != raw:
        _write(path, kept, originals)
    return len(raw) - len(kept)


def _write(path: Path, content: bytes, originals: dict[str, str]) -> None:
    fresh = _fresh(path)
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())
        _put(fresh, path, originals)
    finally:
        fresh.unlink(missing_ok=True)


def _fresh(path: Path) -> Path:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    return fresh


def _put(fresh: Path, path: Path, originals: dict[str, str]) -> None:
    """Put a new file in the place of the old one, which keeps its content under a name of its own."""
    if path.exists():
        number = 1
        while os.path.lexists(kept := path.with_name(f"{path.name}.original{'' if number == 1 else f'-{number}'}")):
            number += 1
        try:
            kept.hardlink_to(path)
        except OSError:
            # No such links on this file system; the old file is not touched before its copy is whole.
            shutil.copy2(path, kept)
        originals[path.name] = kept.name
    put(fresh, path)
