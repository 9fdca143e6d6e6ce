"""What the doctor finds on a computer that is not in order."""

import contextlib
import datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace

import pytest

from bcikit.cli import checkup, system_libraries
from bcikit.signal import SourceError


@pytest.mark.parametrize(("year", "good"), [(1970, False), (2025, False), (2026, True), (2055, True), (2056, False)])
def test_a_date_that_cannot_be_is_a_fault(monkeypatch: pytest.MonkeyPatch, year: int, good: bool) -> None:
    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(year, 6, 1, 12, 30, tzinfo=tz)

    monkeypatch.setattr(checkup.datetime, "datetime", Clock)
    found = checkup.CHECKS["clock"]("clock")
    if good:
        assert found.state != checkup.FAILED
        assert "resolution" in found.found
    else:
        assert found.state == checkup.FAILED
        assert f"it is {year}-06-01 12:30 here" in found.found
        assert "timedatectl" in found.fix


def test_who_has_no_home_is_told_by_the_check_of_write_access(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(kind: str) -> None:
        raise checkup.NoHomeError("This user has no home folder: set HOME")

    monkeypatch.setattr(checkup, "user_place", none)
    found = checkup.CHECKS["write access"]("write access")
    assert found.state == checkup.FAILED
    assert "set HOME" in found.found


def _check(name: str) -> checkup.CheckupFinding:
    return checkup.CHECKS[name](name)


def test_a_check_that_breaks_is_itself_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> checkup.CheckupFinding:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(checkup, "CHECKS", {"clock": broken})
    (found,) = checkup.run_checks()
    assert (found.state, found.found) == (checkup.FAILED, "RuntimeError: no such thing")
    assert "uv sync --reinstall" in found.fix


def test_an_old_python_and_missing_packages_are_named_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup.sys, "version_info", (3, 10, 4))
    found = _check("Python")
    assert found.state == checkup.FAILED
    assert "uv python install" in found.fix
    real = checkup.version

    def version(package: str) -> str:
        if package in ("mne", "pyxdf"):
            raise PackageNotFoundError(package)
        return real(package)

    monkeypatch.setattr(checkup, "version", version)
    found = _check("packages")
    assert (found.state, found.found, found.fix) == (checkup.FAILED, "missing: mne, pyxdf", "pip install mne pyxdf")


@pytest.mark.parametrize(
    ("system", "fix"), [("Linux", "PYLSL_LIB"), ("Darwin", "brew install"), ("Windows", "--force-reinstall pylsl")]
)
def test_a_liblsl_that_does_not_load_is_mended_as_the_system_does(
    monkeypatch: pytest.MonkeyPatch, system: str, fix: str
) -> None:
    import pylsl

    def none() -> int:
        raise OSError("liblsl.so: cannot open\nmore of it")

    monkeypatch.setattr(pylsl, "library_version", none)
    monkeypatch.setattr(checkup.platform, "system", lambda: system)
    found = _check("liblsl")
    assert (found.state, found.found) == (checkup.FAILED, "liblsl.so: cannot open")
    assert fix in found.fix


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (ModuleNotFoundError("No module named 'pkg_resources'", name="pkg_resources"), "pip install 'setuptools<81'"),
        (ModuleNotFoundError("No module named 'brainflow'", name="brainflow"), "pip install brainflow"),
        (SourceError("the board is busy"), "pip install --force-reinstall brainflow"),
    ],
)
def test_a_brainflow_that_does_not_start_is_told_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, error: Exception, fix: str
) -> None:
    def broken(address: str) -> None:
        raise error

    monkeypatch.setattr("bcikit.acquisition.open_source", broken)
    found = _check("BrainFlow")
    assert (found.state, found.found, found.fix) == (checkup.FAILED, str(error), fix)


def test_a_board_that_gives_nothing_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = SimpleNamespace(pull=lambda timeout: None)
    monkeypatch.setattr("bcikit.acquisition.open_source", lambda address: contextlib.nullcontext(silent))
    assert _check("BrainFlow").found == "its synthetic board gave nothing"


def test_what_keeps_a_window_from_opening_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkup.version
    versions = {"PySide6-Essentials": "6.12.0"}
    monkeypatch.setattr(checkup, "version", lambda package: versions.get(package) or real(package))
    assert "'PySide6-Essentials!=6.12.0'" in _check("Qt and its libraries").fix
    versions["PySide6-Essentials"] = "6.9.1"
    monkeypatch.setattr(system_libraries.ctypes.util, "find_library", lambda name: None if name == "EGL" else "there")
    monkeypatch.setattr(system_libraries.shutil, "which", lambda program: program if program == "apt-get" else None)
    found = _check("Qt and its libraries")
    assert found.state == checkup.ADVICE
    assert "missing system libraries: EGL" in found.found
    assert found.fix == "sudo apt-get install -y libegl1"
    monkeypatch.setattr(system_libraries.ctypes.util, "find_library", lambda name: "there")
    ended = SimpleNamespace(returncode=1, stderr="first\nqt.qpa: could not connect\n")
    monkeypatch.setattr(checkup, "_probe", lambda environment: ended)
    assert _check("Qt and its libraries").found.endswith("; qt.qpa: could not connect")

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(checkup, "version", missing)
    assert _check("Qt and its libraries").found == "no Qt: everything but the window works"


