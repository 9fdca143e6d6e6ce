"""Files as recordings and as sources: every format MNE reads, XDF, OpenBCI, BrainFlow and Muse text."""

import bisect
import warnings
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.checks import accepted, check_recording
from bcikit.acquisition.formats import FileHints, format_of, read_format
from bcikit.acquisition.lsl_resolve import wait_until
from bcikit.acquisition.montage import clinical_name, montage_positions
from bcikit.acquisition.naming import printable_name
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.sidecars import with_sidecars
from bcikit.acquisition.source import Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.trigger import TRIGGER
from bcikit.acquisition.watchdog import Pulse
from bcikit.acquisition.whole import check_whole
from bcikit.signal import (
    ArgumentError,
    Chunk,
    DoubtWarning,
    Event,
    Health,
    HostClock,
    Recording,
    SourceError,
    StreamEndedError,
    StreamInfo,
    check_choice,
    check_int,
    check_range,
)
from bcikit.signal.address import Address

_READING = (
    "accept",
    "board",
    "encoding",
    "map",
    "names",
    "partial",
    "sfreq",
    "stream",
    "time_unit",
    "trigger_mask",
    "unit",
)
_OPTIONS = (*_READING, "chunk", "loop", "speed")
_CHUNK_SECONDS = 0.04


def read_recording(
    path: str | Path,
    *,
    unit: str | None = None,
    stream: str | None = None,
    board: str | None = None,
    sfreq: float | None = None,
    encoding: str | None = None,
    trigger_mask: int | None = None,
    time_unit: str | None = None,
    map: str | None = None,  # noqa: A002 - the word a user knows
    names: str = "standard",
    partial: bool = False,
    accept: Collection[str] = (),
    lazy: bool = False,
) -> Recording:
    """Read a file of any known format into the same object, in microvolts.

    What the file is, is told from its content. Whatever was found, changed or left out is in `Recording.notes`; what
    may be wrong and nobody decided is a doubt there, and a `DoubtWarning`.

    Parameters
    ----------
    path : str or Path
        EDF, BDF, GDF, BrainVision (the .vhdr), FIF, EEGLAB and what else MNE reads; XDF; OpenBCI GUI text, BrainFlow
        tables, tables of Muse, Mind Monitor and others ('bcikit import --list-formats'). The events and channels that a
        BIDS data set keeps in tables beside the file are read with it. Options may stand behind a text, as in
        ``x.csv?unit=uV``.
    unit : str or None
        Unit of the voltages for which the file states none; of FIF and EEGLAB, what its numbers really are.
    stream : str or None
        XDF: the stream's name, source id, type, number in the file, or ``#2`` for the second.
    board : str or None
        BrainFlow tables: name of the board.
    sfreq : float or None
        Sampling rate in Hz, where the file states none or a wrong one.
    encoding : str or None
        Of texts: "utf-8", "latin-1", "gbk"; told from the texts where it is left out.
    trigger_mask : int or None
        Bits of a trigger channel that are codes.
    time_unit : str or None
        Tables: unit of the column of times: s, ms, us, ns, samples.
    map : str or None
        Tables of no known program: ``eeg=2:9 time=0[ms] marker=10``.
    names : {"standard", "file"}
        "standard" writes names that are positions of the 10-05 system as that system does ("Fc5." becomes "FC5") and
        adds their positions where the file has none; "file" keeps all as it is.
    partial : bool
        Read what is there of a file that was cut off.
    accept : collection of str
        Codes of doubts that are decided: "amplitude", "rate", "events", ...
    lazy : bool
        Leave the samples of EDF, BDF, GDF, BrainVision and what else MNE reads, and of XDF, in the file: `data` is then
        `LazyRows`, read when it is indexed, and bad samples are not marked yet. For recordings of hours.

    Returns
    -------
    Recording
        Samples, times, events and bad samples.

    Raises
    ------
    SourceError
        If the file is missing, damaged, truncated or of an unknown format.
    ArgumentError
        If its unit is not known; the message says how to state it.
    """
    if isinstance(path, str) and "?" in path and not Path(path).exists():
        path, behind = split_address(
            path, unit=unit, stream=stream, board=board, sfreq=sfreq, encoding=encoding, trigger_mask=trigger_mask,
            time_unit=time_unit, map=map, names=None if names == "standard" else names, partial=partial or None,
            accept=tuple(accept),
        )  # fmt: skip
        return read_recording(path, **behind, lazy=lazy)
    texts: dict[str, Any] = {"unit": unit, "board": board, "encoding": encoding, "time_unit": time_unit, "map": map}
    for said, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ArgumentError(f"{said} is {text!r}; it must be a text, as on the command line.")
    # A number of a stream, a mask and one word are taken as they are meant.
    stream = str(stream) if stream is not None else None
    trigger_mask = None if trigger_mask is None else whole_number("trigger_mask", str(trigger_mask))
    accept = (accept,) if isinstance(accept, str) else accept
    path = Path(path)
    check_there(path, partial=partial)
    check_choice("names", names, ("standard", "file"))
    reading = FileHints(
        unit=unit, stream=stream, board=board, sfreq=sfreq, encoding=encoding, trigger_mask=trigger_mask,
        time_unit=time_unit, map=map, partial=partial, accept=tuple(accept),
    )  # fmt: skip
    recording = finish(read_format(path, reading, lazy=lazy), path, names=names, accept=tuple(accept))
    for note in recording.notes:
        if note.doubt:
            warnings.warn(f"{path.name}: {note.text}", DoubtWarning, stacklevel=2)
    return recording


