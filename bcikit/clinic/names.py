"""Texts of people: a name or a reason that nobody can see is none."""

import unicodedata

from bcikit.safety.words import says_something

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
"""Unicode categories of characters without ink: control, format, unassigned, private, surrogate."""


def written(text: str) -> str:
    """Return what can be seen of a text, without spaces at its ends; "" where nothing can."""
    seen = "".join(letter for letter in text if unicodedata.category(letter) not in _UNSEEN).strip()
    return seen if says_something(seen) else ""


def code_of(text: str) -> str:
    """Return a code as it was meant: an input method may type its letters and digits at full width."""
    return unicodedata.normalize("NFKC", written(text)).strip()
