"""Each rule of the signal from what is wrong with electrodes or clock to what a person reads: the real engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bcikit.acquisition import Source, open_source
from bcikit.session import Engine
from bcikit.signal import Chunk, Event

RATE = 250.0
NAMES = ("Fp1", "Fp2", "F3", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")
BEGIN = 6.0
"""Seconds after which something is wrong: until then the monitors learn what is usual here."""

Spoil = Callable[[NDArray[np.float64], NDArray[np.float64]], None]
Bend = Callable[[NDArray[np.float64]], NDArray[np.float64]]


class Spoilt(Source):
    """A simulated person whose channels or times something is done to."""

    def __init__(self, *, spoil: Spoil | None = None, bend: Bend | None = None) -> None:
        self._inner = open_source(f"sim:rest?seed=1&chunk=10&sfreq={RATE:g}&channels={','.join(NAMES)}")
        self.info = self._inner.info
        self.live = False
        self._spoil, self._bend = spoil, bend

    @property
    def ended(self) -> bool:
        return self._inner.ended

    def start(self) -> None:
        self._inner.start()

    def stop(self) -> None:
        self._inner.stop()

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        chunk = self._inner.pull(timeout)
        if chunk is None or not chunk.n_times:
            return chunk
        seconds = (chunk.first_sample + np.arange(chunk.n_times)) / RATE
        data, times = chunk.data.copy(), chunk.times.copy()
        if self._spoil is not None and seconds[0] >= BEGIN:
            self._spoil(data, seconds)
        if self._bend is not None:
            times = times - seconds + self._bend(seconds)
        return replace(chunk, data=np.ascontiguousarray(data), times=times)

    def pull_events(self) -> list[Event]:
        return self._inner.pull_events()


def session(seconds: float, *, gate: dict[str, Any] | None = None, **spoilt: Any) -> dict[str, Any]:
    config = {
        "source": {"address": "object:here"},
        "paradigm": {"name": "neurofeedback-smr"},
        "gate": gate or {},
        "recording": {"enabled": False},
    }
    return Engine(config, source=Spoilt(**spoilt), limit=seconds).run().values


def electrodes(data: NDArray[np.float64], seconds: NDArray[np.float64]) -> None:
    """Spoil one channel each in the way that one rule looks for."""
    rng = np.random.default_rng(int(seconds[0] * RATE))
    at = NAMES.index
    data[:, at("F4")] *= 12.0
    data[:, at("C3")] += rng.normal(0, 60, len(seconds))
    if seconds[0] >= 34.0:
        muscle = sum(np.sin(2 * np.pi * f * seconds + f) for f in np.arange(62.0, 88.0, 1.7))
        data[:, at("F3")] += 12.0 * muscle
    data[:, at("P3")] += 80 * np.sin(2 * np.pi * 50 * seconds)
    data[:, at("P4")] += 900 * np.sign(np.sin(2 * np.pi * 0.9 * seconds))
    data[:, at("O1")] += 300 * (seconds - BEGIN)
    data[:, at("O2")] = data[:, at("Pz")] + rng.normal(0, 0.05, len(seconds))


def alarms(values: dict[str, Any]) -> set[tuple[str, str]]:
    return {(alarm["rule"], alarm["level"]) for alarm in values["alarms"]}


def told(values: dict[str, Any]) -> dict[str, set[str]]:
    return {name: set(item["rules"]) for name, item in values["safety"]["quality"].items()}


@pytest.mark.slow
@pytest.mark.requirement("SAF-023")
@pytest.mark.requirement("SAF-024")
@pytest.mark.requirement("SAF-025")
@pytest.mark.requirement("SAF-028")
@pytest.mark.requirement("SAF-030")
@pytest.mark.requirement("SAF-032")
@pytest.mark.requirement("SAF-033")
@pytest.mark.requirement("SAF-034")
@pytest.mark.requirement("SAF-037")
@pytest.mark.requirement("SAF-106")
def test_each_electrode_is_named_with_its_own_rule() -> None:
    values = session(44.0, spoil=electrodes)
    rules = told(values)
    for name, rule in {
        "F3": "Q-EMG", "C3": "Q-HF", "P3": "Q-LINE", "P4": "Q-P2P", "O1": "Q-DRIFT", "O2": "Q-BRIDGE", "Pz": "Q-BRIDGE"
    }.items():  # fmt: skip
        assert rule in rules[name], (name, rules)
    assert "Q-AMP" in rules["P4"]
    assert "Q-COR" in rules["C3"]
    levels = {name: item["level"] for name, item in values["safety"]["quality"].items()}
    assert {levels[name] for name in ("C3", "P3", "P4", "O1")} == {"BAD"}
    assert {levels[name] for name in ("Fp1", "Fp2", "Cz", "C4")} == {"GOOD"}
    assert ("Q-MONT", "CAUTION") in alarms(values)


@pytest.mark.slow
@pytest.mark.requirement("SAF-003")
@pytest.mark.requirement("SAF-004")
@pytest.mark.requirement("SAF-006")
@pytest.mark.requirement("SAF-107")
def test_rate_scatter_and_steps_of_the_clock_are_alarms_of_their_level() -> None:
    assert ("H-RATE", "CAUTION") in alarms(session(32.0, bend=lambda seconds: seconds * 1.02))
    assert ("H-RATE", "WARNING") in alarms(session(32.0, bend=lambda seconds: seconds * 1.06))
    scattered = session(32.0, bend=lambda seconds: seconds + 0.035 * np.sin(np.pi * seconds))
    assert ("H-JIT", "CAUTION") in alarms(scattered)
    assert ("H-JIT", "CAUTION") in alarms(session(32.0, bend=lambda seconds: seconds + 0.05 * (seconds > 20)))


def simulated(seconds: float, options: str) -> dict[str, Any]:
    address = f"sim:rest?seed=1&chunk=10&sfreq={RATE:g}&channels={','.join(NAMES)}&{options}"
    config = {
        "source": {"address": address},
        "paradigm": {"name": "neurofeedback-smr"},
        "recording": {"enabled": False},
    }
    return Engine(config, limit=seconds).run().values


@pytest.mark.slow
@pytest.mark.requirement("SAF-031")
@pytest.mark.requirement("SAF-050")
@pytest.mark.requirement("SAF-119")
def test_blinks_and_unusual_rhythms_of_a_person_are_told() -> None:
    assert "Q-EOG" in told(simulated(32.0, "blink_per_min=60"))["Fp1"]
    assert "P-RHYTHM" in {rule for rule, _ in alarms(simulated(70.0, "incidents=spike-wave@45~20"))}
    assert "P-RHYTHM" not in {rule for rule, _ in alarms(simulated(70.0, "incidents=chew@45~20"))}


@pytest.mark.slow
@pytest.mark.requirement("SAF-051")
def test_a_driver_who_grows_sleepy_is_told_to_the_operator_and_an_alert_one_is_not(tmp_path: Path) -> None:
    def drive(fatigue: float) -> dict[str, Any]:
        config = {
            "source": {"address": f"sim:vigilance?seed=0&fatigue={fatigue:g}"},
            "paradigm": {
                "name": "paradigm:driving-vigilance",
                "settings": {"baseline": 40.0, "drive": 560.0, "smooth": 15.0},
            },
            "recording": {"folder": str(tmp_path / f"drive-{fatigue:g}")},
        }
        return Engine(config).run().values

    sleepy, alert = drive(12.0), drive(0.0)
    assert {("P-DROWSY", "ADVISORY"), ("P-FATIGUE", "ADVISORY")} <= alarms(sleepy)
    assert not {"P-DROWSY", "P-FATIGUE"} & {rule for rule, _ in alarms(alert)}
    report = (tmp_path / "drive-12" / "report.html").read_text(encoding="utf-8")
    assert "signs of drowsiness" in report
    assert sleepy["details"]["n_warnings"] > 0, "what the operator is told takes nothing from the driver"
