"""Signatures of results: who made it, and that nobody changed it since (Ed25519)."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcikit.signal.errors import MissingDependencyError
from bcikit.signal.places import user_place


def _keys() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise MissingDependencyError("cryptography", "crypto", "Signing of results") from error
    return ed25519


def key_file() -> Path:
    """Return where this user's key is kept; it is made with the first signature."""
    return user_place("config") / "card-key"


def _own_key(place: Path) -> Any:
    if place.is_file():
        return _keys().Ed25519PrivateKey.from_private_bytes(base64.b64decode(place.read_bytes()))
    key = _keys().Ed25519PrivateKey.generate()
    place.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key.private_bytes_raw()))
    return key


def signed_bytes(values: Mapping[str, Any]) -> bytes:
    """Return what is signed: the values without their signature, in one form whatever wrote them."""
    kept = {key: value for key, value in values.items() if key != "signature"}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign(values: Mapping[str, Any], place: Path | None = None) -> dict[str, Any]:
    """Return values, ready for JSON, with "public_key" and "signature".

    Parameters
    ----------
    values : mapping
        What is signed.
    place : Path or None
        File of the key; this user's where it is left out.

    Raises
    ------
    MissingDependencyError
        If the package that signs is not installed.
    """
    key = _own_key(place or key_file())
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    whole = {**values, "public_key": public}
    return {**whole, "signature": base64.b64encode(key.sign(signed_bytes(whole))).decode()}


def signer(values: Mapping[str, Any]) -> str:
    """Return the fingerprint of the key that signed values; empty where they were changed, or never signed.

    Raises
    ------
    MissingDependencyError
        If the package that checks is not installed.
    """
    keys = _keys()
    public = str(values.get("public_key", ""))
    try:
        key = keys.Ed25519PublicKey.from_public_bytes(base64.b64decode(public))
        key.verify(base64.b64decode(str(values.get("signature", ""))), signed_bytes(values))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no signature of this
        return ""
    return fingerprint(public)


def own_fingerprint(place: Path) -> str:
    """Return the fingerprint of the key in a file; empty where none was made."""
    if not place.is_file():
        return ""
    return fingerprint(base64.b64encode(_own_key(place).public_key().public_bytes_raw()).decode())


def fingerprint(public: str) -> str:
    """Return the short form of a public key, for people to compare."""
    text = hashlib.sha256(base64.b64decode(public)).hexdigest()[:16]
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))
