"""The process of the guard, in real time; `test_guard_core` has its rules."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bcikit.safety.guard.client import GuardClient, GuardError
from bcikit.safety.guard.core import GuardCore
from bcikit.safety.guard.drivers import DriverError, SimulatedHand, open_driver
from bcikit.safety.guard.protocol import DEADLINE_S
from bcikit.safety.guard.serial_fes import SerialFes, SimulatedStimulator, parse_frame
from bcikit.signal.terminal import open_terminal
from tests.stalls import heart_missed, wait_for

KEY = b"0123456789abcdef0123456789abcdef"


posix = pytest.mark.skipif(os.name != "posix", reason="signals and pseudo terminals are POSIX")


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


@posix
def test_the_serial_stimulator_and_its_watchdog(stalls):
    device = SimulatedStimulator()
    driver = SerialFes(device.port)
    try:
        assert driver.ready()
        data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
        limit = time.monotonic() + 60
        driver.apply("stimulate", None, data, time.monotonic())
        while device.current_ma < 20 and time.monotonic() < limit:
            driver.tick(time.monotonic())
            time.sleep(0.005)
        assert device.current_ma == 20.0
        silent, waited = time.monotonic(), stalls()
        while device.current_ma and time.monotonic() < limit:
            time.sleep(0.005)
        assert device.zero_at - silent < 0.5 + waited.seconds, "it goes to zero by itself"
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
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60,
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
        input=b"zz\n", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert b"key" in done.stderr
    with pytest.raises(GuardError, match="did not start"):
        GuardClient.launch("rocket")


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux shares the processor")
def test_the_guard_is_first_in_line_where_that_is_allowed(guard):
    given = guard.state()["priority"]
    allowed = []

    def ask():
        # Of this thread only. Root may not everywhere: a container, or a group without real time, has none.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
            allowed.append(True)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join()
    assert (given == "real-time") == bool(allowed)
    assert (os.sched_getscheduler(guard.pid) & os.SCHED_FIFO != 0) == (given == "real-time")
    # Without real time, the group of its session is raised with it: its nice value alone is compared with nobody's.
    code = (
        "import os\nfrom bcikit.safety.guard import priority\n"
        "def refused(*_): raise PermissionError\n"
        "os.sched_setscheduler = refused\nos.setsid()\nprint(priority.first_in_line())\n"
        "print(os.nice(0), priority.AUTOGROUP.read_text().split()[-1] if priority.AUTOGROUP.exists() else os.nice(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    said, values = done.stdout.splitlines()
    nice, group = map(int, values.split())
    assert (nice < 0) == (group < 0) == (said == "raised")


@posix
@pytest.mark.requirement("SAF-072")
def test_a_stimulator_that_answers_nothing_is_not_believed_and_is_never_asked_for_more():
    device, other, port = open_terminal("a device that is mute")
    try:
        driver = SerialFes(port)
        data = {"amplitude_ma": 12.37, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
        driver.apply("stimulate", None, data, 100.0)
        for step in range(1, 11):
            driver.tick(100.0 + step / 10)
        with pytest.raises(DriverError, match="does not answer"):
            driver.tick(101.2)
        driver.close()
        raw = b""
        while raw.count(b",Z*") < 2 or not raw.endswith(b"\n"):
            raw += os.read(device, 65536)
        asked = [parse_frame(line) for line in raw.splitlines()]
        assert max(float(fields[2]) for fields in asked if fields[1] == "S") == 12.3, "no more than was asked for"
        assert asked[-1][1] == "Z"
    finally:
        os.close(device)
        os.close(other)


def test_an_engine_whose_heart_cannot_begin_moves_nothing_and_ends_its_guard(monkeypatch):
    def none_left(self):
        raise RuntimeError("can't start new thread")

    client = GuardClient.launch("sim-hand")
    with monkeypatch.context() as no_thread:
        no_thread.setattr(threading.Thread, "start", none_left)
        with pytest.raises(GuardError, match="heartbeat"):
            client.arm()
    assert not client.state()["armed"]
    for _ in range(100):
        # Where this process has no turn for that long, the guard rightly goes safe; it is not so every time.
        client.arm()
        time.sleep(2 * DEADLINE_S)
        if client.state()["armed"]:
            break
    else:
        pytest.fail("no heart beats")
    client.close()
    assert client._process.poll() == 0


@pytest.mark.requirement("SAF-061")
def test_an_engine_that_hangs_stops_its_own_heart(tmp_path):
    with GuardClient.launch("sim-hand", progress_s=0.1) as client:
        client.arm()
        client.send("close", ttl=0.4)
        wait_for(lambda: not client.state()["armed"])
        assert "no heartbeat" in client.state()["trip"]


def test_a_window_that_is_started_anew_is_heard(guard):
    for _ in range(3):
        window = GuardClient(guard.port, guard.role_key("operator"), role="operator")
        assert window.state()["answer"] >= 0
        window.close()


ENDINGS = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "TSTP", "ABRT", "SEGV", "XCPU", "SYS", "RTMIN"]


@posix
@pytest.mark.requirement("SAF-060")
@pytest.mark.parametrize("name", ENDINGS)
def test_a_guard_that_is_told_to_end_puts_the_device_to_zero_first(tmp_path, name):
    """Whatever signal somebody sends: the device is told at once, and not left to its own watchdog."""
    number = getattr(signal, f"SIG{name}", None)
    if number is None:
        pytest.skip(f"no SIG{name} on this system")
    for attempt in range(20):
        reason = ended_by(number, tmp_path / f"guard-{attempt}.jsonl")
        # Where this process, or the guard, had no turn just then, it was safe already: once more.
        if not heart_missed(reason):
            break
    assert "told to end" in reason


def ended_by(number, log):
    """Send a signal to a guard that stimulates; return why it went safe last."""
    device = SimulatedStimulator()
    try:
        with GuardClient.launch(f"serial-fes:{device.port}", log=log) as client:
            data = {"amplitude_ma": 20, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
            limit = time.monotonic() + 60
            while device.current_ma < 2:
                assert time.monotonic() < limit
                # Once, and again where the heart missed a beat on a machine that had no turn for it: after the pause.
                if not client.state()["armed"]:
                    with contextlib.suppress(GuardError):
                        client.arm()
                client.send("stimulate", ttl=0.25, data=data)
                time.sleep(0.02)
            os.kill(client.pid, number)
            while device.current_ma and time.monotonic() < limit:
                time.sleep(0.002)
            client._process.wait(timeout=60)
            assert client._process.returncode == 128 + number
            # What was written last is read by the device a moment later.
            wait_for(lambda: device.lines[-1][1] == "Z")
    finally:
        device.close()
    return json.loads(log.read_text().splitlines()[-1])["reason"]


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
            # Latched: told even where the heart missed a beat just before on a busy machine.
            client.safe("done", latch=True)
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
    wait_for(log.read_text)
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
    log, record = tmp_path / "guard.jsonl", {"reason": "no heartbeat"}
    while heart_missed(record["reason"]):
        # A heart that missed a beat on a busy machine, or a guard that read it late, came first: once more.
        n = len(log.read_text().splitlines())
        guard.arm()
        guard.send("close", ttl=0.4)
        asked = time.monotonic()
        guard.safe("stop key")
        state = guard.state()
        assert state["driver"]["output"] == 0.0
        wait_for(lambda n=n: len(log.read_text().splitlines()) > n)
        record = json.loads(log.read_text().splitlines()[n])
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
