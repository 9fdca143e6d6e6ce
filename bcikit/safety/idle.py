"""The idle test: how often the gate would have acted while the participant did nothing (rule A-IDLE)."""

from bcikit.safety.gate import Gate
from bcikit.safety.settings import GateSettings
from bcikit.signal import Decision


class IdleTest:
    """Runs decisions through a gate of its own and counts the actions it would have started.

    Windows overlap, so that k-of-n does not multiply as if they were independent: the rate must be measured.

    Parameters
    ----------
    settings : GateSettings
        The limits that will be armed.
    start : float
        Seconds on the engine's clock.
    """

    def __init__(self, settings: GateSettings, start: float) -> None:
        self._gate = Gate(settings)
        self.start = start
        self.seconds = 0.0
        self.activations = 0

    def judge(self, decision: Decision, now: float) -> bool:
        """Return whether this decision would have started an action."""
        self.seconds = max(self.seconds, now - self.start)
        if self._gate.judge(decision, now):
            return False
        begun = self._gate.commit(decision, now)
        self.activations += begun
        return begun

    def per_minute(self, now: float) -> float:
        """Return the false activations a minute up to `now`."""
        return self.activations * 60.0 / max(now - self.start, 1e-9)
