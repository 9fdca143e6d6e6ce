"""The guard: its rules with a fake clock, its process with a real one."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.safety.guard.client import GuardClient, GuardError
from bcikit.safety.guard.core import FLOOD, GuardCore
from bcikit.safety.guard.drivers import DriverError, SimulatedFes, SimulatedHand, open_driver
from bcikit.safety.guard.fes import FesCommand, FesError, FesLimits, FesTrain
from bcikit.safety.guard.protocol import ROLES, ProtocolError, authentic, pack, role_key, unpack
from bcikit.safety.guard.serial_fes import SerialFes, SimulatedStimulator, crc8, frame, parse_frame

KEY = b"0123456789abcdef0123456789abcdef"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and pseudo terminals are POSIX")


class Bench:
    """A guard core with a fake clock and a well-behaved engine."""

    def __init__(self, driver=None, **options):
        self.core = GuardCore(driver or SimulatedHand(), KEY, **options)
        self.now = 100.0
        self.sequence = 0

    def message(self, do, **more):
        self.sequence += 1
        values = {"v": 1, "from": "engine", "seq": self.sequence, "t": self.now, "do": do, **more}
        key = role_key(KEY, values["from"])
        return pack({key: value for key, value in values.items() if value is not ...}, key)

    def say(self, do, **more):
        return self.core.receive(self.message(do, **more), self.now)

    def wait(self, seconds, *, beat=True):
        for _ in range(round(seconds / 0.01)):
            self.now += 0.01
            if beat:
                self.say("beat")
            self.core.tick(self.now)

    def moving(self):
        self.say("arm")
        self.say("command", name="close", value=1.0, ttl=0.25)
        assert self.core.armed
        assert self.core.driver.state()["output"] == 1.0
        return self


def output(bench):
    return bench.core.driver.state()["output"]


@pytest.mark.requirement("SAF-060")
def test_a_command_lives_as_long_as_it_says():
    bench = Bench().moving()
    bench.wait(0.24)
    assert output(bench) == 1.0
    bench.wait(0.03)
    assert output(bench) == 0.0
    assert bench.core.armed, "an expired command is silence, not a fault"


@pytest.mark.requirement("SAF-061")
@pytest.mark.requirement("SAF-012")
def test_silence_of_the_engine_makes_it_safe_within_150_ms():
    bench = Bench().moving()
    start = bench.now
    while output(bench):
        bench.wait(0.01, beat=False)
    assert bench.now - start <= 0.15
    assert not bench.core.armed
    bench.wait(1.0)
    bench.say("command", name="close", value=1.0, ttl=0.25)
    assert output(bench) == 0.0, "latched until armed again"


@pytest.mark.requirement("SAF-116")
@pytest.mark.parametrize(
    ("send", "trip"),
    [
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.2, t=b.now - 0.3), "ms old"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.01, t=b.now - 0.05), "expired"),
        (lambda b: b.say("beat", t=b.now + 9), "ms old"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=0.2, seq=0), "not newer"),
        (lambda b: b.say("command", name="close", value=1.0, ttl=9.0), "ttl"),
        (lambda b: b.say("command", name=3, value=1.0, ttl=0.2), "name"),
        (lambda b: b.say("command", name="close", value=[1], ttl=0.2), "value"),
        (lambda b: b.say("explode"), "may not"),
        (lambda b: b.say("arm", **{"from": "operator"}), "may not"),
        (lambda b: b.say("beat", v=2), "version"),
        (lambda b: b.say("command", name="close", value=7.0, ttl=0.2), "outside 0 to 1"),
        (lambda b: b.say("command", name="fly", value=1.0, ttl=0.2), "cannot"),
        (lambda b: [b.say("beat") for _ in range(FLOOD + 1)], "flood"),
        (lambda b: b.say("safe", reason="stop key", **{"from": "operator"}), "stop key"),
    ],
)
def test_what_should_not_come_makes_it_safe(send, trip):
    bench = Bench().moving()
    send(bench)
    assert output(bench) == 0.0
    assert not bench.core.armed
    assert trip in bench.core.trip


@pytest.mark.requirement("SAF-095")
def test_what_is_not_signed_is_dropped_and_counted():
    bench = Bench().moving()
    good = bench.message("beat")
    for datagram in (b"", b"x" * 70, good[:-1] + b"]", b"0" * 64 + good[64:], pack({"v": 1}, b"another key 1234")):
        bench.core.receive(datagram, bench.now)
    assert bench.core.dropped["not signed"] == 5
    assert output(bench) == 1.0
    bench.core.receive(good, bench.now)
    bench.core.receive(good, bench.now)
    assert "not newer" in bench.core.trip, "a replayed datagram is authentic, but old"


@pytest.mark.requirement("SAF-139")
@pytest.mark.parametrize("claims", list(ROLES))
@pytest.mark.parametrize("has", list(ROLES))
def test_the_key_of_one_role_speaks_for_no_other(has, claims):
    """An observer cannot order, a window cannot arm, and no lie stops what is in order."""
    bench = Bench(dead_man=True)
    bench.say("dead-man", held=True, **{"from": "dead-man"})
    bench.moving()
    ask = {"engine": {"do": "quit"}, "dead-man": {"do": "dead-man", "held": False}, "operator": {"do": "safe"}}
    message = {"v": 1, "from": claims, "seq": 10**6, "t": bench.now, **ask.get(claims, {"do": "state"})}
    bench.core.receive(pack(message, role_key(KEY, has)), bench.now)
    assert (output(bench) == 0.0) is (has == claims and claims != "observer")
    assert bench.core.dropped["signed by another"] == (has != claims)
    assert bench.core.quit is (has == claims == "engine")


@pytest.mark.requirement("SAF-139")
def test_an_observer_of_the_guard_reads_and_orders_nothing(guard):
    observer = GuardClient(guard.port, guard.role_key("observer"), role="observer")
    with pytest.raises(GuardError, match="has not that of 'engine'"):
        observer.role_key("engine")
    assert not observer.state()["latched"]
    with pytest.raises(GuardError, match="has not that of 'dead-man'"):
        observer._send({"do": "dead-man", "held": True}, role="dead-man")
    observer.close()
    # A key that is not the role's is none: it is not answered, and nothing is stopped.
    liar = GuardClient(guard.port, guard.role_key("observer"), role="engine")
    with pytest.raises(GuardError, match="does not answer"):
        liar.state()
    liar.close()
    state = guard.state()
    assert not state["latched"]
    assert state["dropped"]["signed by another"] == 2


@pytest.mark.requirement("SAF-096")
@pytest.mark.parametrize("field", ["t", "ttl", "value", "seq"])
def test_a_number_of_hundreds_of_digits_is_a_message_that_is_refused(field):
    bench = Bench().moving()
    bench.say("command", **{"name": "close", "value": 1.0, "ttl": 0.2, field: 10**400 * (-1 if field == "seq" else 1)})
    assert output(bench) == 0.0
    assert not bench.core.armed


@pytest.mark.requirement("SAF-116")
def test_a_flood_does_not_fill_the_line_to_the_device():
    class Slow(SimulatedHand):
        zeros = 0

        def safe(self):
            super().safe()
            Slow.zeros += 1

    bench = Bench(Slow()).moving()
    for _ in range(5 * FLOOD):
        bench.core.receive(b"x" * 100, bench.now)
    assert output(bench) == 0.0
    assert Slow.zeros == 1


@pytest.mark.requirement("SAF-066")
def test_the_dead_man_switch_must_be_renewed():
    bench = Bench(dead_man=True)
    bench.say("arm")
    assert not bench.core.armed
    held = {"from": "dead-man", "held": True}
    bench.say("dead-man", **held)
    bench.moving()
    for _ in range(10):
        bench.wait(0.04)
        bench.say("dead-man", **held)
    bench.say("command", name="close", value=1.0, ttl=0.25)
    assert output(bench) == 1.0
    bench.wait(0.1)
    assert output(bench) == 0.0
    assert "dead-man" in bench.core.trip


def test_a_driver_that_fails_is_safe_and_the_guard_goes_on():
    class Broken(SimulatedHand):
        def apply(self, name, value, data, now):
            raise OSError("cable")

        def safe(self):
            super().safe()
            raise OSError("cable")

    bench = Bench(Broken())
    bench.say("arm")
    bench.say("command", name="close", value=1.0, ttl=0.2)
    assert "cable" in bench.core.trip
    assert not bench.core.armed
    bench.wait(0.5)


@pytest.mark.requirement("SAF-096")
@settings(max_examples=150, deadline=None)
@given(body=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode), st.just(b"[" * 3000)))
def test_any_signed_bytes_are_understood_or_refused(body):
    import hashlib
    import hmac

    datagram = hmac.new(KEY, body, hashlib.sha256).hexdigest().encode() + b" " + body
    assert authentic(datagram, KEY) or not body
    with pytest.raises(ProtocolError):
        unpack(datagram)
    bench = Bench().moving()
    bench.core.receive(datagram, bench.now)
    assert output(bench) == 0.0 or not authentic(datagram, KEY)


@pytest.mark.requirement("SAF-068")
def test_speed_and_acceleration_of_the_hand_are_limited():
    hand = SimulatedHand()
    hand.apply("close", 1.0, {}, 0.0)
    hand.apply("close", 1.0, {"speed": 0.3}, 0.0)
    assert hand.state()["limited"] == 0
    hand.apply("close", 1.0, {"speed": 9.0}, 0.0)
    assert hand.state()["limited"] == 1, "a person hears of it (A-RATE)"
    with pytest.raises(DriverError, match="speed"):
        hand.apply("close", 1.0, {"speed": float("nan")}, 0.0)
    positions, velocities = [], []
    for step in range(600):
        hand.tick(step * 0.01)
        positions.append(hand.closure)
        velocities.append(hand.velocity)
    assert max(velocities) <= 1 / 3 + 1e-9
    assert max(b - a for a, b in pairwise(velocities)) <= 0.0067
    assert positions[-1] == pytest.approx(1.0)
    assert max(positions) <= 1.0


def test_stimulation_numbers_in_a_message_cannot_break_the_driver():
    fes = SimulatedFes()
    data = {"amplitude_ma": 10**400, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
    with pytest.raises(DriverError, match="amplitude_ma"):
        fes.apply("stimulate", None, data, 10.0)
    with pytest.raises(FesError):
        FesLimits(amplitude_ma=10**400)
    with pytest.raises(FesError):
        FesLimits(amplitude_ma=True)


@pytest.mark.requirement("SAF-072")
def test_stimulation_numbers_of_the_reference():
    command = FesCommand(amplitude_ma=30, pulse_us=300, frequency_hz=35, area_cm2=25)
    assert command.rms_ma == pytest.approx(4.35, abs=0.01)
    assert command.density == pytest.approx(0.17, abs=0.005)
    assert command.charge_uc == pytest.approx(9.0)
    assert command.energy_mj == pytest.approx(0.27)
    edge = FesCommand(amplitude_ma=80, pulse_us=500, frequency_hz=50, area_cm2=9)
    assert edge.density == pytest.approx(1.99, abs=0.01)


@pytest.mark.requirement("SAF-072")
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"amplitude_ma": 31}, "amplitude"),
        ({"pulse_us": 450}, "pulse width"),
        ({"frequency_hz": 60}, "frequency"),
        ({"area_cm2": 1.0}, "density"),
        ({"area_cm2": 0.0}, "density"),
        ({"site": "head"}, "site"),
        ({"amplitude_ma": float("nan")}, "amplitude"),
        ({"amplitude_ma": None}, "amplitude"),
    ],
)
def test_a_stimulation_command_outside_its_limits_is_refused(changes, word):
    data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25, **changes}
    fes = SimulatedFes()
    with pytest.raises(DriverError, match=word):
        fes.apply("stimulate", None, data, 10.0)
    assert fes.state()["output"] == 0.0


@pytest.mark.requirement("SAF-072")
def test_ramp_train_pause_and_duty():
    train = FesTrain(FesLimits())
    command = FesCommand(amplitude_ma=30, pulse_us=300, frequency_hz=35, area_cm2=25)
    train.command(command, 100.0)
    currents = [train.current(100.0 + step / 100) for step in range(60)]
    assert currents[0] == 0.0
    assert max(b - a for a, b in zip(currents, currents[10:], strict=False)) <= 0.2 * 30 + 1e-9
    assert currents[-1] == 30.0
    assert train.current(105.1) == 0.0, "a train ends by itself"
    with pytest.raises(FesError, match="pause"):
        train.command(command, 106.0)
    refused = []
    for start in range(20):
        now = 108.2 + 8.2 * start
        try:
            train.command(command, now)
        except FesError as error:
            refused.append(str(error))
        train.current(now + 8.1)
    assert refused
    assert all("at most 30%" in text for text in refused)
    assert train.on_s <= 0.3 * (20 * 8.2) + 5.0
    for changes in ({"amplitude_ma": 60.0}, {"ramp_s": 0.1}, {"train_s": 9.0}, {"charge_uc": float("nan")}):
        with pytest.raises(FesError):
            FesLimits(**changes)


def test_the_serial_frames():
    assert crc8(b"123456789") == 0xF4
    assert parse_frame(frame("7,S,20,300,35")) == ["7", "S", "20", "300", "35"]
    with pytest.raises(DriverError, match="CRC"):
        parse_frame(frame("7,K").replace(b"K", b"Z"))


@settings(max_examples=100, deadline=None)
@given(line=st.binary(max_size=100))
def test_any_serial_line_is_read_or_refused(line):
    try:
        fields = parse_frame(line)
    except DriverError:
        return
    assert isinstance(fields, list)


@posix
def test_the_serial_stimulator_and_its_watchdog():
    device = SimulatedStimulator()
    driver = SerialFes(device.port)
    try:
        assert driver.ready()
        data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
        limit = time.monotonic() + 5
        driver.apply("stimulate", None, data, time.monotonic())
        while device.current_ma < 20 and time.monotonic() < limit:
            driver.tick(time.monotonic())
            time.sleep(0.005)
        assert device.current_ma == 20.0
        silent = time.monotonic()
        while device.current_ma and time.monotonic() < limit:
            time.sleep(0.005)
        assert device.zero_at - silent < 0.5, "it goes to zero by itself"
        driver.safe()
    finally:
        driver.close()
        device.close()
    with pytest.raises(DriverError):
        SerialFes("/dev/does-not-exist")
    with pytest.raises(DriverError, match="sim-hand"):
        open_driver("rocket")


@pytest.mark.requirement("SAF-095")
def test_the_process_needs_nothing_but_the_standard_library():
    code = (
        "import sys; import bcikit.safety.guard.__main__; "
        "known = set(sys.stdlib_module_names) | {'bcikit', '__main__'}; "
        "print(sorted({name.split('.')[0] for name in sys.modules} - known - {'sitecustomize'}))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "PYTHONPATH": str(Path.cwd())}, check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


@pytest.fixture
def guard(tmp_path):
    with GuardClient.launch("sim-hand", log=tmp_path / "guard.jsonl") as client:
        client.arm()
        yield client


def test_the_process_listens_on_loopback_only(guard):
    psutil = pytest.importorskip("psutil")
    sockets = psutil.Process(guard.pid).net_connections(kind="all")
    addresses = {c.laddr.ip for c in sockets if c.family in (socket.AF_INET, socket.AF_INET6)}
    assert addresses == {"127.0.0.1"}


def test_the_process_refuses_to_start_without_a_key():
    done = subprocess.run(
        [sys.executable, "-m", "bcikit.safety.guard", "--driver", "sim-hand"],
        input=b"zz\n", capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"key" in done.stderr
    with pytest.raises(GuardError, match="did not start"):
        GuardClient.launch("rocket")


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux shares the processor")
def test_the_guard_is_first_in_line_where_that_is_allowed(guard):
    given = guard.state()["priority"]
    if os.geteuid() == 0:
        assert given == "real-time"
    assert (os.sched_getscheduler(guard.pid) & os.SCHED_FIFO != 0) == (given == "real-time")
    # Without real time, the group of its session is raised with it: its nice value alone is compared with nobody's.
    code = (
        "import os\nfrom bcikit.safety.guard import priority\n"
        "def refused(*_): raise PermissionError\n"
        "os.sched_setscheduler = refused\nos.setsid()\nprint(priority.first_in_line())\n"
        "print(os.nice(0), priority.AUTOGROUP.read_text().split()[-1] if priority.AUTOGROUP.exists() else os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    said, values = done.stdout.splitlines()
    nice, group = map(int, values.split())
    assert (nice < 0) == (group < 0) == (said == "raised")


def test_an_engine_whose_heart_cannot_begin_moves_nothing_and_ends_its_guard(monkeypatch):
    def none_left(self):
        raise RuntimeError("can't start new thread")

    client = GuardClient.launch("sim-hand")
    with monkeypatch.context() as no_thread:
        no_thread.setattr(threading.Thread, "start", none_left)
        with pytest.raises(GuardError, match="heartbeat"):
            client.arm()
    assert not client.state()["armed"]
    client.arm()
    time.sleep(0.3)
    assert client.state()["armed"]
    client.close()
    assert client._process.poll() == 0


@pytest.mark.requirement("SAF-061")
def test_an_engine_that_hangs_stops_its_own_heart(tmp_path):
    with GuardClient.launch("sim-hand", progress_s=0.1) as client:
        client.arm()
        client.send("close", ttl=0.4)
        time.sleep(0.5)
        assert "no heartbeat" in client.state()["trip"]


def test_a_window_that_is_started_anew_is_heard(guard):
    for _ in range(3):
        window = GuardClient(guard.port, guard.role_key("operator"), role="operator")
        assert window.state()["armed"]
        window.close()


ENDINGS = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "TSTP", "ABRT", "SEGV", "XCPU", "SYS", "RTMIN"]


@posix
@pytest.mark.requirement("SAF-060")
@pytest.mark.parametrize("name", ENDINGS)
def test_a_guard_that_is_told_to_end_puts_the_device_to_zero_first(tmp_path, name):
    """Whatever signal somebody sends: the device is told at once, and not left to its own watchdog."""
    device = SimulatedStimulator()
    log = tmp_path / "guard.jsonl"
    number = getattr(signal, f"SIG{name}", None)
    if number is None:
        pytest.skip(f"no SIG{name} on this system")
    try:
        with GuardClient.launch(f"serial-fes:{device.port}", log=log) as client:
            client.arm()
            data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
            limit = time.monotonic() + 20
            while device.current_ma < 2 and time.monotonic() < limit:
                client.send("stimulate", ttl=0.25, data=data)
                time.sleep(0.02)
            assert device.current_ma >= 2
            os.kill(client.pid, number)
            while device.current_ma and time.monotonic() < limit:
                time.sleep(0.002)
            client._process.wait(timeout=20)
            assert client._process.returncode == 128 + number
            assert device.lines[-1][1] == "Z"
    finally:
        device.close()
    assert "told to end" in json.loads(log.read_text().splitlines()[0])["reason"]


def latched(bench, trip):
    """Say whether the guard is safe and neither a command nor arming brings the movement back, for ten seconds."""
    for _ in range(20):
        bench.wait(0.5)
        bench.say("arm")
        bench.say("command", name="close", value=1.0, ttl=0.25)
        assert not bench.core.armed
        assert output(bench) == 0.0
        assert trip in bench.core.trip
    return True


@pytest.mark.requirement("SAF-132")
@pytest.mark.parametrize(
    ("send", "trip"),
    [
        (lambda b: b.say("safe", reason="stop key", **{"from": "operator"}), "stop key"),
        (lambda b: b.say("safe", reason="let go", **{"from": "dead-man"}), "let go"),
        (lambda b: b.say("safe", reason="stopped", latch=True), "stopped"),
        (lambda b: [b.say("beat") for _ in range(FLOOD + 1)], "flood"),
        (lambda b: b.say("explode"), "may not"),
        (lambda b: b.say("command", name="close", value=7.0, ttl=0.2), "outside 0 to 1"),
    ],
)
@pytest.mark.parametrize("armed", [True, False])
def test_a_stop_at_the_guard_is_undone_by_a_person_only(send, trip, armed):
    bench = Bench().moving() if armed or trip == "outside 0 to 1" else Bench()
    send(bench)
    bench.wait(1.1)
    assert latched(bench, trip)
    for who, reason in (("", "looked"), ("Li", "\u200b"), (None, "looked"), ({"x": 1}, "looked")):
        bench.say("release", who=who, reason=reason)
        assert bench.core.latched
    bench.say("release", who="Li", reason="looked, all is well")
    assert bench.core.released[-1][1:] == ("Li", "looked, all is well")
    assert not bench.core.armed, "undoing a stop does not arm"
    bench.moving()


def test_a_flood_does_not_drown_the_stop():
    bench = Bench().moving()
    for _ in range(5 * FLOOD):
        bench.core.receive(b"x" * 100, bench.now)
    assert bench.core.cause == "flood"
    bench.say("safe", reason="stop key", **{"from": "operator"})
    assert bench.core.dropped["flood"] >= 1
    assert bench.core.latched


@pytest.mark.parametrize("what", ["text", "link", "wrong ending", "folder", "second name"])
def test_the_log_of_a_guard_is_not_any_file(tmp_path, what):
    victim = tmp_path / "victim.jsonl"
    victim.write_text("precious\n")
    place = tmp_path / "guard.jsonl"
    if what == "link":
        place.symlink_to(victim)
    elif what == "second name":
        place.hardlink_to(victim)
    elif what == "folder":
        place.mkdir()
    else:
        place = victim if what == "text" else tmp_path / "guard.conf"
    with pytest.raises(GuardError):
        GuardClient.launch("sim-hand", log=place)
    assert victim.read_text() == "precious\n"
    assert not (tmp_path / "guard.conf").exists()


def test_a_log_of_a_guard_is_gone_on_with(tmp_path):
    for _ in range(2):
        with GuardClient.launch("sim-hand", log=tmp_path / "guard.jsonl") as client:
            client.arm()
            client.safe("done")
            client.state()
    lines = [json.loads(line) for line in (tmp_path / "guard.jsonl").read_text().splitlines()]
    assert sum("done" in line["reason"] for line in lines) == 2


@posix
@pytest.mark.requirement("SAF-134")
def test_an_engine_that_stutters_stays_safe(tmp_path):
    """Stopped and continued again and again: what comes after a stop does not bring the movement back."""
    code = (
        "import sys, time; from bcikit.safety.guard.client import GuardClient\n"
        "client = GuardClient.launch('sim-hand', log=sys.argv[1]); client.arm(); print('up', flush=True)\n"
        "while True: client.send('close', 1.0, ttl=0.25); time.sleep(0.02)"
    )
    log = tmp_path / "guard.jsonl"
    engine = subprocess.Popen([sys.executable, "-c", code, str(log)], stdout=subprocess.PIPE, text=True)
    try:
        assert engine.stdout.readline().strip() == "up"
        for _ in range(5):
            os.kill(engine.pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(engine.pid, signal.SIGCONT)
            time.sleep(0.1)
    finally:
        engine.kill()
        engine.wait(10)
        engine.stdout.close()
    limit = time.monotonic() + 2.0
    while not log.read_text() and time.monotonic() < limit:
        time.sleep(0.01)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 1, "armed once, tripped once"
    assert lines[0]["driver"]["output"] == 0.0


@posix
def test_a_guard_that_is_killed_is_noticed(guard):
    os.kill(guard.pid, signal.SIGKILL)
    time.sleep(0.1)
    with pytest.raises(GuardError):
        guard.state()


def test_the_log_says_when_and_why(guard, tmp_path):
    guard.send("close", ttl=0.4)
    asked = time.monotonic()
    guard.safe("stop key")
    state = guard.state()
    assert state["driver"]["output"] == 0.0
    limit = time.monotonic() + 2.0
    while not (tmp_path / "guard.jsonl").read_text() and time.monotonic() < limit:
        time.sleep(0.01)
    record = json.loads((tmp_path / "guard.jsonl").read_text().splitlines()[0])
    assert "stop key" in record["reason"]
    assert asked <= record["time"] <= record["safe"]


@pytest.mark.requirement("SAF-066")
class Wire:
    """The line to a guard in this process: it hears each word at the time at which it was said, whatever is busy."""

    def __init__(self, core):
        self.core, self.answers = core, []

    def send(self, datagram):
        said = json.loads(datagram[65:])["t"]
        answer = self.core.receive(datagram, said)
        self.core.tick(said)
        self.answers += [answer] if answer else []

    def recv(self, _):
        return self.answers.pop(0)

    def settimeout(self, _):
        pass

    def close(self):
        pass


def test_one_program_reads_the_switch_and_drives(monkeypatch):
    """As the clinic's search for the current does: held, armed, moved, let go; 80 ms by the guard's own clock."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    client = GuardClient(9, KEY)
    client._socket.close()
    client._socket = Wire(GuardCore(SimulatedHand(), KEY, dead_man=True))
    client._beating = threading.current_thread()  # no heart beats beside: time is told
    with pytest.raises(GuardError, match="dead-man switch not held"):
        client.arm()
    client.hold(held=True)
    now[0] += 0.079
    client.arm()
    client.hold(held=True)
    client.send("close", 1.0, ttl=0.25)
    assert client.state()["armed"]
    now[0] += 0.081
    state = client.state()
    assert (state["armed"], state["driver"]["output"]) == (True, 1.0), "nothing looked at the time yet"
    state = client.state()
    assert (state["armed"], state["latched"], state["cause"]) == (False, True, "dead-man")
    client.release("Li", "looked")
    client.hold(held=True)
    client.arm()
    client.safe("let go")
    client.hold(held=False)
    state = client.state()
    assert (state["armed"], state["latched"], state["cause"]) == (False, False, "engine")
