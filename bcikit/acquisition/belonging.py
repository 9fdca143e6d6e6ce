"""Which files decide what is read of a recording: its own, and those beside and above it that readers look at."""

import re
from pathlib import Path

from bcikit.acquisition.sidecars import tables_of

_PAGES = frozenset({".png", ".jpg", ".svg", ".html", ".pdf", ".md", ".log"})
"""What may bear the name of a recording and is read by nobody."""

_NAMED = re.compile(rb"^(?:DataFile|MarkerFile)\s*=\s*(.+?)\s*$", re.MULTILINE)


def files_of(path: Path) -> tuple[Path, ...]:
    """Return every file that decides what is read of a recording, itself first.

    All files of a folder that is a recording; of a file those with its name and another suffix, events and further
    parts of FIF, what a BrainVision header names, a mapping of arrays, and the tables of BIDS, those in folders above
    included.

    Parameters
    ----------
    path : Path
        What `read_recording` is given.
    """
    if path.is_dir():
        return tuple(sorted(file for file in path.rglob("*") if file.is_file()))
    stem = path.name.partition(".")[0] if path.name.lower().endswith((".fif.gz", ".bdf.gz")) else path.stem
    found = {file for file in path.parent.glob(f"{_plain(stem)}.*") if file.is_file() and file.suffix not in _PAGES}
    if path.suffix.lower() in (".fif", ".gz"):
        base = stem.removesuffix("_raw")
        found |= {file for file in path.parent.glob(f"{_plain(base)}-eve.fif*") if file.is_file()}
        found |= {file for file in path.parent.glob(f"{_plain(stem)}-[0-9]*.fif*") if file.is_file()}
    if path.suffix.lower() in (".vhdr", ".ahdr"):
        for name in _NAMED.findall(path.read_bytes()):
            beside = path.parent / name.decode("utf-8", "replace").replace("$b", path.stem)
            found |= {beside} if beside.is_file() else set()
    if path.suffix.lower() in (".mat", ".npz", ".npy") and (path.parent / "map.toml").is_file():
        found.add(path.parent / "map.toml")
    found |= set(tables_of(path))
    return (path, *sorted(found - {path}))


def _plain(name: str) -> str:
    """Return a name in which nothing is a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", name)
