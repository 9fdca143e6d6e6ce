"""Ten minutes from the patient to the report on paper, with the real window and the real engine."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic.runner import process_is_alive
from bcikit.recording import Catalogue, read_session
from bcikit.safety import verify_audit
from bcikit.session.repeat import replay

SCRIPT = Path(__file__).with_name("clinic_person.py")
# The simulated person needs seconds for minutes; the cable comes out in the third run, for six seconds.
ADDRESS = "sim:motor-imagery?seed=3&ability=1&channels=8&speed=15&incidents=cable@560~6"


def words_of(pdf: Path) -> str:
    from pypdf import PdfReader

    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())


@pytest.mark.soak
@pytest.mark.timeout(2400)
@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed otherwise there")
def test_ten_minutes_from_patient_to_pdf(sit_down: Callable[..., Any], tmp_path: Path) -> None:
    first = sit_down(SCRIPT, "first", str(tmp_path / "clinic"), ADDRESS)
    devices = first.until("devices", 180)["found"]
    assert any(address.startswith("sim:") for address in devices)
    tested = first.until("tested", 120)["text"]
    assert tested.startswith("● ")
    assert "0 lost" in tested
    assert first.until("electrodes", 60) == {"at": "electrodes", "levels": ["GOOD"], "n": 8}
    calibrated = first.until("calibrated", 500)
    assert calibrated["text"].startswith("● Good enough.")
    assert "of 40 trials right" in calibrated["text"]
    paused = first.until("paused", 400)
    assert paused["after"] == paused["before"]
    killed = first.until("kill me", 400)
    engine = json.loads(Path(killed["handshake"]).read_text(encoding="utf-8"))
    first.end()
    assert process_is_alive(engine["pid"])

    second = sit_down(SCRIPT, "second", str(tmp_path / "clinic"), ADDRESS)
    back = second.until("back", 180)
    assert back["step"] == "session"
    assert back["patient"], "the patient's window is there again"
    caught = second.until("caught up", 60)
    # What was done without a window counts.
    assert killed["trials"] <= caught["trials"]
    cable = second.until("cable", 500)
    assert "Check the device, its battery and its link." in cable["text"]
    assert cable["patient"]
    second.until("space", 400)
    over = second.until("over", 500)
    assert over["text"] == "● The session is complete."
    assert over["trials"] == 60
    saved = [Path(path) for path in second.until("saved", 60)["files"]]
    second.until("done", 30)
    assert second.process.wait(30) == 0
    assert first.noise + second.noise == [], "no warning of Qt"

    folder = Path(engine["folder"])
    session = read_session(folder)
    assert session.status == "complete"
    # 60 trials of ten seconds each: ten minutes on the sample clock, and what the interruptions took.
    assert session.recording.times[-1] - session.recording.times[0] > 600
    values = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert values["n_trials"] == 60
    assert [stop["rule"] for stop in values["safety"]["stops"]] == ["H-STALL", "A-STOP"]
    assert verify_audit(folder).intact
    assert replay(folder).identical
    right = values["n_correct"]
    text = next(path for path in saved if path.suffix == ".html").read_text(encoding="utf-8")
    for wanted in (
        "SIMULATED",
        "T-01",
        "sits well",
        f"{100 * right / 60:.0f} % of 60 trials right",
        "the window was closed",
    ):
        assert wanted in text
    assert " 0.0 minutes" not in text
    # Where Qt takes digits from a font for Chinese, they have no text in the PDF; the words have.
    text = words_of(next(path for path in saved if path.suffix == ".pdf"))
    for wanted in ("SIMULATED PATIENT", "Therapist T-", "sits well", "trials right", "the window was closed"):
        assert wanted in text
    catalogue = Catalogue(f"sqlite:///{tmp_path / 'clinic' / 'catalogue.sqlite'}")
    try:
        assert catalogue.sessions() == [], "a simulation is nobody's history"
    finally:
        catalogue.close()
