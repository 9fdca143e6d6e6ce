"""The page on which the protocol is chosen, from the therapy plan and within the limits of paradigm and patient."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from bcikit.acquisition import open_source
from bcikit.clinic import headsets, limits, models, protocols, therapy
from bcikit.clinic.base import Desk, Page, card
from bcikit.clinic.current import PULSES, CurrentCard
from bcikit.clinic.names import written
from bcikit.clinic.page_electrodes import electrode_problems
from bcikit.clinic.trial_card import TrialCard
from bcikit.clinic.wording import class_name
from bcikit.signal import BciError
from bcikit.ui.inputs import button, choice
from bcikit.ui.numbers import NumberField
from bcikit.ui.status import ElectrodeQuality
from bcikit.ui.words import tr

MOVEMENTS = ("left_hand", "right_hand")


class ProtocolPage(Page):
    """A protocol, the numbers that may be changed, the plan, and for stimulation the patient's own current."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            desk, tr("Protocol"), tr("The patient's plan is filled in. What may be changed, and how far, is beside it.")
        )
        self.names = protocols.protocol_names()
        self.protocol = choice(tr("Protocol"), list(self.names.values()), lambda _: self._new_protocol())
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setStyleSheet(f"color: {desk.theme.dim}; border: none;")
        pairs = [" / ".join(class_name(name) for name in pair) for pair in protocols.PAIRS]
        self.pair = choice(tr("Movements"), pairs, lambda _: self._show_length())
        self.side = choice(tr("Hand"), [class_name(name) for name in MOVEMENTS], lambda _: self._show_length())
        self.length = QLabel()
        self.length.setWordWrap(True)
        self.length.setStyleSheet("font-size: 14px; border: none;")
        self.plan = QLabel()
        self.plan.setWordWrap(True)
        self.plan.setStyleSheet("font-size: 14px; border: none;")
        self.plan.setAccessibleName(tr("Therapy plan"))
        self.weeks = NumberField(tr("Weeks"), low=1, high=52)
        self.per_week = NumberField(tr("Sessions a week"), low=1, high=7)
        self.weeks.set_value(4)
        self.per_week.set_value(3)
        self.save_plan = button(tr("Save as this patient's plan"), self._save_plan)
        self.model = QLabel()
        self.model.setWordWrap(True)
        self.model.setStyleSheet("font-size: 14px; border: none;")
        self.model.setAccessibleName(tr("Model of an earlier visit"))
        self.use_model = button(tr("Use it: no calibration"), self._use_model)
        self.calibrate = button(tr("Calibrate instead"), self._calibrate)
        self.current = CurrentCard(desk, chosen=self._pulses)
        self.current.changed.connect(self._new_current)
        self.orthosis = QLineEdit()
        self.orthosis.setAccessibleName(tr("Device that moves the hand"))
        self.orthosis.setPlaceholderText(tr("driver:port; empty for the hand on the screen"))
        self.trial = TrialCard(desk)
        self.trial.changed.connect(self.changed.emit)
        self.fields: dict[str, NumberField] = {}
        self.limits: dict[str, limits.TherapistLimit] = {}
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 4, 8, 0)
        self._form.setVerticalSpacing(6)
        self.body.addLayout(self._columns(), 1)

    def _columns(self) -> QHBoxLayout:
        fields = QWidget()
        fields.setLayout(self._form)
        plan = QWidget()
        form = QFormLayout(plan)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(tr("Weeks"), self.weeks)
        form.addRow(tr("Sessions a week"), self.per_week)
        columns, right = QHBoxLayout(), QVBoxLayout()
        columns.addWidget(card(self.protocol, self.sentence, fields, title=tr("What to train")), 3)
        right.addWidget(card(self.length, title=tr("Dose of a session")))
        self.model_card = card(self.model, self.use_model, self.calibrate, title=tr("Calibration"))
        right.addWidget(self.model_card)
        self.current_card = card(self.current, title=tr("Comfortable current"))
        right.addWidget(self.current_card)
        self.orthosis_card = card(self.orthosis, title=tr("Device that moves the hand"))
        right.addWidget(self.orthosis_card)
        self.trial_card = card(self.trial, title=tr("Controlled trial"))
        right.addWidget(self.trial_card)
        right.addWidget(card(self.plan, plan, self.save_plan, title=tr("Therapy plan")))
        right.addStretch(1)
        columns.addLayout(right, 2)
        return columns

    @property
    def name(self) -> str:
        """Name of the protocol chosen."""
        return list(self.names)[self.protocol.currentIndex()]

    @property
    def kind(self) -> str:
        """Its kind."""
        return protocols.kind_of(self.name)

    def enter(self) -> None:
        """Fill in what was chosen in this visit, or the plan."""
        visit = self.visit
        person = self.desk.catalogue.subject(visit.subject)
        wanted = visit.protocol if visit.settings else person.data.get("plan", {}).get("protocol", visit.protocol)
        self.protocol.setCurrentText(self.names.get(wanted, next(iter(self.names.values()))))
        self.side.setCurrentIndex(MOVEMENTS.index("left_hand" if person.affected_side == "left" else "right_hand"))
        self._new_protocol()
        self.orthosis.setText(visit.orthosis or str(person.data.get("orthosis", "")))
        self._show_plan()
        self._show_length()

    def leave(self) -> None:
        """Give the stimulator back: the session needs it."""
        self.current.disconnect_stimulator()

    def _new_protocol(self) -> None:
        """Fill in what was chosen of this protocol in this visit, or else its plan."""
        self._build_fields()
        plan = self.desk.catalogue.subject(self.visit.subject).data.get("plan", {})
        settings: dict[str, Any] = plan.get("settings", {}) if plan.get("protocol") == self.name else {}
        if self.visit.protocol == self.name:
            settings = self.visit.settings or settings
        for key, field in self.fields.items():
            if key in settings:
                field.set_value(float(settings[key]))
        self._show_movements(settings.get("classes", ()), settings.get("movement"))

    def _show_movements(self, classes: Sequence[str], movement: str | None) -> None:
        """Show the movements that are named; the choice of what is not named stays."""
        if tuple(classes) in protocols.PAIRS:
            self.pair.setCurrentIndex(protocols.PAIRS.index(tuple(classes)))
        if movement in MOVEMENTS:
            self.side.setCurrentIndex(MOVEMENTS.index(movement))

    def _show_plan(self) -> None:
        plan = therapy.plan_of(self.desk.catalogue.subject(self.visit.subject).data)
        if plan is None:
            self.plan.setText(tr("No plan yet."))
        else:
            self.plan.setText(therapy.progress_words(self.desk.catalogue, self.visit.subject, plan, date.today()))

    def _build_fields(self) -> None:
        # What two protocols share stays; the choice of movements is taken out, not destroyed.
        for box in (self.pair, self.side):
            box.setParent(None)
        while self._form.rowCount():
            self._form.removeRow(0)
        self.fields = {}
        stimulates = protocols.stimulates(self.name)
        self.limits = limits.limits_of(self.name, stimulates=stimulates, felt=self.visit.current)
        self.sentence.setText(protocols.protocol_sentence(self.name))
        if self.kind == "motor-imagery":
            self._form.addRow(tr("Movements"), self.pair)
        elif self.kind == "rehabilitation":
            self._form.addRow(tr("Hand"), self.side)
        for box in (self.pair, self.side):
            if box.parent() is not None:
                box.setVisible(True)
        for key, limit in self.limits.items():
            self._add_field(key, limit)
        self.current_card.setVisible(stimulates and not self.visit.simulated)
        self.trial_card.setVisible(self.trial.wanted and self.kind == "rehabilitation")
        self.orthosis_card.setVisible(protocols.moves(self.name) and not self.visit.simulated)
        self._show_model()
        self._show_length()

    def _add_field(self, key: str, limit: limits.TherapistLimit) -> None:
        one = limit.of
        name = limits.field_name(key)
        box = NumberField(name, low=one.low, high=one.high, decimals=limit.decimals, step=one.step, unit=one.unit)
        box.set_value(limit.start)
        box.setMaximumWidth(120)
        box.changed.connect(self._show_length)
        allowed = QLabel(limit.words())
        allowed.setStyleSheet(f"color: {self.desk.theme.dim};")
        row = QHBoxLayout()
        row.addWidget(box)
        row.addWidget(allowed, 1)
        self.fields[key] = box
        self._form.addRow(name, row)

    def _pulses(self) -> dict[str, float]:
        """Return the pulses and the electrode that are chosen, for the current to be found with them."""
        # What an earlier current was found with does not bind one that is found anew.
        own = limits.limits_of(self.name, stimulates=True)
        found = {}
        for key in PULSES:
            field, limit = self.fields[f"assist.{key}"], own[f"assist.{key}"]
            value = field.value()
            if problem := field.problem() if value is None else limit.problem(value):
                raise BciError(problem)
            if value is not None:
                found[key] = value
        return found

    def _new_current(self) -> None:
        self.changed.emit()
        chosen = {key: (box.value(), box.text()) for key, box in self.fields.items() if key != "assist.amplitude_ma"}
        self._build_fields()
        for key, (value, text) in chosen.items():
            # What goes beyond what was felt gives way to it.
            if key in self.fields and (value is None or not self.limits[key].problem(value)):
                self.fields[key].setText(text)
        self._show_length()

    # -- what is chosen -----------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Return the settings chosen; what is no number keeps what is proposed."""
        values: dict[str, Any] = {}
        for key, limit in self.limits.items():
            typed = self.fields[key].value()
            value = limit.start if typed is None else typed
            values[key] = round(value) if limit.whole else float(value)
        if self.kind == "motor-imagery":
            values["classes"] = list(protocols.PAIRS[self.pair.currentIndex()])
        elif self.kind == "rehabilitation":
            values["movement"] = MOVEMENTS[self.side.currentIndex()]
        return values

    def refused(self) -> list[str]:
        """Return why the numbers are refused; empty if they are not."""
        typed = [text for box in self.fields.values() if box.value() is None and (text := box.problem())]
        if typed:
            return typed
        found = limits.problems(self.limits, {key: box.value() or 0.0 for key, box in self.fields.items()})
        if found:
            return found
        chosen = replace(self.visit, protocol=self.name, orthosis=written(self.orthosis.text()))
        long = protocols.too_long(chosen, self.settings())
        return [long] if long else []

    def _show_length(self) -> None:
        if len(self.fields) < len(self.limits):
            return
        problems = self.refused()
        self.say("\n".join(problems), "BAD" if problems else "")
        if problems:
            self.length.setText("–")
            return
        try:
            chosen = self.settings()
            known = bool(self.visit.model and self.visit.model_note) and not self._other_model(chosen)
            lines = _dose_lines(self.name, chosen, known=known)
        except BciError as error:
            lines = [str(error)]
        self.length.setText("\n".join(lines))

    def _show_model(self) -> None:
        found = None
        if protocols.learns(self.name) and not self.visit.simulated:
            found = models.last_good(self.desk.catalogue, self.visit.subject, self.name)
        self.model_card.setVisible(protocols.learns(self.name))
        chosen = bool(self.visit.model and self.visit.model_note)
        self.use_model.setVisible(found is not None and not chosen)
        self.calibrate.setVisible(chosen)
        if chosen:
            self.model.setText(f"● {self.visit.model_note}")
        elif found is None:
            self.model.setText(tr("No good model of an earlier visit: the session begins with a calibration."))
        else:
            self.model.setText(models.words_of(found))

    def _use_model(self) -> None:
        found = models.last_good(self.desk.catalogue, self.visit.subject, self.name)
        if found is None:
            return
        self.visit.take_model(found.path, note=models.words_of(found))
        classes = found.scores.get("classes", ())
        self._show_movements(classes, next(iter(set(classes) & set(MOVEMENTS)), None))
        self._show_model()
        self._show_length()
        self.say(tr("No calibration: the model follows the rest of today, and the first trials show whether it holds."))
        self.changed.emit()

    def _calibrate(self) -> None:
        """Take nothing of another day: this visit learns anew."""
        self.visit.take_model("")
        self._show_model()
        self._show_length()
        self.say("")
        self.changed.emit()

    def _other_model(self, settings: dict[str, Any]) -> bool:
        """Return whether the model of another day was made for another protocol or other movements than these."""
        if self.visit.simulated or not (self.visit.model and self.visit.model_note):
            return False
        known = self.desk.catalogue.models(self.visit.subject, paradigm=self.name)
        entry = next((one for one in known if one.path == self.visit.model), None)
        classes = set(entry.scores.get("classes", ())) if entry is not None else set()
        wanted = {*settings.get("classes", ()), settings.get("movement", "")} - {""}
        return entry is None or (bool(classes) and not wanted <= classes)

    def _save_plan(self) -> None:
        problems = self.refused() + [text for box in (self.weeks, self.per_week) if (text := box.problem())]
        if problems:
            self.say("\n".join(problems), "BAD")
            return
        code = self.visit.subject
        plan = {"plan": {"protocol": self.name, "settings": self.settings()}}
        try:
            plan["therapy_plan"] = therapy.make_plan(
                self.name,
                self.settings(),
                weeks=round(self.weeks.value() or 1),
                per_week=round(self.per_week.value() or 1),
                start=date.today(),
            )
        except BciError as error:
            self.say(str(error), "BAD")
            return
        self.desk.catalogue.update_subject(code, merge=plan)
        self._show_plan()
        self.say(tr("The plan of {code} is saved.").format(code=code), "GOOD")

    def go_on(self) -> None:
        """Check the settings as the engine would, and go on."""
        visit = self.visit
        settings, problems = self.settings(), self.refused()
        if problems:
            self.say("\n".join(problems), "BAD")
            return
        if self._other_model(settings):
            self._calibrate()
            self.say(tr("The model is of other movements: this session begins with a calibration."), "WARN")
            return
        changed = settings != visit.settings or self.name != visit.protocol
        self._simulated_user()
        before, trained = (visit.protocol, visit.settings, visit.orthosis), visit.trained
        visit.protocol, visit.settings = self.name, settings
        visit.orthosis = written(self.orthosis.text()) if protocols.moves(self.name) and not visit.simulated else ""
        problem = protocols.forbidden_reason(visit) or self._electrodes() or self._unfit(settings)
        if problem:
            visit.protocol, visit.settings, visit.orthosis = before
            self.say(problem, "BAD")
            return
        if visit.trained != trained:
            visit.change_training(trained)
        if changed:
            visit.difficulty = 0.0
        if changed and not visit.model_note:
            # What was learned for other movements says nothing about these.
            visit.take_model("")
        known = self.desk.catalogue.subject(visit.subject).data.get("orthosis")
        if visit.orthosis and known != visit.orthosis:
            self.desk.catalogue.update_subject(visit.subject, merge={"orthosis": visit.orthosis})
        self.say("")
        self.done.emit()

    def _simulated_user(self) -> None:
        """Let the simulated patient be one that answers this protocol, where none was named by hand."""
        visit, wanted = self.visit, headsets.simulated_address(self.name)
        own = {headsets.simulated_address(name) for name in self.names} - {wanted}
        if not visit.simulated or visit.device not in own:
            return
        source = open_source(wanted)
        visit.device = visit.electrodes_for = wanted
        # It has a cap of its own, and none of its electrodes is bad.
        visit.electrodes = dict.fromkeys(source.info.ch_names, "GOOD")
        source.close()

    def _electrodes(self) -> str:
        quality = {name: ElectrodeQuality(level) for name, level in self.visit.electrodes.items()}
        if self.visit.electrodes_for != self.visit.device or not quality:
            return tr("Measure the electrodes of this headset first.")
        needed = protocols.needed_channels(self.visit.protocol, self.visit.settings)
        return " ".join(electrode_problems(quality, needed))

    def _unfit(self, settings: dict[str, Any]) -> str:
        try:
            protocols.build(self.visit, folder=str(self.desk.data), settings=settings, phase="session")
        except BciError as error:
            return str(error)
        return ""


def _dose_lines(protocol: str, settings: dict[str, Any], *, known: bool) -> list[str]:
    """Return minutes, trials and dose as the paradigm itself states them; `known`: with the model of another day."""
    session = protocols.outline_of_phase(protocol, settings)
    lines = []
    if session.trials:
        kind = protocols.kind_of(protocol)
        words = {
            "neurofeedback": tr("{trials} blocks of training"),
            "p300-speller": tr("{trials} letters"),
            "ssvep-menu": tr("{trials} choices"),
            "vigilance": tr("{trials} drive"),
        }.get(kind, tr("{trials} movements to train"))
        lines.append(words.format(trials=session.trials))
    if session.minutes is not None:
        lines.append(tr("about {minutes:.0f} minutes").format(minutes=session.minutes))
    if session.dose_seconds:
        lines.append(tr("help for at most {seconds:.0f} s in all").format(seconds=session.dose_seconds))
    if protocols.learns(protocol) and not known:
        calibration = protocols.outline_of_phase(protocol, settings, phase="calibration")
        lines.append(
            tr("before it a calibration of {trials} trials, about {minutes:.0f} minutes").format(
                trials=calibration.calibration_trials, minutes=calibration.minutes or 0.0
            )
        )
    return lines
