"""Tables of samples, written beside the picture: a process writes, the window draws, and progress is shown."""

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError
from bcikit.signal.disk import put
from bcikit.ui.aside import INTERVAL_MS
from bcikit.ui.session_link import drain

ROWS = 1000
"""Rows handed over in one go: between two of them, the window gets its turn."""

Block = Callable[[int, int], NDArray[np.float64]]


class TableWriter(QObject):
    """Writes one table of samples; a thread hands them to a process that makes text of them.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet``; it is there once it is whole.
    head : list of str
        Names of the columns.
    n_rows : int
        Rows in all.
    block : callable
        Returns rows ``start`` to ``stop`` as float64 ``(n, n_columns)``; called in the thread.

    Raises
    ------
    ArgumentError
        If the ending is another.
    """

    progressed = Signal(int)  # percent
    finished = Signal(str)  # "" or what went wrong

    def __init__(self, path: Path, head: list[str], n_rows: int, block: Block, parent: QObject | None = None) -> None:
        super().__init__(parent)
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise ArgumentError(f"The ending of {path.name!r} must be .csv or .parquet.")
        self.path, self._head, self._n_rows, self._block = path, head, n_rows, block
        self._halt = threading.Event()
        self._news: deque[int | str] = deque()
        self._thread = threading.Thread(target=self._work, daemon=True, name="bcikit-table")
        # The thread touches nothing of Qt: the window may be deleted meanwhile.
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._tell)

    def start(self) -> "TableWriter":
        """Begin."""
        self._thread.start()
        self._timer.start(INTERVAL_MS)
        return self

    def _tell(self) -> None:
        for item in drain(self._news):
            if isinstance(item, int):
                self.progressed.emit(item)
            else:
                self._timer.stop()
                self.finished.emit(item)

    def halt(self) -> None:
        """Give up; nothing of it stays."""
        self._halt.set()
        self._thread.join(5.0)

    def _work(self) -> None:
        aside = self.path.with_name(f".{self.path.name}.new")
        problem = ""
        try:
            if self._write(aside):
                put(aside, self.path)
        except Exception as error:  # noqa: BLE001 - the window shows it
            problem = str(error) or type(error).__name__
        aside.unlink(missing_ok=True)
        self._news.append(problem)

    def _write(self, aside: Path) -> bool:
        """Hand the rows to a process that writes them; False if it was given up."""
        kind = self.path.suffix.lower()
        if kind == ".parquet" and find_spec("pyarrow") is None:
            raise MissingDependencyError("pyarrow", "formats", "A Parquet table")
        command = [sys.executable, "-I", str(Path(__file__).with_name("table_child.py"))]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603 - our own script
        assert child.stdin is not None
        assert child.stderr is not None
        whole = False
        try:
            with suppress(BrokenPipeError):  # what it died of is what it says
                asked = {"kind": kind, "path": str(aside), "head": self._head}
                child.stdin.write(json.dumps(asked).encode() + b"\n")
                whole = self._feed(child.stdin)
                child.stdin.close()
            if not whole and self._halt.is_set():
                child.kill()
            said = child.stderr.read().decode(errors="replace").strip()
            if child.wait() != 0 and not self._halt.is_set():
                raise RecordingError(f"{self.path} cannot be written: {said.splitlines()[-1] if said else 'it ended'}")
        finally:
            child.kill()
            with suppress(BrokenPipeError):
                child.stdin.close()
            child.stderr.close()
            child.wait()
        return whole

    def _feed(self, stream: IO[bytes]) -> bool:
        for start in range(0, self._n_rows, ROWS):
            stop = min(start + ROWS, self._n_rows)
            stream.write(np.ascontiguousarray(self._block(start, stop), dtype=np.float64).tobytes())
            self._news.append(round(100 * stop / max(1, self._n_rows)))
            if self._halt.wait(0.001):
                return False
        return True
