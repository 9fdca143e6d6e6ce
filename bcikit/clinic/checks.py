"""What must be there before something may act on a person, as a list with ticks; nothing is armed before all are."""

import time
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from bcikit.clinic import protocols
from bcikit.clinic.runner import SessionRunner
from bcikit.clinic.visit import Visit
from bcikit.ui.inputs import button
from bcikit.ui.words import tr

HOLD_EVERY_S = 0.15
"""A dead-man switch that is held says so again and again; silence is letting go."""
HOLD_KEY = Qt.Key.Key_F8
"""Key that is the dead-man switch, too: what a foot switch on the USB port sends."""


class ArmingChecks(QWidget):
    """Idle test, stop key, dead-man switch: done or not, and the controls for them.

    Parameters
    ----------
    visit : Visit
        Keeps what was tested in this visit.
    runner : SessionRunner
        Takes the orders.
    """

    def __init__(self, visit: Visit, runner: SessionRunner) -> None:
        super().__init__()
        self._visit, self._runner = visit, runner
        self.testing = False
        self._stop_key = False
        self._held_at = 0.0
        self.held = False
        self._by_key = False
        self._state = ""
        self._idle_since: float | None = None
        self.lines = QLabel()
        self.lines.setWordWrap(True)
        self.lines.setStyleSheet("font-size: 14px; border: none;")
        self.lines.setAccessibleName(tr("Before anything is armed"))
        self.test = button(tr("Test the stop key"), self._begin_test)
        self.hold = button(tr("Hold while stimulation is allowed (or F8, a foot switch)"), lambda: None)
        self.hold.pressed.connect(lambda: self._hold(held=True))
        self.hold.released.connect(lambda: self._hold(held=False))
        self.hold.setMinimumHeight(44)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for widget in (self.lines, self.test, self.hold):
            column.addWidget(widget)

    def showEvent(self, event: QShowEvent) -> None:
        """Listen for the key of the switch while the page is in front."""
        QApplication.instance().installEventFilter(self)  # type: ignore[union-attr]
        super().showEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        """Let go with the page."""
        QApplication.instance().removeEventFilter(self)  # type: ignore[union-attr]
        self._by_key = False
        if self.held:
            self._hold(held=False)
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the key of the dead-man switch wherever the keyboard is; a window that lost it lets go."""
        kind = event.type()
        if kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease) and isinstance(event, QKeyEvent):
            if event.key() == HOLD_KEY and self.isVisible() and self._touches:
                held = kind == QEvent.Type.KeyPress
                if not event.isAutoRepeat() and held != self._by_key and (self.hold.isEnabled() or not held):
                    self._by_key = held
                    self._hold(held=held)
                return True
        elif kind == QEvent.Type.ApplicationDeactivate and self._by_key:
            # The release of the key goes to another program now.
            self._by_key = False
            self._hold(held=False)
        return super().eventFilter(watched, event)

    def enter(self) -> None:
        """Ask for what the protocol chosen needs, and for nothing else."""
        self._stop_key = protocols.needs_stop_test(self._visit)
        self.setVisible(self.wanted)
        self.hold.setVisible(self._touches)
        self.show_state("")

    @property
    def _touches(self) -> bool:
        return protocols.profile_of(self._visit) in protocols.TOUCH

    @property
    def wanted(self) -> bool:
        """True where a person arms the session, once what is listed here is there."""
        return self._touches or self._stop_key

    @property
    def undone(self) -> list[str]:
        """What is still to be done before it is armed, or before somebody may hold the switch."""
        found = []
        if self._touches and not self._visit.idle_now:
            found.append(tr("the idle test"))
        if self.wanted and not self._visit.stop_tested:
            found.append(tr("the test of the stop key"))
        return found

    @property
    def missing(self) -> list[str]:
        """What is still needed before arming."""
        switch = [tr("the dead-man switch: hold the button")] if self._touches and not self.held else []
        return self.undone + switch

    @property
    def resting(self) -> bool:
        """True while the idle test runs: what it is made with must not change meanwhile."""
        return self._idle_since is not None

    def end_rest(self) -> None:
        """Know of no idle test that runs: one that its engine did not end is over with the engine."""
        self._idle_since = None
        self.show_state(self._state)

    def _begin_test(self) -> None:
        self.testing = True
        self.show_state(self._state)

    def take(self, message: dict[str, Any], state: str) -> None:
        """Follow the engine: the idle test, and the stop that the test asked for."""
        self._state = state
        data = message.get("data") or {}
        name = message.get("name") if message.get("type") == "event" else ""
        if name == "idle-test/start":
            self._idle_since = time.monotonic()
        elif name == "idle-test/end":
            self._idle_since = None
            if data.get("complete"):
                found = {"activations": int(data["activations"]), "seconds": float(data["seconds"])}
                # One that is told again was made with what decided then.
                if not (message.get("past") and found.items() <= self._visit.idle.items()):
                    self._visit.idle = {**found, "of": self._visit.decides}
        if self.testing and state == "SAFE_STOP":
            self.testing = False
            self._visit.stop_tested = True
        if self._visit.stop_tested and state == "STANDBY" and message.get("type") == "state":
            self._runner.send("teststop", who=self._visit.operator)
        self.show_state(state)

    def show_state(self, state: str) -> None:
        """Show what is done and what is not."""
        idle = self._visit.idle_now
        if idle:
            rate = idle["activations"] * 60.0 / idle["seconds"] if idle["seconds"] else 0.0
            first = "✓ " + tr(
                "Idle test: {count} false activations in {minutes:.1f} minutes, {rate:.2f} a minute"
            ).format(count=idle["activations"], minutes=idle["seconds"] / 60, rate=rate)
        elif self._idle_since is not None:
            first = "… " + tr("Idle test runs: {seconds} s. The patient rests and does nothing.").format(
                seconds=round(time.monotonic() - self._idle_since)
            )
        else:
            first = "– " + tr("Idle test: comes first, the patient rests")
        if self._visit.stop_tested:
            second = "✓ " + tr("Stop key: tested, it stopped the engine")
        elif self.testing:
            second = "… " + tr("Press the space bar now. Then acknowledge.")
        else:
            second = "– " + (
                tr("Stop key: not tested yet; it comes after the idle test")
                if self._touches
                else tr("Stop key: not tested yet; it is asked for where something flickers")
            )
        third = ("✓ " + tr("Dead-man switch: held")) if self.held else ("– " + tr("Dead-man switch: not held"))
        self.lines.setText("\n".join((first, second, third) if self._touches else (second,)))
        # During the idle test a stop would end it, and it would begin anew.
        ready = state == "STANDBY" and (bool(idle) or not self._touches)
        self.test.setEnabled(self._runner.running and ready and not self._visit.stop_tested)
        self.hold.setEnabled(self._runner.running)

    def _hold(self, *, held: bool) -> None:
        self.held = held
        self._held_at = time.monotonic()
        self._runner.send("deadman", held=held, who=self._visit.operator)
        self.show_state(self._state)

    def tick(self) -> None:
        """Say again that the switch is held."""
        if self.held and time.monotonic() - self._held_at >= HOLD_EVERY_S:
            self._held_at = time.monotonic()
            self._runner.send("deadman", held=True, who=self._visit.operator)
