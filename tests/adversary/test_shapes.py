"""Every reader of a dictionary that something else wrote refuses keys left out, put in and of another type in words."""

import ast
import contextlib
import copy
import json
from pathlib import Path

import numpy as np
import pytest

from bcikit.clinic.arms import FOLDER, trial_of
from bcikit.clinic.headsets import REMEMBERED, DeviceTest, remembered
from bcikit.clinic.record import NAME as RECORD
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.runner import EngineRunner
from bcikit.clinic.visit import Visit
from bcikit.decoding.sheet import ModelSheet
from bcikit.paradigms.scene import Scene
from bcikit.presentation.timing import TimingResult
from bcikit.recording import SessionWriter, read_session
from bcikit.safety import ArmRequest, Consent
from bcikit.session.repeat import _request
from bcikit.session.running import running
from bcikit.signal import BciError, Chunk, Command, Decision, Event, StreamInfo, Verdict
from bcikit.testing.link_plan import LinkPlan
from bcikit.validation import Profile
from bcikit.validation.fleet import read_runs
from bcikit.validation.quick import KEPT, QuickCheck, last_check
from tests.adversary.fuzzing import NASTY
from tests.adversary.targets_words import make_scene

pytestmark = pytest.mark.requirement("SAF-096")

CONSENT = {
    "subject": "P01", "version": "1", "text_sha256": "a" * 64, "language": "en", "scopes": ["acquire", "vr"],
    "signer": "participant", "signed": "2024-05-01T10:00:00+02:00", "screening_sha256": "",
}  # fmt: skip
INFO = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
REQUEST = ArmRequest(operator="dr", subject="P01", consent=Consent.model_validate(CONSENT), idle_activations=1)
SHEET = ModelSheet(
    decoder="csp-lda", params={"n": 3}, paradigm="motor-imagery", classes=("a", "b"), ch_names=("C3", "C4"),
    sfreq=250.0, n_times=500, tmin=0.0, tmax=2.0, people=("P1",), n_trials={"a": 3}, versions={"bcikit": "1"},
)  # fmt: skip
TEST = DeviceTest(
    name="x", serial="1", channels=("C3",), nominal=250.0, rate=250.0, lost=0, battery=80.0, impedance=False
)
DECISION = Decision(time=2.0, sample=99, classes=("a", "b"), probabilities=(0.25, 0.75), label="b", age=0.01)
VERDICT = Verdict(time=2.0, sample=99, allowed=False, reasons=("A-CONF",), state="ACTIVE")
PROFILE = Profile.load("research").to_dict()
# One limit of each shape: the others are read by the same lines.
PROFILE["limit"] = list({tuple(sorted(one)): one for one in PROFILE["limit"]}.values())
READERS = {
    "Event": (Event.from_dict, Event(name="cue/left", time=1.5, sample=12).to_dict()),
    "Decision": (Decision.from_dict, DECISION.to_dict()),
    "Command": (Command.from_dict, Command(name="close", value=1.0, time=1.0, sequence=1, ttl=0.5).to_dict()),
    "Verdict": (Verdict.from_dict, VERDICT.to_dict()),
    "StreamInfo": (StreamInfo.from_dict, INFO.to_dict()),
    "ArmRequest": (ArmRequest.from_record, REQUEST.to_record()),
    "ModelSheet": (ModelSheet.from_dict, SHEET.to_dict()),
    "Profile": (lambda values: Profile.from_dict(values, "profile", "mine"), PROFILE),
    "DeviceTest": (DeviceTest.from_dict, TEST.to_dict()),
    "Scene": (Scene.from_dict, make_scene()),
    "LinkPlan": (lambda values: LinkPlan.from_json(json.dumps(values)), json.loads(LinkPlan(lost=((3, 1),)).to_json())),
}


def places(values, path=()):
    """Yield every place in nested dictionaries and lists."""
    for key in list(values) if isinstance(values, dict) else range(len(values)):
        yield (*path, key)
        if isinstance(values[key], dict | list):
            yield from places(values[key], (*path, key))


def spoilt(good):
    """Yield what lacks something, has something too many, or has something else at one place."""
    yield from NASTY
    for number, path in enumerate(places(good)):
        # Each value comes to every fourth place: a fuzz tries the others.
        for value in ("gone", "more", None, True, "text", *NASTY[number % 4 :: 4]):
            bad = copy.deepcopy(good)
            holder = bad
            for key in path[:-1]:
                holder = holder[key]
            if value == "gone":
                del holder[path[-1]]
            elif value == "more" and isinstance(holder, dict):
                holder["unknown"] = 1
            else:
                holder[path[-1]] = value
            yield bad


