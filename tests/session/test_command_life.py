"""A command lives as long as the gate allows; an action that lasts longer is renewed and ends when nobody does that."""

from typing import Any

import pytest

from bcikit.safety import GateSettings
from bcikit.session import Engine, Listener
from bcikit.session.command_life import CommandLife, shortened
from bcikit.signal import Command
from bcikit.signal.messages import Message, Sent

SHORT_LIVED = GateSettings.model_validate({"profile": "simulation", "ttl_s": 0.05, "action_max_s": 2.0})


def command(ttl: float, **data: Any) -> Command:
    return Command(sequence=7, time=100.0, ttl=ttl, name="close", value=1.0, data=data)


def test_no_command_outlives_the_gate() -> None:
    assert shortened(command(5.0), SHORT_LIVED).ttl == 0.05
    assert shortened(command(0.01), SHORT_LIVED).ttl == 0.01


def test_an_action_is_renewed_until_its_time_is_over() -> None:
    life = CommandLife()
    first = life.begin(command(5.0, duration=1.0), SHORT_LIVED)
    assert (first.ttl, first.data["duration"]) == (0.05, 1.0)
    sent, now = [first], 100.0
    while now < 103.0:
        now += 0.02
        again = life.renewed(now)
        if again is not None:
            assert now <= sent[-1].time + sent[-1].ttl, "it came before the one before it expired"
            sent.append(again)
    assert [one.sequence for one in sent] == list(range(1, len(sent) + 1))
    assert max(one.time + one.ttl for one in sent) == pytest.approx(101.0)
    assert len(sent) > 20


def test_an_action_ends_at_the_limit_of_the_gate_and_when_it_is_dropped() -> None:
    life = CommandLife()
    first = life.begin(command(5.0, duration=60.0), SHORT_LIVED)
    assert first.data["duration"] == 2.0, "a guard renews it for as long as this says"
    assert life.renewed(101.99) is not None
    assert life.renewed(102.1) is None
    life.begin(command(5.0, duration=1.0), SHORT_LIVED)
    life.drop()
    assert life.renewed(100.04) is None


def test_in_a_session_no_command_lives_longer_than_its_file_says(short_config) -> None:
    class Watch(Listener):
        def __init__(self) -> None:
            self.lives: list[float] = []

        def take(self, message: Message) -> None:
            if isinstance(message, Sent):
                self.lives.append(message.command.ttl)

    watch = Watch()
    Engine(short_config("", gate={"ttl_s": 0.05}), listeners=[watch], limit=100.0).run()
    assert watch.lives
    assert max(watch.lives) <= 0.05
