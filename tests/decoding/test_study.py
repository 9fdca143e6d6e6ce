"""A study goes on where it was killed, computes nothing twice, and its table is the same however it came about."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mne
import numpy as np
import pytest

from bcikit.decoding.evaluation.study import COLUMNS, read_study, run_study
from bcikit.signal import ConfigError


def folder(root: Path) -> Path:
    """Return three people with two runs each, two classes that differ in power."""
    for person in range(3):
        place = root / f"sub-0{person + 1}"
        place.mkdir(parents=True)
        for run in range(2):
            rng = np.random.default_rng(10 * person + run)
            data = rng.normal(0, 1e-5, (4, 128 * 50))
            onsets = 1.0 + 2.0 * np.arange(24)
            names = [("T1", "T2")[k % 2] for k in range(24)]
            for onset, name in zip(onsets, names, strict=True):
                start = int(onset * 128)
                data[0 if name == "T1" else 2, start : start + 192] *= 2.0 + 0.5 * person
            raw = mne.io.RawArray(data, mne.create_info(["C3", "Cz", "C4", "Pz"], 128.0, "eeg"), verbose="ERROR")
            raw.set_annotations(mne.Annotations(onsets, [0] * 24, names))
            raw.save(place / f"run-{run}_raw.fif", verbose="ERROR")
    return root


STUDY = """
name = "small"
decoders = ["csp-lda", "mdm"]
splits = ["leave-run-out", "cross-subject", "shuffled"]
seeds = [0, 1]

[[data]]
path = "data"
paradigm = "motor-imagery"
events = { T1 = "left", T2 = "right" }
window = [0.0, 1.5]

[[pipeline]]
name = "8-30"
steps = [{ step = "bandpass", l_freq = 8.0, h_freq = 30.0 }]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("study")
    folder(root / "data")
    (root / "study.toml").write_text(STUDY)
    return root / "study.toml"


def table(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    run_study(study, out)
    return out


def test_the_table_has_a_row_a_person_and_job(study, whole):
    rows = table(whole)
    assert len(rows) == 2 * 3 * (1 + 1 + 2)
    assert set(COLUMNS) - {"seconds"} == set(rows[0])
    assert {row["subject"] for row in rows} == {"01", "02", "03"}
    assert all(float(row["accuracy"]) > 0.6 for row in rows)
    assert {row["tuned"] for row in rows} == {"within the training folds"}
    comparisons = json.loads((whole / "comparisons.json").read_text())
    assert len(comparisons) == 3
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert len(pandas.read_parquet(whole / "results.parquet")) == len(rows)


def test_nothing_is_computed_twice(study, whole):
    before = {file: file.stat().st_mtime_ns for file in (whole / "scores").iterdir()}
    again = run_study(study, whole)
    assert {file: file.stat().st_mtime_ns for file in (whole / "scores").iterdir()} == before
    assert again.missing == 0


def test_a_study_of_other_seeds_shares_what_is_the_same(study, whole, tmp_path):
    other = study.parent / "other.toml"
    other.write_text(STUDY.replace("seeds = [0, 1]", "seeds = [1]").replace('"mdm"', '"tangent-lr"'))
    n = len(list((whole / "scores").iterdir()))
    run_study(other, whole)
    # Only the new decoder's: 3 leave-run-out, 1 cross-subject, 3 shuffled; runs and people do not depend on the seed.
    assert len(list((whole / "scores").iterdir())) == n + 7 + 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_a_random_moment_it_resumes_to_the_same_table(study, whole, tmp_path, seed):
    command = [sys.executable, "-m", "bcikit", "evaluate", str(study), "--out", str(tmp_path / "out")]
    rng = np.random.default_rng(seed)
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=float(rng.uniform(2.0, 12.0)))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=30)
    done = subprocess.run(command, capture_output=True, timeout=300, text=True)
    assert done.returncode == 0, done.stderr
    run_study(study, whole)
    assert table(tmp_path / "out") == table(whole)


@pytest.mark.slow
def test_two_workers_one_of_them_killed_and_the_table_is_the_same(study, whole, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
    ):
        import threading

        def kill() -> None:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not list((tmp_path / "out").glob("scores/*.json")):
                time.sleep(0.05)
            worker = next(iter(cluster.workers.values()))
            os.kill(worker.process.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        run_study(study, tmp_path / "out", dask=cluster.scheduler_address)
        killer.join(timeout=60)
    run_study(study, whole)
    assert table(tmp_path / "out") == table(whole)


def test_a_wrong_study_lists_its_problems(tmp_path):
    (tmp_path / "s.toml").write_text('name = "x"\nwings = 2\n[[data]]\npath = "d"\n')
    with pytest.raises(ConfigError) as caught:
        read_study(tmp_path / "s.toml")
    text = str(caught.value)
    assert "wings is unknown" in text
    assert "paradigm is missing" in text
