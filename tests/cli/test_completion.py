"""What a shell completes, and that it has not to wait for it."""

import json
import os
import subprocess
import sys

import pytest

ASKS = """
import atexit, json, sys
heavy = ("pydantic", "numpy", "scipy", "rich", "sklearn")
atexit.register(lambda: print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr))
sys.argv = ["bcikit"]
import bcikit.cli
bcikit.cli.main()
"""


def complete(*words: str, folder: str | os.PathLike[str] = ".") -> tuple[list[str], list[str]]:
    """Return what bash is told to put in the place of the last word, and what had to be loaded for it."""
    typed = {"_BCIKIT_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", ASKS],
        env={**os.environ, **typed},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split(), json.loads(done.stderr)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("bcikit", "ins"), ["inspect"]),
        (("bcikit", "ex"), ["export", "export-model"]),
        (("bcikit", "record", "--du"), ["--duration"]),
        (("bcikit", "audit", "ver"), ["verify"]),
        (("bcikit", "check", "session", "--head"), ["--headless"]),
        (("bcikit", "--deb"), ["--debug"]),
    ],
)
def test_a_word_is_completed_and_nothing_heavy_is_loaded_for_it(words, found):
    assert complete(*words) == (found, [])


def test_behind_a_file_in_the_place_of_a_command_nothing_is_refused(tmp_path):
    (tmp_path / "a.edf").touch()
    assert complete("bcikit", "check", "a.edf", "", folder=tmp_path) == (["session", "stimulus"], [])
