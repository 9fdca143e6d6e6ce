import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pyxdf

from bcikit.outputs import Output, open_output
from bcikit.outputs.guard import GuardOutput
from bcikit.outputs.hand import HandOutput
from bcikit.recording import read_session
from bcikit.session import Conductor, Engine, Listener, plan
from bcikit.session.config import DecoderSection, OutputSection, ParadigmSection, PipelineSection, SourceSection
from bcikit.session.repeat import replay
from bcikit.session.report import write_report
from bcikit.signal import ArgumentError, BciError, Chunk, Command, ConfigError, Decision
from bcikit.signal.messages import Decided, Filtered, Happened, Message, ModelChosen, Raw, Sent, StateChanged
from tests.outputs.test_guard_output import Guard

LATE = {
    "step": "asr",
    "channels": ["C3", "Cz", "C4"],
    "mixing": np.eye(3).tolist(),
    "thresholds": (1e4 * np.eye(3)).tolist(),
}
"""Gives its samples 0.28 s late."""


@pytest.mark.usefixtures("painted")
def test_a_session_runs_from_calibration_to_report(short_config, tmp_path: Path, monkeypatch) -> None:
    left: list[bool] = []

    def written(path: Path, values: object, **parts: Any) -> Path:
        left.append(parts["recording"].lazy)
        return write_report(path, values, **parts)

    monkeypatch.setattr("bcikit.session.engine.write_report", written)
    seen: list[str] = []
    result = Engine(short_config(), progress=lambda what, done, total: seen.append(what)).run()
    values = json.loads((tmp_path / "session" / "result.json").read_text(encoding="utf-8"))
    assert values["n_trials"] == 10
    assert values["online_accuracy"] == sum(trial["correct"] for trial in values["trials"]) / 10
    assert values["online_accuracy"] >= 0.8
    assert values["chance_upper"] == pytest.approx(0.8)
    assert values["lost_samples"] == 0
    assert values["gate"]["n"] == values["gate"]["allowed"] + values["gate"]["refused"]
    assert values["gate"]["allowed"] > 0
    assert values["gate"]["reasons"]["A-CONF"] > 0
    assert values["latency_ms"]["n"] == values["gate"]["n"]
    assert values["ended"] == "finished"
    assert result.folder == tmp_path / "session"
    assert "Training the decoder" in seen
    page = (tmp_path / "session" / "report.html").read_text(encoding="utf-8")
    assert "Desynchronisation" in page
    assert page.count("data:image/png;base64,iVBORw0KGgo") == page.count("<img") >= 5
    assert left == [True], "a report reads what it draws, and not hours of all channels"
    assert "Early warning" in page
    assert "time in ACTIVE" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    records = [json.loads(line) for line in (tmp_path / "session" / "audit.jsonl").read_bytes().splitlines()]
    assert {record["session_id"] for record in records} == {"session"}
    assert {record["subject"] for record in records} == {"anonymous"}
    assert all(record["software"].startswith("bcikit ") and len(record["config_sha256"]) == 64 for record in records)
    assert records[-1]["hash"] in page, "the anchor of the audit log stands in the report"
    session = read_session(tmp_path / "session")
    assert len(session.decisions) == values["gate"]["n"]
    assert session.status == "complete"
    streams, _ = pyxdf.load_xdf(str(tmp_path / "session" / "signals.xdf"))
    samples = next(s for s in streams if s["info"]["type"][0] == "EEG")
    assert samples["time_series"].shape[0] == values["n_samples"]


@pytest.mark.slow
@pytest.mark.parametrize("step", [{"step": "resample", "sfreq": 80.0}, {"step": "decimate", "factor": 2}, LATE])
def test_a_pipeline_of_another_rate_or_late_trains_and_decides_at_the_cues(short_config, tmp_path: Path, step) -> None:
    config = short_config()
    section = config.pipeline.model_copy(update={"steps": [*config.pipeline.steps, step]})
    values = Engine(config.model_copy(update={"pipeline": section})).run().values
    assert values["calibration"]["n_trials"] == 10
    assert values["n_trials"] == 10
    assert values["online_accuracy"] >= 0.8
    session = read_session(tmp_path / "session")
    assert {decision.reason for decision in session.decisions} == {None}
    first = session.recording
    for event in session.events:
        if event.sample is not None and event.name.startswith("cue/"):
            place = float(first.times[0]) + (event.sample - int(first.samples[0])) / first.info.sfreq
            assert abs(place - event.time) < 0.05, event
    for decision in session.decisions:
        assert (
            abs(float(first.times[0]) + (decision.sample - first.samples[0]) / first.info.sfreq - decision.time) < 0.05
        )
    assert replay(tmp_path / "session").identical


