"""Checks a model of session and guard with SPIN, and takes its steps with the real objects in processes of their own.

uv run python tools/model_check.py              properties, states, time; 200 random traces replayed
uv run python tools/model_check.py --mutations  three faults planted in the tables must each break a property

The model (tools/model/session.pml) takes what stands in tables from the code: routes and latched states of the machine,
causes that the guard latches, and every time that guard and gate wait. Needs `spin` and `gcc` (Debian: spin, gcc).
"""

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bcikit.outputs.guard import LIFE_S
from bcikit.safety.guard import core as guard
from bcikit.safety.guard.protocol import DEADLINE_S
from bcikit.safety.machine import BY_HUMAN, LATCHED, ROUTES, State
from bcikit.safety.reactions import RUNNING
from bcikit.safety.settings import GateSettings

HERE = Path(__file__).resolve().parent
TICK_MS = 100
SAFE_WITHIN_MS = 200
"""Engine gone: 115 ms of silence, seen at the second of two ticks."""

MESSAGES = ("", "CMD", "ARM", "SAFE", "STOP", "RELEASE")
PROPERTIES = (
    "no actuation without a command, and a verdict, of the last TTL",
    "no actuation in any state but ACTIVE, longer than the rest of a command",
    "a stop from any window or at the guard reaches a latched state and stays until a person undoes it",
    "no arming without consent, idle test, tested stop and held dead-man switch",
    "engine dead, or its messages lost, late, repeated or overtaken: at rest within the guard's time",
    "no latched state is left without a person",
    "no deadlock: a person can always stop",
)


@dataclass(frozen=True)
class Tables:
    """What the model takes from the code."""

    routes: Mapping[State, frozenset[State]] = field(default_factory=lambda: dict(ROUTES))
    by_human: frozenset[tuple[State, State]] = BY_HUMAN
    guard_latched: frozenset[guard.Cause] = guard.LATCHED
    deadline_ms: int = round(DEADLINE_S * 1000)
    guard_dead_man_ms: int = round(guard.DEAD_MAN_S * 1000)
    ttl_ms: int = round(LIFE_S * 1000)
    dead_man_ms: int = round(GateSettings.model_fields["dead_man_s"].default * 1000)

    def header(self) -> str:
        """Return the tables as the model includes them."""
        states, causes = list(State), list(guard.Cause)
        bits: Callable[[Any], int] = lambda chosen: sum(1 << states.index(state) for state in chosen)  # noqa: E731
        strongest = {State.ESTOP, State.FATAL}
        lines = [f"#define {state.name} {number}" for number, state in enumerate(states)]
        lines += [f"#define C_{cause.name} {number}" for number, cause in enumerate(causes)]
        lines += [f"#define M_{name} {number}" for number, name in enumerate(MESSAGES) if name]
        values = {
            "N_STATES": len(states),
            "LATCHED_STATES": bits(LATCHED),
            "RUNNING_STATES": bits(RUNNING),
            "GUARD_LATCHED": sum(1 << causes.index(cause) for cause in self.guard_latched),
            "TICK_MS": TICK_MS,
            "SAFE_WITHIN_MS": SAFE_WITHIN_MS,
            "DEADLINE_MS": self.deadline_ms,
            "GUARD_DEAD_MAN_MS": self.guard_dead_man_ms,
            "TTL_MS": self.ttl_ms,
            "DEAD_MAN_MS": self.dead_man_ms,
        }
        lines += [f"#define {name} {value}" for name, value in values.items()]
        lines.append("inline fill_tables() {")
        for number, state in enumerate(states):
            reached = self.routes[state] | (set() if state is State.FATAL else strongest)
            held = {target for source, target in self.by_human if source is state}
            lines.append(f"  routes[{number}] = {bits(reached)}; by_human[{number}] = {bits(held)};")
        return "\n".join([*lines, "}", ""])


MUTATIONS: dict[str, Callable[[Tables], Tables]] = {
    "a stop in STANDBY leads nowhere": lambda t: replace(
        t, routes={**t.routes, State.STANDBY: t.routes[State.STANDBY] - {State.SAFE_STOP}}
    ),
    "the program may leave SAFE_STOP": lambda t: replace(t, by_human=t.by_human - {(State.SAFE_STOP, State.STANDBY)}),
    "the guard forgets the operator's stop": lambda t: replace(
        t, guard_latched=t.guard_latched - {guard.Cause.OPERATOR}
    ),
}


@dataclass(frozen=True)
class Checked:
    """What SPIN found.

    Attributes
    ----------
    errors : int
        Broken properties.
    states : int
        Different states that were seen.
    seconds : float
        Time of the search.
    complete : bool
        Whether every state was seen.
    trail : list of str
        Steps of the counterexample.
    """

    errors: int
    states: int
    seconds: float
    complete: bool
    trail: list[str]


