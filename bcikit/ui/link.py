"""What a window can measure of a stream by itself: loss, jitter, and the quality of the electrodes."""

from collections import deque
from collections.abc import Mapping

import numpy as np

from bcikit.safety import QualityMonitor
from bcikit.signal import Chunk, StreamInfo
from bcikit.ui.status import ElectrodeQuality


class LinkMeter:
    """Measures a stream without an engine.

    Parameters
    ----------
    info : StreamInfo
        The stream.
    judge : bool
        Judge the electrodes, too; not needed where an engine does.
    """

    def __init__(self, info: StreamInfo, *, judge: bool = True) -> None:
        self._info = info
        # A board that makes its own test waves has no neighbours that resemble each other.
        synthetic = "synthetic" in f"{info.device} {info.name}".lower()
        profile = "synthetic" if synthetic else "eeg-wet"
        judged = judge and bool(info.indices(ch_type="eeg")) and info.sfreq > 0
        self._monitor = QualityMonitor(info, profile=profile) if judged else None
        self._ohms: dict[str, float] = {}
        self._times: deque[float] = deque(maxlen=max(16, round(5 * info.sfreq)))
        self._samples: deque[int] = deque(maxlen=self._times.maxlen)

    def take(self, chunk: Chunk) -> None:
        """Take new samples."""
        if self._monitor is not None:
            self._monitor.update(chunk)
        self._times.extend(chunk.times.tolist())
        self._samples.extend(range(chunk.first_sample, chunk.end_sample))

    def take_impedances(self, ohms: Mapping[str, float]) -> None:
        """Take impedances by channel name, in ohms: they are judged with the signal."""
        self._ohms = dict(ohms)
        if self._monitor is not None and ohms:
            self._monitor.on_impedance(ohms)

    def jitter_ms(self) -> float:
        """Return the standard deviation of the times of the last 5 s around a straight line, in milliseconds."""
        if len(self._times) < 16:
            return 0.0
        times, samples = np.array(self._times), np.array(self._samples, dtype=np.float64)
        times, samples = times - times.mean(), samples - samples.mean()
        slope = float(times @ samples / (samples @ samples))
        return float(np.std(times - slope * samples) * 1e3)

    def quality(self) -> dict[str, ElectrodeQuality]:
        """Return the quality of each EEG channel, by the rules of the safety room."""
        if self._monitor is None or not self._monitor.known:
            return {}
        return {
            name: ElectrodeQuality(entry.level.name, entry.rules, self._ohms.get(name))
            for name, entry in self._monitor.quality().items()
        }
