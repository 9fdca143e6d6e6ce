"""Rehabilitation: an attempted or imagined movement, decoded, makes FES, an orthosis or a hand move the limb."""

from typing import Any, ClassVar

from bcikit.decoding.evidence import KofN, Smoother
from bcikit.paradigms.answers import probability_of, together
from bcikit.paradigms.base import Calibration, WindowRequest
from bcikit.paradigms.conditions import balanced_order
from bcikit.paradigms.outline import Adjustable
from bcikit.paradigms.pictures import hands, side_of, watched
from bcikit.paradigms.rehabilitation_settings import RehabilitationSettings
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.score import judged
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.paradigms.trials import Section, Trial, TrialParadigm
from bcikit.signal import BciError, Command, Decision, Event, StreamInfo, Verdict

LEFT_OUT = "left_out"
"""In the data of ``therapist/override`` and ``therapist/skip``: that trial moves no threshold and is no hit or miss."""

ON_TIME = "help_on_time"
"""In the data of ``feedback/start``: help that an arm has planned comes at its time, whatever votes the gate takes."""

HELD = "held-by-therapist"
"""Reason of a decision that has no label because the therapist holds the help back."""


class Rehabilitation(TrialParadigm):
    """Rest, preparation, attempt until the evidence is enough, assistance with ramp, pause."""

    kind: ClassVar[str] = "rehabilitation"
    Settings: ClassVar[type[ParadigmSettings]] = RehabilitationSettings
    adjustable: ClassVar[tuple[Adjustable, ...]] = (
        Adjustable(key="calibration_runs", low=2, high=4, step=1),
        Adjustable(key="trials_per_run", low=10, high=40, step=2),
        Adjustable(key="runs", low=1, high=6, step=1),
        Adjustable(key="between_runs", low=5, high=300, step=5, unit="s"),
        Adjustable(key="threshold", low=0.6, high=0.9, step=0.05),
        Adjustable(key="assist.seconds", low=1, high=5, step=0.5, unit="s"),
        Adjustable(key="assist.amplitude_ma", low=1, high=30, step=1, unit="mA"),
        Adjustable(key="assist.pulse_us", low=50, high=400, step=50, unit="µs"),
        Adjustable(key="assist.frequency_hz", low=10, high=50, step=5, unit="Hz"),
        Adjustable(key="assist.area_cm2", low=4, high=100, step=1, unit="cm²"),
    )
    settings: RehabilitationSettings
    takes_stopping = True
    all_grade = False
    """True where a session is replayed in which what the therapist helped, held or skipped moved the threshold, too."""
    late_help = False
    """True where a session is replayed in which planned help came late, with the end of a film, or though held."""

    @property
    def idle(self) -> str | None:
        """Not attempting to move."""
        return str(self.settings.idle)

    @property
    def needs(self) -> tuple[str, ...]:
        """Electrodes over both hand areas."""
        return ("C3", "C4")

    @property
    def classes(self) -> tuple[str, ...]:
        """Movement and rest."""
        return (self.settings.movement, self.settings.idle)

    @property
    def calibration(self) -> Calibration | None:
        """The window that begins half a second into the attempt."""
        events = {f"cue/{name}": name for name in self.classes}
        start = self.settings.watch + 0.5
        return Calibration(events=events, tmin=start, tmax=start + self.settings.window)

    @property
    def films(self) -> dict[str, str]:
        """The film of the movement, where there is one."""
        return {"video": self.settings.video} if self.settings.video else {}

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare; the order of trials, pauses and sham delays follow from `seed`."""
        super().configure(info, seed=seed)
        s = self.settings
        self._smoother = Smoother(s.smoothing)
        self._enough = KofN(s.k, s.n)
        self.threshold = s.threshold
        self._tested = 0.0
        self._hits: list[bool] = []
        self._dose = 0.0
        self._assists = 0
        self._help = False
        self._hold = False

    def sections(self) -> list[Section]:
        """Return calibration runs and assisted runs with pauses between them."""
        s = self.settings
        parts: list[Section] = []
        for index in range(s.calibration_runs + s.runs):
            calibration = index < s.calibration_runs
            if calibration:
                labels = balanced_order(self.classes, s.trials_per_run, self.rng)
            else:
                idle = round(s.idle_share * s.trials_per_run)
                order = [s.idle] * idle + [s.movement] * (s.trials_per_run - idle)
                labels = tuple(str(label) for label in self.rng.permutation(order))
            kind = "calibration" if calibration else "feedback"
            number = index + 1 if calibration else index + 1 - s.calibration_runs
            parts.append(Section(kind=kind, name=f"{kind} {number}", labels=labels))
            if s.between_runs and index < s.calibration_runs + s.runs - 1:
                parts.append(Section(kind="break", name="pause", seconds=s.between_runs, phase="break"))
        return parts

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return the hands, and before the attempt the film where there is one."""
        s = self.settings
        affected = s.affected_side or side_of(s.movement)
        seen = watched(event, before, film=s.video, label=s.movement, affected=affected) if s.video or s.watch else None
        if seen is not None:
            return seen
        group = "attempts" if s.task == "attempt" else "cues"
        kind = "action-observation" if s.video else self.kind
        return hands(event, before, kind=kind, classes=self.classes, affected=affected, group=group)

    def plan_trial(self, trial: Trial) -> int:
        """Plan rest, preparation and attempt; what follows depends on the decoder."""
        s = self.settings
        ready = s.rest + s.prepare
        trial.onset = self.at(trial, ready)
        self.forget()
        self._help = self._hold = False
        self.plan(trial, trial.start, "phase/rest", seconds=s.rest)
        self.plan(trial, self.at(trial, s.rest), "phase/prepare", seconds=s.prepare)
        self.plan(trial, self.at(trial, s.rest), "sound/beep", seconds=0.07, data={"frequency": 1000.0})
        data = {"class": trial.label}
        self.plan(trial, trial.onset, f"cue/{trial.label}", seconds=s.watch + s.attempt, data=data)
        if s.video and trial.label == s.movement:
            self.plan(trial, trial.onset, "stimulus/video", seconds=s.watch + s.attempt, data={"file": s.video})
        begin = ready + s.watch
        if s.watch:
            self.plan(trial, trial.onset, "phase/watch", seconds=s.watch, data=data)
        self.plan(trial, self.at(trial, begin), f"phase/{s.task}", seconds=s.attempt, data=data)
        stop = self.at(trial, begin + s.attempt)
        if not trial.section.silent:
            self._plan_windows(trial, begin)
        return self._plan_pause(trial, stop)

    @property
    def evidence_span(self) -> tuple[float, float]:
        """The windows of an attempt."""
        s = self.settings
        return s.watch + 1.0 / s.rate, s.watch + s.attempt

    def forget(self) -> None:
        """Begin with no evidence."""
        super().forget()
        self._smoother.reset()
        self._enough.reset()

    def _plan_windows(self, trial: Trial, begin: float) -> None:
        s = self.settings
        about = {} if self.late_help else {ON_TIME: True}
        self.plan(trial, self.at(trial, begin), "feedback/start", seconds=s.attempt, data=about)
        length = self.schedule.samples(s.window)
        delay = self._sham_delay(trial)
        # An idle trial is the decoder's in every arm.
        trial.data["planned_delay"] = delay if trial.label == s.movement else None
        for index in range(1, s.decisions + 1):
            stop = self.at(trial, begin + index / s.rate)
            self._ask(WindowRequest(stop, length, index == s.decisions, trial.index, "feedback", locked=trial.onset))

    def _sham_delay(self, trial: Trial) -> float | None:
        s = self.settings
        if s.arm == "contingent":
            return None
        if s.arm == "yoked":
            return s.yoked_delays[trial.index % len(s.yoked_delays)]
        if self.late_help:
            return float(self.rng.uniform(1.0 / s.rate, s.watch + s.attempt))
        # Any decision that the votes let act is as likely as any other; the film before them has none.
        first = min(self.votes, s.decisions)
        return s.watch + int(self.rng.integers(first, s.decisions + 1)) / s.rate

    def _is_due(self, elapsed: float, delay: float) -> bool:
        """Return whether a decision must have the label, for the help to come with the decision next to `delay`.

        The gate wants votes, which have to be there by then. Past the last decision there is no help, so it comes with
        that one.
        """
        if self.late_help:
            return elapsed >= delay
        s = self.settings
        # Of another person, the delays may have been rounded to samples of another length.
        number, wanted = (round((seconds - s.watch) * s.rate) for seconds in (elapsed, delay))
        return number > min(wanted, s.decisions) - self.votes

    def _plan_pause(self, trial: Trial, stop: int) -> int:
        pause = self.longer_than_delay(float(self.rng.uniform(*self.settings.pause)))
        self.plan(trial, stop, "phase/pause", seconds=pause)
        return stop + self.schedule.samples(pause)

    # ---- decisions ---------------------------------------------------------------------------------------------
    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:
        """Return the smoothed probability, with the label once it was high often enough.

        In the other arms, and when the therapist helps, the label is given at its time so that the gate judges
        everything but the decoder: signal, stream, state and dose.
        """
        trial = self.running(request)
        s = self.settings
        p = probability_of(decision, s.movement)
        if trial is None or p is None:
            return decision
        elapsed = (request.stop_sample - trial.onset) / self.sfreq
        if self.stopping is None:
            smooth = self._smoother.add(p)
            yes = self._enough.add(yes=smooth >= self.threshold)
        else:
            # Evidence begins with the attempt; a trial without enough of it ends without help.
            gathered = self.gather(decision, request)
            smooth = probability_of(gathered, s.movement) or 0.0
            yes = gathered.label == s.movement
        data: dict[str, Any] = {"window_p": p, "smoothed": smooth, "threshold": self.threshold}
        delay = trial.data.get("planned_delay")
        if trial.label and (self._help or (delay is not None)):
            held = self._hold and not self.late_help
            yes = self._help or (not held and self._is_due(elapsed, float(delay or 0.0)))
            data["by"] = "therapist" if self._help else "plan"
            shown = 1.0 if yes else 0.5
            reason = HELD if held else "gathering-evidence"
            return together(decision, self._both(shown), s.movement if yes else None, reason=reason, data=data)
        if trial.label and self._hold:
            return together(decision, self._both(smooth), None, reason=HELD, data=data)
        return together(decision, self._both(smooth), s.movement if yes else None, data=data)

    def _both(self, p: float) -> dict[str, float]:
        return {self.settings.movement: p, self.settings.idle: 1.0 - p}

    def on_decision(
        self, decision: Decision, verdict: Verdict, request: WindowRequest
    ) -> tuple[list[Command], list[Event]]:
        """Show the evidence; assist once, when the gate lets the label through; settle the trial at its end."""
        trial = self.running(request)
        s = self.settings
        if trial is None or trial.seconds is not None:
            return [], []
        events: list[Event] = []
        p = probability_of(decision, s.movement)
        if p is not None:
            data = {"trial": trial.index, "class": s.movement, "correct": trial.label == s.movement}
            shown = {**data, "informational": True, "threshold": self.threshold}
            events.append(self._event_at(request.stop_sample, "feedback/update", value=p, data=shown))
        if verdict.allowed and verdict.label == s.movement:
            return self._assist(trial, decision, verdict, request, events)
        if decision.label is not None:
            trial.reasons = verdict.reasons
        if request.final:
            trial.predicted = s.idle
            trial.seconds = (request.stop_sample - trial.onset) / self.sfreq
            trial.confidence = 0.0 if p is None else 1.0 - p
            trial.allowed = trial.label == s.idle
            events += self._outcome(trial, request.stop_sample)
        return [], events

    def _assist(
        self, trial: Trial, decision: Decision, verdict: Verdict, request: WindowRequest, events: list[Event]
    ) -> tuple[list[Command], list[Event]]:
        assist = self.settings.assist
        self.settle(trial, decision, verdict, request)
        start = request.stop_sample
        pulses = {"channel", "amplitude_ma", "pulse_us", "frequency_hz", "area_cm2", "site"}
        data = {
            "trial": trial.index,
            "class": self.settings.movement,
            "duration": assist.seconds,
            "ramp": assist.ramp,
            **(assist.model_dump(include=pulses) if assist.command == "stimulate" else {}),
        }
        command = self._command(decision, assist.command, 1.0, ttl=assist.seconds, data=data)
        self._assists += 1
        self._dose += assist.seconds
        trial.data |= {"latency": decision.age, "by": decision.data.get("by", "decoder"), "dose": assist.seconds}
        events += self._outcome(trial, start)
        self.cut_off(trial, start)
        about = {"latency": decision.age, "dose": self._dose}
        self.plan(trial, start, "assist/start", seconds=assist.seconds, data=about)
        self.plan(trial, start, "phase/assist", seconds=assist.seconds)
        stop = start + self.schedule.samples(assist.seconds)
        self.plan(trial, stop, "assist/end")
        self._plan_end(trial, self._plan_pause(trial, stop))
        return [command], events

    def _outcome(self, trial: Trial, sample: int) -> list[Event]:
        correct = trial.predicted == trial.label
        data = {"trial": trial.index, "class": trial.label, "predicted": trial.predicted, "correct": correct}
        events = [self._event_at(sample, "feedback/result", data=data)]
        if not correct:
            events.append(self._event_at(sample, "feedback/error", data=data))
        return events

    def interrupt(self, sample: int) -> list[Event]:
        """Do the trial again that a stop cut off."""
        self.do_again(sample)
        return []

    def end_trial(self, trial: Trial) -> None:
        """Make it harder after many hits and easier after few."""
        s = self.settings.difficulty
        trial.data["threshold"] = self.threshold
        if trial.section.silent or trial.label != self.settings.movement:
            return
        if not (self.all_grade or judged(trial.data)):
            return
        self._hits = [*self._hits, trial.predicted == trial.label][-s.trials :]
        if not s.adapt or self.settings.arm != "contingent" or len(self._hits) < s.trials:
            return
        share = sum(self._hits) / len(self._hits)
        change = s.step if share > s.aim else -s.step if share < s.aim else 0.0
        self.threshold = round(min(max(self.threshold + change, s.lowest, self._tested), s.highest), 6)

    def keep_tested(self) -> None:
        """Keep the threshold at or above that of now."""
        self._tested = self.threshold

    def on_operator(self, action: str, sample: int, time: float, **data: Any) -> list[Event]:  # noqa: ARG002
        """Take the therapist's word: "override" (assist=true or false), "skip", "difficulty" (value)."""
        trial = self.trial
        said = dict(data)
        if action == "difficulty":
            low, high = self.settings.difficulty.lowest, self.settings.difficulty.highest
            wanted = float(data.get("value", self.threshold))
            if wanted < self._tested:
                raise BciError(
                    f"the idle test was made with a threshold of {self._tested:g}; a lower one ({wanted:g}) needs "
                    "another idle test, in a session that begins with it"
                )
            self.threshold = min(max(wanted, low), high)
            said["threshold"] = self.threshold
        elif trial is not None and action == "override":
            self._help = bool(data.get("assist", True))
            self._hold = not self._help
            # What was decided before stays decided.
            if trial.seconds is None:
                trial.data["override"] = "assist" if self._help else "hold"
        elif trial is not None and action == "skip":
            if trial.interrupted and not trial.data.get("skipped") and self._queue[:1] == [trial.label]:
                # A pause cut it off, to be done again: who skips it then does not want it again.
                self._queue.pop(0)
                # Of a calibration nothing is to be learned of it all the same.
                trial.interrupted = trial.section.silent
            if trial.seconds is None:
                trial.data["skipped"] = True
            self.cut_off(trial, sample + 1)
            self._plan_end(trial, sample + 1)
        elif action == "skip":
            self.skip_page(sample)
        if action in ("override", "skip") and not self.all_grade:
            said[LEFT_OUT] = True
        return [self._event_at(sample, f"therapist/{action}", data=said)]

    def results(self) -> dict[str, Any]:
        """Return hits and false triggers, delays, dose and the course of the threshold."""
        s = self.settings
        base = super().results()
        rows = base["trials"]
        delays = [
            row["seconds"] for row in rows if row["class"] == s.movement and row["correct"] and not row.get("override")
        ]
        if s.blind:
            rows = [{key: row[key] for key in row if key not in ("planned_delay", "by")} for row in rows]
        left = [row for row in rows if judged(row)]
        moves = [row for row in left if row["class"] == s.movement]
        idles = [row for row in left if row["class"] == s.idle]
        # Where the arm is sealed, how often what moved was right would tell who moved it.
        sealed: dict[str, Any] = dict.fromkeys(("accuracy", "accuracy_gated", "itr")) if s.blind else {}
        return {
            **base,
            **sealed,
            "trials": rows,
            "arm": "sealed" if s.blind else s.arm,
            "hit_rate": sum(row["correct"] for row in moves) / len(moves) if moves and not s.blind else None,
            "false_triggers": sum(row["predicted"] == s.movement for row in idles),
            "n_idle_trials": len(idles),
            "n_left_out": len(rows) - len(left),
            "seconds_to_assist": sum(delays) / len(delays) if delays else None,
            "assist_delays": delays,
            "assists": self._assists,
            "assist_seconds": self._dose,
            "contingency_latency": [row["latency"] for row in rows if "latency" in row],
            "threshold": self.threshold,
            # Only where the decoder decided, and where nobody has to be kept from knowing.
            "meaning": self._meaning(moves, idles) if s.arm == "contingent" and not s.blind else None,
        }

    def _meaning(self, moves: list[dict[str, Any]], idles: list[dict[str, Any]]) -> list[str]:
        """Return hits and false triggers against each other: attempts are more frequent, an accuracy misleads."""
        if not moves:
            return ["No attempt was finished without the therapist."]
        from scipy.stats import fisher_exact

        hits = sum(bool(row["correct"]) for row in moves)
        false = sum(row["predicted"] == self.settings.movement for row in idles)
        told = f"In {hits} of {len(moves)} attempts the movement was assisted"
        if not idles:
            return [f"{told}. There were no idle trials: how often it would come unasked is not known."]
        by_chance = float(fisher_exact([[hits, len(moves) - hits], [false, len(idles) - false]], "greater").pvalue)
        much = "< 0.001" if by_chance < 0.001 else f"= {by_chance:.3f}"
        verdict = "It followed the attempt" if by_chance < 0.05 else "That it followed the attempt is not shown"
        told += f", unasked it came in {false} of {len(idles)} idle trials"
        always = "Always moving would be right in every attempt too, but unasked in every idle trial."
        return [f"{told}. {verdict} (Fisher's exact test, p {much}). {always}"]
