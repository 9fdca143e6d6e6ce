"""No program of ours listens outside this machine: what is open is read from the kernel while it runs."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="reads Linux's tables of sockets")

LISTEN = "0A"
LOOPBACK = ("0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F")


def family(pid: int) -> set[int]:
    """Return a process and all that it started."""
    found, new = {pid}, {pid}
    while new:
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        new = {child for child, parent in parents.items() if parent in found} - found
        found |= new
    return found


def open_to_others(pid: int) -> list[str]:
    """Return the sockets of a family of processes that wait for others on an address that is not loopback."""
    inodes = set()
    for member in family(pid):
        for handle in Path(f"/proc/{member}/fd").glob("*"):
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            waits = fields[3] == LISTEN if table.startswith("tcp") else True
            if fields[9] in inodes and waits and fields[1].rpartition(":")[0] not in LOOPBACK:
                found.append(f"{table} {fields[1]}")
    return found


def watch(
    command: list[str], folder: Path, seconds: float, *, display: bool = False, until: Path | None = None
) -> tuple[list[str], bool]:
    """Run a command for a while, counted from when a file is there; return what it opened, and whether it ran well."""
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "HOME": str(folder)}
    if not display:
        environment["QT_QPA_PLATFORM"] = "offscreen"
    else:
        environment.pop("QT_QPA_PLATFORM", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
    found: list[str] = []
    try:
        begin = end = time.monotonic() + seconds
        while until is not None and not until.is_file() and process.poll() is None and time.monotonic() < begin + 60:
            end = time.monotonic() + seconds
            time.sleep(0.1)
        while process.poll() is None and time.monotonic() < end:
            found += [item for item in open_to_others(process.pid) if item not in found]
            time.sleep(0.2)
    finally:
        members = family(process.pid)
        for member in sorted(members, reverse=True):
            try:
                os.kill(member, 9)
            except ProcessLookupError:
                continue
        process.wait(20)
    return found, process.returncode in (0, -9)


COMMANDS = {
    "run": ["run", "paradigm:motor-imagery", "--user", "sim", "--headless", "--out", "run"],
    "demo": ["demo", "--headless", "--out", "demo"],
    "clinic": ["clinic", "--data", "clinic"],
    "view": ["view", "sim:motor-imagery?live=1"],
}


@pytest.mark.slow
@pytest.mark.requirement("SAF-098")
@pytest.mark.parametrize("name", list(COMMANDS))
def test_nothing_listens_outside_loopback(name: str, tmp_path: Path) -> None:
    found, well = watch([sys.executable, "-m", "bcikit", *COMMANDS[name]], tmp_path, 12.0)
    assert well, (tmp_path / "log").read_text(encoding="utf-8")[-2000:]
    assert found == []


@pytest.mark.slow
@pytest.mark.requirement("SAF-098")
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs Xvfb")
def test_nothing_listens_outside_loopback_with_the_live_window_open(tmp_path: Path) -> None:
    command = ["xvfb-run", "-a", sys.executable, "-m", "bcikit", "run", "paradigm:motor-imagery"]
    options = ["--source", "sim:motor-imagery?live=1", "--out", "run"]
    there = tmp_path / "run" / "session.json"
    found, well = watch([*command, *options], tmp_path, 12.0, display=True, until=there)
    assert well, (tmp_path / "log").read_text(encoding="utf-8")[-2000:]
    assert found == []
    assert there.is_file()


def test_the_test_sees_a_socket_that_is_open() -> None:
    script = "import socket, time; s = socket.create_server(('0.0.0.0', 0)); print('up', flush=True); time.sleep(30)"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert any(item.startswith("tcp 00000000:") for item in open_to_others(process.pid))
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
