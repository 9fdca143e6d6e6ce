"""What `import bcikit`, `bcikit --help`, a completion and the first picture of `bcikit view` cost: whole processes."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from table import Row, options, ratio, seconds, show

COMPLETION = {"_BCIKIT_COMPLETE": "complete_bash", "COMP_WORDS": "bcikit ins", "COMP_CWORD": "1"}
"""What a shell says when somebody types "bcikit ins" and presses the tabulator."""

FIRST_PICTURE = 2.0
"""Seconds until `bcikit view` has shown its first picture of a live source, saved it and ended."""


def start(code: str, **environment: str) -> float:
    begin = time.perf_counter()
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, **environment}, capture_output=True)
    return time.perf_counter() - begin


def first_picture() -> float:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "first.png")
        words = ["bcikit", "view", "brainflow:synthetic", "--screenshot", str(picture), "--after", "0"]
        spent = start(
            f"import sys; sys.argv = {words}; import bcikit.cli; bcikit.cli.main()", QT_QPA_PLATFORM="offscreen"
        )
        assert picture.stat().st_size > 10_000
    return spent


def main() -> None:
    arguments = options()
    rounds = 5 if arguments.quick else 15
    statements = {"python": "pass", "numpy": "import numpy", "bcikit": "import bcikit"}
    statements["words"] = "from bcikit import Chunk, StreamInfo, open_source"
    statements["typer"] = "import typer"
    shows = "import sys, io; sys.argv = ['bcikit', '--help']; sys.stdout = io.StringIO(); "
    statements["help"] = shows + "import bcikit.cli; bcikit.cli.main()"
    statements["completion"] = "import sys; sys.argv = ['bcikit']; import bcikit.cli; bcikit.cli.main()"
    around = {"completion": COMPLETION}
    for name, code in statements.items():
        start(code, **around.get(name, {}))
    times: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(rounds):
        for name, code in statements.items():
            times[name].append(start(code, **around.get(name, {})))
    # What the interpreter itself costs belongs to neither.
    empty = statistics.median(times.pop("python"))
    own = {name: [value - empty for value in values] for name, values in times.items()}
    rows = []
    for name, what in (("bcikit", "import bcikit"), ("words", "from bcikit import Chunk, StreamInfo, open_source")):
        value = ratio(own[name], own["numpy"])
        rows.append(Row(what, seconds(own[name]), f"import numpy {seconds(own['numpy'])}", value, "<= 2", value <= 2))
    # A person waits for the whole process.
    for name, what in (("help", "bcikit --help, whole process"), ("completion", "a completion, whole process")):
        value, peer = ratio(times[name], times["typer"]), f"import typer {seconds(times['typer'])}"
        rows.append(Row(what, seconds(times[name]), peer, value, "<= 2", value <= 2))
    if find_spec("PySide6") and find_spec("pyqtgraph"):
        first_picture()
        shown = [first_picture() for _ in range(3 if arguments.quick else 7)]
        value = statistics.median(shown) / FIRST_PICTURE
        rows.append(Row("bcikit view, first picture, whole process", seconds(shown), "2 s", value, "<= 1", value <= 1))
    show("Start-up", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
