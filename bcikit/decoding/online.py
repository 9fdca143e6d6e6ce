"""OnlineDecoder: a stream goes in, decisions come out; pipeline, windows and model in one object."""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from bcikit.decoding.model import Model
from bcikit.processing import Pipeline, WindowBuffer
from bcikit.signal import Chunk, Decision, DoubtWarning, StreamInfo, check_range

BUFFER_SECONDS = 10.0
"""Filtered signal kept beside one window."""


class OnlineDecoder:
    """Decides a stream window by window, with the filters that the model was trained behind.

    The same samples give the same decisions, whatever the chunks were; a stream that starts again, or whose index goes
    back, is decided from its first window on. Nothing moves by it: for that, a session has a
    gate.

    Parameters
    ----------
    model : Model
        Fitted, or read from a file.
    info : StreamInfo
        The stream, unfiltered.
    every : float
        Seconds between two windows.
    pipeline : Pipeline, optional
        Causal steps before the windows; those on the model's sheet if left out.

    Raises
    ------
    ModelError
        If the model does not fit the stream: a channel is missing, the rate or the unit is another.

    Examples
    --------
    >>> from bcikit import read_recording
    >>> recording = read_recording("S001R06.edf")  # doctest: +SKIP
    >>> for decision in OnlineDecoder(Model.load("model.skops"), recording.info).run(recording):  # doctest: +SKIP
    ...     print(decision.time, decision.label, decision.confidence)
    """

    def __init__(self, model: Model, info: StreamInfo, *, every: float = 0.1, pipeline: Pipeline | None = None) -> None:
        self.model = model
        steps = [dict(step) for step in model.sheet.filters]
        self.pipeline = Pipeline.from_config(steps) if pipeline is None else pipeline
        self.info = self.pipeline.configure(info)
        model.attach(self.info)
        for doubt in model.sheet.doubts(self.info):
            warnings.warn(doubt, DoubtWarning, stacklevel=2)
        self.hop = max(1, round(check_range("every", every, low=0.0, low_open=True, unit="s") * self.info.sfreq))
        self._length = model.sheet.n_times
        self._buffer = WindowBuffer(
            self.info.n_channels, self.info.sfreq, self._length / self.info.sfreq + BUFFER_SECONDS
        )
        self._most = max(1, int(BUFFER_SECONDS * info.sfreq / 2))
        self._due: int | None = None

    def push(self, chunk: Chunk) -> list[Decision]:
        """Take the next chunk of the stream and return the decisions of the windows that it completed."""
        if not chunk.n_times:
            return []
        decisions: list[Decision] = []
        # A chunk longer than the buffer would push its own beginning out before it is looked at.
        for start in range(0, chunk.n_times, self._most):
            part = chunk.slice(start, min(start + self._most, chunk.n_times))
            decisions += self._decide(self.pipeline.process(part), float(chunk.times[-1]))
        return decisions

    def _decide(self, filtered: Chunk, now: float) -> list[Decision]:
        if not filtered.n_times:
            # The index of an empty chunk may be of the grid before a step that changes the rate.
            return []
        if self._buffer.restarts(filtered):
            self._due = None
        self._buffer.append(filtered)
        if self._due is None:
            self._due = filtered.first_sample + self._length
        decisions: list[Decision] = []
        while self._due <= self._buffer.stop_sample:
            if self._due - self._length >= self._buffer.first_sample:
                window = self._buffer.get(self._due, self._length)
                decisions.append(self.model.decide(window, now=now))
            self._due += self.hop
        return decisions

    def run(self, stream: Any) -> Iterator[Decision]:
        """Yield the decisions of a whole recording, or of any chunks that can be iterated (a started source)."""
        chunks: Iterable[Chunk] = stream.chunks(32) if hasattr(stream, "chunks") else stream
        for chunk in chunks:
            yield from self.push(chunk)

    def __repr__(self) -> str:
        every = self.hop / self.info.sfreq
        name = self.model.sheet.decoder
        return f"OnlineDecoder({name} on {self.info.name!r}, {len(self.pipeline)} steps, every {every:g} s)"
