"""Who is a person, a session, a run: which recordings a folder holds, and whose each is."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bcikit.decoding.alike import say_left_out
from bcikit.decoding.evaluation.task import Run
from bcikit.decoding.evaluation.walk import WHOLE, walk
from bcikit.signal import ArgumentError, DataError, SourceError, check_choice

FOLDERS = ("people", "sessions")
"""What the folders of one level may be."""

_SKIPPED = frozenset({"derivatives", "sourcedata", "code", "stimuli", "phenotype", "logs"})
"""Folders of a BIDS data set that hold no recordings of its own."""

_PERSON = re.compile(
    r"(?:^|(?<=[_\-. ]))(?:subject|subj|sub|participant|person|patient|pat|proband|vp|volunteer)[-_ ]?"
    r"0*(?P<name>[^\W\d_]*\d+[^\W_]*?)(?=[_\-. ]|run|ses|$)",
    re.IGNORECASE,
)
_BIDS_PERSON = re.compile(r"(?:^|_)sub-(?P<name>[A-Za-z0-9]+)(?=_|$)")
_SESSION = re.compile(
    r"(?:^|(?<=[_\-. ]))(?:session|sess|ses|visit|day|week)[-_ ]?(?P<name>[A-Za-z0-9]*\d+[A-Za-z0-9]*?|[A-Za-z0-9]+)"
    r"(?=[_\-. ]|run|$)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(19|20)\d\d[-_.]?\d\d[-_.]?\d\d.*")
_LETTER = re.compile(r"(?P<letter>[A-Za-z])[-_ ]?\d{1,4}")
_SIDE = frozenset(
    {".vmrk", ".eeg", ".fdt", ".json", ".tsv", ".md", ".html", ".png", ".py", ".m", ".log", ".pdf", ".toml"}
)
_OTHER_USES = frozenset({".mat", ".dat", ".txt", ".csv", ".tsv", ".gz", ".json"})
"""Names of recordings that other files have, too."""

_NO_SIGNALS, _HIDDEN = "annotations without signals", "hidden"
_MANY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The recordings of a folder.

    Attributes
    ----------
    runs : tuple of Run
        Recordings, and whose each is.
    ignored : dict of str to str
        Other files that look as if they mattered, and why they were left out.
    how : str
        By what people and sessions were told apart.
    """

    runs: tuple[Run, ...]
    ignored: dict[str, str] = field(default_factory=dict)
    how: str = ""

    def table(self) -> list[tuple[str, str, str]]:
        """Return a row for each person and session: who, which, the names of the runs."""
        rows: dict[tuple[str, str], list[str]] = {}
        for run in self.runs:
            rows.setdefault((run.subject, run.session), []).append(run.path.name)
        return [(subject, session, ", ".join(names)) for (subject, session), names in sorted(rows.items())]


def find_runs(
    root: Path, *, layout: str | None = None, folders: str | None = None, options: dict[str, Any] | None = None
) -> Found:
    """Return the recordings in a folder and whose each is.

    Parameters
    ----------
    root : Path
        A recording, a session folder of bcikit, or a folder of these.
    layout : str or None
        Where names stand in paths below `root`: ``sub-{subject}/ses-{session}/run-{run}.edf``; ``*`` is any text.
    folders : {"people", "sessions"} or None
        What folders of one level are, where their names do not say.
    options : dict or None
        For reading each file.

    Raises
    ------
    DataError
        If there is no recording.
    ArgumentError
        If it cannot be told whether folders are people or sessions; the message says how to say it.
    """
    if folders is not None:
        check_choice("folders", folders, FOLDERS)
    options = dict(options or {})
    if root.is_file() or (root / "session.json").is_file():
        return Found(runs=(_run(root, "1", "1", options),), how="one recording")
    files, ignored = candidates(root)
    if layout is not None:
        return _by_layout(root, files, ignored, layout, options)
    if not files:
        listed = "; ".join(f"{name}: {why}" for name, why in list(ignored.items())[:5])
        raise DataError(f"{root} holds no recording" + (f" ({listed})." if listed else "."))
    names = [file.relative_to(root).parts for file in files]
    told = [_told(parts) for parts in names]
    if all(subject for subject, _ in told) or (any(s for s, _ in told) and all(len(p) > 1 for p in names)):
        missing = [str(f.relative_to(root)) for f, (subject, _) in zip(files, told, strict=True) if not subject]
        if missing:
            raise ArgumentError(
                f"{root}: most names say whose a recording is, but not {', '.join(missing[:3])}; say where names stand "
                "with --layout '{subject}/{session}/{run}.edf'."
            )
        _ask_who_is_alike(root, _tokens(names))
        runs = [_run(f, subject, session or "1", options) for f, (subject, session) in zip(files, told, strict=True)]
        return Found(runs=tuple(runs), ignored=ignored, how="names say who is who")
    return _by_depth(root, files, ignored, folders, options)


