"""Ready means that it starts; what is refused is told with every key that is wrong."""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.paradigms import make_paradigm
from bcikit.presentation.headless import FramesOutput
from bcikit.safety.consent import Consent, load_screening
from bcikit.session import Engine, plan, shipped_config
from bcikit.session.config import ScreenSection, completed, config_from
from bcikit.session.stimulus import notes_on_targets
from bcikit.signal import ConfigError

TRIALS = {
    "beep": 0.2,
    "cue": 0.4,
    "cue_duration": 0.2,
    "feedback": 1.0,
    "stop": 2.0,
    "window": [0.3, 1.5],
    "rest": [0.2, 0.3],
    "feedback_rate": 4.0,
    "calibration_runs": 1,
    "feedback_runs": 1,
    "trials_per_run": 10,
    "eyes_open": 0.0,
    "eyes_closed": 0.0,
    "between_runs": 0.0,
}

# Table of the session file -> (change, key that must be named); what is right in itself has no key.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown option of the source": ({"source": {"address": "sim:motor-imagery?sed=1"}}, "source.address"),
    "a scheme that is none": ({"source": {"address": "simm:motor-imagery"}}, "source.address"),
    "a channel that is not there": (
        {"source": {"address": "sim:motor-imagery", "channels": ["Qz"]}},
        "source.channels",
    ),
    "an unknown step": ({"pipeline": {"steps": [{"step": "bandpas"}]}}, "pipeline.steps"),
    "a filter above Nyquist": ({"pipeline": {"steps": [{"step": "lowpass", "freq": 400.0}]}}, "pipeline"),
    "an unknown paradigm": ({"paradigm": {"name": "motor-imagry"}}, "paradigm"),
    "a setting that is none": ({"paradigm": {"name": "motor-imagery", "settings": {"stp": 3.0}}}, "paradigm"),
    "too few trials": (
        {"paradigm": {"name": "motor-imagery", "settings": {**TRIALS, "trials_per_run": 4}}},
        "paradigm.settings",
    ),
    "no calibration and no model": (
        {"paradigm": {"name": "motor-imagery", "settings": {**TRIALS, "calibration_runs": 0}}},
        "decoder.model",
    ),
    "a film that nothing here can show": (
        {"paradigm": {"name": "motor-imagery-fes", "settings": {"video": "lift.mp4", "watch": 1.0}}},
        "paradigm.settings.video: film 'lift.mp4'",
    ),
    "an unknown decoder": ({"decoder": {"name": "csp-ldaa"}}, "decoder"),
    "a parameter of the decoder that is none": ({"decoder": {"parameters": {"n_compnents": 4}}}, "decoder"),
    "a model that is not there": ({"decoder": {"model": "/nowhere/model.skops"}}, "decoder"),
    "an output that is none": ({"outputs": [{"address": "hnd:"}]}, "outputs.0.address"),
    "a picture of another size than is judged": (
        {"outputs": [{"address": "frames:?height_cm=60"}]},
        "outputs.0.address: height_cm is 30 in the table [screen]",
    ),
    "a picture of no size": (
        {"outputs": [{"address": "frames:?height_cm=large"}]},
        "outputs.0.address: 'frames:height_cm=large",
    ),
    "an actuator behind pictures": ({"outputs": [{"address": "guard:serial-fes:/dev/ttyX"}]}, "gate.profile"),
    "an output in real time only": ({"outputs": [{"address": "guard:sim-hand"}]}, "outputs"),
    "a gate outside its limits": ({"gate": {"profile": "fes", "confidence": 0.1}}, "gate"),
    "more votes than decisions": ({"gate": {"k": 20, "n": 30, "vote_s": 2.0}}, "gate.k"),
    "a profile that nobody attends": ({"gate": {"profile": "vr"}}, "session.operator"),
    "recordings that are not there": (
        {"calibration": {"files": ["nothing.edf"], "events": {"T1": "left_hand", "T2": "right_hand"}}},
        "calibration.files",
    ),
    "a folder that cannot be": ({"recording": {"folder": f"{__file__}/none"}}, "recording.folder"),
    "a consent that is not there": ({"arming": {"consent": "/nowhere/consent.json"}}, "arming.consent: "),
    "a folder with a name too long": ({"recording": {"folder": "/tmp/" + "a" * 5000}}, "recording.folder"),
    "a folder with NUL in its name": ({"recording": {"folder": "/tmp/a\0b"}}, "recording.folder"),
    "a network that is not there": ({"decoder": {"encoder": "onnx:/nowhere/net.onnx"}}, "decoder.encoder"),
    "a network that is none": ({"decoder": {"encoder": f"onnx:{__file__}"}}, "decoder.encoder"),
    "no earlier model": ({"decoder": {"start": "last", "models": "/nowhere"}}, "decoder: "),
}


