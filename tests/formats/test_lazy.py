"""Files of hours: their samples stay where they are until they are asked for, and are the same then."""

import gzip
import io
import json
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from typer.testing import CliRunner

from bcikit import read_recording
from bcikit.acquisition.file import split_address
from bcikit.acquisition.xdf_streams import load_streams
from bcikit.cli.app import app
from bcikit.cli.file_options import ProgressLine
from bcikit.recording import import_file, import_recording, read_session
from bcikit.signal import Bad
from bcikit.signal.lazy import LazyRows
from tests.formats.writers import Xdf, _chunk, _length, brainvision, edf

RNG = np.random.default_rng(3)


@pytest.fixture(params=["edf", "bdf", "brainvision", "EDF"])
def file(request, tmp_path):
    columns = [("C3", "uV", RNG.integers(-300, 300, 5000)), ("C4", "mV", RNG.integers(-300, 300, 5000))]
    if request.param == "brainvision":
        data = RNG.integers(-300, 300, (5000, 2))
        brainvision(tmp_path, "v", [("C3", "0.1", "µV"), ("C4", "0.5", "mV")], data, markers=["Stimulus,S  1,100,1,0"])
        return tmp_path / "v.vhdr"
    path = tmp_path / f"a.{request.param}"
    edf(path, columns, bdf=request.param == "bdf", annotations=[(2.5, b"left"), (7.5, b"right")])
    return path


