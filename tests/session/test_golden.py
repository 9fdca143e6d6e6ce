"""Sessions that an older version recorded give the same decisions and verdicts with this one, bit for bit."""

from pathlib import Path

import pytest

from bcikit.session.repeat import replay

GOLDEN = Path(__file__).parent / "golden"
DECISIONS = {"stopped": 70, "gap": 70, "gate": 70, "ssvep": 69, "p300": 18, "neurofeedback": 411}


def test_every_recording_is_replayed() -> None:
    assert {folder.name for folder in GOLDEN.iterdir() if folder.is_dir()} == set(DECISIONS)


@pytest.mark.parametrize("name", DECISIONS)
def test_an_old_session_replays_identically(name: str) -> None:
    found = replay(GOLDEN / name)
    assert found.identical, found.difference
    assert found.n_decisions == found.n_verdicts == found.n_replayed == DECISIONS[name]
