"""Writes a table of samples in a process of its own: numbers come in as float64, row by row, and leave as text.

Run as a script with a line of JSON on standard input: the file, the names of the columns. It imports nothing of
bcikit, so that it is there at once. Making text holds Python's lock: in a thread of the window, each call of Qt would
wait for it.
"""

import json
import os
import sys
from array import array
from typing import BinaryIO

ROWS = 1000
"""Rows taken in one go."""


def write_csv(stream: BinaryIO, path: str, head: list[str]) -> None:
    """Write ``.csv``; `repr` gives the shortest text that is the same number again."""
    width = len(head)
    with open(path, "w", encoding="utf-8-sig", newline="") as out:  # noqa: PTH123 - without pathlib it starts sooner
        out.write(",".join('"' + name.replace('"', '""') + '"' for name in head) + "\r\n")
        while part := stream.read(8 * width * ROWS):
            values = array("d", part).tolist()
            rows = (values[at : at + width] for at in range(0, len(values), width))
            out.write("\r\n".join(",".join(map(repr, row)) for row in rows) + "\r\n")


def write_parquet(stream: BinaryIO, path: str, head: list[str]) -> None:
    """Write ``.parquet``."""
    import numpy as np
    import pyarrow as arrow
    from pyarrow import parquet

    schema = arrow.schema([(name, arrow.float64()) for name in head])
    with parquet.ParquetWriter(path, schema) as writer:
        while part := stream.read(8 * len(head) * 20 * ROWS):
            rows = np.frombuffer(part).reshape(-1, len(head))
            columns = [arrow.array(np.ascontiguousarray(column)) for column in rows.T]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def main() -> int:
    """Write one table, behind everything else: a picture, an engine beside it, must not wait for it."""
    if hasattr(os, "nice"):
        os.nice(10)
    stream = sys.stdin.buffer
    asked = json.loads(stream.readline())
    try:
        (write_parquet if asked["kind"] == ".parquet" else write_csv)(stream, asked["path"], asked["head"])
    except Exception as error:  # noqa: BLE001 - the window shows it
        print(str(error) or type(error).__name__, file=sys.stderr)  # noqa: T201 - to the process that started this
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
