"""Every row of the fault matrix, through real components, with the reaction and its time.

Rows whose proof is elsewhere: 19 (`test_stimulus`), 20 (`test_person`), 21 (`test_audit`).
"""

import contextlib
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.acquisition.file import FileSource
from bcikit.safety import AuditLog, GateSettings, GuardClient, QualityLevel, QualityMonitor, SafetySystem, State
from bcikit.safety.guard.client import GuardError
from bcikit.safety.guard.protocol import pack
from bcikit.signal import Chunk, Flag, Recording, SafetyError, StreamChangedError, StreamInfo, StreamLostError
from tests.stalls import heart_missed

posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
FS = 250
SLACK = 0.30
"""What a chunk and the poll may add to a reaction, in seconds; what a busy computer adds is measured (`stalls`)."""


class Watched:
    """A live source and the safety system that an engine would feed from it.

    With `by_signal`, each chunk is taken as if it came at once: what it holds is judged, not how busy the machine is.
    """

    def __init__(self, source, *, by_signal=False, **options):
        from pylsl import local_clock

        self.clock = local_clock
        self.by_signal = by_signal
        self.source = source
        values = {"stall_fault_s": 0.5, "gap_fault_s": 0.1, "jitter_fault_s": 0.5, "refractory_s": 0.0, **options}
        required = values.pop("required", ())
        full_scale = values.pop("full_scale", None)
        info = source.info
        if full_scale is not None:
            info = info.replace(capabilities=replace(info.capabilities, full_scale=full_scale))
        self.info = info
        self.system = SafetySystem(GateSettings(**values), info, required_channels=required)
        self.changes = []
        self.system.listen(lambda step: self.changes.append((step.time, step.target, step.rule)))
        self.alarms = {}
        self.last_sample = math.nan
        self.chunks = []

    def run(self, seconds, *, until=None):
        limit = self.clock() + seconds
        while self.clock() < limit:
            if self.source.ended:
                time.sleep(0.05)
            chunk = None if self.source.ended else self.source.pull(0.05)
            now, before = self.clock(), self.last_sample
            if chunk is None:
                if not self.by_signal:
                    self.system.on_silence(now)
            else:
                now = float(chunk.times[-1]) if self.by_signal else now
                self.last_sample = now
                self.chunks.append(chunk)
                self.system.on_chunk(chunk, now)
            for alarm in self.system.alarms():
                self.alarms.setdefault(alarm.rule, (now, alarm.level.name, now - before))
            if until is not None and until(self):
                return True
        return until is None

    def start(self):
        # On a busy machine the first chunks come late, and nothing is armed over a stall, or over what it lost.
        late = {"H-STALL", "H-OVR"}
        assert self.run(60.0, until=lambda w: w.chunks and late.isdisjoint(r.rule for r in w.system.readings()))
        self.system.control.start(now=self.last_sample)

    def stopped(self):
        return next(((t, rule) for t, state, rule in self.changes if state is State.SAFE_STOP), None)


def table(seconds, edit=None, *, start=0):
    """Return a crafted table as the synthetic board of BrainFlow writes it."""
    n = round(seconds * FS)
    rows = np.zeros((n, 32))
    index = np.arange(n)
    rows[:, 0] = (index + start) % 256
    rng = np.random.default_rng(2)
    shared = np.cumsum(rng.normal(0, 2.5, (n, 2)), axis=0)
    shared -= np.array([np.convolve(s, np.ones(125) / 125, "same") for s in shared.T]).T
    alpha = 9 * np.sin(2 * np.pi * 10 * index / FS)
    for channel in range(16):
        mixed = shared @ [1 - channel / 20, channel / 20 + 0.4] + alpha * (0.5 + channel / 30)
        rows[:, channel + 1] = mixed + rng.normal(0, 2.5, n)
    rows[:, 29] = 90.0
    rows[:, 30] = 1_700_000_000 + index / FS
    return rows if edit is None else edit(rows)


def playback(tmp_path, seconds, edit=None, *, options="", start=0):
    """Return a source that plays a crafted table through BrainFlow's playback board."""
    rows = table(seconds, edit, start=start)
    path = tmp_path / "play.csv"
    path.write_text("\n".join("\t".join(f"{value:.6f}" for value in row) for row in rows) + "\n")
    return open_source(f"brainflow:playback?master_board=synthetic&modulus=256&file={path}{options}")


