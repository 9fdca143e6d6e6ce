"""Change the code that guards people, a little at a time, and see that a test notices each change.

    uv run python tools/mutation.py [--part gate] [--file gate.py] [--function judge] [--processes 1]

`tests/mutants.toml` names the parts: their modules, the fast tests that belong to them, and every change that may stay
unnoticed, with the reason. mutmut makes the changes and runs the tests, in a folder of its own. Exit code 1 where a
change survives that is not in the file, or the file names one that no longer survives; 2 where the tests themselves
fail. A change of the words of an error or of a log message is no change of what the code does, and is not counted; a
test that ends in an endless loop has noticed. mutmut changes functions and methods, but no properties, tables and
defaults of fields; it forks, so Linux or macOS is needed.
"""

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "mutants.toml"
KINDS = ("equivalent", "text", "speed")
"""Why a change may stay unnoticed: nothing can tell it from the code, only words differ, it is only slower."""

SURVIVED = frozenset({0, 5, 33})
"""What mutmut writes where the tests pass, where none was run, and where none reaches the function."""

TIME_OUT = frozenset({24, -24, 36, 152, 255})
MEMORY = 6 << 30
"""Bytes of data of a process; a change that fills the memory without end fails at once."""

_SAYS = frozenset({"debug", "info", "warning", "error", "exception", "warn"})

CONFIGURATION = """
[tool.mutmut]
source_paths = ["bcikit"]
only_mutate = {modules}
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
timeout_constant = 8.0
timeout_multiplier = 4.0
use_git_change_detection = false
track_dependencies = false
[tool.pytest.ini_options]
addopts = ["-p", "xdist.plugin", "-p", "no:unraisableexception", "-p", "no:threadexception",
    "-n", "0", "--import-mode=importlib", "-m", "not slow and not soak", "-k", {names}]
markers = {markers}
"""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A change by which mutmut tried the tests: in which function, which lines, and what they became."""

    module: str
    function: str
    was: str
    becomes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the code and what belongs to it.

    `without` names tests that take too long to be run for each change; `accepted` counts, since a function may say the
    same line twice.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...]
    accepted: dict[Change, int]


def read_parts(path: Path = REASONS) -> list[Part]:
    """Return what the file names, in its order."""
    parts = []
    for name, entry in tomllib.loads(path.read_text("utf-8")).items():
        accepted: dict[Change, int] = {}
        for given in entry.get("survivor", []):
            kind, _, why = given["why"].partition(": ")
            if kind not in KINDS or not why.strip():
                raise ValueError(
                    f"{path.name}: why={given['why']!r} must begin with one of {', '.join(KINDS)}, then ': '."
                )
            change = Change(given["module"], given["function"], alike(given["was"]), alike(given["becomes"]))
            accepted[change] = accepted.get(change, 0) + given.get("times", 1)
        lists = {key: tuple(entry.get(key, ())) for key in ("modules", "tests", "without")}
        parts.append(Part(name=name, accepted=accepted, **lists))
    return parts


def functions_of(source: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield functions and methods of a module by their names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.FunctionDef):
                    yield f"{node.name}.{child.name}", child


def lines_of(function: ast.FunctionDef) -> list[str]:
    """Return the lines of a function however it was laid out, without its name and what describes it."""
    bare = ast.FunctionDef(
        name="f", args=function.args, body=function.body, decorator_list=[], returns=None, lineno=1, col_offset=0
    )
    if ast.get_docstring(bare) is not None:
        bare.body = bare.body[1:] or [ast.Pass()]
    return ast.unparse(ast.fix_missing_locations(bare)).splitlines()


def alike(text: str) -> str:
    """Return a text with one kind of quotation marks: from Python 3.12 on `ast.unparse` quotes f-strings otherwise."""
    return text.replace('"', "'")


class _Wordless(ast.NodeTransformer):
    """Takes away what an error or a log message says."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _SAYS:
            return node.func
        return self.generic_visit(node)


def only_words(was: ast.FunctionDef, becomes: ast.FunctionDef) -> bool:
    """Return whether two versions of a function differ in the words of errors or log messages alone."""
    # From the text: what a transformer changes must not be shared.
    both = [ast.parse("\n".join(lines_of(function))) for function in (was, becomes)]
    return ast.dump(_Wordless().visit(both[0])) == ast.dump(_Wordless().visit(both[1]))


def change_of(module: str, name: str, was: ast.FunctionDef, becomes: ast.FunctionDef) -> Change:
    """Return in which lines two versions of a function differ."""
    old, new = lines_of(was), lines_of(becomes)
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return Change(module, name, *(alike("\n".join(line.strip() for line in lines)) for lines in (old, new)))


@dataclass(slots=True)
class Outcome:
    """What came of one part."""

    changes: int = 0
    words: int = 0
    killed: int = 0
    by_time: int = 0
    seconds: float = 0.0
    survived: Counter[Change] = field(default_factory=Counter)