def test_a_display_on_which_no_window_opens_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup.platform, "system", lambda: "Linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":77")

    def hangs(environment: dict[str, str]) -> None:
        raise checkup.subprocess.TimeoutExpired("python", 60)

    monkeypatch.setattr(checkup, "_probe", hangs)
    found = _check("display")
    assert (found.state, found.found) == (checkup.ADVICE, "there is a display, but no window opens on it")
    monkeypatch.setattr(checkup, "_probe", lambda environment: SimpleNamespace(returncode=0))
    assert (_check("display").state, _check("display").found) == (checkup.OK, ":77")
    monkeypatch.delenv("DISPLAY")
    assert "xvfb-run bcikit demo" in _check("display").fix


class _Lsl:
    """A library of streams on a machine whose network is not in order."""

    def __init__(self, *, found: bool) -> None:
        self.found = found
        self.StreamInfo = self.StreamOutlet = self.StreamInlet = lambda *_, **__: self

    def resolve_byprop(self, *_: object) -> list[object]:
        return [self] if self.found else []

    def open_stream(self, timeout: float) -> None:
        pass

    def wait_for_consumers(self, timeout: float) -> bool:
        return True

    def push_sample(self, sample: list[float]) -> None:
        pass

    def pull_sample(self, timeout: float) -> tuple[None, None]:
        return None, None


@pytest.mark.parametrize(
    ("found", "said"), [(False, "is not found within 5 s"), (True, "a stream is found, but its samples do not arrive")]
)
def test_a_network_that_keeps_streams_apart_is_told_how_to_stay_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, found: bool, said: str
) -> None:
    monkeypatch.setattr("bcikit.acquisition.lsl_library.lsl", lambda: _Lsl(found=found))
    finding = _check("LSL discovery")
    assert finding.state == checkup.FAILED
    assert said in finding.found
    assert "ResolveScope = machine" in finding.fix


def test_a_disk_that_is_nearly_full_or_not_ours_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkup, "user_place", lambda kind: tmp_path / kind)
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda place: SimpleNamespace(free=1.5e9))
    found = _check("write access")
    assert (found.state, found.found) == (checkup.ADVICE, "1.5 GB free")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    monkeypatch.setattr(checkup, "user_place", lambda kind: tmp_path / "file" / kind)
    found = _check("write access")
    assert found.state == checkup.FAILED
    assert f"{tmp_path / 'file' / 'data'}: " in found.found
    assert "--out" in found.fix


def test_a_machine_that_wakes_late_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    real = checkup.time.perf_counter
    late = [0.0]

    def sleep(seconds: float) -> None:
        late[0] += 0.05

    monkeypatch.setattr(checkup.time, "sleep", sleep)
    monkeypatch.setattr(checkup.time, "perf_counter", lambda: real() + late[0])
    found = _check("clock")
    assert found.state == checkup.ADVICE
    assert "sleep late by 49" in found.found


@pytest.mark.parametrize(
    ("program", "command"),
    [("dnf", "sudo dnf install -y libglvnd-egl"), ("", "Install with the system's package manager: EGL")],
)
def test_libraries_are_installed_as_the_system_does(
    monkeypatch: pytest.MonkeyPatch, program: str, command: str
) -> None:
    monkeypatch.setattr(system_libraries.shutil, "which", lambda name: name if name == program else None)
    assert system_libraries.install_command(["EGL"]) == command
    monkeypatch.setattr(system_libraries.platform, "system", lambda: "Darwin")
    assert system_libraries.install_command([]) == "pip install --force-reinstall PySide6-Essentials"
    assert system_libraries.missing_libraries(screen=True) == []


def test_what_is_advised_for_lsl_can_be_typed_and_writes_nothing_over(monkeypatch, tmp_path: Path) -> None:
    file = tmp_path / "lsl_api" / "lsl_api.cfg"
    monkeypatch.setattr(checkup.platform, "system", lambda: "Linux")
    assert checkup._set_in(file, "multicast", "ResolveScope = machine").startswith(f"mkdir -p {file.parent} && printf")
    monkeypatch.setattr(checkup.platform, "system", lambda: "Windows")
    there = f"in the file {file}, below a line [multicast], write ResolveScope = machine"
    assert checkup._set_in(file, "multicast", "ResolveScope = machine") == there
    monkeypatch.setattr(checkup.platform, "system", lambda: "Linux")
    file.parent.mkdir()
    file.write_text("[lab]\nKnownPeers = {other}\n")
    assert checkup._set_in(file, "multicast", "ResolveScope = machine") == there
