"""What a folder holds, links to other places included; and recordings that are there twice."""

import os
from collections.abc import Sequence
from pathlib import Path

from bcikit.decoding.evaluation.cache import hash_data
from bcikit.decoding.evaluation.task import Run, in_order

WHOLE = (".mff", ".ds")
"""Ends of names of folders that are a recording as a whole: EGI's and CTF's."""


def is_recording_folder(path: Path) -> bool:
    """Return whether a folder is one recording as a whole: a session, or one of another program."""
    return path.is_dir() and (path.suffix.lower() in WHOLE or (path / "session.json").is_file())


def walk(root: Path) -> tuple[list[Path], dict[str, str]]:
    """Return every file and folder below a folder, by name, and what could not be followed, and why.

    Links to folders are followed once: one that leads to what is below `root` anyway, or to where another link led, is
    left out, as its recordings would count twice.

    Parameters
    ----------
    root : Path
        A folder.
    """
    found: list[Path] = []
    left_out: dict[str, str] = {}
    home = root.resolve()
    been: dict[Path, Path] = {home: root}

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(error.filename, root)
        left_out[name] = f"cannot be read: {error.strerror}"

    for here, folders, files in os.walk(root, followlinks=True, onerror=unreadable):
        place = Path(here)
        for name in sorted(folders):
            path = place / name
            if path.is_symlink():
                goal = path.resolve()
                above = home.is_relative_to(goal)
                if goal in been or goal.is_relative_to(home) or above:
                    other = been.get(goal, goal)
                    left_out[str(path.relative_to(root))] = (
                        f"a link to {other}" + (", in which it is" if above else ", which is here itself")
                    )  # fmt: skip
                    folders.remove(name)
                    continue
                been[goal] = path
            found.append(path)
        for name in files:
            path = place / name
            if path.is_symlink() and not path.exists():
                left_out[str(path.relative_to(root))] = f"a link to {path.readlink()}, which is not here"
            else:
                found.append(path)
        folders.sort()
    return sorted(found, key=lambda path: [in_order(part) for part in path.parts]), left_out


def same_recordings(runs: Sequence[Run]) -> list[tuple[Path, Path]]:
    """Return pairs of runs with the same bytes: what is decided would be among what was learned."""
    sizes: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        if run.path.is_file():
            sizes.setdefault((run.path.stat().st_size, str(dict(run.options))), []).append(run)
    pairs: list[tuple[Path, Path]] = []
    for alike in sizes.values():
        first: dict[str, Path] = {}
        for run in alike if len(alike) > 1 else ():
            other = first.setdefault(hash_data(run), run.path)
            if other != run.path:
                pairs.append((other, run.path))
    return pairs
