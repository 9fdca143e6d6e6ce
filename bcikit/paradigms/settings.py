"""Settings of paradigms: written in TOML by people, so every error names the key, the value and what is allowed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Seconds = Annotated[float, Field(ge=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration; zero leaves the phase out."""

Span = Annotated[float, Field(gt=0.0, le=36_000.0, allow_inf_nan=False)]
"""A duration that cannot be zero."""

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A share or probability."""

Count = Annotated[int, Field(ge=0, le=100_000)]
"""How many."""


class SettingsTable(BaseModel):
    """A table of a settings file: unknown keys are errors, values cannot change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=40)]
"""A class: letters, digits, underscore, dot and minus, so that it can be part of an event's name."""


LONGEST_TTL = 0.5
"""Seconds after which the gate lets no command live on."""

_RECORDED: ContextVar[bool] = ContextVar("_RECORDED", default=False)


@contextmanager
def as_recorded() -> Iterator[None]:
    """Take settings as a session ran with them: they cannot be written anew, whatever is asked of others now."""
    token = _RECORDED.set(True)
    try:
        yield
    finally:
        _RECORDED.reset(token)


def is_recorded() -> bool:
    """Return whether settings are taken as a session ran with them; what is refused now is taken then."""
    return _RECORDED.get()


class ParadigmSettings(SettingsTable):
    """What every paradigm's file may say.

    Attributes
    ----------
    title : str
        For people.
    ttl : float
        Seconds that a command stays valid; the gate's `ttl_s`, where that is shorter, and never more than 0.5.
    instructions : float
        Seconds that each page of instructions is shown before anything else, with a practice trial after them; 0 leaves
        both out. The therapist's "skip" ends a page.
    affected_side : "", "left" or "right"
        Side that the therapy is for; it is named on the screen, where that shows hands.
    display_delay : float
        Seconds from the plan to the screen, which windows that follow a cue or a flash are taken later by; a session
        with a screen sets it.
    """

    shows_hands: ClassVar[bool] = False
    """Whether the screen shows two hands, one of which `affected_side` names."""

    title: str = ""
    ttl: Annotated[float, Field(gt=0.0, le=LONGEST_TTL)] = LONGEST_TTL
    instructions: Annotated[float, Field(ge=0.0, le=600.0)] = 0.0
    affected_side: Literal["", "left", "right"] = ""
    display_delay: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0

    def without_effect(self) -> dict[str, str]:
        """Return keys that change nothing beside these other settings, and why; a kind adds its own."""
        return {} if self.shows_hands else {"affected_side": "the screen shows no hands"}

    @field_validator("ttl", mode="before")
    @classmethod
    def _of_the_gate(cls, ttl: Any) -> Any:
        return min(ttl, LONGEST_TTL) if is_recorded() and isinstance(ttl, int | float) else ttl

    @model_validator(mode="after")
    def _all_used(self) -> Self:
        problems = [
            f"{key} changes nothing: {why}; leave it out"
            for key, why in self.without_effect().items()
            if not is_recorded()
            and getattr(self, key) != type(self).model_fields[key].get_default(call_default_factory=True)
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Defaults(SettingsTable):
    """Table "defaults" of a paradigm's file: what session to build around it where nobody says otherwise.

    Attributes
    ----------
    sim : str
        Address of a simulated user; empty for none.
    output : str or list of str
        Addresses of outputs.
    decoder, decoder_parameters : str and table
        Decoder and its parameters.
    pipeline : list of table
        Steps.
    gate : table
        Settings of the gate.
    """

    sim: str = ""
    output: str | tuple[str, ...] = "hand:"
    decoder: str = "csp-lda"
    decoder_parameters: dict[str, Any] = Field(default_factory=dict)
    pipeline: tuple[dict[str, Any], ...] = ()
    gate: dict[str, Any] = Field(default_factory=dict)


class CuedSettings(ParadigmSettings):
    """Who shows the cues.

    Attributes
    ----------
    cues : "internal" or "external"
        "internal": bcikit runs the trials. "external": every event of the source that is named in `external` begins
        one, as with recorded trials or another program that shows the cues.
    external : dict
        Event name of the source to class.
    external_trials : int
        Number of external trials after which the paradigm is finished; 0 for as many as come.
    """

    cues: Literal["internal", "external"] = "internal"
    external: dict[str, Name] = Field(default_factory=dict)
    external_trials: Count = 0

    def cue_problems(self, classes: Collection[str]) -> list[str]:
        """Return what is wrong with the cues, given the classes there are."""
        problems = []
        if self.cues == "external" and not self.external:
            problems.append('cues = "external" needs the table "external" (event name = class)')
        if self.cues == "internal" and (self.external or self.external_trials):
            key = "external" if self.external else "external_trials"
            problems.append(f'{key} is for cues = "external"; say so, or leave it out')
        unknown = sorted(set(self.external.values()) - set(classes))
        if unknown:
            problems.append(f"external names {', '.join(unknown)}; classes are {', '.join(classes)}")
        return problems
