"""Regrid: where a sample of one grid lies on another, for whatever counts samples while a step changes the rate."""

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TYPE_CHECKING, Self

from bcikit.signal import Event, StreamInfo

if TYPE_CHECKING:
    from bcikit.processing.step import Step


@dataclass(frozen=True, slots=True)
class Regrid:
    """The grid of a step's output against that of its input: output `m` is at input ``m * ratio + offset``.

    Attributes
    ----------
    ratio : float
        Input samples an output sample.
    offset : float
        Input sample at which output 0 lies.
    late : int
        Input samples by which the output may come late.
    """

    ratio: float = 1.0
    offset: float = 0.0
    late: int = 0

    @classmethod
    def of(cls, step: "Step", before: StreamInfo, after: StreamInfo) -> Self:
        """Return the grid of a configured step, from what goes in and what comes out."""
        same = before.sfreq <= 0 or after.sfreq <= 0 or before.sfreq == after.sfreq
        late = ceil(step.latency * before.sfreq - 1e-6) if before.sfreq > 0 else 0
        return cls(1.0 if same else before.sfreq / after.sfreq, step.offset, late)

    @property
    def same(self) -> bool:
        """True if both grids are one."""
        return self.ratio == 1.0 and self.offset == 0.0

    def onto(self, sample: int) -> int:
        """Return the output sample nearest to an input sample."""
        return sample if self.same else round((sample - self.offset) / self.ratio)

    def back(self, sample: int) -> int:
        """Return the input sample nearest to an output sample."""
        return sample if self.same else round(sample * self.ratio + self.offset)

    def event(self, event: Event) -> Event:
        """Return an event of the input on the output's grid; its time stays."""
        return event if self.same or event.sample is None else replace(event, sample=self.onto(event.sample))

    def event_back(self, event: Event) -> Event:
        """Return an event of the output on the input's grid; its time stays."""
        return event if self.same or event.sample is None else replace(event, sample=self.back(event.sample))

    def newest(self, sample: int) -> int:
        """Return the newest output sample that is certainly there once an input sample is."""
        there = sample - self.late
        return there if self.same else floor((there - self.offset) / self.ratio + 1e-9)
