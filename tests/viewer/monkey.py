"""A monkey at a window: random keys, clicks, choices and sizes; and what it may not leave behind."""

import gc
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QMainWindow,
    QMenu,
    QTabBar,
    QWidget,
)

ACTIONS = int(os.environ.get("BCIKIT_MONKEY", "300"))
KEYS = [Qt.Key(code) for code in (*range(0x30, 0x3A), *range(0x41, 0x5B))] + [
    Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Tab, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown, Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight,
    Qt.Key.Key_Delete, Qt.Key.Key_Escape, Qt.Key.Key_F5, Qt.Key.Key_F6, Qt.Key.Key_F7, Qt.Key.Key_F8, Qt.Key.Key_F12,
]  # fmt: skip
WORDS = ("", "blink after N", "5", "-1e9", "P-017", "中文", "<b>x</b>", "../..", "'; --", "x" * 300)


@dataclass(frozen=True)
class Held:
    """What a process holds: it may go up and down, and not only up."""

    handles: int
    threads: int
    objects: int
    megabytes: float

    @classmethod
    def now(cls, window: QWidget) -> "Held":
        """Count, once what is to be deleted is deleted."""
        # Without a loop that runs, Qt keeps what is to be deleted later.
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
        handles = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
        objects = len(window.findChildren(QObject)) + len(QApplication.topLevelWidgets())
        return cls(handles, threading.active_count(), objects, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def grown(self, before: "Held", actions: int) -> list[str]:
        """Return what is more than before by more than a state of the window explains, after so many actions."""
        allowed = Held(12, 6, max(150, actions // 20), 80.0)
        more = {field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(self)}
        return [f"{name}: {much:+g}" for name, much in more.items() if much > getattr(allowed, name)]


def offered(actions: list[QAction]) -> list[QAction]:
    """Return every action that a menu, or a menu in it, offers."""
    found = []
    for action in actions:
        inner = QMenu.menuInAction(action)
        found += offered(inner.actions()) if isinstance(inner, QMenu) else [action]
    return found


class Monkey:
    """Does anything with a window, and sees that it stays alive.

    `left_alone` are beginnings of what actions and buttons say that would take the window away.
    """

    def __init__(self, window: QWidget, seed: int, *, left_alone: tuple[str, ...] = ()) -> None:
        self.window, self.dice, self.left_alone = window, random.Random(seed), left_alone
        self.does: list[Callable[[], object]] = [
            self.key, self.press, self.choose, self.action, self.write, self.step, self.turn, self.resize,
            self.tick, self.tick,
        ]  # fmt: skip
        self.done: list[str] = []

    def act(self) -> None:
        """Do one thing."""
        self.close_dialogs()
        what = self.dice.choice(self.does)
        self.done = [*self.done[-19:], what.__name__]
        what()

    def close_dialogs(self) -> None:
        """Leave every dialog by one of its two doors."""
        for dialog in QApplication.topLevelWidgets():
            if isinstance(dialog, QDialog) and dialog.isVisible() and dialog is not self.window:
                self.dice.choice((dialog.accept, dialog.reject))()
        popup = QApplication.activePopupWidget()
        if popup is not None:
            popup.close()

    def some(self, kind: type) -> QWidget | None:
        """Return one of the widgets of a kind that is in sight, where a hand comes upon it; most often there is one."""
        for _ in range(12):
            found: QWidget | None = self.window.childAt(self.place(self.window))
            while found is not None and not isinstance(found, kind):
                found = found.parentWidget()
            if found is not None and found.isEnabled():
                return found
        return None

    def may(self, text: str) -> bool:
        """Whether what says this leaves the window where it is."""
        return not text.replace("&", "").startswith(self.left_alone or ("\0",))

    def key(self) -> None:
        """Press a key somewhere."""
        widget = QApplication.focusWidget() or self.window
        if widget.window() is self.window:
            QTest.keyClick(widget, self.dice.choice(KEYS))

    def press(self) -> None:
        """Press a button."""
        button = self.some(QAbstractButton)
        if isinstance(button, QAbstractButton) and self.may(button.accessibleName() or button.text()):
            button.click()

    def choose(self) -> None:
        """Choose a line of a box."""
        box = self.some(QComboBox)
        if isinstance(box, QComboBox) and box.count():
            box.setCurrentIndex(self.dice.randrange(box.count()))

    def action(self) -> None:
        """Do what a menu offers."""
        bar = self.window.menuBar() if isinstance(self.window, QMainWindow) else None
        actions = [] if bar is None else [a for a in offered(bar.actions()) if a.isEnabled() and a.text()]
        if actions and self.may((chosen := self.dice.choice(actions)).text()):
            chosen.trigger()

    def write(self) -> None:
        """Write anything into a field."""
        field = self.some(QLineEdit)
        if isinstance(field, QLineEdit) and not field.isReadOnly():
            field.setText(self.dice.choice(WORDS))
            field.editingFinished.emit()

    def step(self) -> None:
        """Step a number up or down."""
        box = self.some(QAbstractSpinBox)
        if isinstance(box, QAbstractSpinBox):
            box.stepBy(self.dice.choice((-100, -1, 1, 100)))

    def turn(self) -> None:
        """Click a line of a list, or a tab."""
        widget = self.some(self.dice.choice((QAbstractItemView, QTabBar)))
        if widget is None:
            return
        target = widget.viewport() if isinstance(widget, QAbstractItemView) else widget
        QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=self.place(target))

    def place(self, widget: QWidget) -> QPoint:
        """Return a place on a widget."""
        return QPoint(self.dice.randrange(max(1, widget.width())), self.dice.randrange(max(1, widget.height())))

    def resize(self) -> None:
        """Give the window another size."""
        self.window.resize(self.dice.randrange(700, 1500), self.dice.randrange(500, 1000))

    def tick(self) -> None:
        """Let time go on."""
        QApplication.processEvents()


def no_questions_of_the_system(monkeypatch) -> None:
    """Have dialogs of the system answered by Cancel, and nothing opened outside."""
    for name, answer in (("getOpenFileName", ("", "")), ("getSaveFileName", ("", "")), ("getExistingDirectory", "")):
        monkeypatch.setattr(QFileDialog, name, lambda *_, _answer=answer, **__: _answer)
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda *_: True)


def play(monkey: Monkey, actions: int = ACTIONS) -> None:
    """Let it do so much; nothing may close the window, warn, or be held more and more.

    A page that is opened for the first time loads what it needs, once; a leak grows in both later thirds.
    """
    window = monkey.window
    looks = [actions // 3, 2 * actions // 3]
    counts: list[Held] = []
    for number in range(actions):
        monkey.act()
        assert window.isVisible(), f"action {number} closed the window: {monkey.done}"
        if number in looks:
            monkey.close_dialogs()
            counts.append(Held.now(window))
    monkey.close_dialogs()
    end, (first, second) = Held.now(window), counts
    leaks = []
    for what in end.grown(first, actions - looks[0]):
        at = [getattr(held, what.partition(":")[0]) for held in (first, second, end)]
        if 4 * min(at[1] - at[0], at[2] - at[1]) >= at[2] - at[0]:
            leaks.append(what)
    assert leaks == [], f"held more than {actions - looks[0]} actions before, grown all the while: {leaks}"