def test_what_is_left_in_the_file_is_what_is_read_from_it(file):
    whole, left = read_recording(file), read_recording(file, lazy=True)
    assert left.lazy
    assert not whole.lazy
    assert (left.info, left.events, left.notes) == (whole.info, whole.events, whole.notes)
    np.testing.assert_array_equal(np.asarray(left.data), whole.data)
    np.testing.assert_array_equal(left.data[137:911, 1], whole.data[137:911, 1])
    np.testing.assert_array_equal(left.data[4990:, [1, 0]], whole.data[4990:, [1, 0]])
    np.testing.assert_array_equal(left.loaded().data, whole.data)
    for one, other in zip(left.chunks(97), whole.chunks(97), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert one.first_sample == other.first_sample
    np.testing.assert_array_equal(left.crop(1.0, 2.0).data, whole.crop(1.0, 2.0).data)


def test_lazy_rows_are_indexed_as_an_array():
    numbers = RNG.integers(-1000, 1000, (4, 1001)).astype(np.int16)
    scale, offset = np.array([1.0, 0.5, -2.0, 3.0]), np.array([0.0, 1.0, 2.0, 3.0])

    def read(start, stop, columns):
        return numbers[slice(None) if columns is None else columns, start:stop]

    rows = LazyRows(read, (1001, 4), scale, offset, block=320)
    array = numbers.T * scale + offset
    for key in (slice(None), slice(3, 700), (slice(10, 40), 2), (slice(5, 6), [3, 1]), (slice(900, 2000), slice(1, 3))):
        np.testing.assert_array_equal(rows[key], array[key])
    keep = array[:, 0] > 0
    np.testing.assert_array_equal(rows[keep], array[keep])
    np.testing.assert_allclose(np.asarray(rows * [2.0, 1.0, 1.0, 0.1]), array * [2.0, 1.0, 1.0, 0.1], rtol=1e-14)
    assert len(rows) == 1001


def test_an_import_a_piece_at_a_time_is_the_import_of_the_whole(file, tmp_path):
    path, options = split_address(file)
    pieces = import_file(path, tmp_path / "pieces", **options).recording
    whole = import_recording(read_recording(path), tmp_path / "whole", source=path.name).recording
    np.testing.assert_array_equal(pieces.data, whole.data)
    np.testing.assert_array_equal(pieces.times, whole.times)
    assert pieces.events == whole.events
    assert (pieces.mask is None) == (whole.mask is None)
    if whole.mask is not None:
        np.testing.assert_array_equal(pieces.mask, whole.mask)


def test_bad_samples_are_marked_in_an_import_of_pieces(tmp_path):
    values = RNG.integers(-300, 300, (4, 4000))
    values[:, 1000:1500] = values[:, 1000:1001]
    path = tmp_path / "still.edf"
    edf(path, [(f"E{i}", "uV", column) for i, column in enumerate(values)])
    mask = import_file(path, tmp_path / "out").recording.mask
    np.testing.assert_array_equal(mask, read_recording(path).mask)
    assert mask[1001:1500].all()


def test_what_the_amplifier_calls_bad_and_what_the_samples_tell_are_both_marked(tmp_path):
    status = np.full(1000, 1 << 20)
    status[200:400] = 0
    values = np.random.default_rng(4).integers(-300, 300, (4, 1000))
    values[:, 300:500] = values[:, 300:301]
    path = tmp_path / "cms.bdf"
    columns = [(f"E{i}", "uV", column) for i, column in enumerate(values)]
    edf(path, [*columns, ("Status", "Boolean", status)], bdf=True)
    bad = read_recording(path, accept=("status",)).mask
    result = CliRunner().invoke(app, ["import", str(path), "--out", str(tmp_path / "out"), "--accept", "status"])
    assert "marked as bad" in result.output
    mask = read_session(tmp_path / "out").recording.mask
    np.testing.assert_array_equal(mask, bad)
    eeg = mask[:, :4]
    expected = np.zeros_like(eeg)
    expected[200:400] |= np.uint8(Bad.RAILED)
    expected[301:500] |= np.uint8(Bad.REPEATED)
    np.testing.assert_array_equal(eeg, expected)


def test_recordings_of_other_programs_are_the_same(data_dir):
    for path in sorted((data_dir / "formats").rglob("*")):
        if path.suffix not in (".edf", ".bdf", ".gdf", ".vhdr"):
            continue
        whole, left = read_recording(path), read_recording(path, lazy=True)
        np.testing.assert_array_equal(np.asarray(left.data), whole.data, err_msg=path.name)
        assert replace(left, data=whole.data, mask=None).events == whole.events


MEASURED = """
import json, sys
from bcikit.recording import convert_file
import mne, scipy.signal
def peak():
    # Of this program alone: ru_maxrss begins at what the parent had.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before = peak()
convert_file(sys.argv[1], sys.argv[2])
print(json.dumps(peak() - before))
"""


SUMMED = """
import json, sys
from bcikit.acquisition.summary import summarise
import mne, pyxdf, scipy.signal
def peak():
    # Of this program alone: ru_maxrss begins at what the parent had.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before = peak()
summarise(sys.argv[1]).to_dict()
print(json.dumps(peak() - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the memory of a program")
def test_memory_of_a_summary_does_not_grow_with_the_samples(tmp_path):
    used, rows = {}, RNG.normal(0, 20, (100, 64)).astype("<f4")
    layout = np.dtype([("long", "u1"), ("stamp", "<f8"), ("values", "<f4", (64,))])
    for seconds in (60, 400):
        path = tmp_path / f"{seconds}.xdf"
        file = Xdf().stream("EEG", "EEG", 1000, [], rows[:0], labels=[f"E{i}" for i in range(64)], units=["uV"] * 64)
        block = np.zeros(100, layout)
        block["long"], block["values"] = 8, rows
        for first in range(0, 1000 * seconds, 100):
            block["stamp"] = 100 + (first + np.arange(100)) / 1000
            file.parts.append(_chunk(3, struct.pack("<I", 1) + _length(100) + block.tobytes()))
        command = [sys.executable, "-c", SUMMED, str(file.write(path))]
        used[seconds] = float(subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout)
    # Times and indices of 16 bytes a sample are there as a whole, stamps while they are looked at.
    assert used[400] - used[60] < 0.1 * 64 * 1000 * 340 * 8 / 2**20, used


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the memory of a program")
def test_memory_of_an_import_does_not_grow_with_the_recording(tmp_path):
    used = {}
    # A few blocks are there at once, which a short recording does not fill.
    for seconds in (400, 1200):
        path = tmp_path / f"{seconds}.edf"
        column = RNG.integers(-300, 300, 500 * seconds)
        edf(path, [(f"E{i}", "uV", column) for i in range(32)], rate=500)
        command = [sys.executable, "-c", MEASURED, str(path), str(tmp_path / f"out{seconds}")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        used[seconds] = float(done.stdout)
    size = 32 * 500 * 800 * 8 / 2**20
    # Times and indices of 16 bytes a sample are there as a whole; of samples only a piece is.
    assert used[1200] - used[400] < 0.25 * size, used


def test_a_map_is_shown_before_it_is_believed(tmp_path):
    path = tmp_path / "own.csv"
    rows = "".join(f"{4 * i};{i % 7 + 0.5};{i % 5};{i % 100 == 50:d};x\n" for i in range(500))
    path.write_text("when;a;b;code;note\n" + rows)
    out = tmp_path / "out"
    text = "time=0[ms] eeg=1:2 marker=3 unit=uV"
    result = CliRunner().invoke(app, ["import", str(path), "--map", text, "--out", str(out)])
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.output.splitlines()]
    assert lines[:5] == [
        "column 0 (when) = time [ms]: 0  4  8  12",
        "column 1 (a) = eeg 'a': 0.5  1.5  2.5  3.5",
        "column 2 (b) = eeg 'b': 0  1  2  3",
        "column 3 (code) = marker 'code': 0  0  0  0",
        "column 4 (note) = left out: x  x  x  x",
    ]
    assert len(read_session(out).events) == 5
    result = CliRunner().invoke(app, ["import", str(path), "--map", text, "--out", str(tmp_path / "2"), "--json"])
    assert json.loads(result.stdout)["n_events"] == 5


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_import_says_how_far_it_is(monkeypatch, terminal):
    told = io.StringIO()
    monkeypatch.setattr(told, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stderr", told)
    clock = iter(np.arange(0.0, 100.0, 1.0))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    progress = ProgressLine("importing x.edf")
    for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        progress(share)
    progress.close()
    lines = told.getvalue().replace("\r", "\n").splitlines()
    assert "importing x.edf: 20 %, about 8 s left" in lines[1 if terminal else 0]
    assert (len(lines) > 5) == terminal
    assert ("\x1b[K" in told.getvalue()) == terminal


def xdf_of_all_sorts(path):
    rng = np.random.default_rng(5)
    stamps = 100 + np.arange(2500) / 250
    file = Xdf().stream(
        "EEG", "EEG", 250, stamps, rng.normal(0, 20, (2500, 3)), labels=("C3", "C4", "Cz"), units=["uV"] * 3
    )
    file.stream("int", "EMG", 500, 100 + np.arange(5000) / 500, rng.integers(-90, 90, (5000, 2)), fmt="int16",
                labels=("a", "b"), units=("uV", "uV"))  # fmt: skip
    file.stream("gaze", "Gaze", 0, np.sort(rng.uniform(100, 110, 700)), rng.normal(0, 1, (700, 2)), fmt="double64")
    file.stream("M", "Markers", 0, [101.0, 105.0], ["left", "right"], fmt="string")
    file.stream("codes", "Markers", 0, [102.0, 104.0], np.array([[1, 2], [3, 4]]), fmt="int32")
    return file.write(path)


def without_some_stamps(path):
    """Take the stamps from all samples but the first of a chunk, as senders do to be shorter."""
    rows = np.random.default_rng(6).normal(0, 20, (500, 2)).astype("<f4")
    file = Xdf().stream("EEG", "EEG", 250, [100.0], rows[:1], labels=("C3", "C4"), units=("uV", "uV"))
    for start in range(1, 500, 50):
        block = rows[start : start + 50]
        body = b"\x08" + struct.pack("<d", 100 + start / 250) + block[0].tobytes()
        body += b"".join(b"\x00" + row.tobytes() for row in block[1:])
        file.parts.append(_chunk(3, struct.pack("<I", 1) + _length(len(block)) + body))
    return file.write(path)


def chunk_of(number, samples, stamped):
    """Return a chunk of samples of which some have a stamp; the count is written in four bytes now and then."""
    body = b"".join(
        (b"\x08" + struct.pack("<d", 100 + first) if with_stamp else b"\x00") + row.tobytes()
        for (first, row), with_stamp in zip(samples, stamped, strict=True)
    )
    count = struct.pack("<BI", 4, len(samples)) if len(samples) % 3 == 0 else _length(len(samples))
    return _chunk(3, struct.pack("<I", number) + count + body)


def chunks_of_every_kind(path, spoil=None):
    """Write chunks in which all, none, the first, the last, or some samples have a stamp, empty ones, and odd sizes."""
    rng = np.random.default_rng(8)
    rows = rng.normal(0, 20, (600, 3)).astype("<f4")
    file = Xdf().stream("EEG", "EEG", 250, [100.0], rows[:1], labels=("C3", "C4", "Cz"), units=("uV",) * 3)
    file.stream("M", "Markers", 0, [100.5], ["go"], fmt="string")
    at = 1
    for n, kind in zip([9, 9, 9, 4, 1, 1, 7, 12, 0, 5, 30, 30, 30, 30, 300], "aaabbafmxlaafbm", strict=True):
        stamped = {"a": np.ones(n, bool), "b": np.zeros(n, bool), "f": np.arange(n) == 0, "l": np.arange(n) == n - 1,
                   "m": rng.random(n) < 0.5, "x": np.zeros(0, bool)}[kind]  # fmt: skip
        samples = [((at + k) / 250, rows[at + k]) for k in range(n)]
        file.parts.append(chunk_of(1, samples, stamped))
        at += n
        file.parts.append(_chunk(4, struct.pack("<Idd", 1, 100 + at / 250, 0.25)))
        if spoil == at:
            file.parts[-2] = file.parts[-2][:12] + b"\x07" + file.parts[-2][13:]
            file.parts.append(_chunk(5, bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")))
    return file.write(path)


def spoilt_chunk(path):
    """Write a file in which one chunk holds another number of samples than it says."""
    return chunks_of_every_kind(path, spoil=10)


def before_its_header(path):
    """Write a file in which samples come before what they are of."""
    chunks_of_every_kind(path)
    whole = path.read_bytes()
    stray = chunk_of(1, [(0.0, np.zeros(3, "<f4"))], [True])
    path.write_bytes(whole[:4] + stray + _chunk(5, bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")) + whole[4:])
    return path


EVERY = [xdf_of_all_sorts, without_some_stamps, chunks_of_every_kind, spoilt_chunk, before_its_header]


@pytest.mark.parametrize("make", EVERY)
def test_xdf_is_what_pyxdf_reads_lazily_or_not(tmp_path, make):
    path = make(tmp_path / "a.xdf")
    theirs, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
    for lazy in (False, True):
        ours = load_streams(path, lazy=lazy)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.stamps, other["time_stamps"])
            if one.channel_format == "string":
                assert one.values == other["time_series"]
            else:
                np.testing.assert_array_equal(np.asarray(one.values), other["time_series"])
    whole, left = read_recording(path), read_recording(path, lazy=True)
    assert left.lazy
    np.testing.assert_array_equal(np.asarray(left.data), whole.data)
    np.testing.assert_array_equal(left.data[33:400, 1], whole.data[33:400, 1])
    assert (left.events, left.notes, left.info) == (whole.events, whole.notes, whole.info)
    session = import_file(path, tmp_path / "out")
    np.testing.assert_array_equal(session.recording.data, whole.data)
    assert pyxdf.load_xdf.__globals__["_read_chunk3"].__module__ == "pyxdf.pyxdf"


def test_xdf_of_others_is_what_pyxdf_reads(data_dir):
    for path in sorted((data_dir / "formats" / "xdf").glob("*.xdf")):
        theirs, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
        for one, other in zip(load_streams(path, lazy=True), theirs, strict=True):
            np.testing.assert_array_equal(one.stamps, other["time_stamps"])
            if one.channel_format != "string":
                np.testing.assert_array_equal(np.asarray(one.values), other["time_series"])


def test_packed_xdf_by_either_name(tmp_path):
    whole = xdf_of_all_sorts(tmp_path / "a.xdf")
    for name in ("b.xdfz", "c.xdf.gz"):
        packed = tmp_path / name
        packed.write_bytes(gzip.compress(whole.read_bytes()))
        np.testing.assert_array_equal(read_recording(packed).data, read_recording(whole).data)
