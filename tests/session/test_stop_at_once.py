"""A stop does not wait for the session's own thread, which trains, waits for a source or hangs."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from bcikit.outputs import Output
from bcikit.outputs.guard import GuardOutput
from bcikit.outputs.screen import ScreenOutput
from bcikit.outputs.websocket import WebSocketOutput
from bcikit.safety import GateSettings, SafetySystem
from bcikit.safety.guard.client import GuardClient
from bcikit.session import Engine
from bcikit.session.control import ControlClient
from bcikit.session.listener import Listener
from bcikit.session.outputs import BUSY_SECONDS, Outputs
from bcikit.signal import BciError, Command, StreamInfo
from bcikit.signal.messages import Message, Raw, Sent, StateChanged


class Arm(Output):
    """Notes in which thread what was asked of it, and can be busy for a while."""

    scheme: ClassVar[str] = "arm"
    actuator: ClassVar[bool] = False

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.stopped = threading.Event()
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def note(self, what: str) -> None:
        self.calls.append((what, threading.current_thread().name))

    def send(self, command: Command) -> None:
        self.note(f"send {command.sequence}")
        self.busy.set()
        self.go_on.wait(60)

    def safe(self, reason: str = "") -> None:
        self.note("safe")

    def stop(self, reason: str) -> None:
        self.note(f"stop {reason}")
        self.stopped.set()

    def release(self, who: str, reason: str) -> None:
        self.note("release")

    def state(self) -> dict[str, Any]:
        return {"safe": True}

    @property
    def words(self) -> list[str]:
        return [what for what, _ in self.calls]


class HangsAt(Listener):
    """Holds the session's own thread at its third chunk, as a decoder that trains or a paradigm that hangs does."""

    def __init__(self) -> None:
        self.hangs, self.go_on = threading.Event(), threading.Event()
        self.n = 0
        self.states: list[str] = []

    def take(self, message: Message) -> None:
        if isinstance(message, StateChanged):
            self.states.append(message.state)
        if isinstance(message, Raw):
            self.n += 1
            if self.n == 3:
                self.hangs.set()
                assert self.go_on.wait(60)


@contextmanager
def running(engine: Engine) -> Iterator[dict[str, Any]]:
    """Run a session beside; what it came to is in the dictionary once it is over."""
    result: dict[str, Any] = {}

    def run() -> None:
        try:
            result.update(engine.run().values)
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=run, name="session")
    thread.start()
    try:
        yield result
    finally:
        engine.end()
        thread.join(60)
        assert not thread.is_alive()


def system() -> SafetySystem:
    made = SafetySystem(GateSettings(stop_clear_s=0.0), StreamInfo(name="s", sfreq=250.0, ch_names=("C3", "C4")))
    made.control.start(now=0.0)
    return made


def command(sequence: int) -> Sent:
    return Sent(command=Command(name="close", value=1.0, time=0.0, ttl=0.5, sequence=sequence))


@pytest.mark.requirement("SAF-137")
@pytest.mark.parametrize("order", [{"do": "stop", "reason": "now"}, {"do": "estop", "pressed": True, "reason": "now"}])
def test_a_stop_reaches_what_moves_while_the_session_hangs(short_config, order: dict[str, Any]) -> None:
    arm, hangs = Arm(), HangsAt()
    engine = Engine(short_config(""), outputs=[arm], listeners=[hangs])
    with running(engine) as result:
        assert hangs.hangs.wait(60)
        client = ControlClient(engine.control.ticket("window"))
        client.send(order)
        # The answer comes after the outputs were stopped, and the session still hangs.
        assert arm.stopped.is_set()
        assert "stop now" in arm.words
        stop = next(name for what, name in arm.calls if what == "stop now")
        assert stop == ("bcikit-stop" if order["do"] == "stop" else "bcikit-channel")
        assert "SAFE_STOP" not in hangs.states
        hangs.go_on.set()
        end = time.monotonic() + 60
        while not {"SAFE_STOP", "ESTOP"} & set(hangs.states):
            assert time.monotonic() < end
            time.sleep(0.01)
        client.close()
    assert "error" not in result
    assert result["safety"]["state"] == ("SAFE_STOP" if order["do"] == "stop" else "ESTOP")
    assert not [what for what in arm.words if what.startswith("send")]


