"""The template for makers of devices runs as it is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[2] / "examples" / "device-maker"


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_the_template_passes_with_the_simulated_amplifier_and_fails_with_a_noisy_one(tmp_path):
    shutil.copytree(TEMPLATE, tmp_path / "mine")

    def run(*arguments):
        # Only the plugin that is tested: loading all others costs more than the tests.
        command = [sys.executable, "-m", "pytest", "-q", "-p", "bcikit.validation.pytest_plugin", *arguments]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(
            command, cwd=tmp_path / "mine", env=environment, capture_output=True, text=True, timeout=300, check=False
        ).stdout

    first = run("--bcikit-out=report")
    assert re.search(r"^\d+ passed", first, re.MULTILINE), first
    assert "failed" not in first
    assert (tmp_path / "mine" / "report" / "report.html").is_file()
    noisy = run("--bcikit-source=dut:channels=4&noise_uv=2", "-k", "limit")
    assert "V-NOISE" in noisy
    assert "1 failed" in noisy
