"""The engine's own process and the window's end of the line to it; then the report of what it recorded."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtPrintSupport import QPrinter
from PySide6.QtTest import QTest

from bcikit.clinic import engine_process, forms, pages_report, protocols, runner
from bcikit.clinic.alpha import alpha_words
from bcikit.clinic.base import Desk
from bcikit.clinic.pages_report import ReportPage
from bcikit.clinic.runner import EngineRunner, SessionJob
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue, read_session
from bcikit.recording.header import read_header
from bcikit.safety import verify_audit
from bcikit.session import config_from, plan
from bcikit.session.drive import RUNNING
from bcikit.session.engine import Engine
from bcikit.signal import BciError, ConfigError
from bcikit.signal.messages import StateChanged

PHASES = [{"phase": name, "seconds": 13.0, "text": name} for name in ("eyes-open", "eyes-closed")]
SIM = "sim:rest?channels=8&seed=3"


def job(folder: Path, *, device: str = SIM, phases: Any = PHASES) -> SessionJob:
    visit = Visit(subject="SIMULATED", simulated=True, operator="T-01", device=device, protocol="eyes-open-closed")
    config = protocols.build(visit, folder=str(folder), settings={"phases": phases}, phase="session")
    screening = forms.make_screening(visit, {}, sleep_h=None)
    scopes: dict[str, bool | None] = dict.fromkeys(forms.scope_names(), True)
    signed = "2026-01-05T09:00:00+00:00"
    consent = forms.make_consent(visit, scopes, signer="participant", signed=signed, screening=screening)
    return SessionJob(
        config=config,
        operator="T-01",
        subject="SIMULATED",
        consent=consent.model_dump(mode="json"),
        screening=screening.model_dump(mode="json"),
        idle={"activations": 0, "seconds": 300.0},
    )


class InThisProcess:
    """Stands for the engine's process while the engine runs here."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self.command, self.pid = command, os.getpid()
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def run(self) -> int:
        before = signal.getsignal(signal.SIGTERM)
        code = 1
        try:
            code = engine_process.main(Path(self.command[-1]))
        finally:
            self.code = code
            signal.signal(signal.SIGTERM, before)
        return code


def run(folder: Path, wanted: SessionJob, during: Callable[[EngineRunner], None]) -> tuple[int, list[dict[str, Any]]]:
    """Run a job as the window does and return its exit code and what the window heard."""
    window, heard = EngineRunner(folder / "runs"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "subprocess", SimpleNamespace(Popen=InThisProcess, DEVNULL=subprocess.DEVNULL))
        window.start(wanted)
    process: Any = window._process

    def watch() -> None:
        while window.running:
            heard.extend(window.poll())
            if window.link is not None and window.age is not None:
                during(window)
            time.sleep(0.002)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        code = process.run()
    finally:
        watching.join(60)
    assert not watching.is_alive()
    # Neither keys nor records of consent are left behind.
    assert [path.name for path in (folder / "runs").iterdir()] == []
    return code, heard


