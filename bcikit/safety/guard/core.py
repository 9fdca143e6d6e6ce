"""What the guard does with each datagram and each tick, free of sockets and clocks."""

import enum
import math
from collections import Counter, deque
from typing import Any

from bcikit.safety.guard.drivers import Driver, DriverError
from bcikit.safety.guard.protocol import DEADLINE_S, ROLES, ProtocolError, authentic, pack, role_key, unpack

FLOOD = 400
"""Datagrams in any one second above which the guard goes safe; an engine sends fewer than a hundred."""

DEAD_MAN_S = 0.080
"""A dead-man switch that was not renewed for so long counts as released."""


class Cause(enum.StrEnum):
    """Why the guard went safe."""

    START = "start"
    SILENCE = "silence"
    """No heartbeat: an engine that was late for once may go on when it keeps time again."""
    STALE = "stale"
    ENGINE = "engine"
    """The engine asked for it, in good order."""
    OPERATOR = "operator"
    DEAD_MAN = "dead-man"
    FLOOD = "flood"
    MESSAGE = "message"
    DRIVER = "driver"
    END = "end"


LATCHED = frozenset({Cause.OPERATOR, Cause.DEAD_MAN, Cause.FLOOD, Cause.MESSAGE, Cause.DRIVER, Cause.END})
"""Causes that no command undoes: a person says, with a reason, that the guard may be armed again."""


