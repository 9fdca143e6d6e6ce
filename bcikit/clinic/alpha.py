"""What closing the eyes did to the alpha rhythm, from a recording of eyes open and eyes closed."""

from pathlib import Path

import numpy as np

from bcikit.recording import read_session
from bcikit.signal import BciError, Recording
from bcikit.ui.words import tr

BAND = (8.0, 13.0)
NEIGHBOURS = ((4.0, 7.0), (15.0, 25.0))
"""Power of the band is taken over that of its neighbours: a level alone says nothing of a rhythm."""
BACK = ("O1", "OZ", "O2", "PO3", "POZ", "PO4", "P3", "PZ", "P4")
WINDOW_S = 2.0
CLEAR = 1.5
"""Ratio of closed to open from which the rise is clear (the project's own)."""


def alpha_ratio(recording: Recording, events: list[tuple[str, float, float]]) -> tuple[float, float] | None:
    """Return how much closing the eyes raises alpha at the back, and the share of chance that does as much.

    Alpha is the power from 8 to 13 Hz over that from 4 to 7 and 15 to 25 Hz, the median over windows of 2 s and the
    channels at the back. The chance is that of a permutation of windows between open and closed (1,000, seed 0).

    Parameters
    ----------
    recording : Recording
        In microvolts.
    events : list of (str, float, float)
        Phase ("eyes-open" or "eyes-closed"), its start in seconds on the clock of the recording, and its length.

    Returns
    -------
    tuple of float or None
        Ratio and chance; None where a phase is missing or shorter than 10 s.
    """
    from scipy.signal import welch

    columns = [index for index, name in enumerate(recording.info.ch_names) if name.upper().strip(".") in BACK]
    columns = columns or list(recording.info.indices(ch_type="eeg"))
    n = round(WINDOW_S * recording.info.sfreq)
    values: dict[str, list[float]] = {"eyes-open": [], "eyes-closed": []}
    for phase, start, seconds in events:
        if phase not in values:
            continue
        # The first second of a phase belongs to the movement of the eyelids.
        first = int(np.searchsorted(recording.times, start + 1.0))
        last = int(np.searchsorted(recording.times, start + seconds))
        for begin in range(first, last - n + 1, n):
            window = recording.data[begin : begin + n, columns]
            if not np.isfinite(window).all():
                continue
            freqs, power = welch(window, recording.info.sfreq, nperseg=n, axis=0)
            inside = (freqs >= BAND[0]) & (freqs <= BAND[1])
            beside = np.zeros_like(inside)
            for low, high in NEIGHBOURS:
                beside |= (freqs >= low) & (freqs <= high)
            values[phase].append(float(np.median(power[inside].mean(axis=0) / (power[beside].mean(axis=0) + 1e-12))))
    opened, closed = np.array(values["eyes-open"]), np.array(values["eyes-closed"])
    if min(opened.size, closed.size) * WINDOW_S < 10.0:
        return None
    ratio = float(np.median(closed) / np.median(opened))
    rng = np.random.default_rng(0)
    every = np.concatenate([opened, closed])
    hits = 0
    for _ in range(1000):
        mixed = rng.permutation(every)
        hits += np.median(mixed[opened.size :]) / np.median(mixed[: opened.size]) >= ratio
    return ratio, (hits + 1) / 1001


def alpha_words(folder: Path) -> str:
    """Return what closing the eyes did in a recorded session, in words; "" where it holds no such phases."""
    try:
        recording = read_session(folder, lazy=True).recording
    except (BciError, OSError):
        return ""
    phases = [
        (event.name.removeprefix("phase/"), event.time, event.duration)
        for event in recording.events
        if event.name in ("phase/eyes-open", "phase/eyes-closed")
    ]
    found = alpha_ratio(recording, phases)
    if found is None:
        return tr("Too little was recorded to say what closing the eyes did.")
    ratio, chance = found
    if ratio >= CLEAR and chance < 0.01:
        return tr("Closed eyes raised the alpha rhythm {ratio:.1f} times: the signal is that of a brain.").format(
            ratio=ratio
        )
    return tr(
        "Closed eyes raised the alpha rhythm {ratio:.1f} times, which is not clear. A few healthy people show none; a "
        "test signal shows none either. Look at the electrodes at the back before you trust this signal."
    ).format(ratio=ratio)
