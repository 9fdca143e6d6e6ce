"""SafetySystem: monitors, gate, state machine, alarms and audit log behind one object for the engine."""

import math
from collections.abc import Sequence
from typing import Any

from bcikit.safety.audit import AuditLog
from bcikit.safety.control import Control
from bcikit.safety.gate import age_of, impossible
from bcikit.safety.ledger import Ledger
from bcikit.safety.levels import Alarm, Level, Reading, Severity
from bcikit.safety.machine import Listener, State, StateMachine
from bcikit.safety.quality import ChannelQuality, QualityMonitor
from bcikit.safety.reactions import RUNNING, classify, next_move
from bcikit.safety.rules import RULES
from bcikit.safety.settings import GateSettings
from bcikit.safety.situation import Situation
from bcikit.safety.stream import StreamMonitor
from bcikit.safety.switches import Switches
from bcikit.safety.watch import Watch
from bcikit.signal import Chunk, Decision, StreamInfo, Verdict


class SafetySystem:
    """Stands between the decoder and everything that moves.

    It runs on the time it is given and never asks the wall, so that a replay repeats every verdict. Whatever is
    unknown, broken or not logged means no. What a person does goes through `control` (arming, start, stop,
    acknowledgement) and `switches` (dead-man switch, emergency stop); what is measured and decided comes here.

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

    def __init__(
        self,
        settings: GateSettings,
        info: StreamInfo,
        *,
        audit: AuditLog | None = None,
        required_channels: Sequence[str] = (),
        stimulus: str = "",
        stop_box: bool = False,
    ) -> None:
        self._here = Situation(settings, info, audit, required_channels, stimulus)
        self.switches = Switches(self._here, stop_box=stop_box)
        self.control = Control(self._here, self.switches)

    @property
    def settings(self) -> GateSettings:
        """The limits that hold now."""
        return self._here.settings

    @property
    def machine(self) -> StateMachine:
        """The states and what leads from one to another."""
        return self._here.machine

    @property
    def ledger(self) -> Ledger:
        """What is counted and written."""
        return self._here.ledger

    @property
    def watch(self) -> Watch:
        """The monitors of stream, channels, person and stimulus."""
        return self._here.watch

    @property
    def stream(self) -> StreamMonitor:
        """The monitor of the stream as a whole."""
        return self.watch.stream

    @property
    def monitor(self) -> QualityMonitor:
        """The monitor of the EEG channels."""
        return self.watch.monitor

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self.machine.state

    def keep_flickers_on(self) -> None:
        """Let the dose of a flicker go on where its run stops, as in older versions: for replays of their sessions."""
        self._here.flickers_on = True

    def listen(self, listener: Listener) -> None:
        """Call `listener` at every change of state, at once: by this, outputs go safe without waiting."""
        self.machine.listen(listener)

    def on_chunk(self, chunk: Chunk, now: float) -> None:
        """Take a raw chunk that arrived at `now`, in seconds on the engine's clock."""
        at = self._here.tick(now, sampled=True)
        try:
            self.watch.update(chunk, at)
        except Exception as error:  # noqa: BLE001 - a monitor that fails must close the gate, whatever the reason
            self._here.go(State.FATAL, "A-STATE", f"monitor failed: {type(error).__name__}: {error}")
            return
        self._react()

    def on_silence(self, now: float) -> None:
        """Take note that a pull timed out at `now`."""
        at = self._here.tick(now, sampled=True)
        self.stream.silence(at)
        self._react()

    def on_load(self, share: float, now: float) -> None:
        """Take note of processing time over hop (H-CPU)."""
        at = self._here.tick(now)
        self.stream.on_load(share if math.isfinite(share) else 10.0, at)
        self._react()

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
        at = self._here.tick(now)
        self.watch.report(Reading(rule=rule, severity=severity, value=value, limit=limit), at + hold_s)
        self._react()

    def stimulus(self, now: float, *, on: bool) -> bool:
        """Take note that flicker begins or ends, and say whether it may be on.

        Returns
        -------
        bool
            False if the state does not allow stimuli, or a limit of the dose is reached (ST-5): blank to mid-grey.
        """
        at = self._here.tick(now)
        if not on:
            self.watch.dose.stop(at)
            return False
        reading = self.watch.dose.may_start(at) if self.watch.dose.check(at) is None else self.watch.dose.check(at)
        if not self.stimulus_allowed or reading is not None:
            self.watch.dose.stop(at)
            if reading is not None:
                self.ledger.alarm(reading, at, loud=(Level.CAUTION, ""))
            return False
        self.watch.dose.start(at)
        return True

    @property
    def stimulus_allowed(self) -> bool:
        """Whether stimuli may be shown; elsewhere the screen is mid-grey.

        A RESTRICTED one, only after `calibrate` or `arm` have seen consent and screening (a simulation has no eyes).
        """
        screened = (
            self._here.stimulus_result in ("", "PASS") or self._here.screened or self.settings.profile == "simulation"
        )
        return self.machine.state in RUNNING and screened

    def decide(self, decision: Decision, now: float, *, undo: bool = False) -> Verdict:
        """Say whether a decision may act.

        Parameters
        ----------
        decision : Decision
            What was decided.
        now : float
            Seconds on the engine's clock.
        undo : bool
            Whether it only takes the last action back, and so begins none: then every stop and all that says that data
            or person cannot be trusted counts, and neither confidence (A-CONF) nor votes (A-KOFN) nor the pause between
            actions (A-RFR).

        Returns
        -------
        Verdict
            With the id of every rule that refused, and its value beside its limit.
        """
        at = self._here.tick(now)
        self.stream.silence(at)
        if decision.label is not None:
            self.stream.on_age(age_of(decision, at), at)
        self._react()
        refused: dict[str, dict[str, Any]] = {}
        problem = impossible(decision)
        if problem and self.machine.state in RUNNING:
            self.ledger.alarm(Reading(rule="A-DEC", severity=Severity.FAULT, value=problem), at)
            self._here.stop_for("A-DEC", problem)
        if self.machine.state is not State.ACTIVE:
            refused["A-STATE"] = {"value": str(self.machine.state), "limit": "ACTIVE"}
            refused.update({rule: {"value": RULES[rule].what} for rule in sorted(self._here.stopping())})
            if problem:
                refused["A-DEC"] = {"value": problem}
            if self.control.idle_test is not None and self.machine.state is State.CALIBRATING and not undo:
                if self.watch.quality_problem():
                    self.control.idle_test.skip(at)
                else:
                    self.control.idle_test.judge(decision, at)
        else:
            if self.settings.dead_man and not self.switches.dead_man_held:
                refused["A-DM"] = {"value": "released", "limit": "held"}
            quality = self.watch.quality_problem()
            if quality:
                refused["A-QUAL"] = quality
            gate = self._here.gate
            refused.update(gate.judge_undo(decision, at) if undo else gate.judge(decision, at))
        return self._verdict(decision, at, refused, undo=undo)

    def _verdict(self, decision: Decision, at: float, refused: dict[str, dict[str, Any]], *, undo: bool) -> Verdict:
        asked = decision.label is not None and decision.label != self.settings.idle_label
        if asked and not self.ledger.command(decision, refused, at) and not refused:
            refused = {"A-AUDIT": {"value": "not logged"}}
        allowed = not refused
        if allowed and not undo:
            self._here.gate.commit(decision, at)
        verdict = Verdict(
            time=at,
            sample=decision.sample,
            allowed=allowed,
            label=decision.label if allowed else None,
            reasons=tuple(refused),
            state=str(self.machine.state),
            data=refused,
        )
        self.ledger.verdict(verdict, acts=allowed and not undo)
        return verdict

    def quality(self) -> dict[str, ChannelQuality]:
        """Return for each channel how good it is (GOOD, WARN, BAD) and the rules that say so."""
        return self.watch.quality()

    def readings(self) -> list[Reading]:
        """Return every rule that does not hold now, of stream, person, stimulus and channels."""
        return [*self._here.seen(), *self.watch.channel_readings()]

    def alarms(self) -> list[Alarm]:
        """Return the alarm list, what nobody has seen yet first."""
        return self.ledger.alarms.list()

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the session for the report and the catalogue; ready for JSON."""
        expected = self.stream.received + self.stream.lost
        return {
            "profile": self.settings.profile,
            "state": str(self.machine.state),
            "time_in_state_s": self.machine.time_in_states(self._here.now),
            **self.ledger.to_dict(),
            "lost_samples": self.stream.lost,
            "lost_share": self.stream.lost / expected if expected else 0.0,
            "longest_silence_s": self.stream.longest_silence_s,
            "jitter_s": self.stream.jitter_s,
            "quality": {
                name: {"level": quality.level.name, "rules": list(quality.rules)}
                for name, quality in self.quality().items()
            },
        }

    def _react(self) -> None:
        """Turn what the monitors see into alarms and changes of state."""
        here = self._here
        self.switches.check()
        readings = here.seen()
        here.ledger.readings(readings, here.now)
        reaction = classify(readings)
        if reaction.stop is not None:
            here.last_stop_cause = here.now
        if reaction.stop is not None or reaction.degrade is not None:
            here.last_bad = here.now
        move = next_move(
            reaction,
            here.machine.state,
            here.settings,
            in_state_s=here.now - here.machine.since,
            good_s=here.now - here.last_bad,
        )
        if move is not None and move.target is State.SAFE_STOP:
            here.stop_for(move.rule, move.reason)
        elif move is not None:
            here.go(move.target, move.rule, move.reason)
