"""Commands that say whether something is as it should be: their words and their exit codes."""

import contextlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcikit.cli import evaluate
from bcikit.decoding.evaluation.meta import Meta
from bcikit.decoding.evaluation.statistics import PairedComparison
from bcikit.decoding.evaluation.study import Study
from bcikit.safety.audit import AuditLog

SOURCE_TREE = Path(__file__).parents[2]


def said(ended: Any) -> str:
    """Return what a command printed, whatever the width of the terminal."""
    return " ".join(ended.out.split())


def test_an_audit_log_is_what_was_written_or_the_record_that_is_not_is_named(tmp_path, command_line) -> None:
    with contextlib.closing(AuditLog(tmp_path, session_id="s")) as log:
        for number in range(3):
            log.write("command", now=float(number), actor="gate", reason=f"number {number}")
    good = command_line("audit", "verify", tmp_path)
    assert good.code == 0, good.err
    assert "intact, 3 records" in said(good) or "intact, 4 records" in said(good)
    told = json.loads(command_line("audit", "verify", tmp_path, "--json").out)
    assert told["intact"] is True
    path = tmp_path / "audit.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("number 1", "number 7"), encoding="utf-8")
    bad = command_line("audit", "verify", tmp_path)
    assert bad.code == 1
    assert "NOT intact" in bad.out


def test_a_log_of_another_computer_is_to_be_compared_and_a_key_must_be_readable(
    tmp_path, monkeypatch, command_line
) -> None:
    (tmp_path / "key").write_bytes(b"k" * 32)
    with contextlib.closing(AuditLog(tmp_path / "log", session_id="s", key=b"k" * 32)) as log:
        log.write("command", now=0.0, actor="gate")
    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "elsewhere"))
    done = command_line("audit", "verify", tmp_path / "log", "--key-file", tmp_path / "key")
    assert done.code == 0, done.out + done.err
    assert "compare the newest hash with that of the report" in said(done)
    assert command_line("audit", "verify", tmp_path / "log").code == 1
    lost = command_line("audit", "verify", tmp_path / "log", "--key-file", tmp_path / "none")
    assert lost.code == 2
    assert "none cannot be read: No such file" in lost.err


