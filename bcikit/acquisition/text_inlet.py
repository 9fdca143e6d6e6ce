"""Texts of other programs: markers, decisions, states."""

import contextlib
from typing import Any

from bcikit.acquisition import lsl_resolve
from bcikit.acquisition.lsl_library import lsl
from bcikit.signal import HostClock, SourceError


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
        self._inlet: Any = None
        self._resolver: Any = None
        self._open(lsl_resolve.find_one(self._wanted, timeout=timeout), timeout)

    def _open(self, stream: Any, timeout: float) -> None:
        self._text = stream.channel_format() == 3
        self._inlet = lsl_resolve.open_inlet(stream, buffered=360)
        lsl_resolve.subscribe(self._inlet, stream.name(), timeout=timeout)
        self._clock = lsl_resolve.ClockOffset()
        self._clock.ask(self._inlet, HostClock().now(), timeout=timeout)
        self._resolver = None

    @property
    def connected(self) -> bool:
        """True while the sender is there."""
        return self._inlet is not None

    def pull(self, timeout: float = 0.0) -> list[tuple[float, str]]:
        """Return time and text of what came since the last call, waiting at most `timeout` seconds for the first.

        A stream of numbers gives each number as text.
        """
        pylsl = lsl()

        if self._inlet is None and not self._find_again():
            return []
        try:
            samples, stamps = self._inlet.pull_chunk(timeout, 1024, min_samples=1)
            if not stamps:
                return []
            self._clock.ask(self._inlet, HostClock().now(), timeout=0.0)
        except pylsl.util.LostError:
            self.close()
            return []
        return [(stamp + self._clock.value, _as_text(row[0])) for stamp, row in zip(stamps, samples, strict=True)]

    def _find_again(self) -> bool:
        pylsl = lsl()

        if self._resolver is None:
            self._resolver = pylsl.ContinuousResolver(pred=lsl_resolve.predicate(self._wanted))
        found = self._resolver.results()
        if not found:
            return False
        with contextlib.suppress(SourceError):
            self._open(found[0], 2.0)
        return self._inlet is not None

    def close(self) -> None:
        """Close the inlet. May be called twice."""
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            inlet.close_stream()

    def __enter__(self) -> "LslTextInlet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _as_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))
