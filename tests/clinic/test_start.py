"""The clinic's program: it opens, keeps its folder to itself, changes its look, and tells what goes wrong."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from bcikit.clinic import runner, start
from bcikit.clinic.runner import SessionJob
from bcikit.clinic.start import Clinic
from bcikit.clinic.trouble import tell_trouble
from bcikit.clinic.visit import Visit
from bcikit.clinic.window import ClinicWindow
from bcikit.signal import BciError
from bcikit.signal.processes import process_mark


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dark: Any) -> Path:
    """A folder of its own, and nothing of the program's hooks left behind."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(start, "user_place", lambda kind: tmp_path / kind)
    monkeypatch.setenv("BCIKIT_CATALOGUE", "")
    return tmp_path / "data" / "clinic"


@pytest.fixture
def clinic(place: Path, qapp: QApplication, qtbot: Any, tmp_path: Path) -> Any:
    settings = QSettings(str(tmp_path / "look.ini"), QSettings.Format.IniFormat)
    font = qapp.font()
    one = Clinic(qapp, place, theme="", language="en", settings=settings)
    one.window.show()
    yield one
    qapp.removeEventFilter(one._stops)
    one.window.close()
    qapp.setFont(font)
    one._lock.release()


def test_the_window_opens_where_nothing_is_said_and_ends_with_zero(
    place: Path, qapp: QApplication, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Clinic] = []
    sizes: list[tuple[int, int]] = []
    whole = Clinic.__init__

    def keep(self: Clinic, *words: Any, **options: Any) -> None:
        whole(self, *words, **options)
        made.append(self)

    def close() -> None:
        sizes.append((made[0].window.width(), made[0].window.height()))
        # A second window on the same folder is refused, in words.
        assert start.main(["--language", "en"]) == 2
        made[0].window.close()
        qapp.quit()

    monkeypatch.setattr(Clinic, "__init__", keep)
    # One order to quit and no second one: what is left of it would end the loops of all tests after this one.
    before = qapp.quitOnLastWindowClosed()
    qapp.setQuitOnLastWindowClosed(False)
    QTimer.singleShot(0, close)
    try:
        assert start.main(["--language", "en", "--theme", "dark", "--size", "1300x820"]) == 0
    finally:
        qapp.setQuitOnLastWindowClosed(before)
    qapp.removeEventFilter(made[0]._stops)
    made[0]._lock.release()
    assert sizes == [(1300, 820)]
    assert "Another clinic window has the folder" in capsys.readouterr().err
    assert (place / "catalogue.sqlite").is_file()
    assert place.stat().st_mode & 0o077 == 0, "for this user alone"


def test_colours_and_language_change_and_the_place_stays(clinic: Clinic, qapp: QApplication, tmp_path: Path) -> None:
    first = clinic.window
    assert first.desk.theme.name == "light", "where nobody chose"
    first.resize(1310, 830)
    first.pages["patient"].operator.setText("T-01")  # type: ignore[attr-defined]
    first.look_wanted.emit("dark", "zh")
    second = clinic.window
    assert isinstance(second, ClinicWindow)
    assert second is not first
    assert (second.desk.theme.name, second.width(), second.height()) == ("dark", 1310, 830)
    assert second.windowTitle() != first.windowTitle()
    assert second.desk.catalogue.subjects() == [], "the catalogue is open still"
    clinic._settings.sync()
    kept = QSettings(str(tmp_path / "look.ini"), QSettings.Format.IniFormat)
    assert (kept.value("clinic-theme"), kept.value("language")) == ("dark", "zh")


def test_a_session_during_which_colours_change_was_left_by_no_window(clinic: Clinic) -> None:
    went_on = "● The session went on while this window was closed."
    clinic._catalogue.add_subject("P-1")
    clinic._runner = SimpleNamespace(  # type: ignore[assignment]
        running=True, handshake="run-1.json", age=0.0, waited=0.0, poll=list, detach=lambda: None,
        attach=lambda handshake: handshake == "run-1.json", heard=lambda ticket: None, send=lambda *_, **__: 1,
    )  # fmt: skip
    first = clinic.window
    first.desk.runner = clinic._runner
    first.desk.visit = Visit(subject="P-1", step="session", running="run-1.json", running_step="session")
    first.look_wanted.emit("dark", "")
    assert clinic.window.running_page is clinic.window.page
    assert (clinic.window.visit.reopened, clinic.window.page.message.text()) == (0, "")
    clinic.window.keep()
    # One that was closed, and is opened again.
    again = clinic._make()
    assert (again.visit.reopened, again.page.message.text()) == (1, went_on)
    again.leaving = True
    again.close()


