"""The menu of codes: a session from a file, calibrated, decided and replayed; what its file may not say."""

from pathlib import Path

import pytest
import tomli_w

from bcikit.paradigms import make_paradigm
from bcikit.paradigms.cvep import M_SEQUENCE
from bcikit.session import Engine, load_config, shipped_config
from bcikit.session.repeat import replay
from bcikit.signal import ArgumentError, ConfigError, StreamInfo
from bcikit.simulation.schedule import m_sequence

LAGS = {"up": 0.0, "right": 16 / 60, "down": 32 / 60, "left": 48 / 60}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_menu_of_codes_is_calibrated_chosen_from_and_replayed(tmp_path: Path) -> None:
    path = tmp_path / "codes.toml"
    values = {
        "session": {"name": "codes", "subject": "P01", "seed": 5},
        "source": {"address": "sim:cvep?seed=5"},
        "pipeline": {"steps": [{"step": "bandpass", "l_freq": 2.0, "h_freq": 40.0, "order": 2}]},
        "paradigm": {"name": "code-menu", "settings": {"calibration_rounds": 8, "rounds": 3}},
        "decoder": {"name": "code-template", "parameters": {"period": 1.05, "lags": LAGS}},
        "gate": {"idle_label": "none"},
        "recording": {"folder": "codes"},
    }
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    result = Engine(load_config(path)).run()
    assert result.values["details"]["target_accuracy"] >= 0.6
    assert result.values["details"]["false_choices"] <= 1
    assert result.values["decoder"] == "code-template"
    found = replay(tmp_path / "codes")
    assert found.identical, found.difference


def test_the_code_is_the_m_sequence_and_each_target_is_shifted() -> None:
    menu = make_paradigm("code-menu")
    assert m_sequence() == M_SEQUENCE
    shown = {target["item"]: target["code"] for target in menu.shown_targets()}
    assert shown["right"] == M_SEQUENCE[16:] + M_SEQUENCE[:16]
    signs = {name: [1 if bit == "1" else -1 for bit in code] for name, code in shown.items()}
    for name, code in signs.items():
        for other, bits in signs.items():
            if other != name:
                # Circular shifts of an m-sequence hardly know each other.
                assert sum(a * b for a, b in zip(code, bits, strict=True)) == -1


def test_a_stream_that_cannot_follow_the_bits_is_refused() -> None:
    info = StreamInfo(name="slow", sfreq=60.0, ch_names=("Oz",))
    with pytest.raises(ArgumentError, match="needs more than 60 Hz and has 60 Hz"):
        make_paradigm("code-menu").configure(info, seed=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"targets": [{"name": "a", "lag": 3}, {"name": "b", "lag": 3}]}, "differ in lag"),
        ({"targets": [{"name": "a", "lag": 3}, {"name": "none", "lag": 4}]}, "different names"),
        ({"targets": [{"name": "a", "lag": 3}, {"name": "b", "lag": 63}]}, "63"),
        ({"decoder": "fbcca"}, "trained decoder"),
        ({"cycles": 6}, "flicker must be at least"),
    ],
)
def test_wrong_settings_are_refused_by_name(changes, words) -> None:
    with pytest.raises(ConfigError, match=words):
        make_paradigm({"base": "code-menu", **changes})


def test_without_a_calibration_it_takes_the_model_of_another_day_and_says_so_where_there_is_none() -> None:
    config = shipped_config("code-menu", settings={"calibration_rounds": 0, "rounds": 1})
    with pytest.raises(ConfigError, match=r"decoder\.model: nothing would decide"):
        Engine(config).run()
