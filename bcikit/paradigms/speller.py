"""P300 speller: rows and columns, or single items, flash until the evidence is enough."""

from typing import Any, ClassVar

from bcikit.decoding.evidence import judge
from bcikit.decoding.speller import LetterPosterior
from bcikit.paradigms.answers import best, probability_of, together
from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.language import SPACE, LanguageModel
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import heard, matrix
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.score import itr, pace
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.paradigms.speller_settings import DELETE, TONES, SpellerSettings
from bcikit.paradigms.stage import title
from bcikit.paradigms.support import ERROR_POTENTIAL
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import Command, Decision, Event, StreamInfo, Verdict

PRACTICE = 2
"""Sequences of a practice trial."""

WRONG = 0.05
"""Prior probability that the last letter is to be taken back."""


TAKEN = "taken_back"
"""In the data of ``select/<``: what was taken back, a letter or a whole word."""


class Speller(TrialParadigm):
    """Cue, gaze, flashes with dynamic stopping, selection."""

    kind: ClassVar[str] = "p300-speller"
    Settings: ClassVar[type[ParadigmSettings]] = SpellerSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="calibration_sequences", low=5, high=20, step=1),
        Adjustable(key="max_selections", low=3, high=40, step=1),
        Adjustable(key="max_sequences", low=4, high=20, step=1),
        Adjustable(key="pause", low=1, high=6, step=0.5, unit="s"),
    )
    settings: SpellerSettings
    takes_stopping = True
    takes_errors = True
    back_by_letter = False
    """True where a session is replayed in which ``<`` took one letter off a word, too."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The electrode under which the P300 is largest."""
        return ("Pz",)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the decoder tells apart: a flash of the attended item, or another."""
        return ("target", "nontarget")

    def resting(self) -> tuple[int, float] | None:
        """Return None: decisions are about what has flashed."""
        return None

    @property
    def calibration(self) -> Calibration | None:
        """One epoch a flash."""
        tmin, tmax = self.settings.epoch
        events = {"label/target": "target", "label/nontarget": "nontarget"}
        return Calibration(events=events, tmin=tmin, tmax=tmax)

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare; the order of flashes follows from `seed`."""
        self.text = ""
        self._history: tuple[str, ...] = ()
        self._language = LanguageModel() if self.settings.language else None
        s = self.settings
        self._groups = self._groups_of()
        self._target_share = sum(len(group) for group in self._groups) / len(s.items) / len(self._groups)
        self._words: list[str] = []
        self._answered: dict[int, int] = {}
        self._selections = 0
        super().configure(info, seed=seed)

    def _groups_of(self) -> list[tuple[str, ...]]:
        """Return what lights up together."""
        s = self.settings
        if s.mode == "single":
            return [(item,) for item in s.items]
        return [*s.rows, *zip(*s.rows, strict=True)]

    # ---- what is done ------------------------------------------------------------------------------------------
    def sections(self) -> list[Section]:
        """Return the calibration and the writing."""
        s = self.settings
        parts = []
        if s.calibration:
            parts.append(Section(kind="calibration", name="calibration", labels=s.calibration))
            parts.append(Section(kind="break", name="pause", seconds=5.0, phase="break"))
        name = "copy" if s.copy_text else "free"
        if s.max_selections:
            parts.append(Section(kind="feedback", name=name, labels=s.copy_text or ("",)))
        return parts

    def _next_trial(self, sample: int) -> None:
        if not self.outside and self._sections[self._section].kind == "feedback":
            wanted = self._wanted()
            self._queue = [] if wanted is None or self._selections >= self.settings.max_selections else [wanted]
        super()._next_trial(sample)

    def _wanted(self) -> str | None:
        """Return the item to attend to next; "" where that is free, None if all is written."""
        s = self.settings
        if not s.copy_text:
            return ""
        if not s.correct:
            return s.copy_text[self._selections] if self._selections < len(s.copy_text) else None
        goal = "".join(s.copy_text).replace(SPACE, " ")
        if self.text == goal:
            return None
        return goal[len(self.text)].replace(" ", SPACE) if goal.startswith(self.text) else DELETE

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the items, the text that was written, and the words that are proposed."""
        s = self.settings
        if s.sense == "auditory":
            return heard(event, before)
        letters = 2 * sum(len(item) == 1 for item in s.items) > len(s.items)
        goal = ("" if letters else " ").join(s.copy_text).replace(SPACE, " ")
        return matrix(event, before, rows=s.rows, goal=goal, written=self.text)

    @property
    def practice_label(self) -> str:
        """An item to look at once."""
        s = self.settings
        return next(iter((*s.calibration, *s.copy_text, s.items[0])))

    def plan_trial(self, trial: Trial) -> int:
        """Plan the cue and every flash up to the last sequence; a selection cancels what is left."""
        s = self.settings
        calibration = trial.section.silent
        trial.onset = self.at(trial, s.gaze)
        data = {"class": trial.label, "item": trial.label}
        if trial.label:
            self.plan(trial, trial.start, f"cue/{trial.label}", seconds=s.gaze, data=data)
        self.plan(trial, trial.start, "phase/gaze", seconds=s.gaze)
        if s.sense == "auditory" and trial.label:
            # The item is said, and its tone is heard once, before they come in turn.
            said = title(trial.label)
            self.plan(trial, trial.start, "sound/item", data={"text": said.en, "text_zh": said.zh})
            tone = {"frequency": self._tone(trial.label)}
            self.plan(trial, self.at(trial, s.gaze / 2), "sound/beep", seconds=3 * s.flash, data=tone)
        self._begin_evidence()
        if self._words:
            self.plan(trial, trial.start, "prediction/words", data={"words": self._words})
        soa = s.soa
        sequences = s.max_sequences
        if calibration:
            practice = min(PRACTICE, s.calibration_sequences)
            sequences = practice if trial.section.kind == "practice" else s.calibration_sequences
        self.plan(trial, trial.onset, "phase/flash", seconds=sequences * len(self._groups) * soa)
        last: tuple[str, ...] = ()
        count = 0
        for sequence in range(sequences):
            order = self._order(last)
            for group in order:
                final = not calibration and sequence == sequences - 1 and group == order[-1]
                self._plan_flash(trial, group, sequence, s.gaze + count * soa, count, final=final)
                count += 1
            last = order[-1]
        done = self.at(trial, s.gaze + count * soa + s.epoch[1])
        return done + self.schedule.samples(s.pause)

    def _plan_flash(
        self, trial: Trial, group: tuple[str, ...], sequence: int, at: float, index: int, *, final: bool
    ) -> None:
        s = self.settings
        sample = self.at(trial, at)
        target = trial.label in group if trial.label else None
        data: dict[str, Any] = {"items": list(group), "target": target, "sequence": sequence, "index": index}
        if s.sense == "auditory":
            data["frequency"] = self._tone(group[0])
        self.plan(trial, sample, self._stimulus, seconds=s.flash, data=data)
        if target is not None:
            name = "label/target" if target else "label/nontarget"
            delay = self.schedule.samples(s.display_delay)
            self.plan(trial, sample + delay, name, data={"index": index, "locked": sample})
        if not trial.section.silent:
            stop = sample + self.schedule.samples(s.epoch[1])
            length = self.schedule.samples(s.epoch[1] - s.epoch[0])
            about = {"items": group, "sequence": sequence}
            self._ask(WindowRequest(stop, length, final, trial.index, "flash", about, locked=sample))

    @property
    def _stimulus(self) -> str:
        """Name of the event of a flash, or of a tone."""
        return "stimulus/tone" if self.settings.sense == "auditory" else "stimulus/flash"

    def _tone(self, item: str) -> float:
        return TONES[self.settings.items.index(item)]

    def _order(self, last: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return a random order in which no item flashes twice running, where that can be."""
        for _ in range(100):
            order = [self._groups[index] for index in self.rng.permutation(len(self._groups))]
            if not set(order[0]) & set(last):
                return order
        return order

    def _begin_evidence(self) -> None:
        s = self.settings
        items = s.items
        self._words = []
        prior = dict.fromkeys(items, 1.0 / len(items))
        if self._language is not None:
            prior = self._language.next_item(self.text, items)
            self._words = self._language.complete(self.text, s.predictions)
            if DELETE in prior and self.text:
                # No word holds it, yet a letter may always have gone wrong.
                prior[DELETE] = max(prior[DELETE], WRONG)
        self._posterior = LetterPosterior(
            len(items), prior=[prior[item] for item in items], target_share=self._target_share
        )
        self._answered = {}

    # ---- decisions ---------------------------------------------------------------------------------------------
    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Add the evidence of one flash (`LetterPosterior`); the label comes when a sequence is complete."""
        if request.kind == ERROR_POTENTIAL:
            return self.opinion(decision)
        trial = self.running(request)
        if trial is None or request.kind != "flash" or trial.seconds is not None:
            return decision
        s = self.settings
        p = probability_of(decision, "target")
        if p is not None:
            shown = request.data["items"]
            self._posterior.update(p, [[item in shown] for item in s.items])
        sequence = int(request.data["sequence"])
        self._answered[sequence] = self._answered.get(sequence, 0) + 1
        posterior = dict(zip(s.items, self._posterior.probabilities.tolist(), strict=True))
        winner = best(s.items, posterior)
        complete = self._answered[sequence] == len(self._groups)
        if self.stopping is None:
            enough = complete and sequence + 1 >= s.min_sequences and posterior[winner] >= s.threshold
            at_end = request.final and posterior[winner] >= s.minimum
        else:
            # Flashes overlap in time: what counts is how long the person has waited.
            waited = (request.stop_sample - trial.onset) / self.sfreq
            values, last = list(posterior.values()), request.final
            found = judge(s.items, values, self.stopping, seconds=waited, step=s.soa, last=last)
            enough, at_end = complete and found.label is not None, False
        data = {"p_target": p, "sequence": sequence, "items": list(request.data["items"])}
        return together(decision, posterior, winner if enough or at_end else None, data=data)

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Select what the gate lets through; end the trial."""
        trial = self.running(request)
        if trial is None:
            return [], []
        if request.kind == ERROR_POTENTIAL:
            return self._correct(trial, decision, verdict, request)
        if trial.seconds is not None:
            return [], []
        if verdict.allowed and verdict.label is not None:
            return self._select(trial, decision, verdict, request)
        if decision.label is not None:
            trial.reasons = verdict.reasons
        if request.final:
            self._selections += 1
            data = {"trial": trial.index, "class": trial.label, "predicted": None, "correct": False}
            return [], [self._event_at(request.stop_sample, "feedback/result", data=data)]
        return [], []

    def _select(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        s = self.settings
        item = str(verdict.label)
        self.settle(trial, decision, verdict, request)
        trial.predicted = item
        self._selections += 1
        before = self._before = (self.text, self._history)
        self._write(item)
        trial.data |= {"sequences": int(request.data["sequence"]) + 1, "text": self.text, "before": before[0]}
        at = request.stop_sample
        correct = item == trial.label if trial.label else None
        data = {"trial": trial.index, "class": trial.label, "predicted": item, "correct": correct, "text": self.text}
        about = {"trial": trial.index, "item": item, "text": self.text}
        if item == DELETE and not self.back_by_letter:
            about[TAKEN] = before[0][len(self.text) :]
        events = [
            self._event_at(at, f"select/{item}", data=about),
            self._event_at(at, "feedback/result", data=data),
        ]
        if correct is False:
            events.append(self._event_at(at, "feedback/error", data=data))
        self.cut_off(trial, at)
        self._plan_end(trial, at + max(self.schedule.samples(s.pause), 1 + self.ask_error(trial, decision, at)))
        return [self._command(decision, "select", item, ttl=s.ttl, data={"text": self.text})], events

    def _correct(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        taken, events = self.take_back(trial, decision, verdict, request)
        if not taken:
            return [], events
        self.text, self._history = self._before
        commands = [self._command(decision, "undo", trial.data["undone"], ttl=self.settings.ttl)]
        if trial.predicted is not None:
            self._write(trial.predicted)
            about = {"text": self.text}
            commands.append(self._command(decision, "select", trial.predicted, ttl=self.settings.ttl, data=about))
        trial.data["text"] = self.text
        events.append(
            self._event_at(request.stop_sample, "select/undo", data={"trial": trial.index, "text": self.text})
        )
        return commands, events

    def _write(self, item: str) -> None:
        """Write an item, or go back to the text before the last one."""
        if item == DELETE:
            last = self._history[-1] if self._history else ""
            self.text, self._history = self.text[:-1] if self.back_by_letter else last, self._history[:-1]
            return
        self._history = (*self._history, self.text)
        self.text = self._with(item)

    def _with(self, item: str) -> str:
        if item.startswith("#") and item[1:].isdigit() and int(item[1:]) <= len(self._words):
            start = len(self.text) - len(LanguageModel.prefix(self.text))
            return self.text[:start] + self._words[int(item[1:]) - 1] + " "
        # Whole words are told apart, letters make one.
        between = " " if self.text and len(item) > 1 else ""
        return self.text + between + item.replace(SPACE, " ")

    def results(self) -> dict[str, Any]:
        """Return what was written, the sequences it took and the information transfer rate with all pauses."""
        s = self.settings
        base = super().results()
        rows = base["trials"]
        # A trial that ended undecided took its time, too.
        whole = pace(rows) or 0.0
        made = sum(row["seconds"] is not None for row in rows)
        minutes = whole * len(rows) / 60.0
        accuracy = base["accuracy"] or 0.0
        used = [row["sequences"] for row in rows if "sequences" in row]
        letters = 2 * sum(len(item) == 1 for item in s.items) > len(s.items)
        return {
            **base,
            "classes": list(s.items),
            "confusion": None,
            "text": self.text,
            "copy_text": ("" if letters else " ").join(s.copy_text).replace(SPACE, " "),
            "mean_sequences": sum(used) / len(used) if used else None,
            "seconds_per_selection": whole,
            "itr": itr(accuracy, len(s.items), whole) if s.copy_text else None,
            # Whole words, pictures or answers are items, not letters.
            "items_per_minute": made / minutes if minutes else 0.0,
            "letters_per_minute": len(self.text) / minutes if made and minutes and letters else None,
        }

    def stimuli(self) -> list[dict[str, Any]]:
        """Return the flashes as they are at one place, for the stimulus analyser.

        A letter lights up in a few of the groups of a sequence only, less than three times a second; the letters that
        light up together are thin strokes that cover far less than 0.006 sr of any field of 10 degrees.
        """
        s = self.settings
        if s.sense == "auditory":
            return []
        soa = s.soa
        most = max(sum(item in group for group in self._groups_of()) for item in s.items)
        seconds = s.max_sequences * len(self._groups_of()) * soa
        rate = most / (len(self._groups_of()) * soa)
        return [{"kind": "flash", "name": s.mode, "frequency": rate, "depth": 0.6, "size_deg": 1.5, "seconds": seconds}]