def _run(path: Path, subject: str, session: str, options: dict[str, Any]) -> Run:
    return Run(path=path, subject=subject, session=session, options=options)


def _person(stem: str) -> re.Match[str] | None:
    return _BIDS_PERSON.search(stem) or _PERSON.search(stem)


def _ask_who_is_alike(root: Path, written: Iterable[tuple[str, str]]) -> None:
    """Refuse names of people that differ by nothing but case, leading zeros or the word before their number.

    Parameters
    ----------
    root : Path
        The folder.
    written : iterable of (str, str)
        For each recording, the name of the person, and how it stands in the path.

    Raises
    ------
    ArgumentError
        Naming both, and how to say whether they are one person.
    """
    known: dict[str, str] = {}
    for name, text in written:
        other = known.setdefault(re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold()), text)
        if other != text:
            raise ArgumentError(
                f"{root} has {other} and {text}: is that one person or two? Give the folders of one person one name; "
                "for two, say where names stand with --layout, which takes them as they are written."
            )


def _tokens(paths: Iterable[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each path's person, and how it is written there."""
    for parts in paths:
        match = next((match for part in parts if (match := _person(part)) is not None), None)
        if match is not None:
            yield match["name"], match[0].strip("_-. ")


def _told(parts: Sequence[str]) -> tuple[str, str]:
    """Return person and session that the names of folders and file say; empty where they do not."""
    subject = session = ""
    for part in parts:
        stem = part.rpartition(".")[0] if part is parts[-1] and "." in part else part
        person = _person(stem)
        visit = _SESSION.search(stem)
        subject = subject or (person["name"] if person else "")
        session = session or (visit["name"] if visit else "")
    return subject, session


def candidates(root: Path, *, known: Collection[Path] = ()) -> tuple[list[Path], dict[str, str]]:
    """Return the recordings below a folder, and why other files are none; those that are known are not opened.

    Files that are named as recordings and cannot be read are warned of.
    """
    found: list[Path] = []
    within: Counter[str] = Counter()
    there, ignored = walk(root)
    sessions = {file.parent for file in there if file.name == "session.json"}
    for path in there:
        parts = path.relative_to(root).parts
        if path in sessions:
            found.append(path)
        if any(parent in sessions for parent in path.parents) or path.is_dir():
            if path.is_dir() and path.suffix.lower() in WHOLE:
                found.append(path)
            continue
        if any(part.lower().endswith(WHOLE) for part in parts[:-1]):
            continue
        if path in known:
            continue
        depth = next((k for k, part in enumerate(parts) if part.startswith(".") or part in _SKIPPED), len(parts))
        if depth < len(parts) - 1:
            within[str(Path(*parts[: depth + 1]))] += 1
            continue
        if path.name.startswith("."):
            ignored[str(path.relative_to(root))] = _HIDDEN
            continue
        if path.suffix.lower() in _SIDE or path.name.endswith(("-eve.fif", "-epo.fif", "-ave.fif")):
            continue
        why = _why_not(path)
        if why:
            ignored[str(path.relative_to(root))] = why
        else:
            found.append(path)
    named = {name: why for name, why in ignored.items() if _named_as_one(name) and why not in (_NO_SIGNALS, _HIDDEN)}
    say_left_out(named, len(found) + len(known) + len(named), what="recordings")
    for name, count in within.items():
        ignored[name] = f"{count} {'file' if count == 1 else 'files'}, no recordings of this folder"
    if len(ignored) > _MANY:
        kinds = Counter(Path(name).suffix or name for name in ignored)
        ignored = {f"*{kind}": f"{count} files" for kind, count in kinds.items()}
    return found, ignored


def _named_as_one(name: str) -> bool:
    """Return whether a file is named as formats name nothing but recordings."""
    from bcikit.acquisition.formats import known_formats

    suffixes = {suffix for one in known_formats() if one.name != "table" for suffix in one.suffixes}
    return name.lower().endswith(tuple(suffixes - _OTHER_USES))


def _why_not(path: Path) -> str:
    """Return why a file is no recording; empty if it is one, or says it is and is damaged."""
    from bcikit.acquisition.formats import format_of

    if not path.stat().st_size:
        return "empty"
    try:
        one = format_of(path)
    except SourceError as error:
        return str(error).removeprefix(f"{path} ").partition(". ")[0].partition(" ('bcikit")[0]
    if one.name == "table":
        return _no_table(path)
    if one.name in ("edf", "bdf"):
        from bcikit.acquisition.edf_header import ANNOTATIONS, read_edf_header

        try:
            header = read_edf_header(path)
        except SourceError:
            return ""
        if all(label in ANNOTATIONS for label in header.labels):
            return _NO_SIGNALS
    return ""


def _no_table(path: Path) -> str:
    """Return why a text is no table of samples; empty if it may be one."""
    from bcikit.acquisition.columns import time_title
    from bcikit.acquisition.dialect import dialect_of

    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("latin-1").lstrip("ï»¿").strip()
    titles = tuple(title.strip().strip('"') for title in re.split(r"[,;\t]", first))
    if any(time_title(title) is not None for title in titles[:3]) or dialect_of(titles) is not None:
        return ""
    return "a text without a column of times"


def _by_layout(
    root: Path, files: Sequence[Path], ignored: dict[str, str], layout: str, options: dict[str, Any]
) -> Found:
    """Return the runs whose paths fit a pattern."""
    names = re.findall(r"\{(\w*)\}", layout)
    unknown = sorted(set(names) - {"subject", "session", "run", "task"})
    if unknown or "subject" not in names:
        raise ArgumentError(
            f"layout is {layout!r}; it must have {{subject}} and may have {{session}}, {{run}}, {{task}} and *"
            + (f", not {', '.join(unknown)}." if unknown else ".")
        )
    seen: set[str] = set()
    pattern = ""
    for part in re.split(r"(\{\w+\}|\*)", layout.strip("/")):
        if part == "*":
            pattern += "[^/]*"
        elif part.startswith("{"):
            name = part[1:-1]
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
            seen.add(name)
        else:
            pattern += re.escape(part)
    runs = []
    ignored = dict(ignored)
    for file in files:
        name = file.relative_to(root).as_posix()
        match = re.fullmatch(pattern, name)
        if match is None:
            ignored[name] = "does not fit the layout"
            continue
        values = match.groupdict()
        runs.append(_run(file, values["subject"], values.get("session") or "1", options))
    if not runs:
        some = ", ".join(str(file.relative_to(root)) for file in files[:3]) or "no recording at all"
        raise DataError(f"{root} holds no recording that fits the layout {layout!r}; it holds {some}.")
    return Found(runs=tuple(runs), ignored=ignored, how=f"by the layout {layout}")


def _by_depth(
    root: Path, files: Sequence[Path], ignored: dict[str, str], folders: str | None, options: dict[str, Any]
) -> Found:
    """Return the runs by the levels of folders, where names of recordings do not say whose they are."""
    levels = [file.relative_to(root).parts[:-1] for file in files]
    deep = {len(parts) for parts in levels}
    if deep == {0}:
        runs = [_run(file, "1", _told((file.name,))[1] or "1", options) for file in files]
        return Found(runs=tuple(runs), ignored=ignored, how="files of one folder: runs of one person")
    if len(deep) > 1 and 0 in deep:
        loose = [file.name for file, parts in zip(files, levels, strict=True) if not parts]
        raise ArgumentError(
            f"{root} holds recordings in folders and beside them ({', '.join(loose[:3])}): whose are these? Say where "
            "names stand with --layout '{subject}/{run}.edf', or move them."
        )
    if min(deep) >= 2:
        first, second = _meaning({parts[0] for parts in levels}), _meaning({parts[1] for parts in levels})
        swap = first == "sessions" and second == "people"
        person, visit = (1, 0) if swap else (0, 1)
        _ask_who_is_alike(root, ((parts[person], parts[person]) for parts in levels))
        runs = [_run(f, p[person], p[visit], options) for f, p in zip(files, levels, strict=True)]
        how = "folders: session/person" if swap else "folders: person/session"
        return Found(runs=tuple(runs), ignored=ignored, how=how)
    names = {parts[0] for parts in levels}
    meaning = folders or (_meaning(names) if len(names) > 1 else "sessions")
    if not meaning and _meaning({root.resolve().name}) == "people":
        meaning = "sessions"
    if not meaning:
        raise ArgumentError(
            f"{root} has the folders {', '.join(sorted(names)[:6])}: are these people or sessions of one person? Say "
            "--folders people or --folders sessions."
        )
    if meaning == "people":
        _ask_who_is_alike(root, ((name, name) for name in sorted(names)))
        runs = [_run(f, p[0], p[1] if len(p) > 1 else "1", options) for f, p in zip(files, levels, strict=True)]
    else:
        runs = [_run(f, "1", p[0], options) for f, p in zip(files, levels, strict=True)]
    return Found(runs=tuple(runs), ignored=ignored, how=f"folders: {meaning}")


def _meaning(names: set[str]) -> str:
    """Return what folders of these names are: people, sessions, or "" where that cannot be told."""
    if all(_SESSION.match(name) or _DATE.fullmatch(name) for name in names):
        return "sessions"
    if all(_BIDS_PERSON.match(name) or _PERSON.match(name) for name in names):
        return "people"
    letters = {match["letter"].lower() for name in names if (match := _LETTER.fullmatch(name))}
    if letters == {"p"} and all(_LETTER.fullmatch(name) for name in names):
        return "people"
    return ""
