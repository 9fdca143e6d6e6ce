"""Presenter: which frame of a screen shows which stimulus, when it was shown, and what was dropped."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bcikit.paradigms.frames import Refresh, fits, target_luminance
from bcikit.paradigms.scene import Scene
from bcikit.signal import Event, check_range

FLASHES = frozenset({"stimulus/flicker", "stimulus/flash"})
"""Stimuli that light up; a stop calls off those that are planned."""

KEPT = 20_000
"""Flips that are kept for the report: an hour of a speller."""

DELAY = 0.1
"""Seconds from the planned time of a stimulus to its frame, the same for all of them."""

ANEW = 1.0
"""After this many seconds without a stimulus the next one may fall on any frame."""


def is_framed(event: Event, *, scene: bool) -> bool:
    """Return whether a renderer shows an event with a frame of its own, and so reports it; `scene`: it brings one."""
    return scene or event.name.startswith(("stimulus/", "cue/", "phase/", "sound/", "feedback/result"))


def by_ear(event: Event) -> bool:
    """Return whether an event is heard and not seen."""
    return event.name == "stimulus/tone" or event.name.startswith("sound/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One stimulus on the screen.

    Attributes
    ----------
    event : Event
        What was to be shown.
    frame : int
        Number of the frame that showed it.
    due : float
        When it was to be shown: the event's time and the constant delay of presentation.
    shown : float
        When the frame was shown, on the host clock.
    scene : Scene or None
        What was shown from then on; None where the scene stayed.
    """

    event: Event
    frame: int
    due: float
    shown: float
    scene: Scene | None = None

    def report(self) -> dict[str, Any]:
        """Return what whoever plans the stimuli is told: which event, planned for when, shown when."""
        event = self.event
        return {"type": "flip", "name": event.name, "sample": event.sample, "time": event.time, "shown": self.shown}


