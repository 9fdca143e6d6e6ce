"""The emergency stop of hardware: named by a session file, heard over a real terminal; lost, it stops as if pressed."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bcikit import plugins
from bcikit.outputs import Output
from bcikit.safety import GateSettings, SafetySystem
from bcikit.safety.arming import ArmRequest
from bcikit.safety.guard.serial_fes import frame
from bcikit.safety.stop_box import StopBox, open_stop_box
from bcikit.session import Engine, load_config
from bcikit.session.config import SessionConfig
from bcikit.session.listener import Listener
from bcikit.signal import ArgumentError, Command, ConfigError, SafetyError, StreamInfo
from bcikit.signal.messages import Message, Raw, StateChanged
from bcikit.testing import SimulatedStopBox
from tests.stalls import wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo terminals are POSIX")


@pytest.fixture
def device() -> Iterator[SimulatedStopBox]:
    with SimulatedStopBox() as made:
        yield made


@pytest.fixture
def box(device: SimulatedStopBox) -> Iterator[StopBox]:
    made = open_stop_box(device.address)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.mark.requirement("SAF-140")
def test_pressed_released_silent_and_pulled_out(device: SimulatedStopBox, box: StopBox) -> None:
    told: list[tuple[bool, bool]] = []
    words: list[str] = []
    box.tell(lambda pressed, lost, reason: (words.append(reason), told.append((pressed, lost))))
    for do, wanted, said in (
        (device.press, (True, False), "is pressed"),
        (device.release, (False, False), ""),
        (device.fall_silent, (True, True), "silent for 200 ms"),
        (device.release, (False, False), ""),
        (device.unplug, (True, True), ""),
    ):
        # Where this process has no turn for 200 ms, the box was silent, too, and comes back by itself.
        before = len(told)
        do()
        wait_for(lambda before=before, wanted=wanted: len(told) > before and told[-1] == wanted)
        assert said in words[len(told) - 1]
    state = box.state()
    assert (state["address"], state["status"]) == (device.address, "lost")
    assert state["presses"] >= 1
    assert state["losses"] >= 2


@pytest.mark.requirement("SAF-140")
def test_who_is_told_later_hears_of_what_was_pressed_before(device: SimulatedStopBox, box: StopBox) -> None:
    device.press()
    wait_for(lambda: box.status == "pressed")
    told: list[bool] = []
    box.tell(lambda pressed, lost, reason: told.append(pressed))
    assert told[0]


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"$1,R*00\n", b"R\n", b"x" * 5000, b"$1,R" * 9, bytes(range(128, 256)), frame("1,R,R"), frame("7,R")],
)  # fmt: skip
def test_what_is_no_new_line_of_the_protocol_is_no_life(line: bytes) -> None:
    """A stuck line that says the same again and again, too."""
    with SimulatedStopBox() as device:
        box = open_stop_box(device.address)
        box.start()
        device.say(frame("7,R"))
        device.fall_silent()
        until = time.monotonic() + 60
        while box.status != "lost":
            assert time.monotonic() < until
            device.say(line)
            time.sleep(0.02)
        box.close()


def test_an_unknown_word_is_pressed_and_a_tap_is_not_missed(device: SimulatedStopBox, box: StopBox) -> None:
    device.fall_silent()
    wait_for(lambda: box.status == "lost")
    device.say(frame("301,R") + frame("302,P") + frame("303,R"))
    wait_for(lambda: box.presses == 1)
    device.release()
    wait_for(lambda: box.status == "released")
    device.fall_silent()
    device.say(frame("304,Q"))
    wait_for(lambda: box.presses == 2)


@pytest.mark.requirement("SAF-140")
def test_a_button_at_an_input_of_the_computer(tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_text("1\n")
    box = open_stop_box(f"gpio:{value}")
    try:
        box.start()
        for text, status in (("0\n", "pressed"), ("1\n", "released"), ("", "pressed"), ("1", "released")):
            value.write_text(text)
            wait_for(lambda status=status: box.status == status)
        value.unlink()
        wait_for(lambda: box.status == "lost")
        value.write_text("1")
        wait_for(lambda: box.status == "released")
    finally:
        box.close()
    inverted = open_stop_box(f"gpio:{value}?released=0")
    with pytest.raises(SafetyError, match="is pressed; release it first"):
        inverted.start()
    inverted.close()
    assert str(open_stop_box("gpio:17").__dict__["_file"]) == "/sys/class/gpio/gpio17/value"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("serial:", "needs its port"),
        ("serial:/dev/ttyACM0?baud=3", "baud"),
        ("gpio:17?released=2", "released is '2'"),
        ("gpio:", "needs its input"),
        ("sreial:/dev/ttyACM0", "serial"),
    ],
)
def test_a_wrong_address_says_what_is_allowed(address: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        open_stop_box(address)


def test_the_line_of_the_docs_is_one_of_the_protocol() -> None:
    assert frame("7,R") == b"$7,R*1C\n"


def test_they_are_plug_ins() -> None:
    assert plugins.names("stop_boxes") == ("gpio", "serial")


# ---- the whole way: a session file -------------------------------------------------------------------------------


class Arm(Output):
    scheme: ClassVar[str] = "arm"
    actuator: ClassVar[bool] = False

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.sent_after = 0

    def send(self, command: Command) -> None:
        self.sent_after += self.stopped.is_set()

    def safe(self, reason: str = "") -> None:
        pass

    def stop(self, reason: str) -> None:
        self.stopped.set()

    def state(self) -> dict[str, Any]:
        return {"safe": True}


class Person(Listener):
    """Does something to the box at a chunk, in the middle of the session's own thread, and looks what comes of it."""

    def __init__(
        self, arm: Arm, boxes: list[StopBox], does: Callable[[], float], undoes: Callable[[], float] | None = None
    ) -> None:
        self.arm, self.boxes, self.does, self.undoes = arm, boxes, does, undoes
        self.engine: Engine | None = None
        self.n = 0
        self.wanted = "pressed"
        self.took = 0.0
        self.states: list[tuple[str, str]] = []

    def take(self, message: Message) -> None:
        assert self.engine is not None
        if isinstance(message, StateChanged):
            self.states.append((message.state, message.rule))
            if message.state == "ESTOP" and self.undoes is not None:
                self.undoes()
                self.engine.control.put({"do": "acknowledge", "who": "Li", "reason": "still pressed, or not heard of"})
        if not isinstance(message, Raw):
            return
        self.n += 1
        if self.n == 20:
            began = self.does()
            assert self.arm.stopped.wait(60)
            # A busy machine may have found the box silent before: then that stopped it, and this is heard later.
            wait_for(lambda: self.boxes[-1].status == self.wanted)
            self.took = time.monotonic() - began
        elif self.n > 20 and self.undoes is not None and self.states[-1][0] == "ESTOP" and self.n % 50 == 0:
            self.undoes()
            wait_for(lambda: self.boxes[-1].status == "released")
            self.engine.control.put({"do": "acknowledge", "who": "Li", "reason": "released and looked"})
        elif (self.n > 20 and self.undoes is None and self.states[-1][0] == "ESTOP") or self.n > 2000:
            self.engine.end()


