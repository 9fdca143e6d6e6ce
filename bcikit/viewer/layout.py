"""Where the panels stand: three arrangements for three kinds of people, and one's own."""

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtWidgets import QAbstractButton, QDockWidget, QMainWindow

from bcikit.ui.words import tr

PRESETS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "clinic": (("right", ("hand", "screen", "quality")), ("right", ("decision", "safety", "alarms"))),
    "research": (
        ("right", ("hand", "screen", "headmap", "quality")),
        ("right", ("decision", "evidence", "safety")),
        ("bottom", ("spectrum", "spectrogram", "bands")),
        ("bottom", ("annotations", "erd", "erp", "selection", "link", "latency", "alarms")),
    ),
    "device": (
        ("right", ("quality", "headmap", "device")),
        ("right", ("link", "clock", "trends", "latency")),
        ("bottom", ("spectrum", "spectrogram", "bands", "selection")),
        ("bottom", ("scope", "annotations", "alarms", "safety")),
    ),
}
"""Arrangement to groups of panels: area, and the panels that share a place as tabs, the first on top."""

_AREAS = {"right": Qt.DockWidgetArea.RightDockWidgetArea, "bottom": Qt.DockWidgetArea.BottomDockWidgetArea}
VERSION = 3
LOW, HIGH = 1000, 1200
"""Pixels of height from which a window has room for panels and further traces, and for several of these."""


def arrange(window: QMainWindow, docks: dict[str, QDockWidget], preset: str) -> None:
    """Put the panels where an arrangement wants them; panels it does not name are hidden."""
    for dock in docks.values():
        dock.setFloating(False)
        window.removeDockWidget(dock)
    first: dict[str, QDockWidget] = {}
    heads: list[tuple[str, QDockWidget]] = []
    for area, names in PRESETS[preset]:
        head = docks[names[0]]
        orientation = Qt.Orientation.Vertical if area == "right" else Qt.Orientation.Horizontal
        window.addDockWidget(_AREAS[area], head)
        if area in first:
            window.splitDockWidget(first[area], head, orientation)
        first[area] = head
        heads.append((area, head))
        head.show()
    # Only now: next to a dock that has tabs, a split would become one more tab.
    for _, names in PRESETS[preset]:
        head = docks[names[0]]
        for name in names[1:]:
            window.tabifyDockWidget(head, docks[name])
            docks[name].show()
        head.raise_()
    named = {name for _, names in PRESETS[preset] for name in names}
    for name, dock in docks.items():
        if name not in named:
            # Hidden, but with a place: a dock without one would be shown when an arrangement is restored.
            window.addDockWidget(_AREAS["right"], dock)
            dock.hide()
    size_docks(window, heads)


def name_buttons(dock: QDockWidget) -> None:
    """Give the buttons in the title of a dock a name, and the keyboard a way to them."""
    for part in dock.findChildren(QAbstractButton):
        if part.objectName().startswith("qt_dockwidget"):
            part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            closes = part.objectName() == "qt_dockwidget_closebutton"
            word = tr("Close {panel}") if closes else tr("Detach {panel}")
            part.setAccessibleName(word.format(panel=dock.windowTitle()))


def add_below(window: QMainWindow, dock: QDockWidget) -> None:
    """Put a dock with traces below all others, as wide as they are together; in a low window behind the last one."""
    last = [other for other in _with_traces(window, dock) if not other.isHidden() and not other.isFloating()]
    make_room(window, dock)
    window.addDockWidget(_AREAS["bottom"], dock, Qt.Orientation.Vertical)
    # At once: of several that come together, the next one looks for it.
    dock.show()
    if last and window.height() < HIGH:
        window.tabifyDockWidget(last[-1], dock)
        dock.raise_()
    else:
        window.resizeDocks([dock], [round(window.height() * 0.35)], Qt.Orientation.Vertical)


def make_room(window: QMainWindow, dock: QDockWidget) -> None:
    """Put away the panels at the bottom of a low window: with further traces it would grow beyond the screen."""
    if window.height() < LOW:
        keep = [dock, *_with_traces(window, dock)]
        for other in window.findChildren(QDockWidget):
            if other not in keep and window.dockWidgetArea(other) == _AREAS["bottom"] and not other.isFloating():
                other.hide()


def _with_traces(window: QMainWindow, dock: QDockWidget) -> list[QDockWidget]:
    """Return the docks of the same kind, but this one."""
    kind = type(dock.widget())
    return [other for other in window.findChildren(QDockWidget) if isinstance(other.widget(), kind) and other != dock]


def size_docks(window: QMainWindow, heads: list[tuple[str, QDockWidget]]) -> None:
    """Give the areas their share of the window."""
    width, height = window.width(), window.height()
    right = [dock for area, dock in heads if area == "right"]
    bottom = [dock for area, dock in heads if area == "bottom"]
    window.resizeDocks(right, [max(270, round(width * 0.24))] * len(right), Qt.Orientation.Horizontal)
    window.resizeDocks(right, [round(height * 0.5)] * len(right), Qt.Orientation.Vertical)
    if bottom:
        window.resizeDocks(bottom, [round(height * 0.33)] * len(bottom), Qt.Orientation.Vertical)
        window.resizeDocks(bottom, [round(width * 0.38)] * len(bottom), Qt.Orientation.Horizontal)


def save(window: QMainWindow, settings: QSettings) -> None:
    """Keep the arrangement as one's own."""
    settings.setValue("layout", window.saveState(VERSION))
    settings.sync()


def restore(window: QMainWindow, settings: QSettings) -> bool:
    """Put the panels where one left them; False if there is nothing kept."""
    state = settings.value("layout")
    return isinstance(state, QByteArray) and bool(window.restoreState(state, VERSION))
