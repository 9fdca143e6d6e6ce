"""A disk that is full, and a power cut: what was done is kept, and what was not is told."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings

from bcikit.clinic import pages_session, record
from bcikit.clinic.arms import allocate, new_trial
from bcikit.clinic.start import Clinic
from bcikit.clinic.trouble import trouble_words
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue
from bcikit.signal import BciError

HERE = Path(__file__).parent


@pytest.mark.timeout(200)
@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are set otherwise there")
def test_a_full_disk_is_told_and_nothing_is_half_written(sit_down: Callable[..., Any], tmp_path: Path) -> None:
    data = tmp_path / "clinic"
    person = sit_down(HERE / "full_disk_person.py", str(data))
    added = person.until("add", 150)
    assert added["text"].startswith("■ "), added
    assert added["known"] == 0
    assert person.until("simulated", 30)["text"].startswith("■ ")
    again = person.until("room again", 60)
    assert "P-2" in again["known"]
    assert "P-1" not in again["known"]
    person.until("done", 30)
    assert person.process.wait(60) == 0
    assert person.noise == []
    assert Visit.load(data / "clinic-state.json").step in ("patient", "consent")
    catalogue = Catalogue(f"sqlite:///{data / 'catalogue.sqlite'}")
    try:
        assert catalogue.verify_audit() is None
    finally:
        catalogue.close()


def test_an_error_is_told_in_words() -> None:
    assert trouble_words(BciError("the catalogue failed")) == "the catalogue failed"
    assert "No space left on device" in trouble_words(OSError(28, "No space left on device", "/data/x"))
    assert "ZeroDivisionError" in trouble_words(ZeroDivisionError("division by zero"))


@pytest.mark.slow
def test_a_window_that_cannot_keep_its_place_says_so_and_goes_on(
    clinic: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = clinic()
    person.patient()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    person.window.keep()
    assert "No space left on device" in person.page.message.text()
    monkeypatch.undo()
    person.agree()
    assert person.step == "device"


def test_a_training_that_ends_on_a_full_disk_is_in_the_history_and_its_record_is_written_later(
    clinic: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    person = clinic(step=10.0)
    person.as_far_as_protocol()
    visit = person.window.visit
    visit.trial = allocate(tmp_path, person.catalogue, "P-017", by="T-01")
    person.number(person.page.fields["feedback_runs"], "1")
    person.number(person.page.fields["trials_per_run"], "10")
    person.on()
    person.window.show_step("session")
    kept: list[list[float]] = []
    monkeypatch.setattr(pages_session, "keep_delays", lambda visit, delays: kept.append(list(delays)))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(record, "write_whole", full)
        person.train()
        (entry,) = person.catalogue.sessions("P-017")
        assert entry.results["n_trials"] == 10
        assert entry.notes == ""
        assert kept == [[]]
        assert person.page.message.text().startswith("■ The session is complete. Not written beside the training: ")
        person.on()
        assert "No space left on device" in person.page.message.text()
        assert "P-017" in person.page.view.toPlainText()
    assert record.TrainingRecord.load(Path(entry.path)).started == ""
    person.click(person.page.back_button)
    person.on()
    written = record.TrainingRecord.load(Path(entry.path))
    assert (written.started, written.notes) == (visit.started, [])
    assert "No space left on device" not in person.page.view.toPlainText()


@pytest.mark.slow
def test_two_clinics_on_one_catalogue_keep_what_the_other_wrote(qapp: Any, tmp_path: Path, qtbot: Any) -> None:
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    clinics = []
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
        look = QSettings(str(tmp_path / name / "look.ini"), QSettings.Format.IniFormat)
        options: dict[str, Any] = {"theme": "light", "language": "en", "settings": look, "catalogue": url}
        clinics.append(Clinic(qapp, tmp_path / name, **options))
    try:
        east, west = (one.window.desk.catalogue for one in clinics)
        east.add_subject("P-1", birth_year=1961)
        pages = []
        for one in clinics:
            one.window._open(Visit(subject="P-1", operator="T-01", step="protocol", birth_year=1961))
            pages.append(one.window.pages["protocol"])
        assert [page.visit.subject for page in pages] == ["P-1", "P-1"]
        west.update_subject("P-1", merge={"consents": [{"subject": "P-1", "scopes": ["acquire"]}]})
        pages[0]._save_plan()
        known = west.subject("P-1").data
        assert known["consents"], "a plan that is saved in one place takes back no consent of another"
        assert known["plan"]["protocol"] == "motor-imagery"
        assert west.verify_audit() is None
    finally:
        for one in clinics:
            one.window.close()
            one._lock.release()


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="processes are killed otherwise there")
def test_a_power_cut_in_a_training_leaves_its_trials_in_the_history(
    tmp_path: Path, sit_down: Callable[..., Any]
) -> None:
    """Everything is killed in the middle of a session of a real engine; the window that comes back enters it."""
    data = tmp_path / "again"
    data.mkdir()
    with Catalogue(f"sqlite:///{data / 'catalogue.sqlite'}") as catalogue:
        catalogue.add_subject("P-7", birth_year=1961)
    address = "sim:motor-imagery?seed=3&ability=1&speed=15&channels=8"
    first = sit_down(HERE / "clinic_person.py", "first", str(tmp_path / "clinic"), address)
    killed = first.until("kill me", 500)
    engine = json.loads(Path(killed["handshake"]).read_text(encoding="utf-8"))
    os.kill(engine["pid"], signal.SIGKILL)
    first.end()
    folder = Path(engine["folder"])
    # A simulation is nobody's history: what a patient's folder has is the same but for its name.
    own = data / "P-7-20260105-090000-session"
    text = (folder / "session.json").read_text(encoding="utf-8").replace('"SIMULATED"', '"P-7"')
    folder.rename(own)
    (own / "session.json").write_text(text.replace("sim:motor-imagery", "lsl:name=x"), encoding="utf-8")
    from bcikit.clinic.strays import enter_strays

    catalogue = Catalogue(f"sqlite:///{data / 'catalogue.sqlite'}")
    try:
        assert enter_strays(catalogue, data) == [own]
        (entry,) = catalogue.sessions("P-7")
        assert entry.results["n_trials"] >= 15
        assert entry.results["ended"] == "cut off"
        assert enter_strays(catalogue, data) == [], "and only once"
    finally:
        catalogue.close()
