"""The alarm list says what bcikit did."""

import pytest

from bcikit.safety.alarms import AlarmList
from bcikit.safety.levels import Level


def test_an_alarm_that_comes_back_milder_still_says_what_was_done() -> None:
    alarms = AlarmList()
    alarms.raise_("H-CPU", Level.WARNING, 1.0, did="stops all output")
    alarms.settle([])
    alarms.raise_("H-CPU", Level.CAUTION, 2.0)
    (alarm,) = alarms.list()
    assert (alarm.level, alarm.did) == (Level.WARNING, "stops all output")
    alarms.acknowledge()
    alarms.settle([])
    alarms.raise_("H-CPU", Level.CAUTION, 3.0)
    (alarm,) = alarms.list()
    assert (alarm.level, alarm.did) == (Level.CAUTION, "")


@pytest.mark.parametrize("rule", ["A-STOP", "A-ESTOP"])
def test_a_stop_says_that_it_stopped_all_output(active, rule: str) -> None:
    system = active().system
    if rule == "A-STOP":
        system.control.stop("enough")
    else:
        system.switches.estop(1e3, pressed=True)
    alarm = next(alarm for alarm in system.alarms() if alarm.rule == rule)
    assert alarm.did == "stops all output"
