"""Everything the package adds passes bcikit's own suites, and a session that uses all of it runs and replays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nlab.driver import SimulatedLamp
from nlab.output import Logbook
from nlab.step import Median

import bcikit
from bcikit.paradigms import make_paradigm
from bcikit.testing import (
    DecoderConformance,
    DriverConformance,
    OutputConformance,
    ParadigmConformance,
    SourceConformance,
    StepConformance,
)

ROOT = Path(__file__).parents[1]


class TestSource(SourceConformance):
    def open(self):
        return bcikit.open_source("nlab:?minutes=1")


class TestStep(StepConformance):
    def make(self):
        return Median(strength=0.5)


class TestDecoder(DecoderConformance):
    name = "logvar"


class TestParadigm(ParadigmConformance):
    def make(self):
        return make_paradigm("lamp")


class TestOutput(OutputConformance):
    command = ("on", "left")

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "logbook.txt"

    def open(self):
        return Logbook(str(self.path))


class TestDriver(DriverConformance):
    command = ("on", 1.0, {})

    def open(self):
        return SimulatedLamp()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bcikit", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_it_is_listed():
    rows = json.loads(run("plugins", "--json").stdout)
    ours = {(row["kind"], row["name"]) for row in rows if row["package"] == "nlab"}
    assert {kind for kind, _ in ours} == {"sources", "steps", "decoders", "paradigms", "outputs", "drivers", "formats"}
    assert not any(row["problem"] for row in rows)


def test_a_session_with_all_of_it_runs_and_replays(tmp_path: Path):
    file = tmp_path / "session.toml"
    file.write_text((ROOT / "session.toml").read_text())
    assert run("check", "session", str(file)).returncode == 0
    done = run("run", str(file), "--headless", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["online_accuracy"] > 0.8
    replayed = run("replay", str(tmp_path / "out"), "--check")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_a_file_of_its_format_is_read_by_content_and_imported(tmp_path: Path):
    file = tmp_path / "run.anything"
    rows = "\n".join(f"{20 * (k % 2)} {k % 7} {k % 5}" for k in range(1000))
    file.write_text(f"NLAB 200\n{rows}\n")
    recording = bcikit.read_recording(file)
    assert (recording.info.sfreq, recording.n_times, recording.data[1, 0]) == (200.0, 1000, 20.0)
    done = run("import", str(file), "--out", str(tmp_path / "session"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nlab" in run("import", "--list-formats").stdout


def test_its_device_is_found():
    from bcikit.acquisition import reachable_devices

    assert [device.what for device in reachable_devices(wait=0.1) if device.address.startswith("nlab:")] == [
        "laboratory"
    ]