def session(folder: Path, *faults: str, **tables: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "source": {"address": "sim:motor-imagery?seed=1&channels=C3,C4"},
        "paradigm": {"name": "motor-imagery", "settings": TRIALS},
        "recording": {"folder": str(folder)},
        **tables,
    }
    for fault in faults:
        values |= FAULTS[fault][0]
    return values


def test_what_was_not_looked_at_of_a_long_paradigm_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with plan(config_from(session(tmp_path / "s"))) as made:
        assert not any("looked at" in note for note in made.notes)
    monkeypatch.setattr("bcikit.session.rehearsal.PATIENCE", -1.0)
    with plan(config_from(session(tmp_path / "s"))) as made:
        assert any(note.startswith("only the first 0.0 min of the paradigm were looked at") for note in made.notes)


@pytest.mark.parametrize("said", ["", "?height_cm=60.0", "?height_cm=60&distance_cm=1e2"])
def test_a_screen_in_memory_draws_by_the_size_that_the_stimuli_are_judged_by(tmp_path: Path, said: str) -> None:
    pytest.importorskip("PySide6")
    screen = {"height_cm": 60, "distance_cm": 100}
    config = config_from(
        session(tmp_path / "s", screen=screen, outputs=[{"address": f"frames:{said}"}, {"address": "hand:"}])
    )
    with plan(config) as made:
        output = made.outputs[0]
        assert isinstance(output, FramesOutput)
        assert (output.view.height_cm, output.view.distance_cm) == (60.0, 100.0)


def menu(count: int, size: float) -> dict[str, Any]:
    targets = [{"name": f"t{number}", "frequency": 8.0 + number / 4} for number in range(count)]
    return {"targets": targets, "size_deg": size, "depth": 0.2}


@pytest.mark.parametrize(
    ("count", "size", "distance", "told"),
    [
        (4, 3.3, 70, ""),
        (20, 3.3, 70, ""),
        # 260 of 900 units of a picture 30 cm high are 8.67 cm: 7.1 degrees at 70 cm.
        (6, 10.0, 70, "6 targets with their names have room for 7.1 degrees each and are drawn with 7.1, while 10 are"),
        (40, 3.3, 100, "40 targets with their names have room for 1.5 degrees each and are drawn with 2.9, while 3.3"),
    ],
)
def test_targets_that_are_not_shown_as_they_are_checked_are_told(
    count: int, size: float, distance: float, told: str
) -> None:
    paradigm = make_paradigm({"base": "ssvep-menu", **menu(count, size)})
    found = notes_on_targets(paradigm, ScreenSection(distance_cm=distance))
    assert len(found) == bool(told)
    assert told in "".join(found)


def test_check_tells_what_of_a_menu_has_no_room(tmp_path: Path) -> None:
    values = session(tmp_path / "s", source={"address": "sim:ssvep?seed=1"})
    values["paradigm"] = {"name": "ssvep-menu", "settings": menu(2, 8.0)}
    with plan(config_from(completed(values))) as made:
        assert any(note.startswith("paradigm.settings.size_deg is 8: on this screen") for note in made.notes)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_by_its_key(tmp_path: Path, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(config_from(session(tmp_path / "s", fault)))
    assert any(problem.startswith(FAULTS[fault][1]) for problem in caught.value.problems), caught.value.problems
    assert len(caught.value.problems) == 1, "one fault is one problem"
    assert not (tmp_path / "s").exists()


def _tables(faults: list[str]) -> list[str]:
    """Return faults of which each has a table of its own."""
    kept: dict[str, str] = {}
    for fault in faults:
        kept.setdefault(next(iter(FAULTS[fault][0])), fault)
    return list(kept.values())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=2, max_size=6, unique=True).map(_tables))
