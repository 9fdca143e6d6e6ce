"""Protocols made of blocks of trials: the frame that every cue-based paradigm fills in."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bcikit.paradigms.base import Paradigm, WindowRequest
from bcikit.paradigms.schedule import Action, Planned
from bcikit.paradigms.score import summarise
from bcikit.paradigms.stage import PAGES
from bcikit.paradigms.support import ERROR, ERROR_POTENTIAL, ErrorCheck, TrialEvidence, errors_of
from bcikit.signal import ArgumentError, Command, Decision, Event, StreamInfo, Verdict

ONCE = "done_again_once"
"""In the data of ``paradigm/start``: a trial that a stop cuts off is done again once; a flicker ends with it."""

_SKIPPED = -2
"""Group of the end of what the therapist may skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A block of trials, or a timed phase without trials.

    Attributes
    ----------
    kind : str
        "calibration", "feedback", "baseline", "break", "custom", "instructions" or "practice".
    name : str
        For people and reports.
    labels : tuple of str
        Class of each trial; empty for a timed phase.
    seconds : float
        Length of a timed phase.
    phase : str
        Event ``phase/<phase>`` at its start.
    data : mapping
        Data of that event.
    """

    kind: str
    name: str
    labels: tuple[str, ...] = ()
    seconds: float = 0.0
    phase: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def silent(self) -> bool:
        """True where nothing is decided and nothing counts as a result: calibration and practice."""
        return self.kind in ("calibration", "practice")

    @property
    def counts(self) -> bool:
        """True where a trial is a result: neither calibration, practice nor what comes before, such as a baseline."""
        return not self.silent and self.kind != "custom"


@dataclass(slots=True, kw_only=True)
class Trial:
    """A trial that is running or over.

    Attributes
    ----------
    index : int
        Counted from 0 over the whole session.
    section : Section
        Where it belongs.
    label : str
        What the person is asked to do; empty where that is free.
    start : int
        Sample of its start.
    onset : int
        Sample of the cue, from which the time to the decision counts.
    predicted : str or None
        Likeliest class of the deciding window.
    allowed : bool
        Whether the gate let it through.
    seconds : float or None
        From `onset` to the end of the deciding window.
    lasted : float or None
        Seconds from its start to its end, with every pause; with cues from outside, to the start of the next one. None
        until that is there.
    over : bool
        True once its result is in the list.
    interrupted : bool
        True if a stop cut it off: it does not count, and another of its class is done in its place.
    data : dict
        What the paradigm adds to its row.
    """

    index: int
    section: Section
    label: str
    start: int
    onset: int
    predicted: str | None = None
    allowed: bool = False
    reasons: tuple[str, ...] = ()
    confidence: float = 0.0
    seconds: float | None = None
    lasted: float | None = None
    over: bool = False
    interrupted: bool = False
    data: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the line of the trial in the results, ready for JSON."""
        return {
            "trial": self.index,
            "section": self.section.name,
            "class": self.label,
            "predicted": self.predicted,
            "correct": self.predicted is not None and self.predicted == self.label,
            "allowed": self.allowed,
            "reasons": list(self.reasons),
            "confidence": self.confidence,
            "seconds": self.seconds,
            "lasted": self.lasted,
            "sample": self.start,
            **self.data,
        }


