"""The report says in words what happened; nothing that went wrong is left out of it."""

import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcikit.cli.console import show_result
from bcikit.outputs import open_output
from bcikit.safety.guard.serial_fes import SimulatedStimulator
from bcikit.session import Engine, details, plots, shipped_config
from bcikit.session.outputs import state_of
from bcikit.session.report import write_report
from bcikit.session.summary import accuracy_summary
from bcikit.signal import Command, DataError, Event, Recording, StreamInfo

pytestmark = pytest.mark.usefixtures("painted")

PLAIN: dict[str, Any] = {"classes": ["left", "right"], "complete": True}


@pytest.fixture
def report(tmp_path: Path):
    """Return the text of the report of a result, without its marks."""

    def write(result: dict[str, Any], **more: Any) -> str:
        page = write_report(
            tmp_path / "report.html", PLAIN | result, config={"session": {"name": "x"}}, **more
        ).read_text()
        page = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("&#39;", "'")

    return write


def test_who_listens_what_the_guard_did_and_how_much_current_flowed(report) -> None:
    guarded = {
        "address": "fes:rehastim",
        "reach": "anybody in this network",
        "commands": 7,
        "trips": ["G-DOSE", "G-HEART"],
        "highest_output": 12.25,
        "guard": {"driver": {"current_ma": 0.0, "trains": 5, "on_s": 8.04}},
    }
    text = report({"outputs": [guarded, guarded | {"trips": []}, {"address": "cursor", "commands": 3}]})
    for said in (
        "who else can listen anybody in this network",
        "commands handed to the guard 7",
        "the guard went safe by itself G-DOSE; G-HEART",
        "the guard went safe by itself never",
        "trains of pulses 5",
        "dose: stimulated in all 8.0 s",
        "highest current seen 12.2 mA",
        "commands received 3",
    ):
        assert said in text


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals there")
def test_what_flowed_from_a_stimulator_on_a_serial_line_is_in_the_report(report) -> None:
    pytest.importorskip("serial")
    device = SimulatedStimulator()
    data = {"amplitude_ma": 12, "pulse_us": 300, "frequency_hz": 35, "area_cm2": 25}
    try:
        with open_output(f"guard:serial-fes:{device.port}") as output:
            deadline, said = time.monotonic() + 60, state_of(output)
            # A starved process may lose its guard's belief; the next command arms it again.
            while not said["guard"]["driver"]["trains"]:
                assert time.monotonic() < deadline
                output.send(Command(sequence=1, time=0.0, ttl=0.25, name="stimulate", value=1.0, data=data))
                said = state_of(output)
    finally:
        device.close()
    text = report({"outputs": [{"address": "guard:serial-fes:PORT", **said}]})
    assert f"trains of pulses {said['guard']['driver']['trains']} dose: stimulated in all" in text


def test_what_a_strangers_driver_does_not_tell_is_not_known(report) -> None:
    stranger = {
        "address": "guard:x",
        "commands": 1,
        "trips": [],
        "highest_output": 3.0,
        "guard": {"driver": {"current_ma": 0.0}},
    }
    assert "trains of pulses - dose: stimulated in all - highest current seen 3.0 mA" in report({"outputs": [stranger]})


def test_what_went_wrong_is_in_the_report(report) -> None:
    text = report(
        {
            "complete": False,
            "ended": "the source is gone",
            "n_undecided": 4,
            "n_not_judged": 3,
            "backlog_s": 3.25,
            "dropped_cues": 5,
            "idle_test": {"per_minute": 0.5},
            "timing": {"doubts": ["amp: its clock was set 2 times"]},
            "safety": {
                "time_in_state_s": {"ACTIVE": 50.0},
                "activations": 3,
                "stops": [{"rule": "ST-KEY"}],
                "mean_time_to_acknowledge_s": 12.0,
                "audit_head": "ab" * 32,
            },
        }
    )
    for said in (
        "No trial with a known target was decoded, so no accuracy can be stated.",
        "4 trials ended without a decision; they count as wrong.",
        "3 trials were skipped, or the therapist or the plan of the arm decided them; they count neither for nor",
        "The session did not run to its end: the source is gone.",
        "longest time in which nobody was shown anything 3.2 s",
        "cues that came while the protocol stood still, and began no trial 5",
        "false activations a minute at rest (idle test) 0.50",
        "doubt amp: its clock was set 2 times",
        "latched stops ST-KEY",
        "mean time until a stop was acknowledged 12 s",
        "newest record of the audit log, SHA-256 " + "ab" * 32,
    ):
        assert said in text


