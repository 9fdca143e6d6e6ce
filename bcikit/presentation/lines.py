"""Breaks words into lines and makes them smaller until they fit; every renderer does it by this rule."""

import re
from collections.abc import Callable

LINE = 1.2
"""Height of a line in heights of its letters."""
STEP = 0.92
"""Words are made smaller in steps of this share."""

# Chinese may be broken between any two characters, English between words.
_PARTS = re.compile(r"[⺀-鿿＀-￯]|[^\s⺀-鿿＀-￯]+|\s+")


def break_lines(
    text: str, width: float, height: float, size: float, width_of: Callable[[str, float], float]
) -> tuple[float, list[str]]:
    """Return the size at which words fit into a box, and their lines.

    Parameters
    ----------
    text : str
        The words.
    width, height : float
        Of the box.
    size : float
        Largest size.
    width_of : callable
        Gives the width of words at a size.
    """
    parts = _PARTS.findall(text)
    while True:
        lines = [""]
        for part in parts:
            if "\n" in part:
                # Who wrote it wants another line here.
                lines.append("")
            elif lines[-1] and width_of((lines[-1] + part).rstrip(), size) > width:
                lines.append(part.lstrip())
            else:
                lines[-1] += part
        lines = [line.rstrip() for line in lines if line.strip()] or [""]
        fits = len(lines) * LINE * size <= height and all(width_of(line, size) <= width for line in lines)
        if fits or size < 8.0:
            return size, lines
        size *= STEP
