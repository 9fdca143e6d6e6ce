"""Which people can be put together, and who has to be left out so that the others can."""

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from bcikit.decoding.trials import Epochs
from bcikit.signal import DoubtWarning

Kind = TypeVar("Kind", bound=Hashable)

_SHOWN = 12
"""Lines of people who are left out; those beyond are counted."""


def usual(kinds: Sequence[Kind]) -> Kind | None:
    """Return what more than half of all are; None where there is no such kind."""
    kind, count = Counter(kinds).most_common(1)[0]
    return kind if 2 * count > len(kinds) else None


def misfits(trials: Sequence[Epochs], *, classes: bool = False) -> dict[int, str]:
    """Return whose trials keep those of the others from being put together, and why.

    The rate, the length, the channels and the classes are those that more than half of all have; where there are none,
    nobody is left out, and putting them together says why it cannot be.

    Parameters
    ----------
    trials : sequence of Epochs
        Of each person.
    classes : bool
        Whether each person needs trials of each class.

    Returns
    -------
    dict of int to str
        Place in `trials` to the reason.
    """
    found: dict[int, str] = {}
    if len(trials) < 3:
        return found
    kind = usual([(one.sfreq, one.n_times) for one in trials])
    for place, one in enumerate(trials):
        if kind is not None and (one.sfreq, one.n_times) != kind:
            found[place] = (
                f"{one.sfreq:g} Hz and {one.n_times} samples a trial, the others {kind[0]:g} Hz and {kind[1]}"
            )
    if classes:
        has = Counter(label for one in trials for label in one.classes)
        for place, one in enumerate(trials):
            lacking = [label for label, count in has.items() if 2 * count > len(trials) and label not in one.classes]
            if lacking and place not in found:
                found[place] = f"no trial of {', '.join(lacking)}"
    found |= _other_channels({k: one for k, one in enumerate(trials) if k not in found})
    return dict(sorted(found.items()))


def _other_channels(trials: dict[int, Epochs]) -> dict[int, str]:
    """Return who leaves the others less than half of the channels that most people have."""
    names = {place: {name.lower() for name in one.ch_names} for place, one in trials.items()}
    has = Counter(name for own in names.values() for name in own)
    most = {name for name, count in has.items() if 2 * count > len(names)}
    found: dict[int, str] = {}
    while len(names) > 2 and 2 * len(set.intersection(*names.values()) & most) < len(most):
        place = min(names, key=lambda k: len(names[k] & most))
        own = len(names.pop(place) & most)
        found[place] = f"{own or 'none'} of the {len(most)} channels that most have (--channels names those to use)"
    return found


def say_left_out(lost: Mapping[str, str], total: int, *, what: str = "people", where: str = "") -> None:
    """Warn of those who are left out: each with the reason, and how many of how many.

    Parameters
    ----------
    lost : mapping of str to str
        Who, and why.
    total : int
        How many there are with them.
    what : str
        What they are.
    where : str
        Out of what: "across people".
    """
    place = f" {where}" if where else ""
    for who, why in list(lost.items())[:_SHOWN]:
        warnings.warn(f"{who} is left out{place}: {why.rstrip('.')}.", DoubtWarning, stacklevel=3)
    if lost:
        warnings.warn(f"{len(lost)} of {total} {what} left out{place}.", DoubtWarning, stacklevel=3)
