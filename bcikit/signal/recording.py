"""Recording: a whole stream in memory, whatever file it came from."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.signal.checks import check_int
from bcikit.signal.chunk import Chunk
from bcikit.signal.errors import DataError
from bcikit.signal.event import Event, channels_of
from bcikit.signal.health import Flag, Health
from bcikit.signal.info import StreamInfo
from bcikit.signal.lazy import LazyRows, LazyWindow
from bcikit.signal.notes import Note
from bcikit.signal.shown import Shown, counted, listed
from bcikit.signal.units import MICROVOLT, is_voltage, microvolts_per

if TYPE_CHECKING:
    import matplotlib.figure
    import mne
    import pandas

_MNE_TYPES = {"accel": "misc", "gyro": "misc", "ppg": "misc", "ref": "eeg"}
_BCIKIT_TYPES = {"ref_meg": "misc", "eyegaze": "misc", "pupil": "misc", "dbs": "bio", "seeg": "bio", "ecog": "bio"}
_VOLT_TYPES = frozenset({"eeg", "eog", "emg", "ecg", "bio", "ref"})


@dataclass(frozen=True, slots=True, eq=False, kw_only=True, repr=False)
class Recording(Shown):
    """A stream that has ended: the same words as live, all at once.

    Attributes
    ----------
    info : StreamInfo
        What the stream is.
    data : ndarray of float64, shape (n_times, n_channels)
        Samples in the unit of `info`; lost samples are not in it. `LazyRows` where they were left in their file.
    times : ndarray of float64, shape (n_times,)
        Seconds on the clock of the recording.
    samples : ndarray of int64, shape (n_times,)
        Index of each sample, counting lost ones: a step of more than one is a gap.
    events : tuple of Event
        In order of time.
    mask : ndarray of uint8, shape (n_times, n_channels), or None
        `Bad` bits a sample and channel; `LazyRows` where they were left in their file with the samples.
    notes : tuple of Note
        What the reader found, changed, left out or could not decide.
    """

    info: StreamInfo
    data: NDArray[np.float64]
    times: NDArray[np.float64]
    samples: NDArray[np.int64]
    events: tuple[Event, ...] = ()
    mask: NDArray[np.uint8] | None = None
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        data = self.data
        if data.ndim != 2 or data.dtype != np.float64 or data.shape[1] != self.info.n_channels:
            raise DataError(
                f"Recording.data must be float64 (n_times, {self.info.n_channels}); it is {data.dtype} {data.shape}."
            )
        for name in ("times", "samples"):
            if getattr(self, name).shape != (data.shape[0],):
                raise DataError(f"Recording.{name} must have shape ({data.shape[0]},).")

    @classmethod
    def from_arrays(
        cls,
        info: StreamInfo,
        data: "NDArray[np.float64] | LazyRows",
        *,
        start: float = 0.0,
        events: tuple[Event, ...] = (),
        mask: NDArray[np.uint8] | None = None,
    ) -> Self:
        """Return a recording without gaps, sampled at the nominal rate from `start` seconds on.

        Parameters
        ----------
        data : ndarray, shape (n_times, n_channels)
            Samples in the unit of `info`; voltages in V, mV or nV become microvolts.
        """
        if info.sfreq <= 0:
            raise DataError(f"{info.name!r} has a sampling rate of {info.sfreq:g} Hz; times cannot be made from it.")
        if not isinstance(data, LazyRows):
            data = np.ascontiguousarray(data, dtype=np.float64)
        if is_voltage(info.unit) and info.unit != MICROVOLT:
            factor = microvolts_per(info.unit)
            data = data * np.array([factor if kind in _VOLT_TYPES else 1.0 for kind in info.ch_types])
            info = info.replace(unit=MICROVOLT)
        samples = np.arange(data.shape[0], dtype=np.int64)
        return cls(
            info=info,
            data=data,  # type: ignore[arg-type]
            times=start + samples / info.sfreq,
            samples=samples,
            events=tuple(sorted(events, key=lambda event: event.time)),
            mask=mask,
        )

    def shown(self) -> tuple[str, dict[str, str]]:
        """Return what a prompt and a notebook show."""
        info = self.info
        seconds = (
            float(self.times[-1] - self.times[0]) + (1 / info.sfreq if info.sfreq else 0.0) if self.n_times else 0.0
        )
        lost = f", {self.lost} samples lost" if self.lost else ""
        line = (
            f"{info.name!r}: {info.n_channels} channels, {seconds:.1f} s at {info.sfreq:g} Hz{lost}, "
            f"{len(self.events)} events"
        )
        return line, {
            "channels": listed(info.ch_names),
            "marked bad": listed(info.bads),
            "events": counted(event.name for event in self.events),
            "unit": info.unit,
            "notes": "; ".join(str(note) for note in self.notes),
        }

    @property
    def n_times(self) -> int:
        """Number of samples that were received."""
        return self.data.shape[0]

    @property
    def lost(self) -> int:
        """Number of samples lost between the first and the last."""
        return 0 if self.n_times == 0 else int(self.samples[-1] - self.samples[0]) + 1 - self.n_times

    @property
    def lazy(self) -> bool:
        """Whether the samples are still in their file."""
        return isinstance(self.data, LazyRows)

    def loaded(self) -> Self:
        """Return the recording with its samples in memory."""
        if not self.lazy:
            return self
        return replace(self, data=np.asarray(self.data), mask=None if self.mask is None else np.asarray(self.mask))

    def pick(self, columns: list[int]) -> Self:
        """Return some of the channels, in the order given."""
        return replace(
            self,
            info=self.info.pick(columns),
            data=np.ascontiguousarray(self.data[:, columns]),
            mask=None if self.mask is None else np.ascontiguousarray(self.mask[:, columns]),
        )

    def crop(self, start: float = 0.0, stop: float | None = None) -> Self:
        """Return the samples and events from `start` to before `stop`, in seconds from the first sample.

        Times and indices stay as they are; a span that is marked and begins before is cut at the edge.
        """
        if not self.n_times:
            return self
        begin = float(self.times[0]) + start
        end = float("inf") if stop is None else float(self.times[0]) + stop
        if end <= begin:
            raise DataError(f"crop from {start:g} to {stop:g} s leaves nothing.")
        half = 0.5 / self.info.sfreq if self.info.sfreq > 0 else 0.0
        row, last = (int(np.searchsorted(self.times, edge - half)) for edge in (begin, end))
        cut = slice(row, last)
        kept = []
        for event in self.events:
            if begin - half <= event.time < end - half:
                kept.append(event)
            elif event.duration > 0 and event.time < begin < event.time + event.duration and last > row:
                left = event.time + event.duration - begin
                kept.append(replace(event, time=begin, sample=int(self.samples[row]), duration=left))
        return replace(
            self,
            data=self.data[cut],
            times=self.times[cut],
            samples=self.samples[cut],
            events=tuple(kept),
            mask=None if self.mask is None else self.mask[cut],
        )

    def __getitem__(self, seconds: Any) -> Self:
        """Return a span by seconds from the first sample: ``recording[10.0:20.0]``."""
        if not isinstance(seconds, slice) or seconds.step is not None:
            raise DataError("A recording is sliced by seconds: recording[10.0:20.0].")
        return self.crop(seconds.start or 0.0, seconds.stop)

    def plot(
        self, channels: "list[str] | None" = None, *, scale: float | None = None, max_events: int = 200
    ) -> "matplotlib.figure.Figure":
        """Return a figure of the channels below each other, with events, gaps and spans marked as bad.

        Parameters
        ----------
        channels : list of str or None
            All if left out.
        scale : float or None
            Distance between two channels in the unit of the recording; by their spread if left out.
        max_events : int
            Events to draw.
        """
        from bcikit.signal.recording_plot import plot_recording

        return plot_recording(self, channels=channels, scale=scale, max_events=max_events)

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas DataFrame: one row a sample, the index in seconds, a column a channel."""
        import pandas

        index = pandas.Index(self.times, name="time")
        return pandas.DataFrame(self.data, index=index, columns=list(self.info.ch_names))

    def chunks(self, n_times: int) -> Iterator[Chunk]:
        """Yield the recording as chunks of at most `n_times` samples; a chunk never spans a gap."""
        n_times = check_int("n_times", n_times, low=1)
        breaks = np.flatnonzero(np.diff(self.samples) != 1) + 1
        edges = [0, *breaks.tolist(), self.n_times]
        held: Any = self.data
        rows = LazyWindow(held, n_times) if self.lazy else held
        bits: Any = self.mask
        masks: Any = LazyWindow(bits, n_times) if isinstance(bits, LazyRows) else bits
        first = True
        for start, stop in itertools.pairwise(edges):
            for begin in range(start, stop, n_times):
                end = min(begin + n_times, stop)
                lost = 0
                flags = Flag.START if first else Flag.NONE
                if begin == start and not first:
                    lost = max(0, int(self.samples[begin] - self.samples[begin - 1]) - 1)
                    flags |= Flag.GAP
                mask = None if masks is None else masks[begin:end]
                if mask is not None and not mask.any():
                    mask = None
                first = False
                yield Chunk(
                    rows[begin:end],
                    self.times[begin:end],
                    int(self.samples[begin]),
                    Health(lost=lost, mask=mask, flags=flags),
                )

    @classmethod
    def from_chunks(cls, info: StreamInfo, chunks: list[Chunk], *, events: tuple[Event, ...] = ()) -> Self:
        """Return chunks that were received in order as one recording."""
        if not chunks:
            empty = np.empty((0, info.n_channels))
            return cls(info=info, data=empty, times=np.empty(0), samples=np.empty(0, np.int64), events=events)
        mask: NDArray[np.uint8] | None = None
        if any(chunk.health.mask is not None for chunk in chunks):
            mask = np.concatenate(
                [np.zeros(c.data.shape, np.uint8) if c.health.mask is None else c.health.mask for c in chunks]
            )
        return cls(
            info=info,
            data=np.concatenate([chunk.data for chunk in chunks]),
            times=np.concatenate([chunk.times for chunk in chunks]),
            samples=np.concatenate(
                [np.arange(chunk.first_sample, chunk.end_sample, dtype=np.int64) for chunk in chunks]
            ),
            events=tuple(sorted(events, key=lambda event: event.time)),
            mask=mask,
        )

    @classmethod
    def from_mne(cls, raw: "mne.io.BaseRaw", *, name: str = "", lazy: bool = False) -> Self:
        """Return an `mne.io.Raw` in microvolts, its annotations as events.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            Volts, as MNE keeps them.
        name : str
            Name of the stream; the file's name where it is left out.
        lazy : bool
            Leave the samples where they are until they are asked for.
        """
        types = [_BCIKIT_TYPES.get(kind, kind) for kind in raw.get_channel_types()]
        types = [kind if kind in _KNOWN else "misc" for kind in types]
        scale = np.array([1e6 if kind in _VOLT_TYPES else 1.0 for kind in types])
        montage = raw.get_montage()
        positions = None
        if montage is not None:
            located = montage.get_positions()["ch_pos"]
            unknown = (float("nan"),) * 3
            positions = tuple(tuple(map(float, located.get(channel, unknown))) for channel in raw.ch_names)
        file_names = [str(part) for part in (raw.filenames or ()) if part is not None]
        info = StreamInfo(
            name=name or (file_names[0].replace("\\", "/").rsplit("/", 1)[-1] if file_names else "mne"),
            sfreq=float(raw.info["sfreq"]),
            ch_names=tuple(raw.ch_names),
            ch_types=tuple(types),
            positions=positions,  # type: ignore[arg-type]
            line_freq=None if raw.info["line_freq"] is None else float(raw.info["line_freq"]),
            bads=tuple(raw.info["bads"]),
        )
        sfreq = info.sfreq
        events = tuple(
            Event(
                name=str(annotation["description"]),
                time=float(onset),
                sample=round(float(onset) * sfreq),
                duration=float(annotation["duration"]),
                source="annotation",
                data={"channels": list(annotation["ch_names"])} if annotation.get("ch_names") else {},
            )
            for annotation, onset in zip(raw.annotations, _onsets(raw), strict=True)
        )

        def read(start: int, stop: int, columns: list[int] | None) -> NDArray[np.float64]:
            return np.asarray(raw.get_data(picks=columns, start=start, stop=stop, verbose="ERROR"))

        rows = LazyRows(read, (int(raw.n_times), len(types)), scale)
        return cls.from_arrays(info, rows if lazy else np.asarray(rows), events=events)

    def to_mne(self) -> "mne.io.RawArray":
        """Return an `mne.io.RawArray` in volts; events become annotations, of the channels that they are about.

        What marks channels as bad that are not in the recording is left out. Lost samples are put in as zeros under a
        ``BAD_lost`` annotation, so that times stay true.
        """
        import mne

        info = mne.create_info(
            list(self.info.ch_names),
            self.info.sfreq,
            [_MNE_TYPES.get(kind, kind) for kind in self.info.ch_types],
            verbose="ERROR",
        )
        scale = np.array([1e-6 if kind in _VOLT_TYPES else 1.0 for kind in self.info.ch_types])
        first = int(self.samples[0]) if self.n_times else 0
        length = self.n_times + self.lost
        data = np.zeros((self.info.n_channels, length))
        data[:, self.samples - first] = (self.data * scale).T
        raw = mne.io.RawArray(data, info, verbose="ERROR")
        raw.info["line_freq"] = self.info.line_freq
        raw.info["bads"] = list(self.info.bads)
        if self.info.positions is not None:
            located = {
                name: np.asarray(xyz)
                for name, kind, xyz in zip(self.info.ch_names, self.info.ch_types, self.info.positions, strict=True)
                # MNE places electrodes only.
                if kind in ("eeg", "ref") and not np.isnan(xyz).any()
            }
            raw.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"), on_missing="ignore")
        onsets: list[float] = []
        durations: list[float] = []
        names: list[str] = []
        about: list[tuple[str, ...]] = []
        origin = float(self.times[0]) if self.n_times else 0.0
        for event in self.events:
            onset = event.time - origin if event.sample is None else (event.sample - first) / self.info.sfreq
            channels = channels_of(event, self.info.ch_names)
            if channels is not None and 0 <= onset * self.info.sfreq < length:
                onsets.append(onset)
                durations.append(event.duration)
                names.append(event.name)
                about.append(channels)
        for gap in np.flatnonzero(np.diff(self.samples) > 1):
            onsets.append((int(self.samples[gap]) + 1 - first) / self.info.sfreq)
            durations.append((int(self.samples[gap + 1] - self.samples[gap]) - 1) / self.info.sfreq)
            names.append("BAD_lost")
            about.append(())
        raw.set_annotations(mne.Annotations(onsets, durations, names, ch_names=about))
        return raw


def _onsets(raw: "mne.io.BaseRaw") -> NDArray[np.float64]:
    """Return annotation onsets in seconds from the first sample of `raw`; MNE keeps them from its sample 0."""
    return np.asarray(raw.annotations.onset, dtype=np.float64) - raw.first_time


_KNOWN = frozenset(
    {"eeg", "eog", "emg", "ecg", "ref", "bio", "stim", "resp", "gsr", "temperature", "misc"}  # MNE's own words
)
