"""Symbols of cues as shapes: a cross, arrows to a side, feet, eyes."""

from typing import Any

from bcikit.presentation.colours import AMBER, GREEN, INK, LIT

_ARROW = ((-1.0, -0.22), (0.15, -0.22), (0.15, -0.62), (1.0, 0.0), (0.15, 0.62), (0.15, 0.22), (-1.0, 0.22))


def symbol(name: str, middle: tuple[float, float], size: float) -> list[dict[str, Any]]:
    """Return the shapes of a symbol as values of `bcikit.presentation.layout.Shape`.

    Parameters
    ----------
    name : str
        One of `bcikit.paradigms.scene.SYMBOLS`.
    middle : pair of float
        Where its middle is.
    size : float
        Half of its width.
    """
    x, y = middle
    if name in ("cross", "look", "eyes-open"):
        return [_rect(x, y, 0.5 * size, 0.05 * size, INK), _rect(x, y, 0.05 * size, 0.5 * size, INK)]
    if name == "left":
        return [_polygon([(x - px * size, y + py * size) for px, py in _ARROW])]
    if name == "right":
        return [_polygon([(x + px * size, y + py * size) for px, py in _ARROW])]
    if name == "both":
        half = 0.55 * size
        to_left = [(x - 0.1 * size - half - px * half, y + py * half) for px, py in _ARROW]
        to_right = [(x + 0.1 * size + half + px * half, y + py * half) for px, py in _ARROW]
        return [_polygon(to_left), _polygon(to_right)]
    if name == "feet":
        return [_polygon([(x + py * size, y + px * size) for px, py in _ARROW])]
    if name == "tongue":
        return [_polygon([(x + py * size, y - px * size) for px, py in _ARROW])]
    if name == "rest":
        return [_rect(x, y, 0.5 * size, 0.06 * size, INK)]
    if name == "eyes-closed":
        lid = [(x - size, y), (x - 0.5 * size, y + 0.34 * size), (x + 0.5 * size, y + 0.34 * size), (x + size, y)]
        under = [(px, py + 0.1 * size) for px, py in reversed(lid)]
        lashes = [
            _polygon([(x + px * size, y + py * size) for px, py in lash], INK)
            for lash in (
                ((-0.04, 0.4), (0.04, 0.4), (0.04, 0.72), (-0.04, 0.72)),
                ((-0.56, 0.4), (-0.48, 0.44), (-0.62, 0.72), (-0.7, 0.68)),
                ((0.56, 0.4), (0.48, 0.44), (0.62, 0.72), (0.7, 0.68)),
            )
        ]
        return [_polygon([*lid, *under], INK), *lashes]
    if name == "bar":
        return [_rect(x, y, 0.5 * size, 0.11 * size, AMBER)]
    if name == "tick":
        tick = ((-0.6, 0.02), (-0.42, -0.16), (-0.15, 0.12), (0.45, -0.5), (0.62, -0.32), (-0.15, 0.48))
        return [_polygon([(x + px * size, y + py * size) for px, py in tick], GREEN)]
    return []


def _rect(x: float, y: float, half_width: float, half_height: float, fill: str) -> dict[str, Any]:
    box = (x - half_width, y - half_height, 2 * half_width, 2 * half_height)
    return {"do": "rect", "box": box, "fill": fill, "radius": min(half_width, half_height)}


def _polygon(points: list[tuple[float, float]], fill: str = LIT) -> dict[str, Any]:
    left, top = min(p[0] for p in points), min(p[1] for p in points)
    box = (left, top, max(p[0] for p in points) - left, max(p[1] for p in points) - top)
    return {"do": "polygon", "box": box, "fill": fill, "points": tuple(points)}
