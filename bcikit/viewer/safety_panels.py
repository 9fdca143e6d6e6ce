"""Panels about safety: quality of the electrodes, state of the gate, the alarm list."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
)

from bcikit.signal.messages import Alarmed
from bcikit.ui.head_widget import HeadWidget
from bcikit.ui.inputs import button
from bcikit.ui.orders import Orders
from bcikit.ui.rules import STATE_LEVEL, rule_text, state_text, why_nothing_moves
from bcikit.ui.tables import advice_lines, fill_table, impedance_text, make_table, read_table, short
from bcikit.ui.theme import LEVELS, Theme
from bcikit.ui.words import tr
from bcikit.viewer.panel import Panel, View

ALARM_LEVEL = {"WARNING": "BAD", "CAUTION": "WARN", "ADVISORY": "WARN", "INFO": "GOOD"}


def action_text(action: str) -> str:
    """Return what bcikit did because of an alarm, in the language of the interface."""
    known = {
        "": tr("told you, no more"),
        "stops all output": tr("stops all output"),
        "ends the run": tr("ends the run"),
        "holds the output at rest": tr("holds the output at rest"),
    }
    return known.get(action, action)


class QualityPanel(Panel):
    """Every electrode on the head as shape and letter, and what to do about the bad ones."""

    period = 0.4

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.head = HeadWidget(theme)
        self.head.setAccessibleName(tr("Electrode quality"))
        self.legend = QLabel(f"● G {tr('good')}   ▲ W {tr('doubtful')}   ■ B {tr('bad')}")
        self.legend.setStyleSheet(f"color: {theme.dim};")
        self.legend.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.advice = QLabel(tr("No quality known yet"))
        self.advice.setWordWrap(True)
        self.advice.setAccessibleName(tr("What to do about electrodes"))
        self.advice.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.head, 1)
        layout.addWidget(self.legend)
        layout.addWidget(self.advice)
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Show the newest quality."""
        if view.info is None:
            return
        self.head.set_info(view.info)
        quality = view.status.quality
        if not quality:
            self.head.show_levels({}, {})
            self.advice.setText(tr("No quality known yet"))
            self._table = []
            return
        notes = {name: impedance_text(entry.impedance) for name, entry in quality.items()}
        self.head.show_levels({name: entry.level for name, entry in quality.items()}, notes)
        lines = advice_lines(quality, most=3)
        self.advice.setText("\n".join(lines) if lines else "● " + tr("All electrodes are good"))
        self._table = [["channel", "level", "rules", "impedance ohm"]]
        self._table += [[name, q.level, " ".join(q.rules), q.impedance or ""] for name, q in quality.items()]

    def table(self) -> list[list[object]]:
        """Return level, rules and impedance of every electrode."""
        return self._table


