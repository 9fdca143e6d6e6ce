"""What was done so far in a training, counted from what the engine says and from what it wrote down."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bcikit.recording.jsonlines import read_lines
from bcikit.signal import RecordingError


class Total(NamedTuple):
    """Trials that are over, trials with an answer, right answers, trials in which something moved, rewards, seconds."""

    trials: int = 0
    answered: int = 0
    correct: int = 0
    movements: int = 0
    rewards: int = 0
    seconds: float = 0.0

    def plus(self, other: "Total") -> "Total":
        """Return the sum of both."""
        return Total(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))  # type: ignore[arg-type]


class Counts:
    """Trials, answers and movements over all parts of a training; what is told twice counts once."""

    def __init__(self) -> None:
        self._before = Total()
        self._forget()

    def _forget(self) -> None:
        self._trials: set[int] = set()
        self._answers: dict[int, bool] = {}
        self._moved: set[int] = set()
        self._rewards: set[float] = set()
        self._first: float | None = None
        self._last = 0.0

    @property
    def part(self) -> Total:
        """Of the part that runs."""
        right = sum(self._answers.values())
        seconds = 0.0 if self._first is None else self._last - self._first
        return Total(len(self._trials), len(self._answers), right, len(self._moved), len(self._rewards), seconds)

    @property
    def total(self) -> Total:
        """Of all parts."""
        return self._before.plus(self.part)

    def take(self, message: Mapping[str, Any]) -> None:
        """Count a message of the engine."""
        data = message.get("data") or {}
        if message.get("type") in ("event", "health") and message.get("time"):
            self._first = float(message["time"]) if self._first is None else self._first
            self._last = max(self._last, float(message["time"]))
        if message.get("type") == "command":
            # A movement that is held is renewed many times a second: the trial counts, not the command.
            self._moved.add(int(data.get("trial", -1 - int(message.get("sequence", 0)))))
        elif message.get("type") == "event":
            self._event(str(message.get("name", "")), data, float(message.get("time") or 0.0))

    def _event(self, name: str, data: Mapping[str, Any], time: float) -> None:
        trial = int(data.get("trial", -1))
        if name == "trial/end" and not data.get("interrupted") and data.get("kind") != "custom":
            self._trials.add(trial)
        elif name == "feedback/result":
            self._answers[trial] = bool(data.get("correct", data.get("hit")))
        elif name == "feedback/reward":
            self._rewards.add(time)

    def read(self, folder: Path) -> None:
        """Count what the engine of a part wrote down so far; a folder that is gone or damaged counts nothing."""
        for kind, name in (("event", "events"), ("command", "commands")):
            for record in _lines(folder / f"{name}.jsonl"):
                self.take({**record, "type": kind})

    def next_part(self) -> None:
        """Begin another part: its trials have the same numbers."""
        self._before = self.total
        self._forget()


def counts_of(folders: Iterable[str]) -> Counts:
    """Return the counts of the parts in these folders, the newest still open."""
    counts = Counts()
    for folder in folders:
        counts.next_part()
        counts.read(Path(folder))
    return counts


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        return read_lines(path)
    except (OSError, RecordingError):
        return []
