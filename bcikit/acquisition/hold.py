"""Samples that are held back after a pause, until it shows whether the link stood still or samples were lost."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Flag

CALM = 0.1
"""Seconds in which the held samples must not become less late: then the link has caught up."""

LONGEST = 2.0
"""Seconds after which samples are let go, whether the link has caught up or not."""

_STEP = 0.003
"""Seconds by which samples must become less late to say that the link still catches up."""


@dataclass(slots=True)
class Hold:
    """What came since a pause, and how late it was.

    The first samples after a pause tell nothing: if the link stood still they come in a rush, each less late than the
    one before, and the last of the rush is on time. If samples were lost, the first is on time already.

    Attributes
    ----------
    arrival : float
        When the first held block arrived.
    flags : Flag
        What the first chunk that is let go will carry.
    restarted : bool
        The packet counter began anew or cannot be trusted here.
    """

    arrival: float
    period: float
    flags: Flag = Flag.NONE
    restarted: bool = False
    data: list[NDArray[np.float64]] = field(default_factory=list)
    stamps: list[NDArray[np.float64]] = field(default_factory=list)
    packets: list[NDArray[np.float64] | None] = field(default_factory=list)
    _n: int = 0
    _least: float = float("inf")
    _moved: float = 0.0
    _newest: float = 0.0

    def add(
        self,
        data: NDArray[np.float64],
        stamps: NDArray[np.float64],
        packets: NDArray[np.float64] | None,
        arrival: float,
    ) -> None:
        """Take a block."""
        self.data.append(data)
        self.stamps.append(stamps)
        self.packets.append(packets)
        self._newest = arrival
        late = float((stamps - self.period * (self._n + np.arange(stamps.shape[0]))).min())
        self._n += stamps.shape[0]
        if late < self._least - _STEP or self._moved == 0.0:
            self._moved = arrival
        self._least = min(late, self._least)

    def over(self, now: float, *, still_late: bool = False) -> bool:
        """Return whether the link has caught up, or was given time enough; one that is still late has not."""
        return (self.calm and not still_late) or now - self.arrival >= LONGEST

    @property
    def newest(self) -> float:
        """When the newest held block arrived."""
        return self._newest

    @property
    def least(self) -> float:
        """Least late stamp of what is held, less the periods that it follows the first."""
        return self._least

    @property
    def calm(self) -> bool:
        """True once the link has caught up: for a while, what came was no less late. Silence shows nothing."""
        return self._newest - self._moved >= CALM

    def whole(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
        """Return data, stamps and packet numbers of all that is held."""
        packets = [part for part in self.packets if part is not None]
        return (
            np.ascontiguousarray(np.concatenate(self.data)),
            np.concatenate(self.stamps),
            np.concatenate(packets) if packets else None,
        )
