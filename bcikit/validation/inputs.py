"""Tests of what happens at the inputs: electrodes that come off, resistors one by one, the same again at the end."""

from typing import Any

import numpy as np

from bcikit.signal import DataError
from bcikit.validation.results import Judgement, Measurement
from bcikit.validation.sinefit import sine_fit
from bcikit.validation.takes import Context, Take

Result = tuple[list[Measurement], dict[str, Any]]
SETTLED_UV = 50.0
"""Microvolts from where it comes to rest: settled."""


def settling(takes: list[Take], context: Context) -> Result:
    """Seconds from the last sample at full scale until every later one lies close to where it comes to rest."""
    del context
    take = takes[0]
    data, sfreq = take.filled(), take.info.sfreq
    rest = np.median(data[-round(sfreq) :], axis=0)
    away = np.abs(data - rest)
    top = np.maximum(away.max(axis=0), 1e-9)
    seconds, slack = [], []
    for column in range(data.shape[1]):
        railed = np.flatnonzero(away[:, column] > 0.9 * top[column])
        late = np.flatnonzero(away[:, column] > SETTLED_UV)
        if top[column] < 20 * SETTLED_UV or not len(railed):
            raise DataError(f"{take.info.ch_names[take.signals[column]]} never left its range: was the electrode off?")
        done = late[-1] < len(data) - round(sfreq)
        # Both crossings lie half a sample later than the sample that tells of them.
        seconds.append((late[-1] - railed[-1]) / sfreq if done else np.inf)
        # Near the end it falls by its own size in a time constant, and noise crosses the line early or late.
        constant = seconds[-1] / np.log(top[column] / SETTLED_UV)
        slack.append(constant * float(np.std(data[-round(sfreq) :, column])) / SETTLED_UV)
    worst = int(np.argmax(seconds))
    done_all = bool(np.isfinite(seconds[worst]))
    measurement = Measurement(
        quantity="settling",
        label=f"From full scale to within {SETTLED_UV:g} uV, worst channel",
        value=float(seconds[worst]),
        unit="s",
        # Where within a sample it begins and ends: two rectangles.
        uncertainty=2 * float(np.hypot(np.sqrt(2 / 12) / sfreq, 1.5 * slack[worst])) if done_all else 0.0,
        budget=(
            ("one sample at either end", float(np.sqrt(2 / 12)) / sfreq),
            ("noise at the line", 1.5 * float(slack[worst])),
        )
        if done_all
        else (),
        channel=take.info.ch_names[take.signals[worst]],
    )
    return [measurement], {}


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
