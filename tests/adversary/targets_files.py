# ruff: noqa: E501 - seeds are lines of other programs
"""Parsers of files: recordings of every format, and what stands beside them."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bcikit import read_recording
from bcikit.acquisition.checks import check_recording
from bcikit.signal import Recording
from tests.adversary.fuzzing import Target
from tests.formats.writers import Xdf, bci2000, brainvision, edf, openbci, table


def in_file(folder: Path, name: str, run: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return a parser of bytes that writes them to a file first."""
    folder.mkdir(parents=True, exist_ok=True)

    def parse(raw: bytes) -> object:
        path = folder / name
        path.write_bytes(raw)
        return run(path)

    return parse


def _read(path: Path, **options: Any) -> Recording:
    recording = read_recording(path, **options)
    # What was read keeps the promises of every recording.
    check_recording(recording)
    assert np.isfinite(recording.times).all(), "times that are no numbers"
    assert (np.diff(recording.samples) > 0).all(), "samples that do not rise"
    assert recording.info.sfreq > 0, "no rate"
    return recording


def _tables(folder: Path) -> Iterator[tuple[str, bytes]]:
    x = np.random.default_rng(7).normal(0, 30, (160, 8)).round(2)
    rows = [
        f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in x[i]) + f", 0.0, {1.6e9 + i / 250:.4f}, 0.0, x"
        for i in range(160)
    ]
    channels = ", ".join(f"EXG Channel {i}" for i in range(8))
    titles = f"Sample Index, {channels}, Accel Channel 0, Timestamp, Marker Channel, T\n"
    yield "openbci.txt", openbci(folder / "o.txt", rows, titles=titles).read_bytes()
    old = [
        f"{i % 256}, " + ", ".join(f"{v:.2f}" for v in x[i]) + ", 0, 0, 0, 12:00:00.000, 1600000000" for i in range(160)
    ]
    yield "openbci-old.txt", openbci(folder / "old.txt", old).read_bytes()
    muse = [f"{i / 256:.5f},1,2,3,{i % 9},{int(i == 50)}" for i in range(160)]
    yield "muse.csv", table(folder / "m.csv", "timestamps,TP9,AF7,AF8,TP10,Marker", muse).read_bytes()
    monitor = [f"2023-01-01 10:00:{i / 256:09.6f},1,2,3,{i % 9},0,{'/Marker/1' if i == 9 else ''}" for i in range(160)]
    yield (
        "monitor.csv",
        table(folder / "n.csv", "TimeStamp,RAW_TP9,RAW_AF7,RAW_AF8,RAW_TP10,HeadBandOn,Elements", monitor).read_bytes(),
    )
    emotiv = [f"{1.6e9 + i / 128:.4f},{i % 128},0,4200.5,4201.2,0" for i in range(160)]
    yield (
        "emotiv.csv",
        table(
            folder / "e.csv", "Timestamp,EEG.Counter,EEG.Interpolated,EEG.AF3,EEG.F7,MarkerValueInt", emotiv
        ).read_bytes(),
    )
    sky = [f"{i / 512:.4f},{i % 100}" for i in range(160)]
    yield "neurosky.csv", table(folder / "s.csv", "timestampMs,eegRawValue", sky).read_bytes()
    semicolon = [f"{i / 100:.3f};{i % 7},5;{i % 5},25".replace(".", ",") for i in range(160)]
    yield "komma.csv", table(folder / "k.csv", "Time [s];C3 [uV];C4 [uV]", semicolon).read_bytes()
    yield (
        "date.csv",
        table(
            folder / "d.csv",
            "timestamp,C3 [uV],C4 [uV]",
            [f"2024-02-29T10:00:{i / 100:09.6f}+08:00,{i % 7},{i % 5}" for i in range(160)],
        ).read_bytes(),
    )
    tabs = "\n".join("\t".join(f"{v:.3f}" for v in x[i]) + f"\t{i % 256}\t{1.6e9 + i / 250:.6f}\t0" for i in range(160))
    yield "brainflow.csv", tabs.encode()
    yield (
        "gbk.csv",
        ("timestamp,左 [uV],右 [uV]\n" + "\n".join(f"{i / 100},{i % 7},{i % 5}" for i in range(160))).encode("gbk"),
    )


