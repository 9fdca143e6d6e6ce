"""Ten minutes from the patient to the report on paper, with the real window and the real engine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bcikit.clinic.runner import process_is_alive
from bcikit.recording import Catalogue, read_session
from bcikit.safety import verify_audit
from bcikit.session.repeat import replay

SCRIPT = Path(__file__).with_name("clinic_person.py")
# The simulated person needs seconds for minutes; the cable comes out in the third run, for six seconds.
ADDRESS = "sim:motor-imagery?seed=3&ability=1&speed=15&incidents=cable@560~6"


class Sitting:
    """A person at the window in a process of its own; what is told is kept as it comes."""

    def __init__(self, part: str, data: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), part, str(data), ADDRESS],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told: dict[str, dict[str, Any]] = {}
        self.noise: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            if told["at"] == "qt":
                self.noise.append(told["text"])
            self.told[told["at"]] = told

    def until(self, what: str, seconds: float) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while what not in self.told:
            if self.process.poll() is not None:
                self.reader.join(10)
            if what not in self.told and (time.monotonic() > end or self.process.poll() is not None):
                raise AssertionError(f"{what!r} was not reached: {self.told}\n{self.noise}")
            time.sleep(0.05)
        return self.told[what]

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Callable[[str], Sitting]]:
    """Return a function that sits a person down; at the end nobody and no engine is left."""
    sitting: list[Sitting] = []

    def make(part: str) -> Sitting:
        sitting.append(Sitting(part, tmp_path / "clinic"))
        return sitting[-1]

    try:
        yield make
    finally:
        for one in sitting:
            one.end()
        for path in (tmp_path / "clinic" / "runs").glob("run-*.json"):
            pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
            if process_is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def words_of(pdf: Path) -> str:
    from pypdf import PdfReader

    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="a process is killed otherwise there")
def test_ten_minutes_from_patient_to_pdf(sit: Callable[[str], Sitting], tmp_path: Path) -> None:
    first = sit("first")
    devices = first.until("devices", 180)["found"]
    assert any(address.startswith("sim:") for address in devices)
    tested = first.until("tested", 120)["text"]
    assert tested.startswith("● ")
    assert "0 lost" in tested
    assert first.until("electrodes", 60) == {"at": "electrodes", "levels": ["GOOD"], "n": 16}
    calibrated = first.until("calibrated", 300)
    assert calibrated["text"].startswith("● Good enough.")
    assert "of 40 trials right" in calibrated["text"]
    paused = first.until("paused", 120)
    assert paused["after"] == paused["before"]
    killed = first.until("kill me", 150)
    engine = json.loads(Path(killed["handshake"]).read_text(encoding="utf-8"))
    first.end()
    assert process_is_alive(engine["pid"])

    second = sit("second")
    back = second.until("back", 180)
    assert back["step"] == "session"
    assert back["patient"], "the patient's window is there again"
    caught = second.until("caught up", 60)
    # What was done without a window counts.
    assert killed["trials"] <= caught["trials"]
    cable = second.until("cable", 150)
    assert "Check the device, its battery and its link." in cable["text"]
    assert cable["patient"]
    second.until("space", 120)
    over = second.until("over", 150)
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
