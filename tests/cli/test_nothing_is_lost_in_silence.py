"""No command ends with 0 after it lost something: every command of the table gets an input that loses.

A command that is added has an entry here, or a reason why it has nothing that it could lose.
"""

import json
import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import typer

from bcikit.cli.app import app, main
from bcikit.recording import import_file
from bcikit.safety.audit import AuditLog
from tests.formats.writers import edf

CANNOT_LOSE = {
    "bench": "measures, takes no data",
    "clinic": "a window on the catalogue; what it records and exports are the commands below",
    "devices": "lists what is reachable",
    "doctor": "lists what is installed",
    "plugins": "lists what is installed",
}

MI = ("--paradigm", "motor-imagery", "--events", "left=left,right=right", "--decoder", "csp-lda")

LOSES = {
    # One event of the file lies outside of it: it cannot be placed, and is no trial, marker or row any more.
    "inspect": ("inspect", "{lossy}"),
    "import": ("import", "{lossy}", "--out", "{out}"),
    "export": ("export", "{lossy}", "--edf", "{out}.bdf"),
    "evaluate": ("evaluate", "{lossy}", *MI),
    "train": ("train", "{lossy}", *MI, "--out", "{out}.skops"),
    "play": ("play", "{lossy}", "--lsl", "nothing-lost-in-silence", "--speed", "200"),
    "record": ("record", "file:{lossy}", "--out", "{out}"),
    "check session": ("check", "session", "{session}"),
    "run": ("run", "{session}", "--headless", "--screen", "none", "--out", "{out}"),
    "view": ("view", "{lossy}", "--screenshot", "{out}.png", "--after", "0.1"),
    "validate": ("validate", "{lossy}", "--file", "short", "--tests", "V-RATE", "--out", "{out}"),
    # A byte of a signal, a line of a log, a recording behind a card is not what was written.
    "replay": ("replay", "{damaged}", "--check"),
    "recover": ("recover", "{damaged}"),
    "verify": ("verify", "{damaged}"),
    "audit verify": ("audit", "verify", "{log}"),
    "demo": ("demo", "--headless", "--data", "{cut}", "--out", "{out}"),
    # A file that was cut off is not taken for a shorter one.
    "export-model": ("export-model", "{model}", "--c", "{out}.c"),
    "check stimulus": ("check", "stimulus", "{frames}"),
}

SAID = {
    "audit verify": "NOT intact",
    "check stimulus": "no array of frames",
    "demo": "truncated",
    "export-model": "model",
    "recover": "lost",
    "replay": "damage",
    "verify": "damage",
}
"""A word of what is said; "outside the recording" where nothing stands here."""


def commands():
    """Return the words of every command, groups gone through."""

    def walk(command, path):
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                yield from walk(inner, (*path, name))
        else:
            yield " ".join(path)

    return sorted(walk(typer.main.get_command(app), ()))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losing")
    rng = np.random.default_rng(0)
    words = [(2.0 + 4 * i, b"left" if i % 2 else b"right") for i in range(24)]
    columns = [(name, "uV", rng.integers(-40, 40, 100 * 250)) for name in ("C3", "C4", "Cz", "FC3", "FC4", "CPz")]
    edf(folder / "lossy.edf", columns, rate=250, annotations=[*words, (500.0, b"left")])
    edf(folder / "clean.edf", columns, rate=250, annotations=words)

    import_file(folder / "clean.edf", folder / "damaged")
    signals = folder / "damaged" / "signals.xdf"
    raw = bytearray(signals.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 4000] = bytes(4000)
    signals.write_bytes(raw)

    (folder / "session.toml").write_text(
        f'[source]\naddress = "file:{(folder / "lossy.edf").as_posix()}"\n[paradigm]\nname = "motor-imagery"\n'
        "[paradigm.settings]\ncalibration_runs = 1\nfeedback_runs = 1\ntrials_per_run = 10\neyes_open = 0\n"
        "eyes_closed = 0\nbetween_runs = 1\n"
    )

    log = AuditLog(folder / "log")
    for number in range(5):
        log.write("note", now=float(number), actor="test", reason=f"reason {number}")
    log.close()
    written = folder / "log" / "audit.jsonl"
    written.write_text(written.read_text(encoding="utf-8").replace("reason 3", "reason 4"), encoding="utf-8")

    cut = folder / "cut"
    cut.mkdir()
    for run in range(3, 15):
        whole = (folder / "clean.edf").read_bytes()
        (cut / f"S001R{run:02d}.edf").write_bytes(whole[: len(whole) // 2])
    (folder / "model.skops").write_bytes(b"PK\x03\x04 was cut off")
    np.save(folder / "frames.npy", np.zeros((120, 8, 8, 3), np.uint8))
    frames = (folder / "frames.npy").read_bytes()
    (folder / "frames.npy").write_bytes(frames[: len(frames) // 2])
    return {
        "lossy": folder / "lossy.edf", "damaged": folder / "damaged", "session": folder / "session.toml",
        "log": folder / "log", "cut": cut, "model": folder / "model.skops", "frames": folder / "frames.npy",
    }  # fmt: skip


def test_every_command_is_here():
    assert commands() == sorted([*LOSES, *CANNOT_LOSE])


# The demo looks for its own stream for 20 s before it gives up.
@pytest.mark.parametrize(
    "command", [pytest.param(one, marks=[pytest.mark.soak] if one == "demo" else []) for one in sorted(LOSES)]
)
def test_a_command_that_loses_does_not_end_with_0(command, inputs, tmp_path, monkeypatch, capfd):
    if command == "view" and find_spec("PySide6") is None:
        pytest.skip("the viewer needs PySide6: the extra 'gui'")
    if command == "recover":
        inputs = inputs | {"damaged": shutil.copytree(inputs["damaged"], tmp_path / "damaged")}
    arguments = [part.format(out=tmp_path / "out", **inputs) for part in LOSES[command]]
    monkeypatch.setattr(sys, "argv", ["bcikit", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capfd.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert ended.value.code not in (0, None), said
    assert "Traceback" not in said
    assert SAID.get(command, "outside the recording") in said


def test_a_summary_for_programs_ends_with_1_too(inputs, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["bcikit", "inspect", str(inputs["lossy"]), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert json.loads(capfd.readouterr().out)["events_outside"] == 1
