"""What was done so far: trials, answers and movements, counted from what a session says."""

from bcikit.signal import Event
from bcikit.signal.messages import Counted, Happened, LinkHealth, Message, Sent


class TrialCounts:
    """Counts trials, answers and movements; what is told twice counts once.

    A movement that is held is renewed many times a second: the trial counts, not the command.
    """

    def __init__(self) -> None:
        self._trials: set[int] = set()
        self._answers: dict[int, bool] = {}
        self._moved: set[int] = set()
        self._rewards: set[float] = set()
        self._first: float | None = None
        self._last = 0.0

    def take(self, message: Message) -> None:
        """Count a message."""
        match message:
            case Sent():
                command = message.command
                self._moved.add(int(command.data.get("trial", -1 - command.sequence)))
            case Happened():
                self._pass(message.time)
                self._event(message.event)
            case LinkHealth():
                self._pass(message.time)

    def _pass(self, time: float) -> None:
        if time:
            self._first = time if self._first is None else self._first
            self._last = max(self._last, time)

    def _event(self, event: Event) -> None:
        trial = int(event.data.get("trial", -1))
        if event.name == "trial/end" and not event.data.get("interrupted") and event.data.get("kind") != "custom":
            self._trials.add(trial)
        elif event.name == "feedback/result":
            self._answers[trial] = bool(event.data.get("correct", event.data.get("hit")))
        elif event.name == "feedback/reward":
            self._rewards.add(event.time)

    @property
    def now(self) -> Counted:
        """What was counted so far."""
        return Counted(
            trials=len(self._trials),
            answered=len(self._answers),
            correct=sum(self._answers.values()),
            movements=len(self._moved),
            rewards=len(self._rewards),
            seconds=0.0 if self._first is None else self._last - self._first,
            time=self._last,
        )
