"""One person, or one file, that cannot be used stops nobody else: it is said who is left out, and why."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit.decoding import Epochs, Model
from bcikit.decoding.alike import misfits
from bcikit.decoding.evaluation import page, plots
from bcikit.decoding.evaluation.task import Run, Task
from bcikit.signal import DataError, Event, Recording, StreamInfo

EVENTS = ("-p", "motor-imagery", "--events", "T1=left,T2=right")
GOOD = ("p1", "p2", "p3", "p4", "p5")
CHANNELS = ("C3", "C4", "Cz", "Pz")


def write(place: Path, seed: int, *, names=CHANNELS, sfreq=100.0, labels=("T1", "T2"), trials: int = 10) -> None:
    """Write a run whose classes differ by the loudness of 12 Hz on the first two channels, as FIF."""
    rng = np.random.default_rng(seed)
    long, between = round(2.5 * sfreq), round(3 * sfreq)
    data = rng.standard_normal((trials * between + round(2 * sfreq), len(names))) * 5
    time = np.arange(long) / sfreq
    events = []
    for trial in range(trials):
        start, side = round(sfreq) + between * trial, trial % len(labels) if labels else 0
        data[start : start + long, side] += 15 * np.sin(2 * np.pi * 12 * time + rng.uniform(0, 6))
        events += [Event(name=labels[side], time=start / sfreq, sample=start)] if labels else []
    info = StreamInfo(name="x", sfreq=sfreq, ch_names=tuple(names))
    place.parent.mkdir(parents=True, exist_ok=True)
    Recording.from_arrays(info, data, events=tuple(events)).to_mne().save(place, verbose="ERROR")


BROKEN = {
    "p0": {},
    "p6": {"labels": ()},
    "p7": {"labels": ("T1",)},
    "p8": {"names": ("O1", "O2", "Pz")},
    "p9": {"sfreq": 128.0},
}
LOST = ("p0", "p6")
"""People of whom nothing is left at all."""


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """Return ten people with two runs each, of whom every second one is broken in a way of their own."""
    root = tmp_path_factory.mktemp("people")
    for person, who in enumerate((*GOOD, *BROKEN)):
        for run in range(2):
            write(root / who / f"run{run}_raw.fif", 10 * person + run, **BROKEN.get(who, {}))
    for file in (root / "p0").iterdir():
        file.write_bytes(file.read_bytes()[:700])
    # Somebody who is there, beside files that are none, or lead nowhere.
    (root / "p5" / "run2_raw.fif").write_bytes((root / "p5" / "run0_raw.fif").read_bytes()[:-9000])
    (root / "p4" / "run3_raw.fif").write_bytes(b"")
    (root / "p4" / "run4_raw.fif").symlink_to(root / "gone.fif")
    write(root / "p3" / "run2_raw.fif", 77, sfreq=128.0)
    write(root / "p2" / "run2_raw.fif", 78, names=(*CHANNELS, "Fz"))
    return root


def told(ran, *, across: bool) -> None:
    """Check that everybody who is missing is named, with the reason, and counted; and nobody who is not."""
    assert ran.code == 1, ran
    assert "Traceback" not in ran.err
    said = ran.err.replace("\n", " ")
    for who in LOST:
        assert f"Person {who} is left out" in said
    assert "2 of 10 people left out." in said
    assert "run4_raw.fif is left out: a link to" in said
    assert "run3_raw.fif is left out: empty" in said
    assert "p5/run2_raw.fif of person p5 is left out" in said
    assert "p3/run2_raw.fif of person p3 is left out: 128 Hz, the other runs 100 Hz" in said
    assert "p2/run2_raw.fif of person p2 is left out: other channels than the other runs have: Fz" in said
    assert ("p8 is left out" in said) == across
    assert ("p9 is left out" in said) == across
    for who in GOOD:
        assert f"Person {who} is left out" not in said
        assert f"\n{who} is left out" not in said


def test_the_others_are_evaluated(people, command_line, tmp_path):
    ran = command_line("evaluate", people, *EVENTS, "-d", "csp-lda", "--json", "--card", tmp_path / "card.json")
    (found,) = json.loads(ran.out)
    told(ran, across=True)
    assert found["n_subjects"] == 8
    splits = {split: one["values"] for split, one in found["results"]["csp-lda"].items()}
    assert set(splits["leave-run-out"]) == {*GOOD, "p8", "p9"}
    assert set(splits["cross-subject"]) == {*GOOD, "p7"}
    assert min(splits[split][who] for split in splits for who in GOOD) > 0.8
    assert command_line("verify", tmp_path / "card.json").code in (0, 1)


def test_the_others_teach_a_population(people, command_line, tmp_path):
    ran = command_line("train", people, *EVENTS, "-d", "csp-lda", "--across", "--out", tmp_path / "m.skops")
    told(ran, across=True)
    assert Model.load(tmp_path / "m.skops").sheet.people == (*GOOD, "p7")


def test_the_others_show_what_calibration_costs(people, command_line):
    ran = command_line("evaluate", people, *EVENTS, "-d", "csp-lda", "--transfer", "--json")
    told(ran, across=True)
    assert "p7 is left out across people: no trial of right" in ran.err
    assert json.loads(ran.out)[0]["people"] == list(GOOD)


def test_the_others_are_decided_as_if_live(people, command_line):
    ran = command_line("evaluate", people, *EVENTS, "-d", "csp-lda", "--pseudo-online", "--step", "1", "--json")
    assert ran.code == 1
    (found,) = json.loads(ran.out)
    assert set(found["people"]) == {*GOOD, "p8", "p9"}
    assert set(found["failures"]) == {"p0", "p6", "p7"}
    for name in ("p5/run2_raw.fif", "p3/run2_raw.fif", "p2/run2_raw.fif"):
        assert f"{name} of person {name[:2]} is left out" in ran.err
    for who in found["failures"]:
        assert f"{who}: " in ran.err


def test_a_study_goes_on_and_says_it_each_time(people, command_line, tmp_path):
    (tmp_path / "study.toml").write_text(
        f'''decoders = ["csp-lda"]
        [[data]]
        path = "{people}"
        paradigm = "motor-imagery"
        events = {{ T1 = "left", T2 = "right" }}'''
    )
    for _ in range(2):
        ran = command_line("evaluate", tmp_path / "study.toml", "--out", tmp_path / "out", "--json")
        rows = json.loads(ran.out)["rows"]
        told(ran, across=True)
        assert {row["subject"] for row in rows} == {*GOOD, "p7", "p8", "p9"}
        across = {row["subject"] for row in rows if row["split"] == "cross-subject"}
        assert across == {*GOOD, "p7"}
        assert all(row["accuracy"] > 0.8 for row in rows if row["subject"] in GOOD)


def test_it_is_refused_where_nobody_is_left(people, command_line, tmp_path):
    for who in LOST:
        (tmp_path / "two" / who).mkdir(parents=True)
        for file in (people / who).iterdir():
            (tmp_path / "two" / who / file.name).symlink_to(file)
    for more in ((), ("--transfer",), ("--across",)):
        ran = command_line("train" if "--across" in more else "evaluate", tmp_path / "two", *EVENTS, *more)
        assert ran.code == 2
        assert "none of 2 people can be used" in ran.err
        assert "No event named T1" in ran.err


def test_the_page_holds_people_with_other_classes_and_counts_those_who_are_in_it(command_line, tmp_path, monkeypatch):
    for person, labels in enumerate((("T1",), ("T1", "T2"), ("T1", "T2", "T3"), ())):
        for run in range(2):
            write(tmp_path / f"p{person}" / f"run{run}_raw.fif", 10 * person + run, labels=labels, trials=12)
    words = ("evaluate", tmp_path, "-p", "motor-imagery", "--events", "T1=left,T2=right,T3=rest", "-d", "csp-lda")
    out = tmp_path / "out"
    drawn = []
    monkeypatch.setattr(plots, "confusion_plot", lambda counts, classes: drawn.append((counts, classes)))
    monkeypatch.setattr(page, "data_url", lambda figure: "")
    ran = command_line(*words, "--split", "leave-run-out", "--out", out)
    assert (ran.code, "Traceback" in ran.err) == (1, False)
    text = (out / "evaluation.html").read_text()
    assert '<p class="note">3 people, ' in text
    assert "Patterns: person p2" in text
    ((counts, classes),) = drawn
    assert classes == ("left", "rest", "right")
    assert counts.sum(axis=1).tolist() == [12 + 8, 8, 12 + 8]
    ran = command_line(*words, "--split", "leave-run-out", "--out", out, "--json")
    (found,) = json.loads(ran.out)
    assert set(found["results"]["csp-lda"]["leave-run-out"]["values"]) == {"p1", "p2"}

    # What was computed is kept where nothing can be drawn.
    def broken(result, data):
        raise DataError("no picture")

    monkeypatch.setattr(page, "make_section", broken)
    (out / "evaluation.json").unlink()
    ran = command_line(*words, "--split", "leave-run-out", "--out", out)
    assert ran.code == 2
    assert "csp-lda" in ran.out
    assert json.loads((out / "evaluation.json").read_text())[0]["results"] == found["results"]


def test_a_picture_that_cannot_be_drawn_is_a_note(command_line, tmp_path, monkeypatch):
    for run in range(2):
        write(tmp_path / "data" / f"run{run}_raw.fif", run)

    def broken(task, trials):
        raise DataError("One class.")

    monkeypatch.setattr(page, "patterns", broken)
    ran = command_line("evaluate", tmp_path / "data", *EVENTS, "-d", "csp-lda", "--out", tmp_path / "out")
    assert ran.code == 0
    text = (tmp_path / "out" / "evaluation.html").read_text()
    assert "Patterns: person 1: not drawn (One class).<br>" in text
    assert "Signals: person 1</h3>" in text


@pytest.mark.parametrize("more", [(), ("--pseudo-online", "--step", "1")])
def test_a_bad_run_takes_no_run_with_it_that_is_called_alike(command_line, tmp_path, more):
    for person in range(2):
        for day in range(3):
            write(tmp_path / f"p{person}" / f"day{day}" / "eeg" / "run1_raw.fif", 10 * person + day)
    bad = tmp_path / "p0" / "day1" / "eeg" / "run1_raw.fif"
    bad.write_bytes(bad.read_bytes()[:700])
    ran = command_line("evaluate", tmp_path, *EVENTS, "-d", "csp-lda", "--json", *more)
    (found,) = json.loads(ran.out)
    if more:
        assert {who: one["n_trials"] for who, one in found["people"].items()} == {"p0": 20, "p1": 30}
    else:
        assert (found["n_subjects"], found["n_trials"]) == (2, 50)
    assert "day1/eeg/run1_raw.fif of person p0 is left out" in ran.err
    assert "1 of 6 runs left out" in ran.err


def test_runs_are_named_by_as_much_as_tells_them_apart(tmp_path):
    def names(*paths: str, **options) -> list[str]:
        runs = tuple(Run(path=Path(path), **options) for path in paths)
        task = Task(
            name="x", paradigm="motor-imagery", runs=runs, events={}, tmin=0.0, tmax=1.0, filters=(), recommended=""
        )
        return list(task.runs_of("1"))

    assert names("/d/a/1.edf", "/d/a/2.edf") == ["a/1.edf", "a/2.edf"]
    assert names("/d/x/a/1.edf", "/d/y/a/1.edf") == ["x/a/1.edf", "y/a/1.edf"]
    assert names("1.edf") == ["1.edf"]
    assert names("/d/1.edf", "/d/1.edf") == ["/d/1.edf (1)", "/d/1.edf (2)"]
    assert names("/d/1.edf", subject="2") == []


def test_too_few_that_fit_are_refused_with_both_named(people, command_line, tmp_path):
    for who in ("p1", "p9"):
        (tmp_path / "two" / who).mkdir(parents=True)
        for file in (people / who).glob("run[01]*"):
            (tmp_path / "two" / who / file.name).symlink_to(file)
    ran = command_line("train", tmp_path / "two", *EVENTS, "-d", "csp-lda", "--across", "--out", tmp_path / "m.skops")
    assert ran.code == 2
    assert "128 Hz" in ran.err
    assert not (tmp_path / "m.skops").exists()


def test_whose_trials_do_not_fit_is_a_rule_of_more_than_half():
    def one(names, sfreq=100.0, labels="ab"):
        n = len(labels)
        zeros = np.zeros(n, dtype=np.int64)
        return Epochs(
            X=np.zeros((n, len(names), 50)), y=np.array(list(labels)), groups=zeros, runs=zeros, samples=np.arange(n),
            sfreq=sfreq, tmin=0.0, tmax=0.5, ch_names=tuple(names),
        )  # fmt: skip

    whole = one(("C3", "C4", "Cz", "Pz"))
    assert misfits([whole, one(("O1",))]) == {}
    assert misfits([whole, one(("c3", "c4")), whole]) == {}
    assert list(misfits([one(("C3",)), whole, whole])) == [0]
    assert list(misfits([whole, whole, one(("O1", "O2")), one(("O1", "Oz")), whole])) == [2, 3]
    assert list(misfits([whole, one(whole.ch_names, 128.0), whole])) == [1]
    assert misfits([one("ab", rate) for rate in (1.0, 2.0, 3.0)]) == {}
    assert list(misfits([whole, one(whole.ch_names, labels="aa"), whole], classes=True)) == [1]
    # A class that hardly anybody has is nobody's duty.
    assert misfits([whole, one(whole.ch_names, labels="abc"), whole], classes=True) == {}


def test_a_card_that_nobody_can_sign_is_refused_before_anything_is_computed(
    people, command_line, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    ran = command_line("evaluate", people / "p1", *EVENTS, "--card", tmp_path / "card.json", "--out", tmp_path / "out")
    assert (ran.code, "cryptography" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over_what_is_read(people, command_line, tmp_path):
    file = tmp_path / "run0_raw.fif"
    file.write_bytes((people / "p1" / "run0_raw.fif").read_bytes())
    link = tmp_path / "link.fif"
    link.symlink_to(file)
    model = tmp_path / "m.skops"
    assert command_line("train", file, *EVENTS, "-d", "csp-lda", "--out", model).code == 0
    for path in (file, model):
        before = path.read_bytes()
        asked = (
            (("train", file, *EVENTS, "--out", file), ("train", tmp_path, *EVENTS, "--across", "--out", link),
             ("evaluate", file, *EVENTS, "--card", link))
            if path == file
            else [("export-model", model, way, model) for way in ("--onnx", "--c", "--nir")]
        )  # fmt: skip
        for words in asked:
            ran = command_line(*words)
            assert ran.code == 2, words
            assert "is a file that is read; it would be lost" in ran.err
            assert path.read_bytes() == before
    one = tmp_path / "one"
    ran = command_line("export-model", model, "--onnx", one, "--c", one)
    assert (ran.code, one.exists()) == (2, False)
    assert "name one file" in ran.err
    ran = command_line("inspect", model)
    assert ran.code == 2
    assert "is a model and no recording" in ran.err
