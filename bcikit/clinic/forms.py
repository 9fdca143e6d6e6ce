"""What the forms of consent and screening ask, what ages, and the records that come of them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from bcikit.clinic.names import written
from bcikit.clinic.people import age_of
from bcikit.clinic.visit import Visit
from bcikit.safety.consent import Bar, Consent, Screening
from bcikit.signal import BciError
from bcikit.ui.words import tr

CONSENT_VERSION = "2"
SIGNERS = ("participant", "guardian", "representative")
LASTING = ("epilepsy", "prior_seizure", "photoparoxysmal_response", "migraine_with_photic_trigger", "implant", "metal")
"""Answers that stay from visit to visit, shown with their date."""
DAILY = ("alcohol", "pregnancy", "skin", "sensation")
"""Answers that age: they are asked anew at each visit."""


def scope_names() -> dict[str, str]:
    """Return what can be agreed to."""
    return {
        "acquire": tr("Measure the EEG"),
        "store": tr("Keep the recordings"),
        "vr": tr("Training with a hand on the screen"),
        "fes": tr("Electrical current that moves a muscle"),
        "robot": tr("A device that moves the hand or arm"),
        "stimulate": tr("Show flickering stimuli"),
        "share": tr("Share for research, de-identified"),
        "hospital": tr("Send to the hospital under the code"),
        "video": tr("Record video"),
    }


def question_names() -> dict[str, str]:
    """Return the questions of the screening."""
    return {
        "epilepsy": tr("Epilepsy"),
        "prior_seizure": tr("Any seizure before"),
        "photoparoxysmal_response": tr("Sensitive to flickering light"),
        "migraine_with_photic_trigger": tr("Migraine from light"),
        "implant": tr("Pacemaker or another electronic implant"),
        "metal": tr("Metal under the skin of the arm"),
        "alcohol": tr("Alcohol in the last 24 hours"),
        "pregnancy": tr("Pregnant, or perhaps"),
        "skin": tr("Skin of the arm broken or sore today"),
        "sensation": tr("Parts of the arm without feeling today"),
    }


def bar_words(bar: str) -> str:
    """Return what bars something, as a person reads it."""
    others = {
        "age below 18": tr("age below 18"),
        "less than 5 h of sleep": tr("less than 5 hours of sleep"),
        "age": tr("year of birth"),
        "sleep_h": tr("sleep last night"),
    }
    return question_names().get(bar) or others.get(bar, bar)


def consent_text() -> str:
    """Return what the person is told, in the language of the interface."""
    return tr(
        "We measure the electrical activity of your brain with electrodes on your head. A program tries to tell which "
        "movement you imagine or attempt, and shows it with a hand on the screen.\n\n"
        "In some trainings a weak electrical current through electrodes on the skin makes a muscle of your arm move, "
        "or a device moves your hand. The current tingles and may be unpleasant. We find together, from nothing "
        "upwards, the current that is comfortable for you; more than that is never given. It is not for people with a "
        "pacemaker or another electronic implant, nor in pregnancy. It can redden the skin.\n\n"
        "Some trainings show flickering light, which can cause a seizure in people who are sensitive to it.\n\n"
        "You may feel tired; tell us at any time. You can stop at any moment without giving a reason, and withdraw "
        "your consent later; your data are then erased.\n\n"
        "Your recordings are kept under a code, not under your name. They are used for this training only, unless you "
        "agree below to more."
    )


def text_hash() -> str:
    """Return the fingerprint of the text that is shown."""
    return hashlib.sha256(consent_text().encode()).hexdigest()


def lasting_answers(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the answers on file that do not age: question to ``answer``, ``date`` and ``by``."""
    kept = data.get("screening", {})
    return {name: dict(kept[name]) for name in LASTING if isinstance(kept.get(name), Mapping)}


def make_screening(
    visit: Visit,
    answers: Mapping[str, bool | None],
    *,
    sleep_h: float | None,
    override_by: str = "",
    override_reason: str = "",
) -> Screening:
    """Return the record of the answers; the simulated patient has nothing to answer."""
    if visit.simulated:
        values: dict[str, Any] = {"age": 40, "sleep_h": 8.0, **dict.fromkeys(question_names(), False)}
        return Screening.model_validate(values)
    return Screening.model_validate(
        {
            "age": age_of(visit.birth_year),
            "sleep_h": sleep_h,
            "override_by": written(override_by),
            "override_reason": written(override_reason),
            **answers,
        }
    )


def make_consent(
    visit: Visit, scopes: Mapping[str, bool | None], *, signer: str, signed: str, screening: Screening
) -> Consent:
    """Return the record of what was agreed to.

    Raises
    ------
    BciError
        If measuring or keeping was not agreed to, or a scope was not asked for.
    """
    open_ones = [scope_names()[name] for name, answer in scopes.items() if answer is None]
    if open_ones:
        raise BciError(tr("Not asked yet: {what}.").format(what=", ".join(open_ones)))
    if not (scopes.get("acquire") and scopes.get("store")):
        raise BciError(tr("Measuring and keeping the recordings is the least a session needs."))
    return Consent.model_validate(
        {
            "subject": visit.subject,
            "version": CONSENT_VERSION,
            "text_sha256": text_hash(),
            "language": "zh" if tr("language") == "语言" else "en",
            "scopes": [name for name, answer in scopes.items() if answer],
            "signer": signer,
            "signed": signed,
            "screening_sha256": screening.sha256(),
        }
    )


def forbidden(screening: Screening, scopes: Mapping[str, bool | None]) -> dict[str, str]:
    """Return what this visit forbids, with the reason in words: "fes", "stimulate", "robot", "vr"."""
    found: dict[str, str] = {}
    kinds: tuple[Bar, ...] = ("fes", "stimulate")
    for what in kinds:
        if not scopes.get(what):
            found[what] = tr("not agreed to")
        elif screening.problems(what):
            reasons = [bar_words(name) for name in screening.bars(what)]
            missing = ", ".join(bar_words(name) for name in screening.unasked(what))
            reasons += [tr("not asked: {what}").format(what=missing)] if missing else []
            found[what] = ", ".join(reasons)
    for other in ("vr", "robot"):
        if not scopes.get(other):
            found[other] = tr("not agreed to")
    return found
