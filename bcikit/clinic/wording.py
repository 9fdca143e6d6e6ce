"""What a therapist reads: words, never the names that programs have for things."""

import re
from collections.abc import Mapping
from typing import Any

from bcikit.ui.rules import why_nothing_moves
from bcikit.ui.status import Status
from bcikit.ui.words import tr

_RULE = re.compile(r"\s*\([A-Z]{1,2}-[A-Z0-9:]+\)")

LOOK_BACK = 6
"""Trials in a row without a movement after which the page proposes what to change."""


def plain(text: str) -> str:
    """Return a text without the ids of rules, which stand in the technical pages of the report."""
    return _RULE.sub("", text)


def class_name(label: str) -> str:
    """Return what a class is called: a movement, a place of a menu, a key of a speller, a state."""
    return {
        "left_hand": tr("left hand"),
        "right_hand": tr("right hand"),
        "both_hands": tr("both hands"),
        "feet": tr("feet"),
        "both_feet": tr("feet"),
        "tongue": tr("tongue"),
        "rest": tr("rest"),
        "up": tr("up"),
        "down": tr("down"),
        "left": tr("left"),
        "right": tr("right"),
        "none": tr("none"),
        "reward": tr("reward"),
        "drowsy": tr("drowsy"),
        "alert": tr("alert"),
        "_": tr("space"),
        "<": tr("back"),
    }.get(label, label.replace("_", " "))


def spoken(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision with its classes as people call them."""
    named = {**decision, "classes": [class_name(str(label)) for label in decision.get("classes") or ()]}
    if decision.get("label"):
        named["label"] = class_name(str(decision["label"]))
    return named


def why(status: Status) -> tuple[str, str]:
    """Return why nothing moves and what to do, in words."""
    reason, advice = why_nothing_moves(status)
    return plain(reason), plain(advice)


def proposal(still: int, sure: list[float], threshold: float | None, *, adjustable: bool) -> str:
    """Return what to change where nothing has moved for several trials; "" where something has.

    Parameters
    ----------
    still : int
        Trials in a row in which nothing moved.
    sure : list of float
        How sure the decoder was lately (0 to 1).
    threshold : float or None
        How sure it must be.
    adjustable : bool
        Whether the difficulty can be changed while the session runs.
    """
    if still < LOOK_BACK:
        return ""
    words = [tr("Nothing has moved for {count} trials.").format(count=still)]
    if sure and threshold is not None:
        ordered = sorted(sure)
        low, high = ordered[len(ordered) // 10], ordered[(9 * len(ordered)) // 10]
        words.append(
            tr("The decoder is sure at {low:.0f} to {high:.0f} %; {need:.0f} % are needed.").format(
                low=100 * low, high=100 * high, need=100 * threshold
            )
        )
    if adjustable:
        words.append(tr("Lower the difficulty, or finish early and calibrate again."))
    else:
        words.append(tr("Finish early, lower the difficulty on the page Protocol, or calibrate again."))
    return " ".join(words)


def unit_name(unit: str) -> str:
    """Return the unit of a score in the language of the window; one that is the same everywhere as it is."""
    return {"points": tr("points"), "blocks": tr("wooden blocks")}.get(unit, unit)


def scale_title(name: str) -> str:
    """Return what an outcome scale is called in full."""
    return {
        "FMA-UE": tr("Fugl-Meyer Assessment, upper extremity"),
        "ARAT": tr("Action Research Arm Test"),
        "MAS": tr("Modified Ashworth Scale"),
        "BBT": tr("Box and Block Test"),
        "9HPT": tr("Nine Hole Peg Test"),
        "grip": tr("Grip strength"),
        "MRC": tr("Medical Research Council muscle strength"),
        "FIM": tr("Functional Independence Measure"),
        "Barthel": tr("Barthel Index"),
    }.get(name, name)
