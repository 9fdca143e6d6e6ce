"""Flips: when what was planned was really on the screen, and what that means for windows, labels and safety."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from bcikit.paradigms import Paradigm
from bcikit.paradigms.frames import LOST_BITS, Refresh, feasibility
from bcikit.presentation.presenter import is_framed
from bcikit.recording.lateness import LOCKED, REFUSED, Lateness
from bcikit.safety import Severity
from bcikit.safety.stimulus.timing import FrameTiming
from bcikit.signal import Chunk, DataError, Event

KEPT_SECONDS = 10.0
"""Times of samples that are kept, to place a marker that comes late."""

AWAITED = (*LOCKED, "phase/", "advice/")
"""Events of which a session says in the end how many were never shown."""

WARNING = "advice/"
"""Events that warn a driver."""

MISSED_SHARE = 0.05
"""Share of frames that one eye may miss, as a headset loses its place for a moment."""

ENDING = 2
"""So many stimuli may be under way when a session ends."""

OTHER_SCREEN = 0.05
"""Share by which a rate is that of another screen, and no better estimate of the same."""

HOLD = 2.0
"""Seconds that a finding about frames stands unless it is found again."""


class SampleTimes:
    """Which sample was taken at a time of the host clock."""

    def __init__(self, sfreq: float) -> None:
        self._sfreq = sfreq
        self._parts: deque[tuple[int, Any]] = deque()

    def add(self, chunk: Chunk) -> None:
        """Keep the times of a chunk."""
        if chunk.n_times:
            self._parts.append((chunk.first_sample, chunk.times.copy()))
            while self._parts[-1][1][-1] - self._parts[0][1][-1] > KEPT_SECONDS:
                self._parts.popleft()

    def sample_at(self, time: float) -> int | None:
        """Return the sample nearest to a time, by the times of the samples around it; None before any came."""
        if not self._parts:
            return None
        first, times = next((part for part in reversed(self._parts) if part[1][0] <= time), self._parts[0])
        if times[0] <= time <= times[-1]:
            return first + round(float(np.interp(time, times, np.arange(len(times)))))
        # Between two chunks, not come yet, or older than what is kept.
        return first + round((time - float(times[0])) * self._sfreq)

    def marker(self, values: Mapping[str, Any]) -> Event:
        """Return the event of a marker of a page, on the sample that was taken at its time.

        Parameters
        ----------
        values : mapping
            ``name`` and ``t`` (s on the host clock); maybe ``value``, ``duration`` (s), ``data``, ``client``, and
            ``uncertainty`` (s) of the page's clock.
        """
        time = float(values["t"])
        about = {key: values[key] for key in ("client", "uncertainty") if key in values}
        return Event(
            name=str(values["name"]),
            time=time,
            sample=self.sample_at(time),
            value=values.get("value"),
            duration=float(values.get("duration", 0.0)),
            source="page",
            data={**values.get("data", {}), **about},
        )


class Flips:
    """Keeps what screens report.

    Parameters
    ----------
    paradigm : Paradigm
        Its stimuli must be possible on the screen.
    sfreq, source_sfreq : float
        Sampling rates of the signal that windows are cut from, and of the source, in Hz.

    Attributes
    ----------
    active : bool
        Whether a screen reports flips; without one, what is planned counts.
    unfit : str
        Why something that flickers cannot be shown on this screen; empty if it can.
    """

    def __init__(self, paradigm: Paradigm, sfreq: float, source_sfreq: float) -> None:
        self._paradigm = paradigm
        self._sfreq = sfreq
        self._source_sfreq = source_sfreq
        self._timing: FrameTiming | None = None
        self._timed = 0.0
        self._refresh: dict[str, float] = {}
        self._lateness = Lateness()
        self._frames_at = float("-inf")
        self._refused: set[int] = set()
        self.n_refused = 0
        self.active = False
        self.unfit = ""
        self.n_flips = self.n_unseen = self.n_twice = self.dropped = 0
        self._offsets: list[float] = []
        self._planned: dict[tuple[str, int], float] = {}
        self._heard: dict[bool, int] = {True: 0, False: 0}
        self._silent = ""
        self._eyes: dict[str, int] = {}
        self._warnings: dict[tuple[str, int], dict[str, Any]] = {}

    def plan(self, event: Event, *, scene: bool) -> None:
        """Take note of an event that a screen is to show; `scene` tells whether it brings one."""
        if event.name == REFUSED and event.sample is not None:
            self._refused.add(event.sample)
            self.n_refused += not event.data.get("practice")
        wanted = event.name.startswith(AWAITED) and is_framed(event, scene=scene)
        if self.active and event.sample is not None and wanted:
            self._planned[event.name, event.sample] = event.time

    def comes_too_late(self, delay: float) -> bool:
        """Return whether windows cannot wait for a screen that shows `delay` seconds after the plan."""
        return self._paradigm.settings.display_delay < delay

    def take(self, message: Mapping[str, Any]) -> tuple[Severity, str, str] | None:
        """Take a report; return what safety is to be told: severity, what was found, and what is allowed.

        Parameters
        ----------
        message : mapping
            "hello" with ``refresh`` (Hz) and ``correction`` (s from the flip to the light), "flip" with ``name``,
            ``sample``, ``time`` and ``shown`` (s), "frames" with ``times`` (s).
        """
        kind = message["type"]
        again = kind == "flip" and self._lateness.late_of(str(message["name"]), int(message["sample"])) is not None
        late = self._lateness.take(message)
        if kind == "hello":
            client, first = str(message.get("client", "")), bool(message.get("first"))
            return self._hello(client, message.get("refresh"), message.get("delay"), first=first)
        if late is not None:
            self._flip(str(message["name"]), int(message["sample"]), late, again=again)
        elif kind == "sounded":
            self._sounded(message)
        elif kind == "frames":
            return self._frames(message)
        elif kind == "eyes":
            return self._look(message)
        return None

    def _hello(
        self, client: str, refresh: float | None, delay: float | None, *, first: bool
    ) -> tuple[Severity, str, str] | None:
        if refresh is None:
            return None
        planned = self._paradigm.settings.display_delay
        if delay is not None and self.comes_too_late(delay):
            # Windows would have to wait for samples that have not come: they go by the plan, and that is said.
            said = f"{client}: shows {delay:g} s after the plan, display_delay of the paradigm is {planned:g} s"
            return (Severity.WARN, said, f"display_delay of at least {delay + 0.05:g} s")
        again = first and self.active and client in self._refresh
        self.active = True
        self._refresh[client] = float(refresh)
        rate = Refresh(min(max(float(refresh), 20.0), 1000.0))
        wrong = [
            f"{item['name']} at {item['frequency']:g} Hz: {found.reason}"
            for item in self._paradigm.stimuli()
            if item["kind"] == "flicker" and not (found := feasibility(float(item["frequency"]), rate)).possible
        ]
        wrong += [
            f"{item['name']}: its code has {item['rate']:g} bits a second, the screen {rate.rate:g} frames"
            for item in self._paradigm.stimuli()
            if item.get("rate", 0.0) > rate.rate * (1 + LOST_BITS)
        ]
        self.unfit = "; ".join(wrong)
        if wrong:
            return (Severity.DEGRADE, self.unfit, "frequencies that the screen can show")
        # What flickered or was lit went dark in between, and nobody said so.
        limit = "one page from the beginning to the end"
        return (Severity.DEGRADE, f"{client}: a screen came in the middle of the session", limit) if again else None

    def _sounded(self, message: Mapping[str, Any]) -> None:
        audible = bool(message["audible"])
        self._heard[audible] += 1
        self._silent = self._silent if audible else str(message.get("why") or "it said no more")
        if str(message["name"]).startswith(WARNING) and message.get("sample") is not None:
            late = float(message["shown"]) - float(message["time"])
            about = self._warnings.setdefault((str(message["name"]), int(message["sample"])), {})
            about.update(sounded_s=late if audible else None)

    def _flip(self, name: str, sample: int, late: float, *, again: bool) -> None:
        if name.startswith(WARNING):
            self._warnings.setdefault((name, sample), {})["painted_s"] = late
        self._planned.pop((name, sample), None)
        if not name.startswith(LOCKED):
            return
        if again:
            # A second page, or one that was loaded again: what was seen first is what there was a response to.
            self.n_twice += 1
        else:
            self.n_flips += 1
            self._offsets.append(late)

    def _frames(self, message: Mapping[str, Any]) -> tuple[Severity, str, str] | None:
        times = [float(time) for time in message.get("times", ())]
        if not times:
            return None
        rate = float(message["refresh"])
        other = abs(rate - self._timed) > OTHER_SCREEN * rate
        if self._timing is None or times[0] - self._frames_at > 1.0 or other:
            self._timing, self._timed = FrameTiming(rate), rate
        self._frames_at = times[-1]
        report = [self._timing.flip(time) for time in times][-1]
        missing = sum(max(0, round((later - earlier) * rate) - 1) for earlier, later in pairwise(times))
        self.dropped += missing
        return None if report.ok else (Severity.DEGRADE, report.reason, "every frame at its time")

    def _look(self, message: Mapping[str, Any]) -> tuple[Severity, str, str] | None:
        """Count the frames of each eye; one that misses what the other was shown is found."""
        for item in message["eyes"]:
            self._eyes[str(item["eye"])] = self._eyes.get(str(item["eye"]), 0) + int(item["frames"])
        frames = int(message["frames"])
        missed = {str(item["eye"]): frames - int(item["frames"]) for item in message["eyes"]}
        worst = max(missed, key=lambda eye: missed[eye])
        if missed[worst] <= MISSED_SHARE * frames:
            return None
        return (Severity.DEGRADE, f"the {worst} eye was not shown {missed[worst]} of {frames} frames", "both eyes")

    def shift(self, sample: int) -> int | None:
        """Return by how many samples what was planned at `sample` was shown later; None if it was not (yet) shown."""
        if sample in self._refused:
            return None
        if not self.active:
            return 0
        late = self._lateness.at(sample)
        return None if late is None else round(late * self._sfreq)

    def moved(self, events: Sequence[Event]) -> list[Event]:
        """Return the events from which epochs are cut, moved to when their stimulus was shown.

        What no screen has shown is left out, and counted: nobody can have responded to it. Without an active screen
        they stay where they were planned, but for labels of a flicker that was refused.

        Parameters
        ----------
        events : sequence of Event
            With their planned samples; a label has the sample of its stimulus as ``locked`` in its data.

        Raises
        ------
        DataError
            If nothing at all was shown.
        """
        # Decisions go by the plan where no screen is active (one that came too late to be waited for): so do labels.
        lateness = self._lateness if self.active else Lateness()
        placed = lateness.placed(events, self._source_sfreq)
        self.n_unseen += placed.n_unseen
        if self.active and self.n_unseen and not placed.n_moved:
            raise DataError(
                f"The screen has shown none of the {self.n_unseen} stimuli of the calibration: nothing can be learned. "
                "Is the patient's window in front, and not covered?"
            )
        return list(placed.events)

    def summary(self) -> dict[str, Any] | None:
        """Return how the screens kept the plan, for the report; None where there was none."""
        if not self.active:
            return None
        late = np.array(self._offsets)
        return {
            "refresh_hz": dict(self._refresh),
            "flips": self.n_flips,
            "not_shown": self.n_not_shown,
            "shown_twice": self.n_twice,
            "dropped_frames": self.dropped,
            "delay_s": float(late.mean()) if len(late) else None,
            "jitter_s": float(late.std()) if len(late) else None,
            "correction_s": dict(self._lateness.corrections),
            "unfit": self.unfit,
            "eyes": dict(self._eyes),
            "sounds": {"heard": self._heard[True], "not_heard": self._heard[False], "why": self._silent},
            "warnings": [
                {"name": name, "sample": sample, "painted_s": None, "sounded_s": None, **about}
                for (name, sample), about in self._warnings.items()
            ],
        }

    @property
    def n_not_shown(self) -> int:
        """Stimuli, cues, phases and warnings that were planned and that no screen has shown."""
        return len(self._planned)

    def doubts(self) -> list[str]:
        """Return what a person has not seen or heard of the session, in words."""
        said = []
        if self.n_refused:
            said.append(
                f"{self.n_refused} times nothing flickered that was planned: the dose was used up, or nothing may "
                "flicker in that state or on that screen. Nothing was learned or decided there."
            )
        if self.active and self.n_not_shown > ENDING:
            said.append(
                f"{self.n_not_shown} cues, stimuli, phases or warnings were not shown by the screen ({self.n_flips} "
                "cues and stimuli were); nothing was decided by them. Was its window covered, minimised or closed?"
            )
        if self.n_twice > ENDING:
            said.append(
                f"{self.n_twice} cues and stimuli were reported twice: a second page or window shows this session. The "
                "first report counted."
            )
        if self._heard[False]:
            said.append(f"{self._heard[False]} of {sum(self._heard.values())} sounds were not heard: {self._silent}.")
        return said
