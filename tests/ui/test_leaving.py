"""A program waits at its end for threads that may be in LSL or a driver."""

import subprocess
import sys

PROGRAM = """
import threading
from bcikit.ui.leaving import start_aside
from bcikit.ui.reader import StreamReader

begun = threading.Event()

def opener():
    begun.set()
    threading.Event().wait(0.3)
    print("opened", flush=True)
    raise OSError("nothing there")

def search():
    threading.Event().wait(0.3)
    print("searched", flush=True)

StreamReader(opener, patient=True).start()
begun.wait()
start_aside(search, "search")
"""


def test_a_search_and_an_opening_are_over_before_the_program_is() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # Two threads may write into each other's lines.
    assert "opened" in done.stdout
    assert "searched" in done.stdout
