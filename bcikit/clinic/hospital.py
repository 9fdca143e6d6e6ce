"""What goes from the clinic's window to a hospital's systems: the report as FHIR, the EEG as DICOM."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bcikit.clinic.counts import counts_of
from bcikit.clinic.protocols import protocol_title
from bcikit.clinic.record import TrainingRecord
from bcikit.clinic.report import ReportData, decoding_words, dose_words, moved_words, write_pdf
from bcikit.paradigms.outcomes import SCALES
from bcikit.recording import Deidentifier, read_session
from bcikit.recording.deidentify import device_family
from bcikit.recording.dicom_eeg import save_dicom, store_dicom
from bcikit.recording.fhir_bundle import Measure, Treatment, save_bundle
from bcikit.recording.header import read_header
from bcikit.recording.staging import staged_file
from bcikit.signal import BciError, RecordingError
from bcikit.ui.words import tr


def _mark(record: TrainingRecord) -> str:
    return "SIMULATED-" if record.simulated else ""


def is_named(record: TrainingRecord) -> bool:
    """Return whether what goes to the hospital's systems has the code: where the patient agreed to just that.

    To share de-identified for research is another consent.
    """
    return "hospital" in record.scopes and not record.simulated


def write_fhir(data: ReportData, folder: Path) -> Path:
    """Write the training as a FHIR R4 bundle with the report as PDF in it, and return the file.

    The code stands in it only where the patient agreed to that; otherwise the bundle names nobody.

    Raises
    ------
    BciError
        If nothing was trained, the folder cannot be written to, or the extra "hospital" is not installed.
    """
    record = data.record
    if not record.parts:
        raise BciError(tr("Nothing was recorded in this visit."))
    started, ended = _span(record)
    pdf = folder / f"{_mark(record)}training-report.pdf"
    write_pdf(data, pdf)
    treatment = Treatment(
        subject=record.subject,
        birth_year=record.birth_year,
        identified=is_named(record),
        simulated=record.simulated,
        operator=record.operator,
        protocol=record.protocol,
        title=protocol_title(record.protocol),
        started=started,
        ended=ended,
        complete=data.results[-1]["ended"] == "finished",
        device=record.device,
        serial=record.serial,
        software=record.software,
        conclusion=" ".join((dose_words(data), moved_words(data), decoding_words(data))),
        measures=tuple(
            Measure(
                name=one.scale,
                title=SCALES[one.scale].name if one.scale in SCALES else one.scale,
                value=one.value,
                unit=one.unit,
                day=one.day,
            )
            for one in data.scores
        ),
        pdf=pdf.read_bytes(),
    )
    return save_bundle(treatment, folder / f"{_mark(record)}training.fhir.json")


ARCHIVE = "archive.txt"
"""File in the data folder: where the archive is, as HOST:PORT/TITLE."""


def archive_of(data: Path) -> str:
    """Return where this clinic's archive is, as HOST:PORT/TITLE; "" where nobody said."""
    try:
        return (data / ARCHIVE).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def send_dicom(path: Path, data: Path, archive: str) -> None:
    """Send an EEG to the archive, and remember where it is.

    Raises
    ------
    BciError
        If the address is none, or the archive does not take the file.
    """
    found = re.fullmatch(r"([^:/\s]+):(\d{1,5})/(\S{1,16})", archive.strip())
    if found is None:
        raise BciError(tr("Enter the archive as HOST:PORT/TITLE, such as pacs.clinic:104/ARCHIVE."))
    store_dicom(path, host=found[1], port=int(found[2]), title=found[3])
    (data / ARCHIVE).write_text(archive.strip(), encoding="utf-8")


def _began(header: Mapping[str, Any], record: TrainingRecord) -> str:
    """Return when this part of a visit began, on the clock of this place."""
    told = header.get("started")
    return _here(told) if isinstance(told, str) else record.started


def _here(time: str) -> str:
    return datetime.fromisoformat(time).astimezone().isoformat()


def _span(record: TrainingRecord) -> tuple[str, str]:
    """Return when the training began and ended: consent, electrodes and calibration are before it."""
    parts = []
    for folder in map(Path, record.parts):
        # What the headset never came for has no recording.
        with contextlib.suppress(RecordingError):
            parts.append((folder, read_header(folder)))
    if not parts:
        return record.started, record.started
    folder, last = parts[-1]
    start, began = (datetime.fromisoformat(_began(one, record)).astimezone() for one in (parts[0][1], last))
    told = last.get("ended")
    ended = datetime.fromisoformat(told).astimezone() if isinstance(told, str) else None
    if ended is None or ended < began:
        # The engine died, or the clock was set back: it went on for as long as trials were written down.
        ended = began + timedelta(seconds=counts_of([str(folder)]).part.seconds)
    if ended < start:
        # Set back between two parts.
        ended = start + timedelta(seconds=counts_of([str(one) for one, _ in parts]).total.seconds)
    return start.isoformat(), ended.isoformat()


def write_dicom(record: TrainingRecord, folder: Path) -> Path:
    """Write the EEG of the last part as DICOM routine scalp EEG and return the file.

    Raises
    ------
    BciError
        If nothing was recorded, or the extra "hospital" is not installed.
    """
    if not record.parts:
        raise BciError(tr("Nothing was recorded in this visit."))
    session = read_session(Path(record.parts[-1]))
    recording = session.recording
    events = recording.events
    identified = is_named(record)
    check = Deidentifier(session)
    if not identified:
        # Names of channels and classes may be those of people, and a device is called as somebody liked.
        recording = replace(recording, info=check.info(recording.info))
        events = tuple(replace(event, name=check.event_name(event)) for event in events)

    def save(path: Path) -> Path:
        return save_dicom(
            recording,
            path,
            subject=record.subject,
            birth_year=record.birth_year,
            identified=identified,
            simulated=record.simulated,
            started=_began(session.header, record),
            device=record.device if identified else device_family(record.device),
            serial=record.serial,
            software=record.software,
            events=events,
        )

    target = folder / f"{_mark(record)}eeg.dcm"
    if identified:
        return save(target)
    # What is found to identify is never there to be sent.
    with staged_file(target, check, overwrite=True) as aside:
        save(aside)
    return target
