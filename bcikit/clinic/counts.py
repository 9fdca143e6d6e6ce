"""What was done so far in a training, counted from what the engine says and from what it wrote down."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bcikit.recording.jsonlines import read_lines
from bcikit.session.earlier import OWN
from bcikit.signal import RecordingError


class Total(NamedTuple):
    """What was done.

    Attributes
    ----------
    trials : int
        Trials of the training that are over.
    answered, correct : int
        Trials whose deciding window was decoded, and those in which the likeliest class was the one asked for.
    moved, moved_right : int
        Trials in which the gate let something move, and those in which nothing but the right thing moved.
    rewards : int
        Rewards of a neurofeedback.
    seconds : float
        Sum of the trials from start to end: what was trained, not how long the window stood open.
    learned : int
        Trials of a calibration that are over; none of the numbers above is of them.
    """

    trials: int = 0
    answered: int = 0
    correct: int = 0
    moved: int = 0
    moved_right: int = 0
    rewards: int = 0
    seconds: float = 0.0
    learned: int = 0

    def plus(self, other: "Total") -> "Total":
        """Return the sum of both."""
        return Total(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))  # type: ignore[arg-type]


class Counts:
    """Trials, answers and movements over all parts of a training; what is told twice counts once."""

    def __init__(self) -> None:
        self._before = Total()
        self._forget()

    def _forget(self) -> None:
        self._spans: dict[int, float] = {}
        self._learned: set[int] = set()
        self._begun: dict[int, float] = {}
        self._asked: dict[int, str] = {}
        self._answers: dict[int, bool] = {}
        self._moved: dict[int, set[str]] = {}
        self._rewards: set[float] = set()
        self._last_trial = -1

    @property
    def part(self) -> Total:
        """Of the part that runs."""
        over = self._moved.keys() & self._spans.keys() if self._spans else self._moved.keys()
        right = sum(self._right(trial) for trial in over)
        return Total(
            trials=len(self._spans),
            answered=len(self._answers),
            correct=sum(self._answers.values()),
            moved=len(over),
            moved_right=right,
            rewards=len(self._rewards),
            seconds=sum(self._spans.values()),
            learned=len(self._learned),
        )

    def moved_in(self, trial: int) -> bool:
        """Return whether something moved in a trial of the part that runs."""
        return trial in self._moved

    def _right(self, trial: int) -> bool:
        """Return whether nothing but the right thing moved in a trial."""
        classes = self._moved[trial] - {""}
        if classes:
            return classes == {self._asked.get(trial, "")}
        # A movement without a class of its own (a letter, a reward) is right where the answer was.
        return self._answers.get(trial, True)

    @property
    def total(self) -> Total:
        """Of all parts."""
        return self._before.plus(self.part)

    def take(self, message: Mapping[str, Any]) -> None:
        """Count a message of the engine."""
        data = message.get("data") or {}
        if message.get("type") == "command":
            # A movement that is held is renewed many times a second: the trial counts, not the command.
            trial = int(data.get("trial", self._last_trial))
            self._moved.setdefault(trial, set()).add(str(data.get("class", "")))
        elif message.get("type") == "event" and message.get("source", "paradigm") in OWN:
            self._event(str(message.get("name", "")), data, float(message.get("time") or 0.0))

    def _event(self, name: str, data: Mapping[str, Any], time: float) -> None:
        trial = int(data.get("trial", -1))
        if name == "trial/start":
            self._last_trial = trial
            self._begun[trial], self._asked[trial] = time, str(data.get("class", ""))
        elif name.startswith("cue/") and trial >= 0:
            self._asked.setdefault(trial, name.removeprefix("cue/"))
        elif name == "trial/end" and not data.get("interrupted") and data.get("kind") != "custom":
            if data.get("kind") == "calibration":
                self._learned.add(trial)
                return
            self._spans[trial] = max(0.0, time - self._begun.get(trial, time))
        elif name == "feedback/result":
            self._answers[trial] = bool(data.get("correct", data.get("hit")))
        elif name == "feedback/reward":
            self._rewards.add(time)

    def read(self, folder: Path) -> None:
        """Count what the engine of a part wrote down so far; a folder that is gone or damaged counts nothing."""
        told = [
            {**record, "type": kind}
            for kind, name in (("event", "events"), ("command", "commands"))
            for record in _lines(folder / f"{name}.jsonl")
        ]
        # A command that names no trial (a letter, a choice) is of the one that runs: told in the order of time.
        for message in sorted(told, key=lambda one: float(one.get("time") or 0.0)):
            self.take(message)

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
