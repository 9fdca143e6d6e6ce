"""Drivers that the guard can own: a simulated hand, a simulated muscle stimulator, and the contract of both."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from bcikit.plugins.table import candidates
from bcikit.safety.guard.fes import FesCommand, FesError, FesLimits, FesTrain
from bcikit.safety.guard.protocol import finite


class DriverError(Exception):
    """A driver refuses a command."""


class Driver(ABC):
    """Owns an actuator. Every call returns quickly; `safe` works in any state, any number of times."""

    simulated: ClassVar[bool] = False
    """True if it moves nothing and touches nobody: only then may an unattended session use it."""

    channels: ClassVar[int | None] = None
    """Output channels of a stimulator; None where the driver itself has to be asked."""

    @classmethod
    def from_port(cls, port: str) -> Self:
        """Open the driver; `port` is what follows its name.

        Raises
        ------
        DriverError
            If it takes no port and one is given.
        """
        if port:
            raise DriverError(f"{cls.__name__} takes nothing after its name, not {port!r}")
        return cls()

    @abstractmethod
    def apply(self, name: str, value: float | str | None, data: Mapping[str, Any], now: float) -> None:
        """Do what a command says, inside the driver's own limits.

        Raises
        ------
        DriverError
            If it is outside them.
        """

    @abstractmethod
    def safe(self) -> None:
        """No motion, no current, at once."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what the actuator does; ready for JSON. The entry "output" is 0 at rest."""

    def rest(self) -> None:
        """Return to rest because a command expired."""
        self.safe()

    def tick(self, now: float) -> None:
        """Move on in time: ramps, limits, keep-alives."""

    def ready(self) -> bool:
        """Return whether the actuator answers."""
        return True

    def close(self) -> None:
        """Go safe and give back every handle."""
        self.safe()


class SimulatedHand(Driver):
    """A hand that closes and opens with limited speed and acceleration.

    Parameters
    ----------
    speed : float
        Most closure a second; 1/3 is 30 degrees a second over a range of 90 degrees.
    acceleration : float
        Most change of speed a second; 2/3 is 60 degrees a second squared.
    """

    simulated: ClassVar[bool] = True

    def __init__(self, *, speed: float = 1 / 3, acceleration: float = 2 / 3) -> None:
        self._limit, self._acceleration = speed, acceleration
        self.closure = 0.0
        self.velocity = 0.0
        self.limited = 0
        self._wanted_speed = speed
        self._target: float | None = None
        self._last: float | None = None

    def apply(self, name: str, value: float | str | None, data: Mapping[str, Any], now: float) -> None:  # noqa: ARG002
        """Take "close" or "open" with a target from 0 to 1, or "rest"; `speed` in `data` asks for closures a second."""
        targets = {"close": 1.0, "open": 0.0, "rest": self.closure}
        if name not in targets:
            raise DriverError(f"a hand cannot {name!r}")
        wanted = targets[name] if value is None or name == "rest" else value
        if not isinstance(wanted, int | float) or not 0.0 <= wanted <= 1.0:
            raise DriverError(f"closure {wanted!r} is outside 0 to 1")
        speed = data.get("speed", self._limit)
        if not isinstance(speed, int | float) or not finite(speed) or speed <= 0:
            raise DriverError(f"speed {speed!r} is no speed")
        # Limited, not refused: a movement that is too slow is safe; it is counted, so that a person hears of it.
        self.limited += speed > self._limit
        self._wanted_speed = min(float(speed), self._limit)
        self._target = None if name == "rest" else float(wanted)

    def tick(self, now: float) -> None:
        """Move towards the target."""
        step = 0.0 if self._last is None else max(0.0, min(now - self._last, 0.1))
        self._last = now
        if self._target is None:
            self.velocity = 0.0
            return
        distance = self._target - self.closure
        # The speed from which the hand can still stop at the target.
        reachable = min(self._wanted_speed, (2.0 * self._acceleration * abs(distance)) ** 0.5)
        wanted = reachable if distance > 0 else -reachable
        change = self._acceleration * step
        self.velocity += max(-change, min(change, wanted - self.velocity))
        moved = self.velocity * step
        if abs(moved) >= abs(distance):
            moved, self.velocity = distance, 0.0
        self.closure = max(0.0, min(1.0, self.closure + moved))

    def safe(self) -> None:
        """Stop where it is."""
        self._target = None
        self.velocity = 0.0

    def state(self) -> dict[str, Any]:
        """Return closure and speed."""
        moving = self._target is not None
        return {
            "driver": "sim-hand",
            "closure": self.closure,
            "velocity": self.velocity,
            "limited": self.limited,
            "output": float(moving),
        }


