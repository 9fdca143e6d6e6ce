"""A paradigm run through without a signal: what it will ask for, before anyone sits in the chair."""

import copy
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from bcikit.paradigms import Paradigm, WindowRequest
from bcikit.paradigms.support import ERROR_POTENTIAL
from bcikit.safety.dose import StimulusDose
from bcikit.safety.levels import Severity
from bcikit.session.following import rest_stops
from bcikit.signal import Decision, Event, StreamInfo, Verdict

LONGEST_SECONDS = 6 * 3600.0
"""A session is looked at for so long."""

MOST_STEPS = 50_000
"""And for so many events and windows: what a speller flashes in an hour."""

PATIENCE = 5.0
"""Seconds of a processor that this may take; what is not seen by then is not judged, and that is said."""


@dataclass(slots=True)
class Rehearsal:
    """What a paradigm asked for.

    Attributes
    ----------
    complete : bool
        Whether it came to its end; one that goes on with events of the source, or for ever, does not.
    hurried : bool
        Whether it was left because it took too long, so that what comes later was not looked at.
    seconds : float
        Length, as long as nobody chooses anything.
    trained_on : dict of str to int
        Cues of each class before the end of the calibration; None where it has none.
    undecided : set of int
        Lengths in samples of the windows for which the paradigm brings no decider.
    most_within : int
        Most windows within the time in which decisions vote.
    dose_ends : float or None
        When nothing may flicker any more (`bcikit.safety.dose`), in seconds, as long as nobody chooses anything.
    window_s : float
        Length of what is learned of a cue.
    rests, rests_before : int
        Windows of that length within phases of rest, in all and before the end of the calibration.
    labelled : int
        Cues of a class while a model decides.
    evidence_s : float
        Longest signal that the windows of a trial have together, in seconds.
    """

    complete: bool = False
    hurried: bool = False
    seconds: float = 0.0
    trained_on: dict[str, int] | None = None
    undecided: set[int] = field(default_factory=set)
    most_within: int = 0
    dose_ends: float | None = None
    window_s: float = 0.0
    rests: int = 0
    rests_before: int = 0
    labelled: int = 0
    evidence_s: float = 0.0


def rehearse(paradigm: Paradigm, info: StreamInfo, *, seed: int, vote_s: float) -> Rehearsal:
    """Run a copy of a paradigm on an empty stream: every window is answered with no decision, and nothing is allowed.

    Parameters
    ----------
    paradigm : Paradigm
        Stays as it is.
    info : StreamInfo
        What it will be configured for.
    seed : int
        Of the session.
    vote_s : float
        Seconds in which decisions vote (`GateSettings.vote_s`).
    """
    played = copy.deepcopy(paradigm)
    played.configure(info, seed=seed)
    own = played.decider() is not None
    cues = {} if played.calibration is None else played.calibration.events
    seen: Counter[str] = Counter()
    recent: deque[int] = deque()
    found = Rehearsal()

    dose = StimulusDose()
    firsts: dict[int | None, int] = {}
    wanted = played.calibration
    found.window_s = 0.0 if wanted is None else wanted.tmax - wanted.tmin
    n_times = round(found.window_s * info.sfreq)

    def hear(events: list[Event]) -> None:
        for event in events:
            if event.name == "stimulus/flicker":
                too_much = dose.may_start(found.seconds)
                if found.dose_ends is None and too_much is not None and too_much.severity is Severity.FAULT:
                    found.dose_ends = found.seconds
                dose.start(found.seconds)
            elif event.name == "stimulus/off":
                dose.stop(found.seconds)
            if event.name in cues and not event.data.get("practice"):
                seen[cues[event.name]] += 1
                found.labelled += played.skip_calibration or found.trained_on is not None
            if n_times:
                resting = len(rest_stops(event, n_times=n_times, sfreq=info.sfreq))
                found.rests += resting
                found.rests_before += resting if found.trained_on is None else 0
            if event.name == "calibration/end" and found.trained_on is None:
                found.trained_on = {name: seen[name] for name in dict.fromkeys(cues.values())}

    def answer(request: WindowRequest) -> None:
        if not own and played.decider_for(request) is None:
            found.undecided.add(request.n_times)
        if request.kind != ERROR_POTENTIAL:
            begin = request.start_sample if request.locked is None else max(request.start_sample, request.locked)
            taken = request.stop_sample - firsts.setdefault(request.trial, begin)
            found.evidence_s = max(found.evidence_s, taken / info.sfreq)
            # What takes a choice back does not vote.
            recent.append(request.stop_sample)
            while recent[0] < request.stop_sample - vote_s * info.sfreq:
                recent.popleft()
            found.most_within = max(found.most_within, len(recent))
        decision = Decision(
            time=request.stop_sample / info.sfreq,
            sample=request.stop_sample - 1,
            classes=played.classes,
            reason="rehearsal",
        )
        decision = played.interpret(decision, request)
        verdict = Verdict(
            time=decision.time, sample=decision.sample, allowed=False, label=None, reasons=("A-STATE",), state="STANDBY"
        )
        hear(played.on_decision(decision, verdict, request)[1])

    played.start(0, 0.0)
    begun = time.thread_time()
    for _ in range(MOST_STEPS):
        if time.thread_time() - begun > PATIENCE:
            found.hurried = True
            break
        at = played.next_sample
        if played.finished or at is None or at > LONGEST_SECONDS * info.sfreq:
            break
        found.seconds = at / info.sfreq
        hear(played.advance(at, found.seconds))
        for request in played.windows_due(at):
            answer(request)
    found.complete = played.finished
    return found
