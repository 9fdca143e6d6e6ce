"""Exports: valid, sample-exact within the resolution of the format, and read by the programs they are for."""

import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import edfio
import mne
import mne_bids
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bcikit.acquisition import read_recording
from bcikit.cli.app import app
from bcikit.decoding import epochs
from bcikit.processing import with_montage
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
from bcikit.recording.bids import task_of
from bcikit.recording.edf import record_of
from bcikit.recording.view import ExportView, Row, _holds, spans_of
from bcikit.signal import (
    ArgumentError,
    Bad,
    Chunk,
    DoubtWarning,
    Event,
    Health,
    MissingDependencyError,
    Recording,
    RecordingError,
    StreamInfo,
)

SFREQ = 250.0


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Return a session of 20 s with 40 lost samples, a railed span, one NaN, and events."""
    rng = np.random.default_rng(3)
    info = StreamInfo(name="amp", sfreq=SFREQ, ch_names=("C3", "Cz", "C4", "VEOG"), ch_types=("eeg",) * 3 + ("eog",))
    with SessionWriter(tmp_path / "session", info=info, config={"paradigm": "motor-imagery"}) as writer:
        first = 0
        for index in range(200):
            data = rng.normal(scale=40.0, size=(25, 4))
            mask = None
            if 100 <= index < 110:
                data[:, 2] = 187500.0 / 64
                mask = np.zeros(data.shape, np.uint8)
                mask[:, 2] = Bad.RAILED
            if index == 150:
                data[3, 0] = np.nan
            lost = 40 if index == 50 else 0
            first += lost
            times = 100.0 + np.arange(first, first + 25) / SFREQ
            writer.chunk(Chunk(data, times, first, Health(lost=lost, mask=mask)), float(times[-1]))
            if index % 20 == 5:
                name = "cue/left" if index % 40 == 5 else "cue/right"
                when = float(times[0])
                writer.event(Event(name=name, time=when, sample=first, duration=1.25, source="paradigm"))
            first += 25
        for active in (True, False, True):
            writer.alarm({"rule": "Q-LINE", "channels": ["Cz"], "active": active, "what": "mains"})
        for channels, seen in ((["C4"], False), (["C4", "Cz"], False), (["Cz"], False), (["Cz"], True)):
            writer.alarm({"rule": "Q-MONT", "channels": channels, "active": True, "acknowledged": seen})
    return read_session(tmp_path / "session")


def _expected(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Return samples on the grid, and where one was received."""
    recording = session.recording
    full = np.zeros((int(recording.samples[-1]) + 1, recording.info.n_channels))
    full[recording.samples] = recording.data
    received = np.zeros(len(full), bool)
    received[recording.samples] = True
    return full, received


