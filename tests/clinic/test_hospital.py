"""What a hospital's systems take: read again by programs that are not ours, and stored in an archive on loopback."""

import base64
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcikit.recording.dicom_eeg import save_dicom, store_dicom
from bcikit.recording.fhir_bundle import Measure, Treatment, bundle, save_bundle
from bcikit.signal import ArgumentError, DataError, Event, Recording, RecordingError, StreamInfo
from tests.adversary.identifiers import without_ids

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


def test_the_time_of_a_training_is_its_own_and_one_that_was_stopped_is_not_completed() -> None:
    found = by_kind(bundle(treatment(identified=True, ended="2026-11-29T10:40:00+01:00", complete=False)))
    period = {"start": STARTED, "end": "2026-11-29T10:40:00+01:00"}
    assert found["Procedure"]["performedPeriod"] == found["DiagnosticReport"]["effectivePeriod"] == period
    assert found["Procedure"]["status"] == "stopped"
    assert by_kind(bundle(treatment()))["Procedure"]["status"] == "completed"
    for ended in ("2026-11-29T09:59:59+01:00", "2026-11-29T10:30", "later"):
        with pytest.raises(ArgumentError, match="ended is"):
            bundle(treatment(ended=ended))


@pytest.mark.parametrize(
    ("second", "end"),
    [
        (("09:58:00", "10:10:00"), "10:10:00"),
        pytest.param(("09:58:00", ""), "10:00:00", id="the engine died"),
        pytest.param(("09:58:00", "09:08:00"), "10:00:00", id="the clock was set back in the last part"),
        pytest.param(("08:58:00", "09:10:00"), "09:44:00", id="the clock was set back between them"),
    ],
)
def test_a_training_begins_with_its_first_part_and_ends_with_its_last(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: tuple[str, str], end: str
) -> None:
    from bcikit.clinic import hospital
    from bcikit.clinic.counts import Total
    from bcikit.clinic.record import TrainingRecord
    from bcikit.clinic.report import ReportData
    from bcikit.recording import SessionWriter
    from bcikit.recording.header import read_header, write_header

    monkeypatch.setattr(hospital, "write_pdf", lambda data, path: path.write_bytes(b"%PDF"))
    times = (("09:40:00", "09:52:00"), second)
    for number, (began, ended) in enumerate(times):
        folder = tmp_path / f"part{number}"
        with SessionWriter(folder, info=recording.info) as writer:
            for name, time in (("trial/start", 5.0), ("trial/end", 125.0)):
                data = {"trial": 0, "kind": "feedback"}
                writer.event(Event(name=name, time=time, sample=0, data=data))
        header = read_header(folder) | {"started": f"2026-11-29T{began}+00:00", "ended": f"2026-11-29T{ended}+00:00"}
        if not ended:
            del header["ended"]
        write_header(folder, header)
    # The headset never came for a third one.
    record = TrainingRecord(
        subject="P-1", started=STARTED, scopes=["acquire", "hospital"], protocol="motor-imagery",
        parts=[str(tmp_path / name) for name in ("part0", "part1", "none")],
    )  # fmt: skip
    results: list[Any] = [{"ended": "finished", "n_trials": 1}, {"ended": "failed", "n_trials": 1}]
    for ended in ("finished", "finished by the operator"):
        results[-1]["ended"] = ended
        data = ReportData(record=record, results=results, total=Total(trials=2, seconds=240.0))
        found = by_kind(json.loads(hospital.write_fhir(data, tmp_path).read_text(encoding="utf-8")))
        told = found["Procedure"]["performedPeriod"]
        start, over = (datetime.fromisoformat(told[key]).astimezone(UTC) for key in ("start", "end"))
        assert f"{start:%H:%M:%S}" == "09:40:00", "not when the patient came"
        assert f"{over:%H:%M:%S}" == end
        assert found["Procedure"]["status"] == ("completed" if ended == "finished" else "stopped")


def test_without_consent_to_share_the_bundle_names_nobody() -> None:
    text = json.dumps(bundle(treatment()))
    content = without_ids(text.encode())
    for word in (b"P-017", b"1961", b"T-01", b"SN-4711", b"2026-11", b"T10:00", base64.b64encode(b"%PDF")[:5]):
        assert word not in content, word
    assert by_kind(json.loads(text))["Observation"]["effectiveDateTime"] == "2026"


def test_a_simulation_is_test_data_in_every_resource() -> None:
    for entry in bundle(treatment(simulated=True))["entry"]:
        assert entry["resource"]["meta"]["security"][0]["code"] == "HTEST"


def test_a_person_who_comes_again_is_no_second_patient() -> None:
    first, second, other = (
        {entry["resource"]["resourceType"]: entry["fullUrl"] for entry in bundle(one)["entry"]}
        for one in (
            treatment(identified=True),
            treatment(identified=True, started="2026-11-30T10:00:00+01:00"),
            treatment(identified=True, subject="P-018", serial="SN-1"),
        )
    )
    assert {kind for kind in first if first[kind] == second[kind]} == {"Patient", "Device", "Observation"}
    assert not set(first.values()) & set(other.values())
    elsewhere = bundle(treatment(identified=True, started="2026-11-29T09:00:00+00:00"))["entry"]
    assert {entry["fullUrl"] for entry in elsewhere} == set(first.values()), "the same training in another zone"
    hidden = [bundle(treatment(started=f"2026-11-{day}T10:00:00+01:00"))["entry"] for day in (28, 29)]
    assert not {one["fullUrl"] for one in hidden[0]} & {one["fullUrl"] for one in hidden[1]}


