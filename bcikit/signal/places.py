"""Where this user's files are, on each system: what is kept, what is set, what runs."""

import os
from pathlib import Path
from typing import Literal

from bcikit.signal.errors import BciError


class NoHomeError(BciError, OSError):
    """Nobody says where the files of this user belong."""


def user_place(kind: Literal["data", "config", "state"]) -> Path:
    """Return the folder of bcikit for data, settings or state of this user; it may not be there yet.

    Raises
    ------
    NoHomeError
        If the system knows no home of this user. A folder called "~" where the program happens to run is none.
    """
    import platformdirs

    try:
        path = Path(getattr(platformdirs, f"user_{kind}_dir")("bcikit", appauthor=False))
    except RuntimeError:
        path = Path("~")  # what older versions leave as it is
    if not path.is_absolute():
        raise NoHomeError(
            f"This user has no home folder, so {kind} have no place: set HOME, or XDG_{kind.upper()}_HOME, to a folder."
        )
    return path


def user_home() -> Path:
    """Return the home of this user, or the folder the program runs in where there is none."""
    path = Path(os.path.expanduser("~"))  # noqa: PTH111 - it says nothing where there is none, and does not fail
    return path if path.is_absolute() else Path.cwd()