def test_all_faults_are_told_at_once(tmp_path: Path, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(config_from(session(tmp_path / "s", *faults)))
    problems = caught.value.problems
    chosen = set(faults)
    # What can be judged only with a part that is itself wrong is told when that part is right.
    needs = {
        "too few trials": ("source", "pipeline", "decoder", "calibration"),
        "no calibration and no model": ("source", "pipeline", "decoder", "calibration"),
        "a filter above Nyquist": ("source",),
        "an unknown decoder": ("source", "pipeline", "paradigm"),
        "a parameter of the decoder that is none": ("source", "pipeline", "paradigm"),
        "a model that is not there": ("source", "pipeline", "paradigm"),
        "a network that is not there": ("source", "pipeline", "paradigm"),
        "a network that is none": ("source", "pipeline", "paradigm"),
        "no earlier model": ("source", "pipeline", "paradigm"),
        "more votes than decisions": ("source", "pipeline", "paradigm"),
        "an output in real time only": ("source",),
        "an actuator behind pictures": ("gate",),
        "a profile that nobody attends": ("paradigm", "arming"),
        "recordings that are not there": ("paradigm",),
    }
    wrong = {next(iter(FAULTS[fault][0])) for fault in chosen}
    for fault in chosen:
        if wrong & set(needs.get(fault, ())):
            continue
        assert any(problem.startswith(FAULTS[fault][1]) for problem in problems), (fault, problems)


SESSIONS = st.fixed_dictionaries(
    {
        "paradigm": st.sampled_from(
            [
                {"name": "motor-imagery", "settings": TRIALS},
                {"name": "motor-imagery", "settings": {**TRIALS, "trials_per_run": 6}},
                {"name": "motor-imagery", "settings": {**TRIALS, "calibration_runs": 0}},
                {"name": "neurofeedback-alpha", "settings": {"baseline": 30.0, "blocks": 1, "block": 10.0}},
                {"name": "ssvep-menu", "settings": {"baseline": 5.0, "rounds": 1, "idle_share": 0.0}},
                {"name": "resting-state"},
                {"name": "p300-single", "settings": {"calibration": ["YES"], "calibration_sequences": 2}},
            ]
        ),
        "source": st.builds(
            lambda task, channels, sfreq: {"address": f"sim:{task}?seed=1&channels={channels}&sfreq={sfreq}&chunk=16"},
            st.sampled_from(["motor-imagery", "ssvep", "p300"]),
            st.sampled_from(["C3,C4", "Pz,Oz,O1", "C3"]),
            st.sampled_from([64, 100, 128]),
        ),
        "pipeline": st.sampled_from(
            [{"steps": []}, {"steps": [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]}]
        ),
        "decoder": st.sampled_from([{}, {"name": "csp-lda"}, {"name": "erp-lda"}, {"name": "tangent-lr"}]),
        "gate": st.sampled_from([{}, {"k": 2, "n": 3}, {"k": 30, "n": 30, "vote_s": 1.0}, {"ttl_s": 0.05}]),
    }
)


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tables=SESSIONS)
def test_what_is_said_to_be_ready_runs(tables: dict[str, Any]) -> None:
    values = {**tables, "recording": {"enabled": False}}
    try:
        config = config_from(values)
        plan(config).close()
    except ConfigError:
        return
    result = Engine(config, limit=120.0).run()
    assert result.values["complete"], result.values["ended"]
    assert result.values["n_samples"] > 0
    wanted = result.values["gate"]["reasons"]
    assert "no-model" not in json.dumps(wanted)


