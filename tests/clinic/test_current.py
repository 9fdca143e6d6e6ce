"""The comfortable current, step by step: what the guard is told, and what the therapist is."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from bcikit.clinic import current
from bcikit.clinic.base import Desk
from bcikit.clinic.current import CurrentCard
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue
from bcikit.safety.guard.client import GuardError
from bcikit.safety.guard.fes import FesLimits


class StandIn:
    """A guard that keeps what it is told; the real one is a process of its own (the slow tests have it)."""

    made: ClassVar[list["StandIn"]] = []
    trouble: ClassVar[str] = ""

    def __init__(self, port: int, key: bytes, *, role: str = "engine") -> None:
        self.port, self.role = port, role
        self.latched, self.on_s, self.closed, self.dead = False, 0.0, False, ""
        self.told: list[tuple[str, Any]] = []
        StandIn.made.append(self)

    @classmethod
    def launch(cls, driver: str, *, dead_man: bool) -> "StandIn":
        if cls.trouble:
            raise GuardError(cls.trouble)
        assert dead_man
        made = cls(1, b"")
        made.told.append(("launch", driver))
        return made

    def role_key(self, role: str) -> bytes:
        return role.encode()

    def _tell(self, what: str, value: Any = None) -> None:
        if self.dead:
            raise GuardError(self.dead)
        self.told.append((what, value))

    def state(self) -> dict[str, Any]:
        self._tell("state")
        return {"latched": self.latched, "driver": {"on_s": self.on_s}}

    def release(self, who: str, reason: str) -> None:
        self._tell("release", (who, reason))
        self.latched = False

    def hold(self, *, held: bool) -> None:
        self._tell("hold", held)

    def alive(self) -> None:
        self._tell("alive")

    def arm(self) -> None:
        self._tell("arm")

    def safe(self, reason: str) -> None:
        self._tell("safe", reason)

    def send(self, name: str, value: float, *, ttl: float, data: dict[str, Any]) -> None:
        assert ttl < 0.5
        self.on_s += 0.1
        self._tell(name, data)

    def close(self) -> None:
        self.closed = True

    def of(self, what: str) -> list[Any]:
        return [value for name, value in self.told if name == what]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(current, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(current, "GuardClient", StandIn)
    StandIn.made.clear()
    StandIn.trouble = ""
    return clock


@pytest.fixture
def card(qtbot: Any, dark: Any, tmp_path: Path, clock: SimpleNamespace) -> Iterator[CurrentCard]:
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test") as catalogue:
        catalogue.add_subject("P-1", birth_year=1961)
        catalogue.update_subject("P-1", merge={"fes": {"port": "serial-fes:/dev/ttyUSB7"}})
        desk = Desk(Visit(subject="P-1", operator="T-01"), catalogue, SimpleNamespace(), dark, tmp_path)
        card = CurrentCard(desk)
        qtbot.addWidget(card)
        card.show()
        card._timer.setInterval(1 << 30)  # the test says when it beats
        yield card
        card.disconnect_stimulator()


def connect(card: CurrentCard) -> tuple[StandIn, StandIn]:
    QTest.mouseClick(card.connect_button, Qt.MouseButton.LeftButton)
    guard, switch = StandIn.made[-2:]
    assert (guard.role, switch.role) == ("engine", "dead-man")
    return guard, switch


def hold(card: CurrentCard, clock: SimpleNamespace, *, seconds: float = 0.6) -> None:
    """Hold for some tenths of a second, and go on holding; the train of the stand-in is a tenth longer."""
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    for _ in range(round(10 * seconds)):
        clock.now += 0.1
        card._beat()


def train(card: CurrentCard, clock: SimpleNamespace, *, seconds: float = 0.6) -> None:
    """Hold and let go; then the muscle has rested."""
    hold(card, clock, seconds=seconds)
    QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
    clock.now += current.PAUSE_S


def test_the_current_rises_by_one_with_each_press_and_what_is_comfortable_is_kept(
    card: CurrentCard, clock: SimpleNamespace, qtbot: Any
) -> None:
    assert card.port.text() == "serial-fes:/dev/ttyUSB7", "that of the last visit"
    assert "Not found yet today" in card.state.text()
    assert not card.hold.isEnabled()
    guard, switch = connect(card)
    assert guard.of("launch") == ["serial-fes:/dev/ttyUSB7"]
    QTest.mouseClick(card.comfortable, Qt.MouseButton.LeftButton)
    assert "Nothing was felt yet" in card.state.text()
    for ma in (1.0, 2.0, 3.0, 4.0):
        train(card, clock)
        assert guard.of("stimulate")[-1]["amplitude_ma"] == ma
        assert f"Last given: {ma:g} mA" in card.state.text()
        assert switch.of("hold")[-1] is False, "letting go is the switch that is let go"
        assert guard.of("safe")[-1] == "the therapist let go"
    QTest.mouseClick(card.less, Qt.MouseButton.LeftButton)
    assert card.amplitude == 2.0
    with qtbot.waitSignal(card.changed, timeout=60_000):
        QTest.mouseClick(card.comfortable, Qt.MouseButton.LeftButton)
    assert guard.closed
    assert switch.closed
    assert "Comfortable today: 2 mA; more is not asked for." in card.state.text()
    kept = card._desk.catalogue.subject("P-1").data["fes"]
    assert (kept["amplitude_ma"], kept["by"], kept["port"]) == (2.0, "T-01", "serial-fes:/dev/ttyUSB7")
    assert card._visit.current == kept
    card._beat()
    card.let_go()
    card._begin()
    assert "Connect the stimulator first." in card.state.text()


def test_a_train_ends_by_itself_after_a_second_and_the_muscle_rests(card: CurrentCard, clock: SimpleNamespace) -> None:
    guard, _ = connect(card)
    hold(card, clock, seconds=current.TRAIN_S)
    clock.now += 0.02
    card._beat()
    assert guard.of("safe") == ["the therapist let go"]
    count = len(guard.of("stimulate"))
    card._beat()
    assert len(guard.of("stimulate")) == count, "the button is still held, and nothing flows"
    QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    assert "The muscle rests; wait three seconds." in card.state.text()
    QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
    assert card.amplitude == 1.0


def test_a_press_in_which_nothing_flowed_is_no_step(card: CurrentCard, clock: SimpleNamespace) -> None:
    guard, _ = connect(card)
    train(card, clock)
    guard.on_s = 0.0
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    guard.on_s = 0.0
    QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
    assert card.amplitude == 1.0


def test_a_current_that_was_let_go_on_its_ramp_is_no_step_and_never_comfortable(
    card: CurrentCard, clock: SimpleNamespace
) -> None:
    guard, _ = connect(card)
    for _ in range(8):
        train(card, clock, seconds=0.2)
        assert guard.of("stimulate")[-1]["amplitude_ma"] == 1.0, "the ramp is half a second: most was 0.6 mA"
    assert "the next step is this one again" in card.state.text()
    QTest.mouseClick(card.comfortable, Qt.MouseButton.LeftButton)
    assert "Nothing was felt yet" in card.state.text()
    assert card._visit.current == {}
    train(card, clock)
    # "Comfortable" in the middle of the ramp, by key, keeps what was felt before; so does a stimulator given back.
    hold(card, clock, seconds=0.2)
    card.comfortable.click()
    assert card._visit.current["amplitude_ma"] == 1.0
    connect(card)
    hold(card, clock, seconds=0.2)
    card.disconnect_stimulator()
    assert card.amplitude == 0.0
    guard, _ = connect(card)
    card._beat()
    assert (card.amplitude, guard.of("stimulate")) == (0.0, [])


def test_the_current_is_found_with_the_pulses_and_the_electrode_that_are_chosen(
    clinic: Callable[..., Any], clock: SimpleNamespace
) -> None:
    person = clinic()
    person.as_far_as_protocol()
    page = person.page
    person.pick(page.protocol, list(page.names).index("motor-imagery-fes"))
    for key, text in (("pulse_us", "350"), ("frequency_hz", "20"), ("area_cm2", "16")):
        person.number(page.fields[f"assist.{key}"], text)
    card = page.current
    card.port.setText("serial-fes:/dev/ttyUSB0")
    guard, _ = connect(card)
    card._timer.stop()
    train(card, clock)
    # What is changed now was not felt.
    person.number(page.fields["assist.pulse_us"], "400")
    train(card, clock)
    sent = guard.of("stimulate")[-1]
    assert (sent["pulse_us"], sent["frequency_hz"], sent["area_cm2"], sent["site"]) == (350.0, 20.0, 16.0, "forearm")
    card.comfortable.click()
    shown = {key: page.fields[f"assist.{key}"].value() for key in ("amplitude_ma", *current.PULSES)}
    assert shown == {"amplitude_ma": 2.0, "pulse_us": 350.0, "frequency_hz": 20.0, "area_cm2": 16.0}
    assert shown.items() <= person.window.visit.current.items()
    person.number(page.fields["assist.pulse_us"], "400")
    assert page.refused() == ["Pulse width: 400 is refused; allowed: 50 to 350 µs."]
    # It may be found anew with these, within what the paradigm allows.
    guard, _ = connect(card)
    train(card, clock)
    assert guard.of("stimulate")[-1]["pulse_us"] == 400.0
    card.comfortable.click()
    assert (page.fields["assist.amplitude_ma"].value(), page.fields["assist.pulse_us"].value()) == (1.0, 400.0)
    made = len(StandIn.made)
    for text, said in (("900", "900 is refused"), ("x", "x")):
        person.number(page.fields["assist.pulse_us"], text)
        person.click(card.connect_button)
        assert card.state.text().startswith("■ Pulse width")
        assert said in card.state.text()
    assert len(StandIn.made) == made


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_F12, Qt.Key.Key_Escape])
def test_the_keys_that_stop_stop_the_current_that_is_being_found(
    clinic: Callable[..., Any], clock: SimpleNamespace, key: Qt.Key
) -> None:
    person = clinic()
    person.as_far_as_protocol()
    page = person.page
    person.pick(page.protocol, list(page.names).index("motor-imagery-fes"))
    card = page.current
    card.port.setText("serial-fes:/dev/ttyUSB0")
    guard, switch = connect(card)
    card._timer.stop()  # the test says when it beats
    card.hold.setFocus()
    QTest.keyClick(card.hold, key)
    assert guard.of("arm") == [], "nothing begins"
    assert guard.of("safe") == ["the therapist let go"]
    hold(card, clock)
    count = len(guard.of("stimulate"))
    assert count == 7
    # A second press while the mouse holds is no second step.
    card.hold.pressed.emit()
    assert (card.amplitude, len(guard.of("stimulate"))) == (1.0, count)
    QTest.keyClick(card.hold, key)
    assert switch.of("hold")[-1] is False
    for _ in range(50):
        clock.now += 0.1
        card._beat()
    assert len(guard.of("stimulate")) == count, "the mouse is still down, and nothing flows"
    assert len(guard.of("safe")) >= 2
    assert not person.window.pages.keys() & {"session"}
    guard.dead = "The guard is gone."
    QTest.keyClick(card.hold, key)
    assert card.state.text().startswith("■ The guard is gone."), "a stop that was not received is told"


def test_a_stop_is_undone_by_the_next_press_and_not_before(card: CurrentCard, clock: SimpleNamespace) -> None:
    guard, _ = connect(card)
    guard.latched = True
    card._beat()
    assert guard.of("release") == []
    train(card, clock)
    assert guard.of("release") == [("T-01", "the therapist pressed the button again")]
    assert card.amplitude == 1.0


def test_the_ceiling_of_the_stimulator_holds(card: CurrentCard) -> None:
    guard, _ = connect(card)
    card.amplitude = FesLimits().amplitude_ma
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    assert f"{FesLimits().amplitude_ma:g} mA is the ceiling of this stimulator." in card.state.text()
    assert guard.of("arm") == []


def test_what_the_guard_does_not_do_is_said(card: CurrentCard, clock: SimpleNamespace) -> None:
    card.port.setText(" ")
    QTest.mouseClick(card.connect_button, Qt.MouseButton.LeftButton)
    assert "Enter the stimulator, such as serial-fes:/dev/ttyUSB0." in card.state.text()
    card.port.setText("serial-fes:/dev/none")
    StandIn.trouble = "The guard did not start."
    QTest.mouseClick(card.connect_button, Qt.MouseButton.LeftButton)
    assert card.state.text().startswith("■ The guard did not start.")
    assert not card.hold.isEnabled()
    StandIn.trouble = ""
    guard, _ = connect(card)
    guard.dead = "The guard is gone."
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    assert card.state.text().startswith("■ The guard is gone.")
    assert card.amplitude == 0.0
    QTest.mouseRelease(card.hold, Qt.MouseButton.LeftButton)
    guard.dead = ""
    QTest.mousePress(card.hold, Qt.MouseButton.LeftButton)
    guard.dead = "The guard does not answer."
    card._beat()
    assert card.state.text().startswith("■ The guard does not answer.")
    assert card.amplitude == 0.0, "what was perhaps never felt is no step"
    guard.dead = ""
    told = len(guard.of("stimulate"))
    card._beat()
    assert len(guard.of("stimulate")) == told, "nothing is sent any more"
