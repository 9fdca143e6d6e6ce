"""A training as a FHIR R4 bundle: Procedure, Device, Observations of outcomes, DiagnosticReport with the PDF in it."""

import base64
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bcikit.paradigms import paradigm_names
from bcikit.paradigms.outcomes import BRAIN, SCALES
from bcikit.recording.deidentify import device_family
from bcikit.safety.anchor import Anchors
from bcikit.signal import ArgumentError, DataError, MissingDependencyError, RecordingError, check_range
from bcikit.signal.rebuild import short

SYSTEM = "urn:bcikit"
"""Coding system of what has no code of its own here."""

_LOINC = {"Barthel": "96761-2", "FIM": "89383-0"}
"""Scales with a code of LOINC that is certain; the others are told by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """An outcome score: short name, name in full, value, unit, day (ISO 8601)."""

    name: str
    title: str
    value: float
    unit: str
    day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What goes into the bundle.

    Attributes
    ----------
    subject : str
        Code of the person.
    birth_year : int or None
        Year of birth.
    identified : bool
        Whether code and year stand in it; else the bundle names nobody and has no day but the year.
    simulated : bool
        True marks every resource as test data (``meta.security`` HTEST).
    operator : str
        Code of the therapist.
    protocol, title : str
        Name of the paradigm, and what it is called.
    started : str
        When the training began, ISO 8601 with the zone; with the person's code it tells one training from another.
    ended : str
        When it ended, as `started`; "" is `seconds` after that.
    seconds : float
        Time of training.
    complete : bool
        Whether it ran to its end; else it was stopped.
    device, serial, software : str
        What measured, and what ran it.
    conclusion : str
        The result in plain words.
    measures : tuple of Measure
        Outcome scores.
    pdf : bytes
        The report.
    """

    subject: str
    birth_year: int | None = None
    identified: bool = False
    simulated: bool = False
    operator: str = ""
    protocol: str = ""
    title: str = ""
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    complete: bool = True
    device: str = ""
    serial: str = ""
    software: str = ""
    conclusion: str = ""
    measures: tuple[Measure, ...] = ()
    pdf: bytes = b""


def _id(*parts: str) -> str:
    """Return the same identifier for the same thing, so that a bundle sent twice makes no second record."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join((SYSTEM, *parts))))


def _keys(who: str, treatment: Treatment) -> list[str]:
    """Return the identifier of each score, which stays whatever others are entered or removed."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for measure in treatment.measures:
        # Of one that names nobody, `who` is known to nobody: from it no name or day can be found by trying.
        one = (measure.name, measure.day)
        keys.append(_id("observation", who, *one, str(seen[one])))
        seen[one] += 1
    return keys


def _without_nothing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nothing(item) for key, item in value.items() if item not in (None, "", [], {})}
    return [_without_nothing(item) for item in value] if isinstance(value, list) else value


def _anonymous(treatment: Treatment) -> Treatment:
    """Return a treatment whose texts name nobody: what somebody here chose to call something may be called like one."""
    measures = []
    for number, one in enumerate(treatment.measures, start=1):
        scale = SCALES.get(one.name)
        if scale is None and one.name not in BRAIN:
            one = replace(one, name=f"scale-{number}", title=f"scale {number}", unit="")
        measures.append(one if scale is None else replace(one, title=scale.name, unit=scale.unit))
    ours = treatment.protocol in paradigm_names()
    return replace(
        treatment,
        measures=tuple(measures),
        device=device_family(treatment.device),
        protocol=treatment.protocol if ours else "own",
        title=treatment.title if ours else "BCI training",
        conclusion=treatment.conclusion if ours else "",
    )