@pytest.mark.requirement("SAF-100")
@pytest.mark.requirement("SAF-001")
def test_row_1_stall(tmp_path, stalls):
    def stall(rows):
        rows[2 * FS :, 30] += 1.0
        return rows

    with playback(tmp_path, 6, stall) as source:
        watched = Watched(source)
        watched.start()
        waited = stalls()
        assert watched.run(60.0, until=lambda w: w.stopped())
        silent_from = watched.last_sample
        when, rule = watched.stopped()
        assert rule == "H-STALL"
        assert when - silent_from <= 0.5 + SLACK + waited.seconds
        # A busy machine may have read too late before, even the first chunk (not a number): no silence is shorter.
        assert not watched.alarms["H-STALL"][2] < 0.25
        assert watched.alarms["H-STALL"][0] <= when
        assert not watched.system.decide(_decision(watched), watched.clock()).allowed


@pytest.mark.requirement("SAF-101")
def test_row_2_end_of_file(tmp_path, stalls):
    with playback(tmp_path, 2, options="&config=loopback_false&reconnect=0") as source:
        watched = Watched(source)
        watched.start()
        waited = stalls()
        assert watched.run(60.0, until=lambda w: w.stopped())
        assert watched.stopped()[0] - watched.last_sample <= 0.5 + SLACK + waited.seconds
        end = watched.last_sample
        # The stream is over by the source's own rule: nobody waits for ever for a file at its end.
        with contextlib.suppress(StreamLostError):
            watched.run(60.0, until=lambda _: source.ended)
            assert source.ended
        assert watched.clock() - end <= 2.0 + SLACK + 0.2 + waited.seconds


@pytest.mark.requirement("SAF-101")
def test_row_2_a_stream_that_never_says_anything(stalls):
    """The streaming board without a sender: BrainFlow raises nothing."""
    address = "brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port=6698"
    with open_source(address) as source:
        watched = Watched(source)
        watched.system.control.start(now=watched.clock())
        began, waited = watched.clock(), stalls()
        assert watched.run(60.0, until=lambda w: w.stopped())
        assert watched.stopped()[0] - began <= 0.5 + SLACK + waited.seconds


@pytest.mark.requirement("SAF-102")
@pytest.mark.requirement("SAF-002")
def test_row_3_lost_packets_are_counted(tmp_path):
    def lose(rows):
        keep = np.ones(len(rows), dtype=bool)
        keep[500:525] = False
        return rows[keep]

    with playback(tmp_path, 5, lose) as source:
        watched = Watched(source, by_signal=True)
        watched.start()
        assert watched.run(60.0, until=lambda w: w.system.stream.lost)
        assert watched.system.stream.lost == 25
        assert "H-LOSS" in watched.alarms
        assert watched.system.state in (State.DEGRADED, State.SAFE_STOP)


@pytest.mark.requirement("SAF-103")
def test_row_4_a_burst_longer_than_the_counter(tmp_path):
    def lose(rows):
        keep = np.ones(len(rows), dtype=bool)
        keep[500:812] = False
        return rows[keep]

    with playback(tmp_path, 5, lose) as source:
        watched = Watched(source, by_signal=True)
        watched.start()
        assert watched.run(60.0, until=lambda w: w.system.stream.lost)
        assert watched.system.stream.lost == pytest.approx(312, abs=20)
        assert watched.system.state is State.SAFE_STOP
        assert any(chunk.health.flags & Flag.LATE_COUNT for chunk in watched.chunks)


@pytest.mark.requirement("SAF-104")
@pytest.mark.requirement("SAF-007")
def test_row_5_buffer_overflow():
    with open_source("brainflow:synthetic?buffer=100") as source:
        watched = Watched(source)
        watched.start()
        time.sleep(2.0)
        # A busy machine may have let it overflow before the start, too.
        assert watched.run(60.0, until=lambda w: "H-OVR" in w.alarms and w.stopped())
        assert watched.system.state is State.SAFE_STOP


