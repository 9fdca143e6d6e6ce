"""Sessions that an older version recorded give the same decisions and verdicts with this one, bit for bit."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import bcikit.session.repeat
from bcikit.paradigms import make_paradigm
from bcikit.recording import Session, installed_versions, read_session
from bcikit.session.conductor import RULES
from bcikit.session.repeat import Comparison, compare, replay
from bcikit.signal import ConfigError, Decision, Verdict

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
        # The last bit is that of the libraries and of the processor, and the difference says so.
        assert found.rounding is not None, found.difference
        assert "another kind of processor rounds otherwise" in found.difference
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


@pytest.mark.parametrize(("rules", "said"), [(None, "older"), ("1", "older"), (RULES, ""), ("999", "newer")])
def test_a_replay_that_differs_says_that_the_rules_were_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: str | None, said: str
) -> None:
    folder = tmp_path / "p300"
    shutil.copytree(GOLDEN / "p300", folder)
    header = json.loads((folder / "session.json").read_text())
    header["versions"] |= {} if rules is None else {"rules": rules}
    (folder / "session.json").write_text(json.dumps(header))
    assert "rules" not in replay(folder).difference
    twist = bcikit.session.repeat.compare

    def refused(session: Session, decisions: Sequence[Decision], verdicts: Sequence[Verdict]) -> Comparison:
        return twist(session, decisions, [replace(verdicts[0], state="ELSEWHERE"), *verdicts[1:]])

    monkeypatch.setattr(bcikit.session.repeat, "compare", refused)
    told = f"decided by {said} rules of safety (see CHANGELOG)"
    found = replay(folder).difference
    assert "is 'ELSEWHERE'" in found
    assert told in found if said else "rules" not in found


def test_what_changed_nothing_in_an_old_session_does_not_keep_it_from_being_replayed(tmp_path: Path) -> None:
    """A session file with such settings is refused now; what was recorded cannot be written anew."""
    folder = tmp_path / "p300"
    shutil.copytree(GOLDEN / "p300", folder)
    header = json.loads((folder / "session.json").read_text())
    header["config"]["paradigm"]["settings"] |= {"affected_side": "left", "ttl": 2.0}
    (folder / "session.json").write_text(json.dumps(header))
    found = replay(folder)
    assert found.identical or found.rounding is not None, found.difference
    assert found.n_replayed == DECISIONS["p300"]
    with pytest.raises(ConfigError, match="affected_side changes nothing"):
        make_paradigm({"base": "p300-single", "affected_side": "left"})


def test_a_session_says_on_what_processor_it_was_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A last bit that another kind of processor rounds otherwise must not look like a fault of the recording."""
    folder = tmp_path / "p300"
    shutil.copytree(GOLDEN / "p300", folder)
    header = json.loads((folder / "session.json").read_text())
    header["versions"] = {**installed_versions(), "processor": "openblas Cray, X86_V0"}
    (folder / "session.json").write_text(json.dumps(header))
    twist = bcikit.session.repeat.compare

    def rounded(session: Session, decisions: Sequence[Decision], verdicts: Sequence[Verdict]) -> Comparison:
        other = replace(decisions[0], time=session.decisions[0].time * (1 + 1e-15))
        return twist(session, [other, *decisions[1:]], verdicts)

    monkeypatch.setattr(bcikit.session.repeat, "compare", rounded)
    found = replay(folder)
    here = installed_versions()["processor"]
    assert found.rounding is not None
    assert f"recorded with processor openblas Cray, X86_V0; here processor {here}" in found.difference
    assert "not written down" not in found.difference
