"""Curves by pyqtgraph in the looks of the viewer."""

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGraphicsView

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
    # Without menus they are not even built, which would be a third of what a plot takes.
    widget = pg.PlotWidget(background=theme.panel, enableMenu=False)
    widget.setAccessibleName(name)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    # The ground is one colour; a picture of it kept aside would be dots in a drawing of lines.
    widget.setCacheMode(QGraphicsView.CacheModeFlag.CacheNone)
    item = widget.getPlotItem()
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


def class_pen(theme: Theme, index: int) -> Any:
    """Return the pen of a class; where colours come again, another line tells the classes apart."""
    lines = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
    again, colour = divmod(index, len(theme.classes))
    return pg.mkPen(QColor(theme.classes[colour]), width=1.0, style=lines[again % len(lines)])


def legend(widget: Any, theme: Theme) -> Any:
    """Return a legend that the plot fills; it stands before the curves, on a ground of its own."""
    ground = QColor(theme.panel)
    ground.setAlpha(215)
    return widget.getPlotItem().addLegend(
        offset=(-6, 4), labelTextColor=QColor(theme.text), labelTextSize="9pt", brush=pg.mkBrush(ground)
    )


def log_ticks(low: float, high: float) -> list[list[tuple[float, str]]]:
    """Return ticks of a logarithmic axis, at 1, 2 and 5 of each decade, or at decades where there are many.

    Parameters
    ----------
    low, high : float
        What is shown, both above 0.
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    return [[(math.log10(s) + d, f"{s * 10.0**d:g}") for d in range(first, last + 1) for s in steps]]
