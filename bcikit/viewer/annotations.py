"""Annotations: what a person says of a moment or a span of a signal; kept beside a file as BIDS and MNE read it."""

import csv
import io
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bcikit.recording.erase import ANNOTATIONS
from bcikit.recording.staging import put_text
from bcikit.signal import ArgumentError, DataError, Event

KINDS = ("note", "artefact", "blink", "movement", "bad", "seizure", "sleep", "stimulus")
"""Classes that are offered; any word may be written instead."""

LONGEST = 2000
"""Characters of a text; what a session takes of a note, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation.

    Attributes
    ----------
    time : float
        When it begins, in seconds on the clock of the stream.
    duration : float
        Seconds; 0 for a moment.
    kind : str
        Its class.
    text : str
        What is said.
    channel : str
        The channel it is about; "" for all.
    key : str
        What tells it from others, also after it was edited.
    """

    time: float
    duration: float = 0.0
    kind: str = "note"
    text: str = ""
    channel: str = ""
    key: str = ""

    @property
    def label(self) -> str:
        """What a marker says of it."""
        return f"{self.kind}: {self.text}" if self.text else self.kind

    def event(self, *, name: str = "annotation") -> Event:
        """Return it as an event of a recording."""
        data: dict[str, Any] = {"key": self.key, "kind": self.kind}
        if self.channel:
            data["channel"] = self.channel
        return Event(
            name=f"{name}/{self.kind}",
            time=self.time,
            value=self.text or None,
            duration=self.duration,
            source="operator",
            data=data,
        )


def annotation_of(event: Event) -> Annotation | None:
    """Return the annotation that an event of a recording is; None if it is another event."""
    key = str(event.data.get("key", ""))
    if not key or event.name.partition("/")[0] not in ("annotation", "operator"):
        return None
    return Annotation(
        time=event.time,
        duration=event.duration,
        kind=str(event.data.get("kind") or "note"),
        # A note of a session that has no text says its class in place of one.
        text="" if event.value is None else str(event.value),
        channel=str(event.data.get("channel", "")),
        key=key,
    )


class Annotations:
    """The annotations of one stream, in order of time.

    Parameters
    ----------
    changed : callable
        Called with what was done ("added", "edited", "deleted") and the annotation.
    """

    def __init__(self, changed: Callable[[str, Annotation], object] | None = None) -> None:
        self._changed = changed or (lambda *_: None)
        self._items: dict[str, Annotation] = {}
        self._numbers = itertools.count(1)
        self._prefix = os.urandom(3).hex()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Annotation]:
        return iter(sorted(self._items.values(), key=lambda item: (item.time, item.key)))

    def get(self, key: str) -> Annotation | None:
        """Return the one with a key, if there is one."""
        return self._items.get(key)

    def add(self, item: Annotation, *, tell: bool = True) -> Annotation:
        """Add one and return it with its key."""
        made = _checked(item if item.key else replace(item, key=f"{self._prefix}-{next(self._numbers)}"))
        self._items[made.key] = made
        if tell:
            self._changed("added", made)
        return made

    def edit(self, item: Annotation) -> None:
        """Put another in the place of the one with the same key.

        Raises
        ------
        ArgumentError
            If there is none.
        """
        if item.key not in self._items:
            raise ArgumentError(f"There is no annotation {item.key!r}.")
        self._items[item.key] = _checked(item)
        self._changed("edited", item)

    def delete(self, key: str) -> None:
        """Take one away; one that is not there is not missed."""
        item = self._items.pop(key, None)
        if item is not None:
            self._changed("deleted", item)


def _checked(item: Annotation) -> Annotation:
    kind = " ".join(item.kind.split())[:80] or "note"
    # Tabs and line breaks would end a cell of the table beside the file.
    text = " ".join(item.text.split())[:LONGEST]
    if not item.duration >= 0:
        raise ArgumentError(f"duration is {item.duration!r}; an annotation lasts 0 s or longer.")
    return replace(item, kind=kind, text=text)


_COLUMNS = ("onset", "duration", "trial_type", "text", "channel", "key")


def beside(path: str | Path) -> Path:
    """Return where the annotations of a file or folder are kept: ``NAME_annotations.tsv`` beside ``NAME.edf``.

    A ``NAME_events.tsv`` belongs to who recorded it; it is read, and never written over.
    """
    target = Path(path)
    if target.is_dir():
        # Of the folder itself, also where it was opened as "." or by a link: with it they are erased.
        target = target.resolve()
        return target.with_name(f"{target.name}{ANNOTATIONS}")
    return target.with_name(f"{target.stem}{ANNOTATIONS}")


def write_tsv(items: Iterable[Annotation], path: Path, *, start: float) -> None:
    """Write annotations as a table of events as BIDS has them (onset and duration in seconds from the first sample).

    Raises
    ------
    RecordingError
        If it cannot be written; what was there stays.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow(_COLUMNS)
    for item in items:
        row = (f"{item.time - start:.6f}", f"{item.duration:.6f}", item.kind, item.text, item.channel, item.key)
        writer.writerow([cell or "n/a" for cell in row])
    put_text(path, text.getvalue())


def read_tsv(path: Path, *, start: float) -> list[Annotation]:
    """Return the annotations of such a table.

    Raises
    ------
    DataError
        If it is none; the line is named.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), delimiter="\t"))
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    found = []
    for number, row in enumerate(rows, start=2):
        cells = {key: "" if value in (None, "n/a") else str(value) for key, value in row.items() if key}
        try:
            onset, duration = float(cells["onset"]), float(cells.get("duration") or 0.0)
        except (KeyError, ValueError):
            raise DataError(f"{path}, line {number}: onset and duration must be numbers of seconds.") from None
        found.append(
            Annotation(
                time=start + onset,
                duration=duration,
                kind=cells.get("trial_type") or "note",
                text=cells.get("text", ""),
                channel=cells.get("channel", ""),
                key=cells.get("key", ""),
            )
        )
    return found


def to_mne(items: Iterable[Annotation], *, start: float) -> Any:
    """Return ``mne.Annotations``: the class and the text as description, the channel where there is one."""
    import mne

    rows = list(items)
    return mne.Annotations(
        onset=[item.time - start for item in rows],
        duration=[item.duration for item in rows],
        description=[item.label for item in rows],
        ch_names=[(item.channel,) if item.channel else () for item in rows],
    )