def test_how_the_screens_kept_the_plan(report) -> None:
    shown = {
        "refresh_hz": {"task": 59.97},
        "flips": 40,
        "not_shown": 1,
        "dropped_frames": 2,
        "delay_s": 0.0151,
        "jitter_s": 0.0004,
        "sounds": {"heard": 9, "not_heard": 1},
        "warnings": [{"painted_s": 0.02, "sounded_s": None}, {"painted_s": 0.035, "sounded_s": None}],
    }
    text = report({"presentation": shown})
    for said in (
        "frames a second task 60.0",
        "from plan to screen 15.1 ms, spread 0.4 ms",
        "sounds heard, not heard 9, 1",
        "slowest warning, from the change of level until it was painted 35 ms",
    ):
        assert said in text
    assert "until it was sounded" not in text


def test_a_course_of_sleepiness_is_drawn_with_its_alarms(report) -> None:
    found = {
        "course": [{"seconds": 10.0 * i, "kss": 4.0 + i / 10} for i in range(20)],
        "limits": (6.5, 8.0),
        "lead_time": {"quartiles": [0.05, 0.2], "median": 0.1},
        "assist_delays": [1.0, None, 2.0, 4.0, 3.0],
        "alarms": [{"seconds": 130.0, "level": "drowsy", "kss": 7.3, "must": False, "reason": "slow eyes"}],
    }
    text = report({"details": found})
    assert "median 100 ms (quartiles 50 ms to 200 ms)" in text
    assert "slow eyes" in text
    ((url, alt),) = details.pictures(found)
    assert alt == "Sleepiness over the drive"
    assert url.startswith("data:image/")
    rows = dict(details.rows({"assist_delays": [None], "lead_time": {"quartiles": None}}))
    assert set(rows.values()) == {"none"}
    assert "(4)" in dict(details.rows(found))["cue (with the film, where one is watched) to assistance"]


def test_guessing_is_what_would_be_right_most_often(report, monkeypatch) -> None:
    for plot in ("accuracy_plot", "confusion_plot"):
        monkeypatch.setattr(plots, plot, lambda *_: "data:image/png;base64,")
    trials = [{"class": "left", "predicted": "left", "correct": True, "trial": i, "allowed": True} for i in range(8)]
    decoded = {
        "online_accuracy": 0.9,
        "accuracy_interval": (0.6, 0.98),
        "n_trials": 8,
        "n_correct": 8,
        "trials": trials,
        "confusion": [[8, 0], [0, 0]],
        "chance_upper": 0.8,
        "above_chance": True,
    }
    assert "Guessing among 2 classes stays below 80 %" in report(decoded | {"chance_level": 0.5})
    text = report(decoded | {"chance_level": 0.75})
    assert "Always saying the commonest class (75 % of the trials) stays below 80 %" in text
    text = report(decoded | {"chance_level": 0.5, "above_chance": False})
    assert "do not rely on this decoder" in text


