"""Takes the steps of a model's trace with the real objects: engine's side and guard, each in a process of its own.

Both processes are told the time, so that a trace of minutes takes milliseconds and no busy computer changes it.
The datagrams between them are the real ones, signed; this program is the wire: it delivers, loses, repeats, delays.
"""

import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, Self

KEY = b"model-check-model-check-model-ch"
TICK_S = 0.1
WAIT_S = 6.0
FS = 100


class Part:
    """A process that answers each line with a line."""

    def __init__(self, role: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, role], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )  # fmt: skip

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Say something and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=10)
        self._process.stdout.close()


class Replay:
    """Both parts, and the wire between them."""

    def __init__(self) -> None:
        self._engine = Part("engine")
        self._guard = Part("guard")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
        self._guard.close()

    def follow(self, steps: list[str]) -> str:
        """Take the steps of a trace; return the first difference in words, or an empty text."""
        self._now = 100.0
        self._alive = True
        self._holding = False
        self._wire: str | None = None
        self._state = self._engine.ask("begin", now=self._now)
        self._guard.ask("begin", now=self._now)
        for number, step in enumerate(steps):
            said, _, seen = step.partition("|")
            words = said.split()
            before = f"step {number} ({said.strip()}) at {self._now:.2f} s"
            if words[0] == "deliver" and self._wire is None:
                return f"{before}: the model delivers a late message that the real engine has not sent"
            self._take(words[0], words[1:])
            guard = self._guard.ask("state", now=self._now)
            there = [self._state["state"], guard["armed"], guard["latched"], guard["out"]]
            wanted = [int(word) for word in seen.split()]
            if there != wanted:
                return (
                    f"{before}: the model has {wanted}, the real ones {there} ({guard['trip']}; {self._state['why']})"
                )
        return ""

    # ---- the steps ----------------------------------------------------------------------------------------------
    def _take(self, what: str, how: list[str]) -> None:
        if what == "tick":
            self._tick(how)
        elif what == "wait":
            self._fates = deque(word for word in how if word in ("now", "lost", "late"))
            for _ in range(round(WAIT_S / TICK_S)):
                self._tick(["beats", "floodends", *self._fates])
        elif what in ("hold", "release"):
            self._holding = what == "hold"
            self._guard.ask("switch", now=self._now, held=self._holding)
            if self._alive:
                self._order("deadman", how, held=self._holding)
        elif what == "freeze":
            self._holding = False
        elif what == "guardstop":
            self._guard.ask("operator", now=self._now)
            self._look(how)
        elif what == "flood":
            self._guard.ask("flood", now=self._now)
        elif what == "deliver":
            assert self._wire is not None
            self._guard.ask("receive", now=self._now, datagram=self._wire)
            if "again" not in how:
                self._wire = None
        elif what == "vanish":
            self._wire = None
        elif what == "die":
            self._alive = False
        elif what == "stop" and not self._alive:
            pass
        elif what != "begin":
            self._order(what, how, flags=[word == "1" for word in how[:2]] if what == "arm" else [])

    def _order(self, do: str, how: list[str], **more: Any) -> None:
        self._fates = deque(word for word in how if word in ("now", "lost", "late", "armnow", "armlost"))
        self._settle(self._engine.ask("order", order=do, now=self._now, **more))

    def _look(self, how: list[str]) -> None:
        self._fates = deque(word for word in how if word in ("now", "lost", "late", "armnow", "armlost"))
        self._settle(self._engine.ask("look", now=self._now, guard=self._guard.ask("state", now=self._now)))

    def _settle(self, answer: dict[str, Any]) -> None:
        """Carry what the engine sends until it has nothing more to send."""
        while "datagram" in answer:
            fate = self._fates.popleft() if self._fates else "now"
            reply: dict[str, Any] | None = None
            if fate in ("now", "armnow"):
                reply = self._guard.ask("receive", now=self._now, datagram=answer["datagram"])
            elif fate == "late":
                self._wire, self._sent_at = answer["datagram"], self._now
            answer = self._engine.ask("sent", reply=reply)
        self._state = answer

    def _tick(self, how: list[str]) -> None:
        self._fates = deque(word for word in how if word in ("now", "lost", "late"))
        if "floodends" in how:
            self._guard.ask("floodends")
        if "gone" in how:
            self._wire = None
        for _ in range(2):
            self._now = round(self._now + TICK_S / 2, 6)
            if self._holding:
                self._guard.ask("switch", now=self._now, held=True)
            if self._alive and "beats" in how:
                beat = self._engine.ask("beat", now=self._now)["datagram"]
                self._guard.ask("receive", now=self._now, datagram=beat)
            self._guard.ask("tick", now=self._now)
        if self._alive:
            self._settle(self._engine.ask("chunk", now=self._now, held=self._holding))
            self._settle(self._engine.ask("look", now=self._now, guard=self._guard.ask("state", now=self._now)))


