"""What a session does with orders and with what its device says, chunk by chunk, without an engine around it."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from bcikit.paradigms.support import ErrorCheck
from bcikit.recording.vocabulary import is_plain
from bcikit.session.conductor import AUTOMATIC
from bcikit.session.config import ArmingSection
from bcikit.session.earlier import FOLLOWS, TAKES_BACK, Earlier
from bcikit.session.following import Follower
from bcikit.session.listener import Listener
from bcikit.session.planning import plan
from bcikit.signal import ArgumentError, BciError, Decision, Event
from bcikit.signal.messages import Alarmed, Happened, Message, Presented, StateChanged

QUICK: dict[str, Any] = {
    "calibration_runs": 1,
    "feedback_runs": 1,
    "trials_per_run": 10,
    "eyes_open": 0.0,
    "eyes_closed": 0.0,
    "between_runs": 0.0,
}


HURRIED: dict[str, Any] = {
    "beep": 0.2, "cue": 0.4, "cue_duration": 0.2, "feedback": 1.0, "stop": 2.0, "window": [0.5, 1.5],
    "rest": [1.0, 1.0], "feedback_rate": 4.0, "instructions": 0.0,
}  # fmt: skip


class Sure:
    """Decides for the left hand, always."""

    def decide(self, window: Any, *, now: float | None = None) -> Decision:
        return Decision(
            time=window.time, sample=window.stop_sample - 1, classes=("left_hand", "right_hand"),
            probabilities=(0.99, 0.01), label="left_hand",
        )  # fmt: skip


class Heard(Listener):
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[str] = []
        self.alarms: set[str] = set()
        self.shown: list[Presented] = []
        self.told: list[Alarmed] = []

    def take(self, message: Message) -> None:
        match message:
            case Happened():
                self.events.append(message.event)
            case StateChanged():
                self.states.append(message.state)
            case Presented():
                self.shown.append(message)
            case Alarmed():
                self.alarms.add(message.rule)
                self.told.append(message)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [dict(event.data) for event in self.events if event.name == name]


@dataclasses.dataclass
class Led:
    """A session that is led by hand."""

    conductor: Any
    heard: Heard
    chunks: Iterator[Any]

    def go(self, seconds: float, *, until: Callable[[], object] = lambda: False) -> None:
        begin = self.conductor.now or None
        for chunk in self.chunks:
            now = float(chunk.times[-1]) + 0.01
            begin = now if begin is None else begin
            self.conductor.on_chunk(chunk, now)
            if now - begin >= seconds or until():
                return

    @property
    def n_seconds(self) -> float:
        return float(self.conductor.n_samples / self.conductor.info.sfreq)

    def order(self, do: str, **more: Any) -> None:
        self.conductor.take_input("order", {"do": do, "who": "T-01", **more})


@pytest.fixture
def led(short_config):
    """Return a session of a simulated person; by imagery, the decoder is there from the beginning."""
    opened = []

    def make(
        name: str = "motor-imagery",
        settings: Mapping[str, Any] = QUICK,
        *,
        idle: float = 0.0,
        operator: str = AUTOMATIC,
        earlier: Earlier | None = None,
        steps: tuple[dict[str, Any], ...] = (),
        errors: ErrorCheck | None = None,
        gate: Mapping[str, Any] | None = None,
    ) -> Led:
        from bcikit.session import shipped_config

        config = shipped_config(name, seed=1, settings=dict(settings))
        config = config.model_copy(
            update={
                "arming": ArmingSection(idle_test=idle),
                "gate": {**config.gate, **(gate or {})},
                "pipeline": config.pipeline.model_copy(update={"steps": (*steps, *config.pipeline.steps)}),
                "recording": config.recording.model_copy(update={"enabled": False, "folder": ""}),
            }
        )
        made = plan(config, operator=operator)
        opened.append(made)
        made.__enter__()
        made.paradigm.error_check = errors
        heard = Heard()
        decider = Sure() if name == "motor-imagery" else None
        conductor = made.conductor(made.safety(None), decider=decider, trainer=None, listeners=[heard], earlier=earlier)
        source = made.opened
        source.start()
        return Led(conductor, heard, iter(lambda: source.pull(1.0), None))

    yield make
    for made in opened:
        made.__exit__(None, None, None)


def test_the_idle_test_runs_before_anything_moves_and_is_counted(led) -> None:
    session = led(idle=4.0)
    session.go(60.0, until=lambda: session.heard.named("idle-test/end"))
    (end,) = session.heard.named("idle-test/end")
    assert end["complete"]
    assert end["seconds"] == pytest.approx(4.0, abs=0.5)
    assert end["activations"] >= 1, "a decoder that is always sure acts at rest"
    assert end["per_minute"] == pytest.approx(end["activations"] * 60 / end["seconds"], abs=1e-3)
    assert session.heard.states == ["STANDBY", "CALIBRATING", "ACTIVE"], "nothing moves before it is over"
    session.order("idletest", seconds=5.0)
    (refused,) = session.heard.named("operator/refused")
    assert "begins in STANDBY" in refused["reason"]


def test_a_stop_breaks_the_idle_test_off_and_it_is_still_wanted(led) -> None:
    session = led(idle=30.0)
    session.go(60.0, until=lambda: session.heard.named("idle-test/start"))
    session.go(1.0)
    session.order("stop", reason="cough")
    session.go(0.2)
    assert [end["complete"] for end in session.heard.named("idle-test/end")] == [False]
    assert session.conductor.idle.wanted


def test_orders_to_the_task_are_obeyed_or_refused_with_the_reason(led) -> None:
    session = led()
    session.go(30.0, until=lambda: session.heard.named("trial/start"))
    session.order("skip")
    session.go(5.0, until=lambda: any(end.get("interrupted") for end in session.heard.named("trial/end")))
    session.order("difficulty", value=0.8)
    session.order("difficulty", value="hard")
    (refused,) = session.heard.named("operator/refused")
    assert "finite number" in refused["reason"]
    session.order("pause")
    session.go(1.0)
    assert session.conductor.stands_still
    session.order("resume")
    session.go(1.0)
    assert not session.conductor.stands_still


@pytest.mark.parametrize("seen_while", ["it lasts", "it is over"])
def test_windows_are_told_that_an_alarm_is_over_and_seen(led, seen_while: str) -> None:
    session = led()
    session.go(1.0)

    def told() -> list[tuple[bool, bool]]:
        return [(alarm.active, alarm.acknowledged) for alarm in session.heard.told if alarm.rule == "H-DISK"]

    def wait_or_acknowledge(*, wait: bool) -> None:
        if wait:
            session.go(4.0)
        else:
            session.order("acknowledge", reason="seen")

    finding = {"rule": "H-DISK", "severity": 1, "value": 0.01, "limit": 0.1, "hold": 2.0}
    session.conductor.take_input("finding", finding)
    session.go(0.1)
    assert told() == [(True, False)]
    wait_or_acknowledge(wait=seen_while == "it is over")
    between = (False, False) if seen_while == "it is over" else (True, True)
    assert told() == [(True, False), between]
    wait_or_acknowledge(wait=seen_while == "it lasts")
    assert "H-DISK" not in {alarm.rule for alarm in session.conductor.safety.alarms()}
    assert told() == [(True, False), between, (False, True)]
    session.go(0.5)
    assert len(told()) == 3, "once"
    session.conductor.take_input("finding", finding)
    session.go(0.1)
    assert told()[3:] == [(True, False)], "another one is news"


@pytest.mark.parametrize("operator", [AUTOMATIC, "T-01"])
def test_a_trial_that_is_skipped_while_the_session_is_paused_ends_once(led, operator: str) -> None:
    session = led("motor-imagery-fes", {}, operator=operator)
    session.go(60.0, until=lambda: any(cue.name.startswith("cue/") for cue in session.heard.events))
    session.order("pause")
    session.go(12.0)
    session.order("difficulty", value=0.8)
    session.order("skip")
    for do in ("difficulty", "skip"):
        ordered, said = (
            next(e for e in session.heard.events if e.name == f"{who}/{do}") for who in ("operator", "therapist")
        )
        assert (said.time, said.sample) == (ordered.time, ordered.sample), "when it was said, not where the clock stood"
    session.go(1.0)
    session.order("resume")
    session.go(30.0)
    begun = [about["trial"] for about in session.heard.named("trial/start")]
    ended = [about["trial"] for about in session.heard.named("trial/end")]
    assert len(begun) >= 3
    assert begun == list(range(len(begun)))
    assert ended == begun[: len(ended)], "one chain of trials"
    samples = [event.sample for event in session.heard.events if event.source == "paradigm"]
    assert samples == sorted(samples)


@pytest.mark.parametrize("older", [False, True])
def test_what_was_skipped_in_a_pause_is_replayed_as_it_ended_then(led, *, older: bool) -> None:
    session = led("motor-imagery-fes", {}, earlier=Earlier(skips_ahead=older))
    session.go(60.0, until=lambda: any(cue.name.startswith("cue/") for cue in session.heard.events))
    session.order("pause")
    session.go(12.0)
    session.order("skip")
    session.order("resume")
    session.go(30.0)
    ended = [about["trial"] for about in session.heard.named("trial/end")]
    assert (len(set(ended)) < len(ended)) is older, "it ended a second time"
    assert Earlier.of(session.heard.events).skips_ahead is older


def test_a_page_that_is_skipped_while_the_session_is_paused_ends_once(led) -> None:
    session = led(settings={**QUICK, "instructions": 4.0})
    session.go(30.0, until=lambda: session.heard.named("block/start"))
    session.order("pause")
    session.go(6.0)
    session.order("skip")
    session.order("skip")
    session.order("resume")
    session.go(20.0)
    ended = [about["block"] for about in session.heard.named("block/end")]
    assert len(ended) >= 3
    assert ended == list(range(len(ended)))


def test_what_fails_in_a_task_that_anybody_wrote_is_an_event_and_the_session_goes_on(led, monkeypatch) -> None:
    session = led()
    session.go(1.0)

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("arrow")

    monkeypatch.setattr(session.conductor.paradigm, "on_operator", broken)
    session.order("skip")
    assert session.heard.named("operator/refused") == [{"do": "skip", "reason": "KeyError: 'arrow'"}]
    session.go(1.0)


def test_what_a_device_says_of_itself_reaches_the_gate(led) -> None:
    session = led()
    session.go(2.0)
    conductor = session.conductor
    conductor.take_input("battery", {"percent": 1.0})
    conductor.take_input("buffer", {"fill": 0.99})
    conductor.take_input("impedance", {"ohms": dict.fromkeys(conductor.info.ch_names, 900_000.0)})
    conductor.take_input("event", Event(name="marker/eyes", time=conductor.now).to_dict())
    session.go(2.0)
    assert {"H-BAT", "H-OVR"} <= session.heard.alarms
    assert [event for event in session.heard.events if event.name == "marker/eyes"]


CUED = {"cues": "external", "external": {"T1": "left_hand"}}


@pytest.mark.parametrize("older", [False, True])
def test_cues_of_a_standstill_are_said_and_begin_no_trial(led, *, older: bool) -> None:
    """Their samples are none of the protocol's: after it they would be trials of another time."""
    session = led(settings=CUED, earlier=Earlier(late_cues=older))
    conductor = session.conductor

    def cue(ago: float = 0.0) -> None:
        sample = round((session.n_seconds - ago) * conductor.info.sfreq)
        conductor.take_input("event", Event(name="T1", time=conductor.now - ago, sample=sample).to_dict())

    session.go(3.0)
    session.order("pause")
    session.go(2.0)
    cue()
    conductor.take_input("event", Event(name="T0", time=conductor.now, sample=conductor.n_samples).to_dict())
    session.go(8.0)
    session.order("resume")
    session.go(1.0)
    cue(ago=2.0)
    session.go(0.5)
    cue()
    real = conductor.n_samples
    session.go(12.0)
    begun = [event.sample for event in session.heard.events if event.name == "trial/start"]
    if older:
        assert len(begun) == 3
    else:
        assert begun == [pytest.approx(real, abs=1)]
        assert session.heard.named("session/dropped") == [{"event": "T1"}] * 2
        assert conductor.dropped_cues == 2
        assert is_plain("session/dropped"), "de-identified exports keep its name"
    assert len([event for event in session.heard.events if event.name == "T1"]) == 3, "it is recorded all the same"
    assert Earlier.of(session.heard.events).late_cues is older