def _validate(root: Path) -> list[dict[str, object]]:
    program = shutil.which("bids-validator-deno")
    if program is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run([program, "--json", str(root)], capture_output=True, text=True, timeout=100, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [issue for issue in issues if issue["severity"] == "error"]


def test_bids_is_valid_and_mne_reads_it_sample_exact(session: Session, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    path = export_bids(session, root, labels=BidsLabels(subject="007", session="1", run="1"))
    export_bids(session, root, labels=BidsLabels(subject="007", session="1", run="2"), format="bdf")
    assert _validate(root) == []
    raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    full, _ = _expected(session)
    np.testing.assert_allclose(raw.get_data().T * 1e6, full.astype(np.float32), rtol=2e-7, atol=1e-12)
    found = mne_bids.BIDSPath(subject="007", session="1", task="motorimagery", run="1", datatype="eeg", root=root)
    raw = mne_bids.read_raw_bids(found, verbose="ERROR")
    assert raw.info["bads"] == []
    names = list(raw.annotations.description)
    assert names.count("cue/left") == 5
    assert names.count("BAD_lost") == 1
    lost = raw.annotations[names.index("BAD_lost")]
    assert lost["onset"] == pytest.approx(50 * 25 / SFREQ)
    assert lost["duration"] == pytest.approx(40 / SFREQ)
    positions = raw.get_montage().get_positions()["ch_pos"]
    assert positions["C3"][0] < -0.03 < 0.03 < positions["C4"][0]


def test_bids_tables_tell_of_health(session: Session, tmp_path: Path) -> None:
    path = export_bids(session, tmp_path / "bids")
    stem = str(path).removesuffix("_eeg.vhdr")
    sidecar = json.loads(Path(f"{stem}_eeg.json").read_text())
    assert sidecar["RecordingType"] == "discontinuous"
    assert sidecar["TaskName"] == "motorimagery"
    channels = pd.read_csv(f"{stem}_channels.tsv", sep="\t", keep_default_na=False).set_index("name")
    assert channels.loc["C4", "status_description"] == "Q-MONT: 1 alarm; Q-RAIL railed: 5 % of samples"
    assert channels.loc["C3", "status_description"].startswith("Q-NAN")
    assert channels.loc["Cz", "status_description"] == "Q-LINE: 2 alarms; Q-MONT: 1 alarm"
    assert list(channels["type"]) == ["EEG", "EEG", "EEG", "EOG"]
    events = pd.read_csv(f"{stem}_events.tsv", sep="\t", keep_default_na=False)
    railed = events[events["trial_type"] == "BAD_railed"].iloc[0]
    assert railed["channel"] == "C4"
    assert float(railed["duration"]) == pytest.approx(1.0)
    described = json.loads(Path(f"{stem}_events.json").read_text())["trial_type"]
    assert described["HED"]["cue/left"] == "(Sensory-event, Visual-presentation, Cue, Label/cue-left)"


ODD_TEXTS = (
    "a\nb",
    "tab\there",
    "comma,semi;",
    'say "x"',
    "\x14tal\x15",
    "中文 事件",
    "é" * 60,
    "",
    " ",
    "nul\0x",
    "\ud800",
    "=1+1",
)


def odd(names: tuple[str, ...], *, gap: bool = True) -> Session:
    """Return a session of 8 s with texts that formats use themselves, events outside, and two gaps."""
    n = 2000
    samples = np.arange(n)
    if gap:
        samples = samples + np.where(samples > 1000, 500, 0) + np.where(samples > 1500, 3, 0)
    events = [
        Event(name=text, value=text, time=100.5 + at * 0.3, sample=125 + 75 * at, source="m")
        for at, text in enumerate(ODD_TEXTS)
    ]
    outside = [
        Event(name=f"cue/{side}", time=time, source="paradigm") for side, time in (("left", 97.0), ("right", 1e4))
    ]
    mask = np.zeros((n, len(names)), np.uint8)
    mask[100:900, -1] = Bad.RAILED
    data = np.random.default_rng(0).normal(0, 20, mask.shape)
    info = StreamInfo(name="x", sfreq=SFREQ, ch_names=names)
    times = 100.0 + samples / SFREQ
    return Session.from_recording(
        Recording(
            info=info, data=data, times=times, samples=samples, events=(outside[0], *events, outside[1]), mask=mask
        )
    )


def test_a_comma_in_a_text_is_a_comma_for_every_reader_of_brainvision(tmp_path):
    session = odd(("C3", "C4"), gap=False)
    path = export_bids(session, tmp_path, keep=("texts",))
    raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    assert "Comment/comma,semi;" in raw.annotations.description


@pytest.mark.parametrize("format", ["brainvision", "edf"])
def test_bids_of_several_runs_with_texts_of_any_kind_is_valid(tmp_path: Path, format: str) -> None:  # noqa: A002
    from mne_bids import BIDSPath, read_raw_bids

    names = ("C3", "通道二", "通道三", "a channel with a very long name")
    root = tmp_path / "数据 set"
    runs = {("01", "1"): odd(names), ("01", "2"): odd(names, gap=False), ("02", "1"): odd(names)}
    for (subject, run), session in runs.items():
        labels = BidsLabels(subject=subject, task="mi", run=run)
        export_bids(session, root, labels=labels, format=format, keep=("channels", "texts"))
    assert _validate(root) == []
    for (subject, run), session in runs.items():
        with warnings.catch_warnings():
            # An event after the end of the signals is left out by MNE, and it says so.
            warnings.simplefilter("ignore", RuntimeWarning)
            raw = read_raw_bids(
                BIDSPath(subject=subject, task="mi", run=run, datatype="eeg", root=root), verbose="ERROR"
            )
        full, received = _expected(session)
        step = {"brainvision": 1e-5, "edf": 0.002}[format]
        np.testing.assert_allclose(raw.get_data().T[: len(full)][received] * 1e6, full[received], atol=step)
        assert raw.info["bads"] == [raw.ch_names[3]]
        assert {"中文 事件", "tab here", "tal"} <= {str(text).split("/")[0] for text in raw.annotations.description}
        first = names if format == "brainvision" else ("C3", "EEG002", "EEG003", "a channel with a")
        assert tuple(raw.ch_names) == first


def test_an_export_that_is_refused_leaves_no_trace(session: Session, tmp_path: Path) -> None:
    loud = replace(session, chunks=tuple(replace(c, data=c.data * 1e4) for c in session.chunks))
    with pytest.raises(RecordingError, match=r"Name the file '\.bdf'"):
        export_bids(loud, tmp_path / "bids", format="edf")
    assert not (tmp_path / "bids").exists()


def test_an_export_without_its_library_leaves_folders_as_they_were(session, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pybv", None)
    (tmp_path / "kept").mkdir()
    for root, there in ((tmp_path / "new" / "bids", tmp_path / "new"), (tmp_path / "kept" / "bids", None)):
        with pytest.raises(MissingDependencyError, match="pybv"):
            export_bids(session, root)
        assert not (there or root).exists()
    assert not list((tmp_path / "kept").iterdir())


def test_a_channel_that_is_mostly_bad_has_the_status_bad(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "C4"))
    mask = np.zeros((500, 2), np.uint8)
    mask[:100, 1] = Bad.FLAT
    session = Session.from_recording(Recording.from_arrays(info, np.ones((500, 2)), mask=mask))
    assert [good for good, _ in ExportView.of(session).status] == [True, False]
    export_fif(session, tmp_path / "x_eeg.fif")
    assert mne.io.read_raw_fif(tmp_path / "x_eeg.fif", verbose="ERROR").info["bads"] == ["C4"]


def test_a_channel_that_was_marked_as_bad_is_bad_in_every_export(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "通道二", "C4"), bads=("C3", "通道二"))
    mask = np.zeros((500, 3), np.uint8)
    mask[:10, 0] = Bad.FLAT
    data = np.random.default_rng(0).normal(0, 20, (500, 3))
    session = Session.from_recording(Recording.from_arrays(info, data, mask=mask))
    view = ExportView.of(session)
    assert view.status == (
        (False, "marked as bad; Q-FLAT flat: 2 % of samples"),
        (False, "marked as bad"),
        (True, ""),
    )
    assert view.info.bads == ("C3", "EEG002")
    assert view.renamed(("a", "C3", "b")).info.bads == ("a", "C3")
    export_fif(session, tmp_path / "x_eeg.fif")
    assert mne.io.read_raw_fif(tmp_path / "x_eeg.fif", verbose="ERROR").info["bads"] == ["C3", "EEG002"]
    for run, format in (("1", "brainvision"), ("2", "bdf")):  # noqa: A001 - the word a user knows
        path = export_bids(session, tmp_path / "bids", labels=BidsLabels(task="mi", run=run), format=format)
        assert read_recording(path).info.bads == ("C3", "EEG002")
    with pytest.warns(DoubtWarning, match=r"leaves out: marks of 2 bad channels \(C3, EEG002\)"):
        export_edf(session, tmp_path / "x.edf")
    export_edf(session, tmp_path / "x.edf", lossy=True, overwrite=True)


def test_the_same_recording_is_not_written_over(session: Session, tmp_path: Path) -> None:
    path = export_bids(session, tmp_path / "bids")
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="exists already"):
        export_bids(session, tmp_path / "bids")
    assert path.read_bytes() == before
    assert not list((tmp_path / "bids").glob(".bcikit-export-*"))
    export_bids(session, tmp_path / "bids", overwrite=True)


