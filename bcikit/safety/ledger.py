"""What is kept of a session: the audit log, the alarm list and the counts, written in one place."""

from collections.abc import Callable
from typing import Any

from bcikit.safety.alarms import AlarmList
from bcikit.safety.audit import AuditLog
from bcikit.safety.levels import Level, Reading
from bcikit.safety.machine import LATCHED, Transition
from bcikit.safety.reactions import loudness
from bcikit.safety.tally import Tally
from bcikit.signal import Decision, Verdict


class Ledger:
    """Writes down what happens.

    Parameters
    ----------
    audit : AuditLog or None
        Where it goes; without one only alarms and counts are kept.
    failed : callable
        Called with the time and the reason when the log cannot be written.
    """

    def __init__(self, audit: AuditLog | None, failed: Callable[[float, str], None]) -> None:
        self.audit = audit
        self.tally = Tally()
        self.alarms = AlarmList()
        self._failed = failed

    def transition(self, step: Transition) -> None:
        """Write a change of state before it takes effect; raises if that is not possible."""
        if self.audit is not None:
            self.audit.write(
                "transition",
                now=step.time,
                actor=step.actor,
                level=Level.WARNING if step.target in LATCHED else Level.INFO,
                from_state=str(step.source),
                to_state=str(step.target),
                rule_id=step.rule,
                reason=step.reason,
            )

    def write(self, event: str, now: float, *, actor: str, level: Level = Level.INFO, **fields: Any) -> bool:
        """Write a record and return whether that was possible."""
        if self.audit is None:
            return True
        try:
            self.audit.write(event, now=now, actor=actor, level=level, **fields)
        except Exception as error:  # noqa: BLE001 - whatever hinders the log, the gate closes
            self._failed(now, f"audit log: {error}")
            return False
        return True

    def alarm(self, reading: Reading, now: float, *, loud: tuple[Level, str] | None = None) -> None:
        """Raise the alarm of what does not hold; one that is new, worse or back is counted and written.

        `loud` is how loud it is and what is done because of it, where that is not as its rule says (`loudness`).
        """
        level, did = loud or loudness(reading)
        rule, about = reading.rule, {"value": reading.value, "limit": reading.limit}
        if self.alarms.raise_(rule, level, now, **about, did=did, channels=reading.channels) is not None:
            self.tally.rule(rule, now)
            self.write("alarm", now, actor="monitor", level=level, rule_id=rule, **about, action=did)

    def readings(self, readings: list[Reading], now: float) -> None:
        """Raise the alarms of what does not hold, and settle the others."""
        for reading in readings:
            self.alarm(reading, now)
        self.alarms.settle(reading.rule for reading in readings)

    def command(self, decision: Decision, refused: dict[str, Any], now: float) -> bool:
        """Write that a decision may act, or why not, and return whether that was possible."""
        return self.write(
            "refused" if refused else "command",
            now,
            actor="gate",
            rule_id=",".join(refused),
            value=decision.label,
            limit=str(decision.confidence),
        )

    def verdict(self, verdict: Verdict, *, acts: bool) -> None:
        """Count a verdict, and whether something acts by it: what takes an action back is none."""
        self.tally.activations += acts
        self.tally.verdicts["allowed" if verdict.allowed else "refused"] += 1
        self.tally.refusals.update(verdict.reasons)

    def acknowledged(self, who: str, reason: str, now: float) -> None:
        """Write that a person has seen the alarms, and mark them."""
        self.write("acknowledged", now, actor=who, reason=reason)
        self.tally.acknowledged(now)
        self.alarms.acknowledge()

    def to_dict(self) -> dict[str, Any]:
        """Return counts, alarms and the head of the log; ready for JSON."""
        return {
            **self.tally.to_dict(),
            "alarms": [alarm.to_dict() for alarm in self.alarms.list()],
            "audit_head": self.audit.head if self.audit is not None else None,
        }
