"""The patient's own window: on the second display where there is one, in a process of its own."""

from collections.abc import Callable

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QScreen, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from bcikit.presentation.qt.view import SceneView

PLACES = ("second", "beside", "full", "window")
"""Full screen on the second display (beside the therapist's window where there is none), the right part of the only
display, full screen on the only one, or an ordinary window."""

SHARE = 0.38
"""Part of the only display that the patient's window takes: its right side, and the therapist's windows the rest."""


class PatientWindow(QWidget):
    """What the patient sees; only the session closes it, and the only keys are those that stop (`SpaceStops`)."""

    def __init__(self, scene: SceneView) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setWindowTitle("bcikit")
        self.setAccessibleName("Patient's screen")
        self.scene = scene
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scene)
        self.resize(1280, 720)
        self.on_display: Callable[[], None] = lambda: None
        """Called when the window has come to another display, or its display has another rate."""
        self._where = "window"
        self._followed: QScreen | None = None
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.screenRemoved.connect(self._again)
            application.screenAdded.connect(self._again)

    def _again(self, _: object) -> None:
        """Take the place anew: a display was unplugged, or is there again; never on top of the therapist's windows."""
        if self._where != "second" or not self.isVisible():
            return
        # Once Qt itself has moved it: a window that fills the screen would cover whatever is there.
        QTimer.singleShot(0, self, self._settle)

    def _settle(self) -> None:
        self.showNormal()
        self.place(self._where)
        self.on_display()

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the window to whatever display somebody moves it to."""
        super().showEvent(event)
        if self._followed is None:
            self.windowHandle().screenChanged.connect(self._moved)
            self._follow()

    def _follow(self) -> None:
        self._followed = self.screen()
        self._followed.refreshRateChanged.connect(self._moved)

    def _moved(self, _: object) -> None:
        """Show by the rate of the display that the window is on now, and tell whose correction counts."""
        if self._followed is not self.screen():
            self._follow()
        self.scene.take_screen()
        # Not within Qt's own signal: what is called measures the rate with frames.
        QTimer.singleShot(0, self, lambda: self.on_display())

    def place(self, where: str) -> None:
        """Take a place and show: one of `PLACES`."""
        self._where = where
        screens = QGuiApplication.screens()
        if where == "second" and len(screens) > 1:
            self.setGeometry(screens[1].geometry())
            self.showFullScreen()
        elif where == "full":
            # Also where no window manager makes it as large.
            self.setGeometry(screens[0].geometry())
            self.showFullScreen()
        elif where in ("second", "beside"):
            self.setGeometry(beside(screens[0].availableGeometry()))
            self.show()
        else:
            self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do nothing: what stops was taken before."""
        event.ignore()


def rest(whole: QRect) -> QRect:
    """Return what the patient's window leaves of the only display to the therapist's."""
    return QRect(whole.left(), whole.top(), whole.width() - beside(whole).width(), whole.height())


def beside(whole: QRect) -> QRect:
    """Return the place of the patient's window on the only display."""
    width = round(whole.width() * SHARE)
    return QRect(whole.right() - width + 1, whole.top(), width, whole.height())
