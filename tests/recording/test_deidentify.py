"""De-identification: what was planted is in no exported byte."""

import platform
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import (
    BidsLabels,
    Session,
    SessionWriter,
    export_bids,
    export_decisions,
    export_edf,
    export_features,
    export_fif,
    read_session,
)
from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.fif import NOBODY, blank_identities
from bcikit.recording.vocabulary import is_channel, is_plain
from bcikit.signal import Chunk, Decision, Event, RecordingError, StreamInfo

NAMES = ("Mustermann", "Erika", "Müller-Lüdenscheidt", "Dr. House-Wilson", "王小明")
SERIALS = ("SN-99887766", "ABX20231107")
HOSTS = ("clinic-pc-17", "10.20.30.40")
DATES = ("1964-08-12", "12.08.1964", "19640812")
CANARIES = (*NAMES, *SERIALS, *HOSTS, *DATES)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session in which every free text holds something that identifies."""
    monkeypatch.setattr(platform, "node", lambda: HOSTS[0])
    info = StreamInfo(
        name=f"{NAMES[1]} {NAMES[0]}",
        sfreq=100.0,
        ch_names=("C3", "C4", f"Aux {NAMES[1]}"),
        source_id=SERIALS[0],
        device=f"Amplifier {SERIALS[1]}",
        reference=f"mastoid of {NAMES[0]}",
    )
    config = {
        "paradigm": {"name": f"study of {NAMES[0]}"},
        "subject": {"name": f"{NAMES[1]} {NAMES[0]}", "born": DATES[0], "chinese": NAMES[4]},
        "operator": NAMES[2],
        "referred": {"physician": NAMES[3]},
        "output": f"osc:{HOSTS[1]}:9000",
    }
    path = tmp_path / "Mustermann_Erika_19640812"
    device = {"serial": SERIALS[1], "host": HOSTS[0], "address": HOSTS[1]}
    with SessionWriter(path, info=info, config=config, device=device) as writer:
        for index in range(20):
            times = index + np.arange(100) / 100.0
            data = np.random.default_rng(index).normal(size=(100, 3))
            writer.chunk(Chunk(data, times, 100 * index), float(times[-1]))
        for index, text in enumerate(CANARIES):
            writer.event(Event(name=f"note {text}", time=1.0 + index, source="operator", data={"text": text}))
            writer.event(Event(name="marker", time=1.0 + index, value=f"patient {text}", source="unity"))
            writer.event(Event(name=f"marker/{text}", time=1.0 + index, source=text))
        writer.event(Event(name="cue/left", time=2.0, sample=200, source="paradigm"))
        writer.event(Event(name="trigger", time=2.0, value=20231107, source="trigger"))
        writer.decision(
            Decision(
                time=3.0,
                sample=300,
                classes=("left", NAMES[0]),
                probabilities=(0.4, 0.6),
                label=NAMES[0],
                reason=f"error: file of {NAMES[0]}",
                data={"note": NAMES[1], "score": 1.5},
            )
        )
    return read_session(path)


def _export_all(session: Session, out: Path, **options: object) -> None:
    export_bids(session, out / "bids", **options)  # type: ignore[arg-type]
    export_bids(session, out / "bids", labels=BidsLabels(subject="02"), format="edf", **options)  # type: ignore[arg-type]
    export_edf(session, out / "x.edf", **options)  # type: ignore[arg-type]
    export_edf(session, out / "x.bdf", **options)  # type: ignore[arg-type]
    export_fif(session, out / "x_eeg.fif", **options)  # type: ignore[arg-type]
    for suffix in ("csv", "parquet"):
        export_decisions(session, out / f"d.{suffix}", **options)  # type: ignore[arg-type]
        export_features(session, out / f"f.{suffix}", **options)  # type: ignore[arg-type]


def _found(out: Path) -> set[str]:
    found = set()
    for file in out.rglob("*"):
        raw = (file.read_bytes() if file.is_file() else b"") + file.relative_to(out).as_posix().encode()
        for text in CANARIES:
            for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
                form = text.encode(encoding, "ignore")
                if len(form) > 3 and form.lower() in raw.lower():
                    found.add(text)
    return found


def test_nothing_planted_is_in_any_exported_byte(planted: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _export_all(planted, out)
    assert len([file for file in out.rglob("*") if file.is_file()]) >= 20
    assert _found(out) == set()
    today = str(planted.header["started"])[:10]
    for file in out.rglob("*"):
        assert not file.is_file() or today.encode() not in file.read_bytes()


def test_the_search_itself_finds_what_is_kept(planted: Session, tmp_path: Path) -> None:
    _export_all(planted, tmp_path / "out", keep=("all",))
    assert {"Mustermann", "Erika", "12.08.1964", "SN-99887766"} <= _found(tmp_path / "out")


def test_keeping_texts_that_identify_is_refused_and_leaves_nothing(planted: Session, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="which identifies"):
        export_edf(planted, tmp_path / "out" / "x.edf", keep=("texts",))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["王小明", "李明"])
def test_a_short_name_in_chinese_is_found_too(name: str, tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "C4"))
    with SessionWriter(tmp_path / "s", info=info, config={"subject": {"name": name}}) as writer:
        times = np.arange(100) / 100.0
        writer.chunk(Chunk(np.random.default_rng(0).normal(size=(100, 2)), times, 0), 1.0)
        writer.event(Event(name=f"{name} begins", time=0.5, source="operator"))
    for keep in ((), ("channels", "device")):
        assert (
            name.encode()
            not in export_bids(read_session(tmp_path / "s"), tmp_path / f"bids{len(keep)}", keep=keep)
            .with_name("sub-01_task-bci_events.tsv")
            .read_bytes()
        )
    with pytest.raises(RecordingError, match="which identifies"):
        export_bids(read_session(tmp_path / "s"), tmp_path / "kept", keep=("texts",))


@pytest.mark.parametrize(
    ("source_id", "config", "secret"),
    [
        ("brainflow:muse-2:SN-99887766", {}, "SN-99887766"),
        ("", {"source": "lsl:source_id=ABX20231107&timeout=5"}, "ABX20231107"),
        ("", {"import": {"source": "P4711_rest.edf"}}, "P4711"),
    ],
)
def test_numbers_within_addresses_and_file_names_are_found(
    source_id: str, config: dict[str, object], secret: str, tmp_path: Path
) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "C4"), source_id=source_id)
    with SessionWriter(tmp_path / "s", info=info, config=config) as writer:
        data = np.random.default_rng(0).normal(size=(100, 2))
        writer.chunk(Chunk(data, np.arange(100) / 100.0, 0), 1.0)
        writer.event(Event(name=f"amplifier of {secret}", time=0.5, source="operator"))
    assert export_bids(read_session(tmp_path / "s"), tmp_path / "bids").is_file()
    with pytest.raises(RecordingError, match=f"hold '{secret}"):
        export_bids(read_session(tmp_path / "s"), tmp_path / "kept", keep=("texts",))


def test_a_machine_that_is_called_like_a_word_of_the_files_stops_nothing(
    planted: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "bcikit")
    assert export_bids(planted, tmp_path / "bids").is_file()


def test_harmless_words_stay(planted: Session, tmp_path: Path) -> None:
    view = export_edf(planted, tmp_path / "x.edf")
    names = {row.name for row in view.rows}
    assert {"cue/left", "marker", "trigger"} <= names
    assert view.info.ch_names[:2] == ("C3", "C4")
    assert view.info.ch_names[2] == "EEG003"
    assert all(row.value is None for row in view.rows)


def test_headers_of_edf_and_fif_hold_no_date_and_no_machine(planted: Session, tmp_path: Path) -> None:
    export_edf(planted, tmp_path / "x.edf")
    header = (tmp_path / "x.edf").read_bytes()[:256]
    assert header[8:88].strip() == b"X X X X"
    assert header[88:168].strip() == b"Startdate X X X X"
    assert header[168:184] == b"01.01.8500.00.00"
    export_fif(planted, tmp_path / "x_eeg.fif")
    before = (tmp_path / "x_eeg.fif").read_bytes()
    blank_identities(tmp_path / "x_eeg.fif")
    assert (tmp_path / "x_eeg.fif").read_bytes() == before
    # A file identity: kind 100, type 31, 20 bytes.
    start = before.index(bytes.fromhex("000000640000001f00000014"))
    assert before[start + 20 : start + 36] == NOBODY


@pytest.mark.parametrize(
    "text", ["cue/left", "T1", "S 12", "phase/feedback", "BAD_lost", "mi,2,0,4", "33025", "Stimulus/S  1", "nan"]
)
def test_words_of_experiments_are_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", [*CANARIES, "Anna", "note Jane", "1.2.2024", "2024-05-01", "host17x", "123456789"])
def test_what_could_identify_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize(
    "name",
    ["Fc5.", "FCz", "PO8", "T7", "EEG Fpz-Cz", "A1", "VEOG", "EXG Channel 0", "Right AUX", "Status", "TP9", "O1-M2"],
)
def test_ordinary_channel_names_stay(name: str) -> None:
    assert is_channel(name)


@pytest.mark.parametrize("name", ["Erika", "C3 Mustermann", "SN12345", "EEG 1964-08-12"])
def test_other_channel_names_go(name: str) -> None:
    assert not is_channel(name)


@pytest.mark.requirement("SAF-135")
@pytest.mark.parametrize(
    "text",
    [
        "phone 030 1234 567", "0151 234 567 89", "47 11 08 15", "4711 0815", "id 4711 0815", "patient 12345",
        "subject_1234", "patient123", "born 1964 08 12", "1964_08_12", "12 08 1964", "１９６４-０８-１２",
        "１９６４０８１２", "1964年8月12日", "١٩٦٤-٠٨-١٢", "Aux 1964", "52.5200 13.4050", "52.52, 13.40", "12_08_64",
        "mustermann", "cue/mustermann", "erika mustermann called", "王小明", "left mustermann", "mrn 00815",
    ],
)  # fmt: skip
def test_texts_that_may_name_somebody_do_not_leave(text: str, tmp_path: Path) -> None:
    info = StreamInfo(name="eeg", sfreq=100.0, ch_names=("C3", text))
    with SessionWriter(tmp_path / "s", info=info, config={"paradigm": {"name": "motor-imagery"}}) as writer:
        writer.chunk(Chunk(np.zeros((10, 2)), np.arange(10) / 100.0, 0), 0.1)
        for source in ("paradigm", "operator", "unity"):
            # A marker stream may be called like one of ours.
            writer.event(Event(name=text, time=0.05, source=source, value=text))
            writer.event(Event(name=f"cue/{text}", time=0.05, source=source))
        writer.decision(
            Decision(time=0.1, sample=9, classes=("left", text.lower()), probabilities=(0.4, 0.6), label=text.lower())
        )
    check = Deidentifier(read_session(tmp_path / "s"))
    for event in read_session(tmp_path / "s").events:
        assert text.lower() not in check.event_name(event).lower()
        assert check.event_value(event) is None
    assert text.lower() not in str(check.label(text.lower())).lower()
    assert text not in check.info(info).ch_names


@pytest.mark.parametrize(
    "name", ["cue/left", "trial/start", "trial 12", "block 3 trial 12", "S 12", "tone 1000", "stimulus/flicker 8", "T1"]
)
def test_words_of_experiments_leave_as_they_are(name: str) -> None:
    assert is_plain(name)
