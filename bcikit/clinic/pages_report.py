"""The last page: the report, outcome scores, and the end of the session."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLineEdit, QTextBrowser, QVBoxLayout, QWidget

from bcikit.clinic import protocols
from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.counts import counts_of
from bcikit.clinic.report import ReportData, html, write_html, write_pdf
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.tables import fill_table, make_table
from bcikit.ui.words import tr


class ReportPage(Page):
    """Shows the report, takes outcome scores, saves HTML and PDF."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk,
            tr("Report"),
            tr("Look at it together, add scores and notes, and save it. Then finish."),
            next_text=tr("Finish"),
        )
        self.view = QTextBrowser()
        self.view.setAccessibleName(tr("Report"))
        # The report is on white paper, whatever the colours of the window.
        self.view.setStyleSheet("background: white; color: #16202a;")
        self.view.setTabChangesFocus(True)
        self.scale = QLineEdit("FMA-UE")
        self.scale.setAccessibleName(tr("Scale"))
        self.value = QDoubleSpinBox()
        self.value.setRange(0, 1000)
        self.value.setAccessibleName(tr("Score"))
        self.add = button(tr("Add score"), self._add)
        self.scores = make_table([tr("When"), tr("Scale"), tr("Score")], tr("Outcome scores"))
        self.html_button = button(tr("Save HTML"), lambda: self._save("html"))
        self.pdf_button = button(tr("Save PDF"), lambda: self._save("pdf"))
        entry = QWidget()
        row = QHBoxLayout(entry)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (self.scale, self.value, self.add):
            row.addWidget(widget)
        side = QVBoxLayout()
        side.addWidget(card(entry, self.scores, title=tr("Outcome scores"), stretch=(0, 1)), 1)
        side.addWidget(card(self.html_button, self.pdf_button, title=tr("Save")))
        columns = QHBoxLayout()
        columns.addWidget(card(self.view, stretch=(1,)), 3)
        columns.addLayout(side, 2)
        self.body.addLayout(columns, 1)
        self.saved: list[Path] = []

    def enter(self) -> None:
        """Put the report together."""
        self._fill_scores()
        self.view.setHtml(html(self.data()))

    def data(self) -> ReportData:
        """Return what the report shows."""
        state, catalogue = self.visit, self.desk.catalogue
        parts = [_result(Path(folder)) for folder in state.parts]
        total = counts_of(state.parts).total
        trend = [(day[:10], value) for day, value in catalogue.trend(state.subject, "online_accuracy")]
        return ReportData(
            subject=state.subject,
            operator=state.operator,
            protocol=protocols.protocol_names().get(state.protocol, state.protocol),
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            parts=parts,
            minutes=total.seconds / 60,
            movements=total.moved,
            reopened=state.reopened,
            notes=state.notes,
            simulated=state.simulated,
            trend=trend,
            outcomes=[(o.measured[:10], o.scale, o.value, o.unit) for o in catalogue.outcomes(state.subject)],
        )

    def _fill_scores(self) -> None:
        rows = [[o.measured[:10], o.scale, f"{o.value:g}"] for o in self.desk.catalogue.outcomes(self.visit.subject)]
        fill_table(self.scores, rows)

    def _add(self) -> None:
        try:
            self.desk.catalogue.add_outcome(self.visit.subject, self.scale.text().strip(), self.value.value())
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.enter()

    def open_old(self, folder: Path) -> None:
        """Show the report of an older session."""

    def folder(self) -> Path:
        """Return where the report is saved: beside the last part of the session."""
        return Path(self.visit.parts[-1]) if self.visit.parts else self.desk.data

    def _save(self, kind: str) -> None:
        path = self.folder() / f"training-report.{kind}"
        try:
            (write_html if kind == "html" else write_pdf)(self.data(), path)
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.saved.append(path)
        self.say(tr("Saved: {path}").format(path=path), "GOOD")


def _result(folder: Path) -> dict[str, Any]:
    """Return what came out of a part; what was counted, where the engine died before it could say."""
    try:
        values = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        values = None
    if isinstance(values, dict):
        return values
    part = counts_of([str(folder)]).part
    return {"n_trials": part.answered, "n_correct": part.correct, "ended": "failed"}
