"""What an emulated device does to its samples on their way: the plan of an emulator, and the truth it leaves."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import ArgumentError, check_int, check_range
from bcikit.signal.documents import json_of
from bcikit.signal.rebuild import rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlan:
    """Planted faults of a link and of the device behind it. Samples are counted from the first start of the stream.

    Attributes
    ----------
    rate : float or None
        Samples a second that the device really takes; its nominal rate where it is None.
    block : int
        Samples that are delivered together (the latency timer of a USB bridge, a packet of a radio link).
    latency : float
        Shortest time from a sample to its delivery, seconds.
    jitter : float
        Mean of the random wait, exponential, that a block has on top, seconds.
    stalls : tuple of (float, float)
        Start and length in seconds since the start: nothing is delivered meanwhile, and all of it afterwards.
    drain : float
        Samples a second at which a link catches up after a stall; 0 is as fast as it goes.
    lost : tuple of (int, int)
        First sample and number of samples that are taken and never delivered.
    resets : tuple of int
        Samples at which the device starts anew: its packet counter begins at 0.
    repeated : tuple of int
        Samples that are delivered twice.
    noise : tuple of int
        Samples before which bytes that belong to no packet are sent.
    broken : tuple of int
        Samples whose last byte is wrong, so that a driver throws them away.
    silent_after : float or None
        Seconds after which nothing is delivered any more; 0 is a board that opens and never delivers.
    restart_counter : bool
        Whether the packet counter begins at 0 each time the stream is started.
    seed : int
        Of the random waits.
    """

    rate: float | None = None
    block: int = 1
    latency: float = 0.0005
    jitter: float = 0.0
    stalls: tuple[tuple[float, float], ...] = ()
    drain: float = 0.0
    lost: tuple[tuple[int, int], ...] = ()
    resets: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    noise: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    silent_after: float | None = None
    restart_counter: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_int("block", self.block, low=1)
        for name in ("latency", "jitter", "drain"):
            check_range(name, getattr(self, name), low=0.0)
        if self.rate is not None:
            check_range("rate", self.rate, low=0.0, low_open=True, unit="Hz")

    def gone(self, k: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the samples `k` never reach the driver whole."""
        gone = np.isin(k, self.broken)
        for first, count in self.lost:
            gone |= (k >= first) & (k < first + count)
        return gone

    def counter(self, k: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how far the device has counted at each sample: from 0, and from 0 again after a reset."""
        started = np.zeros_like(k)
        for at in sorted(self.resets):
            started[k >= at] = at
        return k - started

    def to_json(self) -> str:
        """Return the plan as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "LinkPlan":
        """Return the plan that `to_json` wrote.

        Raises
        ------
        ArgumentError
            If it is no JSON, or a key is unknown or of another type.
        """
        try:
            return rebuild(cls, json_of(text), what="plan")
        except ValueError as error:
            raise ArgumentError(str(error)) from None
