"""The pages of a session that runs, told by the engine's messages: checks before arming, pauses, refusals, failures."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from bcikit.clinic import checks, page_calibration, pages_run, pages_session, protocols
from bcikit.clinic.arms import new_trial
from bcikit.clinic.base import Desk
from bcikit.clinic.checks import ArmingChecks
from bcikit.clinic.moved import follow_visit
from bcikit.clinic.page_calibration import CalibrationPage
from bcikit.clinic.pages_session import SessionPage
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.runner import SessionJob, _as_dicts
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue, SessionWriter
from bcikit.session.memory import Memory
from bcikit.signal import BciError, Decision, Event, StreamInfo, Verdict
from bcikit.signal.messages import Decided, Happened, StateChanged, Streams
from bcikit.ui import words


class Runner:
    """An engine that only keeps its orders."""

    def __init__(self) -> None:
        self.running, self.handshake, self.age, self.waited = False, "run-1.json", 0.0, 0.0
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.jobs: list[SessionJob] = []
        self.refuses = ""

    def start(self, job: SessionJob) -> None:
        if self.refuses:
            raise BciError(self.refuses)
        self.jobs.append(job)
        self.running = True

    def send(self, what: str, **details: Any) -> int:
        self.orders.append((what, details))
        return len(self.orders)

    def heard(self, ticket: int) -> str | None:
        return ""

    def did(self, what: str) -> list[dict[str, Any]]:
        return [details for name, details in self.orders if name == what]


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def make(qtbot: Any, dark: Any, tmp_path: Path, runner: Runner) -> Iterator[Callable[..., Any]]:
    """Return a function that makes a page, shown, for a visit with these values."""
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test") as catalogue:
        catalogue.add_subject("P-1", birth_year=1961)

        def make(kind: type[Any], **values: Any) -> Any:
            more = {"subject": "P-1", "operator": "T-01", "device": "lsl:source_id=headset", **values}
            page = kind(Desk(Visit(**more), catalogue, runner, dark, tmp_path))  # type: ignore[arg-type]
            qtbot.addWidget(page)
            page.resize(1280, 800)
            page.show()
            page.enter()
            return page

        yield make


def state(page: Any, name: str) -> None:
    page.take({"type": "state", "state": name, "time": 1.0})


def event(page: Any, name: str, **data: Any) -> None:
    row = {"name": name, "time": 1.0, "data": data}
    page.take({**row, "type": "event", "event": row})


STIMULATION: dict[str, Any] = {
    "protocol": "motor-imagery-fes",
    "current": {"port": "sim-fes", "amplitude_ma": 5.0},
}


def test_current_flows_only_after_the_idle_test_the_stop_key_and_with_the_switch_held(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(checks, "time", SimpleNamespace(monotonic=lambda: clock.now))
    page = make(SessionPage, **STIMULATION)
    seen = page.checks.lines
    assert page.checks_card.isVisible()
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert runner.jobs[0].config.gate["profile"] == "fes"
    state(page, "STANDBY")
    page.refresh()
    assert runner.did("arm") == [], "nothing arms by itself"
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert page.message.text() == "▲ Not yet: the idle test, the test of the stop key"
    event(page, "idle-test/start")
    clock.now += 12.0
    page.checks.show_state("STANDBY")
    assert "… Idle test runs: 12 s" in seen.text()
    event(page, "idle-test/end", activations=2, seconds=90.0, complete=False)
    assert "– Idle test: comes first" in seen.text(), "one that was cut off is none"
    event(page, "idle-test/end", activations=2, seconds=300.0, complete=True)
    assert "✓ Idle test: 2 false activations in 5.0 minutes, 0.40 a minute" in seen.text()
    assert page.checks.undone == ["the test of the stop key"]
    # The stop key.
    QTest.mouseClick(page.checks.test, Qt.MouseButton.LeftButton)
    assert "Press the space bar now" in seen.text()
    page.stop_now()
    state(page, "SAFE_STOP")
    assert page.visit.stop_tested
    state(page, "STANDBY")
    assert runner.did("teststop") == [{"who": "T-01"}]
    assert "✓ Stop key: tested" in seen.text()
    assert page.checks.missing == ["the dead-man switch: hold the button"]
    # Ready, and armed by holding.
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert "It begins when you hold the dead-man switch" in page.message.text()
    assert runner.did("arm") == []
    QTest.mousePress(page.checks.hold, Qt.MouseButton.LeftButton)
    assert runner.did("deadman")[-1] == {"held": True, "who": "T-01"}
    page.refresh()
    assert (runner.did("arm"), runner.did("start")) == ([{"who": "T-01"}], [{"who": "T-01"}])
    # Silence is letting go: while it is held it is said again.
    clock.now += 1.1 * checks.HOLD_EVERY_S
    page.refresh()
    assert len(runner.did("deadman")) == 2
    page.refresh()
    assert len(runner.did("deadman")) == 2
    QTest.mouseRelease(page.checks.hold, Qt.MouseButton.LeftButton)
    assert runner.did("deadman")[-1]["held"] is False
    assert "Dead-man switch: not held" in seen.text()


def test_what_flickers_is_armed_once_the_stop_key_is_tested_and_the_page_says_so(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage, protocol="ssvep-menu", settings={"rounds": 1})
    seen = page.checks.lines
    assert page.checks_card.isVisible()
    assert not page.checks.hold.isVisible(), "no current flows"
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    state(page, "STANDBY")
    event(page, "block/start", kind="custom")
    page.refresh()
    assert runner.did("arm") == []
    assert page.message.text() == "▲ Not yet: the test of the stop key"
    QTest.keyClick(page, checks.HOLD_KEY)
    assert runner.did("deadman") == [], "there is nothing to hold"
    QTest.mouseClick(page.checks.test, Qt.MouseButton.LeftButton)
    assert seen.text() == "… Press the space bar now. Then acknowledge."
    page.stop_now()
    state(page, "SAFE_STOP")
    state(page, "STANDBY")
    assert runner.did("teststop") == [{"who": "T-01"}]
    assert seen.text() == "✓ Stop key: tested, it stopped the engine"
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert len(runner.did("arm")) == 1
    # The next part of the visit does not ask for it again.
    assert page.checks.undone == []


@pytest.mark.parametrize(
    ("protocol", "asked"), [("ssvep-menu", True), ("p300-speller", False), ("resting-state", False)]
)
def test_the_stop_key_is_tested_where_the_gate_asks_for_it(
    make: Callable[..., Any], protocol: str, asked: bool
) -> None:
    page = make(SessionPage, protocol=protocol)
    assert (page.checks_card.isVisible(), page.checks.undone) == (asked, ["the test of the stop key"] if asked else [])


def test_an_order_that_comes_before_the_signal_is_judged_is_kept_and_given_again(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(pages_session, "time", SimpleNamespace(monotonic=lambda: clock.now))
    page = make(SessionPage)
    page.begin()
    state(page, "STANDBY")
    assert len(runner.did("arm")) == 1
    event(page, "operator/refused", do="arm", reason="Not armed. A-ARM: signal quality is not known yet", left=0.5)
    event(page, "operator/refused", do="start", reason="The session is STANDBY, not ARMED; it cannot start.")
    assert page.message.text() == "The signal is looked at first."
    page.refresh()
    assert len(runner.did("arm")) == 1
    clock.now += 0.6
    page.refresh()
    assert len(runner.did("arm")) == 2
    event(page, "operator/refused", do="arm", reason="only 20% of the needed channels are usable")
    clock.now += 9.0
    page.refresh()
    assert (len(runner.did("arm")), page.message.text()[:10]) == (2, "■ Not yet:")


@pytest.mark.parametrize("meanwhile", ["paused", "stopped", "of another window"])
def test_an_order_that_is_not_wanted_any_more_is_not_given_again(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    clock = SimpleNamespace(now=50.0)
    monkeypatch.setattr(pages_session, "time", SimpleNamespace(monotonic=lambda: clock.now))
    page = make(SessionPage)
    if meanwhile != "of another window":
        page.begin()
    state(page, "STANDBY")
    given = len(runner.did("arm"))
    refused = {"do": "arm", "reason": "Not armed. A-ARM: signal quality is not known yet", "left": 0.5}
    event(page, "operator/refused", **refused)
    if meanwhile == "paused":
        event(page, "operator/pause")
        event(page, "operator/refused", **refused)
    elif meanwhile == "stopped":
        state(page, "ESTOP")
        state(page, "STANDBY")
        event(page, "operator/refused", **refused)
    clock.now += 0.6
    page.refresh()
    assert len(runner.did("arm")) == given
    assert not runner.did("resume")


def test_a_headset_that_came_is_waited_for_no_more_and_a_rest_asks_for_nothing(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage)
    page.begin()
    runner.age, runner.waited = None, 3.0
    page.refresh()
    assert page.message.text().startswith("Waiting for the headset: 3 s")
    runner.age = 0.01
    state(page, "STANDBY")
    event(page, "block/start", kind="baseline")
    page.refresh()
    assert page.message.text() == ""
    assert page.state.text().splitlines()[-1] == "The patient rests; it goes on by itself"
    page.say("Noted.", "GOOD")
    page.refresh()
    assert page.message.text() == "● Noted.", "what is said later stays"
    event(page, "block/start", kind="feedback")
    page.refresh()
    assert "rests" not in page.state.text()


def test_what_was_learned_no_better_than_guessing_is_said_and_stays(make: Callable[..., Any]) -> None:
    page = make(SessionPage)
    state(page, "STANDBY")
    page.take({"type": "model", "decoder": "erp-stack", "classes": ["nontarget", "target"], "guesses": False})
    state(page, "ACTIVE")
    assert page.message.text() == ""
    state(page, "STANDBY")
    page.take({"type": "model", "decoder": "erp-stack", "classes": ["nontarget", "target"], "guesses": True})
    state(page, "ACTIVE")
    assert "no better than guessing" in page.message.text()
    assert sum("no better than guessing" in note for note in page.visit.notes) == 1


def test_why_it_is_not_armed_is_not_hidden_by_what_follows_from_it(make: Callable[..., Any]) -> None:
    page = make(SessionPage)
    state(page, "STANDBY")
    event(page, "operator/refused", do="arm", reason="only 20% of the needed channels are usable")
    event(page, "operator/refused", do="start", reason="The session is STANDBY, not ARMED; it cannot start.")
    assert page.message.text() == "■ Not yet: only 20% of the needed channels are usable"
    event(page, "operator/refused", do="start", reason="The audit log cannot be written.")
    assert "audit log" in page.message.text()


def test_a_break_between_runs_does_not_arm_itself_where_current_flows(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, **STIMULATION, stop_tested=True)
    page.visit.idle = {"activations": 0, "seconds": 300.0, "of": page.visit.decides}
    page.begin()
    state(page, "STANDBY")
    page.checks._hold(held=True)
    event(page, "block/start", kind="break")
    page._wants_arm = True
    page.refresh()
    assert runner.did("arm") == []
    event(page, "block/start", kind="feedback")
    page.refresh()
    assert len(runner.did("arm")) == 1


def test_an_idle_test_speaks_of_nothing_that_moves_more_easily(make: Callable[..., Any], tmp_path: Path) -> None:
    visit = make(SessionPage, **STIMULATION).visit
    visit.difficulty = 0.9
    visit.idle = {"activations": 0, "seconds": 300.0, "of": visit.decides}
    assert visit.idle_now
    again = {"folder": str(tmp_path / "s"), "settings": visit.settings, "phase": "session"}
    assert protocols.build(visit, **again).arming.idle_test == 0
    visit.difficulty = 0.7
    assert visit.idle_now == {}, "the therapist's slider decides as the settings do"
    assert protocols.build(visit, **again).arming.idle_test is None
    visit.idle["of"] = visit.decides
    visit.difficulty = 0.0
    assert visit.idle_now, "0.7 is the protocol's own"
    visit.difficulty = 0.75
    assert visit.idle_now, "what moves less easily was tested with what moves more easily"
    visit.settings = {**visit.settings, "movement": "left_hand"}
    assert visit.idle_now == {}
    visit.idle = {"activations": 0, "seconds": 300.0, "of": "of an older version"}
    assert visit.idle_now == {}


def test_a_foot_switch_is_the_dead_man_switch_and_a_window_that_loses_the_keyboard_lets_go(
    make: Callable[..., Any], runner: Runner, qapp: Any
) -> None:
    page = make(SessionPage, **STIMULATION)
    switch: ArmingChecks = page.checks
    QTest.keyPress(page.note, Qt.Key.Key_F8)
    assert runner.did("deadman") == [], "no engine, nothing to hold"
    QTest.keyRelease(page.note, Qt.Key.Key_F8)
    runner.running = True
    state(page, "STANDBY")
    QTest.keyPress(page.note, Qt.Key.Key_F8)
    assert switch.held
    QTest.keyPress(page.note, Qt.Key.Key_F8)
    assert len(runner.did("deadman")) == 1, "one press is told once"
    QTest.keyPress(page.note, Qt.Key.Key_A)
    assert page.note.text() == "a", "all other keys are the field's"
    QTest.keyRelease(page.note, Qt.Key.Key_F8)
    assert [order["held"] for order in runner.did("deadman")] == [True, False]
    QTest.keyPress(page.note, Qt.Key.Key_F8)
    QApplication.sendEvent(qapp, QEvent(QEvent.Type.ApplicationDeactivate))
    assert not switch.held
    QTest.keyPress(page.note, Qt.Key.Key_F8)
    assert switch.held
    page.hide()
    assert not switch.held
    assert runner.did("deadman")[-1]["held"] is False


def test_pause_notes_and_difficulty_go_to_the_engine(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, protocol="action-observation", settings={"threshold": 0.7})
    assert page.difficulty_card.isVisible()
    page.begin()
    state(page, "STANDBY")
    assert runner.did("arm") == [{"who": "T-01"}], "pictures are armed with the start"
    state(page, "ACTIVE")
    QTest.mouseClick(page.pause, Qt.MouseButton.LeftButton)
    assert (len(runner.did("pause")), page.pause.text()) == (1, "Resume")
    QTest.mouseClick(page.pause, Qt.MouseButton.LeftButton)
    assert [name for name, _ in runner.orders[-3:]] == ["resume", "arm", "start"]
    event(page, "operator/pause")
    assert page.pause.text() == "Resume"
    event(page, "operator/resume")
    assert page.pause.text() == "Pause"
    QTest.keyClicks(page.note, "  tired ")
    QTest.keyClick(page.note, Qt.Key.Key_Return)
    assert runner.did("note") == [{"text": "tired"}]
    assert page.visit.notes == ["tired"]
    assert (page.message.text(), page.note.text()) == ("● Noted.", "")
    QTest.keyClick(page.note, Qt.Key.Key_Return)
    assert len(runner.did("note")) == 1
    page.difficulty.setValue(80)
    assert runner.did("difficulty")[-1] == {"value": 0.8}
    assert page.difficulty_label.text() == "Difficulty: 80 % sure"
    event(page, "therapist/difficulty", threshold=0.8)
    # An easier one than was tested is refused: what is shown and kept is what the engine goes on with.
    page.difficulty.setValue(70)
    event(page, "operator/refused", do="difficulty", reason="the idle test was made with 0.8", threshold=0.8)
    assert (page.difficulty.value(), page.visit.difficulty) == (80, 0.8)
    assert page.difficulty_label.text() == "Difficulty: 80 % sure"
    assert runner.did("difficulty")[-1] == {"value": 0.7}, "nothing more is ordered"


def test_nothing_is_made_easier_while_the_idle_test_runs(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, protocol="motor-imagery-fes", settings={"threshold": 0.7})
    page.begin()
    state(page, "STANDBY")
    event(page, "idle-test/start", seconds=60.0)
    page.refresh()
    assert not page.difficulty.isEnabled()
    event(page, "idle-test/end", complete=True, activations=0, seconds=60.0)
    page.refresh()
    assert page.difficulty.isEnabled()


def test_an_idle_test_is_over_with_its_engine(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, **STIMULATION)
    page.begin()
    state(page, "STANDBY")
    event(page, "idle-test/start", seconds=60.0)
    runner.running = False
    page.take({"type": "failed", "error": "The headset is gone.", "folder": page.visit.parts[0]})
    page.refresh()
    assert page.difficulty.isEnabled()
    assert "– Idle test: comes first" in page.checks.lines.text()


def test_who_acknowledges_too_early_keeps_the_reason_and_sees_the_seconds(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=10.0)
    monkeypatch.setattr(pages_run, "time", SimpleNamespace(monotonic=lambda: clock.now))
    page = make(SessionPage)
    page.begin()
    state(page, "SAFE_STOP")
    page._acknowledge("cable was loose")
    event(page, "operator/refused", do="acknowledge", left=4.0, reason="too early")
    assert page.message.text() == "▲ Your reason is kept. The cause must be gone for 4 s more."
    clock.now += 2.0
    page.refresh()
    assert "for 2 s more" in page.message.text()
    clock.now += 2.0
    page.refresh()
    asked = [order["reason"] for order in runner.did("acknowledge")]
    assert asked == ["cable was loose", "cable was loose"], "given once by the person, handed on again"
    state(page, "STANDBY")
    page.refresh()
    assert len(runner.did("acknowledge")) == 2
    event(page, "operator/refused", do="start", reason="the idle test is missing")
    assert page.message.text() == "■ Not yet: the idle test is missing"


def test_an_engine_that_fails_or_is_refused_is_told_and_what_it_recorded_stays(
    make: Callable[..., Any], runner: Runner, tmp_path: Path
) -> None:
    page = make(SessionPage)
    runner.refuses = "A session is running already."
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert page.message.text() == "■ A session is running already."
    assert page.visit.parts == []
    runner.refuses = ""
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    folder = Path(page.visit.parts[0])
    folder.mkdir()
    runner.running = False
    page.take({"type": "failed", "error": "The headset is gone.", "folder": str(folder)})
    assert page.message.text() == "■ The headset is gone. What was recorded is kept. Press Start to go on."
    assert page.visit.running == ""
    assert page.start.isEnabled()
    # In the same second there may be a folder of this name.
    names = set()
    for _ in range(3):
        page._start_engine()
        names.add(page.visit.parts[-1])
        Path(page.visit.parts[-1]).mkdir()
        runner.running = False
    assert len(names) == 3


@pytest.mark.parametrize("kind", [SessionPage, CalibrationPage])
def test_a_start_that_recorded_nothing_is_no_part_of_the_training(
    make: Callable[..., Any], runner: Runner, tmp_path: Path, kind: type[Any]
) -> None:
    page = make(kind)
    name = "calibrations" if kind is CalibrationPage else "parts"
    kept_on_disk: list[list[str]] = []
    page.changed.connect(lambda: kept_on_disk.append(list(getattr(page.visit, name))))
    for recorded in (True, False):
        page._start_engine()
        folder = Path(getattr(page.visit, name)[-1])
        if recorded:
            first = str(folder)
            folder.mkdir()
        runner.running = False
        page.take({"type": "failed", "error": "No headset was found.", "folder": str(folder)})
    assert kept_on_disk[-1] == getattr(page.visit, name) == [first]
    # A disk that is not connected for a moment is another matter.
    away = str(tmp_path / "disk" / "P-1-session")
    setattr(page.visit, name, [first, away])
    page.take({"type": "failed", "error": "The disk is gone.", "folder": away})
    assert getattr(page.visit, name) == [first, away]
    # Where the window was closed before the engine could say so.
    setattr(page.visit, name, [first, str(folder)])
    follow_visit(page.visit, tmp_path)
    assert getattr(page.visit, name) == [first]


@pytest.mark.parametrize("kind", [SessionPage, CalibrationPage])
def test_no_two_trainings_have_the_same_order_of_trials(
    make: Callable[..., Any], runner: Runner, kind: type[Any]
) -> None:
    def seeds(**visit: Any) -> list[int]:
        page = make(kind, **visit)
        for _ in range(2):
            page.begin()
            Path(runner.jobs[-1].config.recording.folder).mkdir()
            runner.running = False
        return [job.config.session.seed for job in runner.jobs[-2:]]

    # Two parts of two visits of two patients.
    assert len(set(seeds() + seeds())) == 4
    simulated = {"subject": "SIMULATED", "simulated": True, "device": "sim:motor-imagery"}
    page = make(kind)
    page.desk.catalogue.add_subject("SIMULATED")
    assert seeds(**simulated) == seeds(**simulated) == [1, 2]


BEFORE = (
    Happened(event=Event(name="therapist/difficulty", time=1.5, data={"threshold": 0.8})),
    Happened(event=Event(name="operator/pause", time=2.0)),
    Happened(event=Event(name="operator/resume", time=2.5)),
    Happened(event=Event(name="block/start", time=2.8, data={"kind": "feedback"})),
    Happened(event=Event(name="operator/refused", time=3.0, data={"do": "difficulty", "reason": "too easy"})),
    Happened(event=Event(name="operator/refused", time=3.5, data={"do": "arm", "reason": "signal", "left": 0.5})),
    Happened(event=Event(name="operator/refused", time=4.0, data={"do": "start", "reason": "the disk is full"})),
)
"""What a session said before somebody joined."""


def join(page: Any, *said: Any) -> None:
    """Let a window be told what the session said before."""
    memory = Memory()
    for message in said:
        memory.take(message)
    for part in _as_dicts(memory.snapshot(9.0)):
        page.take(part)
    page.refresh()


@pytest.mark.parametrize("source", ["source/paradigm", "page", "EEG-markers"])
def test_what_a_source_says_under_the_name_of_an_event_steers_no_page(source: str) -> None:
    """A marker `block/start` of another program, while the therapist paused, armed and went on."""
    said = Happened(event=Event(name="block/start", time=2.8, data={"kind": "feedback"}, source=source))
    assert _as_dicts(said) == []
    (own,) = _as_dicts(replace(said, event=replace(said.event, source="paradigm")))
    assert own["name"] == "block/start"


def test_a_window_that_joins_shows_what_was_and_does_nothing_because_of_it(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage, protocol="action-observation", settings={"threshold": 0.7}, difficulty=0.75)
    runner.running = True
    join(page, StateChanged(state="STANDBY", time=0.5), *BEFORE)
    assert runner.orders == [], "nobody pressed anything in this window"
    assert (page.message.text(), page.visit.difficulty, page.difficulty.value()) == ("", 0.8, 80), (
        "as the engine has it"
    )
    assert (page.pause.text(), page.start.text()) == ("Pause", "Go on")
    # The line was lost and came back, and another window has paused meanwhile.
    page._wants_arm = True
    join(page, StateChanged(state="STANDBY", time=5.0, paused=True), *BEFORE)
    assert (page.pause.text(), runner.orders) == ("Resume", []), "an order from before a pause is none"
    for _ in range(4):
        event(page, "trial/end", trial=7)
    join(page, StateChanged(state="STANDBY", time=6.0), Happened(event=Event(name="trial/end", time=3.0)))
    assert (page.pause.text(), page._still) == ("Pause", 1), "what is told again is counted once"
    event(page, "block/start", kind="feedback")
    assert [name for name, _ in runner.orders] == ["arm", "start"], "a run that begins now is armed"


def test_what_touches_the_patient_is_not_armed_by_a_block_of_before(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, **STIMULATION, stop_tested=True)
    page.visit.idle = {"activations": 0, "seconds": 300.0, "of": page.visit.decides}
    runner.running = True
    join(page, StateChanged(state="STANDBY", time=0.5), *BEFORE)
    page.checks._hold(held=True)
    page.refresh()
    assert not runner.did("arm"), "the switch alone arms nothing"
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert len(runner.did("arm")) == 1


@pytest.mark.parametrize("now", ["SAFE_STOP", "STANDBY", "CALIBRATING"])
def test_a_window_that_joins_after_a_stop_shows_the_state_of_now(
    make: Callable[..., Any], runner: Runner, now: str
) -> None:
    page = make(SessionPage, protocol="action-observation")
    runner.running = page._wants_arm = True
    old = "STANDBY" if now == "SAFE_STOP" else "ACTIVE"
    join(page, StateChanged(state=old), decided(old), StateChanged(state=now, time=2.0))
    assert page.status.state == now
    assert page.acknowledge.isEnabled() == (now == "SAFE_STOP")
    assert bool(runner.did("arm")) == (now == "STANDBY"), "Start was pressed here; a stop takes that back"


def test_an_idle_test_that_is_told_again_was_made_with_what_decided_then(
    make: Callable[..., Any], runner: Runner
) -> None:
    tested = {"complete": True, "activations": 0, "seconds": 300.0}
    ended = Happened(event=Event(name="idle-test/end", time=1.0, data=tested))
    page = make(SessionPage, **STIMULATION, settings={"threshold": 0.7})
    runner.running = True
    page.visit.idle = {"activations": 0, "seconds": 300.0, "of": page.visit.decides}
    page.difficulty.setValue(85)
    event(page, "therapist/difficulty", threshold=0.85)
    join(page, StateChanged(state="STANDBY"), ended)
    page.difficulty.setValue(75)
    assert page.visit.idle_now, "made with 0.7"
    # In the line that was lost the engine refused 0.75, and its rest with 0.85 ended.
    page.visit.idle = {}
    refused = Happened(event=Event(name="operator/refused", time=0.5, data={"do": "difficulty", "reason": "tested"}))
    join(page, StateChanged(state="STANDBY"), refused, ended)
    assert (page.visit.difficulty, page.difficulty.value()) == (0.85, 85)
    page.difficulty.setValue(75)
    assert page.visit.idle_now == {}, "0.75 moves more easily than what was tested"
    # An order on its way when the line came back: its answer counts.
    join(page, StateChanged(state="STANDBY"))
    assert page.difficulty.value() == 85
    event(page, "therapist/difficulty", threshold=0.9)
    assert (page.visit.difficulty, page.difficulty.value()) == (0.9, 90)


def test_a_window_that_never_heard_of_it_takes_the_difficulty_that_goes_on(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage, **STIMULATION, settings={"threshold": 0.7})
    runner.running = True
    page.visit.difficulty = 0.75
    told = {"do": "difficulty", "reason": "tested", "threshold": 0.85}
    join(page, StateChanged(state="STANDBY"), Happened(event=Event(name="operator/refused", time=0.5, data=told)))
    assert (page.visit.difficulty, page.difficulty.value()) == (0.85, 85)


def test_who_presses_start_need_not_press_again_when_the_engine_comes_late(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage, protocol="action-observation")
    page.begin()
    page.refresh()
    assert runner.orders == [], "there is nobody yet to take it"
    join(page, StateChanged(state="STANDBY"), *BEFORE[:4])
    assert [name for name, _ in runner.orders] == ["arm", "start"]


def test_a_reason_that_waits_outlives_a_line_that_was_lost(make: Callable[..., Any], runner: Runner) -> None:
    page = make(SessionPage, protocol="action-observation")
    runner.running = True
    state(page, "SAFE_STOP")
    page._acknowledge("cable was loose")
    join(page, Streams(), StateChanged(state="SAFE_STOP", rule="A-STOP"))
    event(page, "operator/refused", do="acknowledge", left=4.0, reason="too early")
    assert page.message.text().startswith("▲ Your reason is kept.")


def decided(state: str) -> Decided:
    decision = Decision(time=1.0, sample=0, classes=("a", "b"), probabilities=(0.7, 0.3), label="a")
    return Decided(decision=decision, verdict=Verdict(time=1.0, sample=0, allowed=True, reasons=(), state=state))


def test_the_state_of_a_decision_of_before_is_none_of_now(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, saved = SimpleNamespace(now=10.0), []
    monkeypatch.setattr(pages_run, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(TrainingRecord, "save", lambda self: saved.append(self))
    page = make(SessionPage, protocol="action-observation")
    runner.running = True
    state(page, "SAFE_STOP")
    page._acknowledge("cable was loose")
    event(page, "operator/refused", do="acknowledge", left=4.0, reason="too early")
    join(page, decided("ACTIVE"), StateChanged(state="SAFE_STOP", rule="A-STOP"))
    clock.now += 4.0
    page.refresh()
    assert [order["reason"] for order in runner.did("acknowledge")] == ["cable was loose"] * 2
    assert saved == [], "it has not begun anew"
    # The other way round: a stop that was acknowledged long ago takes no order back.
    state(page, "STANDBY")
    page._wants_arm, page._arms_at = True, 1e9
    join(page, decided("SAFE_STOP"), StateChanged(state="STANDBY", time=2.0))
    assert page._wants_arm


def test_a_snapshot_takes_back_what_was_shown_and_a_late_window_shows_it(
    make: Callable[..., Any], runner: Runner
) -> None:
    page = make(SessionPage)
    page.begin()
    page.take({"type": "quality", "time": 1.0, "channels": {"C3": {"level": "GOOD"}}})
    assert "C3" in page.status.quality
    page.take({"type": "snapshot", "messages": []})
    assert page.status.quality == {}
    page.take({"type": "show", "event": {"name": "phase/fixation", "time": 1.0}, "scene": None})
    page.show_patient()
    assert page.patient is not None
    page.go_on()
    assert page.patient is None
    assert page.visit.patient_shown is False


def test_who_is_blinded_sees_no_word_of_the_decoder(make: Callable[..., Any], runner: Runner, tmp_path: Path) -> None:
    new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    trial = {"trial": "FES-26", "number": 1, "folder": str(tmp_path / "trial")}
    page = make(SessionPage, protocol="action-observation", trial=trial, model_note="of another day", recentre=True)
    assert not page.bars_card.isVisible()
    assert not page.strip.confidence.isVisible(), "sure or not, beside what moved, tells it"
    for number in range(6):
        event(page, "trial/start", trial=number, **{"class": "left_hand"})
        event(page, "feedback/result", trial=number, correct=False)
        event(page, "trial/end", trial=number)
    page.refresh()
    assert page.accuracy.text() == "Sealed: the trial is blinded."
    assert page.visit.notes == []
    assert "first 6" not in page.message.text()


def test_delays_that_cannot_be_kept_are_noted(
    make: Callable[..., Any], runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make(SessionPage, simulated=True, device="sim:motor-imagery")
    page.begin()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bcikit.clinic.pages_session.keep_delays", full)
    runner.running = False
    values = {"ended": "finished", "details": {"assist_delays": [0.1]}}
    page.take({"type": "result", "values": values, "folder": page.visit.parts[0]})
    assert "No space left on device" in page.visit.notes[0]
    assert page.message.text() == "● The session is complete."


# -- calibration ------------------------------------------------------------------------------------------------------


def calibrated(page: Any, values: dict[str, Any]) -> None:
    page.desk.runner.running = False
    page.take({"type": "result", "values": values, "folder": page.visit.calibrations[-1]})


def recorded(runner: Runner) -> Path:
    """Write down what the newest job is, as the recording of its engine does."""
    config = runner.jobs[-1].config.to_dict()
    folder = Path(config["recording"]["folder"])
    info = StreamInfo(name="headset", sfreq=250.0, ch_names=("C3", "C4"))
    SessionWriter(folder, info=info, config=config, versions={}).close("complete")
    return folder


def test_a_calibration_that_was_cut_off_counts_and_more_is_learned_together(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    page = make(CalibrationPage)
    page.go_on()
    assert page.message.text() == "▲ Calibrate first: press Start."
    page.begin()
    page.go_on()
    assert page.message.text() == "▲ Wait until the calibration is over, or press STOP."
    QTest.mouseClick(page.start, Qt.MouseButton.LeftButton)
    page.begin()
    assert runner.did("start") == [{"who": "T-01"}], "one that runs goes on and begins no other"
    recorded(runner)
    calibrated(page, {"ended": "finished by the operator"})
    assert "The calibration was cut off: finished by the operator." in page.message.text()
    page.begin()
    recorded(runner)
    asked: list[list[str]] = []
    trouble = BciError("20 trials are too few.")

    def learn(config: Any) -> Any:
        asked.append([str(path) for path in config.calibration.files])
        if len(asked) == 1:
            raise trouble
        return SimpleNamespace(save=lambda path: path.write_bytes(b"model")), []

    monkeypatch.setattr(page_calibration, "model_from_files", learn)
    summary = {"accuracy": 0.55, "n_trials": 40, "chance_upper": 0.63}
    monkeypatch.setattr(page_calibration, "calibration_summary", lambda model, trials: summary)
    calibrated(page, {"ended": "finished", "calibration": summary})
    qtbot.waitUntil(page.next_button.isEnabled, timeout=60_000)
    assert page.message.text() == "▲ 20 trials are too few. What was recorded counts; press Start for more."
    page.take({"type": "failed", "error": "The headset is gone.", "folder": page.visit.calibrations[-1]})
    qtbot.waitUntil(lambda: bool(page.visit.model), timeout=60_000)
    assert asked == [page.visit.calibrations] * 2
    assert page.visit.model == str(Path(page.visit.calibrations[1]) / "model-all.skops")
    assert page.verdict.text()[0] in "▲■"
    kept = page.desk.catalogue.models("P-1")
    assert [entry.path for entry in kept] == [page.visit.model]


@pytest.mark.parametrize("other", ["movements", "headset", "protocol"])
def test_calibrations_of_other_movements_or_another_headset_are_not_learned_together(
    make: Callable[..., Any], runner: Runner, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    def learn(config: Any) -> Any:
        raise AssertionError([str(path) for path in config.calibration.files])

    monkeypatch.setattr(page_calibration, "model_from_files", learn)
    page = make(CalibrationPage, settings={"classes": ["left_hand", "right_hand"]})
    good = {"accuracy": 0.9, "n_trials": 40, "chance_upper": 0.63}
    for number in (1, 2):
        page.begin()
        folder = recorded(runner)
        (folder / "model.skops").write_bytes(b"model")
        calibrated(page, {"ended": "finished", "calibration": good, "classes": ["a", "b"]})
        assert page.visit.model == str(folder / "model.skops"), "that of the newest alone"
        assert len(page.visit.calibrations) == number
        if other == "movements":
            page.visit.settings = {"classes": ["right_hand", "feet"]}
        elif other == "headset":
            page.visit.device = "lsl:source_id=headset-2"
        else:
            page.visit.protocol, page.visit.settings = "action-observation", {"movement": "right_hand"}
    # Nothing was recorded before it failed: what was learned stays.
    page.begin()
    page.desk.runner.running = False
    page.take({"type": "failed", "error": "The headset is gone.", "folder": page.visit.calibrations[-1]})
    assert "The headset is gone." in page.message.text()
    assert page.visit.model == str(folder / "model.skops")


def test_a_decoder_not_better_than_guessing_trains_only_who_says_so_and_moves_nobody(
    make: Callable[..., Any], runner: Runner, qtbot: Any
) -> None:
    bad = {"accuracy": 0.5, "n_trials": 40, "chance_upper": 0.63}
    page = make(CalibrationPage)
    page.begin()
    folder = Path(page.visit.calibrations[0])
    folder.mkdir()
    (folder / "model.skops").write_bytes(b"model")
    calibrated(page, {"ended": "finished", "calibration": bad, "classes": ["left_hand", "right_hand"]})
    page.go_on()
    assert "It is not shown that the program can tell these movements apart." in page.sure.text.text()
    with qtbot.waitSignal(page.done, timeout=60_000):
        QTest.mouseClick(page.sure.yes, Qt.MouseButton.LeftButton)
    assert page.visit.notes == ["Trained with a decoder that is not shown to be better than guessing."]
    # The window comes back: what was said of the model is said again.
    page.visit.save(folder / "visit.json")
    again = make(CalibrationPage, **asdict(Visit.load(folder / "visit.json")))
    assert again.verdict.text() == page.verdict.text() != "Not calibrated yet"
    again.go_on()
    assert again.sure.isVisible()
    page = make(CalibrationPage, **STIMULATION, model="m.skops")
    page.go_on()
    assert page.message.text() == "■ Nothing is moved by a decoder that is not better than guessing. Record more."
    assert protocols.profile_of(page.visit) == "fes"
    assert json.dumps(page.visit.notes) == "[]"


@pytest.mark.parametrize("training", [{}, STIMULATION])
def test_a_good_calibration_is_good_in_a_window_that_comes_back_in_other_colours_and_language(
    make: Callable[..., Any], runner: Runner, qtbot: Any, qapp: Any, tmp_path: Path, training: dict[str, Any]
) -> None:
    page = make(CalibrationPage, **training)
    assert page.verdict.text() == "Not calibrated yet"
    page.begin()
    folder = Path(page.visit.calibrations[0])
    folder.mkdir()
    (folder / "model.skops").write_bytes(b"model")
    good = {"accuracy": 0.9, "n_trials": 40, "chance_upper": 0.63}
    calibrated(page, {"ended": "finished", "calibration": good, "classes": ["left_hand", "right_hand"]})
    assert page.verdict.text().startswith("● Good enough.")
    page.visit.save(tmp_path / "visit.json")
    again = make(CalibrationPage, **asdict(Visit.load(tmp_path / "visit.json")))
    assert again.verdict.text() == page.verdict.text()
    assert page.desk.theme.level("GOOD") in again.verdict.styleSheet()
    with qtbot.waitSignal(again.done, timeout=60_000):
        again.go_on()
    assert again.visit.notes == []
    words.install(qapp, "zh")
    try:
        assert make(CalibrationPage, **asdict(page.visit)).verdict.text().startswith("● 足够好")
    finally:
        words.install(qapp, "en")
    # What decides no more has no verdict.
    again.visit.take_model("")
    again.enter()
    assert (again.verdict.text(), again.visit.verdict) == ("Not calibrated yet", {})
