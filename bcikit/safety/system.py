"""SafetySystem: monitors, gate, state machine, alarms and audit log behind one object for the engine."""

import math
from typing import Any

from bcikit.safety.control import SafetyControl
from bcikit.safety.gate import impossible
from bcikit.safety.levels import Alarm, Level, Reading, Severity
from bcikit.safety.machine import State
from bcikit.safety.quality import ChannelQuality
from bcikit.safety.reactions import RUNNING, STOPS, classify, next_move
from bcikit.safety.rules import RULES
from bcikit.signal import Chunk, Decision, Verdict


class SafetySystem(SafetyControl):
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
    stimulus : str
        What the analyser says of what will be shown: "", "PASS", "RESTRICTED" or "REFUSED".
    stop_box : bool
        Whether there is an emergency stop of hardware: with an actuator that can touch a person, it must have been
        pressed and released in this session before anything is armed.

    Raises
    ------
    SafetyError
        If the self-test fails; every reason is listed.
    """

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
                self.ledger.alarm(reading.rule, Level.CAUTION, at, value=reading.value, limit=reading.limit)
            return False
        self.watch.dose.start(at)
        return True

    @property
    def stimulus_allowed(self) -> bool:
        """Whether stimuli may be shown; elsewhere the screen is mid-grey.

        A RESTRICTED one, only after `calibrate` or `arm` have seen consent and screening (a simulation has no eyes).
        """
        screened = self.stimulus_result in ("", "PASS") or self._screened or self.settings.profile == "simulation"
        return self.machine.state in RUNNING and screened

    def dead_man(self, now: float, *, held: bool) -> None:
        """Take note of the dead-man switch; letting go while something may move is a stop.

        "Held" lasts `GateSettings.dead_man_s`; whoever reads the switch says so again and again. Silence of the one who
        reads it (a frozen window, a broken line) is letting go.
        """
        at = self._tick(now)
        self._held_until = at + self.settings.dead_man_s if held else float("-inf")
        self._check_dead_man(at, "released")

    def _check_dead_man(self, at: float, why: str) -> None:
        moving = self.machine.state in (State.ARMED, State.ACTIVE, State.DEGRADED)
        if self.settings.dead_man and moving and not self.dead_man_held:
            self._last_stop_cause = at
            self.ledger.alarm("A-DM", Level.WARNING, at, value=why, limit="held", did=STOPS)
            self._go(State.SAFE_STOP, at, "A-DM", f"dead-man switch {why}")

    def estop(self, now: float, *, pressed: bool, lost: bool = False, reason: str = "") -> None:
        """Take note of the emergency stop; a line that cannot be read counts as pressed.

        Parameters
        ----------
        pressed : bool
            Whether it is pressed, or cannot be read.
        lost : bool
            Whether it cannot be read: a stop, and no test of the button.
        reason : str
            What happened, in words.
        """
        at = self._tick(now)
        self._estop_open = pressed
        self._estop_tested = self._estop_tested or (pressed and not lost)
        if pressed and self.machine.state not in (State.ESTOP, State.FATAL):
            self.ledger.alarm("A-ESTOP", Level.WARNING, at, value=reason, did=STOPS)
            self._go(State.ESTOP, at, "A-ESTOP", reason or "emergency stop")

    def decide(self, decision: Decision, now: float) -> Verdict:
        """Say whether a decision may act.

        Returns
        -------
        Verdict
            With the id of every rule that refused, and its value beside its limit.
        """
        at = self._tick(now)
        self.stream.silence(at)
        age = max(decision.age, at - decision.time)
        if decision.label is not None and math.isfinite(age):
            self.stream.on_age(age, at)
        self._react(at)
        refused: dict[str, dict[str, Any]] = {}
        problem = impossible(decision)
        if problem and self.machine.state in RUNNING:
            self._last_stop_cause = at
            self.ledger.alarm("A-DEC", Level.WARNING, at, value=problem, did=STOPS)
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
            if self.settings.dead_man and not self.dead_man_held:
                refused["A-DM"] = {"value": "released", "limit": "held"}
            quality = self.watch.quality_problem()
            if quality:
                refused["A-QUAL"] = quality
            refused.update(self.gate.judge(decision, at))
        return self._verdict(decision, at, refused)

    def _verdict(self, decision: Decision, at: float, refused: dict[str, dict[str, Any]]) -> Verdict:
        asked = decision.label is not None and decision.label != self.settings.idle_label
        if asked and not self.ledger.command(decision, refused, at) and not refused:
            refused = {"A-AUDIT": {"value": "not logged"}}
        allowed = not refused
        if allowed:
            self.gate.commit(decision, at)
        verdict = Verdict(
            time=at,
            sample=decision.sample,
            allowed=allowed,
            label=decision.label if allowed else None,
            reasons=tuple(refused),
            state=str(self.machine.state),
            data=refused,
        )
        self.ledger.verdict(verdict)
        return verdict

    def quality(self) -> dict[str, ChannelQuality]:
        """Return for each EEG channel how good it is (GOOD, WARN, BAD) and the rules that say so."""
        return self.monitor.quality()

    def readings(self) -> list[Reading]:
        """Return every rule that does not hold now, of stream, person, stimulus and channels."""
        return [*self._seen(self._now), *self.monitor.readings()]

    def alarms(self) -> list[Alarm]:
        """Return the alarm list, what nobody has seen yet first."""
        return self.ledger.alarms.list()

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the session for the report and the catalogue; ready for JSON."""
        expected = self.stream.received + self.stream.lost
        return {
            "profile": self.settings.profile,
            "state": str(self.machine.state),
            "time_in_state_s": self.machine.time_in_states(self._now),
            **self.ledger.to_dict(),
            "lost_samples": self.stream.lost,
            "lost_share": self.stream.lost / expected if expected else 0.0,
            "longest_silence_s": self.stream.longest_silence_s,
            "jitter_s": self.stream.jitter_s,
            "quality": {
                name: {"level": quality.level.name, "rules": list(quality.rules)}
                for name, quality in self.monitor.quality().items()
            },
        }

    def _react(self, now: float) -> None:
        """Turn what the monitors see into alarms and changes of state."""
        self._check_dead_man(now, f"not renewed for {self.settings.dead_man_s:g} s")
        readings = self._seen(now)
        self.ledger.readings(readings, now)
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
