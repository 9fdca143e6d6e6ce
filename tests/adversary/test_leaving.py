# ruff: noqa: E501 - one plant a line
"""What leaves the house: seventy identifiers planted in every field that can hold text, then every produced byte searched."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bcikit.recording import (
    BidsLabels,
    SessionWriter,
    export_bids,
    export_decisions,
    export_edf,
    export_features,
    export_fif,
    read_session,
)
from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.vocabulary import is_channel, is_plain
from bcikit.signal import Chunk, Decision, Event, RecordingError, StreamInfo, Verdict
from tests.adversary.identifiers import ELECTRODES, HARMLESS, IDENTIFIERS, without_ids

pytestmark = [pytest.mark.requirement("SAF-135"), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("text", IDENTIFIERS)
def test_an_identifier_is_no_plain_text_however_it_is_written(text):
    for form in (text, f"cue/{text}", f"note {text}", f"{text} left", text.lower(), text.upper()):
        assert not is_plain(form), form
        assert not is_channel(form), form


@pytest.mark.parametrize("text", HARMLESS)
def test_words_of_experiments_stay(text):
    assert is_plain(text)


@pytest.mark.parametrize("name", ELECTRODES)
def test_electrodes_stay(name):
    assert is_channel(name)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    n = len(IDENTIFIERS)
    names = ("C3", "Cz", *(f"{text}" for text in IDENTIFIERS))
    info = StreamInfo(
        name=IDENTIFIERS[0], sfreq=100.0, ch_names=names, source_id=" ".join(IDENTIFIERS), device=" ".join(IDENTIFIERS[:9]),
        reference=IDENTIFIERS[1], unit="uV", bads=(IDENTIFIERS[2],),
    )  # fmt: skip
    config = {
        "session": {"subject": IDENTIFIERS[0], "notes": list(IDENTIFIERS), "operator": IDENTIFIERS[1]},
        "paradigm": {"name": "/home/mustermann/p4711.toml"},
        "source": {"address": f"file:{IDENTIFIERS[-4]}"},
    }
    path = tmp_path_factory.mktemp("planted") / "Erika Mustermann 1964-08-12"
    with SessionWriter(
        path, info=info, config=config, device={"serial": "SN-99887766", "host": "DESKTOP-7QK2"}
    ) as writer:
        for index in range(6):
            times = index + np.arange(100) / 100.0
            writer.chunk(
                Chunk(np.random.default_rng(index).normal(size=(100, n + 2)), times, 100 * index), float(times[-1])
            )
        for index, text in enumerate(IDENTIFIERS):
            time = 1.0 + index / 40
            for name in (text, f"cue/{text}", f"note {text}"):
                writer.event(Event(name=name, time=time, source=text, value=text, data={"text": text}))
            writer.event(Event(name="marker", time=time, value=text, source="paradigm"))
            writer.alarm({"level": "WARNING", "rule": "H-STALL", "text": text, "value": 1.0})
            writer.decision(
                Decision(
                    time=time, sample=int(100 * time), classes=("left", text), probabilities=(0.4, 0.6), label=text,
                    reason=text, data={text: 0.5, "score": 0.25, "note": {text: 110105194912310021}},
                )
            )  # fmt: skip
            writer.verdict(
                Verdict(time=time, sample=int(100 * time), allowed=False, reasons=("A-CONF", text), state=text)
            )
        writer.event(Event(name="cue/left", time=2.0, sample=200, source="paradigm"))
    return read_session(path)


def _texts(file: Path) -> bytes:
    """Return every byte of a file; of a packed table what it holds."""
    if file.suffix == ".parquet":
        import pyarrow.parquet as parquet

        table = parquet.read_table(file)
        return (
            json.dumps([table.column_names, table.to_pylist()], ensure_ascii=False, default=str).encode()
            + file.read_bytes()
        )
    return file.read_bytes()


def _found(folder: Path) -> set[str]:
    found = set()
    for file in folder.rglob("*"):
        raw = (_texts(file) if file.is_file() else b"").lower() + file.relative_to(folder).as_posix().lower().encode()
        for text in IDENTIFIERS:
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "gb18030"):
                form = text.lower().encode(encoding, "ignore")
                # Fewer bytes turn up in signals by chance.
                if len(form) > 5 and form in raw:
                    found.add(text)
    return found


@pytest.mark.slow
def test_nothing_planted_is_in_any_byte_of_any_export(session, tmp_path):
    out = tmp_path / "out"
    for number, form in enumerate(("brainvision", "edf", "bdf")):
        export_bids(session, out / "bids", labels=BidsLabels(subject=f"0{number}"), format=form, lossy=True)
    export_edf(session, out / "x.edf", lossy=True)
    export_edf(session, out / "x.bdf", lossy=True)
    export_fif(session, out / "x_eeg.fif", lossy=True)
    for suffix in ("csv", "parquet"):
        export_decisions(session, out / f"d.{suffix}")
        export_features(session, out / f"f.{suffix}")
    assert _found(out) == set()
    text = (out / "d.csv").read_text(encoding="utf-8")
    # What is harmless is there, or nothing was shown.
    assert "data_score" in text
    assert "A-CONF" in text
    assert "110105194912310021" not in text
    assert b"cue/left" in (out / "bids" / "sub-00" / "eeg" / "sub-00_task-bci_events.tsv").read_bytes()


def test_the_search_finds_what_is_kept(session, tmp_path):
    export_decisions(session, tmp_path / "out" / "d.parquet", keep=("all",))
    assert len(_found(tmp_path / "out")) > 60


def test_dicom_and_fhir_that_name_nobody_hold_nothing_planted(session, tmp_path, monkeypatch):
    pytest.importorskip("pydicom")
    pytest.importorskip("fhir.resources")
    from bcikit.clinic.hospital import write_dicom
    from bcikit.recording.fhir_bundle import Measure, Treatment, save_bundle

    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "anchors"))
    record = SimpleNamespace(
        parts=[str(session.path)], subject=IDENTIFIERS[0], birth_year=1964, scopes=("acquire",), simulated=False,
        started="2024-05-01T10:00:00+02:00", device=" ".join(IDENTIFIERS), serial="SN-99887766", software="bcikit",
    )  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    write_dicom(record, out)  # type: ignore[arg-type]
    treatment = Treatment(
        subject=IDENTIFIERS[0], birth_year=1964, operator=IDENTIFIERS[1], protocol="/home/mustermann/p4711.toml",
        title=" ".join(IDENTIFIERS), started=record.started, seconds=60.0, device=record.device, serial=record.serial,
        conclusion=" ".join(IDENTIFIERS), pdf=" ".join(IDENTIFIERS).encode(),
        measures=tuple(Measure(name=text, title=text, value=1.0, unit=text, day="2024-05-01") for text in IDENTIFIERS),
    )  # fmt: skip
    save_bundle(treatment, out / "x.fhir.json")
    assert _found(out) == set()
    raw = (out / "x.fhir.json").read_text(encoding="utf-8")
    assert b"05-01" not in without_ids(raw.encode())
    # The same person and visit is the same entry when it is sent twice, and nobody can try all codes elsewhere.
    save_bundle(treatment, out / "y.fhir.json")
    assert (out / "y.fhir.json").read_text(encoding="utf-8") == raw
    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "other"))
    save_bundle(treatment, out / "z.fhir.json")
    assert (out / "z.fhir.json").read_text(encoding="utf-8") != raw


def test_an_eeg_that_would_identify_is_never_left_there_to_be_sent(session, tmp_path, monkeypatch):
    pytest.importorskip("pydicom")
    from bcikit.clinic.hospital import write_dicom

    monkeypatch.setenv("BCIKIT_ANCHORS", str(tmp_path / "anchors"))
    record = SimpleNamespace(
        parts=[str(session.path)], subject="P-1", birth_year=1964, scopes=("acquire",), simulated=False,
        started="2024-05-01T10:00:00+02:00", device="", serial="", software="on DESKTOP-7QK2",
    )  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RecordingError, match=r"would hold .*(?i:desktop-7qk2)"):
        write_dicom(record, out)  # type: ignore[arg-type]
    assert list(out.iterdir()) == []


def test_the_preview_says_what_is_replaced(session):
    replaced = Deidentifier(session).preview()
    assert set(IDENTIFIERS) <= set(replaced)
