"""The last page: the report, its files, outcome scores, and the end of the visit."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QPainter
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.hospital import archive_of, is_named, send_dicom, write_dicom, write_fhir
from bcikit.clinic.names import written
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import ask_report_path, html, paint_pages, scale_words, simulation_mark, write_html, write_pdf
from bcikit.clinic.report_data import report_data
from bcikit.clinic.times import local_day, today
from bcikit.clinic.trouble import trouble_words
from bcikit.clinic.wording import unit_name
from bcikit.paradigms.outcomes import SCALES, ScaleValue
from bcikit.recording.corrections import correct_outcome
from bcikit.recording.tables_sql import OutcomeRow
from bcikit.signal import BciError
from bcikit.ui.aside import in_background
from bcikit.ui.inputs import button, choice
from bcikit.ui.numbers import NumberField
from bcikit.ui.tables import fill_table, make_table, selected_key
from bcikit.ui.words import tr

NUMBER = 3
"""Column of the number of a score."""


class ReportPage(Page):
    """Shows the report of this visit, takes outcome scores, saves, prints and exports."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Report"),
            tr("Look at it together, add scores and notes, save and sign it. Then finish."),
            next_text=tr("Finish"),
        )
        self.view = QTextBrowser()
        self.view.setAccessibleName(tr("Report"))
        # The report is on white paper, whatever the colours of the window.
        self.view.setStyleSheet("background: white; color: #16202a;")
        self.view.setTabChangesFocus(True)
        self.view.setMinimumHeight(300)
        self.saved: list[Path] = []
        self.ask_path: Callable[[str], str] = lambda start: ask_report_path(self, start)
        self.open_path: Callable[[Path], None] = _open
        self.scale = choice(tr("Outcome scale"), list(SCALES), lambda _: self._show_scale())
        self.value = NumberField(tr("Score"), low=0, high=1000, decimals=1)
        self.day = QLineEdit()
        self.day.setAccessibleName(tr("Day of the score"))
        self.add = button(tr("Add score"), self._add)
        self.scores = make_table([tr("Day"), tr("Outcome scale"), tr("Score"), "#"], tr("Outcome scores"))
        self.scores.setSelectionMode(self.scores.SelectionMode.SingleSelection)
        self.scores.setColumnHidden(NUMBER, True)
        self.scores.itemSelectionChanged.connect(self._show_chosen)
        self.scores.setMinimumHeight(110)
        self.why = QLineEdit()
        self.why.setAccessibleName(tr("Why it is corrected"))
        self.why.setPlaceholderText(tr("Why it is corrected"))
        self.correct = button(tr("Correct the score selected"), self._correct)
        self.remove = button(tr("Take it out"), lambda: self._correct(remove=True))
        self.html_button = button(tr("Save HTML"), lambda: self._save("html"))
        self.pdf_button = button(tr("Save PDF"), lambda: self._save("pdf"))
        self.as_button = button(tr("Save as ..."), self._save_as)
        self.print_button = button(tr("Print ..."), self._print)
        self.folder_button = button(tr("Open folder"), lambda: self.open_path(self.folder()))
        self.fhir_button = button(tr("Hospital record (FHIR)"), lambda: self._export("fhir"))
        self.dicom_button = button(tr("EEG for the archive (DICOM)"), lambda: self._export("dicom"))
        self.archive = QLineEdit(archive_of(desk.data))
        self.archive.setAccessibleName(tr("Archive (DICOM)"))
        self.archive.setPlaceholderText("pacs.clinic:104/ARCHIVE")
        self.send_button = button(tr("Send to the archive"), self._send)
        self._build()

    def _build(self) -> None:
        entry, fix, files = QWidget(), QWidget(), QWidget()
        grid = QGridLayout(entry)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, widget in enumerate((self.scale, self.value, self.day, self.add)):
            grid.addWidget(widget, 0, column)
        below = QGridLayout(fix)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.why, 0, 0, 1, 2)
        below.addWidget(self.correct, 1, 0)
        below.addWidget(self.remove, 1, 1)
        buttons = QGridLayout(files)
        buttons.setContentsMargins(0, 0, 0, 0)
        pairs = (
            (self.pdf_button, self.html_button),
            (self.as_button, self.print_button),
            (self.folder_button, self.fhir_button),
            (self.dicom_button, self.send_button),
            (self.archive,),
        )
        for index, pair in enumerate(pairs):
            for column, widget in enumerate(pair):
                buttons.addWidget(widget, index, column)
        side = QVBoxLayout()
        side.addWidget(card(entry, self.scores, fix, title=tr("Outcome scores"), stretch=(0, 1, 0)), 1)
        side.addWidget(card(files, title=tr("Save")))
        columns = QHBoxLayout()
        columns.addWidget(card(self.view, stretch=(1,)), 3)
        columns.addLayout(side, 2)
        self.body.addLayout(columns, 1)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def record(self) -> TrainingRecord:
        """Return the training whose report is shown."""
        return TrainingRecord.of_visit(self.visit)

    def enter(self) -> None:
        """Put the report together, and keep beside the training what it needs."""
        try:
            self.record().save()
        except OSError as error:
            self.say(trouble_words(error), "BAD")
        self.scores.clearSelection()
        self.day.setText(today())
        self._show_scale()
        self._fill_scores()
        self.view.setHtml(html(report_data(self.desk.catalogue, self.record())))
        real = not self.record().simulated
        for widget in (self.add, self.correct, self.remove):
            widget.setEnabled(real and bool(self.record().subject))

    def _show_scale(self) -> None:
        scale = SCALES[self.scale.currentText()]
        self.value.low, self.value.high = scale.low, scale.high
        self.value.setToolTip(scale_words(self.scale.currentText()))
        self.value.setPlaceholderText(f"{scale.low:g}–{scale.high:g}")

    # -- scores -------------------------------------------------------------------------------------------------------

    def _fill_scores(self) -> None:
        code = self.record().subject
        known = code and not self.record().simulated
        found = self.desk.catalogue.outcomes(code) if known else []
        rows = [[local_day(o.measured), o.scale, f"{o.value:g} {unit_name(o.unit)}", str(o.id)] for o in found]
        fill_table(self.scores, rows, key=NUMBER)

    def _chosen(self) -> OutcomeRow | None:
        """Return the score that is selected; None where none is."""
        number = selected_key(self.scores, NUMBER)
        found = self.desk.catalogue.outcomes(self.record().subject) if number else []
        return next((one for one in found if str(one.id) == number), None)

    def _show_chosen(self) -> None:
        """Show the score that is selected as it stands: what is not typed anew stays."""
        one = self._chosen()
        if one is not None:
            self.scale.setCurrentText(one.scale)
            self.value.setText(f"{one.value:g}")
            self.day.setText(local_day(one.measured))

    def _checked(self, scale: str) -> ScaleValue:
        value = self.value.value()
        if value is None:
            raise BciError(self.value.problem())
        day = written(self.day.text())
        outcome = ScaleValue(day=day, scale=scale, value=value)
        if date.fromisoformat(day) > date.today():
            raise BciError(tr("{day} is still to come.").format(day=day))
        return outcome

    def _add(self) -> None:
        scale = self.scale.currentText()
        filled = not self.day.isModified() and self.day.text() != today()
        if filled:
            # Nobody typed it: it is that of a score that was looked at, or of yesterday.
            self.day.setText(today())
        try:
            outcome = self._checked(scale)
            self.desk.catalogue.add_outcome(
                self.record().subject, scale, outcome.value, unit=SCALES[scale].unit, measured=outcome.day
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.value.clear()
        words = tr("Added with the day of today, {day}. For an earlier one type its day.").format(day=today())
        self.say(words if filled else "", "GOOD")
        self.enter()

    def _correct(self, *, remove: bool = False) -> None:
        one = self._chosen()
        if one is None:
            self.say(tr("Choose a score in the table first."), "WARN")
            return
        reason = written(self.why.text())
        try:
            if remove:
                correct_outcome(self.desk.catalogue, one.id, reason=reason, remove=True)
            elif self.scale.currentText() != one.scale:
                raise BciError(tr("The scale of a score is not corrected: take the score out, and add it anew."))
            else:
                outcome = self._checked(one.scale)
                correct_outcome(self.desk.catalogue, one.id, reason=reason, value=outcome.value, measured=outcome.day)
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.why.clear()
        self.value.clear()
        self.say(tr("Corrected; the audit trail keeps what it was."), "GOOD")
        self.enter()

    # -- files --------------------------------------------------------------------------------------------------------

    def folder(self) -> Path:
        """Return where the report is saved: beside the last part of the training."""
        parts = self.record().parts
        return Path(parts[-1]) if parts else self.desk.data

    def name(self, kind: str) -> str:
        """Return the name of a file of this report: a simulation says so in it."""
        mark = "SIMULATED-" if self.record().simulated else ""
        return f"{mark}training-report.{kind}"

    def _save(self, kind: str) -> None:
        self._write(self.folder() / self.name(kind))

    def _save_as(self) -> None:
        path = self.ask_path(str(self.folder() / self.name("pdf")))
        if path:
            self._write(Path(path))

    def _write(self, path: Path) -> None:
        data = report_data(self.desk.catalogue, self.record())
        try:
            (write_html if path.suffix.lower() in (".html", ".htm") else write_pdf)(data, path)
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.saved.append(path)
        self.say(tr("Saved: {path}").format(path=path), "GOOD")

    def _print(self) -> None:
        printer = QPrinter(QPrinter.PrinterMode.ScreenResolution)
        if QPrintDialog(printer, self).exec() != QPrintDialog.DialogCode.Accepted:
            return
        data = report_data(self.desk.catalogue, self.record())
        painter = QPainter(printer)
        size = printer.pageRect(QPrinter.Unit.DevicePixel).size()
        paint_pages(painter, html(data), size, printer.newPage, mark=simulation_mark() if data.record.simulated else "")
        painter.end()

    def _send(self) -> None:
        record, archive, data = self.record(), self.archive.text(), self.desk.data
        self.send_button.setEnabled(False)

        def work() -> Path:
            path = write_dicom(record, self.folder())
            send_dicom(path, data, archive)
            return path

        def then(path: Path | None, trouble: Exception | None) -> None:
            self.send_button.setEnabled(True)
            said = _as_sent(tr("Sent: {path}").format(path=path), record) if trouble is None else str(trouble)
            self.say(said, "GOOD" if trouble is None else "BAD")

        in_background(self, work, then)

    def _export(self, kind: str) -> None:
        """Write what a hospital's systems take: with the code, or without it where the consent does not say more."""
        record = self.record()
        try:
            if kind == "fhir":
                path = write_fhir(report_data(self.desk.catalogue, record), self.folder())
            else:
                path = write_dicom(record, self.folder())
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.saved.append(path)
        self.say(_as_sent(tr("Saved: {path}").format(path=path), record), "GOOD")


def _as_sent(said: str, record: TrainingRecord) -> str:
    """Return what is said of something for the hospital, and that it names nobody where the consent asks for that."""
    unnamed = not is_named(record) and not record.simulated
    return f"{said}. " + tr("It names nobody: to send it under the code was not agreed to.") if unnamed else said


def _open(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
