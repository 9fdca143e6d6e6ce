"""Settings of the P300 speller."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from bcikit.paradigms.language import SPACE
from bcikit.paradigms.settings import Count, ParadigmSettings, Seconds, Share, Span, is_recorded

SHORTEST_EPOCH = 0.2
"""Seconds after a flash in which there is something to decode."""

TONES = (440.0, 740.0, 1245.0, 2093.0)
"""Tones of items that are heard, in Hz: nine semitones apart, told apart by anybody."""

DELETE = "<"
"""The item that takes back the last one."""


class SpellerSettings(ParadigmSettings):
    """Settings of a P300 speller. Times are seconds.

    Attributes
    ----------
    mode : "row-column" or "single"
        What flashes together.
    sense : "visual" or "auditory"
        Items light up, or each has a tone of its own and the eyes stay closed.
    rows : list of list of str
        The items; a string stands for a row of its letters. ``_`` is the space and ``<`` takes back.
    flash, gap : float
        A flash and the pause after it; both are made whole frames, so that the rhythm is even on the screen.
    refresh : float
        Refresh rate of the screen in Hz.
    gaze : float
        Time to find the item.
    pause : float
        After the result.
    epoch : pair of float
        Window after a flash that is decoded.
    calibration : list of str
        Items attended to for training (a string: its letters), with `calibration_sequences` each.
    copy_text : list of str
        What is to be written; empty for writing freely.
    correct : bool
        A wrong letter is to be taken back in copying; words are copied without.
    max_selections : int
        End after this many selections, whatever was written.
    min_sequences, max_sequences : int
        A sequence flashes everything once (single) or every row and column once.
    threshold : float
        Posterior at which a selection is made.
    minimum : float
        Posterior that is enough after the last sequence; below it nothing is selected.
    language : bool
        Use letters and words written so far as a prior.
    predictions : int
        Items ``#1``, ``#2``, ... of the matrix stand for the likeliest words.
    """

    mode: Literal["row-column", "single"] = "row-column"
    sense: Literal["visual", "auditory"] = "visual"
    rows: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1, max_length=12)] = tuple(
        tuple(row) for row in ("ABCDEF", "GHIJKL", "MNOPQR", "STUVWX", "YZ_<12", "345678")
    )
    flash: Annotated[float, Field(ge=0.02, le=1.0)] = 0.100
    gap: Annotated[float, Field(ge=0.0, le=2.0)] = 0.075
    refresh: Annotated[float, Field(ge=24, le=500)] = 60.0
    gaze: Seconds = 2.0
    pause: Span = 1.5
    epoch: tuple[Seconds, Span] = (0.0, 0.8)
    calibration: tuple[str, ...] = tuple("NEURAL")
    calibration_sequences: Annotated[int, Field(ge=1, le=50)] = 10
    copy_text: tuple[str, ...] = tuple("BRAIN")
    correct: bool = True
    max_selections: Count = 20
    min_sequences: Annotated[int, Field(ge=1, le=50)] = 2
    max_sequences: Annotated[int, Field(ge=1, le=50)] = 10
    threshold: Share = 0.95
    minimum: Share = 0.60
    language: bool = True
    predictions: Annotated[int, Field(ge=0, le=6)] = 0

    @field_validator("calibration", "copy_text", mode="before")
    @classmethod
    def _letters(cls, value: Any) -> Any:
        return tuple(value.replace(" ", SPACE)) if isinstance(value, str) else value

    @field_validator("rows", mode="before")
    @classmethod
    def _rows(cls, value: Any) -> Any:
        return [tuple(row) if isinstance(row, str) else row for row in value] if isinstance(value, list) else value

    @property
    def soa(self) -> float:
        """Seconds from one flash to the next: a whole number of frames."""
        return max(2, round(self.flash * self.refresh) + round(self.gap * self.refresh)) / self.refresh

    @property
    def items(self) -> tuple[str, ...]:
        """All items in reading order."""
        return tuple(item for row in self.rows for item in row)

    def without_effect(self) -> dict[str, str]:
        """Return what is about words without a language."""
        found = super().without_effect()
        return found if self.language else found | {"predictions": "words are proposed where language = true"}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems: list[str] = []
        items = self.items
        if len(set(items)) != len(items) or len(items) < 2:
            problems.append("rows must hold at least two items, each once")
        if self.mode == "row-column" and (len({len(row) for row in self.rows}) != 1 or len(self.rows) < 2):
            problems.append('rows must be two or more of the same length for mode = "row-column"')
        for key in ("calibration", "copy_text"):
            unknown = sorted(set(getattr(self, key)) - set(items))
            if unknown:
                problems.append(f"{key} uses {', '.join(unknown)}, which rows do not hold")
        if self.sense == "auditory" and (self.mode != "single" or len(items) > len(TONES)):
            problems.append(f'sense = "auditory" needs mode = "single" and at most {len(TONES)} items, a tone each')
        if self.min_sequences > self.max_sequences:
            problems.append("min_sequences must be at most max_sequences")
        if self.epoch[1] - self.epoch[0] < SHORTEST_EPOCH - 1e-9:
            problems.append(f"epoch must be (start, end), {SHORTEST_EPOCH:g} s or more from one to the other")
        if self.minimum > self.threshold:
            problems.append("minimum must be at most threshold")
        if self.correct and self.copy_text and DELETE not in items:
            problems.append(f"correct = true needs the item {DELETE!r} in rows")
        words = [item for item in self.copy_text if len(item) > 1]
        if self.correct and words and not is_recorded():
            problems.append(
                f"correct = true copies and takes back letter by letter, and copy_text holds {', '.join(words)}: say "
                "correct = false, or copy letters"
            )
        if not self.calibration and not self.max_selections:
            problems.append("calibration is empty and max_selections is 0: nothing would flash")
        if self.predictions and any(f"#{index + 1}" not in items for index in range(self.predictions)):
            problems.append("predictions needs the items #1, #2, ... in rows")
        if problems:
            raise ValueError("; ".join(problems))
        return self
