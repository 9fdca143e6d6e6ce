"""The name bcikit on the Python index is a stranger's: nothing here tells anybody to install it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import bcikit

ROOT = Path(__file__).parents[1]
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".txt",
    ".sh",
    ".cfg",
    ".html",
    ".j2",
    ".js",
    ".rst",
    ".ipynb",
    ".cff",
    "",
}
INSTALLS = re.compile(
    r"(?:pip3?|pipx|uv|conda|poetry)\s+(?:tool\s+|pip\s+)?(?:install|add|download)\b[^\n`&;|]*?[\s'\"]bcikit(?=[\[\s'\"=<>~`]|$)"
    r"|(?:\buvx|pipx\s+run)\s+bcikit\b"
)


def files() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout")
    return [ROOT / name for name in listed.splitlines() if Path(name).suffix in TEXT]


def test_nothing_says_to_install_a_package_that_is_not_ours() -> None:
    found = []
    for path in files():
        if path == Path(__file__) or "vendor" in path.parts or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1):
            if INSTALLS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/**/requirements*.txt")), ids=str)
def test_no_requirement_is_the_package_of_a_stranger(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#-"]
    names = [re.split(r"[\[=<>~!; @]", line)[0] for line in lines]
    assert "bcikit" not in names


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "openbcikit"
    assert project["version"] == bcikit.__version__
    assert f"version: {bcikit.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## [{bcikit.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