def _consent(folder: Path, *scopes: Any, subject: str = "P-001", screening: str = "") -> Path:
    file = folder / "consent.json"
    Consent(
        subject=subject,
        version="1",
        text_sha256=hashlib.sha256(b"text").hexdigest(),
        language="en",
        scopes=scopes,
        signer="participant",
        signed=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        screening_sha256=screening,
    ).save(file)
    return file


def test_a_session_that_can_never_act_is_not_ready(tmp_path: Path) -> None:
    answers = tmp_path / "screening.json"
    asked = ("epilepsy", "prior_seizure", "photoparoxysmal_response", "migraine_with_photic_trigger", "alcohol")
    body = ("implant", "pregnancy", "metal", "skin", "sensation")
    said = {"age": 40, "sleep_h": 8.0, **dict.fromkeys((*asked, *body), False)}
    answers.write_text(json.dumps(said), encoding="utf-8")
    own = load_screening(answers).sha256()
    file = _consent(tmp_path, "acquire", "fes", screening=own)
    gate = {"profile": "fes"}
    right = {
        "session": {"subject": "P-001"},
        "gate": gate,
        "arming": {"consent": str(file), "screening": str(answers)},
        "paradigm": {"name": "motor-imagery-fes"},
    }

    def problems(*, operator: str = "T-01", orders: bool = True, **changes: Any) -> str:
        try:
            plan(config_from(session(tmp_path / "s", **{**right, **changes})), operator=operator, orders=orders).close()
        except ConfigError as error:
            return "\n".join(error.problems)
        return ""

    assert problems() == ""
    assert "arming.consent: no consent record" in problems(arming={"screening": str(answers)})
    assert "screening answers" in problems(arming={"consent": str(file)})
    assert "does not cover fes" in problems(
        arming={"consent": str(_consent(tmp_path, "acquire")), "screening": str(answers)}
    )
    other = load_screening(answers).model_copy(update={"implant": True}).sha256()
    for given_with in (other, ""):
        _consent(tmp_path, "acquire", "fes", screening=given_with)
        assert problems().startswith("arming.screening: the screening answers are not those the consent was given with")
        assert problems(gate={"profile": "vr"}) == "arming.consent: consent does not cover vr."
    _consent(tmp_path, "acquire", "fes", screening=own)
    assert "subject 'P-001'" in problems(session={"subject": "P-002"})
    assert "session.operator" in problems(operator="automatic")
    assert "holds the dead-man switch" in problems(orders=False)
    assert "arming.idle_test is 60 s" in problems(arming={"consent": str(file), "idle_test": 60.0})
    assert "recording.enabled" in problems(recording={"enabled": False})
    assert "gate.k is 64" in problems(gate={"profile": "fes", "k": 64, "n": 64})
    assert "nothing is shown" in problems(
        paradigm={"name": "p300-single"}, source={"address": "sim:p300"}, pipeline={"steps": []}
    )


def test_what_a_check_notes_is_said_by_a_run_too_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcikit.session.rehearsal.PATIENCE", -1.0)
    file = tmp_path / "session.toml"
    file.write_text(tomli_w.dumps(session(tmp_path / "s")), encoding="utf-8")
    (note,) = json.loads(CliRunner().invoke(app, ["check", "session", str(file), "--json"]).stdout)["notes"]
    ran = CliRunner().invoke(app, ["run", str(file), "--headless", "--screen", "none", "--json"])
    assert ran.stderr.splitlines()[0] == note
    assert json.loads(ran.stdout)["complete"]


def test_the_commands_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        '[source]\naddress = "sim:motor-imagery?seed=1"\n[paradigm]\nname = "motor-imagery"\n'
        '[gate]\nprofile = "vr"\n[recording]\nfolder = "s"\n'
    )
    Path("session.toml").write_text(text, encoding="utf-8")
    checked = CliRunner().invoke(app, ["check", "session", "session.toml", "--json"])
    assert checked.exit_code == 2
    said = json.loads(checked.stdout)
    assert not said["ready"]
    ran = CliRunner().invoke(app, ["run", "session.toml", "--headless", "--json"])
    assert isinstance(ran.exception, ConfigError)
    assert ran.exception.exit_code == 2
    assert list(ran.exception.problems) == said["problems"]
    keys = {problem.partition(":")[0] for problem in said["problems"]}
    assert keys == {"session.operator", "arming.consent"}
    assert not Path("s").exists()


