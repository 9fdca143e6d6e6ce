import json
import math
import pickle

import numpy as np
import pytest

from bcikit.signal import (
    ArgumentError,
    BciError,
    Capabilities,
    Command,
    ConfigError,
    Decision,
    Event,
    HostClock,
    MissingDependencyError,
    StreamInfo,
    Verdict,
    check_channels,
    check_choice,
    check_int,
    check_range,
    microvolts_per,
)

NAN = float("nan")


@pytest.fixture
def info() -> StreamInfo:
    return StreamInfo(
        name="cap",
        sfreq=250.0,
        ch_names=("C3", "Cz", "EOG"),
        ch_types=("eeg", "eeg", "eog"),
        positions=((0.0, 0.1, 0.2), (NAN, NAN, NAN), (0.3, 0.2, 0.1)),
        capabilities=Capabilities(impedance=True, packet_modulus=256),
    )


def test_info_survives_json(info: StreamInfo) -> None:
    again = StreamInfo.from_dict(json.loads(json.dumps(info.to_dict(), allow_nan=False)))
    assert again.ch_names == info.ch_names
    assert again.ch_types == info.ch_types
    assert again.capabilities == info.capabilities
    np.testing.assert_array_equal(again.positions_array(), info.positions_array())


def test_full_scales_that_differ_go_through_json_and_with_their_channels(info: StreamInfo) -> None:
    assert "full_scales" not in info.to_dict()
    apart = info.replace(full_scales=(1e3, None, 5e4))
    again = StreamInfo.from_dict(json.loads(json.dumps(apart.to_dict(), allow_nan=False)))
    assert again.full_scales == apart.full_scales
    np.testing.assert_array_equal(again.pick([2, 1]).full_scale_array(), [5e4, NAN])
    with pytest.raises(ArgumentError, match="full_scales of 'cap' has 1 entries for 3 channels"):
        info.replace(full_scales=(1e3,))


def test_info_picks_by_name_and_type(info: StreamInfo) -> None:
    assert info.indices(ch_type="eeg") == [0, 1]
    assert info.index_of(["cz", "C3"]) == [1, 0]
    picked = info.pick([2, 0])
    assert picked.ch_names == ("EOG", "C3")
    assert picked.ch_types == ("eog", "eeg")
    with pytest.raises(ArgumentError, match=r"the decoder needs the channel C4; the stream has C3, Cz, EOG"):
        info.index_of(["C4"], who="the decoder")


def test_info_fingerprint_depends_on_what_a_decoder_depends_on(info: StreamInfo) -> None:
    assert info.fingerprint() == info.replace(name="other").fingerprint()
    assert info.fingerprint() != info.replace(sfreq=500.0).fingerprint()
    assert info.fingerprint() != info.pick([1, 0, 2]).fingerprint()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"ch_names": ("A", "A")}, "unique; more than once: A"),
        ({"ch_names": ("A", "B"), "ch_types": ("eeg",)}, "1 entries for 2 channels"),
        ({"ch_names": ("A",), "ch_types": ("brain",)}, "brain; allowed: eeg"),
        ({"ch_names": ("A",), "sfreq": -1.0}, "sfreq is -1.0"),
        ({"ch_names": ("A",), "sfreq": math.inf}, "finite"),
        ({"ch_names": ("A", "B"), "positions": ((0.0, 0.0, 0.0),)}, "1 entries for 2 channels"),
    ],
)
def test_info_refuses_what_cannot_be(changes: dict, match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        StreamInfo(**{"name": "x", "sfreq": 100.0, **changes})


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("uV", 1), ("µV", 1), ("μV", 1), ("microvolts", 1), ("Volts", 1e6), ("mV", 1e3), ("nanovolts", 1e-3)],
)
def test_units(unit: str, factor: float) -> None:
    assert microvolts_per(unit) == factor


@pytest.mark.parametrize(("unit", "said"), [("", "no unit"), ("furlong", "'furlong', which is not a voltage")])
def test_unknown_unit_says_how_to_state_it(unit: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=f"stream 'EEG' states .*{said}.*unit=uV"):
        microvolts_per(unit, where="stream 'EEG'")


def test_checks_name_argument_value_and_allowed() -> None:
    assert check_range("order", 4, low=1, high=8) == 4.0
    with pytest.raises(ArgumentError, match=r"order is 9; allowed: a finite number in \[1, 8\]"):
        check_range("order", 9, low=1, high=8)
    with pytest.raises(ArgumentError, match=r"f is nan"):
        check_range("f", NAN)
    with pytest.raises(ArgumentError, match=r"must be a number"):
        check_range("f", "many")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Did you mean 'notch'"):
        check_choice("step", "noch", ("notch", "bandpass"))
    with pytest.raises(ArgumentError, match="whole number"):
        check_int("n", True)
    with pytest.raises(ArgumentError, match="whole number"):
        check_int("n", 1.5)  # type: ignore[arg-type]
    assert check_channels(["c3"], ["C3", "c3"], who="x") == [1]


def test_every_error_is_one_family_with_exit_code_2() -> None:
    error = ConfigError("session.toml", ["gate.ttl is 9; allowed: 0 to 5", "source is missing"])
    assert isinstance(error, BciError)
    assert error.exit_code == 2
    assert "session.toml: 2 problems" in str(error)
    assert "  - source is missing" in str(error)
    missing = MissingDependencyError("nir", "nir", "Exporting to NIR")
    assert "uv sync --extra nir" in str(missing)
    assert isinstance(missing, ImportError)


@pytest.mark.parametrize(
    "word",
    [
        Event(name="cue/left", time=1.5, sample=375, value=2, duration=1.25, source="paradigm", data={"trial": 3}),
        Decision(time=2.0, sample=500, classes=("a", "b"), probabilities=(0.2, 0.8), label="b", age=0.01),
        Decision(time=2.0, sample=500, classes=("a", "b"), reason="bad-data"),
        Command(sequence=7, time=2.0, ttl=0.25, name="close", value=0.5),
        Verdict(time=2.0, sample=500, allowed=False, reasons=("A-CONF",), state="ACTIVE", data={"A-CONF": [0.6, 0.7]}),
    ],
)
def test_words_survive_json_and_pickle(word: object) -> None:
    assert type(word).from_dict(json.loads(json.dumps(word.to_dict()))) == word
    assert pickle.loads(pickle.dumps(word)) == word


def test_confidence_is_the_largest_probability() -> None:
    assert Decision(time=0, sample=0, classes=("a",), probabilities=(0.2, 0.7)).confidence == 0.7
    assert Decision(time=0, sample=0, classes=("a",)).confidence == 0.0


def test_host_clock_is_lsl_s() -> None:
    import pylsl

    before = pylsl.local_clock()
    now = HostClock().now()
    assert before <= now <= pylsl.local_clock()
