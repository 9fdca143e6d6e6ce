"""Each key of the table "decoder" in a session run from a file: what it changes is seen there, and replays bit for bit.

`KEYS` is the proof: for each key a session without it, one with it, and what differs. A key without a row fails.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from bcikit.acquisition import open_source
from bcikit.decoding import Epochs, Model, epochs, make_decoder
from bcikit.decoding.population import MemberTrials, fit_population
from bcikit.decoding.sheet import ModelSheet
from bcikit.decoding.store import read_sheet
from bcikit.processing import Pipeline
from bcikit.recording import Session, read_session
from bcikit.session import Engine, load_config
from bcikit.session.decoder_settings import DecoderSection, StopSection
from bcikit.session.models import ERROR_MODEL, MODEL
from bcikit.session.repeat import replay
from bcikit.signal import Recording

pytestmark = pytest.mark.xdist_group("decoder-keys")

NAMES = "FC3,FC4,C3,Cz,C4,CP3,CPz,CP4"
SIM = f"sim:motor-imagery?channels={NAMES}&sfreq=125&chunk=25"
BAND = [{"step": "bandpass", "l_freq": 7.0, "h_freq": 30.0, "order": 4}]
WIDE = [{"step": "bandpass", "l_freq": 5.0, "h_freq": 45.0, "order": 4}]
SLOW = [{"step": "bandpass", "l_freq": 1.0, "h_freq": 10.0, "order": 2}]
TASK = {
    "calibration_runs": 1, "feedback_runs": 1, "trials_per_run": 10, "eyes_open": 0.0, "eyes_closed": 0.0,
    "between_runs": 0.0, "instructions": 0.0, "beep": 0.5, "cue": 1.0, "cue_duration": 0.5, "feedback": 1.5,
    "stop": 2.6, "window": [0.5, 1.5], "rest": [1.0, 1.2], "feedback_rate": 4.0,
}  # fmt: skip
GIVEN = {"model": f"trained/{MODEL}"}
WATCHED = {**GIVEN, "correct": "errp", "error_model": "errors.skops", "error_threshold": 0.5}
MENU = {
    "targets": [{"name": "up", "frequency": 10.0}, {"name": "down", "frequency": 12.0}],
    "cue": 0.5, "flicker": 3.2, "blank": 1.0, "baseline": 0.0, "first": 2.5, "growing": False, "rounds": 5,
    "idle_share": 1.0, "instructions": 0.0,
}  # fmt: skip
LONG = {"stop": 5.5}
"""Time for several windows side by side."""
READY: Any = {"beside": {**GIVEN, "stop": {"confidence": 0.65}}, "task": LONG}


@dataclass(frozen=True, slots=True)
class Done:
    """What a session came to."""

    result: dict[str, Any]
    session: Session
    folder: Path

    @property
    def sheet(self) -> ModelSheet:
        return read_sheet(self.folder / MODEL)

    @property
    def calibrated(self) -> int:
        """Trials of calibration that the person went through."""
        return sum(e.name == "trial/start" and e.data["kind"] == "calibration" for e in self.session.events)

    @property
    def seconds(self) -> list[float]:
        """When each choice was made, after its cue."""
        return [row["seconds"] for row in self.result["trials"] if row["predicted"] is not None]

    @property
    def all_seconds(self) -> list[float]:
        """When each trial was over for the decoder, with a choice or without."""
        return [row["seconds"] for row in self.result["trials"]]

    @property
    def undecided(self) -> int:
        return sum(decision.label is None for decision in self.session.decisions)

    @property
    def believed(self) -> list[tuple[float, ...]]:
        return [decision.probabilities for decision in self.session.decisions]

    @property
    def undone(self) -> list[dict[str, Any]]:
        return [row for row in self.result["trials"] if row.get("undone")]

    @property
    def instead(self) -> set[str | None]:
        """What took the place of choices that were taken back."""
        return {row["predicted"] for row in self.undone}

    @property
    def judged(self) -> list[float]:
        """Probabilities of an error."""
        return [row["p_error"] for row in self.result["trials"] if row.get("p_error") is not None]

    @property
    def others(self) -> int | None:
        """How many people's model was held beside the calibration."""
        return self.result["calibration"].get("people_without_calibration")

    @property
    def adaptation(self) -> dict[str, Any]:
        return self.result["adaptation"]


@dataclass(frozen=True, slots=True)
class Key:
    """A session without the key and one with it, alike in all else, and what of the two must be so."""

    value: Any
    seen: Callable[[Done, Done], object]
    beside: Mapping[str, Any] = field(default_factory=dict)
    ability: float = 0.9
    task: Mapping[str, Any] = field(default_factory=dict)
    paradigm: str = "motor-imagery"


