"""The catalogue: entered, found, followed over time, and erased without a trace but the audit."""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from bcikit.recording import Catalogue, SessionWriter, recover
from bcikit.recording.audit_trail import trail_name
from bcikit.recording.catalogue import default_url
from bcikit.recording.corrections import correct_outcome, rename_subject
from bcikit.recording.early_warning import early_warnings
from bcikit.recording.schema import HEAD
from bcikit.recording.tables_sql import Base
from bcikit.safety import AuditLog
from bcikit.signal import ArgumentError, MissingDependencyError, ModelError, RecordingError, StreamInfo


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite'}", who="tester") as opened:
        yield opened


def _session(folder: Path, info: StreamInfo) -> Path:
    with SessionWriter(folder, info=info, config={"paradigm": {"kind": "motor-imagery"}}):
        pass
    return folder


@pytest.mark.parametrize(
    ("field", "value"),
    [("birth_year", 19610), ("birth_year", -1), ("birth_year", 1961.5), ("hand", "R"), ("affected_side", "Left")],
)
def test_what_is_no_year_of_birth_or_no_side_is_not_entered(catalogue: Catalogue, field: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=field):
        catalogue.add_subject("P02", **{field: value})
    assert not catalogue.subjects()
    catalogue.add_subject("P02", birth_year=1961, hand="both", affected_side="right")
    with pytest.raises(ArgumentError, match=field):
        catalogue.update_subject("P02", **{field: value})
    catalogue.update_subject("P02", birth_year=None, hand="", affected_side="left")


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
        (folder / "result.json").write_text(json.dumps({"ended": "finished", "n_trials": 0, "safety": safety}))
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


def test_the_reason_of_a_corrected_score_names_no_code_for_it_stays_in_the_audit_trail(catalogue: Catalogue) -> None:
    catalogue.add_subject("CANARY77")
    catalogue.add_outcome("CANARY77", "ARAT", 12)
    (row,) = catalogue.outcomes("CANARY77")
    rename_subject(catalogue, "CANARY77", "CANARY78", reason="digits swapped")
    for reason in ("score of canary77", "that of CANARY78, really"):
        with pytest.raises(ArgumentError, match="must not name the person"):
            correct_outcome(catalogue, row.id, reason=reason, value=13)
    correct_outcome(catalogue, row.id, reason="read from the wrong line", value=13)
    assert catalogue.outcomes("CANARY78")[0].value == 13
    catalogue.erase_subject("CANARY78", reason="consent withdrawn")
    assert "CANARY" not in json.dumps([entry.detail for entry in catalogue.audit()])


