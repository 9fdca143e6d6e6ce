"""A driver of the guard: a lamp that is only simulated."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from bcikit.safety.guard.drivers import Driver, DriverError


class SimulatedLamp(Driver):
    """A lamp with a brightness from 0 to 1."""

    simulated: ClassVar[bool] = True

    def __init__(self) -> None:
        self.brightness = 0.0

    def apply(self, name: str, value: float | str | None, data: Mapping[str, Any], now: float) -> None:  # noqa: ARG002
        """Take "on", with a brightness or without, or "rest"."""
        if name == "rest":
            self.safe()
            return
        if name != "on":
            raise DriverError(f"a lamp cannot {name!r}")
        wanted = value if isinstance(value, int | float) else 1.0
        if not math.isfinite(wanted) or not 0.0 <= wanted <= 1.0:
            raise DriverError(f"brightness {value!r} is outside 0 to 1")
        self.brightness = float(wanted)

    def safe(self) -> None:
        """Dark."""
        self.brightness = 0.0

    def state(self) -> dict[str, Any]:
        """Return the brightness."""
        return {"driver": "sim-lamp", "output": self.brightness}
