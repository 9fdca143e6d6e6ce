"""What the command line says where it cannot go on, and how far it is where that takes long."""

import json
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bcikit.cli import app, console, file_options, launch, screens, train
from bcikit.recording import SessionWriter, read_session
from bcikit.safety import AuditLog
from bcikit.session.config import config_from
from bcikit.session.shipped import shipped_config
from bcikit.session.summary import to_json
from bcikit.signal import BciError, Chunk, Event, StreamInfo
from bcikit.simulation.dut import DeviceUnderTest


def test_the_version_is_said(command_line) -> None:
    import bcikit

    done = command_line("--version")
    assert (done.code, done.out) == (0, f"bcikit {bcikit.__version__}\n")


def broken(error: BaseException) -> Any:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def test_what_the_system_says_of_a_file_is_one_line(monkeypatch, command_line) -> None:
    name = "n" * 300
    monkeypatch.setattr(app, "_command", lambda: broken(OSError(36, "File name too long", name)))
    done = command_line("devices")
    assert done.code == 2
    assert done.err == f"error: {'n' * 77}...: File name too long\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_the_text_of_a_command_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bcikit", "--version"], stdout=full, stderr=subprocess.PIPE, timeout=120, check=False
        )
    said = "error: No space left on device: what this command writes or prints is not whole."
    assert (done.returncode, done.stderr.decode().split("\n")) == (2, [said, ""])


def test_a_command_that_is_interrupted_says_so(monkeypatch, command_line) -> None:
    monkeypatch.setattr(app, "_command", lambda: broken(KeyboardInterrupt()))
    assert command_line("devices")[::2] == (130, "stopped.\n")


def test_debug_shows_where_an_error_comes_from(monkeypatch) -> None:
    from bcikit.signal import BciError

    monkeypatch.setattr(app, "_command", lambda: broken(BciError("no")))
    monkeypatch.setattr(sys, "argv", ["bcikit", "devices", "--debug"])
    with pytest.raises(BciError, match="no"):
        app.main()
    # An error of the system that names no file is a fault of the program.
    monkeypatch.setattr(app, "_command", lambda: broken(OSError("none")))
    monkeypatch.setattr(sys, "argv", ["bcikit", "devices"])
    with pytest.raises(OSError, match="none"):
        app.main()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("paradigm:p300-speller", "--user", "person"), "--user is 'person'; allowed: sim"),
        (("paradigm:p300-speller",), "Say who is there"),
        (("p300-speller", "--user", "sim"), "the shipped paradigm is 'paradigm:p300-speller'"),
        (("paradigm:p300-speller", "--user", "sim", "--source", "lsl:name=a"), "Say who is there"),
    ],
)
def test_a_session_needs_to_know_who_is_there(command_line, words, said) -> None:
    done = command_line("run", *words)
    assert done.code == 2
    assert said in done.err


def test_whose_session_it_is_can_be_said(monkeypatch, command_line, tmp_path: Path) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(launch, "launch", lambda config, **options: begun.append(config.session))
    file = tmp_path / "session.toml"
    file.write_text('[session]\nname = "mine"\nsubject = "P01"\n[source]\naddress = "sim:p300"\n', encoding="utf-8")
    for words in (("paradigm:p300-speller", "--user", "sim"), (file,), (file, "--seed", "7")):
        for more in ((), ("--subject", "P-017")):
            assert command_line("run", *words, "--headless", *more).code == 0
    assert [one.subject for one in begun] == ["anonymous", "P-017", "P01", "P-017", "P01", "P-017"]
    assert [(one.name, one.seed) for one in begun[2:]] == [("mine", 0), ("mine", 0), ("mine", 7), ("mine", 7)]
    done = command_line("run", file, "--headless", "--subject", "Anna Muster")
    assert done.code == 2
    assert "subject is 'Anna Muster'" in done.err


def test_the_persons_screen_is_added_where_one_is_wanted(monkeypatch) -> None:
    config = shipped_config("p300-speller", source="sim:p300?seed=1", seed=1)

    def outputs(screen: str, **values: Any) -> tuple[list[str], str]:
        chosen = screens.with_screen(config, screen, **{"language": "en", "headless": False, **values})
        return [section.address for section in chosen.outputs], chosen.source.address

    own = [section.address for section in config.outputs]
    # A simulated user of the pace of the machine looks at no window.
    assert outputs("auto") == (own, config.source.address)
    assert outputs("page")[0] == [*own, "ws:?screen=1&language=en"]
    assert outputs("page", language="zh")[0] == [*own, "ws:?screen=1&language=zh"]
    # Nobody said which: that of the browser.
    assert outputs("page", language="")[0] == [*own, "ws:?screen=1"]
    assert "live=1" in outputs("page")[1]
    added, source = outputs("frames", language="zh")
    assert added == [*own, "frames:?language=zh"]
    assert source == config.source.address
    assert outputs("window")[0] == [*own, "screen:?place=window&language=en"]
    live = config.model_copy(update={"source": config.source.model_copy(update={"address": "lsl:name=amp"})})
    monkeypatch.setattr(launch, "has_display", lambda: True)
    shown = screens.with_screen(live, "auto", language="en", headless=False)
    assert shown.outputs[-1].address == "screen:?place=second&language=en"
    assert screens.with_screen(shown, "page", language="en", headless=False) is shown
    assert screens.with_screen(live, "auto", language="en", headless=True) is live


