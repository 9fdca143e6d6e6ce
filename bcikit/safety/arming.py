"""What must be there before a session is armed."""

from dataclasses import dataclass

from bcikit.safety.consent import Consent, Screening
from bcikit.safety.settings import GateSettings


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


def arming_problems(request: ArmRequest, settings: GateSettings) -> dict[str, str]:
    """Return everything that speaks against arming, by rule id; empty if nothing does.

    The same checks with the same words run in a preflight, long before anyone sits in the chair.
    """
    problems: dict[str, str] = {}
    missing: list[str] = []
    if not request.operator.strip():
        missing.append("no operator is named")
    if request.operator == "automatic" and settings.profile != "simulation":
        missing.append(f"operator 'automatic' is for simulations; profile {settings.profile} needs a person")
    scopes = settings.scopes + (("stimulate",) if request.stimulus == "RESTRICTED" else ())
    if settings.profile != "simulation" and scopes:
        if request.consent is None:
            missing.append(f"no consent record; needed: {', '.join(scopes)}")
        else:
            missing += request.consent.problems(subject=request.subject, scopes=scopes)
    if settings.real and not request.stop_tested:
        missing.append("the stop key was not tested in this session")
    if missing:
        problems["A-ARM"] = "; ".join(missing)
    stimulus = _stimulus_problem(request, settings)
    if stimulus:
        problems["ST-DESIGN"] = stimulus
    idle = _idle_problem(request, settings)
    if idle:
        problems["A-IDLE"] = idle
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
    if not request.stop_tested:
        found.append("a RESTRICTED stimulus needs the stop key tested in this session")
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
    if request.idle_s < needed:
        return f"the idle test lasted {request.idle_s:g} s; needed: {needed:g} s"
    rate = request.idle_activations * 60.0 / request.idle_s
    if rate > settings.idle_max_per_min:
        return f"{rate:.3g} false activations per minute at rest; allowed: {settings.idle_max_per_min:.3g}"
    return ""