def _guard_part() -> None:
    from bcikit.safety.guard.core import FLOOD, GuardCore
    from bcikit.safety.guard.drivers import SimulatedHand
    from bcikit.safety.guard.protocol import pack, role_key

    core = GuardCore(SimulatedHand(), KEY, dead_man=True)
    sequence = 0

    def say(role: str, now: float, **message: Any) -> bytes | None:
        nonlocal sequence
        sequence += 1
        return core.receive(
            pack({"v": 1, "from": role, "seq": sequence, "t": now, **message}, role_key(KEY, role)), now
        )

    for line in sys.stdin:
        asked = json.loads(line)
        do, now = asked["do"], asked.get("now", 0.0)
        answer: dict[str, Any] = {}
        if do == "begin":
            core, sequence = GuardCore(SimulatedHand(), KEY, dead_man=True), 0
        elif do == "receive":
            core.receive(bytes.fromhex(asked["datagram"]), now)
        elif do == "switch":
            say("dead-man", now, do="dead-man", held=asked["held"])
        elif do == "operator":
            say("operator", now, do="safe", reason="stop key")
        elif do == "flood":
            for _ in range(FLOOD + 1):
                core.receive(b"rubbish", now)
        elif do == "floodends":
            # The second that a flood fills is over; the model does not count how long it lasts.
            core._arrivals.clear()
        elif do == "tick":
            core.tick(now)
        state = core.state(now)
        answer = {"armed": int(state["armed"]), "latched": int(state["latched"]), "trip": state["trip"],
                  "out": int(state["driver"]["output"] > 0), "full": state}  # fmt: skip
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class _Wired:
    """Stands for the guard's client: what it sends goes to the program that is the wire."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sequence = 0

    def message(self, do: str, **more: Any) -> str:
        from bcikit.safety.guard.protocol import pack

        self.sequence += 1
        whole = {"v": 1, "from": "engine", "seq": self.sequence, "t": self.now, "do": do, **more}
        return pack(whole, KEY).hex()

    def carry(self, do: str, **more: Any) -> dict[str, Any] | None:
        sys.stdout.write(json.dumps({"datagram": self.message(do, **more)}) + "\n")
        sys.stdout.flush()
        reply: dict[str, Any] | None = json.loads(sys.stdin.readline())["reply"]
        return reply

    # What `GuardOutput` asks of its client.
    def alive(self) -> None:
        pass

    def arm(self) -> None:
        from bcikit.safety.guard.client import GuardError

        reply = self.carry("arm")
        if reply is None:
            raise GuardError("The guard does not answer.")
        if not reply["full"]["armed"]:
            raise GuardError(f"The guard is not armed: {reply['full']['trip']}.")

    def send(self, name: str, value: Any = None, *, ttl: float = 0.25, data: dict[str, Any] | None = None) -> None:
        self.carry("command", name=name, value=value, ttl=ttl, data=data or {})

    def safe(self, reason: str, *, latch: bool = False) -> None:
        self.carry("safe", reason=reason, latch=latch)

    def release(self, who: str, reason: str) -> None:
        from bcikit.safety.guard.client import GuardError

        reply = self.carry("release", who=who, reason=reason)
        if reply is None or reply["full"]["latched"]:
            raise GuardError("The guard stays as it is.")

    def close(self) -> None:
        pass


def _engine_part() -> None:
    import numpy as np

    from bcikit.outputs.guard import GuardOutput
    from bcikit.safety import ArmRequest, Consent, GateSettings, SafetySystem, Screening, Severity, State
    from bcikit.session.outputs import Outputs
    from bcikit.signal import Chunk, Command, Decision, SafetyError, StreamInfo

    answers = {"age": 40, "epilepsy": False, "prior_seizure": False, "photoparoxysmal_response": False,
               "migraine_with_photic_trigger": False, "alcohol": False, "sleep_h": 7.0}  # fmt: skip
    screening = Screening(**answers)
    consent = Consent(
        subject="P01", version="1", text_sha256="0" * 64, language="en", scopes=("acquire", "vr", "stimulate"),
        signer="participant", signed="2026-01-01T10:00:00+00:00", screening_sha256=screening.sha256(),
    )  # fmt: skip
    limits = GateSettings(
        profile="vr", k=1, n=1, refractory_s=0.0, renew_s=2.0, action_max_s=30.0, dead_man=True, idle_max_per_min=1.0,
        armed_idle_s=600.0, advisory_stops=False, run_max_s=3600.0, session_max_s=3600.0,
    )  # fmt: skip
    info = StreamInfo(name="model", sfreq=FS, ch_names=("C3", "Cz", "C4", "Pz"))
    rng = np.random.default_rng(0)
    block = rng.normal(0, 10, (FS * 400, 4))
    wired = _Wired()
    names = list(State)

    def make(now: float) -> None:
        nonlocal system, output, sample, last
        system = SafetySystem(limits, info, stimulus="RESTRICTED")
        # The real output; only its line to the guard is the one of this check.
        output = GuardOutput.__new__(GuardOutput)
        output._begin(wired)  # type: ignore[arg-type]
        Outputs([output], safety=system)
        sample, last, wired.sequence = 0, now - 4.0, 0
        chunk(now)

    def chunk(now: float) -> None:
        nonlocal sample, last
        while last < now - 1e-9:
            last = round(last + TICK_S, 6)
            n = round(FS * TICK_S)
            times = last - TICK_S + (np.arange(n) + 1) / FS
            start = sample % (len(block) - n)
            system.on_chunk(Chunk(block[start : start + n], times, sample), last)
            sample += n

    def trouble() -> None:
        found = output.trouble()
        if found is not None:
            system.report(found.rule, found.severity, wired.now, value=found.value, hold_s=0.05)

    def order(do: str, asked: dict[str, Any]) -> None:
        now = wired.now
        if do == "stop":
            system.control.stop("stop", who="Li", now=now)
        elif do == "teststop":
            system.control.test_stop(who="Li", now=now)
        elif do == "acknowledge":
            system.control.acknowledge("Li", "looked", now=now)
        elif do == "arm":
            has_consent, has_idle = asked["flags"]
            system.control.arm(
                ArmRequest(
                    operator="Li",
                    subject="P01",
                    consent=consent if has_consent else None,
                    screening=screening,
                    idle_activations=1 if has_idle else None,
                    idle_s=300.0,
                ),
                now=now,
            )
        elif do == "start":
            system.control.start(now=now)
        elif do == "deadman":
            system.switches.dead_man(now, held=asked["held"])
        elif do in ("estop", "estopfree"):
            system.switches.estop(now, pressed=do == "estop")
        elif do == "calibrate":
            system.control.calibrate(now=now)
        elif do == "finish":
            system.control.finish(now=now)
        elif do == "fault":
            system.report("H-LOSS", Severity.FAULT, now, hold_s=0.05)
        elif do == "degrade":
            system.report("H-JIT", Severity.FAULT, now, hold_s=0.05)
        elif do == "decide":
            decision = Decision(time=now, sample=sample, classes=("a", "b"), probabilities=(0.99, 0.01), label="a")
            verdict = system.decide(decision, now)
            if verdict.allowed:
                output.send(Command(name="close", value=1.0, time=now, ttl=0.25, sequence=wired.sequence))
            trouble()

    system: SafetySystem
    output: GuardOutput
    sample, last = 0, 0.0
    for line in sys.stdin:
        asked = json.loads(line)
        do = asked["do"]
        wired.now = asked["now"]
        why = ""
        if do == "begin":
            make(wired.now)
        elif do == "beat":
            sys.stdout.write(json.dumps({"datagram": wired.message("beat")}) + "\n")
            sys.stdout.flush()
            continue
        elif do == "chunk":
            if asked["held"]:
                system.switches.dead_man(wired.now, held=True)
            chunk(wired.now)
        elif do == "look":
            full = asked["guard"]["full"]
            wired.state = lambda full=full: full  # type: ignore[attr-defined]
            output._look(wired)  # type: ignore[arg-type]
            trouble()
        elif do == "order":
            try:
                order(asked["order"], asked)
            except SafetyError as error:
                why = str(error)
        sys.stdout.write(json.dumps({"state": names.index(system.state), "why": why}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    {"guard": _guard_part, "engine": _engine_part}[sys.argv[1]]()
