"""A certificate authority of one's own: a headset trusts it once, and the page has a secure context from then on.

A browser gives `navigator.xr`, and a microphone, only to pages of this machine or over https.
"""

import os
import ssl
from collections.abc import Sequence
from pathlib import Path

from bcikit.signal import MissingDependencyError
from bcikit.signal.places import user_place

AUTHORITY = "bcikit-ca.pem"
_KEY = "bcikit-ca-key.pem"


def folder() -> Path:
    """Return where the authority is kept, for this user alone."""
    return user_place("data") / "web"


def server_context(names: Sequence[str], *, where: Path | None = None) -> tuple[ssl.SSLContext, bytes]:
    """Return the TLS context of a server under some names, and the authority's certificate for those who trust it.

    Parameters
    ----------
    names : sequence of str
        Host names and addresses.
    where : Path, optional
        Folder of the authority; that of the user if left out. It is made at the first use.

    Raises
    ------
    MissingDependencyError
        If trustme is not there.
    """
    try:
        import trustme
    except ImportError:
        raise MissingDependencyError("trustme", "web", "A page over https") from None
    place = folder() if where is None else where
    certificate, key = place / AUTHORITY, place / _KEY
    if certificate.is_file() and key.is_file():
        authority = trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    else:
        place.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA(organization_name="bcikit", organization_unit_name="this computer's own pages")
        _write(key, authority.private_key_pem.bytes(), mode=0o600)
        _write(certificate, authority.cert_pem.bytes(), mode=0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*names).configure_cert(context)
    return context, authority.cert_pem.bytes()


def _write(path: Path, data: bytes, *, mode: int) -> None:
    # Made with its rights: there is no moment in which others can read the key.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