def test_what_is_written_over_leaves_nothing_behind(session: Session, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    labels = BidsLabels(task="mi", run="1")
    other = export_bids(session, root, labels=replace(labels, run="11"))
    folder = other.parent

    def of(run: str) -> set[str]:
        return {path.suffix for path in folder.glob(f"sub-01_task-mi_run-{run}_eeg.*")}

    whole = {".vhdr", ".eeg", ".vmrk", ".json"}
    export_bids(session, root, labels=labels)
    assert of("1") == whole
    command = ["export", str(session.path), "--bids", str(root), "--task", "mi", "--run", "1", "--format", "bdf"]
    assert CliRunner().invoke(app, [*command, "--overwrite"]).exit_code == 0
    assert (of("1"), of("11")) == ({".bdf", ".json"}, whole)
    export_bids(session, root, labels=labels, overwrite=True)
    assert (of("1"), of("11")) == (whole, whole)


def test_electrodes_go_with_the_only_recording_that_had_them(session: Session, tmp_path: Path) -> None:
    unplaced = StreamInfo(name="x", sfreq=SFREQ, ch_names=("EEG001", "EEG002"))
    data = np.random.default_rng(0).normal(0, 20, (500, 2))
    bare = Session.from_recording(Recording.from_arrays(unplaced, data))
    root = tmp_path / "bids"
    labels = BidsLabels(task="mi", run="1")
    folder = export_bids(session, root, labels=labels).parent
    export_bids(bare, root, labels=replace(labels, run="2"), keep=("channels",))
    export_bids(bare, root, labels=labels, keep=("channels",), overwrite=True)
    assert list(folder.glob("*_electrodes.tsv")), "another recording of the visit may have them"
    for path in folder.glob("*_run-2_*"):
        path.unlink()
    export_bids(bare, root, labels=labels, keep=("channels",), overwrite=True)
    assert not [path for what in ("electrodes", "coordsystem") for path in folder.glob(f"*_{what}.*")]
    assert len(list(folder.glob("*_run-1_eeg.*"))) == 4


def test_positions_that_nobody_measured_are_not_said_to_be_the_devices(session: Session, tmp_path: Path) -> None:
    template = with_montage(session.info)
    measured = template.replace(positions=tuple((x, y, z + 0.004) for x, y, z in template.positions or ()))
    for number, (info, word) in enumerate(((session.info, "Template"), (template, "Template"), (measured, "stated"))):
        with SessionWriter(tmp_path / f"{number}", info=info, config={}) as writer:
            writer.chunk(Chunk(np.ones((50, 4)), 100.0 + np.arange(50) / SFREQ, 0, Health()), 100.2)
        root = tmp_path / f"bids{number}"
        export_bids(read_session(tmp_path / f"{number}"), root)
        (system,) = root.rglob("*_coordsystem.json")
        assert word in json.loads(system.read_text(encoding="utf-8"))["EEGCoordinateSystemDescription"]
        (table,) = root.rglob("*_electrodes.tsv")
        found = pd.read_csv(table, sep="\t")[["x", "y", "z"]].to_numpy()
        want = (template if word == "Template" else measured).positions_array()[:3]
        np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize("labels", [{"subject": "Jane Doe"}, {"subject": ""}, {"run": "a"}, {"task": "a_b"}])
def test_labels_that_bids_forbids_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ArgumentError):
        BidsLabels(**labels)


