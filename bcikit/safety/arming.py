"""What must be there before a session is armed."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from bcikit.safety.consent import Consent, Screening
from bcikit.safety.settings import GateSettings
from bcikit.safety.words import says_something
from bcikit.signal.errors import DataError
from bcikit.signal.rebuild import rebuild, short
from bcikit.signal.settings import check_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmRequest:
    """Everything an operator brings to arm a session.

    Attributes
    ----------
    operator : str
        Who arms; "automatic" only with the profile "simulation".
    subject : str
        Pseudonym of the participant.
    consent : Consent or None
        What the participant agreed to.
    screening : Screening or None
        Answers of the photosensitivity screening; needed for a RESTRICTED stimulus.
    idle_activations : int or None
        False activations counted in the idle test.
    idle_s : float
        Length of the idle test.
    stop_tested : bool
        Whether the stop key, and the emergency stop if there is one, was pressed and worked in this session.
    stimulus : str
        Result of the stimulus analyser: "", "PASS", "RESTRICTED" or "REFUSED".
    """

    operator: str = "automatic"
    subject: str = ""
    consent: Consent | None = None
    screening: Screening | None = None
    idle_activations: int | None = None
    idle_s: float = 0.0
    stop_tested: bool = False
    stimulus: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what the audit log keeps: who armed whom, with which consent, and who overrode what and why."""
        consent, screening = self.consent, self.screening
        return {
            "subject": self.subject,
            "consent": None if consent is None else {"version": consent.version, "text_sha256": consent.text_sha256},
            "scopes": [] if consent is None else list(consent.scopes),
            "screening_sha256": "" if screening is None else screening.sha256(),
            "bars": [] if screening is None else list(screening.bars()),
            "override_by": "" if screening is None else screening.override_by,
            "override_reason": "" if screening is None else screening.override_reason,
            "idle_activations": self.idle_activations,
            "idle_s": self.idle_s,
            "stop_tested": self.stop_tested,
            "stimulus": self.stimulus,
        }

    def to_record(self) -> dict[str, Any]:
        """Return everything, ready for JSON; `from_record` reads it again."""
        records = {
            name: None if model is None else model.model_dump(mode="json")
            for name, model in (("consent", self.consent), ("screening", self.screening))
        }
        return {**asdict(self), **records}

    @classmethod
    def from_record(cls, values: Mapping[str, Any]) -> Self:
        """Return the request that `to_record` wrote.

        Raises
        ------
        ConfigError
            If the consent or the screening in it is none.
        DataError
            If it is no object, or a field is unknown or of another type.
        """
        if not isinstance(values, Mapping):
            raise DataError(f"request: {short(values)} is no object with named fields.")
        models: dict[str, type[Consent | Screening]] = {"consent": Consent, "screening": Screening}
        read = {
            name: None if values.get(name) is None else check_settings(model, values[name], where=name)
            for name, model in models.items()
        }
        return rebuild(cls, {**values, **read}, what="request")


_RANK = ("", "PASS", "RESTRICTED", "REFUSED")


def worse(first: str, second: str) -> str:
    """Return the worse of two results of the stimulus analyser; what is none of its words counts as REFUSED."""
    return max((word if word in _RANK else "REFUSED" for word in (first, second)), key=_RANK.index)


def arming_problems(request: ArmRequest, settings: GateSettings) -> dict[str, str]:
    """Return everything that speaks against arming, by rule id; empty if nothing does.

    The same checks with the same words run in a preflight, long before anyone sits in the chair.
    """
    problems = person_problems(request, settings)
    if settings.real and not request.stop_tested:
        text = "the stop key was not tested in this session"
        problems["A-ARM"] = "; ".join(filter(None, [problems.get("A-ARM"), text]))
    if request.stimulus == "RESTRICTED" and settings.profile != "simulation" and not request.stop_tested:
        text = "a RESTRICTED stimulus needs the stop key tested in this session"
        problems["ST-DESIGN"] = "; ".join(filter(None, [problems.get("ST-DESIGN"), text]))
    idle = _idle_problem(request, settings)
    if idle:
        problems["A-IDLE"] = idle
    return problems


def person_problems(request: ArmRequest, settings: GateSettings) -> dict[str, str]:
    """Return what speaks against doing anything to this person, by rule id: operator, consent, screening."""
    problems: dict[str, str] = {}
    missing: list[str] = []
    if not says_something(request.operator):
        missing.append("no operator is named")
    if request.operator == "automatic" and settings.profile != "simulation":
        missing.append(f"operator 'automatic' is for simulations; profile {settings.profile} needs a person")
    # What the profile itself does to a person needs consent, whatever a file takes out of the list.
    scopes = tuple(dict.fromkeys((*settings.own_scopes, *settings.scopes)))
    scopes += ("stimulate",) if request.stimulus == "RESTRICTED" else ()
    if settings.profile != "simulation":
        if request.consent is None:
            missing.append(f"no consent record; needed: {', '.join(scopes)}")
        else:
            missing += request.consent.problems(subject=request.subject, scopes=scopes)
    if settings.profile == "fes":
        # Current through a person who was not asked about an implant is the worst that can be armed here.
        missing += (
            ["current needs the screening answers"] if request.screening is None else request.screening.problems("fes")
        )
    if missing:
        problems["A-ARM"] = "; ".join(missing)
    stimulus = _stimulus_problem(request, settings)
    if stimulus:
        problems["ST-DESIGN"] = stimulus
    return problems


def _stimulus_problem(request: ArmRequest, settings: GateSettings) -> str:
    if request.stimulus == "REFUSED":
        return "the stimulus design is REFUSED"
    if request.stimulus != "RESTRICTED" or settings.profile == "simulation":
        return ""
    if request.screening is None:
        return "a RESTRICTED stimulus needs the screening answers"
    found = request.screening.problems()
    if request.consent is not None and request.consent.screening_sha256 != request.screening.sha256():
        found.append("the screening answers are not those the consent was given with")
    return "; ".join(found)


def _idle_problem(request: ArmRequest, settings: GateSettings) -> str:
    if settings.idle_max_per_min is None:
        return ""
    if request.idle_activations is None:
        return f"no idle test; needed: {settings.idle_test_s:g} s of rest"
    # A rate of one in thirty minutes cannot be shown in five: the test must be long enough for one activation to count.
    needed = settings.idle_test_s
    if settings.idle_max_per_min > 0:
        needed = max(needed, 60.0 / settings.idle_max_per_min)
    if not needed <= request.idle_s < math.inf:
        return f"the idle test lasted {request.idle_s:g} s; needed: {needed:g} s"
    if isinstance(request.idle_activations, bool) or not 0 <= request.idle_activations < math.inf:
        return f"the idle test counted {request.idle_activations} activations; a count is needed"
    rate = request.idle_activations * 60.0 / request.idle_s
    # Worded so that what is no number is refused.
    if not rate <= settings.idle_max_per_min:
        return f"{rate:.3g} false activations per minute at rest; allowed: {settings.idle_max_per_min:.3g}"
    return ""
