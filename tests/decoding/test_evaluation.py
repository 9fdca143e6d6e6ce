"""The evaluation as a user runs it: on folders, by the command, on real recordings, on clusters, in MOABB."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit import record
from bcikit.cli.app import app, main
from bcikit.decoding import Epochs, Model, make_decoder
from bcikit.decoding.evaluation import page
from bcikit.decoding.evaluation import run as run_module
from bcikit.decoding.evaluation.layouts import find_tasks
from bcikit.decoding.evaluation.parallel import run_jobs
from bcikit.decoding.evaluation.run import evaluate_task
from bcikit.decoding.evaluation.splits import split_names, values_of
from bcikit.decoding.evaluation.task import Run, SubjectTrials, Task, load_person, load_task
from bcikit.decoding.metrics import ece
from bcikit.signal import ArgumentError, DataError, Event, Recording, SourceError, StreamInfo


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return two people with two sessions of two runs each, 4 channels, 12 trials a run, as FIF."""
    root = tmp_path_factory.mktemp("data")
    for person in range(2):
        for session in range(2):
            place = root / f"p{person}" / f"s{session}"
            place.mkdir(parents=True)
            for run in range(2):
                rng = np.random.default_rng(100 * person + 10 * session + run)
                data = rng.standard_normal((12 * 300 + 200, 4)) * 5
                time = np.arange(len(data)) / 100.0
                events = []
                for trial in range(12):
                    start, side = 100 + 300 * trial, trial % 2
                    data[start : start + 250, side] += 15 * np.sin(2 * np.pi * 12 * time[:250] + rng.uniform(0, 6))
                    events.append(Event(name=f"T{side + 1}", time=start / 100.0, sample=start))
                info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "C4", "Cz", "Pz"))
                recording = Recording.from_arrays(info, data, events=tuple(events))
                recording.to_mne().save(place / f"run{run}_raw.fif", verbose="ERROR")
    return root


EVENTS = "T1=left,T2=right"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_evaluate_prints_every_split_and_writes_the_page(folder, tmp_path):
    result = run(
        "evaluate", folder, "-p", "motor-imagery", "-d", "csp-lda", "-d", "mdm", "--events", EVENTS, "--out", tmp_path
    )
    assert result.exit_code == 0, result.output
    for word in ("shuffled", "leave-run-out", "cross-session", "cross-subject", "csp-lda", "mdm"):
        assert word in result.output
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values[0]["n_subjects"] == 2
    assert values[0]["n_trials"] == 96
    assert values[0]["results"]["csp-lda"]["cross-session"]["mean"] > 0.9
    page = (tmp_path / "evaluation.html").read_text()
    assert page.count("data:image/png;base64,") >= 4
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert 'src="/' not in page


def test_what_was_computed_before_an_interrupt_is_kept(folder, tmp_path, monkeypatch):
    whole = run_module.evaluate_part
    seen = []

    def impatient(*arguments, **more):
        seen.append(1)
        if len(seen) > 2:
            raise KeyboardInterrupt
        return whole(*arguments, **more)

    monkeypatch.setattr(run_module, "evaluate_part", impatient)
    result = run(
        "evaluate", folder, "-p", "motor-imagery", "-d", "csp-lda", "-d", "mdm", "--events", EVENTS, "--out", tmp_path
    )
    assert result.exit_code == 1
    assert "were not computed: it was stopped" in result.output
    (values,) = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["stopped"]
    assert values["results"]
    assert "stopped (Ctrl-C)" in json.dumps(values["failures"])
    assert (tmp_path / "evaluation.html").is_file()


def test_evaluate_as_json_holds_nothing_else(folder):
    result = run(
        "evaluate", folder, "-p", "motor-imagery", "-d", "csp-lda", "--events", EVENTS, "--split", "shuffled", "--json"
    )
    assert list(json.loads(result.stdout)[0]["results"]["csp-lda"]) == ["shuffled"]


