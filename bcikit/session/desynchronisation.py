"""What a movement does to the rhythms over the motor strip (ERD), as curves of a session and as numbers of a day."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Event, Recording

MU = (8.0, 13.0)
"""Edges of the mu rhythm in Hz."""
REFERENCE = (-2.0, -0.5)
"""Seconds before the cue that the power is related to."""
ACTIVE = (0.5, 3.0)
"""Seconds of the movement, or of imagining it, in which the power is taken."""
SETTLED = 4.0
"""Seconds after which nothing is left of where the filter began (1e-9 of it): read on either side of a trial."""
CLEAR = 0.5
"""Seconds before assistance in which it ends: the filter, which looks ahead, must not see the current."""
OPPOSITE = {"left_hand": ("C4", "C3"), "right_hand": ("C3", "C4")}
"""Electrode over the hemisphere that moves a hand, and the one over the other."""


class MuReaction(NamedTuple):
    """How the mu rhythm answered to a hand in one session.

    Attributes
    ----------
    erd : float
        Change of its power over the hemisphere opposite to the hand, per cent of before the cue; negative is
        desynchronisation (Pfurtscheller & Lopes da Silva 1999, Clin Neurophysiol 110:1842).
    laterality : float
        ``(same - opposite) / (same + opposite)`` of the powers of both hemispheres, each related to before the cue:
        above zero where the hemisphere opposite to the hand answers more, -1 to 1.
    trials : int
        Trials that it was taken from.
    """

    erd: float
    laterality: float
    trials: int


def reactions(recording: Recording, events: Sequence[Event]) -> dict[str, MuReaction]:
    """Return the reaction to each hand that was imagined or attempted; without C3 and C4 there is none.

    Parameters
    ----------
    recording : Recording
        Unfiltered signal.
    events : sequence of Event
        Of the session: cues, phases and assistance, with their samples.
    """
    names = {name.upper(): column for column, name in enumerate(recording.info.ch_names)}
    if not {"C3", "C4"} <= names.keys() or recording.info.sfreq < 70 or not len(recording.samples):
        return {}
    columns = [names["C3"], names["C4"]]
    found = {}
    for hand, spans in _spans(events, recording.info.sfreq).items():
        before, during = [], []
        for (begin, stop), (start, end) in spans:
            rows = np.searchsorted(recording.samples, (begin, stop, start, end))
            first, last = int(rows[0]), int(rows[3])
            if last <= first or last - first != end - begin:
                continue
            power, whole = _power_of(recording, columns, MU, first, last)
            # A gap or a bad sample within a trial leaves nothing to relate to.
            if whole.all():
                before.append(power[: rows[1] - first].mean(axis=0))
                during.append(power[rows[2] - first :].mean(axis=0))
        # A flat electrode has no power that a change could be related to.
        if not before or not np.mean(before, axis=0).all():
            continue
        ratio = dict(zip(("C3", "C4"), np.mean(during, axis=0) / np.mean(before, axis=0), strict=True))
        opposite, same = (float(ratio[name]) for name in OPPOSITE[hand])
        found[hand] = MuReaction(100 * (opposite - 1), (same - opposite) / (same + opposite), len(before))
    return found


Span = tuple[int, int]


def _spans(events: Sequence[Event], sfreq: float) -> dict[str, list[tuple[Span, Span]]]:
    """Return the samples before the cue and those of the movement, for each trial of a hand."""
    cues: dict[str, int] = {}
    found: dict[str, list[tuple[Span, Span]]] = {}
    for event in events:
        if event.sample is None:
            continue
        group, _, name = event.name.partition("/")
        if group == "cue":
            cues = {name: event.sample}
        elif event.name in ("phase/imagery", "phase/attempt") and str(event.data.get("class")) in OPPOSITE:
            hand = str(event.data["class"])
            if hand in cues:
                cue, start = cues[hand], event.sample
                span = tuple(round(second * sfreq) for second in (*REFERENCE, *ACTIVE))
                last = start + span[3]
                found.setdefault(hand, []).append(((cue + span[0], cue + span[1]), (start + span[2], last)))
        elif event.name == "assist/start":
            for spans in found.values():
                before, (begin, end) = spans[-1]
                spans[-1] = (before, (begin, min(end, event.sample - round(CLEAR * sfreq))))
    shortest = round(0.5 * sfreq)
    return {hand: [one for one in spans if one[1][1] - one[1][0] >= shortest] for hand, spans in found.items()}


@cache
def _bandpass(band: tuple[float, float], sfreq: float) -> NDArray[np.float64]:
    from scipy.signal import butter

    return np.asarray(butter(4, band, btype="bandpass", fs=sfreq, output="sos"))


def _power_of(
    recording: Recording, columns: list[int], band: tuple[float, float], first: int, last: int, *, smooth: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the band power of some rows, and where they are finite; only these and their surroundings are read.

    Parameters
    ----------
    first, last : int
        Rows of the recording.
    smooth : int
        Samples over which the power is averaged.

    Returns
    -------
    power, finite : ndarray, shape (last - first, n_columns)
    """
    from scipy.ndimage import uniform_filter1d
    from scipy.signal import sosfiltfilt

    sfreq = recording.info.sfreq
    begin = max(0, first - round(SETTLED * sfreq))
    data = recording.data[begin : last + round(SETTLED * sfreq), columns]
    finite = np.isfinite(data)
    filtered = sosfiltfilt(_bandpass(band, sfreq), np.where(finite, data, 0.0), axis=0)
    power = uniform_filter1d(filtered**2, smooth, axis=0)
    return power[first - begin : last - begin], finite[first - begin : last - begin]


