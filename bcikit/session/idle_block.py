"""The idle test as a block of a session: rest before the first run, in which the false activations are counted."""

from bcikit.paradigms import WindowRequest
from bcikit.safety.idle import IdleTest

KIND = "idle-test"
"""Of the windows decided in it (`WindowRequest.kind`), and the reason why the paradigm's clock stands still."""

PATIENCE = 2.0
"""It ends without a result after so many times its length: where the signal is bad, nothing is counted."""


class IdleBlock:
    """Says which windows of the rest are decided, and when it is over.

    Windows are those that the paradigm decides in its runs: as long, and as often. The gate that judges them is one
    of its own with the session's limits (`bcikit.safety.IdleTest`); what it would let through is a false activation.

    Parameters
    ----------
    seconds : float
        Length; 0 for none.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.wanted = seconds > 0
        self.running = False
        self.result: dict[str, float | int | bool] = {}
        self._begun = 0.0
        self._next = 0
        self._length = 0
        self._hop = 1

    def begin(self, sample: int, now: float, *, n_times: int, hop: int) -> None:
        """Begin with the first window that holds nothing from before `sample`; lengths in samples."""
        self.running = True
        self._begun = now
        self._length, self._hop = n_times, hop
        self._next = sample + n_times

    def due(self, stop_sample: int) -> list[WindowRequest]:
        """Return the windows that are complete before `stop_sample`."""
        found = []
        while self.running and self._next <= stop_sample:
            found.append(WindowRequest(self._next, self._length, trial=-1, kind=KIND))
            self._next += self._hop
        return found

    def over(self, test: IdleTest, now: float) -> bool:
        """Return whether enough was measured, or nothing will be."""
        return test.seconds >= self.seconds or now - self._begun >= PATIENCE * self.seconds

    def end(self, test: IdleTest | None, *, complete: bool) -> dict[str, float | int | bool]:
        """End; one that was broken off is still wanted."""
        self.running = False
        self.wanted = not complete
        self.result = {"complete": complete}
        if test is not None:
            self.result |= {"seconds": round(test.seconds, 3), "activations": test.activations}
            if test.seconds:
                self.result["per_minute"] = round(test.activations * 60.0 / test.seconds, 4)
        return self.result