@pytest.mark.requirement("SAF-105")
def test_row_6_railed_flat_and_nan_within_three_seconds(tmp_path):
    from bcikit.processing import Bandpass

    def spoil(rows):
        rows[3 * FS :, 2] = 187_500.0
        rows[3 * FS :, 4] = 7.0
        rows[3 * FS :, 6] = math.nan
        return rows

    with playback(tmp_path, 9, spoil) as source:
        names = source.info.ch_names
        filtered = Bandpass(l_freq=8, h_freq=30)
        filtered.configure(source.info)
        watched = Watched(source, by_signal=True, required=(names[9],), full_scale=187_500.0)
        watched.start()

        def all_found(w):
            quality = w.system.quality()
            found = zip(("Q-RAIL", "Q-FLAT", "Q-NAN"), (1, 3, 5), strict=True)
            return all(rule in quality[names[index]].rules for rule, index in found)

        assert watched.run(60.0, until=all_found)
        # A starved computer may hand over seconds at once: what counts is the signal needed, not when it came.
        monitor = QualityMonitor(watched.info)
        for piece in (piece for chunk in watched.chunks for piece in chunk.split([25] * (chunk.n_times // 25 + 1))):
            monitor.update(piece)
            if [monitor.quality()[names[index]].level for index in (1, 3, 5)] == [QualityLevel.BAD] * 3:
                assert piece.end_sample / FS - 3.0 <= 3.1
                break
        else:
            pytest.fail("not found")
        others = [q.rules for name, q in watched.system.quality().items() if name not in (names[1], names[3], names[5])]
        assert not any(
            rules and q for rules in others for q in ("Q-FLAT" in rules, "Q-NAN" in rules, "Q-RAIL" in rules)
        )
        out = [filtered.process(chunk).data for chunk in watched.chunks]
        assert all(np.isfinite(data).all() for data in out), "the decoder gets no NaN"
        levels = [watched.system.quality()[names[index]].level for index in (1, 3, 5)]
        assert levels == [QualityLevel.BAD] * 3


@pytest.mark.requirement("SAF-106")
def test_row_7_hum_muscle_bridge_and_drift_each_by_its_rule():
    """Thirteen seconds of signal, in its own time: all four are of the signal, and none of when it came."""

    def spoil(rows):
        t = np.arange(len(rows)) / FS
        rng = np.random.default_rng(4)
        rows[:, 3] += 80 * np.sin(2 * np.pi * 50 * t)
        noise = rng.normal(0, 40, len(rows))
        rows[:, 6] += (noise - np.roll(noise, 1)) * (t > 9.5)
        rows[:, 10] = rows[:, 9] + rng.normal(0, 0.15, len(rows))
        rows[:, 13] += 40 * t
        return rows

    names = tuple(f"E{number}" for number in range(1, 17))
    recording = Recording.from_arrays(StreamInfo(name="table", sfreq=FS, ch_names=names), table(13.2, spoil)[:, 1:17])
    system = SafetySystem(GateSettings(refractory_s=0.0), recording.info)
    with FileSource(recording) as source:
        for chunk in source:
            system.on_chunk(chunk, float(chunk.times[-1]))
            if system.state is State.STANDBY:
                system.control.start()
    rules = {name: set(q.rules) for name, q in system.quality().items()}
    assert "Q-LINE" in rules[names[2]]
    assert "Q-EMG" in rules[names[5]]
    assert {names[8], names[9]} <= {name for name, found in rules.items() if "Q-BRIDGE" in found}
    assert "Q-DRIFT" in rules[names[12]]
    spoiled = {names[index] for index in (2, 5, 8, 9, 12)}
    quiet = {rule for name, found in rules.items() if name not in spoiled for rule in found}
    assert not quiet & {"Q-LINE", "Q-EMG", "Q-BRIDGE"}


@pytest.mark.requirement("SAF-107")
@pytest.mark.requirement("SAF-005")
def test_row_8_times_that_go_backwards(tmp_path):
    with playback(tmp_path, 1.5, options="&config=loopback_true;old_timestamps&dejitter=0") as source:
        watched = Watched(source, stall_fault_s=2.0)
        watched.start()
        assert watched.run(60.0, until=lambda w: "H-MONO" in w.alarms or "H-LOSS" in w.alarms)
        flags = Flag.NONE
        for chunk in watched.chunks:
            flags |= chunk.health.flags
        assert flags & (Flag.CLOCK | Flag.GAP)


@pytest.mark.requirement("SAF-107")
@pytest.mark.requirement("SAF-003")
@pytest.mark.requirement("SAF-004")
@pytest.mark.requirement("SAF-006")
@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("drift", "H-DRIFT"),
        ("step", "H-DRIFT"),
        ("step forward", "H-DRIFT"),
        ("repeated", "H-MONO"),
        ("rate", "H-RATE"),
        ("jitter", "H-JIT"),
    ],
)
def test_row_8_drift_steps_and_repeated_times(info, kind, rule):
    """Forty seconds of time, faster than live: only the times are wrong."""
    described = info()
    system = SafetySystem(GateSettings(step_fault_s=0.02, jitter_fault_s=0.02), described)
    rng = np.random.default_rng(0)
    levels = {}
    for block in range(400):
        index = block * 25 + np.arange(25)
        arrival = index[-1] / FS
        times = index / FS
        if kind == "drift":
            times = times * (1 - 300e-6)
        elif kind == "step" and block > 250:
            times = times - 0.08
        elif kind == "step forward" and block > 250:
            times = times + 0.08
        elif kind == "repeated" and block in (100, 110):
            times = times.copy()
            times[10] = times[9]
        elif kind == "rate":
            times = times * 1.02
            arrival = times[-1]
        elif kind == "jitter":
            times = np.sort(times + rng.normal(0, 0.03))
        rows = rng.normal(0, 10, (25, described.n_channels))
        system.on_chunk(Chunk(rows, np.ascontiguousarray(times), int(index[0])), max(arrival, 0.0))
        for alarm in system.alarms():
            levels[alarm.rule] = max(levels.get(alarm.rule, 0), alarm.level)
    assert rule in levels
    many = {"H-DRIFT", "H-MONO", "H-JIT", "H-RATE"} if kind in ("jitter", "step", "step forward") else {rule}
    assert set(levels) <= {*many, "Q-MONT"}


@pytest.fixture
def outlet():
    started = []

    def start():
        source_id = f"safety-{uuid.uuid4()}"
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("lsl_outlet.py")), source_id],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline().strip() == "up"
        return source_id, process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def _tell(process, order):
    process.stdin.write(order + "\n")
    process.stdin.flush()
    return float(process.stdout.readline().split()[1])


