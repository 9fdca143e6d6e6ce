"""The steps before a session, each by itself: devices, electrodes, the protocol and its limits, the plan."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from bcikit.acquisition import open_source
from bcikit.clinic import (
    arms,
    forms,
    headsets,
    limits,
    page_calibration,
    page_device,
    page_electrodes,
    people,
    protocols,
    therapy,
    wording,
)
from bcikit.clinic.base import Desk
from bcikit.clinic.headsets import DeviceTest
from bcikit.clinic.history import history_rows
from bcikit.clinic.page_calibration import CalibrationPage
from bcikit.clinic.page_consent import ConsentPage
from bcikit.clinic.page_electrodes import ElectrodesPage, electrode_problems
from bcikit.clinic.pages_protocol import MOVEMENTS, ProtocolPage
from bcikit.clinic.privacy import withdraw
from bcikit.clinic.protocols import PAIRS
from bcikit.clinic.trial_card import TrialCard
from bcikit.clinic.visit import Visit
from bcikit.paradigms.plan import TherapyPlan
from bcikit.recording import Catalogue, SessionWriter
from bcikit.safety.consent import Consent, load_screening
from bcikit.session import load_config, plan
from bcikit.signal import ArgumentError, BciError, Chunk, ConfigError, StreamInfo
from bcikit.ui.status import ElectrodeQuality

NAMES = ("FC3", "C3", "Cz", "C4", "CP3", "Pz")
HEADSET = "lsl:source_id=headset"


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test") as catalogue:
        catalogue.add_subject("P-1", birth_year=1961, affected_side="right")
        yield catalogue


@pytest.fixture
def make(qtbot: Any, dark: Any, tmp_path: Path, catalogue: Catalogue) -> Callable[..., Any]:
    def make(kind: type[Any], **values: Any) -> Any:
        visit = Visit(**{"subject": "P-1", "operator": "T-01", "device": HEADSET, **values})
        page = kind(Desk(visit, catalogue, SimpleNamespace(running=False), dark, tmp_path))
        qtbot.addWidget(page)
        page.resize(1280, 800)
        page.show()
        return page

    return make


# -- devices ----------------------------------------------------------------------------------------------------------


def test_a_device_is_tested_by_reading_it() -> None:
    found = headsets.try_device("dut:channels=4", seconds=0.2)
    assert len(found.channels) == 4
    assert found.nominal > 0
    assert found.problem == ""
    assert found.words().startswith("● ")
    assert DeviceTest.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"channels": ("C3",)}, "■ x: 1 channels, 250.0 of 250 samples a second, 0 lost, no impedance: judged by the "
         "signal. It has 1 EEG channels: that is no EEG headset."),
        ({"rate": 0.0}, "■ x: 2 channels, 0.0 of 250 samples a second, 0 lost, no impedance: judged by the signal. No "
         "data arrive. Check power, battery and cable."),
        ({"rate": 200.0}, "■ x: 2 channels, 200.0 of 250 samples a second, 0 lost, no impedance: judged by the signal. "
         "200.0 samples a second arrive in place of 250: the link is bad."),
        ({"lost": 3}, "▲ x: 2 channels, 250.0 of 250 samples a second, 3 lost, no impedance: judged by the signal"),
        ({"battery": 15.0, "impedance": True}, "▲ x: 2 channels, 250.0 of 250 samples a second, 0 lost, battery 15 %, "
         "measures impedance"),
    ],
)  # fmt: skip
def test_what_a_test_found_is_said(dark: Any, values: dict[str, Any], said: str) -> None:
    base: dict[str, Any] = {
        "name": "x", "serial": "x", "channels": ("C3", "C4"), "nominal": 250.0, "rate": 250.0, "lost": 0
    }  # fmt: skip
    assert DeviceTest(**{**base, **values}).words() == said


def test_what_is_no_address_measures_nobody(dark: Any) -> None:
    assert "is no address of a source" in headsets.refusal("no address")
    assert headsets.refusal("lsl:name=x") == ""
    assert "simulation" in headsets.refusal("file:x.edf")
    for board in ("synthetic", "SYNTHETIC_BOARD", "Synthetic", "-01", "-1", "playback_file_board", "STREAMING"):
        assert "test board" in headsets.refusal(f"brainflow:{board}"), board
    assert "allowed" in headsets.refusal("brainflow:nothing")
    assert headsets.refusal("brainflow:cyton?serial_port=/dev/ttyUSB0") == ""
    empty = DeviceTest(name="x", serial="y", channels=("C3", "C4"), nominal=250.0, rate=250.0, lost=0, battery=0.0)
    assert empty.words().startswith("▲"), "an empty battery is not a full one"


def test_the_device_page_says_why_there_is_no_device(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    answers: list[Any] = [[], ArgumentError("The receiver is taken by another program.")]

    def look(wait: float) -> list[Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def gone(address: str, *_: object) -> None:
        raise ArgumentError(f"{address} does not answer.")

    monkeypatch.setattr(page_device, "reachable_devices", look)
    monkeypatch.setattr(page_device, "try_device", gone)
    monkeypatch.setattr(page_device, "quick_check", gone)
    page = make(page_device.DevicePage, device="")
    for said in ("▲ No headset is found. Switch it on", "■ The receiver is taken by another program."):
        page.refresh_devices()
        qtbot.waitUntil(page.look.isEnabled, timeout=60_000)
        assert page.message.text().startswith(said)
    page.address.setText("sim:motor-imagery")
    for one in (page.test, page.morning, page.next_button):
        QTest.mouseClick(one, Qt.MouseButton.LeftButton)
        assert "That is a simulation" in page.message.text()
    page.address.setText(HEADSET)
    QTest.mouseClick(page.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.test.isEnabled, timeout=60_000)
    assert page.result.text() == f"■ {HEADSET} does not answer."
    QTest.mouseClick(page.morning, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.morning.isEnabled, timeout=60_000)
    assert page.checked.text() == f"■ {HEADSET} does not answer."
    silent = DeviceTest(name="x", serial="x", channels=("C3", "C4"), nominal=250.0, rate=0.0, lost=0)
    page.visit.tests[HEADSET] = silent.to_dict()
    page.go_on()
    assert page.message.text() == "■ No data arrive. Check power, battery and cable."
    assert page.visit.device == ""
    simulated = make(page_device.DevicePage, simulated=True)
    for address, said in ((HEADSET, "has no headset"), ("no address", "is no address of a source")):
        simulated.address.setText(address)
        simulated.go_on()
        assert said in simulated.message.text()


def test_a_trial_whose_list_is_used_up_or_whose_key_is_gone_says_so(make: Callable[..., Any], tmp_path: Path) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    kept = tmp_path / arms.FOLDER / "list.json"
    values = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(json.dumps({**values, "next": arms.SIZE + 1}), encoding="utf-8")
    card = make(TrialCard)
    QTest.mouseClick(card.draw, Qt.MouseButton.LeftButton)
    assert card.state.text() == f"■ All {arms.SIZE} allocations of FES-26 are drawn."
    with pytest.raises(BciError, match="in no trial"):
        arms.unblind(card._desk.catalogue, "P-1", by="T-01", reason="asked by Dr B")
    kept.write_text(json.dumps(values), encoding="utf-8")
    QTest.mouseClick(card.draw, Qt.MouseButton.LeftButton)
    assert card.state.text() == "FES-26, number 1, arm sealed"
    assert arms.allocate(tmp_path, card._desk.catalogue, "P-1", by="T-02") == card._visit.trial, "nobody draws twice"
    with pytest.raises(BciError, match="needs a reason"):
        arms.unblind(card._desk.catalogue, "P-1", by="T-01", reason=" . ")
    (tmp_path / arms.FOLDER / "key").unlink()
    card.reason.given.emit("asked by Dr B")
    assert "The key of the trial in" in card.state.text()
    assert arms.is_blind(card._visit.trial)


def test_a_visit_does_not_end_while_its_engine_runs_nor_by_a_full_disk(
    clinic: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = clinic()
    window = person.window
    window.end_visit()
    assert not window.question.isVisible(), "nothing to end"
    person.catalogue.add_subject("P-017", birth_year=1961)
    window.visit.subject = "P-017"
    runner = person.runner
    window.tick()
    runner._key = "run-of-another-name"
    with monkeypatch.context() as patch:
        patch.setattr(type(runner), "poll", lambda self: [])
        window.tick()
        assert window.visit.running == "run-of-another-name", "a crash now would find the engine again"
        window.end_visit()
        assert person.page.message.text() == "▲ A session is running. Stop it first."
    runner._key = ""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Visit, "save", full)
        window.keep()
    assert "No space left on device" in person.page.message.text()
    # Another patient is chosen though something was measured: only who says so ends the visit.
    window.visit.parts, window.visit.step = ["somewhere"], "patient"
    other = Visit(subject="Q-2", step="consent", operator="T-01")
    person.catalogue.add_subject("Q-2", birth_year=1971)
    window._ask_begin(other)
    assert "The visit of P-017 is open. End it and begin that of Q-2?" in window.question.text.text()
    person.click(window.question.no)
    assert window.visit.subject == "P-017"
    window._ask_begin(other)
    person.click(window.question.yes)
    assert window.visit.subject == "Q-2"
    assert window.header.code.text() == "Q-2"


# -- electrodes -------------------------------------------------------------------------------------------------------


def quality(**levels: str) -> dict[str, ElectrodeQuality]:
    return {name: ElectrodeQuality(levels.get(name, "GOOD")) for name in NAMES}


def test_electrodes_that_the_protocol_needs_must_be_there_and_good(dark: Any) -> None:
    assert electrode_problems({}, ()) == ["Nothing is measured yet."]
    assert electrode_problems(quality(), ("C3", "c4.")) == []
    (absent,) = electrode_problems(quality(), ("C3", "Oz"))
    assert absent.startswith("This headset has no Oz")
    (bad,) = electrode_problems(quality(C3="BAD"), ("C3",))
    assert bad == "C3 must not be bad: the protocol listens to them."
    (share,) = electrode_problems(quality(FC3="BAD", Pz="BAD"), ("C3",))
    assert share == "33 % of the electrodes are bad; at most 20 % may be."


class Reader:
    """A stream that says what the test wants."""

    def __init__(self, _make: object) -> None:
        self.fault, self.status = "", None
        self.info: StreamInfo | None = None
        self.chunks: list[Chunk] = []
        self.halted = False

    def start(self) -> None: ...

    def take(self) -> list[Chunk]:
        chunks, self.chunks = self.chunks, []
        return chunks

    def halt(self) -> None:
        self.halted = True


def test_the_electrodes_page_waits_judges_and_takes_back_what_is_no_more(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_electrodes, "StreamReader", Reader)
    page = make(ElectrodesPage)
    page.tick()
    page.enter()
    page._timer.stop()
    reader = page._reader
    for _ in range(10):
        page.tick()
    assert page.message.text() == "Waiting for the headset: 2 s. A wireless one may need a minute."
    with open_source("sim:motor-imagery?channels=8&seed=3") as source:
        reader.info = source.info
        page.tick()
        assert page.message.text() == ""
        while page.verdict.text() == "Measuring ...":
            for _ in range(25):
                reader.chunks.append(source.pull())
            page.tick()
    assert page.verdict.text() == "● Go"
    assert page.advice.text() == "All electrodes are good"
    for _ in range(12):
        page.tick()
    assert page.verdict.text() == "■ No go"
    assert page.message.text() == "■ No data arrive. Check power, battery and cable."
    page.go_on()
    assert page.message.text() == "▲ Nothing is measured yet."
    assert page.visit.electrodes == {}
    reader.fault = "The board is gone."
    page.tick()
    assert page.message.text() == "■ The board is gone."
    page.leave()
    assert reader.halted


# -- protocol ---------------------------------------------------------------------------------------------------------


def test_a_model_of_another_day_is_proposed_and_used(
    make: Callable[..., Any], catalogue: Catalogue, tmp_path: Path
) -> None:
    page = make(ProtocolPage)
    page.enter()
    assert page.model.text() == "No good model of an earlier visit: the session begins with a calibration."
    (tmp_path / "m.skops").write_bytes(b"model")
    scores = {"accuracy": 0.87, "n_trials": 30, "advice": "good", "classes": ["right_hand", "feet"]}
    catalogue.add_model("P-1", tmp_path / "m.skops", decoder="csp-lda", paradigm="motor-imagery", scores=scores)
    page.enter()
    assert "(0 days old): 87 % of 30 trials right then" in page.model.text()
    assert "before it a calibration of 40 trials" in page.length.text()
    QTest.mouseClick(page.use_model, Qt.MouseButton.LeftButton)
    assert page.visit.model == str(tmp_path / "m.skops")
    assert page.visit.recentre
    assert page.settings()["classes"] == ["right_hand", "feet"]
    assert page.model.text().startswith("● Model of ")
    assert page.message.text().startswith("No calibration: the model follows the rest of today")
    assert "calibration" not in page.length.text()
    page.pair.setCurrentIndex(0)
    page._show_length()
    assert "calibration" in page.length.text(), "it is of other movements"
    # Gone meanwhile: nothing is used.
    again = make(ProtocolPage)
    again.enter()
    (tmp_path / "m.skops").unlink()
    again._use_model()
    assert again.visit.model == ""


def test_a_plan_out_of_its_limits_is_not_saved(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    page = make(ProtocolPage)
    page.enter()
    assert page.plan.text() == "No plan yet."
    page.weeks.setText("99")
    QTest.mouseClick(page.save_plan, Qt.MouseButton.LeftButton)
    assert "Weeks" in page.message.text()
    assert "therapy_plan" not in page.desk.catalogue.subject("P-1").data
    page.weeks.setText("4")

    def refuse(*_: object, **__: object) -> None:
        raise ConfigError("plan", ["weeks: too many"])

    with monkeypatch.context() as patch:
        patch.setattr(therapy, "make_plan", refuse)
        QTest.mouseClick(page.save_plan, Qt.MouseButton.LeftButton)
    assert "weeks: too many" in page.message.text()
    QTest.mouseClick(page.save_plan, Qt.MouseButton.LeftButton)
    assert page.message.text() == "● The plan of P-1 is saved."
    assert "3 sessions a week for 4 weeks" in page.plan.text()


def test_nothing_goes_on_with_the_electrodes_of_another_headset_or_a_current_nobody_found(
    make: Callable[..., Any],
) -> None:
    agreed = {"subject": "P-1", "scopes": list(forms.scope_names())}
    screening = forms.make_screening(Visit(simulated=True), {}, sleep_h=None).model_dump(mode="json")
    good = dict.fromkeys(NAMES, "GOOD")
    page = make(ProtocolPage, electrodes=good, electrodes_for="lsl:name=other", consent=agreed, screening=screening)
    page.enter()
    page.go_on()
    assert page.message.text() == "■ Measure the electrodes of this headset first."
    assert page.visit.settings == {}
    page.visit.device = page.visit.electrodes_for = "sim:motor-imagery"
    page.go_on()
    assert "simulation" in page.message.text(), "what the engine would refuse is refused here"
    assert page.visit.settings == {}
    page.visit.device = page.visit.electrodes_for = HEADSET
    page.go_on()
    assert page.message.text() == ""
    assert page.visit.settings["trials_per_run"] > 0
    page.visit.current = {"amplitude_ma": 8.0}
    page.protocol.setCurrentText(page.names["motor-imagery-fes"])
    page._new_current()
    assert page.fields["assist.amplitude_ma"].value() == 8.0
    page.fields["assist.amplitude_ma"].setText("9")
    assert page.refused() == ["Current: 9 is refused; allowed: 1 to 8 mA."]


def test_what_was_chosen_stays_when_the_current_is_found_or_another_protocol_was_looked_at(
    make: Callable[..., Any], catalogue: Catalogue
) -> None:
    planned = {
        "assist.pulse_us": 200.0,
        "assist.frequency_hz": 25.0,
        "assist.seconds": 2.5,
        "runs": 2,
        "trials_per_run": 12,
    }
    plan = {"plan": {"protocol": "motor-imagery-fes", "settings": {**planned, "movement": "left_hand"}}}
    catalogue.update_subject("P-1", merge=plan)
    page = make(ProtocolPage)
    page.enter()

    def shown() -> dict[str, float]:
        return {key: page.fields[key].value() for key in planned}

    assert shown() == planned
    page.fields["trials_per_run"].setText("14")
    page.fields["runs"].setText("many")
    # It was found with 180 us: wider pulses were not felt.
    page.visit.current = {"amplitude_ma": 8.0, "pulse_us": 180.0, "frequency_hz": 25.0, "area_cm2": 25.0}
    page.current.changed.emit()
    assert page.fields["runs"].text() == "many"
    assert page.message.text().startswith("■ Training runs: 'many' is no number")
    page.fields["runs"].setText("2")
    assert shown() == {**planned, "trials_per_run": 14, "assist.pulse_us": 180.0}
    assert page.fields["assist.amplitude_ma"].value() == 8.0
    assert (page.refused(), page.settings()["movement"]) == ([], "left_hand")
    page.visit.current = {}
    for chosen in (planned, {**planned, "assist.seconds": 1.5}):
        # The plan's first, then what was chosen in this visit.
        page.protocol.setCurrentText(page.names["motor-imagery"])
        assert page.fields["trials_per_run"].value() == 20, "of another protocol, as it is proposed"
        page.protocol.setCurrentText(page.names["motor-imagery-fes"])
        page.visit.protocol, page.visit.settings = "motor-imagery-fes", {**planned, "assist.seconds": 1.5}
        assert shown() == chosen


@pytest.mark.parametrize(
    ("planned", "movements", "box", "row"),
    [
        ("motor-imagery", {"classes": ["right_hand", "feet"]}, "pair", PAIRS.index(("right_hand", "feet"))),
        ("motor-imagery-fes", {"movement": "left_hand"}, "side", MOVEMENTS.index("left_hand")),
    ],
)
def test_a_protocol_that_is_chosen_by_hand_has_the_movements_of_its_plan(
    make: Callable[..., Any], catalogue: Catalogue, planned: str, movements: dict[str, Any], box: str, row: int
) -> None:
    catalogue.update_subject("P-1", affected_side="right")
    plan = {"plan": {"protocol": planned, "settings": {"trials_per_run": 30, **movements}}}
    catalogue.update_subject("P-1", merge=plan)
    # The visit began with a check, and its page is made anew.
    page = make(ProtocolPage, protocol="eyes-open-closed", settings={"phases": []})
    page.enter()
    assert page.name == "eyes-open-closed"
    page.protocol.setCurrentText(page.names[planned])
    assert page.fields["trials_per_run"].value() == 30
    assert getattr(page, box).currentIndex() == row
    assert movements.items() <= page.settings().items()


# -- calibration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", ["motor-imagery-fes", "action-observation"])
def test_what_was_learned_of_a_training_decides_in_no_other(
    make: Callable[..., Any], catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    asked: list[Callable[[Any, Exception | None], object]] = []
    monkeypatch.setattr(page_calibration, "in_background", lambda owner, work, then: asked.append(then))
    learns = SimpleNamespace(
        calibration=SimpleNamespace(events={"rest": "rest", "cue": "right_hand"}),
        decoder=SimpleNamespace(name="csp-lda"),
    )
    monkeypatch.setattr(protocols, "training_config", lambda visit, folders: learns)
    page = make(CalibrationPage, protocol="motor-imagery-fes", settings={"movement": "right_hand"})
    (tmp_path / "model-all.skops").write_bytes(b"model")
    page._train_on_all(["/d/A1", str(tmp_path)])
    assert page.message.text() == "Learning from 2 calibrations together ..."
    assert not page.next_button.isEnabled()
    page.visit.protocol = meanwhile
    asked.pop()({"accuracy": 0.9, "n_trials": 80, "chance_upper": 0.6}, None)
    taken = ["motor-imagery-fes"] if meanwhile == "motor-imagery-fes" else []
    assert [one.paradigm for one in catalogue.models("P-1")] == taken
    assert (bool(page.visit.model), bool(page.visit.verdict)) == (bool(taken), bool(taken))
    assert page.message.text() == ""
    assert page.next_button.isEnabled()


# -- limits, plan, words ----------------------------------------------------------------------------------------------


def test_what_numbers_add_up_to_is_refused_too(dark: Any) -> None:
    found = limits.limits_of("motor-imagery-fes", stimulates=True, felt={"amplitude_ma": 6.0})
    values = {key: limit.start for key, limit in found.items()}
    assert values["assist.amplitude_ma"] == 6.0
    assert limits.problems(found, values) == []
    # More than was felt is neither a wider pulse, nor more of them, nor the same through a smaller electrode.
    for key, more, allowed in (
        ("assist.pulse_us", 350.0, "50 to 300 µs"),
        ("assist.frequency_hz", 40.0, "10 to 35 Hz"),
        ("assist.area_cm2", 16.0, "25 to 100 cm²"),
    ):
        (said,) = limits.problems(found, {**values, key: more})
        assert said.endswith(f"{more:g} is refused; allowed: {allowed}.")
    felt = {"amplitude_ma": 6.0, "pulse_us": 400.0, "frequency_hz": 20.0, "area_cm2": 16.0}
    other = limits.limits_of("motor-imagery-fes", stimulates=True, felt=felt)
    assert {key: other[f"assist.{key}"].start for key in felt} == felt
    assert [other[f"assist.{key}"].words() for key in felt] == [
        "1 to 6 mA",
        "50 to 400 µs",
        "10 to 20 Hz",
        "16 to 100 cm²",
    ]
    before = limits.limits_of("motor-imagery-fes", stimulates=True)
    assert before["assist.pulse_us"].of.high == 400.0, "while no current is found"
    found = limits.limits_of("motor-imagery", stimulates=False)
    values = {key: limit.start for key, limit in found.items()}
    low = {key: found[key].of.low for key in ("calibration_runs", "trials_per_run")}
    (said,) = limits.problems(found, {**values, **low}, classes=3)
    assert "of each movement; it needs" in said
    base = {"amplitude_ma": 20.0, "pulse_us": 300.0, "frequency_hz": 30.0, "area_cm2": 25.0}
    assert limits._stimulation_problems(base) == []
    (charge,) = limits._stimulation_problems({**base, "amplitude_ma": 90.0, "pulse_us": 450.0, "area_cm2": 900.0})
    assert charge.startswith("Charge of a pulse 40.5 µC")
    (density,) = limits._stimulation_problems({**base, "amplitude_ma": 60.0, "area_cm2": 1.0})
    assert density.startswith("Current density ")
    assert len(limits._stimulation_problems({**base, "pulse_us": float("nan")})) == 1


def test_a_plan_says_what_was_missed_and_when_it_is_over(catalogue: Catalogue, dark: Any) -> None:
    start = date(2026, 1, 5)
    values = therapy.make_plan("motor-imagery", {}, weeks=2, per_week=3, start=start)
    plan = therapy.plan_of({"therapy_plan": values})
    assert isinstance(plan, TherapyPlan)
    late = therapy.progress_words(catalogue, "P-1", plan, start + timedelta(days=10))
    assert "sessions behind the plan." in late
    assert "Next session proposed: 2026-01-15" in late
    over = therapy.progress_words(catalogue, "P-1", plan, start + timedelta(days=40))
    assert over.endswith("The plan is over: make a new one.")
    assert therapy.plan_of({"therapy_plan": {"title": "x"}}) is None
    assert therapy.plan_of({}) is None
    with pytest.raises(ConfigError, match="weeks"):
        therapy.make_plan("motor-imagery", {}, weeks=0, per_week=3, start=start)


def test_a_check_beside_the_training_is_no_session_of_the_plan(catalogue: Catalogue, dark: Any, tmp_path: Path) -> None:
    start = date.today()
    plan = therapy.plan_of({"therapy_plan": therapy.make_plan("motor-imagery", {}, weeks=2, per_week=3, start=start)})
    assert isinstance(plan, TherapyPlan)
    for number, name in enumerate(("eyes-open-closed", "motor-imagery") * 2):
        folder = tmp_path / f"s{number}"
        config = {"session": {"subject": "P-1"}}
        SessionWriter(
            folder, info=StreamInfo(name="x", sfreq=250.0, ch_names=("C3",)), config=config, versions={}
        ).close()
        # A trial that the therapist decided is one that was done.
        results = {"n_trials": 7, "n_not_judged": 3, people.VISIT: f"visit {number // 2}"}
        catalogue.add_session("P-1", folder, paradigm=name, results=results, seconds=60.0)
    said = therapy.progress_words(catalogue, "P-1", plan, start)
    assert "So far: 2 sessions (0 due by today), 20 trials" in said
    assert "2 minutes of training" in said
    assert f"Next session proposed: {start + timedelta(days=4)}" in said, "the third of the week, which has three"
    assert len(therapy.done_so_far(catalogue, "P-1")) == 4
    assert {row.cells[3] for row in history_rows(catalogue, "P-1")} == {"10"}


def test_where_nothing_moves_for_long_a_way_out_is_proposed(dark: Any) -> None:
    sure = [0.5 + 0.01 * step for step in range(20)]
    still = wording.LOOK_BACK
    assert wording.proposal(still - 1, sure, 0.8, adjustable=True) == ""
    assert wording.proposal(still, sure, 0.8, adjustable=True) == (
        f"Nothing has moved for {still} trials. The decoder is sure at 52 to 68 %; 80 % are needed. "
        "Lower the difficulty, or finish early and calibrate again."
    )
    assert wording.proposal(still, [], None, adjustable=False).endswith(
        "trials. Finish early, lower the difficulty on the page Protocol, or calibrate again."
    )


def test_who_somebody_is_is_asked_for_once_and_the_simulated_patient_is_one(catalogue: Catalogue, dark: Any) -> None:
    with pytest.raises(ArgumentError, match="four digits"):
        people.year_from("61")
    simulated = people.simulated_patient(catalogue)
    assert people.simulated_patient(catalogue) == simulated
    assert people.confirm(catalogue, simulated, None) == simulated
    with pytest.raises(ArgumentError, match="Ask the patient"):
        people.confirm(catalogue, catalogue.subject("P-1"), None)
    catalogue.add_subject("P-2")
    assert people.confirm(catalogue, catalogue.subject("P-2"), 1970).birth_year == 1970
    assert catalogue.subject("P-2").birth_year == 1970, "entered before years were asked for"


def test_what_is_left_of_neurofeedback_are_its_blocks() -> None:
    whole = protocols.trials_of("neurofeedback-smr", {})
    assert protocols.remaining("neurofeedback-smr", {}, done=2)["blocks"] == whole - 2
    assert protocols.trials_of("motor-imagery", {"trials_per_run": -1}) == 0


# ---- for a session file ----------------------------------------------------------------------------------------------
def test_the_records_that_are_saved_for_a_session_file_arm_it_and_go_with_the_patient(
    make: Callable[..., Any], catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make(ConsentPage)
    asked: list[str] = []
    page.desk.runner.running = True
    page.save.click()
    assert page.message.text().endswith("A session is running. Stop it first.")
    page.desk.runner.running = False
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: asked.append("where") or str(tmp_path))
    page.save.click()
    assert page.message.text().endswith("Say that it is signed. Without consent nothing is measured.")
    for one in page.scopes.values():
        one.yes.click()
    for one in page.questions.values():
        one.no.click()
    page.sleep.set_value(7.5)
    page.signed.yes.click()
    assert asked == []
    page.save.click()
    files = [tmp_path / "P-1-consent.json", tmp_path / "P-1-screening.json"]
    assert all(file.as_posix() in page.message.text().replace("\u200b", "") for file in files)
    assert catalogue.subject("P-1").data["consents"][-1]["signed"] == page.visit.consent["signed"]
    if sys.platform != "win32":
        assert [file.stat().st_mode & 0o077 for file in files] == [0, 0]
    assert load_screening(files[1]).sha256() == Consent.load(files[0]).screening_sha256
    (tmp_path / "my.toml").write_text(
        """
[session]
subject = "P-1"
[source]
address = "sim:motor-imagery?seed=1&channels=C3,C4"
[paradigm]
name = "motor-imagery-fes"
[gate]
profile = "fes"
[recording]
folder = "s"
[arming]
consent = "P-1-consent.json"
screening = "P-1-screening.json"
""",
        encoding="utf-8",
    )
    plan(load_config(tmp_path / "my.toml"), operator="T-01", orders=True).close()
    other = tmp_path / "P-12-consent.json"
    other.write_bytes(files[0].read_bytes())
    withdraw(catalogue, tmp_path, "P-1")
    assert [file.exists() for file in (*files, other)] == [False, False, True]


def test_records_that_cannot_be_written_for_a_session_file_are_said(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make(ConsentPage)
    made = forms.make_screening(page.visit, dict.fromkeys(forms.question_names(), False), sleep_h=8.0)
    monkeypatch.setattr(page, "_made", lambda: (made, made))
    for chosen, said in (("", ""), (str(tmp_path / "gone"), "■ [Errno 2] No such file or directory")):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, chosen=chosen: chosen)
        page.save.click()
        assert page.message.text().startswith(said)
    assert [path.name for path in tmp_path.glob("*.json")] == []
