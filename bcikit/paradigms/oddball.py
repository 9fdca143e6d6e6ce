"""P300 logic over flashes of another program: recorded oddballs replayed as if somebody were choosing."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from bcikit.paradigms.base import WindowRequest
from bcikit.paradigms.settings import CuedSettings, ParadigmSettings
from bcikit.paradigms.speller import Speller
from bcikit.paradigms.speller_settings import SpellerSettings
from bcikit.paradigms.trials import Section, Trial
from bcikit.signal import Event

TARGET, OTHER = "target", "nontarget"


class OddballSettings(SpellerSettings, CuedSettings):
    """Settings of a replayed oddball.

    Attributes
    ----------
    external : dict
        Event name of the source to "target" or "nontarget".
    rows : list
        Items that are chosen among; the non-targets are dealt out to those that are not attended to.
    target_share : float
        Share of targets in the training of the decoder.
    max_flashes : int
        Flashes after which a trial ends without a choice.
    """

    rows: tuple[tuple[str, ...], ...] = (tuple("ABCDEF"),)
    calibration: tuple[str, ...] = ()
    copy_text: tuple[str, ...] = ()
    correct: bool = False
    language: bool = False
    target_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 1 / 6
    max_flashes: Annotated[int, Field(ge=2, le=5000)] = 120

    def without_effect(self) -> dict[str, str]:
        """Return what is about flashes that bcikit would show: here they come from outside."""
        why = "the flashes are the source's own"
        keys = ("gap", "refresh", "calibration", "calibration_sequences", "copy_text", "max_selections")
        return {**super().without_effect(), **dict.fromkeys((*keys, "max_sequences", "sense"), why)}

    @model_validator(mode="after")
    def _flashes(self) -> Self:
        problems = self.cue_problems((TARGET, OTHER))
        if self.cues != "external" or self.mode != "single":
            problems.append('an oddball needs cues = "external" and mode = "single"')
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Oddball(Speller):
    """Chooses the attended of some items from recorded single flashes.

    An oddball records target and non-target flashes, but no items. Here the attended item changes from trial to trial,
    a target flash is one of it, and each non-target flash is one of the next other item. Everything else is the
    recording's own: order, timing, EEG. A trial ends with a choice, or undecided after `max_flashes`.
    """

    kind: ClassVar[str] = "p300-oddball"
    Settings: ClassVar[type[ParadigmSettings]] = OddballSettings
    settings: OddballSettings

    def _begin_evidence(self) -> None:
        self._target_share = self.settings.target_share
        super()._begin_evidence()

    def plan_trial(self, trial: Trial) -> int:
        """Begin without evidence; flashes come as they come."""
        items = self.settings.items
        # Known to the evaluation only: the logic sees flashes of items.
        trial.label = items[int(self.rng.integers(len(items)))]
        self._others = [item for item in items if item != trial.label]
        self._flashes = 0
        self._begin_evidence()
        return trial.start + self.schedule.samples(3600.0)

    def on_source_event(self, event: Event) -> list[Event]:
        """Take a flash of the recording."""
        sample = event.sample
        if sample is None or not self.heeds(event):
            return []
        kind = self.settings.external[event.name]
        self.schedule.add(self._planned_flash(sample, target=kind == TARGET))
        return []

    def _planned_flash(self, sample: int, *, target: bool) -> Any:
        from bcikit.paradigms.schedule import Planned

        return Planned(sample=sample, action=lambda at: self._flash(at, target=target))

    def _flash(self, sample: int, *, target: bool) -> None:
        s = self.settings
        trial = self._trial
        if trial is None:
            trial = self._begin_trial(Section(kind="feedback", name="oddball"), "", sample)
        if trial.seconds is not None or self._flashes >= s.max_flashes:
            # Between the choice and the next trial nobody counts.
            return
        item = trial.label if target else self._others[self._flashes % len(self._others)]
        index = self._flashes
        self._flashes += 1
        data = {"items": [item], "target": target, "sequence": index // len(s.items), "index": index}
        self.plan(trial, sample, "stimulus/flash", seconds=s.flash, data=data)
        stop = sample + self.schedule.samples(s.epoch[1])
        length = self.schedule.samples(s.epoch[1] - s.epoch[0])
        final = self._flashes == s.max_flashes
        about = {"items": (item,), "sequence": data["sequence"]}
        self._ask(WindowRequest(stop, length, final, trial.index, "flash", about))
        if final:
            self.cut_off_end(trial, stop + self.schedule.samples(s.pause))

    def cut_off_end(self, trial: Trial, stop: int) -> None:
        """Move the end of a trial to `stop`; its windows stay."""
        self.schedule.cancel(trial.index, stop)
        self._plan_end(trial, stop)

    def results(self) -> dict[str, Any]:
        """Return the choices; a replayed oddball has a known answer, so accuracy and transfer rate have a meaning."""
        from bcikit.paradigms.score import itr, pace

        base = super().results()
        s = self.settings
        whole = pace(base["trials"])
        return {
            **base,
            "seconds_per_selection": whole,
            "itr": None if whole is None else itr(base["accuracy"] or 0.0, len(s.items), whole),
        }
