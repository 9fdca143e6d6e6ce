"""Controlled trials: sealed allocations, and a window and a report that keep the secret."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic import arms, protocols, report_data, start
from bcikit.clinic.counts import Total
from bcikit.clinic.moved import follow
from bcikit.clinic.people import begin_visit
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import ReportData, html
from bcikit.clinic.visit import Visit
from bcikit.recording import Catalogue
from bcikit.safety.trends import Trend
from bcikit.signal import BciError


def drawn(folder: Path, number: int, **more: Any) -> dict[str, Any]:
    return {"trial": "FES-26", "number": number, "folder": str(folder / arms.FOLDER), **more}


def test_the_list_is_sealed_balanced_and_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--data", str(tmp_path), "--new-trial", "FES-26", "--arms", "contingent,sham,yoked"]
    assert start.main(command) == 0
    assert "FES-26: the allocations are sealed. Sum of the list" in capsys.readouterr().out
    kept = json.loads((tmp_path / "trial" / "list.json").read_text(encoding="utf-8"))
    assert not [token for token in kept["sealed"] if any(arm in token for arm in arms.ARMS)]
    assert len(set(kept["sealed"])) == arms.SIZE
    opened = [arms.arm_of(drawn(tmp_path, number)) for number in range(1, arms.SIZE + 1)]
    assert Counter(opened) == dict.fromkeys(arms.ARMS, arms.SIZE // 3)
    for block in range(0, arms.SIZE, 6):
        assert Counter(opened[block : block + 6]) == dict.fromkeys(arms.ARMS, 2)
    assert start.main(command) == 2, "a list that is there is not made anew"
    assert "holds a trial already" in capsys.readouterr().err
    (tmp_path / "trial" / "key").write_bytes(b"another")
    with pytest.raises(BciError, match="does not open"):
        arms.arm_of(drawn(tmp_path, 1))


def test_two_places_of_one_catalogue_never_open_an_allocation_with_the_list_of_the_other(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    with Catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}", who="test") as catalogue:
        for place in (here, there):
            place.mkdir()
            arms.new_trial(place, "FES-26", ("contingent", "sham"))
        for number in range(1, 13):
            catalogue.add_subject(f"P-{number}", birth_year=1961)
            arms.allocate(here, catalogue, f"P-{number}", by="T-01")
        kept = {one.code: dict(one.data["trial"]) for one in catalogue.subjects()}
        before = {code: arms.arm_of(one) for code, one in kept.items()}
        # Seen from the other place, the first one's folder is gone.
        here.rename(tmp_path / "away")
        follow(catalogue, there)
        assert {one.code: one.data["trial"] for one in catalogue.subjects()} == kept
        # Where both have the same path, the folder that is there holds the other list.
        (there / arms.FOLDER).rename(tmp_path / "other")
        here.mkdir()
        (tmp_path / "other").rename(here / arms.FOLDER)
        for one in kept.values():
            with pytest.raises(BciError, match="another list than the one in"):
                arms.arm_of(one)
        with pytest.raises(BciError, match="another list"):
            arms.unblind(catalogue, "P-1", by="T-01", reason="adverse event, asked by Dr B")
        assert arms.is_blind(catalogue.subject("P-1").data["trial"])
        # Its own list is followed, and so is one of which no sum was kept yet.
        catalogue.update_subject("P-2", merge={"trial": {k: v for k, v in kept["P-2"].items() if k != "list"}})
        shutil.rmtree(here)
        follow(catalogue, tmp_path / "away")
        assert {one.code: arms.arm_of(one.data["trial"]) for one in catalogue.subjects()} == before


def test_the_early_warning_of_a_sealed_report_says_nothing_of_what_moved(
    clinic: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = clinic()
    person.patient()
    rising = {"per_hour": (0.0, 60.0), "expected": 0.5, "found": 60, "rising": True}
    found = [Trend(what=what, **rising) for what in ("activations", "A-CONF", "Q-LINE", "stops")]
    monkeypatch.setattr(report_data, "early_warnings", lambda catalogue, code, sessions: found)
    record = TrainingRecord(subject="P-017", protocol="action-observation")
    assert len(report_data.report_data(person.catalogue, record).warnings) == 4
    record.trial = {"trial": "FES-26", "number": 1}
    said = report_data.report_data(person.catalogue, record).warnings
    assert [line.partition(":")[0] for line in said] == ["mains hum", "stops"]


@pytest.mark.parametrize("wrong", ["contingent", "contingent,contingent", "contingent,placebo", ""])
def test_a_trial_needs_two_arms_that_there_are(tmp_path: Path, wrong: str) -> None:
    assert start.main(["--data", str(tmp_path), "--new-trial", "FES-26", "--arms", wrong]) == 2


def test_the_engine_is_told_the_arm_and_who_is_yoked_follows_another_person(tmp_path: Path) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham", "yoked"))
    number = {arms.arm_of(drawn(tmp_path, n)): n for n in range(1, arms.SIZE + 1)}

    def visit(arm: str, protocol: str = "action-observation") -> Visit:
        return Visit(
            subject="P-1",
            operator="T",
            device="lsl:name=x",
            protocol=protocol,
            current={"port": "sim-fes", "amplitude_ma": 5.0},
            trial=drawn(tmp_path, number[arm]),
        )

    def settings(arm: str, protocol: str = "action-observation", **chosen: Any) -> dict[str, Any]:
        config = protocols.build(visit(arm, protocol), folder=str(tmp_path / "s"), settings=chosen, phase="session")
        return dict(config.paradigm.settings)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    assert (settings("sham")["arm"], settings("sham")["blind"]) == ("sham", True)
    with pytest.raises(BciError, match="cannot be trained yet") as error:
        settings("yoked")
    assert "yoked" not in str(error.value)
    arms.keep_delays(visit("sham"), [9.0])
    arms.keep_delays(visit("contingent"), [1.5, 2.5])
    assert list(settings("yoked")["yoked_delays"]) == [1.5, 2.5]
    # A full disk is noted whatever the arm.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arms, "write_whole", full)
        for arm in ("contingent", "sham", "yoked"):
            with pytest.raises(OSError, match="No space left"):
                arms.keep_delays(visit(arm), [1.5])
    # Delays of another protocol (of 10 s after the film) are none of this one (6 s).
    arms.keep_delays(visit("contingent"), [7.2])
    with pytest.raises(BciError, match=r"^This allocation cannot be trained yet"):
        settings("yoked", "motor-imagery-fes")
    arms.keep_delays(visit("contingent", "motor-imagery-fes"), [3.0])
    assert list(settings("yoked", "motor-imagery-fes")["yoked_delays"]) == [3.0]
    assert [row["delays"] for row in arms._delays(tmp_path / arms.FOLDER)] == [[1.5, 2.5], [7.2], [3.0]]
    # Whatever the paradigm has against an arm is not said; what it has against the settings is.
    kept = tmp_path / arms.FOLDER / "delays.json"
    kept.write_text(json.dumps([[1.0], {"protocol": "motor-imagery-fes", "delays": [7.2]}]), encoding="utf-8")
    with pytest.raises(BciError, match=r"^This allocation cannot be trained yet"):
        settings("yoked", "motor-imagery-fes")
    with pytest.raises(BciError, match="must be even"):
        settings("yoked", "motor-imagery-fes", trials_per_run=7)
    assert list(settings("yoked")["yoked_delays"]) == [1.0], "no row is of this protocol, and this one is of any"
    # A row that cannot be read costs no other one, and no arm writes over what it cannot read.
    kept.write_text(json.dumps([{"protocol": "action-observation"}, "x", [2.0]]), encoding="utf-8")
    assert list(settings("yoked")["yoked_delays"]) == [2.0]
    arms.keep_delays(visit("sham"), [9.0])
    assert json.loads(kept.read_text(encoding="utf-8"))[1:] == ["x", [2.0]]
    for damaged in ('[[1.0], [2.0"', "{}"):
        kept.write_text(damaged, encoding="utf-8")
        for arm in ("contingent", "sham", "yoked"):
            with pytest.raises(BciError, match="nothing is written over it"):
                arms.keep_delays(visit(arm), [1.5])
        assert kept.read_text(encoding="utf-8") == damaged
        with pytest.raises(BciError, match=r"^This allocation cannot be trained yet"):
            settings("yoked")
    # A calibration is the same for all, and so is what is no attempted movement.
    calibration = protocols.build(visit("sham"), folder=str(tmp_path / "s"), settings={}, phase="calibration")
    assert calibration.paradigm.settings.get("arm", "contingent") == "contingent"


def test_window_and_report_keep_the_arm_until_somebody_says_why(clinic: Callable[..., Any], tmp_path: Path) -> None:
    arms.new_trial(tmp_path, "FES-26", ("contingent", "sham"))
    person = clinic()
    person.as_far_as_protocol()
    page = person.page
    assert not page.trial_card.isVisible(), "motor imagery has no arms"
    person.pick(page.protocol, 1)
    assert page.trial.state.text() == "Not in the trial FES-26 yet."
    person.click(page.trial.draw)
    assert page.trial.state.text() == "FES-26, number 1, arm sealed"
    assert not page.trial.draw.isVisible(), "nobody draws twice"
    person.on()
    visit = person.window.visit
    person.window.show_step("session")
    session = person.page
    assert not session.bars_card.isVisible()
    total = Total(trials=10, answered=10, correct=9, moved=8, moved_right=7, seconds=60.0)
    session.counts._before = total
    session._show()
    assert session.accuracy.text() == "Sealed: the trial is blinded."
    assert session.dose.text() == "1.0 minutes, 10 trials"
    text = html(ReportData(record=TrainingRecord.of_visit(visit), results=[], total=total, trend=[("a", 1), ("b", 2)]))
    assert "FES-26, number 1, arm sealed" in text
    assert "Sealed: the trial is blinded." in text
    for secret in ("contingent", "sham", "90 %", "8 movements", "it was the right movement", "<img"):
        assert secret not in text
    # Opening it asks for a reason, and leaves one.
    person.window.show_step("protocol")
    page = person.page
    person.click(page.trial.open)
    person.click(page.trial.reason.do)
    assert arms.is_blind(visit.trial)
    person.type(page.trial.reason.text, "adverse event, asked by Dr B")
    person.click(page.trial.reason.do)
    assert arms.arm_of(visit.trial) in page.trial.state.text()
    kept = person.catalogue.subject("P-017").data["trial"]["unblinded"]
    assert (kept["by"], kept["reason"]) == ("T-01", "adverse event, asked by Dr B")
    text = html(ReportData(record=TrainingRecord.of_visit(visit), results=[], total=total))
    assert "sealed" not in text
    assert "8 movements" in text
    assert "Not judged in a controlled trial" in text
    # The next patient has the next number, and this one keeps the first.
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.as_far_as_protocol("Q-2", "1971")
    person.pick(person.page.protocol, 1)
    person.click(person.page.trial.draw)
    assert person.window.visit.trial["number"] == 2
    assert person.catalogue.subject("P-017").data["trial"]["number"] == 1
    assert person.catalogue.verify_audit() is None


def test_a_patient_of_a_trial_is_not_trained_outside_it_where_its_list_is_not(
    clinic: Callable[..., Any], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.mkdir()
    arms.new_trial(away, "FES-26", ("contingent", "sham"))
    person = clinic()
    person.patient()
    arms.allocate(away, person.catalogue, "P-017", by="T-01")
    person.click(person.window.anew)
    person.click(person.window.question.yes)
    person.as_far_as_protocol()
    visit = person.window.visit
    assert (visit.trial["trial"], visit.trial["number"]) == ("FES-26", 1)
    page = person.page
    person.pick(page.protocol, 1)
    assert page.trial_card.isVisible()
    assert page.trial.state.text() == "FES-26, number 1, arm sealed"
    person.on()
    person.window.show_step("session")
    assert not person.page.bars_card.isVisible()
    # Without its list nobody knows the arm, and nobody is trained in another one.
    (away / arms.FOLDER).rename(tmp_path / "gone")
    person.click(person.page.start)
    assert "The list of the trial" in person.page.message.text()
    assert not person.runner.running
    assert visit.parts == []
    # A visit that was kept without it learns of it, too.
    visit.trial = {}
    person.window._make_pages()
    person.window.show_step("protocol")
    assert visit.trial["number"] == 1
    simulated = person.catalogue.add_subject("X-1", data={"simulated": True, "trial": {"trial": "FES-26"}})
    assert begin_visit(simulated, operator="T", when="").trial == {}
