"""The catalogue: entered, found, followed over time, and erased without a trace but the audit."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bcikit.recording import Catalogue, SessionWriter
from bcikit.recording.catalogue import default_url
from bcikit.recording.early_warning import early_warnings
from bcikit.recording.tables_sql import Base
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError, StreamInfo


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite'}", who="tester") as opened:
        yield opened


def _session(folder: Path, info: StreamInfo) -> Path:
    with SessionWriter(folder, info=info, config={"paradigm": {"kind": "motor-imagery"}}):
        pass
    return folder


def test_a_course_of_treatment_is_entered_and_followed(catalogue: Catalogue, tmp_path: Path, info: StreamInfo) -> None:
    catalogue.add_subject("P01", birth_year=1964, hand="right", affected_side="left", data={"onset": "2026-01"})
    for number, accuracy in enumerate((0.6, 0.7, 0.85)):
        row = catalogue.add_session("P01", _session(tmp_path / f"s{number}", info), results={"accuracy": accuracy})
        catalogue.add_run(row.id, kind="calibration")
        catalogue.add_run(row.id, kind="feedback", results={"accuracy": accuracy})
    catalogue.add_outcome("P01", "FMA-UE", 31, measured="2026-05-20")
    catalogue.add_outcome("P01", "FMA-UE", 24, measured="2026-04-01")
    catalogue.add_model("P01", tmp_path / "model.skops", decoder="csp-lda", scores={"accuracy": 0.8})
    sessions = catalogue.sessions("P01")
    assert [row.results["accuracy"] for row in sessions] == [0.6, 0.7, 0.85]
    assert {row.paradigm for row in sessions} == {"motor-imagery"}
    assert {row.status for row in sessions} == {"complete"}
    assert [(run.number, run.kind) for run in catalogue.runs(sessions[0].id)] == [(1, "calibration"), (2, "feedback")]
    assert catalogue.trend("P01", "FMA-UE") == [("2026-04-01", 24.0), ("2026-05-20", 31.0)]
    assert [value for _, value in catalogue.trend("P01", "accuracy")] == [0.6, 0.7, 0.85]
    assert catalogue.trend("P01", "nothing") == []
    assert catalogue.models("P01")[0].scores == {"accuracy": 0.8}
    assert catalogue.subject("P01").data == {"onset": "2026-01"}


@pytest.mark.requirement("SAF-093")
def test_rules_that_break_more_often_than_before_are_told(
    catalogue: Catalogue, tmp_path: Path, info: StreamInfo
) -> None:
    catalogue.add_subject("P01")
    for number, losses in enumerate((1, 0, 2, 30)):
        folder = _session(tmp_path / f"s{number}", info)
        safety = {"duration_s": 1800.0, "rules": {"H-LOSS": losses, "Q-EMG": 3}, "activations": 20, "stops": []}
        (folder / "result.json").write_text(json.dumps({"safety": safety}))
        catalogue.add_session("P01", folder)
    (_session(tmp_path / "damaged", info) / "result.json").write_text("[1, 2")
    catalogue.add_session("P01", tmp_path / "damaged")
    catalogue.add_session("P01", _session(tmp_path / "without", info))
    found = early_warnings(catalogue, "P01")
    assert [trend.what for trend in found if trend.rising] == ["H-LOSS"]
    assert found[0].per_hour == (2.0, 0.0, 4.0, 60.0)


def test_search_finds_subjects_and_sessions(catalogue: Catalogue, tmp_path: Path, info: StreamInfo) -> None:
    for code in ("P01", "P02", "Q_1"):
        catalogue.add_subject(code)
    catalogue.add_session("P01", _session(tmp_path / "a", info), notes="cap moved")
    catalogue.add_session("P02", _session(tmp_path / "b", info), paradigm="p300")
    assert [row.code for row in catalogue.subjects("p0")] == ["P01", "P02"]
    assert [row.code for row in catalogue.subjects("_")] == ["Q_1"]
    assert len(catalogue.sessions()) == 2
    assert [row.notes for row in catalogue.sessions(search="CAP")] == ["cap moved"]
    assert [row.paradigm for row in catalogue.sessions(paradigm="p300")] == ["p300"]
    assert catalogue.sessions("P02", search="cap") == []


def test_it_is_still_there_for_the_next_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with Catalogue(url) as first:
        first.add_subject("P01")
        first.update_subject("P01", hand="left")
    with Catalogue(url) as second:
        assert second.subject("P01").hand == "left"
        assert [row.action for row in second.audit()] == ["add subject", "update subject"]


def test_an_erased_subject_leaves_no_byte_but_the_audit(catalogue: Catalogue, tmp_path: Path, info: StreamInfo) -> None:
    catalogue.add_subject("CANARY77", data={"note": "CANARYNOTE"})
    catalogue.add_subject("P02")
    folder = _session(tmp_path / "CANARYFOLDER", info)
    row = catalogue.add_session("CANARY77", folder, notes="CANARYNOTES")
    catalogue.add_run(row.id, kind="feedback")
    catalogue.add_outcome("CANARY77", "ARAT", 12, session=row.id)
    (tmp_path / "model").write_text("x")
    catalogue.add_model("CANARY77", tmp_path / "model")
    counts = catalogue.erase_subject("CANARY77", reason="consent withdrawn", files=True)
    assert counts == {"sessions": 1, "runs": 1, "models": 1, "outcomes": 1, "files": 2}
    assert not folder.exists()
    assert [subject.code for subject in catalogue.subjects()] == ["P02"]
    assert catalogue.sessions() == []
    entry = catalogue.audit()[-1]
    assert (entry.action, entry.who, entry.detail["reason"]) == ("erase subject", "tester", "consent withdrawn")
    catalogue.close()
    raw = (tmp_path / "data" / "catalogue.sqlite").read_bytes()
    assert b"CANARY" not in raw
    assert b"P02" in raw
    assert catalogue.verify_audit() is None


def test_files_stay_where_only_the_entries_are_erased(catalogue: Catalogue, tmp_path: Path, info: StreamInfo) -> None:
    catalogue.add_subject("P01")
    folder = _session(tmp_path / "s", info)
    catalogue.add_session("P01", folder)
    assert catalogue.erase_subject("P01", reason="moved")["files"] == 0
    assert folder.is_dir()


@pytest.mark.parametrize("change", ["update audit set who = 'other' where id = 2", "delete from audit where id = 2"])
def test_a_changed_audit_trail_is_found(catalogue: Catalogue, tmp_path: Path, change: str) -> None:
    for code in ("P01", "P02", "P03"):
        catalogue.add_subject(code)
    assert catalogue.verify_audit() is None
    catalogue.close()
    with sqlite3.connect(tmp_path / "data" / "catalogue.sqlite") as connection:
        connection.execute(change)
    connection.close()
    assert catalogue.verify_audit() in (2, 3)


def test_bad_input_is_refused(catalogue: Catalogue, tmp_path: Path, info: StreamInfo) -> None:
    catalogue.add_subject("P01")
    with pytest.raises(RecordingError, match="already"):
        catalogue.add_subject("P01")
    with pytest.raises(ArgumentError, match="no name"):
        catalogue.add_subject("Jane Doe")
    with pytest.raises(ArgumentError, match="no subject 'P09'"):
        catalogue.add_outcome("P09", "FMA-UE", 1)
    with pytest.raises(ArgumentError, match="must be a date"):
        catalogue.add_outcome("P01", "FMA-UE", 1, measured="yesterday")
    with pytest.raises(ArgumentError, match="no session 5"):
        catalogue.add_run(5)
    with pytest.raises(ArgumentError, match="cannot be changed"):
        catalogue.update_subject("P01", created="X")
    with pytest.raises(ArgumentError, match="reason"):
        catalogue.erase_subject("P01", reason=" ")
    with pytest.raises(ArgumentError, match="must not name"):
        catalogue.erase_subject("P01", reason="p01 asked")
    with pytest.raises(RecordingError, match="no session folder"):
        catalogue.add_session("P01", tmp_path)
    folder = _session(tmp_path / "s", info)
    catalogue.add_session("P01", folder)
    with pytest.raises(RecordingError, match="already"):
        catalogue.add_session("P01", folder)


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    for place in (tmp_path / "file" / "c.sqlite", tmp_path / "file"):
        with pytest.raises(RecordingError, match="cannot be opened"):
            Catalogue(f"sqlite:///{place}")


def test_the_tables_are_right_for_postgresql_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for table in Base.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"extra postgres"):
        Catalogue("postgresql+psycopg://user@localhost/clinic")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an empty PostgreSQL database that runs for these tests, reached by a socket."""
    pytest.importorskip("psycopg")
    initdb, control = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or control is None:
        pytest.skip("PostgreSQL is not installed")
    user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="bcikit-pg-"))
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        try:
            shutil.chown(folder, "postgres")
        except LookupError:
            pytest.skip("PostgreSQL does not run as root")
        user = {"user": "postgres"}
    quiet: dict[str, Any] = {"check": True, "timeout": 60, "stdout": subprocess.DEVNULL, "cwd": folder, **user}
    try:
        subprocess.run([initdb, "-D", folder / "data", "-U", "clinic", "-A", "trust", "-N"], **quiet)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        start = [control, "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"]
        subprocess.run(start, **quiet)
        try:
            yield f"postgresql+psycopg://clinic@/postgres?host={folder}"
        finally:
            subprocess.run([control, "-D", folder / "data", "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_clinic_shares_one_in_postgresql(postgres: str, tmp_path: Path, info: StreamInfo) -> None:
    with Catalogue(postgres, who="first place") as catalogue:
        test_a_course_of_treatment_is_entered_and_followed(catalogue, tmp_path, info)
    with Catalogue(postgres, who="second place") as catalogue:
        assert catalogue.subject("P01").data == {"onset": "2026-01"}
        assert len(catalogue.sessions("P01", search="0.85")) == 1
        assert catalogue.verify_audit() is None
        with pytest.raises(RecordingError, match="already"):
            catalogue.add_subject("P01")
        counts = catalogue.erase_subject("P01", reason="consent withdrawn")
        assert counts["sessions"] == 3
        assert catalogue.subjects() == []
        assert {entry.who for entry in catalogue.audit()} == {"first place", "second place"}
        assert catalogue.verify_audit() is None


def test_a_database_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(RecordingError, match="cannot be opened"):
        Catalogue(f"postgresql+psycopg://user@/clinic?host={tmp_path}")


def test_the_default_place_is_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url().startswith("sqlite:///")
    assert default_url().endswith("catalogue.sqlite")
