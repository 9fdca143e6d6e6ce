"""A source with the markers of other programs and of a trigger input placed on its samples."""

import math
from dataclasses import replace

import numpy as np

from bcikit.acquisition.marker_grammar import event_of
from bcikit.acquisition.placer import SamplePlacer, placed_within
from bcikit.acquisition.source import Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.text_inlet import LslTextInlet
from bcikit.acquisition.trigger import TRIGGER, TriggerDecoder
from bcikit.signal import Bad, Chunk, Event, HostClock, check_choice

PATIENCE = 2.0
"""Seconds a marker waits for its sample; after that it is given without one (the stream stands still)."""


class MarkedSource(Source):
    """Adds markers to a source.

    A marker of an LSL stream lies on the sample nearest to its corrected time, once that sample has come; the error
    is at most half a sample beside that of the times; ``data["uncertainty"]`` states both together (seconds, 95 %).
    ``time`` stays as it came, so a fraction of a sample is not lost. A trigger lies on the first sample of its level.

    Parameters
    ----------
    source : Source
        Gives the samples, and its own events.
    streams : sequence of str
        Names of LSL marker streams.
    grammar : {"auto", "plain", "unity"}
        What their texts mean; see `marker_grammar.event_of`.
    trigger : TriggerDecoder or None
        Reads a channel of the source.
    timeout : float
        Seconds to look for the marker streams.
    """

    def __init__(
        self,
        source: Source,
        *,
        streams: tuple[str, ...] = (),
        grammar: str = "auto",
        trigger: TriggerDecoder | None = None,
        timeout: float = 5.0,
    ) -> None:
        self.source = source
        self.info = source.info
        self.live = source.live
        self._grammar = check_choice("grammar", grammar, ("auto", "plain", "unity"))
        self._trigger = trigger
        self._column = None if trigger is None else source.info.index_of([trigger.channel], who="the trigger")[0]
        self._decoded = -1
        self._placer = SamplePlacer(source.info.sfreq)
        self._waiting: list[tuple[float, str, str, float]] = []
        self._found: list[Event] = []
        self._stopped = False
        self._now = HostClock().now
        self._inlets: list[LslTextInlet] = []
        try:
            for name in streams:
                self._inlets.append(LslTextInlet(name, timeout=timeout))
        except Exception:
            self.close()
            raise

    def start(self) -> None:
        """Start the source; markers from before are dropped."""
        self._drain()
        self._waiting.clear()
        self._stopped = False
        self.source.start()

    @property
    def decoded(self) -> frozenset[str]:
        """Channels whose codes are among the events."""
        own: frozenset[str] = getattr(self.source, "decoded", frozenset())
        return own if self._trigger is None else own | {self._trigger.channel}

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next chunk of the source."""
        chunk = self.source.pull(timeout)
        if chunk is not None:
            self._placer.feed(chunk)
            if self._trigger is not None:
                if chunk.health.discontinuous:
                    self._trigger.reset()
                self._decode(chunk, self._trigger)
        return chunk

    def _decode(self, chunk: Chunk, trigger: TriggerDecoder) -> None:
        """Take the triggers of a chunk; samples that never came tell no level, and none that began in them."""
        samples = np.arange(chunk.first_sample, chunk.end_sample)
        values, mask = np.ascontiguousarray(chunk.data[:, self._column]), chunk.health.mask
        came = np.arange(chunk.n_times) if mask is None else np.flatnonzero(~mask[:, self._column] & int(Bad.FILLED))
        for rows in np.split(came, np.flatnonzero(np.diff(came) > 1) + 1):
            if rows.size:
                if samples[rows[0]] != self._decoded:
                    trigger.reset()
                self._found += trigger.decode(values[rows], samples[rows], chunk.times[rows])
                self._decoded = int(samples[rows[-1]]) + 1

    def pull_events(self) -> list[Event]:
        """Return the events of the source, the triggers, and the markers whose sample has come, in order of time."""
        self._drain()
        own = self.source.pull_events()
        if (trigger := self._trigger) is not None:
            # The channel is decoded here: codes that were recorded of it are the same pulses once more.
            own = [one for one in own if one.source != trigger.channel or not one.name.startswith(TRIGGER)]
        events = [*own, *self._found]
        self._found = []
        now = self._now()
        waiting = []
        within = self.source.status().time_uncertainty if self._waiting else 0.0
        for time, text, name, uncertainty in self._waiting:
            sample = self._placer.place(time)
            if sample is None and now - time < PATIENCE and not self._stopped:
                waiting.append((time, text, name, uncertainty))
                continue
            event = event_of(text, time, source=name, grammar=self._grammar, sample=sample)
            total = placed_within(math.hypot(uncertainty, within), self.info.sfreq)
            events.append(replace(event, data={**event.data, "uncertainty": total}))
        self._waiting = waiting
        return sorted(events, key=lambda event: event.time)

    def _drain(self) -> None:
        for inlet in self._inlets:
            self._waiting += [(time, text, inlet.name, u) for time, text, u in inlet.pull_dated()]
            self._found += inlet.events
            inlet.events.clear()

    def status(self) -> StreamStatus:
        """Return the health of the source."""
        return self.source.status()

    @property
    def ended(self) -> bool:
        """True once the source has ended."""
        return self.source.ended

    def stop(self) -> None:
        """Stop the source; markers that still wait for their sample are given without one."""
        self._stopped = True
        self.source.stop()

    def close(self) -> None:
        """Close the source and the marker streams."""
        self.source.close()
        for inlet in self._inlets:
            inlet.close()
