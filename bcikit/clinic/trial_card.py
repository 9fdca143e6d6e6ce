"""The card of a controlled trial: an allocation is drawn without being seen; opening it asks why."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from bcikit.clinic.arms import allocate, is_blind, trial_of, unblind
from bcikit.clinic.base import Desk
from bcikit.clinic.people import allocation_of
from bcikit.clinic.question import ReasonLine
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.words import tr


class TrialCard(QWidget):
    """Draws the allocation of the patient, and opens it for who says why.

    Signals
    -------
    changed
        The visit has an allocation, or it was opened.
    """

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk, self._visit = desk, desk.visit
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setStyleSheet("font-size: 14px; border: none;")
        self.state.setAccessibleName(tr("Controlled trial"))
        self.draw = button(tr("Draw the sealed allocation"), self._draw)
        self.open = button(tr("Unblind ..."), lambda: self.reason.ask())
        self.reason = ReasonLine(tr("Why it must be known, and who asked"), tr("Unblind ..."))
        self.reason.given.connect(self._open)
        row = QHBoxLayout()
        row.addWidget(self.draw)
        row.addWidget(self.open)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.state)
        column.addLayout(row)
        column.addWidget(self.reason)
        self._visit.trial = allocation_of(desk.catalogue, self._visit)
        self._show()

    @property
    def wanted(self) -> bool:
        """True where this clinic has a trial, or the patient is in one, and a person is treated."""
        visit = self._visit
        return bool(visit.subject) and not visit.simulated and bool(visit.trial or trial_of(self._desk.data))

    def _draw(self) -> None:
        visit = self._visit
        try:
            visit.trial = allocate(self._desk.data, self._desk.catalogue, visit.subject, by=visit.operator)
        except BciError as error:
            self.state.setText(f"■ {error}")
            return
        self._show()
        self.changed.emit()

    def _open(self, reason: str) -> None:
        visit = self._visit
        try:
            arm = unblind(self._desk.catalogue, visit.subject, by=visit.operator, reason=reason)
        except BciError as error:
            self.state.setText(f"■ {error}")
            return
        visit.trial = dict(self._desk.catalogue.subject(visit.subject).data["trial"])
        self._show()
        self.state.setText(tr("Arm: {arm}. It was opened; that stands in the audit trail.").format(arm=arm))
        self.changed.emit()

    def _show(self) -> None:
        drawn = self._visit.trial
        if drawn:
            words = tr("{trial}, number {number}, arm sealed") if is_blind(drawn) else tr("{trial}, number {number}")
            self.state.setText(words.format(trial=drawn["trial"], number=drawn["number"]))
        elif self.wanted:
            self.state.setText(tr("Not in the trial {trial} yet.").format(trial=trial_of(self._desk.data)))
        self.draw.setVisible(not drawn)
        self.open.setVisible(is_blind(drawn))
