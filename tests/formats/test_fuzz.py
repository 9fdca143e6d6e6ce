"""Damaged files of every format: one clear error or a recording that keeps its promises, and no memory eaten."""

import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bcikit import read_recording
from bcikit.signal import BciError
from tests.formats.writers import Xdf, bci2000, brainvision, edf, openbci, table

RNG = np.random.default_rng(1)


def _files(folder: Path) -> dict[str, bytes]:
    x = RNG.normal(0, 30, (600, 8)).round(2)
    rows = [
        f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in x[i]) + f", 0.0, {1.6e9 + i / 250:.4f}, 0.0, x"
        for i in range(400)
    ]
    channels = ", ".join(f"EXG Channel {i}" for i in range(8))
    titles = f"Sample Index, {channels}, Accel Channel 0, Timestamp, Marker Channel, T\n"
    muse = [f"{i / 256:.5f},1,2,3,{i % 9},{int(i == 50)}" for i in range(300)]
    one, two = [("Cz", "uV", RNG.integers(-300, 300, 800))], [("Status", "", np.arange(400) // 90)]
    xdf = Xdf().stream("E", "EEG", 250, 100 + np.arange(600) / 250, x[:, :2], labels=("a", "b"), units=("uV", "uV"))
    xdf.stream("M", "Markers", 0, [101.0, 101.5], ["left", "right"], fmt="string")
    made = [
        edf(folder / "a.edf", one, annotations=[(0.5, b"left"), (3.0, b"right")]),
        edf(folder / "d.edf", one, records=3, kind="EDF+D", onsets=[0, 1, 5]),
        edf(folder / "a.bdf", [*one, *two], records=4, bdf=True),
        xdf.write(folder / "a.xdf"),
        openbci(folder / "o.txt", rows, titles=titles),
        table(folder / "m.csv", "timestamps,TP9,AF7,AF8,TP10,Marker", muse),
        bci2000(folder / "b.dat", RNG.integers(-300, 300, (300, 2)), np.arange(300) // 100),
        brainvision(
            folder, "v", [("Cz", "0.1", "µV")], RNG.integers(-300, 300, (500, 1)), markers=["Stimulus,S  1,9,1,0"]
        ),
    ]
    return {file.name: file.read_bytes() for file in made}


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> tuple[Path, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("fuzz")
    return folder, _files(folder)


NAMES = ("a.edf", "d.edf", "a.bdf", "a.xdf", "o.txt", "m.csv", "b.dat", "v.vhdr")


@pytest.mark.parametrize("name", NAMES)
@settings(
    # Eight formats together: two hundred, and many more nightly.
    max_examples=100 if os.environ.get("HYPOTHESIS_PROFILE") == "search" else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_is_damaged(originals, name, data):
    folder, contents = originals
    raw = bytearray(contents[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "zero", "double", "digits"]))
        if how == "flip":
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif how == "cut":
            raw = raw[: max(1, at)]
        elif how == "zero":
            raw[at : at + 16] = bytes(len(raw[at : at + 16]))
        elif how == "double":
            raw[at:at] = raw[at : at + 64]
        else:
            raw[at : at + 4] = b"9999"[: len(raw[at : at + 4])]
    file = folder / f"x-{name}"
    file.write_bytes(bytes(raw))
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                recording = read_recording(file, partial=data.draw(st.booleans()))
            except BciError:
                recording = None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(raw) + (192 << 20), f"{peak >> 20} MB for {len(raw)} bytes"
    if recording is not None:
        assert np.isfinite(recording.times).all()
        assert (np.diff(recording.times) > 0).all()
        assert (np.diff(recording.samples) > 0).all()
        first, last = recording.samples[0], recording.samples[-1]
        assert all(event.sample is None or first <= event.sample <= last for event in recording.events)