class SafetyPanel(Panel):
    """State of the safety machine, why nothing moves, and how often each rule refused."""

    period = 0.3

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.state = QLabel()
        self.why = QLabel()
        for label in (self.state, self.why):
            label.setWordWrap(True)
        self.state.setAccessibleName(tr("Safety state"))
        self.why.setAccessibleName(tr("Why nothing moved"))
        self.table_view = make_table([tr("Rule"), tr("What it means"), tr("Refused")], tr("Refusals by rule"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.addWidget(self.state)
        layout.addWidget(self.why)
        layout.addWidget(self.table_view, 1)
        self._revision = -1

    def refresh(self, view: View) -> None:
        """Show the newest state."""
        status = view.status
        if status.revision == self._revision:
            return
        self._revision = status.revision
        name, advice = state_text(status.state, watching=view.watching)
        level = STATE_LEVEL.get(status.state, "")
        shape = LEVELS[level][0] + " " if level else ""
        colour = self._theme.level(level) if level else self._theme.text
        self.state.setText(f"{shape}{name}")
        self.state.setStyleSheet(f"color: {colour}; font-size: 17px; font-weight: 600;")
        why, what_to_do = why_nothing_moves(status)
        lines = [part for part in (why or advice, what_to_do if why else "") if part]
        lines.append(tr("Let through: {count}").format(count=status.allowed))
        self.why.setText("\n".join(lines))
        rows = [[rule, rule_text(rule)[0], str(count)] for rule, count in status.refusals.most_common()]
        fill_table(self.table_view, rows)

    def table(self) -> list[list[object]]:
        """Return how often each rule refused."""
        return read_table(self.table_view)


class AlarmPanel(Panel):
    """The alarm list: what, since when, value against limit, what bcikit did, what to do."""

    period = 0.3

    def __init__(self, theme: Theme, orders: Orders) -> None:
        super().__init__()
        self._theme, self._orders = theme, orders
        heads = [tr("What"), tr("Since"), tr("Value / limit"), tr("What bcikit did"), tr("What to do")]
        self.table_view = make_table(heads, tr("Alarms"))
        self.table_view.setWordWrap(True)
        for column in (1, 2):
            self.table_view.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.acknowledge = button(
            tr("Acknowledge"), self._acknowledge, hint=tr("Say that you have seen the alarms and mended their cause")
        )
        self.acknowledge.setEnabled(orders.possible)
        self.none = QLabel("● " + tr("No alarm"))
        row = QHBoxLayout()
        row.addWidget(self.none, 1)
        row.addWidget(self.acknowledge)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.table_view, 1)
        layout.addLayout(row)
        self._shown: list[tuple[object, ...]] = []

    def refresh(self, view: View) -> None:
        """Show the list."""
        alarms = view.status.alarm_list()
        rows = [self._row(alarm, view.status.time) for alarm in alarms]
        keys = [(*row, alarm.active, alarm.level) for row, alarm in zip(rows, alarms, strict=True)]
        if keys == self._shown:
            return
        self._shown = list(keys)
        fill_table(self.table_view, rows)
        for index, alarm in enumerate(alarms):
            item = self.table_view.item(index, 0)
            if item is not None:
                level = ALARM_LEVEL.get(alarm.level.upper(), "WARN")
                item.setForeground(QColor(self._theme.level(level) if alarm.active else self._theme.dim))
        self.table_view.resizeRowsToContents()
        count = sum(alarm.active for alarm in alarms)
        unseen = sum(not alarm.active and not alarm.acknowledged for alarm in alarms)
        if count:
            self.none.setText("■ " + tr("{count} active").format(count=count))
        elif unseen:
            self.none.setText("▲ " + tr("{count} over, to be acknowledged").format(count=unseen))
        else:
            self.none.setText("● " + tr("No active alarm"))

    def _row(self, alarm: Alarmed, now: float) -> list[str]:
        level = ALARM_LEVEL.get(alarm.level.upper(), "WARN")
        what, advice = rule_text(alarm.rule)
        seconds = max(0.0, now - alarm.since)
        since = (
            tr("{seconds:.0f} s ago").format(seconds=seconds)
            if seconds < 90
            else tr("{minutes:.0f} min ago").format(minutes=seconds / 60)
        )
        value = " / ".join(short(part) for part in (alarm.value, alarm.limit) if part not in (None, ""))
        where = f" ({', '.join(alarm.channels)})" if alarm.channels else ""
        ended = "" if alarm.active else " – " + (tr("over") if alarm.acknowledged else tr("over, not acknowledged yet"))
        return [
            f"{LEVELS[level][0]} {what or tr(alarm.what)}{where} [{alarm.rule}]{ended}",
            since,
            value or "–",
            action_text(alarm.did),
            advice or tr(alarm.do),
        ]

    def _acknowledge(self) -> None:
        self._orders.send("acknowledge", who="operator", reason="seen in the viewer")

    def table(self) -> list[list[object]]:
        """Return the list."""
        return read_table(self.table_view)