KEYS = {
    "name": Key("tangent-lr", lambda a, b: (a.sheet.decoder, b.sheet.decoder) == ("csp-lda", "tangent-lr")),
    "encoder": Key("onnx:net.onnx", lambda a, b: (a.sheet.decoder, b.sheet.decoder) == ("csp-lda", "encoder")),
    "parameters": Key(
        {"classifier": "lda"},
        lambda a, b: (a.sheet.params["classifier"], b.sheet.params["classifier"]) == ("lr", "lda"),
        beside={"name": "tangent-lr"},
    ),
    "reject": Key(0.9, lambda a, b: a.undecided < b.undecided and b.sheet.reject == 0.9),
    "model": Key(GIVEN["model"], lambda a, b: (a.calibrated, b.calibrated) == (10, 0)),
    "start": Key("last", lambda a, b: (a.calibrated, b.calibrated) == (10, 0), beside={"models": "."}),
    "models": Key(
        "others.skops",
        lambda a, b: (a.others, b.others) == (None, 2),
        beside={"name": "tangent-lr"},
    ),
    "recentre": Key("windows", lambda a, b: not a.adaptation and b.adaptation["centred"] == 10, beside=GIVEN),
    "adapt": Key("labelled", lambda a, b: not a.adaptation and b.adaptation["learned"] == 10, beside=GIVEN),
    "adapt_rate": Key(
        0.4,
        # Nothing is learned before the end of the first window.
        lambda a, b: a.believed[0] == b.believed[0] and a.believed[-1] != b.believed[-1],
        beside={**GIVEN, "adapt": "labelled"},
    ),
    "correct": Key(
        "errp",
        lambda a, b: not a.judged and len(b.judged) >= 5,
        beside={**GIVEN, "models": "errors.skops"},
    ),
    "error_model": Key(
        "errors-2.skops",
        lambda a, b: [sum(read_sheet(done.folder / ERROR_MODEL).n_trials.values()) for done in (a, b)] == [60, 45],
        beside={**GIVEN, "correct": "errp", "models": "errors.skops"},
    ),
    "error_threshold": Key(0.99, lambda a, b: len(a.undone) > len(b.undone), beside=WATCHED, ability=0.2),
    "error_mode": Key(
        "correct",
        lambda a, b: a.instead == {None} and b.instead and None not in b.instead,
        beside=WATCHED,
        ability=0.2,
    ),
    "tmin": Key(0.8, lambda a, b: (a.sheet.n_times, b.sheet.n_times) == (312, 275), paradigm="ssvep-menu"),
    "tmax": Key(2.0, lambda a, b: (a.sheet.n_times, b.sheet.n_times) == (312, 188), paradigm="ssvep-menu"),
    "stop": Key({"confidence": 0.65}, lambda a, b: len({*a.seconds}) == 1 < len({*b.seconds}), beside=GIVEN, task=LONG),
    "stop.confidence": Key(0.65, lambda a, b: len(a.seconds) < len(b.seconds), beside={**GIVEN, "stop": {}}, task=LONG),
    "stop.min_seconds": Key(3.0, lambda a, b: min(a.seconds) < 3.0 <= min(b.seconds), **READY),
    "stop.max_seconds": Key(1.5, lambda a, b: max(a.seconds) > 3.0 and max(b.all_seconds) == 1.504, **READY),
    "stop.time_cost": Key(0.05, lambda a, b: sum(a.all_seconds) < sum(b.all_seconds), **READY),
    "stop.error_cost": Key(
        50.0,
        lambda a, b: sum(a.all_seconds) < sum(b.all_seconds),
        beside={**GIVEN, "stop": {"confidence": 0.65, "time_cost": 0.05}},
        task=LONG,
    ),
}  # fmt: skip


def session_file(root: Path, name: str, decoder: Mapping[str, Any], *, ability: float = 0.9, **tables: Any) -> Path:
    """Write a session file beside what it names; return it."""
    values = {
        "session": {"name": name, "subject": "P01", "seed": 3},
        "source": {"address": f"{SIM}&seed=3&ability={ability}"},
        "pipeline": {"steps": BAND},
        "paradigm": {"name": "motor-imagery", "settings": TASK},
        "decoder": dict(decoder),
        "gate": {"refractory_s": 0.3},
        "recording": {"folder": name},
        **tables,
    }
    path = root / f"{name}.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def lived(file: Path) -> Done:
    """Run a session file."""
    folder = file.with_suffix("")
    Engine(load_config(file)).run()
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return Done(result, read_session(folder), folder)


def _imagery(seed: int) -> Epochs:
    with open_source(f"{SIM}&schedule=1&trials=20&seed={seed}&ability=0.95") as source:
        chunks, events = [], []
        for chunk in source:
            chunks.append(chunk)
            events += source.pull_events()
    recording = Pipeline.from_config(BAND).apply(Recording.from_chunks(source.info, chunks, events=tuple(events)))
    cues = {"cue/left_hand": "left_hand", "cue/right_hand": "right_hand"}
    return epochs(recording, events=cues, tmin=0.5, tmax=1.5, max_bad=1.0)


