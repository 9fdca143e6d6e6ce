"""Timing of stimuli, measured: a photodiode on the screen beside the markers of the program."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, DataError, check_range
from bcikit.signal.documents import read_json
from bcikit.signal.rebuild import rebuild

LONGEST = 0.5
"""Seconds within which an edge belongs to a marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingResult:
    """Offset and jitter between markers and light.

    Attributes
    ----------
    n, missed, extra : int
        Markers with an edge, markers without one, edges without a marker.
    offset : float
        Median of light less marker, in seconds: what to correct by.
    sd, p95, worst : float
        Standard deviation; 95th percentile and largest distance from the median.
    drift : float
        Change of the offset, in seconds a minute.
    uncertainty : float
        Expanded uncertainty (k = 2) of the offset: spread of the mean and half a sample.
    """

    n: int
    missed: int
    extra: int
    offset: float
    sd: float
    p95: float
    worst: float
    drift: float
    uncertainty: float

    def save(self, path: Path) -> None:
        """Write JSON, from which sessions take the correction."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If it is no such file.
        """
        try:
            return rebuild(cls, read_json(path), what="timing")
        except (OSError, ValueError) as error:
            raise DataError(f"{path} holds no timing: {error}") from None


def rising_edges(
    signal: NDArray[np.float64], times: NDArray[np.float64], *, quiet: float = 0.05
) -> NDArray[np.float64]:
    """Return when a signal rises through half of its swing, between samples by a straight line.

    Parameters
    ----------
    signal : ndarray, shape (n_times,)
        Photodiode or trigger.
    times : ndarray, shape (n_times,)
        Seconds.
    quiet : float
        Edges closer than this to the one before are the same one (a screen whose light itself flickers).

    Raises
    ------
    DataError
        If the signal does not swing: the 1st and 99th percentile are no further apart than the noise.
    """
    low, high = np.percentile(signal, [1.0, 99.0])
    noise = 1.4826 * float(np.median(np.abs(np.diff(signal))))
    if high - low <= 8.0 * noise or high <= low:
        raise DataError("The photodiode shows no flashes: is it on the patch, and connected to this channel?")
    level = 0.5 * (low + high)
    above = signal >= level
    # A second, lower level re-arms, so that noise at the first one makes no second edge.
    rearm = signal < level - 0.2 * (high - low)
    edges: list[float] = []
    armed = bool(rearm[0])
    for index in np.flatnonzero(above[1:] & ~above[:-1] | rearm[1:] & ~rearm[:-1]) + 1:
        if rearm[index]:
            armed = True
        elif armed:
            before, after = signal[index - 1], signal[index]
            share = (level - before) / (after - before)
            time = float(times[index - 1] + share * (times[index] - times[index - 1]))
            armed = False
            if not edges or time - edges[-1] > quiet:
                edges.append(time)
    return np.array(edges)


def measure_timing(
    signal: NDArray[np.float64], times: NDArray[np.float64], markers: NDArray[np.float64], *, earliest: float = -0.02
) -> TimingResult:
    """Compare the edges of a photodiode with the times of markers.

    Parameters
    ----------
    signal, times : ndarray, shape (n_times,)
        Channel of the photodiode and its times in seconds.
    markers : ndarray, shape (n_markers,)
        Times at which the program says that it showed something.
    earliest : float
        Light may come this much before its marker (negative), as clocks have errors.

    Raises
    ------
    DataError
        If there is no light, or fewer than 10 pairs.
    ArgumentError
        If the arrays do not fit together.
    """
    if signal.shape != times.shape or signal.ndim != 1:
        raise ArgumentError(f"signal {signal.shape} and times {times.shape} must be rows of the same length.")
    check_range("earliest", earliest, low=-LONGEST, high=0.0, unit="s")
    edges = rising_edges(signal, times)
    order = np.sort(markers)
    used: set[int] = set()
    at: list[float] = []
    gaps: list[float] = []
    for marker in order:
        index = int(np.searchsorted(edges, marker + earliest))
        if index < len(edges) and edges[index] - marker <= LONGEST and index not in used:
            used.add(index)
            at.append(float(marker))
            gaps.append(float(edges[index] - marker))
    if len(gaps) < 10:
        raise DataError(f"Only {len(gaps)} of {len(order)} markers have light within {LONGEST} s; 10 are needed.")
    values = np.array(gaps)
    away = np.abs(values - np.median(values))
    slope = float(np.polyfit(np.array(at) / 60.0, values, 1)[0])
    sample = float(np.median(np.diff(times)))
    spread = float(values.std(ddof=1))
    return TimingResult(
        n=len(gaps),
        missed=len(order) - len(gaps),
        extra=len(edges) - len(used),
        offset=float(np.median(values)),
        sd=spread,
        p95=float(np.percentile(away, 95)),
        worst=float(away.max()),
        drift=slope,
        # Interpolation leaves an error within half a sample at most: a rectangle of that width.
        uncertainty=float(2.0 * np.hypot(spread / np.sqrt(len(gaps)), sample / np.sqrt(12.0))),
    )
