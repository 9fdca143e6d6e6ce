from pathlib import Path

import pytest

from bcikit.session.config import config_from, load_config
from bcikit.signal import ConfigError


def test_the_least_is_an_address() -> None:
    config = config_from({"source": {"address": "sim:motor-imagery"}})
    assert config.session.subject == "anonymous"
    assert config_from(config.to_dict()) == config


def test_every_problem_is_listed_with_key_value_and_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        config_from(
            {
                "session": {"subject": "Jane Doe", "sed": 3},
                "decoder": {"tmin": 3, "tmax": 1, "reject": 2},
                "calibration": {"trials_per_class": -1},
            },
            where="my.toml",
        )
    text = str(caught.value)
    assert text.startswith("my.toml: 5 problems")
    assert "session.subject is 'Jane Doe'" in text
    assert "session.sed is unknown; allowed: name, notes, operator, seed, subject" in text
    assert "Did you mean 'seed'?" in text
    assert "source is missing" in text
    assert "decoder.reject is 2" in text
    assert "calibration.trials_per_class is -1" in text


def test_window_must_have_a_length() -> None:
    with pytest.raises(ConfigError, match="tmax is 1; it must be above tmin, 3"):
        config_from({"source": {"address": "x:y"}, "decoder": {"tmin": 3, "tmax": 1}})


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[source]\naddress = "file:run.edf?speed=1"\n[calibration]\nfiles = ["a.edf", "/b.edf"]\n'
        '[recording]\nfolder = "out"\n[paradigm]\nname = "mine.toml"\n',
        encoding="utf-8",
    )
    config = load_config(file)
    assert config.source.address == f"file:{tmp_path / 'run.edf'}?speed=1"
    assert config.calibration.files == [str(tmp_path / "a.edf"), "/b.edf"]
    assert config.recording.folder == str(tmp_path / "out")
    assert config.paradigm.name == str(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "there is no such file"), ("a = = 1", "is no TOML"), ("\xff", "source is missing|no TOML")],
)
def test_unreadable_files(tmp_path: Path, content: str | None, match: str) -> None:
    file = tmp_path / "s.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=match):
        load_config(file)