@pytest.mark.requirement("SAF-137")
def test_nothing_moves_between_a_stop_and_the_moment_the_session_takes_it() -> None:
    from bcikit.signal.messages import Input

    arm, safety = Arm(), system()
    outputs = Outputs([arm], safety=safety)
    outputs.take(command(1))
    outputs.at_once({"do": "stop", "reason": "key"})
    outputs.take(command(2))
    assert arm.words == ["send 1", "stop key"]
    assert outputs.held_back == 1
    # The session undoes an earlier stop in that moment: what moves stays stopped.
    safety.control.stop("earlier", now=1.0)
    safety.control.acknowledge("Li", "looked", now=2.0)
    assert arm.words == ["send 1", "stop key", "stop earlier", "safe"]
    outputs.take(Input(kind="order", values={"do": "stop", "reason": "key"}))
    safety.control.stop("key", now=3.0)
    safety.control.acknowledge("Li", "looked", now=4.0)
    safety.control.start(now=5.0)
    outputs.take(command(3))
    assert arm.words[4:] == ["stop key", "safe", "release", "safe", "send 3"]


@pytest.mark.requirement("SAF-137")
def test_an_output_that_is_busy_is_stopped_as_soon_as_it_is_not_and_who_pressed_is_told() -> None:
    arm, other, safety = Arm(), Arm(), system()
    outputs = Outputs([arm, other], safety=safety)
    arm.go_on.clear()
    mover = threading.Thread(target=lambda: outputs.take(command(1)))
    mover.start()
    assert arm.busy.wait(60)
    began = time.monotonic()
    with pytest.raises(BciError, match="arm: is busy"):
        outputs.stop_now("key")
    assert time.monotonic() - began >= BUSY_SECONDS
    assert other.words == ["stop key"], "one that hangs holds up no other"
    arm.go_on.set()
    mover.join(30)
    assert arm.words == ["send 1", "stop key"]
    assert other.words == ["stop key"], "the command was on its way to it, and came too late"


@pytest.mark.requirement("SAF-137")
def test_what_an_output_does_wrong_at_a_stop_is_told_to_who_pressed(short_config) -> None:
    class Broken(Arm):
        def stop(self, reason: str) -> None:
            super().stop(reason)
            raise OSError("cable")

    broken, good, hangs = Broken(), Arm(), HangsAt()
    engine = Engine(short_config(""), outputs=[broken, good], listeners=[hangs])
    with running(engine):
        assert hangs.hangs.wait(60)
        client = ControlClient(engine.control.ticket("therapist"))
        with pytest.raises(BciError, match="OSError: cable"):
            client.send({"do": "stop", "reason": "now"})
        assert good.words[-1] == "stop now"
        client.close()
        hangs.go_on.set()


class Loose(Arm):
    """Cannot be reached once it is to stop or to let go."""

    def safe(self, reason: str = "") -> None:
        super().safe(reason)
        raise OSError("cable")

    def stop(self, reason: str) -> None:
        super().stop(reason)
        raise OSError("cable")


@pytest.mark.requirement("SAF-137")
def test_an_output_that_fails_keeps_no_other_from_stopping_by_a_rule_or_from_letting_go() -> None:
    loose, good, safety = Loose(), Arm(), system()
    outputs = Outputs([loose, good], safety=safety)
    with pytest.raises(OSError, match="cable"):
        safety.control.stop("a rule", now=1.0)
    assert loose.words == good.words == ["stop a rule"]
    with pytest.raises(OSError, match="cable"):
        outputs.let_go("session over")
    assert loose.words == good.words == ["stop a rule", "safe"]


@pytest.mark.requirement("SAF-137")
def test_a_session_that_an_output_ends_has_the_others_let_go_before_they_are_closed(short_config) -> None:
    loose, good = Loose(), Lamp()
    with pytest.raises(OSError, match="cable"):
        Engine(short_config(""), outputs=[loose, good]).run()
    # By the state that came, at the end, and by closing.
    assert good.words == ["STANDBY", "safe", "safe", "FAILED", "safe"]


@pytest.mark.requirement("SAF-137")
@pytest.mark.requirement("SAF-066")
def test_the_guard_hears_stop_and_switch_while_the_session_hangs() -> None:
    safety = system()
    with GuardOutput("sim-hand", dead_man=True) as output:
        outputs = Outputs([output], safety=safety)
        client = output._client
        assert client is not None
        seen = GuardClient(client.port, client.role_key("operator"), role="operator")
        # The session's thread hangs: nobody calls `take` any more.
        # It counts for 80 ms: a process that is starved just then looks too late.
        for _ in range(500):
            outputs.at_once({"do": "deadman", "held": True})
            if held := seen.state()["held"]:
                break
        assert held
        outputs.at_once({"do": "deadman", "held": False})
        assert not seen.state()["held"]
        outputs.at_once({"do": "stop", "reason": "key"})
        assert seen.state()["latched"]
        assert "key" in seen.state()["trip"]
        seen.close()


