"""The header of a session, `session.json`: replaced as a whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcikit.recording.jsonlines import to_json
from bcikit.recording.layout import FORMAT, FORMAT_VERSION, HEADER
from bcikit.signal import RecordingError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.secrecy import without_secrets

_NEEDED: dict[str, type] = {"status": str, "info": dict, "config": dict, "versions": dict}
"""What every header has, since the first version."""


def write_header(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the header, without secrets, so that at any moment the old or the new one is there, whole."""
    text = json.dumps(to_json(without_secrets(values)), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(folder / HEADER, f"{text}\n".encode())


def read_header(folder: Path) -> dict[str, Any]:
    """Return the header of a session folder.

    Raises
    ------
    RecordingError
        If there is none, or it belongs to another format.
    """
    path = folder / HEADER
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise RecordingError(f"{folder} is no session folder: it has no {HEADER}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RecordingError(f"{path} cannot be read: {error}") from error
    try:
        # What cannot be written again (half a character, brackets within brackets) nobody wrote.
        json.dumps(to_json(values), ensure_ascii=False).encode()
    except (UnicodeEncodeError, ValueError, RecursionError):
        raise RecordingError(f"{path} is damaged: it holds what no program can have written.") from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RecordingError(f"{path} is not the header of a bcikit session.")
    if type(values.get("format_version")) is not int:
        raise RecordingError(f"{path} says format version {values.get('format_version')!r}, which is none.")
    if values["format_version"] > FORMAT_VERSION:
        raise RecordingError(
            f"{path} has format version {values['format_version']}; this bcikit reads up to {FORMAT_VERSION}."
        )
    problems = [name for name, kind in _NEEDED.items() if not isinstance(values.get(name), kind)]
    if problems or not isinstance(values.get("extra", {}), dict):
        raise RecordingError(f"{path} is damaged: {', '.join(problems or ['extra'])} cannot be what it says.")
    return values
