"""Whether a text says something: a name or a reason that nobody can see is none."""

import unicodedata

_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")
"""Letters by their category that are drawn as nothing."""


def says_something(text: object) -> bool:
    """Return whether `text` is a text in which at least one letter or digit can be seen.

    Spaces of any width, control and format characters (NUL, zero-width space, direction marks), marks without a letter
    and half characters (lone surrogates) do not count.
    """
    if not isinstance(text, str):
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    shown = (letter for letter in unicodedata.normalize("NFKC", text) if letter not in _BLANK_LETTERS)
    return any(unicodedata.category(letter)[0] in "LN" for letter in shown)
