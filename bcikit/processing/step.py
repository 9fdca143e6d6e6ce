"""Step: the contract of everything that works on chunks."""

from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, replace
from typing import Any, ClassVar, overload

import numpy as np

from bcikit.processing.regrid import Regrid
from bcikit.signal import Chunk, Event, Recording, StreamInfo

SIGNAL_TYPES = frozenset({"eeg", "eog", "emg", "ecg", "bio", "ref"})
"""Channel types that are voltages of the body: what a filter works on."""


class Step(ABC):
    """Works on one chunk after the other and keeps its state between them.

    Any split of a stream into chunks gives the same output. `apply` on a recording is the same code.

    Every step here is a dataclass made of plain values, so that a pipeline can be written in TOML and saved with a
    model; what it learns of a stream it learns in `configure`.
    """

    name: ClassVar[str] = ""
    """What the step is called in a configuration."""

    delay: float = 0.0
    """Group delay in seconds, known after `configure`."""

    latency: float = 0.0
    """Seconds by which a sample may come out late because others must come first, known after `configure`."""

    offset: float = 0.0
    """Input sample at which output 0 lies, known after `configure`; see `bcikit.processing.Regrid`."""

    settling: float = 0.0
    """Seconds a disturbance (start, gap, bad sample) stays in the output, known after `configure`."""

    @abstractmethod
    def configure(self, info: StreamInfo) -> StreamInfo:
        """Prepare for a stream (the preflight) and return the description of the output.

        Raises
        ------
        ArgumentError
            If the step cannot work on such a stream: a frequency above Nyquist, a missing channel.
        """

    @abstractmethod
    def process(self, chunk: Chunk) -> Chunk:
        """Return the output for the next chunk; the input is never changed."""

    def pull_events(self) -> list[Event]:
        """Return what was found since the last call (the onset of a blink), at samples of the input."""
        return []

    def reset(self) -> None:
        """Forget the past, as if just configured."""

    @overload
    def apply(self, recording: Recording, *, chunk_size: int = ...) -> Recording: ...

    @overload
    def apply(self, recording: Any, *, chunk_size: int = ...) -> Any: ...

    def apply(self, recording: Any, *, chunk_size: int = 4096) -> Any:
        """Return a whole recording processed by the same code that runs live.

        Parameters
        ----------
        recording : Recording or mne.io.Raw or mne.Epochs
            What comes in goes out: an MNE object gives the same kind of MNE object. Each epoch of `mne.Epochs` is a
            stream of its own. Events stay at their times: a step that changes the rate moves their samples with it.
            What the step found itself (`pull_events`) is among them.
        chunk_size : int
            Samples a chunk; no result depends on it.
        """
        if not isinstance(recording, Recording):
            from bcikit.processing.mne_bridge import apply_to_mne

            return apply_to_mne(self, recording, chunk_size=chunk_size)
        info = self.configure(recording.info)
        chunks: list[Chunk] = []
        found: list[Event] = []
        for chunk in recording.chunks(chunk_size):
            chunks.append(self.process(chunk))
            found += self.pull_events()
        events = sorted((*recording.events, *found), key=lambda event: event.time) if found else recording.events
        grid = Regrid.of(self, recording.info, info)
        made = Recording.from_chunks(
            info,
            [chunk for chunk in chunks if chunk.n_times],
            events=tuple(grid.event(event) for event in events),
        )
        return replace(made, notes=recording.notes) if recording.notes else made

    def to_config(self) -> dict[str, Any]:
        """Return ``{"step": name, ...}`` with every parameter that differs from its default.

        The values are ready for TOML and JSON; `bcikit.processing.Pipeline.from_config` reads them.
        """
        config: dict[str, Any] = {"step": self.name}
        declared: dict[str, Field[Any]] = getattr(self, "__dataclass_fields__", {})
        for item in declared.values():
            if not item.init:
                continue
            value = getattr(self, item.name)
            default = item.default_factory() if item.default_factory is not MISSING else item.default
            if value is not None and not _same(value, default):
                config[item.name] = _plain(value)
        return config


def _same(value: Any, default: Any) -> bool:
    """Return whether a parameter has its default value."""
    return type(value) is type(default) and bool(value == default)


def _plain(value: Any) -> Any:
    """Return a value as TOML and JSON know it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
