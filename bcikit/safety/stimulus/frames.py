"""Captured frames of a scene (VR, a game, a video): how often and over how much area they flash."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.safety.stimulus.analyse import DARKER, FLASHES_PER_S, SCREEN_SHARE, SWING
from bcikit.safety.stimulus.colour import chromaticity, linear, relative_luminance, saturated_red
from bcikit.signal import DataError, check_range

_GRID = (48, 64)
_FIELD = 1 / 3
"""The field of 10 degrees as a share of each side of the screen: WCAG's 341 x 256 of 1024 x 768."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReport:
    """What the frames do.

    Attributes
    ----------
    result : str
        "PASS", "RESTRICTED" (general flashes, or extended ones) or "REFUSED" (red flashes, or more than a quarter of
        the screen).
    flashes, red_flashes : float
        Most general and red flashes in any second, over a quarter of any 10 degree field.
    area, red_area : float
        Largest share of a 10 degree field in which there were more than three a second.
    screen_share : float
        Largest share of the screen in which there were more than three a second.
    worst_s : float
        When that was, in seconds from the first frame.
    extended : bool
        Two or three flashes a second for more than 4 s of any 5 s (EA IRIS).
    n_frames : int
        Frames looked at.
    """

    result: str
    flashes: float
    red_flashes: float
    area: float
    red_area: float
    screen_share: float
    worst_s: float
    extended: bool
    n_frames: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {name: getattr(self, name) for name in self.__slots__}


class FrameAnalyser:
    """Takes one frame after the other; per cell of a coarse grid it counts opposing changes in the last second.

    Parameters
    ----------
    fps : float
        Frames a second, at least 10.
    """

    def __init__(self, fps: float) -> None:
        self.fps = check_range("fps", fps, low=10.0, high=1000.0, unit="Hz")
        self.n = 0
        self._extreme: NDArray[np.float64] | None = None
        self._direction = np.zeros(_GRID, dtype=np.int8)
        self._u_v = np.zeros((*_GRID, 2))
        self._was_red = np.zeros(_GRID, dtype=bool)
        length = max(2, round(self.fps))
        self._changes = np.zeros((length, *_GRID), dtype=np.int8)
        self._red_changes = np.zeros((length, *_GRID), dtype=np.int8)
        self._second = np.zeros(_GRID, dtype=np.int32)
        self._red_second = np.zeros(_GRID, dtype=np.int32)
        self._slow: list[bool] = []
        self._best = dict.fromkeys(("flashes", "red_flashes", "area", "red_area", "screen_share", "worst_s"), 0.0)

    def add(self, frame: NDArray[Any]) -> None:
        """Take a frame, shape ``(height, width, 3)``: uint8 sRGB, or floats from 0 to 1.

        Raises
        ------
        DataError
            If it is no picture: another shape or type, values outside 0 to 1, or none at all (NaN).
        """
        picture = _picture(frame)
        light = _to_grid(picture[..., :3])
        luminance = relative_luminance(light)
        u_v, red = chromaticity(light), saturated_red(light)
        slot = self.n % len(self._changes)
        self._second -= self._changes[slot]
        self._red_second -= self._red_changes[slot]
        if self._extreme is None:
            self._extreme, self._u_v, self._was_red = luminance.copy(), u_v, red
        self._changes[slot] = self._opposing(luminance)
        self._red_changes[slot] = self._red_transitions(u_v, red)
        self._second += self._changes[slot]
        self._red_second += self._red_changes[slot]
        self._measure()
        self.n += 1

    def _opposing(self, luminance: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return where luminance turned round by 0.10 or more since its last extreme."""
        assert self._extreme is not None
        change = luminance - self._extreme
        darker = np.minimum(luminance, self._extreme)
        turned = (np.abs(change) >= SWING) & (darker < DARKER) & (np.sign(change) != self._direction)
        further = (np.sign(change) == self._direction) & (change != 0)
        self._direction = np.where(turned, np.sign(change), self._direction).astype(np.int8)
        self._extreme = np.where(turned | further, luminance, self._extreme)
        return turned

    def _red_transitions(self, u_v: NDArray[np.float64], red: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return where the colour went to or from saturated red by more than 0.2 in u'v'."""
        distance = np.hypot(u_v[..., 0] - self._u_v[..., 0], u_v[..., 1] - self._u_v[..., 1])
        changed = (distance > 0.2) & (red | self._was_red)
        self._u_v = np.where(changed[..., None], u_v, self._u_v)
        self._was_red = np.where(changed, red, self._was_red)
        return changed

    def _measure(self) -> None:
        best = self._best
        flashes = self._second / 2
        red = self._red_second / 2
        over = flashes > FLASHES_PER_S
        area, red_area = _field_share(over), _field_share(red > FLASHES_PER_S)
        share = float((over | (red > FLASHES_PER_S)).mean())
        if max(area, red_area) > max(best["area"], best["red_area"]):
            best["worst_s"] = self.n / self.fps
        best["area"], best["red_area"] = max(best["area"], area), max(best["red_area"], red_area)
        best["screen_share"] = max(best["screen_share"], share)
        # The rate that a quarter of the picture reaches at least.
        best["flashes"] = max(best["flashes"], _rate(flashes))
        best["red_flashes"] = max(best["red_flashes"], _rate(red))
        self._slow.append(_field_share(flashes >= 2.0) >= SCREEN_SHARE)

    def report(self) -> FrameReport:
        """Return what was found so far."""
        best = self._best
        window = round(5 * self.fps)
        slow = np.concatenate([[0], np.cumsum(self._slow)])
        extended = bool(len(self._slow) >= window and (slow[window:] - slow[:-window] > 4 * self.fps).any())
        if best["red_area"] >= SCREEN_SHARE or best["screen_share"] > SCREEN_SHARE:
            result = "REFUSED"
        elif best["area"] >= SCREEN_SHARE or extended:
            result = "RESTRICTED"
        else:
            result = "PASS"
        return FrameReport(
            result=result, extended=extended, n_frames=self.n, **{name: round(value, 4) for name, value in best.items()}
        )


def analyse_frames(frames: Iterable[NDArray[Any]], *, fps: float) -> FrameReport:
    """Return the report of frames, each ``(height, width, 3)``."""
    analyser = FrameAnalyser(fps)
    for frame in frames:
        analyser.add(frame)
    if analyser.n < analyser.fps:
        raise DataError(f"{analyser.n} frames at {fps:g} Hz are less than a second; flashes cannot be counted.")
    return analyser.report()


def load_frames(path: str | os.PathLike[str], *, fps: float = 60.0) -> Iterable[NDArray[Any]]:
    """Return the frames in a folder of pictures (in order of their names), a .npy file, or an animated GIF.

    Parameters
    ----------
    path : path
        Folder or file.
    fps : float
        Frames a second to return of a GIF, which has times of its own: a picture that stays is repeated.

    Raises
    ------
    DataError
        If there are none.
    """
    where = Path(path)
    if where.is_dir():
        files = sorted(file for file in where.iterdir() if file.suffix.lower() in (".png", ".jpg", ".jpeg"))
        if not files:
            raise DataError(f"{where} holds no PNG or JPEG pictures.")
        return (frame for file in files for frame in _pictures(file, fps))
    if where.suffix.lower() == ".npy":
        try:
            # Not np.load: what begins like an archive or a pickle is never opened as one.
            frames = np.lib.format.open_memmap(where, mode="r")
        except Exception as error:  # noqa: BLE001 - a damaged header raises whatever Python's own tokenizer does
            raise DataError(f"{where} is no array of frames: {error}.") from None
        if frames.ndim != 4 or frames.dtype.kind not in "uif":
            raise DataError(f"{where} must hold frames of the shape (n, height, width, 3).")
        return frames
    if where.suffix.lower() == ".gif":
        return _pictures(where, fps)
    raise DataError(f"{where}: frames come as a folder of pictures, a .npy file or a .gif.")


def _pictures(path: Path, fps: float) -> Iterator[NDArray[Any]]:
    """Yield the frames of a picture file: one, or those of an animation, each as long as it says."""
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as picture:
            deep = picture.mode.startswith(("I", "F"))
            shown, until = 0, 0.0
            for frame in () if deep else ImageSequence.Iterator(picture):
                until += frame.info.get("duration", 0) / 1000.0
                # Even one that is too short to be shown is judged.
                times = max(1, round(until * fps) - shown)
                shown += times
                yield from [np.asarray(frame.convert("RGB"))] * times
    # SyntaxError is what Pillow calls a broken PNG.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is no picture or is damaged: {error}.") from None
    if deep:
        raise DataError(f"{path} has more than 8 bits a colour; save it as 8-bit RGB.")


def _picture(frame: NDArray[Any]) -> NDArray[Any]:
    """Return a frame that is a picture; whatever cannot be judged must not pass for a picture that does not flash."""
    picture = np.asarray(frame)
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or min(picture.shape[:2]) < 3:
        raise DataError(f"A frame must have the shape (height, width, 3); it has {picture.shape}.")
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind != "f":
        raise DataError(f"A frame holds uint8, or floats from 0 to 1; it holds {picture.dtype}.")
    low, high = float(picture.min()), float(picture.max())
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"A frame of floats holds values from 0 to 1; it holds values from {low:g} to {high:g}.")
    return picture


