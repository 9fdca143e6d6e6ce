"""What was computed of a person who withdrew: what studies keep of them goes, models of many are used no more."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from bcikit.decoding.evaluation.cache import read_subject
from bcikit.decoding.store import SUFFIXES, read_sheet, withdraw_people
from bcikit.signal import BciError


def withdraw_below(folders: Iterable[Path], codes: Collection[str]) -> dict[str, int]:
    """Remove what studies keep of persons below folders, and mark the models that learned from them.

    A folder of a study (one with ``trials`` and ``scores``) loses the trials of these persons, everything that was
    prepared of anybody's trials (which does not say whose it is, and is made anew), and every score, table and page
    that names them.

    Returns
    -------
    dict of str to int
        ``files`` that were removed, ``models`` that were marked.
    """
    files = models = 0
    for folder in folders:
        for trials in sorted(folder.rglob("trials")) if folder.is_dir() else ():
            study = trials.parent
            if trials.is_dir() and not trials.is_symlink() and (study / "scores").is_dir():
                files += _of_study(study, codes)
        for suffix in SUFFIXES:
            models += sum(mark(path, codes) for path in sorted(folder.rglob(f"*{suffix}")))
    return {"files": files, "models": models}


def mark(path: Path, codes: Collection[str]) -> bool:
    """Mark a model file that learned from persons, and take their codes out of it; return whether it did."""
    try:
        if path.is_symlink() or not path.is_file() or not set(codes) & set(read_sheet(path).people):
            return False
        withdraw_people(path, codes)
    except BciError:
        return False
    return True


def _of_study(study: Path, codes: Collection[str]) -> int:
    named = re.compile("|".join(rf"(?<![^\W_]){re.escape(code)}(?![^\W_])" for code in codes))
    gone = 0
    for path in sorted(study.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        kept = path.parent.name == "trials" and path.suffix == ".npz"
        if kept:
            whose = read_subject(path)
            theirs = whose is None or whose in codes
        else:
            theirs = any(named.search(text) for text in (path.name, path.read_bytes().decode("utf-8", "replace")))
        if theirs:
            path.unlink()
            gone += 1
    return gone
