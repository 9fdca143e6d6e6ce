"""Texts of other programs: markers, decisions, states."""

import math
from functools import partial
from typing import Any

from bcikit.acquisition import lsl_resolve
from bcikit.acquisition.foreign import MarkerClock
from bcikit.acquisition.live import Attempt, Reconnect
from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.marker_grammar import row_text
from bcikit.signal import Event, HostClock, SourceError

_ANSWERS = 2.0
"""Seconds that a sender which is back has to answer."""


class LslTextInlet:
    """Receives texts with their times, corrected to this host's clock.

    The program that sends may come and go: an inlet that lost it looks for it again with each `pull`.

    Parameters
    ----------
    name : str or None
        Name of the stream.
    source_id : str or None
        Its source id; one of the two must be given.
    timeout : float
        Seconds to look for it when opened.
    """

    def __init__(self, name: str | None = None, *, source_id: str | None = None, timeout: float = 5.0) -> None:
        self._wanted = {key: value for key, value in (("name", name), ("source_id", source_id)) if value is not None}
        if not self._wanted:
            raise SourceError("Which LSL stream of texts? Give its name or its source_id.")
        self.name = name or source_id or ""
        self._marker_clock = MarkerClock()
        self._told_clock: str | None = None
        self._looked = HostClock().now()
        self._gone_at: float | None = None
        self.events: list[Event] = []
        self._inlet: Any = None
        self._resolver: Any = None
        self._attempt: Attempt | None = None
        self._waits = Reconnect()
        self._wait, self._next_try = self._waits.first, 0.0
        self._several = False
        self._inlet, self._clock = self._opened(lsl_resolve.find_one(self._wanted, timeout=timeout), timeout)

    @staticmethod
    def _opened(stream: Any, timeout: float) -> tuple[Any, lsl_resolve.ClockOffset]:
        inlet = lsl_resolve.open_inlet(stream, buffered=360)
        lsl_resolve.subscribe(inlet, stream.name(), timeout=timeout)
        clock = lsl_resolve.ClockOffset()
        clock.ask(inlet, HostClock().now(), timeout=timeout)
        return inlet, clock

    @property
    def connected(self) -> bool:
        """True while the sender is there."""
        return self._inlet is not None

    def pull(self, timeout: float = 0.0) -> list[tuple[float, str]]:
        """Return time and text of what came since the last call, waiting at most `timeout` seconds for the first.

        Numbers are given as texts, and the channels of one stream together: "1 5".
        """
        return [(time, text) for time, text, _ in self.pull_dated(timeout)]

    def pull_dated(self, timeout: float = 0.0) -> list[tuple[float, str, float]]:
        """Return time, text and uncertainty of the time (seconds) of what came since the last call.

        Stamps that cannot be of the sender's LSL clock are mapped where they are UNIX time; else the arrival counts.
        What there is to say of that, and of a sender that was gone, is added to `events`.
        """
        pylsl = lsl()
        before, self._looked = self._looked, HostClock().now()

        if self._inlet is None and not self._find_again():
            return []
        try:
            samples, stamps = self._inlet.pull_chunk(timeout, 1024, min_samples=1)
            if not stamps:
                return []
            self._clock.ask(self._inlet, HostClock().now(), timeout=0.0)
        except pylsl.util.LostError:
            self.close()
            self._gone_at = before
            self._tell("stream/markers-gone", before, said="the sender is gone; what it sends now is not received")
            return []
        found = []
        for stamp, row in zip(stamps, samples, strict=True):
            now = HostClock().now()
            time, more = self._marker_clock.date(stamp, self._clock.value, now, waited=now - before)
            self._say_clock(now)
            found.append((time, row_text(row), math.hypot(more, self._clock.uncertainty)))
        return found

    def _say_clock(self, now: float) -> None:
        clock = self._marker_clock.clock
        assert clock is not None
        if clock.name != (self._told_clock or "host"):
            self._told_clock = clock.name
            self._tell("stream/foreign-clock", now, said=clock.words, clock=clock.name, unit=clock.unit)

    def _tell(self, name: str, time: float, *, said: str, **data: object) -> None:
        # Not of the sender: whose source is the marker stream is what was sent.
        about = {"said": f"{self.name}: {said}.", "stream": self.name, **data}
        self.events.append(Event(name=name, time=time, source="acquisition", data=about))

    def _find_again(self) -> bool:
        """Look for the sender without holding up `pull`; return whether it is back."""
        now = HostClock().now()
        attempt = self._attempt
        if attempt is not None:
            if not attempt.done.is_set():
                return False
            self._attempt = None
            if attempt.link is not None:
                self._adopt(attempt.link, now)
                return True
            if attempt.error is not None and not isinstance(attempt.error, SourceError):
                raise attempt.error
            # Announced, and it did not answer in time: it is not there yet, and asked again.
            self._next_try = now + self._wait
            self._wait = min(2 * self._wait, self._waits.longest)
        if now < self._next_try:
            return False
        if self._resolver is None:
            self._resolver = lsl().ContinuousResolver(pred=lsl_resolve.predicate(self._wanted))
        found = {stream.uid(): stream for stream in self._resolver.results()}
        if len(found) > 1:
            if not self._several:
                self._several = True
                said = f"{len(found)} streams are called that and none is taken; end all but one"
                self._tell("stream/markers-gone", now, said=said)
        elif found:
            (stream,) = found.values()
            self._attempt = Attempt(partial(self._opened, stream, _ANSWERS), _close)
        return False

    def _adopt(self, link: Any, now: float) -> None:
        self._inlet, self._clock = link
        self._resolver, self._several = None, False
        self._wait, self._next_try = self._waits.first, 0.0
        gone, self._gone_at = self._gone_at, None
        if gone is not None:
            self._tell(
                "stream/markers-back",
                now,
                said=f"the sender is back; what it sent in the {now - gone:.2f} s before was not received",
                missed=now - gone,
            )

    def close(self) -> None:
        """Close the inlet. May be called twice."""
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.give_up()
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            inlet.close_stream()

    def __enter__(self) -> "LslTextInlet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close(link: Any) -> None:
    link[0].close_stream()