def erd_curves(
    recording: Recording,
    cues: Mapping[str, Sequence[int]],
    *,
    channels: Sequence[str],
    band: tuple[float, float],
    tmin: float,
    tmax: float,
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the band power around cues, in percent of the time before the cue.

    Pfurtscheller & Lopes da Silva 1999 (Clin Neurophysiol 110:1842): band-pass, square, average over trials, smooth
    over half a second, relate to the reference interval ``tmin`` to -0.5 s. Negative is desynchronisation (ERD).

    Parameters
    ----------
    recording : Recording
        Unfiltered signal.
    cues : mapping of str to sequence of int
        Class to the samples at which its cues came.
    channels : sequence of str
        Channels of interest.
    band : (float, float)
        Edges in Hz.
    tmin, tmax : float
        Seconds around the cue.

    Returns
    -------
    times : ndarray, shape (n_times,)
        Seconds from the cue.
    curves : dict of str to ndarray, shape (n_channels, n_times)
        Percent change for each class that has a whole trial: one without a gap, and for each channel without a bad
        sample. NaN for a channel that has none.
    """
    sfreq = recording.info.sfreq
    columns = list(recording.info.index_of(channels, who="the report"))
    begin, end = round(tmin * sfreq), round(tmax * sfreq)
    times = np.arange(begin, end) / sfreq
    reference = times < -0.5
    curves = {}
    for label, samples in cues.items():
        rows = np.searchsorted(recording.samples, np.asarray(samples))
        firsts = [int(row) + begin for row in rows if row + begin >= 0 and row + end <= recording.n_times]
        count, total = np.zeros(len(columns)), np.zeros((times.size, len(columns)))
        for first in firsts if reference.any() else ():
            last = first + times.size
            # Across a gap, what stands after it is later than it seems.
            if recording.samples[last - 1] - recording.samples[first] != times.size - 1:
                continue
            # One trial at a time: those of hours, of all channels, are more than a memory.
            power, finite = _power_of(recording, columns, band, first, last, smooth=round(0.5 * sfreq))
            whole = finite.all(axis=0)
            power[:, ~whole] = 0.0
            count += whole
            total += power
            del power, finite
        if count.any():
            # A channel without a whole trial, or a flat one, has no curve.
            with np.errstate(invalid="ignore", divide="ignore"):
                total /= count
                curves[label] = (100 * (total / total[reference].mean(axis=0) - 1)).T
    return times, curves
