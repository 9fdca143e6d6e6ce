"""Sessions that an older version recorded give the same decisions and verdicts with this one, bit for bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bcikit.recording import installed_versions, read_session
from bcikit.session.repeat import compare, replay
from bcikit.signal import Decision

GOLDEN = Path(__file__).parent / "golden"
DECISIONS = {"stopped": 70, "gap": 70, "gate": 70, "ssvep": 69, "p300": 18, "neurofeedback": 411}


def test_every_recording_is_replayed() -> None:
    assert {folder.name for folder in GOLDEN.iterdir() if folder.is_dir()} == set(DECISIONS)


# Where an older scikit-learn than the recording's reads its model, it says so.
@pytest.mark.filterwarnings("ignore:Trying to unpickle estimator")
@pytest.mark.parametrize("name", DECISIONS)
def test_an_old_session_replays_identically(name: str) -> None:
    found = replay(GOLDEN / name)
    if not found.identical:
        # The last bit is that of the library that made it, and the difference says which one is another here.
        assert found.rounding is not None, found.difference
        assert f"numpy {installed_versions()['numpy']}" in found.difference
    assert found.n_decisions == found.n_verdicts == found.n_replayed == DECISIONS[name]


@pytest.mark.parametrize(
    ("change", "rounding"),
    [
        (lambda one: replace(one, probabilities=tuple(p * (1 + 1e-12) for p in one.probabilities)), 1e-12),
        (lambda one: replace(one, probabilities=tuple(p * 1.0001 for p in one.probabilities)), None),
        (lambda one: replace(one, label="another"), None),
        (lambda one: replace(one, sample=one.sample + 1), None),
    ],
)
def test_only_a_last_bit_is_called_rounding(change: Callable[[Decision], Decision], rounding: float | None) -> None:
    session = read_session(GOLDEN / "p300")
    decisions = [*session.decisions[:5], change(session.decisions[5]), *session.decisions[6:]]
    found = compare(session, decisions, session.verdicts)
    assert not found.identical
    assert found.index == 5
    assert found.rounding == (rounding and pytest.approx(rounding, rel=0.01))
