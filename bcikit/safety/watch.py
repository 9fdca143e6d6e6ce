"""Everything that is watched, as one list of readings: stream, channels, and what other monitors report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bcikit.safety.dose import StimulusDose
from bcikit.safety.levels import Reading, Severity
from bcikit.safety.person import FatigueMonitor, RhythmMonitor
from bcikit.safety.profiles import body_profile
from bcikit.safety.quality import ChannelQuality, QualityMonitor
from bcikit.safety.settings import GateSettings
from bcikit.safety.stream import StreamMonitor
from bcikit.signal import Chunk, SafetyError, StreamInfo

BODY = ("emg", "eog")
"""Types of channels that are judged as electrodes, not as EEG."""

UNJUDGED = "not known any more: samples are lost too often"


class Watch:
    """The monitors of one stream.

    Parameters
    ----------
    settings : GateSettings
        Limits.
    info : StreamInfo
        The raw stream.
    required : sequence of str
        Channels the decoder uses; all EEG channels where it names none of them. Of EMG and EOG only those named count:
        each must be good, however many of the EEG may be bad.
    """

    def __init__(self, settings: GateSettings, info: StreamInfo, required: Sequence[str]) -> None:
        self.settings = settings
        self.info = info
        self.stream = StreamMonitor(info, settings)
        self.monitor = QualityMonitor(info, profile=settings.quality)
        self.body = QualityMonitor(info, profile=body_profile(self.monitor.profile), types=BODY)
        hop_s = self.monitor.profile.hop_s
        self.rhythm = RhythmMonitor(self.monitor.ch_names, info.sfreq, hop_s=hop_s)
        self.fatigue = FatigueMonitor(hop_s=hop_s)
        self.dose = StimulusDose()
        self._advisory: Reading | None = None
        self._external: dict[tuple[str, Severity], tuple[Reading, float]] = {}
        names = self.monitor.ch_names
        body = self.body.ch_names
        self.unknown = tuple(name for name in required if name not in names and name not in body)
        wanted = [name for name in required if name in names]
        self._required = [names.index(name) for name in wanted] or list(range(len(names)))
        self._required_body = [body.index(name) for name in required if name in body]

    def update(self, chunk: Chunk, now: float) -> None:
        """Take the next raw chunk."""
        if chunk.n_channels != self.info.n_channels:
            raise SafetyError(f"a chunk of {chunk.n_channels} channels in a stream of {self.info.n_channels}")
        self.stream.update(chunk, now)
        if self.body.ch_names:
            self.body.update(chunk)
        if chunk.n_times and self.monitor.update(chunk) and self.monitor.newest is not None:
            usable = self.monitor.contact()
            self._advisory = self.rhythm.update(self.monitor.newest, usable)
            self.fatigue.update(self.monitor.newest, usable)

    def on_impedance(self, ohms: Mapping[str, float]) -> None:
        """Take note of electrode impedances, by channel name, in ohms."""
        self.monitor.on_impedance(ohms)
        self.body.on_impedance(ohms)

    def quality(self) -> dict[str, ChannelQuality]:
        """Return for each channel of brain and body how good it is, and the rules that say so."""
        return {**self.monitor.quality(), **self.body.quality()}

    def channel_readings(self) -> list[Reading]:
        """Return every rule that a channel breaks."""
        return [*self.monitor.readings(), *self.body.readings()]

    def report(self, reading: Reading, until: float) -> None:
        """Take a finding of another monitor that holds until a time; it takes away none that is graver or longer."""
        key = (reading.rule, reading.severity)
        _, before = self._external.get(key, (reading, until))
        self._external[key] = (reading, max(before, until))

    def usable_share(self) -> float:
        """Return the share of the needed channels that are not BAD; 0 where one of the body is."""
        worst = self.monitor.worst()[self._required]
        if not worst.size or (self._required_body and (self.body.worst()[self._required_body] >= 2).any()):
            return 0.0
        return int(np.count_nonzero(worst < 2)) / worst.size

    def _unusable(self, limit: int = 2) -> tuple[str, ...]:
        """Return which of the needed channels are as bad as a level, or worse."""
        needed = ((self.monitor, self._required), (self.body, self._required_body))
        return tuple(
            monitor.ch_names[column]
            for monitor, columns in needed
            for column, level in zip(columns, monitor.worst()[columns], strict=True)
            if level >= limit
        )

    def quality_problem(self) -> dict[str, Any]:
        """Return value and limit if the channels are not good enough to act on (A-QUAL); empty if they are."""
        if not self.monitor.known:
            return {"value": UNJUDGED if self.monitor.windows else "not known yet", "limit": "known"}
        limit = 2 if self.settings.accept_warn else 1
        unusable = self.monitor.worst()[self._required] >= limit
        lost = self.body.worst()[self._required_body] >= limit
        share = 1.0 - float(np.mean(unusable))
        least = 1.0 if self.settings.need_all else self.settings.min_good
        if share >= least and not lost.any():
            return {}
        names = list(self._unusable(limit))
        if lost.any():
            share, least = 1.0 - float(np.mean(lost)), 1.0
        return {"value": round(share, 3), "limit": least, "channels": names}

    def readings(self, now: float, *, active_s: float, session_s: float) -> list[Reading]:
        """Return what does not hold of stream, montage, person and time.

        Parameters
        ----------
        now : float
            Seconds on the engine's clock.
        active_s, session_s : float
            How long the run lasts, with what it held its output, and how long all runs together acted.
        """
        readings = self.stream.readings(now)
        gravest: dict[str, Reading] = {}
        for key, (reading, until) in list(self._external.items()):
            if now > until:
                del self._external[key]
            elif reading.rule not in gravest or gravest[reading.rule].severity < reading.severity:
                gravest[reading.rule] = reading
        readings += gravest.values()
        if self.monitor.windows:
            share, least = self.usable_share(), self.settings.min_good
            if not self.monitor.known:
                readings.append(Reading(rule="Q-MONT", severity=Severity.FAULT, value=UNJUDGED, limit=least))
            elif share < 1.0:
                severity = Severity.FAULT if share < least else Severity.WARN
                names = self._unusable()
                readings.append(
                    Reading(rule="Q-MONT", severity=severity, value=round(share, 3), limit=least, channels=names)
                )
        too_long = self.dose.check(now)
        if too_long is not None:
            readings.append(too_long)
        readings += self._of_the_person(active_s, session_s)
        return readings

    def _of_the_person(self, active_s: float, session_s: float) -> list[Reading]:
        found: list[Reading] = []
        if self._advisory is not None:
            severity = Severity.FAULT if self.settings.advisory_stops else Severity.WARN
            found.append(replace(self._advisory, severity=severity))
        fatigue = self.fatigue.reading()
        if fatigue is not None:
            found.append(fatigue)
        for value, limit in ((session_s, self.settings.session_max_s), (active_s, self.settings.run_max_s)):
            if value > limit:
                found.append(Reading(rule="P-TIME", severity=Severity.FAULT, value=round(value, 3), limit=limit))
        return found