def test_cues_of_a_backlog_begin_no_trial_and_the_first_of_now_does(led) -> None:
    session = led(settings=CUED)
    conductor, heard = session.conductor, session.heard

    def cue() -> None:
        conductor.take_input("event", Event(name="T1", time=conductor.now, sample=conductor.n_samples).to_dict())

    session.go(3.0)
    conductor.take_input("backlog", {"seconds": 3.0})
    cue()
    session.go(0.0)
    conductor.take_input("backlog", {"seconds": 2.0})
    session.go(0.0)
    conductor.take_input("backlog", {"seconds": 0.0, "sample": conductor.n_samples})
    cue()
    real = conductor.n_samples
    session.go(12.0)
    assert [event.sample for event in heard.events if event.name == "trial/start"] == [pytest.approx(real, abs=1)]
    assert conductor.dropped_cues == 1
    assert heard.named("session/backlog") == [{"seconds": 3.0}]
    # What is lost behind a backlog is none of the protocol's time.
    before = conductor._still.skew
    conductor.take_input("backlog", {"seconds": 3.0})
    conductor.take_input("backlog", {"seconds": 0.0, "sample": conductor.n_samples + 5000})
    assert conductor._still.skew == before + 5000


@pytest.mark.parametrize("source", ["paradigm", "page", "EEG/operator"])
def test_what_a_source_or_a_page_says_steers_nothing_by_its_name(led, source: str) -> None:
    """A session that is played over LSL says the names of all of its events."""
    session = led("ssvep-menu", {"rounds": 2})
    conductor, heard, dose = session.conductor, session.heard, session.conductor.safety.watch.dose
    session.go(60.0, until=lambda: dose.running)
    before = len(heard.events), len(heard.shown)
    said = {
        "stimulus/off": {},
        "block/start": {"kind": "break", "name": "pause"},
        "trial/end": {"trial": 0, "interrupted": True},
        "calibration/end": {},
        "cue/up": {"trial": 0},
        "idle-test/start": {},
        "therapist/skip": {},
    }
    for name, data in said.items():
        event = Event(name=name, time=conductor.now, sample=conductor.n_samples, source=source, data=data)
        conductor.take_input("event", event.to_dict())
    assert dose.running, "it flickers on"
    assert str(conductor.safety.state) == "ACTIVE"
    assert conductor.interrupted == 0
    assert len(heard.shown) == before[1]
    told = heard.events[before[0] :]
    assert [event.name for event in told] == list(said), "all is recorded"
    assert {event.source for event in told} == {"source/paradigm" if source == "paradigm" else source}
    assert Earlier.of(heard.events) == Earlier.of(event for event in heard.events if event not in told)


