"""`bcikit evaluate --pseudo-online`: people's recordings decided as if live, idle time and all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bcikit.decoding import Model, epochs
from bcikit.decoding.acting import ActingRule
from bcikit.decoding.alike import say_left_out
from bcikit.decoding.chance import accuracy_interval
from bcikit.decoding.evaluation.same import doubt_same_trials
from bcikit.decoding.evaluation.task import Run, SubjectTrials, Task, usable_runs
from bcikit.decoding.pseudo_online import PseudoOnline
from bcikit.decoding.registry import make_decoder
from bcikit.session.offline import pseudo_online
from bcikit.signal import BciError, DataError, Recording, label_of

IDLE_NAMES = ("rest", "idle", "none", "nothing")
"""Classes of these names mean that nothing is wanted."""

DEFINITION = (
    "each run is decided by the code that runs live, window by window from its first sample to its last, with a "
    "decoder trained on the person's other sessions (other runs where there is one session). Sensitivity: share of "
    "trials in which the right class acted before the trial was over; wrong: share in which another one did. False "
    "activation: anything that acts while nothing is asked for; windows that begin before an event and end in its "
    "trial count for neither."
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LiveResult:
    """One decoder on all people of a task.

    Attributes
    ----------
    task, decoder : str
        What.
    runs : dict of str to list of PseudoOnline
        Person to what came of each run.
    failures : dict of str to str
        Person to why there is none.
    seconds : dict of str to float
        Person to how long a class is asked for after its event: by the length of their own events.
    rule : ActingRule
        When windows act.
    step : float
        Seconds between windows.
    """

    task: str
    decoder: str
    runs: dict[str, list[PseudoOnline]]
    failures: dict[str, str]
    seconds: dict[str, float]
    rule: ActingRule
    step: float

    def numbers(self, people: Sequence[str] | None = None) -> dict[str, Any]:
        """Return the numbers over some people, all if left out, with 95 % intervals.

        Sensitivity: Wilson's interval. False activations a minute: the exact Poisson interval (Garwood 1936).
        """
        from scipy.stats import chi2

        found = [one for who in (people or self.runs) for one in self.runs[who]]
        trials = [time for one in found for time in one.first_correct]
        right = [time for time in trials if time is not None]
        minutes = sum(one.idle_minutes for one in found)
        false = sum(one.false_activations for one in found)
        low = chi2.ppf(0.025, 2 * false) / 2 if false else 0.0
        rate = (
            [float(value) / minutes for value in (false, low, chi2.ppf(0.975, 2 * false + 2) / 2)] if minutes else None
        )
        return {
            "n_trials": len(trials),
            "sensitivity": len(right) / len(trials) if trials else None,
            "sensitivity_interval": list(accuracy_interval(len(right), len(trials))) if trials else None,
            "idle_minutes": minutes,
            "wrong": sum(one.wrong for one in found) / len(trials) if trials else None,
            "false_activations": false,
            "false_activations_per_minute": None if rate is None else rate[0],
            "false_activations_interval": None if rate is None else rate[1:],
            "seconds_to_act": float(np.mean(right)) if right else None,
            "not_ready": sum(one.unready for one in found) / len(trials) if trials else None,
            "most_evidence": max((one.evidence for one in found if one.evidence is not None), default=None),
        }

    def why(self) -> str:
        """Return why little or nothing acted where no class was wrong; empty if there is nothing to say."""
        if not self.runs:
            return ""
        found = self.numbers()
        most, unready = found["most_evidence"], found["not_ready"]
        acted = any(one.label is not None for runs in self.runs.values() for run in runs for one in run.decisions)
        if not acted and found["n_trials"]:
            held = "" if most is None else f" (a class that is wanted had {most:.2f} at most)"
            return f"nothing ever acted: no evidence reached {self.rule.confidence:g}{held}. Lower --confidence."
        if unready:
            return (
                f"in {unready:.0%} of the trials nothing could act: after an act the class of rest must become likely "
                "before the next, and did not in so short a pause. Longer pauses, or a class of rest that is told "
                "apart better, would change that; a lower --confidence does not."
            )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON; `seconds` of all is None where people differ."""
        alike = set(self.seconds.values())
        return {
            "task": self.task, "decoder": self.decoder, "definition": DEFINITION,
            "seconds": next(iter(alike)) if len(alike) == 1 else None,
            "step": self.step, "confidence": self.rule.confidence, "dwell": self.rule.dwell,
            "all": self.numbers() if self.runs else None,
            "people": {who: {**self.numbers([who]), "seconds": self.seconds[who]} for who in self.runs},
            "failures": dict(self.failures),
        }  # fmt: skip


