"""BrainVision recordings: units as the header states them, pauses as the segments say."""

import contextlib
import datetime
import itertools
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bcikit.acquisition.formats import FileHints, Format
from bcikit.acquisition.gaps import with_gaps
from bcikit.acquisition.mne_files import as_stated, checked, finished, unscaled
from bcikit.acquisition.rows import encoding_of, guess_encoding
from bcikit.acquisition.whole import is_there
from bcikit.signal import ArgumentError, Event, Note, Recording, SourceError

_CHANNEL = re.compile(r"^Ch(\d+)=(.*)$", re.MULTILINE)
_MARKER = re.compile(r"^Mk\d+=([^,\n]*),([^,\n]*),(\d+),(\d+),(\d+)(?:,(\d{14,20}))?", re.MULTILINE)


def read_brainvision(path: Path, reading: FileHints) -> Recording:
    """Return a BrainVision recording: units as the header states them, pauses as its segments say."""
    import mne

    with _in_utf8(path, reading) as (named, header, notes):
        _check_kind(path, header)
        raw = mne.io.read_raw_brainvision(named, preload=False, verbose="ERROR")
    recording = Recording.from_mne(checked(raw, path), name=path.name, lazy=True)
    events = tuple(_plain_comment(event) for event in recording.events)
    recording = replace(recording, events=events, notes=(*recording.notes, *notes))
    resolutions, units, unstated = {}, {}, 0
    for number, rest in _CHANNEL.findall(header.partition("[Coordinates]")[0]):
        parts = [part.strip() for part in rest.split(",")] + [""] * 4
        resolutions[int(number) - 1] = float(parts[2]) if _is_number(parts[2]) else 1.0
        units[int(number) - 1] = parts[3] or "µV"
        unstated += not parts[3]
    if set(units) == set(range(recording.info.n_channels)):
        # The numbers of the file, in the units that it states for them: MNE would take many of these for volts.
        raw._cals = np.array([resolutions[i] for i in range(len(units))])
        # Where some channels have places on the head, a voltage that has none is not EEG.
        voltage = "bio" if "[Coordinates]" in header else "eeg"
        recording = as_stated(recording, unscaled(recording), units, reading, voltage=voltage)
    markers = _markers(path, header)
    said = [*_about_markers(path, header, markers), *_averaged(header)]
    if unstated:
        said.append(Note(code="unit", text=f"{unstated} channels state no unit: µV, which is BrainVision's own then"))
    recording = replace(recording, notes=(*recording.notes, *said))
    gaps = _segments(markers, reading, recording)
    return finished(with_gaps(recording, gaps, "segments"), reading)


def _stated(header: str, key: str) -> str:
    """Return the value of a key of the header; empty where it does not say."""
    found = re.search(rf"^{key}\s*=\s*(.*?)\s*$", header, re.MULTILINE | re.IGNORECASE)
    return found[1] if found is not None else ""


def _is_yes(header: str, key: str) -> bool:
    return _stated(header, key).upper() in ("YES", "TRUE", "1")


def _check_kind(path: Path, header: str) -> None:
    """Refuse what MNE would take for samples over time in the usual order of bytes, and is none."""
    kind = _stated(header, "DataType").upper() or "TIMEDOMAIN"
    if kind != "TIMEDOMAIN":
        raise SourceError(f"{path} holds a spectrum (DataType={kind}), not a recording; give what it was made from.")
    if _is_yes(header, "UseBigEndianOrder"):
        raise SourceError(
            f"{path} says that its samples are in big-endian order (UseBigEndianOrder=YES), which is not read; export "
            "it again in little-endian order, which is BrainVision Analyzer's usual one."
        )


def _averaged(header: str) -> list[Note]:
    """Return what is to be said of an average: it is no recording, and nothing can be decoded in it."""
    if not _is_yes(header, "Averaged"):
        return []
    count = _stated(header, "AveragedSegments")
    text = f"holds an average{f' of {count} segments' if count else ''}, no recording; accept=averaged if that is meant"
    return [Note(code="averaged", text=text, doubt=True)]