def test_an_idle_test_speaks_of_the_threshold_that_it_was_made_with_and_of_no_lower_one(led) -> None:
    session = led("motor-imagery-fes", {}, idle=4.0, gate={"idle_max_per_min": 10.0})
    conductor, heard = session.conductor, session.heard
    conductor.decider = Sure()
    session.order("difficulty", value=0.9)
    session.go(60.0, until=lambda: heard.named("idle-test/start"))
    session.order("difficulty", value=0.95)
    session.go(60.0, until=lambda: heard.named("idle-test/end"))
    session.order("difficulty", value=0.8)
    during, after = (said for said in heard.named("operator/refused") if said["do"] == "difficulty")
    assert during["reason"] == "the idle test is on, and speaks of one difficulty"
    assert "made with a threshold of 0.9" in after["reason"]
    assert during["threshold"] == after["threshold"] == conductor.paradigm.threshold == 0.9
    assert heard.named("idle-test/end")[0]["complete"]


class Blinks(Sure):
    """Can say nothing of windows that end within a time, as where a sample was lost."""

    until = math.inf

    def decide(self, window: Any, *, now: float | None = None) -> Decision:
        sure = super().decide(window, now=now)
        if sure.time > self.until:
            return sure
        return dataclasses.replace(sure, probabilities=(), label=None, reason="bad-data")


