"""Ways in which the test data get into the training, and how they are noticed."""

import numpy as np

from bcikit.decoding.trials import Epochs
from bcikit.signal import DataError


def leaks(trials: Epochs, *, split: str) -> list[str]:
    """Return one line for each way in which held-out trials may be known to the training.

    Parameters
    ----------
    trials : Epochs
        What is split.
    split : str
        "leave-group-out", "blocked" or "shuffled".

    Raises
    ------
    DataError
        If windows overlap and are shuffled: neighbours would be in training and test at once.
    """
    notes: list[str] = []
    overlap = overlapping(trials)
    if overlap and split == "shuffled":
        raise DataError(
            f"{overlap} windows overlap their neighbours, and shuffled folds would put the same samples into training "
            "and test. Use split='leave-group-out' or 'blocked'."
        )
    if overlap and split == "blocked":
        notes.append(f"{overlap} windows overlap; those at the border of two folds share samples")
    if not trials.causal:
        notes.append("the recording was filtered with zero phase: windows know their future, live use will be worse")
    if split == "shuffled":
        notes.append("shuffled folds mix runs: kinder than real use")
    return notes


def overlapping(trials: Epochs) -> int:
    """Return how many windows begin before the one before, of the same run, has ended."""
    count = 0
    for run in np.unique(trials.runs):
        starts = np.sort(trials.samples[trials.runs == run])
        count += int(np.count_nonzero(np.diff(starts) < trials.n_times))
    return count
