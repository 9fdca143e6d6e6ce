"""Corrections of the catalogue: what they join and take out, and what is refused."""

from pathlib import Path

import pytest

from bcikit.recording import Catalogue
from bcikit.recording.corrections import correct_outcome, join_subjects, rename_subject
from bcikit.recording.erase import remove_model, remove_session
from bcikit.signal import ArgumentError


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
    assert remove_session(nothing, "P01", []) is False
    assert remove_session(file, "P01", []) is None
    assert remove_session(folder, "P01", []) is None, "no session"
    (folder / "session.json").write_text("{")
    assert remove_session(folder, "P01", []) is None, "nobody can say whose it is"
    assert folder.is_dir()
    assert remove_model(nothing, "P01", []) is False
    assert remove_model(folder, "P01", []) is None
    assert remove_model(file, "P01", [str(file)]) is None
    assert remove_model(file, "P01", []) is True
    assert not file.exists()
