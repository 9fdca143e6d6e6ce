"""De-identification: only what is known to name nobody leaves, and what left is searched again.

Nothing here makes data anonymous: brain signals are themselves characteristic of a person. What goes is every text,
date, serial number and name of a machine that is not known to be harmless.
"""

import contextlib
import getpass
import itertools
import json
import platform
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bcikit.recording.session import Session
from bcikit.recording.vocabulary import (
    EVENT_WORDS,
    FEATURE_WORDS,
    OWN_WORDS,
    holds_number,
    is_channel,
    is_plain,
    words_of,
)
from bcikit.signal import Event, RecordingError, StreamInfo, check_choice

KEEP = ("all", "channels", "device", "texts")
"""What an export may be told to keep: channel names, the device, texts of events, or all of it."""

_IDENTIFYING_KEYS = re.compile(
    r"subject|patient|person|participant|operator|clinic|therap|physician|doctor|nurse|investigator|birth|dob|mrn|"
    r"address|phone|mail|serial|host|user|site|hospital|note|comment|insurance|family|given|source|mac|ip$",
    re.IGNORECASE,
)
_RULE = re.compile(r"[A-Z]{1,2}-[A-Z]{2,6}")
"""What rules of safety are called."""

_UNIT = re.compile(r"[A-Za-zµμ%°/²1]{0,8}|log10\(\w{1,4}\)")
"""What units look like; anything longer is a text."""

_FILE_WORDS = frozenset(
    ("bdf", "bids", "csv", "dat", "edf", "eeg", "fif", "gz", "json", "lsl", "mat", "npz", "set", "toml", "tsv", "txt")
)
"""Words in the names of files and addresses that an export may have, too."""

_SHORTEST = 5
"""Strings of fewer bytes turn up in binary data by chance; a Chinese name of two letters has six."""


class Deidentifier:
    """Decides what of a session may leave, and checks what left.

    Parameters
    ----------
    session : Session
        The session to be exported.
    keep : collection of str
        Parts of `KEEP` to leave as they are, because the one who exports knows them to be harmless.
    """

    def __init__(self, session: Session, *, keep: Collection[str] = ()) -> None:
        for part in keep:
            check_choice("keep", part, KEEP)
        self._all = "all" in keep
        self._keep = frozenset(KEEP) if self._all else frozenset(keep)
        self._session = session
        self.identifiers = identifiers_of(session)
        self.replaced: dict[str, str] = {}

    def event_name(self, event: Event) -> str:
        """Return the event's name, or "text-N" where it could name somebody; the same text gets the same number."""
        name = event.name
        # What it says counts, and not where it says it comes from: a stream of markers may be called like one of ours,
        # and a class like a person.
        if "texts" in self._keep or (is_plain(name) and not self._named(name)):
            return name
        return self._replacement(name, "text")

    def event_value(self, event: Event) -> float | int | str | None:
        """Return what a marker carried if it is a short number or a harmless text, else None."""
        value = event.value
        if "texts" in self._keep or value is None:
            return value
        if isinstance(value, str):
            return value if is_plain(value) and not self._named(value) else None
        # A long whole number may be the number of a file or a device; a fraction is a measurement.
        if not abs(value) < 1e5 or holds_number(f"{int(value)}") or self._named(f"{value}"):
            return None
        return value

    def label(self, text: str | None) -> str | None:
        """Return the label of a class, or its replacement."""
        if text is None or "texts" in self._keep or (is_plain(text) and not self._named(text)):
            return text
        return self._replacement(text, "text")

    def key(self, text: str) -> str:
        """Return the name under which a decoder gave a number, or its replacement."""
        if "texts" in self._keep or (is_plain(text, EVENT_WORDS | FEATURE_WORDS) and not self._named(text)):
            return text
        return self._replacement(text, "text")

    def reason(self, text: str | None) -> str | None:
        """Return why something was not decided or not allowed, if it is one of our reasons; else "other"."""
        if text is None or "texts" in self._keep or _RULE.fullmatch(text):
            return text
        if is_plain(text) and not self._named(text):
            return text
        head = text.partition(":")[0]
        return head if is_plain(head) and not self._named(head) else "other"

    def _named(self, text: str) -> bool:
        return any(word.lower() in text.lower() for word in self.identifiers)

    def _replacement(self, text: str, stem: str) -> str:
        if text not in self.replaced:
            count = sum(name.startswith(f"{stem}-") for name in self.replaced.values())
            self.replaced[text] = f"{stem}-{count + 1}"
        return self.replaced[text]

    def info(self, info: StreamInfo) -> StreamInfo:
        """Return the description of a stream without what could identify a person, a device or a machine."""
        if self._all:
            return info
        names = []
        for index, (name, kind) in enumerate(zip(info.ch_names, info.ch_types, strict=True)):
            kept = "channels" in self._keep or (is_channel(name) and not self._named(name))
            fresh = name if kept else f"{kind.upper()}{index + 1:03d}"
            if not kept:
                self.replaced[name] = fresh
            names.append(fresh)
        if len(set(names)) != len(names):
            names = [f"CH{index + 1:03d}" for index in range(len(names))]
        bads = tuple(fresh for name, fresh in zip(info.ch_names, names, strict=True) if name in info.bads)
        kept = is_channel(info.reference) and not self._named(info.reference)
        reference = info.reference if kept else ""
        device = info.device if "device" in self._keep else ""
        unit = info.unit if _UNIT.fullmatch(info.unit) else ""
        return info.replace(
            name="eeg", ch_names=tuple(names), bads=bads, source_id="", device=device, reference=reference, unit=unit
        )

    def preview(self) -> dict[str, str]:
        """Return which names of channels and events an export replaces, and by what."""
        self.info(self._session.info)
        for event in self._session.events:
            self.event_name(event)
        return dict(self.replaced)

    def values_left_out(self) -> int:
        """Return of how many events the value does not leave."""
        return sum(event.value is not None and self.event_value(event) is None for event in self._session.events)

    def check(self, files: Iterable[Path]) -> None:
        """Search every byte of the files for what identifies.

        Raises
        ------
        RecordingError
            Naming the file, if something is found.
        """
        if self._all:
            return
        wanted = {word: _forms_of(word) for word in self.identifiers}
        for file in files:
            raw = file.read_bytes().lower()
            where = file.name.encode(errors="replace").lower()
            for word, forms in wanted.items():
                if any(_holds(raw, form) or _holds(where, form) for form in forms):
                    raise RecordingError(
                        f"The export would hold {word!r}, which identifies, in {file.name}; nothing was exported. "
                        "Name files and labels without it, or say --keep all to export with all that identifies."
                    )


