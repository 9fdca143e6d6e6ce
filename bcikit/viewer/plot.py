"""Curves by pyqtgraph in the looks of the viewer."""

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from bcikit.ui.theme import Theme


def make_plot(theme: Theme, name: str, *, bottom: str = "", left: str = "") -> Any:
    """Return a plot with an accessible name; menus and buttons that no keyboard reaches are off.

    Parameters
    ----------
    theme : Theme
        Colours.
    name : str
        Accessible name.
    bottom, left : str
        Names of the axes with their units.
    """
    widget = pg.PlotWidget(background=theme.panel)
    widget.setAccessibleName(name)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    item = widget.getPlotItem()
    item.setMenuEnabled(False)
    item.hideButtons()
    item.showGrid(x=True, y=True, alpha=0.2)
    for side, text in (("bottom", bottom), ("left", left)):
        axis = item.getAxis(side)
        axis.setPen(QColor(theme.dim))
        axis.setTextPen(QColor(theme.dim))
        axis.enableAutoSIPrefix(False)
        if text:
            axis.setLabel(text, **{"color": theme.dim, "font-size": "11px"})
    return widget


def pen(colour: str, width: float = 1.0) -> Any:
    """Return a cosmetic pen."""
    return pg.mkPen(QColor(colour), width=width)


def legend(widget: Any, theme: Theme) -> Any:
    """Return a legend that the plot fills."""
    return widget.getPlotItem().addLegend(offset=(-6, 4), labelTextColor=QColor(theme.text), labelTextSize="9pt")
