"""How something planned is written: ``kind@at~length*channel``."""

from typing import Any

from bcikit.signal import ArgumentError

LATEST = 604_800.0
"""Seconds from the first sample, a week: nothing planned begins later."""

LONGEST = 3600.0
"""Seconds that something planned may last: its wave is made beforehand."""


def parse_planned(text: str, *, what: str, length: float) -> dict[str, Any]:
    """Return kind, at, length and channel of something planned; length and channel may be left out.

    Parameters
    ----------
    text : str
        As written: "nan@3~1*2" is the kind "nan" at 3 s for 1 s on channel 2.
    what : str
        What it is, for the error: "fault", "incident".
    length : float
        Seconds where it is left out.

    Raises
    ------
    ArgumentError
        If it is not of that form.
    """
    kind, _, rest = text.strip().partition("@")
    time, _, channel = rest.partition("*")
    at, _, lasts = time.partition("~")
    try:
        return {"kind": kind, "at": float(at), "length": float(lasts or length), "channel": int(channel or 0)}
    except ValueError:
        raise ArgumentError(
            f"{text!r} is no {what}; it must be like 'nan@3~1*2': kind@seconds~length*channel."
        ) from None
