"""Filters of the picture. They change what is drawn in this window, and nothing that is decoded or recorded."""

import numpy as np
from numpy.typing import NDArray

from bcikit.processing import Bandpass, Notch, Pipeline, Step
from bcikit.signal import Chunk, StreamInfo
from bcikit.viewer.columns import drawable
from bcikit.viewer.montages import AS_RECORDED, Montage, make_montage

BANDS: dict[str, tuple[float, float] | None] = {
    "off": None,
    "0.5-45 Hz": (0.5, 45.0),
    "1-40 Hz": (1.0, 40.0),
    "8-30 Hz": (8.0, 30.0),
    "15-95 Hz": (15.0, 95.0),
}
"""What can be chosen; bands above what the sampling rate allows are left out."""

NOTCHES: tuple[float | None, ...] = (None, 50.0, 60.0)
"""Mains frequencies that can be chosen, in Hz; those above what the sampling rate allows are left out."""


def bands_for(sfreq: float) -> list[str]:
    """Return the names of the bands that a sampling rate allows."""
    return [name for name, band in BANDS.items() if band is None or _fits(band[1], sfreq)]


def notches_for(sfreq: float) -> list[float | None]:
    """Return the mains frequencies that a sampling rate allows to take out."""
    return [freq for freq in NOTCHES if freq is None or _fits(freq, sfreq)]


def _fits(freq: float, sfreq: float) -> bool:
    return freq < 0.45 * sfreq


class DisplayFilter:
    """A causal filter for drawing.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    band : str
        Key of `BANDS`.
    notch : float or None
        Mains frequency in Hz to take out of the picture; one that the sampling rate does not allow is not taken out.
    montage : Montage, optional
        What of the channels is drawn.
    """

    def __init__(
        self, info: StreamInfo, *, band: str = "off", notch: float | None = None, montage: Montage | None = None
    ) -> None:
        self._info, self.band = info, band
        self.notch = notch if notch is not None and _fits(notch, info.sfreq) else None
        self.montage = montage or make_montage(info, AS_RECORDED)
        self._live = self._make()

    @property
    def active(self) -> bool:
        """True if it changes anything."""
        return self._live is not None

    def _make(self) -> Step | None:
        steps: list[Step] = []
        edges = BANDS[self.band]
        if edges is not None:
            steps.append(Bandpass(l_freq=edges[0], h_freq=edges[1], order=2))
        if self.notch is not None:
            steps.append(Notch(freq=self.notch))
        if not steps or self._info.sfreq <= 0:
            return None
        pipeline = Pipeline(steps)
        pipeline.configure(self._info)
        return pipeline

    def process(self, chunk: Chunk) -> NDArray[np.float32]:
        """Return the samples of the next chunk as they are drawn, ``(n_times, n_traces)``."""
        filtered = chunk if self._live is None else self._live.process(chunk)
        return self.montage.apply(drawable(filtered.data))

    def settle(self, data: NDArray[np.float64], first_sample: int) -> None:
        """Take the samples before the next chunk, so that it is drawn without a transient."""
        if self._live is not None and data.shape[0]:
            self._live.process(self._chunk(data, first_sample))

    def _chunk(self, data: NDArray[np.float64], first_sample: int) -> Chunk:
        times = np.arange(first_sample, first_sample + data.shape[0]) / self._info.sfreq
        return Chunk(np.where(np.isfinite(data), data, 0.0), times, first_sample)

    def window(self, data: NDArray[np.float64], first_sample: int) -> NDArray[np.float32]:
        """Return a stored piece as it is drawn; it starts with a transient like any causal filter."""
        step = self._make()
        if step is None or data.shape[0] == 0:
            return self.montage.apply(drawable(data))
        lost = np.isnan(data)
        out = drawable(step.process(self._chunk(data, first_sample)).data)
        out[lost] = np.nan
        return self.montage.apply(out)
