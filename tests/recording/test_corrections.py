"""Corrections of the catalogue: what they join and take out, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import Catalogue, SessionWriter
from bcikit.recording.corrections import correct_outcome, join_subjects, rename_subject
from bcikit.recording.erase import remove_model, remove_session
from bcikit.signal import ArgumentError, Chunk, StreamInfo


@pytest.fixture
def catalogue(tmp_path: Path):
    with Catalogue(f"sqlite:///{tmp_path / 'catalogue.db'}") as opened:
        for code in ("P01", "P02"):
            opened.add_subject(code)
        yield opened


def test_scores_of_two_entries_that_were_one_person_come_together(catalogue: Catalogue) -> None:
    catalogue.add_outcome("P01", "FMA-UE", 20)
    catalogue.add_outcome("P02", "FMA-UE", 25)
    join_subjects(catalogue, "P01", "P02", reason="entered twice")
    assert [row.value for row in catalogue.outcomes("P01")] == [20, 25]


def test_what_forbids_something_and_the_arm_of_a_trial_are_not_lost_when_two_entries_become_one(
    catalogue: Catalogue,
) -> None:
    def answer(yes: bool, day: str) -> dict[str, object]:
        return {"answer": yes, "date": day, "by": "T-01"}

    keep = {
        "screening": {"implant": answer(False, "2026-05-01"), "epilepsy": answer(True, "2026-05-01")},
        "consents": [{"signed": "2026-05-01T10:00:00+02:00", "scopes": ["acquire", "fes"]}],
        "plan": {"protocol": "motor-imagery"},
    }
    other = {
        "screening": {
            "implant": answer(True, "2026-04-01"),
            "epilepsy": answer(False, "2026-04-01"),
            "metal": answer(False, "2026-04-01"),
        },
        "consents": [{"signed": "2026-05-01T09:00:00Z", "scopes": ["acquire"]}],
        "plan": {"protocol": "cursor"},
        "trial": {"trial": "FES-26", "number": 7},
    }
    catalogue.update_subject("P01", data=keep)
    catalogue.update_subject("P02", data=other, affected_side="left")
    row = join_subjects(catalogue, "P01", "P02", reason="entered twice")
    screening = row.data["screening"]
    # A pacemaker that one of the entries knows of is known.
    assert {name: one["answer"] for name, one in screening.items()} == {
        "implant": True,
        "epilepsy": True,
        "metal": False,
    }
    # 09:00 UTC is an hour after 10:00 in Berlin: the newest consent stands last, where it is looked for.
    assert [one["scopes"] for one in row.data["consents"]] == [["acquire", "fes"], ["acquire"]]
    assert row.data["trial"] == {"trial": "FES-26", "number": 7}, "nobody is allocated twice"
    assert (row.data["plan"], row.affected_side) == ({"protocol": "motor-imagery"}, "left")
    assert row.data["joined"][0]["plan"] == {"protocol": "cursor"}


def test_a_score_is_corrected_or_taken_out(catalogue: Catalogue) -> None:
    number = catalogue.add_outcome("P01", "FMA-UE", 20).id
    correct_outcome(catalogue, number, value=22.5, measured="2026-05-31", reason="a slip")
    (row,) = catalogue.outcomes("P01")
    assert (row.value, row.measured) == (22.5, "2026-05-31")
    correct_outcome(catalogue, number, remove=True, reason="of somebody else")
    assert catalogue.outcomes("P01") == []


@pytest.mark.parametrize(
    ("correct", "said"),
    [
        (lambda c: rename_subject(c, "P01", "Jane Doe", reason="a slip"), "new is 'Jane Doe'; allowed"),
        (lambda c: rename_subject(c, "P01", "P02", reason="a slip"), "P02 is entered already; join the two entries"),
        (lambda c: join_subjects(c, "P01", "P01", reason="a slip"), "P01 cannot be joined with itself"),
        (lambda c: correct_outcome(c, 1, measured="May", reason="a slip"), "measured is 'May'; it must be a date"),
        (lambda c: correct_outcome(c, 99, value=1.0, reason="a slip"), "There is no score 99"),
        (lambda c: correct_outcome(c, 1, value=float("nan"), reason="a slip"), "value"),
        (lambda c: c.add_outcome("P01", "FMA-UE", float("inf")), "value"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_and_changes_nothing(catalogue: Catalogue, correct, said) -> None:
    catalogue.add_outcome("P01", "FMA-UE", 20)
    with pytest.raises(ArgumentError, match=said):
        correct(catalogue)
    assert [row.value for row in catalogue.outcomes("P01")] == [20]


def test_only_what_is_a_persons_own_is_removed(tmp_path: Path) -> None:
    nothing, file, folder = tmp_path / "nothing", tmp_path / "m.skops", tmp_path / "s"
    file.write_text("model")
    folder.mkdir()
    assert remove_session(nothing, ["P01"], []) is False
    assert remove_session(file, ["P01"], []) is None
    assert remove_session(folder, ["P01"], []) is None, "no session"
    (folder / "session.json").write_text("{")
    assert remove_session(folder, ["P01"], []) is None, "nobody can say whose it is"
    assert folder.is_dir()
    assert remove_model(nothing, ["P01"], []) is False
    assert remove_model(folder, ["P01"], []) is None
    assert remove_model(file, ["P01"], [str(file)]) is None
    assert remove_model(file, ["P01"], []) is True
    assert not file.exists()


def recorded(folder: Path, subject: str) -> Path:
    info = StreamInfo(name="cap", sfreq=250.0, ch_names=("C3",))
    with SessionWriter(folder, info=info, config={"session": {"subject": subject}}) as writer:
        writer.chunk(Chunk(np.zeros((25, 1)), 100 + np.arange(25) / 250, 0), 100.1)
    return folder


def test_a_person_whose_code_was_corrected_is_erased_with_all_that_was_recorded(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = recorded(tmp_path / "P01-20260520-101010-session", "P01")
    other = recorded(tmp_path / "P01-20260520-101010-session-2", "P02")
    log = Path(f"{folder}-guard.jsonl")
    log.write_text("{}\n")
    rescued = recorded(Path(f"{folder}-rescued-x1"), "P01")
    catalogue.add_session("P01", folder)
    rename_subject(catalogue, "P01", "Q77", reason="a slip")
    catalogue.add_session("Q77", recorded(tmp_path / "late", "Q77"))
    with pytest.raises(ArgumentError, match="must not name the person"):
        catalogue.erase_subject("Q77", reason="consent of p01 withdrawn")
    counts = catalogue.erase_subject("Q77", reason="consent withdrawn", files=True)
    assert (counts["files"], "left" in counts) == (2, False)
    assert not any(path.exists() for path in (folder, log, rescued, tmp_path / "late"))
    assert other.is_dir(), "somebody else's"


def test_what_was_rescued_of_a_folder_that_is_gone_is_erased(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    folder = recorded(tmp_path / "data" / "s", "P01")
    lost = recorded(tmp_path / "gone" / "s", "P01")
    for one in (folder, lost):
        catalogue.add_session("P01", one)
    shutil.rmtree(folder)
    shutil.rmtree(lost.parent)
    log = Path(f"{folder}-guard.jsonl")
    log.write_text("{}\n")
    theirs = [recorded(Path(f"{folder}-rescued-x1"), "P01"), recorded(elsewhere / "s-rescued-x2", "P01")]
    kept = [recorded(Path(f"{folder}-rescued-x3"), "P02"), recorded(Path(f"{folder}-rescued-x4"), "P01")]
    kept += [recorded(elsewhere / "s-rescued-x5", "P02"), recorded(elsewhere / "s-rescued-x6", "anonymous")]
    # A session of somebody else lies in it: a person must look.
    catalogue.add_session("P02", recorded(kept[1] / "inner" / "s", "P02"))
    counts = catalogue.erase_subject("P01", reason="consent withdrawn", files=True)
    assert not any(path.exists() for path in (log, *theirs))
    assert all((path / "session.json").is_file() for path in kept)
    assert counts["left"] == 1


def test_what_was_rescued_alone_counts_as_erased(catalogue: Catalogue, tmp_path: Path) -> None:
    folder = recorded(tmp_path / "s", "P01")
    catalogue.add_session("P01", folder)
    shutil.rmtree(folder)
    rescued = recorded(Path(f"{folder}-rescued-x1"), "P01")
    counts = catalogue.erase_subject("P01", reason="consent withdrawn", files=True)
    assert (counts["files"], counts.get("left", 0), rescued.exists()) == (1, 0, False)


def test_a_session_of_somebody_else_is_not_entered(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"is a session of P02, not of P01; enter it for P02"):
        catalogue.add_session("P01", recorded(tmp_path / "s", "P02"))
    assert catalogue.sessions() == []
    catalogue.add_session("P01", recorded(tmp_path / "nobody", "anonymous"))


def test_days_in_any_form_of_iso_8601_are_put_in_order(catalogue: Catalogue) -> None:
    for value, day in enumerate(("20260520", "2026-05-19", "2026-W21-4", "2026-05-20T08:30")):
        catalogue.add_outcome("P01", "FMA-UE", value, measured=day)
    days = ["2026-05-19", "2026-05-20", "2026-05-20T08:30:00", "2026-05-21"]
    assert [day for day, _ in catalogue.trend("P01", "FMA-UE")] == days
    correct_outcome(catalogue, 1, measured="20260522", reason="a slip")
    assert catalogue.trend("P01", "FMA-UE")[-1] == ("2026-05-22", 0.0)