@pytest.mark.requirement("SAF-108")
@pytest.mark.parametrize("order", ["silent", "destroy", "kill"])
def test_row_9_an_outlet_that_falls_silent_is_destroyed_or_killed(outlet, order, stalls):
    source_id, process = outlet()
    with open_source(f"lsl:source_id={source_id}&timeout=60") as source:
        watched = Watched(source)
        watched.start()
        watched.run(1.0)
        waited = stalls()
        if order == "kill":
            process.kill()
        else:
            _tell(process, order)
        assert watched.run(60.0, until=lambda w: w.stopped())
        assert watched.stopped()[0] - watched.last_sample <= 0.5 + SLACK + waited.seconds


@pytest.mark.requirement("SAF-108")
def test_row_9_an_outlet_that_comes_back_with_other_channels_is_refused(outlet):
    source_id, process = outlet()
    with open_source(f"lsl:source_id={source_id}&timeout=60") as source:
        watched = Watched(source)
        watched.start()
        watched.run(0.5)
        _tell(process, "destroy")
        assert watched.run(60.0, until=lambda w: w.stopped())
        _tell(process, "smaller")
        with pytest.raises(StreamChangedError):
            watched.run(60.0)
        assert watched.system.state is State.SAFE_STOP


@pytest.mark.requirement("SAF-109")
@pytest.mark.parametrize(
    "broken",
    [
        {"probabilities": (), "label": None, "reason": "error: ValueError: boom"},
        {"probabilities": (math.nan, math.nan)},
        {"probabilities": (1.7, -0.7)},
    ],
)
def test_row_10_a_decoder_that_fails_stops_everything(active, decision, broken):
    one = active()
    assert one.decide().allowed
    verdict = one.system.decide(decision(one.now, **broken), one.now)
    assert not verdict.allowed
    assert "A-DEC" in verdict.reasons
    assert one.system.state is State.SAFE_STOP
    assert not one.decide().allowed


