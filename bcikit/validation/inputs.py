"""Tests of what happens at the inputs: electrodes that come off, resistors one by one, the same again at the end."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import DataError
from bcikit.validation.extremes import calmed
from bcikit.validation.results import Judgement, Measurement
from bcikit.validation.sinefit import sine_fit
from bcikit.validation.takes import Context, Take
from bcikit.validation.timebase import fit_line

Result = tuple[list[Measurement], dict[str, Any]]
SETTLED_UV = 50.0
"""Microvolts from where it comes to rest: settled."""

CLOCK = 1e-4
"""Share by which the clock of a device may be off where its stamps do not tell."""


def settling(takes: list[Take], context: Context) -> Result:
    """Seconds from the last sample at full scale until every later one lies close to where it comes to rest."""
    del context
    take = takes[0]
    data, sfreq = take.filled(), take.info.sfreq
    rest = np.median(data[-round(sfreq) :], axis=0)
    away = np.abs(data - rest)
    top = np.maximum(away.max(axis=0), 1e-9)
    found: list[tuple[float, tuple[tuple[str, float], ...]]] = []
    for column in range(data.shape[1]):
        railed = np.flatnonzero(away[:, column] > 0.9 * top[column])
        late = np.flatnonzero(away[:, column] > SETTLED_UV)
        if top[column] < 20 * SETTLED_UV or not len(railed):
            raise DataError(f"{take.info.ch_names[take.signals[column]]} never left its range: was the electrode off?")
        if late[-1] >= len(data) - round(sfreq):
            found.append((np.inf, ()))
            continue
        begin, u_begin = _leaves(away[:, column], int(railed[-1]), 0.9 * top[column])
        end, u_end = _arrives(away[:, column], int(late[-1]))
        # The time in which it falls to a third near the end: by so much does where it rests shift the crossing.
        constant = (end - begin) / np.log(0.9 * top[column] / SETTLED_UV)
        u_median = 1.2533 * float(np.std(data[-round(sfreq) :, column])) / np.sqrt(sfreq)
        # What the last seconds still differ by, it has not come to rest.
        moves = abs(float(np.median(data[-2 * round(sfreq) : -round(sfreq), column])) - rest[column])
        u_rest = constant * float(np.hypot(u_median, moves / np.sqrt(3) if moves > 4 * u_median else 0.0)) / SETTLED_UV
        parts = (("where it leaves full scale", u_begin), ("noise at the line", u_end), ("where it rests", u_rest))
        found.append(((end - begin) / sfreq, tuple((name, u / sfreq) for name, u in parts)))
    times = np.array([seconds for seconds, _ in found])
    own = np.array([float(np.sqrt(sum(u * u for _, u in budget))) for _, budget in found])
    # The slowest of several equal channels would be the one with the worst luck.
    calm = calmed(times, own)[0] if np.isfinite(times).all() else times
    worst = int(np.argmax(calm))
    seconds, budget = float(calm[worst]), found[worst][1]
    if budget:
        seconds, u_clock = _in_true_time(take, seconds)
        budget = (*budget, ("clock of the device", u_clock))
    measurement = Measurement(
        quantity="settling",
        label=f"From full scale to within {SETTLED_UV:g} uV, worst channel",
        value=float(seconds),
        unit="s",
        uncertainty=2 * float(np.sqrt(sum(u * u for _, u in budget))),
        budget=budget,
        channel=take.info.ch_names[take.signals[worst]],
    )
    return [measurement], {}


def _leaves(away: NDArray[np.float64], last: int, line: float) -> tuple[float, float]:
    """Return where a signal that falls crosses a line after its sample `last`, in samples, and how sure that is."""
    after = float(away[last + 1])
    if away[last] > 0.999 * away.max() or not 0 < after < away[last]:
        # The sample before lies on the rail: it left somewhere between the two.
        return last + 0.5, float(np.sqrt(1 / 12))
    return last + float(np.log(away[last] / line) / np.log(away[last] / after)), 0.02


def _arrives(away: NDArray[np.float64], last: int) -> tuple[float, float]:
    """Return where a signal that falls crosses the line of rest for good, by its logarithm on both sides of it."""
    n = 0
    while last - n > 0 and last + n + 1 < len(away) and away[last - n] < 2 * SETTLED_UV and away[last + n] > 0:
        n += 1
    at = np.arange(last - n, last + n + 1)
    at = at[away[at] > SETTLED_UV / 4]
    if len(at) >= 6:
        x, y = at - last, np.log(away[at] / SETTLED_UV)
        # Near the line noise weighs by the inverse of the size.
        w = away[at] / SETTLED_UV
        design = np.column_stack([np.ones(len(x)), x])
        (level, slope), *_ = np.linalg.lstsq(design * w[:, None], y * w, rcond=None)
        if slope < 0 and abs(level / slope) < n + 2:
            left = (y - level - slope * x) * w
            covariance = np.linalg.inv((design * w[:, None]).T @ (design * w[:, None])) * left.var(ddof=2)
            crossing = -level / slope
            gradient = np.array([1.0, crossing]) / slope
            return last + float(crossing), float(np.sqrt(gradient @ covariance @ gradient))
    # It falls within a sample or two, or in no simple way: somewhere between the last sample above and the next.
    return last + 0.5, float(np.sqrt(1 / 12))


def _in_true_time(take: Take, seconds: float) -> tuple[float, float]:
    """Return seconds of the device's clock as those of the stamps where these tell, and the uncertainty of that."""
    period, _, _, u = fit_line(take.samples, take.times)
    if u < CLOCK:
        return seconds * period * take.info.sfreq, seconds * u
    return seconds, seconds * CLOCK


def impedance_map(takes: list[Take], context: Context) -> Result:
    """Channels whose resistor is read elsewhere; each was given one while the others were shorted."""
    del context
    wrong, said = 0, ""
    names = takes[0].info.ch_names
    for take in takes:
        if take.impedances is None:
            raise DataError("The device gave no impedance reading.")
        own = take.stimulus.channel or 0
        loudest = int(np.nanargmax(take.impedances))
        if loudest != own:
            wrong += 1
            said = said or f" ({names[take.signals[own]]} is read at {names[take.signals[loudest]]})"
    measurement = Measurement(
        quantity="impedance_map",
        label=f"Channels whose resistor is read at another, of {len(takes)}{said}",
        value=float(wrong),
        unit="1",
        uncertainty=0.0,
        judgement=Judgement.UNEXPLAINED if wrong else Judgement.PASS,
    )
    return [measurement], {}


def repeat(takes: list[Take], context: Context) -> Result:
    """Gain at the end of the run against that at its beginning, the same set-up made again."""
    del context
    first, last = sorted(takes, key=lambda take: take.stimulus.again)
    fits = [sine_fit(t.data[:, t.signals], t.clock, t.stimulus.frequency) for t in (first, last)]
    change = 100 * (fits[1].amplitude / fits[0].amplitude - 1)
    u = 100 * np.hypot(*(fit.u_amplitude / fit.amplitude for fit in fits))
    worst = int(np.argmax(np.abs(change)))
    measurement = Measurement(
        quantity="gain_repeat",
        label="Gain at the end of the run against its beginning, worst channel",
        value=float(change[worst]),
        unit="%",
        # The largest of several: each is drawn once more.
        uncertainty=2 * float(u[worst]) * (1 + 0.3 * np.log(len(u))),
        channel=first.info.ch_names[first.signals[worst]],
    )
    return [measurement], {}
