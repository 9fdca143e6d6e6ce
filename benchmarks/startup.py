"""What `import bcikit` costs beside `import numpy`, and `bcikit --help` beside `import typer`, in whole processes."""

import statistics
import subprocess
import sys
import time

from table import Row, options, ratio, seconds, show


def start(code: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    return time.perf_counter() - begin


def main() -> None:
    arguments = options()
    rounds = 5 if arguments.quick else 15
    statements = {"python": "pass", "numpy": "import numpy", "bcikit": "import bcikit"}
    statements["words"] = "from bcikit import Chunk, StreamInfo, open_source"
    statements["typer"] = "import typer"
    shows = "import sys, io; sys.argv = ['bcikit', '--help']; sys.stdout = io.StringIO(); "
    statements["help"] = shows + "import bcikit.cli; bcikit.cli.main()"
    for code in statements.values():
        start(code)
    times: dict[str, list[float]] = {name: [] for name in statements}
    for _ in range(rounds):
        for name, code in statements.items():
            times[name].append(start(code))
    # What the interpreter itself costs belongs to neither.
    empty = statistics.median(times.pop("python"))
    own = {name: [value - empty for value in values] for name, values in times.items()}
    rows = []
    for name, what in (("bcikit", "import bcikit"), ("words", "from bcikit import Chunk, StreamInfo, open_source")):
        value = ratio(own[name], own["numpy"])
        rows.append(Row(what, seconds(own[name]), f"import numpy {seconds(own['numpy'])}", value, "<= 2", value <= 2))
    # A person waits for the whole process.
    value, peer = ratio(times["help"], times["typer"]), f"import typer {seconds(times['typer'])}"
    rows.append(Row("bcikit --help, whole process", seconds(times["help"]), peer, value, "<= 2", value <= 2))
    show("Start-up", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