class SimulatedFes(Driver):
    """A muscle stimulator that counts instead of stimulating; every limit of `FesLimits` holds.

    Parameters
    ----------
    limits : FesLimits
        Ceilings, set by a clinician.
    """

    simulated: ClassVar[bool] = True
    channels: ClassVar[int | None] = 1

    def __init__(self, *, limits: FesLimits | None = None) -> None:
        self._train = FesTrain(limits or FesLimits())
        self.current_ma = 0.0

    def apply(self, name: str, value: float | str | None, data: Mapping[str, Any], now: float) -> None:  # noqa: ARG002
        """Take "stimulate" with the parameters of `FesCommand` in `data`, or "rest"."""
        self.current_ma = fes_apply(self._train, name, data, now)

    def tick(self, now: float) -> None:
        """Follow the ramp."""
        self.current_ma = self._train.current(now)

    def safe(self) -> None:
        """No current."""
        self._train.stop()
        self.current_ma = 0.0

    def state(self) -> dict[str, Any]:
        """Return the current and the time of use."""
        return {
            "driver": "sim-fes",
            "current_ma": self.current_ma,
            "on_s": self._train.on_s,
            "trains": self._train.trains,
            "output": self.current_ma,
        }


def fes_apply(train: FesTrain, name: str, data: Mapping[str, Any], now: float) -> float:
    """Hand a command to the one train there is and return the current in mA; turns refusals into `DriverError`."""
    try:
        if name == "rest":
            train.stop()
        elif name == "stimulate":
            channel = data.get("channel", 1)
            if channel != 1:
                # Otherwise it would flow elsewhere than where it was asked for.
                raise DriverError(f"channel is {channel!r}; this stimulator has one, so leave it at 1")
            seconds = data.get("duration", 0.0)
            if not isinstance(seconds, int | float) or not finite(seconds) or seconds < 0:
                raise DriverError(f"duration is {seconds!r}; it must be a number")
            # 0 stands for no plan, as wherever commands are renewed.
            train.command(FesCommand.from_data(data), now, seconds=float(seconds) or math.inf)
        else:
            raise DriverError(f"a stimulator cannot {name!r}")
        return train.current(now)
    except FesError as error:
        raise DriverError(str(error)) from None


def open_driver(spec: str) -> Driver:
    """Return a driver by its name and what follows it: "sim-hand", "sim-fes", "serial-fes:PORT".

    Raises
    ------
    DriverError
        If there is none of that name, or it cannot be opened.
    """
    # Nothing but the name is looked at here: a port is whatever the driver takes for one.
    name, _, rest = spec.partition(":")
    known = candidates("drivers")
    if name not in known:
        raise DriverError(f"no driver {name!r}; there are {', '.join(known)}")
    if len(known[name]) > 1:
        raise DriverError(f"the driver {name!r} comes from {' and '.join(one.package for one in known[name])}")
    (plugin,) = known[name]
    try:
        found = plugin.load()
    except ImportError as error:
        raise DriverError(str(error)) from None
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise DriverError(f"the driver {name!r} of {plugin.package} is no class of Driver")
    return found.from_port(rest)
