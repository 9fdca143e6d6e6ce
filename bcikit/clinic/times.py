"""Times as the people of the clinic read them: their own clock, not that of Greenwich."""

from datetime import datetime


def now() -> str:
    """Return the time with its zone, to the second, as ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def today() -> str:
    """Return the day here, as ISO 8601."""
    return now()[:10]


def local(text: str) -> str:
    """Return a stored time (ISO 8601) as day and minute of this place; what is only a day stays a day."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if len(text) <= 10:
        return text
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


def local_day(text: str) -> str:
    """Return the day of a stored time at this place."""
    return local(text)[:10]
