"""Guard: commands go to the process that owns the actuator, and that goes safe when everything else dies."""

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bcikit import plugins
from bcikit.outputs.base import Output
from bcikit.safety.guard.client import GuardClient, GuardError, GuardSilentError
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import Address, Command

LIFE_S = 0.25
"""Seconds that a command lives in the guard; a longer action is renewed while the session goes on."""

LOOK_S = 0.25
"""Seconds between two looks at an armed guard: whether it still is, and what its driver does."""


_RULES = {
    "operator": ("A-STOP", Severity.FAULT),
    "dead-man": ("A-DM", Severity.FAULT),
    "flood": ("G-LINK", Severity.FAULT),
    "message": ("G-LINK", Severity.FAULT),
    "driver": ("A-FES", Severity.FAULT),
    "end": ("H-BEAT", Severity.FAULT),
}
"""Rule and severity by the cause for which the guard went safe."""


class GuardOutput(Output):
    """Starts a guard, arms it with the first command, and keeps it alive with every `tick`.

    The guard runs on the wall clock: it is for sessions in real time. While it is armed it is looked at; a guard that
    went safe by itself is no longer armed here either, and the monitors of safety hear why: A-STOP and A-DM if a person
    stopped it or let go, A-FES if its driver refused a command, G-LINK if it was flooded or sent what it must not
    believe, H-BEAT if it lost the engine or is gone, A-RATE if its driver made a movement slower than it was asked for.
    What a person stopped is armed again only after `release`.

    A command with a `duration` in its data (assistance) lasts so long: it is renewed with every `tick`, so that it ends
    within a quarter of a second when nobody renews it, and at once when told to be safe.

    Parameters
    ----------
    driver : str
        "sim-hand", "sim-fes", "serial-fes:PORT".
    dead_man : bool
        Whether a dead-man switch must be held.
    log : str
        File to which the guard itself writes one JSON line each time it goes safe, even after the engine is dead.
    """

    scheme: ClassVar[str] = "guard"
    body: ClassVar[str] = "driver"
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {"dead_man": lambda text: bool(int(text)), "log": str}
    paths: ClassVar[tuple[str, ...]] = ("log",)
    real_time: ClassVar[bool] = True
    stops_from_any_thread: ClassVar[bool] = True

    @classmethod
    def can_touch(cls, address: Address) -> bool:
        """Return whether the guard's driver is a real one."""
        return not getattr(cls._driver_of(address), "simulated", False)

    @property
    def touches(self) -> bool:
        """Whether the driver is a real one."""
        return self.can_touch(Address(scheme=self.scheme, body=self.driver, options={}))

    @classmethod
    def channels_of(cls, address: Address) -> int | None:
        """Return how many channels the guard's stimulator has; None if only the driver itself knows."""
        found: int | None = getattr(cls._driver_of(address), "channels", None)
        return found

    @staticmethod
    def _driver_of(address: Address) -> Any:
        driver = address.options.get("driver", address.body) or "sim-hand"
        return plugins.load("drivers", driver.partition(":")[0])

    def __init__(self, driver: str = "sim-hand", *, dead_man: bool = False, log: str = "") -> None:
        self.driver = driver
        self._needs_dead_man = dead_man
        self._begin(GuardClient.launch(driver, dead_man=dead_man, log=log or None))

    def _begin(self, client: GuardClient) -> None:
        self._client: GuardClient | None = client
        self._armed = False
        self._problem = ""
        self._trips: list[str] = []
        self._trouble: Reading | None = None
        self._commands = 0
        self._peak = 0.0
        self._last: dict[str, Any] = {}
        self._look_at = float("-inf")
        self._told: float | None = None
        self._limited = 0
        self._going: tuple[Command, float] | None = None

    def send(self, command: Command) -> None:
        """Hand on a command; arms the guard first where that is needed. What takes an action back lets go."""
        if self._client is None:
            return
        if command.name == "undo":
            # No driver knows how to undo what it did, and what a driver refuses is a fault.
            self.safe("undo")
            return
        try:
            if not self._armed:
                self._client.arm()
                self._armed = True
                self._told = None
            self._hand_on(self._client, command)
            self._commands += 1
            seconds = float(command.data.get("duration", 0.0))
            self._going = (command, time.monotonic() + seconds) if seconds > LIFE_S else None
        except (GuardError, OSError) as error:
            # The guard is gone or refuses: it is safe by then, and the state says why.
            self._lost(str(error))

    def renew(self, command: Command) -> None:
        """Do nothing: `tick` renews what goes on, and what the guard ended by itself must not begin again."""

    def tick(self, now: float) -> None:  # noqa: ARG002
        """Say that the engine's loop goes round, and look at what the guard does."""
        if self._client is None:
            return
        self._client.alive()
        self._renew(self._client)
        # Not armed, too: somebody may have stopped the guard itself, in a break.
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            self._look(self._client)

    def trouble(self) -> Reading | None:
        """Return why the guard went safe by itself, once."""
        found, self._trouble = self._trouble, None
        return found

    def safe(self, reason: str = "") -> None:
        """Have the guard go safe at once."""
        self._going = None
        if self._client is not None and self._armed:
            self._armed = False
            try:
                self._client.safe(reason or "safe")
            except (GuardError, OSError) as error:
                # It is gone, and went safe before.
                self._lost(str(error))

    def stop(self, reason: str) -> None:
        """Have the guard go safe at once and stay so until `release`."""
        self._going = None
        self._armed = False
        if self._client is not None:
            try:
                self._client.safe(reason or "stop", latch=True)
            except (GuardError, OSError) as error:
                self._lost(str(error))

    def release(self, who: str, reason: str) -> None:
        """Hand on to the guard that a person undid the stop; it is armed by the next command."""
        if self._client is None:
            return
        try:
            self._client.release(who, reason)
            self._told = None
        except (GuardError, OSError) as error:
            self._lost(str(error))

    def hold(self, *, held: bool) -> None:
        """Hand on the dead-man switch to the guard, which lets go by itself when nobody renews it."""
        if self._client is None or not self._needs_dead_man:
            return
        try:
            self._client.hold(held=held)
        except (GuardError, OSError) as error:
            self._lost(str(error))

    def close(self) -> None:
        """Go safe and end the guard."""
        if self._client is not None:
            self.safe("closed")
            self._client.close()
            self._client = None

    def state(self) -> dict[str, Any]:
        """Return what the guard says of itself, what was sent, and when it went safe by itself.

        A guard that is gone went safe before; of one that is there and says nothing, nobody knows.
        """
        said: dict[str, Any] = {}
        silent = False
        if self._client is not None:
            try:
                said = self._last = self._client.state()
            except (GuardError, OSError) as error:
                self._problem = str(error)
                silent = isinstance(error, GuardSilentError)
        return {
            "driver": self.driver,
            "safe": not (silent or said.get("armed", False)),
            "problem": self._problem,
            "commands": self._commands,
            "highest_output": self._peak,
            "trips": list(self._trips),
            "guard": self._last,
        }

    @staticmethod
    def _hand_on(client: GuardClient, command: Command) -> None:
        client.send(command.name, command.value, ttl=min(command.ttl, LIFE_S), data=dict(command.data))

    def _renew(self, client: GuardClient) -> None:
        if self._going is None:
            return
        command, end = self._going
        try:
            if time.monotonic() < end:
                self._hand_on(client, command)
            else:
                self._going = None
                client.send("rest", ttl=LIFE_S)
        except (GuardError, OSError) as error:
            self._lost(str(error))

    def _look(self, client: GuardClient) -> None:
        try:
            said = self._last = client.state()
        except (GuardError, OSError) as error:
            self._lost(str(error))
            return
        self._peak = max(self._peak, float(said["driver"].get("output", 0.0)))
        limited = int(said["driver"].get("limited", 0))
        if limited > self._limited:
            self._trouble = Reading(rule="A-RATE", severity=Severity.WARN, value=limited - self._limited, limit=0)
            self._limited = limited
        if said["armed"] or not (self._armed or said["latched"]):
            return
        self._armed = False
        self._going = None
        cause, trip = str(said["cause"]), str(said["trip"])
        # What this end asked for itself is no news.
        if cause == "engine" or said["trip_time"] == self._told:
            return
        self._told, self._problem = said["trip_time"], trip
        self._trips.append(trip)
        # Somebody must look before it goes on, except where an engine was late for once and then keeps time again.
        rule, severity = _RULES.get(cause, ("H-BEAT", Severity.DEGRADE))
        self._trouble = Reading(rule=rule, severity=severity, value=trip)

    def _lost(self, problem: str) -> None:
        self._problem = problem
        self._armed = False
        self._going = None
        self._trouble = Reading(rule="H-BEAT", severity=Severity.FAULT, value=problem)
