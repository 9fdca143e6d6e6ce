import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.recording import find_session, read_session
from bcikit.session import Engine
from bcikit.session.replay import compare, replay
from bcikit.signal import RecordingError


@pytest.fixture
def session(short_config, tmp_path: Path) -> Path:
    Engine(short_config()).run()
    return tmp_path / "session"


def test_replay_is_identical_and_one_flipped_sample_is_found(session: Path, tmp_path: Path) -> None:
    found = replay(session)
    assert found.identical, found.difference
    assert found.n_decisions == found.n_replayed == found.n_verdicts > 100
    assert CliRunner().invoke(app, ["replay", str(session), "--check"]).exit_code == 0

    broken = tmp_path / "broken"
    shutil.copytree(session, broken)
    recording = read_session(session)
    first = recording.decisions[40]
    value = recording.recording.data[first.sample - 100, 5]
    signals = (broken / "signals.xdf").read_bytes()
    needle = np.float64(value).tobytes()
    assert signals.count(needle) == 1
    (broken / "signals.xdf").write_bytes(signals.replace(needle, np.float64(value + 25.0).tobytes()))
    changed = replay(broken)
    assert not changed.identical
    assert changed.index is not None
    assert recording.decisions[changed.index].sample >= first.sample - 100
    assert "decision.probabilities was" in changed.difference
    result = CliRunner().invoke(app, ["replay", str(broken), "--check", "--json"])
    assert result.exit_code == 1
    assert '"identical": false' in result.output


def test_compare_names_what_is_missing(session: Path) -> None:
    recorded = read_session(session)
    cut = compare(recorded, recorded.decisions[:-1], recorded.verdicts[:-1])
    assert cut.index == len(recorded.decisions) - 1
    assert "recorded only" in cut.difference


def test_a_folder_without_a_session_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no session folder"):
        find_session(tmp_path)
    with pytest.raises(RecordingError):
        replay(tmp_path)
