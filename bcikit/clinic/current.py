"""The patient's own current: found from nothing upwards, by the therapist, with the dead-man switch held."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from bcikit.clinic.base import Desk
from bcikit.clinic.names import written
from bcikit.clinic.people import data_of
from bcikit.clinic.times import now, today
from bcikit.clinic.trouble import outdated_words
from bcikit.paradigms import read_paradigm
from bcikit.safety.guard.client import GuardClient, GuardError
from bcikit.safety.guard.fes import FesLimits
from bcikit.signal import BciError
from bcikit.ui.inputs import button
from bcikit.ui.words import tr

STEP_MA = 1.0
TRAIN_S = 1.0
RAMP_S = FesLimits().ramp_s
"""Until then a train has not come to its current."""
PAUSE_S = 3.0
"""Between two trains, as the limits of the stimulator ask for."""
PULSES = ("pulse_us", "frequency_hz", "area_cm2")
"""What a current is felt by, beside its milliamperes."""
_BEAT_MS = 20
"""The guard takes a switch that is silent for 80 ms as let go."""


class CurrentCard(QWidget):
    """Raises the current step by step while its button is held; "comfortable" keeps what was felt last.

    The stimulator is owned by a guard process of its own: letting go, closing the window or killing it ends it.

    Parameters
    ----------
    desk : Desk
        Whose visit it is.
    chosen : callable, optional
        Returns what was chosen of `PULSES`, and raises `BciError` where that is refused; the rest is what the paradigm
        proposes.

    Signals
    -------
    changed
        The patient's current is known, or is not any more.
    """

    changed = Signal()

    def __init__(self, desk: Desk, *, chosen: Callable[[], Mapping[str, float]] = dict) -> None:
        super().__init__()
        self._desk, self._visit, self._chosen = desk, desk.visit, chosen
        self._pulses: dict[str, Any] = {}
        self._guard: GuardClient | None = None
        self._switch: GuardClient | None = None
        self._next = 0.0
        self._until = 0.0
        self._rest_until = 0.0
        self._on_before = 0.0
        self.amplitude = 0.0
        self._felt = 0.0
        self.port = QLineEdit()
        self.port.setAccessibleName(tr("Stimulator"))
        self.port.setPlaceholderText("serial-fes:/dev/ttyUSB0")
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setStyleSheet("font-size: 14px; border: none;")
        self.state.setAccessibleName(tr("Comfortable current"))
        self.connect_button = button(tr("Connect"), self.connect_stimulator)
        self.hold = button(tr("Hold: one mA more"), lambda: None)
        self.hold.pressed.connect(self._begin)
        self.hold.released.connect(self.let_go)
        self.less = button(tr("2 mA less"), self._less)
        self.comfortable = button(tr("Comfortable: keep it"), self._keep)
        form = QFormLayout()
        form.addRow(tr("Stimulator"), self.port)
        row = QHBoxLayout()
        for widget in (self.hold, self.less, self.comfortable):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self.connect_button)
        column.addLayout(row)
        column.addWidget(self.state)
        self._timer = QTimer(self)
        self._timer.setInterval(_BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self.port.setText(str(self._visit.current.get("port", "")) or self._remembered())
        self._show()

    def _remembered(self) -> str:
        return str(data_of(self._desk.catalogue, self._visit.subject).get("fes", {}).get("port", ""))

    @property
    def connected(self) -> bool:
        """True while a guard owns the stimulator: then the keys that stop mean this current."""
        return self._guard is not None

    def connect_stimulator(self) -> None:
        """Start the guard that owns the stimulator; nothing flows."""
        self.disconnect_stimulator()
        if self._visit.outdated:
            self._show("■ " + outdated_words(self._visit.started))
            return
        address = written(self.port.text())
        if not address:
            self._show(tr("Enter the stimulator, such as serial-fes:/dev/ttyUSB0."))
            return
        try:
            # Until it is kept they stay as they are: what was felt is the current with these.
            assist = {**read_paradigm("motor-imagery-fes").get("assist", {}), **self._chosen()}
            self._pulses = {key: assist[key] for key in (*PULSES, "site", "channel") if key in assist}
            self._guard = GuardClient.launch(address, dead_man=True)
            # The button that is held is the dead-man switch; it has a line of its own to the guard.
            self._switch = GuardClient(self._guard.port, self._guard.role_key("dead-man"), role="dead-man")
        except (GuardError, BciError, OSError) as error:
            self._show(f"■ {error}")
            return
        self.amplitude = self._felt = 0.0
        self._timer.start()
        self._show()

    def disconnect_stimulator(self) -> None:
        """Give the stimulator back: the session needs it."""
        if self._until:
            self.let_go()
        self._timer.stop()
        for client in (self._switch, self._guard):
            if client is not None:
                client.close()
        self._switch = self._guard = None
        self._show()

    def _held(self, *, held: bool) -> None:
        if self._switch is not None:
            self._switch.hold(held=held)

    def _begin(self) -> None:
        if self._until:
            # Another press (of a key) while the button is held would be a step without a rest.
            return
        if self._guard is None:
            self._show(tr("Connect the stimulator first."))
            return
        if time.monotonic() < self._rest_until:
            self._show(tr("The muscle rests; wait three seconds."))
            return
        ceiling = FesLimits().amplitude_ma
        if self.amplitude + STEP_MA > ceiling:
            self._show(tr("{limit:g} mA is the ceiling of this stimulator.").format(limit=ceiling))
            return
        try:
            said = self._guard.state()
            if said.get("latched"):
                self._guard.release(self._visit.operator, "the therapist pressed the button again")
            self._held(held=True)
            self._guard.alive()
            self._guard.arm()
        except (GuardError, OSError) as error:
            self._show(f"■ {error}")
            return
        self._on_before = float(said["driver"].get("on_s", 0.0))
        self._felt = self.amplitude
        self.amplitude += STEP_MA
        self._until = time.monotonic() + TRAIN_S
        self._beat()

    def let_go(self) -> None:
        """End the current at once; a step that was not felt in full is taken back."""
        given, self._until = bool(self._until), 0.0
        trouble = ""
        if self._guard is not None:
            felt = False
            try:
                self._guard.safe("the therapist let go")
                self._held(held=False)
                felt = float(self._guard.state()["driver"].get("on_s", 1e9)) - self._on_before >= RAMP_S
                if given and not felt:
                    trouble = tr("Let go before the current was there in full: the next step is this one again.")
            except (GuardError, OSError) as error:
                trouble = f"■ {error}"
            if given and not felt:
                self._take_back()
        if given:
            self._rest_until = time.monotonic() + PAUSE_S
        self._show(trouble)

    def _take_back(self) -> None:
        """Call nothing given that did not flow in full: "comfortable" would have it asked for in the session."""
        self.amplitude = min(self.amplitude, self._felt)

    def _beat(self) -> None:
        guard = self._guard
        if guard is None:
            return
        try:
            guard.alive()
            if self._until:
                if time.monotonic() >= self._until:
                    self.let_go()
                    return
                self._held(held=True)
                pulses = {**self._pulses, "amplitude_ma": self.amplitude, "ramp": RAMP_S}
                guard.send("stimulate", 1.0, ttl=0.25, data=pulses)
        except (GuardError, OSError) as error:
            if self._until:
                # Nobody knows whether it flowed.
                self._take_back()
            self._until = 0.0
            self._show(f"■ {error}")

    def _less(self) -> None:
        self.amplitude = max(0.0, self.amplitude - 2 * STEP_MA)
        self._show()

    def _keep(self) -> None:
        if self._until:
            self.let_go()
        if self.amplitude <= 0:
            self._show(tr("Nothing was felt yet: hold the button."))
            return
        found = {"amplitude_ma": self.amplitude, "port": written(self.port.text()), "day": today(), "at": now()}
        found |= {key: self._pulses[key] for key in PULSES if key in self._pulses}
        self._visit.current = {**found, "by": self._visit.operator}
        self.disconnect_stimulator()
        code = self._visit.subject
        self._desk.catalogue.update_subject(code, merge={"fes": self._visit.current})
        self.changed.emit()
        self._show()

    def _show(self, trouble: str = "") -> None:
        known = self._visit.current.get("amplitude_ma")
        lines = [trouble] if trouble else []
        if self._guard is not None:
            lines.append(tr("Last given: {ma:g} mA").format(ma=self.amplitude))
        if known:
            lines.append("● " + tr("Comfortable today: {ma:g} mA; more is not asked for.").format(ma=known))
        elif not lines:
            lines.append(tr("Not found yet today. Connect, then raise it with the patient."))
        self.state.setText("\n".join(lines))
        for widget in (self.hold, self.less, self.comfortable):
            widget.setEnabled(self._guard is not None)