class Model:
    """The model with one set of tables, in a folder of its own."""

    def __init__(self, folder: Path, tables: Tables) -> None:
        self.folder = folder
        shutil.copy(HERE / "model" / "session.pml", folder / "session.pml")
        (folder / "tables.h").write_text(tables.header())

    def _run(self, *command: str, timeout: float = 600.0) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def check(self) -> Checked:
        """Search every state."""
        began = time.perf_counter()
        self._run("spin", "-a", "session.pml")
        # Not optimised: the compiler would take minutes over one function, to save the search a few seconds.
        self._run("gcc", "-O0", "-DSAFETY", "-DVECTORSZ=1024", "-DCOLLAPSE", "-o", "pan", "pan.c")
        text = self._run("./pan", "-m2000000", "-w24")
        numbers = {}
        for line in text.splitlines():
            words = line.split()
            if "errors:" in words:
                numbers["errors"] = int(words[words.index("errors:") + 1])
            if line.strip().endswith("states, stored"):
                numbers["states"] = int(float(words[0]))
        trail = []
        if numbers["errors"]:
            trail = steps_of(self._run("spin", "-t", "session.pml"))
        complete = "max search depth too small" not in text and "Search not completed" not in text
        return Checked(numbers["errors"], numbers["states"], time.perf_counter() - began, complete, trail)

    def random(self, seed: int, steps: int) -> list[str]:
        """Return the steps of a random run."""
        return steps_of(self._run("spin", "-DTRACES", f"-n{seed}", f"-u{steps}", "session.pml"))


def steps_of(text: str) -> list[str]:
    """Return the lines of a run that say what happened and what could be seen."""
    found = [line.strip()[3:] for line in text.splitlines() if line.strip().startswith("EV ")]
    # The last one may have been cut off by the limit of steps.
    return [step for step in found if re.search(r"\| \d+ [01] [01] [01]$", step)]


def check(tables: Tables) -> Checked:
    """Check the model with these tables."""
    with tempfile.TemporaryDirectory(prefix="bcikit-model-") as folder:
        return Model(Path(folder), tables).check()


def replayed(count: int, *, seed: int = 1, steps: int = 4000) -> Iterator[tuple[int, str]]:
    """Yield the number of each random trace and how the real objects differed; empty where they agreed."""
    from model_replay import Replay

    with tempfile.TemporaryDirectory(prefix="bcikit-model-") as folder, Replay() as real:
        model = Model(Path(folder), Tables())
        for number in range(seed, seed + count):
            yield number, real.follow(model.random(number, steps))


def main() -> int:
    """Run what was asked for; 0 if all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", action="store_true", help="plant faults in the tables; each must be found")
    parser.add_argument("--traces", type=int, default=200, help="random traces to replay")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    missing = [name for name in ("spin", "gcc") if shutil.which(name) is None]
    if missing:
        print(f"needs {' and '.join(missing)} (Debian: apt-get install {' '.join(missing)})", file=sys.stderr)
        return 2
    began = time.perf_counter()
    found = check(Tables())
    result: dict[str, Any] = {
        "properties": list(PROPERTIES), "errors": found.errors, "states": found.states,
        "complete": found.complete, "check_s": round(found.seconds, 1), "trail": found.trail,
    }  # fmt: skip
    good = found.errors == 0 and found.complete
    for text in PROPERTIES:
        print(f"  {text}")
    print(f"{found.states} states, {found.seconds:.1f} s, {'every state seen' if found.complete else 'NOT complete'}, "
          f"{found.errors} broken")  # fmt: skip
    for step in found.trail:
        print(f"    {step}")
    if arguments.mutations:
        caught = {name: check(plant(Tables())).errors > 0 for name, plant in MUTATIONS.items()}
        for name, seen in caught.items():
            print(f"  planted: {name}: {'found' if seen else 'NOT FOUND'}")
        print(f"mutations found: {sum(caught.values())} of {len(caught)}")
        result["mutations"] = caught
        good = good and all(caught.values())
    if arguments.traces:
        differ = [(number, text) for number, text in replayed(arguments.traces, seed=arguments.seed) if text]
        for number, text in differ[:10]:
            print(f"  trace {number}: {text}")
        print(f"traces replayed by the real objects: {arguments.traces - len(differ)} of {arguments.traces} agree")
        result |= {"traces": arguments.traces, "agree": arguments.traces - len(differ)}
        good = good and not differ
    result["seconds"] = round(time.perf_counter() - began, 1)
    print(f"{result['seconds']:.0f} s in all")
    if arguments.json:
        print(json.dumps(result, allow_nan=not math.isnan(result["seconds"])))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