def test_train_writes_a_model_that_loads(folder, tmp_path):
    out = tmp_path / "m.skops"
    result = run("train", folder / "p0", "-p", "motor-imagery", "-d", "csp-lda", "--events", EVENTS, "--out", out)
    assert result.exit_code == 0, result.output
    assert "Held out" in result.output
    model = Model.load(out)
    assert model.classes == ("left", "right")
    assert model.sheet.filters[0]["step"] == "bandpass"
    assert model.sheet.scores["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "nowhere", "-p", "motor-imagery"], "no nowhere"),
        (["evaluate", "{folder}", "-p", "motor-imagery"], "--events"),
        (["evaluate", "{folder}", "-p", "telepathy", "--events", EVENTS], "telepathy"),
        (["evaluate", "{folder}", "-p", "motor-imagery", "--events", EVENTS, "-d", "magic"], "--decoder is 'magic'"),
        (["evaluate", "{folder}", "-p", "motor-imagery", "--events", "T1"], "a=1,b=2"),
        (["evaluate", "{folder}", "-p", "motor-imagery", "--events", "X=left"], "No event named X"),
        (["evaluate", "{folder}", "-p", "ssvep", "--events", EVENTS], "--frequencies"),
        (["evaluate", "{folder}", "-p", "cvep", "--events", EVENTS], "Write a study file"),
        (["train", "{folder}", "-p", "cvep", "--events", EVENTS], "Write a study file"),
        (["train", "{folder}", "-p", "motor-imagery", "--events", "T1=left"], "two classes"),
        (["train", "{folder}", "-p", "motor-imagery", "--events", EVENTS, "--task", "3"], "--task is 3"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, words, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bcikit", *(a.format(folder=folder) for a in arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert words in errors
    assert "Traceback" not in errors


def test_folders_become_people_sessions_and_runs(folder):
    (task,) = find_tasks(folder, paradigm="motor-imagery", events={"T1": "a", "T2": "b"})
    assert task.subjects == ("p0", "p1")
    data = load_task(task)
    assert split_names(data) == ("shuffled", "leave-run-out", "cross-session", "cross-subject")
    assert data[0].sessions.tolist() == [0] * 24 + [1] * 24
    with pytest.raises(ArgumentError, match=r"cross-planet.*allowed"):
        evaluate_task(task, data, ["csp-lda"], splits=["shuffled", "cross-planet"])
    with pytest.raises(DataError, match="cross-subject needs two people"):
        evaluate_task(task, data[:1], ["csp-lda"], splits=["shuffled", "cross-subject"])


def test_the_tenth_session_comes_after_the_second(folder):
    (task,) = find_tasks(folder, paradigm="motor-imagery", events={"T1": "a", "T2": "b"})
    runs = [run for run in task.runs if run.subject == "p0"]
    renamed = dict(zip(sorted({run.session for run in runs}), ("10", "2"), strict=True))
    task = replace(task, runs=tuple(replace(run, session=renamed[run.session]) for run in runs))
    one = load_person(task, "p0")
    # The first files are those of session 10, which is the later one.
    assert one.sessions.tolist() == [1] * 24 + [0] * 24


@pytest.mark.parametrize(("sfreq", "edge"), [(128.0, 57.6), (250.0, 90.0)])
def test_ssvep_of_a_slow_headset_is_evaluated(tmp_path, sfreq, edge):
    n = int(100 * sfreq)
    data = np.random.default_rng(0).normal(0, 5, (n, 3))
    time = np.arange(n) / sfreq
    events = []
    for trial in range(16):
        start, kind = 2.0 + 6.0 * trial, trial % 2
        span = (time >= start) & (time < start + 4)
        data[span] += 5 * np.sin(2 * np.pi * (10.0, 13.0)[kind] * time[span])[:, None]
        events.append(Event(name="ab"[kind], time=start, sample=round(start * sfreq)))
    info = StreamInfo(name="x", sfreq=sfreq, ch_names=("O1", "Oz", "O2"))
    file = tmp_path / "p_raw.fif"
    Recording.from_arrays(info, data.tolist(), events=tuple(events)).to_mne().save(file, verbose="ERROR")
    arguments = (
        "-p",
        "ssvep",
        "--events",
        "a=a,b=b",
        "--frequencies",
        "a=10,b=13",
        "-d",
        "fbcca",
        "--split",
        "shuffled",
    )
    result = run("evaluate", file, *arguments, "--window", "0.2", "2.2", "--json")
    assert result.exit_code == 0, result.output
    assert '"accuracy"' in result.output
    frequencies = {"a": 10.0, "b": 13.0}
    (task,) = find_tasks(file, paradigm="ssvep", events={"a": "a", "b": "b"}, frequencies=frequencies)
    assert [step["h_freq"] for step in task.filters] == [pytest.approx(edge)]


def test_what_bcikit_recorded_and_exported_says_its_classes_itself(tmp_path):
    session, bids, model = tmp_path / "session", tmp_path / "bids", tmp_path / "own.skops"
    record("sim:motor-imagery?schedule=1&trials=16&seed=2&ability=0.95", session)
    assert run("export", session, "--bids", bids, "--task", "imagery").exit_code == 0
    for data in (session, bids):
        result = run("evaluate", data, "-p", "motor-imagery", "-d", "csp-lda", "--split", "shuffled")
        assert result.exit_code == 0, result.output
        assert "classes by their cues: left_hand, right_hand" in " ".join(result.output.split())
        assert "16 trials" in result.output
    assert run("train", session, "-p", "motor-imagery", "-d", "csp-lda", "--out", model).exit_code == 0
    assert Model.load(model).classes == ("left_hand", "right_hand")


def test_a_decoder_that_fails_does_not_end_the_others(folder):
    (task,) = find_tasks(folder / "p0", paradigm="motor-imagery", events={"T1": "a", "T2": "b"})
    result = evaluate_task(task, load_task(task), ["acm-svm", "csp-lda"], splits=["shuffled"])
    assert set(result.results) == {"acm-svm", "csp-lda"}
    short = Task(**{**{f: getattr(task, f) for f in task.__slots__}, "tmax": 0.6})
    result = evaluate_task(short, load_task(short), ["acm-svm", "csp-lda"], splits=["shuffled"])
    assert "samples left" in result.failures["acm-svm, shuffled, 1"]
    assert set(result.results) == {"csp-lda"}


def test_a_person_of_one_class_takes_the_auc_of_nobody_else(monkeypatch):
    rng = np.random.default_rng(0)
    data = []
    for number in range(3):
        y = np.array(["target", "other"])[np.arange(16) % 2 if number < 2 else np.ones(16, int)]
        X = rng.standard_normal((16, 2, 20)) + 2.0 * (y == "target")[:, None, None]
        place, runs = np.arange(16), np.zeros(16, dtype=np.int64)
        trials = Epochs(
            X=X, y=y, groups=place // 8, runs=runs, samples=place * 50, sfreq=20.0, tmin=0.0, tmax=1.0,
            ch_names=("C3", "C4"),
        )  # fmt: skip
        data.append(SubjectTrials(subject=f"p{number}", trials=trials, sessions=runs, left_out=0))
    task = Task(
        name="x", paradigm="p300", runs=(), events={}, tmin=0.0, tmax=1.0, filters=(), recommended="erp-lda",
        metric="auc",
    )  # fmt: skip
    result = evaluate_task(task, data, ["erp-lda"], splits=["cross-subject"])
    found = result.results["erp-lda"]["cross-subject"]
    assert set(found.values) == {"p0", "p1"}
    assert found.mean > 0.9
    assert result.failures == {"erp-lda, cross-subject, p2": "no auc: what was decided is of one class"}
    json.dumps(result.to_dict(), allow_nan=False)

    def undrawn(*_: object) -> None:
        raise DataError("Some are none.")

    monkeypatch.setattr(page, "_comparison", undrawn)
    monkeypatch.setattr(page, "_learning", lambda *_: [])
    notes = page.make_section(result, data).notes
    assert "From decoder to decoder: not drawn (Some are none)" in notes
    assert values_of({"a": [SimpleNamespace(auc=np.nan)] * 2}, "auc", "shuffled", ()) == {}


def test_where_no_decoder_can_be_evaluated_the_command_ends_with_1_and_says_why_once(folder):
    result = run(
        "evaluate", folder / "p0", "-p", "motor-imagery", "-d", "acm-svm", "--events", EVENTS, "--window", "0.4", "0.6",
        "--split", "shuffled", "--split", "leave-run-out",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "no decoder could be evaluated" in result.output
    assert result.output.count("samples left") == 1
    assert "acm-svm (shuffled, 1; leave-run-out, 1)" in result.output
    assert "ECE" not in result.output


def test_jobs_keep_their_order_and_report():
    seen = []
    assert run_jobs(divmod, [(7, 2), (9, 4)], progress=lambda d, n: seen.append((d, n))) == [(3, 1), (2, 1)]
    assert seen == [(1, 2), (2, 2)]


def test_a_dask_scheduler_does_the_same_work():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", protocol="tcp"
        ) as cluster,
    ):
        assert run_jobs(divmod, [(7, 2), (9, 4)], dask=cluster.scheduler_address) == [(3, 1), (2, 1)]
    with pytest.raises((SourceError, ArgumentError), match="scheduler"):
        run_jobs(divmod, [(7, 2)], dask="no-address")


@pytest.mark.filterwarnings("ignore")  # moabb uses names that MNE and pandas announce to be going
def test_decoders_run_in_moabb_and_its_data_load_here():
    pytest.importorskip("moabb")
    from moabb.datasets.fake import FakeDataset
    from moabb.paradigms import LeftRightImagery
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    from bcikit.decoding.moabb import MoabbDecoder, recordings, subject_trials

    dataset = FakeDataset(["left_hand", "right_hand"], n_subjects=2, n_events=24, duration=50, seed=1)
    X, y, _ = LeftRightImagery(resample=128).get_data(dataset, subjects=[1])
    scores = cross_val_score(make_pipeline(MoabbDecoder(name="csp-lda", sfreq=128.0)), X, y, cv=3)
    assert ((scores >= 0) & (scores <= 1)).all()
    decoder = MoabbDecoder(name="csp-lda", sfreq=128.0).fit(X, y)
    odds = np.log(decoder.predict_proba(X))
    np.testing.assert_allclose(decoder.decision_function(X), odds[:, 1] - odds[:, 0], atol=1e-9)
    runs = recordings(dataset, 1)
    assert len(runs) >= 2
    first = next(iter(runs.values()))
    assert {event.name for event in first.events} == {"left_hand", "right_hand"}
    task = Task(
        name="fake",
        paradigm="motor-imagery",
        runs=(Run(path=Path("-"), subject="1"),),
        events={"left_hand": "left", "right_hand": "right"},
        tmin=0.0,
        tmax=1.0,
        filters=({"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4},),
        recommended="csp-lda",
    )
    data = subject_trials(dataset, task, subjects=[1])
    result = evaluate_task(task, data, ["csp-lda"])
    assert "cross-session" in result.results["csp-lda"]
    with pytest.raises(DataError, match="no subject 9"):
        recordings(dataset, 9)


@pytest.mark.filterwarnings("ignore")
def test_a_moabb_data_set_is_evaluated_by_one_command(monkeypatch):
    fake = pytest.importorskip("moabb.datasets.fake")
    from bcikit.decoding.moabb import dataset_of

    class FakeDataset(fake.FakeDataset):
        """The one of MOABB, smaller."""

        def __init__(self) -> None:
            super().__init__(n_subjects=2, n_events=24, duration=50, seed=1)

    dataset_of.cache_clear()
    monkeypatch.setattr(fake, "FakeDataset", FakeDataset)
    result = run(
        "evaluate", "moabb:FakeDataset", "-p", "motor-imagery", "-d", "csp-lda", "--events", "fake1=left,fake2=right",
        "--window", "0.5", "2.5", "--split", "leave-run-out", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    assert found["n_subjects"] == 2
    runs = [(run["subject"], run["session"]) for run in found["runs"]]
    assert sorted(runs) == sorted(2 * [("1", "0"), ("1", "1"), ("2", "0"), ("2", "1")])
    with pytest.raises(DataError, match="no data set 'Fake'"):
        find_tasks(Path("moabb:Fake"), paradigm="motor-imagery")
    dataset_of.cache_clear()


def reach(data_dir, folder, paradigm, index, split, decoder=None, subjects=None):
    """Return a task's result under one split."""
    task = find_tasks(data_dir / folder, paradigm=paradigm)[index]
    if subjects is not None:
        runs = tuple(one for one in task.runs if one.subject in subjects)
        task = Task(**{**{f: getattr(task, f) for f in task.__slots__}, "runs": runs})
    name = decoder or task.recommended
    result = evaluate_task(task, load_task(task), [name], splits=[split])
    return result.results[name][split]


@pytest.mark.data
@pytest.mark.parametrize(("index", "least"), [(0, 0.96), (1, 0.73)])
def test_imagery_of_eegmmidb(data_dir, index, least):
    assert reach(data_dir, "eegmmidb", "motor-imagery", index, "leave-run-out").mean >= least


@pytest.mark.data
def test_executed_fists_stay_at_chance(data_dir):
    found = reach(data_dir, "eegmmidb", "motor-imagery", 3, "leave-run-out")
    assert found.mean <= found.chance_upper


@pytest.mark.data
@pytest.mark.parametrize(
    ("index", "split", "least"),
    [
        (0, "leave-run-out", 0.78),
        pytest.param(0, "shuffled", 0.82, marks=pytest.mark.slow),
        (1, "leave-run-out", 0.85),
    ],
)
def test_ssvep_of_the_exoskeleton_in_three_people(data_dir, index, split, least):
    # All six take minutes (`bcikit evaluate`); these are the weakest, a middling and a strong one.
    people = {"subject02", "subject05", "subject06"}
    assert reach(data_dir, "ssvep_exo", "ssvep", index, split, subjects=people).mean >= least


@pytest.mark.slow
@pytest.mark.data
def test_muse_erp_and_ssvep(data_dir):
    assert reach(data_dir, "muse", "p300", 0, "cross-session").mean >= 0.76
    assert reach(data_dir, "muse", "p300", 1, "leave-run-out").mean >= 0.68
    assert reach(data_dir, "muse", "ssvep", 0, "leave-run-out").mean >= 0.96


DEFAULTS = [
    ("eegmmidb", "motor-imagery", "leave-run-out"),
    ("ssvep_exo", "ssvep", "leave-run-out"),
    ("muse", "p300", "leave-run-out"),
    ("muse", "ssvep", "leave-run-out"),
]
"""Every folder and paradigm whose default decoder is known."""


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("folder", "paradigm", "split"), DEFAULTS)
def test_probabilities_of_default_decoders_are_honest_on_runs_left_out(data_dir, folder, paradigm, split):
    """The calibration error is at most .08 over all decisions of a decoder, and .15 on any person and task."""
    held: dict[str, list] = {}
    for index, task in enumerate(find_tasks(data_dir / folder, paradigm=paradigm)):
        found = reach(data_dir, folder, paradigm, index, split)
        held.setdefault(task.recommended, []).extend(found.scores)
    for decoder, scores in held.items():
        widest = max(score.probabilities.shape[1] for score in scores)
        wide = [np.pad(s.probabilities, ((0, 0), (0, widest - s.probabilities.shape[1]))) for s in scores]
        truth, probabilities = np.concatenate([score.y_index for score in scores]), np.concatenate(wide)
        assert np.bincount(truth).min() >= 20
        assert ece(truth, probabilities) <= 0.08, decoder
        assert max(score.ece for score in scores) <= 0.15, decoder


@pytest.mark.data
def test_cca_reproduces_the_reference_of_single_people(data_dir):
    """Without training, targets only, 1 to 5 s: .42 for subject 02 and at least .96 for subject 03."""
    accuracies = {}
    for person in ("subject02", "subject03"):
        task = find_tasks(data_dir / "ssvep_exo", paradigm="ssvep")[1]
        runs = tuple(one for one in task.runs if one.subject == person)
        task = Task(**{**{f: getattr(task, f) for f in task.__slots__}, "runs": runs})
        trials = load_task(task)[0].trials
        trials = trials.take(trials.y != "rest")
        decoder = make_decoder(
            "cca", sfreq=256.0, frequencies=task.params["frequencies"], bands=((6.0, 45.0),), n_harmonics=2
        )
        decoder.prepare(n_channels=8, n_times=trials.n_times)
        accuracies[person] = np.mean(decoder.predict(trials.X) == trials.y)
    assert accuracies["subject03"] >= 0.95
    assert 0.3 <= accuracies["subject02"] <= 0.55
