"""A study goes on where it was killed, computes nothing twice, and its table is the same however it came about."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mne
import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding.evaluation.cache import read_subject
from bcikit.decoding.evaluation.study import COLUMNS, read_study, run_study, tasks_of
from bcikit.signal import ArgumentError, BciError, ConfigError, DataError


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


def test_a_person_whose_code_is_put_right_is_not_found_under_the_old_one(study, whole, tmp_path):
    shutil.copytree(study.parent / "data", tmp_path / "data")
    shutil.copy(study, tmp_path / "study.toml")
    out = shutil.copytree(whole, tmp_path / "out")
    (person,) = tmp_path.joinpath("data").glob("*01")
    person.rename(person.with_name(person.name.replace("01", "11")))
    done = run_study(tmp_path / "study.toml", out)
    rows = table(done.place)
    assert {row["subject"] for row in rows} == {"02", "03", "11"}
    # Who withdraws under the new code finds the trials.
    assert {read_subject(place) for place in (out / "trials").glob("*.npz")} >= {"11"}


def test_a_study_of_other_seeds_shares_what_is_the_same(study, whole, tmp_path):
    other = study.parent / "other.toml"
    other.write_text(STUDY.replace("seeds = [0, 1]", "seeds = [1]").replace('"mdm"', '"tangent-lr"'))
    both = shutil.copytree(whole, tmp_path / "both")
    n = len(list((both / "scores").iterdir()))
    done = run_study(other, both)
    # Only the new decoder's: 3 leave-run-out, 1 cross-subject, 3 shuffled; runs and people do not depend on the seed.
    assert len(list((both / "scores").iterdir())) == n + 7 + 4
    # Its tables do not take the place of the first one's.
    assert table(both) == table(whole)
    assert done.place == both / "other"
    assert {row["decoder"] for row in table(both / "other")} == {"csp-lda", "tangent-lr"}
    assert "the study small of" in done.said[0]
    assert run_study(other, both).place == both / "other"
    again = run_study(study, both)
    assert (again.place, again.said) == (both, ())


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_damaged_files_of_the_cache_are_made_again(study, whole, tmp_path, damage):
    both = shutil.copytree(whole, tmp_path / "both")
    for file in (both / "trials").iterdir():
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(bytes(data) if damage is None else damage)
    first, second = sorted((both / "scores").iterdir())[:2]
    first.write_text("{")
    second.unlink()
    assert run_study(study, both).missing == 0
    assert table(both) == table(whole)


def test_a_study_that_asks_for_less_keeps_its_earlier_table_aside(study, whole, tmp_path):
    both = shutil.copytree(whole, tmp_path / "both")
    edited = tmp_path / "study.toml"
    text = STUDY.replace('path = "data"', f'path = "{study.parent / "data"}"')
    edited.write_text(text)
    assert run_study(edited, both).said == ()
    edited.write_text(text.replace('"csp-lda", ', ""))
    done = run_study(edited, both)
    assert "before-1" in done.said[0]
    assert table(both / "before-1") == table(whole)
    assert {row["decoder"] for row in table(both)} == {"mdm"}


def killed(study: Path, out: Path, *, times: int, seed: int, whole: Path) -> None:
    """Kill a study at random moments, at least once with some of its scores there, and let it finish."""
    command = [sys.executable, "-m", "bcikit", "evaluate", str(study), "--out", str(out)]
    rng = np.random.default_rng(seed)
    n_all = len(list((whole / "scores").glob("*.json")))
    for number in range(times):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # How far it gets is drawn, not how long it takes: machines differ.
        goal = len(list(out.glob("scores/*.json"))) + int(rng.integers(0, max(n_all // times, 2)))
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            if len(list(out.glob("scores/*.json"))) >= goal and (number or (out / "trials").is_dir()):
                time.sleep(float(rng.uniform(0.0, 0.3)))
                break
            time.sleep(0.02)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    done = subprocess.run(command, capture_output=True, timeout=1200, text=True)
    assert done.returncode == 0, done.stderr
    assert table(out) == table(whole)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_twice_it_resumes_to_the_same_table(study, tmp_path, tmp_path_factory):
    small = study.parent / "small.toml"
    small.write_text(STUDY.replace('["leave-run-out", "cross-subject", "shuffled"]', '["leave-run-out"]'))
    whole = tmp_path_factory.mktemp("small")
    run_study(small, whole)
    killed(small, tmp_path / "out", times=2, seed=0, whole=whole)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_ten_times_it_resumes_to_the_same_table(study, whole, tmp_path):
    # The moments are drawn; other ones with another seed: BCIKIT_SEED=7 pytest -m soak ...
    killed(study, tmp_path / "out", times=10, seed=int(os.environ.get("BCIKIT_SEED", "1")), whole=whole)


@pytest.mark.slow
@pytest.mark.timeout(600)
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


@pytest.fixture(scope="module")
def two_sets(study) -> str:
    """Return a study of two data sets, people 1 and 2 in one, 3 in the other."""
    root = study.parent
    for name, people in (("first", ("01", "02")), ("second", ("03",))):
        (root / name).mkdir()
        for person in people:
            shutil.copytree(root / "data" / f"sub-{person}", root / name / f"sub-{person}")
    one = 'paradigm = "motor-imagery"\nevents = { T1 = "left", T2 = "right" }\nwindow = [0.0, 1.5]\n'
    return (
        'decoders = ["csp-lda"]\nsplits = SPLITS\n[[data]]\npath = "first"\n'
        + one
        + '[[data]]\npath = "second"\n'
        + one
    )


def test_across_data_sets_and_with_few_trials(study, two_sets, tmp_path):
    path = study.parent / "across.toml"
    path.write_text(two_sets.replace("SPLITS", '["cross-data-set", "few-shot", "learning-curve", "within-session"]'))
    done = run_study(path, tmp_path)
    found = {(row["data"], row["split"], row["subject"]): row["accuracy"] for row in done.rows}
    assert {key[1] for key in found} == {
        "cross-data-set", "few-shot-5", "few-shot-10", "within-session"
    }  # fmt: skip
    assert {key[2] for key in found if key[1] == "cross-data-set"} == {"01", "02", "03"}
    assert all(value > 0.6 for key, value in found.items() if key[1] == "cross-data-set")
    assert "other data sets" in done.definitions["cross-data-set"]
    assert done.memory > 0


def test_two_data_sets_are_compared_over_both(study, two_sets, tmp_path):
    path = study.parent / "meta.toml"
    path.write_text(two_sets.replace("SPLITS", '["leave-run-out"]').replace('["csp-lda"]', '["csp-lda", "mdm"]'))
    done = CliRunner().invoke(app, ["evaluate", str(path), "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "2 data sets / default / leave-run-out" in done.output
    ((one,),) = json.loads((tmp_path / "meta-analysis.json").read_text()).values()
    assert one["n_people"] == 3
    assert 0 < one["p"] <= 1


def test_data_sets_that_do_not_fit_are_refused_by_name(study, two_sets, tmp_path):
    path = study.parent / "misfit.toml"
    text = two_sets.replace("SPLITS", '["cross-data-set"]')
    path.write_text(text[::-1].replace('"thgir"', '"tfel-reh"', 1)[::-1])
    with pytest.raises(DataError, match=r"first has the classes left, right, second has her-left, left"):
        run_study(path, tmp_path)
    alone = study.parent / "alone.toml"
    alone.write_text(text.partition('[[data]]\npath = "second"')[0])
    with pytest.raises(DataError, match="only data set"):
        run_study(alone, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"cross-subject"', '"cross-session"', "cross-session needs two sessions of each person; each has one"),
        ('"shuffled"]', '"cross-data-set"]', "only data set of the study"),
        ('"shuffled"]', '"sorted"]', "split is 'sorted'"),
        ('"bandpass"', '"bandpas"', "pipeline 8-30: .*Did you mean 'bandpass'"),
        ('"mdm"]', '"mdn"]', "decoder is 'mdn'"),
        ("[[data]]", '[[decoder]]\nname = "a"\ndecoder = "mdm"\nparams = { x = 1 }\n[[data]]', "decoder a: .*is 'x'"),
    ],
)
def test_what_no_data_could_change_is_refused_before_they_are_read(study, tmp_path, old, new, said):
    path = study.parent / "early.toml"
    path.write_text(STUDY.replace(old, new))
    read = []
    with pytest.raises(BciError, match=said):
        run_study(path, tmp_path / "out", progress=lambda *step: read.append(step))
    assert not read
    assert not (tmp_path / "out").exists()


def test_a_split_that_the_table_of_recordings_rules_out_is_refused_before_they_are_read(study):
    command = ["evaluate", str(study.parent / "data" / "sub-01"), "-p", "motor-imagery", "--events", "T1=l,T2=r"]
    done = CliRunner().invoke(app, [*command, "--split", "cross-subject"])
    assert isinstance(done.exception, DataError)
    assert "cross-subject needs two people; there is one" in str(done.exception)
    assert "Reading" not in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["STUDY", "--decoder", "mdm", "--split", "shuffled"], "--decoder, --split would change nothing in a study"),
        (
            ["DATA", "--pseudo-online", "--split", "shuffled", "--card", "c.json"],
            "--split, --card would change nothing",
        ),
        (["DATA", "--transfer", "--jobs", "2"], "--jobs would change nothing in --transfer"),
        (["DATA", "--confidence", "0.8"], "--confidence would change nothing in an evaluation without --pseudo-online"),
    ],
)
def test_options_that_would_change_nothing_are_refused(study, options, said):
    there = {"STUDY": str(study), "DATA": str(study.parent / "data")}
    done = CliRunner().invoke(app, ["evaluate", *[there.get(word, word) for word in options]])
    assert isinstance(done.exception, ArgumentError)
    assert said in str(done.exception)


def test_decoders_with_parameters_of_their_own_are_told_apart(study, tmp_path):
    path = study.parent / "params.toml"
    more = "".join(
        f'[[decoder]]\nname = "csp {n}"\ndecoder = "csp-lda"\nparams = {{ n_filters = {n} }}\n' for n in (1, 4)
    )
    path.write_text(
        STUDY.replace('decoders = ["csp-lda", "mdm"]\n', "").replace(', "cross-subject", "shuffled"', "") + more
    )
    done = run_study(path, tmp_path)
    assert {row["decoder"] for row in done.rows} == {"csp 1", "csp 4"}
    assert len({row["key"] for row in done.rows}) == len(done.rows)


def test_a_wrong_study_lists_its_problems(tmp_path):
    (tmp_path / "s.toml").write_text('name = "x"\nwings = 2\n[[data]]\npath = "d"\n')
    with pytest.raises(ConfigError) as caught:
        read_study(tmp_path / "s.toml")
    text = str(caught.value)
    assert "wings is unknown" in text
    assert "paradigm is missing" in text


def test_codes_are_not_evaluated_behind_filters_that_take_them_out(tmp_path):
    file = tmp_path / "s.toml"
    data = '[[data]]\npath = "d"\nparadigm = "cvep"\nevents = { a = "l", b = "r" }\n'
    file.write_text(data)
    with pytest.raises(
        ConfigError, match=r"is c-VEP, whose codes the usual filters take out: write a \[\[pipeline\]\]"
    ):
        read_study(file)
    file.write_text(data + '[[pipeline]]\nname = "p"\nsteps = []\n')
    assert read_study(file).data[0].paradigm == "cvep"


def test_two_things_of_one_name_are_refused(tmp_path):
    file = tmp_path / "s.toml"
    data = '[[data]]\npath = "{}"\nparadigm = "motor-imagery"\nevents = {{ T1 = "l", T2 = "r" }}\n'
    pipeline = '[[pipeline]]\nname = "p"\nsteps = []\n'
    file.write_text('decoders = ["mdm", "mdm"]\nseeds = [1, 1]\n' + data.format("a") + 2 * pipeline)
    with pytest.raises(ConfigError) as caught:
        read_study(file)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "pipeline.name", "decoders and decoder.name", "seeds",
    ]  # fmt: skip
    for place in ("a", "b"):
        folder(tmp_path / place / "data")
    file.write_text(data.format("a/data") + data.format("b/data"))
    with pytest.raises(DataError, match=r"Two data sets are called 'data' .*a/data and .*b/data.*give each a name"):
        list(tasks_of(read_study(file)))