def test_captured_frames_that_flash_are_refused_and_still_ones_pass(tmp_path, command_line) -> None:
    frames = np.full((60, 32, 32, 3), 128, dtype=np.uint8)
    np.save(tmp_path / "still.npy", frames)
    still = command_line("check", "stimulus", tmp_path / "still.npy")
    assert still.code == 0, still.err
    assert "still.npy: PASS" in said(still)
    frames[(np.arange(60) // 3) % 2 == 0] = 0
    np.save(tmp_path / "flash.npy", frames)
    flash = command_line("check", "stimulus", tmp_path / "flash.npy")
    assert flash.code == 1
    assert "flash.npy: REFUSED" in said(flash)


def test_a_design_is_told_by_target_and_number(command_line) -> None:
    folder = SOURCE_TREE / "docs" / "safety" / "stimuli"
    results = {}
    for file in sorted(folder.glob("*.toml")):
        done = command_line("check", "stimulus", file)
        told = json.loads(command_line("check", "stimulus", file, "--json").out)
        results[file.stem] = told["result"]
        assert done.code == (told["result"] == "REFUSED")
        assert f"{file}: {told['result']}" in done.out.replace("\n", " ")
        assert "flashing in any field of 10 degrees" in done.out
        assert ("operator at a stop key" in said(done)) == (told["result"] == "RESTRICTED")
    assert results["red_full_screen"] == "REFUSED"


def comparison(**values: Any) -> PairedComparison:
    usual: dict[str, Any] = {
        "better": "fb-tangent", "worse": "csp-lda", "n": 9, "difference": 0.05, "interval": (0.01, 0.09),
        "credible": (0.01, 0.09), "p_permutation": 0.01, "p_wilcoxon": 0.02, "p_holm": 0.01, "effect": 0.8,
        "p_equivalent": 0.5, "p_better": 0.9, "p_equal": 0.1, "people_needed": None,
    }  # fmt: skip
    return PairedComparison(**{**usual, **values})


def row(decoder: str, **values: Any) -> dict[str, Any]:
    return {
        "data": "ours", "pipeline": "p", "split": "shuffled", "decoder": decoder, "n_classes": 2, "auc": 0.8,
        "accuracy": 0.7, "failure": "", **values,
    }  # fmt: skip


@pytest.fixture
def came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Study]:
    """Return the list that holds what the study came to, and write its file."""
    found: list[Study] = []

    def run_study(path: Path, out: Path, *, progress: Any, **options: Any) -> Study:
        for done in range(1, 101):
            progress("Evaluating", done, 100)
        return found[0]

    monkeypatch.setattr("bcikit.decoding.evaluation.study.run_study", run_study)
    (tmp_path / "study.toml").write_text('name = "x"\n', encoding="utf-8")
    return found


def test_a_study_shows_means_and_what_each_comparison_is_worth(tmp_path, command_line, came) -> None:
    pairs = [
        comparison(),
        comparison(p_holm=0.3, people_needed=40),
        comparison(p_holm=0.3, p_equivalent=0.001),
        comparison(n=1, p_holm=1.0),
    ]
    over = Meta(better="a", worse="b", n_sets=3, n_people=30, effect=0.5, p=0.01, p_holm=0.02, effects={})
    rows = [row("csp-lda"), row("csp-lda", auc=0.9), row("lda", n_classes=4), row("none", auc=None, accuracy=None)]
    came.append(
        Study(name="ours", rows=rows, comparisons={"shuffled": pairs}, meta={"shuffled": [over]}, place=tmp_path,
              definitions={"shuffled": "in any order"}, memory=2_000_000, said=("two files went on",))
    )  # fmt: skip
    done = command_line("evaluate", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    text = said(done)
    assert "csp-lda 0.850 2" in text
    assert "lda 0.700 1" in text
    assert "at most 2 MB of trials" in text
    assert "fb-tangent - csp-lda = +0.050 [+0.010, +0.090]" in text
    assert "n = 9: better" in text
    assert "not shown to differ; 40 people would show it" in text
    assert "one person tells nothing" in text
    assert "3 data sets / shuffled: a over b: d = 0.50" in text
    assert "note: two files went on" in done.err
    # A pipe gets a line now and then, not one a step.
    assert done.err.count("Evaluating: ") == 20


def test_a_study_in_which_a_decoder_failed_or_scores_are_missing_is_in_doubt(tmp_path, command_line, came) -> None:
    failed = row("svm", failure="too few trials")
    came.append(Study(name="ours", rows=[failed], comparisons={"x": [comparison()]}, missing=3, place=tmp_path))
    done = command_line("evaluate", tmp_path / "study.toml", "--out", tmp_path / "out", "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert told["failures"] == [["ours", "svm", "too few trials"]]
    assert told["comparisons"]["x"][0]["better"] == "fb-tangent"
    assert "doubt: ours, svm: too few trials" in done.err
    assert "doubt: 3 scores are not computed; the same command goes on where it was." in done.err


def test_a_study_without_a_folder_and_recordings_without_a_paradigm_are_refused(tmp_path, command_line, came) -> None:
    done = command_line("evaluate", tmp_path / "study.toml")
    assert (done.code, "--out DIR" in done.err) == (2, True)
    done = command_line("evaluate", tmp_path)
    assert (done.code, "Say which paradigm: -p" in done.err) == (2, True)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = command_line("evaluate", tmp_path, "-p", "motor-imagery", "--out", tmp_path / "file" / "out")
    assert done.code == 2


def test_a_folder_of_many_people_is_told_in_few_lines(capsys) -> None:
    runs = [SimpleNamespace(subject=f"{k:02d}", session="1", path=Path(f"s{k}.edf")) for k in range(43)]
    ignored = {f"x{k}.txt": "no recording" for k in range(25)}
    evaluate.show_people(SimpleNamespace(name="ours", runs=runs, ignored=ignored, how="by the names"))
    text = " ".join(capsys.readouterr().out.split())
    assert "ours: 43 people, 43 sessions, 43 runs (by the names)" in text
    assert "person 39, session 1: s39.edf ... and 3 more" in text
    assert "left out: x19.txt (no recording)" in text
    assert "left out: 5 more files" in text


def test_recordings_without_events_and_channels_that_not_all_have_are_named(capsys) -> None:
    def one(subject: str, names: tuple[str, ...], flat: tuple[str, ...] = ()) -> Any:
        empty = [f"r{k}" for k in range(4)]
        return SimpleNamespace(subject=subject, trials=SimpleNamespace(ch_names=names), flat=flat, empty=empty)

    people: Any = [one("1", ("C3", "C4", "Cz")), one("2", ("c3", "C4"), flat=("C4",))]
    evaluate.show_empty(people)
    evaluate.show_lost_channels(people)
    text = " ".join(capsys.readouterr().out.split())
    assert "no event of a class in r0 (person 1)" in text
    assert "and 2 more" in text
    assert "person 2: C4 flat in every trial" in text
    assert "not everybody has Cz: across people by the other 2 channels" in text


def test_what_others_reached_is_shown_beside(capsys) -> None:
    refs = [
        SimpleNamespace(split="shuffled", value=0.7, who="Blankertz 2008", bar=bar) for bar in ("", ">=", "chance", "?")
    ]
    checks = {"": (0.75, None), ">=": (0.75, True), "chance": (0.75, False), "?": (None, None)}
    task = SimpleNamespace(name="ours", subjects=("1",), metric="auc", references=refs, recommended="csp-lda")
    result: Any = SimpleNamespace(
        task=task,
        n_subjects=1,
        n_trials=40,
        results={},
        failures={},
        absent={},
        left_out=0,
        check=lambda ref: checks[ref.bar],
    )
    evaluate.show(result)
    text = " ".join(capsys.readouterr().out.split())
    assert "shuffled: Blankertz 2008 0.700; csp-lda 0.750 " in text
    assert "Blankertz 2008 >= 0.700; csp-lda 0.750 met" in text
    assert "Blankertz 2008 within chance; csp-lda 0.750 MISSED" in text
    assert text.count("Blankertz") == 3


def test_names_with_brackets_are_printed_as_they_are(tmp_path, capsys, command_line) -> None:
    """Rich would take them for colours: what looks like one vanishes, what looks like the end of one is an error."""
    runs = [SimpleNamespace(subject="[red]", session="[/b]", path=Path("s[i].edf"))]
    evaluate.show_people(SimpleNamespace(name="ours[new]", runs=runs, ignored={"x[/b].txt": "[no] recording"}, how=""))
    people: Any = [
        SimpleNamespace(subject="[red]", trials=SimpleNamespace(ch_names=names), flat=("[a]",), empty=("r[/b]",))
        for names in (("[a]",), ("[a]", "[/c]"))
    ]
    evaluate.show_empty(people)
    evaluate.show_lost_channels(people)
    text = " ".join(capsys.readouterr().out.split())
    assert "ours[new]: 1 person, 1 sessions" in text
    assert "person [red], session [/b]: s[i].edf" in text
    assert "left out: x[/b].txt ([no] recording)" in text
    assert "no event of a class in r[/b] (person [red])" in text
    assert "person [red]: [a] flat in every trial" in text
    assert "not everybody has [/c]" in text
    folder = tmp_path / "a[b]"
    folder.mkdir()
    np.save(folder / "still[red].npy", np.full((60, 8, 8, 3), 128, dtype=np.uint8))
    done = command_line("check", "stimulus", folder / "still[red].npy")
    assert (done.code, "a[b]/still[red].npy: PASS" in done.out) == (0, True)
    done = command_line("validate", "dut:channels=1", "--tests", "V-GAIN", "--out", folder / "out[new]")
    assert done.code == 0, done.err
    assert "a[b]/out[new]/report.html" in done.out.replace("\n", "")


@pytest.mark.parametrize("difference", ["", "decision 17: 0.5 and 0.25"])
def test_a_replay_that_differs_fails_where_it_is_checked(tmp_path, monkeypatch, command_line, difference) -> None:
    from bcikit.session.repeat import Comparison

    found = Comparison(n_decisions=20, n_verdicts=20, n_replayed=20, difference=difference)
    monkeypatch.setattr("bcikit.session.repeat.replay", lambda folder, *, progress: found)
    monkeypatch.setattr("bcikit.recording.find_session", lambda folder: folder)
    done = command_line("replay", tmp_path, "--check")
    assert done.code == (1 if difference else 0), done.err
    assert (f"Different: {difference}" if difference else "Identical: 20 decisions and 20 verdicts") in said(done)
    told = json.loads(command_line("replay", tmp_path, "--json").out)
    assert told["identical"] is not bool(difference)


def test_devices_are_listed_with_their_addresses(monkeypatch, command_line) -> None:
    from bcikit.acquisition.devices import Device

    there = [Device(address="lsl:name=EEG", what="LSL stream", detail="8 channels")]
    monkeypatch.setattr("bcikit.acquisition.reachable_devices", lambda *, wait: there)
    assert command_line("devices").out == "lsl:name=EEG\tLSL stream\t8 channels\n"
    # A name may look like a colour of the terminal.
    there.append(Device(address="lsl:name=[red]", what="LSL stream", detail="1 channel"))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "lsl:name=[red]" in command_line("devices").out
    del there[1]
    told = json.loads(command_line("devices", "--json").out)
    assert told == [{"address": "lsl:name=EEG", "what": "LSL stream", "detail": "8 channels"}]
    boards = json.loads(command_line("devices", "--boards", "--json").out)
    assert any(row["address"].startswith("brainflow:") for row in boards)
    assert len(boards) > 20
