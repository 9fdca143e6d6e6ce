"""Clause by clause: what a standard, a guideline or a maker's document asks for, and what answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcikit.validation.results import Judgement, Measurement, Outcome, decisive, worst

if TYPE_CHECKING:
    from bcikit.validation.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause of a profile.

    Attributes
    ----------
    clause : str
        Its number, or its name where the document has none.
    title : str
        What it asks for, in words.
    left_out : str
        What of it the bench does not measure, and why; must be there where no limit answers the clause.
    verified : bool
        Whether somebody compared number and words with the document.
    """

    clause: str
    title: str
    left_out: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseAnswer:
    """What a run says of a clause.

    Attributes
    ----------
    clause : Clause
        The clause.
    tests : tuple of str
        Tests whose limits answer it.
    measurements : tuple of Measurement
        What decides.
    judgement : Judgement
        The worst of them; NOT APPLICABLE where nothing of it was measured.
    reason : str
        Why nothing was measured.
    """

    clause: Clause
    tests: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    judgement: Judgement
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {
            "clause": self.clause.clause,
            "title": self.clause.title,
            "verified": self.clause.verified,
            "left_out": self.clause.left_out,
            "tests": list(self.tests),
            "judgement": self.judgement.value,
            "reason": self.reason,
        }


def clauses(profile: "Profile", outcomes: Sequence[Outcome]) -> tuple[ClauseAnswer, ...]:
    """Return what a run says of each clause of its profile, in the order of the profile."""
    return tuple(
        _answer(clause, profile, {outcome.test: outcome for outcome in outcomes}) for clause in profile.clauses
    )


def _answer(clause: Clause, profile: "Profile", outcomes: Mapping[str, Outcome]) -> ClauseAnswer:
    limits = [item for item in profile.limits if item.clause == clause.clause]
    tests = tuple(dict.fromkeys(item.test for item in limits))
    judged: list[Judgement] = []
    reasons: list[str] = []
    measurements: list[Measurement] = []
    for item in limits:
        outcome = outcomes.get(item.test)
        alike = [m for m in (outcome.measurements if outcome else ()) if m.limit == item]
        if alike:
            judged += [m.judgement for m in alike]
            measurements += alike
        elif outcome is None:
            reasons.append(f"{item.test} was not run")
        else:
            # A test that could not measure leaves its clause open, whatever the other limits say.
            judged.append(outcome.judgement)
            reasons.append(f"{item.test}: {outcome.reason}")
    # A clause of which a part was not looked at is not kept.
    open_part = bool(reasons) and worst(judged) in (Judgement.PASS, Judgement.REPORT)
    return ClauseAnswer(
        clause=clause,
        tests=tests,
        measurements=tuple(decisive(measurements)),
        judgement=Judgement.INCONCLUSIVE if open_part else worst(judged),
        reason="; ".join(dict.fromkeys(reasons)),
    )
