"""What lies between a flip and the light of a display: measured once by a photodiode, kept for each display."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bcikit.signal.documents import read_json
from bcikit.signal.places import user_place

LARGEST = 0.5
"""Seconds; a correction beyond it is no display's."""


def folder() -> Path:
    """Return where corrections are kept, for this user."""
    return user_place("data") / "displays"


def keep_correction(renderer: str, display: str, seconds: float, **about: Any) -> Path:
    """Keep the correction of a display, from which sessions take it; return its file.

    Parameters
    ----------
    renderer : str
        "qt" or "page".
    display : str
        What the renderer calls it.
    seconds : float
        From the flip that is reported to the light.
    **about
        What else is to be kept: uncertainty, spread, day.
    """
    path = _path(renderer, display)
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"renderer": renderer, "display": display, "seconds": seconds, **about}
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return path


def correction_of(renderer: str, display: str) -> float:
    """Return the seconds from a flip to its light on a display; 0 where nobody has measured it."""
    try:
        seconds = float(read_json(_path(renderer, display))["seconds"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return 0.0
    return seconds if abs(seconds) <= LARGEST else 0.0


def _path(renderer: str, display: str) -> Path:
    code = hashlib.sha256(f"{renderer}\n{display}".encode()).hexdigest()[:16]
    return folder() / f"{renderer[:16] or 'unknown'}-{code}.json"
