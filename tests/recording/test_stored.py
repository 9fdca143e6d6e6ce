"""A session whose samples stay in their file: the same to the last bit, in little memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import Session, SessionWriter, read_session
from bcikit.recording.layout import SIGNALS
from bcikit.recording.stored import StoredChunks
from bcikit.signal import Chunk, Health, RecordingError, StreamInfo


def same_chunks(one: Session, other: Session) -> None:
    assert len(one.chunks) == len(other.chunks)
    for a, b in zip(one.chunks, other.chunks, strict=True):
        np.testing.assert_array_equal(a.data.view(np.int64), b.data.view(np.int64))
        np.testing.assert_array_equal(a.times, b.times)
        assert (a.first_sample, a.health.lost, a.health.flags) == (b.first_sample, b.health.lost, b.health.flags)
        assert (a.health.mask is None) == (b.health.mask is None)
        if a.health.mask is not None:
            np.testing.assert_array_equal(a.health.mask, b.health.mask)
        b.check()


def test_it_is_the_same_session(session_dir: Path) -> None:
    whole, left = read_session(session_dir), read_session(session_dir, lazy=True)
    same_chunks(whole, left)
    assert isinstance(left.chunks, StoredChunks)
    assert [chunk.first_sample for chunk in left.chunks[-2:]] == [chunk.first_sample for chunk in whole.chunks[-2:]]
    assert left.shown() == whole.shown()
    a, b = whole.recording, left.recording
    assert b.lazy
    assert (a.events, a.lost, b.n_times) == (b.events, b.lost, a.n_times)
    np.testing.assert_array_equal(a.samples, b.samples)
    np.testing.assert_array_equal(a.times, b.times)
    assert a.mask is not None
    for columns in ([2, 0], [1], slice(None)):
        for rows in (slice(None), slice(37, 311), slice(0, 0), slice(-9, None)):
            np.testing.assert_array_equal(a.data[rows, columns], b.data[rows, columns])
            np.testing.assert_array_equal(a.mask[rows, columns], b.mask[rows, columns])
    loaded = b.loaded()
    assert (loaded.mask.dtype, type(loaded.mask)) == (np.uint8, np.ndarray)
    np.testing.assert_array_equal(loaded.mask, a.mask)
    for one, other in zip(a.chunks(50), b.chunks(50), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert (one.health.mask is None) == (other.health.mask is None)
        if one.health.mask is not None:
            np.testing.assert_array_equal(one.health.mask, other.health.mask)


def test_a_session_that_was_cut_off_is_read_as_far_as_it_is_whole(
    tmp_path: Path, info: StreamInfo, make_chunks
) -> None:
    writer = SessionWriter(tmp_path / "s", info=info, extra={"aux": info})
    for chunk in make_chunks(info):
        writer.chunk(chunk, 1.0)
        writer.chunk(chunk, 1.0, stream="aux")
    signals = tmp_path / "s" / SIGNALS
    signals.write_bytes(signals.read_bytes()[:-700])
    whole, left = (read_session(tmp_path / "s", lazy=lazy) for lazy in (False, True))
    assert 0 < len(left.chunks) <= 40
    same_chunks(whole, left)
    assert len(left.extra["aux"].chunks) == len(whole.extra["aux"].chunks)
    np.testing.assert_array_equal(left.extra["aux"].chunks[3].data, whole.extra["aux"].chunks[3].data)
    writer.close()


def test_damage_is_found_whether_samples_are_read_or_not(session_dir: Path) -> None:
    raw = bytearray((session_dir / SIGNALS).read_bytes())
    raw[len(raw) // 2] ^= 0x10
    (session_dir / SIGNALS).write_bytes(raw)
    with pytest.raises(RecordingError, match="not as they were written"):
        read_session(session_dir, lazy=True)


def test_its_memory_is_a_small_part_of_the_file(tmp_path: Path) -> None:
    info = StreamInfo(name="big", sfreq=1000.0, ch_names=tuple(f"e{at}" for at in range(64)))
    rng = np.random.default_rng(0)
    data, mask = rng.standard_normal((1000, 64)), np.zeros((1000, 64), np.uint8)
    mask[:, 5] = 1
    with SessionWriter(tmp_path / "s", info=info) as writer:
        for second in range(60):
            times = second + np.arange(1000) / 1000.0
            writer.chunk(Chunk(data + second, times, 1000 * second, Health(mask=mask)), float(times[-1]))
    size = (tmp_path / "s" / SIGNALS).stat().st_size
    tracemalloc.start()
    try:
        recording = read_session(tmp_path / "s", lazy=True).recording
        held = recording.data[30_000:31_000, [3, 7]]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(held, data[:, [3, 7]] + 30)
    assert size > 30e6
    assert peak < 4e6, f"{peak / 1e6:.1f} MB of {size / 1e6:.0f} MB"
