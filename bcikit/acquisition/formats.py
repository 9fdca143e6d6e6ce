"""Formats of files: each says from the content whether a file is its own, and reads it (plug-ins of kind "formats")."""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from bcikit.plugins import load, names, plugins
from bcikit.signal import (
    ArgumentError,
    BciError,
    DoubtWarning,
    MissingDependencyError,
    Note,
    PluginError,
    Recording,
    SourceError,
)

HEAD_BYTES = 4096
"""Bytes from the beginning of a file that a probe sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHints:
    """What a user says about a file, beside its path; each format uses what concerns it.

    Attributes
    ----------
    unit : str or None
        Unit of the voltages for which the file states none.
    stream : str or None
        Which stream of several: its name, source id, type, number in the file, or ``#2`` for the second.
    board : str or None
        BrainFlow's name of the board, for its tables.
    sfreq : float or None
        Sampling rate in Hz, where the file states none or a wrong one.
    encoding : str or None
        Of texts in the file: "utf-8", "latin-1", "gbk".
    trigger_mask : int or None
        Bits of a trigger channel that are codes.
    time_unit : str or None
        Unit of a table's column of times: "s", "ms", "us", "ns", "samples".
    map : str or None
        Columns of a table of no known program: ``eeg=2:9 time=0[ms] marker=10``.
    partial : bool
        Read what is there of a file that was cut off.
    accept : tuple of str
        Codes of doubts that are decided: the data are as they should be.
    """

    unit: str | None = None
    stream: str | None = None
    board: str | None = None
    sfreq: float | None = None
    encoding: str | None = None
    trigger_mask: int | None = None
    time_unit: str | None = None
    map: str | None = None
    partial: bool = False
    accept: tuple[str, ...] = ()

    def given(self) -> tuple[str, ...]:
        """Return the names of what was said."""
        return tuple(item.name for item in fields(self) if getattr(self, item.name) not in (None, False, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format of files.

    Attributes
    ----------
    name, title : str
        Short name, and what people call it.
    suffixes : tuple of str
        Usual ends of names; the content decides. None of what is a folder.
    probe : callable
        Takes the path and the first `HEAD_BYTES` bytes (empty for a folder); returns True if the file is of the
        format, or a text that says why it is of it but cannot be read alone ("give the .vhdr").
    read : callable
        Takes the path and `FileHints`, returns a `Recording`.
    options : tuple of str
        Fields of `FileHints` that it understands.
    packages : tuple of (str, str)
        Packages that must be installed, and the extra of bcikit that brings each.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    probe: Callable[[Path, bytes], bool | str]
    read: Callable[[Path, FileHints], Recording]
    options: tuple[str, ...] = ()
    packages: tuple[tuple[str, str], ...] = field(default=())

    def missing(self) -> str:
        """Return the first package that is not installed; empty where all are."""
        return next((package for package, _ in self.packages if find_spec(package) is None), "")


_ALWAYS = frozenset({"accept", "partial", "unit"})
"""What may be said of every file: it fills in what is missing, and does nothing where nothing is."""

_LAST = "table"
"""The format that takes any table is asked last."""


@cache
def known_formats() -> tuple[Format, ...]:
    """Return all formats, those of other packages, too; the one that takes any table stands last.

    One of another package that cannot be used is left out with a `DoubtWarning`: files of all others can be read.
    """
    found: list[Format] = []
    for name in names("formats"):
        try:
            found.append(_loaded(name))
        except (PluginError, ArgumentError) as error:
            warnings.warn(f"files are read without it: {error}", DoubtWarning, stacklevel=2)
            found += [plugin.load() for plugin in plugins("formats") if plugin.name == name and plugin.shipped]
    return tuple(sorted(found, key=lambda one: one.name == _LAST))


def _loaded(name: str) -> Format:
    found = load("formats", name)
    if not isinstance(found, Format):
        raise PluginError(f"the file format {name!r} is a {type(found).__name__}, no bcikit.acquisition.Format.")
    return found


def format_of(path: Path) -> Format:
    """Return the format of a file by its content.

    Raises
    ------
    SourceError
        If it is of none, or one file of a set, or of a format bcikit does not read; the message says what to do.
    """
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        if path.name.lower().endswith((".gz", ".xdfz")):
            head = _unzipped(path)
    for one in known_formats():
        if path.suffix.lower() == ".gz" and not path.name.lower().endswith(one.suffixes):
            # Its reader would see what is packed.
            continue
        found = one.probe(path, head)
        if isinstance(found, str):
            raise SourceError(f"{path} {found}")
        if found:
            return one
    raise SourceError(f"{path} {_looks_like(path, _raw_head(path, head))}")


def _raw_head(path: Path, head: bytes) -> bytes:
    if path.suffix.lower() != ".gz":
        return head
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _unzipped(path: Path) -> bytes:
    import gzip
    import zlib

    try:
        with gzip.open(path) as file:
            return file.read(HEAD_BYTES)
    except (OSError, EOFError, zlib.error):
        raise SourceError(f"{path} is damaged: it is no whole gzip file.") from None


_FOREIGN = (
    (b"\x1f\x8b", "packed (gzip); unpack it ('gunzip -k FILE') and give the recording in it."),
    (b"BZh", "packed (bzip2); unpack it and give the recording in it."),
    (b"\xfd7zXZ", "packed (xz); unpack it and give the recording in it."),
    (b"PK\x03\x04", "a zip archive; unpack it and give the recording in it."),
    (b"%PDF", "a PDF, not a recording."),
    (
        b"\x89HDF",
        "an HDF5 file of no layout bcikit knows; convert it to EDF, FIF or XDF with its own program.",
    ),
    (b"SQLite format 3", "a database, not a recording."),
    (b"BCIKSEAL", "a sealed session; 'bcikit import FILE --out DIR' opens it with its passphrase."),
    (b"PAR1", "a Parquet table; write it as CSV with a column of times."),
    (
        b"\x93NUMPY",
        "a NumPy array, which says no rate and no channels: bcikit.Recording.from_arrays takes it with these.",
    ),
    (b"\x89PNG", "a picture, not a recording."),
)


def _looks_like(path: Path, head: bytes) -> str:
    """Return what a file of no known format looks like, and what to do."""
    if path.suffix.lower() == ".skops":
        return "is a model and no recording; sessions ('model'), 'bcikit export-model' and Model.load take it."
    for start, text in _FOREIGN:
        if head.startswith(start):
            return f"cannot be read: it is {text}"
    if path.is_dir():
        return "is a folder and no recording; give the file in it."
    listed = ", ".join(sorted({suffix for one in known_formats() for suffix in one.suffixes}))
    binary = b"\0" in head
    named = next((one for one in known_formats() if path.suffix.lower() in one.suffixes and one.name != _LAST), None)
    what = f"cannot be read: it is {'a binary' if binary else 'a text'} file"
    if named is not None and not path.name.endswith((".txt", ".csv", ".tsv")):
        kind = "a binary one" if binary else "a text"
        what = f"cannot be read: it is no {named.title} file, though named so, but {kind}"
    return f"{what} of no format bcikit knows ('bcikit import --list-formats': {listed})." + (
        "" if binary else " A table of numbers is read with its columns named: map='eeg=1:8 time=0[s] marker=9'."
    )


def read_format(path: Path, reading: FileHints, *, lazy: bool = False) -> Recording:
    """Return a file of any format as a recording; whatever fails is one clear error.

    With `lazy`, samples that a reader can leave in the file stay there.

    Raises
    ------
    SourceError, ArgumentError, MissingDependencyError
        Saying that the format is not supported, which package is missing, which file of a set to give, where the file
        is damaged, or that bcikit itself fails.
    """
    one = format_of(path)
    package = one.missing()
    if package:
        extra = dict(one.packages)[package]
        raise MissingDependencyError(package, extra, f"Reading {one.title} ({path.name})")
    useless = [name for name in reading.given() if name not in one.options and name not in _ALWAYS]
    if useless:
        raise ArgumentError(
            f"{', '.join(useless)} means nothing for {path.name}: it is {one.title}, which takes "
            f"{', '.join(sorted({*one.options, *_ALWAYS}))}."
        )
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            recording = one.read(path, reading)
            recording = recording if lazy else recording.loaded()
        return replace(recording, notes=(*recording.notes, *_remarks(said)))
    except BciError:
        raise
    except MemoryError:
        raise SourceError(f"{path} does not fit into memory as its header describes it; it may be damaged.") from None
    except Exception as error:
        raise _in_words(path, one, error) from error


def _remarks(said: list[warnings.WarningMessage]) -> list[Note]:
    """Return what the libraries that read the file remarked, each once."""
    texts = dict.fromkeys(str(item.message).strip().splitlines()[0] for item in said if str(item.message).strip())
    return [Note(code="reader", text=text) for text in texts if not text.startswith(_LOOKED_AFTER)]


_LOOKED_AFTER = ("Unsupported physical dimension", "Channels contain different", "No coordinate information")
"""Beginnings of remarks about what bcikit does itself."""


_PACKAGE = Path(__file__).parents[1]


def _in_words(path: Path, one: Format, error: Exception) -> SourceError:
    """Return what went wrong in a reader as a sentence: the file is damaged, or bcikit is wrong."""
    lines = str(error).strip().splitlines()
    # Of a library that puts a traceback of its own code into the text, only the last line helps anybody.
    reason = (
        (lines[-1].strip() if any(line.lstrip().startswith('File "') for line in lines) else lines[0]) if lines else ""
    )
    reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    # By the folder of the package: a checkout is called bcikit, too, and has everybody's libraries in its .venv.
    ours = bool(frames) and Path(frames[-1].filename).is_relative_to(_PACKAGE)
    if ours and isinstance(error, (AttributeError, NameError, TypeError, AssertionError, NotImplementedError)):
        return SourceError(
            f"{path}: bcikit fails on this file ({reason}). That is a fault of bcikit, not of the file; please report "
            "it with what 'bcikit --debug inspect' prints."
        )
    if isinstance(error, FileNotFoundError):
        return SourceError(
            f"{path} is {one.title}, one file of several, and another is not there: {reason}. Put them side by side, "
            "under the names they had."
        )
    if isinstance(error, PermissionError):
        return SourceError(f"{error.filename or path} may not be read by you: ask for the right to read it.")
    if isinstance(error, NotImplementedError):
        return SourceError(
            f"{path} is {one.title} of a kind that is not read ({str(error).strip().rstrip('.')}). Export it again in "
            "the usual form, or as EDF."
        )
    if isinstance(error, ImportError):
        return SourceError(f"{path} is {one.title}; to read it a package is missing ({reason}).")
    return SourceError(
        f"{path} cannot be read: it is damaged, truncated or not as {one.title} should be ({reason}). If a program "
        "wrote it whole, please report it."
    )
