"""Brain and muscle from a session file: trained, run, kept, replayed bit for bit."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import mne
import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding import Model
from bcikit.recording import read_session
from bcikit.session import Engine, load_config, plan
from bcikit.session.repeat import replay
from bcikit.signal import ConfigError

FILE = """
[source]
address = "sim:motor-imagery?channels=FC3,FC4,C3,Cz,C4&seed=1&ability=0.2{emg}"
types = ["eeg", "emg"]

[pipeline]
steps = [
  {{ step = "bandpass", l_freq = 7.0, h_freq = 30.0, types = ["eeg"] }},
  {{ step = "bandpass", l_freq = 20.0, h_freq = 95.0, types = ["emg"] }},
]

[paradigm.settings]
calibration_runs = 1
feedback_runs = 1
trials_per_run = 10
eyes_open = 0.0
eyes_closed = 0.0
between_runs = 2.0

[decoder]
name = "hybrid"

[recording]
folder = "session"
"""


@pytest.mark.slow
def test_a_session_by_brain_and_muscle_runs_and_replays_bit_for_bit(tmp_path: Path) -> None:
    file = tmp_path / "hybrid.toml"
    file.write_text(FILE.format(emg="&emg=left_hand,right_hand"))
    Engine(load_config(file)).run()
    session = read_session(tmp_path / "session")
    assert session.recording.info.ch_types[-2:] == ("emg", "emg")
    model = Model.load(tmp_path / "session" / "model.skops")
    assert (model.sheet.decoder, model.sheet.ch_names[-1]) == ("hybrid", "EMG right_hand")
    assert model.sheet.params["channels"]["EMG right_hand"] == "emg"
    assert sum(decision.label is not None for decision in session.decisions) > 50
    assert any(verdict.allowed for verdict in session.verdicts)
    found = replay(tmp_path / "session")
    assert found.identical, found.difference
    assert found.n_replayed > 50
    assert CliRunner().invoke(app, ["replay", str(tmp_path / "session"), "--check"]).exit_code == 0


def test_without_muscle_it_is_refused_before_it_starts(tmp_path: Path) -> None:
    file = tmp_path / "hybrid.toml"
    file.write_text(FILE.format(emg=""))
    with pytest.raises(ConfigError, match="has no EMG channel"):
        plan(load_config(file))


SECOND_DEVICE = """
[session]
name = "eyes"

[source]
address = "{address}"
types = ["eeg", "eog"]

[pipeline]
steps = [
  {{ step = "bandpass", l_freq = 7.0, h_freq = 30.0, types = ["eeg"] }},
  {{ step = "bandpass", l_freq = 1.0, h_freq = 10.0, types = ["eog"] }},
]

[paradigm]
name = "motor-imagery"

[paradigm.settings]
cues = "external"
external = {{ T1 = "left_hand", T2 = "right_hand" }}
external_trials = 8
window = [0.5, 2.0]
feedback_rate = 2.0

[calibration]
files = ["{first}"]
events = {{ T1 = "left_hand", T2 = "right_hand" }}

[decoder]
name = "hybrid"
tmax = 2.0
parameters = {{ body = ["eog"] }}

[gate]
min_good = 0.4

[recording]
folder = "{folder}"
"""


def two_devices(root: Path, name: str, *, dead: bool = False) -> str:
    """Write what two devices of different rates saw, the eyes telling the classes apart; return the joint address."""
    rng = np.random.default_rng(len(name))
    seconds, onsets = 70.0, 4.0 + 5.0 * np.arange(13)
    eeg = rng.normal(0, 5e-6, (4, round(125 * seconds))) + rng.normal(0, 1e-5, round(125 * seconds))
    raw = mne.io.RawArray(eeg, mne.create_info(["C3", "Cz", "C4", "Pz"], 125.0, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations(onsets, [3.0] * 13, [("T1", "T2")[k % 2] for k in range(13)]))
    raw.save(root / f"{name}_eeg_raw.fif", verbose="ERROR")
    t = np.arange(int(100 * seconds)) / 100
    size = np.full(len(t), 2e-5)
    for k, onset in enumerate(onsets):
        size[(t >= onset) & (t < onset + 3)] = (2e-5, 1e-4)[k % 2]
    eyes = size * np.sin(2 * np.pi * 3.0 * t) + rng.normal(0, 2e-6, len(t))
    other = mne.io.RawArray(
        (0 * eyes if dead else eyes)[None], mne.create_info(["HEOG"], 100.0, "eog"), verbose="ERROR"
    )
    other.save(root / f"{name}_eog_raw.fif", verbose="ERROR")
    return f"file:{root / f'{name}_eeg_raw.fif'}?join=file:{root / f'{name}_eog_raw.fif'}"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_eyes_of_a_second_device_are_joined_trained_run_and_replayed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["record", two_devices(tmp_path, "first"), "--out", str(tmp_path / "trained")])
    assert done.exit_code == 0, done.output
    for name, dead in (("second", False), ("broken", True)):
        file = tmp_path / f"{name}.toml"
        address = two_devices(tmp_path, name, dead=dead)
        file.write_text(SECOND_DEVICE.format(address=address, first=tmp_path / "trained", folder=f"{name}-session"))
        Engine(load_config(file)).run()
        session = read_session(tmp_path / f"{name}-session")
        assert session.recording.info.ch_types == ("eeg",) * 4 + ("eog",)
        model = Model.load(tmp_path / f"{name}-session" / "model.skops")
        assert model.sheet.ch_names[-1] == "HEOG"
        assert model.estimator.trust_ > 0
        if dead:
            assert not any(verdict.allowed for verdict in session.verdicts)
            assert all(decision.reason == "bad-data" for decision in session.decisions)
            assert all("Q-MONT" in verdict.reasons for verdict in session.verdicts)
            said = json.loads((tmp_path / f"{name}-session" / "result.json").read_text())["safety"]["quality"]
            assert said["HEOG"] == {"level": "BAD", "rules": ["Q-FLAT"]}
        else:
            rows = json.loads((tmp_path / f"{name}-session" / "result.json").read_text())["trials"]
            assert sum(row["predicted"] == row["class"] for row in rows) >= 7
        found = replay(tmp_path / f"{name}-session")
        assert found.identical, found.difference
        assert found.n_replayed >= 8


TWO_PROCESSES = """
[source]
address = "{address}"
channels = ["C3", "Cz", "C4", "EMG left", "EMG right"]

