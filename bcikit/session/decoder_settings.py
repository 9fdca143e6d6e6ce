"""Table "decoder" of a session file: what decides, where it comes from, and how it follows the person."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from bcikit.decoding import Stopping
from bcikit.signal import ArgumentError


class StopSection(BaseModel):
    """When windows have said enough, the same for every paradigm; see `bcikit.decoding.Stopping`.

    Attributes
    ----------
    confidence, min_seconds, max_seconds, error_cost, time_cost
        As there; where `max_seconds` is left out, a trial ends when the paradigm says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    confidence: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.9
    min_seconds: Annotated[float, Field(ge=0.0, le=600.0)] = 0.0
    max_seconds: Annotated[float, Field(gt=0.0, le=600.0)] = 600.0
    error_cost: Annotated[float, Field(gt=0.0)] = 1.0
    time_cost: Annotated[float, Field(ge=0.0)] = 0.0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            self.stopping()
        except ArgumentError as error:
            raise ValueError(str(error)) from None
        return self

    def stopping(self) -> Stopping:
        """Return it for the paradigms."""
        return Stopping(**self.model_dump())


class DecoderSection(BaseModel):
    """What makes decisions of the signal.

    Attributes
    ----------
    name : str
        Name of a decoder (``bcikit evaluate --help`` lists them).
    encoder : str
        ``onnx:FILE`` or ``braindecode:NAME``: a network gives embeddings, the decoder "encoder" trains its head on
        them, in place of `name`.
    model : str
        Path of a model file; then nothing is calibrated.
    start : "calibrate", "last" or "population"
        Where the model comes from: a calibration block (or `calibration.files`), the newest session of this person, or
        other people. With the last two the calibration block is left out.
    models : str
        Where "last", "population" and `correct` look: a folder of sessions and model files, one model file, or the
        address of a catalogue (``sqlite:///...``); the clinic's catalogue and the population models of this user if
        left out. Sessions of ``bcikit run`` are in no catalogue: name their folder.
    recentre : "", "rest" or "windows"
        Follow the mean covariance of rest phases, or of all windows of the task, without labels.
    adapt : "" or "labelled"
        Learn from windows whose class is known by the cue.
    adapt_rate : float
        Share of a new window.
    correct : "" or "errp"
        Take back or correct what the person's error potential says was wrong; the decoder of error potentials is the
        newest that the session ``error-potential`` trained for this person.
    error_model : str
        Path of such a model, instead.
    error_threshold : float
        Probability of an error from which a choice is taken back.
    error_mode : "veto" or "correct"
        Undo the choice, or take the second best instead.
    stop : table
        When the evidence of several windows is enough; the paradigm's own rule if left out.
    tmin, tmax : float
        Window after the cue, in seconds, that a decision is made of.
    reject : float
        No label below this probability; 0 leaves the choice to the gate. A model that is loaded keeps its own where
        this is left out.
    parameters : table
        Parameters of the decoder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = "csp-lda"
    encoder: str = ""
    model: str = ""
    start: Literal["calibrate", "last", "population"] = "calibrate"
    models: str = ""
    recentre: Literal["", "rest", "windows"] = ""
    adapt: Literal["", "labelled"] = ""
    adapt_rate: Annotated[float, Field(gt=0.0, le=0.5)] = 0.05
    correct: Literal["", "errp"] = ""
    error_model: str = ""
    error_threshold: Annotated[float, Field(ge=0.5, lt=1.0)] = 0.8
    error_mode: Literal["veto", "correct"] = "veto"
    stop: StopSection | None = None
    tmin: Annotated[float, Field(ge=-60.0, le=600.0)] = 0.5
    tmax: Annotated[float, Field(ge=-60.0, le=600.0)] = 3.0
    reject: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    parameters: dict[str, Any] = Field(default_factory=dict)

    @field_validator("recentre", mode="before")
    @classmethod
    def _followed(cls, value: object) -> object:
        """Take true and false, too: all windows of the task, or none."""
        return ("windows" if value else "") if isinstance(value, bool) else value

    @field_validator("adapt", mode="before")
    @classmethod
    def _learned(cls, value: object) -> object:
        """Take true and false, too."""
        return ("labelled" if value else "") if isinstance(value, bool) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if self.tmax <= self.tmin:
            problems.append(f"tmax is {self.tmax:g}; it must be above tmin, {self.tmin:g}")
        if self.model and self.start != "calibrate":
            problems.append(f"model names a file and start = {self.start!r} looks for one; leave out one of them")
        if self.error_model and not self.correct:
            problems.append('error_model is for correct = "errp"')
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_serializer(mode="wrap")
    def _stated(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what nobody stated: read again, it would stand against the paradigm's own and the model's."""
        unstated = {"tmin", "tmax", "reject"} - self.model_fields_set
        return {key: value for key, value in handler(self).items() if key not in unstated}

    @property
    def trained(self) -> tuple[str, dict[str, Any]]:
        """Name and parameters of the decoder that is trained."""
        if self.encoder:
            return "encoder", {**self.parameters, "encoder": self.encoder}
        return self.name, dict(self.parameters)

    @property
    def follows(self) -> bool:
        """True if the model changes while the session runs."""
        return bool(self.recentre or self.adapt)


def is_path(text: str) -> bool:
    """Return whether `DecoderSection.models` is a path, and no address of a database."""
    return bool(text) and "://" not in text
