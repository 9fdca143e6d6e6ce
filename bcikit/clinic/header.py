"""Who is treated, in large type, on every page."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel

from bcikit.clinic.base import breakable
from bcikit.clinic.visit import Visit
from bcikit.ui.theme import Theme
from bcikit.ui.words import tr

LARGE = 20
"""Letters of a code that stand in large type beside all else, on the smallest screen."""


class Header(QFrame):
    """The code of the patient in large type, what tells the person from others, and the therapist."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.code, self.details, self.operator = QLabel(), QLabel(), QLabel()
        self.code.setAccessibleName(tr("Patient in front of the window"))
        self.details.setAccessibleName(tr("About the patient"))
        self.operator.setAccessibleName(tr("Therapist"))
        self.details.setStyleSheet("font-size: 15px; border: none;")
        self.operator.setStyleSheet(f"color: {theme.dim}; font-size: 14px; border: none;")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(18)
        row.addWidget(self.code)
        row.addWidget(self.details, 1)
        row.addWidget(self.operator)
        # What somebody typed may be of any length, and must not push STOP off the screen.
        self.details.setWordWrap(True)
        self.operator.setWordWrap(True)
        self.setObjectName("header")

    def show_visit(self, visit: Visit) -> None:
        """Show the patient of a visit; nobody where none was confirmed."""
        theme = self._theme
        if not visit.subject:
            self.code.setText(tr("No patient"))
            self.details.setText("")
        elif visit.simulated:
            self.code.setText(tr("SIMULATED PATIENT"))
            self.details.setText(tr("no person, no headset: nothing of this is kept in a history"))
        else:
            sides = {"left": tr("left"), "right": tr("right"), "both": tr("both")}
            parts = [tr("born {year}").format(year=visit.birth_year) if visit.birth_year else ""]
            if visit.affected_side in sides:
                parts.append(tr("affected side: {side}").format(side=sides[visit.affected_side]))
            self.code.setText(visit.subject)
            self.details.setText(" · ".join(part for part in parts if part))
        back, ink = (theme.warn, theme.window) if visit.simulated else (theme.panel, theme.text)
        self.setStyleSheet(f"QFrame#header {{ background: {back}; border-bottom: 1px solid {theme.line}; }}")
        # The code is never cut off: two that begin alike are two persons.
        size = 26 if len(self.code.text()) <= LARGE else 16
        self.code.setStyleSheet(f"color: {ink}; font-size: {size}px; font-weight: 800; border: none;")
        self.details.setStyleSheet(f"color: {ink}; font-size: 15px; border: none;")
        said = f"{tr('Therapist')}: {visit.operator}" if visit.operator and visit.subject else ""
        self.operator.setText(breakable(said))
        self.operator.setStyleSheet(f"color: {ink if visit.simulated else theme.dim}; font-size: 14px; border: none;")
