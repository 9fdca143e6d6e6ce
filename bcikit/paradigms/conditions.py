"""Conditions: balanced orders of classes that follow from a seed."""

from collections.abc import Sequence

import numpy as np

from bcikit.signal import ArgumentError


def balanced_order(
    classes: Sequence[str], n_trials: int, rng: np.random.Generator, *, longest_run: int = 3
) -> tuple[str, ...]:
    """Return an order in which every class comes equally often and none more than `longest_run` times in a row.

    Parameters
    ----------
    classes : sequence of str
        At least one.
    n_trials : int
        A multiple of the number of classes.
    rng : numpy.random.Generator
        Where the order comes from.
    longest_run : int
        Ignored where there is one class.

    Raises
    ------
    ArgumentError
        If `n_trials` is no multiple of the number of classes.
    """
    if not classes or n_trials % len(classes):
        raise ArgumentError(f"{n_trials} trials cannot be balanced over {len(classes)} classes; take a multiple of it.")
    left = dict.fromkeys(classes, n_trials // len(classes))
    if len(classes) == 1:
        return tuple(classes) * n_trials
    order: list[str] = []
    while len(order) < n_trials:
        recent = order[-longest_run:]
        blocked = recent[0] if len(recent) == longest_run and len(set(recent)) == 1 else None
        open_to = [name for name in classes if left[name] and name != blocked]
        if not open_to:
            # The rest is of one class only: begin again.
            order.clear()
            left = dict.fromkeys(classes, n_trials // len(classes))
            continue
        weights = np.array([left[name] for name in open_to], dtype=np.float64)
        chosen = open_to[int(rng.choice(len(open_to), p=weights / weights.sum()))]
        left[chosen] -= 1
        order.append(chosen)
    return tuple(order)