@pytest.mark.parametrize("identified", [True, False])
def test_a_score_that_is_entered_or_removed_makes_no_second_record_of_another(identified: bool) -> None:
    def scores(*rows: tuple[str, str, float]) -> dict[float, str]:
        measures = tuple(Measure(name=name, title=name, value=value, unit="", day=day) for name, day, value in rows)
        entries = bundle(treatment(identified=identified, measures=measures))["entry"]
        found = [entry for entry in entries if entry["resource"]["resourceType"] == "Observation"]
        urls = {entry["resource"]["valueQuantity"]["value"]: entry["request"]["url"] for entry in found}
        assert len(set(urls.values())) == len(rows), "each is one of its own"
        return urls

    one, two = ("FMA-UE", "2026-01-01", 20.0), ("FMA-UE", "2026-02-01", 30.0)
    own, again = ("of our own", "2026-02-01", 5.0), ("FMA-UE", "2026-02-01", 31.0)
    before = scores(one, two, again, own)
    after = scores(("ours", "2025-12-01", 1.0), one, ("ARAT", "2026-01-15", 40.0), ("FMA-UE", "2026-01-20", 25.0),
                   two, again, own)  # fmt: skip
    assert before.items() <= after.items()
    assert scores(two, again, own).items() <= before.items()


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("20260520", "2026-05-20"),
        ("2026-05-20T10:00", "2026-05-20"),
        ("2026-05-20 10:00:00+02:00", "2026-05-20T10:00:00+02:00"),
    ],
)
def test_days_in_any_form_of_iso_8601_are_those_of_fhir(day: str, said: str) -> None:
    one = Measure(name="FMA-UE", title="Fugl-Meyer", value=1.0, unit="points", day=day)
    assert by_kind(bundle(treatment(identified=True, measures=(one,))))["Observation"]["effectiveDateTime"] == said


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"birth_year": 61}, r"birthDate is '61'"),
        ({"measures": (Measure(name=" own", title="own", value=1.0, unit="", day="2026-05-20"),)}, r"code is ' own'"),
        ({"measures": (Measure(name="own", title="own", value=float("nan"), unit="", day="2026"),)}, r"value is nan"),
    ],
)
def test_what_fhir_cannot_hold_is_told_by_its_field(more: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        bundle(treatment(identified=True, **more))


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
    content = without_ids(path.read_bytes())
    for word in (b"P-017", b"1961", b"SN-4711", b"20261129", b"Muster"):
        assert word not in content, word
    assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"


def test_lost_samples_keep_their_place_and_texts_their_letters(tmp_path: Path) -> None:
    samples = np.concatenate([np.arange(250), np.arange(500, 750)])
    times = 100.0 + samples / 250.0
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "电极"))
    data = np.repeat(samples[:, None], 2, axis=1).astype(float)
    cut = Recording(info=info, data=data, times=times, samples=samples, events=[])
    events = [Event(name=f"cue/{at:g}", time=100.0 + at, sample=0) for at in (-0.1, 0.5, 1.5, 2.5, 9.0)]
    path = tmp_path / "e.dcm"
    save_dicom(cut, path, subject="P", identified=True, started=STARTED, device="脑电帽", events=events)
    read = pydicom.dcmread(path)
    group = read.WaveformSequence[0]
    raw = np.frombuffer(group.WaveformData, "<i4").reshape(-1, 2)
    padding = int.from_bytes(group.WaveformPaddingValue, "little", signed=True)
    assert group.NumberOfWaveformSamples == len(raw) == 750
    assert np.flatnonzero(raw[:, 0] == padding).tolist() == list(range(250, 500))
    assert np.allclose(read.waveform_array(0)[600:, 1], np.arange(600, 750))
    notes = {note.UnformattedTextValue: note.ReferencedSamplePositions for note in read.WaveformAnnotationSequence}
    assert notes == {"cue/0.5": 126, "cue/1.5": 376, "cue/2.5": 626}
    assert read.Manufacturer == "脑电帽"
    assert group.ChannelDefinitionSequence[1].ChannelLabel == "电极"
    assert read.TimezoneOffsetFromUTC == "+0100"


def test_the_eeg_of_a_later_part_has_its_own_start(recording: Recording, tmp_path: Path) -> None:
    from bcikit.clinic.hospital import write_dicom
    from bcikit.recording import SessionWriter

    with SessionWriter(tmp_path / "part", info=recording.info) as writer:
        for chunk in recording.chunks(100):
            writer.chunk(chunk, float(chunk.times[-1]))
    record = SimpleNamespace(
        parts=[str(tmp_path / "part")], subject="P-1", birth_year=1961, scopes=("acquire", "hospital"), simulated=False,
        started="2020-01-01T10:00:00+01:00", device="Cyton", serial="", software="bcikit",
    )  # fmt: skip
    read = pydicom.dcmread(write_dicom(record, tmp_path))  # type: ignore[arg-type]
    said = datetime.strptime(read.AcquisitionDateTime + read.TimezoneOffsetFromUTC, "%Y%m%d%H%M%S%z")
    assert abs((datetime.now(UTC) - said).total_seconds()) < 3600, "of the recording, not of the visit's beginning"


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
        store_dicom(path, host="127.0.0.1", port=port, title="ARCHIVE", timeout=60.0)
        assert stored[0].PatientID == "P-017"
        assert len(stored[0].WaveformSequence[0].WaveformData) == 8000
        with pytest.raises(RecordingError, match="0xA700"):
            store_dicom(path, host="127.0.0.1", port=port, title="ARCHIVE", timeout=60.0)
    finally:
        server.shutdown()
    # Taken, and nobody listens: a port that was given back may be another program's by now.
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(RecordingError, match="takes no connection"):
            store_dicom(path, host="127.0.0.1", port=deaf.getsockname()[1], title="ARCHIVE", timeout=2.0)
