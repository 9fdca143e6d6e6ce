"""Files that are whole or not there, alone, and on the disk: on this system, and as far as the others differ."""

import contextlib
import ctypes
import os
import stat
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bcikit.signal import disk

posix = pytest.mark.skipif(os.name != "posix", reason="rights and locks of POSIX")

HOLDER = """
import sys
from bcikit.signal.disk import lock
with open(sys.argv[1], "rb") as file:
    print(lock(file.fileno()), flush=True)
    sys.stdin.readline()
"""


def test_a_file_is_written_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    disk.write_whole(path, b"one")
    disk.write_whole(path, b"two\r\n\x1a\n")
    assert path.read_bytes() == b"two\r\n\x1a\n"
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


@posix
def test_what_is_private_is_so_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def put(fresh: Path, path: Path) -> None:
        seen.append(stat.S_IMODE(fresh.stat().st_mode))
        fresh.replace(path)

    monkeypatch.setattr(disk, "put", put)
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    path.chmod(0o644)
    disk.write_whole(path, b"one", private=True)
    assert seen == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"kept")
    path = tmp_path / "a.json"
    path.symlink_to(other)
    disk.write_whole(path, b"one")
    assert other.read_bytes() == b"kept"
    assert not path.is_symlink()


def test_what_was_there_stays_where_the_disk_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    disk.write_whole(path, b"one")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "sync", full)
    with pytest.raises(OSError, match="No space"):
        disk.write_whole(path, b"two")
    assert path.read_bytes() == b"one"
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.write_whole(tmp_path / "gone" / "a.json", b"one")


@posix
def test_the_name_of_a_new_file_is_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(disk.os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    disk.write_whole(tmp_path / "a.json", b"one")
    assert synced == [(tmp_path / "a.json").stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("knows", [True, False])
def test_macos_empties_the_memory_of_the_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, knows: bool) -> None:
    said = []

    def fcntl(handle: int, what: int) -> int:
        said.append(what)
        if not knows:
            raise OSError(45, "Operation not supported")
        return 0

    monkeypatch.setitem(sys.modules, "fcntl", types.SimpleNamespace(fcntl=fcntl, F_FULLFSYNC=51))
    monkeypatch.setattr(disk.os, "fsync", lambda handle: said.append("fsync"))
    monkeypatch.setattr(sys, "platform", "darwin")
    with (tmp_path / "a").open("wb") as file:
        disk.sync(file.fileno())
    # A network drive knows no such order: what every system has is then done.
    assert said == ([51] if knows else [51, "fsync"])


def test_a_file_that_somebody_reads_on_windows_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    class Held(type(tmp_path)):
        def replace(self, target: Path) -> Path:
            tries.append(target)
            if len(tries) < 3:
                raise PermissionError(13, "The process cannot access the file")
            return Path(os.fspath(self)).replace(target)

    monkeypatch.setattr(sys, "platform", "win32")
    fresh = Held(tmp_path / "fresh")
    fresh.write_bytes(b"new")
    disk.put(fresh, tmp_path / "a")
    assert len(tries) == 3
    assert (tmp_path / "a").read_bytes() == b"new"

    tries.clear()
    monkeypatch.setattr(disk, "PATIENCE_S", -1.0)
    with pytest.raises(PermissionError):
        disk.put(fresh, tmp_path / "a")
    assert len(tries) == 1


@posix
def test_elsewhere_a_right_that_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(type(tmp_path)):
        def replace(self, target: Path) -> Path:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk.time, "sleep", lambda seconds: pytest.fail("it waits"))
    with pytest.raises(PermissionError):
        disk.put(Refused(tmp_path / "fresh"), tmp_path / "a")


def test_a_file_is_locked_for_one_process_until_that_one_ends(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline().strip() == "True"
            with path.open("rb") as file:
                assert not disk.lock(file.fileno())
                # What is locked can be read and written all the same.
                assert file.read() == b"one"
            path.write_bytes(b"two")
        finally:
            holder.communicate("\n", timeout=60.0)
    with path.open("rb") as file:
        assert disk.lock(file.fileno())


class Kernel:
    """As much of Windows as a lock needs."""

    def __init__(self) -> None:
        self.locked: dict[tuple[int, int], int] = {}

    def LockFileEx(self, file, flags, reserved, low, high, place) -> int:
        assert (flags, reserved, low, high) == (1 | 2, 0, 1, 0)
        over = place._obj
        assert ctypes.sizeof(over) == 2 * ctypes.sizeof(ctypes.c_size_t) + 8 + ctypes.sizeof(ctypes.c_void_p)
        key = (file.value >> 8, over.offset_high << 32 | over.offset)
        if self.locked.setdefault(key, file.value) != file.value:
            return 0
        return 1


def test_on_windows_one_far_byte_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    monkeypatch.setattr(disk, "windows_api", lambda: kernel)
    monkeypatch.setattr(sys, "platform", "win32")
    # Handles of one file share their upper digits here.
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(get_osfhandle=lambda handle: 0xA00 | handle))
    assert disk.lock(3)
    assert not disk.lock(4)
    (key,) = kernel.locked
    assert key[1] > 1 << 60


def test_nobody_else_puts_files_on_the_disk_or_in_place_of_others() -> None:
    root = Path(disk.__file__).parents[1]
    found = []
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        for word in ("os.fsync", "os.replace", "flock", "import msvcrt"):
            if word in text and path != Path(disk.__file__):
                found.append((path.name, word))
    assert found == []


with contextlib.suppress(ImportError):
    import fcntl  # noqa: F401 - loaded before a test puts another in its place