def evaluate_live(
    task: Task,
    decoder: str,
    *,
    rule: ActingRule,
    step: float = 0.25,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LiveResult:
    """Decide every run of every person as if live.

    Parameters
    ----------
    task : Task
        Recordings, events, window, filters.
    decoder : str
        Name.
    rule : ActingRule
        Evidence and dwell.
    step : float
        Seconds between windows.
    seed : int
        Of the training.
    progress : callable, optional
        Called with (runs done, runs).

    Raises
    ------
    DataError
        If nobody has two runs: there is nothing to learn from.
    """
    if len(task.runs) == len(task.subjects):
        raise DataError(f"{task.name}: --pseudo-online needs two runs of each person; each has one.")
    seconds: dict[str, float] = {}
    found: dict[str, list[PseudoOnline]] = {}
    failures: dict[str, str] = {}
    done = 0
    for who in task.subjects:
        try:
            runs, recordings, lost = usable_runs(task, who, filters=False)
            say_left_out({f"{name} of person {who}": why for name, why in lost.items()}, len(task.runs), what="runs")
            if len(runs) < 2:
                raise DataError("one run; two are needed")
            seconds[who] = _asked(recordings, task)
            filtered = [task.filtered(one) for one in recordings]
            known = SubjectTrials(
                subject=who, trials=task.cut(filtered), sessions=np.zeros(0, np.int64), left_out=0,
                lost=tuple(lost.items()),
            )  # fmt: skip
            doubt_same_trials(task, [known])
            for place, recording in enumerate(recordings):
                model = _model(task, decoder, filtered, runs, place, seed)
                one = pseudo_online(
                    model, recording, events=task.events, seconds=seconds[who], step=step, rule=rule,
                    idle_classes=_idle(task),
                )  # fmt: skip
                found.setdefault(who, []).append(one)
                done += 1
                if progress is not None:
                    progress(done, len(task.runs))
        except (BciError, OSError, ValueError, np.linalg.LinAlgError) as error:
            failures[who] = f"{type(error).__name__}: {error}"
            found.pop(who, None)
            seconds.pop(who, None)
    return LiveResult(
        task=task.name, decoder=decoder, runs=found, failures=failures, seconds=seconds, rule=rule, step=step
    )


def _idle(task: Task) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(task.events.values()) if name.lower() in IDLE_NAMES)


def _asked(recordings: Sequence[Recording], task: Task) -> float:
    """Return for how many seconds a class is asked for: what the task says, else the median duration of its events."""
    if task.asked is not None:
        return task.asked
    wanted = {event: name for event, name in task.events.items() if name not in _idle(task)}
    lengths = [event.duration for one in recordings for event in one.events if label_of(event, wanted) is not None]
    return max(task.tmax, float(np.median(lengths)) if lengths else 0.0)


def _model(
    task: Task, decoder: str, filtered: Sequence[Recording], runs: Sequence[Run], place: int, seed: int
) -> Model:
    """Return a model of the other sessions of a person, of the other runs where there is one session."""
    sessions = {run.session for run in runs}
    others = [
        one
        for one, run in zip(filtered, runs, strict=True)
        if (run.session != runs[place].session if len(sessions) > 1 else run is not runs[place])
    ]
    trials = epochs(
        others, events=task.events, tmin=task.tmin, tmax=task.tmax, channels=task.channels, max_bad=task.max_bad
    )
    made = make_decoder(decoder, sfreq=trials.sfreq, **task.decoder_params(decoder))
    idle = next(iter(_idle(task)), None)
    return Model.fit(made, trials, filters=task.filters, idle=idle, seed=seed).attach(filtered[place].info)
