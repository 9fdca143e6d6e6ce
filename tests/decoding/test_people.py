"""Who is a person, a session, a run: told from names, asked where they do not say, never guessed."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.cli.pairs import pairs
from bcikit.decoding.evaluation.layouts import find_tasks
from bcikit.decoding.evaluation.people import find_runs
from bcikit.decoding.evaluation.task import load_task
from bcikit.signal import ArgumentError, DataError, DoubtWarning


def make(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("timestamps,TP9,AF7,AF8,TP10\n" + "\n".join(f"{k / 256},1,2,3,4" for k in range(9)) + "\n")
    return root


def told(found) -> list[tuple[str, str, str]]:
    return [(run.subject, run.session, run.path.name) for run in found.runs]


@pytest.mark.parametrize("names", [["sub-01", "sub-02"], ["subject1", "subject2"], ["P1", "P2"], ["vp_03", "vp_07"]])
def test_folders_that_are_people(tmp_path, names):
    root = make(tmp_path, *(f"{name}/run-{run}.csv" for name in names for run in (1, 2)))
    found = find_runs(root)
    assert len({run.subject for run in found.runs}) == 2
    assert {run.session for run in found.runs} == {"1"}


@pytest.mark.parametrize("names", [["ses-1", "ses-2"], ["day1", "day2"], ["2024-01-05", "2024-02-06"]])
def test_folders_that_are_sessions(tmp_path, names):
    root = make(tmp_path, *(f"{name}/a.csv" for name in names))
    found = find_runs(root)
    assert len({run.subject for run in found.runs}) == 1
    assert len({run.session for run in found.runs}) == 2


def test_sessions_and_runs_are_in_the_order_of_their_numbers(tmp_path):
    days = [f"ses-{day}" for day in range(1, 12)]
    root = make(tmp_path, *(f"sub-1/{day}/run-{run}.csv" for day in days for run in (10, 9, 2)))
    expected = [("1", str(day), f"run-{run}.csv") for day in range(1, 12) for run in (2, 9, 10)]
    assert told(find_runs(root)) == expected


def test_what_cannot_be_told_is_asked_and_can_be_answered(tmp_path):
    root = make(tmp_path, *(f"{name}/a.csv" for name in ("anna", "berta", "carla")))
    with pytest.raises(ArgumentError, match="people or sessions of one person"):
        find_runs(root)
    assert len({run.subject for run in find_runs(root, folders="people").runs}) == 3
    assert len({run.session for run in find_runs(root, folders="sessions").runs}) == 3
    with pytest.raises(ArgumentError, match="folders"):
        find_runs(root, folders="planets")


def test_two_levels_whichever_comes_first(tmp_path):
    root = make(tmp_path / "a", "x/s1/r.csv", "y/s1/r.csv", "y/s2/r.csv")
    assert told(find_runs(root)) == [("x", "s1", "r.csv"), ("y", "s1", "r.csv"), ("y", "s2", "r.csv")]
    root = make(tmp_path / "b", "session1/p1/r.csv", "session2/p1/r.csv")
    assert {run.subject for run in find_runs(root).runs} == {"p1"}


def test_bids_names_win_and_derived_data_are_left_out(tmp_path):
    root = make(
        tmp_path, "sub-a/ses-1/eeg/sub-a_ses-1_task-x_eeg.csv", "sub-a/ses-2/eeg/sub-a_ses-2_task-x_eeg.csv",
        "sub-b/ses-1/eeg/sub-b_ses-1_task-x_eeg.csv", "derivatives/sub-a/x.csv", "sub-a/ses-1/eeg/._x.csv",
    )  # fmt: skip
    (root / "participants.tsv").write_text("participant_id\nsub-a\n")
    (root / "README").write_text("hello\n")
    found = find_runs(root)
    assert [(run.subject, run.session) for run in found.runs] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert found.ignored["derivatives"] == "1 file, no recordings of this folder"
    assert found.ignored["sub-a/ses-1/eeg/._x.csv"] == "hidden"


def test_a_folder_that_is_known_names_what_it_leaves_out_too(tmp_path):
    for name in ("S001/S001R06.edf", "S001/S001R10.edf", "S001/S001R04.edf", "S001/._S001R06.edf", "README"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    make(tmp_path, "S001/other.csv")
    first, second = find_tasks(tmp_path, paradigm="motor-imagery")
    assert [run.path.name for run in first.runs] == ["S001R06.edf", "S001R10.edf"]
    assert set(first.ignored) == {"S001/._S001R06.edf", "README", "S001/other.csv"}
    assert first.ignored["S001/other.csv"] == "no run of a task that bcikit knows"
    # Once for the folder, not for each of its tasks.
    assert not second.ignored


def test_a_layout_says_it(tmp_path):
    root = make(tmp_path, "data_A_1_x.csv", "data_A_2_y.csv", "data_B_1_z.csv", "other.csv")
    found = find_runs(root, layout="data_{subject}_{session}_*.csv")
    assert [(run.subject, run.session) for run in found.runs] == [("A", "1"), ("A", "2"), ("B", "1")]
    assert found.ignored["other.csv"] == "does not fit the layout"
    with pytest.raises(ArgumentError, match="subject"):
        find_runs(root, layout="{run}.csv")
    with pytest.raises(DataError, match="fits the layout"):
        find_runs(root, layout="{subject}/{run}.edf")


def test_recordings_beside_folders_are_asked_for(tmp_path):
    root = make(tmp_path, "anna/a.csv", "b.csv")
    with pytest.raises(ArgumentError, match="whose"):
        find_runs(root)


def test_files_that_are_no_recordings_are_named_with_the_reason(tmp_path):
    root = make(tmp_path, "run-1.csv")
    (root / "notes.txt").write_text("hello\n")
    (root / "people.csv").write_text("id,age\n1,20\n")
    (root / "empty.edf").write_bytes(b"")
    (root / "README").write_text("hello\n")
    (root / "Thumbs.db").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504))
    (root / "odd.edf").write_bytes(b"\x00\x05\x16\x07" + bytes(4092))
    found = find_runs(root)
    assert [run.path.name for run in found.runs] == ["run-1.csv"]
    assert set(found.ignored) == {"notes.txt", "people.csv", "empty.edf", "odd.edf", "README", "Thumbs.db"}
    # A reason is a line: the formats there are stand nowhere beside each file.
    assert not any(".vhdr" in why or len(why) > 130 for why in found.ignored.values())
    (root / "run-1.csv").unlink()
    with pytest.raises(DataError, match=r"no recording.*notes\.txt"):
        find_runs(root)


def test_names_of_events_may_hold_commas():
    assert pairs("--events", '{"cue":1,"x":0}=l,{"cue":2,"x":0}=r') == {'{"cue":1,"x":0}': "l", '{"cue":2,"x":0}': "r"}
    assert pairs("--events", "mi,3,1=left,mi,3,2=right") == {"mi,3,1": "left", "mi,3,2": "right"}
    assert pairs("--events", '{"a,b": "left", "c=d": "right"}') == {"a,b": "left", "c=d": "right"}
    assert pairs("--events", "'a,b'=left,\"c\"=right") == {"a,b": "left", "c": "right"}
    for wrong in ("T1", "T1=a,T2", "=a", "T1="):
        with pytest.raises(ArgumentError, match="a=1,b=2"):
            pairs("--events", wrong)
    with pytest.raises(ArgumentError, match="'T1' stands there twice, with 'left' and 'right'"):
        pairs("--events", "T1=left,T1=right")


def test_links_are_followed_once_and_what_is_not_is_said(tmp_path):
    make(tmp_path / "store", "a/run-1.csv", "b/run-1.csv")
    root = make(tmp_path / "study", "sub-01/run-1.csv")
    (root / "sub-02").symlink_to(tmp_path / "store" / "a", target_is_directory=True)
    (root / "sub-03").mkdir()
    (root / "sub-03" / "run-1.csv").symlink_to(tmp_path / "store" / "b" / "run-1.csv")
    (root / "sub-04").symlink_to(tmp_path / "store" / "a", target_is_directory=True)
    (root / "sub-05").symlink_to(root / "sub-01", target_is_directory=True)
    (root / "sub-01" / "up").symlink_to(root, target_is_directory=True)
    (root / "sub-03" / "run-2.csv").symlink_to(tmp_path / "nowhere.csv")
    found = find_runs(root)
    assert [run.subject for run in found.runs] == ["01", "02", "03"]
    assert set(found.ignored) == {"sub-04", "sub-05", "sub-01/up", "sub-03/run-2.csv"}
    assert "not here" in found.ignored["sub-03/run-2.csv"]
    assert "sub-02" in found.ignored["sub-04"]


@pytest.mark.parametrize(
    "names",
    [
        ("sub-A", "sub-a"),
        ("subject1", "subject01"),
        ("Vp3", "vp3"),
        ("P1", "p1"),
        ("sub-1", "sub-01"),
        ("sub1", "subject1"),
    ],
)
def test_names_that_differ_in_case_or_zeros_are_asked_for(tmp_path, names):
    root = make(tmp_path, *(f"{name}/ses-1/r.csv" for name in names))
    with pytest.raises(
        ArgumentError, match=rf"has ({names[0]} and {names[1]}|{names[1]} and {names[0]}): is that one person or two"
    ):
        find_runs(root)
    assert len({run.subject for run in find_runs(root, layout="{subject}/ses-{session}/*.csv").runs}) == 2


@pytest.mark.parametrize(
    ("name", "person"),
    [("data_subject01_run1.csv", "1"), ("subject01run2.csv", "1"), ("sub-AB_run-1.csv", "AB"), ("subj-07b_x.csv", "7b"),
     ("patient12_day2.csv", "12"), ("s/participant_003/a_b.csv", "3")],
)  # fmt: skip
def test_a_name_ends_where_the_next_word_begins(tmp_path, name, person):
    (run,) = find_runs(make(tmp_path, name)).runs
    assert run.subject == person


@pytest.mark.parametrize("word", ["session", "sess-", "ses-", "visit_", "day"])
def test_a_visit_is_called_by_its_number(tmp_path, word):
    (run,) = find_runs(make(tmp_path, f"sub-1_{word}02_run-1.csv")).runs
    assert (run.subject, run.session) == ("1", "02")


def test_one_recording_under_two_names_is_a_doubt(tmp_path):
    root = make(tmp_path, "sub-01/run-1.csv", "sub-02/run-1.csv")
    with pytest.warns(DoubtWarning, match=r"1 recording\(s\) here twice.*sub-01.*sub-02"):
        find_tasks(root, paradigm="p300", events={"1": "a", "2": "b"})


def run_of(path: Path, *, sfreq: float = 128.0, channels: str = "C3 C4", names: tuple[str, str] = ("T1", "T2")) -> None:
    import mne

    data = np.random.default_rng(len(str(path))).normal(0, 1e-5, (2, int(20 * sfreq)))
    raw = mne.io.RawArray(data, mne.create_info(channels.split(), sfreq, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations(1.0 + 2.0 * np.arange(8), [0] * 8, list(names) * 4))
    path.parent.mkdir(parents=True, exist_ok=True)
    raw.save(path, verbose="ERROR")


def test_a_class_in_each_run_is_a_doubt_of_evaluate(tmp_path):
    for run, name in enumerate(("T1", "T2", "T1", "T2")):
        run_of(tmp_path / f"sub-01_{'x' * run}run-{run + 1}_raw.fif", names=(name, name))
    done = CliRunner().invoke(
        app, ["evaluate", str(tmp_path), "-p", "motor-imagery", "--events", "T1=a,T2=b", "--window", "0", "1"]
    )
    assert done.exit_code == 1, done.output
    assert "each run of 01 holds one class alone" in done.output


def test_one_recording_in_two_formats_is_a_doubt(tmp_path):
    import mne

    run_of(tmp_path / "sub-01_run-1_raw.fif")
    run_of(tmp_path / "sub-02_longer_run-1_raw.fif")
    raw = mne.io.read_raw_fif(tmp_path / "sub-01_run-1_raw.fif", preload=True, verbose="ERROR")
    options = {"paradigm": "motor-imagery", "events": {"T1": "a", "T2": "b"}, "window": (0.0, 1.0)}
    (task,) = find_tasks(tmp_path, **options)
    assert len(load_task(task)) == 2
    mne.export.export_raw(tmp_path / "sub-03_run-1_eeg.edf", raw, verbose="ERROR")
    (task,) = find_tasks(tmp_path, **options)
    said = r"1 pair\(s\) of runs hold the same trials.*sub-01_run-1_raw.fif and .*sub-03_run-1_eeg.edf"
    with pytest.warns(DoubtWarning, match=said):
        load_task(task)


def evaluated(root: Path):
    command = ["evaluate", str(root), "-p", "motor-imagery", "-d", "mdm", "--events", "T1=l,T2=r", "--window", "0", "1"]
    return CliRunner().invoke(app, [*command, "--split", "leave-run-out"])


@pytest.mark.parametrize(
    ("other", "words"),
    [({"sfreq": 200.0}, "200 Hz"), ({"channels": "C3 Oz"}, "C4 in the second alone, Oz in the first alone")],
)
def test_runs_that_do_not_fit_are_refused_with_both_names(tmp_path, other, words):
    run_of(tmp_path / "sub-1" / "a_raw.fif")
    run_of(tmp_path / "sub-1" / "b_raw.fif", **other)
    done = evaluated(tmp_path)
    assert isinstance(done.exception, DataError)
    for word in (words, "b_raw.fif", "a_raw.fif"):
        assert word in str(done.exception)


def test_the_channels_that_runs_share_can_be_named(tmp_path):
    for name, channels in (("a", "C3 C4"), ("b", "C3 Oz")):
        run_of(tmp_path / "sub-1" / f"{name}_raw.fif", channels=channels)
    done = CliRunner().invoke(
        app,
        ["evaluate", str(tmp_path), "-p", "p300", "-d", "erp-lda", "--events", "T1=l,T2=r", "--window", "0", "1",
         "--split", "leave-run-out", "--channels", "C3"],
    )  # fmt: skip
    assert done.exit_code == 0, done.output


def test_a_run_without_the_events_is_named(tmp_path):
    for name, events in (("a", ("T1", "T2")), ("b", ("X", "Y")), ("c", ("T1", "T2"))):
        run_of(tmp_path / "sub-1" / f"{name}_raw.fif", names=events)
    done = evaluated(tmp_path)
    assert done.exit_code == 0, done.output
    assert "no event of a class in b_raw.fif (person 1)" in done.output
