"""Old samples, bad channels and bursts of loss, from the source to the hand and to what is read of the session."""

import math
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bcikit.acquisition import Source, open_source
from bcikit.outputs import Output
from bcikit.session import Engine
from bcikit.signal import Command, Decision
from bcikit.simulation.faults import Fault, FaultInjector
from tests.safety.test_fault_matrix import playback

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from safety_engine import CLASSES, Closes


@pytest.fixture(autouse=True)
def _short_look_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    # What wants to move for ever is looked at for six hours before each session: a minute says the same.
    monkeypatch.setattr("bcikit.session.rehearsal.LONGEST_SECONDS", 60.0)


class Noting(Output):
    """Notes when it was moved."""

    scheme: ClassVar[str] = "noting"
    actuator: ClassVar[bool] = False

    def __init__(self) -> None:
        self.times: list[float] = []

    def send(self, command: Command) -> None:
        self.times.append(command.time)

    def safe(self, reason: str = "") -> None:
        """Nothing moves."""

    def state(self) -> dict[str, Any]:
        return {"moves": len(self.times)}


class Late:
    """Decides on samples of another time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def decide(self, window: Any, *, now: float | None = None) -> Decision:
        return Decision(
            time=window.time - self.seconds, sample=window.stop_sample - 1, classes=CLASSES, probabilities=(0.97, 0.03),
            label="close",
        )  # fmt: skip


def run(source: Source, seconds: float, *, late: float = 0.0, **gate: Any) -> tuple[dict[str, Any], list[float]]:
    """Return the result of a session that wants to move ten times a second, and when it did."""

    class Wants(Closes):
        def decider(self) -> Any:
            return Late(late)

    hand = Noting()
    config = {
        "source": {"address": "sim:rest"},
        "gate": {"refractory_s": 0.0, "advisory_stops": False, **gate},
        "recording": {"enabled": False},
    }
    values = Engine(config, source=source, paradigm=Wants(), outputs=[hand], limit=seconds).run().values
    return values, hand.times


@pytest.mark.requirement("SAF-008")
@pytest.mark.parametrize(
    ("late", "moves", "told"),
    [(0.0, True, False), (0.3, True, True), (0.5, False, True), (-0.3, True, True), (-1.0, False, True)],
)
def test_a_decision_on_old_samples_is_a_caution_then_moves_nothing_and_one_from_the_future_neither(
    late: float, moves: bool, told: bool
) -> None:
    values, times = run(open_source("sim:rest?seed=1&chunk=10"), 4.0, late=late)
    assert bool(times) == moves
    alarms = [alarm for alarm in values["alarms"] if alarm["rule"] == "H-LAT"]
    assert [alarm["level"] for alarm in alarms] == ["CAUTION"] * told
    assert all(math.copysign(1.0, alarm["value"]) == math.copysign(1.0, late) for alarm in alarms)
    refusals = values["safety"]["refusals"]
    assert refusals.get("H-LAT", 0) == (0 if moves else values["safety"]["verdicts"]["refused"])


@pytest.mark.requirement("SAF-065")
def test_a_channel_that_is_not_good_holds_the_hand_until_it_is_good_again() -> None:
    source = FaultInjector(open_source("sim:rest?seed=1&chunk=10"), (Fault.parse("flat@6~6*0"),))
    values, times = run(source, 22.0, min_good=0.5, need_all=True)
    # Two windows of two seconds make it BAD; five good ones after the last flat sample make it GOOD.
    assert [time for time in times if time < 6.0]
    assert not [time for time in times if 9.0 <= time <= 12.0]
    assert [time for time in times if time > 18.0]
    assert values["safety"]["refusals"]["A-QUAL"] >= 30
    (alarm,) = (one for one in values["alarms"] if one["rule"] == "Q-MONT")
    assert 6.0 < alarm["since"] < 9.0
    assert alarm["channels"] == [source.info.ch_names[0]]


@pytest.mark.slow
@pytest.mark.requirement("SAF-103")
def test_a_burst_of_loss_longer_than_the_counter_stops_the_hand(tmp_path: Path) -> None:
    # 312 samples of a counter that goes to 256: 56 by its numbers alone.
    source = playback(tmp_path, 8, lambda rows: np.delete(rows, slice(750, 1062), axis=0))
    values, times = run(source, 6.0)
    assert values["safety"]["lost_samples"] == pytest.approx(312, abs=20)
    (stop,) = values["safety"]["stops"]
    assert stop["rule"] == "H-LOSS"
    assert times
    assert max(times) <= stop["time"]
    assert "H-LOSS" in {alarm["rule"] for alarm in values["alarms"]}