class GuardCore:
    """Decides over the driver; without fresh, ordered, signed messages it stays at rest.

    Parameters
    ----------
    driver : Driver
        What it owns.
    key : bytes
        That of the engine, from which those of the other roles come (`bcikit.safety.guard.protocol.role_key`).
    dead_man : bool
        Whether a dead-man switch must be held.
    deadline_s : float
        Longest silence of the engine while armed.
    priority : str
        What the computer gave the guard's process (`bcikit.safety.guard.priority`); it is told with the state.
    """

    def __init__(
        self,
        driver: Driver,
        key: bytes,
        *,
        dead_man: bool = False,
        deadline_s: float = DEADLINE_S,
        priority: str = "ordinary",
    ) -> None:
        self.driver = driver
        self.priority = priority
        self._keys = {role: role_key(key, role) for role in ROLES}
        self._needs_dead_man = dead_man
        self._deadline = deadline_s
        self.armed = False
        self.latched = False
        self.cause = Cause.START
        self.trip = "not armed"
        self.trip_time = -math.inf
        self.quit = False
        self.dropped: Counter[str] = Counter()
        self.accepted = 0
        self.trips: list[tuple[float, str]] = []
        self.released: list[tuple[float, str, str]] = []
        self._sequence: dict[str, int] = {}
        self._beat = -math.inf
        self._held_until = -math.inf
        self._expires: float | None = None
        self._arrivals: deque[float] = deque()

    def receive(self, datagram: bytes, now: float) -> bytes | None:
        """Take one datagram that arrived at `now` and return the answer, if one was asked for."""
        self._arrivals.append(now)
        while self._arrivals[0] < now - 1.0:
            self._arrivals.popleft()
        if len(self._arrivals) > FLOOD:
            self.dropped["flood"] += 1
            # Once: a slow line to the device must not be filled with zeros, one for each message of the flood.
            if self.armed or not self.latched:
                self.go_safe("flood of messages", now, Cause.FLOOD)
            # What a person asks for is heard all the same: a flood must not drown the stop.
            if not _asks_to_stop(datagram):
                return None
        signer = next((role for role, key in self._keys.items() if authentic(datagram, key)), "")
        if not signer:
            self.dropped["not signed"] += 1
            return None
        try:
            message = unpack(datagram)
        except ProtocolError as error:
            self.dropped["malformed"] += 1
            self.go_safe(f"malformed message: {error}", now, Cause.MESSAGE)
            return None
        sender = message["from"]
        if sender != signer:
            # Whoever has one key speaks for that role alone; what it says of itself is not believed, and stops nobody.
            self.dropped["signed by another"] += 1
            return None
        if message["seq"] <= self._sequence.get(sender, -1):
            self.dropped["out of order"] += 1
            self.go_safe(
                f"{sender}: message {message['seq']} is not newer than {self._sequence[sender]}", now, Cause.MESSAGE
            )
            return None
        self._sequence[sender] = message["seq"]
        return self._obey(message, now)

    def tick(self, now: float) -> None:
        """Look at the time: heartbeat, dead-man switch, expired command."""
        if self.armed and now - self._beat > self._deadline:
            self.go_safe(f"no heartbeat for {self._deadline * 1000:.0f} ms", now, Cause.SILENCE)
        if self.armed and self._needs_dead_man and now > self._held_until:
            self.go_safe("dead-man switch released", now, Cause.DEAD_MAN)
        if self.armed and self._expires is not None and now > self._expires:
            self._expires = None
            self._try(self.driver.rest, now)
        self._try(lambda: self.driver.tick(now), now)

    def go_safe(self, reason: str, now: float, cause: Cause, *, latch: bool = False) -> None:
        """Put the driver into its safe state and stay there until armed again.

        Parameters
        ----------
        cause : Cause
            One of `LATCHED` is undone by a person only, and stays the cause until then.
        latch : bool
            Whether to latch whatever the cause: the session itself was stopped.
        """
        latch = latch or cause in LATCHED
        if self.armed or not self.trips or (latch and not self.latched and cause is not Cause.END):
            self.trips.append((now, reason))
            self.trip, self.trip_time, self.cause = reason, now, cause
        elif cause is Cause.OPERATOR:
            # A person's stop is told, whatever made it safe before.
            self.trip, self.trip_time, self.cause = reason, now, cause
        self.latched = self.latched or latch
        self.armed = False
        self._expires = None
        # Again and again: a driver that did not hear it the first time may hear it the next.
        try:
            self.driver.safe()
        except Exception as error:  # noqa: BLE001 - a failing driver must not stop the guard from trying again
            self.dropped[f"driver: {type(error).__name__}"] += 1

    def state(self, now: float) -> dict[str, Any]:
        """Return what the guard knows; ready for JSON."""
        return {
            "armed": self.armed,
            "latched": self.latched,
            "cause": str(self.cause),
            "trip": self.trip,
            "trip_time": self.trip_time if self.trip_time > -math.inf else None,
            "held": now <= self._held_until,
            "accepted": self.accepted,
            "dropped": dict(self.dropped),
            "priority": self.priority,
            "driver": self.driver.state(),
        }

    def _obey(self, message: dict[str, Any], now: float) -> bytes | None:
        do = message["do"]
        age = now - message["t"]
        if do in ("beat", "command", "arm", "dead-man") and not -0.05 <= age <= self._deadline:
            # A beat from the past says nothing about now, and a command from the past is not wanted now.
            self.dropped["stale"] += 1
            self.go_safe(f"{do} is {age * 1000:.0f} ms old", now, Cause.STALE)
            return None
        if message["from"] == "engine" and do in ("beat", "command", "arm"):
            self._beat = message["t"]
        if do == "safe":
            reason = message.get("reason")
            text = f"{message['from']}: {reason if isinstance(reason, str) else 'asked for it'}"[:200]
            cause = _CAUSE_OF[message["from"]]
            self.go_safe(text, now, cause, latch=message.get("latch") is True)
        elif do == "release":
            self._release(message, now)
        elif do == "quit":
            self.go_safe("end of session", now, Cause.END)
            self.quit = True
        elif do == "dead-man":
            self._hold(held=message["held"], now=now, given=message["t"])
        elif do == "arm":
            self._arm(now)
        elif do == "command":
            self._command(message, now)
        if do in ("state", "arm", "safe", "release", "quit"):
            answer = {"v": 1, "answer": message["seq"], "to": message["from"], **self.state(now)}
            return pack(answer, self._keys[message["from"]])
        return None

    def _hold(self, *, held: bool, now: float, given: float) -> None:
        if held:
            self._held_until = given + DEAD_MAN_S
        else:
            self._held_until = -math.inf
            if self._needs_dead_man and self.armed:
                self.go_safe("dead-man switch released", now, Cause.DEAD_MAN)

    def _release(self, message: dict[str, Any], now: float) -> None:
        """Take note that a person undid a stop; it does not arm."""
        if self.latched and self.cause is not Cause.END:
            self.latched = False
            self.released.append((now, message["who"], message["reason"]))
            self.trip, self.trip_time, self.cause = "not armed", now, Cause.START

    def _arm(self, now: float) -> None:
        if self.latched:
            self.dropped["latched"] += 1
            return
        if self._needs_dead_man and now > self._held_until:
            self.trip, self.trip_time = "dead-man switch not held", now
            return
        if not self.driver.ready():
            self.trip, self.trip_time = "the driver is not ready", now
            return
        self.armed = True
        self.trip = ""

    def _command(self, message: dict[str, Any], now: float) -> None:
        if not self.armed:
            self.dropped["not armed"] += 1
            return
        expires = message["t"] + message["ttl"]
        if now > expires:
            self.dropped["stale"] += 1
            self.go_safe("command expired before it arrived", now, Cause.STALE)
            return
        try:
            self.driver.apply(message["name"], message.get("value"), message.get("data", {}), now)
        except DriverError as error:
            self.dropped["refused by the driver"] += 1
            self.go_safe(f"the driver refused: {error}", now, Cause.DRIVER)
        except Exception as error:  # noqa: BLE001 - whatever a driver does wrong, the way out is the safe state
            self.go_safe(f"the driver failed: {type(error).__name__}: {error}", now, Cause.DRIVER)
        else:
            self.accepted += 1
            self._expires = expires

    def _try(self, action: Any, now: float) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - as above
            self.go_safe(f"the driver failed: {type(error).__name__}: {error}", now, Cause.DRIVER)


_CAUSE_OF = {"engine": Cause.ENGINE, "operator": Cause.OPERATOR, "dead-man": Cause.DEAD_MAN}


def _asks_to_stop(datagram: bytes) -> bool:
    """Return whether an unread datagram may be a stop; cheap, since it is asked of every one of a flood."""
    return b'"do":"safe"' in datagram[:512]
