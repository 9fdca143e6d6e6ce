"""Colours of both themes; no meaning is carried by colour alone."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication


@dataclass(frozen=True)
class Theme:
    """Colours of one theme, as ``#rrggbb``.

    Good, warn and bad come from the palette of Okabe and Ito, which colour-blind people tell apart; each also has a
    shape and a letter (`LEVELS`).
    """

    name: str
    window: str
    panel: str
    text: str
    dim: str
    line: str
    trace: str
    accent: str
    good: str
    warn: str
    bad: str
    stop: str
    classes: tuple[str, ...]

    def level(self, level: str) -> str:
        """Return the colour of "GOOD", "WARN", "BAD"; the dim colour for anything else."""
        return {"GOOD": self.good, "WARN": self.warn, "BAD": self.bad}.get(level, self.dim)


DARK = Theme(
    name="dark",
    window="#14181d",
    panel="#1c2229",
    text="#e8ecf0",
    dim="#8d99a6",
    line="#39434e",
    trace="#b9cbdc",
    accent="#56b4e9",
    good="#2fbf8f",
    warn="#f0b429",
    bad="#ff7a45",
    stop="#d92d20",
    classes=("#56b4e9", "#e69f00", "#2fbf8f", "#cc79a7", "#f0e442", "#d55e00"),
)
LIGHT = Theme(
    name="light",
    window="#f3f5f7",
    panel="#ffffff",
    text="#16202a",
    dim="#5c6975",
    line="#cfd6dd",
    trace="#24445f",
    accent="#0072b2",
    good="#00795a",
    warn="#8f5500",
    bad="#c43d00",
    stop="#c4160a",
    classes=("#0072b2", "#a86400", "#00795a", "#a8447f", "#7a6f00", "#c43d00"),
)
THEMES = {"dark": DARK, "light": LIGHT}

LEVELS = {"GOOD": ("●", "G"), "WARN": ("▲", "W"), "BAD": ("■", "B")}
"""Shape and letter a level of quality, beside its colour."""


def rgb(colour: str) -> int:
    """Return ``0xffRRGGBB`` of a colour name."""
    return int(QColor(colour).rgb())


def palette(theme: Theme) -> QPalette:
    """Return the palette of Qt for a theme."""
    roles = QPalette.ColorRole
    result = QPalette()
    for role, colour in (
        (roles.Window, theme.window),
        (roles.Base, theme.panel),
        (roles.AlternateBase, theme.window),
        (roles.Button, theme.panel),
        (roles.ToolTipBase, theme.panel),
        (roles.WindowText, theme.text),
        (roles.Text, theme.text),
        (roles.ButtonText, theme.text),
        (roles.ToolTipText, theme.text),
        (roles.BrightText, "#ffffff"),
        (roles.Highlight, theme.accent),
        (roles.HighlightedText, "#000000" if theme.name == "dark" else "#ffffff"),
        (roles.PlaceholderText, theme.dim),
        (roles.Link, theme.accent),
        (roles.Mid, theme.line),
        (roles.Midlight, theme.line),
        (roles.Dark, theme.line),
        (roles.Light, theme.panel),
    ):
        result.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.dim))
    return result


def apply(application: QApplication, theme: Theme) -> None:
    """Give an application one look on every system; nothing is done where it has it already."""
    if application.property("bcikit-theme") == theme.name:
        return
    application.setProperty("bcikit-theme", theme.name)
    application.setStyle("Fusion")
    application.setPalette(palette(theme))
    hints = application.styleHints()
    if hasattr(hints, "setColorScheme"):
        hints.setColorScheme(Qt.ColorScheme.Dark if theme.name == "dark" else Qt.ColorScheme.Light)
        application.setPalette(palette(theme))
    application.setStyleSheet(_STYLE.format(t=theme))


_STYLE = """
QToolTip {{ color: {t.text}; background: {t.panel}; border: 1px solid {t.line}; }}
QDockWidget::title {{ background: {t.window}; padding: 3px 8px; }}
QDockWidget {{ color: {t.dim}; }}
QMainWindow::separator {{ background: {t.line}; width: 3px; height: 3px; }}
QMainWindow::separator:hover {{ background: {t.accent}; }}
*[card="true"] {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 8px; }}
QPushButton {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 5px; padding: 5px 12px; }}
QPushButton:hover {{ border-color: {t.accent}; }}
QPushButton:focus {{ border: 2px solid {t.accent}; padding: 4px 11px; }}
QPushButton:disabled {{ color: {t.dim}; }}
QPushButton:checked {{ background: {t.accent}; color: {t.window}; }}
QPushButton[primary="true"] {{ background: {t.accent}; color: {t.window}; font-weight: 600; }}
QPushButton[primary="true"]:disabled {{ background: {t.line}; color: {t.dim}; }}
QPushButton[primary="true"]:focus {{ border: 2px solid {t.text}; }}
QPushButton[stop="true"] {{ background: {t.stop}; color: white; font-weight: 700; border: 2px solid {t.stop}; }}
QPushButton[stop="true"]:focus {{ border: 2px solid {t.text}; }}
QPushButton[stop="true"]:disabled {{ background: {t.line}; color: {t.dim}; border-color: {t.line}; }}
"""