def _arrays(folder: Path) -> Iterator[tuple[str, bytes]]:
    from scipy.io import savemat

    data = np.random.default_rng(7).integers(-900, 900, (300, 3)).astype(np.int16)
    for name, version in (("five.mat", "5"), ("common.mat", "")):
        file = folder / name
        values: dict[str, Any] = {"data": data.astype(float), "fs": 100.0}
        if version == "5":
            labels = np.array([["C3", "Cz", "C4"]], dtype=object)
            marks = {"pos": np.array([[11, 91]]), "y": np.array([[-1, 1]])}
            values = {"cnt": data, "mrk": marks, "nfo": {"fs": 100, "clab": labels}}
        savemat(file, values, do_compression=not version)
        yield name, file.read_bytes()
    buffer = io.BytesIO()
    np.savez(buffer, data=data.astype(float), sfreq=100.0, ch_names=np.array(["C3", "Cz", "C4"]))
    yield "a.npz", buffer.getvalue()


def _xdf(folder: Path) -> bytes:
    values = np.random.default_rng(7).normal(0, 20, (300, 2))
    file = Xdf().stream("E", "EEG", 250, 100 + np.arange(300) / 250, values, labels=("a", "b"), units=("uV", "uV"))
    file.stream("M", "Markers", 0, [100.1, 100.5], ["left", "right"], fmt="string")
    file.stream(
        "I", "EEG", 0, 100 + np.arange(100) / 90, values[:100], fmt="int16", labels=("c", "d"), units=("uV", "uV")
    )
    return file.write(folder / "seed.xdf").read_bytes()