class TrialParadigm(Paradigm):
    """A paradigm of sections, each a row of trials or a timed phase.

    A subclass gives `sections` and `plan_trial`; the frame gives the events ``paradigm/start``, ``block/start``,
    ``trial/start``, ``trial/end``, ``block/end``, ``calibration/end``, ``paradigm/end`` and the results.
    """

    flickers_on = False
    """As in older versions: a stop ends no flicker, and each stop of a trial has it done again."""

    @abstractmethod
    def sections(self) -> list[Section]:
        """Return what is done, in order; called once a session, `self.rng` is ready."""

    @abstractmethod
    def plan_trial(self, trial: Trial) -> int:
        """Plan the events and windows of a trial and return the sample at which it ends."""

    def introduction(self) -> list[Section]:
        """Return the pages of instructions and a practice trial, which nothing learns from; empty where not wanted."""
        seconds = self.settings.instructions
        if not seconds:
            return []
        pages = len(PAGES)
        parts = [
            Section(
                kind="instructions",
                name=f"instructions {page}",
                seconds=seconds,
                phase="instructions",
                data={"page": page, "pages": pages},
            )
            for page in range(1, pages + 1)
        ]
        label = self.practice_label
        if label:
            parts.append(Section(kind="practice", name="practice", labels=(label,)))
        return parts

    @property
    def practice_label(self) -> str:
        """Class of the practice trial; empty where practising makes no sense."""
        return self.classes[0] if self.classes else ""

    # ---- the clock ---------------------------------------------------------------------------------------------
    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare for a stream; the order of trials follows from `seed`."""
        super().configure(info, seed=seed)
        self.rng = np.random.default_rng(seed)
        self._sections = [] if self.outside else [*self.introduction(), *self._wanted_sections()]
        self._evidence = (
            None if self.stopping is None else TrialEvidence(self.stopping, idle=self.idle, sfreq=info.sfreq)
        )
        self._acted: Decision | None = None
        self._rested: Trial | None = None
        self._section = -1
        self._trial: Trial | None = None
        self._n_trials = 0
        self._queue: list[str] = []
        self.trials: list[Trial] = []
        self.outside_seconds = 0.0
        """Duration of the newest event of the source that began a trial."""

    def _wanted_sections(self) -> list[Section]:
        """Return the sections; without the calibration, and the pauses after it, where a model is there already."""
        parts = self.sections()
        if not self.skip_calibration:
            return parts
        kept: list[Section] = []
        for part in parts:
            before = kept[-1].kind if kept else "break"
            if part.kind != "calibration" and not (part.kind == "break" and before == "break"):
                kept.append(part)
        return kept

    def start(self, sample: int, time: float) -> None:
        """Begin the first section at `sample`."""
        self._anchor = (sample, time)
        data = {"paradigm": self.kind, "name": self.name, "classes": list(self.classes), "seed": self.seed}
        if not self.flickers_on:
            data[ONCE] = True
        self.schedule.add(Planned(sample=sample, name="paradigm/start", data=data))
        if not self.outside:
            self._next_section(sample)

    @property
    def outside(self) -> bool:
        """True if the trials begin with events of the source."""
        return getattr(self.settings, "cues", "internal") == "external"

    @property
    def trial(self) -> Trial | None:
        """The trial that is running."""
        return self._trial

    def _next_section(self, sample: int) -> None:
        self._section += 1
        if self._section >= len(self._sections):
            self.schedule.add(Planned(sample=sample, name="paradigm/end", action=self._end))
            return
        section = self._sections[self._section]
        data = {"block": self._section, "kind": section.kind, "name": section.name, "trials": len(section.labels)}
        self.schedule.add(Planned(sample=sample, name="block/start", data=data, duration=section.seconds))
        self.begin_section(section, sample)
        if section.labels:
            self._queue = list(section.labels)
            self._next_trial(sample)
            return
        if section.phase:
            about = dict(section.data)
            self.schedule.add(
                Planned(sample=sample, name=f"phase/{section.phase}", duration=section.seconds, data=about)
            )
        stop = sample + self.schedule.samples(section.seconds)
        end = Planned(sample=stop, name="block/end", data=data, action=self._next_section, group=self._group(section))
        self.schedule.add(end)

    def _group(self, section: Section) -> int:
        """Return the group of a timed phase that the therapist may end early; others end with their time."""
        return _SKIPPED if section.kind in ("instructions", "break") else -1

    def skip_page(self, sample: int) -> bool:
        """End a page of instructions or a break now; return whether there was one."""
        section = self._sections[self._section] if 0 <= self._section < len(self._sections) else None
        if section is None or section.labels or self._group(section) != _SKIPPED:
            return False
        data = {"block": self._section, "kind": section.kind, "name": section.name, "trials": 0, "skipped": True}
        self.schedule.cancel(_SKIPPED, sample)
        end = Planned(sample=sample + 1, name="block/end", data=data, action=self._next_section, group=_SKIPPED)
        self.schedule.add(end)
        return True

    def on_operator(self, action: str, sample: int, time: float, **data: Any) -> list[Event]:  # noqa: ARG002
        """Take the therapist's "skip": it ends a page of instructions or a break."""
        if action != "skip" or not self.skip_page(sample):
            return []
        return [self._event_at(sample, "therapist/skip", data=data)]

    def begin_section(self, section: Section, sample: int) -> None:
        """Do what a section needs at its start; nothing by default."""

    def _next_trial(self, sample: int) -> None:
        if self.outside:
            limit = self.settings.external_trials
            if limit and self._n_trials >= limit:
                self.schedule.add(Planned(sample=sample, name="paradigm/end", action=self._end))
            return
        section = self._sections[self._section]
        if not self._queue:
            data = {"block": self._section, "kind": section.kind, "name": section.name, "trials": len(section.labels)}
            later = self._sections[self._section + 1 :]
            if section.kind == "calibration" and not any(item.kind == "calibration" for item in later):
                count = sum(len(item.labels) for item in self._sections if item.kind == "calibration")
                self.schedule.add(Planned(sample=sample, name="calibration/end", data={"trials": count}))
            self.schedule.add(Planned(sample=sample, name="block/end", data=data, action=self._next_section))
            return
        self._begin_trial(section, self._queue.pop(0), sample)

    def heeds(self, event: Event) -> bool:
        """Return whether it is a cue of the source."""
        return self.outside and not self._finished and event.name in self.settings.external

    def on_source_event(self, event: Event) -> list[Event]:
        """Begin a trial where the event is a cue of the source; what follows comes with the next `advance`."""
        if not self.heeds(event):
            return []
        label = self.settings.external[event.name]
        at, time = self._anchor
        sample = event.sample if event.sample is not None else at + round((event.time - time) * self.sfreq)
        if self._trial is not None:
            # The next cue ends what is left of the trial before it.
            self.cut_off(self._trial, sample)
            self._plan_end(self._trial, sample)
        section = Section(kind="feedback", name="external")

        def begin(start: int) -> None:
            self.outside_seconds = event.duration
            self._begin_trial(section, label, start)

        self.schedule.add(Planned(sample=sample, action=begin))
        return []

    def _begin_trial(self, section: Section, label: str, sample: int) -> Trial:
        trial = Trial(index=self._n_trials, section=section, label=label, start=sample, onset=sample)
        self._n_trials += 1
        self._trial = trial
        if self.outside and self.trials:
            # The pause is the other program's, and over with its next cue.
            self.trials[-1].lasted = (sample - self.trials[-1].start) / self.sfreq
        if self._evidence is not None:
            self._evidence.reset()
        self._acted = None
        self.plan(trial, sample, "trial/start", data={"trial": trial.index, "class": label, "kind": section.kind})
        self._plan_end(trial, self.plan_trial(trial))
        return trial

    def _plan_end(self, trial: Trial, sample: int) -> None:
        data: dict[str, Any] = {"trial": trial.index, "class": trial.label, "kind": trial.section.kind}
        if trial.interrupted:
            data["interrupted"] = True
        self.plan(trial, sample, "trial/end", data=data, action=self._end_trial)

    def _end_trial(self, sample: int) -> None:
        if self._trial is not None and not self.outside:
            self._trial.lasted = (sample - self._trial.start) / self.sfreq
        self._close_trial()
        self._next_trial(sample)

    def _close_trial(self) -> None:
        trial = self._trial
        if trial is not None and not trial.over:
            trial.over = True
            self._drop_windows(trial.index)
            if not trial.interrupted:
                self.trials.append(trial)
                self.end_trial(trial)
        self._trial = None

    def end_trial(self, trial: Trial) -> None:
        """Do what the end of a trial asks for (adapt a level); nothing by default."""

    def _end(self, sample: int) -> None:  # noqa: ARG002
        self._finished = True

    # ---- for subclasses ----------------------------------------------------------------------------------------
    def plan(
        self,
        trial: Trial,
        sample: int,
        name: str = "",
        *,
        value: float | str | None = None,
        seconds: float = 0.0,
        data: Mapping[str, Any] | None = None,
        action: Action | None = None,
    ) -> None:
        """Plan an event of a trial; it is cancelled with the trial."""
        self.schedule.add(
            Planned(
                sample=sample,
                name=name,
                value=value,
                duration=seconds,
                data={"trial": trial.index, **self._mark(trial), **(data or {})},
                action=action,
                group=trial.index,
            )
        )

    @staticmethod
    def _mark(trial: Trial) -> dict[str, Any]:
        """Return the mark of a practice trial, by which whatever learns leaves its events out."""
        return {"practice": True} if trial.section.kind == "practice" else {}

    def tell(self, sample: int, name: str, *, seconds: float = 0.0, data: Mapping[str, Any] | None = None) -> None:
        """Plan an event that belongs to no trial."""
        self.schedule.add(Planned(sample=sample, name=name, duration=seconds, data=dict(data or {})))

    def at(self, trial: Trial, seconds: float) -> int:
        """Return the sample `seconds` after the start of a trial."""
        return trial.start + self.schedule.samples(seconds)

    def decide(self, trial: Trial) -> int:
        """Ask for the window after the cue that the calibration learns from, unless the trial is silent.

        Returns
        -------
        int
            The sample after that window: a trial may end there.

        Raises
        ------
        ArgumentError
            If the paradigm has no `calibration` to say which window that is.
        """
        if self.calibration is None:
            raise ArgumentError(f"{self.name} has no calibration: say with a WindowRequest which window is decided.")
        tmin, tmax = self.calibration.tmin, self.calibration.tmax
        stop = trial.onset + self.schedule.samples(tmax)
        if not trial.section.silent:
            length = self.schedule.samples(tmax - tmin)
            self._ask(WindowRequest(stop, length, final=True, trial=trial.index, locked=trial.onset))
        return stop

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Settle the trial with its deciding window; nothing moves, which a subclass adds."""
        trial = self.running(request)
        if trial is not None and request.final:
            self.settle(trial, decision, verdict, request)
        return [], []

    def settle(self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest) -> None:
        """Write the deciding answer into the trial; the likeliest class counts, whatever the gate said."""
        if decision.probabilities:
            best = max(range(len(decision.probabilities)), key=decision.probabilities.__getitem__)
            trial.predicted = decision.classes[best]
            trial.confidence = float(decision.probabilities[best])
        trial.allowed = verdict.allowed
        trial.reasons = verdict.reasons
        trial.seconds = (request.stop_sample - trial.onset) / self.sfreq

    def longer_than_delay(self, seconds: float) -> float:
        """Return a pause in which the last window of the trial is still answered: a screen delays it."""
        delay = self.settings.display_delay
        return max(seconds, delay + 0.1) if delay else seconds

    # ---- what a session adds -----------------------------------------------------------------------------------
    def gather(self, decision: Decision, request: WindowRequest, *, growing: bool = False) -> Decision:
        """Return what the windows of the trial say together, where the session has a rule of stopping.

        Windows that reach back before the cue, or come after the choice, say nothing.
        """
        trial = self.running(request)
        if self._evidence is None or trial is None:
            return decision
        if request.start_sample < trial.onset or trial.seconds is not None:
            return replace(decision, label=None, reason=decision.reason or "gathering-evidence")
        return self._evidence.add(decision, request, growing=growing)

    @property
    def evidence_span(self) -> tuple[float, float] | None:
        """From when to when after its onset the windows of a trial end that decide together, in seconds.

        None where windows are judged one by one, or where nothing ends with a trial.
        """
        if self.stopping is None or not math.isfinite(self.stopping.max_seconds):
            return None
        wanted = self.calibration
        window = 0.0 if wanted is None else wanted.tmax - wanted.tmin
        return window, max(window, self.stopping.max_seconds)

    def at_rest(self, decision: Decision, request: WindowRequest) -> Decision:
        """Interpret a window of the idle test as in a run whose trials follow each other without a pause or a cue."""
        span, trial, final = self.evidence_span, self._rested, False
        ends = None if trial is None or span is None else trial.onset + self.schedule.samples(span[1])
        if trial is None or (ends is not None and request.stop_sample > ends):
            self.forget()
            onset = request.start_sample if span is None else request.stop_sample - self.schedule.samples(span[0])
            section = Section(kind="feedback", name="rest")
            trial = self._rested = Trial(index=request.trial, section=section, label="", start=onset, onset=onset)
        resting = self.resting()
        if span is not None and resting is not None:
            step = self.schedule.samples(1.0 / resting[1])
            final = request.stop_sample + step > trial.onset + self.schedule.samples(span[1])
        running, self._trial = self._trial, trial
        try:
            return self.interpret(decision, replace(request, final=final))
        finally:
            self._trial = running

    def forget(self) -> None:
        """Forget the evidence, and the trial that the idle test was in."""
        self._rested = None
        if self._evidence is not None:
            self._evidence.reset()

    def ask_error(self, trial: Trial, acted: Decision, at: int) -> int:
        """Look for an error potential after a choice; return the samples that takes, 0 where nobody looks."""
        check = self.error_check
        if check is None:
            return 0
        self._acted = acted
        length = self.schedule.samples(check.tmax - check.tmin)
        wait = self.schedule.samples(check.tmax)
        # Seen when the result is on the screen, which may be later than it was planned.
        self._ask(WindowRequest(at + wait, length, trial=trial.index, kind=ERROR_POTENTIAL, locked=at))
        return wait + self.schedule.samples(self.settings.display_delay)

    def opinion(self, found: Decision) -> Decision:
        """Return what an error potential says of the choice of this trial."""
        check = self.error_check
        if self._acted is None or not isinstance(check, ErrorCheck):
            return replace(found, label=None, reason=found.reason or "no-choice")
        return check.judge(self._acted, found)

    def take_back(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[bool, list[Event]]:
        """Take a choice back where the error potential says so and the gate allows it; return whether it was."""
        trial.data["p_error"] = decision.data.get("p_error")
        if decision.label != ERROR or not verdict.allowed:
            return False, []
        instead = decision.data.get("instead")
        trial.data |= {"undone": trial.predicted}
        trial.predicted = instead
        data = {"trial": trial.index, "item": trial.data["undone"], "instead": instead}
        return True, [self._event_at(request.stop_sample, "feedback/undo", data=data)]

    def running(self, request: WindowRequest) -> Trial | None:
        """Return the trial a request belongs to, None if that is over."""
        trial = self._trial
        return trial if trial is not None and trial.index == request.trial and not trial.over else None

    def cut_off(self, trial: Trial, sample: int) -> None:
        """Forget what was planned of a trial from `sample` on, and its windows; its end must be planned anew."""
        self.schedule.cancel(trial.index, sample)
        self._drop_windows(trial.index)

    def do_again(self, sample: int) -> None:
        """End the trial at `sample` without counting it, and put its class in front of the queue."""
        trial = self._trial
        # Before the cue nothing is lost, and after the answer nothing either; a second stop cuts nothing more off.
        if self.outside or trial is None or sample <= trial.onset or trial.seconds is not None:
            return
        if trial.interrupted and not self.flickers_on:
            return
        trial.interrupted = True
        self._queue.insert(0, trial.label)
        self.cut_off(trial, sample)
        self._plan_end(trial, sample)

    def on_dropped(self, frames: int) -> None:
        """Mark the running trial: its stimulus was not what was planned."""
        if self._trial is not None:
            self._trial.data["dropped_frames"] = self._trial.data.get("dropped_frames", 0) + frames

    def results(self) -> dict[str, Any]:
        """Return scores of the trials with feedback, and one row a trial."""
        rows = [trial.row() for trial in self.trials if trial.section.counts]
        return {
            "paradigm": self.kind,
            "name": self.name,
            "n_calibration_trials": sum(trial.section.kind == "calibration" for trial in self.trials),
            **summarise(rows, self.classes),
            **({} if self.error_check is None else errors_of(rows)),
        }
