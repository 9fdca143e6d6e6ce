"""Dialogs of the viewer: save a view, the keys."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from bcikit.signal import BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.tables import fill_table, make_table
from bcikit.ui.words import tr
from bcikit.viewer.background import TableWriter
from bcikit.viewer.export import TABLES, save_view
from bcikit.viewer.trace_panel import TracePanel


@runtime_checkable
class HasTable(Protocol):
    """A view that can also be saved as numbers."""

    def table(self) -> list[list[object]]:
        """Return rows, the head first."""


class SaveDialog(QDialog):
    """Asks which view to save and where.

    Parameters
    ----------
    views : dict of str to QWidget
        Name of a view, in the language of the interface, to the view.
    folder : Path
        Where to propose.
    """

    def __init__(self, views: dict[str, QWidget], folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Save a view"))
        self._views = views
        self.saved: Path | None = None
        self.writer: TableWriter | None = None
        self.progress = QProgressBar()
        self.progress.setAccessibleName(tr("Progress"))
        self.progress.setVisible(False)
        self.view = choice(tr("View"), list(views), self._view_changed)
        self.kind = choice(tr("As"), ["png", "svg", "pdf", "csv", "parquet"], self._kind_changed)
        self.path = QLineEdit(str(folder / "view.png"))
        self.path.setAccessibleName(tr("File"))
        self.path.setMinimumWidth(380)
        browse = button(tr("Choose ..."), self._browse)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        form = QFormLayout()
        form.addRow(tr("View"), self.view)
        form.addRow(tr("As"), self.kind)
        self.width_px = QSpinBox()
        self.width_px.setRange(100, 20000)
        self.width_px.setSuffix(" px")
        self.width_px.setValue(next(iter(views.values())).width())
        self.width_px.setAccessibleName(tr("Width of a PNG"))
        form.addRow(tr("Width of a PNG"), self.width_px)
        row = QHBoxLayout()
        row.addWidget(self.path, 1)
        row.addWidget(browse)
        form.addRow(tr("File"), row)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        for one in buttons.buttons():
            one.setAccessibleName(one.text().replace("&", ""))
        buttons.accepted.connect(self._save)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.progress)
        layout.addWidget(self.problem)
        layout.addWidget(buttons)

    def _view_changed(self, name: str) -> None:
        self.width_px.setValue(self._views[name].width())

    def _kind_changed(self, kind: str) -> None:
        self.path.setText(str(Path(self.path.text()).with_suffix(f".{kind}")))

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, tr("Save a view"), self.path.text())
        if name:
            self.path.setText(name)

    def _save(self) -> None:
        view, path = self._views[self.view.currentText()], Path(self.path.text())
        try:
            if isinstance(view, TracePanel) and path.suffix.lower() in TABLES:
                self._save_samples(view, path)
                return
            table = view.table() if isinstance(view, HasTable) else None
            self.saved = save_view(view, path, table=table, width=self.width_px.value())
        except BciError as error:
            self.problem.setText(str(error))
            return
        self.accept()

    def _save_samples(self, view: TracePanel, path: Path) -> None:
        """Write the samples in a thread; the dialog may stay open, and the picture goes on."""
        if self.writer is not None:
            return
        self.writer = TableWriter(path, *view.samples(), parent=self)
        self.progress.setVisible(True)
        self.writer.progressed.connect(self.progress.setValue)
        self.writer.finished.connect(self._written)
        self.writer.start()

    def _written(self, problem: str) -> None:
        writer, self.writer = self.writer, None
        self.progress.setVisible(False)
        if problem:
            self.problem.setText(problem)
        elif writer is not None:
            self.saved = writer.path
            self.accept()

    def reject(self) -> None:
        """Leave it; a table that is being written is given up."""
        if self.writer is not None:
            self.writer.halt()
            self.writer = None
        super().reject()


class KeysDialog(QDialog):
    """Lists every key."""

    def __init__(self, actions: list[QAction], more: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Keys"))
        table = make_table([tr("Key"), tr("What it does")], tr("Keys"))
        rows = [[action.shortcut().toString(), action.text().replace("&", "")] for action in actions]
        fill_table(table, [list(pair) for pair in more] + [row for row in rows if row[0]])
        layout = QVBoxLayout(self)
        layout.addWidget(table)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        for one in buttons.buttons():
            one.setAccessibleName(one.text().replace("&", ""))
        layout.addWidget(buttons)
        self.resize(560, 560)