@pytest.mark.requirement("SAF-064")
@pytest.mark.parametrize("older", [False, True])
def test_rest_in_which_nothing_could_be_decided_is_no_rest_that_was_measured(led, *, older: bool) -> None:
    session = led(settings={**QUICK, **HURRIED}, idle=6.0, earlier=Earlier(blind_rest=older))
    heard = session.heard
    session.conductor.decider = blinks = Blinks()
    session.go(60.0, until=lambda: heard.named("idle-test/start"))
    begin = session.conductor.now
    blinks.until = begin + 4.0
    session.go(60.0, until=lambda: heard.named("idle-test/end"))
    # At the begin the electrodes are not known yet, which counts for none in any case.
    assert session.conductor.now - begin == pytest.approx(7.7 if older else 9.8, abs=0.5)
    assert heard.named("idle-test/end")[0]["seconds"] == pytest.approx(6.0, abs=0.3)
    assert Earlier.of(heard.events).blind_rest is older


def test_an_idle_test_that_ran_out_of_patience_is_not_complete_and_the_session_goes_on(led) -> None:
    session = led(settings={**QUICK, **HURRIED}, idle=6.0)
    heard = session.heard
    session.conductor.decider = Blinks()
    session.go(60.0, until=lambda: heard.named("idle-test/end"))
    assert heard.named("idle-test/end") == [{"complete": False, "seconds": 0.0, "activations": 0}]
    session.go(20.0, until=lambda: heard.named("trial/end"))
    assert heard.named("trial/end")