def _errors(like: Epochs, n: int) -> Epochs:
    """Return windows of 0.6 s, every second with a bump in the middle of the head."""
    rng = np.random.default_rng(n)
    y = np.array(["correct", "error"])[np.arange(n) % 2]
    X = rng.normal(0.0, 6.0, (n, len(like.ch_names), 75))
    X[y == "error", 3] += 6.0 * np.hanning(75)
    runs = np.arange(n) // 15
    return replace(like, X=X, y=y, groups=runs, runs=runs, samples=np.arange(n) % 15 * 300, tmin=0.0, tmax=0.6)


def _network(path: Path) -> None:
    """Write a small network: power in time and space of untrained filters."""
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(0)
    shapes = {"in_time": (8, 1, 1, 13), "in_space": (8, 8, 8, 1)}
    nodes = [
        ("Conv", ["x", "in_time"]), ("Conv", ["t0", "in_space"]), ("Mul", ["t1", "t1"]), ("GlobalAveragePool", ["t2"]),
        ("Log", ["t3"]), ("Flatten", ["t4"]),
    ]  # fmt: skip
    values = [onnx.numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in shapes.items()]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(name, needs, [f"t{k}"]) for k, (name, needs) in enumerate(nodes)],
        "power",
        [onnx.helper.make_tensor_value_info("x", kind, ["n", 1, 8, 125])],
        [onnx.helper.make_tensor_value_info("t5", kind, ["n", None])],
        values,
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    onnx.save_model(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def _like(decoder: Mapping[str, Any], ability: float, paradigm: str, task: Mapping[str, Any]) -> str:
    return json.dumps([decoder, ability, paradigm, task], sort_keys=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Done]]]:
    """Give a folder with models and recordings that session files name, and the sessions that were run already."""
    root = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        # What a report looks like is no matter here.
        patch.setattr("bcikit.session.engine.write_report", lambda *_, **__: None)
        known = {_like({}, 0.9, "motor-imagery", {}): lived(session_file(root, "trained", {}))}
        people = [MemberTrials(code=f"S{seed}", trials=_imagery(seed)) for seed in (31, 32)]
        fit_population(make_decoder("tangent-lr", sfreq=125.0), people, filters=BAND).save(root / "others.skops")
        for name, n in (("errors", 60), ("errors-2", 45)):
            Model.fit("errp-lda", _errors(people[0].trials, n), filters=SLOW).save(root / f"{name}.skops")
        looked = {"name": "ssvep-menu", "settings": MENU}
        source = {"address": "sim:ssvep?channels=O1,Oz,O2,PO3,POz,PO4&sfreq=125&chunk=25&seed=3"}
        lived(session_file(root, "looked", {}, paradigm=looked, source=source, pipeline={"steps": WIDE}))
        yield root, known


@pytest.mark.parametrize("key", KEYS)
def test_a_key_changes_what_a_session_file_does_and_the_session_replays(
    made: tuple[Path, dict[str, Done]], key: str
) -> None:
    root, known = made
    row = KEYS[key]
    if key == "encoder":
        _network(root / "net.onnx")
    without = dict(row.beside)
    table, _, part = key.partition(".")
    with_it = without | ({table: {**without.get(table, {}), part: row.value}} if part else {key: row.value})
    if part:
        without.setdefault(table, {})
    tables = {"paradigm": {"name": row.paradigm, "settings": {**TASK, **row.task}}}
    if row.paradigm == "ssvep-menu":
        tables = {
            "paradigm": {"name": "ssvep-menu", "settings": {**MENU, "decoder": "", "rounds": 4}},
            "source": {"address": "sim:ssvep?channels=O1,Oz,O2,PO3,POz,PO4&sfreq=125&chunk=25&seed=4"},
            "pipeline": {"steps": WIDE},
            "calibration": {"files": ["looked"], "events": {f"cue/{name}": name for name in ("up", "down", "none")}},
        }
    # What is a session with one key is that without another: each is run once.
    found = []
    for name, decoder in ((f"without-{key}", without), (f"with-{key}", with_it)):
        this = _like(decoder, row.ability, row.paradigm, row.task)
        if this not in known:
            known[this] = lived(session_file(root, name, decoder, ability=row.ability, **tables))
        found.append(known[this])
    assert row.seen(*found), [one.result for one in found]
    again = replay(found[1].folder)
    assert again.identical, again.difference
    assert again.n_replayed >= 10


def test_every_key_has_its_row() -> None:
    assert set(KEYS) == {*DecoderSection.model_fields, *(f"stop.{key}" for key in StopSection.model_fields)}
