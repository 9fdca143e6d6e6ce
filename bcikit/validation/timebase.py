"""Tests of time: sampling rate, jitter, loss, triggers, the whole loop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.simulation.stimulus import BURST_PERIOD
from bcikit.validation.results import Measurement
from bcikit.validation.takes import Context, Take

EDGE = 0.045
"""Samples to which a straight line tells where an edge lies between two samples, for steps one or two samples wide."""

Result = tuple[list[Measurement], dict[str, Any]]


def fit_line(samples: NDArray[np.int64], times: NDArray[np.float64]) -> tuple[float, float, NDArray[np.float64], float]:
    """Fit time stamps to sample numbers by least squares, outliers beyond 5 robust deviations left out.

    Returns
    -------
    period, origin : float
        ``times = origin + period * samples``.
    residual : ndarray, shape (n,)
        Seconds.
    u_period : float
        Standard uncertainty of the period, relative; jitter that wanders counts with its correlation.
    """
    if len(samples) < 20:
        raise DataError(f"{len(samples)} samples are too few to fit a clock: record longer.")
    x = samples - samples.mean()
    keep = np.ones(len(x), dtype=bool)
    for _ in range(3):
        slope, level = np.polyfit(x[keep], times[keep], 1)
        residual = times - level - slope * x
        spread = 1.4826 * np.median(np.abs(residual - np.median(residual))) + 1e-9
        keep = np.abs(residual - np.median(residual)) < 5 * spread
        if keep.sum() < 0.9 * len(x):
            keep = np.ones(len(x), dtype=bool)
    slow = correlation_time(residual)
    u = np.std(residual) * np.sqrt(slow) / np.sqrt(np.sum(x.astype(np.float64) ** 2)) / slope
    return float(slope), float(level - slope * samples.mean()), residual, float(u)


def correlation_time(values: NDArray[np.float64], *, squared: bool = False) -> float:
    """Return the factor by which correlation lengthens the variance of a mean: one plus twice the sum of rho.

    Parameters
    ----------
    squared : bool
        With the squares of rho, as the variance of a variance needs them (Bartlett 1946).
    """
    centred = values - values.mean()
    size = 1 << int(np.ceil(np.log2(2 * len(centred))))
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    rho = np.fft.irfft(spectrum, size)[: len(centred)]
    rho = rho / max(rho[0], 1e-300)
    below = np.flatnonzero(rho < 0.05)
    stop = int(below[0]) if len(below) else len(rho)
    tail = rho[1:stop]
    return float(1 + 2 * np.sum(tail**2 if squared else tail))


def allan_deviation(error: NDArray[np.float64], tau0: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return averaging times and the overlapping Allan deviation of a time error.

    ``sigma^2(m tau0) = mean((x[k+2m] - 2 x[k+m] + x[k])^2) / (2 (m tau0)^2)`` (IEEE Std 1139).

    Parameters
    ----------
    error : ndarray, shape (n,)
        Time error in seconds, every `tau0` seconds.
    """
    sizes = np.unique(np.round(np.logspace(0, np.log10(max(1, len(error) // 3)), 30)).astype(int))
    sizes = sizes[2 * sizes < len(error)]
    deviations = []
    for m in sizes:
        second = error[2 * m :] - 2 * error[m:-m] + error[: -2 * m]
        deviations.append(np.sqrt(np.mean(second**2) / 2) / (m * tau0))
    return sizes * tau0, np.array(deviations)


def sampling_rate(takes: list[Take], context: Context) -> Result:
    """Slope of time stamps over sample numbers, against the nominal rate."""
    take = takes[0]
    period, _, residual, u = fit_line(take.samples, take.times)
    nominal = take.info.sfreq
    ppm = 1e6 * (1 / (period * nominal) - 1)
    u_ppm = 1e6 * float(np.hypot(u, context.instruments.timebase))
    measurements = [
        Measurement(
            quantity="clock",
            label="Sampling clock against the host's",
            value=ppm,
            unit="ppm",
            uncertainty=2 * u_ppm,
            budget=(("jitter of the stamps", 1e6 * float(u)), ("time base", 1e6 * context.instruments.timebase)),
        ),
        Measurement(
            quantity="rate", label="Sampling rate", value=1 / period, unit="Hz", uncertainty=2e-6 * u_ppm * nominal
        ),
    ]
    grid = np.arange(0.0, take.samples[-1] / nominal, 1.0)
    error = np.interp(grid * nominal, take.samples, residual)
    curves: dict[str, Any] = {}
    if len(error) > 6:
        tau, deviation = allan_deviation(error, 1.0)
        curves["allan"] = {"tau": tau.tolist(), "deviation": deviation.tolist()}
        for wanted in (1.0, 10.0, 100.0):
            near = np.flatnonzero(np.isclose(tau, wanted, rtol=0.2))
            if len(near):
                value = 1e6 * float(deviation[near[0]])
                label = f"Allan deviation at {tau[near[0]]:.0f} s"
                measurements.append(Measurement(quantity=f"allan_{wanted:.0f}", label=label, value=value, unit="ppm"))
    return measurements, curves


def jitter(takes: list[Take], context: Context) -> Result:
    """Spread of the time stamps about the fitted line."""
    del context
    take = takes[0]
    _, _, residual, _ = fit_line(take.samples, take.times)
    sd = float(np.std(residual))
    factor = correlation_time(residual, squared=True)
    # Var(s^2) = 2 s^4 / n * factor for a Gaussian; heavier tails are seen in the fourth moment.
    kurtosis = float(np.mean(residual**4)) / max(sd**4, 1e-300)
    u = sd * np.sqrt(max(kurtosis - 1, 2.0) / 4 * factor / len(residual))
    steps = np.diff(take.times) / np.maximum(np.diff(take.samples), 1)
    measurements = [
        Measurement(
            quantity="jitter_sd",
            label="Jitter of the time stamps, standard deviation",
            value=1e3 * sd,
            unit="ms",
            uncertainty=2e3 * float(u),
        ),
        Measurement(
            quantity="jitter_p999",
            label="99.9 % of the time stamps are within",
            value=1e3 * float(np.quantile(np.abs(residual - np.median(residual)), 0.999)),
            unit="ms",
        ),
        Measurement(
            quantity="longest_step", label="Longest step between time stamps", value=1e3 * float(steps.max()), unit="ms"
        ),
    ]
    low, high = np.quantile(residual, [0.0005, 0.9995])
    counts, edges = np.histogram(residual, bins=80, range=(low, high))
    return measurements, {"jitter": {"ms": (1e3 * edges).tolist(), "counts": counts.tolist()}}


def loss(takes: list[Take], context: Context) -> Result:
    """Share of samples that never came, from their indices; Wilson interval."""
    del context
    take = takes[0]
    total = int(take.samples[-1] - take.samples[0]) + 1
    steps = np.diff(take.samples)
    lost = total - len(take.samples)
    bursts = int(np.count_nonzero(steps > 1))
    share = lost / total
    # Losses come in bursts: as many independent events as bursts, not as lost samples.
    mean_burst = lost / bursts if bursts else 1.0
    n = total / mean_burst
    z2 = 4.0
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = 2.0 * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    u = max(abs(centre + half - share), abs(share - centre + half)) if lost else z2 / n
    longest = float(steps.max() - 1) / take.info.sfreq if len(steps) else 0.0
    measurements = [
        Measurement(quantity="loss", label="Samples lost", value=100 * share, unit="%", uncertainty=100 * float(u)),
        Measurement(quantity="lost", label="Samples lost", value=float(lost), unit="samples", uncertainty=0.0),
        # A whole number of samples: what is not known is where within a sample it began and ended.
        Measurement(
            quantity="longest_gap",
            label="Longest gap",
            value=1e3 * longest,
            unit="ms",
            uncertainty=2e3 / take.info.sfreq / np.sqrt(6) if longest else 0.0,
        ),
    ]
    return measurements, {}


def rising(signal: NDArray[np.float64], samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where a signal rises through half its height, in samples, interpolated."""
    low, high = np.quantile(signal, [0.02, 0.98])
    if high - low < 6 * np.median(np.abs(np.diff(signal))) or high <= low:
        high = signal.max()
    half = (low + high) / 2
    up = np.flatnonzero((signal[:-1] < half) & (signal[1:] >= half))
    # Across a lost sample nobody knows where it rose.
    up = up[samples[up + 1] - samples[up] == 1]
    share = (half - signal[up]) / np.maximum(signal[up + 1] - signal[up], 1e-12)
    edges = samples[up] + share * (samples[up + 1] - samples[up])
    # Noise on an edge may cross more than once: the first counts.
    return edges[np.insert(np.diff(edges) > 20, 0, True)] if len(edges) else edges


def trigger(takes: list[Take], context: Context) -> Result:
    """Edge at the input (half height, interpolated) minus the software marker that belongs to it."""
    del context
    take = takes[0]
    edges = rising(take.data[:, take.driven], take.samples)
    period, origin, residual, _ = fit_line(take.samples, take.times)
    at = origin + period * edges
    markers = np.array([event.time for event in take.events])
    if not len(markers) or not len(at):
        raise DataError(f"{len(markers)} markers and {len(at)} edges: the trigger is not wired, or no marker was sent.")
    delays = at - markers[np.argmin(np.abs(at[:, None] - markers), axis=1)]
    close = np.abs(delays) < 0.45 / take.stimulus.frequency
    delays, at = delays[close], at[close]
    if len(delays) < 10:
        raise DataError(f"{len(delays)} pulses have a marker near them: too few. Send more, or look at the wiring.")
    # The slope of the line through wandering stamps errs, and would be spread; a drift that is real has its own row.
    when = at - at.mean()
    trend = np.polyfit(when, delays, 1)
    median, sd = float(np.median(delays)), float(np.std(delays - np.polyval(trend, when), ddof=2))
    n = len(delays)
    # Where the line lies is known as well as the mean of stamps that wander together; where an edge lies between two
    # samples, to a few hundredths of one, whatever its shape.
    u_line = float(np.std(residual)) * np.sqrt(correlation_time(residual) / len(residual))
    u_edge = EDGE * period
    measurements = [
        Measurement(
            quantity="trigger_delay",
            label=f"Pulse after its marker, median of {n}",
            value=1e3 * median,
            unit="ms",
            uncertainty=2e3 * float(np.sqrt((1.2533 * sd) ** 2 / n + u_line**2 + u_edge**2)),
            budget=(
                ("scatter of the delays", 1e3 * 1.2533 * sd / float(np.sqrt(n))),
                ("line of the stamps", 1e3 * u_line),
                ("place of an edge between two samples", 1e3 * u_edge),
            ),
        ),
        Measurement(
            quantity="trigger_sd",
            label="Spread of that, standard deviation",
            value=1e3 * sd,
            unit="ms",
            # The square of what the edges add is in the square of the spread: anything within the bound, a rectangle.
            uncertainty=2e3 * float(np.hypot(sd / np.sqrt(2 * max(n - 1, 1)), u_edge**2 / (6 * max(sd, u_edge)))),
            budget=(
                ("number of pulses", 1e3 * sd / float(np.sqrt(2 * max(n - 1, 1)))),
                ("place of an edge between two samples", 1e3 * u_edge**2 / (6 * max(sd, u_edge))),
            ),
        ),
        Measurement(
            quantity="trigger_p95",
            label="95 % are within",
            value=1e3 * float(np.quantile(np.abs(delays - median), 0.95)),
            unit="ms",
        ),
        Measurement(quantity="trigger_drift", label="Drift of the delay", value=60e3 * float(trend[0]), unit="ms/min"),
    ]
    counts, bins = np.histogram(1e3 * delays, bins=40)
    return measurements, {"trigger": {"ms": bins.tolist(), "counts": counts.tolist()}}


def end_to_end(takes: list[Take], context: Context) -> Result:
    """From the start of a burst at an input to the edge of the digital output at another, in the device's time."""
    del context
    take = takes[0]
    out = rising(take.data[:, take.signals[-1]], take.samples)
    # The generator keeps true time; the device's clock may not.
    period, _, _, _ = fit_line(take.samples, take.times)
    first = (0.5 + np.arange(int(take.stimulus.seconds / BURST_PERIOD))) * BURST_PERIOD / period
    answers = []
    due = np.zeros(len(out), dtype=bool)
    for onset in first:
        hit = (out > onset) & (out < onset + 0.9 * BURST_PERIOD * take.info.sfreq)
        later = out[hit]
        if len(later):
            answers.append((later[0] - onset) / take.info.sfreq)
            due |= hit
    if len(answers) < 0.5 * len(first):
        raise DataError(f"Only {len(answers)} of {len(first)} bursts were answered: is the digital output wired?")
    values = 1e3 * np.array(answers)
    p95 = float(np.quantile(values, 0.95))
    u = 2 * float(np.std(values)) * 2.1 / np.sqrt(len(values)) + 1e3 / take.info.sfreq / np.sqrt(3)
    measurements = [
        Measurement(
            quantity="e2e_p95", label=f"Burst to output, 95 % of {len(values)}", value=p95, unit="ms", uncertainty=u
        ),
        Measurement(quantity="e2e_median", label="Median", value=float(np.median(values)), unit="ms"),
        *_answered(len(answers), len(first), int(np.count_nonzero(~due)), take.stimulus.seconds / 60),
    ]
    return measurements, {"e2e": {"ms": values.tolist()}}


def _answered(hits: int, bursts: int, without: int, minutes: float) -> list[Measurement]:
    """Return the share of bursts that were answered (Wilson), and answers a minute that nothing caused (Poisson)."""
    share, z2 = hits / bursts, 4.0
    centre = (share + z2 / (2 * bursts)) / (1 + z2 / bursts)
    half = 2.0 * np.sqrt(share * (1 - share) / bursts + z2 / (4 * bursts * bursts)) / (1 + z2 / bursts)
    reach = max(abs(centre + half - share) if share < 1 else 0.0, abs(share - centre + half))
    return [
        Measurement(
            quantity="e2e_answered",
            label=f"Bursts that were answered, {hits} of {bursts}",
            value=100 * share,
            unit="%",
            uncertainty=100 * float(reach),
        ),
        Measurement(
            quantity="e2e_false",
            label="Answers that nothing caused",
            value=without / minutes,
            unit="1/min",
            # None in a time says: less than three of it (Poisson, 95 %).
            uncertainty=max(3.0, 2.0 * float(np.sqrt(without))) / minutes,
        ),
    ]
