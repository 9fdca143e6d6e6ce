"""The life of a session: who may do what, when, and what is asked first."""

from collections.abc import Iterable
from dataclasses import replace

from bcikit.safety.arming import ArmRequest, arming_problems, person_problems, worse
from bcikit.safety.idle import IdleTest
from bcikit.safety.levels import Level, Reading, Severity
from bcikit.safety.machine import State
from bcikit.safety.reactions import RUNNING
from bcikit.safety.rules import RULES
from bcikit.safety.settings import GateSettings
from bcikit.safety.situation import Situation
from bcikit.safety.switches import Switches
from bcikit.safety.words import says_something
from bcikit.signal import SafetyError


class Control:
    """Self-test, arming, start, stop and acknowledgement of a `SafetySystem`.

    Parameters
    ----------
    situation : Situation
        Where the session stands.
    switches : Switches
        What hands hold: the dead-man switch and the emergency stop.
    """

    def __init__(self, situation: Situation, switches: Switches) -> None:
        self._here = situation
        self._switches = switches
        self.idle_test: IdleTest | None = None
        self._operator = ""
        self._stop_tested = False
        self.selftest()

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
        at = self._here.tick(now)
        found = list(problems)
        if self._here.info.sfreq <= 0:
            found.append(f"the stream {self._here.info.name!r} has no sampling rate")
        if self._here.watch.unknown:
            found.append(f"needed channels are not EEG channels of the stream: {', '.join(self._here.watch.unknown)}")
        if not self._here.watch.monitor.ch_names:
            found.append(f"the stream {self._here.info.name!r} has no EEG channel")
        if self._here.settings.real and self._here.audit is None:
            found.append(f"profile {self._here.settings.profile} needs an audit log")
        if self._switches.stop_pressed:
            found.append("the emergency stop is not released")
        if not self._here.machine.go(State.SELFTEST, at, actor="system", reason="self-test"):
            raise SafetyError("The audit log cannot be written; the session cannot start.")
        if found:
            self._here.go(State.FATAL, "A-ARM", "; ".join(found))
            raise SafetyError("The self-test failed: " + "; ".join(found))
        if not self._here.machine.go(State.STANDBY, at, actor="system", reason="self-test passed"):
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
        at = self._here.tick(now)
        request = self._completed(ArmRequest(operator=operator) if request is None else request)
        problems = arming_problems(request, self._here.settings)
        extra: list[str] = []
        if self._here.settings.dead_man and not self._switches.dead_man_held:
            extra.append("the dead-man switch is not held")
        if self._here.settings.profile != "simulation":
            if not self._here.watch.monitor.known:
                extra.append("signal quality is not known yet")
            elif self._here.watch.usable_share() < self._here.settings.min_good:
                extra.append(f"only {self._here.watch.usable_share():.0%} of the needed channels are usable")
        if self._here.settings.real and not self._switches.stop_box_tested:
            extra.append("the stop box was not pressed and released in this session")
        extra += [f"{rule}: {RULES[rule].what}" for rule in sorted(self._here.stopping())]
        if extra:
            problems["A-ARM"] = "; ".join(filter(None, [problems.get("A-ARM", ""), *extra]))
        if self._here.machine.state is not State.STANDBY:
            problems["A-STATE"] = f"the state is {self._here.machine.state}; arming starts in STANDBY"
        self._refuse(problems, request, "arm", at)
        if not self._here.ledger.write("arming", at, actor=request.operator, value=request.to_dict()):
            raise SafetyError("Not armed: the audit log cannot be written.")
        self._here.screened = True
        self._operator = request.operator
        if not self._here.machine.go(State.ARMED, at, actor=request.operator, reason="armed", human=True):
            raise SafetyError("Not armed: the audit log cannot be written.")

    def _completed(self, request: ArmRequest) -> ArmRequest:
        """Return a request with what was measured here: the idle test, the stop key, the stimulus."""
        test = self.idle_test
        if test is not None and (test.seconds > 0 or request.idle_activations is None):
            # What was measured last speaks of what decides now, whatever was brought.
            request = replace(request, idle_activations=test.activations, idle_s=test.seconds)
        return replace(
            request,
            stop_tested=request.stop_tested or self._stop_tested,
            stimulus=worse(request.stimulus, self._here.stimulus_result),
        )

    def _refuse(self, problems: dict[str, str], request: ArmRequest, action: str, at: float) -> None:
        if problems:
            text = "; ".join(f"{rule}: {problem}" for rule, problem in problems.items())
            self._here.ledger.write(
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
        at = self._here.tick(now)
        if request is not None:
            request = self._completed(request)
            self._refuse(person_problems(request, self._here.settings), request, "calibrate", at)
            self._here.screened = self._here.ledger.write(
                "calibrating", at, actor=request.operator, value=request.to_dict()
            )
        if not self._here.machine.go(State.CALIBRATING, at, actor="operator", reason="idle test" if idle_test else ""):
            raise SafetyError("Not calibrating: the audit log cannot be written.")
        self.idle_test = IdleTest(self._here.settings, at) if idle_test else None

    def start(self, *, now: float | None = None) -> None:
        """Let decisions act: ARMED to ACTIVE; the profile "simulation" arms itself.

        Raises
        ------
        SafetyError
            If the session is not armed.
        """
        at = self._here.tick(now)
        if self._here.machine.state is State.STANDBY and self._here.settings.profile == "simulation":
            self.arm(now=at)
        if self._here.machine.state is not State.ARMED:
            raise SafetyError(f"The session is {self._here.machine.state}, not ARMED; it cannot start.")
        self._here.gate.reset()
        if not self._here.machine.go(State.ACTIVE, at, actor=self._operator or "system", reason="started"):
            raise SafetyError("Not started: the audit log cannot be written.")

    def stop(self, reason: str, *, who: str = "operator", now: float | None = None) -> None:
        """Stop at once: SAFE_STOP, latched, whatever the state; ESTOP and FATAL, which are stronger, stay."""
        at = self._here.tick(now)
        self._here.last_stop_cause = at
        self._here.ledger.alarm(Reading(rule="A-STOP", severity=Severity.FAULT, value=reason), at)
        if self._here.watch.dose.running:
            # A flickering stimulus was on: whoever pressed the key may have had a reason that is not technical.
            self._here.ledger.alarm(Reading(rule="ST-EYES", severity=Severity.FAULT, value="stop key"), at)
        if self._here.machine.can(State.SAFE_STOP):
            self._here.go(State.SAFE_STOP, "A-STOP", reason, actor=who)
        elif self._here.machine.state is not State.SAFE_STOP:
            self._here.ledger.write("stop", at, actor=who, reason=reason, rule_id="A-STOP", level=Level.WARNING)

    def test_stop(self, *, who: str = "operator", now: float | None = None) -> None:
        """Take note that the stop key was tested: pressed and felt, while nothing runs.

        Raises
        ------
        SafetyError
            In any other state than STANDBY; there the key stops.
        """
        at = self._here.tick(now)
        if self._here.machine.state is not State.STANDBY:
            raise SafetyError(f"The stop key is tested in STANDBY; the state is {self._here.machine.state}.")
        self._stop_tested = self._here.ledger.write("stop key tested", at, actor=who) or self._stop_tested

    def finish(self, reason: str = "finished", *, now: float | None = None) -> None:
        """End a run in good order: back to STANDBY. A latched stop stays latched."""
        if self._here.machine.state in RUNNING:
            self._here.tick(now)
            self._here.go(State.STANDBY, "", reason)

    @property
    def stop_clears_in(self) -> float:
        """Seconds until a latched stop may be acknowledged; 0 where nothing keeps it from that."""
        if self._here.machine.state is not State.SAFE_STOP:
            return 0.0
        return max(0.0, self._here.settings.stop_clear_s - (self._here.now - self._here.last_stop_cause))

    @property
    def judges_in(self) -> float:
        """Seconds after which to arm again where the signal is not judged yet; 0 once it is."""
        monitor = self._here.watch.monitor
        judged = monitor.known or self._here.settings.profile == "simulation"
        return 0.0 if judged else monitor.profile.hop_s

    def acknowledge(self, who: str, reason: str, *, now: float | None = None) -> None:
        """Acknowledge all alarms and, where the cause is gone, a latched stop.

        Raises
        ------
        SafetyError
            If nobody is named, no reason is given, or the cause of the stop is not gone long enough.
        """
        at = self._here.tick(now)
        if not says_something(who) or not says_something(reason):
            raise SafetyError("An acknowledgement needs a name and a reason that can be read.")
        if self._here.machine.state is State.FATAL:
            raise SafetyError("FATAL cannot be acknowledged: find the cause and start again.")
        if self._here.machine.state is State.SAFE_STOP:
            clear = at - self._here.last_stop_cause
            if clear < self._here.settings.stop_clear_s:
                self._here.ledger.write(
                    "refused", at, actor=who, rule_id="A-STOP", reason=reason, action="acknowledge", value=clear
                )
                needed = self._here.settings.stop_clear_s
                raise SafetyError(f"The cause of the stop is gone for {max(clear, 0.0):.1f} s; needed: {needed:g} s.")
            self._here.machine.go(State.STANDBY, at, actor=who, reason=reason, human=True)
        elif self._here.machine.state is State.ESTOP:
            if self._switches.stop_pressed:
                raise SafetyError("The emergency stop is not released.")
            self._here.machine.go(State.SELFTEST, at, actor=who, reason=reason, human=True)
            self.selftest(now=at)
        self._here.ledger.acknowledged(who, reason, at)

    def reconfigure(self, settings: GateSettings, *, who: str, now: float | None = None) -> None:
        """Take other settings; only in STANDBY, and the self-test runs again.

        Raises
        ------
        SafetyError
            In any other state; the attempt is logged.
        """
        at = self._here.tick(now)
        if self._here.machine.state is not State.STANDBY:
            self._here.ledger.write(
                "refused", at, actor=who, rule_id="A-CFG", action="reconfigure", value=str(self._here.machine.state)
            )
            raise SafetyError(f"Settings change in STANDBY only; the state is {self._here.machine.state}.")
        self._here.ledger.write("reconfigured", at, actor=who, value=settings.model_dump(mode="json"))
        self._here.configure(settings)
        self.selftest(now=at)
