"""Sessions that run on this machine, so that a window opened by hand finds them: files that only this user can read."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bcikit.session.channel import ChannelServer
from bcikit.session.ticket import Ticket
from bcikit.signal import ArgumentError, BciError
from bcikit.signal.documents import read_json
from bcikit.signal.places import NoHomeError, user_place
from bcikit.signal.processes import is_process_id, process_is_alive

ENV_FOLDER = "BCIKIT_RUNNING"
"""Environment variable that names another folder for the files."""

ROLE = "window"
"""What a window joins as that was opened by hand: it reads, notes and stops; it does not arm."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session that runs.

    Attributes
    ----------
    name : str
        What stands behind ``session:``.
    title : str
        What it is called.
    ticket : Ticket
        To join it.
    """

    name: str
    title: str
    ticket: Ticket


def folder() -> Path:
    """Return where the files of running sessions lie."""
    own = os.environ.get(ENV_FOLDER)
    if own:
        return Path(own)
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "bcikit" if base and Path(base).is_dir() else user_place("state")


@contextlib.contextmanager
def registered(channel: ChannelServer, title: str) -> Iterator[None]:
    """Let windows of the same user find a session while it runs; where no file can be written, they do not."""
    path: Path | None = None
    with contextlib.suppress(OSError):
        path = folder() / f"{os.getpid()}-{channel.ticket(ROLE).port}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with its rights: there is no moment at which another user could read it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({"pid": os.getpid(), "title": title, "ticket": channel.ticket(ROLE).text}, stream)
    try:
        yield
    finally:
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def running() -> list[Running]:
    """Return the sessions that run now; what a killed one left behind is cleared away."""
    found = []
    try:
        place = folder()
    except NoHomeError:
        return []
    for path in sorted(place.glob("*.json")) if place.is_dir() else []:
        try:
            values = read_json(path)
            pid, title, ticket = values["pid"], str(values["title"]), Ticket.parse(str(values["ticket"]))
        except (OSError, ValueError, KeyError, TypeError, BciError):
            continue
        if not is_process_id(pid):
            continue
        if process_is_alive(pid):
            found.append(Running(path.stem, title, ticket))
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    return found


def find_running(name: str = "") -> Running:
    """Return one session that runs, by its name; the only one where none is named.

    Raises
    ------
    ArgumentError
        If there is none, or which one is not clear.
    """
    there = running()
    chosen = [item for item in there if not name or name in (item.name, item.title)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(f"session:{item.name} ({item.title})" for item in there) or "none"
    raise ArgumentError(f"session:{name} is not one that runs here; these do: {names}.")
