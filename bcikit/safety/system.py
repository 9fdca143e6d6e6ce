"""SafetySystem: monitors, gate, state machine, alarms and audit log behind one object for the engine."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from bcikit.safety.alarms import AlarmList
from bcikit.safety.arming import ArmRequest, arming_problems
from bcikit.safety.audit import AuditLog
from bcikit.safety.gate import Gate, impossible
from bcikit.safety.idle import IdleTest
from bcikit.safety.levels import Alarm, Level, Reading, Severity
from bcikit.safety.machine import LATCHED, Listener, State, StateMachine, Transition
from bcikit.safety.quality import ChannelQuality, QualityMonitor
from bcikit.safety.reactions import RUNNING, classify, loudness, next_move
from bcikit.safety.rules import RULES
from bcikit.safety.settings import GateSettings
from bcikit.safety.stream import StreamMonitor
from bcikit.safety.tally import Tally
from bcikit.safety.watch import Watch
from bcikit.signal import Chunk, Decision, SafetyError, StreamInfo, Verdict


class SafetySystem:
    """Stands between the decoder and everything that moves.

    It runs on the time it is given and never asks the wall, so that a replay repeats every verdict. Whatever is
    unknown, broken or not logged means no.

    Parameters
    ----------
    settings : GateSettings
        Limits.
    info : StreamInfo
        The raw stream.
    audit : AuditLog or None
        Where transitions, refusals and allowed commands go. Profiles with a real actuator need one.
    required_channels : sequence of str
        Channels the decoder uses; all EEG channels if empty.

    Raises
    ------
    SafetyError
        If the self-test fails; every reason is listed.
    """

    def __init__(
        self,
        settings: GateSettings,
        info: StreamInfo,
        *,
        audit: AuditLog | None = None,
        required_channels: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self.info = info
        self.audit = audit
        self._required_names = tuple(required_channels)
        self.watch = Watch(settings, info, required_channels)
        self.gate = Gate(settings)
        self.machine = StateMachine(log=self._log_transition)
        self.machine.listen(self._after_transition)
        self.tally = Tally()
        self._alarms = AlarmList()
        self.idle_test: IdleTest | None = None
        self._last_bad = float("-inf")
        self._last_stop_cause = float("-inf")
        self._dead_man = False
        self._estop_open = False
        self._operator = ""
        self._now = 0.0
        self.selftest()

    # ---- state -------------------------------------------------------------------------------------------------

    @property
    def stream(self) -> StreamMonitor:
        """The monitor of the stream as a whole."""
        return self.watch.stream

    @property
    def monitor(self) -> QualityMonitor:
        """The monitor of the channels."""
        return self.watch.monitor

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self.machine.state

    def listen(self, listener: Listener) -> None:
        """Call `listener` at every change of state, at once: by this, outputs go safe without waiting."""
        self.machine.listen(listener)

    def selftest(self, problems: Iterable[str] = (), *, now: float | None = None) -> None:
        """Check what can be checked without samples; passes to STANDBY.

        Parameters
        ----------
        problems : iterable of str
            What the caller's own checks found (disk, guard, emergency stop).

        Raises
        ------
        SafetyError
            Listing everything that failed; the state is FATAL then.
        """
        at = self._tick(now)
        found = list(problems)
        if self.info.sfreq <= 0:
            found.append(f"the stream {self.info.name!r} has no sampling rate")
        if self.watch.unknown:
            found.append(f"needed channels are not EEG channels of the stream: {', '.join(self.watch.unknown)}")
        if not self.monitor.ch_names:
            found.append(f"the stream {self.info.name!r} has no EEG channel")
        if self.settings.real and self.audit is None:
            found.append(f"profile {self.settings.profile} needs an audit log")
        if self._estop_open:
            found.append("the emergency stop is not released")
        if not self.machine.go(State.SELFTEST, at, actor="system", reason="self-test"):
            raise SafetyError("The audit log cannot be written; the session cannot start.")
        if found:
            self._go(State.FATAL, at, "A-ARM", "; ".join(found))
            raise SafetyError("The self-test failed: " + "; ".join(found))
        if not self.machine.go(State.STANDBY, at, actor="system", reason="self-test passed"):
            raise SafetyError("The audit log cannot be written; the session cannot start.")

    def arm(self, request: ArmRequest | None = None, *, operator: str = "automatic", now: float | None = None) -> None:
        """Arm the session: STANDBY to ARMED.

        Parameters
        ----------
        request : ArmRequest or None
            What the operator brings; a simulation needs none.
        operator : str
            Used where there is no request.

        Raises
        ------
        SafetyError
            Listing everything that is missing; the attempt is logged.
        """
        at = self._tick(now)
        request = ArmRequest(operator=operator) if request is None else request
        problems = arming_problems(request, self.settings)
        extra: list[str] = []
        if self.settings.dead_man and not self._dead_man:
            extra.append("the dead-man switch is not held")
        if self.settings.profile != "simulation":
            if not self.monitor.known:
                extra.append("signal quality is not known yet")
            elif self.watch.usable_share() < self.settings.min_good:
                extra.append(f"only {self.watch.usable_share():.0%} of the needed channels are usable")
        extra += [f"{rule}: {RULES[rule].what}" for rule in sorted(self._stopping())]
        if extra:
            problems["A-ARM"] = "; ".join(filter(None, [problems.get("A-ARM", ""), *extra]))
        if self.machine.state is not State.STANDBY:
            problems["A-STATE"] = f"the state is {self.machine.state}; arming starts in STANDBY"
        if problems:
            text = "; ".join(f"{rule}: {problem}" for rule, problem in problems.items())
            self._log("refused", at, actor=request.operator, rule_id=next(iter(problems)), reason=text, action="arm")
            raise SafetyError(f"Not armed. {text}")
        self._operator = request.operator
        if not self.machine.go(State.ARMED, at, actor=request.operator, reason="armed", human=True):
            raise SafetyError("Not armed: the audit log cannot be written.")

    def calibrate(self, *, idle_test: bool = False, now: float | None = None) -> None:
        """Go from STANDBY to CALIBRATING: stimuli may run, nothing moves; `finish` leads back.

        Parameters
        ----------
        idle_test : bool
            Count the actions that decisions would start while the participant rests (`idle_test.activations`).
        """
        at = self._tick(now)
        if not self.machine.go(State.CALIBRATING, at, actor="operator", reason="idle test" if idle_test else ""):
            raise SafetyError("Not calibrating: the audit log cannot be written.")
        self.idle_test = IdleTest(self.settings, at) if idle_test else None

    def start(self, *, now: float | None = None) -> None:
        """Let decisions act: ARMED to ACTIVE; the profile "simulation" arms itself.

        Raises
        ------
        SafetyError
            If the session is not armed.
        """
        at = self._tick(now)
        if self.machine.state is State.STANDBY and self.settings.profile == "simulation":
            self.arm(now=at)
        if self.machine.state is not State.ARMED:
            raise SafetyError(f"The session is {self.machine.state}, not ARMED; it cannot start.")
        self.gate.reset()
        if not self.machine.go(State.ACTIVE, at, actor=self._operator or "system", reason="started"):
            raise SafetyError("Not started: the audit log cannot be written.")

    def stop(self, reason: str, *, who: str = "operator", now: float | None = None) -> None:
        """Stop at once: SAFE_STOP, latched. A session that is not running stays where it is."""
        at = self._tick(now)
        self._last_stop_cause = at
        if self.machine.state in RUNNING:
            self._alarm("A-STOP", Level.WARNING, at, value=reason)
            self._go(State.SAFE_STOP, at, "A-STOP", reason, actor=who)

    def finish(self, reason: str = "finished", *, now: float | None = None) -> None:
        """End a run in good order: back to STANDBY. A latched stop stays latched."""
        if self.machine.state in RUNNING:
            self._go(State.STANDBY, self._tick(now), "", reason)

    def acknowledge(self, who: str, reason: str, *, now: float | None = None) -> None:
        """Acknowledge all alarms and, where the cause is gone, a latched stop.

        Raises
        ------
        SafetyError
            If nobody is named, no reason is given, or the cause of the stop is not gone long enough.
        """
        at = self._tick(now)
        if not who.strip() or not reason.strip():
            raise SafetyError("An acknowledgement needs a name and a reason.")
        if self.machine.state is State.FATAL:
            raise SafetyError("FATAL cannot be acknowledged: find the cause and start again.")
        if self.machine.state is State.SAFE_STOP:
            clear = at - self._last_stop_cause
            if clear < self.settings.stop_clear_s:
                self._log("refused", at, actor=who, rule_id="A-STOP", reason=reason, action="acknowledge", value=clear)
                needed = self.settings.stop_clear_s
                raise SafetyError(f"The cause of the stop is gone for {max(clear, 0.0):.1f} s; needed: {needed:g} s.")
            self.machine.go(State.STANDBY, at, actor=who, reason=reason, human=True)
        elif self.machine.state is State.ESTOP:
            if self._estop_open:
                raise SafetyError("The emergency stop is not released.")
            self.machine.go(State.SELFTEST, at, actor=who, reason=reason, human=True)
            self.selftest(now=at)
        self._log("acknowledged", at, actor=who, reason=reason)
        self.tally.acknowledged(at)
        self._alarms.acknowledge()

    def reconfigure(self, settings: GateSettings, *, who: str, now: float | None = None) -> None:
        """Take other settings; only in STANDBY, and the self-test runs again.

        Raises
        ------
        SafetyError
            In any other state; the attempt is logged.
        """
        at = self._tick(now)
        if self.machine.state is not State.STANDBY:
            self._log("refused", at, actor=who, rule_id="A-CFG", action="reconfigure", value=str(self.machine.state))
            raise SafetyError(f"Settings change in STANDBY only; the state is {self.machine.state}.")
        self._log("reconfigured", at, actor=who, value=settings.model_dump(mode="json"))
        self.settings = settings
        self.watch = Watch(settings, self.info, self._required_names)
        self.gate = Gate(settings)
        self.selftest(now=at)

    # ---- inputs ------------------------------------------------------------------------------------------------

    def on_chunk(self, chunk: Chunk, now: float) -> None:
        """Take a raw chunk that arrived at `now`, in seconds on the engine's clock."""
        at = self._tick(now)
        try:
            self.watch.update(chunk, at)
        except Exception as error:  # noqa: BLE001 - a monitor that fails must close the gate, whatever the reason
            self._go(State.FATAL, at, "A-STATE", f"monitor failed: {type(error).__name__}: {error}")
            return
        self._react(at)

    def on_silence(self, now: float) -> None:
        """Take note that a pull timed out at `now`."""
        at = self._tick(now)
        self.stream.silence(at)
        self._react(at)

    def on_load(self, share: float, now: float) -> None:
        """Take note of processing time over hop (H-CPU)."""
        at = self._tick(now)
        self.stream.on_load(share if math.isfinite(share) else 10.0, at)
        self._react(at)

    def report(
        self,
        rule: str,
        severity: Severity,
        now: float,
        *,
        value: float | str = "",
        limit: float | str = "",
        hold_s: float = 1.0,
    ) -> None:
        """Take a finding of another monitor (person, stimulus, disk, guard), valid for `hold_s` seconds."""
        at = self._tick(now)
        self.watch.report(Reading(rule=rule, severity=severity, value=value, limit=limit), at + hold_s)
        self._react(at)

    def stimulus(self, now: float, *, on: bool) -> bool:
        """Take note that flicker begins or ends, and say whether it may be on.

        Returns
        -------
        bool
            False if the state does not allow stimuli, or a limit of the dose is reached (ST-5): blank to mid-grey.
        """
        at = self._tick(now)
        if not on:
            self.watch.dose.stop(at)
            return False
        reading = self.watch.dose.may_start(at) if self.watch.dose.check(at) is None else self.watch.dose.check(at)
        if not self.stimulus_allowed or reading is not None:
            self.watch.dose.stop(at)
            if reading is not None:
                self._alarm(reading.rule, Level.CAUTION, at, value=reading.value, limit=reading.limit)
            return False
        self.watch.dose.start(at)
        return True

    @property
    def stimulus_allowed(self) -> bool:
        """Whether stimuli may be shown; elsewhere the screen is mid-grey."""
        return self.machine.state in RUNNING

    def dead_man(self, now: float, *, held: bool) -> None:
        """Take note of the dead-man switch; letting go while something may move is a stop."""
        at = self._tick(now)
        self._dead_man = held
        if not held and self.settings.dead_man and self.machine.state in (State.ARMED, State.ACTIVE, State.DEGRADED):
            self._last_stop_cause = at
            self._alarm("A-DM", Level.WARNING, at, value="released", limit="held")
            self._go(State.SAFE_STOP, at, "A-DM", "dead-man switch released")

    def estop(self, now: float, *, pressed: bool) -> None:
        """Take note of the emergency stop; a line that cannot be read counts as pressed."""
        at = self._tick(now)
        self._estop_open = pressed
        if pressed and self.machine.state not in (State.ESTOP, State.FATAL):
            self._alarm("A-ESTOP", Level.WARNING, at)
            self._go(State.ESTOP, at, "A-ESTOP", "emergency stop")

    # ---- the gate ----------------------------------------------------------------------------------------------

    def decide(self, decision: Decision, now: float) -> Verdict:
        """Say whether a decision may act.

        Returns
        -------
        Verdict
            With the id of every rule that refused, and its value beside its limit.
        """
        at = self._tick(now)
        self.stream.silence(at)
        self._react(at)
        refused: dict[str, dict[str, Any]] = {}
        problem = impossible(decision)
        if problem and self.machine.state in RUNNING:
            self._last_stop_cause = at
            self._alarm("A-DEC", Level.WARNING, at, value=problem)
            self._go(State.SAFE_STOP, at, "A-DEC", problem)
        if self.machine.state is not State.ACTIVE:
            refused["A-STATE"] = {"value": str(self.machine.state), "limit": "ACTIVE"}
            refused.update({rule: {"value": RULES[rule].what} for rule in sorted(self._stopping())})
            if problem:
                refused["A-DEC"] = {"value": problem}
            if (
                self.idle_test is not None
                and self.machine.state is State.CALIBRATING
                and not self.watch.quality_problem()
            ):
                self.idle_test.judge(decision, at)
        else:
            if self.settings.dead_man and not self._dead_man:
                refused["A-DM"] = {"value": "released", "limit": "held"}
            quality = self.watch.quality_problem()
            if quality:
                refused["A-QUAL"] = quality
            refused.update(self.gate.judge(decision, at))
        return self._verdict(decision, at, refused)

    def _verdict(self, decision: Decision, at: float, refused: dict[str, dict[str, Any]]) -> Verdict:
        asked = decision.label is not None and decision.label != self.settings.idle_label
        allowed = not refused
        if asked:
            wrote = self._log(
                "command" if allowed else "refused",
                at,
                actor="gate",
                rule_id=",".join(refused),
                value=decision.label,
                limit=decision.confidence if math.isfinite(decision.confidence) else str(decision.confidence),
            )
            if allowed and not wrote:
                refused, allowed = {"A-AUDIT": {"value": "not logged"}}, False
        if allowed:
            self.gate.commit(decision, at)
            self.tally.activations += 1
        self.tally.verdicts["allowed" if allowed else "refused"] += 1
        self.tally.refusals.update(refused.keys())
        return Verdict(
            time=at,
            sample=decision.sample,
            allowed=allowed,
            label=decision.label if allowed else None,
            reasons=tuple(refused),
            state=str(self.machine.state),
            data=refused,
        )

    # ---- outputs -----------------------------------------------------------------------------------------------

    def quality(self) -> dict[str, ChannelQuality]:
        """Return for each EEG channel how good it is (GOOD, WARN, BAD) and the rules that say so."""
        return self.monitor.quality()

    def readings(self) -> list[Reading]:
        """Return every rule that does not hold now, of stream, person, stimulus and channels."""
        return [*self._seen(self._now), *self.monitor.readings()]

    def alarms(self) -> list[Alarm]:
        """Return the alarm list, what nobody has seen yet first."""
        return self._alarms.list()

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the session for the report and the catalogue; ready for JSON."""
        expected = self.stream.received + self.stream.lost
        return {
            "profile": self.settings.profile,
            "state": str(self.machine.state),
            "time_in_state_s": self.machine.time_in_states(self._now),
            **self.tally.to_dict(),
            "lost_samples": self.stream.lost,
            "lost_share": self.stream.lost / expected if expected else 0.0,
            "longest_silence_s": self.stream.longest_silence_s,
            "jitter_s": self.stream.jitter_s,
            "quality": {
                name: {"level": quality.level.name, "rules": list(quality.rules)}
                for name, quality in self.monitor.quality().items()
            },
            "alarms": [alarm.to_dict() for alarm in self._alarms.list()],
            "audit_head": self.audit.head if self.audit is not None else None,
        }

    # ---- inside ------------------------------------------------------------------------------------------------

    def _tick(self, now: float | None) -> float:
        if now is not None:
            if not math.isfinite(now):
                raise SafetyError(f"now is {now}; it must be a time in seconds.")
            self._now = max(self._now, float(now))
        self.tally.tick(self._now)
        return self._now

    def _seen(self, now: float) -> list[Reading]:
        active = now - self.machine.since if self.machine.state is State.ACTIVE else 0.0
        before = self.machine.seconds[State.ACTIVE]
        return self.watch.readings(now, active_s=active, session_s=before + active)

    def _stopping(self) -> set[str]:
        return {reading.rule for reading in self._seen(self._now) if reading.severity >= Severity.DEGRADE}

    def _react(self, now: float) -> None:
        """Turn what the monitors see into alarms and changes of state."""
        readings = self._seen(now)
        for reading in readings:
            level, did = loudness(reading)
            self._alarm(reading.rule, level, now, value=reading.value, limit=reading.limit, did=did)
        self._alarms.settle(reading.rule for reading in readings)
        reaction = classify(readings)
        if reaction.stop is not None:
            self._last_stop_cause = now
        if reaction.stop is not None or reaction.degrade is not None:
            self._last_bad = now
        move = next_move(
            reaction,
            self.machine.state,
            self.settings,
            in_state_s=now - self.machine.since,
            good_s=now - self._last_bad,
        )
        if move is not None:
            if move.target is State.SAFE_STOP:
                self._last_stop_cause = now
            self._go(move.target, now, move.rule, move.reason)

    def _alarm(
        self, rule: str, level: Level, now: float, *, value: float | str = "", limit: float | str = "", did: str = ""
    ) -> None:
        alarm = self._alarms.raise_(rule, level, now, value=value, limit=limit, did=did)
        if alarm is not None:
            self.tally.rule(rule, now)
            self._log("alarm", now, actor="monitor", level=level, rule_id=rule, value=value, limit=limit, action=did)

    def _go(self, target: State, now: float, rule: str, reason: str, *, actor: str = "system") -> None:
        if self.machine.state is State.FATAL or self.machine.state is target:
            return
        self.machine.go(target, now, actor=actor, rule=rule, reason=reason)

    def _after_transition(self, step: Transition) -> None:
        if step.target is not State.ACTIVE:
            self.gate.reset()
        if step.target in LATCHED:
            self.tally.stopped(step.time, step.rule)

    def _log_transition(self, step: Transition) -> None:
        if self.audit is None:
            return
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

    def _log(self, event: str, now: float, *, actor: str, level: Level = Level.INFO, **fields: Any) -> bool:
        """Write to the audit log; a log that cannot be written is FATAL."""
        if self.audit is None:
            return True
        try:
            self.audit.write(event, now=now, actor=actor, level=level, **fields)
        except Exception as error:  # noqa: BLE001 - whatever hinders the log, the gate closes
            self._go(State.FATAL, now, "A-AUDIT", f"audit log: {error}")
            return False
        return True
