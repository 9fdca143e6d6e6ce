"""The checks of `bcikit doctor`: each says what it found and, where something is wrong, the exact fix."""

import datetime
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bcikit.cli.system_libraries import install_command, missing_libraries
from bcikit.signal import install_hint
from bcikit.signal.places import NoHomeError, user_home, user_place

OK, ADVICE, FAILED = "ok", "advice", "failed"
_MIN_FREE_GB = 5.0
_MADE, _LIFE_YEARS = 2026, 30
"""Year in which this version was made, and for how long somebody may use it: a date outside is a clock that was never
set, or an empty battery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckupFinding:
    """What one check found.

    Attributes
    ----------
    check : str
        What was looked at.
    state : str
        "ok"; "advice" (bcikit works, but not all of it); "failed" (it does not work).
    found : str
        What is there.
    fix : str
        What to type or do; empty where all is well.
    """

    check: str
    state: str
    found: str
    fix: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


def run_checks() -> list[CheckupFinding]:
    """Run all checks; one that breaks is itself a finding."""
    findings = []
    for name, check in CHECKS.items():
        try:
            findings.append(check(name))
        except Exception as error:  # noqa: BLE001  a doctor must not fall ill
            findings.append(
                CheckupFinding(
                    check=name,
                    state=FAILED,
                    found=f"{type(error).__name__}: {error}",
                    fix="Reinstall from the checkout: uv sync --reinstall. If it stays, report this line.",
                )
            )
    return findings


def _python(name: str) -> CheckupFinding:
    text = f"{platform.python_version()} ({platform.machine()}, {platform.system()})"
    if sys.version_info < (3, 11) or sys.maxsize < 2**32:
        return CheckupFinding(
            check=name, state=FAILED, found=text, fix="Install a 64-bit Python 3.11 or newer: uv python install 3.12"
        )
    return CheckupFinding(check=name, state=OK, found=text)


def _packages(name: str) -> CheckupFinding:
    names = ("numpy", "scipy", "mne", "scikit-learn", "pyriemann", "pyxdf", "skops", "pydantic")
    found, missing = [], []
    for package in names:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        return CheckupFinding(
            check=name,
            state=FAILED,
            found=f"missing: {', '.join(missing)}",
            fix=f"pip install {' '.join(missing)}",
        )
    return CheckupFinding(check=name, state=OK, found=", ".join(found))


def _liblsl(name: str) -> CheckupFinding:
    try:
        import pylsl

        number = pylsl.library_version()
    except (ImportError, RuntimeError, OSError) as error:
        fix = {
            "Darwin": "brew install labstreaminglayer/tap/lsl",
            "Windows": "pip install --force-reinstall pylsl",
        }.get(platform.system(), "pip install --force-reinstall pylsl, or put liblsl.so's path into PYLSL_LIB")
        return CheckupFinding(check=name, state=FAILED, found=str(error).splitlines()[0], fix=fix)
    return CheckupFinding(
        check=name, state=OK, found=f"pylsl {version('pylsl')}, liblsl {number // 100}.{number % 100}"
    )


def _brainflow(name: str) -> CheckupFinding:
    from bcikit.acquisition import open_source
    from bcikit.signal import BciError

    try:
        with open_source("brainflow:synthetic") as source:
            chunk = source.pull(3.0)
    except ModuleNotFoundError as error:
        # BrainFlow needs pkg_resources, which setuptools took out.
        fix = "pip install 'setuptools<81'" if error.name == "pkg_resources" else "pip install brainflow"
        return CheckupFinding(check=name, state=FAILED, found=str(error), fix=fix)
    except (BciError, OSError) as error:
        return CheckupFinding(check=name, state=FAILED, found=str(error), fix="pip install --force-reinstall brainflow")
    if chunk is None:
        return CheckupFinding(
            check=name, state=FAILED, found="its synthetic board gave nothing", fix="pip install -U brainflow"
        )
    return CheckupFinding(check=name, state=OK, found=f"brainflow {version('brainflow')}, the synthetic board streams")


_QT_PROBE = (
    "from PySide6.QtWidgets import QApplication, QLabel; import pyqtgraph;"
    "a = QApplication([]); w = QLabel('x'); w.show(); a.processEvents(); print('shown')"
)


def _qt(name: str) -> CheckupFinding:
    try:
        text = f"PySide6 {version('PySide6-Essentials')}, pyqtgraph {version('pyqtgraph')}"
    except PackageNotFoundError:
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found="no Qt: everything but the window works",
            fix=install_hint("gui"),
        )
    if version("PySide6-Essentials") == "6.12.0":
        return CheckupFinding(
            check=name,
            state=FAILED,
            found=f"{text}: this version aborts Python after some 2000 signals",
            fix="pip install 'PySide6-Essentials!=6.12.0'",
        )
    missing = missing_libraries()
    done = _probe({"QT_QPA_PLATFORM": "offscreen"}) if not missing else None
    if done is None or done.returncode:
        lines = [] if done is None else done.stderr.strip().splitlines()
        why = f"missing system libraries: {', '.join(missing)}" if missing else (lines or ["it does not start"])[-1]
        return CheckupFinding(check=name, state=ADVICE, found=f"{text}; {why}", fix=install_command(missing))
    return CheckupFinding(check=name, state=OK, found=text)


def _probe(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter and our own text
        [sys.executable, "-W", "ignore", "-c", _QT_PROBE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _display(name: str) -> CheckupFinding:
    if platform.system() == "Linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found="no display: sessions run headless",
            fix="Nothing to do on a server. With a screen: log in to the desktop, or use 'ssh -X'; "
            "without: 'xvfb-run bcikit demo'.",
        )
    try:
        done = _probe({})
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found="there is a display, but no window opens on it",
            fix=install_command(missing_libraries()),
        )
    return CheckupFinding(
        check=name, state=OK, found=os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY") or "yes"
    )


def _set_in(file: Path, section: str, line: str) -> str:
    """Return what to type for a setting of LSL's; a file that is there is not written over."""
    if platform.system() == "Windows" or file.exists():
        return f"in the file {file}, below a line [{section}], write {line}"
    return f"mkdir -p {file.parent} && printf '[{section}]\\n{line}\\n' > {file}"


