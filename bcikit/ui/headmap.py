"""Head maps: where electrodes lie on a flat head, and values between them. Pure numpy, no Qt."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.montage import montage_name
from bcikit.signal import StreamInfo

EQUATOR = 0.75
"""Radius on the flat head of an electrode at the height of the ears; 1 is the edge of the picture."""


@cache
def _template() -> dict[str, NDArray[np.float64]]:
    """Return the template positions of the 10-5 system by lower-case name, from the middle of the head, in metres."""
    import mne

    # In the coordinates of the scan it was made on, where Cz is the top.
    found = mne.channels.make_standard_montage(montage_name()).get_positions()["ch_pos"]
    centre = sphere_centre(np.array([found[name] for name in _RIM]))
    return {name.lower(): np.asarray(xyz) - centre for name, xyz in found.items()}


_RIM = ("Fpz", "Cz", "Oz", "T7", "T8", "C3", "C4", "Fz", "Pz", "F7", "F8", "P7", "P8")


def sphere_centre(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centre of the sphere nearest to points ``(n, 3)``, by least squares on ``|p|^2 = 2 p c + const``."""
    system = np.column_stack([2 * points, np.ones(len(points))])
    return np.asarray(np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)[0][:3])


def flat_positions(info: StreamInfo) -> NDArray[np.float64]:
    """Return where each channel lies on a flat head seen from above, nose up.

    The angle from the vertex becomes the distance from the middle, as in MNE's head maps. Names of the 10-5 system use
    MNE's template; other names use the positions of the stream.

    Returns
    -------
    ndarray of float64, shape (n_channels, 2)
        x to the right, y to the nose, 1 the edge of the picture; NaN for channels that are not on the head.
    """
    template = _template()
    measured = info.positions_array()
    known = ~np.isnan(measured[:, 0])
    centre = sphere_centre(measured[known]) if known.sum() >= 8 else np.array([0.0, 0.0, 0.04])
    flat = np.full((info.n_channels, 2), np.nan)
    for index, (name, kind) in enumerate(zip(info.ch_names, info.ch_types, strict=True)):
        if kind != "eeg":
            continue
        xyz = template.get(name.lower().strip("."))
        if xyz is None and known[index]:
            xyz = measured[index] - centre
        if xyz is None or not xyz.any():
            continue
        angle = np.arccos(np.clip(xyz[2] / np.linalg.norm(xyz), -1, 1))
        bearing = np.arctan2(xyz[1], xyz[0])
        distance = EQUATOR * angle / (np.pi / 2)
        flat[index] = distance * np.cos(bearing), distance * np.sin(bearing)
    return flat


class Interpolation:
    """Values of electrodes spread over the head: thin-plate splines, solved once and then one product a picture.

    Parameters
    ----------
    positions : ndarray, shape (n, 2)
        From `flat_positions`, without NaN.
    size : int
        Pixels of the square picture.
    """

    def __init__(self, positions: NDArray[np.float64], *, size: int = 72) -> None:
        self.size = size
        n = len(positions)
        axis = (np.arange(size) + 0.5) / size * 2 - 1
        x, y = np.meshgrid(axis, -axis)
        self.inside = x**2 + y**2 <= 1.0
        grid = np.column_stack([x[self.inside], y[self.inside]])
        system = np.zeros((n + 3, n + 3))
        # A little smoothing keeps electrodes that almost coincide from making waves.
        system[:n, :n] = _thin_plate(positions, positions) + 1e-4 * np.eye(n)
        system[:n, n:] = np.column_stack([np.ones(n), positions])
        system[n:, :n] = system[:n, n:].T
        right = np.hstack([_thin_plate(grid, positions), np.ones((len(grid), 1)), grid])
        self._operator = (right @ np.linalg.pinv(system))[:, :n].astype(np.float32)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the picture, shape ``(size, size)``, NaN outside the head."""
        picture = np.full((self.size, self.size), np.nan, dtype=np.float32)
        picture[self.inside] = np.clip(
            self._operator @ values.astype(np.float32), float(values.min()), float(values.max())
        )
        return picture


def _thin_plate(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    square = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(square > 0, 0.5 * square * np.log(square), 0.0)


def colour_map(values: NDArray[np.float32], low: float, high: float, *, diverging: bool) -> NDArray[np.uint32]:
    """Return 0xAARRGGBB pixels; NaN is transparent.

    One-sided values go from dark blue over green to yellow, signed ones from blue over white to red: both keep their
    order in grey and for colour-blind people.
    """
    stops = _DIVERGING if diverging else _SEQUENTIAL
    share = np.clip((np.nan_to_num(values) - low) / max(high - low, 1e-12), 0, 1)
    at = share * (len(stops) - 1)
    left = np.minimum(at.astype(int), len(stops) - 2)
    part = (at - left)[..., None]
    mixed = stops[left] * (1 - part) + stops[left + 1] * part
    channels = mixed.round().astype(np.uint32)
    pixels = (0xFF << 24) | (channels[..., 0] << 16) | (channels[..., 1] << 8) | channels[..., 2]
    return np.where(np.isnan(values), np.uint32(0), pixels.astype(np.uint32))


_SEQUENTIAL = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=float)
_DIVERGING = np.array([(5, 48, 97), (67, 147, 195), (247, 247, 247), (214, 96, 77), (103, 0, 31)], dtype=float)
