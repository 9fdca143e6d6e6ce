"""Recovery: a recording process that is killed loses at most the last second, and its files can be closed."""

import errno
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pyxdf

from bcikit.recording import SessionWriter, read_session, recover
from bcikit.signal import Chunk, RecordingError, StreamInfo

RECORD = """
import os, sys, time
from pathlib import Path
import numpy as np
from bcikit.recording import SessionWriter
from bcikit.signal import Chunk, Event, StreamInfo

def record(folder):
    progress = Path(folder + ".progress").open("w", buffering=1)
    info = StreamInfo(name="killed", sfreq=1000.0, ch_names=tuple(f"E{i}" for i in range(8)))
    writer = SessionWriter(folder, info=info, config={})
    first = 0
    while True:
        times = np.arange(first, first + 5) / 1000.0
        data = np.arange(first, first + 5)[:, None] + np.arange(8) / 8
        writer.chunk(Chunk(data, times, first), time.monotonic())
        if first % 100 == 0:
            writer.event(Event(name=f"e{first}", time=float(times[0]), sample=first))
        first += 5
        progress.write(f"{first} {time.monotonic()}\\n")
        time.sleep(0.0005)
"""

# Imports once and forks five recorders: an import a recorder would be most of the time of the test.
FIVE = f"""{RECORD}
pids = []
for folder in sys.argv[1:]:
    pid = os.fork()
    if not pid:
        record(folder)
    pids.append(pid)
print(*pids, flush=True)
for pid in pids:
    os.waitpid(pid, 0)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL and fork are POSIX's")
def test_sigkill_at_twenty_random_moments_loses_at_most_the_last_second(tmp_path: Path) -> None:
    rng = random.Random(20)
    for batch in range(4):
        folders = [str(tmp_path / f"{batch}-{index}") for index in range(5)]
        with subprocess.Popen([sys.executable, "-c", FIVE, *folders], stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pids = [int(pid) for pid in parent.stdout.readline().split()]
            started = time.monotonic()
            while not all(Path(folder, "session.json").exists() for folder in folders):
                assert time.monotonic() < started + 30
                time.sleep(0.001)
            started = time.monotonic()
            for moment, pid in sorted((rng.uniform(0.0, 0.7), pid) for pid in pids):
                time.sleep(max(0.0, started + moment - time.monotonic()))
                os.kill(pid, signal.SIGKILL)
            assert parent.wait(timeout=60) == 0
        for folder in folders:
            _check_killed(Path(folder))


def _check_killed(folder: Path) -> None:
    progress = Path(f"{folder}.progress")
    lines = [line.split() for line in progress.read_text().splitlines()]
    last = float(lines[-1][1]) if lines else 0.0
    wanted = max((int(line[0]) for line in lines if len(line) == 2 and float(line[1]) <= last - 1.0), default=0)
    found = recover(folder)
    assert found.needed
    assert found.status == "recording"
    streams, _ = pyxdf.load_xdf(folder / "signals.xdf", synchronize_clocks=False, dejitter_timestamps=False)
    stream = next(item for item in streams if item["info"]["name"] == ["killed"])
    n = len(stream["time_stamps"])
    assert n == found.n_samples
    assert n >= wanted
    # Nothing is buffered in the process, so in fact not even what was reported in the last second is lost.
    assert n >= (int(lines[-1][0]) if lines else 0)
    np.testing.assert_array_equal(stream["time_series"], np.arange(n)[:, None] + np.arange(8) / 8)
    assert stream["footer"]["info"]["sample_count"] == [str(n)]
    session = read_session(folder)
    assert session.status == "recovered"
    assert session.recording.n_times == n
    assert all(event.sample is not None and event.sample < n + 5 for event in session.events)


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.fixture
def open_session(session_dir: Path) -> Path:
    """Return a session as a crash leaves it: no footers, the status of the start."""
    header = json.loads((session_dir / "session.json").read_text())
    (session_dir / "session.json").write_text(json.dumps({**header, "status": "recording"}))
    raw = (session_dir / "signals.xdf").read_bytes()
    _cut(session_dir / "signals.xdf", raw.index(b"<info><first_timestamp>") - 60)
    return session_dir


def test_any_cut_is_recovered_and_read_by_pyxdf(
    open_session: Path, chunks: list[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    raw = (open_session / "signals.xdf").read_bytes()
    header = (open_session / "session.json").read_bytes()
    before = -1
    for size in [0, 3, 50, *range(len(raw) - 1500, len(raw), 41)]:
        (open_session / "signals.xdf").write_bytes(raw[:size])
        (open_session / "session.json").write_bytes(header)
        found = recover(open_session)
        with caplog.at_level(logging.ERROR):
            streams, _ = pyxdf.load_xdf(open_session / "signals.xdf", dejitter_timestamps=False)
        assert not caplog.records
        assert len(streams) == 4
        assert len(streams[1]["time_stamps"]) == found.n_samples >= before
        session = read_session(open_session)
        assert sum(chunk.n_times for chunk in session.chunks) == found.n_samples
        assert all(np.array_equal(a.data, b.data, equal_nan=True) for a, b in zip(session.chunks, chunks, strict=False))
        before = found.n_samples
    assert before > 0


def test_incomplete_lines_are_taken_off(open_session: Path) -> None:
    lines = (open_session / "decisions.jsonl").read_bytes()
    _cut(open_session / "decisions.jsonl", len(lines) - 9)
    assert len(read_session(open_session).decisions) == 3
    found = recover(open_session)
    assert found.removed["decisions.jsonl"] == len(lines.splitlines()[-1]) + 1 - 9
    assert (open_session / "decisions.jsonl").read_bytes() == b"".join(lines.splitlines(keepends=True)[:3])


def test_a_second_recovery_and_a_closed_session_change_nothing(open_session: Path) -> None:
    recover(open_session)
    before = {path.name: path.read_bytes() for path in open_session.iterdir()}
    assert not recover(open_session).needed
    assert before == {path.name: path.read_bytes() for path in open_session.iterdir()}


def test_rubbish_behind_the_end_is_taken_off(open_session: Path) -> None:
    whole = recover(open_session).n_samples
    with (open_session / "signals.xdf").open("ab") as file:
        file.write(b"\x00" * 4096)
    found = recover(open_session)
    assert found.removed == {"signals.xdf": 4096}
    assert found.n_samples == whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks on network drives, too")
@pytest.mark.parametrize("why", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_session_on_a_drive_without_locks_is_recovered_unless_it_still_grows(
    open_session: Path, monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    import fcntl

    def refuse(handle: int, how: int) -> None:
        raise OSError(why, os.strerror(why))

    def record_on(seconds: float) -> None:
        with (open_session / "signals.xdf").open("ab") as file:
            file.write(b"\x00" * 10)

    module = sys.modules["bcikit.recording.recover"]
    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=record_on))
    with pytest.raises(RecordingError, match="still being recorded"):
        recover(open_session)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda seconds: None))
    found = recover(open_session)
    assert found.needed
    assert found.removed["signals.xdf"] >= 10


def test_a_session_that_is_still_recorded_is_left_alone(tmp_path: Path, info: StreamInfo) -> None:
    with SessionWriter(tmp_path / "s", info=info), pytest.raises(RecordingError, match="still being recorded"):
        recover(tmp_path / "s")
    assert not recover(tmp_path / "s").needed


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no session\.json"):
        recover(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="resource limits are POSIX's")
def test_a_real_limit_on_the_size_of_files_keeps_everything_before(tmp_path: Path) -> None:
    code = (
        f"{RECORD}\nimport resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\nrecord(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "RecordingError" in done.stderr
    assert "Everything before is kept" in done.stderr
    reported = int((tmp_path / "s.progress").read_text().splitlines()[-1].split()[0])
    found = recover(tmp_path / "s")
    assert found.n_samples == reported
    assert read_session(tmp_path / "s").recording.n_times == reported


def _flip(path: Path, at: int, bit: int = 6) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1 << bit
    path.write_bytes(raw)


@pytest.fixture
def long_session(tmp_path: Path) -> Path:
    """Return the folder of a complete session of 15,000 samples."""
    info = StreamInfo(name="long", sfreq=500.0, ch_names=tuple(f"E{i}" for i in range(8)))
    rng = np.random.default_rng(4)
    with SessionWriter(tmp_path / "long", info=info) as writer:
        for first in range(0, 5_000, 25):
            times = np.arange(first, first + 25) / 500.0
            writer.chunk(Chunk(rng.normal(0, 20, (25, 8)), times, first), float(times[-1]))
    return tmp_path / "long"


@pytest.mark.requirement("SAF-130")
def test_a_flipped_byte_anywhere_is_noticed_and_costs_one_chunk(long_session: Path) -> None:
    signals = long_session / "signals.xdf"
    raw = signals.read_bytes()
    files = {path.name: path.read_bytes() for path in long_session.iterdir()}
    before = read_session(long_session).recording.data
    rng = random.Random(1)
    for at in [0, 5, 30, 2000, *(rng.randrange(len(raw)) for _ in range(25)), len(raw) - 3]:
        for name, content in files.items():
            (long_session / name).write_bytes(content)
        for extra in {path.name for path in long_session.iterdir()} - set(files):
            (long_session / extra).unlink()
        _flip(signals, at)
        damaged = signals.read_bytes()
        with pytest.raises(RecordingError, match=r"no XDF|not as they were written"):
            read_session(long_session)
        found = recover(long_session)
        assert found.needed
        assert (long_session / found.originals["signals.xdf"]).read_bytes() == damaged
        session = read_session(long_session)
        after = session.recording
        assert found.n_samples == sum(chunk.n_times for chunk in session.chunks) >= 5_000 - 25
        assert session.status in ("complete", "recovered")
        if found.n_samples == 5_000:
            np.testing.assert_array_equal(after.data, before)
        else:
            kept = np.concatenate([np.arange(c.first_sample, c.end_sample) for c in session.chunks])
            np.testing.assert_array_equal(np.concatenate([c.data for c in session.chunks]), before[kept])
            if kept[-1] == 4_999 and kept[0] == 0:
                assert found.lost_samples == 25
                assert sum(chunk.health.lost for chunk in session.chunks) == 25
        assert not recover(long_session).needed


def test_without_checksums_the_structure_alone_finds_its_way_again(long_session: Path) -> None:
    """A session of an earlier version: a length that was damaged costs its own chunk and not the rest."""
    header = json.loads((long_session / "session.json").read_text())
    for key in ("checksums", "signals_bytes"):
        del header[key]
    (long_session / "session.json").write_text(json.dumps(header))
    (long_session / "signals.index").unlink()
    raw = (long_session / "signals.xdf").read_bytes()
    chunk = 25 * (1 + 8 + 64)
    at = raw.index(bytes([4]), len(raw) // 3)
    while raw[at : at + 1] != b"\x04" or not chunk <= int.from_bytes(raw[at + 1 : at + 5], "little") <= chunk + 20:
        at += 1
    _flip(long_session / "signals.xdf", at + 1)
    found = recover(long_session)
    assert 5_000 - 50 <= found.n_samples < 5_000
    assert found.lost_samples == 5_000 - found.n_samples
    assert read_session(long_session).status == "recovered"


def test_bytes_cut_out_of_the_middle_or_put_in_cost_what_they_touch(long_session: Path) -> None:
    signals = long_session / "signals.xdf"
    raw = signals.read_bytes()
    middle = len(raw) // 2
    signals.write_bytes(raw[:middle] + raw[middle + 3000 :])
    assert recover(long_session).n_samples >= 5_000 - 75
    (long_session / "signals.xdf.original").unlink()


@pytest.mark.parametrize("name", ["signals.xdf", "events.jsonl", "session.json", "signals.index", "verdicts.jsonl"])
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_in_a_session_is_refused_and_its_victim_untouched(
    open_session: Path, tmp_path: Path, name: str, dangling: bool
) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_bytes((open_session / name).read_bytes() + b"half a line")
    before = victim.read_bytes() if victim.exists() else None
    (open_session / name).unlink()
    (open_session / name).symlink_to(victim)
    with pytest.raises(RecordingError, match="is a link"):
        recover(open_session)
    assert (victim.read_bytes() if victim.exists() else None) == before


def test_a_link_that_waits_where_the_header_is_written_is_not_followed(open_session: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".session.json.new", ".signals.xdf.new", ".signals.index.new"):
        (open_session / name).symlink_to(victim)
    recover(open_session)
    assert victim.read_text() == "precious"
    assert read_session(open_session).status == "recovered"


def test_damaged_lines_are_left_out_and_the_rest_is_kept(open_session: Path) -> None:
    path = open_session / "decisions.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"[" * 900 + b"\n" + b"\x00\xff\n" + b"".join(lines[1:]))
    with pytest.raises(RecordingError, match="line 2 is damaged"):
        read_session(open_session)
    found = recover(open_session)
    assert path.read_bytes() == b"".join(lines)
    assert b"\x00\xff" in (open_session / found.originals["decisions.jsonl"]).read_bytes()


@pytest.mark.requirement("SAF-130")
def test_a_flipped_sample_is_seen_by_every_command_that_reads(long_session: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from bcikit.cli.app import app

    raw = (long_session / "signals.xdf").read_bytes()
    _flip(long_session / "signals.xdf", len(raw) // 2 + 40, 0)
    run = CliRunner()
    for command in (
        ["export", str(long_session), "--edf", str(tmp_path / "x.edf")],
        ["import", str(long_session / "signals.xdf"), "--out", str(tmp_path / "imported")],
    ):
        done = run.invoke(app, command)
        assert done.exit_code != 0, command
        text = " ".join((done.output + str(done.exception)).split())
        assert "not as they were written" in text, (command, text)
    assert not (tmp_path / "x.edf").exists()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a file without an end")
@pytest.mark.parametrize("name", ["/dev/zero", "../session.json", "a\0.jsonl", "events.jsonl/", ""])
def test_a_header_names_no_file_but_lines_of_its_own_folder(session_dir: Path, name: str) -> None:
    header = json.loads((session_dir / "session.json").read_text())
    (session_dir / "session.json").write_text(json.dumps({**header, "lines": {name: [0, 0]}}))
    with pytest.raises(RecordingError, match="is not as written"):
        read_session(session_dir)
    assert recover(session_dir).changed == (name,)
    assert read_session(session_dir).damage == ""
