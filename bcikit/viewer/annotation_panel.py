"""The list of annotations, and the dialog in which one is written."""

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from bcikit.ui.inputs import button
from bcikit.ui.tables import fill_table, make_table, read_table
from bcikit.ui.words import tr
from bcikit.viewer.annotations import KINDS, LONGEST, Annotation, Annotations
from bcikit.viewer.panel import Panel, View


class AnnotationDialog(QDialog):
    """Asks for class, text, duration and channel; Return keeps, Escape leaves it.

    Parameters
    ----------
    item : Annotation
        What is edited, or the beginning of a new one.
    channels : tuple of str
        Names to choose from.
    """

    def __init__(self, item: Annotation, channels: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._item = item
        self.setWindowTitle(tr("Annotation"))
        self.text = QLineEdit(item.text)
        self.text.setMaxLength(LONGEST)
        self.text.setMinimumWidth(340)
        self.text.setAccessibleName(tr("Text"))
        self.kind = QComboBox()
        self.kind.setEditable(True)
        self.kind.addItems(list(KINDS))
        self.kind.setCurrentText(item.kind)
        self.kind.setAccessibleName(tr("Class"))
        self.duration = QDoubleSpinBox()
        self.duration.setRange(0.0, 86400.0)
        self.duration.setDecimals(3)
        self.duration.setSuffix(" s")
        self.duration.setValue(item.duration)
        self.duration.setAccessibleName(tr("Duration"))
        self.channel = QComboBox()
        self.channel.addItems([tr("all"), *channels])
        self.channel.setCurrentText(item.channel or tr("all"))
        self.channel.setAccessibleName(tr("Channel"))
        form = QFormLayout()
        form.addRow(tr("Text"), self.text)
        form.addRow(tr("Class"), self.kind)
        form.addRow(tr("Duration"), self.duration)
        form.addRow(tr("Channel"), self.channel)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        for one in buttons.buttons():
            one.setAccessibleName(one.text().replace("&", ""))
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        hint = QLabel(tr("F12 stops while you write."))
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(hint)
        layout.addWidget(buttons)
        self.text.setFocus()

    def item(self) -> Annotation:
        """Return the annotation as it was written."""
        return replace(
            self._item,
            text=self.text.text(),
            kind=self.kind.currentText(),
            duration=self.duration.value(),
            channel="" if self.channel.currentIndex() == 0 else self.channel.currentText(),
        )


class AnnotationPanel(Panel):
    """Every annotation: two clicks go there, Edit and Delete change it."""

    period = 0.3
    wanted = Signal(float)
    edit_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.annotations = Annotations()
        self._keys: list[str] = []
        self._start = 0.0
        self.list = make_table([tr("Time"), tr("Length"), tr("Class"), tr("Text"), tr("Channel")], tr("Annotations"))
        self.list.cellDoubleClicked.connect(lambda row, _column: self._go(row))
        self.state = QLabel()
        self.state.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(button(tr("Edit"), self._edit))
        row.addWidget(button(tr("Delete"), self.delete, hint=tr("Delete key")))
        row.addWidget(button(tr("Go there"), lambda: self._go(self.list.currentRow())))
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.state)
        layout.addLayout(row)

    def show_items(self, annotations: Annotations, *, start: float, state: str) -> None:
        """Show annotations; `start` is the time that counts as 0, `state` says where they are kept."""
        self.annotations, self._start = annotations, start
        items = list(annotations)
        self._keys = [item.key for item in items]
        rows = [
            [f"{item.time - start:.3f} s", f"{item.duration:g} s", item.kind, item.text, item.channel or "–"]
            for item in items
        ]
        fill_table(self.list, rows)
        self.state.setText(state)

    def refresh(self, view: View) -> None:
        """Do nothing: the list follows every change at once."""

    def selected(self) -> str:
        """Return the key of the line that is chosen; "" if none is."""
        row = self.list.currentRow()
        return self._keys[row] if 0 <= row < len(self._keys) else ""

    def _go(self, row: int) -> None:
        item = self.annotations.get(self._keys[row]) if 0 <= row < len(self._keys) else None
        if item is not None:
            self.wanted.emit(item.time)

    def _edit(self) -> None:
        if self.selected():
            self.edit_wanted.emit(self.selected())

    def delete(self) -> None:
        """Take the chosen one away."""
        if self.selected():
            self.annotations.delete(self.selected())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete deletes, Return edits."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._edit()
        else:
            super().keyPressEvent(event)

    def table(self) -> list[list[object]]:
        """Return the list."""
        return read_table(self.list)