def test_the_course_of_accuracy_is_that_of_the_decoder_and_the_table_has_every_trial(report, monkeypatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(plots, "confusion_plot", lambda *_: "data:image/png;base64,")
    monkeypatch.setattr(
        plots,
        "accuracy_plot",
        lambda rows, *_: (drawn.extend(row["trial"] for row in rows), "data:image/png;base64,")[1],
    )
    own = {"class": "left", "predicted": "left", "correct": True, "allowed": True}
    others = ({"by": "therapist", "override": "assist"}, {"by": "plan"}, {"skipped": True}, {"by": "decoder"})
    trials = [{**own, "trial": 70 + at, **other} for at, other in enumerate(others)]
    text = report({"trials": trials, "confusion": [[1, 0], [0, 0]], "chance_level": 0.5})
    assert drawn == [73]
    assert all(str(trial["trial"] + 1) in text for trial in trials)
    drawn.clear()
    report({"trials": trials[:3], "confusion": [[0, 0], [0, 0]], "chance_level": 0.5})
    assert drawn == [], "nothing that the decoder decided"


def test_an_accuracy_of_one_class_is_no_reason_to_trust_or_to_distrust_a_decoder(
    report, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [{"class": "left", "predicted": "left", "correct": True, "allowed": True, "trial": n} for n in range(4)]
    result = accuracy_summary(trials, PLAIN["classes"])
    text = report({**result, "trials": trials})
    assert "Only trials of left were the decoder's: 4 of 4 were decoded as asked for." in text
    assert "no accuracy against chance can be stated" in text
    for wrong in ("do not rely", "a guesser reaches", "above chance"):
        assert wrong not in text
    show_result(
        {**result, "gate": {"allowed": 0, "n": 0, "reasons": {}}, "latency_ms": {"n": 0}, "lost_samples": 0}, None
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "4 of 4 trials right: 100% (95 % interval 51% to 100%), all of one class: it says nothing" in said


def test_the_report_of_a_blinded_session_tells_nothing_of_its_arm(tmp_path: Path) -> None:
    settings = {"arm": "yoked", "blind": True, "yoked_delays": [1.0625, 2.5], "runs": 3}
    result = PLAIN | {
        "online_accuracy": 0.97,
        "accuracy_interval": (0.8, 1.0),
        "chance_level": 0.5,
        "chance_upper": 0.7,
        "n_trials": 30,
        "n_correct": 29,
        "above_chance": True,
        "confusion": [[15, 0], [1, 14]],
        "trials": [{"class": "left", "predicted": "right", "correct": False, "trial": 0, "allowed": True}],
        "details": {"hit_rate": 0.97, "assists": 29, "meaning": ["In 29 of 30 attempts"]},
        "gate": {"n": 40, "allowed": 29, "refused": 11, "reasons": {"A-CONF": 11}},
        "alarms": [],
        "outputs": [{"address": "cursor", "commands": 29}],
        "safety": {"time_in_state_s": {"ACTIVE": 60.0}, "activations": 29, "stops": []},
        "calibration": {"accuracy": 0.81},
        "lost_samples": 4,
    }
    config = {"session": {"name": "x"}, "paradigm": {"type": "action-observation", "settings": settings}}
    page = write_report(tmp_path / "report.html", result, config=config).read_text()
    assert "is blinded" in page
    for secret in ("yoked", "1.0625", "97 %", "29", "A-CONF"):
        assert secret not in page
    assert "0.81" in page or "81 %" in page, "a calibration is the same in every arm"
    assert "runs = 3" in page
    assert settings["arm"] == "yoked", "what is recorded stays as it is"


def test_a_session_that_its_paradigms_file_blinds_tells_nothing_of_its_arm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the session file says of the paradigm is the name of that file alone."""
    table = tmp_path / "sham-of-study.toml"
    table.write_text(
        'base = "motor-imagery-fes"\ntitle = ""\narm = "sham"\nblind = true\ncalibration_runs = 1\nruns = 1\n'
        "trials_per_run = 10\nrest = 0.4\nprepare = 0.2\nattempt = 4.0\npause = [3.1, 3.1]\nwindow = 1.0\n"
        'assist = { command = "close", seconds = 1.0 }\nbetween_runs = 0.0\n'
    )
    source = "sim:motor-imagery?seed=1&channels=C3,Cz,C4&chunk=40"
    config = shipped_config(str(table), source=source)
    config = config.model_copy(
        update={"recording": config.recording.model_copy(update={"folder": str(tmp_path / "s")})}
    )
    values = Engine(config).run().values
    assert values["details"]["arm"] == "sealed"
    assert values["details"]["assists"] > 0
    assert (values["online_accuracy"], values["above_chance"], values["n_correct"]) == (None, None, 0)
    assert (values["n_trials"], values["n_not_judged"]) == (0, 10), "of every arm; the plan of a therapy counts both"
    show_result(values, None)
    assert "trials right" not in capsys.readouterr().out
    page = (tmp_path / "s" / "report.html").read_text().replace(str(tmp_path), "")
    assert "is blinded" in page
    for secret in ("sham", "A-CONF", "that the gate let through", "online accuracy", "Confusion"):
        assert secret not in page, secret


def test_an_unknown_number_of_a_calibration_is_written_as_it_is(report) -> None:
    text = report({"calibration": {"lambda_used": 0.12345, "kept": [1, 2.5], "by_class": {"left": 3.0}, "none": None}})
    for said in ("lambda used 0.123", "kept 1, 2.5", "by class left: 3", "none -"):
        assert said in text
    long = report({"calibration": {"kept": list(range(30))}})
    assert "10, 11, ... (30)" in long


def test_curves_that_cannot_be_drawn_say_why(report, monkeypatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise DataError("no trial is clean")

    info = StreamInfo(name="a", sfreq=100.0, ch_names=("C3", "C4"))
    told = {
        "recording": Recording.from_arrays(info, np.zeros((120, 2))),
        "events": [Event(name="cue/left", time=1.0, sample=100)],
    }
    assert "Desynchronisation" not in report({"kind": "motor-imagery"}, **told), "no trial is whole"
    monkeypatch.setattr("bcikit.session.report.erd_curves", fails)
    assert "Desynchronisation (ERD) Cannot be drawn: no trial is clean" in report({"kind": "motor-imagery"}, **told)
