"""No command ends with 0 after it lost something: every command that takes data, with data that lose on the way."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit.recording import SessionWriter, read_session
from bcikit.signal import DataError, Event, Recording, StreamInfo
from tests.formats.writers import Xdf, edf, table


def process(*arguments: object) -> tuple[int, str, str]:
    """Run the command as a user does, in another process."""
    ended = subprocess.run(
        [sys.executable, "-m", "bcikit", *map(str, arguments)], capture_output=True, text=True, timeout=240,
        encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("losing")
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 20, (5000, 2))
    two = {"labels": ("C3", "C4"), "units": ("uV", "uV"), "types": ("EEG", "EEG")}
    stamps = 100 + np.arange(5000) / 250
    clock = Xdf().stream("EEG", "EEG", 250, 1.7e9 + np.arange(5000) / 250, noise, **two)
    clock.stream("M", "Markers", 0, 1000 + np.arange(20.0), ["left", "right"] * 10, fmt="string")
    rate = Xdf().stream("EEG", "EEG", 250, 100 + np.arange(5000) / 200, noise, **two)
    rate.stream("M", "Markers", 0, 100.5 + np.arange(20.0), ["left", "right"] * 10, fmt="string")
    outside = Xdf().stream("EEG", "EEG", 250, stamps, noise, **two)
    outside.stream("M", "Markers", 0, [101.0, 500.0], ["left", "right"], fmt="string")
    beside = Xdf().stream("EEG", "EEG", 250, stamps, noise, **two)
    beside.stream("ACC", "ACC", 50, 100 + np.arange(1000) / 50, noise[:1000], labels=("x", "y"))
    loud = table(
        folder / "loud.csv",
        "time,C3,C4",
        [f"{i / 250:.4f},{1e7 * a:.1f},{1e7 * b:.1f}" for i, (a, b) in enumerate(noise[:1000])],
    )
    marks = [(2.0 + 5 * k, b"T1" if k % 2 else b"T2") for k in range(12)]
    few = folder / "few"
    few.mkdir()
    for number in range(2):
        edf(
            few / f"run-{number}.edf",
            [(c, "uV", rng.integers(-300, 300, 7000)) for c in ("C3", "C4")],
            annotations=marks,
        )
    made = {
        "clock": clock.write(folder / "clock.xdf"), "rate": rate.write(folder / "rate.xdf"),
        "outside": outside.write(folder / "outside.xdf"), "beside": beside.write(folder / "beside.xdf"),
        "loud": loud, "few": few,
    }  # fmt: skip
    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("C3", "C4"))
    events = (Event(name="left", time=1.0, sample=250), Event(name="unity/mi", time=2.0, sample=500, value=3))
    whole = Recording.from_arrays(info, noise, events=events)
    extra = StreamInfo(name="acc", sfreq=50.0, ch_names=("x",), ch_types=("accel",))
    with SessionWriter(folder / "session", info=info, extra={"acc": extra}) as writer:
        for chunk in whole.chunks(50):
            writer.chunk(chunk, float(chunk.times[-1]))
        for event in (*events, Event(name="late", time=500.0, sample=125_000)):
            writer.event(event)
    return made | {"session": folder / "session"}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("clock", "another clock"),
        ("rate", "says 250 Hz"),
        ("outside", "outside the recording"),
        ("loud", "unit is wrong"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "import", "export", "evaluate"])
def test_data_in_doubt_are_said_by_every_command_and_never_0(files, tmp_path, what, words, command, command_line):
    file = f"{files[what]}?unit=uV" if what == "loud" else files[what]
    arguments = {
        "inspect": ["inspect", file],
        "import": ["import", file, "--out", tmp_path / "s"],
        "export": ["export", file, "--fif", tmp_path / "x_raw.fif", "--lossy"],
        "evaluate": ["evaluate", files[what], "-p", "motor-imagery", "--events", "left=l,right=r", "-d", "csp-lda",
                     "--unit", "uV"],
    }[command]  # fmt: skip
    # Each command once in a process of its own, whose exit code is the system's.
    code, out, err = (process if what == "clock" else command_line)(*arguments)
    assert code in (1, 2), out
    assert "Traceback" not in err
    if code == 1:
        assert words in out + err


@pytest.mark.parametrize("form", [["--bids", "b"], ["--edf", "x.edf"], ["--edf", "x.bdf"], ["--fif", "x_raw.fif"]])
def test_exports_say_what_they_leave_out(files, tmp_path, form, command_line):
    code, _, err = command_line("export", files["session"], form[0], tmp_path / form[1])
    assert code == 1
    assert "outside the recording" in err
    assert "acc" in err
    if form[0] != "--bids":
        assert "values of 1 events" in err
    code, _, err = command_line("export", files["session"], form[0], tmp_path / "2" / form[1], "--lossy")
    assert code == 0, err


def test_all_streams_come_in_by_import(files, tmp_path, command_line):
    code, out, err = command_line("import", files["beside"], "--out", tmp_path / "s")
    assert code == 0, err
    assert "ACC" in out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--events", "T1=l,T2=r,T3=feet"], "feet"),
        (["--events", "T1=l,T2=r", "--window", "0", "0.001"], ""),
        (["--events", "T1=l,T2=r", "-d", "csp-lda", "-d", "cca"], "cca"),
    ],
)
def test_evaluation_that_lost_something(files, more, words, command_line):
    code, out, err = command_line("evaluate", files["few"], "-p", "motor-imagery", *more)
    assert code in (1, 2), out
    assert words in out + err
    assert "Traceback" not in err


def test_doubts_can_be_decided_one_by_one(files, tmp_path, command_line):
    assert command_line("inspect", files["rate"], "--sfreq", "200").code == 0
    assert command_line("import", files["rate"], "--out", tmp_path / "s", "--accept", "rate").code == 0
    assert command_line("import", files["clock"], "--out", tmp_path / "t", "--accept", "clock").code == 0


def test_that_nothing_comes_any_more_is_no_event_out_of_place(tmp_path, command_line):
    info = StreamInfo(name="eeg", sfreq=250.0, ch_names=("C3", "C4"))
    whole = Recording.from_arrays(info, np.random.default_rng(1).normal(0, 10, (1000, 2)))
    with SessionWriter(tmp_path / "session", info=info) as writer:
        for chunk in whole.chunks(50):
            writer.chunk(chunk, float(chunk.times[-1]))
        for at, name in enumerate(("stream/late", "stream/stalled", "stream/lost")):
            writer.event(Event(name=name, time=float(whole.times[-1]) + 0.5 + at, source="acquisition"))
    code, out, err = command_line("inspect", tmp_path / "session")
    assert code == 0, out + err
    assert "outside the recording" not in out + err
    assert "stream/lost" in out


def test_an_event_without_a_time_is_not_written_where_nobody_could_read_it(tmp_path):
    info = StreamInfo(name="eeg", sfreq=250.0, ch_names=("C3", "C4"))
    with SessionWriter(tmp_path / "session", info=info) as writer:
        writer.event(Event(name="good", time=1.0))
        with pytest.raises(DataError, match="event 'bad': time is nan"):
            writer.event(Event(name="bad", time=float("nan")))
    assert [event.name for event in read_session(tmp_path / "session").events] == ["good"]
