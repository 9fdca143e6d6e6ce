"""What README and docs show is run: Python as it stands, command lines against the real commands."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer.main

from bcikit.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, match in enumerate(FENCE.finditer(page.read_text(encoding="utf-8"))):
            if match.group(1) == language:
                found.append((f"{page.relative_to(ROOT)}-{number}", match.group(2)))
    return found


def command_lines() -> list[tuple[str, str]]:
    found = []
    for language in ("", "bash", "sh", "console"):
        for name, text in blocks(language):
            for line in text.splitlines():
                for part in line.split("&&"):
                    words = part.split("#")[0].strip().removeprefix("$ ").removeprefix("uv run ")
                    if words.startswith("bcikit "):
                        found.append((f"{name}: {words}", words))
    return found


PYTHON: dict[str, list[tuple[str, str]]] = {}
for _name, _code in blocks("python"):
    PYTHON.setdefault(_name.rpartition("-")[0], []).append((_name, _code))


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("page", PYTHON)
def test_python_in_the_docs_runs(page: str, tmp_path: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The catalogue lies in the user's data folder: not in the real one.
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for file in recordings.iterdir():
        (tmp_path / file.name).symlink_to(file)
    # A reader goes down the page: what one example made, the next may use.
    names: dict[str, object] = {"__name__": "__main__"}
    for name, code in PYTHON[page]:
        exec(compile(code, name, "exec"), names)


@pytest.mark.parametrize("block", [code for name, code in blocks("toml") if name.startswith("docs/session.md")])
def test_session_files_in_the_docs_are_valid(block: str) -> None:
    from bcikit.session import config_from

    values = tomllib.loads(block)
    # The second block shows one table to put into the first.
    values.setdefault("source", {"address": "sim:motor-imagery"})
    config_from(values, where="docs/session.md")


@pytest.mark.parametrize(("name", "line"), command_lines(), ids=lambda value: value)
def test_commands_in_the_docs_exist(name: str, line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{line}: there is no command {words[0]!r}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "--debug"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{line}: {command.name} has no option {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
