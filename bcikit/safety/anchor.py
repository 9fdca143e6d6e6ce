"""Anchors: what a log came to, kept outside its folder and signed, so that a log that was replaced as a whole shows."""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bcikit.signal.disk import put
from bcikit.signal.documents import read_json
from bcikit.signal.places import NoHomeError, user_place

ENV_FOLDER = "BCIKIT_ANCHORS"
_KEY = "anchor.key"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest state of a log.

    Attributes
    ----------
    genesis, head : str
        Hash of its first and of its newest record.
    count : int
        Number of records.
    """

    genesis: str
    head: str
    count: int


def anchor_folder() -> Path:
    """Return where anchors are kept: the state folder of this user, or what the variable ``BCIKIT_ANCHORS`` names."""
    named = os.environ.get(ENV_FOLDER)
    if named:
        return Path(named)
    return user_place("state") / "anchors"


class Anchors:
    """Reads and writes anchors; where the place cannot be written there are none, and a verification says so.

    A log is known by a name (the path of its folder, the address of a database) that is not kept: only its keyed hash
    is, so that the anchors of a person who was erased name nobody. The key never leaves this computer.

    Parameters
    ----------
    folder : Path or None
        Where they are; `anchor_folder` where it is left out.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            self.folder = folder or anchor_folder()
        except NoHomeError:
            # Nothing can be written there, nor read.
            self.folder = Path(os.devnull) / "anchors"
        self._key = b""

    def keep(self, name: str, anchor: Anchor) -> bool:
        """Keep the newest state of a log; return whether that was possible."""
        try:
            path = self._path(name, make=True)
            body = {"genesis": anchor.genesis, "head": anchor.head, "count": anchor.count}
            fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            fresh.write_text(json.dumps({**body, "mac": self._mac(body)}), "utf-8")
            put(fresh, path)
        except OSError:
            return False
        return True

    def find(self, name: str, genesis: str = "") -> Anchor | None:
        """Return the anchor of a log by its name or, if its folder was moved, by its first record; None if none is."""
        with contextlib.suppress(OSError):
            if (found := self._read(self._path(name))) is not None:
                return found
            if genesis:
                for path in self.folder.glob("*.json"):
                    found = self._read(path)
                    if found is not None and found.genesis == genesis:
                        return found
        return None

    def _read(self, path: Path) -> Anchor | None:
        try:
            values = read_json(path)
            body = {key: values[key] for key in ("genesis", "head", "count")}
            if hmac.compare_digest(str(values["mac"]), self._mac(body)):
                return Anchor(**body)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return None

    def pseudonym(self, *parts: str) -> str:
        """Return 32 hexadecimal digits that stand for texts: the same here each time, and nobody's to guess elsewhere.

        A hash without a key of a code of a patient is none: all codes there are can be tried. Where no key can be kept
        it is another one each time.
        """
        text = "\0".join(parts).encode("utf-8", "replace")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            key = self._secret(make=True)
        except OSError:
            key = secrets.token_bytes(32)
        return hmac.new(key, b"pseudonym\0" + text, hashlib.sha256).hexdigest()[:32]

    def _path(self, name: str, *, make: bool = False) -> Path:
        if make:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = hmac.new(self._secret(make=make), name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
        return self.folder / f"{known[:40]}.json"

    def _mac(self, body: Mapping[str, object]) -> str:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        return hmac.new(self._secret(), text.encode(), hashlib.sha256).hexdigest()

    def _secret(self, *, make: bool = False) -> bytes:
        path = self.folder / _KEY
        if not self._key and make:
            with contextlib.suppress(FileExistsError):
                # Whole under its name at once: another program may look for it at the same moment.
                fresh = self.folder / f".{_KEY}.{os.getpid()}.{secrets.token_hex(4)}"
                handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                os.write(handle, secrets.token_bytes(32))
                os.close(handle)
                try:
                    path.hardlink_to(fresh)
                finally:
                    fresh.unlink()
        if not self._key:
            self._key = path.read_bytes()
        return self._key