def test_why_something_was_corrected_goes_with_the_person(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.add_subject("P02")
    catalogue.add_subject("P01")
    catalogue.add_outcome("P01", "ARAT", 12)
    (row,) = catalogue.outcomes("P01")
    correct_outcome(catalogue, row.id, reason="张伟 read it as 12, Mrs Canary says 13", value=13)
    rename_subject(catalogue, "P01", "P03", reason="Canary's digits swapped")
    told = [entry.detail.get("reason") for entry in catalogue.audit()]
    assert told[-2:] == ["张伟 read it as 12, Mrs Canary says 13", "Canary's digits swapped"]
    assert catalogue.verify_audit() is None
    catalogue.erase_subject("P03", reason="consent withdrawn")
    assert set(map(type, (entry.detail.get("reason") for entry in catalogue.audit()[-3:]))) == {dict, str}
    assert catalogue.verify_audit() is None
    catalogue.close()
    raw = (tmp_path / "data" / "catalogue.sqlite").read_bytes()
    assert b"Canary" not in raw
    assert json.dumps("张伟").strip('"').encode() not in raw


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


FOUR = """
import sys
from pathlib import Path
from bcikit.recording import Catalogue

url, name, session = sys.argv[1:4]
with Catalogue(url, who=name) as catalogue:
    print("open", flush=True)
    sys.stdin.readline()
    for number in range(25):
        catalogue.add_run(int(session), kind=name)
        catalogue.add_outcome("P01", "ARAT", number)
"""

OPEN = """
import sys
from bcikit.recording import Catalogue
print("ready", flush=True)
sys.stdin.readline()
with Catalogue(sys.argv[1], who="x") as catalogue:
    catalogue.add_subject(sys.argv[2])
"""


def _four(code: str, arguments: list[list[str]]) -> None:
    programs = [
        subprocess.Popen([sys.executable, "-c", code, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for more in arguments
    ]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline()
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        assert [program.wait(timeout=120) for program in programs] == [0] * len(programs)
    finally:
        for program in programs:
            program.kill()
            program.wait(timeout=60)
            for pipe in (program.stdin, program.stdout):
                assert pipe is not None
                pipe.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.sqlite'}"
    url = str(request.getfixturevalue("postgres"))
    name = f"clinic{os.getpid()}{abs(hash(str(tmp_path))) % 10**8}"
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return url.replace("/postgres?", f"/{name}?")


def test_what_one_place_changes_of_a_person_is_not_taken_back_by_another(empty: str) -> None:
    with Catalogue(empty, who="first place") as first, Catalogue(empty, who="second place") as second:
        first.add_subject("P-1", birth_year=1961)
        first.update_subject("P-1", data={"plan": 1, "consents": ["a"]})
        assert second.subject("P-1").data["consents"] == ["a"]
        first.update_subject("P-1", merge={"consents": ["a", "b"]})
        second.update_subject("P-1", merge={"plan": 2})
        assert first.subject("P-1").data == {"plan": 2, "consents": ["a", "b"]}
        assert first.verify_audit() is None


@pytest.mark.slow
@pytest.mark.requirement("SAF-131")
def test_four_programs_at_once_open_an_empty_database_and_number_their_runs(
    empty: str, tmp_path: Path, info: StreamInfo
) -> None:
    _four(OPEN, [[empty, f"Q{number}"] for number in range(4)])
    with Catalogue(empty, who="main") as catalogue:
        assert len(catalogue.subjects()) == 4
        catalogue.add_subject("P01")
        session = catalogue.add_session("P01", _session(tmp_path / "s", info)).id
    _four(FOUR, [[empty, f"place {number}", str(session)] for number in range(4)])
    with Catalogue(empty, who="main") as catalogue:
        assert [run.number for run in catalogue.runs(session)] == list(range(1, 101))
        assert len(catalogue.outcomes("P01")) == 100
        assert catalogue.verify_audit() is None
        actions = [entry.action for entry in catalogue.audit()]
        assert actions.count("add run") == 100, "a run leaves an entry, too"


@pytest.mark.parametrize("what", ["replaced", "emptied", "dropped end"])
def test_an_audit_trail_that_was_replaced_or_emptied_as_a_whole_is_found(tmp_path: Path, what: str) -> None:
    place = tmp_path / "catalogue.sqlite"
    with Catalogue(f"sqlite:///{place}") as catalogue:
        for code in ("P01", "P02", "P03"):
            catalogue.add_subject(code)
        assert catalogue.verify_audit() is None
    if what == "replaced":
        other = tmp_path / "other.sqlite"
        with Catalogue(f"sqlite:///{other}") as catalogue:
            for code in ("P07", "P08", "P09"):
                catalogue.add_subject(code)
        place.write_bytes(other.read_bytes())
    else:
        with contextlib.closing(sqlite3.connect(place)) as connection:
            connection.execute("delete from audit" + (" where id = 3" if what == "dropped end" else ""))
            connection.commit()
    with Catalogue(f"sqlite:///{place}") as catalogue:
        assert catalogue.verify_audit() is not None
        catalogue.add_subject("P10")
        catalogue.add_subject("P11")
        catalogue.add_subject("P12")
        assert catalogue.verify_audit() is not None, "writing on does not hide it"


def test_a_password_stands_in_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [
        f"postgresql+psycopg://user:s3cr%2Ft@/clinic?host={tmp_path}",
        f"postgresql+psycopg://user@/clinic?host={tmp_path}&password=s3cr/t",
        "postgresql+psycopg://user:s3cr%2Ft@localhost:notaport/clinic",
        "nosuch+driver://user:s3cr%2Ft@localhost/clinic",
        f"sqlite:///{tmp_path}/nowhere\x00?password=s3cr/t",
    ]
    for address in addresses:
        with pytest.raises((RecordingError, MissingDependencyError)) as caught:
            Catalogue(address)
        shown = "".join(traceback.format_exception(caught.value))
        assert "s3cr" not in shown, address
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError) as missing:
        Catalogue(addresses[0])
    assert "s3cr" not in str(missing.value)


@pytest.mark.requirement("SAF-136")
def test_erase_takes_what_is_that_persons_and_nothing_else(tmp_path: Path, info: StreamInfo) -> None:
    place = tmp_path / "c.sqlite"
    models = tmp_path / "models"
    models.mkdir()
    for code in ("P01", "P02"):
        (models / f"{code}.skops").write_text(code)
    (tmp_path / "shared.skops").write_text("both")
    outside = tmp_path / "outside.skops"
    outside.write_text("elsewhere")
    mixed = _session(tmp_path / "mixed", info)
    inner = tmp_path / "mixed" / "inner"
    with SessionWriter(inner, info=info, config={"session": {"subject": "P02"}}):
        pass
    with Catalogue(f"sqlite:///{place}") as catalogue:
        for code in ("P01", "P02"):
            catalogue.add_subject(code)
            catalogue.add_model(code, models / f"{code}.skops")
            catalogue.add_model(code, tmp_path / "shared.skops")
        with pytest.raises(ArgumentError, match="is a folder"):
            catalogue.add_model("P01", models)
        catalogue.add_session("P01", mixed)
        other = tmp_path / "of-another"
        with SessionWriter(other, info=info):
            pass
        catalogue.add_session("P01", other)
        header = json.loads((other / "session.json").read_text(encoding="utf-8"))
        header["config"] = {"session": {"subject": "P02"}}
        (other / "session.json").write_text(json.dumps(header), encoding="utf-8")
        own = _session(tmp_path / "own", info)
        catalogue.add_session("P01", own)
    with contextlib.closing(sqlite3.connect(place)) as connection:
        # As an earlier version let it happen: a folder as the model of P01.
        connection.execute(
            "insert into models (subject_id, path, created, decoder, paradigm, scores) "
            f"select id, '{models}', '', '', '', '{{}}' from subjects where code = 'P01'"
        )
        connection.commit()
    with Catalogue(f"sqlite:///{place}") as catalogue:
        counts = catalogue.erase_subject("P01", reason="consent withdrawn", files=True)
        assert counts["files"] == 2
        assert counts["left"] == 4
        assert (models / "P02.skops").read_text() == "P02"
        assert not (models / "P01.skops").exists()
        assert (tmp_path / "shared.skops").exists()
        assert inner.is_dir()
        assert other.is_dir()
        assert not own.exists()


def test_the_trail_does_not_give_an_erased_code_to_who_tries_all(tmp_path: Path) -> None:
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}") as catalogue:
        catalogue.add_subject("P01")
        entry = catalogue.audit()[0]
        assert entry.subject == trail_name(catalogue.subject("P01"), entry.previous, entry.time)
        catalogue.erase_subject("P01", reason="withdrawn")
        for entry in catalogue.audit():
            for number in range(1000):
                for text in (f"{entry.previous}|{entry.time}|P{number:02d}", f"P{number:02d}"):
                    assert hashlib.sha256(text.encode()).hexdigest() != entry.subject


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path, info: StreamInfo) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from sqlalchemy import create_engine, text

    from bcikit.recording.migrations.versions import v0001_first

    place = f"sqlite:///{tmp_path / 'old.sqlite'}"
    engine = create_engine(place)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        v0001_first.upgrade()
        connection.execute(
            text("INSERT INTO subjects (code, created, hand, affected_side, data) VALUES ('P01', '', '', '', '{}')")
        )
        connection.execute(
            text(
                "INSERT INTO sessions (subject_id, path, started, paradigm, status, seconds, results, notes) "
                "VALUES (1, '/x', '', '', '', 0, '{}', '')"
            )
        )
        for _ in range(3):
            connection.execute(text("INSERT INTO runs (session_id, number, kind, results) VALUES (1, 1, '', '{}')"))
    engine.dispose()
    with Catalogue(place) as catalogue:
        assert [run.number for run in catalogue.runs(1)] == [1, 2, 3]
        assert catalogue.add_run(1).number == 4
        assert len(catalogue.subject("P01").trail_key) == 64
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        assert connection.execute("select version_num from alembic_version").fetchall() == [(HEAD,)]
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()
    with pytest.raises(RecordingError, match="newer version"):
        Catalogue(place)


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    place = f"sqlite:///{tmp_path / 'fresh.sqlite'}"
    with Catalogue(place):
        pass
    engine = create_engine(place)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_a_server_that_is_killed_is_one_clear_error_and_nothing_half(postgres: str, tmp_path: Path) -> None:
    import psycopg
    from sqlalchemy import text

    with Catalogue(postgres, who="x") as catalogue:
        before = len(catalogue.audit())
        add = text(
            "INSERT INTO subjects (code, created, hand, affected_side, data, trail_key) "
            "VALUES ('HALF', '', '', '', '{}', '')"
        )
        kill = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

        def cut_off() -> None:
            with catalogue.writing() as connection:
                connection.execute(add)
                with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as other:
                    other.execute(kill)
                connection.execute(text("SELECT 1"))

        with pytest.raises(RecordingError, match="failed"):
            cut_off()
    with Catalogue(postgres, who="x") as catalogue:
        assert "HALF" not in [subject.code for subject in catalogue.subjects()]
        assert len(catalogue.audit()) == before