def learned_by(conductor: Any) -> list[int]:
    """Return the ends of the windows that a model would learn from then on, as they are learned."""
    found: list[int] = []

    def window(stop: int, n_times: int) -> None:
        found.append(stop)
        raise ArgumentError("It is enough to have been asked.")

    wanted = conductor.paradigm.calibration
    conductor._follower = Follower(
        SimpleNamespace(familiarity=lambda: None), labels=wanted.events, tmax=wanted.tmax,
        n_times=round(conductor.filtered_info.sfreq), sfreq=conductor.filtered_info.sfreq, window=window,
    )  # fmt: skip
    return found


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("do", ["stop", "pause"])
def test_a_window_that_was_cut_off_teaches_nothing(led, do: str, *, older: bool) -> None:
    session = led(settings={**QUICK, **HURRIED}, operator="T-01", earlier=Earlier(learns_all=older))
    conductor, heard = session.conductor, session.heard
    learned = learned_by(conductor)
    cues = conductor.paradigm.calibration.events
    session.go(10.0, until=lambda: heard.named("paradigm/start"))
    session.order("arm")
    session.order("start")
    session.go(60.0, until=lambda: any(heard.named(name) for name in cues))
    session.go(0.5)
    session.order(do, reason="cough")
    session.go(5.0)
    assert len(learned) == older


