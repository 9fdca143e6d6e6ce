"""Log power of what the filters before let through."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.sliding import SlidingStep
from bcikit.signal import StreamInfo


@dataclass(kw_only=True, eq=False)
class LogPower(SlidingStep):
    """Logarithm (base 10) of the variance of each channel over the window.

    After a band-pass that is the log band power, the classic feature of motor imagery.
    """

    name: ClassVar[str] = "logpower"

    def prepare(self, info: StreamInfo) -> tuple[list[str], NDArray[np.intp], str]:
        """Keep the names of the channels."""
        return list(info.ch_names), np.arange(info.n_channels)[:, None], f"log10({info.unit}2)"

    def compute(self) -> NDArray[np.float64]:
        """Return the log variance of the newest window."""
        return np.log10(np.maximum(self.newest().var(axis=0), 1e-12))
