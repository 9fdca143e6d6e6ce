"""What a session came to, as other programs read it."""

import json
from pathlib import Path

import pytest

from bcikit.recording import read_result, result_schema
from bcikit.session import run
from bcikit.signal import RecordingError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result") / "session"
    config = {
        "session": {"subject": "P001", "seed": 3},
        "source": {"address": "sim:rest?live=false&seed=3"},
        "paradigm": {"name": "eyes-open-closed"},
        "recording": {"folder": str(folder)},
    }
    run(config)
    return folder


def test_what_the_engine_writes_is_what_its_type_says(folder: Path) -> None:
    result = read_result(folder)
    names = set(result_schema()["properties"])
    assert set(result) <= names, "the engine writes what the type does not know"
    assert names - set(result) == set(), "the type promises what the engine does not write"
    assert result["complete"]
    assert result["ended"] == "finished"
    assert result["n_samples"] == round(result["duration_s"] * 250)


@pytest.mark.parametrize(
    ("change", "says"),
    [({"n_trials": "many"}, "n_trials"), ({"gate": {"n": 1}}, "gate"), ({"version": 99}, "newer version")],
)
def test_a_damaged_or_newer_result_is_refused_by_name(
    folder: Path, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    values = json.loads((folder / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**values, **change}))
    with pytest.raises(RecordingError, match=says):
        read_result(tmp_path)


def test_no_result_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="did not come to its end"):
        read_result(tmp_path)
