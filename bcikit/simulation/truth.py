"""The ground-truth log: what the simulation did, when and how much."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true of the simulated signal.

    Attributes
    ----------
    sample : int
        First sample it is in.
    what : str
        "imagery", "blink", "lapse", "pop", ...
    data : mapping
        Its parameters; ready for JSON.
    """

    sample: int
    what: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Truth:
    """The facts of one run, in the order in which they were decided."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []

    def add(self, sample: int, what: str, **data: Any) -> None:
        """Note one."""
        self._facts.append(Fact(int(sample), what, data))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def of(self, what: str) -> list[Fact]:
        """Return the facts of one kind, in order of their samples."""
        return sorted((fact for fact in self._facts if fact.what == what), key=lambda fact: fact.sample)

    def save(self, path: str | Path) -> None:
        """Write them as JSON lines, in order of their samples."""
        ordered = sorted(self._facts, key=lambda fact: fact.sample)
        lines = [json.dumps({"sample": fact.sample, "what": fact.what, **fact.data}) for fact in ordered]
        Path(path).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
