import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.paradigms import paradigm_names
from bcikit.recording import SessionWriter, find_session, read_session, recover
from bcikit.session import Engine, Listener
from bcikit.session.conductor import RULES
from bcikit.session.config import ParadigmSection, SessionConfig, SourceSection, config_from
from bcikit.session.earlier import Earlier
from bcikit.session.from_config import as_recorded_with, paradigm_of
from bcikit.session.repeat import compare, replay
from bcikit.session.summary import to_json
from bcikit.signal import Decision, Event, Recording, RecordingError, StreamInfo
from bcikit.signal.messages import Happened, Message, Raw, StateChanged
from tests.session.test_decoder_checks import BAND, model


@pytest.fixture
def session(short_config, tmp_path: Path) -> Path:
    Engine(short_config()).run()
    return tmp_path / "session"


def test_replay_is_identical_and_one_flipped_sample_is_found(session: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(session), "--check", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["identical"], found["difference"]
    assert found["n_decisions"] == found["n_replayed"] == found["n_verdicts"] > 100
    assert read_session(session).versions["rules"] == RULES

    broken = tmp_path / "broken"
    shutil.copytree(session, broken)
    recording = read_session(session)
    first = recording.decisions[40]
    value = recording.recording.data[first.sample - 100, 5]
    signals = (broken / "signals.xdf").read_bytes()
    needle = np.float64(value).tobytes()
    assert signals.count(needle) == 1
    (broken / "signals.xdf").write_bytes(signals.replace(needle, np.float64(value + 25.0).tobytes()))
    result = CliRunner().invoke(app, ["replay", str(broken), "--check", "--json"])
    assert result.exit_code == 1, result.output
    changed = json.loads(result.stdout)
    assert not changed["identical"]
    assert recording.decisions[changed["index"]].sample >= first.sample - 100
    assert "decision.probabilities was" in changed["difference"]
    assert "not as they were written" in changed["difference"]


def test_what_a_kill_leaves_is_recovered_and_replays_identically(
    short_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that breaks twice; the folder is copied in the middle of it, as a kill at that moment would leave it."""

    class Mends(Listener):
        engine: Engine | None = None
        state = ""

        def take(self, message: Message) -> None:
            if isinstance(message, StateChanged):
                self.state = message.state
            elif isinstance(message, Raw) and self.engine is not None and self.state == "SAFE_STOP":
                self.engine.control.put({"do": "acknowledge", "who": "T-01", "reason": "in sight again"})

    config, mends = short_config(), Mends()
    address = f"{config.source.address}&incidents=sight@76~2,sight@81~0.3,pop@84~1*0"
    taken: list[int] = []
    write = SessionWriter.decision

    def decision(writer: SessionWriter, one: Decision) -> None:
        write(writer, one)
        taken.append(one.sample)
        if len(taken) == 151:
            shutil.copytree(writer.path, tmp_path / "killed")
            raise KeyboardInterrupt

    monkeypatch.setattr(SessionWriter, "decision", decision)
    changed = config.model_copy(update={"source": config.source.model_copy(update={"address": address})})
    mends.engine = engine = Engine(changed, listeners=[mends])
    with pytest.raises(KeyboardInterrupt):
        engine.run()
    killed = tmp_path / "killed"
    assert read_session(killed).status == "recording"
    with (killed / "decisions.jsonl").open("ab") as file:
        file.write(b'{"half a')
    assert recover(killed).needed
    found = replay(killed)
    assert found.identical, found.difference
    # The kill came between the last decision of a chunk and its verdict.
    assert (found.n_decisions, found.n_verdicts, found.n_replayed) == (151, 150, 151)
    session = read_session(killed)
    assert session.recording.lost > 400
    assert not compare(
        replace(session, decisions=session.decisions[:-9]), session.decisions, session.verdicts
    ).identical


@pytest.mark.slow
def test_compare_names_what_is_missing(session: Path) -> None:
    recorded = read_session(session)
    cut = compare(recorded, recorded.decisions[:-1], recorded.verdicts[:-1])
    assert cut.index == len(recorded.decisions) - 1
    assert "recorded only" in cut.difference


def of_noise(tmp_path: Path, name: str, settings: dict[str, Any], **tables: Any) -> SessionConfig:
    """Return a session of a recording that is handed to the engine, kept in the folder ``s``."""
    return config_from(
        {
            "source": {"address": "object:noise"},
            "pipeline": {"steps": BAND},
            "paradigm": {"name": name, "settings": settings},
            "outputs": [],
            "recording": {"folder": str(tmp_path / "s")},
            **tables,
        }
    )


@pytest.mark.parametrize("older", [False, True])
def test_cues_of_a_pause_are_replayed_as_they_were_taken(
    tmp_path: Path, deciding_as: Callable[..., Any], *, older: bool
) -> None:
    """An older version ran them once the protocol went on, on the EEG of another time."""

    class Pauses(Listener):
        def __init__(self) -> None:
            self.engine: Engine | None = None
            self.begun: list[int] = []
            self.done = 0

        def take(self, message: Message) -> None:
            if isinstance(message, Happened) and message.event.name == "trial/start":
                self.begun.append(message.event.sample or 0)
            due = (10.0, 30.0)[self.done : self.done + 1]
            if isinstance(message, Raw) and self.engine is not None and due and message.time >= due[0]:
                self.engine.control.put({"do": ("pause", "resume")[self.done]})
                self.done += 1

    info = StreamInfo(name="noise", sfreq=125.0, ch_names=("C3", "C4"))
    data = np.random.default_rng(0).normal(0.0, 10.0, (50 * 125, 2))
    cues = [Event(name="T1", time=at, sample=round(at * 125)) for at in (6.0, 14.0, 22.0, 36.0)]
    settings = {"cues": "external", "external": {"T1": "left_hand"}, "window": [0.5, 1.5]}
    config = of_noise(tmp_path, "motor-imagery", settings, decoder={"model": str(model(tmp_path / "m.skops"))})
    listener = Pauses()
    with deciding_as(late_cues=older):
        recording = Recording.from_arrays(info, data, events=cues)
        listener.engine = engine = Engine(config, source=recording, listeners=[listener])
        values = engine.run().values
    assert values["n_trials"] == (4 if older else 2)
    if not older:
        assert listener.begun == [750, 4500]
    found = replay(tmp_path / "s")
    assert found.identical, found.difference
    assert found.n_decisions > 40


@pytest.mark.parametrize("older", [False, True])
def test_what_the_therapist_helped_is_replayed_as_it_counted_then(
    tmp_path: Path, deciding_as: Callable[..., Any], *, older: bool
) -> None:
    """In an older version it moved the threshold, which each decision holds."""

    class Helps(Listener):
        def __init__(self) -> None:
            self.engine: Engine | None = None

        def take(self, message: Message) -> None:
            if isinstance(message, Happened) and message.event.name == "phase/prepare" and self.engine is not None:
                self.engine.control.put({"do": "override", "assist": False})

    info = StreamInfo(name="noise", sfreq=125.0, ch_names=("C3", "C4"))
    data = np.random.default_rng(0).normal(0.0, 10.0, (150 * 125, 2))
    settings = {"runs": 1, "trials_per_run": 10, "idle_share": 0.0, "difficulty": {"trials": 3}}
    settings |= {"window": 1.0, "assist": {"command": "close"}}
    decoder = {"model": str(model(tmp_path / "m.skops", classes=("right_hand", "rest")))}
    config = of_noise(tmp_path, "motor-imagery-fes", settings, decoder=decoder)
    listener = Helps()
    with deciding_as(all_grade=older):
        listener.engine = engine = Engine(config, source=Recording.from_arrays(info, data), listeners=[listener])
        details = engine.run().values["details"]
    assert details["n_left_out"] >= 6
    assert (details["threshold"] == 0.7) is not older
    assert Earlier.of(read_session(tmp_path / "s").events).all_grade is older
    found = replay(tmp_path / "s")
    assert found.identical, found.difference
    assert found.n_decisions > 40


@pytest.mark.parametrize(("votes", "older"), [(1, False), (5, False), (5, True)])
def test_planned_help_comes_at_its_time_whatever_votes_the_gate_takes(
    tmp_path: Path, deciding_as: Callable[..., Any], *, votes: int, older: bool
) -> None:
    """In an older version it came half a second late with 5 votes at 8 decisions a second, and never at the end."""
    info = StreamInfo(name="noise", sfreq=125.0, ch_names=("C3", "C4"))
    data = np.random.default_rng(0).normal(0.0, 10.0, (80 * 125, 2))
    settings = {"runs": 1, "trials_per_run": 4, "idle_share": 0.0, "window": 1.0, "assist": {"command": "close"}}
    # The decision next to the first one is at 1.5 s; the other is that of the last decision.
    settings |= {"arm": "yoked", "yoked_delays": [1.51, 6.0]}
    decoder = {"model": str(model(tmp_path / "m.skops", classes=("right_hand", "rest")))}
    config = of_noise(tmp_path, "motor-imagery-fes", settings, decoder=decoder, gate={"k": votes, "n": 8})
    with deciding_as(late_help=older):
        details = Engine(config, source=Recording.from_arrays(info, data)).run().values["details"]
    expected = [2.125] * 2 if older else [1.5, 6.0] * 2
    assert details["assist_delays"] == pytest.approx(expected, abs=1 / 125)
    assert Earlier.of(read_session(tmp_path / "s").events).late_help is older
    found = replay(tmp_path / "s")
    assert found.identical, found.difference
    assert found.n_decisions > 20


@pytest.mark.parametrize("older", [False, True])
def test_a_flicker_that_was_stopped_is_replayed_as_it_went_on_then(
    tmp_path: Path, deciding_as: Callable[..., Any], *, older: bool
) -> None:
    """In an older version it went on after the pause, and its dose through it."""

    class Coughs(Listener):
        def __init__(self) -> None:
            self.engine: Engine | None = None
            self.state = ""
            self.due: list[tuple[float, tuple[str, ...]]] = []
            self.paused = False
            self.cut: list[int] = []

        def take(self, message: Message) -> None:
            assert self.engine is not None
            if isinstance(message, StateChanged):
                self.state = message.state
            elif isinstance(message, Happened):
                if message.event.name == "stimulus/flicker" and not self.paused:
                    self.paused = True
                    at = message.event.time
                    # The second pause comes in the dark gap, or in what is left of the flicker.
                    self.due = [(at + 2, ("pause",)), (at + 4, ("resume", "arm", "start"))]
                    self.due += [(at + 4.5, ("pause",)), (at + 6, ("resume", "arm", "start"))]
                elif message.event.data.get("interrupted"):
                    self.cut.append(message.event.data["trial"])
            elif isinstance(message, Raw):
                orders: tuple[str, ...] = ()
                if self.due and message.time >= self.due[0][0]:
                    orders = self.due.pop(0)[1]
                elif self.state == "STANDBY" and not self.paused:
                    orders = ("arm", "start")
                for do in orders:
                    self.engine.control.put({"do": do, "who": "T-01", "reason": "a cough"})

    info = StreamInfo(name="noise", sfreq=125.0, ch_names=("O1", "Oz", "O2"))
    data = np.random.default_rng(0).normal(0.0, 10.0, (60 * 125, 3))
    pipeline = {"steps": [{"step": "bandpass", "l_freq": 2.0, "h_freq": 45.0}]}
    settings = {"rounds": 1, "idle_share": 0.0}
    config = of_noise(tmp_path, "ssvep-menu", settings, pipeline=pipeline, gate={"idle_label": "none"})
    listener = Coughs()
    with deciding_as(flickers_on=older):
        source = Recording.from_arrays(info, data)
        listener.engine = engine = Engine(config, source=source, operator="T-01", listeners=[listener])
        values = engine.run().values
    assert listener.paused
    assert not listener.due
    assert len(listener.cut) == (not older)
    assert values["n_trials"] == (0 if older else 4), "the dose of a pause let nothing be armed any more"
    assert Earlier.of(read_session(tmp_path / "s").events).flickers_on is older
    found = replay(tmp_path / "s")
    assert found.identical, found.difference
    assert found.n_decisions > (4 if older else 20)


def test_a_session_of_a_paradigms_own_file_replays_without_the_file(short_config, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    settings = short_config().paradigm.settings
    mine.write_text(tomli_w.dumps({"base": "motor-imagery", **settings, "title": "Mine"}))
    result = Engine(short_config(paradigm=ParadigmSection(name=str(mine)))).run()
    assert (result.values["paradigm"], result.values["n_trials"]) == ("mine", 10)
    folder = tmp_path / "session"
    kept = read_session(folder).config["paradigm"]
    assert kept["name"] == str(mine)
    assert kept["settings"].items() >= {"kind": "motor-imagery", "feedback_runs": 1, "title": "Mine"}.items()
    assert "feedback_runs = 1" in (folder / "report.html").read_text()
    assert CliRunner().invoke(app, ["verify", str(folder)]).exit_code == 0
    # An older version kept the name of the file alone.
    older = shutil.copytree(folder, tmp_path / "older")
    header = json.loads((older / "session.json").read_text())
    header["config"]["paradigm"]["settings"] = {}
    (older / "session.json").write_text(json.dumps(header))
    assert replay(older).identical
    mine.write_text('base = "motor-imagery"\nfeedback_runs = 2\n')
    assert f"were not recorded: {mine} is read as it is now" in replay(older).difference
    for _ in range(2):
        found = replay(folder)
        assert found.identical, found.difference
        assert found.n_decisions > 100
        mine.unlink(missing_ok=True)


@pytest.mark.parametrize("name", paradigm_names())
def test_every_setting_of_a_paradigms_own_file_is_kept(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(f'base = "{name}"\ninstructions = 3.0\n')
    config = SessionConfig(source=SourceSection(address="sim:rest"), paradigm=ParadigmSection(name=str(mine)))
    made = paradigm_of(config)
    kept = config_from(json.loads(to_json(as_recorded_with(config, made).to_dict())))
    mine.unlink()
    again = paradigm_of(kept)
    assert (again.kind, again.name, again.settings) == (made.kind, "mine", made.settings)
    assert again.settings.instructions == 3.0
    assert as_recorded_with(kept, again) == kept


def test_a_folder_without_a_session_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no session folder"):
        find_session(tmp_path)
    with pytest.raises(RecordingError):
        replay(tmp_path)