def read_streams(path: str | Path, **options: Any) -> tuple[Recording, dict[str, Recording]]:
    """Return what `read_recording` returns, and the other streams of samples in the file by name, on the same clock.

    Parameters
    ----------
    path : str or Path
        The file.
    **options
        As `read_recording` takes them.
    """
    path = Path(path)
    if not path.is_file() or format_of(path).name != "xdf":
        return read_recording(path, **options), {}
    from bcikit.acquisition.read_xdf import read_other_streams
    from bcikit.acquisition.xdf_chunks import loaded_once

    kept = {key: value for key, value in options.items() if key not in ("names", "lazy") and value is not None}
    accept = kept.get("accept", ())
    reading = FileHints(**{**kept, "accept": (accept,) if isinstance(accept, str) else tuple(accept)})
    with loaded_once():
        recording = read_recording(path, **options)
        others, told = read_other_streams(path, reading)
    notes = accepted(told, reading.accept)
    for note in notes:
        if note.doubt:
            warnings.warn(f"{path.name}: {note.text}", DoubtWarning, stacklevel=2)
    return replace(recording, notes=(*recording.notes, *notes)), others


def check_there(path: Path, *, partial: bool) -> None:
    """Refuse what is no file, empty, or shorter than it says.

    Raises
    ------
    SourceError
        Saying which.
    """
    if not path.exists():
        raise SourceError(f"There is no file {str(path)!r}.")
    if not path.is_file() and not path.is_dir():
        raise SourceError(f"{path} is no file but a pipe, a socket or a device; write it to a file first.")
    if path.is_file():
        if path.stat().st_size == 0:
            raise SourceError(f"{path} is empty.")
        if not partial:
            check_whole(path)


def finish(recording: Recording, path: Path, *, names: str = "standard", accept: tuple[str, ...] = ()) -> Recording:
    """Return a recording with what BIDS keeps beside it, standard names, bad samples marked, and everything checked."""
    recording = replace(recording, info=recording.info.replace(name=printable_name(recording.info.name)))
    recording = with_sidecars(recording, path)
    if names == "standard":
        recording = replace(recording, info=standard_names(recording.info))
    recording = check_recording(recording)
    if accept:
        recording = replace(recording, notes=accepted(recording.notes, accept))
    # A session's bad samples were told by its devices as they ran, by scales that its description may not hold.
    recorded = recording.mask is not None and format_of(path).name == "session"
    if not recording.lazy and not recorded:
        recording = replace(recording, mask=SampleCheck(recording.info).added(recording.data, recording.mask))
    return recording


def read_address(text: str | Path, **options: Any) -> Recording:
    """Read ``PATH?option=value``: what `read_recording` takes, behind the path as in a ``file:`` address.

    Parameters
    ----------
    text : str or Path
        The path, alone or with options.
    **options
        For `read_recording`; they win over those behind the path.

    Raises
    ------
    ArgumentError
        If an option is unknown.
    SourceError
        If the file cannot be read.
    """
    path, values = split_address(text, **options)
    return read_recording(path, **values)


