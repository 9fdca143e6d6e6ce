"""Reached: whether what an output drives takes what is written to it, said while it does not."""

from bcikit.safety.levels import Reading, Severity


class Reached:
    """Remembers the last failure to write until a write succeeds.

    A buffer that is full for a moment is none: what does not fit is dropped and counted, and the next may fit.

    Parameters
    ----------
    what : str
        What is written to, as its user named it: "serial:COM3".
    severity : Severity
        DEGRADE where what is written to moves something by itself, WARN where it only shows.
    """

    def __init__(self, what: str, severity: Severity) -> None:
        self._what = what
        self._severity = severity
        self.problem = ""

    def failed(self, error: Exception) -> None:
        """Take note of a write that failed."""
        if not isinstance(error, BlockingIOError):
            said = getattr(error, "strerror", None) or error
            self.problem = f"{self._what} cannot be written to: {said}"

    def reached(self) -> None:
        """Take note of a write that succeeded."""
        self.problem = ""

    def trouble(self) -> Reading | None:
        """Return the failure as long as it lasts."""
        if not self.problem:
            return None
        return Reading(rule="H-BEAT", severity=self._severity, value=self.problem, limit="reached")

    def state(self) -> dict[str, str]:
        """Return the failure for the output's state; nothing while there is none."""
        return {"problem": self.problem} if self.problem else {}
