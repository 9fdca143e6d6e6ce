"""Luminance, saturated red and distance of colours, as WCAG 2.x defines them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE_UV = (0.19783, 0.46834)  # D65


def linear(srgb: ArrayLike) -> Array:
    """Return linear light of sRGB values from 0 to 1 (IEC 61966-2-1), any shape."""
    values = np.asarray(srgb, dtype=np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def relative_luminance(light: Array) -> Array:
    """Return relative luminance, 0 black to 1 white, of linear light, shape ``(..., 3)``."""
    return light @ _TO_XYZ[1]


def saturated_red(light: Array) -> NDArray[np.bool_]:
    """Return where linear light, shape ``(..., 3)``, is saturated red: R / (R + G + B) >= 0.8 (WCAG 2.x)."""
    total = light.sum(axis=-1)
    return np.asarray((light[..., 0] >= 0.8 * total) & (total > 1e-6))


def chromaticity(light: Array) -> Array:
    """Return u' and v' (CIE 1976 UCS), shape ``(..., 2)``; black, which has none, counts as white."""
    xyz = light @ _TO_XYZ.T
    denominator = xyz @ np.array([1.0, 15.0, 3.0])
    dark = denominator < 1e-6
    safe = np.where(dark, 1.0, denominator)
    u = np.where(dark, _WHITE_UV[0], 4.0 * xyz[..., 0] / safe)
    v = np.where(dark, _WHITE_UV[1], 9.0 * xyz[..., 1] / safe)
    return np.stack([u, v], axis=-1)
