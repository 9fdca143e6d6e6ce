"""GDF: what its table of events says of time."""

import struct

import numpy as np
import pytest

from bcikit import read_recording
from bcikit.signal import SourceError

SFREQ = 100
D = np.random.default_rng(0).integers(-300, 300, (1000, 2))


def gdf(path, events, *, rate, version="2.20", mode=3):
    """Write GDF of two channels in microvolts; an event is its sample on the grid of `rate`, a code, a length."""
    first = version < "1.9"
    head = bytearray(256)
    head[:8] = f"GDF {version}".encode()
    head[184:192] = struct.pack("<Q", 768) if first else struct.pack("<H", 3).ljust(8, b"\0")
    if first:
        head[168:184] = b"2024010112000000"
    else:
        head[168:176] = struct.pack("<Q", 739252 << 32)
    head[236:252] = struct.pack("<qII", 10, 1, 1)
    head[252:256] = struct.pack("<I", 2)
    signals = b"C3".ljust(16, b"\0") + b"C4".ljust(16, b"\0") + bytes(160)
    signals += b"uV".ljust(8, b"\0") * 2 if first else bytes(12) + struct.pack("<2H", 4275, 4275)
    signals += struct.pack("<4d", -32768, -32768, 32767, 32767)
    signals += struct.pack("<4q" if first else "<4d", -32768, -32768, 32767, 32767)
    signals += bytes(160) + struct.pack("<2I", SFREQ, SFREQ) + struct.pack("<2I", 3, 3)
    signals = signals.ljust(512, b"\0")
    samples = b"".join(D[start : start + SFREQ].T.astype("<i2").tobytes() for start in range(0, 1000, SFREQ))
    n = len(events)
    table = bytes([mode]) + (
        rate.to_bytes(3, "little") + struct.pack("<I", n)
        if first
        else n.to_bytes(3, "little") + struct.pack("<f", rate)
    )
    table += struct.pack(f"<{n}I", *[at + 1 for at, _, _ in events]) + struct.pack(f"<{n}H", *[e[1] for e in events])
    if mode == 3:
        table += bytes(2 * n) + struct.pack(f"<{n}I", *[e[2] for e in events])
    path.write_bytes(bytes(head) + signals + samples + table)
    return path


@pytest.mark.parametrize("version", ["1.25", "2.20"])
@pytest.mark.parametrize(("rate", "factor"), [(100, 1), (200, 2), (1000, 10), (50, 0.5)])
def test_events_lie_on_the_grid_that_their_table_states(tmp_path, version, rate, factor):
    marks = [(round(300 * factor), 769, round(50 * factor)), (round(900 * factor), 770, round(20 * factor))]
    recording = read_recording(gdf(tmp_path / "a.gdf", marks, rate=rate, version=version))
    np.testing.assert_allclose(recording.data, D, atol=1e-6)
    found = [(event.name, event.sample, round(event.time, 6), round(event.duration, 6)) for event in recording.events]
    assert found == [("769", 300, 3.0, 0.5), ("770", 900, 9.0, 0.2)]
    assert any("grid of their own" in note.text for note in recording.notes) == (rate != SFREQ)


def test_a_table_without_a_rate_or_an_event_counts_samples(tmp_path):
    recording = read_recording(gdf(tmp_path / "a.gdf", [(300, 769, 0)], rate=0, mode=1))
    assert [event.sample for event in recording.events] == [300]
    assert read_recording(gdf(tmp_path / "b.gdf", [], rate=200)).events == ()


@pytest.mark.parametrize("version", ["1.25", "2.20"])
def test_records_without_a_length_have_no_rate(tmp_path, version):
    file = gdf(tmp_path / "a.gdf", [], rate=100, version=version)
    raw = bytearray(file.read_bytes())
    raw[244:252] = struct.pack("<II", 0, 1)
    file.write_bytes(raw)
    with pytest.raises(SourceError, match="nobody can know its sampling rate"):
        read_recording(file)
