"""The hand and the decision as panels of the viewer."""

from PySide6.QtWidgets import QLabel, QVBoxLayout

from bcikit.ui.bars import DecisionBars
from bcikit.ui.hand import HandView
from bcikit.ui.rules import why_nothing_moves
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr
from bcikit.viewer.panel import Panel, View


class HandPanel(Panel):
    """The virtual hand, and why it does not move."""

    period = 0.03

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.hand = HandView(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.hand)
        self._shown = 0.0

    def refresh(self, view: View) -> None:
        """Show the output; the drawing glides, so that it looks calm."""
        output = view.status.output
        wanted = float(output.get("closure", output.get("value", 0.0)) or 0.0)
        self._shown += 0.35 * (wanted - self._shown)
        if abs(wanted - self._shown) < 0.004:
            self._shown = wanted
        why, _ = why_nothing_moves(view.status)
        held = bool(why) and view.status.state not in ("", "FINISHED")
        self.hand.show_state(self._shown, text=why, held=held)

    def table(self) -> list[list[object]]:
        """Return the closure."""
        return [["closure"], [self.hand.closure]]


class DecisionPanel(Panel):
    """Probabilities of the newest decision, the verdict, and in words why nothing moved and what to do."""

    period = 0.05

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.bars = DecisionBars(theme)
        self.why = QLabel()
        self.why.setWordWrap(True)
        self.why.setAccessibleName(tr("Why nothing moved"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.bars, 1)
        layout.addWidget(self.why)
        self._revision = -1
        self._table: list[list[object]] = []

    def refresh(self, view: View) -> None:
        """Show the newest decision."""
        status = view.status
        if status.revision == self._revision:
            return
        self._revision = status.revision
        verdict = status.verdict
        allowed = bool(verdict.get("allowed")) if verdict else None
        why, advice = why_nothing_moves(status)
        words = why or (tr("Let through") if allowed else "")
        allowed = None if status.finished else allowed and not why
        self.bars.threshold = status.threshold()
        self.bars.show_decision(status.decision, allowed=allowed, verdict=words)
        self.why.setText(tr("What to do: {advice}").format(advice=advice) if advice and not allowed else "")
        self._table = [
            ["class", "probability"],
            *map(list, zip(status.decision.get("classes", ()), status.decision.get("probabilities", ()), strict=False)),
        ]

    def table(self) -> list[list[object]]:
        """Return the probabilities."""
        return [list(row) for row in self._table]
