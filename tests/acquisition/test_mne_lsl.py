"""Interoperation with MNE-LSL, both ways, each program in its own process with its own liblsl."""

import json
import subprocess
import sys
import threading
import time
import uuid

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import LslOutlet
from bcikit.signal import Chunk, HostClock, StreamInfo

pytest.importorskip("mne_lsl")

PLAYER = """
import sys, warnings
warnings.simplefilter("ignore")
import mne, numpy as np
from mne_lsl.player import PlayerLSL
from bcikit.acquisition.montage import montage_name
name, source_id = sys.argv[1:]
index = np.arange(1000)
data = np.stack([(10 * (c + 1) + index % 500) * 1e-6 for c in range(3)] + [(index % 100 == 0) * 5.0])
info = mne.create_info(["C3", "Cz", "C4", "STI"], 250.0, ["eeg", "eeg", "eeg", "stim"], verbose="ERROR")
raw = mne.io.RawArray(data, info, verbose="ERROR")
raw.set_montage(montage_name("standard_1020"), on_missing="ignore")
player = PlayerLSL(raw, chunk_size=10, name=name, source_id=source_id, annotations=False).start()
print("up", flush=True)
sys.stdin.readline()
player.stop()
"""

STREAM = """
import sys, warnings, json, time
warnings.simplefilter("ignore")
import mne, numpy as np
mne.set_log_level("ERROR")
from mne_lsl.stream import StreamLSL
name, source_id = sys.argv[1:]
stream = StreamLSL(4.0, name=name, source_id=source_id).connect(acquisition_delay=0.01, timeout=60)
end = time.monotonic() + 60.0
while stream.n_new_samples < 400 and time.monotonic() < end:
    time.sleep(0.05)
data, times = stream.get_data(1.0)
info = stream.info
positions = {channel["ch_name"]: list(map(float, channel["loc"][:3])) for channel in info["chs"]}
print(json.dumps(dict(
    names=stream.ch_names, types=stream.get_channel_types(), sfreq=info["sfreq"],
    units=[int(unit) for _, unit in stream.get_channel_units()], positions=positions,
    data=data.tolist(), times=times.tolist(),
)), flush=True)
stream.disconnect()
"""


@pytest.fixture
def run():
    """Return a function that runs a script of MNE-LSL in its own process."""
    started = []

    def start(script, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def test_bcikit_reads_an_mne_lsl_player(run):
    name = f"player-{uuid.uuid4()}"
    process = run(PLAYER, name, name)
    assert process.stdout.readline().strip() == "up"
    with open_source(f"lsl:name={name}") as source:
        chunks = []
        end = time.monotonic() + 60.0
        while sum(chunk.n_times for chunk in chunks) <= 600 and time.monotonic() < end:
            chunk = source.pull(0.2)
            if chunk is not None:
                chunks.append(chunk.check())
        status = source.status()
    info = source.info
    assert info.ch_names == ("C3", "Cz", "C4", "STI")
    assert info.ch_types == ("eeg", "eeg", "eeg", "stim")
    assert info.sfreq == 250.0
    assert info.positions is not None
    assert info.positions[0][0] < -0.05 < 0.05 < info.positions[2][0]
    data = np.concatenate([chunk.data for chunk in chunks])
    # Volts there, microvolts here, and every sample in its place.
    ramp = np.rint(data[:, 0] - 10).astype(int)
    np.testing.assert_allclose(data[:, 0] - 10, ramp, atol=1e-3)
    assert ((np.diff(ramp) - 1) % 500 == 0).all()
    np.testing.assert_allclose(data[:, 2] - data[:, 0], 20.0, atol=1e-3)
    assert set(np.unique(data[:, 3])) == {0.0, 5.0}
    assert data.shape[0] > 400
    assert status.lost == 0
    assert abs(status.drift_ppm) < 2000


def test_mne_lsl_reads_a_bcikit_outlet(run):
    name = f"outlet-{uuid.uuid4()}"
    positions = ((-0.05, 0.01, 0.06), (0.0, 0.01, 0.08), (0.05, 0.01, 0.06), (float("nan"),) * 3)
    info = StreamInfo(
        name="x", sfreq=250.0, ch_names=("C3", "Cz", "C4", "STI"), ch_types=("eeg", "eeg", "eeg", "stim"),
        positions=positions, reference="A1",
    )  # fmt: skip
    stop = threading.Event()
    now = HostClock().now
    with LslOutlet(info, name=name, source_id=name) as outlet:

        def send():
            sent, start = 0, now()
            while not stop.wait(0.02):
                index = np.arange(sent, int((now() - start) * 250))
                if index.size:
                    ramp = (index % 500).astype(float)
                    data = np.column_stack([ramp, ramp + 100, ramp + 200, (index % 100 == 0) * 5.0])
                    outlet.push(Chunk(data, start + index / 250.0, sent))
                    sent += index.size

        thread = threading.Thread(target=send)
        thread.start()
        try:
            process = run(STREAM, name, name)
            found = json.loads(process.stdout.readline())
        finally:
            stop.set()
            thread.join()
    assert found["names"] == ["C3", "Cz", "C4", "STI"]
    assert found["types"] == ["eeg", "eeg", "eeg", "stim"]
    assert found["sfreq"] == 250.0
    data = np.array(found["data"])
    assert ((np.diff(np.rint(data[0])) - 1) % 500 == 0).all()
    np.testing.assert_allclose(data[1] - data[0], 100)
    np.testing.assert_allclose(np.diff(found["times"]), 1 / 250, atol=1e-6)
    assert found["units"][:3] == [-6, -6, -6]
    for channel, place in zip(("C3", "Cz", "C4"), positions, strict=False):
        np.testing.assert_allclose(found["positions"][channel], place, atol=1e-6)
