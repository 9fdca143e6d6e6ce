"""Files as recordings and as sources: every format MNE reads, XDF, OpenBCI, BrainFlow and Muse text."""

import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.acquisition.lsl_resolve import wait_until
from bcikit.acquisition.montage import montage_positions, standard_name
from bcikit.acquisition.samples import SampleCheck
from bcikit.acquisition.source import Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse
from bcikit.acquisition.whole import check_whole
from bcikit.signal import (
    ArgumentError,
    Chunk,
    Event,
    Health,
    HostClock,
    Recording,
    SourceError,
    StreamInfo,
    check_int,
    check_range,
)
from bcikit.signal.address import Address

_READING = ("board", "names", "partial", "sfreq", "stream", "unit")
_OPTIONS = (*_READING, "chunk", "loop", "speed")
_TEXT = frozenset({".txt", ".csv", ".tsv"})
_CHUNK_SECONDS = 0.04


def read_recording(
    path: str | Path,
    *,
    unit: str | None = None,
    stream: str | None = None,
    board: str | None = None,
    sfreq: float | None = None,
    names: str = "standard",
    partial: bool = False,
) -> Recording:
    """Read a file of any known format into the same object, in microvolts.

    Parameters
    ----------
    path : str or Path
        EDF, BDF, GDF, BrainVision (the .vhdr), FIF, EEGLAB and what else MNE reads; XDF; OpenBCI GUI text, BrainFlow
        tables, Muse tables.
    unit : str or None
        Unit of the voltages, for a file that states none (XDF, tables, EDF).
    stream : str or None
        XDF: name of the stream.
    board : str or None
        BrainFlow tables: name of the board.
    sfreq : float or None
        Tables: sampling rate in Hz; from their times where it is left out.
    names : {"standard", "file"}
        "standard" writes names that are positions of the 10-05 system as that system does ("Fc5." becomes "FC5") and
        adds their positions where the file has none; "file" keeps all as it is.
    partial : bool
        Read what is there of a file that was cut off.

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
    path = Path(path)
    if path.is_dir() and path.suffix.lower() not in (".ds", ".mff"):
        raise SourceError(f"{path} is a folder; give the file in it.")
    if not path.exists():
        raise SourceError(f"There is no file {str(path)!r}.")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path} is empty.")
    suffix = path.suffix.lower()
    if path.is_file() and not partial:
        check_whole(path)
    if suffix in (".xdf", ".xdfz") or path.name.lower().endswith(".xdf.gz"):
        from bcikit.acquisition.read_xdf import read_xdf

        recording = read_xdf(path, stream=stream, unit=unit)
    elif suffix in _TEXT:
        from bcikit.acquisition.read_text import read_text

        recording = read_text(path, board=board, unit=unit, sfreq=sfreq, partial=partial)
    else:
        from bcikit.acquisition.read_mne import read_with_mne

        recording = read_with_mne(path, unit=unit)
    if names not in ("standard", "file"):
        raise ArgumentError(f"names is {names!r}; allowed: standard, file.")
    if names == "standard":
        recording = replace(recording, info=standard_names(recording.info))
    return (
        recording
        if recording.mask is not None
        else replace(recording, mask=SampleCheck(recording.info).mask(recording.data))
    )


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
    given = {key: value for key, value in options.items() if value is not None}
    if Path(text).exists():
        return read_recording(text, **given)
    address = Address.parse(f"file:{text}")
    address.check_options(_READING)
    return read_recording(address.body, **(_reading_options(address) | given))


def _reading_options(address: Address) -> dict[str, Any]:
    options: dict[str, Any] = {
        key: address.options[key] for key in ("unit", "stream", "board", "names") if key in address.options
    }
    if "sfreq" in address.options:
        options["sfreq"] = address.number("sfreq", 0.0, low=1e-3)
    return options | {"partial": address.flag("partial", default=False)}


def standard_names(info: StreamInfo) -> StreamInfo:
    """Return `info` with names of the 10-05 system written as it does, and with their positions where none are known.

    Names that are no positions stay; nothing is renamed where that would make two names equal.
    """
    names = tuple(
        (standard_name(name) or name) if kind == "eeg" else name
        for name, kind in zip(info.ch_names, info.ch_types, strict=True)
    )
    if len(set(names)) != len(names):
        return info
    changed = replace(info, ch_names=names)
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
        self._ended = False
        self._samples = self._lost = 0

    def start(self) -> None:
        """Begin at the first sample."""
        self._ended = False
        self._lap = 0
        self._samples = self._lost = 0
        self._due.clear()
        self._rewind()
        self.began = self._now()

    def _rewind(self) -> None:
        self._iterator = self.recording.chunks(self._chunk)
        self._events = deque(sorted(self.recording.events, key=lambda event: event.time))

    @property
    def ended(self) -> bool:
        """True once the last sample was given."""
        return self._ended

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next chunk; see `Source.pull`."""
        if self._iterator is None:
            raise SourceError(f"{self.info.name!r} is not running: call start() first, or use it in a 'with' block.")
        if self._ended:
            return None
        if self._pending is None:
            self._pending = next(self._iterator, None)
            if self._pending is None and self._loop and self.recording.n_times:
                self._lap += 1
                self._rewind()
                self._pending = next(self._iterator)
            if self._pending is None:
                self._ended = True
                return None
        chunk = self._placed(self._pending)
        if self.speed is not None:
            moment = self.began + (float(chunk.times[-1]) - self.began) / self.speed
            limit = self._now() + timeout
            wait_until(min(moment, limit))
            if moment > limit:
                return None
            chunk.health.age = max(0.0, self._now() - moment)
        self._pending = None
        self._release(chunk)
        self._samples += chunk.n_times
        self._lost += chunk.health.lost
        return chunk

    _pending: Chunk | None = None

    def _placed(self, chunk: Chunk) -> Chunk:
        """Return the chunk on the clock of the playing: the recording's own, or the host's where it is paced."""
        recording = self.recording
        span = int(recording.samples[-1]) - int(recording.samples[0]) + 1
        times = chunk.times + self._lap * span / self.info.sfreq if self._lap else chunk.times
        if self.speed is not None:
            times = self.began + (times - float(recording.times[0]))
        if times is chunk.times and not self._lap:
            return chunk
        health = chunk.health
        return Chunk(
            chunk.data,
            times,
            chunk.first_sample + self._lap * span,
            Health(health.lost, health.mask, 0.0, health.flags),
        )

    def _release(self, chunk: Chunk) -> None:
        """Give the events up to the end of a chunk, in its clock."""
        recording = self.recording
        span = int(recording.samples[-1]) - int(recording.samples[0]) + 1
        last = float(recording.times[min(recording.n_times, self._row(chunk)) - 1])
        half = 0.5 / self.info.sfreq
        while self._events and self._events[0].time < last + half:
            event = self._events.popleft()
            row = min(int(np.searchsorted(recording.times, event.time - half)), recording.n_times - 1)
            sample = event.sample if event.sample is not None else int(recording.samples[row])
            time = event.time + self._lap * span / self.info.sfreq
            if self.speed is not None:
                time = self.began + (time - float(recording.times[0]))
            self._due.append(replace(event, sample=sample + self._lap * span, time=time))

    def _row(self, chunk: Chunk) -> int:
        """Return the row of the recording after the last of a chunk."""
        lap_start = self._lap * (int(self.recording.samples[-1]) - int(self.recording.samples[0]) + 1)
        return bisect.bisect_left(self.recording.samples, chunk.end_sample - lap_start)

    def pull_events(self) -> list[Event]:
        """Return the events up to the newest sample that was given, since the last call."""
        events, self._due = self._due, []
        return events

    def status(self) -> StreamStatus:
        """Return how much was given so far."""
        return StreamStatus(
            name=self.info.name,
            pulse=Pulse.ENDED if self._ended else Pulse.ALIVE,
            samples=self._samples,
            lost=self._lost,
            rate=self.info.sfreq,
        )

    def stop(self) -> None:
        """Stop; `start` begins at the first sample."""
        self._iterator = None
        self._pending = None
