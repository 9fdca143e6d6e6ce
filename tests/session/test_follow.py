"""What a person gets of the table "decoder", from session to session; each key by itself is in `test_decoder_keys`."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from bcikit.decoding import Model
from bcikit.recording import read_session
from bcikit.session import Engine, load_config
from bcikit.session.models import AFTER, MODEL
from bcikit.session.repeat import replay
from bcikit.signal import ConfigError

TASK = {"calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10, "eyes_open": 0.0, "eyes_closed": 0.0}
TASK |= {"between_runs": 2.0, "instructions": 0.0}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
BAND = [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]


@pytest.fixture
def run(tmp_path: Path):
    """Return a function that runs a session from a file and checks that it replays identically."""

    def go(
        name: str,
        decoder: dict[str, Any],
        *,
        task: dict[str, Any] | None = None,
        seed: int = 3,
        paradigm: str = "motor-imagery",
        sim: str = "sim:motor-imagery?ability=0.9",
        gate: dict[str, Any] | None = None,
        steps: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        path = tmp_path / f"{name}.toml"
        values = {
            "session": {"name": name, "subject": "P01", "seed": seed},
            "source": {"address": f"{sim}{'&' if '?' in sim else '?'}seed={seed}"},
            "pipeline": {"steps": BAND if steps is None else steps},
            "paradigm": {"name": paradigm, "settings": TASK if task is None else task},
            "decoder": decoder,
            "gate": gate or {},
            "recording": {"folder": name},
        }
        path.write_text(tomli_w.dumps(values), encoding="utf-8")
        Engine(load_config(path)).run()
        found = replay(tmp_path / name)
        assert found.identical, found.difference
        assert found.n_decisions == found.n_replayed >= 20
        return json.loads((tmp_path / name / "result.json").read_text())

    return go


def test_a_session_learns_from_cues_and_the_next_begins_where_it_ended(run, tmp_path: Path) -> None:
    first = run("first", {"adapt": "labelled", "recentre": "rest", "adapt_rate": 0.1})
    assert first["adaptation"]["learned"] == 10
    assert first["adaptation"]["centred"] > 10
    assert first["adaptation"]["frozen"] is None
    before, after = Model.load(tmp_path / "first" / MODEL), Model.load(tmp_path / "first" / AFTER)
    assert before.mapping is None
    assert after.mapping is not None
    assert abs(after.estimator.classifier_.coef_ - before.estimator.classifier_.coef_).max() > 0

    second = run("second", {"start": "last", "models": ".", "recentre": True, "adapt": True}, seed=4)
    events = [event.name for event in read_session(tmp_path / "second").events]
    assert "calibration/end" not in events
    assert events.count("session/adapt") == 1
    assert events.count("trial/end") == 10
    assert second["adaptation"]["learned"] == 10
    started = Model.load(tmp_path / "second" / MODEL)
    assert (started.estimator.classifier_.coef_ == after.estimator.classifier_.coef_).all()


def test_a_session_stops_when_the_evidence_is_enough(run) -> None:
    plain = run("plain", {})
    task = {**TASK, "window": [0.5, 2.0], "feedback": 4.5}
    stopped = run("stopped", {"stop": {"confidence": 0.8}}, task=task)
    sure = run("sure", {"stop": {"confidence": 0.999999}}, task=task)
    times = [row["seconds"] for row in stopped["trials"] if row["predicted"]]
    assert times
    assert len(set(times)) > 1
    assert {row["seconds"] for row in plain["trials"]} == {3.0}
    assert sum(row["predicted"] is None for row in sure["trials"]) > sum(
        row["predicted"] is None for row in stopped["trials"]
    )


@pytest.mark.parametrize(
    ("decoder", "words"),
    [
        ({"start": "last", "models": "."}, "no earlier model of P01"),
        ({"start": "population", "models": "."}, "bcikit train --across"),
        ({"start": "last", "model": "a.skops"}, "leave out one of them"),
        ({"correct": "errp", "models": "."}, "paradigm:error-potential"),
        ({"error_model": "a.skops"}, "correct"),
        ({"stop": {"confidence": 0.9, "min_seconds": 5.0, "max_seconds": 1.0}}, "max_seconds"),
        ({"stop": {"sure": 1}}, "sure"),
        ({"recentre": "sleep"}, "recentre"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(run, decoder, words) -> None:
    with pytest.raises(ConfigError, match=words):
        run("none", decoder)


def test_paradigms_without_choices_refuse_a_rule_of_stopping(run) -> None:
    with pytest.raises(ConfigError, match="no choices"):
        run("none", {"stop": {}}, paradigm="vr-imagery", task={})


def test_an_error_potential_trained_in_one_session_takes_choices_back_in_the_next(run, tmp_path: Path) -> None:
    """A person whose error potentials are large and who is often taken wrongly; with the gate as it is, and votes."""
    slow = [{"step": "bandpass", "l_freq": 1.0, "h_freq": 10.0, "order": 2}]
    trained = run(
        "errors",
        {"name": "errp-lda"},
        task={"calibration_trials": 80, "trials": 20},
        paradigm="error-potential",
        sim="sim:errp?errp_uv=25",
        steps=slow,
    )
    assert trained["details"]["errors_seen"] >= 0.6
    task = {**TASK, "trials_per_run": 16}
    for name, gate in (("corrected", {}), ("voted", {"k": 3, "n": 3})):
        done = run(
            name,
            {"correct": "errp", "models": ".", "error_threshold": 0.6},
            task=task,
            sim="sim:motor-imagery?ability=0.3&errp_uv=25",
            gate=gate,
            seed=5,
        )
        look_at_errors(tmp_path / name, done["trials"])


def look_at_errors(folder: Path, rows: list[dict[str, Any]]) -> None:
    judged = [row for row in rows if row.get("p_error") is not None]
    assert len(judged) >= 12
    wrong = [row["p_error"] for row in judged if (row.get("undone") or row["predicted"]) != row["class"]]
    right = [row["p_error"] for row in judged if (row.get("undone") or row["predicted"]) == row["class"]]
    assert wrong
    assert sum(wrong) / len(wrong) > sum(right) / len(right) + 0.2
    undone = [row for row in rows if row.get("undone")]
    assert undone
    assert all(row["predicted"] is None for row in undone)
    # As the threshold says, however soon after the choice, and whatever the gate would ask of an action.
    assert all((row["p_error"] >= 0.6) == bool(row.get("undone")) for row in judged)
    events = [event.name for event in read_session(folder).events]
    assert events.count("feedback/undo") == len(undone)
    # The decoder of error potentials goes with the session: its replay does not depend on the folder it was found in.
    assert (folder / "error-model.skops").is_file()


def test_a_switch_that_is_always_on_runs_and_replays(run) -> None:
    done = run(
        "switch",
        {"name": "tangent-lr"},
        task={"calibration_trials": 8, "trials": 4},
        paradigm="brain-switch",
        gate={"idle_label": "rest"},
    )
    assert done["details"]["sensitivity"] >= 0.6
    # 48 s of rest: two false ones at most.
    assert done["details"]["false_activations"] <= 2


@pytest.mark.parametrize(("name", "least"), [("cursor", 0.5), ("grip-force", 0.7)])
def test_continuous_control_is_learned_and_re_fitted_in_a_session_and_replays(run, name, least) -> None:
    done = run(
        name,
        {},
        task={"watched": 8, "trials": 2, "blocks": 2},
        paradigm=name,
        sim="sim:motor-imagery?ability=0.9",
        steps=[{"step": "bandpass", "l_freq": 1.0, "h_freq": 40.0, "order": 4}],
        gate={"idle_label": "still", "refractory_s": 0.0, "run_max_s": 600.0},
    )
    assert done["details"]["fits"] == 2
    assert done["details"]["hit_rate"] >= least


def test_a_session_begins_with_a_model_of_other_people(run, tmp_path: Path) -> None:
    from bcikit.acquisition import open_source
    from bcikit.decoding import epochs, make_decoder
    from bcikit.decoding.population import MemberTrials, fit_population
    from bcikit.processing import Pipeline
    from bcikit.signal import Recording

    people = []
    for seed in (31, 32, 33):
        address = f"sim:motor-imagery?schedule=1&trials=24&seed={seed}&ability=0.95&chunk=250"
        with open_source(address) as source:
            chunks, events = [], []
            for chunk in source:
                chunks.append(chunk)
                events += source.pull_events()
        recording = Pipeline.from_config(BAND).apply(Recording.from_chunks(source.info, chunks, events=tuple(events)))
        cues = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}
        people.append(
            MemberTrials(code=f"S{seed}", trials=epochs(recording, events=cues, tmin=0.5, tmax=3.0, max_bad=1.0))
        )
    model = fit_population(make_decoder("tangent-lr", sfreq=250.0), people, filters=BAND)
    model.save(tmp_path / "others.skops")
    decoder = {"start": "population", "models": "others.skops", "recentre": True, "adapt": True}
    done = run("new", decoder, sim="sim:motor-imagery?ability=0.95", seed=40)
    assert done["decoder"] == "tangent-lr"
    assert done["adaptation"]["learned"] == done["adaptation"]["centred"] == 10
    assert Model.load(tmp_path / "new" / MODEL).sheet.people == ("S31", "S32", "S33")
    assert len(done["trials"]) == 10
    assert done["calibration"]["people_without_calibration"] == 3
    low, high = (done["calibration"]["without_calibration_expected"][place] for place in (1, 2))
    assert low <= model.sheet.expected["value"] <= high

    # Where there is a calibration, the report says both: what it gave, and what would have been without it.
    both = run("both", {"name": "tangent-lr", "models": "others.skops"}, sim="sim:motor-imagery?ability=0.95", seed=41)
    assert 0.5 < both["calibration"]["without_calibration"] <= 1.0
    assert both["calibration"]["accuracy"] > 0.5
    report = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "without calibration, by a model of other people" in report


SHORT = {**TASK, "beep": 0.5, "cue": 1.0, "cue_duration": 0.5, "feedback": 1.5, "stop": 4.1, "rest": [1.0, 1.2]}
SHORT |= {"feedback_rate": 4.0}
SMALL = "sim:motor-imagery?channels=FC3,FC4,C3,Cz,C4,CP3,CPz,CP4&sfreq=125&ability=0.95&chunk=125"


def test_a_session_decides_by_what_proves_best(run, tmp_path: Path) -> None:
    best = run("auto", {"name": "auto"}, task={**SHORT, "window": [0.5, 2.5]}, sim=SMALL)
    assert best["decoder"] == "auto"
    assert Model.load(tmp_path / "auto" / MODEL).estimator.chosen_ == "csp-lda", "twenty trials prove nothing better"
    assert best["calibration"]["why"].startswith("csp-lda: ")
    assert "no other is better for sure" in (tmp_path / "auto" / "report.html").read_text(encoding="utf-8")


def test_sessions_with_another_cap_each_need_no_calibration_after_the_first(run, tmp_path: Path) -> None:
    """Cap, gains and rhythms differ from session to session; only the first is calibrated."""
    task = {**TASK, "trials_per_run": 20, "beep": 0.5, "cue": 1.0, "cue_duration": 0.5, "feedback": 1.5, "stop": 4.1}
    task |= {"window": [0.5, 2.5], "rest": [1.0, 1.2], "feedback_rate": 1.0}
    montage = "channels=FC3,FC4,C3,Cz,C4,CP3,CPz,CP4&sfreq=125"
    person = f"sim:motor-imagery?{montage}&ability=0.97&confusion=0&inattention=0&session=1.0&chunk=125"
    right, minutes = [], []
    for number in range(1, 4):
        decoder = {"recentre": "windows", "adapt": "labelled"}
        if number > 1:
            decoder |= {"start": "last", "models": "."}
        done = run(f"s{number}", decoder, task=task, sim=f"{person}&session_seed={number}", seed=3)
        right.append(sum(row["correct"] for row in done["trials"]) / len(done["trials"]))
        events = read_session(tmp_path / f"s{number}").events
        asked = [e.data["kind"] for e in events if e.name == "trial/start"]
        minutes.append(asked.count("calibration"))
        assert done["adaptation"]["frozen"] is None
    assert minutes == [20, 0, 0]
    # Of twenty trials one is five points: the last day may miss one more than the first.
    assert right[-1] >= right[0] - 0.051, right
    # The model of the first day as it was, on the last day: what following is worth.
    still = {"model": "s1/model.skops"}
    kept = run("still", still, task=task, sim=f"{person}&session_seed=3", seed=3)
    assert sum(row["correct"] for row in kept["trials"]) / len(kept["trials"]) <= right[-1] - 0.2
