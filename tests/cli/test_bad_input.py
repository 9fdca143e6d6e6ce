"""What goes wrong at the command line is one clear error, exit code 2, without a traceback; what was recorded stays."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit.cli.app import main
from bcikit.signal import ConfigError


def session_file(folder: Path, **tables: str) -> Path:
    parts = {
        "source": 'address = "sim:motor-imagery?seed=1"',
        "paradigm.settings": "calibration_runs = 1\nfeedback_runs = 1\ntrials_per_run = 10\neyes_open = 0\n"
        "eyes_closed = 0\nbetween_runs = 1",
        "recording": f'folder = "{(folder / "out").as_posix()}"',
        **tables,
    }
    text = "\n".join(f"[{name.replace('__', '.')}]\n{body}" for name, body in parts.items())
    path = folder / "session.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere:x", "scheme is 'nowhere'; allowed"),
        ("recording.edf", "no address of a source"),
        ("brainflow:syntetic", "synthetic"),
        ("brainflow:synthetic?sereal=1", "sereal"),
        ("sim:motor-imagery?sed=1", "sed"),
        ("sim:juggling", "juggling"),
        ("lsl:name=does-not-exist-here&timeout=0.3", "does-not-exist-here"),
        ("file:missing.edf", "missing.edf"),
    ],
)
def test_sources_that_cannot_be_opened(command_line, tmp_path: Path, source: str, said: str) -> None:
    code, out, err = command_line("record", source, "--out", tmp_path / "rec", "--duration", 1)
    assert code == 2
    assert said in err + out
    assert "Traceback" not in err
    file = session_file(tmp_path, source=f'address = "{source}"')
    code, out, err = command_line("run", file, "--headless")
    assert code == 2
    assert "source.address" in err
    assert said in err
    assert not (tmp_path / "out").exists()


def test_all_problems_of_a_session_file_at_once(command_line, tmp_path: Path) -> None:
    file = session_file(
        tmp_path,
        source='address = "sim:motor-imagery?seed=1"\nchanels = ["C3"]',
        decoder='name = "csp-lda"\ntmin = 2\ntmax = 1',
    )
    code, _, err = command_line("check", "session", file)
    assert code == 2
    assert "source.chanels is unknown; allowed: address, channels" in err
    assert "tmax is 1; it must be above tmin, 2" in err
    file = session_file(
        tmp_path,
        decoder='name = "csp-lad"',
        gate='profile = "simulation"\nttl_s = 99',
        **{"paradigm.settings": "trials_per_run = 7"},
    )
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    for part in ("gate.ttl_s", "trials_per_run"):
        assert part in err, part


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b'kind = "motor-imagery"\ntitle = 3\nclasses = ["left_hand", ["feet"]]\ntrials_per_run = "many"\n'
            b'feedbak_rate = 16\nstop = nan\n[defaults]\ndecodr = "x"\ngate = { ttl_s = 99 }\n'
            b'pipeline = [{ step = "bandpas" }]',
            [
                "8 problems", "title is 3", "classes.1 is ['feet']", "trials_per_run is 'many'", "stop is nan",
                "feedbak_rate is unknown", "Did you mean 'feedback_rate'?", "defaults.decodr is unknown",
                "defaults.gate.ttl_s is 99", "'bandpas'; allowed",
            ],
        ),
        (
            b'kind = "ssvep-menu"\nstimulation = "frame-period"\ndepth = 2\n'
            b'targets = [{ name = "a", frequency = 8.5 }, { name = "b", frequency = 40.0 }]',
            ["depth is 2", "targets.a.frequency = 8.5", "targets.b.frequency = 40", "at 60 Hz"],
        ),
        (b'kind = ["blocks"]', ["kind = ['blocks']: allowed: blocks, "]),
        (b'kind = "blocks"\nphases = 3\ndefaults = 4', ["phases is 3; input should be a list", "defaults is 4"]),
        (b'base = "juggling"', ["'juggling'; allowed"]),
        (b'base = "mine.toml"', ["in a circle"]),
        (b"base = 3", ["base is 3"]),
        (b"kind = ", ["is no TOML"]),
        (b"\xff\xfek\x00", ["not UTF-8", "save it as UTF-8"]),
        (b"", ["source is missing"]),
        (None, ["cannot be read"]),
    ],
)  # fmt: skip
def test_a_broken_paradigm_file_lists_every_mistake_and_nothing_starts(
    command_line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.toml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    code, _, err = command_line("run", "mine.toml", "--user", "sim", "--headless", "--out", tmp_path / "out")
    assert code == 2
    for part in said:
        assert part in err, part
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_paradigm_file_of_one_s_own_runs_like_a_shipped_one(command_line, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "custom"\nrepeats = 1\nphases = [{ phase = "rest", seconds = 3.0 }]', encoding="utf-8-sig")
    assert command_line("run", file, "--headless", "--out", tmp_path / "none")[0] == 2
    assert command_line("run", file, "--user", "sim", "--headless", "--out", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_good_session_file_is_ready(command_line, tmp_path: Path) -> None:
    code, out, _ = command_line("check", "session", session_file(tmp_path), "--json")
    assert code == 0
    assert '"ready": true' in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("truncated.edf", b"0       X X X X", "truncated.edf"),
        ("empty.edf", b"", "empty.edf"),
        ("notes.docx", b"hello", "notes.docx"),
        ("noise.xdf", b"XDF:" + bytes(range(200)), "noise.xdf"),
    ],
)
def test_files_that_cannot_be_read(command_line, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    file = session_file(tmp_path, calibration=f'files = ["{name}"]\nevents = {{ T1 = "left_hand", T2 = "right_hand" }}')
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def write_recording(
    path: Path, *, labels: list[str], sfreq: float = 250.0, names: tuple[str, ...] = ("C3", "C4")
) -> None:
    import mne

    rng = np.random.default_rng(0)
    seconds = 6 * len(labels) + 10
    data = rng.standard_normal((len(names), round(seconds * sfreq))) * 1e-5
    raw = mne.io.RawArray(data, mne.create_info(list(names), sfreq, "eeg"), verbose="ERROR")
    raw.set_annotations(mne.Annotations([5.0 + 6 * k for k in range(len(labels))], 0.0, labels))
    raw.save(path, verbose="ERROR")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ["T1", "T2"] * 3}, "fewer than 5|at least 5|too few"),
        ({"labels": ["T1"] * 8}, "needs at least two classes"),
        ({"labels": ["X"] * 8}, "none of the events"),
        ({"labels": ["T1", "T2"] * 6, "sfreq": 200.0}, "200"),
        ({"labels": ["T1", "T2"] * 6, "names": ("P3", "P9")}, "P9"),
    ],
)
def test_calibration_recordings_that_cannot_be_used(command_line, tmp_path: Path, changes: dict, said: str) -> None:
    write_recording(tmp_path / "run_raw.fif", **changes)
    file = session_file(
        tmp_path, calibration='files = ["run_raw.fif"]\nevents = { T1 = "left_hand", T2 = "right_hand" }'
    )
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    assert any(part in err for part in said.split("|")), err
    assert "Traceback" not in err


@pytest.fixture
def model(tmp_path: Path) -> Path:
    from bcikit.decoding import Model, epochs, make_decoder
    from bcikit.signal import Event, Recording, StreamInfo

    rng = np.random.default_rng(0)
    info = StreamInfo(name="cap", sfreq=250.0, ch_names=("C3", "Cz", "C4"))
    labels = ["left_hand", "right_hand"] * 8
    data = rng.standard_normal((250 * 100, 3)) * 10
    events = [Event(name=label, time=5.0 + 5 * k, sample=1250 * (k + 1)) for k, label in enumerate(labels)]
    recording = Recording.from_arrays(info, data, events=tuple(events))
    trials = epochs(recording, events={name: name for name in set(labels)}, tmin=0.5, tmax=3.0)
    return Model.fit(make_decoder("csp-lda", sfreq=250.0), trials).save(tmp_path / "model.skops")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"source": 'address = "sim:motor-imagery?seed=1"\nchannels = ["F3", "F4"]'}, "C3"),
        ({"source": 'address = "sim:motor-imagery?seed=1&sfreq=500"'}, "500"),
        (
            {"paradigm.settings": 'classes = ["left_hand", "feet"]\ntrials_per_run = 10\ncalibration_runs = 0'},
            "feet",
        ),
    ],
)
def test_models_that_do_not_fit(command_line, tmp_path: Path, model: Path, tables: dict, said: str) -> None:
    file = session_file(tmp_path, decoder=f'model = "{model.name}"', **tables)
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    assert said in err
    assert "decoder" in err
    assert not (tmp_path / "out").exists()


def test_model_files_that_are_none(command_line, tmp_path: Path) -> None:
    (tmp_path / "model.skops").write_bytes(b"PK not a model")
    code, _, err = command_line("run", session_file(tmp_path, decoder='model = "model.skops"'), "--headless")
    assert code == 2
    assert "model.skops" in err


def test_an_output_folder_that_is_a_file(command_line, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("kept", encoding="utf-8")
    code, _, err = command_line("demo", "--headless", "--out", tmp_path / "taken" / "deeper")
    assert code == 2
    assert "needs a folder" in err
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "kept"


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights there")
def test_an_output_folder_that_is_not_writable(command_line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    # A test may run as root, for whom every folder is writable.
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    code, _, err = command_line("demo", "--headless", "--out", tmp_path / "locked")
    assert code == 2
    assert "is not writable" in err


def test_demo_names_the_recordings_it_needs(command_line, tmp_path: Path) -> None:
    code, _, err = command_line("demo", "--headless", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert "S001R06.edf" in err
    code, _, err = command_line("demo", "--headless", "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert code == 2
    assert "no such folder" in err
    code, _, err = command_line("demo", "--headless", "--task", "juggling", "--out", tmp_path / "out")
    assert code == 2
    assert "fists-feet" in err


def test_debug_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bcikit", "check", "session", "missing.toml", "--debug"])
    # The interpreter prints where an error comes from that nobody caught, and ends with 1.
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        main()


def test_unknown_command_and_option_exit_with_2(command_line) -> None:
    assert command_line("fly")[0] == 2
    assert command_line("demo", "--hedless")[0] == 2
    assert command_line("run", "paradigm:list")[0] == 0
    assert command_line("run", "paradigm:juggling", "--user", "sim")[0] == 2
    assert command_line("run", "paradigm:motor-imagery")[0] == 2


def test_a_path_in_the_place_of_a_command_is_told_which_one_takes_it(command_line, tmp_path: Path) -> None:
    file = session_file(tmp_path)
    ended = command_line("check", file)
    assert ended.code == 2
    assert f"Say: 'bcikit check session {file}' or 'bcikit check stimulus {file}'" in ended.err
    ended = command_line("audit", tmp_path)
    assert ended.code == 2
    assert f"Say: 'bcikit audit verify {tmp_path}'" in ended.err
    for name in ("none.toml", "x" * 5000):
        assert "No such command" in command_line("check", name).err


def test_a_session_that_moves_a_person_needs_an_operator(command_line, tmp_path: Path) -> None:
    file = session_file(tmp_path, gate='profile = "vr"')
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    assert "session.operator: gate.profile is 'vr'; somebody arms it" in err
    assert "arming.consent: no consent record" in err
    assert not (tmp_path / "out").exists()


def test_a_session_without_decisions_cannot_be_replayed(command_line, tmp_path: Path) -> None:
    assert command_line("record", "sim:motor-imagery?seed=1", "--out", tmp_path / "rec", "--duration", 2)[0] == 0
    code, _, err = command_line("replay", tmp_path / "rec", "--check")
    assert code == 2
    assert "can be replayed" in err


def test_a_stream_that_ends_too_early_keeps_what_it_gave(command_line, tmp_path: Path) -> None:
    write_recording(tmp_path / "short_raw.fif", labels=["T1", "T2"] * 5, names=("C3", "Cz", "C4"))
    file = session_file(tmp_path, source='address = "file:short_raw.fif"')
    code, _, err = command_line("run", file, "--headless")
    assert code == 2
    assert "The session is not complete: the stream ended" in err
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "signals.xdf").stat().st_size > 100_000


@pytest.mark.parametrize(
    "encoding", ["ascii", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cp1252", "cp437"))]
)
def test_a_console_that_lacks_letters_turns_no_work_into_an_error(tmp_path: Path, encoding: str) -> None:
    out = tmp_path / "张三"
    done = subprocess.run(
        [sys.executable, "-m", "bcikit", "record", "sim:rest?seed=1&duration=2", "--out", str(out), "--duration", "1"],
        capture_output=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (out / "session.json").is_file()


@pytest.mark.parametrize("source", ["nosuch", "brainflow:nosuch", "file:nosuch.edf"])
def test_validate_of_what_is_not_there_leaves_no_folder(source, tmp_path, command_line):
    code, _, err = command_line("validate", source, "--out", tmp_path / "out", "--unattended")
    assert code == 2, err
    assert not (tmp_path / "out").exists()
