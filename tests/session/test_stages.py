"""Stages: all the time of a chunk belongs to a stage, windows come after the verdict, decisions know nothing of it."""

from pathlib import Path

import numpy as np
import pytest

from bcikit.safety import GateSettings
from bcikit.session import engine as engine_module
from bcikit.session import stages
from bcikit.session.channel import ChannelServer
from bcikit.session.conductor import Conductor
from bcikit.session.engine import Engine
from bcikit.session.listener import Listener
from bcikit.session.repeat import replay
from bcikit.session.stages import NAMES, SPAN, Lap, StageMeter, with_laps
from bcikit.signal import Chunk, Health
from bcikit.signal.messages import Decided, Message, Progressed, Raw, Stages, StateChanged


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stages, "time", made)
    return made


def chunk_at(second: float, *, size: int = 10, age: float = 0.0) -> Chunk:
    times = second + np.arange(size) / 250.0
    return Chunk(np.zeros((size, 1)), times, round(second * 250), Health(age=age))


def test_times_are_added_up_by_stage(clock: Clock) -> None:
    meter = StageMeter(250.0, GateSettings())
    for number in range(100):
        meter.begin(clock.now)
        for stage, seconds in (
            ("record", 0.001),
            ("filter", 0.002),
            ("decode", 0.001 * (1 + number % 2)),
            ("record", 0.003),
        ):
            clock.now += seconds
            meter.lap(stage)
        meter.verdict(0.012)
        meter.verdict(0.01)
        meter.end(chunk_at(number * 0.04, age=0.005))
    found = meter.summary()
    assert list(found) == ["arrival", "record", "filter", "decode", "total"]
    assert found["record"]["p50"] == pytest.approx(4.0)
    assert found["filter"] == {"p50": 2.0, "p99": 2.0, "max": 2.0, "deadline": 40.0, "n": 100}
    assert (found["decode"]["p50"], found["decode"]["p99"], found["decode"]["max"]) == (1.0, 2.0, 2.0)
    assert (found["arrival"]["p50"], found["arrival"]["deadline"]) == (5.0, 200.0)
    assert (found["total"]["max"], found["total"]["deadline"]) == (12.0, 400.0)


def test_only_the_last_seconds_count_and_memory_does_not_grow(clock: Clock) -> None:
    meter = StageMeter(250.0, GateSettings())
    size = meter._rows.nbytes
    for number in range(5000):
        meter.begin(clock.now)
        clock.now += 0.001 if number < 4900 else 0.002
        meter.lap("gate")
        meter.end(chunk_at(number * 0.2))
    found = meter.summary()["gate"]
    assert found["n"] == round(SPAN / 0.2)
    assert found["p50"] == pytest.approx(2.0)
    assert meter._rows.nbytes == size
    assert StageMeter(250.0, GateSettings()).summary() == {}


def test_laps_stand_behind_each_group_of_listeners() -> None:
    meter = StageMeter(250.0, GateSettings())
    one, two, three = Listener(), Listener(), Listener()
    made = with_laps(meter, [("record", [one]), ("output", []), ("publish", [two, three])])
    assert [part for part in made if not isinstance(part, Lap)] == [one, two, three]
    assert [isinstance(part, Lap) for part in made] == [True, False, True, False, False, True]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What the channel is told, as if somebody read it."""
    said: list[Message] = []
    monkeypatch.setattr(ChannelServer, "say", lambda _, message: said.append(message))
    return said


@pytest.mark.slow
def test_the_engine_tells_every_stage_and_sends_samples_after_the_verdict(short_config, told: list[Message]) -> None:
    result = Engine(short_config()).run()
    summaries = [message.stages for message in told if isinstance(message, Stages)]
    assert len(summaries) > 20
    seen = {stage for summary in summaries for stage in summary}
    assert seen >= {"record", "safety", "filter", "task", "decode", "gate", "output", "publish", "total"}
    assert seen <= set(NAMES)
    for values in (values for summary in summaries for values in summary.values()):
        assert 0 < values["p50"] <= values["p99"] <= values["max"]
        assert values["deadline"] > 0
    # A window sees the samples of a chunk only once it was decided on.
    raw_end = -1
    for message in told:
        if isinstance(message, Decided):
            assert raw_end <= message.decision.sample
        elif isinstance(message, Raw):
            assert message.chunk.first_sample >= raw_end
            raw_end = message.chunk.end_sample
    assert raw_end == result.values["n_samples"]
    assert isinstance(told[0], Progressed)
    assert "Opening sim:" in told[0].what
    finished = [message for message in told if isinstance(message, StateChanged)][-1]
    assert finished.state == "FINISHED"


@pytest.mark.slow
def test_measuring_changes_no_decision(short_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Engine(short_config("measured")).run()
    assert replay(measured.folder).identical
    monkeypatch.setattr(Conductor, "_lap", lambda self, stage: None)
    monkeypatch.setattr(engine_module, "with_laps", lambda _, parts: [part for _, group in parts for part in group])
    plain = Engine(short_config("plain")).run()
    for key in ("decisions_sha256", "gate", "n_samples", "online_accuracy"):
        assert plain.values[key] == measured.values[key]
