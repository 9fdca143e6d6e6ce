"""What a session does when the computer fails it: disk, handles, memory, clock, one core; each with the time it takes.

Every function runs a live session with its guard in processes of their own, takes the resource away in mid-run, and
returns what was done in words and the seconds until the hand was at rest (None where it may go on).
"""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from safety_stops import Session, session, small_disk


@dataclass(frozen=True)
class Outcome:
    """What a session did.

    Attributes
    ----------
    reaction : str
        In words.
    seconds : float
        Until the hand was at rest, from the failure or, where the session goes on, from a STOP that was pressed then.
    """

    reaction: str
    seconds: float


def _stop(of: Session) -> float:
    """Press STOP; return the seconds until gate and guard had it."""
    began = time.monotonic()
    of.order("stop", who="bench", reason="resource trial")
    return max(of.stopped(began))


def _at_rest(of: Session, began: float) -> float:
    """Return the seconds until the guard's driver was at rest."""
    return float(of.guard.after(began, lambda line: line["driver"]["output"] == 0.0, "safe")["safe"] - began)


def _goes_on(of: Session, began: float, what: str) -> Outcome:
    """Press STOP a second later; an engine that fell silent meanwhile has left its device to the guard."""
    time.sleep(1.0)
    last = of.last_words()[0]
    pressed = time.monotonic()
    if of.alive:
        of.order("stop", who="bench", reason="resource trial")
    rest = of.guard.after(began, lambda line: line["driver"]["output"] == 0.0, "safe")
    if rest["reason"].startswith(("no heartbeat", "the engine is gone")):
        return Outcome("the engine falls silent, the guard puts the device to rest", rest["safe"] - last)
    return Outcome(f"{what}; STOP works", max(rest["safe"] - pressed, 0.0))


def _limit(pid: int, which: int, value: int) -> None:
    """Lower a limit of a process that runs."""
    resource.prlimit(pid, which, (value, resource.prlimit(pid, which)[1]))


def no_space(folder: Path) -> Outcome:
    """Let nothing more be written (a limit on the size of files stands for a disk that is full to the last byte)."""
    with session(folder, recording=str(folder / f"full-{time.monotonic_ns()}")) as of:
        of.ready()
        began = time.monotonic()
        _limit(of.pid, resource.RLIMIT_FSIZE, 1024)
        took = _at_rest(of, began)
        return Outcome("the session ends with an error, what was recorded is closed", took)


def read_only(folder: Path) -> Outcome:
    """Start a session whose folder cannot be written: it does not begin."""
    with small_disk(folder, 400) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)
        began = time.monotonic()
        text = f"""
import sys
from bcikit.session import Engine
from bcikit.signal import ConfigError
try:
    Engine({{"source": {{"address": "sim:rest"}}, "recording": {{"folder": {str(disk / "session")!r}}}}}).run()
except ConfigError as error:
    sys.exit(7 if "not writable" in str(error) else 8)
"""
        done = subprocess.run([sys.executable, "-c", text], check=False, capture_output=True, timeout=120)
        if done.returncode != 7:
            raise AssertionError(f"it began: {done.returncode} {done.stderr.decode()[-500:]}")
        return Outcome("the session does not begin and says why", time.monotonic() - began)


def no_handles(folder: Path) -> Outcome:
    """Let no file and no line be opened any more."""
    with session(folder) as of:
        of.ready()
        began = time.monotonic()
        taken = len(list(Path(f"/proc/{of.pid}/fd").iterdir()))
        _limit(of.pid, resource.RLIMIT_NOFILE, taken)
        return _goes_on(of, began, "the session goes on with what is open")


def no_memory(folder: Path) -> Outcome:
    """Let no memory be had any more."""
    with session(folder) as of:
        of.ready()
        pages = int(Path(f"/proc/{of.pid}/statm").read_text(encoding="ascii").split()[0])
        began = time.monotonic()
        _limit(of.pid, resource.RLIMIT_AS, pages * resource.getpagesize())
        return _goes_on(of, began, "the session goes on with what it has")


_CLOCK = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long step(void) {
  long seconds = 0;
  FILE *file = fopen(getenv("BENCH_CLOCK"), "r");
  if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
int clock_gettime(clockid_t which, struct timespec *t) {
  int bad = syscall(SYS_clock_gettime, which, t);
  if (!bad && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) t->tv_sec += step();
  return bad;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now;
  (void)zone; clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec; t->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *t) {
  struct timespec now; clock_gettime(CLOCK_REALTIME, &now);
  if (t) *t = now.tv_sec;
  return now.tv_sec;
}
"""
"""The wall clock of one process, stepped by a file: libfaketime bends sleeping, too."""


def clock_step(folder: Path) -> Outcome:
    """Set the wall clock an hour forward and two days back."""
    if shutil.which("gcc") is None:
        raise PermissionError("the clock of one process is set by a library that gcc makes")
    source, library, stamp = folder / "clock.c", folder / "clock.so", folder / "clock"
    source.write_text(_CLOCK, encoding="ascii")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True, capture_output=True)
    stamp.write_text("0", encoding="ascii")
    environment = {"LD_PRELOAD": str(library), "BENCH_CLOCK": str(stamp)}
    with session(folder, environment=environment) as of:
        of.ready()
        for step in ("3600", "-172800"):
            stamp.write_text(step, encoding="ascii")
            time.sleep(1.0)
        rules = [line["rule"] for line in of.states.read() if line.get("rule")]
        if {"H-DRIFT", "H-MONO", "H-LAT", "H-RATE"} & set(rules):
            raise AssertionError(f"the wall clock changed the state: {of.states.all[-3:]}")
        of.ready()
        return Outcome("nothing changes, nothing asks the clock of the wall; STOP works", _stop(of))


def one_core(folder: Path) -> Outcome:
    """Give engine and guard one core, which two other processes use, too."""
    with session(folder) as of:
        core = {min(os.sched_getaffinity(0))}
        for pid in (of.pid, of.where["guard"]):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(task.name), core)
        hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            for hog in hogs:
                os.sched_setaffinity(hog.pid, core)
            of.ready()
            time.sleep(1.0)
            of.ready()
            return Outcome("the session goes on; STOP works", _stop(of))
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait(10)


RESOURCES: dict[str, tuple[Callable[[Path], Outcome], float]] = {
    "disk full to the last byte": (no_space, 1.0),
    "folder read-only": (read_only, float("inf")),
    "no handle left": (no_handles, 0.1),
    "no memory left": (no_memory, 0.15),
    "wall clock steps an hour and two days": (clock_step, 0.1),
    "one core, two busy processes on it": (one_core, 0.25),
}
"""By what is taken away: the trial, and the longest time in seconds; none where nothing has begun to move."""


def resource_trials(folder: Path, name: str, n: int) -> Iterator[Outcome]:
    """Yield what n trials of `RESOURCES` found."""
    trial, _ = RESOURCES[name]
    for _ in range(n):
        yield trial(folder)
