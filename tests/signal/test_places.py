"""Where a user's files are, and what happens to a user who has no home."""

import os
from pathlib import Path

import pytest

from bcikit.acquisition.dialect import known_dialects
from bcikit.outputs.displays import correction_of
from bcikit.recording.catalogue import default_url
from bcikit.safety.anchor import Anchor, Anchors
from bcikit.session.running import running
from bcikit.signal import BciError
from bcikit.signal.places import user_home, user_place


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As of a service whose user is in no list: what stands for the home stays as it is."""
    for name in (*(name for name in os.environ if name.startswith("XDG_")), "BCIKIT_RUNNING", "BCIKIT_ANCHORS", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", str)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(os.name != "posix", reason="everybody has a profile on Windows")
def test_a_user_without_a_home_is_told_and_gets_no_folder_called_tilde(homeless: Path) -> None:
    with pytest.raises(BciError, match=r"no home folder, so data have no place: set HOME, or XDG_DATA_HOME"):
        user_place("data")
    with pytest.raises(BciError, match="XDG_DATA_HOME"):
        default_url()
    assert user_home() == homeless
    assert running() == []
    assert correction_of("qt", "HDMI-1") == 0.0
    assert known_dialects()
    kept = Anchors()
    assert not kept.keep("log", Anchor("a", "b", 1))
    assert kept.find("log", "a") is None
    assert len(kept.pseudonym("P1")) == 32
    assert list(homeless.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="names of variables are POSIX's")
@pytest.mark.parametrize("home", ["plain", "with a space", "Müller 李明"])
def test_the_folders_are_those_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / home / "data"))
    assert user_place("data") == tmp_path / home / "data" / "bcikit"
    assert default_url() == f"sqlite:///{tmp_path / home / 'data' / 'bcikit' / 'catalogue.sqlite'}"
    assert user_home() == tmp_path / home


def test_nobody_else_asks_where_a_user_lives() -> None:
    root = Path(user_place.__code__.co_filename).parents[1]
    found = {
        path.name
        for path in root.rglob("*.py")
        for word in ("Path.home(", "platformdirs", ".expanduser()")
        if word in path.read_text("utf-8")
    }
    assert found == {"places.py"}