class Presenter:
    """Locks stimuli to frames, without a screen of its own.

    An engine hears of an event when its sample has come, a little late and not always equally. So everything is shown
    `delay` seconds after its planned time: a constant that is known, measured and corrected, in place of a jitter that
    is not. Within a run of stimuli the distances are whole frames from the first of the run, so that rounding of
    planned times to samples cannot move a stimulus to the frame beside.

    Parameters
    ----------
    refresh : Refresh
        Of the screen, measured where possible.
    delay : float
        Seconds from planned time to screen; more than a chunk and a frame.
    """

    def __init__(self, refresh: Refresh, *, delay: float = DELAY) -> None:
        self.refresh = refresh
        self.delay = check_range("delay", delay, low=0.0, high=1.0, unit="s")
        self.flips: deque[Flip] = deque(maxlen=KEPT)
        self.frames = 0
        self.dropped = 0
        self.late = 0
        self._waiting: list[tuple[int, Event, Scene | None]] = []
        self._zero: float | None = None
        self._last: int | None = None
        self._shown = 0.0
        self._anchor: tuple[float, int] | None = None
        self._flicker: tuple[Event, int] | None = None
        self._newest = 0.0

    def on_event(self, event: Event, scene: Scene | None = None) -> None:
        """Take an event of the paradigm, and the scene that it brings; what shows nothing is left out."""
        if not is_framed(event, scene=scene is not None):
            return
        self._waiting.append((self._frame_for(event.time + self.delay), event, scene))
        self._waiting.sort(key=lambda item: item[0])

    def change(self, refresh: Refresh) -> None:
        """Go on with another rate: the screen's changed, or the window is on another one. Frames are numbered anew."""
        if refresh == self.refresh:
            return
        old, last = self.refresh.rate, self._last
        self.refresh = refresh
        self._anchor = None
        if self._zero is not None and last is not None:
            # The newest frame is number 0, at its own time: by a rate that was too low its number had run ahead.
            self._zero, self._last = self._shown, 0
        if self._flicker is not None:
            event, onset = self._flicker
            since = 0.0 if last is None else (last - onset) / old
            fit = all(fits(item, refresh) for item in event.data.get("targets", ()))
            # It goes on where it was, as frames of the new rate; one that this rate cannot show is not shown.
            self._flicker = (event, -round(since * refresh.rate)) if fit else None
        self._waiting, waiting = [], self._waiting
        for _, event, scene in waiting:
            self._waiting.append((self._frame_for(event.time + self.delay), event, scene))

    def call_off(self) -> None:
        """Let nothing flicker or flash that was planned and is not shown yet; scenes that were to come with it stay."""
        kept = []
        for frame, event, scene in self._waiting:
            if event.name not in FLASHES:
                kept.append((frame, event, scene))
            elif scene is not None:
                kept.append((frame, replace(event, name="stimulus/off"), scene))
        self._waiting = kept

    def _frame_for(self, time: float) -> int:
        if self._zero is None:
            self._zero = time
        rate = self.refresh.rate
        if self._anchor is None or time - self._newest > ANEW:
            self._anchor = (time, round((time - self._zero) * rate))
        self._newest = time
        return self._anchor[1] + round((time - self._anchor[0]) * rate)

    def on_frame(self, shown: float) -> list[Flip]:
        """Return what begins with the frame that is shown at `shown` (host clock).

        Parameters
        ----------
        shown : float
            When the frame appears: the time of the flip.
        """
        if self._zero is None:
            self._zero = shown
        number = round((shown - self._zero) * self.refresh.rate)
        if self._last is not None:
            number = max(number, self._last + 1)
            self.dropped += number - self._last - 1
        self._last = number
        self._shown = shown
        self.frames += 1
        begun = []
        while self._waiting and self._waiting[0][0] <= number:
            planned, event, scene = self._waiting.pop(0)
            self.late += planned < number
            flip = Flip(event=event, frame=number, due=event.time + self.delay, shown=shown, scene=scene)
            begun.append(flip)
            if event.name == "stimulus/flicker":
                # Shown too slowly, a flicker turns into another one: better none.
                fit = all(fits(item, self.refresh) for item in event.data.get("targets", ()))
                self._flicker = (event, number) if fit else None
            elif event.name == "stimulus/off":
                self._flicker = None
        self.flips += begun
        return begun

    def correct(self, flips: Sequence[Flip], shown: float) -> list[Flip]:
        """Return the flips of a frame with the time at which it really was on the screen, and keep that one."""
        exact = [replace(flip, shown=shown) for flip in flips]
        for _ in exact:
            self.flips.pop()
        self.flips.extend(exact)
        return exact

    @property
    def flickers(self) -> bool:
        """True while something flickers."""
        return self._flicker is not None

    def levels(self) -> dict[str, float]:
        """Return the luminance of each target in the newest frame; empty where nothing flickers."""
        if self._flicker is None or self._last is None:
            return {}
        event, onset = self._flicker
        since = self._last - onset
        if event.duration > 0 and since >= event.duration * self.refresh.rate:
            self._flicker = None
            return {}
        depth = float(event.data.get("depth", 0.6))
        return {
            str(item["item"]): target_luminance(since, item, self.refresh, depth=depth)
            for item in event.data.get("targets", ())
        }

    def report(self, name: str = "stimulus/") -> dict[str, Any]:
        """Return how well the plan was kept, in seconds, for stimuli whose name begins with `name`."""
        flips = [flip for flip in self.flips if flip.event.name.startswith(name)]
        offsets = np.array([flip.shown - flip.due for flip in flips])
        return {
            "n": len(flips),
            "offset_mean": float(offsets.mean()) if len(flips) else None,
            "offset_sd": float(offsets.std()) if len(flips) else None,
            "worst": float(np.abs(offsets).max()) if len(flips) else None,
            "soa_sd": onset_asynchrony_sd(flips),
            "frames": self.frames,
            "dropped": self.dropped,
            "late": self.late,
        }


def onset_asynchrony_sd(flips: Sequence[Flip]) -> float | None:
    """Return the standard deviation of shown less planned distances within runs, in seconds."""
    planned = np.diff([flip.due for flip in flips])
    shown = np.diff([flip.shown for flip in flips])
    inside = planned < ANEW
    return float((shown - planned)[inside].std()) if inside.any() else None
