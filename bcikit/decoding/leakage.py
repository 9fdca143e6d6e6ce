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
        If windows of one run lie over half of each other (a sliding window) and are shuffled: the same samples would
        be in training and test. Responses to stimuli that follow each other fast overlap less and are only noted.
    """
    notes: list[str] = []
    sliding = overlapping(trials, share=0.5)
    if sliding and split == "shuffled":
        raise DataError(
            f"{sliding} windows lie over half of their neighbours, and shuffled folds would put the same samples into "
            "training and test. Use split='leave-group-out' or 'blocked'."
        )
    overlap = overlapping(trials)
    if overlap and split != "leave-group-out":
        notes.append(f"{overlap} windows overlap the one before; some share samples across folds")
    if not trials.causal:
        notes.append("the recording was filtered with zero phase: windows know their future, live use will be worse")
    if split == "shuffled":
        notes.append("shuffled folds mix runs: kinder than real use")
    return notes


def overlapping(trials: Epochs, *, share: float = 0.0) -> int:
    """Return how many windows lie over more than `share` of the one before in the same run."""
    count = 0
    for run in np.unique(trials.runs):
        starts = np.sort(trials.samples[trials.runs == run])
        count += int(np.count_nonzero(np.diff(starts) < (1.0 - share) * trials.n_times))
    return count