def _lsl(name: str) -> CheckupFinding:
    """Send ourselves a stream, find it, and time how long a sample takes."""
    from bcikit.acquisition.lsl_library import lsl

    pylsl = lsl()

    identity = f"bcikit-doctor-{uuid.uuid4()}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("bcikit-doctor", "Test", 1, 100.0, "float32", identity))
    began = time.perf_counter()
    found = pylsl.resolve_byprop("source_id", identity, 1, 5.0)
    spent = time.perf_counter() - began
    file = user_home() / "lsl_api" / "lsl_api.cfg"
    fix = (
        "Multicast is blocked (firewall, VPN or container). On one machine, tell LSL to stay on it:\n"
        f"{_set_in(file, 'multicast', 'ResolveScope = machine')}\n"
        "Between machines: allow UDP 16571-16604 and TCP 16572-16604 for Python in the firewall, leave the VPN, or "
        f"name the other machine: {_set_in(file, 'lab', 'KnownPeers = {HOSTNAME}')}"
    )
    if not found:
        return CheckupFinding(
            check=name, state=FAILED, found="a stream sent to ourselves is not found within 5 s", fix=fix
        )
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(5.0)
    # The outlet takes note of its listener a moment after that one thinks that it listens.
    outlet.wait_for_consumers(5.0)
    outlet.push_sample([1.0])
    sample, stamp = inlet.pull_sample(3.0)
    if sample is None:
        return CheckupFinding(
            check=name, state=FAILED, found="a stream is found, but its samples do not arrive", fix=fix
        )
    late = 1e3 * (pylsl.local_clock() - stamp)
    inlet.close_stream()
    return CheckupFinding(check=name, state=OK, found=f"own stream found in {spent:.2f} s, a sample took {late:.2f} ms")


