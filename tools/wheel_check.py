"""Tests what a stranger installs: builds the wheel, installs it without extras into an environment of its own, uses it.

    uv run python tools/wheel_check.py [--keep DIR]

It prints a line a check and exits with 1 if one failed: the commands of the README, an import of each room, the message
of each feature whose extra is missing, the package of `examples/plugin` with its own tests, and a device maker's tests,
the last also on an emulated Cyton that BrainFlow's driver reads.
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

MISSING = (
    ("gui", "view", "sim:motor-imagery"),
    ("gui", "view", "sim:motor-imagery", "--ward"),
    ("gui", "clinic"),
    ("gui", "validate", "timing"),
    ("outputs", "run", "ws.toml", "--headless"),
    ("formats", "export", "demo/session-001", "--edf", "left.edf", "--lossy"),
    ("formats", "export", "demo/session-001", "--bids", "bids"),
    ("crypto", "export", "demo/session-001", "--sealed", "left.sealed"),
    ("moabb", "evaluate", "moabb:BNCI2014_001", "--paradigm", "motor-imagery"),
)
"""An extra, and a command that needs it."""

SESSION = """
[source]
address = "sim:motor-imagery?seed=1"
[paradigm]
name = "motor-imagery"
[[outputs]]
address = "ws:127.0.0.1:0"
"""

IMPORTS = """
import importlib, pathlib, sys
import bcikit
for name in sorted(path.parent.name for path in pathlib.Path(bcikit.__path__[0]).glob("*/__init__.py")):
    importlib.import_module(f"bcikit.{name}")
assert "PySide6" not in sys.modules
assert importlib.util.find_spec("PySide6") is None, "the gui extra is installed"
print(bcikit.__version__, pathlib.Path(bcikit.__file__))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder to work in, left as it is afterwards")
    options = parser.parse_args()
    work = options.keep or Path(tempfile.mkdtemp(prefix="bcikit-wheel-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        return check(work)
    finally:
        if options.keep is None:
            shutil.rmtree(work, ignore_errors=True)


def check(work: Path) -> int:
    failed = 0

    def run(what: str, *command: str | Path, cwd: Path = work, expect: int = 0, says: str = "") -> str:
        nonlocal failed
        begin = time.monotonic()
        done = subprocess.run(
            [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=900, check=False
        )
        text = done.stdout + done.stderr
        good = done.returncode == expect and re.search(says, text) is not None
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what} ({time.monotonic() - begin:.1f} s)", flush=True)
        if not good:
            print(f"     {' '.join(map(str, command))}: exit code {done.returncode}, expected {expect} {says}")
            print(text[-4000:])
        return text

    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"QT_QPA_PLATFORM": "offscreen", "MPLBACKEND": "Agg", "COLUMNS": "200"}
    run("the wheel builds", "uv", "build", "-q", "--wheel", "--out-dir", work / "dist", cwd=ROOT)
    (wheel,) = (work / "dist").glob("*.whl")
    home = work / "env"
    env["VIRTUAL_ENV"] = str(home)
    run("an environment", "uv", "venv", "-q", "--allow-existing", "--python", sys.executable, home)
    run("the wheel installs, nothing else asked for", "uv", "pip", "install", "-q", wheel)
    bin_ = home / ("Scripts" if os.name == "nt" else "bin")
    python, bcikit = bin_ / "python", bin_ / "bcikit"
    run("every room is imported", python, "-c", IMPORTS, says=re.escape(str(home)))
    run("bcikit --version", bcikit, "--version", says=r"bcikit \d")
    run("bcikit doctor", bcikit, "doctor")
    run("bcikit demo --headless", bcikit, "demo", "--headless", "--out", work / "demo")
    run("its session replays", bcikit, "replay", work / "demo", "--check")
    (work / "ws.toml").write_text(SESSION)
    env["BCIKIT_PASSPHRASE"] = "twelve letters"
    for extra, *words in MISSING:
        run(f"without {extra}: {words[0]} says how to get it", bcikit, *words, expect=2, says=rf"--extra {extra}'")
    run("uvx runs the wheel", "uvx", "-q", "--from", wheel, "openbcikit", "--version", says=r"bcikit \d")
    plugin = work / "plugin"
    shutil.copytree(ROOT / "examples" / "plugin", plugin, dirs_exist_ok=True)
    run("a stranger's package installs", "uv", "pip", "install", "-q", "pytest", plugin)
    run("a stranger's package passes and its session replays", python, "-m", "pytest", "-q", "tests", cwd=plugin)
    maker = work / "device-maker"
    shutil.copytree(ROOT / "examples" / "device-maker", maker, dirs_exist_ok=True)
    run(
        "a maker's reports are signed with an extra",
        "uv",
        "pip",
        "install",
        "-q",
        f"openbcikit[crypto] @ {wheel.as_uri()}",
    )
    run("a device maker's tests pass", python, "-m", "pytest", "-q", cwd=maker)
    with emulated_cyton(python, env) as address:
        words = ["-m", "pytest", "-q", "-k", "stream", f"--bcikit-source={address}"]
        run("its stream tests pass on an emulated Cyton, through BrainFlow's driver", python, *words, cwd=maker)
        out = work / "device-report"
        words = ["validate", address, "--quick", "--tests", "V-LOSS", "--out", out]
        run("a quick check of that Cyton says GO", bcikit, *words, cwd=maker, says="GO")
        run("its signed report verifies", bcikit, "verify", out)
    print(f"{failed} failed")
    return int(failed > 0)


@contextlib.contextmanager
def emulated_cyton(python: Path, env: dict[str, str]) -> Iterator[str]:
    """Run the emulated board of the installed package; give the address that it prints."""
    command = [str(python), "-m", "bcikit.testing", "cyton"]
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            # It ends when nobody is at its input any more.
            process.stdin.close()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
