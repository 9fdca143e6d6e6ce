"""Hazards, requirements and tests belong together, and the bill of materials can be made."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    out = tmp_path / "sbom.json"
    subprocess.run(
        [sys.executable, str(ROOT / "tools" / "sbom.py"), "--out", str(out), "--extra", "outputs"],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(out.read_text()) is None
    bill = json.loads(out.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    names = {component["name"] for component in bill["components"]}
    assert {"numpy", "scipy", "mne", "pyserial"} <= names
    assert "pytest" not in names
    assert bill["metadata"]["component"]["name"] == "openbcikit"
    needs = {item["ref"].split("@")[0]: item.get("dependsOn", []) for item in bill["dependencies"]}
    assert any(ref.startswith("numpy@") for ref in needs["scipy"])


class Osv(BaseHTTPRequestHandler):
    """A vulnerability service that knows one thing: every version of pyserial is bad, 99.0 is not."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fixed = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}
        affected = {"package": {"name": "pyserial", "ecosystem": "PyPI"}, "ranges": [fixed]}
        known = {"id": "TEST-1", "summary": "made up", "affected": [affected]}
        body = json.dumps({"vulns": [known]} if asked["package"]["name"] == "pyserial" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.mark.requirement("SAF-097")
def test_known_vulnerabilities_are_named_and_silence_of_the_service_is_no_good_news():
    def ask(port, *names):
        command = [sys.executable, str(ROOT / "tools" / "sbom.py"), "--vulnerabilities", "--extra", "outputs"]
        command += [
            "--osv",
            f"http://127.0.0.1:{port}/v1/query",
            *(word for name in names for word in ("--only", name)),
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        bad = ask(server.server_port, "pyserial", "numpy")
        good = ask(server.server_port, "numpy")
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert bad.returncode == 1
    assert "TEST-1, mended in 99.0" in bad.stdout
    assert "2 of 2 packages were looked up; 1 have known vulnerabilities" in bad.stdout
    assert good.returncode == 0
    gone = ask(server.server_port, "numpy")
    assert gone.returncode == 2
    assert "nothing is known" in gone.stdout
