"""Tables of samples, written beside the picture: a thread writes, the window draws, and progress is shown."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from bcikit.signal import ArgumentError, MissingDependencyError

ROWS = 1000
"""Rows written in one go: between two of them, the window gets its turn."""

Block = Callable[[int, int], NDArray[np.float64]]


class TableWriter(QObject):
    """Writes one table of samples in a thread.

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
        self._thread = threading.Thread(target=self._work, daemon=True, name="bcikit-table")

    def start(self) -> "TableWriter":
        """Begin."""
        self._thread.start()
        return self

    def halt(self) -> None:
        """Give up; nothing of it stays."""
        self._halt.set()
        self._thread.join(5.0)

    def _work(self) -> None:
        aside = self.path.with_name(f".{self.path.name}.new")
        problem = ""
        try:
            write = self._write_csv if self.path.suffix.lower() == ".csv" else self._write_parquet
            if write(aside):
                aside.replace(self.path)
        except Exception as error:  # noqa: BLE001 - the window shows it
            problem = str(error) or type(error).__name__
        aside.unlink(missing_ok=True)
        try:
            self.finished.emit(problem)
        except RuntimeError:
            return  # the window is closed

    def _blocks(self) -> list[tuple[int, int]]:
        return [(start, min(start + ROWS, self._n_rows)) for start in range(0, self._n_rows, ROWS)]

    def _step(self, stop: int) -> bool:
        self.progressed.emit(round(100 * stop / max(1, self._n_rows)))
        return not self._halt.wait(0.001)

    def _write_csv(self, aside: Path) -> bool:
        with aside.open("w", encoding="utf-8-sig", newline="") as stream:
            stream.write(",".join(f'"{name}"' for name in self._head) + "\r\n")
            for start, stop in self._blocks():
                # repr writes the shortest text that is the same number again.
                lines = [",".join(map(repr, row)) for row in self._block(start, stop).tolist()]
                stream.write("\r\n".join(lines) + "\r\n")
                if not self._step(stop):
                    return False
        return True

    def _write_parquet(self, aside: Path) -> bool:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise MissingDependencyError("pyarrow", "formats", "A Parquet table") from None
        schema = arrow.schema([(name, arrow.float64()) for name in self._head])
        with parquet.ParquetWriter(aside, schema) as writer:
            for start, stop in self._blocks():
                part = self._block(start, stop)
                columns = [arrow.array(np.ascontiguousarray(part[:, index])) for index in range(part.shape[1])]
                writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
                if not self._step(stop):
                    return False
        return True
