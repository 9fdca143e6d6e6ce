"""Health: what is known of the truth of the samples, carried with every chunk."""

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class Bad(enum.IntFlag):
    """Why one sample of one channel must not be believed (bits of `Health.mask`)."""

    NAN = 1
    """Not a number or infinite at the source."""
    RAILED = 2
    """At or near the full scale of the device."""
    REPEATED = 4
    """The device repeated an older sample."""
    FILLED = 8
    """Never measured: put in by a step or an adapter to bridge a gap."""
    AFFECTED = 16
    """Within the settling time of a filter that a bad sample, a gap or a start disturbed."""
    ARTEFACT = 32
    """Not from the brain: blink, muscle, movement."""
    FLAT = 64
    """No change for longer than a living electrode allows."""
    INTERPOLATED = 128
    """Computed from other channels; usable, but no measurement."""


class Flag(enum.IntFlag):
    """What happened to a whole chunk."""

    NONE = 0
    GAP = 1
    """Samples were lost before this chunk (`Health.lost` says how many)."""
    OVERFLOW = 2
    """A buffer was full: samples may have been lost without a trace."""
    CLOCK = 4
    """Times went backwards or jumped."""
    RECONNECTED = 8
    """First chunk of a new segment after the link was lost."""
    STALLED = 16
    """The chunk arrived later than the stall limit."""
    LATE_COUNT = 32
    """The number of lost samples comes from times, not from a packet counter."""
    START = 64
    """First chunk of the stream."""
    REORDERED = 128
    """Packets arrived out of order."""


DISCONTINUITY = Flag.GAP | Flag.OVERFLOW | Flag.RECONNECTED
"""Flags after which the signal does not continue where it stopped."""


@dataclass(slots=True, eq=False)
class Health:
    """Health of one chunk. Treat as read-only: steps make a new one.

    Attributes
    ----------
    lost : int
        Samples lost before the first sample of the chunk.
    mask : ndarray of uint8, shape (n_times, n_channels), or None
        `Bad` bits a sample and channel; None where all are good, which costs nothing.
    age : float
        Seconds from the newest sample's time to its arrival at the host.
    flags : Flag
        What happened to the chunk as a whole.
    """

    lost: int = 0
    mask: NDArray[np.uint8] | None = None
    age: float = 0.0
    flags: Flag = Flag.NONE

    @property
    def clean(self) -> bool:
        """True if no sample is bad, none was lost and nothing is flagged but the start."""
        return self.mask is None and self.lost == 0 and not (self.flags & ~Flag.START)

    @property
    def discontinuous(self) -> bool:
        """True if the signal does not continue where the chunk before stopped."""
        return self.lost > 0 or bool(self.flags & DISCONTINUITY)

    def bad_per_channel(self, n_channels: int) -> NDArray[np.int64]:
        """Return how many samples of each channel are bad, shape ``(n_channels,)``."""
        if self.mask is None:
            return np.zeros(n_channels, dtype=np.int64)
        return np.count_nonzero(self.mask, axis=0)

    def with_mask(self, mask: NDArray[np.uint8] | None) -> "Health":
        """Return a copy with another mask; one without a bad sample becomes None."""
        if mask is not None and not mask.any():
            mask = None
        return Health(self.lost, mask, self.age, self.flags)
