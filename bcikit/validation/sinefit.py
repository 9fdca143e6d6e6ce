"""Sine fit of IEEE Std 1057: three and four parameters, with the covariance of what was fitted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError


@dataclass(frozen=True, slots=True, eq=False)
class SineFit:
    """A sine in noise, for each channel: ``a cos(2 pi f t) + b sin(2 pi f t) + c``.

    Attributes
    ----------
    frequency : float
        Hz, one for all channels.
    amplitude, phase, offset, residual : ndarray, shape (n_channels,)
        Peak, radians against a cosine at t = 0, direct part, rms of what is left.
    u_amplitude, u_phase : ndarray, shape (n_channels,)
        Standard uncertainties from the residual.
    u_frequency : float
        Standard uncertainty of the frequency; 0 where it was given.
    """

    frequency: float
    amplitude: NDArray[np.float64]
    phase: NDArray[np.float64]
    offset: NDArray[np.float64]
    residual: NDArray[np.float64]
    u_amplitude: NDArray[np.float64]
    u_phase: NDArray[np.float64]
    u_frequency: float


def sine_fit(
    data: NDArray[np.float64], times: NDArray[np.float64], frequency: float, *, known: bool = False
) -> SineFit:
    """Fit a sine by least squares.

    Four parameters (IEEE Std 1057-2017, 7.4.2.2): the frequency is refined by Gauss-Newton on the channels
    together, weighted by their signal; three (7.4.2.1) where it is `known`. Uncertainties are those of linear least
    squares with the residual as noise, taken as white.

    Parameters
    ----------
    data : ndarray, shape (n_times, n_channels)
        Samples; lost ones are simply left out.
    times : ndarray, shape (n_times,)
        Seconds, of the samples that are there.
    frequency : float
        Hz: where to start, or the value itself.
    known : bool
        Keep the frequency.

    Raises
    ------
    DataError
        If there are fewer than twelve samples, or they hold less than one period.
    """
    data = np.asarray(data, dtype=np.float64).reshape(len(times), -1)
    t: NDArray[np.float64] = np.asarray(times - times.mean() if len(times) else times, dtype=np.float64)
    if len(t) < 12 or (t[-1] - t[0]) * frequency < 0.9:
        raise DataError(f"A sine of {frequency:g} Hz cannot be fitted to {len(t)} samples: record at least one period.")
    for _ in range(1 if known else 8):
        design = _design(t, frequency)
        solution = _solve(design, data)
        if known:
            break
        step = _frequency_step(design, t, data, solution)
        frequency += float(np.clip(step, -0.2 * frequency, 0.2 * frequency))
        if abs(step) < 1e-10 * frequency:
            break
    design = _design(t, frequency)
    solution = _solve(design, data)
    left = data - design @ solution
    degrees = max(1, len(t) - (3 if known else 4))
    residual = np.sqrt(np.square(left).sum(axis=0) / degrees)
    inverse = np.linalg.inv(design.T @ design)
    a, b, c = solution
    amplitude = np.hypot(a, b)
    safe = np.maximum(amplitude, 1e-100)
    variance = (a * a * inverse[0, 0] + 2 * a * b * inverse[0, 1] + b * b * inverse[1, 1]) / safe**2
    crosswise = (b * b * inverse[0, 0] - 2 * a * b * inverse[0, 1] + a * a * inverse[1, 1]) / safe**2
    u_frequency = 0.0
    if not known:
        # Information about the frequency adds up over the channels.
        information = np.sum(np.square(np.minimum(amplitude / np.maximum(residual, 1e-300), 1e12))) * np.sum(t * t) / 2
        u_frequency = float(1 / (2 * np.pi * np.sqrt(max(information, 1e-300))))
    phase = np.angle(a - 1j * b) - 2 * np.pi * frequency * (times.mean() if len(times) else 0.0)
    return SineFit(
        float(frequency),
        amplitude,
        np.angle(np.exp(1j * phase)),
        c,
        residual,
        residual * np.sqrt(variance),
        residual * np.sqrt(crosswise) / safe,
        u_frequency,
    )


def solve_normal(design: NDArray[np.float64], data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares solution by the normal equations: sines are nearly orthogonal, so nothing is lost.

    Many columns take a thirtieth of the time of a singular value decomposition.
    """
    normal = design.T @ design
    # A ridge far below rounding keeps a column that is all zeros (a sine at half the rate) from stopping the others.
    normal[np.diag_indices_from(normal)] += 1e-12 * np.trace(normal) / len(normal)
    return np.asarray(np.linalg.solve(normal, design.T @ data))


def _solve(design: NDArray[np.float64], data: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.lstsq(design, data, rcond=None)[0], dtype=np.float64)


def _design(t: NDArray[np.float64], frequency: float) -> NDArray[np.float64]:
    angle = 2 * np.pi * frequency * t
    return np.column_stack([np.cos(angle), np.sin(angle), np.ones_like(t)])


def _frequency_step(
    design: NDArray[np.float64], t: NDArray[np.float64], data: NDArray[np.float64], solution: NDArray[np.float64]
) -> float:
    """Return the Gauss-Newton step of the frequency in Hz, from all channels."""
    a, b, _ = solution
    derivative = 2 * np.pi * t[:, None] * (b * design[:, :1] - a * design[:, 1:2])
    left = data - design @ solution
    # The part of the derivative that amplitude, phase and offset cannot explain.
    explained, *_ = np.linalg.lstsq(design, derivative, rcond=None)
    derivative = derivative - design @ explained
    power = float(np.sum(derivative * derivative))
    return float(np.sum(derivative * left)) / power if power > 0 else 0.0


def harmonics(
    data: NDArray[np.float64], times: NDArray[np.float64], frequency: float, *, count: int, limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit a sine and its harmonics together.

    Parameters
    ----------
    frequency : float
        Fundamental, as fitted.
    count : int
        Highest harmonic.
    limit : float
        Harmonics at or above this frequency are left out (half the sampling rate).

    Returns
    -------
    amplitude, u_amplitude : ndarray, shape (n_harmonics, n_channels)
        Peak of the fundamental and of each harmonic, and their standard uncertainty.
    residual : ndarray, shape (n_channels,)
        Rms of what is left.
    """
    t = times - times.mean()
    orders = [k for k in range(1, count + 1) if k * frequency < limit]
    columns = [np.ones_like(t)]
    for k in orders:
        columns += [np.cos(2 * np.pi * k * frequency * t), np.sin(2 * np.pi * k * frequency * t)]
    design = np.column_stack(columns)
    solution, *_ = np.linalg.lstsq(design, data, rcond=None)
    residual = np.sqrt(np.square(data - design @ solution).sum(axis=0) / max(1, len(t) - design.shape[1]))
    amplitude = np.hypot(solution[1::2], solution[2::2])
    spread = np.sqrt(np.mean(np.diag(np.linalg.inv(design.T @ design))[1:]))
    return amplitude, np.broadcast_to(residual * spread, amplitude.shape), residual
