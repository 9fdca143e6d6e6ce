"""The life of a session: who may do what, when, and what is asked first."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bcikit.safety.arming import ArmRequest, arming_problems, person_problems, worse
from bcikit.safety.audit import AuditLog
from bcikit.safety.gate import Gate
from bcikit.safety.idle import IdleTest
from bcikit.safety.ledger import Ledger
from bcikit.safety.levels import Level, Reading, Severity
from bcikit.safety.machine import LATCHED, Listener, State, StateMachine, Transition
from bcikit.safety.quality import QualityMonitor
from bcikit.safety.reactions import RUNNING, STOPS
from bcikit.safety.rules import RULES
from bcikit.safety.settings import GateSettings
from bcikit.safety.stream import StreamMonitor
from bcikit.safety.watch import Watch
from bcikit.safety.words import says_something
from bcikit.signal import SafetyError, StreamInfo


class SafetyControl:
    """Self-test, arming, start, stop and acknowledgement; `SafetySystem` adds what is measured and decided.

    Parameters
    ----------
    settings, info, audit, required_channels, stimulus, stop_box
        See `SafetySystem`.
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
        self.settings = settings
        self.info = info
        self.audit = audit
        self.stimulus_result = stimulus
        self._required_names = tuple(required_channels)
        self.watch = Watch(settings, info, required_channels)
        self.gate = Gate(settings)
        self.ledger = Ledger(audit, self._log_failed)
        self.machine = StateMachine(log=self.ledger.transition)
        self.machine.listen(self._after_transition)
        self.idle_test: IdleTest | None = None
        self._last_bad = float("-inf")
        self._last_stop_cause = float("-inf")
        self._held_until = float("-inf")
        self._estop_open = False
        self._estop_tested = not stop_box
        self._operator = ""
        self._screened = False
        self._stop_tested = False
        self._now = 0.0
        self.selftest()

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

    @property
    def dead_man_held(self) -> bool:
        """Whether the dead-man switch was said to be held, recently enough to believe it."""
        return self._now <= self._held_until

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
        request = self._completed(ArmRequest(operator=operator) if request is None else request)
        problems = arming_problems(request, self.settings)
        extra: list[str] = []
        if self.settings.dead_man and not self.dead_man_held:
            extra.append("the dead-man switch is not held")
        if self.settings.profile != "simulation":
            if not self.monitor.known:
                extra.append("signal quality is not known yet")
            elif self.watch.usable_share() < self.settings.min_good:
                extra.append(f"only {self.watch.usable_share():.0%} of the needed channels are usable")
        if self.settings.real and not self._estop_tested:
            extra.append("the stop box was not pressed and released in this session")
        extra += [f"{rule}: {RULES[rule].what}" for rule in sorted(self._stopping())]
        if extra:
            problems["A-ARM"] = "; ".join(filter(None, [problems.get("A-ARM", ""), *extra]))
        if self.machine.state is not State.STANDBY:
            problems["A-STATE"] = f"the state is {self.machine.state}; arming starts in STANDBY"
        self._refuse(problems, request, "arm", at)
        if not self.ledger.write("arming", at, actor=request.operator, value=request.to_dict()):
            raise SafetyError("Not armed: the audit log cannot be written.")
        self._screened = True
        self._operator = request.operator
        if not self.machine.go(State.ARMED, at, actor=request.operator, reason="armed", human=True):
            raise SafetyError("Not armed: the audit log cannot be written.")

    def _completed(self, request: ArmRequest) -> ArmRequest:
        """Return a request with what was measured here: the idle test, the stop key, the stimulus."""
        test = self.idle_test
        if request.idle_activations is None and test is not None:
            request = replace(request, idle_activations=test.activations, idle_s=test.seconds)
        return replace(
            request,
            stop_tested=request.stop_tested or self._stop_tested,
            stimulus=worse(request.stimulus, self.stimulus_result),
        )

    def _refuse(self, problems: dict[str, str], request: ArmRequest, action: str, at: float) -> None:
        if problems:
            text = "; ".join(f"{rule}: {problem}" for rule, problem in problems.items())
            self.ledger.write(
                "refused", at, actor=request.operator, rule_id=next(iter(problems)), reason=text, action=action
            )
            raise SafetyError(f"Not {'armed' if action == 'arm' else 'calibrating'}. {text}")

    def calibrate(
        self, request: ArmRequest | None = None, *, idle_test: bool = False, now: float | None = None
    ) -> None:
        """Go from STANDBY to CALIBRATING: stimuli may run, nothing moves; `finish` leads back.

        Parameters
        ----------
        request : ArmRequest or None
            Consent and screening; without them a RESTRICTED stimulus stays off outside a simulation.
        idle_test : bool
            Count the actions that decisions would start while the participant rests (`idle_test.activations`).

        Raises
        ------
        SafetyError
            If the request does not cover what will be done; the attempt is logged.
        """
        at = self._tick(now)
        if request is not None:
            request = self._completed(request)
            self._refuse(person_problems(request, self.settings), request, "calibrate", at)
            self._screened = self.ledger.write("calibrating", at, actor=request.operator, value=request.to_dict())
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
        """Stop at once: SAFE_STOP, latched, whatever the state; ESTOP and FATAL, which are stronger, stay."""
        at = self._tick(now)
        self._last_stop_cause = at
        self.ledger.alarm("A-STOP", Level.WARNING, at, value=reason, did=STOPS)
        if self.watch.dose.running:
            # A flickering stimulus was on: whoever pressed the key may have had a reason that is not technical.
            self.ledger.alarm("ST-EYES", Level.WARNING, at, value="stop key", did=STOPS)
        if self.machine.can(State.SAFE_STOP):
            self._go(State.SAFE_STOP, at, "A-STOP", reason, actor=who)
        elif self.machine.state is not State.SAFE_STOP:
            self.ledger.write("stop", at, actor=who, reason=reason, rule_id="A-STOP", level=Level.WARNING)

    def test_stop(self, *, who: str = "operator", now: float | None = None) -> None:
        """Take note that the stop key was tested: pressed and felt, while nothing runs.

        Raises
        ------
        SafetyError
            In any other state than STANDBY; there the key stops.
        """
        at = self._tick(now)
        if self.machine.state is not State.STANDBY:
            raise SafetyError(f"The stop key is tested in STANDBY; the state is {self.machine.state}.")
        self._stop_tested = self.ledger.write("stop key tested", at, actor=who) or self._stop_tested

    def finish(self, reason: str = "finished", *, now: float | None = None) -> None:
        """End a run in good order: back to STANDBY. A latched stop stays latched."""
        if self.machine.state in RUNNING:
            self._go(State.STANDBY, self._tick(now), "", reason)

    @property
    def stop_clears_in(self) -> float:
        """Seconds until a latched stop may be acknowledged; 0 where nothing keeps it from that."""
        if self.machine.state is not State.SAFE_STOP:
            return 0.0
        return max(0.0, self.settings.stop_clear_s - (self._now - self._last_stop_cause))

    def acknowledge(self, who: str, reason: str, *, now: float | None = None) -> None:
        """Acknowledge all alarms and, where the cause is gone, a latched stop.

        Raises
        ------
        SafetyError
            If nobody is named, no reason is given, or the cause of the stop is not gone long enough.
        """
        at = self._tick(now)
        if not says_something(who) or not says_something(reason):
            raise SafetyError("An acknowledgement needs a name and a reason that can be read.")
        if self.machine.state is State.FATAL:
            raise SafetyError("FATAL cannot be acknowledged: find the cause and start again.")
        if self.machine.state is State.SAFE_STOP:
            clear = at - self._last_stop_cause
            if clear < self.settings.stop_clear_s:
                self.ledger.write(
                    "refused", at, actor=who, rule_id="A-STOP", reason=reason, action="acknowledge", value=clear
                )
                needed = self.settings.stop_clear_s
                raise SafetyError(f"The cause of the stop is gone for {max(clear, 0.0):.1f} s; needed: {needed:g} s.")
            self.machine.go(State.STANDBY, at, actor=who, reason=reason, human=True)
        elif self.machine.state is State.ESTOP:
            if self._estop_open:
                raise SafetyError("The emergency stop is not released.")
            self.machine.go(State.SELFTEST, at, actor=who, reason=reason, human=True)
            self.selftest(now=at)
        self.ledger.acknowledged(who, reason, at)

    def reconfigure(self, settings: GateSettings, *, who: str, now: float | None = None) -> None:
        """Take other settings; only in STANDBY, and the self-test runs again.

        Raises
        ------
        SafetyError
            In any other state; the attempt is logged.
        """
        at = self._tick(now)
        if self.machine.state is not State.STANDBY:
            self.ledger.write(
                "refused", at, actor=who, rule_id="A-CFG", action="reconfigure", value=str(self.machine.state)
            )
            raise SafetyError(f"Settings change in STANDBY only; the state is {self.machine.state}.")
        self.ledger.write("reconfigured", at, actor=who, value=settings.model_dump(mode="json"))
        self.settings = settings
        self.watch = Watch(settings, self.info, self._required_names)
        self.gate = Gate(settings)
        self.selftest(now=at)

    def _tick(self, now: float | None) -> float:
        if now is not None:
            if not math.isfinite(now):
                raise SafetyError(f"now is {now}; it must be a time in seconds.")
            self._now = max(self._now, float(now))
        self.ledger.tally.tick(self._now)
        return self._now

    def _seen(self, now: float) -> list[Reading]:
        active = now - self.machine.since if self.machine.state is State.ACTIVE else 0.0
        before = self.machine.seconds[State.ACTIVE]
        return self.watch.readings(now, active_s=active, session_s=before + active)

    def _stopping(self) -> set[str]:
        return {reading.rule for reading in self._seen(self._now) if reading.severity >= Severity.DEGRADE}

    def _go(self, target: State, now: float, rule: str, reason: str, *, actor: str = "system") -> None:
        if self.machine.state is State.FATAL or self.machine.state is target:
            return
        self.machine.go(target, now, actor=actor, rule=rule, reason=reason)

    def _after_transition(self, step: Transition) -> None:
        if step.target is not State.ACTIVE:
            self.gate.reset()
        if step.target in LATCHED:
            self.ledger.tally.stopped(step.time, step.rule)

    def _log_failed(self, now: float, reason: str) -> None:
        self._go(State.FATAL, now, "A-AUDIT", reason)
