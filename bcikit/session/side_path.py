"""A second way of the signal: what a decoder was trained behind, where that is not the session's pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.processing import Pipeline, Window, WindowBuffer
from bcikit.signal import BciError, Chunk, StreamInfo

SECONDS = 10.0
"""Signal that is kept."""


class SidePath:
    """Filters the used channels once more, by the steps on a model's sheet, and keeps windows of them.

    An error potential lives between 1 and 10 Hz, imagery between 7 and 30 Hz: behind the filters of the one the other
    cannot be seen.

    Parameters
    ----------
    info : StreamInfo
        Stream of the used channels, unfiltered.
    steps : sequence of mapping
        As on the sheet.
    sfreq : float
        Rate of the session's own pipeline, which this one must have, too.

    Raises
    ------
    BciError
        If it has another.
    """

    def __init__(self, info: StreamInfo, steps: Sequence[Mapping[str, Any]], *, sfreq: float) -> None:
        self._pipeline = Pipeline.from_config([dict(step) for step in steps])
        self.info = self._pipeline.configure(info)
        if self.info.sfreq != sfreq:
            raise BciError(
                f"The decoder of error potentials was trained at {self.info.sfreq:g} Hz, the session's pipeline gives "
                f"{sfreq:g} Hz; train it behind the same resampling."
            )
        self._buffer = WindowBuffer(self.info.n_channels, sfreq, SECONDS)

    def take(self, chunk: Chunk) -> None:
        """Take the next chunk of the used channels."""
        self._buffer.append(self._pipeline.process(chunk))

    def get(self, stop: int, n_times: int) -> Window:
        """Return the window that ends before sample `stop`."""
        return self._buffer.get(stop, n_times)
