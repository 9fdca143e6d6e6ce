"""SessionWriter and read_session: what was written comes back, bit for bit."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from bcikit.recording import SessionWriter, read_session
from bcikit.recording.append_file import AppendFile
from bcikit.signal import ArgumentError, Chunk, Event, Health, RecordingError, StreamInfo


def _same_chunk(a: Chunk, b: Chunk) -> None:
    np.testing.assert_array_equal(a.data.view(np.int64), b.data.view(np.int64))
    np.testing.assert_array_equal(a.times, b.times)
    assert (a.first_sample, a.health.lost, a.health.flags, a.health.age) == (
        b.first_sample,
        b.health.lost,
        b.health.flags,
        b.health.age,
    )
    if a.health.mask is None:
        assert b.health.mask is None
    else:
        np.testing.assert_array_equal(a.health.mask, b.health.mask)


def test_chunks_come_back_with_boundaries_health_and_arrivals(session_dir: Path, chunks: list[Chunk]) -> None:
    session = read_session(session_dir)
    assert session.status == "complete"
    assert len(session.chunks) == len(chunks)
    for original, read in zip(chunks, session.chunks, strict=True):
        read.check()
        _same_chunk(original, read)
    expected = [float(chunk.times[-1]) + chunk.health.age for chunk in chunks]
    np.testing.assert_array_equal(session.arrivals, expected)


def test_events_decisions_and_verdicts_come_back_equal(session_dir: Path) -> None:
    session = read_session(session_dir)
    assert [event.name for event in session.events] == ["cue/left", "cue/right", "cue/left", "cue/right"]
    assert session.decisions[0].probabilities == (1 / 3, 2 / 3)
    assert session.decisions[0].data == {"score": 0.1 + 0.2}
    assert session.verdicts[0].reasons == ("A-CONF",)
    assert session.records["alarms"][0]["value"] == 0.25
    assert session.config == {"paradigm": {"name": "mi"}}
    assert session.versions == {"bcikit": "test"}


def test_order_of_everything_is_kept(session_dir: Path, chunks: list[Chunk]) -> None:
    session = read_session(session_dir)
    assert session.after_chunk("events") == (4, 14, 24, 34)
    pulls = list(session.pulls())
    assert len(pulls) == len(chunks) + 1
    assert [index for index, (_, chunk) in enumerate(pulls) if chunk is None] == [31]


def test_info_comes_back(session_dir: Path, info: StreamInfo) -> None:
    read = read_session(session_dir).info
    assert read.replace(positions=None) == info.replace(positions=None)
    np.testing.assert_array_equal(read.positions_array(), info.positions_array())


def test_recording_counts_the_lost_samples(session_dir: Path, chunks: list[Chunk]) -> None:
    recording = read_session(session_dir).recording
    assert recording.lost == 7
    assert recording.n_times == sum(chunk.n_times for chunk in chunks)


@pytest.mark.parametrize("synchronize", [False, True])
def test_pyxdf_reads_signals_and_markers_bit_for_bit(
    session_dir: Path, chunks: list[Chunk], info: StreamInfo, synchronize: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        streams, header = pyxdf.load_xdf(
            session_dir / "signals.xdf", synchronize_clocks=synchronize, dejitter_timestamps=False
        )
    assert not caplog.records
    assert header["info"]["version"] == ["1.0"]
    signal = next(stream for stream in streams if stream["info"]["name"] == [info.name])
    np.testing.assert_array_equal(signal["time_series"], np.concatenate([chunk.data for chunk in chunks]))
    np.testing.assert_array_equal(signal["time_stamps"], np.concatenate([chunk.times for chunk in chunks]))
    labels = [channel["label"][0] for channel in signal["info"]["desc"][0]["channels"][0]["channel"]]
    assert tuple(labels) == info.ch_names
    assert signal["footer"]["info"]["sample_count"] == [str(sum(chunk.n_times for chunk in chunks))]
    markers = next(stream for stream in streams if stream["info"]["type"] == ["Markers"])
    assert markers["time_series"] == [["cue/left"], ["cue/right"], ["cue/left"], ["cue/right"]]


def test_an_extra_stream_has_its_own_chunks(tmp_path: Path, info: StreamInfo) -> None:
    other = StreamInfo(name="acc", sfreq=50.0, ch_names=("x",), ch_types=("accel",), unit="1")
    with SessionWriter(tmp_path / "s", info=info, extra={"acc": other}) as writer:
        for index in range(4):
            writer.chunk(Chunk(np.full((5, 3), index, float), np.arange(5) + 5.0 * index, 5 * index), 5.0 * index)
            writer.chunk(Chunk(np.full((1, 1), -index, float), np.array([5.0 * index]), index), 0.1, stream="acc")
    session = read_session(tmp_path / "s")
    assert session.extra["acc"].info == other
    assert [chunk.data[0, 0] for chunk in session.extra["acc"].chunks] == [0, -1, -2, -3]
    assert session.order == (0, 2, 4, 6)
    assert session.extra["acc"].order == (1, 3, 5, 7)


def test_every_byte_is_with_the_system_when_the_call_returns(
    tmp_path: Path, info: StreamInfo, chunks: list[Chunk]
) -> None:
    writer = SessionWriter(tmp_path / "s", info=info)
    try:
        for index, chunk in enumerate(chunks):
            writer.chunk(chunk, float(chunk.times[-1]))
            assert len(read_session(tmp_path / "s").chunks) == index + 1
        writer.event(Event(name="cue", time=1.0))
        assert read_session(tmp_path / "s").events[0].name == "cue"
        assert read_session(tmp_path / "s").status == "recording"
    finally:
        writer.close()


def test_values_that_json_lacks_become_null_and_other_lines_are_kinds_of_their_own(
    tmp_path: Path, info: StreamInfo
) -> None:
    with SessionWriter(tmp_path / "s", info=info) as writer:
        writer.record("commands", {"value": float("nan"), "array": np.arange(3)})
        with pytest.raises(ArgumentError, match="small letters"):
            writer.record("../x", {})
    text = (tmp_path / "s" / "commands.jsonl").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"after_chunk": 0, "value": None, "array": [0, 1, 2]}


def test_a_text_that_is_no_text_is_kept_as_well_as_can_be(tmp_path: Path, info: StreamInfo) -> None:
    with SessionWriter(tmp_path / "s", info=info) as writer:
        writer.event(Event(name="half a letter \ud800", time=1.0))
    assert [event.name for event in read_session(tmp_path / "s").events] == ["half a letter ?"]
    streams, _ = pyxdf.load_xdf(str(tmp_path / "s" / "signals.xdf"))
    (marks,) = (stream for stream in streams if stream["info"]["type"] == ["Markers"])
    assert marks["time_series"] == [["half a letter ?"]]


def test_a_folder_with_something_in_it_is_refused(session_dir: Path, info: StreamInfo) -> None:
    before = {path.name: path.read_bytes() for path in session_dir.iterdir()}
    with pytest.raises(RecordingError, match="not empty"):
        SessionWriter(session_dir, info=info)
    assert before == {path.name: path.read_bytes() for path in session_dir.iterdir()}


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, info: StreamInfo) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        SessionWriter(tmp_path / "file" / "s", info=info)


def test_wrong_chunks_and_use_after_closing_are_refused(tmp_path: Path, info: StreamInfo) -> None:
    writer = SessionWriter(tmp_path / "s", info=info)
    with pytest.raises(ArgumentError, match="2 channels; the session has 3"):
        writer.chunk(Chunk(np.zeros((1, 2)), np.zeros(1)), 0.0)
    with pytest.raises(ArgumentError, match="stream"):
        writer.chunk(Chunk(np.zeros((1, 3)), np.zeros(1)), 0.0, stream="nobody")
    writer.close()
    writer.close()
    with pytest.raises(RecordingError, match="closed"):
        writer.event(Event(name="late", time=0.0))


def test_an_exception_in_the_with_block_gives_the_status_failed(tmp_path: Path, info: StreamInfo) -> None:
    with pytest.raises(ZeroDivisionError), SessionWriter(tmp_path / "s", info=info):
        raise ZeroDivisionError
    assert read_session(tmp_path / "s").status == "failed"


def test_empty_chunks_and_empty_sessions_are_kept(tmp_path: Path, info: StreamInfo) -> None:
    with SessionWriter(tmp_path / "s", info=info) as writer:
        writer.chunk(Chunk(np.zeros((0, 3)), np.zeros(0), 17, Health(lost=2)), 1.5)
    session = read_session(tmp_path / "s")
    assert session.chunks[0].first_sample == 17
    assert session.recording.n_times == 0


def test_a_full_disk_keeps_everything_before(
    tmp_path: Path, info: StreamInfo, chunks: list[Chunk], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = 12_000

    def write(handle: int, data: memoryview) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(28, "No space left on device")
        done = real(handle, data[:room])
        room -= done
        return done

    writer = SessionWriter(tmp_path / "s", info=info)
    monkeypatch.setattr("bcikit.recording.append_file.os.write", write)

    def write_all() -> None:
        for chunk in chunks:
            writer.chunk(chunk, float(chunk.times[-1]))

    with pytest.raises(RecordingError, match=r"No space left.*bcikit recover"):
        write_all()
    written = writer.n_chunks
    assert 0 < written < len(chunks)
    with pytest.raises(RecordingError, match="No space left"):
        writer.event(Event(name="after", time=0.0))
    writer.close()
    session = read_session(tmp_path / "s")
    assert session.status == "failed"
    assert len(session.chunks) == written
    for original, read in zip(chunks, session.chunks, strict=False):
        _same_chunk(original, read)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed on Windows")
def test_a_removed_folder_stops_the_session_and_everything_is_rescued(
    tmp_path: Path, info: StreamInfo, chunks: list[Chunk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bcikit.recording.writer.SYNC_SECONDS", 0.01)
    writer = SessionWriter(tmp_path / "s", info=info)
    for chunk in chunks[:20]:
        writer.chunk(chunk, float(chunk.times[-1]))
    for file in (tmp_path / "s").iterdir():
        file.unlink()
    (tmp_path / "s").rmdir()
    writer._syncer.join(timeout=60)
    with pytest.raises(RecordingError, match="removed or moved"):
        writer.chunk(chunks[20], float(chunks[20].times[-1]))
    writer.close()
    (rescued,) = tmp_path.glob("s-rescued-*")
    assert len(read_session(rescued).chunks) == 20


def test_an_append_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AppendFile(tmp_path / "f")
    file.append(b"before")
    real = os.write
    calls = 0

    def write(handle: int, data: memoryview) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(5, "Input/output error")
        return real(handle, data[:3])

    monkeypatch.setattr("bcikit.recording.append_file.os.write", write)
    with pytest.raises(OSError, match="Input/output"):
        file.append(b"half")
    file.close()
    assert (tmp_path / "f").read_bytes() == b"before"


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n"])
def test_a_damaged_line_is_named(session_dir: Path, line: bytes) -> None:
    before = (session_dir / "events.jsonl").read_bytes()
    (session_dir / "events.jsonl").write_bytes(before + line)
    with pytest.raises(RecordingError, match=r"events\.jsonl, line 5 is damaged"):
        read_session(session_dir)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (20261130130512123456, "20261130130512123456"), (-(10**25), "-1" + 25 * "0"), (1e305, "1e+305"), (True, "True"),
        ([1, 2], "[1, 2]"), (np.int64(7), 7), (2**53, 2**53), (1.5, 1.5), ("go", "go"), (float("nan"), None),
    ],
)  # fmt: skip
def test_no_value_of_an_event_makes_a_session_unreadable(
    tmp_path: Path, info: StreamInfo, value: object, read: object
) -> None:
    with SessionWriter(tmp_path / "s", info=info) as writer:
        writer.event(Event(name="sent", time=1.0, value=value))  # type: ignore[arg-type]
        writer.event(Event(name="after", time=2.0))
    events = read_session(tmp_path / "s").events
    assert [(event.name, event.value) for event in events] == [("sent", read), ("after", None)]
    assert type(events[0].value) is type(read)


@pytest.mark.parametrize(("number", "text"), [("20261130130512123456", "20261130130512123456"), ("1e305", "1e+305")])
def test_a_long_number_in_a_session_is_read_as_a_text(session_dir: Path, number: str, text: str) -> None:
    lines = (session_dir / "events.jsonl").read_text(encoding="utf-8").splitlines()
    line = json.dumps(json.loads(lines[-1]) | {"value": 0}).replace('"value": 0', f'"value": {number}')
    (session_dir / "events.jsonl").write_text("\n".join([*lines[:-1], line, ""]), encoding="utf-8")
    assert read_session(session_dir, damaged=True).events[-1].value == text


@pytest.mark.parametrize("text", ["", "{}", '{"format": "other"}', "not json"])
def test_what_is_no_session_is_one_clear_error(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "session.json").write_text(text)
    with pytest.raises(RecordingError, match="session"):
        read_session(tmp_path)
