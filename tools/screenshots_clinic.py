"""Takes the screenshots of the clinic's window for the documentation, at the sizes of laptops, in both languages.

    uv run python tools/screenshots_clinic.py             all of them, into docs/images
    uv run python tools/screenshots_clinic.py --quick     one size and language, for a glance

No display, no engine and no headset are needed; the messages are those that an engine sends.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from bcikit.acquisition import Device, open_source
from bcikit.clinic import page_device, page_electrodes
from bcikit.clinic.headsets import DeviceTest
from bcikit.clinic.people import begin_visit
from bcikit.clinic.times import now
from bcikit.clinic.window import ClinicWindow
from bcikit.paradigms import make_paradigm
from bcikit.recording import Catalogue, SessionWriter
from bcikit.signal import Event, StreamInfo
from bcikit.ui.application import dress, prepare
from bcikit.ui.status import ElectrodeQuality

TARGET = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZES = ((1280, 720), (1366, 768), (1920, 1080))
NAMES = ("Fp1", "Fp2", "F3", "Fz", "F4", "FC5", "FC6", "C3", "Cz", "C4", "CP5", "CP6", "P3", "Pz", "P4", "Oz")


def spin(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


class Still:
    """A runner that runs nothing."""

    running = False
    handshake = ""
    age: float | None = 0.0
    waited = 0.0
    answer: str | None = ""

    def start(self, job: object) -> None:  # noqa: ARG002
        """Look as if it ran."""
        self.running, self.handshake = True, "run"

    def attach(self, handshake: str) -> bool:  # noqa: ARG002
        """Find nothing."""
        return False

    def poll(self) -> list[dict[str, Any]]:
        """Say nothing."""
        return []

    def send(self, what: str, **details: Any) -> int:  # noqa: ARG002
        """Do nothing."""
        return 1

    def heard(self, ticket: int) -> str | None:  # noqa: ARG002
        """Answer as told."""
        return self.answer

    def detach(self) -> None:
        """Look as if it were over."""
        self.running = False


def event(name: str, time: float, **data: Any) -> dict[str, Any]:
    body = {"name": name, "time": time, "data": data}
    return {"type": "event", "event": body, **body}


def decision(time: float, p: float, *, allowed: bool) -> dict[str, Any]:
    verdict = {
        "time": time,
        "sample": 0,
        "allowed": allowed,
        "reasons": [] if allowed else ["A-CONF"],
        "state": "ACTIVE",
    }
    body = {"time": time, "sample": 0, "classes": ["left_hand", "right_hand"], "probabilities": [p, 1 - p]}
    if allowed:
        verdict["label"] = "left_hand"
    return {"type": "decision", "decision": body, "verdict": verdict, "latency": 0.004}


def person(catalogue: Catalogue, folder: Path) -> None:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=NAMES)
    for code, year, accuracies in (
        ("P-011", 1948, (0.61, 0.70, 0.72, 0.81)),
        ("P-014", 1972, (0.66,)),
        ("P-017", 1961, (0.58, 0.65, 0.71)),
    ):
        catalogue.add_subject(code, birth_year=year, affected_side="right")
        for number, accuracy in enumerate(accuracies):
            session = folder / f"{code}-{number}"
            SessionWriter(session, info=info, config={}, versions={}).close("complete")
            moved = round(accuracy * 40)
            answer = {"erd": -14.0 - 7 * number, "laterality": 0.06 + 0.05 * number, "trials": 30}
            results: dict[str, Any] = {"online_accuracy": accuracy, "n_trials": 60, "moved": 40}
            results |= {"moved_right": moved}
            results["reactions"] = {"right_hand": answer}
            catalogue.add_session(code, session, paradigm="motor-imagery", results=results, seconds=620.0)
    catalogue.add_outcome("P-017", "FMA-UE", 38, measured="2026-09-07")
    catalogue.add_outcome("P-017", "FMA-UE", 44, measured="2026-11-16")


def pages_of(take: Callable[[QWidget, str], None], theme: str, language: str, size: tuple[int, int]) -> None:
    page_device.reachable_devices = lambda wait: [  # type: ignore[assignment]  # noqa: ARG005
        Device(address="brainflow:cyton?serial_port=/dev/ttyUSB0", what="OpenBCI Cyton", detail="FTDI"),
        Device(address="lsl:name=eego", what="LSL stream", detail="eego, EEG, 32 channels, 500 Hz", content="EEG",
               n_channels=32, sfreq=500.0),
    ]  # fmt: skip
    page_electrodes.open_source = lambda address: open_source("sim:rest")  # type: ignore[assignment]  # noqa: ARG005
    application = QApplication.instance()
    folder = Path(tempfile.mkdtemp(prefix="bcikit-shots-"))
    catalogue = Catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}", who="screenshots")
    person(catalogue, folder)
    runner = Still()
    look = dress(application, theme, language)  # type: ignore[arg-type]
    window = ClinicWindow(look, catalogue=catalogue, runner=runner, data=folder)  # type: ignore[arg-type]
    window.resize(*size)
    window.show()
    pages: Any = window.pages
    pages["patient"].operator.setText("T-01")
    pages["patient"].people.selectRow(2)
    take(window, "clinic-1-patient")
    pages["patient"].go_on()
    take(window, "clinic-1-confirm")
    window._open(begin_visit(catalogue.subject("P-017"), operator="T-01", when=now()))
    pages = window.pages
    consent = pages["consent"]
    for name, one in consent.scopes.items():
        one.show_answer(name != "video")
    for name, one in consent.questions.items():
        one.show_answer(name == "skin")
    consent.sleep.set_value(7.5)
    consent.signed.show_answer(answer=True)
    consent._show_forbidden()
    take(window, "clinic-2-consent")
    consent.questions["skin"].show_answer(answer=False)
    consent.go_on()
    spin(0.4)
    device = pages["device"]
    found = DeviceTest("OpenBCI Cyton", "/dev/ttyUSB0", NAMES, 250.0, 249.9, 0, 82.0, impedance=True)
    device.devices.selectRow(0)
    device._judge(device.chosen, found, None)
    take(window, "clinic-3-device")
    device.go_on()
    electrodes = pages["electrodes"]
    electrodes.leave()
    electrodes.head.set_info(StreamInfo(name="x", sfreq=250.0, ch_names=NAMES))
    quality = {name: ElectrodeQuality("GOOD", (), 6e3 + 700 * i) for i, name in enumerate(NAMES)}
    quality["Fp2"] = ElectrodeQuality("WARN", ("Q-LINE",), 21e3)
    quality["C3"] = ElectrodeQuality("BAD", ("Q-RAIL",), 180e3)
    electrodes.show_quality(quality)
    electrodes.say("")
    take(window, "clinic-4-electrodes")
    electrodes.show_quality(quality | {"C3": ElectrodeQuality("GOOD", (), 8e3)})
    electrodes.go_on()
    protocol = pages["protocol"]
    protocol._save_plan()
    take(window, "clinic-5-protocol")
    protocol.protocol.setCurrentIndex(2)
    take(window, "clinic-5-stimulation")
    protocol.protocol.setCurrentIndex(0)
    protocol.go_on()
    calibration = pages["calibration"]
    from bcikit.clinic.verdict import judge

    verdict = judge({"accuracy": 0.85, "n_trials": 40, "chance_upper": 0.625}, n_classes=2)
    calibration.progress.setValue(40)
    window.visit.verdict = asdict(verdict)
    calibration.show_verdict()
    calibration.say("")
    take(window, "clinic-6-calibration")
    part = folder / "P-017-20261129-101500-session"
    window.visit.parts.append(str(part))
    done = session_page(window, runner, take)
    write_part(catalogue, part, done)
    window.visit.started, window.visit.first_movement = "2026-11-29T10:00:00+01:00", "2026-11-29T10:16:00+01:00"
    window.visit.notes.append("sits well")
    window.show_step("report")
    take(window, "clinic-8-report")
    window.close()
    window.deleteLater()
    shutil.rmtree(folder)


def write_part(catalogue: Catalogue, folder: Path, said: list[dict[str, Any]]) -> None:
    """Write what an engine would have left of the training that was shown."""
    info = StreamInfo(name="x", sfreq=250.0, ch_names=NAMES)
    with SessionWriter(folder, info=info, config={}, versions={}) as writer:
        for message in said:
            if message["type"] == "event":
                writer.event(Event(**message["event"]))
            elif message["type"] == "command":
                writer.record("commands", message["command"])
    right = {"erd": -38.0, "laterality": 0.24, "trials": 20}
    results = {"online_accuracy": 0.74, "n_trials": 23, "moved": 17, "moved_right": 16}
    catalogue.add_session(
        "P-017",
        folder,
        paradigm="motor-imagery",
        results={**results, "reactions": {"right_hand": right}},
        seconds=620.0,
    )


def session_page(window: ClinicWindow, runner: Still, take: Callable[[QWidget, str], None]) -> list[dict[str, Any]]:
    runner.start(None)
    window.visit.running_step = "session"
    window.show_step("session")
    page: Any = window.pages["session"]
    paradigm = make_paradigm("motor-imagery")
    said: list[dict[str, Any]] = []

    def tell(message: dict[str, Any]) -> None:
        said.append(message)
        page.take(message)

    page.take({"type": "state", "state": "ACTIVE", "time": 0.0})
    page.take({"type": "quality", "channels": {name: {"level": "GOOD"} for name in NAMES}, "time": 0.0})
    for number in range(23):
        begin = 10.0 * number
        hit = number % 4 != 1
        label = "left_hand" if number % 2 else "right_hand"
        tell(event("trial/start", begin, **{"trial": number, "class": label}))
        tell(event("feedback/result", begin + 8, correct=hit, trial=number))
        if hit:
            command = {"sequence": number, "time": begin + 8, "name": "close", "ttl": 0.5}
            command["data"] = {"trial": number, "class": label if number % 5 else "right_hand"}
            tell({"type": "command", "command": command, **command})
        tell(event("trial/end", begin + 9, trial=number))
    page.take(decision(232.0, 0.81, allowed=True))
    page.take({"type": "health", "time": 232.0, "link_age": 0.012, "lost": 0, "received": 58000})
    cue = event("cue/left_hand", 232.0, **{"class": "left_hand"})["event"]
    from bcikit.paradigms.scene import Scene

    scene = paradigm.scene(Event(**cue), Scene())
    page.take({"type": "show", "event": cue, "scene": scene.to_dict() if scene is not None else None, "time": 232.0})
    page.say("")
    page.refresh()
    spin(0.4)
    take(window, "clinic-7-session")
    page.show_patient()
    patient = page.patient
    patient.resize(960, 640)
    spin(0.4)
    take(patient, "patient")
    page.close_patient()
    page.stop_now()
    runner.answer = "The engine does not answer."
    page.refresh()
    runner.age = 63.0
    page.refresh()
    spin(0.1)
    take(window, "clinic-7-silent")
    runner.age, runner.answer = 0.0, ""
    runner.detach()
    page.refresh()
    return said


def shoot(folder: Path, look: str, widget: QWidget, name: str) -> None:
    QApplication.processEvents()
    spin(0.15)
    flat = Qt.ImageConversionFlag.AvoidDither | Qt.ImageConversionFlag.ThresholdDither
    image = widget.grab().toImage()
    image.convertToFormat(image.Format.Format_Indexed8, flat).save(str(folder / f"{name}-{look}.png"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one size and language only")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    prepare()
    languages = ("en",) if options.quick else ("en", "zh")
    sizes = SIZES[1:2] if options.quick else SIZES
    for language in languages:
        for size in sizes:
            pages_of(partial(shoot, options.out, f"light-{language}-{size[0]}x{size[1]}"), "light", language, size)
    pictures = list(options.out.glob("*.png"))
    print(f"{len(pictures)} pictures in {options.out}, {sum(p.stat().st_size for p in pictures) / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
