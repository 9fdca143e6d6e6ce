"""The page on which the protocol is chosen, from the therapy plan and within limits."""

from typing import Any

from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QScrollArea, QWidget

from bcikit.clinic import limits, protocols
from bcikit.clinic.base import Desk, Page, card
from bcikit.signal import BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.words import tr


class ProtocolPage(Page):
    """A protocol, and the few numbers that may be changed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Protocol"), tr("The patient's plan is filled in. Change what you need; the limits are safe.")
        )
        self.names = protocols.protocol_names()
        self.protocol = choice(tr("Protocol"), list(self.names.values()), lambda _: self._build_fields())
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setStyleSheet(f"color: {desk.theme.dim}; border: none;")
        self.pair = choice(tr("Movements"), list(protocols.PAIRS), lambda _: self._show_length())
        self.side = choice(tr("Hand"), [tr("left hand"), tr("right hand")], lambda _: self._show_length())
        self.length = QLabel()
        self.length.setWordWrap(True)
        self.length.setStyleSheet("font-size: 14px; border: none;")
        self.save_plan = button(tr("Save as this patient's plan"), self._save_plan)
        self.fields: dict[str, QDoubleSpinBox] = {}
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 4, 8, 0)
        self._form.setVerticalSpacing(6)
        self.body.addLayout(self._columns(), 1)

    def _columns(self) -> QHBoxLayout:
        fields = QWidget()
        fields.setLayout(self._form)
        scroll = QScrollArea()
        scroll.setWidget(fields)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setStyleSheet("QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }")
        columns = QHBoxLayout()
        what = card(self.protocol, self.sentence, scroll, title=tr("What to train"), stretch=(0, 0, 1))
        columns.addWidget(what, 3)
        columns.addWidget(card(self.length, self.save_plan, title=tr("Dose")), 2)
        return columns

    @property
    def name(self) -> str:
        """Name of the protocol chosen."""
        return list(self.names)[self.protocol.currentIndex()]

    def enter(self) -> None:
        """Fill in the plan."""
        state = self.visit
        person = self.desk.catalogue.subject(state.subject)
        plan = person.data.get("plan", {})
        wanted = state.protocol if state.settings else plan.get("protocol", state.protocol)
        settings = state.settings or plan.get("settings", {})
        self.protocol.setCurrentText(self.names.get(wanted, next(iter(self.names.values()))))
        self._build_fields()
        for key, value in protocols.starting_values(self.name, settings).items():
            self.fields[key].setValue(value)
        pair = tuple(settings.get("classes", ()))
        for text, classes in protocols.PAIRS.items():
            if classes == pair:
                self.pair.setCurrentText(text)
        movement = settings.get("movement", "left_hand" if person.affected_side == "left" else "right_hand")
        self.side.setCurrentIndex(int(movement != "left_hand"))
        self._show_length()

    def _build_fields(self) -> None:
        # What two protocols share stays; the choice of movements is taken out, not destroyed.
        for box in (self.pair, self.side):
            box.setParent(None)
        while self._form.rowCount():
            self._form.removeRow(0)
        self.fields = {}
        kind = protocols.kind_of(self.name)
        self.sentence.setText(protocols.protocol_sentence(self.name))
        if kind == "motor-imagery":
            self._form.addRow(tr("Movements"), self.pair)
        elif kind == "rehabilitation":
            self._form.addRow(tr("Hand"), self.side)
        for box in (self.pair, self.side):
            box.setVisible(box.parent() is not None)
        for limit in limits.LIMITS[self.name]:
            self._add_field(limit)
        self._show_length()

    def _add_field(self, limit: limits.Limit) -> None:
        box = QDoubleSpinBox()
        box.setDecimals(limit.decimals)
        # The field takes more than is allowed, so that it can say why it is refused.
        box.setRange(0, 10 * limit.high)
        box.setSingleStep(limit.step)
        box.setValue(limit.start)
        box.setSuffix(f" {limit.unit}" if limit.unit else "")
        box.setMinimumWidth(110)
        name = limits.field_name(limit.key)
        box.setAccessibleName(name)
        box.setAccessibleDescription(tr("allowed: {limits}").format(limits=limit.words()))
        box.setToolTip(box.accessibleDescription())
        box.valueChanged.connect(lambda _: self._show_length())
        allowed = QLabel(limit.words())
        allowed.setStyleSheet(f"color: {self.desk.theme.dim};")
        row = QHBoxLayout()
        row.addWidget(box)
        row.addWidget(allowed, 1)
        self.fields[limit.key] = box
        self._form.addRow(name, row)

    def settings(self) -> dict[str, Any]:
        """Return the settings chosen."""
        values: dict[str, Any] = {}
        for limit in limits.LIMITS[self.name]:
            value = self.fields[limit.key].value()
            values[limit.key] = int(value) if limit.whole else float(value)
        kind = protocols.kind_of(self.name)
        if kind == "motor-imagery":
            values["classes"] = list(protocols.PAIRS[self.pair.currentText()])
        elif kind == "rehabilitation":
            values["movement"] = ("left_hand", "right_hand")[self.side.currentIndex()]
        return values

    def refused(self) -> list[str]:
        """Return why the numbers are refused; empty if they are not."""
        return limits.problems(self.name, {key: box.value() for key, box in self.fields.items()})

    def _show_length(self) -> None:
        if len(self.fields) < len(limits.LIMITS[self.name]):
            return
        settings, problems = self.settings(), self.refused()
        minutes = protocols.minutes_of(self.name, settings)
        trials = protocols.trials_of(self.name, settings)
        words = {
            "neurofeedback": tr("{trials} blocks of training\nabout {minutes:.0f} minutes"),
            "blocks": tr("about {minutes:.0f} minutes"),
        }.get(protocols.kind_of(self.name), tr("{trials} movements to train\nabout {minutes:.0f} minutes"))
        self.length.setText(words.format(trials=trials, minutes=minutes))
        self.say("\n".join(problems), "BAD" if problems else "")

    def _save_plan(self) -> None:
        if self.refused():
            return
        code = self.visit.subject
        data = dict(self.desk.catalogue.subject(code).data)
        data["plan"] = {"protocol": self.name, "settings": self.settings()}
        self.desk.catalogue.update_subject(code, data=data)
        self.say(tr("The plan of {code} is saved.").format(code=code), "GOOD")

    def go_on(self) -> None:
        """Check the settings as the engine would, and go on."""
        state = self.visit
        settings, problems = self.settings(), self.refused()
        if problems:
            self.say("\n".join(problems), "BAD")
            return
        try:
            protocols.build(
                self.name,
                source=state.device,
                subject=state.subject,
                operator=state.operator,
                folder=str(self.desk.data),
                settings=settings,
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
        state.protocol, state.settings = self.name, settings
        self.say("")
        self.done.emit()