@pytest.fixture
def boxes(opened_by_sessions: Callable[[str], list[StopBox]]) -> list[StopBox]:
    """Return the boxes that sessions of this test open, as they open them."""
    return opened_by_sessions("open_stop_box")


def session_file(folder: Path, stop_box: str) -> Path:
    file = folder / "session.toml"
    file.write_text(
        f"""
[source]
address = "sim:motor-imagery?seed=1"
[paradigm]
name = "motor-imagery"
[arming]
stop_box = "{stop_box}"
[recording]
enabled = false
""",
        encoding="utf-8",
    )
    return file


def run(file: Path, person: Person) -> dict[str, Any]:
    engine = Engine(file, outputs=[person.arm], listeners=[person])
    person.engine = engine
    return engine.run().values


@pytest.mark.requirement("SAF-140")
@pytest.mark.parametrize("what", ["press", "fall_silent", "unplug"])
def test_the_box_of_a_session_file_stops_the_session(
    device: SimulatedStopBox, boxes: list[StopBox], tmp_path: Path, what: str
) -> None:
    person = Person(Arm(), boxes, getattr(device, what))
    person.wanted = "pressed" if what == "press" else "lost"
    values = run(session_file(tmp_path, device.address), person)
    # Outputs first, in the box's thread, while the session's own stood in its listener; then the state.
    assert person.states[-1] == ("ESTOP", "A-ESTOP")
    assert person.arm.sent_after == 0
    assert values["safety"]["state"] == "ESTOP"
    # A busy machine may find a box that is pressed silent for a moment, too.
    assert values["stop_box"]["status"] in ("lost", *["pressed"] * (what == "press"))
    assert values["stop_box"]["presses" if what == "press" else "losses"] >= 1
    alarm = next(item for item in values["alarms"] if item["rule"] == "A-ESTOP")
    assert device.address in alarm["value"]


