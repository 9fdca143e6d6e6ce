"""The plugin, used as a maker of devices uses it: in a project of their own."""

import subprocess
import sys

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
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


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
