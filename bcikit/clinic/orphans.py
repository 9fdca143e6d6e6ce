"""Engines that run and of which the visit that was kept knows nothing: a full disk or a damaged file took the note."""

import contextlib
from dataclasses import replace
from pathlib import Path

from bcikit.clinic.headsets import DeviceTest
from bcikit.clinic.people import SIMULATED
from bcikit.clinic.privacy import RUNS
from bcikit.clinic.protocols import moves
from bcikit.clinic.record import NAMED, TrainingRecord
from bcikit.clinic.runner import running_handshake
from bcikit.clinic.times import now
from bcikit.clinic.visit import Visit
from bcikit.recording.header import read_header
from bcikit.signal import Address, BciError


def visit_of_engine(data: Path, kept: Visit) -> Visit | None:
    """Return the visit whose engine runs in a clinic's folder: the one that was kept, or what the engine tells of it.

    None where none runs.
    """
    for path in sorted((data / RUNS).glob("run-*.json")):
        values = running_handshake(path)
        if values is None:
            continue
        folder = Path(values["folder"])
        named = NAMED.fullmatch(folder.name)
        if named is None:
            continue
        visit = kept
        if str(folder) not in (*kept.calibrations, *kept.parts):
            # Kept before this engine was started, or of somebody else.
            visit = _together(kept, _told(folder, named[1], kept.operator))
        visit.running, visit.running_step, visit.step = str(path), named[2], named[2]
        parts = visit.calibrations if named[2] == "calibration" else visit.parts
        if str(folder) not in parts:
            parts.append(str(folder))
        return visit
    return None


def _told(folder: Path, subject: str, operator: str) -> Visit:
    """Return what a session folder tells of its visit; it has no answers, so that nothing new begins with it."""
    record = TrainingRecord.load(folder)
    visit = Visit(subject=subject, operator=operator, simulated=subject == SIMULATED)
    # Where nothing is noted yet, not even which list its folder belongs to is.
    for name in _NOTED if record.started else ():
        setattr(visit, name, getattr(record, name))
    visit.started = record.started
    visit.take_model("", note=record.model)
    with contextlib.suppress(BciError, OSError, KeyError, TypeError, AttributeError):
        config = read_header(folder)["config"]
        visit.operator = str(config["session"].get("operator") or operator)
        visit.device = visit.electrodes_for = str(config["source"]["address"])
        visit.protocol = str(config["paradigm"]["name"]).removeprefix("paradigm:")
        decoder = config.get("decoder") or {}
        visit.model = str(decoder.get("model") or "")
        # Before it is armed nothing else tells of it.
        visit.recentre = visit.recentre or bool(decoder.get("recentre"))
        # What a trial asks of the paradigm nobody chose, and nobody is to read.
        asked = {name: value for name, value in config["paradigm"]["settings"].items() if name not in _SEALED}
        visit.settings = record.settings or asked
        # What moves the hand: without it the page would know of nothing that touches the patient.
        guarded = [Address.parse(str(output["address"])) for output in config.get("outputs") or ()]
        moved = [address.body for address in guarded if address.scheme == "guard"]
        visit.orthosis = moved[0] if moved and moves(visit.protocol) else ""
    if record.device not in ("", visit.device):
        # What it is called, for the report; the rest of its test is not known, and so it passes none.
        known = DeviceTest(record.device, record.serial, channels=(), nominal=0.0, rate=0.0, lost=0)
        visit.tests[visit.device] = replace(known, battery=record.battery).to_dict()
    return visit


def _together(kept: Visit, told: Visit) -> Visit:
    """Return a visit that was kept with what is told of it since; what is told alone, where it is of another visit."""
    if kept.subject != told.subject or told.started not in ("", kept.started):
        told.started = told.started or now()
        return told
    # What was chosen says more than what the paradigm was asked for, where nothing is noted.
    chosen = bool(kept.settings) and kept.protocol == told.protocol and not told.started
    # Without settings it is not known which movements it was.
    before = kept.trained if kept.settings or kept.protocol != told.protocol else ""
    kept.protocol = told.protocol
    if told.settings and not chosen:
        kept.settings = told.settings
    if before not in ("", kept.trained):
        # What was recorded before is of another training, and so is what decided there.
        kept.change_training(before)
        kept.take_model("")
        kept.difficulty = 0.0
    if told.model not in ("", kept.model):
        # What was said of the one before is not true of this one.
        kept.take_model(told.model, note=told.model_note)
        kept.recentre = told.recentre
    for name in (*_NOTED, "device", "electrodes_for", "orthosis"):
        if getattr(told, name):
            setattr(kept, name, getattr(told, name))
    return kept


_NOTED = (
    "birth_year",
    "affected_side",
    "electrodes",
    "current",
    "idle",
    "stop_tested",
    "first_movement",
    "parts",
    "calibrations",
    "notes",
    "reopened",
)
"""What the record beside a training tells of its visit."""

_SEALED = ("arm", "blind", "yoked_delays")
