"""From a fault of the stream to what a person reads: the real engine, every rule on its way to the report."""

from typing import Any

import pytest

from bcikit.acquisition import open_source
from bcikit.session import Engine
from bcikit.simulation.faults import Fault, FaultInjector


def session(*faults: str, seconds: float, **gate: Any) -> dict[str, Any]:
    """Run a session on a source with these faults; a block without decisions is enough for its monitors."""
    source = FaultInjector(open_source("sim:rest?seed=1&chunk=10"), [Fault.parse(text) for text in faults])
    config = {
        "source": {"address": "sim:rest"},
        "paradigm": {"name": "neurofeedback-smr"},
        "gate": gate,
        "recording": {"enabled": False},
    }
    return Engine(config, source=source, limit=seconds).run().values


def rules(values: dict[str, Any]) -> set[str]:
    return {alarm["rule"] for alarm in values["alarms"]}


@pytest.mark.requirement("SAF-020")
@pytest.mark.requirement("SAF-021")
@pytest.mark.requirement("SAF-022")
@pytest.mark.requirement("SAF-036")
def test_bad_channels_are_named_with_their_rules() -> None:
    values = session("nan@8~9*0", "rail@8~9*1", "flat@8~9*2", seconds=16.0)
    quality = list(values["safety"]["quality"].values())
    assert [item["level"] for item in quality[:3]] == ["BAD"] * 3
    assert "Q-NAN" in quality[0]["rules"]
    assert {"Q-RAIL", "Q-FLAT"} & set(quality[1]["rules"])
    assert "Q-FLAT" in quality[2]["rules"]
    assert "Q-MONT" in rules(values)


@pytest.mark.requirement("SAF-001")
@pytest.mark.requirement("SAF-002")
@pytest.mark.requirement("SAF-005")
def test_losses_stalls_and_jumps_of_the_clock_are_alarms() -> None:
    assert {"H-LOSS", "H-STALL"} <= rules(session("drop@8~1", seconds=12.0))
    assert "H-STALL" in rules(session("stall@8~2.5", seconds=14.0))
    assert "H-MONO" in rules(session("clock@8~1", seconds=12.0))