@pytest.mark.requirement("SAF-140")
def test_it_is_undone_at_the_box_and_by_a_person_and_nothing_arms_itself(
    device: SimulatedStopBox, boxes: list[StopBox], tmp_path: Path
) -> None:
    person = Person(Arm(), boxes, device.press, device.release)
    wanted = threading.Event()

    def over(*_: object) -> None:
        wanted.set()

    original = person.take

    def take(message: Message) -> None:
        original(message)
        states = [state for state, _ in person.states]
        if "ESTOP" in states and states[-1] == "STANDBY":
            person.n += 1
            if person.n > 60:
                over()
                assert person.engine is not None
                person.engine.end()

    person.take = take  # type: ignore[method-assign]
    run(session_file(tmp_path, device.address), person)
    states = [state for state, _ in person.states]
    assert wanted.is_set()
    after = states[states.index("ESTOP") :]
    # A busy machine may find it silent once more; it never goes further than to stand by.
    assert set(after) <= {"ESTOP", "SELFTEST", "STANDBY"}
    assert after[-1] == "STANDBY"


@pytest.mark.parametrize(("stop_box", "words"), [
    ("serial:/dev/does-not-exist", r"arming\.stop_box.*says nothing"),
    ("gpio:/proc/self/no-such", r"arming\.stop_box.*says nothing"),
    ("carrier-pigeon:1", r"arming\.stop_box.*kind of stop box"),
])  # fmt: skip
@pytest.mark.requirement("SAF-140")
def test_a_session_whose_box_says_nothing_does_not_begin(tmp_path: Path, stop_box: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Engine(session_file(tmp_path, stop_box)).run()
    assert isinstance(load_config(session_file(tmp_path, stop_box)), SessionConfig)


@pytest.mark.requirement("SAF-140")
def test_an_actuator_is_armed_only_after_its_box_was_pressed_and_released() -> None:
    """A box that was lost was not tested by that."""
    settings = GateSettings(profile="simulation")
    info = StreamInfo(name="s", sfreq=250.0, ch_names=("C3", "C4"))
    real = settings.model_copy(update={"profile": "fes"})
    safety = SafetySystem(settings, info, stop_box=True)
    # Nothing else of a real profile stands in the way here.
    here = safety._here
    here.settings = real
    words = "the stop box was not pressed and released"
    with pytest.raises(SafetyError, match=words):
        safety.control.arm(ArmRequest(operator="Li"), now=0.0)
    safety.switches.estop(1.0, pressed=True, lost=True)
    safety.switches.estop(1.0, pressed=False)
    here.settings = settings
    safety.control.acknowledge("Li", "plugged in again", now=2.0)
    here.settings = real
    with pytest.raises(SafetyError, match=words):
        safety.control.arm(ArmRequest(operator="Li"), now=2.0)
    safety.switches.estop(3.0, pressed=True)
    safety.switches.estop(3.0, pressed=False)
    here.settings = settings
    safety.control.acknowledge("Li", "tested", now=4.0)
    here.settings = real
    with pytest.raises(SafetyError) as refused:
        safety.control.arm(ArmRequest(operator="Li"), now=4.0)
    assert words not in str(refused.value)