def split_address(text: str | Path, **options: Any) -> tuple[Path, dict[str, Any]]:
    """Return the path and the options of ``PATH?option=value``, as `read_recording` takes them.

    Raises
    ------
    ArgumentError
        If an option is unknown.
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    if Path(text).exists():
        return Path(text), given
    address = Address.parse(f"file:{text}")
    address.check_options(_READING)
    return Path(address.body), _reading_options(address) | given


def _reading_options(address: Address) -> dict[str, Any]:
    texts = ("unit", "stream", "board", "names", "encoding", "time_unit", "map")
    options: dict[str, Any] = {key: address.options[key] for key in texts if key in address.options}
    if "sfreq" in address.options:
        options["sfreq"] = address.number("sfreq", 0.0, low=1e-3)
    if "trigger_mask" in address.options:
        options["trigger_mask"] = whole_number("trigger_mask", address.options["trigger_mask"])
    if "accept" in address.options:
        options["accept"] = tuple(address.options["accept"].split(","))
    return options | {"partial": address.flag("partial", default=False)}


def whole_number(name: str, text: str) -> int:
    """Return a whole number written as 255 or 0xFF.

    Raises
    ------
    ArgumentError
        If it is none.
    """
    try:
        return int(text, 0)
    except ValueError:
        raise ArgumentError(f"{name} is {text!r}; it must be a whole number: 255 or 0xFF.") from None


def standard_names(info: StreamInfo) -> StreamInfo:
    """Return `info` with names of the 10-05 system written as it does, and with their positions where none are known.

    Names that are no positions stay; nothing is renamed where that would make two names equal.
    """
    found = [
        clinical_name(name) if kind == "eeg" else (name, "")
        for name, kind in zip(info.ch_names, info.ch_types, strict=True)
    ]
    names = tuple(name for name, _ in found)
    if len(set(names)) != len(names):
        return info
    fresh = dict(zip(info.ch_names, names, strict=True))
    changed = replace(info, ch_names=names, bads=tuple(fresh[name] for name in info.bads))
    references = {reference for (_, reference), kind in zip(found, info.ch_types, strict=True) if kind == "eeg"}
    if not info.reference and len(references) == 1 and "" not in references:
        changed = replace(changed, reference=references.pop())
    if info.positions is None:
        changed = replace(changed, positions=montage_positions(names))
    return changed


def open_file(address: Address) -> "FileSource":
    """Open ``file:PATH?option=value``.

    Options: ``speed`` (1 plays at its own pace, 2 twice as fast; without it, as fast as it is pulled), ``chunk``
    (samples a chunk), ``loop`` (begin again at the end) and what `read_recording` takes: ``unit``, ``stream``,
    ``board``, ``sfreq``, ``names``, ``partial``.

    Raises
    ------
    ArgumentError
        If an option is unknown.
    SourceError
        If the file cannot be read.
    """
    address.check_options(_OPTIONS)
    if not address.body:
        raise ArgumentError("file: which file? 'file:recording.edf'.")
    return FileSource(
        read_recording(address.body, **_reading_options(address)),
        speed=address.number("speed", 0.0, low=1e-3) if "speed" in address.options else None,
        chunk=int(address.number("chunk", 0, low=1)) if "chunk" in address.options else None,
        loop=address.flag("loop", default=False),
    )


open_file.paths = ("body",)  # type: ignore[attr-defined]


class FileSource(Source):
    """A recording as a source.

    Parameters
    ----------
    recording : Recording
        What is played.
    speed : float or None
        Times its own pace: its times begin now and run at their own rate, and each chunk is given when it is due, at
        `speed` 1 on the host's clock. None is as fast as it is pulled, on the times of the recording.
    chunk : int or None
        Samples a chunk; 40 ms where it is left out.
    loop : bool
        Begin again at the end; sample indices and times go on.
    """

    def __init__(
        self, recording: Recording, *, speed: float | None = None, chunk: int | None = None, loop: bool = False
    ) -> None:
        self.info = recording.info
        if self.info.sfreq <= 0:
            raise SourceError(f"{self.info.name!r} has a sampling rate of {self.info.sfreq:g} Hz.")
        self.recording = recording
        self.speed = None if speed is None else check_range("speed", speed, low=0.0, low_open=True)
        self.live = speed is not None
        self._chunk = check_int("chunk", chunk, low=1) if chunk else max(1, round(_CHUNK_SECONDS * self.info.sfreq))
        self._loop = loop
        self._now = HostClock().now
        self._iterator: Iterator[Chunk] | None = None
        self._events: deque[Event] = deque()
        self._due: list[Event] = []
        self._pending: Chunk | None = None
        self._samples = self._lost = 0

    @property
    def decoded(self) -> frozenset[str]:
        """Channels whose codes are among the events of the recording."""
        codes = (event.source for event in self.recording.events if event.name.startswith(TRIGGER))
        return frozenset(codes) & frozenset(self.info.ch_names)

    def start(self) -> None:
        """Begin at the first sample."""
        self._lap = 0
        self._samples = self._lost = 0
        self._due.clear()
        self._rewind()
        self._look_ahead()
        self.began = self._now()

    def _rewind(self) -> None:
        self._iterator = self.recording.chunks(self._chunk)
        self._events = deque(sorted(self.recording.events, key=lambda event: event.time))

    @property
    def ended(self) -> bool:
        """True once the last sample was given."""
        return self._iterator is not None and self._pending is None

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next chunk; see `Source.pull`."""
        if self._iterator is None:
            raise SourceError(f"{self.info.name!r} is not running: call start() first, or use it in a 'with' block.")
        if self._pending is None:
            raise StreamEndedError(self.info.name)
        chunk = self._placed(self._pending)
        if self.speed is not None:
            moment = self.began + (float(chunk.times[-1]) - self.began) / self.speed
            limit = self._now() + timeout
            wait_until(min(moment, limit))
            if moment > limit:
                return None
            chunk.health.age = max(0.0, self._now() - moment)
        self._release(chunk)
        self._samples += chunk.n_times
        self._lost += chunk.health.lost
        self._look_ahead()
        return chunk

    def _look_ahead(self) -> None:
        """Have the next chunk ready, so that the end is known with the last one."""
        assert self._iterator is not None
        self._pending = next(self._iterator, None)
        if self._pending is None and self._loop and self.recording.n_times:
            self._lap += 1
            self._rewind()
            self._pending = next(self._iterator)

    @property
    def _lap_samples(self) -> int:
        return int(self.recording.samples[-1]) - int(self.recording.samples[0]) + 1

    @property
    def _lap_seconds(self) -> float:
        # By its times, not by the stated rate: a device is slower or faster, and the next lap begins after the last.
        return float(self.recording.times[-1] - self.recording.times[0]) + 1.0 / self.info.sfreq

    def _placed(self, chunk: Chunk) -> Chunk:
        """Return the chunk on the clock of the playing: the recording's own, or the host's where it is paced."""
        recording = self.recording
        times = chunk.times + self._lap * self._lap_seconds if self._lap else chunk.times
        if self.speed is not None:
            times = self.began + (times - float(recording.times[0]))
        if times is chunk.times and not self._lap:
            return chunk
        health = chunk.health
        return Chunk(
            chunk.data,
            times,
            chunk.first_sample + self._lap * self._lap_samples,
            Health(health.lost, health.mask, 0.0, health.flags),
        )

    def _release(self, chunk: Chunk) -> None:
        """Give the events up to the end of a chunk, in its clock."""
        recording = self.recording
        last = float(recording.times[min(recording.n_times, self._row(chunk)) - 1])
        half = 0.5 / self.info.sfreq
        while self._events and self._events[0].time < last + half:
            event = self._events.popleft()
            row = min(int(np.searchsorted(recording.times, event.time - half)), recording.n_times - 1)
            sample = event.sample if event.sample is not None else int(recording.samples[row])
            time = event.time + self._lap * self._lap_seconds
            if self.speed is not None:
                time = self.began + (time - float(recording.times[0]))
            self._due.append(replace(event, sample=sample + self._lap * self._lap_samples, time=time))

    def _row(self, chunk: Chunk) -> int:
        """Return the row of the recording after the last of a chunk."""
        return bisect.bisect_left(self.recording.samples, chunk.end_sample - self._lap * self._lap_samples)

    def pull_events(self) -> list[Event]:
        """Return the events up to the newest sample that was given, since the last call."""
        events, self._due = self._due, []
        return events

    def status(self) -> StreamStatus:
        """Return how much was given so far."""
        return StreamStatus(
            name=self.info.name,
            pulse=Pulse.ENDED if self.ended else Pulse.ALIVE,
            samples=self._samples,
            lost=self._lost,
            rate=self.info.sfreq,
        )

    def stop(self) -> None:
        """Stop; `start` begins at the first sample."""
        self._iterator = None
        self._pending = None