def test_the_line_of_an_engine_that_is_gone_is_read_to_its_end(tmp_path: Path) -> None:
    window = EngineRunner(tmp_path)
    line: Any = SimpleNamespace(connected=True, take=list, halt=lambda: None)
    window.link, window._handshake = line, tmp_path / "run-1.json"
    window._process = SimpleNamespace(poll=lambda: 0)  # type: ignore[assignment]
    assert window.poll() == []
    assert window.running
    line.connected, line.take = False, lambda: [StateChanged(state="FINISHED")]
    state, ending = window.poll()
    assert (state["type"], state["state"], ending["type"]) == ("state", "FINISHED", "failed")
    assert not window.running


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Return a check of the eyes, run as the window runs it, and what was heard of it."""
    folder, said = tmp_path_factory.mktemp("engine"), SimpleNamespace(ticket=0, heard=None, age=None)
    answered = threading.Event()

    class Waits(Engine):
        """Goes on once the window has joined and ordered something: its half minute takes a second or two here."""

        def progress(self, what: str, done: int, total: int) -> None:
            super().progress(what, done, total)
            assert what != RUNNING or answered.wait(120)

    def during(window: EngineRunner) -> None:
        if not said.ticket:
            said.age = window.age
            said.ticket = window.send("note", text="sits well")
        elif said.heard is None:
            said.heard = window.heard(said.ticket)
        else:
            answered.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_process, "Engine", Waits)
        code, heard = run(folder, job(folder / "s"), during)
    return SimpleNamespace(folder=folder / "s", code=code, messages=heard, said=said)


def test_a_job_is_run_told_and_kept(ran: SimpleNamespace) -> None:
    assert ran.code == 0
    kinds = [message["type"] for message in ran.messages]
    assert kinds[0] == "snapshot"
    assert {"state", "quality", "health", "event"} <= set(kinds)
    assert kinds[-1] == "result"
    assert ran.messages[-1]["folder"] == str(ran.folder)
    assert ran.messages[-1]["values"]["ended"] == "finished"
    assert ran.said.age < 60.0
    assert ran.said.heard == "", "the order was received"
    session = read_session(ran.folder)
    assert session.status == "complete"
    notes = [event.data for event in session.events if event.name == "operator/note"]
    assert [note["text"] for note in notes] == ["sits well"]
    assert verify_audit(ran.folder).intact


def test_an_engine_that_is_asked_to_end_ends_with_its_report(tmp_path: Path) -> None:
    asked: list[int] = []

    def during(window: EngineRunner) -> None:
        if not asked and (tmp_path / "s" / "events.jsonl").is_file():
            asked.append(1)
            os.kill(os.getpid(), signal.SIGTERM)

    long = [{**phase, "seconds": 900.0} for phase in PHASES]
    code, heard = run(tmp_path, job(tmp_path / "s", phases=long), during)
    assert (code, asked) == (0, [1])
    values = heard[-1]["values"]
    assert values["duration_s"] < 1700
    assert values["ended"] != "finished"
    assert read_session(tmp_path / "s").status == "stopped"


def test_an_engine_that_ends_before_its_first_sample_has_a_report_all_the_same(tmp_path: Path) -> None:
    engine = Engine(job(tmp_path / "s").config, operator="T-01")
    engine.end()
    engine.run()
    assert json.loads((tmp_path / "s" / "result.json").read_text(encoding="utf-8"))["n_samples"] == 0
    text = (tmp_path / "s" / "report.html").read_text(encoding="utf-8")
    assert "interrupted" in text
    assert "Results of the paradigm" in text


def test_what_the_engine_refuses_is_what_the_window_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, heard = run(tmp_path, job(tmp_path / "s", device="file:/no/such/file.edf"), lambda window: None)
    assert code == 2
    assert heard[-1]["type"] == "failed"
    assert "no/such/file.edf" in heard[-1]["error"]
    assert heard[-1]["folder"] == str(tmp_path / "s")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(engine_process, "Engine", broken)
    seen: list[dict[str, Any]] = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(run(tmp_path, job(tmp_path / "t"), lambda window: None)[1])


def test_an_engine_that_says_nothing_yet_is_waited_for_and_can_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen

    def idle(command: list[str], **options: Any) -> Any:
        return real([sys.executable, "-S", "-c", "input()"], **{**options, "stdin": subprocess.PIPE})

    monkeypatch.setattr(runner, "subprocess", SimpleNamespace(Popen=idle, DEVNULL=subprocess.DEVNULL))
    window = EngineRunner(tmp_path / "runs")
    assert (window.handshake, window.poll()) == ("", [])
    window.start(job(tmp_path / "s"))
    process: Any = window._process
    try:
        with pytest.raises(BciError, match="running already"):
            window.start(job(tmp_path / "s"))
        assert window.poll() == []
        assert window.age is None
        assert window.waited >= 0.0
        assert window.heard(window.send("stop", reason="STOP key")) == "The engine cannot be reached."
        Path(window.handshake).write_text("{", encoding="utf-8")
        assert window.poll() == [], "half written: the next look finds it whole"
    finally:
        window.kill()
        process.stdin.close()
    assert process.returncode == -signal.SIGTERM
    assert not window.running
    assert window.handshake == ""


def test_a_result_that_was_damaged_is_a_failure_in_words(ran: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "result.json").write_text("{", encoding="utf-8")
    window = EngineRunner(tmp_path)
    window._session, window._handshake = {"folder": str(tmp_path / "s")}, tmp_path / "run-1.json"
    (ended,) = window.poll()
    assert ended["type"] == "failed"
    assert "result.json" in ended["error"]


# -- its report -------------------------------------------------------------------------------------------------------


@pytest.fixture
def report(qtbot: Any, dark: Any, tmp_path: Path, ran: SimpleNamespace) -> Iterator[Callable[..., ReportPage]]:
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test") as catalogue:
        catalogue.add_subject("P-1", birth_year=1961)

        def make(**more: Any) -> ReportPage:
            values: dict[str, Any] = {
                "subject": "P-1",
                "operator": "T-01",
                "started": "2026-11-29T10:00:00+01:00",
                "device": "Headset of Frau Muster",
                "protocol": "resting-state",
                "parts": [str(ran.folder)],
            }
            page = ReportPage(Desk(Visit(**{**values, **more}), catalogue, SimpleNamespace(), dark, tmp_path))  # type: ignore[arg-type]
            page.folder = lambda: tmp_path  # type: ignore[method-assign]
            qtbot.addWidget(page)
            page.show()
            page.enter()
            return page

        yield make


def press(widget: Any) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def test_the_report_of_a_check_says_what_closing_the_eyes_did(report: Callable[..., ReportPage], ran: Any) -> None:
    said = alpha_words(ran.folder)
    assert said.startswith("Closed eyes raised the alpha rhythm ")
    assert said in report(protocol="eyes-open-closed").view.toPlainText()
    assert alpha_words(ran.folder / "none") == ""


def test_a_hospital_gets_the_training_and_the_eeg_with_the_code_only_where_it_was_agreed(
    report: Callable[..., ReportPage], ran: SimpleNamespace, tmp_path: Path
) -> None:
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("fhir.resources")
    for more, named in ([], False), (["share"], False), (["share", "hospital"], True), (["hospital"], True):
        scopes = ["acquire", "store", *more]
        page = report(consent={"scopes": scopes}, birth_year=1961)
        page.desk.catalogue.add_outcome("P-1", "FMA-UE", 31.0, unit="points", measured="2026-11-28")
        press(page.fhir_button)
        press(page.dicom_button)
        said = "" if named else ". It names nobody: to send it under the code was not agreed to."
        assert page.message.text() == f"● Saved: {tmp_path / 'eeg.dcm'}{said}"
        bundle, eeg = page.saved
        text = bundle.read_text(encoding="utf-8")
        assert ("P-1" in text) is named
        assert '"FMA-UE"' in text or "Fugl-Meyer" in text
        if named:
            period = json.loads(text)["entry"][2]["resource"]["performedPeriod"]
            told = read_header(ran.folder)
            times = [datetime.fromisoformat(one) for one in (*period.values(), told["started"], told["ended"])]
            assert times[:2] == times[2:], "of the training, not of the visit"
        assert (str(pydicom.dcmread(eeg).PatientID) == "P-1") is named
        assert (b"Muster" in eeg.read_bytes()) is named
    page = report(parts=[])
    for one in (page.fhir_button, page.dicom_button):
        press(one)
        assert page.message.text() == "■ Nothing was recorded in this visit."


def test_the_archive_is_remembered_when_it_took_the_eeg(
    report: Callable[..., ReportPage], qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pydicom")
    page = report()
    page.archive.setText("the archive")
    press(page.send_button)
    qtbot.waitUntil(page.send_button.isEnabled, timeout=60_000)
    assert "Enter the archive as HOST:PORT/TITLE" in page.message.text()
    sent: list[Any] = []
    monkeypatch.setattr("bcikit.clinic.hospital.store_dicom", lambda path, **where: sent.append((path.name, where)))
    page.archive.setText(" pacs.clinic:104/ARCHIVE ")
    press(page.send_button)
    qtbot.waitUntil(page.send_button.isEnabled, timeout=60_000)
    assert sent == [("eeg.dcm", {"host": "pacs.clinic", "port": 104, "title": "ARCHIVE"})]
    assert page.message.text().startswith("● Sent: ")
    assert report().archive.text() == "pacs.clinic:104/ARCHIVE"


def test_the_report_is_printed_saved_where_one_says_and_what_fails_is_told(
    report: Callable[..., ReportPage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pypdf import PdfReader

    class Dialog:
        DialogCode = pages_report.QPrintDialog.DialogCode
        answer = DialogCode.Rejected

        def __init__(self, printer: QPrinter, _parent: object) -> None:
            printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
            printer.setOutputFileName(str(tmp_path / "printed.pdf"))

        def exec(self) -> Any:
            return self.answer

    monkeypatch.setattr(pages_report, "QPrintDialog", Dialog)
    page = report(simulated=True, subject="SIMULATED")
    press(page.print_button)
    assert not (tmp_path / "printed.pdf").exists()
    Dialog.answer = Dialog.DialogCode.Accepted
    press(page.print_button)
    words = " ".join(part.extract_text() for part in PdfReader(tmp_path / "printed.pdf").pages)
    assert "SIMULATED PATIENT" in " ".join(words.split())
    chosen = [""]
    asked: list[str] = []

    def ask(_parent: object, start: str) -> str:
        asked.append(start)
        return chosen[0]

    monkeypatch.setattr(pages_report, "ask_report_path", ask)
    press(page.as_button)
    assert page.saved == []
    chosen[0] = str(tmp_path / "none" / "report.html")
    press(page.as_button)
    assert page.message.text().startswith("■ ")
    assert page.saved == []
    chosen[0] = str(tmp_path / "report.html")
    press(page.as_button)
    assert page.message.text() == f"● Saved: {tmp_path / 'report.html'}"
    assert asked[0].endswith("SIMULATED-training-report.pdf")
    opened: list[str] = []
    monkeypatch.setattr(pages_report.QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    press(page.folder_button)
    assert opened == [str(tmp_path)]


def test_a_score_that_was_wrong_is_taken_out_with_a_reason(report: Callable[..., ReportPage]) -> None:
    page = report()
    page.desk.catalogue.add_outcome("P-1", "FMA-UE", 31.0, unit="points", measured="2026-11-28")
    page.enter()
    page.scores.clearSelection()
    press(page.correct)
    assert page.message.text() == "▲ Choose a score in the table first."
    page.scores.selectRow(0)
    page.why.setText("of another patient")
    press(page.remove)
    assert page.message.text() == "● Corrected; the audit trail keeps what it was."
    assert page.scores.rowCount() == 0
    assert json.dumps([row.value for row in page.desk.catalogue.outcomes("P-1")]) == "[]"


@pytest.mark.parametrize("protocol", protocols.protocol_names())
def test_every_protocol_that_is_offered_can_start_as_the_engine_reads_it(protocol: str, tmp_path: Path) -> None:
    device = "sim:motor-imagery?seed=1"
    visit = Visit(subject="SIMULATED", operator="T-01", device=device, protocol=protocol, simulated=True)
    for phase in ("calibration", "session") if protocols.learns(protocol) else ("session",):
        made = protocols.build(visit, folder=str(tmp_path / phase), settings={}, phase=phase)
        read = config_from(json.loads(json.dumps(made.to_dict())))
        if phase == "session" and protocols.learns(protocol):
            # All that is missing is what the calibration makes.
            with pytest.raises(ConfigError) as caught, plan(read):
                pass
            assert [problem.partition(":")[0] for problem in caught.value.problems] == ["decoder.model"]
        else:
            with plan(read):
                pass
