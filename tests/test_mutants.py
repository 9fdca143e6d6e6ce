"""The file of changes that may stay unnoticed: every entry names code that is there, and has a reason."""

import ast
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import mutation

ROOT = mutation.ROOT
PARTS = mutation.read_parts()


def function(text: str) -> ast.FunctionDef:
    (_, found), *_ = mutation.functions_of(text)
    return found


def test_the_parts_are_those_that_guard_people() -> None:
    assert [part.name for part in PARTS] == ["gate", "guard", "consent", "clock", "deidentification"]
    for part in PARTS:
        assert part.modules
        assert part.tests
        for file in (*part.modules, *part.tests):
            assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_accepted_change_is_of_code_that_is_there(part: mutation.Part) -> None:
    lines = {}
    for module in part.modules:
        for name, node in mutation.functions_of((ROOT / module).read_text("utf-8")):
            lines[module, name] = [line.strip() for line in mutation.lines_of(node)]
    for change in part.accepted:
        text = mutation.alike("\n".join(lines[change.module, change.function]))
        assert change.was in text, f"{change.function} does not say {change.was!r} any more"
        assert change.becomes != change.was


def test_a_reason_must_say_of_which_kind_it_is(tmp_path: Path) -> None:
    for why in ("", "equivalent", "equivalent: ", "because: so"):
        path = tmp_path / "mutants.toml"
        entry = f'[[a.survivor]]\nmodule = "m"\nfunction = "f"\nwas = "a"\nbecomes = "b"\nwhy = "{why}"\n'
        path.write_text(f"[a]\nmodules = []\ntests = []\n{entry}", "utf-8")
        with pytest.raises(ValueError, match="must begin with one of equivalent, text, speed"):
            mutation.read_parts(path)


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("raise ValueError('no')", "raise ValueError('XXnoXX')", True),
        ("raise ValueError(f'{a} no')", "raise ValueError(None)", True),
        ("raise ValueError('no')", "raise TypeError('no')", False),
        ("log.warning('no %s', a)", "log.warning('no %s', None)", True),
        ("log.warning('no')", "log.error('no')", False),
        ("if a > 1:\n        raise ValueError('no')", "if a >= 1:\n        raise ValueError('no')", False),
        ("return 'no'", "return 'XXnoXX'", False),
    ],
)
def test_only_the_words_of_errors_and_logs_are_not_counted(was: str, becomes: str, words: bool) -> None:
    both = [function(f"def f(a, log):\n    'What it does.'\n    {body}\n    return 0\n") for body in (was, becomes)]
    assert mutation.only_words(*both) is words


def test_a_change_is_named_by_its_lines_and_not_by_where_they_stand() -> None:
    was = function(
        "class A:\n    def f(self, a: int) -> int:\n        'Doc.'\n        b = a\n        return (b +\n  1)\n"
    )
    becomes = function("class A:\n    def f__mutmut_3(self, a: int):\n        b = a\n        return b - 1\n")
    change = mutation.change_of("m.py", "A.f", was, becomes)
    assert change == mutation.Change("m.py", "A.f", "return b + 1", "return b - 1")


@pytest.mark.slow
@pytest.mark.timeout(900)  # alone it takes half a minute; each change begins pytest anew
def test_every_change_of_the_idle_test_is_noticed(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["mutation.py", "--part", "gate", "--file", "safety/idle.py"])
    assert mutation.main() == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[0] == "gate"
    assert int(row[1]) == int(row[2]) + int(row[4]) + int(row[5])
    assert int(row[2]) >= 25