@pytest.mark.parametrize(("name", "bits"), [("x.edf", 16), ("x.bdf", 24)])
def test_edf_and_bdf_are_exact_to_half_a_step(session: Session, tmp_path: Path, name: str, bits: int) -> None:
    export_edf(session, tmp_path / name)
    file = (edfio.read_edf if bits == 16 else edfio.read_bdf)(tmp_path / name)
    full, _ = _expected(session)
    for index, signal in enumerate(file.signals):
        low, high = signal.physical_range
        step = (high - low) / (2**bits - 1)
        assert step <= 0.1
        difference = signal.data[: len(full)] - np.nan_to_num(full[:, index])
        assert np.abs(difference).max() <= 0.5001 * step + 1e-9
        assert signal.sampling_frequency == SFREQ
    texts = [annotation.text for annotation in file.annotations]
    assert texts.count("cue/right") == 5
    assert "BAD_lost" in texts
    assert "BAD_railed/C4" in texts
    reader = mne.io.read_raw_edf if bits == 16 else mne.io.read_raw_bdf
    raw = reader(tmp_path / name, verbose="ERROR")
    assert raw.ch_names == ["C3", "Cz", "C4", "VEOG"]
    assert raw.info["sfreq"] == SFREQ


def test_16_bits_that_would_be_too_coarse_are_refused(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3",))
    data = np.linspace(-1e5, 1e5, 1000)[:, None]
    session = Session.from_recording(Recording.from_arrays(info, data))
    with pytest.raises(RecordingError, match=r"C3 spans 200000 uV.*\.bdf"):
        export_edf(session, tmp_path / "x.edf")
    assert not (tmp_path / "x.edf").exists()
    export_edf(session, tmp_path / "x.bdf")
    with pytest.raises(ArgumentError, match="must end"):
        export_edf(session, tmp_path / "x.txt")


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 160.0, 250.0, 256.0, 512.0, 1000.0, 2048.0])
@pytest.mark.parametrize("n_times", [1, 997, 5000])
def test_records_of_edf_are_exact_and_pad_little(sfreq: float, n_times: int) -> None:
    samples, seconds = record_of(n_times, sfreq)
    assert samples == seconds * sfreq
    assert float(f"{seconds}"[:8]) == seconds
    assert -n_times % samples < samples <= 2 * sfreq


