"""The report that a clinician signs: every field, in both languages, in HTML and in the text of the PDF."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from bcikit.acquisition import Device
from bcikit.clinic import headsets
from bcikit.clinic.alpha import alpha_ratio
from bcikit.clinic.counts import Counts, Total
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import OutcomeScore, ReportData, ask_report_path, decoding_words, html, write_html, write_pdf
from bcikit.clinic.report_data import report_data
from bcikit.clinic.therapy import make_plan
from bcikit.clinic.times import today
from bcikit.clinic.visit import Visit
from bcikit.clinic.wording import scale_title, spoken, unit_name
from bcikit.paradigms.outcomes import SCALES
from bcikit.recording import Catalogue, SessionWriter
from bcikit.signal import Recording, RecordingError, StreamInfo
from bcikit.ui import words


def data(**more: Any) -> ReportData:
    record = TrainingRecord(
        subject="P-017",
        operator="T-01",
        started="2026-11-29T10:00:00+01:00",
        birth_year=1961,
        affected_side="right",
        hand="right_hand",
        device="Cyton",
        serial="SN-4711",
        electrodes={"C3": "GOOD", "C4": "WARN", "Fp1": "BAD"},
        protocol="motor-imagery-fes",
        settings={"runs": 3},
        current={"amplitude_ma": 12.0, "by": "T-01"},
        idle={"activations": 1, "seconds": 300.0},
        stop_tested=True,
        first_movement="2026-11-29T10:22:00+01:00",
        parts=["/x/P-017-1", "/x/P-017-2"],
        notes=["sits well"],
        software="bcikit 0.2.0",
    )
    values: dict[str, Any] = {
        "record": record,
        "results": [{"classes": ["right_hand", "rest"], "safety": {"stops": [{"rule": "A-STOP"}]}}],
        "total": Total(trials=60, answered=60, correct=48, moved=40, moved_right=31, seconds=906.0),
        "trend": (("2026-11-01", 61.0), ("2026-11-08", 70.0), ("2026-11-29", 80.0)),
        "scores": (OutcomeScore("2026-11-28", "FMA-UE", 31.0, "points"),),
        "plan": "3 of 12",
        "warnings": ("lost samples: 5 times",),
    }
    return ReportData(**{**values, **more})


def test_saying_the_commonest_movement_always_is_not_above_guessing() -> None:
    text = decoding_words(data())
    assert text.endswith("guessing reaches 60 %: above guessing.")
    parts = [{"classes": ["right_hand", "rest"], "chance_level": 0.8, "n_trials": 60}]
    assert decoding_words(data(results=parts)).endswith("guessing reaches 88 %: not above guessing.")


def test_what_a_plan_may_have_decided_says_nothing_of_the_decoder() -> None:
    record = replace(
        data().record, protocol="action-observation", trial={"trial": "A", "number": 1, "unblinded": {"by": "T"}}
    )
    assert decoding_words(data(record=record)).startswith("Not judged in a controlled trial")
    assert decoding_words(data(record=replace(record, trial={}))).startswith("80 % of 60 trials right")
    assert decoding_words(data(record=replace(record, protocol="motor-imagery"))).startswith("80 %")


WANTED = {
    "en": "P-017|born 1961|right hand|T-01|Cyton|SN-4711|1 good, 1 doubtful, 1 bad (Fp1)|15.1 minutes, 60 trials|"
    "In 40 of 60 trials something moved; in 31 of these|80 % of 60 trials right|1 × |done in 2 parts|"
    "1 false activations in 5 minutes|22 minutes after the visit began|3 of 12|12 mA, found by T-01|"
    "lost samples: 5 times|sits well|FMA-UE|31 points|0–66 points, more is better|Signature|bcikit 0.2.0|"
    "Trend over sessions",
    "zh": "P-017|1961|右手|T-01|Cyton|SN-4711|1 个良好|15.1 分钟|60 次试次中有 40 次产生动作|其中 31 次动作正确|80 %|"
    "分 2 段完成|误激活 1 次|就诊开始后 22 分钟|3 of 12|12 mA|sits well|FMA-UE|31 分|"
    "Fugl-Meyer 上肢运动功能评定|0–66 分|签名|bcikit 0.2.0|此方案各次训练的趋势",
}


def plain(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_field_is_in_the_page_and_in_the_text_of_the_pdf(
    dark: Any, qapp: Any, tmp_path: Path, language: str
) -> None:
    from pypdf import PdfReader
    from PySide6.QtGui import QFontDatabase

    if language == "zh" and not QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese):
        pytest.skip("Qt knows no font with Chinese letters here")
    words.install(qapp, language)
    write_html(data(), tmp_path / "r.html")
    write_pdf(data(), tmp_path / "r.pdf")
    page = plain((tmp_path / "r.html").read_text(encoding="utf-8"))
    paper = plain(" ".join(part.extract_text() for part in PdfReader(tmp_path / "r.pdf").pages))
    for wanted in WANTED[language].split("|"):
        assert plain(wanted) in page, wanted
        assert plain(wanted) in paper, wanted
    assert "A-STOP" not in page.split("Technical")[0].split("技术信息")[0], "ids of rules are for the technical pages"
    assert "left_hand" not in page


def test_a_simulation_is_marked_on_every_page(dark: Any, tmp_path: Path) -> None:
    from pypdf import PdfReader

    record = TrainingRecord(simulated=True, subject="SIMULATED", protocol="motor-imagery", parts=["a"])
    write_pdf(data(record=record), tmp_path / "r.pdf")
    pages = PdfReader(tmp_path / "r.pdf").pages
    assert len(pages) >= 2
    for part in pages:
        assert "SIMULATED PATIENT: not of a person" in " ".join(part.extract_text().split())
    assert "Trend" not in html(data(record=record))


def test_nothing_that_moved_is_told_as_nothing(dark: Any) -> None:
    text = html(data(total=Total(trials=14, answered=14, correct=14, seconds=420.0)))
    assert "Nothing moved in 14 trials." in text
    assert "7.0 minutes, 14 trials, 0 movements" in text


def test_what_moved_counts_as_right_only_where_nothing_else_moved() -> None:
    counts = Counts()
    counts.take({"type": "event", "name": "trial/end", "time": 1.0, "source": "EEG-markers", "data": {"trial": 99}})

    def say(kind: str, name: str, time: float, **values: Any) -> None:
        counts.take({"type": kind, "name": name, "time": time, "data": values})

    for trial, (asked, moved) in enumerate(
        (("left", ["left"]), ("left", ["right"]), ("left", ["left", "right"]), ("left", []))
    ):
        say("event", "trial/start", 100.0 * trial, **{"trial": trial, "class": asked})
        for label in moved:
            say("command", "close", 100.0 * trial + 5, **{"trial": trial, "class": label})
        say("event", "feedback/result", 100.0 * trial + 7, trial=trial, correct=True)
        say("event", "trial/end", 100.0 * trial + 10, trial=trial)
    # The trials took 40 s; that 300 s passed between them is no training.
    assert counts.total == Total(trials=4, answered=4, correct=4, moved=3, moved_right=1, seconds=40.0)


@pytest.mark.parametrize(
    ("kind", "typed", "ending"), [("PDF", "r", ".pdf"), ("HTML", "r", ".html"), ("PDF", "r.htm", ".htm")]
)
def test_a_name_without_an_ending_gets_that_of_the_kind_that_was_chosen(
    dark: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, typed: str, ending: str
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)

    def choose(dialog: QFileDialog) -> int:
        dialog.filterSelected.emit(next(one for one in dialog.nameFilters() if one.startswith(kind)))
        dialog.findChild(QLineEdit).setText(str(tmp_path / typed))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", choose)
    path = Path(ask_report_path(parent, str(tmp_path / "training-report.pdf")))
    assert (path.parent, path.suffix) == (tmp_path, ending)
    monkeypatch.setattr(QFileDialog, "exec", lambda _dialog: 0)
    assert ask_report_path(parent, str(tmp_path / "training-report.pdf")) == ""


def test_a_clock_that_was_set_back_is_no_negative_time(dark: Any) -> None:
    found = data()
    found.record.first_movement = "2026-11-29T09:30:00+01:00"
    assert "the clock of this computer was set back" in html(found)
    assert "-30 minutes" not in html(found)


def test_a_folder_that_takes_no_file_is_told(dark: Any, tmp_path: Path) -> None:
    for write in (write_html, write_pdf):
        with pytest.raises(RecordingError, match="cannot be written"):
            write(data(), tmp_path / "missing" / "r.x")


@pytest.mark.parametrize("write", [write_html, write_pdf])
def test_a_full_disk_leaves_the_report_that_was_there(
    dark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[ReportData, Path], None]
) -> None:
    path = tmp_path / "training-report"
    write(data(), path)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bcikit.signal.disk.sync", full)
    with pytest.raises(RecordingError, match="cannot be written: No space left"):
        write(data(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def eyes(alpha_open: float, alpha_closed: float) -> tuple[Recording, list[tuple[str, float, float]]]:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "O1", "O2"))
    rng = np.random.default_rng(1)
    t = np.arange(250 * 120) / 250.0
    signal = rng.standard_normal((t.size, 3)) * 8
    size = np.where(t < 60, alpha_open, alpha_closed)
    signal[:, 1:] += (size * np.sin(2 * np.pi * 10.0 * t))[:, None]
    recording = Recording(info=info, data=signal, times=t, samples=np.arange(t.size), events=[])
    return recording, [("eyes-open", 0.0, 60.0), ("eyes-closed", 60.0, 60.0)]


def test_closed_eyes_are_measured_and_a_test_board_does_not_pass() -> None:
    ratio, chance = alpha_ratio(*eyes(2.0, 10.0)) or (0.0, 1.0)
    assert ratio > 3
    assert chance < 0.01
    # The same sine with eyes open and closed, as a test board makes it.
    ratio, chance = alpha_ratio(*eyes(30.0, 30.0)) or (9.0, 0.0)
    assert 0.9 < ratio < 1.1
    assert chance > 0.01
    recording, _ = eyes(1.0, 1.0)
    assert alpha_ratio(recording, [("eyes-open", 0.0, 60.0)]) is None


def test_scores_have_ranges_days_and_corrections(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.patient()
    person.window.show_step("report")
    page = person.page
    person.pick(page.scale, 0)
    for typed, why in (
        ("999", "FMA-UE is 999"),
        ("31.25", "steps of 1"),
        ("x", "is no number"),
        ("1.234,5", "is no number"),
    ):
        person.number(page.value, typed)
        person.click(page.add)
        assert why in page.message.text(), typed
    person.number(page.value, "31")
    person.type(page.day, "2099-01-01")
    person.click(page.add)
    assert "is still to come" in page.message.text()
    person.type(page.day, "2026-01-05")
    person.click(page.add)
    assert [page.scores.item(0, column).text() for column in range(3)] == ["2026-01-05", "FMA-UE", "31 points"]
    assert page.day.text() == today()
    person.pick(page.scale, 1)
    person.row(page.scores, 0)
    assert (page.scale.currentText(), page.value.text(), page.day.text()) == ("FMA-UE", "31", "2026-01-05")
    person.number(page.value, "33")
    person.click(page.correct)
    assert "reason must say why" in page.message.text()
    person.type(page.why, "read wrongly")
    person.pick(page.scale, 1)
    person.click(page.correct)
    assert "take the score out, and add it anew" in page.message.text()
    person.pick(page.scale, 0)
    person.click(page.correct)
    assert [page.scores.item(0, column).text() for column in range(3)] == ["2026-01-05", "FMA-UE", "33 points"]
    person.click(page.correct)
    assert page.message.text() == "▲ Choose a score in the table first."
    entry = next(e for e in person.catalogue.audit() if e.action == "correct outcome")
    assert entry.detail["before"]["value"] == 31.0
    assert entry.detail["reason"] == "read wrongly"


def test_a_score_that_was_looked_at_gives_the_next_one_no_day(clinic: Callable[..., Any]) -> None:
    person = clinic()
    person.patient()
    person.catalogue.add_outcome("P-017", "FMA-UE", 31.0, unit="points", measured="2026-01-05")
    person.window.show_step("report")
    page = person.page

    def days() -> list[str]:
        return sorted(page.scores.item(row, 0).text() for row in range(page.scores.rowCount()))

    person.row(page.scores, 0)
    assert page.day.text() == "2026-01-05"
    person.number(page.value, "40")
    person.click(page.add)
    assert days() == ["2026-01-05", today()]
    assert page.message.text() == f"● Added with the day of today, {today()}. For an earlier one type its day."
    # Who types the day means it, whatever is selected.
    person.row(page.scores, [page.scores.item(row, 0).text() for row in range(2)].index("2026-01-05"))
    person.number(page.value, "35")
    person.type(page.day, "2026-01-05")
    person.click(page.add)
    assert days() == ["2026-01-05", "2026-01-05", today()]
    assert page.message.text() == ""


def test_every_scale_has_a_title_in_both_languages(qapp: Any) -> None:
    words.install(qapp, "en")
    assert {name: scale_title(name) for name in SCALES} == {name: scale.name for name, scale in SCALES.items()}
    words.install(qapp, "zh")
    try:
        assert all(scale_title(name) != scale.name for name, scale in SCALES.items())
        assert unit_name("points") == "分"
        assert unit_name("kg") == "kg"
    finally:
        words.install(qapp, "en")


def test_an_old_report_is_opened_from_the_history(clinic: Callable[..., Any], tmp_path: Path) -> None:
    person = clinic(step=10.0)
    person.as_far_as_protocol()
    person.protocol()
    person.calibrate()
    person.train()
    person.on()
    person.click(person.page.html_button)
    person.page.ask_path = lambda start: str(tmp_path / "elsewhere.pdf")
    person.click(person.page.as_button)
    assert (tmp_path / "elsewhere.pdf").read_bytes().startswith(b"%PDF")
    opened: list[Path] = []
    person.page.open_path = opened.append
    person.click(person.page.folder_button)
    assert opened == [person.page.folder()]
    person.on()
    person.choose("P-017")
    person.row(person.page.history, 0)
    person.click(person.page.open_report)
    old = person.window.old_report
    text = old.view.toPlainText()
    assert "P-017" in text
    assert "T-01" in text
    assert "right movement" in text
    old.ask_path = lambda start: str(tmp_path / "again.html")
    QTest.mouseClick(old.save, Qt.MouseButton.LeftButton)
    assert "P-017" in (tmp_path / "again.html").read_text(encoding="utf-8")
    old.accept()


def test_the_curves_of_the_brain_stand_beside_the_accuracy_for_this_protocol_and_the_affected_hand(
    dark: Any, qapp: Any, tmp_path: Path
) -> None:
    def hand(erd: float, laterality: float) -> dict[str, float]:
        return {"erd": erd, "laterality": laterality, "trials": 20}

    catalogue = Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="t")
    try:
        catalogue.add_subject("P-017", birth_year=1961, affected_side="right")
        info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
        for number, (paradigm, erd) in enumerate(
            (("motor-imagery-fes", -12.0), ("motor-imagery", -99.0), ("motor-imagery-fes", -31.0))
        ):
            folder = tmp_path / f"P-017-{number}"
            SessionWriter(folder, info=info, config={}, versions={}).close("complete")
            both = {"right_hand": hand(erd, 0.1 * number), "left_hand": hand(50.0, -0.9)}
            catalogue.add_session(
                "P-017", folder, paradigm=paradigm, results={"online_accuracy": 0.7, "reactions": both}
            )
        found = report_data(catalogue, data().record)
        assert [value for _, value in found.reactions["erd"]] == [-12.0, -31.0]
        assert [value for _, value in found.reactions["laterality"]] == pytest.approx([0.0, 0.2])
        found.record.affected_side = ""
        assert [value for _, value in report_data(catalogue, found.record).reactions["erd"]] == [19.0, 9.5]
        text = html(found)
        for name in ("Accuracy of each session", "ERD of each session", "Laterality of each session"):
            assert name in text
    finally:
        catalogue.close()


def test_a_report_of_before_shows_nothing_of_later_days(dark: Any, qapp: Any, tmp_path: Path) -> None:
    folders = {}
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="t") as catalogue:
        trial = {"trial": "FES-26", "number": 1, "drawn": "2026-01-08T00:00:00+00:00", "folder": str(tmp_path)}
        plan = make_plan("motor-imagery", {}, weeks=2, per_week=3, start=date(2026, 1, 5))
        catalogue.add_subject("P-017", birth_year=1961, data={"therapy_plan": plan, "trial": trial})
        for day, accuracy, losses in (("2026-01-05", 0.5, 0), ("2026-01-07", 0.6, 0), ("2026-11-20", 0.9, 99)):
            folder = folders[day] = tmp_path / f"P-017-{day}"
            info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
            SessionWriter(folder, info=info, config={}, versions={}).close("complete")
            header = json.loads((folder / "session.json").read_text(encoding="utf-8"))
            header["started"] = f"{day}T09:00:00+00:00"
            (folder / "session.json").write_text(json.dumps(header), encoding="utf-8")
            safety = {"duration_s": 1800.0, "rules": {"H-LOSS": losses}, "activations": 20, "stops": []}
            (folder / "result.json").write_text(json.dumps({"ended": "finished", "n_trials": 0, "safety": safety}))
            results = {"online_accuracy": accuracy, "n_trials": 20}
            catalogue.add_session("P-017", folder, paradigm="motor-imagery", results=results)
            catalogue.add_outcome("P-017", "FMA-UE", 24 + losses % 10, measured=day)

        def shown(day: str, *, parts: bool = True) -> ReportData:
            record = TrainingRecord(subject="P-017", protocol="motor-imagery", started=f"{day}T08:50:00+00:00")
            record.parts = [str(folders[day])] if parts else []
            return report_data(catalogue, record)

        then = shown("2026-01-07")
        assert then.record.trial == {}, "it was trained before the draw"
        assert then.trend == [("2026-01-05", 50.0), ("2026-01-07", 60.0)]
        assert [(one.day, one.value) for one in then.scores] == [("2026-01-05", 24.0), ("2026-01-07", 24.0)]
        assert "So far: 2 sessions" in then.plan
        assert "Next session proposed: 2026-01-09" in then.plan
        assert then.warnings == [], "what rose in November, sealed, is not of January"
        newest = shown("2026-11-20")
        assert newest.trend == then.trend, "its own number is sealed"
        assert [one.value for one in newest.scores] == [24.0, 24.0, 33.0]
        assert "The plan is over" in newest.plan
        assert len(newest.warnings) == 1
        assert shown("2026-01-02", parts=False).plan == "", "there was no plan yet"


@pytest.mark.parametrize(
    ("calibrations", "learned", "said"),
    [((), 0, "none is calibrated"), ((), 6, "calibrated"), (("/x/c",), 0, "calibrated")],
)
@pytest.mark.usefixtures("dark")
def test_a_model_is_said_to_be_calibrated_only_where_something_was_learned(
    calibrations: tuple[str, ...], learned: int, said: str
) -> None:
    one = data(total=Total(trials=5, learned=learned))
    one.record.calibrations = list(calibrations)
    assert f">{said}" in html(one)
    assert (">none is calibrated" in html(one)) == (said == "none is calibrated")


def test_what_is_decided_and_what_was_found_is_said_in_the_language_of_the_window(qapp: Any) -> None:
    words.install(qapp, "zh")
    classes = ["up", "down", "left", "right", "none", "reward", "drowsy", "alert", "_", "<", "left_hand", "rest"]
    said = spoken({"classes": classes, "label": "up"})
    assert said["label"] == "上"
    assert not [name for name in said["classes"] if name.isascii()]
    detail = "Cap, EEG, 16 channels, 250 Hz"
    found = Device(
        address="lsl:source_id=a", what="LSL stream", detail=detail, content="EEG", n_channels=16, sfreq=250.0
    )
    assert headsets.offers(Visit(subject="P-1"), [found], [])[0][:2] == ("LSL 数据流", "Cap, EEG, 16 通道, 250 Hz")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Rounds: 1, Contrast of the flicker: 0.6, Movements: left hand / feet"),
        ("zh", "轮数: 1, 闪烁对比度: 0.6, 动作: 左手 / 双脚"),
    ],
)
def test_settings_stand_in_the_report_as_the_page_calls_them(qapp: Any, language: str, said: str) -> None:
    words.install(qapp, language)
    one = data()
    one.record.settings = {"rounds": 1, "depth": 0.6, "classes": ["left_hand", "feet"]}
    assert said in html(one)
