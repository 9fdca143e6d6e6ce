"""Consent and screening: the records without which nothing is armed."""

import datetime
import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bcikit.safety.words import says_something
from bcikit.signal import ConfigError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.settings import Model, check_settings

Scope = Literal["acquire", "store", "share", "hospital", "stimulate", "fes", "robot", "vr", "video"]

_CLOCKS_DIFFER = datetime.timedelta(minutes=10)
"""By how much the clock of the place where it was signed may be ahead."""

_LIGHT = ("epilepsy", "prior_seizure", "photoparoxysmal_response", "migraine_with_photic_trigger", "alcohol")
_CURRENT = ("implant", "pregnancy", "metal", "skin", "sensation", "epilepsy", "prior_seizure", "alcohol")
_NEVER = ("implant",)
"""No clinician overrides these here: current through a person with a pacemaker or another electronic implant."""

Bar = Literal["stimulate", "fes"]
"""What answers can bar: flickering stimuli, and current through a muscle."""


class Screening(BaseModel):
    """Answers of the screening for flicker and for current; None where a question was not asked.

    A questionnaire alone is not enough: of those who had a seizure in the 1997 broadcast only 24 % had had one before
    (Fisher et al. 2005). It is one control beside the design limits, the dose, the operator and the stop key. What was
    not asked bars as a yes does, and no override makes up for a question.

    Attributes
    ----------
    age : int or None
        Years; below 18 bars flickering stimuli.
    epilepsy, prior_seizure, photoparoxysmal_response, migraine_with_photic_trigger, alcohol : bool or None
        Any of them bars flickering stimuli; the first two and alcohol bar current, too.
    sleep_h : float or None
        Hours slept in the last night; fewer than 5 bars flickering stimuli.
    implant, pregnancy, metal, skin, sensation : bool or None
        Pacemaker or another electronic implant, pregnancy, metal under the electrodes, skin that is broken or sore
        there, no feeling there: each bars current.
    override_by, override_reason : str
        A clinician who overrides a bar, and why; an implant is never overridden.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    age: Annotated[int, Field(ge=0, le=130)] | None
    epilepsy: bool | None
    prior_seizure: bool | None
    photoparoxysmal_response: bool | None
    migraine_with_photic_trigger: bool | None
    alcohol: bool | None
    sleep_h: Annotated[float, Field(ge=0, le=24)] | None
    implant: bool | None = None
    pregnancy: bool | None = None
    metal: bool | None = None
    skin: bool | None = None
    sensation: bool | None = None
    override_by: str = ""
    override_reason: str = ""

    def bars(self, what: Bar = "stimulate") -> tuple[str, ...]:
        """Return what speaks against flickering stimuli, or against current ("fes")."""
        names = _LIGHT if what == "stimulate" else _CURRENT
        found = [name for name in names if getattr(self, name)]
        if what == "stimulate":
            if self.age is not None and self.age < 18:
                found.append("age below 18")
            if self.sleep_h is not None and self.sleep_h < 5:
                found.append("less than 5 h of sleep")
        return tuple(found)

    def unasked(self, what: Bar = "stimulate") -> tuple[str, ...]:
        """Return the questions for this that have no answer."""
        names = (*_LIGHT, "age", "sleep_h") if what == "stimulate" else _CURRENT
        return tuple(name for name in names if getattr(self, name) is None)

    @property
    def overridden(self) -> bool:
        """True if a clinician put name and reason to it."""
        return says_something(self.override_by) and says_something(self.override_reason)

    def problems(self, what: Bar = "stimulate") -> list[str]:
        """Return why flickering stimuli, or current, are refused; empty if they are not, or a clinician overrides."""
        found = []
        unasked, bars = self.unasked(what), self.bars(what)
        if unasked:
            found.append(f"screening: not asked: {', '.join(unasked)}")
        never = [name for name in bars if what == "fes" and name in _NEVER]
        if never:
            found.append(f"screening: {', '.join(never)}; nobody overrides that")
        elif bars and not self.overridden:
            found.append(f"screening: {', '.join(bars)}; a clinician can override with name and reason")
        return found

    def sha256(self) -> str:
        """Return the hash of the answers that the consent record carries."""
        values = self.model_dump(exclude_none=True)
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the answers as JSON, for this user's eyes only; `load_screening` reads them."""
        _save(self, path)


class Consent(BaseModel):
    """What a participant agreed to, who signed, and whether it was withdrawn.

    Attributes
    ----------
    subject : str
        Pseudonym of the participant.
    version, text_sha256, language : str
        Which text was shown.
    scopes : tuple of str
        What was agreed to: "acquire", "store", "share" (for research, de-identified), "hospital" (sent to its record
        under the code), "stimulate", "fes", "robot", "vr", "video".
    signer : str
        "participant", "guardian" or "representative".
    signed : datetime
        When, with its time zone.
    withdrawn : datetime or None
        When it was withdrawn; nothing is armed after that.
    screening_sha256 : str
        Hash of the screening answers given with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    subject: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    text_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    language: Annotated[str, Field(min_length=2)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    signer: Literal["participant", "guardian", "representative"]
    signed: AwareDatetime
    withdrawn: AwareDatetime | None = None
    screening_sha256: str = ""

    def problems(self, *, subject: str, scopes: tuple[str, ...]) -> list[str]:
        """Return why this record does not cover a session with `subject` that needs `scopes`."""
        found = []
        if self.signed > datetime.datetime.now(datetime.UTC) + _CLOCKS_DIFFER:
            found.append(f"consent was signed at {self.signed.isoformat()}, which is still to come")
        if not says_something(self.subject):
            found.append("consent names nobody")
        if self.subject != subject:
            found.append(f"consent is of subject {self.subject!r}, the session is with {subject!r}")
        if self.withdrawn is not None:
            found.append(f"consent was withdrawn at {self.withdrawn.isoformat()}")
        missing = [scope for scope in scopes if scope not in self.scopes]
        if missing:
            found.append(f"consent does not cover {', '.join(missing)}")
        return found

    def withdraw(self, when: AwareDatetime) -> Self:
        """Return the record as withdrawn at `when`."""
        return self.model_copy(update={"withdrawn": when})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record as JSON, for this user's eyes only."""
        _save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a record.

        Raises
        ------
        ConfigError
            If the file cannot be read or a field is wrong; every problem is listed.
        """
        return _load(cls, path)


def load_screening(path: str | os.PathLike[str]) -> Screening:
    """Read screening answers from JSON; raises `ConfigError` with every problem."""
    return _load(Screening, path)


def _save(record: BaseModel, path: str | os.PathLike[str]) -> None:
    write_whole(Path(path), record.model_dump_json(indent=1).encode(), private=True)


def _load(kind: type[Model], path: str | os.PathLike[str]) -> Model:
    try:
        values = read_json(Path(path))
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), [f"is no JSON: {error}"]) from None
    return check_settings(kind, values, where=str(path))
