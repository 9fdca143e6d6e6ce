"""Paradigm: pure logic on the sample clock; it yields events and says what a decision does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from typing import Any, ClassVar, Protocol

from bcikit.decoding.evidence import Stopping
from bcikit.decoding.windows import WindowLike
from bcikit.paradigms.outline import Adjustable, Outline, outline
from bcikit.paradigms.scene import Scene
from bcikit.paradigms.schedule import Planned, Schedule
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.paradigms.stage import follow
from bcikit.signal import ArgumentError, Command, Decision, Event, StreamInfo, Verdict

SOURCE = "paradigm"
"""`Event.source` of everything a paradigm says."""


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """Samples that a paradigm wants decoded.

    Attributes
    ----------
    stop_sample : int
        Index after the last sample of the window.
    n_times : int
        Length in samples.
    final : bool
        True if the answer ends the trial's classification; False for feedback and for pieces of evidence.
    trial : int
        Trial it belongs to.
    kind : str
        "feedback", "final", "flash", "flicker", "monitor".
    data : mapping
        What the paradigm needs to know again with the answer.
    locked : int or None
        Planned sample of the cue or the stimulus that the window follows; where a screen tells when that was really
        shown, the window moves with it. None where nothing shown decides its place.
    """

    stop_sample: int
    n_times: int
    final: bool = False
    trial: int = 0
    kind: str = "final"
    data: Mapping[str, Any] = field(default_factory=dict)
    locked: int | None = None

    @property
    def start_sample(self) -> int:
        """Index of the first sample of the window."""
        return self.stop_sample - self.n_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How to cut training epochs out of what was recorded.

    Attributes
    ----------
    events : mapping of str to str
        Event name to class.
    tmin, tmax : float
        Seconds from the event to the first and to the end of the last sample of an epoch.
    """

    events: Mapping[str, str]
    tmin: float
    tmax: float


class Decider(Protocol):
    """Turns a window into a decision: a trained model, or what a paradigm brings that needs no training."""

    def decide(self, window: WindowLike, *, now: float | None = None) -> Decision:
        """Return the decision for one window."""


