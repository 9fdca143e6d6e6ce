"""Hazards, requirements and tests belong together, and the bill of materials can be made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_requirement_has_a_hazard_and_a_test():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "traceability.py"), "--check"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_rule_in_words_is_one_that_can_happen():
    from bcikit.safety.profiles import QUALITY_RULES
    from bcikit.safety.rules import RULES

    assert set(QUALITY_RULES) <= set(RULES)
    assert all(rule.what and rule.do for rule in RULES.values())
    assert not any("seizure" in (rule.what + rule.do).lower() for rule in RULES.values())


@pytest.mark.requirement("SAF-097")
def test_the_bill_of_materials(tmp_path):
    pytest.importorskip("cyclonedx")
    out = tmp_path / "sbom.json"
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "sbom.py"), "--out", str(out), "--extra", "outputs"],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    bill = json.loads(out.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    names = {component["name"] for component in bill["components"]}
    assert {"numpy", "scipy", "mne", "pyserial"} <= names
    assert "pytest" not in names
    assert bill["metadata"]["component"]["name"] == "bcikit"
    needs = {item["ref"].split("@")[0]: item.get("dependsOn", []) for item in bill["dependencies"]}
    assert any(ref.startswith("numpy@") for ref in needs["scipy"])
