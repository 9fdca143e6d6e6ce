"""Files are made aside, exports searched for what identifies, and only then put in their place."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bcikit.recording.deidentify import Deidentifier
from bcikit.signal import RecordingError
from bcikit.signal.disk import put, write_whole


@contextlib.contextmanager
def staged(target: Path, check: Deidentifier, *, overwrite: bool) -> Iterator[Path]:
    """Give a folder to write into; at the end its files are checked and moved to `target`.

    Parameters
    ----------
    target : Path
        Folder that gets the files, made where it is missing.
    check : Deidentifier
        Searches the files before they are moved.
    overwrite : bool
        Whether files that exist may be replaced.

    Raises
    ------
    RecordingError
        If something identifies, a file exists, or the folder cannot be written. The target is then as it was.
    """
    made = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        target.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".bcikit-export-", dir=target))
    except OSError as error:
        raise RecordingError(f"{target} cannot be written: {error.strerror or error}.") from error
    try:
        yield aside
        files = sorted(path for path in aside.rglob("*") if path.is_file())
        check.check(files)
        there = [target / path.relative_to(aside) for path in files if (target / path.relative_to(aside)).exists()]
        if there and not overwrite:
            raise RecordingError(f"{there[0]} exists already; name another, or say --overwrite.")
        for path in files:
            place = target / path.relative_to(aside)
            place.parent.mkdir(parents=True, exist_ok=True)
            put(path, place)
    except OSError as error:
        raise RecordingError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        with contextlib.suppress(OSError):
            # Nothing came of it: only folders in which there is nothing can go.
            for folder in made:
                folder.rmdir()


@contextlib.contextmanager
def staged_file(path: Path, check: Deidentifier, *, overwrite: bool) -> Iterator[Path]:
    """Give a place for one file; at the end it is checked and moved to `path`."""
    path = Path(os.fspath(path))
    with staged(path.parent, check, overwrite=overwrite) as aside:
        yield aside / path.name


def put_text(path: Path, text: str) -> None:
    """Put a text in the place of a file: what was there stays until the new one is whole.

    Raises
    ------
    RecordingError
        If it cannot be written.
    """
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}") from None
