"""What marker texts mean: numbers, plain names, and the strings of BCI Essentials' Unity package."""

from collections.abc import Iterable
from typing import Any

from bcikit.signal import Event, check_choice

GRAMMARS = ("auto", "plain", "unity")

_EXACT = 2**53
"""Whole numbers up to it are exact; a longer one, such as a date with microseconds, is a name and no quantity."""

_STATES = {
    "trial started": "trial/start",
    "trial ends": "trial/end",
    "training complete": "training/complete",
    "train classifier": "classifier/train",
    "update classifier": "classifier/update",
    "done with all rs collection": "resting/done",
    "ping": "ping",
}
"""The states that the Unity package sends, and their names as events."""


def event_of(text: str, time: float, *, source: str, grammar: str = "auto", sample: int | None = None) -> Event:
    """Return the event that a marker text stands for.

    Parameters
    ----------
    text : str
        What was sent.
    time : float
        When, seconds on the host's clock.
    source : str
        Name of the marker stream.
    grammar : {"auto", "plain", "unity"}
        "plain" takes the text as the name; a number of at most 2^53 is the value, too. "unity" reads BCI Essentials'
        strings: ``mi,CLASSES,TARGET,LENGTH``; ``ssvep,CLASSES,TARGET,LENGTH,F1,F2,...``;
        ``p300,s,CLASSES,TARGET,INDEX``; ``p300,m,CLASSES,TARGET,INDEX,...``; and its states ("Trial Started").
        "auto" tries the latter, then the former.
    sample : int or None
        The sample it lies on, if known.

    Returns
    -------
    Event
        For Unity's strings the name is ``unity/mi`` and so on, the value is the target (1 is the first) or None where
        it is to be predicted (the package's -1), and `data` holds the rest.
    """
    check_choice("grammar", grammar, GRAMMARS)
    if grammar != "plain":
        parsed = _unity(text.strip())
        if parsed is not None:
            name, value, data = parsed
            return Event(name=name, time=time, sample=sample, value=value, source=source, data=data)
    carried = marker_value(text)
    name = text if isinstance(carried, str) else text.strip()
    return Event(name=name, time=time, sample=sample, value=carried, source=source)


def row_text(row: Iterable[str | float]) -> str:
    """Return all that a marker stream sent at once as one text: "1 5" of two channels."""
    return " ".join(filter(None, (_as_text(part) for part in row)))


def _as_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def marker_value(text: str) -> int | float | str:
    """Return what a text carries: the number it is, else itself.

    Nothing that a double cannot hold is taken for a number, nor what only Python reads as one ("1_1").
    """
    try:
        value = float(text) if "_" not in text else float("nan")
    except ValueError:
        return text
    # Worded so that NaN and infinity are texts.
    if not abs(value) <= _EXACT:
        return text
    return int(value) if value.is_integer() else value


def _unity(text: str) -> tuple[str, int | None, dict[str, Any]] | None:
    state = _STATES.get(text.lower())
    if state is not None:
        return f"unity/{state}", None, {"text": text}
    parts = [part.strip() for part in text.split(",")]
    try:
        if parts[0] in ("mi", "switch") and len(parts) >= 4:
            return _trial(parts[0], int(parts[1]), int(parts[2]), float(parts[3]), {})
        if parts[0] == "ssvep" and len(parts) >= 4:
            frequencies = [float(part) for part in parts[4:] if part]
            return _trial("ssvep", int(parts[1]), int(parts[2]), float(parts[3]), {"frequencies": frequencies})
        if parts[0] == "p300" and len(parts) >= 5 and parts[1] in ("s", "m"):
            target = int(parts[3])
            flashed = [int(part) for part in parts[4:] if part]
            data = {
                "n_classes": int(parts[2]),
                "flashed": flashed,
                "predict": target < 0,
                "is_target": None if target < 0 else target in flashed,
            }
            return "unity/p300", None if target < 0 else target, data
    except ValueError:
        return None
    return None


def _trial(
    paradigm: str, n_classes: int, target: int, length: float, more: dict[str, Any]
) -> tuple[str, int | None, dict[str, Any]]:
    data = {"n_classes": n_classes, "length": length, "predict": target < 0, **more}
    return f"unity/{paradigm}", None if target < 0 else target, data
