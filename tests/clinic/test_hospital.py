"""What a hospital's systems take: read again by programs that are not ours, and stored in an archive on loopback."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcikit.recording.dicom_eeg import save_dicom, store_dicom
from bcikit.recording.fhir_bundle import Measure, Treatment, bundle, save_bundle
from bcikit.signal import ArgumentError, DataError, Event, Recording, RecordingError, StreamInfo

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("fhir.resources")

STARTED = "2026-11-29T10:00:00+01:00"


def treatment(**more: Any) -> Treatment:
    values: dict[str, Any] = {
        "subject": "P-017",
        "birth_year": 1961,
        "operator": "T-01",
        "protocol": "motor-imagery-fes",
        "title": "Hand opening with FES",
        "started": STARTED,
        "seconds": 900.0,
        "device": "Cyton",
        "serial": "SN-4711",
        "software": "bcikit 0.2",
        "conclusion": "In 12 of 20 trials something moved.",
        "measures": (Measure(name="FMA-UE", title="Fugl-Meyer", value=31.5, unit="points", day="2026-11-28"),),
        "pdf": b"%PDF-1.4 report of P-017",
    }
    return Treatment(**{**values, **more})


def by_kind(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["resource"]["resourceType"]: entry["resource"] for entry in values["entry"]}


def test_the_bundle_is_read_by_another_program_and_holds_the_training(tmp_path: Path) -> None:
    from fhir.resources.R4B.bundle import Bundle

    path = save_bundle(treatment(identified=True), tmp_path / "b.json")
    read = Bundle.model_validate_json(path.read_text(encoding="utf-8"))
    assert [entry.resource.get_resource_type() for entry in read.entry] == [
        "Patient",
        "Device",
        "Procedure",
        "Observation",
        "DiagnosticReport",
    ]
    found = by_kind(json.loads(path.read_text(encoding="utf-8")))
    assert found["Patient"]["identifier"][0]["value"] == "P-017"
    assert found["Patient"]["birthDate"] == "1961"
    assert found["Device"]["serialNumber"] == "SN-4711"
    assert found["Procedure"]["performedPeriod"] == {"start": STARTED, "end": "2026-11-29T10:15:00+01:00"}
    assert found["Observation"]["valueQuantity"] == {"value": 31.5, "unit": "points"}
    report = found["DiagnosticReport"]
    assert base64.b64decode(report["presentedForm"][0]["data"]) == b"%PDF-1.4 report of P-017"
    # Every reference points at something in the bundle.
    known = {entry["fullUrl"] for entry in json.loads(path.read_text(encoding="utf-8"))["entry"]}
    text = path.read_text(encoding="utf-8")
    assert {part.split('"')[0] for part in text.split('"reference": "')[1:]} <= known


def test_without_consent_to_share_the_bundle_names_nobody() -> None:
    text = json.dumps(bundle(treatment()))
    for word in ("P-017", "1961", "T-01", "SN-4711", "2026-11", "T10:00", base64.b64encode(b"%PDF").decode()[:5]):
        assert word not in text, word
    assert by_kind(json.loads(text))["Observation"]["effectiveDateTime"] == "2026"


def test_a_simulation_is_test_data_in_every_resource() -> None:
    for entry in bundle(treatment(simulated=True))["entry"]:
        assert entry["resource"]["meta"]["security"][0]["code"] == "HTEST"


@pytest.mark.parametrize("started", ["", "yesterday", "2026-11-29T10:00:00"])
def test_a_time_without_zone_is_refused(started: str) -> None:
    with pytest.raises(ArgumentError, match="started is"):
        bundle(treatment(started=started))


@pytest.fixture
def recording() -> Recording:
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4", "acc"), ch_types=("eeg", "eeg", "misc"))
    rng = np.random.default_rng(3)
    data = rng.standard_normal((1000, 3)) * 30 + 12000.0  # an offset that 16 bits at this resolution would not hold
    data[500, 1] = np.nan
    times = 100.0 + np.arange(1000) / 250.0
    return Recording(info=info, data=data, times=times, samples=np.arange(1000), events=[])


EVENTS = [
    Event(name="cue/left_hand", time=101.0, sample=250),
    Event(name="operator/note", time=102.0, sample=500, data={"text": "Frau Muster"}),
]


def test_the_eeg_is_read_by_another_program(recording: Recording, tmp_path: Path) -> None:
    path = save_dicom(
        recording,
        tmp_path / "e.dcm",
        subject="P-017",
        birth_year=1961,
        identified=True,
        started=STARTED,
        device="Cyton",
        serial="SN-4711",
        software="bcikit",
        events=EVENTS,
    )
    read = pydicom.dcmread(path)
    assert read.SOPClassUID == "1.2.840.10008.5.1.4.1.1.9.7.1"
    assert (read.PatientID, read.PatientBirthDate, read.StudyDate) == ("P-017", "19610101", "20261129")
    group = read.WaveformSequence[0]
    assert [channel.ChannelLabel for channel in group.ChannelDefinitionSequence] == ["C3", "C4"]
    assert group.SamplingFrequency == 250.0
    values = read.waveform_array(0)
    assert np.allclose(values[:500], recording.data[:500, :2], atol=0.006)
    raw = np.frombuffer(group.WaveformData, "<i4").reshape(1000, 2)
    assert raw[500, 1] == int.from_bytes(group.WaveformPaddingValue, "little", signed=True)
    notes = read.WaveformAnnotationSequence
    assert [(note.UnformattedTextValue, note.ReferencedSamplePositions) for note in notes] == [("cue/left_hand", 251)]


def test_without_consent_to_share_the_eeg_names_nobody(recording: Recording, tmp_path: Path) -> None:
    path = save_dicom(
        recording, tmp_path / "e.dcm", subject="P-017", birth_year=1961, started=STARTED, serial="SN-4711"
    )
    content = path.read_bytes()
    for word in (b"P-017", b"1961", b"SN-4711", b"20261129", b"Muster"):
        assert word not in content, word
    assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"


def test_what_dicom_cannot_hold_is_refused(recording: Recording, tmp_path: Path) -> None:
    huge = Recording(
        info=recording.info, data=recording.data * 1e6, times=recording.times, samples=recording.samples, events=[]
    )
    with pytest.raises(DataError, match="beyond"):
        save_dicom(huge, tmp_path / "e.dcm", subject="P", started=STARTED)


def test_an_archive_on_loopback_takes_the_file(recording: Recording, tmp_path: Path) -> None:
    pynetdicom = pytest.importorskip("pynetdicom")
    stored: list[Any] = []

    def take(event: Any) -> int:
        stored.append(event.dataset)
        return 0x0000 if len(stored) == 1 else 0xA700

    archive = pynetdicom.AE(ae_title="ARCHIVE")
    archive.add_supported_context("1.2.840.10008.5.1.4.1.1.9.7.1")
    server = archive.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(pynetdicom.evt.EVT_C_STORE, take)])
    try:
        port = server.server_address[1]
        path = save_dicom(recording, tmp_path / "e.dcm", subject="P-017", identified=True, started=STARTED)
        store_dicom(path, host="127.0.0.1", port=port, title="ARCHIVE")
        assert stored[0].PatientID == "P-017"
        assert len(stored[0].WaveformSequence[0].WaveformData) == 8000
        with pytest.raises(RecordingError, match="0xA700"):
            store_dicom(path, host="127.0.0.1", port=port, title="ARCHIVE")
    finally:
        server.shutdown()
    with pytest.raises(RecordingError, match="takes no connection"):
        store_dicom(path, host="127.0.0.1", port=port, title="ARCHIVE", timeout=2.0)