def as_json(value):
    """Return a value as it comes out of a file."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("name", READERS)
def test_what_is_spoilt_is_read_or_refused_in_words(name):
    read, good = READERS[name]
    good = as_json(good)
    read(good)
    refused = []
    for bad in spoilt(good):
        try:
            read(as_json(bad))
        except BciError as error:
            refused.append(str(error).strip())
    assert all(refused)
    assert len(refused) > len(NASTY) // 2
    # A scene of a newer version is still shown.
    if name != "Scene":
        with pytest.raises(BciError, match="unknown"):
            read({**good, "unknown": 1})


def test_every_reader_of_a_dictionary_is_tried_here():
    found = set()
    for file in Path("bcikit").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "def from_" in text else ():
            if isinstance(node, ast.ClassDef):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and item.name in ("from_dict", "from_record", "from_json"):
                        found.add(node.name)
    assert found == set(READERS)


def test_a_request_with_another_key_or_type_is_refused_by_its_field():
    good = REQUEST.to_record()
    assert ArmRequest.from_record(good) == REQUEST
    for bad, word in (
        ({**good, "sample": 1}, "sample"),
        ({**good, "stop_tested": "false"}, "stop_tested"),
        ({**good, "idle_s": "300"}, "idle_s"),
        ({**good, "idle_activations": 0.5}, "idle_activations"),
        ({**good, "operator": None}, "operator"),
        ([1], "request"),
    ):
        with pytest.raises(BciError, match=word):
            ArmRequest.from_record(bad)


FILES = {
    "visit.json": (Visit.load, {"step": "session", "subject": "P01", "parts": ["a"], "electrodes": {"C3": "good"}}),
    "record.json": (lambda path: TrainingRecord.load(path.parent), {"subject": "P01", "parts": ["a"], "battery": 80.0}),
    "run.json": (
        lambda path: EngineRunner(path.parent).attach(str(path)),
        {"pid": 2**30, "control": {"BCIKIT_SESSION": "no ticket"}, "folder": "x"},
    ),
    "result.json": (
        lambda path: read_runs([path.parent, path.parent]),
        {
            "kind": "bcikit device report", "source": "sim:", "judgement": "PASS", "device": {"source_id": "1"},
            "about": {"begin": "x", "bench": {"unit": "1"}},
            "tests": [{"test": "V", "measurements": [{"quantity": "a", "value": 1, "uncertainty": 1, "unit": "Hz"}]}],
        },
    ),
    "timing.json": (TimingResult.load, {"n": 5, "missed": 0, "extra": 0, "offset": 0.01, "sd": 0.001, "p95": 0.02,
                                        "worst": 0.03, "drift": 0.0, "uncertainty": 0.001}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_a_window_finds_on_the_disk_ends_it_never(name, tmp_path):
    run, good = FILES[name]
    path = tmp_path / (RECORD if name == "record.json" else name)
    for bad in (good, *spoilt(good)):
        path.write_text(json.dumps(bad), encoding="utf-8")
        with contextlib.suppress(BciError):
            run(path)


def test_devices_checks_trials_and_sessions_that_run(tmp_path, monkeypatch):
    monkeypatch.setattr("bcikit.session.running.folder", lambda: tmp_path / "running")
    (tmp_path / "running").mkdir()
    (tmp_path / FOLDER).mkdir()
    device = {"address": "sim:", "name": "x", "day": "2024-05-01"}
    check = {"address": "sim:", "when": "x", "go": True, "findings": ["a"], "folder": ""}
    trial = {"trial": "T", "arms": ["sham", "yoked"], "made": "x", "next": 1, "sealed": ["a"]}
    session = {"pid": 2**30, "title": "x", "ticket": "x"}
    for bad in (device, *spoilt(device)):
        (tmp_path / REMEMBERED).write_text(json.dumps([bad]), encoding="utf-8")
        assert len(remembered(tmp_path)) <= 1
        (tmp_path / REMEMBERED).write_text(json.dumps(bad), encoding="utf-8")
        assert remembered(tmp_path) == []
    for bad in (check, *spoilt(check)):
        (tmp_path / KEPT).write_text(json.dumps(bad) + "\n", encoding="utf-8")
        found = last_check("sim:", tmp_path)
        assert found is None or isinstance(found, QuickCheck)
    for bad in (trial, *spoilt(trial)):
        (tmp_path / FOLDER / "list.json").write_text(json.dumps(bad), encoding="utf-8")
        with contextlib.suppress(BciError):
            assert isinstance(trial_of(tmp_path), str)
    for bad in (session, *spoilt(session)):
        (tmp_path / "running" / "a.json").write_text(json.dumps(bad), encoding="utf-8")
        assert running() == []


def test_lines_of_a_session_are_checked_when_it_is_read(tmp_path):
    folder = tmp_path / "s"
    with SessionWriter(folder, info=INFO, config={}) as writer:
        writer.chunk(Chunk(np.zeros((20, 2)), 100 + np.arange(20) / 250, 0), 100.1)
        writer.silence(101.0)
    refused = []
    for name, good in (
        ("inputs", {"after_chunk": 1, "kind": "attended", "request": as_json(REQUEST.to_record())}),
        ("health", {"after_chunk": 1, "kind": "silence", "time": 101.0}),
    ):
        for bad in (
            good,
            *({**good, key: value} for key in good for value in NASTY),
            *({k: v for k, v in good.items() if k != key} for key in good),
        ):
            (folder / f"{name}.jsonl").write_text(json.dumps(bad) + "\n", encoding="utf-8")
            try:
                session = read_session(folder, damaged=True)
            except BciError as error:
                refused.append(str(error))
                continue
            assert len(list(session.pulls())) <= 2
            with contextlib.suppress(BciError):
                _request(session)
            assert all(isinstance(place, int) for place in session.after_chunk(name))
        (folder / f"{name}.jsonl").unlink()
    assert all("line 1 is damaged" in text for text in refused)
    assert len(refused) > 40
