"""The page on which the protocol is chosen, from the therapy plan and within limits."""

from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QWidget

from bcikit.signal import BciError
from bcikit.viewer.clinic import protocols
from bcikit.viewer.clinic.base import Desk, Page, card
from bcikit.viewer.inputs import button, choice
from bcikit.viewer.words import tr


class ProtocolPage(Page):
    """A protocol, and the few numbers that may be changed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Protocol"), tr("The patient's plan is filled in. Change what you need; the limits are safe.")
        )
        self.names = protocols.protocol_names()
        self.protocol = choice(tr("Protocol"), list(self.names.values()), lambda _: self._build_fields())
        self.pair = choice(tr("Movements"), list(protocols.PAIRS), lambda _: self._show_length())
        self.length = QLabel()
        self.length.setStyleSheet("font-size: 14px; border: none;")
        self.save_plan = button(tr("Save as this patient's plan"), self._save_plan)
        self.fields: dict[str, QDoubleSpinBox] = {}
        self._fields_box = QWidget()
        self._form = QFormLayout(self._fields_box)
        self._form.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        self.pair_label = QLabel(tr("Movements"))
        self.pair_label.setBuddy(self.pair)
        row.addWidget(card(self.protocol, self.pair_label, self.pair, self._fields_box, title=tr("What to train")), 3)
        row.addWidget(card(self.length, self.save_plan, title=tr("Dose")), 2)
        self.body.addLayout(row)
        self.body.addStretch(1)

    @property
    def name(self) -> str:
        """Name of the protocol chosen."""
        return list(self.names)[self.protocol.currentIndex()]

    def enter(self) -> None:
        """Fill in the plan."""
        state = self.desk.state
        plan = self.desk.catalogue.subject(state.subject).data.get("plan", {})
        wanted = state.protocol if state.settings else plan.get("protocol", state.protocol)
        settings = state.settings or plan.get("settings", {})
        self.protocol.setCurrentText(self.names.get(wanted, next(iter(self.names.values()))))
        self._build_fields()
        for key, box in self.fields.items():
            if key in settings:
                box.setValue(float(settings[key]))
        pair = tuple(settings.get("classes", ()))
        for text, classes in protocols.PAIRS.items():
            if classes == pair:
                self.pair.setCurrentText(text)
        self._show_length()

    def _build_fields(self) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.fields = {}
        kind = protocols.kind_of(self.name)
        imagery = kind == "motor-imagery"
        self.pair.setVisible(imagery)
        self.pair_label.setVisible(imagery)
        for limit in protocols.LIMITS[kind]:
            box = QDoubleSpinBox()
            box.setDecimals(0 if float(limit.step).is_integer() else 2)
            box.setRange(limit.low, limit.high)
            box.setSingleStep(limit.step)
            box.setValue(limit.start)
            box.setSuffix(f" {limit.unit}" if limit.unit else "")
            name = protocols.field_name(limit.key)
            box.setAccessibleName(name)
            words = tr("allowed: {low:g} to {high:g}").format(low=limit.low, high=limit.high)
            box.setToolTip(words)
            box.setAccessibleDescription(words)
            box.valueChanged.connect(lambda _: self._show_length())
            self.fields[limit.key] = box
            self._form.addRow(name, box)
        self._show_length()

    def settings(self) -> dict[str, object]:
        """Return the settings chosen."""
        values: dict[str, object] = {}
        for key, box in self.fields.items():
            whole = box.decimals() == 0 and key != "between_runs"
            values[key] = int(box.value()) if whole else float(box.value())
        if protocols.kind_of(self.name) == "motor-imagery":
            values["classes"] = list(protocols.PAIRS[self.pair.currentText()])
        return values

    def _show_length(self) -> None:
        kind = protocols.kind_of(self.name)
        settings = self.settings()
        runs = settings.get(protocols.FEEDBACK_RUNS[kind], 0)
        trials = int(str(runs)) * int(str(settings.get("trials_per_run", 0)))
        minutes = protocols.minutes_of(kind, dict(settings))
        self.length.setText(
            tr("{trials} movements to train\nabout {minutes:.0f} minutes").format(trials=trials, minutes=minutes)
        )

    def _save_plan(self) -> None:
        code = self.desk.state.subject
        data = dict(self.desk.catalogue.subject(code).data)
        data["plan"] = {"protocol": self.name, "settings": self.settings()}
        self.desk.catalogue.update_subject(code, data=data)
        self.say(tr("The plan of {code} is saved.").format(code=code), "GOOD")

    def go_on(self) -> None:
        """Check the settings as the engine would, and go on."""
        state = self.desk.state
        settings = self.settings()
        try:
            protocols.build(
                self.name,
                source=state.device,
                subject=state.subject,
                operator=state.operator,
                folder=str(self.desk.data),
                settings=dict(settings),
                phase="session",
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        if "fes" in self.name and "fes" not in state.consent.get("scopes", ()):
            self.say(tr("The patient has not agreed to electrical stimulation."), "BAD")
            return
        if settings != state.settings or self.name != state.protocol:
            state.model = ""
        state.protocol, state.settings = self.name, dict(settings)
        self.say("")
        self.done.emit()