@pytest.mark.parametrize("address", ["dut:", "dut:faults?source=sim:p300", "file:x.edf", "nobody:knows", "no address"])
def test_no_window_is_added_for_a_source_that_is_faster_than_life(monkeypatch, address) -> None:
    # With one, the plan refuses the session: it works in real time only.
    monkeypatch.setattr(launch, "has_display", lambda: True)
    closed = []
    monkeypatch.setattr(DeviceUnderTest, "close", lambda source: closed.append(source))
    config = config_from({"source": {"address": address}, "paradigm": {"name": "p300-speller"}})
    assert screens.with_screen(config, "auto") is config
    assert len(closed) == (address == "dut:")


def test_a_check_is_of_the_session_that_would_run(monkeypatch, command_line, tmp_path) -> None:
    monkeypatch.setattr(launch, "has_display", lambda: True)
    monkeypatch.setattr("bcikit.outputs.screen.find_spec", lambda name: None)
    file = tmp_path / "session.toml"
    file.write_text('[source]\naddress = "brainflow:synthetic"\n[paradigm]\nname = "motor-imagery"\n', encoding="utf-8")
    done = command_line("check", "session", file, "--json")
    assert done.code == 2
    assert any("The patient's window needs" in problem for problem in json.loads(done.out)["problems"]), done.out
    assert command_line("check", "session", file, "--json", "--headless").code == 0
    assert command_line("check", "session", file, "--json", "--screen", "none").code == 0
    # An output that is wrong is told with all else, here as where it runs.
    file.write_text(file.read_text(encoding="utf-8") + '[[outputs]]\naddress = "serail:COM3"\n', encoding="utf-8")
    problems = json.loads(command_line("check", "session", file, "--json").out)["problems"]
    assert {problem.partition(":")[0] for problem in problems} >= {"outputs.0.address", "outputs.1.address"}


