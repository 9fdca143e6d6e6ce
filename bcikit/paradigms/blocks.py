"""Timed phases in a row: resting state, eyes open and closed, recordings of one's own."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import phases
from bcikit.paradigms.scene import Scene, Words
from bcikit.paradigms.settings import Name, ParadigmSettings, SettingsTable, Span
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Event


class BlockPhase(SettingsTable):
    """One phase.

    Attributes
    ----------
    phase : str
        Event ``phase/<phase>``: "eyes-open", "eyes-closed", "rest" or a name of one's own.
    seconds : float
        How long.
    text, text_zh : str
        What the person is told, in English and in Chinese.
    """

    phase: Name
    seconds: Span
    text: str = ""
    text_zh: str = ""


class BlocksSettings(ParadigmSettings):
    """Settings of a row of phases.

    Attributes
    ----------
    phases : list of table
        In order.
    repeats : int
        How often the whole row is done.
    shuffle : bool
        Another order at each repeat, from the seed.
    beep : bool
        A tone at each start, which eyes that are closed need.
    """

    phases: Annotated[tuple[BlockPhase, ...], Field(min_length=1, max_length=100)]
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    shuffle: bool = False
    beep: bool = True

    def without_effect(self) -> dict[str, str]:
        """Return what is about commands: there are none."""
        return {**super().without_effect(), "ttl": "nothing is decided, so no command is sent"}

    @field_validator("phases")
    @classmethod
    def _one_text(cls, phases: tuple[BlockPhase, ...]) -> tuple[BlockPhase, ...]:
        told: dict[str, set[tuple[str, str]]] = {}
        for phase in phases:
            told.setdefault(phase.phase, set()).add((phase.text, phase.text_zh))
        twice = [name for name, texts in told.items() if len(texts) > 1]
        if twice:
            raise ValueError(
                f"{', '.join(twice)} has two texts, and events and screen tell phases apart by their names; "
                "give each text a phase name of its own"
            )
        return phases


class Blocks(TrialParadigm):
    """Phases without trials; nothing is decoded."""

    kind: ClassVar[str] = "blocks"
    Settings: ClassVar[type[ParadigmSettings]] = BlocksSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (Adjustable(key="repeats", low=1, high=5, step=1),)
    settings: BlocksSettings

    @property
    def classes(self) -> tuple[str, ...]:
        """None: nothing is decoded."""
        return ()

    def sections(self) -> list[Section]:
        """Return the phases, repeated, and in a seeded order if asked for."""
        s = self.settings
        parts = []
        for _ in range(s.repeats):
            order = self.rng.permutation(len(s.phases)) if s.shuffle else range(len(s.phases))
            for index in order:
                phase = s.phases[int(index)]
                name = phase.text or phase.phase.replace("-", " ")
                parts.append(Section(kind="custom", name=name, seconds=phase.seconds, phase=phase.phase))
        return parts

    def begin_section(self, section: Section, sample: int) -> None:
        """Sound the tone."""
        if self.settings.beep and section.kind != "instructions":
            self.tell(sample, "sound/beep", seconds=0.07, data={"frequency": 1000.0})

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the words of the phase."""
        return phases(
            event, before, texts={item.phase: Words(item.text, item.text_zh) for item in self.settings.phases}
        )

    def plan_trial(self, trial: Trial) -> int:
        """Return the start: there are no trials."""
        return trial.start

    def results(self) -> dict[str, Any]:
        """Return the seconds spent in each phase."""
        base = super().results()
        spent: dict[str, float] = {}
        for section in self._sections[: self._section + (0 if not self._finished else 1)]:
            spent[section.phase] = spent.get(section.phase, 0.0) + section.seconds
        phases = ", ".join(f"{name.replace('-', ' ')} {value:.0f} s" for name, value in spent.items())
        meaning = (
            f"A recording in phases ({phases or 'none was begun'}): nothing was to be decided, so nothing is scored."
        )
        return {**base, "seconds": spent, "meaning": [meaning]}