class Paradigm(ABC):
    """A protocol as a function of the sample count. It knows no window, no socket and no wall clock.

    The engine calls, for each chunk of samples, until neither gives anything more::

        events = paradigm.advance(newest_sample, newest_time)
        for request in paradigm.windows_due(newest_sample + 1):
            decision = paradigm.interpret(decider.decide(window_of(request)), request)
            commands, events = paradigm.on_decision(decision, gate(decision), request)

    `advance` never goes beyond a window that was not handed out yet, `windows_due` never beyond an event that was not
    given out yet, and what follows from a decision is planned from the sample of its window. So the same samples give
    the same events, in the same order, whatever the chunks were.

    Parameters
    ----------
    settings : ParadigmSettings, optional
        An instance of `Settings`; its defaults if left out.
    name : str
        Name in reports; the kind if empty.
    defaults : mapping
        Table "defaults" of its file: what session to build around it (source, pipeline, decoder, output).

    Attributes
    ----------
    stopping : Stopping or None
        The session's rule of when the evidence of several windows is enough; None for the paradigm's own.
    error_check : bcikit.paradigms.support.ErrorCheck or None
        What takes back a choice that the person's error potential says was wrong.
    skip_calibration : bool
        True where the session has a model already: the calibration block is left out.
    votes : int
        Decisions that have to agree until the session's gate lets one act; set before `configure`.
    takes_stopping, takes_errors : bool
        Whether the paradigm knows what to do with the first two.
    """

    kind: ClassVar[str]
    takes_stopping: ClassVar[bool] = False
    takes_errors: ClassVar[bool] = False
    Settings: ClassVar[type[ParadigmSettings]]
    adjustable: ClassVar[tuple[Adjustable, ...]] = ()
    """What whoever runs a session may change, and how far."""

    def __init__(
        self, settings: ParadigmSettings | None = None, *, name: str = "", defaults: Mapping[str, Any] | None = None
    ) -> None:
        self.settings: Any = self.Settings() if settings is None else settings
        self.name = name or self.kind
        self.defaults: dict[str, Any] = dict(defaults or {})
        self.info: StreamInfo | None = None
        self.stopping: Stopping | None = None
        self.error_check: Any = None
        self.skip_calibration = False
        self.votes = 1
        self._finished = False
        self._sequence = 0
        self._windows: list[tuple[int, int, WindowRequest]] = []
        self._window_order = 0
        self._anchor = (0, 0.0)

    # ---- what a paradigm is ------------------------------------------------------------------------------------
    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """What the decoder has to tell apart."""

    @property
    def calibration(self) -> Calibration | None:
        """How to cut training epochs; None where nothing is trained."""
        return None

    @property
    def needs(self) -> tuple[str, ...]:
        """Electrodes without which it cannot work."""
        return ()

    def outline(self) -> Outline:
        """Return how long it takes, how many trials it has, and what dose it can come to."""
        return outline(self)

    def shown_values(self) -> dict[str, Any]:
        """Return what a decoder must be told as it is here, by its parameter; empty where there is none.

        Each is a number, or a mapping of a target to one: ``frequencies`` (Hz), ``lags`` and ``period`` (seconds),
        ``rate`` (windows a second).
        """
        return {}

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """What it looks for in the spectrum, as it is called: edges of a band in Hz, or a frequency twice."""
        return {}

    def decider(self) -> Decider | None:
        """Return what decodes without training, or None if a trained model is needed (call after `configure`)."""
        return None

    def decider_for(self, request: WindowRequest) -> Decider | None:
        """Return what decodes this request in place of the session's decider; None for the usual one."""
        check = self.error_check
        return None if check is None or request.kind != "error-potential" else check.decider

    @property
    def idle(self) -> str | None:
        """The class of wanting nothing; None where there is none."""
        return None

    def resting(self) -> tuple[int, float] | None:
        """Return what the idle test decides while nothing is asked for, as in a run (call after `configure`).

        Returns
        -------
        (int, float) or None
            Length of a window in samples, and windows a second; None where decisions are about what was shown only.
        """
        if self.calibration is None:
            return None
        rate = float(getattr(self.settings, "rate", getattr(self.settings, "feedback_rate", 8.0)))
        return self.schedule.samples(self.calibration.tmax - self.calibration.tmin), rate

    @property
    def open_ended(self) -> bool:
        """True if it goes on for as long as the source does, so that the end of the source is its end."""
        return False

    @property
    def films(self) -> dict[str, str]:
        """Films that its scenes show, by the setting that names each: one that cannot be shown begins no session."""
        return {}

    def stimuli(self) -> list[dict[str, Any]]:
        """Return the design of everything that flickers or flashes, for the stimulus analyser; empty if nothing does.

        Each has ``kind`` ("flicker" or "flash"), ``name``, ``frequency`` (Hz), ``depth`` (0 to 1, modulation of
        luminance), ``size_deg`` (visual angle of the side), ``seconds`` (longest without a break) and ``red`` (False).
        """
        return []

    @abstractmethod
    def results(self) -> dict[str, Any]:
        """Return what came out so far, ready for JSON; at least ``paradigm``, ``n_trials`` and ``trials``."""

    def scene(self, event: Event, before: Scene) -> Scene:
        """Return what the person sees after an event of this paradigm, given what was seen before.

        The common grammar (cues, phases, feedback, targets that flicker) is drawn already; override it for more.
        It decides nothing: a session runs alike with and without a screen.
        """
        return follow(self.kind, event, before)

    # ---- the clock ---------------------------------------------------------------------------------------------
    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare for a stream; everything random follows from `seed`.

        Raises
        ------
        ArgumentError
            If the paradigm cannot run on such a stream.
        """
        if info.sfreq <= 0:
            raise ArgumentError(f"{self.name}: the stream {info.name!r} has no sampling rate; a paradigm needs one.")
        self.info = info
        self.seed = seed
        self.schedule = Schedule(info.sfreq)
        self._windows = []
        self._finished = False
        self._sequence = 0

    @abstractmethod
    def start(self, sample: int, time: float) -> None:
        """Begin: `sample` is the index of the first sample of the protocol, `time` its time in seconds."""

    @property
    def finished(self) -> bool:
        """True once nothing more will happen."""
        return self._finished

    @property
    def next_sample(self) -> int | None:
        """Sample at which something happens next: an event is due, or a window is complete; None if nothing is."""
        candidates = [] if self.schedule.next_sample is None else [self.schedule.next_sample]
        if self._windows:
            candidates.append(self._windows[0][0])
        return min(candidates, default=None)

    def advance(self, sample: int, time: float) -> list[Event]:
        """Return every event due up to `sample`, each with its planned sample and the time of that sample.

        Parameters
        ----------
        sample : int
            Index of the newest sample.
        time : float
            Its time, in seconds on the host clock.
        """
        self._anchor = (sample, time)
        events: list[Event] = []
        while True:
            # A window that ends here must be answered before what comes after it is known.
            limit = min(sample, self._windows[0][0] - 1) if self._windows else sample
            planned = self.schedule.pop(limit)
            if planned is None:
                return events
            if planned.action is not None:
                planned.action(planned.sample)
            if planned.name:
                events.append(self._event(planned))

    def windows_due(self, sample: int) -> list[WindowRequest]:
        """Return the windows that are complete and that nothing planned comes before.

        Parameters
        ----------
        sample : int
            Index after the newest sample (`Chunk.end_sample`).
        """
        due: list[WindowRequest] = []
        planned = self.schedule.next_sample
        limit = sample if planned is None else min(sample, planned)
        while self._windows and self._windows[0][0] <= limit:
            due.append(heappop(self._windows)[2])
        return due

    # ---- what comes in -----------------------------------------------------------------------------------------
    def on_source_event(self, event: Event) -> list[Event]:  # noqa: ARG002
        """Take notice of an event of the source: a cue of another program, a pedal; most paradigms need none."""
        return []

    def heeds(self, event: Event) -> bool:  # noqa: ARG002
        """Return whether `on_source_event` takes notice of this event; what it would have followed is said."""
        return type(self).on_source_event is not Paradigm.on_source_event

    def interpret(self, decision: Decision, request: WindowRequest) -> Decision:  # noqa: ARG002
        """Return the decision that the gate judges.

        What decides on evidence of many windows (a speller) answers here with what all of them say together,
        with no label until that is enough.
        """
        return decision

    def on_decision(
        self,
        decision: Decision,  # noqa: ARG002
        verdict: Verdict,  # noqa: ARG002
        request: WindowRequest,  # noqa: ARG002
    ) -> tuple[list[Command], list[Event]]:
        """Return what moves and what is shown after an interpreted decision and the gate's verdict on it."""
        return [], []

    def on_operator(self, action: str, sample: int, time: float, **data: Any) -> list[Event]:  # noqa: ARG002
        """Take notice of the therapist ("skip", "override", "difficulty"); returns what is to be logged."""
        return []

    def at_rest(self, decision: Decision, request: WindowRequest) -> Decision:  # noqa: ARG002
        """Return what a run would make of a window of the idle test, while nobody is asked for anything.

        What decides on evidence of many windows answers here as in a run: false activations are those of what decides
        then, and not of single windows.
        """
        return decision

    def forget(self) -> None:
        """Forget what the windows so far said: what comes next has nothing to do with them."""

    def keep_tested(self) -> None:
        """Let nothing make a movement easier from now on: an idle test speaks of what decides now, and of no less."""

    def on_dropped(self, frames: int) -> None:
        """Take notice that a screen dropped frames while something was locked to them; most paradigms need not."""

    def interrupt(self, sample: int) -> list[Event]:  # noqa: ARG002
        """Take notice that the clock stands still from `sample` on, because of a stop; returns what is to be logged.

        A paradigm whose trials are short does the trial again that was cut off.
        """
        return []

    # ---- for subclasses ----------------------------------------------------------------------------------------
    @property
    def sfreq(self) -> float:
        """Sampling rate of the configured stream in Hz."""
        return self.schedule.sfreq

    def _event(self, planned: Planned) -> Event:
        return self._event_at(
            planned.sample, planned.name, value=planned.value, duration=planned.duration, data=planned.data
        )

    def _event_at(
        self,
        sample: int,
        name: str,
        *,
        value: float | str | None = None,
        duration: float = 0.0,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        at, time = self._anchor
        return Event(
            name=name,
            time=time - (at - sample) / self.sfreq,
            sample=sample,
            value=value,
            duration=duration,
            source=SOURCE,
            data=dict(data or {}),
        )

    def _ask(self, request: WindowRequest) -> None:
        delay = self.settings.display_delay
        if delay and request.locked is not None:
            request = replace(request, stop_sample=request.stop_sample + self.schedule.samples(delay))
        self._window_order += 1
        heappush(self._windows, (request.stop_sample, self._window_order, request))

    def _drop_windows(self, trial: int) -> None:
        self._windows = [entry for entry in self._windows if entry[2].trial != trial]
        heapify(self._windows)

    def _command(
        self,
        decision: Decision,
        name: str,
        value: float | str | None = None,
        *,
        ttl: float,
        data: Mapping[str, Any] | None = None,
    ) -> Command:
        self._sequence += 1
        return Command(
            sequence=self._sequence,
            time=decision.time + decision.age,
            ttl=ttl,
            name=name,
            value=value,
            data=dict(data or {}),
        )