class Pedal(Arm):
    """Hears from any thread whether the dead-man switch is held."""

    stops_from_any_thread: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.then: Callable[[], object] = lambda: None

    def hold(self, *, held: bool) -> None:
        self.note("held" if held else "let go")
        if held:
            self.then()


@pytest.mark.requirement("SAF-066")
def test_a_switch_is_renewed_between_chunks_only_while_who_holds_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [100.0]
    monkeypatch.setattr("bcikit.session.outputs.time", SimpleNamespace(monotonic=lambda: wall[0]))
    pedal, safety = Pedal(), system()
    outputs = Outputs([pedal], safety=safety)

    def renewed() -> list[str]:
        pedal.calls.clear()
        outputs.renew_switch()
        return pedal.words

    def press(*, held: bool) -> None:
        outputs.at_once({"do": "deadman", "held": held})

    press(held=True)
    assert renewed() == [], "the session has not heard of it yet"
    safety.switches.dead_man(0.0, held=True)
    assert renewed() == renewed() == ["held"]
    # The session's clock stands still, as between two chunks: that of the wall does not.
    wall[0] += safety.settings.dead_man_s + 0.01
    assert renewed() == [], "who holds it is silent for too long"
    press(held=True)
    assert renewed() == ["held"]
    press(held=False)
    assert safety.switches.dead_man_held
    assert renewed() == [], "let go, and the session has not heard of it yet"
    press(held=True)
    pedal.then = lambda: press(held=False)
    assert renewed() == ["held", "let go", "let go"], "who lets go in that moment has the last word"
    pedal.then = lambda: None
    press(held=True)
    outputs.stop_now("key")
    assert renewed() == [], "a stop is on its way"


