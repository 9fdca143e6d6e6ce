"""The main job, whole, through the command line: real EEG over LSL, and the simulated user."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import pyxdf


def bcikit(*arguments: object, timeout: float) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bcikit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_real_eeg_through_lsl_is_decoded_trial_by_trial(data_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = bcikit(
        "demo", "--headless", "--data", data_dir / "eegmmidb", "--task", "fists-feet", "--out", out, timeout=360
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert result["n_trials"] == 15
    assert result["online_accuracy"] >= 0.8
    assert result["online_accuracy"] > result["chance_upper"]
    assert result["lost_samples"] == 0
    assert result["latency_ms"]["p50"] is not None
    assert result["gate"]["allowed"] > 0
    assert result["ended"] == "finished"
    assert (out / "report.html").stat().st_size > 50_000
    assert bcikit("replay", out, "--check", timeout=200).returncode == 0


@pytest.mark.slow
def test_the_simulated_user_and_a_second_demo_in_the_same_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        done = bcikit("demo", "--headless", "--out", out, timeout=110)
        assert done.returncode == 0, done.stderr
    results = [json.loads((path / "result.json").read_text(encoding="utf-8")) for path in sorted(out.glob("session-*"))]
    assert len(results) == 2
    assert results[0]["decisions_sha256"] == results[1]["decisions_sha256"]
    assert results[0]["above_chance"]
    assert json.loads((out / "result.json").read_text(encoding="utf-8")) == results[1]


def test_a_recording_of_the_synthetic_board_is_xdf(tmp_path: Path) -> None:
    done = bcikit("record", "brainflow:synthetic", "--duration", 3, "--out", tmp_path / "rec", timeout=60)
    assert done.returncode == 0, done.stderr
    file = next((tmp_path / "rec").rglob("*.xdf"))
    streams, _ = pyxdf.load_xdf(str(file))
    samples = next(stream for stream in streams if stream["info"]["type"][0] == "EEG")
    assert samples["time_series"].shape[0] == pytest.approx(750, abs=60)
