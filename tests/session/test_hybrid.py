"""Brain and muscle from a session file: trained, run, kept, replayed bit for bit."""

from pathlib import Path

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
