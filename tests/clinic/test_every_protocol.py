"""What holds for each protocol that the window offers: within the limits it shows, it starts, ends and is counted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic import limits, protocols
from bcikit.clinic.counts import Total, counts_of
from bcikit.clinic.headsets import simulated_address
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import ReportData, dose_words, moved_words
from bcikit.clinic.visit import Visit
from bcikit.ui.status import ElectrodeQuality

NAMES = tuple(protocols.protocol_names())
HEADSET_NAMES = ("Fz", "C3", "Cz", "C4", "P3", "Pz", "P4", "Oz")


def proposed(name: str) -> dict[str, Any]:
    found = limits.limits_of(name, stimulates=protocols.stimulates(name))
    values: dict[str, Any] = {key: round(one.start) if one.whole else one.start for key, one in found.items()}
    if protocols.kind_of(name) == "rehabilitation":
        values["movement"] = "right_hand"
    return values


@pytest.mark.parametrize("name", NAMES)
def test_every_number_within_the_limits_shown_is_taken(name: str) -> None:
    visit = Visit(subject="SIMULATED", operator="T-01", simulated=True, protocol=name, device="sim:motor-imagery")
    for key, one in limits.limits_of(name, stimulates=protocols.stimulates(name)).items():
        for value in (one.of.low, one.of.high):
            chosen = {**proposed(name), key: round(value) if one.whole else value}
            protocols.build(visit, folder="x", settings=chosen, phase="session")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proposed_ends_before_the_gate_ends_it(name: str) -> None:
    visit = Visit(subject="SIMULATED", simulated=True, protocol=name)
    for one in (visit, replace(visit, simulated=False), replace(visit, simulated=False, orthosis="x:y")):
        assert protocols.too_long(one, proposed(name)) == ""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("neurofeedback-smr", {"blocks": 8, "block": 600}),
        ("neurofeedback-alpha", {"blocks": 7, "block": 600}),
        ("action-observation", {"runs": 6, "trials_per_run": 40}),
    ],
)
def test_more_than_the_hour_of_the_gate_is_refused_before_it_begins(name: str, settings: dict[str, Any]) -> None:
    visit = Visit(subject="P-017", protocol=name)
    assert "after 60 everything stops" in protocols.too_long(visit, {**proposed(name), **settings})


@pytest.mark.parametrize(("name", "orthosis"), [("motor-imagery-fes", ""), ("action-observation", "x:y")])
def test_a_run_that_touches_ends_before_the_eight_minutes_of_the_gate(name: str, orthosis: str) -> None:
    visit = Visit(subject="P-017", protocol=name, orthosis=orthosis)
    said = protocols.too_long(visit, {**proposed(name), "runs": 1, "trials_per_run": 40})
    assert "after 8 everything stops: fewer trials a run" in said


@pytest.mark.parametrize("name", NAMES)
def test_what_goes_on_does_what_is_left_and_not_all_of_it_again(name: str) -> None:
    settings = proposed(name)
    planned = protocols.trials_of(name, settings)
    for done in {1, planned // 2, planned - 1} & set(range(1, planned)):
        left = protocols.trials_of(name, protocols.remaining(name, settings, done=done))
        assert planned - done <= left < planned - done + 5


@pytest.mark.parametrize(("name", "runs"), [("motor-imagery", "feedback_runs"), ("motor-imagery-fes", "runs")])
def test_what_is_left_is_never_fewer_and_at_most_a_few_more(name: str, runs: str) -> None:
    settings = {runs: 3, "trials_per_run": 20}
    more = {}
    for done in range(1, 60):
        chosen = protocols.remaining(name, settings, done=done)
        assert chosen["trials_per_run"] <= 20
        more[done] = done + protocols.trials_of(name, chosen) - 60
    assert set(more.values()) <= set(range(6)), "as many of each class in each of three runs"
    assert more[10] == 0, "five runs of ten"
    assert [more[done] for done in (2, 14, 20, 40, 58, 59)] == [2, 2, 0, 0, 0, 1]


def test_letters_are_counted_without_those_of_the_calibration_each_with_its_own_choice(tmp_path: Path) -> None:
    events, commands = [], []
    kinds = ["calibration", "calibration", "feedback", "feedback", "feedback"]
    for trial, kind in enumerate(kinds):
        begin = 10.0 * trial
        data = {"trial": trial, "class": "A", "kind": kind}
        events.append({"name": "trial/start", "time": begin, "data": data})
        if kind == "feedback" and trial != 2:
            result = {"trial": trial, "class": "A", "predicted": "A", "correct": trial == 3}
            events.append({"name": "feedback/result", "time": begin + 5, "data": result})
            commands.append({"name": "select", "time": begin + 5.03, "value": "A", "data": {"text": "A"}})
        events.append({"name": "trial/end", "time": begin + 8, "data": data})
    for name, rows in (("events", events), ("commands", commands)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    total = counts_of([str(tmp_path)]).total
    assert total == Total(trials=3, answered=2, correct=1, moved=2, moved_right=1, seconds=24.0, learned=2)


def test_the_simulated_patient_answers_each_protocol_that_is_chosen(clinic: Any) -> None:
    person = clinic()
    person.simulated()
    person.simulated_headset()
    person.electrodes()
    for name in NAMES:
        person.window.show_step("protocol")
        person.page.protocol.setCurrentText(person.page.names[name])
        person.page.go_on()
        assert person.step in ("calibration", "session"), person.page.message.text()
        assert (person.window.visit.protocol, person.window.visit.device) == (name, simulated_address(name))


def at_electrodes(clinic: Any, levels: dict[str, str]) -> Any:
    """Return a person on the page of the electrodes, which were found to be so good."""
    person = clinic()
    person.patient()
    person.agree()
    person.headset()
    person.page._timer.stop()
    person.page.show_quality({name: ElectrodeQuality(level) for name, level in levels.items()})
    return person


def test_a_cap_for_letters_comes_to_the_page_on_which_letters_are_chosen(clinic: Any) -> None:
    person = at_electrodes(clinic, dict.fromkeys(("Fz", "Cz", "P3", "Pz", "P4", "PO7", "PO8", "Oz"), "GOOD"))
    page = person.page
    assert "has no C3, C4" in page.advice.text(), "it is told"
    person.on()
    assert person.step == "protocol"
    person.on()
    assert "has no C3, C4" in person.page.message.text(), "and motor imagery is refused"
    person.page.protocol.setCurrentText(person.page.names["p300-speller"])
    person.on()
    assert (person.step, person.window.visit.protocol) == ("session", "p300-speller")


def test_a_broken_electrode_stands_in_the_way_of_those_protocols_alone_that_listen_to_it(clinic: Any) -> None:
    person = at_electrodes(clinic, {name: "BAD" if name == "C3" else "GOOD" for name in HEADSET_NAMES})
    page = person.page
    assert page.verdict.text() == "▲ Go, but not for: Motor imagery with a virtual hand"
    assert "C3 must not be bad" in page.advice.text()
    person.on()
    assert person.step == "protocol"
    person.on()
    assert (person.step, person.page.message.text()[2:]) == (
        "protocol",
        "C3 must not be bad: the protocol listens to them.",
    )
    person.page.protocol.setCurrentText(person.page.names["p300-speller"])
    person.on()
    assert (person.step, person.window.visit.protocol) == ("session", "p300-speller")


@pytest.mark.parametrize("name", ["eyes-open-closed", "resting-state"])
def test_the_report_of_a_recording_in_phases_says_its_length_and_that_nothing_is_decided(name: str) -> None:
    record = TrainingRecord(subject="P-017", protocol=name)
    parts = [{"details": {"seconds": {"eyes-open": 60.0, "eyes-closed": 60.0}}}, {"details": {"seconds": {"a": 30.0}}}]
    data = ReportData(record=record, results=parts, total=Total())  # type: ignore[arg-type]
    assert dose_words(data) == "2.5 minutes recorded"
    assert moved_words(data) == "Nothing is decided in this recording, and nothing moves."


def test_the_report_of_a_drive_says_how_often_was_warned() -> None:
    record = TrainingRecord(subject="P-017", protocol="driving-vigilance")
    parts = [{"details": {"n_warnings": 2}}, {"details": {"n_warnings": 1}}, {"ended": "failed"}]
    data = ReportData(record=record, results=parts, total=Total(trials=1, seconds=1200.0))  # type: ignore[arg-type]
    assert moved_words(data) == "3 warnings of drowsiness; nothing is steered."


def test_an_order_to_arm_that_comes_while_it_learns_is_no_alarm(clinic: Any) -> None:
    person = clinic()
    person.simulated()
    person.simulated_headset()
    person.electrodes()
    person.page.protocol.setCurrentText(person.page.names["p300-speller"])
    person.on()
    page = person.page
    refused = {"type": "event", "name": "operator/refused", "data": {"do": "arm", "reason": "A-STATE: CALIBRATING"}}
    assert person.window._labels["calibration"].text().startswith("– "), "there is none to be done before"
    page.say("")
    page.status.take({"type": "state", "state": "CALIBRATING"})
    page._show()
    assert page.accuracy.text() == "It learns first: 0 of 6"
    page._say_refusal(refused)
    assert page.message.text() == ""
    page.status.take({"type": "state", "state": "STANDBY"})
    page._say_refusal(refused)
    assert "A-STATE" in page.message.text()