def test_a_viewer_without_a_display_says_how_to_look(monkeypatch, command_line) -> None:
    monkeypatch.setattr(launch, "has_display", lambda: False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    done = command_line("view", "sim:motor-imagery")
    assert done.code == 2
    for way in ("ssh -X", "--screenshot FILE", "--ward"):
        assert way in done.err


def test_a_clinic_without_a_display_is_no_window_that_nobody_sees(monkeypatch, command_line) -> None:
    # As `view`: it was opened into memory and waited for ever to be closed.
    monkeypatch.setattr("bcikit.cli.clinic.has_display", lambda: False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    done = command_line("clinic")
    assert done.code == 2
    assert "There is no display here" in done.err


def test_the_viewer_is_started_with_what_was_asked_for(monkeypatch, command_line) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(launch, "has_display", lambda: True)
    monkeypatch.setattr(
        "subprocess.run", lambda command, **_: (started.append(command), SimpleNamespace(returncode=3))[1]
    )
    assert command_line("view", "lsl", "--theme", "dark", "--screenshot", "a.png").code == 3
    assert started[0][1:5] == ["-m", "bcikit.viewer", "--source", "lsl:type=EEG"]
    assert started[0][-6:] == ["--theme", "dark", "--screenshot", "a.png", "--after", "5.0"]


class Now:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_piece_of_work_says_how_far_it_is(monkeypatch, capsys, terminal: bool) -> None:
    clock = Now()
    monkeypatch.setattr(file_options, "time", clock)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    line = file_options.ProgressLine("importing a.edf")
    line(0.1)
    clock.now = 4.0
    line(0.4)
    clock.now = 5.0
    line(0.5)
    line.close()
    said = capsys.readouterr().err
    if terminal:
        assert said == (
            "\rimporting a.edf: 40 %, about 6 s left\x1b[K\rimporting a.edf: 50 %, about 5 s left\x1b[K\r\x1b[K"
        )
    else:
        # A pipe gets a line in ten seconds.
        assert said == "importing a.edf: 40 %, about 6 s left\n"


def test_work_that_is_nearly_done_says_nothing_any_more(monkeypatch, capsys) -> None:
    clock = Now()
    monkeypatch.setattr(file_options, "time", clock)
    line = file_options.ProgressLine("importing a.edf")
    clock.now = 3.0
    line(0.95)
    line.close()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("above", "verdict"), [(True, "above chance"), (False, "not above chance")])
def test_what_a_session_came_to_is_said_in_a_few_lines(capsys, above: bool, verdict: str) -> None:
    values: dict[str, Any] = {
        "online_accuracy": 0.75, "accuracy_interval": [0.6, 0.86], "above_chance": above, "chance_upper": 0.65,
        "n_correct": 30, "n_trials": 40, "lost_samples": 2, "latency_ms": {"n": 9, "p50": 1.5, "p99": 4.0},
        "gate": {"allowed": 30, "n": 40, "reasons": {"A-KOFN": 10}},
    }  # fmt: skip
    console.show_result(values, "out[new]")
    text = " ".join(capsys.readouterr().out.split())
    assert "30 of 40 trials right: 75% (95 % interval 60% to 86%; a guesser stays below 65%):" in text
    assert f"65%): {verdict}" in text
    assert "Gate: 30 of 40 decisions let through; refused by A-KOFN 10" in text
    assert "median 1.50 ms, 99 % within 4.00 ms" in text
    assert "Report: out[new]/report.html" in text
    without = {**values, "online_accuracy": None, "latency_ms": {"n": 0}}
    console.show_result(without, None)
    text = capsys.readouterr().out
    assert "trials right" not in text
    assert "Newest sample" not in text
    assert "Report" not in text


def test_a_recorded_session_is_verified_by_its_checksums(tmp_path, command_line) -> None:
    done = command_line("record", "sim:rest?seed=1", "--out", tmp_path / "rec", "--duration", 1, "--quiet")
    assert done.code == 0, done.err
    done = command_line("verify", tmp_path / "rec")
    assert done.code == 0, done.err
    assert "samples, as they were written." in done.out
    told = json.loads(command_line("verify", tmp_path / "rec", "--json").out)
    assert told["problems"] == []
    assert told["n_times"] > 200
    done = command_line("verify", tmp_path / "none.json")
    assert (done.code, "There is no" in done.err) == (2, True)


def test_what_a_session_folder_cannot_be_checked_for_is_refused(tmp_path, command_line) -> None:
    with SessionWriter(tmp_path / "rec", info=StreamInfo(name="cap", sfreq=250.0, ch_names=("C3", "C4")), config={}):
        pass
    for option, value, said in (
        ("--key", "ab cd", "a session folder is signed by nobody; --key is for cards and device reports"),
        ("--key", " ", "--key is empty"),
        ("--data", tmp_path, "--data is for the card of an evaluation"),
    ):
        done = command_line("verify", tmp_path / "rec", option, value)
        assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
        assert done.out == ""
    done = command_line("verify", tmp_path, "--key", "ab cd")
    assert (done.code, "signed" in done.err) == (2, False)


def test_what_was_changed_in_a_session_folder_is_told_and_kept_by_recovering(tmp_path, command_line) -> None:
    folder = tmp_path / "rec"
    info = StreamInfo(name="cap", sfreq=250.0, ch_names=("C3", "C4"))
    with SessionWriter(folder, info=info, config={"gate": {"k": 5}}) as writer:
        for at in range(4):
            times = 100 + (at * 25 + np.arange(25)) / 250
            writer.chunk(Chunk(np.zeros((25, 2)), times, at * 25), times[-1])
            writer.event(Event(name=f"cue/{at}", time=float(times[0]), sample=at * 25))
    log = AuditLog(folder, config_sha256=sha256(to_json({"gate": {"k": 5}}).encode()).hexdigest())
    log.write("transition", now=1.0, actor="system")
    log.close()
    whole = json.loads(command_line("verify", folder, "--json").out)
    assert (whole["problems"], whole["n_times"], whole["audit_records"]) == ([], 100, 1)
    assert whole["unchecked"] == ["session.json"]
    changes = {
        "events.jsonl": (b"cue/2", b"cue/3"),
        "signals.xdf": (b"cue/2", b"cue/3"),
        "audit.jsonl": (b"system", b"nobody"),
        "session.json": (b'"k": 5', b'"k": 1'),
    }
    for name, (old, new) in changes.items():
        was = (folder / name).read_bytes()
        assert old in was
        (folder / name).write_bytes(was.replace(old, new))
        done = command_line("verify", folder)
        assert (done.code, name.partition(".")[0] in done.out) == (1, True), (name, done.out)
        (folder / name).write_bytes(was)
    # Whole lines that are gone, or a file: fewer trials without a word.
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    for left in (b"".join(lines[:2]), None):
        (folder / "events.jsonl").unlink()
        if left is not None:
            (folder / "events.jsonl").write_bytes(left)
        assert command_line("verify", folder).code == 1
        refused = command_line("export", folder, "--fif", tmp_path / "x_eeg.fif", "--lossy")
        assert refused.code == 2
        assert "events.jsonl is not as written" in " ".join(refused.err.split())
        assert "bcikit recover" in refused.err
    (folder / "events.jsonl").write_bytes(b"".join(lines[:2]))
    done = command_line("recover", folder)
    assert (done.code, "events.jsonl is not as it was when the session was closed" in done.out) == (1, True)
    assert len(read_session(folder).events) == 2
    assert read_session(folder).status == "recovered"
    assert command_line("verify", folder).code == 0
    assert command_line("recover", folder).code == 0


@pytest.mark.parametrize("people", [("1", "2"), ("1",)])
def test_a_model_of_many_people_says_what_a_new_one_may_expect(tmp_path, monkeypatch, capsys, people) -> None:
    monkeypatch.setattr("bcikit.decoding.population.population_folder", lambda: tmp_path / "models")
    path = train._population_file("motor-imagery", "fb-tangent")
    assert path.parent.is_dir()
    saved: list[Any] = []
    values = {"decoder": "fb-tangent", "people": list(people), "ch_names": ["C3", "C4"], "why": "the best of three"}
    expected = {"metric": "accuracy", "value": 0.71, "low": 0.55, "high": 0.86}
    sheet = SimpleNamespace(**values, expected=expected, to_dict=lambda: values)
    model = SimpleNamespace(sheet=sheet, save=saved.append)
    read = [SimpleNamespace(trials=SimpleNamespace(ch_names=("C3", "C4", "[Cz]"))) for _ in people]
    train.show_population(path, model, read, quiet=True)
    assert json.loads(capsys.readouterr().out)["why"] == "the best of three"
    train.show_population(path, model, read, quiet=False)
    text = " ".join(capsys.readouterr().out.split())
    assert saved == [path, path]
    assert "Chosen: the best of three" in text
    assert "Channels that all have: C3, C4; not everybody has [Cz], left out" in text
    new = "person" if len(people) > 1 else "session"
    assert f"A new {new} may expect accuracy 0.71 without calibration, nine of ten between 0.55 and 0.86" in text
    assert (
        "fb-tangent of 2 people (1, 2)" if len(people) > 1 else "fb-tangent of 1 sessions of one person (1)"
    ) in text


def test_a_clinic_on_another_machine_is_opened_without_its_password_among_the_arguments(
    monkeypatch, command_line
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(
        "subprocess.run",
        lambda command, *, env, **_: (started.append((command, env)), SimpleNamespace(returncode=0))[1],
    )
    secret = "postgresql+psycopg://me:secret@host/clinic"
    assert command_line("clinic", "--catalogue", secret, "--scale", "1.5", "--language", "zh").code == 0
    ((command, environment),) = started
    assert not any("secret" in word for word in command)
    assert environment["BCIKIT_CATALOGUE"] == secret
    assert environment["QT_SCALE_FACTOR"] == "1.5"
    assert command[-2:] == ["--language", "zh"]
    assert command_line("clinic", "--new-trial", "A", "--arms", "contingent,yoked").code == 0
    assert started[1][0][-4:] == ["--new-trial", "A", "--arms", "contingent,yoked"]


@pytest.mark.parametrize(("end", "code"), [(BciError("gone"), 2), (SystemExit(), 0), (SystemExit("no"), 1)])
def test_a_driver_that_hangs_keeps_the_exit_code(monkeypatch, command_line, end: BaseException, code: int) -> None:
    left: list[int] = []
    come_back = threading.Event()
    monkeypatch.setattr(app, "_command", lambda: broken(end))
    monkeypatch.setattr(app.os, "_exit", left.append)
    hangs = threading.Thread(target=come_back.wait, args=(60,), name="bcikit-let-go", daemon=True)
    hangs.start()
    try:
        command_line("devices")
    finally:
        come_back.set()
        hangs.join(60)
    assert left == [code]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "paradigm:motor-imagery", "--user", "sim", "--headless"),
        ("demo", "--headless"),
        ("evaluate", ".", "-p", "motor-imagery"),
        ("train", ".", "-p", "motor-imagery", "--out", "x.bci"),
    ],
)
def test_a_seed_that_is_none_is_refused_before_anything_runs(command_line, words) -> None:
    done = command_line(*words, "--seed", "-1")
    assert done.code == 2
    assert "Invalid value for '--seed'" in done.err
