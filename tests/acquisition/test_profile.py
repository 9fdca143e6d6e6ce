"""Device profiles: a maker describes a device in a file, without code."""

import time
import uuid

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition.profile import known_profiles, profile_for_board, read_profile
from bcikit.signal import ConfigError

MINE = """
name = "Acme 4"
lsl = ["acme"]
channels = ["C3", "Cz", "C4", "TRG"]
types = ["eeg", "eeg", "eeg", "stim"]
montage = "standard_1005"
reference = "M1"
full_scale = 1500.0
unit = "uV"

[trigger]
channel = "TRG"
mask = 0xFF
debounce = 0.012
"""


def test_profiles_that_come_along():
    names = {profile.name for profile in known_profiles()}
    assert len(names) == len(known_profiles()) >= 4
    assert profile_for_board("CYTON_DAISY_BOARD").counter.step == 2
    assert profile_for_board("CYTON_BOARD").full_scale == 187_500


def test_a_profile_describes_an_lsl_stream(sender, tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(MINE)
    name = f"acme-{uuid.uuid4()}"
    other = sender(name=name, unit="")
    with open_source(f"lsl:source_id={name}&profile={path}") as source:
        info = source.info
        chunks = [source.pull(60.0)]
        other.tell("bad", channel=2, value=-1600)
        end = time.monotonic() + 60
        while not any(chunk.health.mask is not None for chunk in chunks) and time.monotonic() < end:
            chunk = source.pull(0.1)
            chunks += [] if chunk is None else [chunk]
        events = [event for event in source.pull_events() if event.source == "TRG"]
    assert info.ch_names == ("C3", "Cz", "C4", "TRG")
    assert info.ch_types[3] == "stim"
    assert info.reference == "M1"
    assert info.device == "Acme 4"
    assert info.capabilities.full_scale == 1500.0
    assert info.capabilities.trigger
    assert not np.isnan(info.positions_array()[:3]).any()
    railed = [chunk.health.mask for chunk in chunks if chunk.health.mask is not None]
    assert railed
    assert any((mask[:, 2] == 2).any() for mask in railed)
    # The sender's channel counts upwards: each level holds one sample, less than the debounce.
    assert events == []


@pytest.mark.parametrize(("stated", "factor"), [("", 1.0), ("n/a", 1.0), ("millivolts", 1e3), ("V", 1e6)])
def test_the_unit_of_a_profile_is_for_a_stream_that_states_none(sender, tmp_path, stated, factor):
    path = tmp_path / "acme.toml"
    path.write_text(MINE)
    name = f"acme-{uuid.uuid4()}"
    sender(name=name, unit=stated)
    with open_source(f"lsl:source_id={name}&profile={path}") as source:
        chunk = source.pull(60.0)
    assert chunk.data[0, 1] - chunk.data[0, 0] == pytest.approx(1000 * factor)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = 3", "name"),
        ("name = 'x'\ncolour = 'red'", "colour"),
        ("name = 'x'\n[counter]\nmodulus = 1", "counter.modulus"),
        ("name = 'x'\nfull_scale = -1", "full_scale"),
        ("name = ", "no TOML"),
    ],
)
def test_wrong_profiles_name_the_key(tmp_path, text, problem):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_profile(path)


def test_a_profile_for_another_number_of_channels(tmp_path):
    path = tmp_path / "acme.toml"
    path.write_text(MINE)
    with pytest.raises(ConfigError, match="4 entries, the device has 16 channels"):
        open_source(f"brainflow:synthetic?profile={path}")
