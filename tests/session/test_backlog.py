"""An engine that stood still finds old samples in the driver's buffer: nobody was shown anything; none of it counts."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bcikit.session.engine
from bcikit.recording import read_session
from bcikit.session import Engine, Listener, drive
from bcikit.session.config import SourceSection
from bcikit.session.repeat import replay
from bcikit.signal.messages import Happened, Message

QUICK = {
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


class Freezes(Listener):
    """Holds the engine's thread up in the middle of a trial, as a computer that sleeps would."""

    def __init__(self, trial: int, seconds: float) -> None:
        self.trial, self.seconds = trial, seconds
        self.woke = 0.0
        self.shown_late: list[str] = []
        self.ended: list[dict[str, Any]] = []
        self.then: Callable[[], object] | None = None

    def take(self, message: Message) -> None:
        if not isinstance(message, Happened):
            return
        event = message.event
        if event.name.startswith("cue/") and event.data.get("trial") == self.trial and not self.woke:
            time.sleep(self.seconds)
            self.woke = time.monotonic()
        if event.name == "trial/end":
            self.ended.append(dict(event.data))
            if self.woke and self.then is not None and not event.data.get("interrupted"):
                self.then()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_who_slept_longer_than_late_samples_are_borne_goes_on(short_config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer that slept for a minute is not one that cannot keep up, nor has the source a wrong clock."""
    monkeypatch.setattr(drive, "GIVE_UP_SECONDS", 2.5)
    config = short_config(source=SourceSection(address="sim:motor-imagery?seed=1&live=1&channels=C3,C4"))
    runs = {"calibration_runs": 1, "feedback_runs": 0, "trials_per_run": 10}
    config = config.model_copy(update={"paradigm": config.paradigm.model_copy(update={"settings": {**QUICK, **runs}})})
    listener = Freezes(1, 4.0)
    engine = Engine(config, listeners=[listener])
    listener.then = lambda: engine.control.put({"do": "finish"})
    values = engine.run().values
    assert "late" not in values["ended"], values["ended"]
    assert values["backlog_s"] == pytest.approx(4.0, abs=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("trial", [3, 13], ids=["calibration", "run"])
def test_a_frozen_engine_does_not_train_on_what_nobody_was_shown(short_config, tmp_path: Path, trial: int) -> None:
    config = short_config(source=SourceSection(address="sim:motor-imagery?seed=1&live=1&channels=C3,C4"))
    config = config.model_copy(update={"paradigm": config.paradigm.model_copy(update={"settings": QUICK})})
    listener = Freezes(trial, 5.0)
    values = Engine(config, listeners=[listener]).run().values
    assert trial in [data["trial"] for data in listener.ended if data.get("interrupted")]
    assert values["complete"], values["ended"]
    assert values["interrupted_trials"] >= 1
    assert values["backlog_s"] == pytest.approx(5.0, abs=1.0)
    assert values["n_trials"] == 10
    assert values["calibration"]["n_trials"] == 10
    session = read_session(tmp_path / "session")
    late = [event for event in session.events if event.name == "session/backlog"]
    # Training may take long enough on a busy computer to be one of its own.
    assert sum(event.data["seconds"] > 3.5 for event in late) == 1
    # Each cue came while its samples were fresh: the time from one to the next is that of a trial, or of the freeze.
    cues = [event.time for event in session.events if event.name.startswith("cue/")]
    steps = [after - before for before, after in itertools.pairwise(cues)]
    assert min(steps) > 1.9
    assert max(steps) > 4.5
    assert replay(tmp_path / "session").identical


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_came_while_the_decoder_trained_is_no_stall_of_the_device(
    short_config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stall latches: with nobody there to acknowledge it, nothing would be let through in the whole session."""
    trains = bcikit.session.engine.fit_model

    def slowly(*args: Any, **options: Any) -> Any:
        time.sleep(4.0)
        return trains(*args, **options)

    monkeypatch.setattr(bcikit.session.engine, "fit_model", slowly)
    config = short_config(source=SourceSection(address="brainflow:synthetic", channels=["C3", "C4"]))
    config = config.model_copy(update={"paradigm": config.paradigm.model_copy(update={"settings": QUICK})})
    listener = Freezes(13, 0.0)
    engine = Engine(config, listeners=[listener])
    listener.then = lambda: engine.control.put({"do": "finish"})
    values = engine.run().values
    assert values["backlog_s"] >= 4.0
    levels = {alarm["rule"]: alarm["level"] for alarm in values["alarms"]}
    assert levels.get("H-STALL") != "WARNING", values["alarms"]
    assert "H-CPU" not in levels, values["alarms"]
    assert replay(Path(config.recording.folder)).identical