def run(part: Part, modules: tuple[str, ...], function: str, processes: int) -> Outcome:
    """Try every change of these functions of a part; raises `RuntimeError` where the tests fail without any change."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bcikit-mutation-") as name:
        folder = Path(name)
        _prepare(folder, part, modules)
        chosen = [f"*{function}*__mutmut_*"] if function else []
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *chosen]
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            env=_environment(folder),
            preexec_fn=_limit,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"mutmut ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
        found = Outcome()
        for module in modules:
            _count(folder, module, function, found)
    found.seconds = time.monotonic() - begun
    return found


def _prepare(folder: Path, part: Part, modules: tuple[str, ...]) -> None:
    (folder / "bcikit").symlink_to(ROOT / "bcikit")
    support = {file.relative_to(ROOT) for test in part.tests for file in (ROOT / test).parent.glob("conftest.py")}
    for file in (
        Path("tests/conftest.py"),
        Path("tests/stalls.py"),
        Path("tests/lsl_api.cfg"),
        *support,
        *map(Path, part.tests),
    ):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file)
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]["markers"]
    lists = {"modules": modules, "tests": part.tests, "markers": markers}
    names = json.dumps(" and ".join(f"not {name}" for name in part.without) or "test")
    text = CONFIGURATION.format(names=names, **{key: json.dumps(list(value)) for key, value in lists.items()})
    (folder / "pyproject.toml").write_text(text, "utf-8")


def _environment(folder: Path) -> dict[str, str]:
    own = {"BCIKIT_ANCHORS": str(folder / "anchors"), "BCIKIT_RUNNING": str(folder / "running")}
    # pytest is begun anew for each change: it looks for no plugins, and collects no garbage at its end.
    return {**os.environ, **own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "QT_QPA_PLATFORM": "offscreen"}


def _limit() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _count(folder: Path, module: str, function: str, found: Outcome) -> None:
    meta = json.loads((folder / "mutants" / f"{module}.meta").read_text("utf-8"))["exit_code_by_key"]
    versions = {name.rpartition(".")[2]: node for name, node in functions_of((folder / "mutants" / module).read_text())}
    for key, code in meta.items():
        mangled = key.rpartition(".")[2]
        stem = mangled.partition("__mutmut_")[0]
        name = stem.removeprefix("xǁ").replace("ǁ", ".") if stem.startswith("xǁ") else stem.removeprefix("x_")
        if function not in stem:
            continue
        was, becomes = versions[f"{stem}__mutmut_orig"], versions[mangled]
        found.changes += 1
        if code in SURVIVED and only_words(was, becomes):
            found.words += 1
        elif code in SURVIVED:
            found.survived[change_of(module, name, was, becomes)] += 1
        elif code is None:
            raise RuntimeError(f"{key} was not tried")
        else:
            found.killed += 1
            found.by_time += code in TIME_OUT


def _toml(change: Change, times: int) -> str:
    values: dict[str, Any] = {name: getattr(change, name) for name in ("module", "function", "was", "becomes")}
    rows = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([*rows, *([f"times = {times}"] if times > 1 else []), 'why = ""'])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", default=[], help="a part of tests/mutants.toml; all without")
    parser.add_argument("--file", default="", help="only modules whose path ends so")
    parser.add_argument("--function", default="", help="only functions whose name contains this")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    parts = {part.name: part for part in read_parts()}
    if unknown := [name for name in given.part if name not in parts]:
        print(f"no part is called {', '.join(unknown)}; there are {', '.join(parts)}", file=sys.stderr)
        return 2
    print(f"{'part':<18}{'changes':>9}{'killed':>8}{'by time':>9}{'words':>7}{'reasoned':>10}{'survived':>10}{'s':>7}")
    red = False
    for name in given.part or parts:
        part = parts[name]
        modules = tuple(module for module in part.modules if module.endswith(given.file))
        if not modules:
            continue
        try:
            found = run(part, modules, given.function, given.processes)
        except RuntimeError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        accepted = Counter(
            {
                change: times
                for change, times in part.accepted.items()
                if change.module in modules and given.function in change.function
            }
        )
        fresh, stale = found.survived - accepted, accepted - found.survived
        reasoned = found.survived.total() - fresh.total()
        print(
            f"{name:<18}{found.changes:>9}{found.killed:>8}{found.by_time:>9}{found.words:>7}{reasoned:>10}"
            f"{fresh.total():>10}{found.seconds:>7.0f}",
            flush=True,
        )
        for change, times in sorted(fresh.items()):
            print(f"\n# survived\n[[{name}.survivor]]\n{_toml(change, times)}")
        for change in sorted(stale):
            print(f"\n# in {REASONS.name}, but noticed or gone\n# {change}")
        red = red or bool(fresh or stale)
    return int(red)


if __name__ == "__main__":
    sys.exit(main())
