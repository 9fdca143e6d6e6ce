"""Each example runs as it stands, and says what it is there to say; the short ones have at most ten lines of code."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = ("decode_file", "band_power", "online_ssvep", "own_paradigm", "record_and_replay")


@pytest.mark.parametrize("name", SHORT)
def test_ten_lines_of_code(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    doc, *body = ast.parse(text).body
    written = text.splitlines()
    assert isinstance(doc, ast.Expr)
    lines = {
        line
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if written[line - 1].strip()
    }
    assert len(lines) <= 10


def test_decode_a_file(recordings: Path, script: Callable[..., str]) -> None:
    said = script(EXAMPLES / "decode_file.py", recordings / "S001R06.edf")
    assert "<Recording 'S001R06.edf'" in said
    assert "T1 " in said
    assert "<Model csp-lda: T1, T2 from 2 s of 16 channels" in said


def test_live_band_power(script: Callable[..., str]) -> None:
    lines = script(EXAMPLES / "band_power.py", "sim:rest?seed=1&duration=10").splitlines()
    assert len(lines) == 17
    assert all(line.endswith("uV2") for line in lines)


def test_online_ssvep(script: Callable[..., str]) -> None:
    lines = script(EXAMPLES / "online_ssvep.py").splitlines()
    looked_at = [line.split()[2] for line in lines if 19.0 <= float(line.split()[0]) <= 22.0]
    assert looked_at.count("right") >= 6


@pytest.mark.slow
def test_own_paradigm(script: Callable[..., str]) -> None:
    said = script(EXAMPLES / "own_paradigm.py")
    assert re.search(r"<Result 'fists': 1[4-9] of 20 trials right \(chance up to 70%\), finished>", said)


@pytest.mark.usefixtures("undrawn")
def test_record_and_replay(tmp_path: Path, script: Callable[..., str]) -> None:
    result, again, session = script(EXAMPLES / "record_and_replay.py").splitlines()
    assert result.startswith("<Result 'ssvep-menu': ")
    assert again.endswith("identical, bit for bit>")
    assert session.startswith("<Session 'sim-ssvep': ")
    assert (tmp_path / "session" / "result.json").is_file()
