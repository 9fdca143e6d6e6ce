"""JSON lines: one record a line, so that a cut-off file is whole up to its last line end."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.signal import RecordingError
from bcikit.signal.documents import json_of


def to_json(value: Any) -> Any:
    """Return a value made of what JSON has: numpy's numbers become Python's, NaN and infinity become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    return str(value)


def encode_line(record: Mapping[str, Any]) -> bytes:
    """Return a record as one line of strict JSON; floats come back bit for bit."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        text = json.dumps(to_json(record), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", errors="replace") + b"\n"


def whole_lines(raw: bytes) -> int:
    """Return how many bytes from the start are whole lines."""
    return raw.rfind(b"\n") + 1


def is_record(line: bytes) -> bool:
    """Return whether a line is one JSON object."""
    try:
        return isinstance(json_of(line), dict)
    except (ValueError, RecursionError):
        return False


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file; an incomplete last line is left out, a missing file has none.

    Raises
    ------
    RecordingError
        If a whole line is no JSON object.
    """
    if not path.is_file():
        return []
    raw = path.read_bytes()
    records = []
    for number, line in enumerate(raw[: whole_lines(raw)].split(b"\n")[:-1], start=1):
        try:
            record = json_of(line)
        except (ValueError, RecursionError) as error:
            what = "nested too deeply" if isinstance(error, RecursionError) else error
            raise RecordingError(f"{path}, line {number} is damaged: {what}") from error
        if not isinstance(record, dict):
            raise RecordingError(f"{path}, line {number} is damaged: no JSON object.")
        records.append(record)
    return records
