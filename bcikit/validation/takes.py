"""Takes: one set-up of the bench and what was recorded with it."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Event, StreamInfo
from bcikit.signal.documents import json_of
from bcikit.simulation.stimulus import Instruments, Stimulus


def voltages(info: StreamInfo) -> list[int]:
    """Return the columns of a stream that carry a voltage: the channels of a bench, which a counter is none of."""
    kinds = ("eeg", "eog", "emg", "ecg", "ref", "bio")
    return [index for index, kind in enumerate(info.ch_types) if kind in kinds]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Take:
    """What was recorded with one set-up.

    Attributes
    ----------
    key : str
        Name of the set-up, unique in a run.
    stimulus : Stimulus
        The set-up.
    info : StreamInfo
        The stream.
    data : ndarray, shape (n_times, n_channels)
        Microvolts; lost samples are not in it.
    samples : ndarray of int64, shape (n_times,)
        Index of each sample from the first of the take, counting lost ones.
    times : ndarray, shape (n_times,)
        Time stamps in seconds.
    events : tuple of Event
        Markers; nothing that is said of the stream itself.
    impedances : ndarray or None
        What the device read, ohms, of each channel that carries a voltage.
    """

    key: str
    stimulus: Stimulus
    info: StreamInfo
    data: NDArray[np.float64]
    samples: NDArray[np.int64]
    times: NDArray[np.float64]
    events: tuple[Event, ...] = ()
    impedances: NDArray[np.float64] | None = None

    @property
    def clock(self) -> NDArray[np.float64]:
        """Seconds on the device's own clock at the nominal rate: what a sine is fitted against."""
        return self.samples / self.info.sfreq

    @property
    def signals(self) -> list[int]:
        """Columns that carry a voltage."""
        return voltages(self.info)

    @property
    def driven(self) -> int:
        """Column of the channel that alone was driven; of the first voltage where all were."""
        return self.signals[self.stimulus.channel or 0]

    def filled(self) -> NDArray[np.float64]:
        """Return the signals on a regular grid, lost samples bridged by straight lines, ``(n, n_signals)``."""
        data = self.data[:, self.signals]
        if len(self.samples) == 0 or self.samples[-1] - self.samples[0] + 1 == len(self.samples):
            return data
        grid = np.arange(self.samples[0], self.samples[-1] + 1)
        return np.column_stack([np.interp(grid, self.samples, column) for column in data.T])

    def save(self, folder: Path) -> tuple[str, str]:
        """Write the take as ``KEY.npz`` and return the name of the file and its SHA-256."""
        path = folder / f"{self.key}.npz"
        stamps = np.array([(event.time, -1 if event.sample is None else event.sample) for event in self.events])
        np.savez_compressed(
            path,
            data=self.data,
            samples=self.samples,
            times=self.times,
            ch_names=np.array(self.info.ch_names),
            sfreq=np.array(self.info.sfreq),
            # All that is needed to compute every value again.
            setup=np.array(json.dumps(self.stimulus.to_dict())),
            info=np.array(json.dumps(self.info.to_dict())),
            markers=stamps.reshape(-1, 2),
            impedances=np.empty(0) if self.impedances is None else self.impedances,
        )
        return path.name, hashlib.sha256(path.read_bytes()).hexdigest()


def load_take(path: Path) -> Take:
    """Return a take that was saved.

    Parameters
    ----------
    path : Path
        ``KEY.npz`` in the ``raw`` folder of a run.
    """
    # Opened here: NumPy leaves a file open where it is no archive.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        events = tuple(
            Event(name="marker", time=float(time), sample=None if sample < 0 else int(sample))
            for time, sample in file["markers"]
        )
        return Take(
            key=path.stem,
            stimulus=Stimulus(**json_of(str(file["setup"]))),
            info=StreamInfo.from_dict(json_of(str(file["info"]))),
            data=file["data"],
            samples=file["samples"],
            times=file["times"],
            events=events,
            impedances=file["impedances"] if file["impedances"].size else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a computation needs beside the takes.

    Attributes
    ----------
    instruments : Instruments
        Standard uncertainties of the bench.
    expected : mapping
        What the device says of its own test signal, from the profile.
    """

    instruments: Instruments = field(default_factory=Instruments)
    expected: dict[str, list[float]] = field(default_factory=dict)
