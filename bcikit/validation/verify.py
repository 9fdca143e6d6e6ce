"""Whether the folder of a run is as it was written: the signature of its result, and the hash of every file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bcikit.signal import BciError
from bcikit.signal.documents import read_json
from bcikit.signal.signing import signer
from bcikit.validation.takes import load_take

RESULT = "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What checking a folder came to.

    Attributes
    ----------
    problems : tuple of str
        What is not as it was written; empty if all is.
    key : str
        Fingerprint of the key that signed it.
    n_files : int
        Files that were compared.
    """

    problems: tuple[str, ...]
    key: str
    n_files: int


def is_report(folder: Path) -> bool:
    """Return whether a folder is that of a run of the device bench."""
    return _read(folder).get("kind") == "bcikit device report"


def _read(folder: Path) -> dict[str, Any]:
    try:
        values = read_json(folder / RESULT)
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def verify_report(folder: Path) -> Verified:
    """Check signature and hashes of a run: raw data, report, result.

    Parameters
    ----------
    folder : Path
        What ``bcikit validate --out`` wrote.
    """
    values = _read(folder)
    problems = []
    key = signer(values)
    if not key:
        problems.append(f"{RESULT}: the signature is not that of this result: it was changed, or never signed")
    listed = values.get("files", {})
    if not isinstance(listed, dict):
        problems.append(f"{RESULT}: its list of files is none")
    files = {str(name): str(digest) for name, digest in listed.items()} if isinstance(listed, dict) else {}
    strange = [name for name in files if Path(name).is_absolute() or ".." in Path(name).parts or len(name) > 200]
    for name in strange:
        del files[name]
        problems.append(f"{name[:60]!r}: is no file of this folder")
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            problems.append(f"{name}: was changed")
        elif path.suffix == ".npz":
            # Data that nobody can read again are no evidence.
            try:
                load_take(path)
            except (KeyError, ValueError, TypeError, BciError) as error:
                problems.append(f"{name}: cannot be read: {error}")
    extra = sorted(p.relative_to(folder).as_posix() for p in (folder / "raw").glob("*")) if files else []
    problems += [f"{name}: does not belong to this run" for name in extra if name not in files]
    return Verified(problems=tuple(problems), key=key, n_files=len(files))
