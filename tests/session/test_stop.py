"""A stop is a stop, at gate and guard, in a break too: the real engine, a real guard, orders over the channel."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bcikit.outputs import open_output
from bcikit.outputs.guard import GuardOutput
from bcikit.recording import read_session
from bcikit.safety.guard.client import GuardClient
from bcikit.safety.guard.core import Cause
from bcikit.session import Engine
from bcikit.session.control import ControlClient
from bcikit.session.listener import Listener
from bcikit.signal import Command, ConfigError
from bcikit.signal.messages import Message, ModelChosen, Raw, Sent, StateChanged


class StopIn(Listener):
    """Presses STOP as soon as the session reaches a state, through the channel, as a window does."""

    def __init__(self, state: str) -> None:
        self.wanted = state
        self.engine: Engine | None = None
        self.pressed = False
        self.states: list[str] = []
        self.commands_after = 0
        self.chunks_after = 0

    def take(self, message: Message) -> None:
        if isinstance(message, Raw):
            self.on_chunk(message.chunk, message.time)
        elif isinstance(message, StateChanged):
            self.on_state(message.state, message.time)
        elif isinstance(message, Sent):
            self.on_command(message.command)
        elif isinstance(message, ModelChosen):
            self.on_model(message.model)

    def on_model(self, model: Any) -> None:
        pass

    def on_state(self, state: str, time: float) -> None:
        self.states.append(state)
        if state == self.wanted and not self.pressed and "ACTIVE" in (*self.states, self.wanted):
            self.press()

    def press(self) -> None:
        assert self.engine is not None
        self.pressed = True
        self.states.clear()
        client = ControlClient(self.engine.control.ticket("therapist"))
        client.send({"do": "stop", "who": "Li", "reason": "patient asks"})
        client.close()

    def on_chunk(self, raw: Any, now: float) -> None:
        self.chunks_after += self.pressed

    def on_command(self, command: Command) -> None:
        self.commands_after += self.pressed


@pytest.mark.requirement("SAF-132")
@pytest.mark.parametrize(("state", "seconds"), [("CALIBRATING", 30.0), ("STANDBY", 100.0), ("ACTIVE", 100.0)])
def test_a_stop_in_any_phase_stays_and_sends_nothing(short_config, tmp_path: Path, state: str, seconds: float) -> None:
    config = short_config()
    recording = config.recording.model_copy(update={"folder": str(tmp_path / "session"), "enabled": True})
    person = StopIn(state)
    # Some 20 s after the stop: who sends nothing in the trials after it sends nothing in the last one.
    engine = Engine(config.model_copy(update={"recording": recording}), listeners=[person], limit=seconds)
    if state == "STANDBY":
        # While the decoder trains: what the session is at when its calibration is over.
        person.on_model = lambda model: person.press()  # type: ignore[method-assign]
        person.wanted = "never"
    if state == "CALIBRATING":
        person.on_state = lambda name, time: (  # type: ignore[method-assign]
            person.states.append(name),
            person.press() if name == "CALIBRATING" and not person.pressed else None,
        )
    person.engine = engine
    values = engine.run().values
    assert person.pressed
    assert person.chunks_after > 50
    assert person.commands_after == 0
    assert "SAFE_STOP" in person.states
    after = person.states[person.states.index("SAFE_STOP") :]
    assert after == ["SAFE_STOP"]
    assert values["safety"]["state"] == "SAFE_STOP"
    session = read_session(tmp_path / "session")
    assert [event.data["reason"] for event in session.events if event.name == "operator/stop"] == ["patient asks"]


@pytest.mark.requirement("SAF-132")
def test_a_stop_ends_the_protocol_of_a_session_that_nobody_attends(short_config, tmp_path: Path) -> None:
    """No cue, sound or trial after it, none of them counted, and the session does not call itself complete."""
    config = short_config()
    recording = config.recording.model_copy(update={"folder": str(tmp_path / "session"), "enabled": True})
    person = StopIn("ACTIVE")
    person.engine = engine = Engine(config.model_copy(update={"recording": recording}), listeners=[person])
    values = engine.run().values
    assert not values["complete"]
    assert values["ended"] == "it was stopped (A-STOP), nobody attends it, and nobody acknowledged the stop"
    assert values["n_trials"] == 0
    session = read_session(tmp_path / "session")
    stopped = next(event.time for event in session.events if event.name == "operator/stop")
    after = [event for event in session.events if event.time > stopped and event.source == "paradigm"]
    assert [event.name for event in after if not event.data.get("interrupted")] == []
    assert [one for one in session.decisions if one.time > stopped + 0.5] == []
    assert session.recording.times[-1] - stopped == pytest.approx(60.0, abs=2.0)


def close(sequence: int) -> Command:
    return Command(name="close", value=1.0, time=0.0, ttl=0.25, sequence=sequence)


def arm(output: GuardOutput, first: int) -> None:
    """Send until the guard is armed: a starved process misses a beat of its heart, or of the switch, and is refused."""
    for number in range(first, first + 500):
        output.send(close(number))
        if output.state()["guard"]["armed"]:
            return
        if output.state()["guard"]["cause"] == "dead-man":
            output.release("Li", "looked")
        told(output)
    raise AssertionError(output.state())


def told(output: GuardOutput) -> str:
    output._look_at = float("-inf")
    output.tick(0.0)
    found = output.trouble()
    return "" if found is None else f"{found.rule} {found.severity.name}"


@pytest.mark.requirement("SAF-132")
def test_the_operators_stop_at_the_guard_is_not_undone_by_the_next_command() -> None:
    output = open_output("guard:sim-hand")
    assert isinstance(output, GuardOutput)
    with output:
        arm(output, 1)
        assert output._client is not None
        person = GuardClient(output._client.port, output._client.role_key("operator"), role="operator")
        person.safe("operator at the guard itself")
        assert not person.state()["armed"]
        person.close()
        assert told(output) == "A-STOP FAULT"
        assert told(output) == "", "told once"
        for number in range(600, 630):
            output.send(close(number))
            assert not output.state()["guard"]["armed"]
        output.release("Li", "looked")
        arm(output, 700)
        output.stop("session stopped")
        output.send(close(2000))
        assert output.state()["guard"]["latched"]


def test_the_operators_stop_at_the_guard_in_a_break_is_seen() -> None:
    with open_output("guard:sim-hand") as output:
        output.send(close(1))
        output.safe("STANDBY")
        person = GuardClient(output._client.port, output._client.role_key("operator"), role="operator")
        person.safe("stop in a break")
        person.state()
        person.close()
        assert told(output) == "A-STOP FAULT"


def test_the_dead_man_switch_of_a_window_reaches_the_guard() -> None:
    with open_output("guard:sim-hand?dead_man=1") as output:
        for _ in range(100):
            going = threading.Event()
            holder = threading.Thread(
                target=lambda going=going: [output.hold(held=True) for _ in iter(lambda: going.wait(0.02), True)]
            )
            holder.start()
            try:
                while not output.state()["guard"]["held"]:
                    time.sleep(0.02)
                arm(output, 1)
            finally:
                going.set()
                holder.join(10)
            while output.state()["guard"]["armed"]:
                output.tick(0.0)
                time.sleep(0.02)
            # Where this process, or the guard, had no turn just then, the heart stopped first: once more.
            if output.state()["guard"]["cause"] not in (Cause.SILENCE, Cause.STALE):
                break
        assert output.state()["guard"]["cause"] == "dead-man"


@pytest.mark.parametrize("address", ["serial:/dev/ttyUSB0", "guard:serial-fes:/dev/ttyUSB0"])
def test_what_can_touch_a_person_needs_a_profile_for_it(short_config, address: str) -> None:
    config = short_config()
    section = config.outputs[0].model_copy(update={"address": address})
    with pytest.raises(ConfigError, match="can touch a person; it needs the profile fes or robot"):
        Engine(config.model_copy(update={"outputs": [section]})).run()
