"""The vocabulary of a session: what is written is read again, what is wrong is said, what is newer is left alone."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from bcikit.signal import Chunk, Command, DataError, Decision, Event, Verdict
from bcikit.signal import messages as said
from bcikit.signal.messages import parse, record, schema, to_json

DECISION = Decision(time=1.0, sample=250, classes=("a", "b"), probabilities=(0.7, 0.3), label="a", data={"x": [1]})
VERDICT = Verdict(time=1.0, sample=250, allowed=False, reasons=("A-CONF",), state="ACTIVE")
EVERY = (
    said.Happened(event=Event(name="cue/left", time=1.0, sample=250, value=3, data={"trial": 2})),
    said.Decided(decision=DECISION, verdict=VERDICT, trial=2, final=True, latency=0.01),
    said.Sent(command=Command(sequence=1, time=1.0, ttl=0.5, name="close", value=0.5)),
    said.Alarmed(rule="H-STALL", level="WARNING", since=2.0, value=0.5, limit="x", channels=("C3",)),
    said.StateChanged(state="ACTIVE", time=3.0, rule="A-STOP", reason="patient", paused=True),
    said.ModelChosen(decoder="csp-lda", classes=("a", "b"), data="ff", time=1.0),
    said.Quality(channels={"C3": said.Electrode(level="BAD", rules=("Q-RAIL",), impedance=5e3)}, time=2.0),
    said.LinkHealth(time=1.0, link_age=0.02, lost=1, received=9, latency_ms={"total": 3.0}),
    said.Stages(stages={"filter": {"p50": 1.0, "p99": 2.0, "n": 3.0}}, time=1.0),
    said.OutputState(state={"closure": 0.4}, address="hand:", time=1.0),
    said.Counted(trials=3, answered=2, correct=1, movements=1, rewards=0, seconds=9.0, time=9.0),
    said.Progressed(what="Training", done=1, total=2),
    said.Beat(engine_age=0.1, time=2.0),
    said.Streams(raw={"name": "x"}, title="t", paradigm="p"),
    said.Presented(event=Event(name="cue/left", time=1.0, sample=250), scene={"elements": []}),
    said.Input(kind="silence", values={"now": 3.0}, time=3.0),
)


@pytest.mark.parametrize("message", EVERY, ids=lambda message: message.type)
def test_what_is_written_is_read_again_and_keeps_the_schema(message) -> None:
    text = to_json(message, seq=7, age=0.25)
    assert parse(text) == message
    values = json.loads(text)
    assert (values["v"], values["seq"], values["age"]) == (said.VERSION, 7, 0.25)
    Draft202012Validator(schema()).validate(values)


def test_every_kind_is_tried_above() -> None:
    assert {message.type for message in EVERY} == {
        kind["properties"]["type"]["const"] for kind in schema()["$defs"].values() if "type" in kind["properties"]
    }


def test_a_snapshot_holds_messages() -> None:
    snapshot = said.Snapshot(messages=EVERY, time=4.0)
    assert parse(to_json(snapshot, seq=0, age=0.0)) == snapshot


def test_numpy_that_hides_in_what_a_paradigm_adds_is_plain_and_nan_is_null() -> None:
    event = Event(name="x", time=1.0, data={"a": np.float64(0.5), "b": np.arange(2), "c": float("nan")})
    values = json.loads(to_json(said.Happened(event=event)))
    assert values["event"]["data"] == {"a": 0.5, "b": [0, 1], "c": None}


def test_a_signal_and_a_model_stay_in_the_process() -> None:
    chunk = Chunk(np.zeros((1, 1)), np.zeros(1))
    with pytest.raises(DataError, match="binary"):
        to_json(said.Raw(chunk=chunk, time=0.0))
    assert "object" not in to_json(said.ModelChosen(decoder="x", model=object())).decode()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no JSON"),
        ("[1]", "JSON object"),
        ('{"v": 2, "type": "state", "state": "x"}', "version 2"),
        ('{"type": "state"}', "state"),
        ('{"type": "state", "state": 3}', "string"),
        ('{"type": "event", "event": {"name": "x", "time": "soon"}}', "event.time"),
        ('{"type": "counts", "trials": "many"}', "trials"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_wrong_is_said(text: str, word: str) -> None:
    with pytest.raises(DataError, match=word):
        parse(text)


def test_what_a_newer_session_says_is_left_alone() -> None:
    assert parse('{"type": "state", "state": "ACTIVE", "mood": "good"}') == said.StateChanged(state="ACTIVE")
    assert parse('{"type": "mood", "x": 1}') == said.Unknown(values={"type": "mood", "x": 1})


def test_a_row_is_what_stands_in_a_session_folder() -> None:
    happened, decided, sent = EVERY[:3]
    assert record(happened) == happened.event.to_dict()
    assert record(sent) == sent.command.to_dict()
    assert record(decided)["verdict"]["reasons"] == ["A-CONF"]
    assert "type" not in record(EVERY[4])