[pipeline]
steps = [
  {{ step = "bandpass", l_freq = 7.0, h_freq = 30.0, types = ["eeg"] }},
  {{ step = "bandpass", l_freq = 20.0, h_freq = 95.0, types = ["emg"] }},
]

[paradigm.settings]
calibration_runs = 1
feedback_runs = 1
trials_per_run = 10
eyes_open = 0.0
eyes_closed = 0.0
between_runs = 0.0
instructions = 0.0
beep = 0.2
cue = 0.4
cue_duration = 0.2
feedback = 1.0
stop = 2.0
window = [0.3, 1.5]
rest = [0.2, 0.3]
feedback_rate = 4.0

[decoder]
name = "hybrid"

[[outputs]]
address = "lsl:{cues}"

[recording]
folder = "session"
"""


@pytest.fixture
def device() -> Iterator[Callable[..., None]]:
    """Return a function that starts a device in a process of its own; all are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name("two_devices.py")), *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        out = started[-1].stdout
        assert out is not None
        assert out.readline().strip() == "up"

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.realtime
@pytest.mark.timeout(400)
@pytest.mark.parametrize("first", ["lsl", "board"])
def test_the_muscles_of_a_live_second_device_decide_until_it_is_gone(device, tmp_path: Path, first: str) -> None:
    """EEG of a board or of a program at 250 Hz, EMG of another at 400 Hz; the person follows the session's cues."""
    tag = uuid4().hex[:8]
    address = "brainflow:synthetic?"
    if first == "lsl":
        device("eeg", f"eeg-{tag}")
        address = f"lsl:name=eeg-{tag}&"
    # The board's partner stays; the other one is unplugged in the sixth trial with feedback.
    last = ["15"] if first == "lsl" else []
    device("emg", f"emg-{tag}", f"cues-{tag}-markers", *last)
    file = tmp_path / "live.toml"
    file.write_text(TWO_PROCESSES.format(address=f"{address}join=lsl:name=emg-{tag}%26reconnect=2", cues=f"cues-{tag}"))
    words = [sys.executable, "-m", "bcikit", "run", str(file), "--headless"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == (1 if last else 0), done.stdout + done.stderr

    session = read_session(tmp_path / "session")
    result = json.loads((tmp_path / "session" / "result.json").read_text())
    assert session.recording.info.ch_types[-2:] == ("emg", "emg")
    rows, doubts = result["trials"], result["timing"]["doubts"]
    both = rows[:5] if last else rows
    assert len(rows) == 10
    assert sum(row["correct"] and row["allowed"] for row in both) >= len(both) - 1, rows
    rules = {alarm["rule"] for alarm in result["alarms"]}
    assert not rules & {"H-STALL", "H-DRIFT", "H-RATE"}, result["alarms"]
    if last:
        assert len(doubts) == 1
        assert f"emg-{tag}" in doubts[0]
        assert "is gone" in doubts[0]
        assert "Q-MONT" in rules
        # What it would have decided by is not there: nothing is decided, and nothing let through.
        assert all(row["predicted"] is None and not row["allowed"] for row in rows[6:])
        assert all("Q-MONT" in row["reasons"] for row in rows[7:])
        assert [e.source for e in session.events if e.name == "stream/failed"] == [f"emg-{tag}"]
    else:
        assert not doubts
    assert CliRunner().invoke(app, ["replay", str(tmp_path / "session"), "--check"]).exit_code == 0
