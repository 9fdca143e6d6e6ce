"""What every part of the safety system shares: limits, monitors, machine, ledger and the time."""

import math
from collections.abc import Sequence

from bcikit.safety.audit import AuditLog
from bcikit.safety.gate import Gate
from bcikit.safety.ledger import Ledger
from bcikit.safety.levels import Reading, Severity
from bcikit.safety.machine import LATCHED, State, StateMachine, Transition
from bcikit.safety.reactions import RUNNING
from bcikit.safety.settings import GateSettings
from bcikit.safety.watch import Watch
from bcikit.signal import SafetyError, StreamInfo

_RUN = (State.ACTIVE, State.DEGRADED)
"""States of a run: one that holds its output for a while goes on, and its time, too."""


class Situation:
    """Where the session stands, what is seen, and since when something was wrong.

    Parameters
    ----------
    settings, info, audit, required_channels, stimulus
        See `SafetySystem`.

    Attributes
    ----------
    now : float
        Seconds on the engine's clock; it never goes back.
    last_bad, last_stop_cause : float
        When something last degraded the session, and when there was last a reason to stop it.
    screened : bool
        Whether consent and screening were seen (`Control.arm`, `Control.calibrate`).
    flickers_on : bool
        True in a replay of what an older version recorded, in which the dose of a flicker outlasted its run.
    """

    def __init__(
        self,
        settings: GateSettings,
        info: StreamInfo,
        audit: AuditLog | None,
        required_channels: Sequence[str],
        stimulus: str,
    ) -> None:
        self.info = info
        self.audit = audit
        self.stimulus_result = stimulus
        self._required_names = tuple(required_channels)
        self.configure(settings)
        self.ledger = Ledger(audit, self._log_failed)
        self.machine = StateMachine(log=self.ledger.transition)
        self.machine.listen(self._after_transition)
        self.now = 0.0
        self._clocked = False
        self._run_since = 0.0
        self.last_bad = float("-inf")
        self.last_stop_cause = float("-inf")
        self.screened = False
        self.flickers_on = False

    def configure(self, settings: GateSettings) -> None:
        """Take settings, with monitors and a gate of their own."""
        self.settings = settings
        self.watch = Watch(settings, self.info, self._required_names)
        self.gate = Gate(settings)

    def tick(self, now: float | None, *, sampled: bool = False) -> float:
        """Take the time of what is told, and return it.

        Parameters
        ----------
        now : float or None
            Seconds on the engine's clock; None for no later than the last one.
        sampled : bool
            Whether the stream tells it, by samples or their absence: with that the session's time begins, or with the
            first time above 0. A clock that has gone for days says 0 until then.
        """
        if now is not None:
            if not math.isfinite(now):
                raise SafetyError(f"now is {now}; it must be a time in seconds.")
            self.now = max(self.now, float(now))
        if not self._clocked and (sampled or self.now > 0):
            self._clocked = True
            # Whatever was done before has lasted for no time yet.
            self.machine.since = self._run_since = self.now
            self.ledger.tally.begin(self.now)
            if math.isfinite(self.last_stop_cause):
                self.last_stop_cause = self.now
        if self._clocked:
            self.ledger.tally.tick(self.now)
        return self.now

    def seen(self) -> list[Reading]:
        """Return every rule of stream, person and stimulus that does not hold now."""
        run = self.now - self._run_since if self.machine.state in _RUN else 0.0
        part = self.now - self.machine.since if self.machine.state is State.ACTIVE else 0.0
        before = self.machine.seconds[State.ACTIVE]
        return self.watch.readings(self.now, active_s=run, session_s=before + part)

    def stopping(self) -> set[str]:
        """Return the rules that forbid to move now."""
        return {reading.rule for reading in self.seen() if reading.severity >= Severity.DEGRADE}

    def go(self, target: State, rule: str, reason: str, *, actor: str = "system") -> None:
        """Change the state; nothing leads out of FATAL."""
        if self.machine.state is State.FATAL or self.machine.state is target:
            return
        self.machine.go(target, self.now, actor=actor, rule=rule, reason=reason)

    def stop_for(self, rule: str, reason: str, *, actor: str = "system") -> None:
        """Go to SAFE_STOP for a cause that is there now."""
        self.last_stop_cause = self.now
        self.go(State.SAFE_STOP, rule, reason, actor=actor)

    def _after_transition(self, step: Transition) -> None:
        if step.target is State.ACTIVE and step.source is not State.DEGRADED:
            self._run_since = step.time
        if step.target is not State.ACTIVE:
            self.gate.reset()
        if step.target not in RUNNING and not self.flickers_on:
            # The screen is mid-grey from now on, whenever the protocol, whose clock may stand still, says so.
            self.watch.dose.stop(step.time)
        if step.target in LATCHED:
            self.ledger.tally.stopped(step.time, step.rule)

    def _log_failed(self, now: float, reason: str) -> None:
        self.now = max(self.now, now)
        self.go(State.FATAL, "A-AUDIT", reason)
