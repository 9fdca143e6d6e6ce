"""A table "decoder" that contradicts itself, its model or its paradigm is refused before it starts, with a way out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Epochs, Model
from bcikit.recording import read_session
from bcikit.recording.header import write_header
from bcikit.recording.layout import FORMAT, FORMAT_VERSION
from bcikit.session import Engine, load_config, plan, shipped_config
from bcikit.session.config import config_from
from bcikit.session.models import MODEL, notes_on_nobody, without_calibration
from bcikit.signal import ConfigError

BAND = [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]
LAGS = {"up": 0, "right": 10, "down": 30, "left": 50}
HANDS = ("left_hand", "right_hand")
TASK = {
    "beep": 0.2, "cue": 0.4, "cue_duration": 0.2, "feedback": 1.0, "stop": 2.0, "window": [0.5, 1.5],
    "rest": [0.4, 0.5], "feedback_rate": 4.0, "calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10,
    "eyes_open": 0.0, "eyes_closed": 0.0, "between_runs": 0.0, "instructions": 0.0,
}  # fmt: skip


def noise(
    classes: tuple[str, ...] = HANDS,
    *,
    names: tuple[str, ...] = ("C3", "C4"),
    sfreq: float = 125.0,
    reference: str = "",
) -> Epochs:
    """Return trials of noise."""
    rng = np.random.default_rng(0)
    n = 12 * len(classes)
    groups = np.arange(n) // (4 * len(classes))
    return Epochs(
        X=rng.normal(0.0, 10.0, (n, len(names), round(sfreq))), y=np.array(classes)[np.arange(n) % len(classes)],
        groups=groups, runs=groups, samples=np.arange(n) * 500, sfreq=sfreq, tmin=0.5, tmax=1.5, ch_names=names,
        reference=reference,
    )  # fmt: skip


def model(
    path: Path,
    *,
    classes: tuple[str, ...] = HANDS,
    names: tuple[str, ...] = ("C3", "C4"),
    sfreq: float = 125.0,
    filters: Any = BAND,
    decoder: str = "csp-lda",
    reference: str = "",
    reject: float = 0.0,
) -> Path:
    """Write a model of noise."""
    trials = noise(classes, names=names, sfreq=sfreq, reference=reference)
    return Model.fit(decoder, trials, filters=filters, reject=reject).save(path)


def file_of(root: Path, decoder: dict[str, Any], **tables: Any) -> Path:
    values = {
        "session": {"subject": "P01", "seed": 3},
        "source": {"address": "sim:motor-imagery?channels=C3,Cz,C4&sfreq=125&chunk=25&seed=3"},
        "pipeline": {"steps": BAND},
        "paradigm": {"name": "motor-imagery", "settings": {**TASK, **tables.pop("task", {})}},
        "decoder": decoder,
        "recording": {"folder": "session"},
        **tables,
    }
    path = root / "session.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("made", "decoder", "words"),
    [
        ({"classes": ("feet", "left_hand", "right_hand")}, {}, "the paradigm knows nothing of feet"),
        ({"classes": ("feet", "left_hand")}, {}, "also asks for right_hand"),
        ({"names": ("C3", "C5")}, {}, "needs the channels C5"),
        ({"sfreq": 250.0}, {}, "trained at 250 Hz"),
        ({"filters": [{"step": "bandpass", "l_freq": 1.0, "h_freq": 30.0}]}, {}, "take its steps, or calibrate"),
        ({"decoder": "erp-lda"}, {"adapt": "labelled"}, "cannot learn window by window"),
        ({}, {"recentre": "rest"}, 'take recentre = "windows"'),
    ],
)
def test_a_model_that_does_not_fit_is_refused(tmp_path: Path, made, decoder, words) -> None:
    model(tmp_path / "m.skops", **made)
    with pytest.raises(ConfigError, match=words):
        plan(load_config(file_of(tmp_path, {"model": "m.skops", **decoder})))


@pytest.mark.parametrize(
    ("decoder", "tables", "words"),
    [
        ({"name": "erp-lda", "adapt": True}, {}, "decoder: adapt: erp-lda cannot learn window by window"),
        ({"name": "acm-svm", "adapt": True}, {}, "decoder: adapt: acm-svm cannot learn"),
        ({"name": "hybrid", "recentre": True}, {}, "would mix EEG with EMG"),
        ({"recentre": "rest"}, {}, "no phase of rest of the calibration is as long as a window, 1 s"),
        ({"adapt_rate": 0.2}, {}, "adapt_rate: is for recentre and adapt"),
        ({"error_threshold": 0.9}, {}, "error_threshold: is for correct"),
        ({"error_mode": "correct"}, {}, "error_mode: is for correct"),
        (
            {"correct": "errp", "error_model": "e.skops", "error_mode": "correct"},
            {"gate": {"profile": "fes"}},
            "the second best would act without passing the gate, which fes does not allow; take error_mode = .veto.",
        ),
        (
            {"adapt": "labelled", "name": "tangent-lr"},
            {"gate": {"profile": "robot"}},
            "adapt: the model would go on learning after its idle test, and the profile robot allows",
        ),
        (
            {"adapt": "labelled", "name": "tangent-lr"},
            {"gate": {"idle_max_per_min": 2.0}},
            "go on learning after its idle test",
        ),
        ({"stop": {"min_seconds": 20.0}}, {}, "min_seconds is 20, and the paradigm looks for 1.. s at most"),
        ({"stop": {"error_cost": 3.0}}, {}, "weighed against time_cost, which is 0"),
        (
            {},
            {
                "source": {"address": "sim:cvep"},
                "pipeline": {"steps": []},
                "paradigm": {
                    "name": "code-menu",
                    "settings": {"targets": [{"name": "yes", "lag": 0}, {"name": "no", "lag": 32}]},
                },
            },
            "lags are of up, right, down, left; the paradigm code-menu has yes, no, none",
        ),
        ({"tmin": 1.0}, {}, "motor-imagery decides on 0.5 to 1.5 s after its events"),
        (
            {"adapt": True, "name": "tangent-lr"},
            {"paradigm": {"name": "p300-speller", "settings": {"copy_text": "", "calibration": "ABC"}}},
            "nothing to learn from",
        ),
    ],
)
def test_what_would_change_nothing_or_end_after_the_calibration_is_refused(
    tmp_path: Path, decoder, tables, words
) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(load_config(file_of(tmp_path, decoder, **tables)))


def test_a_refusal_ends_the_commands_with_2_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(tmp_path, {"start": "last", "models": "."})
    for words in (["check", "session", str(file)], ["run", str(file), "--headless"]):
        done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, ConfigError)
        assert done.exception.exit_code == 2
        assert 'start = "calibrate" first' in str(done.exception)
    assert not (tmp_path / "session").exists()


def kept(root: Path, subject: str) -> None:
    """Write what a session of a code leaves to the next one."""
    folder = root / "sessions" / subject
    folder.mkdir(parents=True)
    values = {"status": "complete", "info": {}, "config": {"session": {"subject": subject}}, "versions": {}}
    write_header(folder, {"format": FORMAT, "format_version": FORMAT_VERSION, **values})
    model(folder / MODEL)


def test_where_nobody_is_named_it_is_said_that_the_model_may_be_anybodys(tmp_path: Path) -> None:
    for subject in ("anonymous", "P01"):
        kept(tmp_path, subject)

    def lines(**about: Any) -> list[tuple[str, str]]:
        with plan(load_config(file_of(tmp_path, {"start": "last", "models": "sessions"}, session=about))) as made:
            return list(made.lines())

    said = 'session.subject is left out: start = "last" takes the newest model of any session without a code'
    assert any(name == "note" and value.startswith(said) for name, value in lines(seed=3))
    assert not any("session.subject" in value for _, value in lines(seed=3, subject="P01"))


@pytest.mark.parametrize(
    ("decoder", "about"),
    [
        ({"correct": "errp"}, 'correct = "errp" takes'),
        ({"start": "last", "correct": "errp", "models": "sessions"}, 'start = "last" and correct = "errp" takes'),
        ({"start": "last", "models": "own.skops"}, ""),
        ({"correct": "errp", "error_model": "own.skops"}, ""),
        ({"model": "own.skops"}, ""),
        ({"start": "population"}, ""),
    ],
)
def test_only_what_looks_for_a_person_asks_for_one(tmp_path: Path, decoder: dict[str, Any], about: str) -> None:
    (tmp_path / "own.skops").touch()
    for session in ({}, {"subject": "P01"}):
        found = notes_on_nobody(load_config(file_of(tmp_path, decoder, session=session)))
        assert [about in note for note in found] == ([] if session or not about else [True])


def test_where_no_catalogue_has_a_model_the_way_to_a_folder_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcikit.session.models._in_catalogue", lambda url, subject: [])
    for decoder in ({"start": "last"}, {"correct": "errp"}):
        with pytest.raises(ConfigError, match=r'decoder\.models = "FOLDER"') as caught:
            plan(load_config(file_of(tmp_path, decoder)))
        assert ("error-potential --source ADDRESS --subject P01" in str(caught.value)) == ("correct" in decoder)


def test_the_newest_model_of_others_that_fits_is_taken_and_named(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    for number, (name, about) in enumerate([("fits", {}), ("cap", {"names": ("C3", "C5")}), ("band", {"filters": []})]):
        path = model(tmp_path / "others" / f"{name}.skops", **about)
        others = Model.load(path)
        others.sheet = others.sheet.replace(people=("S1", "S2"), created=f"2026-01-0{number + 1}T00:00:00+00:00")
        others.save(path)
    with plan(load_config(file_of(tmp_path, {"start": "population", "models": "others"}))) as made:
        said = dict(made.lines())
    assert said["decoder"].startswith("csp-lda: ")
    assert "fits.skops" in said["decoder"]


def of_people(path: Path, number: int, **about: Any) -> Path:
    """Write a model of noise of two people, or of those that are left."""
    others = Model.load(model(path))
    created = f"2026-01-0{number}T00:00:00+00:00"
    others.sheet = others.sheet.replace(**{"people": ("S1", "S2"), "created": created, **about})
    return others.save(path)


@pytest.mark.parametrize(
    ("recentre", "about", "promised"),
    [("windows", {}, True), ("", {}, False), ("", {"followed": False}, True), ("windows", {"followed": True}, True)],
)
def test_what_a_model_of_others_promises_to_who_is_followed_is_told_to_nobody_else(
    tmp_path: Path, recentre: str, about: dict[str, bool], promised: bool
) -> None:
    expected = {"metric": "accuracy", "value": 0.8, "low": 0.5, "high": 1.0, **about}
    of_people(tmp_path / "others.skops", 1, expected=expected)
    decoder = {"start": "population", "models": "others.skops", "recentre": recentre}
    config = load_config(file_of(tmp_path, decoder))
    with plan(config) as made:
        assert any("decoder.recentre" in value for name, value in made.lines() if name == "note") == (not promised)
    calibration = Engine(config, limit=1.0).run().values["calibration"]
    assert calibration.get("without_calibration_expected") == ([0.8, 0.5, 1.0] if promised else None)
    assert calibration["people_without_calibration"] == 2


def broken(model: Model, X: Any) -> Any:
    """Stand for a model of another scikit-learn, in which an attribute is missing."""
    raise AttributeError("'LogisticRegression' object has no attribute 'multi_class'")


def test_a_model_of_others_that_cannot_be_used_ends_no_calibration_and_hides_no_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    own = Model.load(model(tmp_path / "own.skops"))
    section = load_config(file_of(tmp_path, {"models": "others"})).decoder
    of_people(folder / "withdrawn.skops", 3, people=("S1",), withdrawn=1)
    assert without_calibration(section, own, noise()) == {}
    with pytest.raises(ConfigError, match="whose consent was withdrawn since"):
        plan(load_config(file_of(tmp_path, {"start": "population", "models": "others"})))
    of_people(folder / "older.skops", 1)
    found = without_calibration(section, own, noise())
    assert found["people_without_calibration"] == 2
    with plan(load_config(file_of(tmp_path, {"start": "population", "models": "others"}))) as made:
        assert "older.skops" in dict(made.lines())["decoder"]
    monkeypatch.setattr("bcikit.decoding.evaluation.transfer.followed_probabilities", broken)
    assert without_calibration(section, own, noise()) == {}


def test_a_model_that_says_no_filters_and_a_gate_above_the_rule_of_stopping_are_told(tmp_path: Path) -> None:
    model(tmp_path / "m.skops", filters=[])
    decoder = {"model": "m.skops", "stop": {"confidence": 0.6}}
    with plan(load_config(file_of(tmp_path, decoder, gate={"confidence": 0.8}))) as made:
        assert any("does not say behind which filters" in note for note in made.notes)
        assert any("below the gate's 0.8" in note for note in made.notes)


@pytest.mark.parametrize(("reference", "doubts"), [("Cz", 1), ("mastoids", 0), ("", 0)])
def test_a_model_against_another_reference_is_told_before_the_session(tmp_path: Path, reference, doubts) -> None:
    model(tmp_path / "m.skops", reference=reference)
    with plan(load_config(file_of(tmp_path, {"model": "m.skops"}))) as made:
        found = [note for note in made.notes if "was trained on voltages against Cz" in note]
    assert len(found) == doubts


def test_a_session_rejects_by_its_own_number_whatever_its_model_says(tmp_path: Path) -> None:
    model(tmp_path / "m.skops")
    Engine(load_config(file_of(tmp_path, {"model": "m.skops", "reject": 0.99}))).run()
    session = read_session(tmp_path / "session")
    assert {decision.label for decision in session.decisions} == {None}
    assert Model.load(tmp_path / "session" / "model.skops").sheet.reject == 0.99


@pytest.mark.parametrize(("stated", "kept"), [({}, 0.99), ({"reject": 0.0}, 0.0), ({"reject": 0.6}, 0.6)])
def test_a_session_that_states_no_rejection_keeps_that_of_the_model(tmp_path: Path, stated, kept) -> None:
    model(tmp_path / "m.skops", reject=0.99)
    config = load_config(file_of(tmp_path, {"model": "m.skops", **stated}))
    for again in (config, config_from(config.model_dump(mode="json"))):
        with plan(again) as made:
            assert made.model is not None
            assert made.model.sheet.reject == kept


@pytest.mark.parametrize(
    ("name", "tables", "said"),
    [
        ("resting-state", {"decoder": {"name": "fbcca", "reject": 0.7}}, "name, reject are for what is decided, and"),
        ("eyes-open-closed", {"decoder": {"recentre": "rest"}}, "in eyes-open-closed nothing is"),
        ("ssvep-menu", {"decoder": {"model": "missing.skops"}}, "model is for a trained model"),
        ("ssvep-menu", {"decoder": {"name": "mdm", "reject": 0.9}}, "name, reject are for a trained model"),
        ("cursor", {"decoder": {"encoder": "onnx:missing.onnx"}}, "encoder is for a trained model"),
        ("neurofeedback-smr", {"decoder": {"parameters": {"n_filters": 2}}}, "parameters is for a trained model"),
        ("driving-vigilance", {"decoder": {"tmax": 2.5}}, "tmax is for a trained model"),
        (
            "motor-imagery",
            {"calibration": {"events": {"T1": "left_hand"}}},
            "calibration.events: is for the recordings",
        ),
        ("motor-imagery", {"decoder": {"name": "hybrid"}}, "decides by EMG, too, and no such channel is used"),
        (
            "code-menu",
            {"paradigm": {"settings": {"targets": [{"name": n, "lag": at} for n, at in LAGS.items()]}}},
            "lags is not that of code-menu, whose targets have up = 0, right = 0.166667",
        ),
        ("code-menu", {"paradigm": {"settings": {"refresh": 50.0}}}, "period is not that of code-menu: 1.26"),
        # False brakes an hour are counted by the windows that a drive has.
        ("emergency-braking", {"paradigm": {"settings": {"rate": 50.0}}}, "rate is not that of emergency-braking: 50"),
        (
            "ssvep-menu",
            {
                "paradigm": {"settings": {"decoder": "", "calibration_rounds": 6, "growing": False}},
                "decoder": {
                    "name": "trca",
                    "parameters": {"frequencies": {"up": 9.0, "right": 10.0, "down": 12.0, "left": 7.5}},
                },
            },
            "frequencies is not that of ssvep-menu, whose targets have up = 8.57143",
        ),
        (
            "ssvep-menu",
            {
                "paradigm": {"settings": {"decoder": "", "calibration_rounds": 6, "growing": False}},
                "decoder": {
                    "name": "cca",
                    "parameters": {"frequencies": {"up": 60 / 7, "right": 10.0, "down": 12.0, "left": 7.5}},
                },
            },
            "decides between targets alone, and the calibration has trials of none",
        ),
        # What only trains decides nothing, and ends with a model all the same.
        ("calibration", {"decoder": {"name": "nonsense"}}, "decoder is 'nonsense'"),
        ("calibration", {"decoder": {"parameters": {"xx": 1}}}, "parameter of csp-lda is 'xx'"),
        ("calibration", {"paradigm": {"settings": {"calibration_runs": 1, "trials_per_run": 4}}}, "2 of left_hand"),
        (
            "motor-imagery",
            {"decoder": {"model": "m.skops"}, "calibration": {"files": ["a.edf"], "events": {"a": "left_hand"}}},
            "calibration.files: would train another model than decoder.model",
        ),
    ],
)
def test_what_would_change_nothing_or_fail_after_the_calibration_is_refused(
    name: str, tables: dict[str, Any], said: str
) -> None:
    values = shipped_config(name).to_dict()
    values["recording"]["enabled"] = False
    for table, keys in tables.items():
        values[table] |= keys
    with pytest.raises(ConfigError) as caught:
        plan(config_from(values))
    assert said in str(caught.value)


def test_a_decoder_named_beside_another_model_is_refused(tmp_path: Path) -> None:
    there = str(model(tmp_path / "m.skops"))
    with pytest.raises(ConfigError, match=r"name: mdm would not be what decides: the model .* is csp-lda"):
        plan(load_config(file_of(tmp_path, {"name": "mdm", "model": there})))
    plan(load_config(file_of(tmp_path, {"name": "csp-lda", "model": there}))).close()