def test_padding_is_marked(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3",))
    session = Session.from_recording(Recording.from_arrays(info, np.ones((997, 1))))
    export_edf(session, tmp_path / "x.edf")
    file = edfio.read_edf(tmp_path / "x.edf")
    assert [(a.onset, a.text) for a in file.annotations] == [(9.97, "BAD_padding")]


def test_fif_is_exact_in_double_precision(session: Session, tmp_path: Path) -> None:
    export_fif(session, tmp_path / "x_eeg.fif")
    raw = mne.io.read_raw_fif(tmp_path / "x_eeg.fif", verbose="ERROR")
    full, _ = _expected(session)
    np.testing.assert_allclose(raw.get_data().T, full * 1e-6, rtol=1e-15, atol=0)
    assert raw.info["meas_date"] is None
    assert list(raw.annotations.description).count("cue/left") == 5
    about = {mark["description"]: mark["ch_names"] for mark in raw.annotations}
    assert about["BAD_railed"] == ("C4",)
    assert about["BAD_lost"] == ()


def test_a_mark_of_one_channel_stays_one_of_it_in_every_export(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=100.0, ch_names=("C3", "通道二"))
    events = [Event(name="T1", time=second, sample=100 * second) for second in (1, 3)]
    mark = Event(name="BAD_move", time=1.2, sample=120, duration=0.5, data={"channels": ["通道二"]})
    data = np.random.default_rng(0).normal(0, 20, (500, 2))
    session = Session.from_recording(Recording.from_arrays(info, data, events=(*events, mark)))
    export_fif(session, tmp_path / "x_eeg.fif")
    export_edf(session, tmp_path / "x.edf")
    paths = [tmp_path / "x_eeg.fif", export_bids(session, tmp_path / "bids", labels=BidsLabels(task="mi", run="1"))]
    for path in paths:
        read = read_recording(path)
        assert [(e.name, e.data.get("channels")) for e in read.events if e.data] == [("BAD_move", ["EEG002"])]
        for channel, kept in (("C3", 2), ("EEG002", 1)):
            trials = epochs(read, events={"T1": "a"}, tmin=0.0, tmax=0.9, channels=[channel])
            assert len(trials.y) == kept
    # A text has no field for it.
    assert "BAD_move/EEG002" in [event.name for event in read_recording(tmp_path / "x.edf").events]


def test_the_table_of_decisions_holds_verdicts_and_scores(session_dir: Path, tmp_path: Path) -> None:
    session = read_session(session_dir)
    for name in ("d.csv", "d.parquet"):
        assert export_decisions(session, tmp_path / name) == 4
    for frame in (pd.read_csv(tmp_path / "d.csv"), pd.read_parquet(tmp_path / "d.parquet")):
        assert list(frame["label"]) == ["right"] * 4
        np.testing.assert_array_equal(frame["p_left"], [1 / 3] * 4)
        np.testing.assert_allclose(frame["data_score"], [0.1 + 0.2] * 4, rtol=1e-15)
        assert not frame["allowed"].any()
        assert frame["time"].iloc[0] < 10.0
    with pytest.raises(RecordingError, match="exists already"):
        export_decisions(session, tmp_path / "d.csv")


def test_the_table_of_features_finds_a_rhythm_where_it_is(tmp_path: Path) -> None:
    info = StreamInfo(name="x", sfreq=200.0, ch_names=("O1", "O2", "VEOG"), ch_types=("eeg", "eeg", "eog"))
    data = np.random.default_rng(0).normal(size=(4000, 3))
    data[:, 1] += 20.0 * np.sin(2 * np.pi * 10.0 * np.arange(4000) / 200.0)
    session = Session.from_recording(Recording.from_arrays(info, data))
    n_rows = export_features(session, tmp_path / "f.csv", window=1.0, hop=0.5)
    frame = pd.read_csv(tmp_path / "f.csv")
    assert len(frame) == n_rows >= 36
    # A sine of amplitude 20 has the power 200.
    np.testing.assert_allclose(frame["O2 alpha"], 200.0, rtol=0.2)
    assert frame["O1 alpha"].max() < 2.0
    assert not any(column.startswith("VEOG") for column in frame.columns)


def test_nothing_to_export_is_one_clear_error(tmp_path: Path, info: StreamInfo) -> None:
    with SessionWriter(tmp_path / "s", info=info):
        pass
    session = read_session(tmp_path / "s")
    with pytest.raises(RecordingError, match="0 samples"):
        export_fif(session, tmp_path / "x.fif")
    with pytest.raises(RecordingError, match="no decisions"):
        export_decisions(session, tmp_path / "x.csv")


def test_a_folder_that_cannot_be_written_is_one_clear_error(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    exporters: list[Callable[[], object]] = [
        lambda: export_bids(session, tmp_path / "file"),
        lambda: export_edf(session, tmp_path / "file" / "x.edf"),
    ]
    for exporter in exporters:
        with pytest.raises(RecordingError, match="cannot be written"):
            exporter()


def test_spans_join_what_is_near() -> None:
    flags = np.array([1, 1, 0, 1, 0, 0, 0, 1], bool)
    assert spans_of(flags) == [(0, 2), (3, 4), (7, 8)]
    assert spans_of(flags, join=2) == [(0, 4), (7, 8)]
    assert spans_of(np.zeros(3, bool)) == []


def test_the_task_of_a_session_is_its_paradigm(session_dir):
    session = read_session(session_dir)
    for name, task in (("paradigm:motor-imagery", "motorimagery"), ("paradigms/mine.toml", "bci"), ("", "bci")):
        assert task_of(replace(session, config={"paradigm": {"name": name}})) == task


def of_codes(codes: np.ndarray) -> Session:
    info = StreamInfo(name="x", sfreq=SFREQ, ch_names=("C3", "STI"), ch_types=("eeg", "stim"))
    data = np.stack([np.sin(np.arange(codes.size)), codes], axis=1)
    return Session.from_recording(Recording.from_arrays(info, data))


def test_codes_of_a_trigger_channel_stay_the_numbers_they_are(tmp_path: Path) -> None:
    codes = np.zeros(1000)
    codes[100:150], codes[400:450] = 255, 31000
    export_edf(of_codes(codes), tmp_path / "a.edf")
    found = edfio.read_edf(tmp_path / "a.edf")
    np.testing.assert_array_equal(found.signals[1].data, codes)
    codes[400] = 40_000
    with pytest.raises(RecordingError, match=r"codes up to 40000, which 16 bits cannot hold; name the file '.bdf'"):
        export_edf(of_codes(codes), tmp_path / "b.edf")
    export_edf(of_codes(codes), tmp_path / "b.bdf")
    codes[400] = 2.0**24
    with pytest.raises(RecordingError, match="24 bits cannot hold; export to FIF instead"):
        export_edf(of_codes(codes), tmp_path / "c.bdf")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Stimulus/S253", 253, True),
        ("cue/7", 7, True),
        ("7", "7", True),
        ("Stimulus/S253", 53, False),
        ("level-3", 3, False),
        ("gain 1.5", 5, False),
        ("cue/left", 1, False),
        ("BAD_lost", 12, True),
    ],
)
def test_a_name_that_says_the_value_loses_none(name, value, says):
    assert _holds(Row(onset=0.0, duration=0.0, name=name, value=value)) is says
