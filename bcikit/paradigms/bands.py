"""Band power of a window: what neurofeedback and the vigilance monitor decide on without training."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding.bands import Bands, band_powers
from bcikit.decoding.windows import WindowLike
from bcikit.signal import Decision, StreamInfo, check_range


class BandPowerDecider:
    """Gives the band powers of a window as a decision without a label; the paradigm makes sense of them.

    Parameters
    ----------
    info : StreamInfo
        Stream that is decoded.
    channels : sequence of str
        Channels to average; all EEG channels if empty.
    bands : mapping
        Name to edges in Hz.
    classes : tuple of str
        What the paradigm will decide between.
    apart : bool
        Give the power of each channel, under "band/channel", in place of their mean.

    Raises
    ------
    ArgumentError
        If a channel is missing, or a band reaches above Nyquist.
    """

    def __init__(
        self, info: StreamInfo, *, channels: Sequence[str], bands: Bands, classes: tuple[str, ...], apart: bool = False
    ) -> None:
        picks = info.index_of(channels, who="The paradigm") if channels else info.indices(ch_type="eeg")
        self.channels = tuple(info.ch_names[index] for index in picks)
        self._picks = np.asarray(picks)
        self._sfreq = info.sfreq
        for name, (_, high) in bands.items():
            check_range(f"upper edge of the band {name!r}", high, low=0.0, high=info.sfreq / 2, unit="Hz")
        self._bands = dict(bands)
        self._classes = classes
        self._apart = apart

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the powers in ``data["powers"]`` and the worst share of bad samples in ``data["bad"]``."""
        data = np.asarray(window.data)[self._picks]
        bad = float(np.max(np.asarray(window.bad)[self._picks]))
        return Decision(
            time=window.time,
            sample=window.stop_sample - 1,
            classes=self._classes,
            reason="bad-data" if bad > 0.0 else "features",
            age=0.0 if now is None else max(0.0, now - window.time),
            data={"powers": self._powers(data), "bad": bad},
        )

    def _powers(self, data: NDArray[np.float64]) -> dict[str, float]:
        if not self._apart:
            return band_powers(data, self._sfreq, self._bands)
        found = [band_powers(row[None], self._sfreq, self._bands) for row in data]
        return {
            f"{band}/{name}": part[band]
            for name, part in zip(self.channels, found, strict=True)
            for band in self._bands
        }
