"""Secrets in addresses (tokens, passwords, keys) are hidden wherever an address is kept or shown."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

HIDDEN = "***"
"""Stands where a secret stood in an address that is kept or shown."""

_BEGIN = r"(?:(?<=[?&:;,\s'\"(])|(?<=%26)|(?<=%3F)|^)"
_NAME = r"[\w-]*(?:token|passw|passphrase|secret|credential|api_?key|access_?key|private_?key)[\w-]*"
_SHORT = r"(?<![\s'\"(,;])(?:key|pass|pwd|auth|psk|pin)"
_SECRET = rf"(?i)({_BEGIN}(?:{_NAME}|{_SHORT})(?:=|%3D))(?!value\b)"
# In prose a value ends at a space or at the quote around the address, in an address by itself at the next option only.
_IN_PROSE = re.compile(_SECRET + r"(?:(?!%26|['\"](?:\W|$))[^&\s])+")
_ALONE = re.compile(_SECRET + r"(?:(?!%26)[^&])+")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]+:\S")
_LOGIN = re.compile(r"(?<=://)([^\s/:@]*):\S+@")


def without_secrets(values: T) -> T:
    """Return what is kept or shown without passwords, tokens and keys of addresses in it; `HIDDEN` stands there.

    Parameters
    ----------
    values : str, mapping, list or anything
        A text, or plain values with texts in them. An option of an address is a secret by its name (``token``,
        ``password``, ``secret``, ``api_key``, ``key``, ...); so is what stands behind the name in
        ``scheme://name:password@host``.
    """
    hidden: Any = values
    if isinstance(values, str):
        one = _ALONE if _ADDRESS.match(values) else _IN_PROSE
        hidden = _LOGIN.sub(rf"\1:{HIDDEN}@", one.sub(rf"\g<1>{HIDDEN}", values))
    elif isinstance(values, Mapping):
        hidden = {key: without_secrets(value) for key, value in values.items()}
    elif isinstance(values, list | tuple) and type(values) in (list, tuple):
        hidden = type(values)(without_secrets(value) for value in values)
    return hidden
