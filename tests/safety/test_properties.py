"""Arbitrary sequences of whatever can happen to monitors, gate and guard: none opens what must be closed."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bcikit.safety import GateSettings, SafetySystem, Severity, State
from bcikit.safety.guard.core import Cause, GuardCore
from bcikit.safety.guard.drivers import SimulatedHand
from bcikit.safety.guard.protocol import pack, role_key
from bcikit.safety.machine import LATCHED
from bcikit.signal import Chunk, Decision, Flag, Health, SafetyError, StreamInfo

KEY = b"k" * 32
FS = 100
CHANNELS = 3


class SafetyMachine(RuleBasedStateMachine):
    """Monitors and gate feed a guard, as an engine would."""

    @initialize(dead_man=st.booleans(), seed=st.integers(0, 9))
    def begin(self, dead_man, seed):
        self.rng = np.random.default_rng(seed)
        info = StreamInfo(name="x", sfreq=FS, ch_names=tuple(f"c{i}" for i in range(CHANNELS)))
        settings_ = GateSettings(
            dead_man=dead_man, refractory_s=0.0, stall_fault_s=0.5, gap_fault_s=0.1, stop_clear_s=1.0, age_max_s=0.4
        )
        self.log = []
        self.log_works = True
        self.system = SafetySystem(settings_, info, required_channels=("c0",))
        self.system.machine._log = self._write
        self.system.listen(self._changed)
        self.guard = GuardCore(SimulatedHand(), KEY, dead_man=dead_man)
        self.dead_man = dead_man
        self.held = False
        self.now = 10.0
        self.sample = 0
        self.sequence = {"engine": 0, "dead-man": 0}
        self.sent = []
        self.latched_by_human = False
        self.changes = []
        self.silent_since = self.now
        for _ in range(30):
            self.samples(0.1, "good")
        self.dead_man_switch(held=True)
        self.arm_and_start()
        assert self.system.state is State.ACTIVE

    def _write(self, step):
        if not self.log_works:
            raise OSError("disk full")
        self.log.append(step)

    def _changed(self, step):
        self.changes.append((step, bool(self.log) and self.log[-1] == step, self.latched_by_human))
        if step.target is not State.ACTIVE:
            self.guard.go_safe(str(step.target), self.now, Cause.ENGINE, latch=step.target in LATCHED)
        if step.source in LATCHED and step.target not in LATCHED:
            self._tell("release", who=step.actor, reason=step.reason)

    def _tell(self, do, *, sender="engine", **more):
        self.sequence[sender] += 1
        message = {"v": 1, "from": sender, "seq": self.sequence[sender], "t": self.now, "do": do, **more}
        self.guard.receive(pack(message, role_key(KEY, sender)), self.now)

    def _pass(self, seconds):
        steps = max(1, round(seconds / 0.02))
        for _ in range(steps):
            self.now += seconds / steps
            if self.system.state is not State.FATAL:
                self._tell("beat")
            if self.dead_man and self.held:
                self.system.switches.dead_man(self.now, held=True)
                self._tell("dead-man", sender="dead-man", held=True)
            self.guard.tick(self.now)

    @rule(seconds=st.sampled_from([0.1, 0.2]), kind=st.sampled_from(["good", "good", "flat", "nan", "rail"]))
    def samples(self, seconds, kind):
        n = round(seconds * FS)
        self._pass(seconds)
        data = self.rng.normal(0, 10, (n, CHANNELS))
        if kind != "good":
            data[:, 0] = {"flat": 0.0, "nan": np.nan, "rail": 1e7}[kind]
        times = self.now - seconds + (np.arange(n) + 1) / FS
        self.system.on_chunk(Chunk(data, times, self.sample), self.now)
        self.sample += n
        self.silent_since = self.now

    @rule(times=st.integers(1, 5))
    def work(self, times):
        for _ in range(times):
            self.samples(0.1, "good")
            self.decision(0.95, 0.0, "a", 0.25)

    @rule()
    def mend(self):
        self.estop(False)
        self.dead_man_switch(held=True)
        for _ in range(35):
            self.samples(0.1, "good")
        self.acknowledge()
        self.arm_and_start()

    @rule(lost=st.integers(1, 300))
    def gap(self, lost):
        self._pass(0.1)
        self.sample += lost
        health = Health(lost=lost, flags=Flag.GAP)
        chunk = Chunk(
            self.rng.normal(0, 10, (10, CHANNELS)), self.now - 0.1 + (np.arange(10) + 1) / FS, self.sample, health
        )
        self.system.on_chunk(chunk, self.now)
        self.sample += 10
        self.silent_since = self.now

    @rule(seconds=st.sampled_from([0.1, 0.3, 0.6, 3.0]))
    def silence(self, seconds):
        for _ in range(round(seconds / 0.05)):
            self._pass(0.05)
            self.system.on_silence(self.now)

    @rule(
        p=st.sampled_from([0.5, 0.6, 0.9, 0.99, float("nan"), 1.5]),
        age=st.sampled_from([0.0, 0.1, 1.0, -3.0]),
        label=st.sampled_from(["a", "b", None]),
        ttl=st.sampled_from([0.1, 0.25]),
    )
    def decision(self, p, age, label, ttl):
        decision = Decision(
            time=self.now - age, sample=self.sample, classes=("a", "b"), probabilities=(p, 1 - p), label=label
        )
        ok = self.system.monitor.worst()[0] < 2 and self.system.monitor.known
        verdict = self.system.decide(decision, self.now)
        if verdict.allowed:
            assert self.system.state is State.ACTIVE
            assert ok
            assert label is not None
            assert (p if label == "a" else 1 - p) >= 0.7
            assert abs(age) <= 0.4
            assert self.held or not self.dead_man
            assert self.now - self.silent_since <= 0.5 + 1e-9
            if not self.guard.armed:
                self._tell("arm")
            self._tell("command", name="close", value=1.0, ttl=ttl)
        else:
            assert verdict.reasons

    @rule(held=st.booleans())
    def dead_man_switch(self, held):
        self.held = held
        self.system.switches.dead_man(self.now, held=held)
        if self.dead_man:
            self._tell("dead-man", sender="dead-man", held=held)

    @rule()
    def arm_and_start(self):
        if self.system.state is State.ACTIVE:
            return
        try:
            self.system.control.start(now=self.now)
        except SafetyError:
            assert self.system.state is not State.ACTIVE

    @rule()
    def stop(self):
        self.system.control.stop("operator", now=self.now)
        assert self.system.state in LATCHED
        assert self.guard.driver.state()["output"] == 0.0
        assert self.guard.latched

    @rule(pressed=st.booleans())
    def estop(self, pressed):
        self.system.switches.estop(self.now, pressed=pressed)

    @rule()
    def acknowledge(self):
        self.latched_by_human = True
        try:
            self.system.control.acknowledge("Li", "seen", now=self.now)
        except SafetyError:
            pass
        finally:
            self.latched_by_human = False

    @rule(data=st.binary(max_size=80))
    def noise_on_the_wire(self, data):
        self.guard.receive(data, self.now)

    @rule(back=st.integers(0, 5))
    def replayed_message(self, back):
        armed = self.guard.armed
        sequence = max(0, self.sequence["engine"] - back)
        message = {
            "v": 1,
            "from": "engine",
            "seq": sequence,
            "t": self.now,
            "do": "command",
            "name": "close",
            "ttl": 0.2,
        }
        self.guard.receive(pack(message, KEY), self.now)
        assert not self.guard.armed or not armed
        if self.guard.latched and self.system.state not in LATCHED:
            self.system.report("G-LINK", Severity.FAULT, self.now)  # as the output does at its next look

    @precondition(lambda self: self.log_works)
    @rule()
    def disk_full(self):
        if len(self.log) > 12:
            self.log_works = False

    @invariant()
    def output_only_while_active_and_allowed(self):
        if not hasattr(self, "guard"):
            return
        if self.guard.driver.state()["output"]:
            assert self.guard.armed
            assert self.system.state is State.ACTIVE
            assert self.held or not self.dead_man

    @invariant()
    def latched_states_are_left_by_a_person_only(self):
        for step, _, human in getattr(self, "changes", ()):
            if step.source in LATCHED and step.target not in (State.FATAL, State.ESTOP):
                assert human, step

    @invariant()
    def every_change_was_logged_before_it_happened(self):
        for step, logged, _ in getattr(self, "changes", ()):
            assert logged or step.target is State.FATAL

    @invariant()
    def sequence_numbers_grow(self):
        numbers = [step.sequence for step, _, _ in getattr(self, "changes", ())]
        assert numbers == sorted(set(numbers))


SafetyMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


class TestSafetyMachine(SafetyMachine.TestCase):
    """Proves SAF-080, SAF-081, SAF-082 and SAF-083: the invariants of the state machine."""


def test_the_sequences_do_reach_output():
    machine = SafetyMachine()
    SafetyMachine.begin(machine, dead_man=True, seed=0)
    machine.work(3)
    assert machine.guard.driver.state()["output"] == 1.0
    machine.dead_man_switch(held=False)
    assert machine.guard.driver.state()["output"] == 0.0
    machine.mend()
    assert machine.system.state is State.ACTIVE
    machine.work(2)
    assert machine.guard.driver.state()["output"] == 1.0
