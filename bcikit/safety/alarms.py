"""The alarm list: one line a rule, worst and newest first, latched until a person has seen it."""

from collections.abc import Iterable
from dataclasses import replace

from bcikit.safety.levels import Alarm, Level
from bcikit.safety.rules import RULES


class AlarmList:
    """Keeps alarms until they are acknowledged and their cause is gone."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}

    def raise_(
        self,
        rule: str,
        level: Level,
        now: float,
        *,
        value: float | str = "",
        limit: float | str = "",
        did: str = "",
        channels: Iterable[str] = (),
    ) -> Alarm | None:
        """Raise an alarm, or renew it.

        Returns
        -------
        Alarm or None
            The alarm if it is new, became worse, or came back; None if it only went on.
        """
        old = self._alarms.get(rule)
        names = tuple(channels)
        if old is not None and old.active and level <= old.level:
            self._alarms[rule] = replace(old, value=value, limit=limit, channels=names)
            return None
        words = RULES[rule]
        loudest = level if old is None or old.acknowledged else max(level, old.level)
        alarm = Alarm(
            rule=rule,
            level=loudest,
            what=words.what,
            since=now if old is None or not old.active else old.since,
            value=value,
            limit=limit,
            # An alarm that comes back milder before anybody saw it still says what was done.
            did=did if old is None or loudest == level else old.did,
            do=words.do,
            channels=names,
            count=1 if old is None or old.acknowledged else old.count + (not old.active),
        )
        self._alarms[rule] = alarm
        return alarm

    def settle(self, active: Iterable[str]) -> None:
        """Mark alarms whose rule is not in `active` as over; what was acknowledged and is over goes."""
        keep = set(active)
        for rule, alarm in list(self._alarms.items()):
            if rule in keep:
                continue
            if alarm.acknowledged or alarm.level <= Level.INFO:
                del self._alarms[rule]
            elif alarm.active:
                self._alarms[rule] = replace(alarm, active=False)

    def acknowledge(self, rule: str | None = None) -> None:
        """Mark one alarm, or all, as seen."""
        for name, alarm in list(self._alarms.items()):
            if rule in (None, name):
                if alarm.active:
                    self._alarms[name] = replace(alarm, acknowledged=True)
                else:
                    del self._alarms[name]

    def list(self) -> list[Alarm]:
        """Return the alarms: not yet seen first, then the worst, then the newest."""
        return sorted(self._alarms.values(), key=lambda a: (a.acknowledged, -a.level, -a.since))
