"""BrainVision recordings: units as the header states them, pauses as the segments say."""

import contextlib
import datetime
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from bcikit.acquisition.formats import Format, Reading
from bcikit.acquisition.gaps import with_gaps
from bcikit.acquisition.mne_files import as_stated, checked, finished, unscaled
from bcikit.signal import Event, Recording

_CHANNEL = re.compile(r"^Ch(\d+)=(.*)$", re.MULTILINE)
_MARKER = re.compile(r"^Mk\d+=([^,\n]*),([^,\n]*),(\d+),(\d+),(\d+)(?:,(\d{14,20}))?", re.MULTILINE)


def read_brainvision(path: Path, reading: Reading) -> Recording:
    """Return a BrainVision recording: units as the header states them, pauses as its segments say."""
    import mne

    raw = mne.io.read_raw_brainvision(path, preload=False, verbose="ERROR")
    recording = Recording.from_mne(checked(raw, path), name=path.name, lazy=True)
    recording = replace(recording, events=tuple(_plain_comment(event) for event in recording.events))
    header = _text(path)
    resolutions, units = {}, {}
    for number, rest in _CHANNEL.findall(header.partition("[Coordinates]")[0]):
        parts = [part.strip() for part in rest.split(",")] + [""] * 4
        resolutions[int(number) - 1] = float(parts[2]) if _is_number(parts[2]) else 1.0
        units[int(number) - 1] = parts[3] or "µV"
    if set(units) == set(range(recording.info.n_channels)):
        # The numbers of the file, in the units that it states for them: MNE would take many of these for volts.
        raw._cals = np.array([resolutions[i] for i in range(len(units))])
        # Where some channels have places on the head, a voltage that has none is not EEG.
        voltage = "bio" if "[Coordinates]" in header else "eeg"
        recording = as_stated(recording, unscaled(recording), units, reading, voltage=voltage)
    return finished(with_gaps(recording, _segments(path, header, recording), "segments with dates"), reading)


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


def _text(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding).replace("\r\n", "\n")
    return ""


def _segments(path: Path, header: str, recording: Recording) -> list[tuple[int, int]]:
    """Return where a segment begins and how many samples are missing before it, by the dates of the segments."""
    named = re.search(r"^MarkerFile\s*=\s*(.+?)\s*$", header, re.MULTILINE | re.IGNORECASE)
    if named is None:
        return []
    markers = path.parent / named[1].replace("$b", path.stem)
    if not markers.is_file():
        return []
    begun: list[tuple[int, datetime.datetime]] = []
    for kind, _, position, _, _, date in _MARKER.findall(_text(markers)):
        if kind == "New Segment" and date:
            with contextlib.suppress(ValueError):
                begun.append(
                    (int(position) - 1, datetime.datetime.strptime(date[:20].ljust(20, "0"), "%Y%m%d%H%M%S%f"))
                )
    sfreq = recording.info.sfreq
    gaps = []
    for (first, start), (row, date) in itertools.pairwise(begun):
        missing = round((date - start).total_seconds() * sfreq) - (row - first)
        # Dates have microseconds, clocks of amplifier and computer drift by parts in ten thousand.
        if missing > max(1, 2e-4 * (row - first)):
            gaps.append((row, missing))
    return gaps


def _probe_brainvision(path: Path, head: bytes) -> bool | str:
    text = head[:200].lstrip(b"\xef\xbb\xbf").decode("latin-1")
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
    options=("trigger_mask",),
)  # fmt: skip
