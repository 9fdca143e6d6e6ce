"""EEG as DICOM: Routine Scalp Electroencephalogram Waveform Storage (PS3.3 A.34.13), and C-STORE to an archive."""

import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.recording.view import grid_of
from bcikit.safety.anchor import Anchors
from bcikit.signal import ArgumentError, DataError, Event, MissingDependencyError, Recording, RecordingError

RESOLUTION_UV = 0.01
"""Microvolts a step: 32 bits reach 21 V with it, beyond any amplifier."""

MISSING = -(2**31)
"""Padding value: a sample that is not there."""


def _need() -> Any:
    try:
        import pydicom
    except ImportError:
        raise MissingDependencyError("pydicom", "hospital", "DICOM") from None
    return pydicom


def _code(value: str, scheme: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def save_dicom(
    recording: Recording,
    path: Path,
    *,
    subject: str,
    started: str,
    birth_year: int | None = None,
    identified: bool = False,
    simulated: bool = False,
    device: str = "",
    serial: str = "",
    software: str = "",
    events: Sequence[Event] = (),
) -> Path:
    """Write the EEG channels of a recording and return the file.

    Lost samples have their place and the padding value, so that times stay true.

    Parameters
    ----------
    recording : Recording
        In microvolts.
    path : Path
        File to write.
    subject : str
        Code of the person.
    started : str
        When it began, ISO 8601 with the zone.
    birth_year : int or None
        Year of birth.
    identified : bool
        Whether code, year and day stand in it; else "PatientIdentityRemoved" is YES, and of dates only the year stays.
    simulated : bool
        True marks it in the patient's name, the series and the comments.
    device, serial, software : str
        What measured, and what ran it.
    events : sequence of Event
        Cues and phases as annotations.

    Raises
    ------
    DataError
        If there is no EEG channel, no sample, or a value beyond the range.
    ArgumentError
        If the start is no time.
    RecordingError
        If the samples cannot be put on one grid, or the file cannot be written.
    """
    pydicom = _need()
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RoutineScalpElectroencephalogramWaveformStorage, generate_uid

    columns = list(recording.info.indices(ch_type="eeg"))
    if not columns or not recording.data.shape[0]:
        raise DataError("There is no EEG to write: no EEG channel, or no sample.")
    try:
        began = datetime.fromisoformat(started)
    except ValueError:
        raise ArgumentError(f"started is {started!r}; it must be a time like 2026-11-29T10:00+01:00.") from None
    # Not of the code and the time alone: anybody could try all codes and days.
    who = subject if identified else Anchors().pseudonym("dicom", subject, started)
    entropy = [who, started if identified else "", str(path.name)]
    item = Dataset()
    # Names of devices, channels and classes are in any language.
    item.SpecificCharacterSet = "ISO_IR 192"
    item.SOPClassUID = RoutineScalpElectroencephalogramWaveformStorage
    item.SOPInstanceUID = generate_uid(entropy_srcs=["instance", *entropy])
    item.StudyInstanceUID = generate_uid(entropy_srcs=["study", *entropy[:2]])
    item.SeriesInstanceUID = generate_uid(entropy_srcs=["series", *entropy])
    _who(item, subject, birth_year, identified=identified, simulated=simulated)
    day = began.strftime("%Y%m%d") if identified else f"{began.year}0101"
    clock = began.strftime("%H%M%S") if identified else "000000"
    item.StudyDate = item.ContentDate = item.SeriesDate = day
    item.StudyTime = item.ContentTime = item.SeriesTime = clock
    item.AcquisitionDateTime = day + clock
    if identified and began.tzinfo is not None:
        item.TimezoneOffsetFromUTC = began.strftime("%z")[:5]
    item.Modality = "EEG"
    item.StudyID, item.SeriesNumber, item.InstanceNumber = "1", "1", "1"
    item.AccessionNumber = item.ReferringPhysicianName = ""
    item.Manufacturer = device or "unknown"
    item.ManufacturerModelName = device or "unknown"
    item.DeviceSerialNumber = serial if identified else "removed"
    item.SoftwareVersions = software or "unknown"
    item.SeriesDescription = "SIMULATED, NOT OF A PERSON" if simulated else "BCI training"
    item.AcquisitionContextSequence = []
    item.WaveformSequence = [_waveform(recording, columns)]
    notes = _annotations(recording, events)
    if notes:
        item.WaveformAnnotationSequence = notes
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = item.SOPClassUID
    meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta = meta
    try:
        pydicom.dcmwrite(path, item, enforce_file_format=True)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from None
    return path


def _who(item: Any, subject: str, birth_year: int | None, *, identified: bool, simulated: bool) -> None:
    item.PatientName = "SIMULATED^PATIENT" if simulated else subject if identified else "REMOVED"
    item.PatientID = subject if identified or simulated else ""
    item.PatientBirthDate = f"{birth_year}0101" if identified and birth_year else ""
    item.PatientSex = ""
    if not identified:
        item.PatientIdentityRemoved = "YES"
        item.DeidentificationMethod = "code, day, serial number and texts of people left out"
    if simulated:
        item.PatientComments = "SIMULATED PATIENT: not of a person"


def _waveform(recording: Recording, columns: list[int]) -> Any:
    from pydicom.dataset import Dataset

    steps = np.rint(recording.data[:, columns] / RESOLUTION_UV)
    finite = np.isfinite(steps)
    if finite.any() and np.abs(steps[finite]).max() >= 2**31 - 1:
        raise DataError(f"A value is beyond {2**31 * RESOLUTION_UV:g} uV, which 32 bits of {RESOLUTION_UV} uV hold.")
    # A sample that is missing is the padding value, not a zero that looks like a signal.
    samples, n_times = grid_of(recording, recording.info.name)
    packed = np.full((n_times, len(columns)), MISSING, dtype="<i4")
    packed[samples] = np.where(finite, steps, MISSING)
    group = Dataset()
    group.MultiplexGroupLabel = "EEG"
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = len(columns)
    group.NumberOfWaveformSamples = n_times
    group.SamplingFrequency = float(recording.info.sfreq)
    group.WaveformBitsAllocated = 32
    group.WaveformSampleInterpretation = "SL"
    group.WaveformPaddingValue = int(MISSING).to_bytes(4, "little", signed=True)
    group.ChannelDefinitionSequence = [_channel(recording.info.ch_names[column]) for column in columns]
    group.WaveformData = packed.tobytes()
    return group


def _channel(name: str) -> Any:
    from pydicom.dataset import Dataset

    channel = Dataset()
    channel.ChannelLabel = name[:16]
    channel.ChannelSourceSequence = [_code(name[:16], "99BCIKIT", f"electrode {name}"[:64])]
    channel.ChannelSensitivity = RESOLUTION_UV
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = 1.0
    channel.ChannelBaseline = 0.0
    channel.ChannelSampleSkew = 0.0
    channel.WaveformBitsStored = 32
    return channel


def _annotations(recording: Recording, events: Sequence[Event]) -> list[Any]:
    from pydicom.dataset import Dataset

    found = []
    samples, _ = grid_of(recording, recording.info.name)
    for event in events:
        if not event.name.startswith(("cue/", "phase/", "block/")):
            continue
        row = int(np.searchsorted(recording.times, event.time))
        if row >= recording.times.size:
            continue
        # Within a gap, so far before the sample that ends it; an event before the first sample has no place.
        before = int((recording.times[row] - event.time) * recording.info.sfreq)
        position = int(samples[row]) - before + 1
        if position < 1:
            continue
        note = Dataset()
        note.UnformattedTextValue = event.name[:1024]
        note.ReferencedWaveformChannels = [1, 0]
        note.TemporalRangeType = "POINT"
        note.ReferencedSamplePositions = [position]
        note.AnnotationGroupNumber = 1
        found.append(note)
    return found


def store_dicom(path: Path, *, host: str, port: int, title: str = "ANY-SCP", timeout: float = 10.0) -> None:
    """Send a file to an archive by C-STORE.

    Parameters
    ----------
    path : Path
        DICOM file.
    host, port, title : str, int, str
        The archive's address and application entity.
    timeout : float
        Seconds to wait for each answer.

    Raises
    ------
    RecordingError
        If the archive cannot be reached, does not take EEG, or refuses the file.
    """
    pydicom = _need()
    try:
        from pynetdicom import AE
    except ImportError:
        raise MissingDependencyError("pynetdicom", "hospital", "C-STORE") from None
    item = pydicom.dcmread(path)
    unreachable = f"The archive {title} at {host}:{port} takes no connection"
    try:
        # pynetdicom would tell of it in a log only.
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        raise RecordingError(f"{unreachable}: {error.strerror or error}.") from None
    entity = AE(ae_title="BCIKIT")
    entity.add_requested_context(item.SOPClassUID, item.file_meta.TransferSyntaxUID)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = timeout
    link = entity.associate(host, port, ae_title=title)
    if not link.is_established:
        raise RecordingError(f"{unreachable} of {entity.ae_title}, or no EEG.")
    try:
        status = link.send_c_store(item)
    finally:
        link.release()
    code = getattr(status, "Status", None)
    if code != 0x0000:
        said = "no answer" if code is None else f"status 0x{code:04X}"
        raise RecordingError(f"The archive {title} at {host}:{port} refused {path.name}: {said}.")
