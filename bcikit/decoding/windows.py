"""What a decoder reads of a window of samples."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class WindowLike(Protocol):
    """What whoever decides needs of a window (`bcikit.processing.Window`)."""

    @property
    def data(self) -> NDArray[np.float64]:
        """Signals, shape ``(n_channels, n_times)``."""

    @property
    def stop_sample(self) -> int:
        """Index of the sample after the newest."""

    @property
    def time(self) -> float:
        """Time of the newest sample."""

    @property
    def bad(self) -> NDArray[np.float64]:
        """Share of bad or lost samples a channel."""

    @property
    def n_lost(self) -> int:
        """Samples lost within the window."""