def test_a_film_of_ones_own_lies_beside_the_session_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    frames = [image.new("RGB", (32, 24), (40 * number, 0, 0)) for number in range(3)]
    frames[0].save(tmp_path / "lift.gif", save_all=True, append_images=frames[1:], duration=100)
    (tmp_path / "broken.gif").write_bytes(b"GIF89a")
    file = tmp_path / "mine.toml"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for film, problem in (("lift.gif", ""), ("broken.gif", "cannot be read"), ("gone.gif", "there is no such file")):
        file.write_text(
            '[source]\naddress = "sim:motor-imagery?seed=1"\n[paradigm]\nname = "action-observation"\n'
            f'[paradigm.settings]\nvideo = "{film}"\n[recording]\nenabled = false\n',
            encoding="utf-8",
        )
        said = json.loads(CliRunner().invoke(app, ["check", "session", str(file), "--json"]).stdout)
        assert said["ready"] != bool(problem), said
        if problem:
            (told,) = said["problems"]
            assert told.startswith(f"paradigm.settings.video: film '{tmp_path / film}'")
            assert problem in told


def test_where_a_session_without_a_folder_would_go_is_checked_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sessions").write_text("a file of that name", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"recording\.folder: .*sessions is a file; a session needs a folder"):
        plan(config_from(session(tmp_path / "s", recording={"enabled": True})))


def test_help_that_the_gate_would_cut_short_is_refused(tmp_path: Path) -> None:
    help_for_three = {"name": "action-observation", "settings": {"calibration_runs": 1}}
    with plan(config_from(session(tmp_path / "s", paradigm=help_for_three, gate={"action_max_s": 3.0}))):
        pass
    with pytest.raises(ConfigError) as caught:
        plan(config_from(session(tmp_path / "s", paradigm=help_for_three, gate={"action_max_s": 2.0})))
    assert list(caught.value.problems) == [
        "paradigm.settings.assist.seconds is 3; an action ends after 2 s (gate.action_max_s): ask for no more, or let "
        "the gate allow it."
    ]


def test_more_flicker_than_may_be_is_told_before_it_begins(tmp_path: Path) -> None:
    """The shipped menus stay below it."""
    for rounds, told in ((6, False), (8, True)):
        settings_ = {"name": "code-menu", "settings": {"calibration_rounds": rounds}}
        values = {
            "source": {"address": "sim:cvep"},
            "paradigm": settings_,
            "recording": {"folder": str(tmp_path / "s")},
        }
        with plan(config_from(completed(values))) as made:
            assert any("A-DOSE" in note for note in made.notes) == told, made.notes


def test_a_menu_whose_decoder_must_be_trained_is_not_ready_and_is_told_once(tmp_path: Path) -> None:
    values = {
        "source": {"address": "sim:ssvep"},
        "paradigm": {"name": "ssvep-menu", "settings": {"decoder": "csp-lda"}},
        "recording": {"folder": str(tmp_path / "s")},
    }
    with pytest.raises(ConfigError) as refused:
        plan(config_from(completed(values)))
    assert len(refused.value.problems) == 1
    assert "'csp-lda' needs training" in refused.value.problems[0]


