"""Own schedules: what a recording of a simulated user contains where no engine gives the cues."""

from collections.abc import Iterator

import numpy as np

from bcikit.signal import Event, check_choice
from bcikit.simulation.imagery import CLASSES


def imagery_schedule(
    classes: tuple[str, ...], sfreq: float, *, trials: int, imagery: float, rng: np.random.Generator
) -> Iterator[Event]:
    """Return the events of a run: each class equally often in random order, Graz timing.

    Parameters
    ----------
    classes : tuple of str
        Imagined movements.
    trials : int
        Trials of all classes together.
    imagery : float
        Seconds from the cue to the end of imagery.
    """
    for name in classes:
        check_choice("class", name, CLASSES)
    order = [classes[index % len(classes)] for index in range(trials)]
    rng.shuffle(order)
    return _graz(order, sfreq, imagery, rng)


def _graz(order: list[str], sfreq: float, imagery: float, rng: np.random.Generator) -> Iterator[Event]:
    second = 1.0
    for number, name in enumerate(order):
        for at, event in ((0.0, "phase/fixation"), (2.0, f"cue/{name}"), (2.0 + imagery, "trial/end")):
            sample = round((second + at) * sfreq)
            yield Event(name=event, time=sample / sfreq, sample=sample, source="schedule", data={"trial": number})
        second += 2.0 + imagery + rng.uniform(2.0, 3.0)
