"""A step: subtracts the median of the channels from each sample."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from bcikit.processing import Step
from bcikit.signal import Chunk, StreamInfo


@dataclass
class Median(Step):
    """Each sample minus the median of its channels.

    Parameters
    ----------
    strength : float
        Share of the median that is subtracted.
    """

    name: ClassVar[str] = "median"
    strength: float = 1.0

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Any stream will do."""
        return info

    def process(self, chunk: Chunk) -> Chunk:
        """Subtract; the input is never changed, and a NaN stays in its channel."""
        middle = np.nanmedian(chunk.data, axis=1, keepdims=True)
        return replace(chunk, data=chunk.data - self.strength * middle)
