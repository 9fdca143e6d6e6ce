"""What decides, and what makes it: the two things a conductor is given or trains."""

from collections.abc import Callable
from typing import Protocol

from bcikit.processing import Window
from bcikit.signal import Decision, Recording


class Decider(Protocol):
    """Turns a window into a decision: a trained model, or what a paradigm brings."""

    def decide(self, window: Window, *, now: float | None = None) -> Decision:
        """Return the decision for one window."""


Trainer = Callable[[Recording], Decider]
"""Makes a decider of the calibration block: filtered signal with the events of the paradigm."""