ENGINE = """
import sys, time
from bcikit.safety.guard.client import GuardClient
client = GuardClient.launch("sim-hand", log=sys.argv[1], progress_s=0.1)
client.arm()
print(client.pid, client.port, client.key.hex(), flush=True)
hang = float(sys.argv[2])
for step in range(100000):
    client.send("close", 1.0, ttl=0.25)
    time.sleep(0.02)
    if hang and step == 40:
        print(time.monotonic(), flush=True)
        time.sleep(hang)  # a decoder that does not come back
"""


@pytest.fixture
def engine(tmp_path):
    started = []

    def start(*, hang=0.0):
        log = tmp_path / f"guard-{len(started)}.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, str(log), str(hang)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        pid, port, key = process.stdout.readline().split()
        return process, int(pid), int(port), bytes.fromhex(key), log

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdout.close()


def _trip(log, *, timeout=60.0, after=0):
    limit = time.monotonic() + timeout
    while time.monotonic() < limit:
        lines = log.read_text().splitlines() if log.exists() else []
        if len(lines) > after:
            return json.loads(lines[after])
        time.sleep(0.005)
    raise AssertionError("the guard never went safe")


@pytest.mark.requirement("SAF-109")
def test_row_10_a_decoder_that_hangs_cannot_keep_anything_moving(engine, stalls):
    process, _, _, _, log = engine(hang=2.0)
    waited = stalls()
    began = float(process.stdout.readline())
    trip = _trip(log)
    assert trip["driver"]["output"] == 0.0
    assert trip["safe"] - began <= 0.1 + 0.15 + 0.05 + waited.seconds


@posix
@pytest.mark.requirement("SAF-111")
@pytest.mark.requirement("SAF-061")
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSTOP])
def test_row_12_an_engine_that_is_killed_or_frozen(engine, kind, stalls):
    process, _, _, _, log = engine()
    time.sleep(0.2)
    waited = stalls()
    hit = time.monotonic()
    os.kill(process.pid, kind)
    trip = _trip(log)
    assert trip["driver"]["output"] == 0.0
    assert trip["safe"] - hit <= 0.15 + 0.05 + waited.seconds


WINDOW = """
import sys, time
from bcikit.safety.guard.client import GuardClient
window = GuardClient(int(sys.argv[1]), bytes.fromhex(sys.argv[2]), role="dead-man")
print("held", flush=True)
while True:
    window.hold(held=True)
    time.sleep(0.03)
"""


@posix
@pytest.mark.requirement("SAF-110")
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGSTOP])
def test_row_11_a_window_that_is_killed_or_frozen_lets_go_of_the_dead_man_switch(tmp_path, kind, stalls):
    log = tmp_path / "guard.jsonl"
    with GuardClient.launch("sim-hand", dead_man=True, log=log) as client:
        window = subprocess.Popen(
            [sys.executable, "-c", WINDOW, str(client.port), client.role_key("dead-man").hex()],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert window.stdout.readline().strip() == "held"
            for _ in range(200):
                # Where that process had no turn for 80 ms, nobody renewed the switch and the guard rightly refuses.
                time.sleep(0.1)
                # Before it is armed: what trips it just before the window is hit is its last trip, and comes too early.
                waited, n = stalls(), len(log.read_text().splitlines())
                with contextlib.suppress(GuardError):
                    client.release("Li", "a machine that is busy")
                    client.arm()
                    client.send("close", 1.0, ttl=0.5)
                    if client.state()["driver"]["output"] == 1.0:
                        break
            hit = time.monotonic()
            os.kill(window.pid, kind)
            trip = _trip(log, after=n)
            late = waited.seconds
            assert "dead-man" in trip["reason"] or (heart_missed(trip["reason"]) and late > 0.03)
            assert trip["safe"] - hit <= 0.15 + 0.05 + late
        finally:
            window.kill()
            window.wait(10)
            window.stdout.close()


@pytest.mark.requirement("SAF-112")
def test_row_13_a_computer_that_cannot_keep_up(active):
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        one = active()
        allowed_after = []
        hop = 0.02
        for _ in range(200):
            begin = time.perf_counter()
            while time.perf_counter() - begin < 1.25 * hop:
                pass
            spent = time.perf_counter() - begin
            one.run(0.1)
            one.system.on_load(spent / hop, one.now)
            if one.system.state is not State.ACTIVE:
                allowed_after.append(one.decide().allowed)
            if len(allowed_after) == 5:
                break
        assert one.system.state is State.SAFE_STOP
        assert any(alarm.rule == "H-CPU" for alarm in one.system.alarms())
        assert allowed_after == [False] * 5
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait(10)


@pytest.mark.requirement("SAF-113")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_row_14_a_full_disk(active, info, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "audit.jsonl").symlink_to("/dev/full")
    log = AuditLog(folder)
    with pytest.raises(SafetyError, match="cannot be written"):
        SafetySystem(GateSettings(), info(), audit=log)
    with pytest.raises(SafetyError, match="may not be complete"):
        log.close()
    good = AuditLog(tmp_path / "good")
    one = active(audit=good)
    assert one.decide().allowed
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, good._file.fileno())
    os.close(full)
    assert not one.decide().allowed, "a command that cannot be logged is not given"
    assert one.system.state is State.FATAL
    with pytest.raises(SafetyError, match="may not be complete"):
        good.close()


