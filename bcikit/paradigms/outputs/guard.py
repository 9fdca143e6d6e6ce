"""Guard: commands go to the process that owns the actuator, and that goes safe when everything else dies."""

from typing import Any, ClassVar

from bcikit.paradigms.outputs.base import Output
from bcikit.safety.guard.client import GuardClient, GuardError
from bcikit.signal import Command


class GuardOutput(Output):
    """Starts a guard, arms it with the first command, and keeps it alive with every `tick`.

    The guard runs on the wall clock: it is for sessions in real time. A session that runs faster than live lets its
    commands expire there, as it must.

    Parameters
    ----------
    driver : str
        "sim-hand", "sim-fes", "serial-fes:PORT".
    dead_man : bool
        Whether a dead-man switch must be held.
    """

    scheme: ClassVar[str] = "guard"

    def __init__(self, driver: str = "sim-hand", *, dead_man: bool = False) -> None:
        self.driver = driver
        self._client: GuardClient | None = GuardClient.launch(driver, dead_man=dead_man)
        self._armed = False
        self._problem = ""

    def send(self, command: Command) -> None:
        """Hand on a command; arms the guard first where that is needed."""
        if self._client is None:
            return
        try:
            if not self._armed:
                self._client.arm()
                self._armed = True
            self._client.send(command.name, command.value, ttl=command.ttl, data=dict(command.data))
        except (GuardError, OSError) as error:
            # The guard is gone or refuses: it is safe by then, and the state says why.
            self._problem = str(error)
            self._armed = False

    def tick(self, now: float) -> None:  # noqa: ARG002
        """Say that the engine's loop goes round."""
        if self._client is not None:
            self._client.alive()

    def safe(self, reason: str = "") -> None:
        """Have the guard go safe at once."""
        if self._client is not None and self._armed:
            self._client.safe(reason or "safe")
            self._armed = False

    def close(self) -> None:
        """Go safe and end the guard."""
        if self._client is not None:
            self.safe("closed")
            self._client.close()
            self._client = None

    def state(self) -> dict[str, Any]:
        """Return what the guard says of itself."""
        if self._client is None:
            return {"driver": self.driver, "safe": True, "problem": self._problem}
        try:
            said = self._client.state()
        except (GuardError, OSError) as error:
            return {"driver": self.driver, "safe": True, "problem": str(error)}
        return {"driver": self.driver, "safe": not said.get("armed", False), "problem": self._problem, "guard": said}
