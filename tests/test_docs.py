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


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the examples read: imagery of a simulated user, cut at T1 and T2."""
    import edfio
    import numpy as np

    from bcikit import open_source
    from bcikit.signal import Event, Recording

    folder = tmp_path_factory.mktemp("recordings")
    for seed, name in enumerate(("S001R06", "S001R10", "recording")):
        chunks = []
        marks = []
        with open_source(f"sim:motor-imagery?seed={seed}") as source:
            for second in range(100):
                if second % 8 == 4:
                    label = ("both_hands", "feet")[second // 8 % 2]
                    time = float(chunks[-1].times[-1])
                    source.on_event(Event(name=f"cue/{label}", time=time, data={"class": label}, duration=4.0))
                    marks.append(edfio.EdfAnnotation(second, 4.1, {"both_hands": "T1", "feet": "T2"}[label]))
                taken = 0
                while taken < source.info.sfreq:
                    chunk = source.pull()
                    chunks.append(chunk)
                    taken += chunk.n_times
        data = np.clip(Recording.from_chunks(source.info, chunks).data, -3000, 3000)
        signals = [
            edfio.EdfSignal(
                data[:, k], source.info.sfreq, label=label, physical_dimension="uV", physical_range=(-3200, 3200)
            )
            for k, label in enumerate(source.info.ch_names)
        ]
        edfio.Edf(signals, annotations=marks).write(folder / f"{name}.edf")
    return folder


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
