"""The template for makers of devices runs as it is."""

import shutil
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "examples" / "device-maker"


def test_the_template_passes_with_the_simulated_amplifier_and_fails_with_a_noisy_one(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "mine")

    def run(*arguments):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(
            command, cwd=tmp_path / "mine", capture_output=True, text=True, timeout=110, check=False
        ).stdout

    assert " passed" in run("--bcikit-out=report")
    assert (tmp_path / "mine" / "report" / "report.html").is_file()
    noisy = run("--bcikit-source=dut:channels=4&noise_uv=2", "-k", "limit")
    assert "V-NOISE" in noisy
    assert "1 failed" in noisy
