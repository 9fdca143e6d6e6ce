"""Tables to read and copy, and the lines that say what to do about an electrode."""

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from bcikit.ui.rules import rule_text
from bcikit.ui.status import ElectrodeQuality
from bcikit.ui.theme import LEVELS
from bcikit.ui.words import tr


def impedance_text(ohm: float | None) -> str:
    """Return an impedance as a person reads it."""
    return "" if ohm is None else f"{ohm / 1e3:.0f}k" if ohm < 1e6 else f"{ohm / 1e6:.1f}M"


def advice_lines(quality: dict[str, ElectrodeQuality], *, most: int = 6) -> list[str]:
    """Return one line for each electrode that is not good, the worst first: which, why, what to do."""
    order = {"BAD": 0, "WARN": 1}
    found = sorted((order[q.level], name, q) for name, q in quality.items() if q.level in order) if quality else []
    lines = []
    for _, name, entry in found[:most]:
        what, advice = rule_text(entry.rules[0]) if entry.rules else ("", "")
        lines.append(f"{LEVELS[entry.level][0]} {name}: {what}. {advice}".strip())
    if len(found) > most:
        lines.append(tr("... and {count} more").format(count=len(found) - most))
    return lines


def short(value: object) -> str:
    """Return a number or a text as a cell shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def make_table(heads: list[str], name: str) -> QTableWidget:
    """Return a table to read, with an accessible name."""
    table = QTableWidget(0, len(heads))
    table.setHorizontalHeaderLabels(heads)
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setTabKeyNavigation(False)
    table.verticalHeader().setVisible(False)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    header.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setCornerButtonEnabled(False)
    return table


def fill_table(table: QTableWidget, rows: list[list[str]], *, key: int = 0) -> None:
    """Put texts into a table; what has not changed is left alone.

    The selection follows what is shown, not the number of the row: a row that is selected stays so where it goes, and
    where it is gone nothing is selected.

    Parameters
    ----------
    table : QTableWidget
        To fill.
    rows : list of list of str
        All rows.
    key : int
        Column that says which row is which.
    """
    before = selected_key(table, key)
    if table.rowCount() != len(rows):
        table.setRowCount(len(rows))
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            item = table.item(r, c)
            if item is None:
                item = QTableWidgetItem(text)
                table.setItem(r, c, item)
            elif item.text() != text:
                item.setText(text)
            item.setToolTip(text)
    if before and selected_key(table, key) != before:
        select_key(table, before, key)


def selected_key(table: QTableWidget, key: int = 0) -> str:
    """Return what stands in a column of the selected row; "" where none is selected."""
    rows = sorted({index.row() for index in table.selectedIndexes()})
    item = table.item(rows[0], key) if rows else None
    return "" if item is None else item.text()


def select_key(table: QTableWidget, text: str, key: int = 0) -> None:
    """Select the row with this text in a column; none where there is no such row."""
    table.clearSelection()
    for row in range(table.rowCount()):
        item = table.item(row, key)
        if item is not None and item.text() == text:
            table.selectRow(row)
            return
    # The current cell would tell a keyboard that something is still chosen.
    table.setCurrentIndex(QModelIndex())


def read_table(table: QTableWidget) -> list[list[object]]:
    """Return what a table shows, the head first."""
    heads = [table.horizontalHeaderItem(c) for c in range(table.columnCount())]
    rows: list[list[object]] = [[head.text() if head else "" for head in heads]]
    for r in range(table.rowCount()):
        items = [table.item(r, c) for c in range(table.columnCount())]
        rows.append([item.text() if item else "" for item in items])
    return rows
