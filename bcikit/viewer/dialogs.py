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
    QVBoxLayout,
    QWidget,
)

from bcikit.signal import BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.tables import fill_table, make_table
from bcikit.ui.words import tr
from bcikit.viewer.export import save_view


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
        self.view = choice(tr("View"), list(views), lambda _: None)
        self.kind = choice(tr("As"), ["png", "svg", "csv"], self._kind_changed)
        self.path = QLineEdit(str(folder / "view.png"))
        self.path.setAccessibleName(tr("File"))
        self.path.setMinimumWidth(380)
        browse = button(tr("Choose ..."), self._browse)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        form = QFormLayout()
        form.addRow(tr("View"), self.view)
        form.addRow(tr("As"), self.kind)
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
        layout.addWidget(self.problem)
        layout.addWidget(buttons)

    def _kind_changed(self, kind: str) -> None:
        self.path.setText(str(Path(self.path.text()).with_suffix(f".{kind}")))

    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, tr("Save a view"), self.path.text())
        if name:
            self.path.setText(name)

    def _save(self) -> None:
        view = self._views[self.view.currentText()]
        try:
            table = view.table() if isinstance(view, HasTable) else None
            self.saved = save_view(view, self.path.text(), table=table)
        except BciError as error:
            self.problem.setText(str(error))
            return
        self.accept()


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
