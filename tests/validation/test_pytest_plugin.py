"""The plugin, used as a maker of devices uses it: in a project of their own."""

import os
import subprocess
import sys

import pytest

TESTS = """
def test_stream(eeg_source):
    chunk = eeg_source.pull()
    assert chunk.n_channels == 2

def test_limits(device_report):
    assert device_report.exit_code == 0
    assert abs(device_report.value("V-GAIN", "gain_error").value) < 1
"""
PROFILE = """
title = "Ours"
tests = ["V-GAIN"]
[seconds]
sine = 2
[[limit]]
test = "V-GAIN"
quantity = "gain_error"
min = -1
max = 1
unit = "%"
source = "our data sheet"
"""


def _pytest(folder, *arguments):
    # Only the plugin that is tested: loading all others costs more than the tests.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bcikit.validation.pytest_plugin", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


def test_pytest_finds_the_plugin_by_itself():
    from importlib.metadata import entry_points

    (point,) = entry_points(group="pytest11", name="bcikit")
    assert hasattr(point.load(), "device_report")


@pytest.mark.slow
def test_a_makers_project_passes_with_a_sound_device_fails_with_another_and_skips_without(tmp_path):
    (tmp_path / "test_ours.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "ours.toml").write_text(PROFILE, encoding="utf-8")
    sound = _pytest(
        tmp_path, "--bcikit-source=dut:channels=2", "--bcikit-profile=ours.toml", f"--bcikit-out={tmp_path / 'out'}"
    )
    assert "2 passed" in sound.stdout, sound.stdout + sound.stderr
    assert (tmp_path / "out" / "report.html").is_file()
    wrong = _pytest(tmp_path, "--bcikit-source=dut:channels=2&gain=1.05", "--bcikit-profile=ours.toml")
    assert "1 failed, 1 passed" in wrong.stdout, wrong.stdout + wrong.stderr
    without = _pytest(tmp_path)
    assert "2 skipped" in without.stdout, without.stdout + without.stderr


def test_an_empty_address_is_refused_and_skips_nothing(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    done = _pytest(tmp_path, "--bcikit-source=")
    assert done.returncode == 4
    assert "--bcikit-source is empty" in done.stderr