def bundle(treatment: Treatment) -> dict[str, Any]:
    """Return the bundle as plain values; it is validated by `fhir.resources` before it is returned.

    Raises
    ------
    ArgumentError
        If start or end is no time with a zone, the end is before the start, or the time of training no number.
    DataError
        If a text or number is none that FHIR has, naming it.
    MissingDependencyError
        If the extra "hospital" is not installed.
    """
    try:
        from fhir.resources.R4B.bundle import Bundle
    except ImportError:
        raise MissingDependencyError("fhir.resources", "hospital", "The FHIR bundle") from None
    began = _time("started", treatment.started)
    ended = began + timedelta(seconds=check_range("seconds", treatment.seconds, low=0.0))
    if treatment.ended:
        ended = _time("ended", treatment.ended)
    if ended < began:
        raise ArgumentError(f"ended is {treatment.ended!r}; it must not be before started, {treatment.started!r}.")
    known = treatment.identified
    # The same training at a place with another zone is no second one.
    at = began.astimezone(UTC).isoformat()
    # Not of the code alone, which anybody could try; and not of the time, which would tell the day.
    who = treatment.subject if known else Anchors().pseudonym("fhir", treatment.subject, at)
    keys = _keys(who, treatment)
    if not known:
        treatment = _anonymous(treatment)
    # Person and device are the same in every training; where they are not named, nothing joins two trainings.
    own = {
        "patient": (who, ""),
        "device": (treatment.device, treatment.serial) if known else (who, ""),
        "procedure": (who, at if known else ""),
        "report": (who, at if known else ""),
    }
    ids = {kind: _id(kind, *parts) for kind, parts in own.items()}
    refs = {kind: {"reference": f"urn:uuid:{value}"} for kind, value in ids.items()}
    meta = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}
    common: dict[str, Any] = {"meta": meta} if treatment.simulated else {}
    times = {"start": began.isoformat(), "end": ended.isoformat()} if known else None
    resources: list[tuple[str, dict[str, Any]]] = [
        (
            ids["patient"],
            {
                "resourceType": "Patient",
                "identifier": [{"system": f"{SYSTEM}:subject", "value": treatment.subject}] if known else None,
                "birthDate": str(treatment.birth_year) if known and treatment.birth_year else None,
                **common,
            },
        ),
        (
            ids["device"],
            {
                "resourceType": "Device",
                "deviceName": [{"name": treatment.device or "EEG", "type": "user-friendly-name"}],
                "serialNumber": treatment.serial if known else None,
                "type": {"text": "EEG headset"},
                "version": [{"value": treatment.software}] if treatment.software else None,
                **common,
            },
        ),
        (
            ids["procedure"],
            {
                "resourceType": "Procedure",
                "status": "completed" if treatment.complete else "stopped",
                "code": {
                    "coding": [
                        {"system": f"{SYSTEM}:protocol", "code": treatment.protocol, "display": treatment.title}
                    ],
                    "text": treatment.title,
                },
                "subject": refs["patient"],
                "performedPeriod": times,
                "performedString": None if known else str(began.year),
                "performer": [{"actor": {"display": treatment.operator}}] if known and treatment.operator else None,
                "usedReference": [refs["device"]],
                **common,
            },
        ),
    ]
    results = []
    for key, measure in zip(keys, treatment.measures, strict=True):
        loinc = _LOINC.get(measure.name)
        coding = [{"system": f"{SYSTEM}:scale", "code": measure.name, "display": measure.title}]
        if loinc:
            coding.append({"system": "http://loinc.org", "code": loinc, "display": measure.title})
        results.append({"reference": f"urn:uuid:{key}"})
        resources.append(
            (
                key,
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"coding": coding, "text": measure.title},
                    "subject": refs["patient"],
                    "effectiveDateTime": _day(measure.day) if known else _day(measure.day)[:4],
                    "valueQuantity": {"value": measure.value, "unit": measure.unit},
                    **common,
                },
            )
        )
    form = {
        "contentType": "application/pdf",
        "data": base64.b64encode(treatment.pdf).decode("ascii"),
        "title": treatment.title,
    }
    resources.append(
        (
            ids["report"],
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"text": treatment.title or treatment.protocol},
                "subject": refs["patient"],
                "effectivePeriod": times,
                "effectiveDateTime": None if known else str(began.year),
                "result": results,
                "conclusion": treatment.conclusion,
                # A report on paper names the patient: it stays out of what names nobody.
                "presentedForm": [form] if known or treatment.simulated else None,
                **common,
            },
        )
    )
    values = {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": began.isoformat() if known else None,
        "entry": [
            {
                "fullUrl": f"urn:uuid:{key}",
                "resource": resource,
                "request": {"method": "PUT", "url": f"{resource['resourceType']}/{key}"},
            }
            for key, resource in resources
        ],
    }
    plain: dict[str, Any] = _without_nothing(values)
    try:
        Bundle.model_validate(plain)
    except ValueError as error:
        said = "; ".join(_complaints(error))
        raise DataError(f"The FHIR bundle cannot hold this as it is: {said}.") from None
    return plain


def _complaints(error: ValueError) -> list[str]:
    """Return what a validation found, one line for each field, with what stands in it."""
    found: Any = getattr(error, "errors", list)()
    return [f"{'.'.join(map(str, one['loc'][2:]))} is {short(one['input'])}" for one in found] or [str(error)]


def _time(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentError(f"{name} is {text!r}; it must be a time like 2026-11-29T10:00+01:00.") from None
    if found.tzinfo is None:
        raise ArgumentError(f"{name} is {text!r}; it needs its time zone.")
    return found


def _day(text: str) -> str:
    """Return a day or time as FHIR writes it: a time of day only with its zone."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return when.date().isoformat() if when.tzinfo is None else when.isoformat()


def save_bundle(treatment: Treatment, path: Path) -> Path:
    """Write the bundle as JSON and return the file; raises `RecordingError` where that is not possible."""
    import json

    text = json.dumps(bundle(treatment), ensure_ascii=False, indent=1)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from None
    return path