@pytest.mark.parametrize("older", [False, True])
def test_rest_that_was_broken_off_teaches_nothing_from_then_on(led, *, older: bool) -> None:
    earlier = Earlier(learns_all=older)
    session = led(settings={**QUICK, **HURRIED, "eyes_open": 20.0}, operator="T-01", earlier=earlier)
    learned, heard = learned_by(session.conductor), session.heard
    session.go(60.0, until=lambda: heard.named("phase/eyes-open"))
    session.go(5.5)
    session.order("pause")
    session.go(20.0)
    assert len(learned) == (20 if older else 5)
    session.order("resume")
    session.order("idletest", seconds=30.0)
    session.go(60.0, until=lambda: heard.named("idle-test/start"))
    session.go(4.5)
    session.order("stop", reason="cough")
    session.go(30.0)
    assert len(learned) == (50 if older else 9)


@pytest.mark.parametrize("older", [False, True])
def test_a_practice_trial_teaches_nothing(led, *, older: bool) -> None:
    settings = {**QUICK, **HURRIED, "instructions": 1.0}
    session = led(settings=settings, earlier=Earlier(learns_all=older))
    learned, heard = learned_by(session.conductor), session.heard
    session.go(60.0, until=lambda: [end for end in heard.named("trial/end") if end.get("practice")])
    assert [end["practice"] for end in heard.named("trial/end")] == [True]
    assert bool(learned) == older


class Errs:
    """Finds an error potential, always, and is not sure."""

    def decide(self, window: Any, *, now: float | None = None) -> Decision:
        return Decision(
            time=window.time, sample=window.stop_sample - 1, classes=("error", "correct"), probabilities=(0.993, 0.007),
            label="error",
        )  # fmt: skip


@pytest.mark.parametrize("older", [False, True])
def test_a_choice_is_taken_back_soon_after_it_and_old_sessions_stay_as_they_were(led, *, older: bool) -> None:
    check = ErrorCheck(decider=Errs(), tmin=0.2, tmax=0.75, threshold=0.5)
    session = led(settings={**QUICK, **HURRIED}, earlier=Earlier(errors_act=older), errors=check)
    heard = session.heard
    session.go(300.0, until=lambda: len(heard.named("trial/end")) >= 13)
    rows = session.conductor.results()["trials"][:3]
    assert [row["p_error"] for row in rows] == [pytest.approx(0.59, abs=0.01)] * 3
    assert [row.get("undone") for row in rows] == [None if older else "left_hand"] * 3
    assert len(heard.named("feedback/undo")) == (0 if older else 3)
    assert len(heard.named("session/undo")) == (0 if older else 1)
    assert is_plain(TAKES_BACK), "de-identified exports keep their names"
    assert is_plain(FOLLOWS)
    assert Earlier.of(heard.events).errors_act is older


def test_samples_of_a_time_in_which_nobody_was_shown_anything_count_for_no_trial(led) -> None:
    session = led()
    session.go(30.0, until=lambda: [event for event in session.heard.events if event.name.startswith("cue/")])
    for seconds in (3.0, 2.0):
        session.conductor.take_input("backlog", {"seconds": seconds})
        session.go(0.0)
    session.go(30.0, until=lambda: session.heard.named("trial/end"))
    assert session.heard.named("session/backlog") == [{"seconds": 3.0}]
    assert session.conductor.backlog_s == 3.0
    assert session.heard.named("trial/end")[0]["interrupted"]
    assert session.conductor.interrupted == 1


def test_what_a_step_found_is_an_event_of_the_session_at_the_samples_of_its_source(led) -> None:
    running = led(steps=({"step": "decimate", "factor": 2}, {"step": "blinks"}))
    running.go(60.0, until=lambda: running.heard.named("artefact/blinks"))
    blink = next(event for event in running.heard.events if event.name == "artefact/blinks")
    conductor = running.conductor
    assert conductor.filtered_info.sfreq == conductor.info.sfreq / 2
    assert conductor.n_samples - 2 * 32 <= blink.sample < conductor.n_samples
    assert blink.sample == conductor._sample_times.sample_at(blink.time)


