"""What a calibration is worth: a verdict that knows of chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bcikit.decoding import accuracy_interval, chance_level
from bcikit.decoding.sheet import ENOUGH_TRIALS
from bcikit.ui.words import tr

GOOD_ACCURACY = 0.70
"""Accuracy from which control of two classes is usable (Kübler et al. 2004)."""


@dataclass(frozen=True)
class CalibrationVerdict:
    """Verdict on a calibration.

    Attributes
    ----------
    advice : str
        "good", "more" (more trials) or "other" (another pair of classes).
    accuracy, low, high, chance : float
        Cross-validated accuracy, its 95 % interval, and the 95 % bound of a guesser.
    n_trials : int
        Trials it is based on.
    """

    advice: str
    accuracy: float
    low: float
    high: float
    chance: float
    n_trials: int

    @property
    def level(self) -> str:
        """Return "GOOD", "WARN" or "BAD"."""
        return {"good": "GOOD", "more": "WARN", "other": "BAD"}[self.advice]

    def text(self) -> str:
        """Return the verdict in words."""
        words = {
            "good": tr("Good enough. You can begin the session."),
            "more": tr("Not sure yet. Record more trials."),
            "other": tr("No better than guessing. Try another pair of movements."),
        }
        numbers = tr(
            "{accuracy:.0f} % of {n} trials right (95 % interval {low:.0f} to {high:.0f} %); "
            "guessing reaches {chance:.0f} %."
        )
        return f"{words[self.advice]} " + numbers.format(
            accuracy=100 * self.accuracy,
            n=self.n_trials,
            low=100 * self.low,
            high=100 * self.high,
            chance=100 * self.chance,
        )


def judge(summary: Mapping[str, Any], *, n_classes: int) -> CalibrationVerdict:
    """Return the verdict on the calibration of a session's result.

    Parameters
    ----------
    summary : mapping
        ``calibration`` of ``result.json``: ``accuracy`` and ``n_trials``.
    n_classes : int
        Classes that were told apart.
    """
    n = int(summary.get("n_trials") or 0)
    accuracy = float(summary.get("accuracy") or 0.0)
    if n == 0:
        return CalibrationVerdict("more", 0.0, 0.0, 1.0, 1.0, 0)
    low, high = accuracy_interval(round(accuracy * n), n)
    chance = float(summary.get("chance_upper") or chance_level(n, n_classes))
    if accuracy >= GOOD_ACCURACY and accuracy > chance and low > 1 / n_classes:
        advice = "good"
    elif accuracy <= chance and n >= ENOUGH_TRIALS:
        advice = "other"
    else:
        advice = "more"
    return CalibrationVerdict(advice, accuracy, low, high, chance, n)
