"""Engines that run and of which the visit that was kept knows nothing: a full disk or a damaged file took the note."""

import contextlib
from pathlib import Path

from bcikit.clinic.people import SIMULATED
from bcikit.clinic.privacy import NAMED, RUNS
from bcikit.clinic.runner import read_handshake
from bcikit.clinic.times import now
from bcikit.clinic.visit import Visit
from bcikit.recording.header import read_header
from bcikit.signal import RecordingError
from bcikit.signal.processes import process_is_alive, process_mark


def visit_of_engine(data: Path, kept: Visit) -> Visit | None:
    """Return the visit whose engine runs in a clinic's folder: the one that was kept, or what the engine tells of it.

    None where none runs.
    """
    for path in sorted((data / RUNS).glob("run-*.json")):
        try:
            values = read_handshake(path)
        except (OSError, ValueError):
            continue
        pid, folder = values["pid"], Path(values["folder"])
        named = NAMED.fullmatch(folder.name)
        if named is None or not process_is_alive(pid) or values.get("mark", "") != process_mark(pid):
            continue
        visit = kept if kept.subject == named[1] else _told(folder, named[1], kept.operator)
        visit.running, visit.running_step, visit.step = str(path), named[2], named[2]
        parts = visit.calibrations if named[2] == "calibration" else visit.parts
        if str(folder) not in parts:
            parts.append(str(folder))
        return visit
    return None


def _told(folder: Path, subject: str, operator: str) -> Visit:
    """Return what a session folder tells of its visit; it has no answers, so that nothing new begins with it."""
    visit = Visit(subject=subject, operator=operator, started=now(), simulated=subject == SIMULATED)
    with contextlib.suppress(RecordingError, OSError, KeyError, TypeError, AttributeError):
        config = read_header(folder)["config"]
        visit.operator = str(config["session"].get("operator") or operator)
        visit.device = str(config["source"]["address"])
        visit.protocol = str(config["paradigm"]["name"]).removeprefix("paradigm:")
        visit.settings = dict(config["paradigm"]["settings"])
    return visit
