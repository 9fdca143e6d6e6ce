"""Files against independent readers: samples, units, rate and events of every format, and the time to read."""

import logging
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import mne
import numpy as np
import pyxdf

from bcikit import read_recording
from bcikit.acquisition.file import split_address

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.table import Row, options, show
from tests.formats.writers import Xdf, brainvision, edf

warnings.simplefilter("ignore")
mne.set_log_level("ERROR")
logging.disable(logging.WARNING)
RNG = np.random.default_rng(0)


def data_dir() -> Path | None:
    import os

    here = Path(__file__).resolve().parents[1]
    places = [os.environ.get("BCIKIT_DATA", ""), str(here.parent / "shared" / "data")]
    return next((Path(place) for place in places if place and Path(place).is_dir()), None)


def by_mne(path: Path) -> tuple[np.ndarray, float, list[tuple[str, float]]]:
    raw = mne.io.read_raw(path, preload=True)
    onsets = raw.annotations.onset - raw.first_time
    return raw.get_data().T * 1e6, raw.info["sfreq"], list(zip(raw.annotations.description, onsets, strict=True))


def by_pyxdf(path: Path) -> tuple[np.ndarray, float, list[tuple[str, float]]]:
    streams, _ = pyxdf.load_xdf(str(path), dejitter_timestamps=False)
    numeric = [s for s in streams if s["info"]["channel_format"][0] != "string" and len(s["time_stamps"])]
    main = max(numeric, key=lambda s: (s["info"]["type"][0] == "EEG", int(s["info"]["channel_count"][0])))
    words = [
        (" ".join(map(str, row)).strip(), float(t))
        for s in streams
        if s["info"]["channel_format"][0] == "string"
        for t, row in zip(s["time_stamps"], s["time_series"], strict=True)
    ]
    return (
        np.asarray(main["time_series"], float),
        float(main["info"]["nominal_srate"][0]),
        sorted(words, key=lambda x: x[1]),
    )


def compare(name: str, path: str, reader) -> Row:
    file, given = split_address(path)
    mine = read_recording(file, names="file", **given)
    data, rate, events = reader(file)
    reasons = []
    columns = [i for i, kind in enumerate(mine.info.ch_types) if kind in ("eeg", "eog", "emg", "ecg", "bio")]
    same = mine.data.shape == data.shape
    if same and columns:
        largest = np.abs(data[:, columns]).max()
        ratio = np.abs(mine.data[:, columns]).max() / largest if largest else 1.0
        same = np.allclose(mine.data[:, columns], data[:, columns] * ratio, rtol=1e-6, atol=1e-6 * largest)
        if not np.isclose(ratio, 1.0, rtol=1e-6):
            reasons.append(f"unit differs by {ratio:.3g} (the reader keeps the file's own)")
    names = [
        event.name for event in mine.events if not event.name.startswith("trigger/") or event.source == "annotation"
    ]
    found = [text for text, _ in events if text not in ("boundary", "BAD_ACQ_SKIP")]
    if sorted(names) != sorted(found):
        reasons.append(f"{len(names)} events against {len(found)}")
    if abs(mine.info.sfreq / rate - 1) > 0.005:
        reasons.append(f"rate {mine.info.sfreq:g} against {rate:g} (stamps say the former)")
    text = (
        f"{mine.n_times} x {mine.info.n_channels}, {mine.info.sfreq:g} Hz, {len(mine.events)} events, {mine.lost} lost"
    )
    met = bool(same) and not [r for r in reasons if "events" in r]
    return Row(
        name, text, "equal" if same and not reasons else "; ".join(reasons) or "samples differ", 1.0, "equal", met
    )


def corpus(folder: Path) -> list[tuple[str, str, object]]:
    whole = RNG.integers(-300, 300, 4000)
    words = [(2.5, b"left"), (7.5, b"right")]
    xdf = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(5000) / 250, RNG.normal(0, 20, (5000, 2)), labels=("a", "b"),
                       units=("uV", "uV"))  # fmt: skip
    xdf.stream("M", "Markers", 0, [101.0, 105.0], ["left", "right"], fmt="string").write(folder / "a.xdf")
    edf(folder / "a.edf", [("C3", "uV", whole)], annotations=words)
    edf(folder / "a.bdf", [("C3", "uV", whole)], bdf=True, annotations=words)
    brainvision(
        folder, "v", [("C3", "0.1", "µV")], RNG.integers(-300, 300, (2000, 1)), markers=["Comment,left,100,1,0"]
    )
    return [
        ("generated XDF", str(folder / "a.xdf"), by_pyxdf), ("generated EDF+", str(folder / "a.edf"), by_mne),
        ("generated BDF+", str(folder / "a.bdf"), by_mne), ("generated BrainVision", str(folder / "v.vhdr"), by_mne),
    ]  # fmt: skip


def timed(name: str, mine, peer, *, bar: float) -> Row:
    times = {"bcikit": [], "peer": []}
    for _ in range(3):
        for who, function in (("bcikit", mine), ("peer", peer)):
            begin = time.process_time()
            function()
            times[who].append(time.process_time() - begin)
    own, other = min(times["bcikit"]), min(times["peer"])
    return Row(name, f"{own:.2f} s", f"{other:.2f} s", other / own, f">= {bar:g}", other / own >= bar)


