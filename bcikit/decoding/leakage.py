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
    blocks = in_blocks(trials)
    if blocks:
        notes.append(blocks)
    if split == "shuffled":
        notes.append("shuffled folds mix runs: kinder than real use")
    return notes


def in_blocks(trials: Epochs) -> str:
    """Return what is to be said where classes come in blocks: what drifts in time is then taken for the class.

    Li et al. 2021 (IEEE TPAMI 43(1)) found accuracies far above chance that were nothing else. Counted are neighbours
    of one run that differ in class, against those of a random order (binomial, p < 0.001).
    """
    from scipy.stats import binom

    if runs_hold_one_class(trials):
        return (
            "each run holds one class: what differs between runs (drift, impedance, time of day) is taken for the "
            "class where runs are mixed, and no run left out can be decided fairly; record every class in each run"
        )
    changes = pairs = 0
    for run in np.unique(trials.runs):
        rows = np.flatnonzero(trials.runs == run)
        labels = trials.y[rows[np.argsort(trials.samples[rows], kind="stable")]]
        changes += int(np.count_nonzero(labels[1:] != labels[:-1]))
        pairs += len(labels) - 1
    shares = np.unique(trials.y, return_counts=True)[1] / len(trials.y)
    expected = 1.0 - float(shares @ shares)
    if pairs < 1 or binom.cdf(changes, pairs, expected) >= 1e-3:
        return ""
    return (
        f"classes come in blocks ({changes} changes of class in {len(trials)} trials, {pairs * expected:.0f} in random "
        "order): what drifts in time may be taken for the class"
    )


def runs_hold_one_class(trials: Epochs) -> bool:
    """Return whether several classes are there, and each run of more than one trial has one of them alone."""
    held = [np.unique(trials.y[trials.runs == run], return_counts=True) for run in np.unique(trials.runs)]
    longer = [names for names, counts in held if counts.sum() > 1]
    return len(longer) > 1 and all(len(names) == 1 for names in longer) and len({str(names[0]) for names in longer}) > 1


def overlapping(trials: Epochs, *, share: float = 0.0) -> int:
    """Return how many windows lie over more than `share` of the one before in the same run."""
    count = 0
    for run in np.unique(trials.runs):
        starts = np.sort(trials.samples[trials.runs == run])
        count += int(np.count_nonzero(np.diff(starts) < (1.0 - share) * trials.n_times))
    return count