def device_family(text: str) -> str:
    """Return the kind of device that a text speaks of, without anything else it says; empty where it is not known."""
    from bcikit.acquisition.profile import known_profiles

    names = [profile.name for profile in known_profiles() if profile.name.lower() in text.lower()]
    return max(names, key=len, default="")


def _holds(raw: bytes, form: bytes | re.Pattern[bytes]) -> bool:
    return form in raw if isinstance(form, bytes) else form.search(raw) is not None


_CODINGS = ("utf-8", "json", "latin-1", "utf-16-le", "utf-16-be")
"""How letters become bytes in files; "json" writes those that ASCII has not as numbers."""


def _forms_of(word: str) -> list[bytes | re.Pattern[bytes]]:
    """Return what a word looks like in bytes of which those that are capitals in ASCII were made small.

    In every coding, composed and decomposed, and in small letters and capitals: bytes know the case of ASCII alone.
    """
    forms: dict[bytes, bytes | re.Pattern[bytes]] = {}
    texts = dict.fromkeys((unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word)))
    for coding, text in itertools.product(_CODINGS, texts):
        letters = [_letter(letter, coding) for letter in text]
        pattern = b"".join(b"(?:%s)" % b"|".join(map(re.escape, either)) for either in letters)
        if all(len(either) == 1 for either in letters):
            forms[pattern] = b"".join(either[0] for either in letters)
        elif all(letters):
            forms[pattern] = re.compile(pattern)
    return list(forms.values())


def _letter(letter: str, coding: str) -> list[bytes]:
    """Return the small and the capital letter in a coding, as far as it has them."""
    either = {letter.lower(), letter.upper()}
    if coding == "json":
        return sorted({json.dumps(form)[1:-1].encode().lower() for form in either})
    # Half characters are written as question marks.
    errors = "strict" if coding == "latin-1" else "replace"
    found = set()
    for form in either:
        with contextlib.suppress(UnicodeEncodeError):
            found.add(form.encode(coding, errors).lower())
    return sorted(found)


def identifiers_of(session: Session) -> tuple[str, ...]:
    """Return the texts of a session that identify a person, a device, a machine or a day."""
    kept = session.config.get("import")
    notes = kept.get("notes", ()) if isinstance(kept, Mapping) else ()
    config = {**session.config, "import": {**kept, "notes": ()}} if isinstance(kept, Mapping) else session.config
    found = set(_values(config, under=False)) | set(_values(session.header.get("device", {}), under=False))
    texts = [note.get("text") for note in notes if isinstance(note, Mapping)]
    found |= {name for text in texts if isinstance(text, str) for name in _names_in(text)}
    found.add(session.info.source_id)
    for track in session.extra.values():
        found.add(track.info.source_id)
    found |= {word for word in re.split(r"[\s,;]+", session.info.device) if sum(c.isdigit() for c in word) >= 3}
    for key in ("started", "ended", "recovered"):
        found.add(str(session.header.get(key, ""))[:10])
    found.add(platform.node())
    with contextlib.suppress(KeyError, OSError):
        found.add(getpass.getuser())
    pieces = {piece for text in found for piece in [text, *re.split(r"[\s,;/\\]+", text)]}
    # Numbers of devices and persons within an address or the name of a file; a short number alone is one of many.
    parts = {part for text in found for part in re.split(r"[^\w-]+|_", text)}
    pieces |= {part for part in parts if sum(map(str.isdigit, part)) >= 3 and not (part.isdigit() and len(part) < 8)}
    return tuple(
        sorted(
            piece
            for piece in pieces
            if len(piece.encode(errors="replace")) >= _SHORTEST
            and not all(word in OWN_WORDS or word in _FILE_WORDS for word in words_of(piece.lower()))
            and not is_plain(piece)
            and not is_channel(piece)
        )
    )


def _names_in(note: str) -> Iterator[str]:
    """Yield what a note of an import has from the file: what stands in quotes, ids, and words that are no plain ones.

    The rest is bcikit's own sentence, whose words ("annotations", "which") are in any file.
    """
    for quoted in re.findall(r"'([^']+)'|source id ([^;)]+)", note):
        yield from filter(None, quoted)
    yield from (word for word in re.split(r"[\s,;:()']+", note) if not re.fullmatch(r"[a-z]*[.?]?", word))


def _values(value: Any, *, under: bool) -> Iterator[str]:
    """Yield the texts and long numbers below a key that identifies."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _values(item, under=under or _IDENTIFYING_KEYS.search(str(key)) is not None)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _values(item, under=under)
    elif under and isinstance(value, str):
        yield value.strip()
    elif under and isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
