"""One morning at one window: a new patient, one of another day without calibration, and one who withdraws."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication


def shown(person: Any) -> list[str]:
    table = person.page.people
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def train(person: Any) -> None:
    """The session, its report, and back to the patients."""
    assert person.step == "session"
    person.train()
    assert person.page.message.text() == "● The session is complete."
    person.on()
    assert person.step == "report"
    person.on()
    assert person.step == "patient"


@pytest.mark.slow
def test_three_patients_in_one_morning(clinic: Callable[..., Any], tmp_path: Path) -> None:
    model = tmp_path / "another-day.skops"
    model.write_bytes(b"model")
    person = clinic()
    person.catalogue.add_subject("P-102", birth_year=1972, affected_side="right")
    scores = {"accuracy": 0.87, "n_trials": 40, "advice": "good", "classes": ["left_hand", "right_hand"]}
    person.catalogue.add_model("P-102", model, decoder="csp-lda", paradigm="motor-imagery", scores=scores)

    # The first is new: asked everything, calibrated, trained.
    person.as_far_as_protocol("P-101", "1961")
    assert "No good model of an earlier visit" in person.page.model.text()
    person.protocol()
    assert person.step == "calibration"
    person.calibrate()
    train(person)
    assert person.window.visit.subject == ""
    assert person.page.history.rowCount() == 0

    # The second is of another day: asked anew, nothing of the first stands there, and no calibration.
    person.patient("P-102", "1972")
    consent = person.page
    assert {one.answer for one in consent.questions.values()} == {None}
    assert consent.signed.answer is not True
    person.agree()
    person.headset()
    person.electrodes()
    assert "87 %" in person.page.model.text()
    person.click(person.page.use_model)
    person.number(person.page.fields["feedback_runs"], "1")
    person.on()
    assert person.step == "session", "no calibration"
    train(person)
    assert person.catalogue.sessions("P-102")[0].results["n_trials"] == 20

    # The third agrees, thinks again, and withdraws: gone, and the others are as they were.
    before = {code: len(person.catalogue.sessions(code)) for code in ("P-101", "P-102")}
    person.patient("P-103", "1980")
    person.agree()
    person.click(person.page.back_button)
    person.click(person.page.back_button)
    corrections = person.page.corrections
    person.click(corrections.withdraw)
    person.type(corrections.text, "P-103")
    person.click(corrections.apply)
    QApplication.processEvents()
    assert person.window.visit.subject == ""
    assert person.window.header.code.text() == "No patient"
    assert shown(person) == ["P-101", "P-102"]
    assert {code: len(person.catalogue.sessions(code)) for code in before} == before == {"P-101": 1, "P-102": 1}
    for code, runs in (("P-101", 2), ("P-102", 1)):
        own = [path for path in tmp_path.rglob("session.json") if f'"subject": "{code}"' in path.read_text("utf-8")]
        assert len(own) == runs, (code, own)
    left = [path for path in tmp_path.rglob("*") if path.is_file() and b"P-103" in path.read_bytes()]
    assert [path.name for path in left if path.suffix not in (".sqlite", ".sqlite-wal")] == []