def _writable(name: str) -> CheckupFinding:
    places, problems = {Path.cwd()}, []
    try:
        places.add(user_place("data"))
    except NoHomeError as error:
        problems.append(str(error))
    free = float("inf")
    for place in sorted(places):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"bcikit")
            free = min(free, shutil.disk_usage(place).free / 1e9)
        except OSError as error:
            problems.append(f"{place}: {error.strerror or error}")
    if problems:
        return CheckupFinding(
            check=name,
            state=FAILED,
            found="; ".join(problems),
            fix="Use a folder of your own: cd ~, or pass --out ~/sessions/NAME; rights: chmod u+rwx FOLDER",
        )
    if free < _MIN_FREE_GB:
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found=f"{free:.1f} GB free",
            fix=f"Free at least {_MIN_FREE_GB:g} GB: an hour of 64 channels at 1000 Hz takes about 2 GB.",
        )
    return CheckupFinding(check=name, state=OK, found=f"{', '.join(map(str, sorted(places)))}; {free:.0f} GB free")


def _clock(name: str) -> CheckupFinding:
    import pylsl

    today = datetime.datetime.now().astimezone()
    if not _MADE <= today.year < _MADE + _LIFE_YEARS:
        return CheckupFinding(
            check=name,
            state=FAILED,
            found=f"it is {today:%Y-%m-%d %H:%M} here; recordings, consents and reports bear that date",
            fix="Set date and time: timedatectl set-ntp true; on Windows and macOS in the settings, automatically",
        )
    resolution = time.get_clock_info("perf_counter").resolution
    stamps = [pylsl.local_clock() for _ in range(2000)]
    step = min((b - a for a, b in itertools.pairwise(stamps) if b > a), default=1.0)
    late = []
    for _ in range(50):
        before = time.perf_counter()
        time.sleep(0.001)
        late.append(time.perf_counter() - before - 0.001)
    worst = 1e3 * sorted(late)[-3]
    text = f"resolution {1e9 * resolution:.0f} ns, LSL's clock steps {1e6 * step:.1f} us, sleep late by {worst:.1f} ms"
    if step > 1e-3 or worst > 15:
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found=text,
            fix="Close other programs; on Windows set the power plan to 'High performance': "
            "powercfg /setactive SCHEME_MIN",
        )
    return CheckupFinding(check=name, state=OK, found=text)


def _plugins(name: str) -> CheckupFinding:
    from bcikit.plugins import KINDS, plugins

    others = [plugin for kind in KINDS for plugin in plugins(kind) if not plugin.shipped]
    problems = []
    for plugin in others:
        try:
            plugin.load()
        except ImportError as error:
            problems.append((plugin.package, str(error)))
    if problems:
        packages = sorted({package for package, _ in problems})
        return CheckupFinding(
            check=name,
            state=ADVICE,
            found="\n".join(text for _, text in problems),
            fix=f"All else works without them. Mend or take out: pip uninstall {' '.join(packages)}",
        )
    packages = sorted({f"{plugin.package} {plugin.version}".strip() for plugin in others})
    return CheckupFinding(check=name, state=OK, found=", ".join(packages) or "none of other packages")


CHECKS: dict[str, Callable[[str], CheckupFinding]] = {
    "Python": _python,
    "packages": _packages,
    "plug-ins": _plugins,
    "liblsl": _liblsl,
    "BrainFlow": _brainflow,
    "Qt and its libraries": _qt,
    "display": _display,
    "LSL discovery": _lsl,
    "write access": _writable,
    "clock": _clock,
}
"""Each check by its name, in the order in which they are shown."""
