"""Carries what was found at a window into a session file: the channels to use."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from bcikit.recording.staging import put_text
from bcikit.signal import DataError

_HEAD = re.compile(r"^\s*\[\s*source\s*\]\s*(#.*)?$", re.MULTILINE)
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_KEY = re.compile(r"^[ \t]*channels[ \t]*=", re.MULTILINE)


def with_channels(text: str, channels: Sequence[str]) -> str:
    """Return the text of a session file that uses these channels and is otherwise the same, comments and all.

    Raises
    ------
    DataError
        If it is no TOML, or says its source in a way that cannot be changed without changing more.
    """
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"This is no TOML: {error}.") from None
    line = f"channels = {json.dumps(list(channels), ensure_ascii=False)}"
    head = _HEAD.search(text)
    if head is None:
        made = f"{text.rstrip()}\n\n[source]\n{line}\n".lstrip("\n")
    else:
        following = _TABLE.search(text, head.end())
        key = _KEY.search(text, head.end(), following.start() if following else len(text))
        # An array may go over several lines, and a table may begin in one: the first end that parses is its end.
        ends = [] if key is None else [m.end() for m in re.finditer(r"\]", text) if m.end() > key.end()]
        made = f"{text[: head.end()]}\n{line}{text[head.end() :]}"
        for end in ends:
            tried = f"{text[: key.start() if key else 0]}{line}{text[end:]}"
            if _same(before, tried, channels):
                made = tried
                break
    if not _same(before, made, channels):
        raise DataError("This file says its source in a way of its own; write the channels into it by hand.")
    return made


def _same(before: dict[str, object], text: str, channels: Sequence[str]) -> bool:
    """Whether a text differs from what was read in the channels only."""
    try:
        after = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    old, new = before.get("source", {}), after.get("source", {})
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    return {**before, "source": {**old, "channels": list(channels)}} == after


def carry_channels(path: Path, channels: Sequence[str]) -> None:
    """Have a session file use these channels.

    Raises
    ------
    DataError
        If it is none, or cannot be changed; it stays as it is.
    RecordingError
        If it cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    put_text(path, with_channels(text, channels))