def long_edf(path: Path, seconds: int) -> Path:
    """Write EDF of 64 channels at 1 kHz, a second a record."""
    edf(path, [(f"E{i}", "uV", RNG.integers(-300, 300, 1000)) for i in range(64)], rate=1000)
    whole = path.read_bytes()
    head = 256 * 65
    with path.open("wb") as file:
        file.write(whole[:236] + f"{seconds:<8d}".encode() + whole[244:head])
        for _ in range(seconds):
            file.write(whole[head:])
    return path


def long_xdf(path: Path, seconds: int) -> Path:
    """Write XDF of 64 channels at 1 kHz, 100 samples a chunk, each with its stamp, as LabRecorder does."""
    from tests.formats.writers import _chunk, _length

    values = RNG.normal(0, 20, (100, 64)).astype("<f4")
    file = Xdf().stream("EEG", "EEG", 1000, [], values[:0], labels=[f"E{i}" for i in range(64)], units=["uV"] * 64)
    layout = np.dtype([("long", "u1"), ("stamp", "<f8"), ("values", "<f4", (64,))])
    with path.open("wb") as out:
        out.write(b"".join(file.parts))
        for first in range(0, 1000 * seconds, 100):
            rows = np.zeros(100, layout)
            rows["long"], rows["stamp"], rows["values"] = 8, 100 + (first + np.arange(100)) / 1000, values
            out.write(_chunk(3, (1).to_bytes(4, "little") + _length(100) + rows.tobytes()))
    return path


def speeds(folder: Path, seconds: int) -> list[Row]:
    """Read recordings of 64 channels at 1 kHz, sum them up, and import them in a process whose memory is measured."""
    found = []
    readers = {
        "EDF": (long_edf, lambda path: mne.io.read_raw_edf(path, preload=True)),
        "XDF": (long_xdf, lambda path: pyxdf.load_xdf(str(path))),
    }
    for name, (make, peer) in readers.items():
        path = make(folder / f"long.{name.lower()}", seconds)
        what = f"{name}, 64 channels, 1 kHz, {seconds / 60:g} min"
        found.append(
            timed(
                f"read {what}", lambda path=path: read_recording(path), lambda path=path, peer=peer: peer(path), bar=0.5
            )
        )
        size = seconds * 1000 * 64 * 8 / 2**20
        grown = memory(path, folder / f"out-{name}")
        found.append(
            Row(
                f"import of {what}: memory",
                f"{grown:.0f} MB",
                f"{size:.0f} MB of samples",
                grown / size,
                "<= 0.25 and 60 MB",
                grown <= 0.25 * size + 60,
            )
        )
        path.unlink()
        found += summary(name, folder / f"hours.{name.lower()}", make, 720 if seconds < 600 else 7200)
    return found


def summary(name: str, path: Path, make, length: int) -> list[Row]:
    """Sum up a recording of hours in a process of its own: the time, and by how much it grows."""
    make(path, length)
    spent, grown = (float(value) for value in measured(SUMMED, path).split())
    path.unlink()
    what = f"summary of {name}, 64 channels, 1 kHz, {length / 60:g} min"
    size = length * 1000 * 64 * 8 / 2**20
    return [
        Row(what, f"{spent:.2f} s", "-", spent / 2.0, "<= 2 s of processor", spent <= 2.0),
        Row(f"{what}: memory", f"{grown:.0f} MB", f"{size:.0f} MB of samples", grown / size, "<= 0.1",
            grown <= 0.1 * size + 60),
    ]  # fmt: skip


SUMMED = """
import sys, time
import mne, pyxdf, scipy.signal
from bcikit.acquisition.summary import summarise
def peak():
    # Of this program alone: ru_maxrss begins at what the parent had.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before = peak()
begin = time.process_time()
summarise(sys.argv[1]).to_dict()
print(time.process_time() - begin, peak() - before)
"""

MEASURED = """
import sys
import mne, scipy.signal
from bcikit.recording import convert_file
def peak():
    # Of this program alone: ru_maxrss begins at what the parent had.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before = peak()
convert_file(sys.argv[1], sys.argv[2])
print(peak() - before)
"""


def memory(path: Path, out: Path) -> float:
    """Return by how many megabytes a process grows that imports a file."""
    return float(measured(MEASURED, path, out).split()[-1])


def measured(program: str, *arguments: Path) -> str:
    """Return what a program prints in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout


def main() -> None:
    args = options()
    rows = []
    folder = data_dir()
    files: list[tuple[str, str, object]] = []
    if folder is not None:
        for path in sorted((folder / "formats").rglob("*")):
            if path.suffix in (".edf", ".bdf", ".gdf", ".vhdr"):
                files.append((path.name, str(path), by_mne))
            elif path.suffix == ".xdf":
                unit = "?unit=uV" if path.stem in ("minimal", "clock_resets") else ""
                files.append((path.name, f"{path}{unit}", by_pyxdf))
    with tempfile.TemporaryDirectory() as temporary:
        files += corpus(Path(temporary))
        rows += [compare(name, path, reader) for name, path, reader in files]
        rows += speeds(Path(temporary), 60 if args.quick else 600)
    show("Files: read as independent readers do", rows, as_json=args.json)


if __name__ == "__main__":
    main()
