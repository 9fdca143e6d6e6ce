"""Finding LSL streams, and saying why one is not found."""

import ctypes
import time
from collections.abc import Sequence
from typing import Any

from bcikit.acquisition.lsl_library import lsl
from bcikit.signal import HostClock, SourceError

_SECOND_WAVE = 0.7
"""Seconds to listen for a second stream of the same name: on one machine, liblsl hears it half a second later."""

CLOCKS_APART = 100e-6
"""Seconds a second by which the clocks of two machines may go apart: twice what a cheap quartz is allowed."""

KEYS = ("name", "source_id", "type", "hostname", "uid", "session_id", "channels", "rate")
"""What a stream can be looked for by."""

_FIELDS = {"channels": "channel_count", "rate": "nominal_srate"}
"""What LSL calls them, where the name differs; their values are numbers."""

_TELLING = ("source_id", "name", "type", "hostname", "channels", "rate", "session_id", "uid")
"""What tells streams apart, the property that lasts longest first."""


def predicate(wanted: dict[str, str]) -> str:
    """Return the XPath predicate for properties that must be equal.

    Raises
    ------
    SourceError
        If a property that is a number is told no number.
    """
    parts = []
    for key, value in wanted.items():
        if key in _FIELDS:
            try:
                parts.append(f"{_FIELDS[key]}={float(value):g}")
            except ValueError:
                raise SourceError(f"lsl: {key} is {value!r}; it must be a number.") from None
            continue
        quote = '"' if "'" in value else "'"
        parts.append(f"{key}={quote}{value}{quote}")
    return " and ".join(parts)


def properties(stream: Any) -> dict[str, str]:
    """Return what a stream can be looked for by."""
    return {
        "name": stream.name(),
        "source_id": stream.source_id(),
        "type": stream.type(),
        "hostname": stream.hostname(),
        "uid": stream.uid(),
        "session_id": stream.session_id(),
        "channels": str(stream.channel_count()),
        "rate": f"{stream.nominal_srate():g}",
    }


def tell_apart(streams: Sequence[Any]) -> list[dict[str, str]]:
    """Return for each stream the fewest lasting properties that no other has together: what an address needs to say."""
    every = [properties(stream) for stream in streams]
    found = []
    for own in every:
        others = [item for item in every if item is not own]
        chosen: dict[str, str] = {}
        for key in _TELLING:
            if not own[key] or (chosen and all(other[key] == own[key] for other in others)):
                continue
            chosen[key] = own[key]
            others = [other for other in others if other[key] == own[key]]
            if not others:
                break
        found.append(chosen)
    return found


def find_one(wanted: dict[str, str], *, timeout: float, wave: float = _SECOND_WAVE) -> Any:
    """Return the one stream that fits.

    Parameters
    ----------
    wanted : dict
        Properties it must have.
    timeout : float
        Seconds to look for it.
    wave : float
        Seconds to listen for a second one.

    Raises
    ------
    SourceError
        If there is none (the message lists what there is) or more than one (it lists how to say which).
    """
    pylsl = lsl()

    found = pylsl.resolve_bypred(predicate(wanted), 1, timeout)
    said = " and ".join(f"{key}={value!r}" for key, value in wanted.items())
    if not found:
        others = sorted({stream.name() for stream in pylsl.resolve_streams(0.5)})
        there = f"reachable are: {', '.join(others)}" if others else "no LSL stream is reachable at all"
        raise SourceError(
            f"No LSL stream with {said} within {timeout:g} s; {there}. Check that the sending program runs and that "
            "no firewall or VPN blocks multicast ('bcikit doctor' tests it)."
        )
    if len(found) == 1 and "uid" not in wanted and wave:
        found = pylsl.resolve_bypred(predicate(wanted), 2, wave) or found
    distinct = list({stream.uid(): stream for stream in found}.values())
    if len(distinct) > 1:
        listed = "; ".join(
            f"'lsl:{'&'.join(f'{key}={value}' for key, value in apart.items())}' (source_id={stream.source_id()!r} "
            f"on {stream.hostname()})"
            for apart, stream in zip(tell_apart(distinct), distinct, strict=True)
        )
        raise SourceError(
            f"{len(distinct)} LSL streams have {said}. Say which by source_id or what else differs: {listed}."
        )
    return found[0]


def open_inlet(stream: Any, *, buffered: float) -> Any:
    """Return an inlet that raises when its outlet goes; `subscribe` begins the flow of samples.

    LSL's own recovery is off: it is silent, and maps whatever comes back onto the old channels.

    Raises
    ------
    SourceError
        If the stream has no channel: liblsl divides by their number, which ends the process.
    """
    if stream.channel_count() < 1:
        raise SourceError(
            f"lsl:{stream.name()} has no channels; there is nothing to read. Look at the program that sends it."
        )
    return lsl().StreamInlet(stream, max_buflen=max(1, round(buffered)), recover=False)


def full_info(inlet: Any, name: str, *, timeout: float) -> Any:
    """Return the whole description of a stream.

    Raises
    ------
    SourceError
        If the stream does not answer.
    """
    pylsl = lsl()
    try:
        return inlet.info(timeout)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        raise SourceError(f"lsl:{name} is announced but does not answer ({type(error).__name__}).") from None


def subscribe(inlet: Any, name: str, *, timeout: float) -> None:
    """Begin the flow of samples.

    Raises
    ------
    SourceError
        If the stream does not answer.
    """
    pylsl = lsl()

    try:
        inlet.open_stream(timeout)
    except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
        raise SourceError(f"lsl:{name} is announced but does not answer ({type(error).__name__}).") from None


def time_correction(inlet: Any, *, timeout: float) -> tuple[float, float]:
    """Return what to add to the stamps of an inlet to have this host's clock, and its uncertainty, both in seconds.

    The uncertainty is half of what liblsl gives, the time its best question took there and back; it is infinite where
    no answer came.
    """
    remote, spent, error = ctypes.c_double(), ctypes.c_double(), ctypes.c_int()
    ask = lsl().lib.lib.lsl_time_correction_ex
    ask.restype = ctypes.c_double
    offset = ask(inlet.obj, ctypes.byref(remote), ctypes.byref(spent), ctypes.c_double(timeout), ctypes.byref(error))
    if error.value:
        return 0.0, float("inf")
    return float(offset), 0.5 * float(spent.value)


class ClockOffset:
    """What is to be added to the stamps of a sender to have this host's clock, as well as it is known.

    A sender that paused, or a network under load, answers late, and liblsl's estimate is then off by as much. What is
    known better stays, unless the new answer contradicts it.

    Attributes
    ----------
    value, uncertainty : float
        Seconds.
    """

    def __init__(self) -> None:
        self.value = 0.0
        self.uncertainty = float("inf")
        self._at = 0.0

    def ask(self, inlet: Any, now: float, *, timeout: float) -> bool:
        """Ask for a correction at `now`; return whether it was taken."""
        offset, uncertainty = time_correction(inlet, timeout=timeout)
        self.uncertainty += CLOCKS_APART * (now - self._at)
        self._at = now
        worse = uncertainty > self.uncertainty and abs(offset - self.value) <= uncertainty + self.uncertainty
        if worse or uncertainty == float("inf"):
            return False
        self.value, self.uncertainty = offset, uncertainty
        return True


def wait_until(moment: float) -> None:
    """Sleep until a time on the host's clock."""
    left = moment - HostClock().now()
    if left > 0:
        time.sleep(left)
