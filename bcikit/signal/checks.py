"""Argument checks: one place for the errors that name the argument, the value and what is allowed."""

import math
from collections.abc import Collection, Iterable
from difflib import get_close_matches

from bcikit.signal.errors import ArgumentError


def check_choice(name: str, value: str, allowed: Collection[str]) -> str:
    """Return `value` if it is one of `allowed`.

    Raises
    ------
    ArgumentError
        If it is not; the message lists what is allowed and proposes the nearest name.
    """
    if value in allowed:
        return value
    near = get_close_matches(str(value), [str(item) for item in allowed], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(f"{name} is {value!r}; allowed: {', '.join(map(str, sorted(allowed)))}.{hint}")


def check_range(
    name: str,
    value: float,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
    unit: str = "",
) -> float:
    """Return `value` as float if it is a finite number in the interval.

    Raises
    ------
    ArgumentError
        If it is no number, not finite, or outside.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"{name} is {_shown(value)}; it must be a number.") from None
    inside = (number > low if low_open else number >= low) and (number < high if high_open else number <= high)
    if not (math.isfinite(number) and inside):
        interval = f"{'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
        suffix = f" {unit}" if unit else ""
        raise ArgumentError(f"{name} is {_shown(value)}; allowed: a finite number in {interval}{suffix}.")
    return number


def check_int(name: str, value: int, *, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as int if it is a whole number in ``[low, high]``.

    Raises
    ------
    ArgumentError
        If it is not.
    """
    number = math.nan if isinstance(value, bool) else check_range(name, value)
    if not number.is_integer():
        raise ArgumentError(f"{name} is {_shown(value)}; it must be a whole number.")
    check_range(name, value, low=-math.inf if low is None else low, high=math.inf if high is None else high)
    return int(value)


def _shown(value: object) -> str:
    # Python prints no number of thousands of digits.
    many = isinstance(value, int) and abs(value) >= 10**18
    return "a number of many digits" if many else repr(value)


def check_channels(wanted: Iterable[str], available: Iterable[str], *, who: str) -> list[int]:
    """Return the index of each wanted channel, by name.

    Parameters
    ----------
    wanted, available : iterable of str
        Channel names; compared exactly first, then without regard to case.
    who : str
        Who asks, for the error.

    Returns
    -------
    list of int
        One index into `available` for each wanted name.

    Raises
    ------
    ArgumentError
        If a name is missing.
    """
    names = list(available)
    exact = {name: index for index, name in enumerate(names)}
    folded = {name.lower(): index for index, name in reversed(list(enumerate(names)))}
    found: list[int] = []
    missing: list[str] = []
    for name in wanted:
        index = exact.get(name, folded.get(name.lower()))
        if index is None:
            missing.append(name)
        else:
            found.append(index)
    if missing:
        raise ArgumentError(
            f"{who} needs the channel{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"the stream has {', '.join(names)}."
        )
    return found