def _bids(folder: Path) -> Iterator[Target]:
    place = folder / "bids"
    data = place / "sub-01" / "eeg"
    data.mkdir(parents=True)
    (place / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.8.0"}')
    stem = "sub-01_task-x"
    edf(
        data / f"{stem}_eeg.edf",
        [
            ("Cz", "uV", np.random.default_rng(7).integers(-300, 300, 400)),
            ("Pz", "uV", np.random.default_rng(7).integers(-9, 9, 400)),
        ],
    )
    seeds = {
        f"{stem}_eeg.json": b'{"TaskName": "x", "SamplingFrequency": 100, "EEGReference": "Cz", "PowerLineFrequency": 50,'
        b' "RecordingDuration": 4.0, "EEGChannelCount": 2, "SoftwareFilters": "n/a"}',
        f"{stem}_channels.tsv": b"name\ttype\tunits\tlow_cutoff\tsampling_frequency\tstatus\nCz\tEEG\tuV\t0\t100\tgood\n"
        b"Pz\tEOG\tuV\t0\t100\tbad\n",
        f"{stem}_events.tsv": b"onset\tduration\tsample\ttrial_type\tvalue\n0.5\t1\t50\tleft\t1\n1.5\tn/a\t150\tright\t2\n",
        "sub-01_electrodes.tsv": b"name\tx\ty\tz\nCz\t0\t0\t0.1\nPz\t0\t-0.05\t0.08\n",
        "sub-01_coordsystem.json": b'{"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "m"}',
    }
    for name, content in seeds.items():
        (data / name).write_bytes(content)

    def run(name: str) -> Callable[[bytes], object]:
        def parse(raw: bytes) -> object:
            (data / name).write_bytes(raw)
            try:
                return _read(data / f"{stem}_eeg.edf")
            finally:
                (data / name).write_bytes(seeds[name])

        return parse

    for name, content in seeds.items():
        form = "json" if name.endswith("json") else "text"
        yield Target(f"bids:{name.rpartition('_')[2]}", (content,), run(name), form)


def file_targets(folder: Path) -> Iterator[Target]:
    """Yield the parsers of recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _tables(folder):
        options = {"board": "pieeg"} if name == "brainflow.csv" else {}
        read = in_file(folder / "table", name, lambda path, options=options: _read(path, **options))  # type: ignore[misc]
        yield Target(f"table:{name}", (content,), read, "text")
        if name == "komma.csv":
            mapped = in_file(folder / "table", name, lambda path: _read(path, map="eeg=1:2 time=0[s] unit=uV"))
            yield Target("table:mapped", (content,), mapped, "text")
    for name, content in _arrays(folder):
        mapped = in_file(folder / "arrays", name, lambda path: _read(path, unit="uV"))
        yield Target(f"arrays:{name}", (content,), mapped)
    told = (
        b'data = "cnt"\nrate = "nfo.fs"\nscale = 0.1\nevents = "mrk.pos"\ncodes = "mrk.y"\nchannels = ["a", "b", "c"]\n'
    )
    place = folder / "mapped"
    place.mkdir()
    (place / "a.mat").write_bytes(dict(_arrays(folder))["five.mat"])
    yield Target("map:toml", (told,), in_file(place, "map.toml", lambda path: _read(path.parent / "a.mat")), "text")
    words = (b"data=cnt rate=nfo.fs channels=nfo.clab events=mrk.pos codes=mrk.y scale=0.1",)
    by_words = folder / "bywords"
    by_words.mkdir()
    (by_words / "a.mat").write_bytes((place / "a.mat").read_bytes())
    yield Target("map:words", words, lambda raw: _read(by_words / "a.mat", map=raw.decode("utf-8", "replace")), "text")
    table_words = (b"eeg=1 time=0[s] unit=uV marker=2", b"eeg=1:2 time=0[ms]")
    columns = folder / "columns.csv"
    columns.write_bytes(dict(_tables(folder))["komma.csv"])
    yield Target("map:columns", table_words, lambda raw: _read(columns, map=raw.decode("utf-8", "replace")), "text")

    one, two = [("Cz", "uV", np.random.default_rng(7).integers(-300, 300, 400))], [("Status", "", np.arange(400) // 90)]
    marks = [(0.5, b"left"), (2.0, "右手".encode())]
    discontinuous = edf(folder / "d.edf", one, records=3, kind="EDF+D", onsets=[0, 1, 5]).read_bytes()
    plain = edf(folder / "a.edf", one, annotations=marks).read_bytes()
    yield Target("edf:edf", (plain, discontinuous), in_file(folder / "edf", "x.edf", lambda path: _read(path)))
    partly = in_file(folder / "edf", "y.edf", lambda path: _read(path, partial=True))
    yield Target("edf:partial", (plain, discontinuous), partly)
    bdf = edf(folder / "a.bdf", [*one, *two], records=4, bdf=True).read_bytes()
    yield Target("edf:bdf", (bdf,), in_file(folder / "edf", "x.bdf", _read))
    yield Target("xdf:import", (_xdf(folder),), in_file(folder / "xdf", "x.xdf", lambda path: _read(path, stream="E")))
    bci = bci2000(
        folder / "b.dat", np.random.default_rng(7).integers(-300, 300, (300, 2)), np.arange(300) // 100
    ).read_bytes()
    yield Target("bci2000:dat", (bci,), in_file(folder / "bci", "b.dat", _read))
    vision = folder / "vision"
    head = brainvision(
        vision,
        "v",
        [("Cz", "0.1", "µV")],
        np.random.default_rng(7).integers(-300, 300, (300, 1)),
        markers=["Stimulus,S  1,9,1,0"],
    )
    seed, marker = head.read_bytes(), (vision / "v.vmrk").read_bytes()
    yield Target("brainvision:vhdr", (seed,), in_file(vision, "w.vhdr", _read), "text")
    yield Target(
        "brainvision:vmrk", (marker,), in_file(vision, "v.vmrk", lambda path: _read(vision / "v.vhdr")), "text"
    )
    yield from _bids(folder)
    yield from _of_mne(folder)


def _of_mne(folder: Path) -> Iterator[Target]:
    import mne
    import scipy.io

    raw = mne.io.RawArray(
        np.random.default_rng(7).normal(0, 1e-5, (2, 300)), mne.create_info(["C3", "C4"], 100.0, "eeg"), verbose="error"
    )
    raw.save(folder / "seed_raw.fif", verbose="error")
    seed = (folder / "seed_raw.fif").read_bytes()
    yield Target("mne:fif", (seed,), in_file(folder / "mne", "x_raw.fif", _read))
    events = np.array([(10.0, "left"), (90.0, "right")], dtype=[("latency", object), ("type", object)])
    places = np.array([("C3", 1.0), ("C4", 2.0)], dtype=[("labels", object), ("X", object)])
    content = {"EEG": {"data": raw.get_data() * 1e6, "srate": 100.0, "nbchan": 2.0, "pnts": 300.0, "trials": 1.0,
                       "xmin": 0.0, "xmax": 2.99, "chanlocs": places, "event": events, "setname": "x"}}  # fmt: skip
    scipy.io.savemat(folder / "seed.set", content)
    yield Target("mne:set", ((folder / "seed.set").read_bytes(),), in_file(folder / "mne", "x.set", _read))
