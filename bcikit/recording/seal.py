"""Encryption at rest: a session folder sealed into one file with AES-256-GCM.

The file is ``BCIKSEAL``, the length and text of a JSON header, and blocks of at most 1 MiB, each encrypted and
authenticated with the header, its number and whether it is the last; so blocks that are changed, left out, exchanged or
cut off are all found. The key of the file is random and wrapped by a key that scrypt makes from a passphrase.
"""

import base64
import contextlib
import io
import json
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from bcikit.recording.header import read_header
from bcikit.recording.layout import RECORDING
from bcikit.signal import ArgumentError, MissingDependencyError, RecordingError, check_int
from bcikit.signal.disk import put, sync
from bcikit.signal.documents import json_of

MAGIC = b"BCIKSEAL"
BLOCK = 1 << 20
_TAG = 16
MOST_LOG2 = 19
"""A file may ask for no more than 512 MiB before anybody knows whether it is one of ours."""

SCRYPT_LOG2 = 17
"""Cost of the passphrase, 2**17 rounds with 8 blocks (128 MiB), as OWASP's password storage cheat sheet asks."""


def is_sealed(path: str | Path) -> bool:
    """Return whether a file is a sealed session."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def seal(folder: str | Path, path: str | Path, *, passphrase: str, cost: int = SCRYPT_LOG2) -> None:
    """Seal a session folder into one encrypted file; the folder stays.

    Parameters
    ----------
    folder : str or Path
        A session that is closed.
    path : str or Path
        The file to make; it must not exist.
    passphrase : str
        At least 8 characters. Who loses it loses the session.
    cost : int
        Logarithm of scrypt's rounds.

    Raises
    ------
    RecordingError
        If it is no closed session, or the file exists or cannot be written.
    """
    folder, path = Path(folder), Path(path)
    if len(passphrase) < 8:
        raise ArgumentError("The passphrase must have at least 8 characters.")
    if read_header(folder)["status"] == RECORDING:
        raise RecordingError(f"{folder} is not closed; run: bcikit recover {folder}")
    if path.exists():
        raise RecordingError(f"{path} exists already; name another file.")
    if folder.resolve() in path.resolve().parents:
        raise ArgumentError(f"{path} lies in the folder that is sealed; name a file beside it.")
    check_int("cost", cost, low=1, high=MOST_LOG2)
    _refuse_links(folder)
    fresh: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        fresh = Path(name)
        with os.fdopen(handle, "wb") as file:
            sink = _SealWriter(file, passphrase, cost)
            with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for member in sorted(folder.rglob("*")):
                    tar.add(member, arcname=member.relative_to(folder).as_posix(), recursive=False, filter=_bare)
            sink.close()
            file.flush()
            sync(file.fileno())
        put(fresh, path)
    except OSError as error:
        raise RecordingError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        if fresh is not None:
            fresh.unlink(missing_ok=True)


def unseal(path: str | Path, folder: str | Path, *, passphrase: str) -> Path:
    """Open a sealed session into a folder that must not exist.

    Raises
    ------
    RecordingError
        If the passphrase is wrong, or any byte was changed, exchanged or cut off; then no folder is left.
    """
    path, folder = Path(path), Path(folder)
    if folder.exists():
        raise RecordingError(f"{folder} exists already; name another folder.")
    aside: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        with path.open("rb") as file:
            source = _SealReader(file, passphrase, path)
            with tarfile.open(fileobj=source, mode="r|") as tar:
                tar.extractall(aside, filter="data")
            source.finish()
        aside.replace(folder)
    except tarfile.TarError as error:
        raise RecordingError(f"{path} does not hold a session: {error}") from error
    except OSError as error:
        raise RecordingError(f"{path} cannot be opened: {error.strerror or error}.") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def _refuse_links(folder: Path) -> None:
    """Refuse what could not be opened again, or would lead out of the folder when it is."""
    for place in folder.rglob("*"):
        mode = place.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise RecordingError(f"{place} is a link or no file; take it out of the session before it is sealed.")


def _bare(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who owned a file."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _cipher() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingDependencyError("cryptography", "crypto", "Encryption at rest") from error
    return AESGCM


def _wrapping_key(passphrase: str, salt: bytes, cost: int) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, n=1 << cost, r=8, p=1).derive(passphrase.encode())


def _forms(passphrase: str) -> list[str]:
    """Return the forms in which a keyboard may have given the same passphrase; it is sealed with the first."""
    kinds: tuple[Literal["NFC", "NFD", "NFKC"], ...] = ("NFC", "NFD", "NFKC")
    return list(dict.fromkeys([*(unicodedata.normalize(kind, passphrase) for kind in kinds), passphrase]))


def _bound(header: bytes, number: int, *, last: bool) -> tuple[bytes, bytes]:
    """Return nonce and associated data of a block; the key is random for each file, so a counter is a fair nonce."""
    return struct.pack(">IQ", 0, number), header + struct.pack(">Q?", number, last)


class _SealWriter(io.RawIOBase):
    """Encrypts what is written to it, a block at a time."""

    def __init__(self, file: BinaryIO, passphrase: str, cost: int) -> None:
        cipher = _cipher()
        key, salt, nonce = os.urandom(32), os.urandom(16), os.urandom(12)
        wrapped = cipher(_wrapping_key(_forms(passphrase)[0], salt, cost)).encrypt(nonce, key, MAGIC)
        encoded = {"salt": salt, "nonce": nonce, "key": wrapped}
        fields = {name: base64.b64encode(value).decode() for name, value in encoded.items()}
        values = {"version": 1, "cipher": "AES-256-GCM", "kdf": "scrypt", "log2_n": cost, **fields}
        self._header = json.dumps(values).encode()
        self._file = file
        self._cipher = cipher(key)
        self._pending = bytearray()
        self._number = 0
        file.write(MAGIC + struct.pack(">I", len(self._header)) + self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        while len(self._pending) > BLOCK:
            self._block(bytes(self._pending[:BLOCK]), last=False)
            del self._pending[:BLOCK]
        return len(data)

    def _block(self, plain: bytes, *, last: bool) -> None:
        nonce, bound = _bound(self._header, self._number, last=last)
        self._file.write(self._cipher.encrypt(nonce, plain, bound))
        self._number += 1

    def close(self) -> None:
        if not self.closed:
            self._block(bytes(self._pending), last=True)
            super().close()


class _SealReader(io.RawIOBase):
    """Decrypts a sealed file, and refuses whatever was changed."""

    def __init__(self, file: BinaryIO, passphrase: str, path: Path) -> None:
        from cryptography.exceptions import InvalidTag

        cipher = _cipher()
        self._path = path
        self._invalid = InvalidTag
        if file.read(len(MAGIC)) != MAGIC:
            raise RecordingError(f"{path} is no sealed session.")
        try:
            (length,) = struct.unpack(">I", file.read(4))
            self._header = file.read(min(length, 4096))
            fields = json_of(self._header)
            salt, nonce, wrapped = (base64.b64decode(fields[name]) for name in ("salt", "nonce", "key"))
            cost = int(fields["log2_n"])
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise RecordingError(f"{path} is damaged: its header cannot be read.") from error
        if not 1 <= cost <= MOST_LOG2:
            raise RecordingError(f"{path} is damaged: its header asks for 2**{cost} rounds.")
        for form in _forms(passphrase):
            with contextlib.suppress(InvalidTag, ValueError):
                key = cipher(_wrapping_key(form, salt, cost)).decrypt(nonce, wrapped, MAGIC)
                break
        else:
            raise RecordingError(f"{path} does not open: wrong passphrase, or its header was changed.")
        self._cipher = cipher(key)
        self._blocks = self._decrypt(file)
        self._pending = b""

    def _decrypt(self, file: BinaryIO) -> Iterator[bytes]:
        number = 0
        block = file.read(BLOCK + _TAG)
        while True:
            following = file.read(BLOCK + _TAG)
            nonce, bound = _bound(self._header, number, last=not following)
            try:
                yield self._cipher.decrypt(nonce, block, bound)
            except (self._invalid, ValueError):
                raise RecordingError(f"{self._path} was changed or cut off: block {number} is not authentic.") from None
            if not following:
                return
            block, number = following, number + 1

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._pending) < size:
            piece = next(self._blocks, b"")
            if not piece:
                break
            self._pending += piece
        size = len(self._pending) if size < 0 else size
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def finish(self) -> None:
        """Read to the end, so that what lies behind the archive is authenticated, too."""
        while self.read(BLOCK):
            pass