@pytest.mark.parametrize("step", ["session", "calibration"])
def test_an_engine_that_has_said_nothing_yet_keeps_its_place_in_the_visit(
    clinic: Clinic, place: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic._catalogue.add_subject("P-1")
    folder = str(place / f"P-1-20260105-090000-{step}")
    process = SimpleNamespace(pid=1, poll=lambda: None)
    monkeypatch.setattr(runner, "subprocess", SimpleNamespace(Popen=lambda *_, **__: process, DEVNULL=None))
    config = SimpleNamespace(to_dict=dict, recording=SimpleNamespace(folder=folder))
    clinic._runner.start(SessionJob(config=config, operator="T-01", subject="P-1"))  # type: ignore[arg-type]
    name = "calibrations" if step == "calibration" else "parts"
    visit = Visit(subject="P-1", step=step, running=clinic._runner.handshake, running_step=step, **{name: [folder]})
    clinic.window.desk.visit = visit
    clinic.window.look_wanted.emit("dark", "")
    now = clinic.window
    assert (getattr(now.visit, name), now.visit.running) == ([folder], visit.running)
    assert now.running_page is now.page
    assert now.page.start.isEnabled() is False  # type: ignore[attr-defined]
    assert clinic._runner._session == {"folder": folder}
    # The window is closed, and a new program comes before the engine has made its folder.
    clinic._runner = runner.EngineRunner(place / "runs")
    again = clinic._make()
    assert (getattr(again.visit, name), again.visit.running) == ([folder], "")
    # Another one is started meanwhile, which finds the headset busy and ends; and the colours change.
    clinic._runner.start(SessionJob(config=config, operator="T-01", subject="P-1"))  # type: ignore[arg-type]
    again.tick()
    clinic._runner._clear()
    again.visit.running = ""
    clinic.window = again
    again.look_wanted.emit("light", "")
    again = clinic.window
    # It begins after all, and can be stopped.
    monkeypatch.setattr(runner.EngineRunner, "_connect", lambda self: None)
    control = {"pid": os.getpid(), "mark": process_mark(os.getpid()), "control": {}, "folder": folder}
    Path(visit.running).write_text(json.dumps(control), encoding="utf-8")
    again.tick()
    assert (getattr(again.visit, name), again.visit.running) == ([folder], visit.running)
    assert again.running_page is again.page
    assert again.space_stops()
    Path(visit.running).unlink()
    clinic._runner = runner.EngineRunner(place / "runs")
    later = clinic._make()
    assert getattr(later.visit, name) == [folder], "it may still begin"
    assert clinic._runner.attach(str(place / "runs" / "run-0.json")) is False
    # Once it is known that nothing runs, what recorded nothing is no part.
    once_more = clinic._make()
    assert getattr(once_more.visit, name) == []
    for one in (now, later, once_more):
        one.leaving = True
        one.close()


def test_an_engine_that_began_and_failed_while_another_ran_leaves_the_page_alone(clinic: Clinic, place: Path) -> None:
    page, handshake = clinic.window.page, place / "run-9.json"
    other = {"pid": os.getpid(), "mark": "of another process", "control": {}, "folder": str(place / "none")}
    handshake.write_text(json.dumps(other), encoding="utf-8")
    clinic.window.awaited = str(handshake)
    clinic.window.tick()
    assert (clinic.window.page, clinic.window.awaited) == (page, "")
    assert clinic.window.visit.reopened == 0


def test_what_goes_wrong_while_a_button_is_pressed_is_said_and_handed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before: list[type[BaseException]] = []
    said: list[str] = []

    def hear(kind: type[BaseException], *_: object) -> None:
        before.append(kind)

    monkeypatch.setattr(sys, "excepthook", hear)
    undo = tell_trouble(said.append)
    for error in (
        BciError("the catalogue failed"),
        OSError(28, "No space left on device", "/data/x"),
        ZeroDivisionError("division by zero"),
        KeyboardInterrupt(),
    ):
        sys.excepthook(type(error), error, None)
    assert said[0] == "the catalogue failed"
    assert "No space left on device" in said[1]
    assert "ZeroDivisionError" in said[2]
    assert len(said) == 3, "Ctrl-C is no trouble of the window"
    assert before == [ZeroDivisionError, KeyboardInterrupt], "what nobody understands goes to who heard it before"
    assert "the catalogue failed" in capsys.readouterr().err, "the log has what a person was told"
    undo()
    assert sys.excepthook is hear
    undo()
    assert sys.excepthook is hear


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_data_folder_that_can_be_none_is_said(
    name: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    data = str(tmp_path / name)
    for more in ((), ("--new-trial", "FES-26")):
        assert start.main(["--data", data, "--language", "en", *more]) == 2
        assert "choose another with --data" in capsys.readouterr().err


def test_words_of_any_length_leave_the_window_on_its_screen(clinic: Clinic, qtbot: Any) -> None:
    window = clinic.window
    window.resize(1280, 800)
    long = "x" * 200
    window.page.operator.setText(f"T-{long}")
    window.page._simulated()
    window.page.say(f"Saved: /home/{long}/report.pdf", "GOOD")
    window.question.ask(long, "End it", lambda: None)
    window.visit.simulated, window.visit.subject, window.visit.birth_year = False, "W" * 32, 1950
    window.header.show_visit(window.visit)
    qtbot.wait(1)
    assert window.minimumSizeHint().width() <= 1280
    assert window.header.code.text() == "W" * 32, "a code is never cut off"
