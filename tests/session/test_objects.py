"""A session from Python: objects in place of the tables of a file, recorded and replayed as any other."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import FunctionTransformer

import bcikit.session as session
from bcikit.acquisition import open_source
from bcikit.decoding import Model
from bcikit.outputs import open_output
from bcikit.outputs.hand import HandOutput
from bcikit.paradigms import make_paradigm
from bcikit.processing import Bandpass, Pipeline, Step
from bcikit.session import Engine
from bcikit.session.config import SessionConfig
from bcikit.signal import ArgumentError, BciError, Chunk, ConfigError, StreamInfo
from bcikit.signal.processes import process_is_alive
from tests.session.test_planning import TRIALS

ADDRESS = "sim:motor-imagery?seed=1&channels=C3,C4&sfreq=128&chunk=16"


def imagery() -> Any:
    return make_paradigm({"kind": "motor-imagery", **TRIALS})


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    """Return the result, the hand and the folder of a session of objects."""
    hand = open_output("hand:")
    folder = tmp_path_factory.mktemp("objects") / "s"
    config = {"source": {"address": ADDRESS}, "recording": {"folder": str(folder)}}
    engine = Engine(
        config,
        source=open_source(ADDRESS),
        paradigm=imagery(),
        decoder="csp-lda",
        pipeline=Pipeline([Bandpass(l_freq=7.0, h_freq=30.0, order=4)]),
        outputs=[hand],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bcikit.session.plots.data_url", lambda _: "data:image/png;base64,")
        return engine.run().values, hand, folder


def test_objects_run_and_replay(lived: tuple[Any, Any, Path]) -> None:
    values, hand, folder = lived
    assert values["complete"]
    assert values["n_trials"] == 10
    assert hand.state()["commands"] > 0
    assert values["source"].startswith("object:")
    found = session.replay(folder)
    assert found.identical, found.difference
    assert found.n_decisions > 20


@dataclass
class Half(Step):
    """A step of a program, which is not registered."""

    name: ClassVar[str] = "half"
    share: float = 0.5

    def configure(self, info: StreamInfo) -> StreamInfo:
        return info

    def process(self, chunk: Chunk) -> Chunk:
        return replace(chunk, data=self.share * chunk.data)


def test_steps_of_one_s_own_that_are_not_registered_filter_train_and_decide(tmp_path: Path) -> None:
    def steps() -> list[Step]:
        return [Bandpass(l_freq=7.0, h_freq=30.0, order=4), Half()]

    def lived(name: str, paradigm: Any, tables: dict[str, Any] | None = None, **parts: Any) -> Any:
        config = {"source": {"address": ADDRESS}, "recording": {"folder": str(tmp_path / name)}, **(tables or {})}
        return Engine(config, paradigm=paradigm, pipeline=steps(), **parts).run().values

    first = lived("first", imagery())
    assert first["n_trials"] == 10
    assert session.replay(tmp_path / "first", pipeline=Pipeline(steps())).identical
    model = Model.load(tmp_path / "first" / "model.skops")
    assert [step["step"] for step in model.sheet.filters] == ["bandpass", "half"]
    settings = {"kind": "motor-imagery", **TRIALS, "calibration_runs": 0}
    again = lived("again", make_paradigm(settings), decoder=model)
    assert (again["n_trials"], again["model_fingerprint"]) == (10, first["model_fingerprint"])
    events = {f"cue/{name}": name for name in ("left_hand", "right_hand")}
    files = {"calibration": {"files": [str(tmp_path / "first")], "events": events}}
    trained = lived("trained", make_paradigm(settings), files)
    assert trained["n_trials"] == 10
    other = [Bandpass(l_freq=7.0, h_freq=30.0, order=4), Half(share=0.25)]
    config = {"source": {"address": ADDRESS}, "recording": {"enabled": False}}
    with pytest.raises(ConfigError, match=r"behind .*half; pipeline.steps has .*half \(share 0.25\)"):
        Engine(config, paradigm=make_paradigm(settings), pipeline=other, decoder=model).run()


def test_a_classifier_of_one_s_own_is_trained_in_the_session(tmp_path: Path) -> None:
    from sklearn.pipeline import make_pipeline

    powers = FunctionTransformer(np.var, kw_args={"axis": -1})
    mine = make_pipeline(powers, LinearDiscriminantAnalysis())
    values = (
        Engine({"source": {"address": ADDRESS}, "recording": {"enabled": False}}, paradigm=imagery(), decoder=mine)
        .run()
        .values
    )
    assert values["n_trials"] == 10
    assert values["gate"]["n"] > 20
    assert not hasattr(mine, "classes_"), "what was given stays as it was"


def test_a_trained_model_decides_from_the_start(lived: tuple[Any, Any, Path], tmp_path: Path) -> None:
    first, _, folder = lived
    model = Model.load(folder / "model.skops")
    again = make_paradigm({"kind": "motor-imagery", **TRIALS, "calibration_runs": 0})
    values = session.run(
        {"source": {"address": ADDRESS}, "recording": {"folder": str(tmp_path / "second")}},
        paradigm=again,
        decoder=model,
    ).values
    assert values["n_trials"] == 10
    assert values["model_fingerprint"] == first["model_fingerprint"]
    assert session.replay(tmp_path / "second").identical


def test_a_session_is_built_around_what_is_given() -> None:
    engine = Engine(source=ADDRESS, paradigm="motor-imagery")
    try:
        assert engine.config.source.address == ADDRESS
        assert engine.config.decoder.name == "csp-lda"
        assert engine.config.pipeline.steps[0]["step"] == "bandpass"
    finally:
        engine.control.close()


class NoClassifier(ClassifierMixin, BaseEstimator):
    """Has fit, and says no probabilities."""

    def fit(self, X: Any, y: Any) -> "NoClassifier":
        return self


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"source": 5}, "source is 5"),
        ({"source": ADDRESS, "paradigm": 3}, "paradigm is 3"),
        ({"source": ADDRESS, "decoder": NoClassifier()}, "predict_proba"),
        ({"source": ADDRESS, "outputs": [1]}, "outputs is"),
        ({}, "neither a configuration nor a source"),
    ],
)
def test_what_is_neither_object_nor_name_is_said(parts: dict[str, Any], word: str) -> None:
    with pytest.raises(ArgumentError, match=word):
        Engine(**parts)


def test_a_name_that_is_none_is_told_as_in_a_file() -> None:
    with pytest.raises(ConfigError, match="decoder"):
        session.run(
            {"source": {"address": ADDRESS}, "recording": {"enabled": False}}, paradigm=imagery(), decoder="lda"
        )


def test_an_output_that_fails_to_close_leaves_no_other_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []

    class Stuck(HandOutput):
        def close(self) -> None:
            closed.append(self)
            raise OSError("no memory")

    source, outputs = open_source(ADDRESS + "&live=1"), [Stuck(), open_output("guard:sim-hand"), Stuck()]
    guard = outputs[1]._client.pid  # type: ignore[attr-defined]
    monkeypatch.setattr(source, "close", lambda: closed.append(source))
    config = SessionConfig.model_validate({"source": {"address": ADDRESS}, "recording": {"enabled": False}})
    made = session.plan(config, source=source, paradigm=imagery(), outputs=outputs, decoder="csp-lda")
    with pytest.raises(OSError, match="no memory"):
        made.close()
    assert closed == [outputs[0], outputs[2], source]
    assert not process_is_alive(guard)
    # With what had ended the session, it is told beside that.
    with pytest.raises(BciError, match="nothing to do") as told, made:
        raise BciError("nothing to do")
    assert told.value.__notes__ == ["And closing failed: OSError: no memory"]