@pytest.mark.requirement("SAF-066")
def test_a_guard_hears_that_the_switch_is_held_more_often_than_chunks_come(
    short_config, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A device that gives 148 ms of signal every 150 ms.
    counts = cycle([0, 0, 0, 0, 0, 37])
    monkeypatch.setattr(
        "bcikit.simulation.source.SimSource._wait", lambda _, seconds: (time.sleep(seconds), next(counts))[1]
    )
    pedal = Pedal()
    heard: list[int] = []

    class Holds(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, Raw):
                heard.append(pedal.words.count("held"))
                pedal.calls.clear()
                if len(heard) < 6:
                    engine.control.put({"do": "deadman", "held": True})

    config = short_config("")
    source = config.source.model_copy(update={"address": f"{config.source.address}&live=1"})
    engine = Engine(config.model_copy(update={"source": source}), outputs=[pedal], listeners=[Holds()], limit=3.0)
    engine.run()
    # By the order, by the chunk, and in each look between two.
    assert max(heard) >= 4
    assert sum(heard[-5:]) == 0, "nobody says so any more"


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is frozen otherwise there")
@pytest.mark.requirement("SAF-137")
def test_who_presses_is_told_that_a_frozen_guard_is_not_known_to_have_stopped() -> None:
    other = Arm()
    with GuardOutput("sim-hand") as output:
        outputs = Outputs([output, other], safety=system())
        client = output._client
        assert client is not None
        assert client.pid is not None
        outputs.stop_now("first")
        os.kill(client.pid, signal.SIGSTOP)
        try:
            with pytest.raises(BciError, match=r"guard: is not known to have stopped: The guard does not answer"):
                outputs.stop_now("key")
            assert other.words == ["stop first", "stop key"], "one that hangs holds up no other"
            assert not output.state()["safe"], "nobody knows"
        finally:
            os.kill(client.pid, signal.SIGCONT)


def test_a_flood_of_orders_loses_no_emergency_stop_and_keeps_no_old_release() -> None:
    from bcikit.session.channel import ChannelServer

    server = ChannelServer()
    try:
        server.put({"do": "estop", "pressed": False})
        server.put({"do": "estop", "pressed": True}, role="outputs")
        for _ in range(1000):
            server.put({"do": "pause"})
        orders = server.poll()
        assert orders[0] == {"do": "estop", "pressed": True}
        assert [order["do"] for order in orders[1:]] == ["pause"] * 256
        with pytest.raises(BciError, match="Who joined as outputs may not order 'arm'"):
            server.put({"do": "arm"}, role="outputs")
        assert server.poll() == []
    finally:
        server.close()


PATIENT = """
import sys
from PySide6.QtCore import QTimer, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
import bcikit.presentation.__main__ as window

def press():
    for one in QApplication.topLevelWidgets():
        if one.accessibleName() == "Patient's screen":
            QTest.keyClick(one, Qt.Key.Key_Space)
            return
    QTimer.singleShot(20, press)

run = window._run
def started(line, given):
    timer = QTimer
    import PySide6.QtWidgets as widgets
    execute = widgets.QApplication.exec
    widgets.QApplication.exec = lambda *_: (QTimer.singleShot(100, press), execute())[1]
    return run(line, given)
window._run = started
sys.exit(window.main())
"""


@pytest.mark.requirement("SAF-138")
def test_the_space_bar_in_the_patients_own_window_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window and its process as `screen:` starts them, but that somebody presses; it ends with the session."""
    pytest.importorskip("PySide6")
    start = subprocess.Popen

    def pressed(command: list[str], *, env: dict[str, str]) -> subprocess.Popen[bytes]:
        at = command.index("bcikit.presentation")
        assert command[at - 1] == "-m"
        here = {**env, "PYTHONPATH": str(Path(__file__).parents[2])}
        return start([*command[: at - 1], "-c", PATIENT, *command[at + 1 :]], env=here)

    stopped = threading.Event()
    reasons: list[str] = []
    monkeypatch.setattr("bcikit.outputs.screen.subprocess.Popen", pressed)
    monkeypatch.setattr("bcikit.outputs.screen._CLOSE_SECONDS", 60.0)
    with ScreenOutput(place="window", patch=True) as output:
        output.on_stop(lambda reason: (reasons.append(reason), stopped.set()))
        assert stopped.wait(100)
        end = time.monotonic() + 60
        heard: list[dict[str, Any]] = []
        while not heard:
            assert time.monotonic() < end
            heard += output.heard()
            time.sleep(0.01)
    assert reasons == ["STOP pressed in qt (screen:)"]
    assert (heard[0]["type"], heard[0]["client"], heard[0]["delay"]) == ("hello", "qt", 0.1)
    assert heard[0]["refresh"] > 0
    # It goes by itself when the session's line ends: nobody had to end it.
    assert output._window.returncode == 0


@pytest.mark.requirement("SAF-138")
def test_stop_in_a_page_stops_the_session_and_what_else_it_says_does_not(short_config) -> None:
    websockets = pytest.importorskip("websockets.sync.client")
    hangs = HangsAt()
    output = WebSocketOutput(port=0)
    engine = Engine(short_config(""), outputs=[output], listeners=[hangs])
    with running(engine) as result:
        assert hangs.hangs.wait(60)
        with websockets.connect(f"ws://127.0.0.1:{output.port}/ws?token={output.token}") as page:
            for text in ('{"type": "arm"}', '{"type": ["stop"]}', '{"type": "stop", "client": "pa\\u0007ge"}'):
                page.send(text)
            end = time.monotonic() + 60
            while not engine.control.waiting.is_set():
                assert time.monotonic() < end
                time.sleep(0.01)
        hangs.go_on.set()
        while "SAFE_STOP" not in hangs.states:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert result["safety"]["state"] == "SAFE_STOP"


class Lamp(Arm):
    """Shows the state of the session."""

    def inform(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "state":
            self.note(str(message["state"]))


@pytest.mark.parametrize(("error", "state"), [(None, "STANDBY"), (BciError("gone"), "FAILED")])
def test_who_shows_the_state_does_not_go_on_showing_that_of_a_session_that_is_over(
    short_config, error: BciError | None, state: str
) -> None:
    lamp, engine = Lamp(), None

    class Ends(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, StateChanged) and message.state == "ACTIVE":
                if error is not None:
                    raise error
                engine.end()

    engine = Engine(short_config(""), outputs=[lamp], listeners=[Ends()])
    with nullcontext() if error is None else pytest.raises(BciError, match="gone"):
        engine.run()
    told = [word for word in lamp.words if word.isupper()]
    assert "ACTIVE" in told
    assert told[-1] == state
    assert lamp.words[lamp.words.index("ACTIVE") + 1].startswith("safe")
