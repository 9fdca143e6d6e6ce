"""Options of the form 'a=1,b=2'."""

from bcikit.signal import ArgumentError, check_range


def pairs(option: str, text: str | None) -> dict[str, str] | None:
    """Return ``{"a": "1", "b": "2"}``, or None where the option is not given.

    Raises
    ------
    ArgumentError
        If a part has no equals sign or an empty side.
    """
    if text is None:
        return None
    result = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key or not value:
            raise ArgumentError(f"{option} is {text!r}; it must be like 'a=1,b=2'.")
        result[key] = value
    return result


def numbers(option: str, text: str | None) -> dict[str, float] | None:
    """Return ``{"a": 1.0, "b": 2.0}``, or None where the option is not given."""
    found = pairs(option, text)
    return None if found is None else {key: check_range(f"{option} {key}", value) for key, value in found.items()}  # type: ignore[arg-type]
