"""The idle test: how often the gate would have acted while the participant did nothing (rule A-IDLE)."""

from bcikit.safety.gate import Gate
from bcikit.safety.settings import GateSettings
from bcikit.signal import Decision

_NOTHING_SHOWN = ("H-LAT", "A-DEC")
"""Rules that refuse a decision whatever it says: their time is no rest that was measured."""


class IdleTest:
    """Runs decisions through a gate of its own and counts the actions it would have started.

    Windows overlap, so that k-of-n does not multiply as if they were independent: the rate must be measured.

    Parameters
    ----------
    settings : GateSettings
        The limits that will be armed.
    start : float
        Seconds on the engine's clock.

    Attributes
    ----------
    seconds : float
        Rest in which decisions were judged; what `skip` was told of is not among it.
    activations : int
        Actions that would have begun.
    """

    def __init__(self, settings: GateSettings, start: float) -> None:
        self._gate = Gate(settings)
        self.start = start
        self.seconds = 0.0
        self.activations = 0
        self._lost = 0.0
        self._until = start

    def judge(self, decision: Decision, now: float) -> bool:
        """Return whether this decision would have started an action."""
        refused = self._gate.judge(decision, now)
        if not refused.keys().isdisjoint(_NOTHING_SHOWN):
            self.skip(now)
            return False
        self._until = max(self._until, now)
        self.seconds = max(self.seconds, now - self.start - self._lost)
        if refused:
            return False
        begun = self._gate.commit(decision, now)
        self.activations += begun
        return begun

    def skip(self, now: float) -> None:
        """Take note that nothing could be judged until `now`: rest in which nothing could have acted shows nothing."""
        self._lost += max(0.0, now - self._until)
        self._until = max(self._until, now)

    def per_minute(self, now: float) -> float:
        """Return the false activations a minute of what was judged up to `now`."""
        return self.activations * 60.0 / max(now - self.start - self._lost, 1e-9)
