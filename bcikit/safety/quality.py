"""Signal quality a channel: thirteen rules on sliding windows, with hysteresis and reasons."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bcikit.safety.levels import QualityLevel, Reading, Severity
from bcikit.safety.measures import Measures, measure, robust_z
from bcikit.safety.profiles import CONTACT_RULES, QUALITY_RULES, QualityProfile, quality_profile
from bcikit.signal import Bad, Chunk, Ring, StreamInfo

_ROW = {rule: row for row, rule in enumerate(QUALITY_RULES)}
_MASK_RULES = ((Bad.NAN, "Q-NAN"), (Bad.RAILED, "Q-RAIL"), (Bad.FLAT, "Q-FLAT"))
_FOREHEAD = ("fp1", "fp2", "fpz", "af7", "af8", "afz", "af3", "af4")
_MIN_CHANNELS_FOR_NEIGHBOURS = 6
OPEN_OHM = 1e9
"""Impedance that stands for an open circuit: records have no infinity."""

Levels = NDArray[np.int8]


class ChannelQuality(NamedTuple):
    """How good a channel is, and the rules that say so."""

    level: QualityLevel
    rules: tuple[str, ...]


class QualityMonitor:
    """Judges every channel of some types twice a second: GOOD, WARN or BAD, and by which rules.

    Windows start at fixed sample numbers, so that any split of a stream into chunks gives the same judgement.

    Parameters
    ----------
    info : StreamInfo
        The raw stream.
    profile : str or QualityProfile
        Thresholds.
    types : sequence of str
        Channel types that are judged; the others are not looked at.
    """

    def __init__(
        self, info: StreamInfo, *, profile: str | QualityProfile = "eeg-wet", types: Sequence[str] = ("eeg",)
    ) -> None:
        self.profile = quality_profile(profile) if isinstance(profile, str) else profile
        self._columns = np.flatnonzero([kind in types for kind in info.ch_types])
        self._all = self._columns.size == info.n_channels
        self.ch_names = tuple(info.ch_names[column] for column in self._columns)
        self.sfreq = info.sfreq
        scales = info.full_scale_array()[self._columns]
        self._full_scale = np.where(scales > 0, scales, np.nan)
        self._mains = (50.0, 60.0) if info.line_freq is None else (info.line_freq,)
        self._hop = max(1, round(self.profile.hop_s * info.sfreq))
        self._n = max(4, round(self.profile.window_s * info.sfreq))
        count = len(self.ch_names)
        self._front = np.array([i for i, name in enumerate(self.ch_names) if name.lower().strip(".") in _FOREHEAD])
        self._ring = Ring(self._n, count)
        self._flagged = np.zeros((len(_MASK_RULES), count), dtype=bool)
        shape = (len(QUALITY_RULES), count)
        self.values = np.zeros(shape)
        self._run = np.zeros((2, *shape), dtype=np.int64)
        self._quiet = np.zeros((2, *shape), dtype=np.int64)
        self.levels: Levels = np.zeros(shape, dtype=np.int8)
        self._impedance = np.full(count, np.nan)
        self._uncorrelated: deque[NDArray[np.bool_]] = deque(maxlen=round(30.0 / self.profile.hop_s))
        self._means: deque[NDArray[np.float64]] = deque(maxlen=round(10.0 / self.profile.hop_s))
        self._bridged: deque[NDArray[np.bool_]] = deque(maxlen=round(30.0 / self.profile.hop_s))
        self._blinks: deque[bool] = deque(maxlen=round(60.0 / self.profile.hop_s))
        self._emg_log: deque[NDArray[np.float64]] = deque(maxlen=round(60.0 / self.profile.hop_s))
        self._emg_high: deque[NDArray[np.bool_]] = deque(maxlen=4)
        self._unjudged = 0
        self.windows = 0
        self.newest: Measures | None = None

    @property
    def known(self) -> bool:
        """Whether a window was judged within the last two lengths of one: what is older says nothing of now."""
        return self.windows > 0 and self._unjudged <= 2 * self._n

    def on_impedance(self, ohms: Mapping[str, float]) -> None:
        """Take note of electrode impedances, by channel name, in ohms; infinity: one that touches nothing."""
        for index, name in enumerate(self.ch_names):
            if name in ohms:
                self._impedance[index] = min(ohms[name], OPEN_OHM)

    def update(self, chunk: Chunk) -> bool:
        """Take the next raw chunk.

        Returns
        -------
        bool
            Whether at least one window was judged.
        """
        if chunk.health.discontinuous:
            self._ring.clear()
        mask = chunk.health.mask
        judged = False
        start, stop = 0, chunk.n_times
        while start < stop:
            first = chunk.first_sample + start
            boundary = min(stop - start, self._hop - first % self._hop)
            rows = chunk.data[start : start + boundary]
            self._ring.append(rows if self._all else rows[:, self._columns])
            if mask is not None:
                self._note_mask(mask[start : start + boundary])
            start += boundary
            # Each gap empties the window: where samples are lost again and again, none is ever judged.
            self._unjudged += boundary
            if (first + boundary) % self._hop == 0 and len(self._ring) == self._n:
                self._judge()
                self._unjudged = 0
                judged = True
        return judged

    def quality(self) -> dict[str, ChannelQuality]:
        """Return for each judged channel how good it is, and the rules that say so."""
        worst = self.levels.max(axis=0)
        result = {}
        for index, name in enumerate(self.ch_names):
            rules = tuple(QUALITY_RULES[row] for row in np.flatnonzero(self.levels[:, index]))
            result[name] = ChannelQuality(QualityLevel(int(worst[index])), rules)
        return result

    def worst(self) -> Levels:
        """Return 0 (GOOD), 1 (WARN) or 2 (BAD) a channel."""
        return self.levels.max(axis=0)

    def contact(self) -> NDArray[np.bool_]:
        """Return which channels measure a body at all, whatever it does."""
        rows = [_ROW[rule] for rule in CONTACT_RULES]
        return np.asarray(self.levels[rows].max(axis=0) < 2)

    def readings(self) -> list[Reading]:
        """Return every rule that does not hold, by channel."""
        found = []
        for row, index in zip(*np.nonzero(self.levels), strict=True):
            found.append(
                Reading(
                    rule=QUALITY_RULES[row],
                    severity=Severity.WARN if self.levels[row, index] == 1 else Severity.FAULT,
                    value=round(float(self.values[row, index]), 3),
                    channels=(self.ch_names[index],),
                )
            )
        return found

    def _note_mask(self, mask: NDArray[np.uint8]) -> None:
        if not self._all:
            mask = mask[:, self._columns]
        union = np.bitwise_or.reduce(mask, axis=0)
        for row, (bit, _) in enumerate(_MASK_RULES):
            self._flagged[row] |= (union & bit) > 0

    def _judge(self) -> None:
        window = np.asarray(self._ring.newest(self._n), dtype=np.float64)
        found = self.newest = measure(window, self.sfreq)
        raw = np.zeros(self.levels.shape, dtype=np.int8)
        self._judge_contact(found, raw)
        self._judge_spectrum(found, raw)
        self._judge_muscle(found, raw)
        self._judge_neighbours(found, raw)
        for rule in self.profile.disabled:
            raw[_ROW[rule]] = 0
        # What is not a number tells nothing else.
        dead = (raw[_ROW["Q-NAN"]] > 0) | (raw[_ROW["Q-FLAT"]] == 2)
        for rule in ("Q-AMP", "Q-HF", "Q-COR", "Q-LINE", "Q-P2P", "Q-EMG", "Q-BRIDGE"):
            raw[_ROW[rule], dead] = 0
        self._apply_hysteresis(raw)
        self._flagged[:] = False
        self.windows += 1

    def _set(self, raw: Levels, rule: str, values: NDArray[np.float64], limits: tuple[float, float]) -> None:
        row = _ROW[rule]
        self.values[row] = values
        raw[row] = (values > limits[0]).astype(np.int8) + (values > limits[1]).astype(np.int8)

    def _judge_contact(self, found: Measures, raw: Levels) -> None:
        profile = self.profile
        row = _ROW["Q-FLAT"]
        self.values[row] = found.std
        raw[row] = (found.std < profile.flat_uv[0]).astype(np.int8)
        raw[row, (found.std < profile.flat_uv[1]) | (found.step <= 1e-5)] = 2
        self.values[_ROW["Q-NAN"]] = ~found.finite
        raw[_ROW["Q-NAN"], ~found.finite] = 2
        # Nothing is a share of a scale that nobody knows.
        share = found.peak / self._full_scale
        self._set(raw, "Q-RAIL", np.where(np.isnan(share), 0.0, share), profile.rail)
        for flagged, (_, rule) in zip(self._flagged, _MASK_RULES, strict=True):
            raw[_ROW[rule], flagged] = 2
        known = np.isfinite(self._impedance)
        if known.any():
            self._set(raw, "Q-IMP", np.where(known, self._impedance, 0.0), profile.impedance_ohm)
        self._means.append(found.mean)
        if len(self._means) == self._means.maxlen:
            means = np.asarray(self._means)
            t = (np.arange(len(means)) - (len(means) - 1) / 2) * profile.hop_s
            self._set(raw, "Q-DRIFT", np.abs(t @ means) / (t @ t), profile.drift_uv_s)
        raw[_ROW["Q-DRIFT"], np.abs(found.mean) > 0.75 * self._full_scale] = 2
        self._set(raw, "Q-P2P", np.ptp(found.slow, axis=1), profile.p2p_uv)

    def _judge_spectrum(self, found: Measures, raw: Levels) -> None:
        profile = self.profile
        nyquist = self.sfreq / 2
        total = np.maximum(found.band(1.0, 100.0), 1e-12)
        mains = np.zeros((len(self._mains), total.size))
        for index, frequency in enumerate(self._mains):
            if frequency < nyquist - 1:
                mains[index] = found.band(frequency - 1, frequency + 1)
        hum = mains.max(axis=0)
        self._set(raw, "Q-LINE", hum / total, profile.line)
        # A small hum in a quiet channel is a large share of little: it must also be more than the EEG's own noise.
        raw[_ROW["Q-LINE"], hum < 1.0] = 0
        raw[_ROW["Q-LINE"], hum > profile.line_uv**2] = 2
        if nyquist > 60:
            low = np.sqrt(found.band(1.0, 50.0)) + 1e-9
            high = np.sqrt(np.maximum(found.band(50.0, min(100.0, nyquist - 2)) - mains.sum(axis=0), 0.0))
            ratio = high / low
            self._set(raw, "Q-HF", robust_z(ratio), profile.hf_z)
            raw[_ROW["Q-HF"], ratio < profile.hf_ratio] = 0

    def _judge_muscle(self, found: Measures, raw: Levels) -> None:
        profile = self.profile
        nyquist = self.sfreq / 2
        low, high = (110.0, 140.0) if nyquist >= 150 else (55.0, min(95.0, nyquist - 5))
        if high - low >= 10:
            power = found.band(low, high)
            for frequency in (50.0, 60.0):
                if low - 1 <= frequency <= high + 1:
                    power = power - found.band(max(low, frequency - 1.5), min(high, frequency + 1.5))
            power = np.log10(np.maximum(power, 1e-3))
            if len(self._emg_log) >= 10:
                past = np.asarray(self._emg_log)
                middle = np.median(past, axis=0)
                spread = np.maximum(1.4826 * np.median(np.abs(past - middle), axis=0), 0.12)
                z = (power - middle) / spread
                self.values[_ROW["Q-EMG"]] = z
                self._emg_high.append(z > profile.emg_z)
                share = np.mean(self._emg_high, axis=0)
                raw[_ROW["Q-EMG"]] = (share > 0).astype(np.int8) + (share >= 0.75).astype(np.int8)
            self._emg_log.append(power)
        if self._front.size:
            hop = found.slow[self._front, -2 * self._hop :]
            blink = bool((np.ptp(hop, axis=1) > profile.blink_uv).any())
            # A blink is one event although it is seen in two windows.
            self._blinks.append(blink and not (self._blinks and self._blinks[-1]))
            rate = sum(self._blinks) * 60.0 / (len(self._blinks) * profile.hop_s)
            self.values[_ROW["Q-EOG"], self._front] = rate
            if len(self._blinks) * profile.hop_s >= 30.0 and rate > profile.blinks_per_min:
                raw[_ROW["Q-EOG"], self._front] = 1

    def _judge_neighbours(self, found: Measures, raw: Levels) -> None:
        profile = self.profile
        if len(self.ch_names) < 2:
            return
        variances = np.maximum(np.diag(found.cross), 1e-12)
        if len(self.ch_names) >= _MIN_CHANNELS_FOR_NEIGHBOURS:
            self._set(raw, "Q-AMP", np.abs(robust_z(np.log(found.amplitude + 1e-3))), profile.amplitude_z)
            r = np.abs(found.cross) / np.sqrt(np.outer(variances, variances))
            np.fill_diagonal(r, 0.0)
            best = np.partition(r, -2, axis=1)[:, -2:].mean(axis=1)
            self.values[_ROW["Q-COR"]] = best
            # A dead channel has a rule of its own; its time must not count when it is back.
            alive = found.finite & (found.std > profile.flat_uv[1])
            self._uncorrelated.append((best < profile.correlation) & alive)
            often = np.mean(self._uncorrelated, axis=0) > profile.correlation_share
            raw[_ROW["Q-COR"]] = self._uncorrelated[-1]
            if len(self._uncorrelated) >= 10:
                raw[_ROW["Q-COR"], often] = 2
        distance = variances[:, None] + variances[None, :] - 2.0 * found.cross
        np.fill_diagonal(distance, np.inf)
        nearest = distance.min(axis=1)
        self.values[_ROW["Q-BRIDGE"]] = nearest
        # Two quiet channels are close without a bridge: the difference must also be small against the signal.
        self._bridged.append((nearest < profile.bridge_uv2) & (nearest < 0.02 * variances))
        if len(self._bridged) >= 4:
            raw[_ROW["Q-BRIDGE"], np.mean(self._bridged, axis=0) > 0.5] = 1

    def _apply_hysteresis(self, raw: Levels) -> None:
        profile = self.profile
        for step in (0, 1):
            over = raw > step
            self._run[step] = np.where(over, self._run[step] + 1, 0)
            self._quiet[step] = np.where(over, 0, self._quiet[step] + 1)
        warn = np.where(self.levels >= 1, self._quiet[0] < profile.good_after, self._run[0] >= profile.bad_after)
        bad = np.where(self.levels >= 2, self._quiet[1] < profile.good_after, self._run[1] >= profile.bad_after)
        bad[_ROW["Q-NAN"]] |= raw[_ROW["Q-NAN"]] == 2
        self.levels = np.where(bad, 2, warn.astype(np.int8)).astype(np.int8)
