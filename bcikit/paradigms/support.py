"""What a session adds to a paradigm: one rule of when evidence is enough, and error potentials that take back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bcikit.decoding.errp import judge_action
from bcikit.decoding.evidence import Accumulator, Stopping
from bcikit.paradigms.answers import together
from bcikit.paradigms.base import Decider, WindowRequest
from bcikit.signal import Decision

ERROR_POTENTIAL = "error-potential"
"""Kind of the windows after a choice, in which an error potential is looked for."""

ERROR = "error"
"""Class of the decoder of error potentials that means that the choice was wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorCheck:
    """How choices are taken back.

    Attributes
    ----------
    decider : Decider
        Decides between "error" and another class.
    tmin, tmax : float
        Window after the feedback, in seconds.
    threshold : float
        Probability of an error from which a choice is taken back.
    mode : "veto" or "correct"
        Undo, or take the second best.
    training_share : float
        Share of errors in the training of the decider.
    filters : tuple of mapping
        Steps that its windows go through; the session's pipeline has others.
    """

    decider: Decider
    tmin: float
    tmax: float
    threshold: float = 0.8
    mode: str = "veto"
    training_share: float = 0.5
    filters: tuple[Mapping[str, Any], ...] = ()

    def judge(self, acted: Decision, found: Decision) -> Decision:
        """Return the opinion on a choice as a decision: the label "error" only where the choice is to be taken back.

        `data` has ``p_error`` and, with the mode "correct", ``instead``: the choice that takes its place.
        """
        opinion = judge_action(
            acted,
            found,
            error_class=ERROR,
            threshold=self.threshold,
            mode=self.mode,
            training_rate=self.training_share,
        )
        data = {**found.data, "p_error": opinion.error_probability, "instead": opinion.label}
        if opinion.action == "keep":
            return replace(found, label=None, reason=found.reason or "no-error", data={**data, "instead": None})
        return replace(found, label=ERROR, reason=None, data=data)


def errors_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what error potentials came to: choices looked at, taken back, and taken back though they were right."""
    judged = [row for row in rows if row.get("p_error") is not None]
    undone = [row for row in judged if row.get("undone")]
    # Who chose freely is not known to be right or wrong.
    asked = [row for row in judged if row["class"]]
    return {
        "choices_judged": len(judged),
        "choices_taken_back": len(undone),
        "taken_back_wrongly": sum(row.get("undone") == row["class"] for row in asked),
        "errors_left": sum(not row.get("undone") and row["predicted"] != row["class"] for row in asked),
    }


class TrialEvidence:
    """The evidence of the windows of one trial, added up by a session's rule of stopping.

    Parameters
    ----------
    stopping : Stopping
        The rule.
    idle : str or None
        Class of wanting nothing.
    sfreq : float
        Sampling rate in Hz.
    """

    def __init__(self, stopping: Stopping, *, idle: str | None, sfreq: float) -> None:
        self._stopping = stopping
        self._idle = idle
        self._sfreq = sfreq
        self._sum: Accumulator | None = None
        self._newest = 0

    def reset(self) -> None:
        """Begin the next trial."""
        self._sum = None
        self._newest = 0

    def add(self, decision: Decision, request: WindowRequest, *, growing: bool = False) -> Decision:
        """Return what the windows so far say together; its label comes once that is enough.

        Parameters
        ----------
        decision : Decision
            On one window; one without probabilities is given back as it is.
        request : WindowRequest
            The window.
        growing : bool
            True if each window holds all earlier ones, so that its probabilities are the evidence so far.
        """
        if not decision.probabilities:
            return decision
        if self._sum is None or self._sum.classes != decision.classes:
            idle = self._idle if self._idle in decision.classes else None
            self._sum = Accumulator(decision.classes, stopping=self._stopping, idle=idle)
            self._newest = request.start_sample
        if growing:
            self._sum.reset()
            self._newest = request.start_sample
        fresh = max(0, request.stop_sample - max(self._newest, request.start_sample)) / self._sfreq
        self._newest = request.stop_sample
        found = self._sum.add_decision(
            decision, seconds=request.n_times / self._sfreq, new_seconds=fresh, last=request.final
        )
        posterior: Mapping[str, float] = dict(zip(decision.classes, found.posterior, strict=True))
        data = {"evidence": found.reason, "seconds": found.seconds, "enough": found.done}
        clean = replace(decision, label=None, reason=None)
        return together(clean, posterior, found.label if found.done else None, reason=found.reason, data=data)
