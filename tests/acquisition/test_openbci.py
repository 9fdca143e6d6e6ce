"""A board that is opened as another: the same port, the same packets, and other electrodes in each column."""

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit import open_source
from bcikit.acquisition.openbci import DaisyCheck
from bcikit.cli.app import app
from bcikit.signal import SourceError
from bcikit.testing import CytonDaisyEmulator, EmulatorProcess, LinkPlan


def brain(n, n_channels, *, rate=250.0, seed=0, offset=2000.0):
    """Return noise like an EEG's, with the offsets of electrodes."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(0, 40.0 / np.sqrt(rate), (n, n_channels)), axis=0)
    mains = 20.0 * np.sin(2 * np.pi * 50.0 / rate * np.arange(n))[:, None]
    return slow + mains + rng.normal(0, 1.0, (n, n_channels)) + rng.normal(0, offset, n_channels)


def said(data, *, daisy):
    check = DaisyCheck(daisy=daisy)
    return "".join(check.feed(part) for part in np.array_split(data, 40) if not check.done)


def in_turn(sixteen):
    return sixteen.reshape(-1, 8)


def in_pairs(eight):
    return np.hstack([eight[1::2], eight[0::2]])


def test_what_a_board_sends_is_told_from_what_two_send():
    assert "cyton-daisy" in said(in_turn(brain(400, 16, rate=125.0)), daisy=False)
    assert "brainflow:cyton'" in said(in_pairs(brain(1200, 8, offset=300.0)), daisy=True)
    assert said(brain(600, 8), daisy=False) == ""
    assert said(brain(600, 16, rate=125.0), daisy=True) == ""


@pytest.mark.parametrize("hertz", [10.0, 60.0, 110.0, 124.0])
def test_a_generator_on_all_channels_is_one_board(hertz):
    tone = 100.0 * np.sin(2 * np.pi * hertz / 250.0 * np.arange(600))[:, None]
    noise = np.random.default_rng(1).normal(0, 0.5, (600, 16))
    assert said(tone + noise[:, :8], daisy=False) == ""
    assert said(tone + noise, daisy=True) == ""


@pytest.mark.parametrize("daisy", [False, True])
def test_inputs_that_are_shorted_or_still_say_nothing(daisy):
    noise = np.random.default_rng(2).normal(0, 0.3, (600, 16))
    assert said(noise[:, : 16 if daisy else 8], daisy=daisy) == ""
    assert said(np.zeros((600, 16 if daisy else 8)), daisy=daisy) == ""


@pytest.mark.slow
def test_a_board_that_says_it_has_a_daisy_is_not_opened_as_one_without():
    with EmulatorProcess("cyton-daisy", LinkPlan()) as device:
        with pytest.raises(SourceError, match="brainflow:cyton-daisy"):
            open_source(device.address.replace("cyton-daisy", "cyton"))
        # Nothing is left behind: the same port can be opened as what it is.
        open_source(device.address).close()


class Mute(CytonDaisyEmulator):
    """A board whose firmware does not name its converters."""

    boards = ""


@pytest.mark.slow
@pytest.mark.parametrize("daisy", [True, False])
def test_electrodes_in_the_wrong_columns_are_a_doubt(daisy, tmp_path):
    if daisy:
        with Mute(LinkPlan(block=10)) as device:
            found = recorded(device.address.replace("cyton-daisy", "cyton"), tmp_path, "4")
    else:
        with EmulatorProcess("cyton", LinkPlan(block=10)) as device:
            found = recorded(device.address.replace("cyton?", "cyton-daisy?"), tmp_path, "6")
    assert found.exit_code == 1
    assert "every second sample" in found.output if daisy else "no Daisy" in found.output


def recorded(address, folder, seconds):
    return CliRunner().invoke(app, ["record", address, "--out", str(folder / "r"), "--duration", seconds])
