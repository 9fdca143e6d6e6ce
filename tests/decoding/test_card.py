"""A card is computed again by another, and every change to it or to the data shows."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bcikit.cli.app import app
from bcikit.decoding.evaluation import card as cards
from bcikit.decoding.evaluation.layouts import find_tasks
from bcikit.decoding.evaluation.run import evaluate_task
from bcikit.decoding.evaluation.task import load_task
from bcikit.recording import import_file
from bcikit.signal import DataError
from bcikit.signal.signing import sign
from tests.decoding.test_study import folder

pytest.importorskip("cryptography")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[dict, Path]:
    root = folder(tmp_path_factory.mktemp("card"))
    (task,) = find_tasks(root, paradigm="motor-imagery", events={"T1": "l", "T2": "r"}, window=(0.0, 1.5))
    result = evaluate_task(task, load_task(task), ["csp-lda"], splits=["leave-run-out"], seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "key_file", lambda: root.parent / "key")
        values = cards.make_card([result], splits=["leave-run-out"], seed=3)
    return values, root


def test_it_is_computed_again_to_the_same_numbers(made, tmp_path):
    values, _ = made
    (tmp_path / "card.json").write_text(json.dumps(values, indent=3))
    found = cards.check_card(cards.read_card(tmp_path / "card.json"))
    assert found.problems == ()
    assert found.n_numbers == 3
    assert found.largest <= cards.TOLERANCE
    assert len(found.key.split()) == 4


@pytest.mark.parametrize("where", ["result", "seed", "signature", "hash", "version", "left out", "torn"])
def test_every_change_shows_and_what_it_is(made, where):
    values = json.loads(json.dumps(made[0]))
    task = values["tasks"][0]
    if where == "result":
        task["results"]["csp-lda"]["leave-run-out"]["01"] = 0.99
    elif where == "seed":
        values["seed"] = 4
    elif where == "signature":
        values["signature"] = "AAAA"
    elif where == "version":
        values["environment"]["packages"]["numpy"] = "0.1"
    elif where == "left out":
        task["left_out"] = 7
    elif where == "torn":
        del task["window"]
    else:
        task["runs"][0]["sha256"] = "0" * 64
    found = cards.check_card(values)
    assert "signature" in found.problems[0]
    assert found.key == ""
    what = {"result": "01: the card says 0.990000", "hash": "other content", "left out": "left out 7", "torn": "window"}
    assert what.get(where, "") in " ".join(found.problems[1:] or found.problems)
    assert any("numpy 0.1, here" in text for text in found.other) == (where == "version")


def test_a_change_that_another_key_signs_still_shows(made, tmp_path):
    values = json.loads(json.dumps(made[0]))
    values["tasks"][0]["results"]["csp-lda"]["leave-run-out"]["01"] = 0.99
    (tmp_path / "card.json").write_text(json.dumps(sign(values, tmp_path / "key of another")))
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "card.json")])
    assert done.exit_code == 1
    assert "01: the card says 0.99" in done.output
    assert "not yours" in done.output
    empty = {**values, "tasks": [{**values["tasks"][0], "results": {}}]}
    assert "no number" in cards.check_card(sign(empty, tmp_path / "key of another")).problems[0]
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "card.json"), "--fast", "--key", "0000 0000 0000 0000"])
    assert done.exit_code == 1
    assert "not 0000" in done.output


def test_files_beside_a_recording_are_part_of_it(made):
    values, root = made
    victim = next(root.rglob("*_raw.fif"))
    events = victim.with_name(victim.name.replace("_raw.fif", "-eve.fif"))
    events.write_bytes(b"more events")
    try:
        (problem,) = cards.check_card(values, recompute=False).problems
        assert f"{events.name}, which decides what is read of it, was not there" in problem
    finally:
        events.unlink()


def test_other_data_show_and_moved_data_are_found(made, tmp_path):
    values, root = made
    import shutil

    shutil.copytree(root, tmp_path / "moved")
    assert cards.check_card(values, data=tmp_path / "moved", recompute=False).problems == ()
    victim = next(root.rglob("*.fif"))
    original = victim.read_bytes()
    try:
        victim.write_bytes(original + b"x")
        assert "other content" in cards.check_card(values, recompute=False).problems[0]
        victim.unlink()
        assert "is not here" in cards.check_card(values, recompute=False).problems[0]
    finally:
        victim.write_bytes(original)


def test_session_folders_that_were_moved_are_found(made, tmp_path, command_line, monkeypatch):
    _, root = made
    monkeypatch.setattr(cards, "key_file", lambda: tmp_path / "key")
    for file in sorted(root.rglob("*_raw.fif")):
        place = tmp_path / "there" / file.relative_to(root).with_suffix("")
        place.parent.mkdir(parents=True, exist_ok=True)
        import_file(file, place)
    words = ("-p", "motor-imagery", "--events", "T1=l,T2=r", "--window", "0", "1.5", "-d", "csp-lda")
    card = tmp_path / "card.json"
    ran = command_line("evaluate", tmp_path / "there", *words, "--split", "leave-run-out", "--card", card)
    assert ran.code == 0, ran.err
    (tmp_path / "there").rename(tmp_path / "here")
    ran = command_line("verify", card)
    assert (ran.code, "is not here" in ran.out) == (1, True)
    ran = command_line("verify", card, "--data", tmp_path / "here")
    assert ran.code == 0, ran.out
    session = next((tmp_path / "here").rglob("session.json"))
    session.write_text(session.read_text() + " ")
    ran = command_line("verify", card, "--data", tmp_path / "here")
    assert ran.code == 1


def test_what_is_no_card_is_said(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match="no card"):
        cards.read_card(tmp_path / "x.json")
