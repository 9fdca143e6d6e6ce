"""Note: what a reader found, changed or could not decide about a recording."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


class DoubtWarning(UserWarning):
    """Something about data is in doubt and was not decided by an option; the text says what and how to decide it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing worth knowing about a recording.

    Attributes
    ----------
    code : str
        One word: "unit", "rate", "lost", "repaired", "clock", "events", "streams", "amplitude", ...
    text : str
        For a person; of a doubt it says what to do.
    doubt : bool
        True where it may be wrong and nobody decided: a command that takes the data then ends with exit code 1.
    count : int
        How many samples, events or streams it is about; 0 where that means nothing.
    """

    code: str
    text: str
    doubt: bool = False
    count: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {"code": self.code, "text": self.text, "doubt": self.doubt, "count": self.count}


@contextmanager
def gathered_doubts() -> Iterator[list[str]]:
    """Collect the doubts that are warned of in the block, each once, instead of showing them as warnings."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", DoubtWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
            if not issubclass(category, DoubtWarning):
                shown(message, category, *rest)
            elif str(message) not in found:
                found.append(str(message))

        warnings.showwarning = show  # type: ignore[assignment]
        yield found