def _to_grid(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Return linear light, averaged over the cells of the grid."""
    values = picture.astype(np.float64) / 255.0 if picture.dtype == np.uint8 else picture.astype(np.float64)
    rows = np.linspace(0, picture.shape[0], _GRID[0] + 1).astype(int)
    columns = np.linspace(0, picture.shape[1], _GRID[1] + 1).astype(int)
    if picture.shape[0] < _GRID[0] or picture.shape[1] < _GRID[1]:
        light = linear(values)
        return np.asarray(light[np.ix_(np.minimum(rows[:-1], light.shape[0] - 1), columns[:-1])], dtype=np.float64)
    light = linear(values)
    sums = np.add.reduceat(np.add.reduceat(light, rows[:-1], axis=0), columns[:-1], axis=1)
    sizes = np.outer(np.diff(rows), np.diff(columns))[..., None]
    return np.asarray(sums / sizes, dtype=np.float64)


def _field_share(mask: NDArray[np.bool_]) -> float:
    """Return the largest share of a field of 10 degrees that a mask covers."""
    height, width = (max(1, round(size * _FIELD)) for size in mask.shape)
    total = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    total[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    return float(sums.max()) / (height * width)


def _rate(flashes: NDArray[np.floating[Any]]) -> float:
    """Return the highest rate that is reached over a quarter of a field of 10 degrees."""
    best = 0.0
    for rate in np.unique(flashes):
        if rate > best and _field_share(flashes >= rate) >= SCREEN_SHARE:
            best = float(rate)
    return best
