"""The report of an older session, in a window of its own: it belongs to no visit and changes nothing."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QTextBrowser, QVBoxLayout, QWidget

from bcikit.clinic.base import Desk
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import ask_report_path, html, write_html, write_pdf
from bcikit.clinic.report_data import report_data
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.words import tr


class OldReport(QDialog):
    """Shows a report and saves it elsewhere.

    Parameters
    ----------
    parent : QWidget
        The clinic's window.
    desk : Desk
        Catalogue and colours.
    folder : Path
        Session folder.
    subject, protocol : str
        Whose it is, and what was done, where the folder itself does not say.
    """

    def __init__(self, parent: QWidget, desk: Desk, folder: Path, subject: str, protocol: str) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Report of {code}").format(code=subject))
        self.resize(860, 640)
        self.folder = folder
        record = TrainingRecord.load(folder, subject=subject, protocol=protocol)
        self.data = report_data(desk.catalogue, record)
        self.view = QTextBrowser()
        self.view.setStyleSheet("background: white; color: #16202a;")
        self.view.setAccessibleName(tr("Report"))
        self.view.setTabChangesFocus(True)
        self.view.setHtml(html(self.data))
        self.ask_path: Callable[[str], str] = lambda start: ask_report_path(self, start)
        self.message = QLabel()
        self.save = button(tr("Save as ..."), self._save)
        self.open_folder = button(
            tr("Open folder"), lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder)))
        )
        self.done_button = button(tr("Close"), self.accept, primary=True)
        row = QHBoxLayout()
        for widget in (self.save, self.open_folder):
            row.addWidget(widget)
        row.addWidget(self.message, 1)
        row.addWidget(self.done_button)
        column = QVBoxLayout(self)
        column.addWidget(self.view, 1)
        column.addLayout(row)
        self.done_button.setFocus()

    def _save(self) -> None:
        path = self.ask_path(str(self.folder / "training-report.pdf"))
        if not path:
            return
        try:
            (write_html if path.lower().endswith((".html", ".htm")) else write_pdf)(self.data, Path(path))
        except BciError as error:
            self.message.setText(f"■ {error}")
            return
        self.message.setText("● " + tr("Saved: {path}").format(path=path))