@pytest.mark.requirement("SAF-090")
@pytest.mark.parametrize("address", ["guard:serial-fes:/dev/ttyUSB0", "guard:?driver=serial-fes:COM3"])
@pytest.mark.parametrize("profile", ["simulation", "vr"])
def test_what_can_touch_a_person_is_not_run_by_a_profile_for_pictures(short_config, address, profile) -> None:
    config = short_config("", outputs=[OutputSection(address=address)], gate={"profile": profile})
    with pytest.raises(ConfigError, match="can touch a person"):
        Engine(config, operator="Li").run()


@pytest.mark.requirement("SAF-090")
@pytest.mark.parametrize("profile", ["simulation", "vr"])
def test_what_can_touch_a_person_is_refused_as_an_object_too(
    short_config, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    class Silent(Output):
        """Says nothing of whether it moves something."""

        scheme: ClassVar[str] = "silent"

        def send(self, command: Command) -> None:
            raise AssertionError("nothing is armed")

        def safe(self, reason: str = "") -> None:
            pass

        def state(self) -> dict[str, Any]:
            return {"safe": True}

    monkeypatch.setattr("bcikit.outputs.guard.GuardClient.launch", lambda *_, **__: Guard())
    stimulator, hand = GuardOutput("serial-fes:/dev/ttyUSB0"), GuardOutput("sim-hand")
    config = short_config("", gate={"profile": profile})
    with pytest.raises(ConfigError, match=r"silent:, guard: can touch a person; it needs the profile fes or robot"):
        Engine(config, outputs=[Silent(), hand, stimulator], operator="Li").run()
    with pytest.raises(ConfigError) as refused:
        Engine(config, outputs=[hand, HandOutput()], operator="Li").run()
    assert "can touch" not in str(refused.value), "a hand of pixels needs a real clock and no profile"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_decisions_and_another_seed_others(short_config) -> None:
    digests = [Engine(short_config("", seed=seed)).run().values["decisions_sha256"] for seed in (1, 1, 2)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_nothing_moves_while_the_gate_refuses(short_config) -> None:
    class Watch(Listener):
        def __init__(self) -> None:
            self.allowed = False
            self.commands = 0

        def take(self, message: Message) -> None:
            if isinstance(message, Decided):
                self.on_decision(message.decision, message.verdict, message, message.latency)
            elif isinstance(message, Sent):
                self.on_command(message.command)

        def on_decision(self, decision, verdict, request, latency) -> None:
            self.allowed = verdict.allowed

        def on_command(self, command) -> None:
            assert self.allowed
            self.commands += 1

    watch = Watch()
    Engine(short_config(""), listeners=[watch], limit=100.0).run()
    assert watch.commands > 0


@pytest.mark.slow
def test_an_operator_s_stop_is_latched_and_recorded(short_config, tmp_path: Path) -> None:
    class Stop(Listener):
        def __init__(self) -> None:
            self.engine: Engine | None = None
            self.commands_after = 0
            self.stopped = False

        def take(self, message: Message) -> None:
            if isinstance(message, Sent):
                self.on_command(message.command)
            elif isinstance(message, StateChanged):
                self.on_state(message.state, message.time)

        def on_command(self, command) -> None:
            assert self.engine is not None
            if self.stopped:
                self.commands_after += 1
            else:
                self.engine.control.put({"do": "stop", "reason": "participant", "who": "T1"})

        def on_state(self, state: str, time: float) -> None:
            self.stopped = self.stopped or state == "SAFE_STOP"

    listener = Stop()
    engine = Engine(short_config(), listeners=[listener])
    listener.engine = engine
    result = engine.run()
    assert listener.stopped
    assert listener.commands_after == 0
    assert result.values["safety"]["state"] == "SAFE_STOP"
    assert "it was stopped (A-STOP)" in result.values["ended"]
    names = [event.name for event in read_session(tmp_path / "session").events]
    assert "operator/stop" in names


def test_a_decoder_that_fails_stops_everything(short_config) -> None:
    class Broken(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, ModelChosen):
                self.on_model(message.model)

        def on_model(self, model) -> None:
            def decide(window, *, now=None) -> Decision:
                raise ZeroDivisionError("boom")

            model.decide = decide

    result = Engine(short_config(""), listeners=[Broken()]).run()
    assert result.values["gate"]["allowed"] == 0
    assert result.values["safety"]["state"] == "SAFE_STOP"
    # Nobody is shown a trial behind the word that everything has stopped, and nobody is there to undo the stop.
    assert result.values["n_trials"] == 0
    assert not result.values["complete"]
    assert "it was stopped (A-DEC), nobody attends it" in result.values["ended"]


def test_preflight_lists_all_problems_at_once(short_config, tmp_path: Path) -> None:
    config = short_config(
        source=SourceSection(address="sim:motor-imagery?sed=1"),
        pipeline=PipelineSection(steps=[{"step": "bandpas"}, {"step": "notch", "freq": -3}]),
        decoder=DecoderSection(name="csp-ldaa"),
        outputs=[OutputSection(address="hnd:")],
        gate={"profile": "fes", "confidence": 0.1},
    )
    with pytest.raises(ConfigError) as caught:
        plan(config)
    text = str(caught.value)
    for part in ("sed", "bandpas", "notch", "hnd", "confidence"):
        assert part in text, part
    assert not (tmp_path / "session").exists()


def test_missing_channels_and_frequencies_above_nyquist_are_refused_before_the_start(short_config) -> None:
    config = short_config(
        source=SourceSection(address="sim:motor-imagery?seed=1", channels=["C3", "Qz"]),
    )
    with pytest.raises(ConfigError, match="Qz"):
        plan(config)
    config = short_config(pipeline=PipelineSection(steps=[{"step": "lowpass", "freq": 400.0}]))
    with pytest.raises(ConfigError, match="400"):
        plan(config)


def test_a_folder_that_holds_a_session_is_never_written_over(short_config, tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "old.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(BciError, match="not empty"):
        Engine(short_config()).run()
    assert (tmp_path / "session" / "old.txt").read_text(encoding="utf-8") == "kept"


def test_what_was_recorded_stays_when_training_fails(short_config, tmp_path: Path) -> None:
    class Spoil(Listener):
        """Fails as a decoder of somebody else would, in the middle of the session."""

        def take(self, message: Message) -> None:
            if isinstance(message, Happened):
                self.on_event(message.event)

        def on_event(self, event) -> None:
            if event.name == "calibration/end":
                raise BciError("no luck")

    with pytest.raises(BciError, match="no luck"):
        Engine(short_config(), listeners=[Spoil()]).run()
    session = read_session(tmp_path / "session")
    assert session.status == "failed"
    assert session.recording.n_times > 250 * 60


def test_columns_are_picked_by_name_in_the_order_asked_for(short_config) -> None:
    shapes: list[tuple[int, ...]] = []

    class Shapes(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, Filtered):
                self.on_filtered(message.chunk)

        def on_filtered(self, chunk: Chunk) -> None:
            shapes.append(chunk.data.shape)

    config = short_config(
        "", source=SourceSection(address="sim:motor-imagery?seed=1&chunk=40", channels=["C4", "CZ", "C3"])
    )
    result = Engine(config, listeners=[Shapes()], limit=100.0).run()
    assert {shape[1] for shape in shapes} == {3}
    assert result.values["calibration"]["channels"] == 3
    assert np.isfinite(result.values["online_accuracy"])


@pytest.mark.slow
def test_a_pause_shuts_the_gate_and_stops_the_paradigm_s_clock(short_config, tmp_path: Path) -> None:
    class Pause(Listener):
        def __init__(self) -> None:
            self.engine: Engine | None = None
            self.chunks = 0
            self.paused_at: int | None = None
            self.events_in_pause: list[str] = []
            self.commands_in_pause = 0

        @property
        def in_pause(self) -> bool:
            return self.paused_at is not None and self.chunks < self.paused_at + 200

        def take(self, message: Message) -> None:
            if isinstance(message, Raw):
                self.on_chunk(message.chunk, message.time)
            elif isinstance(message, Happened):
                self.on_event(message.event)
            elif isinstance(message, Sent):
                self.on_command(message.command)

        def on_chunk(self, raw, now: float) -> None:
            assert self.engine is not None
            self.chunks += 1
            if self.paused_at is not None and self.chunks == self.paused_at + 200:
                self.engine.control.put({"do": "resume"})

        def on_event(self, event) -> None:
            assert self.engine is not None
            if event.name == "feedback/start" and self.paused_at is None:
                self.engine.control.put({"do": "pause"})
            if event.name == "operator/pause":
                self.paused_at = self.chunks
            elif self.in_pause:
                self.events_in_pause.append(event.name)

        def on_command(self, command) -> None:
            self.commands_in_pause += self.in_pause

    listener = Pause()
    engine = Engine(short_config(), listeners=[listener])
    listener.engine = engine
    result = engine.run()
    assert listener.paused_at is not None
    assert listener.events_in_pause == []
    assert listener.commands_in_pause == 0
    assert result.values["n_trials"] == 10
    assert result.values["complete"]
    decisions = read_session(tmp_path / "session").decisions
    assert any(decision.reason == "paused" for decision in decisions)
    samples = [decision.sample for decision in decisions]
    assert samples == sorted(samples)
    assert replay(tmp_path / "session").identical


@pytest.mark.slow
def test_machine_findings_are_recorded_and_replayed(short_config, tmp_path: Path) -> None:
    class Busy(Listener):
        def __init__(self) -> None:
            self.told = False
            self.conductor = None

        def take(self, message: Message) -> None:
            if isinstance(message, Sent):
                self.on_command(message.command)

        def on_command(self, command) -> None:
            self.told = True

    config = short_config()
    engine = Engine(config)
    busy = Busy()
    engine.listeners.append(busy)
    original = Conductor.on_chunk

    def on_chunk(self, chunk, now, *, stopwatch=None) -> None:
        original(self, chunk, now, stopwatch=stopwatch)
        if busy.told and busy.conductor is None:
            busy.conductor = self
            self.take_input("finding", {"rule": "H-DISK", "severity": 3, "value": 0.01, "limit": 0.1, "hold": 2.0})
            self.take_input("load", {"share": 5.0})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Conductor, "on_chunk", on_chunk)
        result = engine.run()
    assert {alarm["rule"] for alarm in result.values["alarms"]} >= {"H-DISK"}
    assert result.values["safety"]["state"] in ("STANDBY", "SAFE_STOP")
    assert replay(tmp_path / "session").identical


@pytest.mark.usefixtures("undrawn")
def test_no_secret_of_an_address_is_in_what_a_session_keeps(short_config, tmp_path: Path) -> None:
    secret = "SECRET-of-sixteen-letters"
    outputs = [OutputSection(address=f"ws:127.0.0.1:0?token={secret}")]
    rest = {"phases": [{"phase": "eyes-open", "seconds": 5.0, "text": "Look"}]}
    paradigm = ParadigmSection(name="resting-state", settings=rest)
    source = SourceSection(address="sim:rest?seed=1&chunk=40")
    config = short_config(outputs=outputs, paradigm=paradigm, source=source)
    Engine(config).run()
    folder = Path(config.recording.folder)
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert {"session.json", "result.json", "report.html", "audit.jsonl"} <= {path.name for path in kept}
    assert [path.name for path in kept if secret.encode() in path.read_bytes()] == []
    assert "token=***" in (folder / "session.json").read_text(encoding="utf-8")
    assert replay(folder).difference == ""


def test_the_same_output_twice_is_refused(short_config) -> None:
    twice = [OutputSection(address="udp:127.0.0.1:9871"), OutputSection(address="udp:127.0.0.1:9871")]
    with pytest.raises(
        ConfigError, match=r"outputs\.1\.address is that of outputs\.0: each command would go there twice"
    ):
        plan(short_config("", outputs=twice))
    with open_output("udp:127.0.0.1:9871") as output, pytest.raises(ArgumentError, match="one Output twice"):
        Engine(short_config(""), outputs=[output, output])


@pytest.mark.usefixtures("undrawn")
def test_cues_that_began_no_trial_are_counted_in_what_a_session_came_to(short_config, monkeypatch) -> None:
    markers: list[dict[str, Any]] = []
    monkeypatch.setattr("bcikit.outputs.hand.HandOutput.heard", lambda _: [markers.pop()] if markers else [])

    class Pauses(Listener):
        def take(self, message: Message) -> None:
            if isinstance(message, Happened) and message.event.name == "paradigm/start":
                engine.control.put({"do": "pause"})
            if isinstance(message, Happened) and message.event.name == "operator/pause":
                markers.extend({"type": "marker", "name": name, "t": message.event.time} for name in ("T1", "T1", "no"))

    settings = {"cues": "external", "external": {"T1": "left_hand"}}
    config = short_config("dropped")
    paradigm = config.paradigm.model_copy(update={"settings": {**config.paradigm.settings, **settings}})
    engine = Engine(config.model_copy(update={"paradigm": paradigm}), listeners=[Pauses()], limit=8.0)
    result = engine.run()
    assert result.values["dropped_cues"] == 2
    assert result.folder is not None
    report = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "cues that came while the protocol stood still, and began no trial" in report
