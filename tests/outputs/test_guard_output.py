"""The session's side of the guard: what it says when the guard is gone, refuses, or ends by itself."""

from typing import Any

import pytest

from bcikit.outputs.guard import LIFE_S, GuardOutput
from bcikit.safety import GateSettings
from bcikit.safety.guard.client import GuardError
from bcikit.safety.levels import Severity
from bcikit.session.command_life import CommandLife
from bcikit.signal import Address, Command


class Guard:
    """Stands for the client of a guard: takes note of what it is told, says what it is set to, or fails."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.broken = ""
        self.says: dict[str, Any] = {
            "armed": False,
            "latched": False,
            "cause": "",
            "trip": "",
            "trip_time": None,
            "driver": {"output": 0.0, "limited": 0},
        }

    def _note(self, *what: Any) -> None:
        if self.broken:
            raise GuardError(self.broken)
        self.told.append(what)

    def arm(self) -> None:
        self._note("arm")
        self.says["armed"] = True

    def send(self, name: str, value: Any = None, *, ttl: float, data: Any = None) -> None:
        self._note("send", name, value, ttl)

    def alive(self) -> None:
        """A line that is gone says nothing here."""

    def safe(self, reason: str, *, latch: bool = False) -> None:
        self._note("safe", reason, latch)
        self.says["armed"] = False

    def release(self, who: str, reason: str) -> None:
        self._note("release", who, reason)

    def hold(self, *, held: bool) -> None:
        self._note("hold", held)

    def state(self) -> dict[str, Any]:
        if self.broken:
            raise GuardError(self.broken)
        return self.says

    def close(self) -> None:
        self.told.append(("close",))

    def went_safe(self, cause: str, trip: str, *, at: float, latched: bool = False) -> None:
        self.says.update(armed=False, latched=latched, cause=cause, trip=trip, trip_time=at)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    made = Guard()
    monkeypatch.setattr("bcikit.outputs.guard.GuardClient.launch", lambda *_, **__: made)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("bcikit.outputs.guard.time.monotonic", lambda: now[0])
    return now


def order(sequence: int, **data: Any) -> Command:
    return Command(sequence=sequence, time=1.0, ttl=5.0, name="close", value=0.8, data=data)


CALLS = {
    "send": lambda output: output.send(order(2)),
    "tick": lambda output: output.tick(0.0),
    "safe": lambda output: output.safe("done"),
    "stop": lambda output: output.stop("key"),
    "release": lambda output: output.release("Li", "looked"),
    "hold": lambda output: output.hold(held=True),
}


def test_what_takes_an_action_back_lets_go_and_is_no_fault(guard: Guard) -> None:
    output = GuardOutput("sim-hand")
    output.send(order(1, duration=3.0))
    output.send(Command(sequence=2, time=1.7, ttl=0.5, name="undo", value="left_hand"))
    assert guard.told[-1] == ("safe", "undo", False)
    told = len(guard.told)
    output.tick(1.8)
    assert [what[0] for what in guard.told[told:]] == [], "and what went on is not renewed"
    assert output.trouble() is None
    output.send(order(3))
    assert [what[0] for what in guard.told[-2:]] == ["arm", "send"]


@pytest.mark.requirement("SAF-066")
@pytest.mark.parametrize("call", CALLS)
def test_a_guard_that_is_gone_is_a_fault_whatever_it_was_asked(guard: Guard, call: str) -> None:
    output = GuardOutput("sim-hand", dead_man=True)
    output.send(order(1))
    assert output.trouble() is None
    guard.broken = "the guard is gone"
    CALLS[call](output)
    reading = output.trouble()
    assert reading is not None
    assert (reading.rule, reading.severity, reading.value) == ("H-BEAT", Severity.FAULT, "the guard is gone")
    assert output.trouble() is None
    found = output.state()
    assert (found["safe"], found["problem"]) == (True, "the guard is gone")
    output.close()
    told = len(guard.told)
    # What comes after the end reaches nobody, and is no error.
    for late in CALLS.values():
        late(output)
    output.close()
    assert len(guard.told) == told
    assert output.state()["safe"]


@pytest.mark.requirement("SAF-066")
def test_assistance_is_renewed_as_long_as_it_lasts_and_then_rests(guard: Guard, clock: list[float]) -> None:
    output = GuardOutput()
    output.send(order(1, duration=1.0))
    output.renew(order(1, duration=1.0))
    assert guard.told == [("arm",), ("send", "close", 0.8, LIFE_S)]
    clock[0] += 0.5
    output.tick(0.0)
    assert guard.told[2:] == [("send", "close", 0.8, LIFE_S)]
    clock[0] += 0.6
    output.tick(0.0)
    assert guard.told[3:] == [("send", "rest", None, LIFE_S)]
    output.tick(0.0)
    assert len(guard.told) == 4
    assert output.state()["commands"] == 1
    # A guard that is lost in the middle of it is not asked again and again.
    output.send(order(2, duration=1.0))
    guard.broken = "refused"
    output.tick(0.0)
    assert output.trouble() is not None
    guard.broken = ""
    told = len(guard.told)
    clock[0] += 0.5
    output.tick(0.0)
    assert len(guard.told) == told


def test_the_guard_renews_no_longer_than_the_gate_lets_an_action_last(guard: Guard, clock: list[float]) -> None:
    output = GuardOutput()
    settings = GateSettings.model_validate({"profile": "simulation", "action_max_s": 1.0})
    output.send(CommandLife().begin(order(1, duration=4.0), settings))
    for _ in range(20):
        clock[0] += 0.25
        output.tick(0.0)
    assert [what[1] for what in guard.told[1:]] == ["close"] * 4 + ["rest"]


@pytest.mark.requirement("SAF-066")
@pytest.mark.parametrize(
    ("cause", "rule", "severity"),
    [("driver", "A-FES", Severity.FAULT), ("end", "H-BEAT", Severity.FAULT), ("late", "H-BEAT", Severity.DEGRADE)],
)
def test_why_the_guard_went_safe_by_itself_is_said_once(
    guard: Guard, clock: list[float], cause: str, rule: str, severity: Severity
) -> None:
    output = GuardOutput()
    output.send(order(1))
    guard.says["driver"]["output"] = 0.7
    guard.went_safe(cause, "what happened", at=5.0)
    output.tick(0.0)
    reading = output.trouble()
    assert reading is not None
    assert (reading.rule, reading.severity, reading.value) == (rule, severity, "what happened")
    clock[0] += 10.0
    output.tick(0.0)
    assert output.trouble() is None
    assert output.state()["trips"] == ["what happened"]
    assert output.state()["highest_output"] == 0.7
    # The next command arms it again, and the next end is news again.
    output.send(order(2))
    assert guard.told[-2:] == [("arm",), ("send", "close", 0.8, LIFE_S)]


@pytest.mark.requirement("SAF-066")
def test_a_guard_that_a_person_stopped_is_news_although_it_was_not_armed(guard: Guard, clock: list[float]) -> None:
    output = GuardOutput()
    guard.went_safe("person", "STOP was pressed", at=5.0, latched=True)
    output.tick(0.0)
    reading = output.trouble()
    assert reading is not None
    assert reading.value == "STOP was pressed"
    output.stop("")
    output.release("Li", "looked")
    assert guard.told == [("safe", "stop", True), ("release", "Li", "looked")]
    # What this end asked for itself is no news.
    guard.went_safe("engine", "safe", at=6.0, latched=True)
    clock[0] += 10.0
    output.tick(0.0)
    assert output.trouble() is None


def test_a_movement_that_was_made_slower_is_a_warning(guard: Guard, clock: list[float]) -> None:
    output = GuardOutput()
    output.send(order(1))
    guard.says["driver"]["limited"] = 3
    output.tick(0.0)
    reading = output.trouble()
    assert reading is not None
    assert (reading.rule, reading.severity, reading.value) == ("A-RATE", Severity.WARN, 3)
    clock[0] += 10.0
    output.tick(0.0)
    assert output.trouble() is None


def test_without_a_dead_mans_switch_nothing_is_held_and_real_drivers_touch(guard: Guard) -> None:
    output = GuardOutput()
    output.hold(held=True)
    output.safe("not armed")
    assert guard.told == []
    assert not GuardOutput.can_touch(Address.parse("guard:sim-hand"))
    assert GuardOutput.can_touch(Address.parse("guard:serial-fes:/dev/ttyUSB0"))