@pytest.mark.requirement("SAF-044")
@pytest.mark.parametrize(("do", "undo"), [("pause", "resume"), ("stop", "acknowledge")])
@pytest.mark.parametrize("name", ["ssvep-menu", "code-menu"])
def test_a_run_that_stops_in_a_flicker_goes_on_and_counts_what_was_shown(led, name, do, undo) -> None:
    """The flicker ends with the run: its dose is what was seen, and its trial is done again."""
    rounds = "rounds" if name == "ssvep-menu" else "calibration_rounds"
    session = led(name, {rounds: 5}, operator="T-01")
    safety, dose, heard = session.conductor.safety, session.conductor.safety.watch.dose, session.heard
    session.go(20.0, until=lambda: heard.named("paradigm/start"))
    if name == "ssvep-menu":
        session.order("arm")
        session.order("start")
    session.go(60.0, until=lambda: dose.running)
    assert session.conductor.interrupted == 0
    session.go(1.0)
    session.order(do, reason="a cough")
    assert not dose.running
    assert dose.session_s == pytest.approx(1.0, abs=0.2)
    assert len(heard.named("stimulus/off")) == 1, "whoever draws is told, too"
    session.go(20.0)
    assert not {"A-DOSE", "P-TIME"} & heard.alarms
    assert dose.session_s == pytest.approx(1.0, abs=0.2), "nothing is shown meanwhile"
    session.order(undo, reason="is over")
    for again in ("arm", "start") if name == "ssvep-menu" else ("start",):
        session.order(again)
    assert heard.named("operator/refused") == []
    session.go(8.0, until=lambda: dose.running)
    (cut,) = [end for end in heard.named("trial/end") if end.get("interrupted")]
    first, second = heard.named("trial/start")[-2:]
    assert cut["trial"] == first["trial"]
    assert [off["trial"] for off in heard.named("stimulus/off")] == [cut["trial"]], "said once"
    assert second["class"] == first["class"], "the same once more"
    assert not heard.named("stimulus/refused")
    assert str(safety.state) == ("ACTIVE" if name == "ssvep-menu" else "CALIBRATING")
    session.go(4.0)
    assert dose.session_s <= 6.0


def test_a_pause_of_a_session_that_nobody_attends_is_no_flicker(led) -> None:
    session = led("ssvep-menu", {"rounds": 2})
    dose = session.conductor.safety.watch.dose
    session.go(60.0, until=lambda: dose.running)
    session.go(1.0)
    session.order("pause")
    session.go(60.0)
    session.order("resume")
    session.go(3.0)
    assert dose.session_s == pytest.approx(1.0, abs=0.2)
    assert session.heard.states[-1] == "ACTIVE"


def test_a_difficulty_that_is_refused_is_told_with_the_one_that_goes_on(led, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BciError("the idle test was made with 0.8")

    session = led()
    session.go(1.0)
    monkeypatch.setattr(session.conductor.paradigm, "threshold", 0.8, raising=False)
    monkeypatch.setattr(session.conductor.paradigm, "on_operator", refuse)
    session.order("difficulty", value=0.7)
    session.order("skip")
    first, second = session.heard.named("operator/refused")
    assert (first["do"], first["threshold"], "threshold" in second) == ("difficulty", 0.8, False)


def test_a_trial_that_is_stopped_twice_is_done_again_once(led) -> None:
    session = led("ssvep-menu", {"rounds": 1, "idle_share": 0.0}, operator="T-01")
    dose = session.conductor.safety.watch.dose

    def begin() -> None:
        for do in ("resume", "arm", "start"):
            session.order(do)

    session.go(20.0, until=lambda: session.heard.named("paradigm/start"))
    begin()
    session.go(60.0, until=lambda: dose.running)
    # The second pause comes in the dark gap after the first.
    for wait in (2.0, 0.5):
        session.go(wait)
        session.order("pause")
        session.go(1.0)
        begin()
    session.go(200.0, until=lambda: session.conductor.finished)
    assert session.conductor.interrupted == 1
    offs = [off["trial"] for off in session.heard.named("stimulus/off")]
    assert len(offs) == len(set(offs)) == 5
    rows = session.conductor.paradigm.results()["trials"]
    assert sorted(row["class"] for row in rows) == ["down", "left", "right", "up"]