@pytest.mark.parametrize(
    ("paradigm", "settings_", "said"),
    [
        ("neurofeedback-smr", {}, ""),
        ("driving-vigilance", {}, ""),
        ("ssvep-menu", {}, ""),
        ("cursor", {}, ""),
        ("code-menu", {}, ""),
        # With t = tan(pi f / 250 Hz), an IIR band-pass of order 4 from 1 to 40 Hz leaves
        # 1 / (1 + ((t - t1 t40 / t) / (t40 - t1))^8): a mean of 0.5 % there.
        ("neurofeedback-smr", {"band": [60.0, 70.0]}, "settings.band: the filters (pipeline.steps) leave 0.5% of"),
        ("cursor", {"bands": [[8.0, 13.0], [60.0, 90.0]]}, "settings.bands.1: the filters"),
        (
            "ssvep-menu",
            {"targets": [{"name": "a", "frequency": 3.0}, {"name": "b", "frequency": 10.0}]},
            "settings.targets.a: the filters (pipeline.steps) leave 1.",
        ),
    ],
)
def test_a_rhythm_that_is_filtered_away_is_told(paradigm: str, settings_: dict[str, Any], said: str) -> None:
    config = shipped_config(paradigm, settings=settings_)
    config = config.model_copy(update={"recording": config.recording.model_copy(update={"enabled": False})})
    with plan(config) as made:
        notes = [note for note in made.notes if "the filters" in note]
    assert len(notes) == bool(said), notes
    assert not said or said in notes[0], notes


@pytest.mark.parametrize(
    ("paradigm", "channels", "missing"),
    [
        ("ssvep-menu", ["PO7"], "Oz"),
        ("ssvep-menu", ["Oz"], ""),
        ("p300-speller", ["Cz", "Oz"], "Pz"),
        ("motor-imagery", ["C3", "Cz"], "C4"),
        ("emergency-braking", ["Cz"], ""),
    ],
)
def test_electrodes_that_a_paradigm_is_made_for_and_that_are_not_used_are_told(
    paradigm: str, channels: list[str], missing: str
) -> None:
    config = shipped_config(paradigm)
    source = config.source.model_copy(update={"channels": tuple(channels)})
    recording = config.recording.model_copy(update={"enabled": False})
    with plan(config.model_copy(update={"recording": recording, "source": source})) as made:
        notes = [note for note in made.notes if "is made for" in note]
    assert len(notes) == bool(missing), notes
    assert not missing or f"is called {missing} (source.channels)" in notes[0]


@pytest.mark.parametrize(
    ("paradigm", "settings_", "gate", "said"),
    [
        ("ssvep-menu", {}, {"idle_label": "xx"}, "Say gate.idle_label = 'none'."),
        # What the shipped file proposes is of the class that was there before.
        ("brain-switch", {"idle": "relax"}, {}, "Say gate.idle_label = 'relax'."),
        ("motor-imagery", {}, {"idle_label": "rest"}, "Say which of left_hand, right_hand it is, or leave it out."),
        ("brain-switch", {"idle": "relax"}, {"idle_label": "relax"}, ""),
        # Left out it is "rest".
        ("ssvep-menu", {}, None, "Say gate.idle_label = 'none'."),
        ("neurofeedback-alpha", {}, None, "Say gate.idle_label = 'none'."),
        ("emergency-braking", {}, None, "Say gate.idle_label = 'cruise'."),
        ("driving-vigilance", {}, None, "Say gate.idle_label = 'alert'."),
        ("cursor", {}, None, "Say gate.idle_label = 'still'."),
        ("brain-switch", {}, None, ""),
        ("grip-force", {}, None, ""),
        ("motor-imagery", {}, None, ""),
    ],
)
def test_a_class_of_wanting_nothing_that_is_none_is_refused(
    paradigm: str, settings_: dict[str, Any], gate: dict[str, Any] | None, said: str
) -> None:
    config = shipped_config(paradigm, settings=settings_)
    recording = config.recording.model_copy(update={"enabled": False})
    given = {key: value for key, value in config.gate.items() if key != "idle_label"}
    given = given if gate is None else {**config.gate, **gate}
    config = config.model_copy(update={"recording": recording, "gate": given})
    if not said:
        plan(config).close()
        return
    with pytest.raises(ConfigError) as refused:
        plan(config)
    assert len(refused.value.problems) == 1, refused.value.problems
    assert "idle_label is " in refused.value.problems[0]
    assert said in refused.value.problems[0]
