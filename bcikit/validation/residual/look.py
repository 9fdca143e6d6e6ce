"""What is left when everything a sound device does is taken off: it must be white, Gaussian, whole and on time.

The other tests measure what they were told to look for. This one looks at every recording of the run for what none of
them explains. What it finds is UNEXPLAINED, with a number and a name; it is never a PASS.
"""

from typing import Any

import numpy as np

from bcikit.validation.residual.channels import between_channels
from bcikit.validation.residual.codes import codes
from bcikit.validation.residual.found import Found, finding
from bcikit.validation.residual.noise import shorted, whole
from bcikit.validation.residual.sine import driven, square
from bcikit.validation.residual.time import stamps, triggers
from bcikit.validation.results import Judgement, Measurement
from bcikit.validation.takes import Context, Take


def unexplained(takes: list[Take], context: Context) -> tuple[Found, dict[str, Any]]:
    """Return what is not explained in the recordings of a run, each UNEXPLAINED; a single PASS where all is."""
    found: Found = []
    curves: dict[str, Any] = {}
    usable = [take for take in takes if len(take.samples) >= 2 * take.info.sfreq and take.signals]
    for take in usable:
        bad = ~np.isfinite(take.data[:, take.signals])
        for column in np.flatnonzero(bad.any(axis=0)):
            share = 100 * float(bad[:, column].mean())
            name = take.info.ch_names[take.signals[column]]
            found.append(finding("no_numbers", "Samples that are no numbers", share, "%", name))
    # Of what is no number nothing can be computed.
    usable = [take for take in usable if np.isfinite(take.data[:, take.signals]).all()]
    floor = _floor(usable)
    for take in usable:
        kind = take.stimulus.kind
        if kind == "short" and not take.stimulus.after:
            found += shorted(take, curves)
        elif kind == "sine" and take.stimulus.frequency < 0.45 * take.info.sfreq:
            found += driven(take, floor, curves)
        elif kind == "square":
            found += square(take, floor)
        elif kind == "open":
            found += stamps(take) + whole(take)
        elif kind == "pulses":
            found += triggers(take)
        if kind in ("short", "open", "sine"):
            found += codes(take)
    found += between_channels(usable, context)
    # The same finding in several recordings is one.
    unique: dict[tuple[str, str], Measurement] = {}
    for item in found:
        key = (item.quantity, item.channel)
        if key not in unique or abs(item.value) > abs(unique[key].value):
            unique[key] = item
    if unique:
        return list(unique.values()), curves
    label = f"Findings that nothing explains, in {len(takes)} recordings"
    nothing = Measurement(
        quantity="unexplained", label=label, value=0.0, unit="1", uncertainty=0.0, judgement=Judgement.PASS
    )
    return [nothing], curves


def _floor(takes: list[Take]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Return the noise of each channel with shorted inputs, rms in uV; None where that was not recorded."""
    short = [take for take in takes if take.stimulus.kind == "short" and not take.stimulus.after]
    if not short:
        return None
    data = short[0].filled()
    return np.asarray(np.std(np.diff(data, axis=0), axis=0) / np.sqrt(2))
