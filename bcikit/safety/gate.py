"""The gate: says of every decision whether it may act, and by which rules not."""

import math
from collections import deque
from typing import Any

from bcikit.safety.settings import GateSettings
from bcikit.signal import Decision


class Gate:
    """Rules on one decision after the other; the default is no.

    Parameters
    ----------
    settings : GateSettings
        Limits.
    """

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._votes: deque[tuple[float, str | None]] = deque(maxlen=settings.n)
        self._action: str | None = None
        self._action_start = -math.inf
        self._action_last = -math.inf
        self._pending: tuple[str, float] | None = None

    def reset(self) -> None:
        """Forget votes and a pending confirmation; the refractory time goes on."""
        self._votes.clear()
        self._pending = None
        self._action = None

    def judge(self, decision: Decision, now: float) -> dict[str, dict[str, Any]]:
        """Return value and limit of each rule that refuses; empty if the decision may act.

        The action it starts or renews is noted only by `commit`, so that a refusal by a rule elsewhere costs no
        refractory time.
        """
        refused: dict[str, dict[str, Any]] = {}
        problem = impossible(decision)
        if problem:
            self._votes.append((now, None))
            return {"A-DEC": {"value": problem, "limit": "probabilities in [0, 1] that sum to 1"}}
        self._check_age(decision, now, refused)
        if self._check_asked(decision, refused):
            self._check_confidence(decision, refused)
        voted = None if refused else decision.label
        self._votes.append((now, voted))
        if not refused:
            self._check_votes(decision, now, refused)
        if not refused:
            self._check_refractory(decision, now, refused)
        if not refused and self._settings.confirm:
            self._check_confirmation(decision, now, refused)
        return refused

    def judge_undo(self, decision: Decision, now: float) -> dict[str, dict[str, Any]]:
        """Return value and limit of each rule that refuses to take the last action back; empty if it may be.

        It begins no action: it neither votes nor waits, and how sure one must be is for whoever asks for it.
        """
        refused: dict[str, dict[str, Any]] = {}
        problem = impossible(decision)
        if problem:
            return {"A-DEC": {"value": problem, "limit": "probabilities in [0, 1] that sum to 1"}}
        self._check_age(decision, now, refused)
        self._check_asked(decision, refused)
        return refused

    def commit(self, decision: Decision, now: float) -> bool:
        """Take note that the decision acted; return whether it began an action (False: it renewed one)."""
        begun = not self._renews(decision, now)
        if begun:
            self._action_start = now
        self._action = decision.label
        self._action_last = now
        self._pending = None
        return begun

    def _renews(self, decision: Decision, now: float) -> bool:
        return decision.label == self._action and now - self._action_last <= self._settings.renew_s

    def _check_age(self, decision: Decision, now: float, refused: dict[str, dict[str, Any]]) -> None:
        age = age_of(decision, now)
        # Time from the future is as wrong as time from the past; what is no number is neither.
        if not abs(age) <= self._settings.age_max_s:
            refused["H-LAT"] = {"value": round(age, 4) if math.isfinite(age) else str(age)}
            refused["H-LAT"]["limit"] = self._settings.age_max_s

    def _check_asked(self, decision: Decision, refused: dict[str, dict[str, Any]]) -> bool:
        """Return whether anything is wanted."""
        if decision.label is not None and decision.label != self._settings.idle_label:
            return True
        refused["A-NONE"] = {"value": decision.reason or decision.label or "none", "limit": "a class"}
        return False

    def _check_confidence(self, decision: Decision, refused: dict[str, dict[str, Any]]) -> None:
        settings = self._settings
        others = list(decision.probabilities)
        probability = others.pop(decision.classes.index(str(decision.label)))
        least = settings.confidence_for(len(decision.classes))
        margin = probability - max(others, default=0.0)
        if not (probability >= least and margin >= settings.margin):
            refused["A-CONF"] = {
                "value": round(probability, 4),
                "limit": least,
                "margin": round(margin, 4),
                "margin_limit": settings.margin,
            }

    def _check_votes(self, decision: Decision, now: float, refused: dict[str, dict[str, Any]]) -> None:
        settings = self._settings
        agree = sum(label == decision.label and now - time <= settings.vote_s for time, label in self._votes)
        if agree < settings.k:
            refused["A-KOFN"] = {"value": agree, "limit": f"{settings.k} of {settings.n}"}

    def _check_refractory(self, decision: Decision, now: float, refused: dict[str, dict[str, Any]]) -> None:
        settings = self._settings
        since, length = now - self._action_last, now - self._action_start
        if self._renews(decision, now):
            if length > settings.action_max_s:
                refused["A-RFR"] = {"value": round(length, 4), "limit": settings.action_max_s}
        elif since < settings.refractory_s:
            refused["A-RFR"] = {"value": round(since, 4), "limit": settings.refractory_s}

    def _check_confirmation(self, decision: Decision, now: float, refused: dict[str, dict[str, Any]]) -> None:
        settings = self._settings
        if self._renews(decision, now):
            return
        label = str(decision.label)
        if self._pending is not None:
            asked, since = self._pending
            if asked == label and settings.refractory_s <= now - since <= settings.refractory_s + 10.0:
                return
            if asked == label and now - since < settings.refractory_s:
                refused["A-KOFN"] = {"value": "confirmation pending", "limit": f"again after {settings.refractory_s} s"}
                return
        self._pending = (label, now)
        refused["A-KOFN"] = {"value": "first of two", "limit": f"again after {settings.refractory_s} s"}


def age_of(decision: Decision, now: float) -> float:
    """Return the age in seconds of the newest sample of a decision; below zero, how far its time lies ahead."""
    since = now - decision.time
    if math.isnan(since) or math.isnan(decision.age):
        return math.nan
    return since if since < -decision.age else max(decision.age, since)


def impossible(decision: Decision) -> str:
    """Return why a decision cannot be true, or an empty text."""
    if decision.reason is not None and decision.reason.startswith("error"):
        return decision.reason
    if not math.isfinite(decision.time):
        return f"time is {decision.time}"
    probabilities = decision.probabilities
    if not probabilities:
        return "" if decision.label is None else f"label {decision.label!r} without probabilities"
    if len(probabilities) != len(decision.classes):
        return f"{len(probabilities)} probabilities for {len(decision.classes)} classes"
    if len(set(decision.classes)) != len(decision.classes):
        return "a class stands twice"
    for value in probabilities:
        if not (math.isfinite(value) and -1e-9 <= value <= 1 + 1e-9):
            return f"a probability is {value}"
    if abs(sum(probabilities) - 1.0) > 1e-3:
        return f"probabilities sum to {sum(probabilities):.4g}"
    if decision.label is not None and decision.label not in decision.classes:
        return f"label {decision.label!r} is not one of the classes"
    return ""