def _plain_comment(event: Event) -> Event:
    """Return an event whose value is what was written: MNE puts the type of a marker before its text."""
    kind, slash, text = event.name.partition("/")
    if not slash or not text:
        return event
    found = re.fullmatch(r"[SR]\s*(\d+)", text)
    return replace(event, value=int(found[1]) if found and kind in ("Stimulus", "Response") else text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(path: Path, stated: str | None) -> tuple[str, str]:
    """Return the text of a header or of markers, and in which encoding it is."""
    raw = path.read_bytes()
    encoding = encoding_of(path, stated)
    if encoding == "utf-8-sig":
        try:
            return raw.decode(encoding).replace("\r\n", "\n"), "utf-8"
        except UnicodeDecodeError:
            encoding = guess_encoding(raw)
    try:
        return raw.decode(encoding).replace("\r\n", "\n"), encoding
    except UnicodeDecodeError:
        raise ArgumentError(f"{path} is not in {encoding}; say what it is in: encoding=latin-1, gbk.") from None


def _markers(path: Path, header: str) -> Path | None:
    """Return the marker file that a header names, where it is there; one of the header's own name stands in for it."""
    return _named(path, header, "MarkerFile", (".vmrk", ".VMRK"))


def _place(path: Path, header: str, key: str) -> Path | None:
    """Return where the file is that a header names; None where it names none."""
    named = _stated(header, key)
    return path.parent / named.replace("$b", path.stem) if named else None


def _named(path: Path, header: str, key: str, suffixes: tuple[str, ...]) -> Path | None:
    stated = _place(path, header, key)
    if stated is None:
        return None
    return next((one for one in (stated, *(path.with_suffix(suffix) for suffix in suffixes)) if is_there(one)), None)


def _about_markers(path: Path, header: str, markers: Path | None) -> list[Note]:
    """Return what is to be said where the markers are not in the file that the header names: no marker is no event."""
    stated = _place(path, header, "MarkerFile")
    if stated is None or markers == stated:
        return []
    name = stated.name[:60]
    if markers is None:
        text = f"the markers are missing: the header names {name}, which is not there; put it beside the header"
        return [Note(code="events", text=text, doubt=True)]
    return [Note(code="events", text=f"markers from {markers.name}: {name}, which the header names, is not there")]


@contextlib.contextmanager
def _in_utf8(path: Path, reading: FileHints) -> Iterator[tuple[Path, str, list[Note]]]:
    """Yield a header that MNE reads, its text, and what is to be said: copies of texts that are in another encoding.

    MNE takes the markers for UTF-8 whatever the header says; recorders write the code page of their computer.
    """
    header, encoding = _text(path, reading.encoding)
    markers = _markers(path, header)
    marks, other = ("", "utf-8") if markers is None else _text(markers, reading.encoding)
    found = [one for one in dict.fromkeys((encoding, other)) if one not in ("utf-8", "utf8")]
    if not found:
        yield path, header, []
        return
    said = "as you say" if reading.encoding else "by its mark" if found == ["utf-16"] else "guessed"
    notes = [Note(code="encoding", text=f"texts in {', '.join(found)} ({said}; encoding=... decides)")]
    data = _named(path, header, "DataFile", (".eeg", ".dat"))
    with tempfile.TemporaryDirectory(prefix="bcikit-") as folder:
        copy = Path(folder) / "recording.vhdr"
        keys = {"Codepage": "UTF-8", "DataFile": str(data.resolve()) if data is not None else "", "MarkerFile": ""}
        if markers is not None:
            keys["MarkerFile"] = "recording.vmrk"
            marks = _with(marks, {"Codepage": "UTF-8"})
            copy.with_suffix(".vmrk").write_text(marks, encoding="utf-8")
        copy.write_text(_with(header, {key: value for key, value in keys.items() if value}), encoding="utf-8")
        yield copy, header, notes


def _with(text: str, keys: dict[str, str]) -> str:
    """Return a header with other values of some keys."""
    for key, value in keys.items():
        # A backslash of a path means nothing here.
        text = re.sub(rf"^({key}\s*=).*$", rf"\g<1>{value.replace(chr(92), chr(92) * 2)}", text, flags=re.M | re.I)
    return text


def _segments(markers: Path | None, reading: FileHints, recording: Recording) -> list[tuple[int, int]]:
    """Return where a segment begins and how many samples are missing before it, by dates where they tell."""
    if markers is None:
        return []
    begun: list[tuple[int, datetime.datetime | None]] = []
    for kind, _, position, _, _, text in _MARKER.findall(_text(markers, reading.encoding)[0]):
        if kind == "New Segment":
            date = None
            with contextlib.suppress(ValueError):
                date = datetime.datetime.strptime(text[:20].ljust(20, "0"), "%Y%m%d%H%M%S%f")
            begun.append((int(position) - 1, date))
    sfreq = recording.info.sfreq
    gaps = []
    for (first, start), (row, date) in itertools.pairwise(sorted(begun, key=lambda one: one[0])):
        # Without dates, or with dates that go back, nobody knows how long the pause was; it is a seam all the same.
        missing = 1
        if start is not None and date is not None:
            missing = round((date - start).total_seconds() * sfreq) - (row - first)
            # Dates have microseconds, clocks of amplifier and computer drift by parts in ten thousand.
            if abs(missing) <= max(1, 2e-4 * (row - first)):
                continue
        gaps.append((row, max(1, missing)))
    return gaps


def _probe_brainvision(path: Path, head: bytes) -> bool | str:
    # In UTF-16 every other byte of it is 0.
    text = head[:400].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe").decode("latin-1")
    if re.match(r"Brain ?Vision( Core)? Data Exchange Header", text):
        return True
    if re.match(r"Brain ?Vision( Core)? Data Exchange Marker", text):
        return f"is the marker file of a BrainVision recording; give the header: {path.with_suffix('.vhdr').name}."
    if path.suffix.lower() in (".eeg", ".dat", ".avg", ".seg") and not head.startswith(
        (b"EEG-", b"BCI2000V=", b"HeaderLen=")
    ):
        header = next((p for p in (path.with_suffix(".vhdr"), path.with_suffix(".VHDR")) if p.is_file()), None)
        if header is not None:
            return f"holds the samples of a BrainVision recording; give its header: {header.name}."
        if path.suffix.lower() == ".eeg":
            return (
                "looks like the samples of a BrainVision recording, whose header (.vhdr) is not beside it; without it "
                "nobody can know its channels and units."
            )
    return False


BRAINVISION = Format(
    name="brainvision", title="BrainVision", suffixes=(".vhdr",), probe=_probe_brainvision, read=read_brainvision,
    options=("encoding", "trigger_mask"),
)  # fmt: skip
