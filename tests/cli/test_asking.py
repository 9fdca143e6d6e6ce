"""What a command asks where somebody sits at a terminal, and what it does with the answer."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquisition import Source
from bcikit.recording import SessionWriter
from bcikit.signal import Capabilities, Chunk, StreamInfo

TABLE = "time,C3,C4\n" + "".join(f"{k / 100},{k},{-k}\n" for k in range(200))


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


class Amplifier(Source):
    """A device that needs somebody to connect things."""

    info = StreamInfo(name="amp", sfreq=250.0, ch_names=("a", "b"), capabilities=Capabilities())

    def start(self) -> None:
        pass

    def pull(self, timeout: float = 1.0) -> None:
        raise AssertionError("nothing is recorded where the operator skips")


def test_the_operator_of_a_bench_is_asked_who_and_shown_each_set_up(tmp_path, monkeypatch, command_line) -> None:
    monkeypatch.setattr("bcikit.validation.run.open_source", lambda address: contextlib.nullcontext(Amplifier()))
    bench = tmp_path / "bench.toml"
    asked = 0

    def answer(question: str, **_: object) -> str:
        nonlocal asked
        asked += 1
        return "A. B." if question.startswith("Who") else ""

    monkeypatch.setattr("typer.prompt", answer)
    monkeypatch.setattr(sys, "stdin", Terminal("s\n" * 10))
    done = command_line(
        "validate", "lsl:name=amp", "--tests", "V-NOISE,V-CMRR", "--bench", bench, "--out", tmp_path / "out"
    )
    assert 'operator = "A. B."' in bench.read_text(encoding="utf-8")
    assert asked > 5
    shown = " ".join(done.err.split())
    assert "V-NOISE" in shown
    assert "short, 120 s" in shown
    tests = {test["test"]: test for test in json.loads((tmp_path / "out" / "result.json").read_text())["tests"]}
    assert tests["V-NOISE"]["reason"] == "skipped by the operator"
    assert tests["V-CMRR"]["reason"] == "skipped by the operator"
    # No serial number, no instrument: nothing is conclusive.
    assert done.code == 1


@pytest.mark.parametrize(
    ("set_up", "said"),
    [
        ("triangle:1:2", "--file is 'triangle'; allowed: short, sine, square"),
        ("sine:1000", "--file is 'sine:1000'; allowed: short, sine:MICROVOLTS:HERTZ"),
        ("sine:much:10", "allowed: short, sine:MICROVOLTS:HERTZ"),
    ],
)
def test_a_set_up_that_there_is_none_of_is_refused(command_line, set_up, said) -> None:
    done = command_line("validate", "a.edf", "--file", set_up)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("timing", "--tests", "V-TRIG", "--bench", "b.toml"), "--tests, --bench would change nothing in 'timing'"),
        (("timing", "--photodiode", "A1"), "--photodiode would change nothing in 'timing' without --source"),
        (
            ("fleet", "--profile", "mine.toml", "--screen", "page"),
            "--screen, --profile would change nothing in 'fleet'",
        ),
        (("dut:channels=1", "--runs", "out"), "--runs would change nothing in the test of a device"),
        (("dut:channels=1", "--photodiode", "A1"), "--photodiode would change nothing in the test of a device"),
    ],
)
def test_what_a_validation_does_not_look_at_is_refused(tmp_path, command_line, words, said) -> None:
    done = command_line("validate", *words, "--out", tmp_path / "out")
    assert (done.code, said in done.err) == (2, True), done.err
    assert not (tmp_path / "out").exists()


def test_nobody_is_asked_for_a_passphrase_where_nothing_can_be_sealed(tmp_path, monkeypatch, command_line) -> None:
    info = StreamInfo(name="cap", sfreq=250.0, ch_names=("C3", "C4"))
    with SessionWriter(tmp_path / "rec", info=info, config={}) as writer:
        writer.chunk(Chunk(np.zeros((250, 2)), np.arange(250) / 250, 0), 1.0)
    (tmp_path / "s.sealed").write_bytes(b"BCIKSEAL")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: pytest.fail("somebody was asked"))
    made = tmp_path / "x_eeg.fif"
    for words in (
        ("export", tmp_path / "rec", "--fif", made, "--sealed", tmp_path / "x.sealed"),
        ("import", tmp_path / "s.sealed", "--out", tmp_path / "opened"),
    ):
        done = command_line(*words)
        assert done.code == 2
        assert "Encryption at rest needs the package 'cryptography'" in done.err
    assert not made.exists()


@pytest.mark.parametrize(("answer", "made"), [("y\n", True), ("n\n", False)])
def test_a_map_is_shown_and_confirmed_before_anything_is_made(
    tmp_path, monkeypatch, command_line, answer, made
) -> None:
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    words = ("import", tmp_path / "a.csv", "--out", tmp_path / "out", "--map", "eeg=1:2 time=0[s] unit=uV")
    done = command_line(*words)
    assert "Is that right?" in done.out + done.err
    assert (tmp_path / "out").exists() is made
    if not made:
        assert done.code == 2
        assert "Nothing was imported: say the columns anew with --map" in done.err


def test_every_format_and_dialect_is_listed(command_line) -> None:
    done = command_line("import", "--list-formats")
    assert done.code == 0
    told = json.loads(command_line("import", "--list-formats", "--json").out)
    names = {row["name"] for row in told["formats"]}
    assert {"edf", "xdf"} <= {name.lower() for name in names}
    assert all(f"{name} " in done.out for name in names)
    assert all(dialect in done.out for dialect in told["dialects"])


def test_an_import_without_a_folder_says_what_to_type(command_line) -> None:
    done = command_line("import", Path("a.edf"))
    assert done.code == 2
    assert "bcikit import FILE --out DIR, or --list-formats" in done.err