@pytest.mark.requirement("SAF-136")
def test_after_erasing_nothing_planted_is_left_in_catalogue_sessions_models_or_anchors(
    tmp_path: Path, info: StreamInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "anchors"))
    folder = tmp_path / "CANARY77-session"
    config = {"session": {"subject": "CANARY77", "notes": "CANARYNOTE"}}
    with SessionWriter(folder, info=info, config=config) as writer:
        writer.record("notes", {"text": "CANARYTEXT"})
    with (folder / "signals.xdf").open("ab") as file:
        file.write(b"half")
    recover(folder)
    (tmp_path / "CANARY77.skops").write_text("CANARYMODEL")
    with contextlib.closing(AuditLog(folder, session_id=folder.name, subject="CANARY77")) as log:
        log.write("transition", now=0.0, actor="CANARYTHERAPIST")
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="tester") as catalogue:
        catalogue.add_subject("CANARY77")
        catalogue.add_session("CANARY77", folder, notes="CANARYNOTE")
        catalogue.add_model("CANARY77", tmp_path / "CANARY77.skops")
        assert any(b"CANARY" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert "left" not in catalogue.erase_subject("CANARY77", reason="withdrawn", files=True)
    for path in tmp_path.rglob("*"):
        assert "CANARY" not in path.name
        assert not path.is_file() or b"CANARY" not in path.read_bytes(), path


def test_erasing_reaches_studies_and_models_of_many_people(tmp_path: Path, info: StreamInfo) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    from bcikit.decoding import Model
    from bcikit.decoding.sheet import ModelSheet
    from bcikit.decoding.store import read_sheet, write_model

    study = tmp_path / "study"
    (study / "trials").mkdir(parents=True)
    (study / "scores").mkdir()
    for code in ("CANARY77", "P02"):
        head = json.dumps({"subject": code})
        np.savez(study / "trials" / f"{code[0]}.npz", head=np.array(head), X=np.zeros(3))
        (study / "scores" / f"{code[0]}.json").write_text(json.dumps({"people": {code: 0.8}}))
    np.savez(study / "trials" / "x.prepared.npz", matrices=np.zeros(3))
    (study / "results.csv").write_text("subject,score\nCANARY77,0.8\nP02,0.7\n")
    (study / "study.toml").write_text("seeds = [1]\n")
    learned = LinearDiscriminantAnalysis().fit(np.arange(12.0).reshape(6, 2) % 5, [0, 1] * 3)
    sheet = ModelSheet(
        decoder="csp-lda", params={}, paradigm="motor-imagery", classes=("a", "b"), ch_names=("C3", "C4"), sfreq=250.0,
        n_times=500, tmin=0.0, tmax=2.0, people=("CANARY77", "P02"),
    )  # fmt: skip
    both = [tmp_path / "many.bcimodel", tmp_path / "elsewhere.model"]
    others = write_model(tmp_path / "others.bcimodel", sheet.replace(people=("CANARY7", "P02")), {"estimator": learned})
    for path in both:
        write_model(path, sheet, {"estimator": learned, "calibrator": None})
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}") as catalogue:
        catalogue.add_subject("CANARY77")
        catalogue.add_subject("P02")
        catalogue.add_model("P02", both[1])
        counts = catalogue.erase_subject("CANARY77", reason="withdrawn", files=True, within=(tmp_path,))
    assert counts["marked"] == 2
    assert counts["files"] == 4
    assert sorted(path.name for path in study.rglob("*") if path.is_file()) == ["P.json", "P.npz", "study.toml"]
    assert not any(b"CANARY77" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for path in both:
        assert (read_sheet(path).people, read_sheet(path).withdrawn) == (("P02",), 1)
        with pytest.raises(ModelError, match=r"withdrawn since.*train it anew"):
            Model.load(path)
    assert read_sheet(others).withdrawn == 0