@pytest.mark.requirement("SAF-113")
def test_row_14_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SafetyError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "audit")


@pytest.mark.requirement("SAF-115")
@pytest.mark.requirement("SAF-069")
def test_row_16_dead_man_veto_and_emergency_stop_within_100_ms(tmp_path, stalls):
    for index, act in enumerate(("dead-man", "veto", "estop")):
        log = tmp_path / f"{index}.jsonl"
        with (
            GuardClient.launch("sim-hand", dead_man=True, log=log) as client,
            GuardClient(client.port, client.role_key("dead-man"), role="dead-man") as switch,
            GuardClient(client.port, client.role_key("operator"), role="operator") as stop_key,
        ):
            for _ in range(200):
                # Where this process had no turn for 80 ms, nobody renewed the switch and the guard rightly refuses.
                switch.hold(held=True)
                with contextlib.suppress(GuardError):
                    client.arm()
                    break
            waited = stalls()
            client.send("close", 1.0, ttl=0.5)
            switch.hold(held=True)
            if act == "dead-man":
                switch.hold(held=False)
            else:
                stop_key.safe(act)
            trip = _trip(log)
            assert trip["driver"]["output"] == 0.0
            # What the guard decides, from the moment in which it does: when it gets its turn is the system's matter.
            assert trip["safe"] - trip["time"] <= 0.1 + waited.seconds
            assert act in trip["reason"] or "dead-man" in trip["reason"] or heart_missed(trip["reason"])


@pytest.mark.requirement("SAF-116")
@pytest.mark.parametrize("attack", ["flood", "stale", "out of order", "replayed", "malformed"])
def test_row_17_floods_and_old_or_broken_messages_to_the_real_process(engine, attack, stalls):
    _, _, port, key, log = engine()
    waited = stalls()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    now = time.monotonic()
    message = {"v": 1, "from": "engine", "seq": 10**30, "t": now, "do": "command", "name": "close", "ttl": 0.2}
    datagrams = {
        "flood": [b"x" * 200] * 3000,
        "stale": [pack({**message, "t": now - 1.0}, key)],
        "out of order": [pack({**message, "seq": 0}, key)],
        "replayed": [pack({**message, "do": "beat"}, key)] * 2,
        "malformed": [pack({**message, "ttl": "long"}, key)],
    }[attack]
    for datagram in datagrams:
        sender.sendto(datagram, ("127.0.0.1", port))
    sender.close()
    trip = _trip(log)
    assert trip["driver"]["output"] == 0.0
    assert trip["safe"] - now <= 0.3 + waited.seconds


@pytest.mark.requirement("SAF-121")
def test_row_22_settings_do_not_change_while_active(active, audit_dir):
    one = active(audit=AuditLog(audit_dir))
    before = one.system.settings
    with pytest.raises(SafetyError, match="STANDBY only"):
        one.system.control.reconfigure(GateSettings(confidence=0.5, margin=0.0), who="Li")
    assert one.system.settings is before
    assert '"A-CFG"' in (audit_dir / "audit.jsonl").read_text()
    one.system.control.finish()
    one.system.control.reconfigure(GateSettings(confidence=0.8), who="Li")
    assert one.system.state is State.STANDBY
    assert one.system.settings.confidence == 0.8
    one.system.ledger.audit.close()


def _decision(watched):
    from bcikit.signal import Decision

    now = watched.clock()
    return Decision(time=now, sample=0, classes=("a", "b"), probabilities=(0.95, 0.05), label="a")
