"""`sim:` addresses: a simulated user as a source like any other."""

import time
from collections.abc import Iterator

import numpy as np

from bcikit.acquisition import Address, Source
from bcikit.signal import (
    ArgumentError,
    Capabilities,
    Chunk,
    Command,
    Decision,
    Event,
    Flag,
    Health,
    SourceError,
    StreamEndedError,
    StreamInfo,
    Verdict,
    check_choice,
)
from bcikit.simulation.imagery import CLASSES
from bcikit.simulation.incidents import Incident
from bcikit.simulation.leadfield import make_head
from bcikit.simulation.schedule import SchedulePlan, schedule
from bcikit.simulation.settings import TASKS, TwinSettings
from bcikit.simulation.truth import Truth
from bcikit.simulation.twin import Twin

MONTAGES = {
    "8": "FC3 FC4 C3 Cz C4 CP3 CP4 Pz",
    "16": "Fp1 Fp2 F3 Fz F4 FC3 FC4 C3 Cz C4 CP3 CP4 P3 Pz P4 Oz",
    "32": (
        "Fp1 Fp2 AF3 AF4 F7 F3 Fz F4 F8 FC5 FC3 FC1 FC2 FC4 FC6 T7 C3 C1 Cz C2 C4 T8 CP3 CP1 CPz CP2 CP4 P3 Pz P4 O1 O2"
    ),
    "64": (
        "Fp1 AF7 AF3 F1 F3 F5 F7 FT7 FC5 FC3 FC1 C1 C3 C5 T7 TP7 CP5 CP3 CP1 P1 P3 P5 P7 P9 PO7 PO3 O1 Iz Oz POz Pz "
        "CPz Fpz Fp2 AF8 AF4 AFz Fz F2 F4 F6 F8 FT8 FC6 FC4 FC2 FCz Cz C2 C4 C6 T8 TP8 CP6 CP4 CP2 P2 P4 P6 P8 P10 "
        "PO8 PO4 O2"
    ),
    "speller": "Fz Cz P3 Pz P4 PO7 PO8 Oz",
    "occipital": "Oz O1 O2 PO3 POz PO7 PO8 PO4",
}
"""Montages by name; any other list of 10-05 names can be given, parted by commas."""

_DEFAULT_MONTAGE = {"ssvep": "occipital", "cvep": "occipital", "p300": "speller"}
_DEFAULT_NUMBERS = {"vigilance": {"fatigue": 2.4}}
"""What a task needs to be one: a drive of twenty minutes must tire."""

_OPTIONS = (
    "seed", "session_seed", "channels", "sfreq", "reference", "chunk", "duration", "live", "schedule", "trials",
    "classes", "seconds", "incidents", "model", "speed", "emg",
)  # fmt: skip
_MODELS = ("oscillator", "jansen-rit")


class SimSource(Source):
    """A simulated user as a source.

    Parameters
    ----------
    twin : Twin
        The user.
    chunk : int
        Samples a pull, where it is not live.
    duration : float
        Seconds until the stream ends; infinity for never.
    live : bool
        Deliver at the pace of the clock instead of as fast as it is pulled.
    speed : float
        Not live: at most so many times as fast as life; 0 for as fast as it is pulled.
    schedule : iterator of Event
        Events that the source gives itself and reports by `pull_events`.
    """

    def __init__(
        self,
        twin: Twin,
        *,
        info: StreamInfo,
        chunk: int = 10,
        duration: float = float("inf"),
        live: bool = False,
        speed: float = 0.0,
        schedule: Iterator[Event] | None = None,
    ) -> None:
        self.info = info
        self.live = live
        self._speed = speed
        self._due = 0.0
        self._waited = 0.0
        self.twin = twin
        self._chunk = chunk
        self._end = None if duration == float("inf") else round(duration * info.sfreq)
        self._schedule = iter(()) if schedule is None else schedule
        self._next = next(self._schedule, None)
        self._scheduled = self._next is not None
        self._events: list[Event] = []
        self._origin = 0.0
        self._running = False
        self._first = True
        self._done = 0

    @property
    def truth(self) -> Truth:
        """What was really done: the ground-truth log."""
        return self.twin.truth

    @property
    def ended(self) -> bool:
        """True once the duration is over, or the schedule is done."""
        if self._end is not None and self.twin.sample >= self._end:
            return True
        return self._scheduled and self._end is None and self._next is None and self.twin.sample >= self._done

    def start(self) -> None:
        """Begin; a live source takes the time of the host clock as its origin."""
        if self._running:
            return
        self._running = True
        if self.live:
            from pylsl import local_clock

            self._origin = local_clock() - self.twin.sample / self.info.sfreq

    def stop(self) -> None:
        """Stop; the user waits."""
        self._running = False

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return the next samples."""
        if not self._running:
            raise SourceError(f"{self.info.name} is not started; use it in a 'with' block or call start().")
        if self.ended:
            raise StreamEndedError(self.info.name)
        if self._is_unplugged(timeout):
            return None
        count = self._chunk
        if self.live:
            count = self._wait(timeout)
        else:
            self._keep_pace(count / self.info.sfreq)
        if self._end is not None:
            count = min(count, self._end - self.twin.sample)
        if count <= 0:
            return None
        lost = self._behind_cover()
        count = self._until_cover(count)
        first = self.twin.sample
        self._give_events(first + count)
        data = self.twin.generate(count)
        times = self._origin + (first + np.arange(count)) / self.info.sfreq
        flags = (Flag.START if self._first else Flag.NONE) | (Flag.GAP if lost else Flag.NONE)
        self._first = False
        return Chunk(data, times, first, Health(lost=lost, flags=flags))

    def _keep_pace(self, seconds: float) -> None:
        """Wait until `seconds` of signal more may be there."""
        if self._speed > 0:
            self._due = max(self._due, time.monotonic() - 1.0) + seconds / self._speed
            time.sleep(max(0.0, self._due - time.monotonic()))

    def _is_unplugged(self, timeout: float) -> bool:
        """Return whether the cable is out for the whole of this pull."""
        for start, stop in self.twin.incidents.lost:
            if start == self.twin.sample and start in self.twin.incidents.silent:
                left = (stop - start) / self.info.sfreq - self._waited
                if left <= 0:
                    self._waited = 0.0
                    return False
                self._waited += min(timeout, left)
                if self.live:
                    time.sleep(min(timeout, left))
                else:
                    self._keep_pace(min(timeout, left))
                return True
        return False

    def _behind_cover(self) -> int:
        """Let the time without a link pass and return how many samples it cost."""
        for start, stop in self.twin.incidents.lost:
            if start <= self.twin.sample < stop:
                count = stop - self.twin.sample
                self._give_events(stop)
                self.twin.generate(count)
                return count
        return 0

    def _until_cover(self, count: int) -> int:
        """Return how many samples come before the link is lost."""
        ahead = [start - self.twin.sample for start, _ in self.twin.incidents.lost if start > self.twin.sample]
        return min([count, *ahead])

    def _wait(self, timeout: float) -> int:
        """Return how many samples are due, after at most `timeout` seconds."""
        from pylsl import local_clock

        due = int((local_clock() - self._origin) * self.info.sfreq) - self.twin.sample
        if due < self._chunk:
            missing = (self.twin.sample + self._chunk) / self.info.sfreq - (local_clock() - self._origin)
            time.sleep(max(0.0, min(missing, timeout)))
            due = int((local_clock() - self._origin) * self.info.sfreq) - self.twin.sample
        # After a long break the user goes on from now: nobody lives faster to catch up.
        return min(due, 10 * self._chunk)

    def _give_events(self, stop: int) -> None:
        while self._next is not None and self._next.sample is not None and self._next.sample < stop:
            event = self._next
            self._done = event.sample + round(2 * self.info.sfreq) if event.sample is not None else 0
            self.twin.on_event(event)
            if self._origin:
                event = Event(**{**event.to_dict(), "time": self._origin + event.time})
            self._events.append(event)
            self._next = next(self._schedule, None)

    def pull_events(self) -> list[Event]:
        """Return the cues of the source's own schedule that came since the last call."""
        events, self._events = self._events, []
        return events

    def on_event(self, event: Event) -> None:
        """Show the user a cue, a phase or a stimulus."""
        self.twin.on_event(event)

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Show the user what was decoded."""
        self.twin.on_decision(decision, verdict)

    def on_command(self, command: Command) -> None:
        """Show the user what moved."""
        self.twin.on_command(command)


def open_sim(address: Address) -> SimSource:
    """Open ``sim:TASK?option=value``.

    Parameters
    ----------
    address : Address
        The task is one of `TASKS`. Options: ``seed`` (of the user), ``session_seed`` (0 is the first session),
        ``channels`` (8, 16, 32, 64, occipital, speller, or names parted by commas), ``sfreq``, ``reference``
        (mastoids, average, or an electrode), ``chunk`` (samples a pull), ``duration`` (seconds), ``live``, ``speed``,
        ``schedule`` (give its own cues), ``trials``, ``classes``, ``seconds`` (of imagery or flicker),
        ``incidents`` (``pop@12~3*0,chew@20``), ``model`` (oscillator, jansen-rit), ``emg`` (limbs whose muscles have a
        channel of their own, ``left_hand,right_hand``), and every number of
        `TwinSettings`.

    Raises
    ------
    ArgumentError
        If the task, an option or an electrode is unknown, or a number is out of its limits.
    """
    task = check_choice("task", address.body or "motor-imagery", TASKS)
    address.check_options([*_OPTIONS, *TwinSettings.names()])
    defaults = _DEFAULT_NUMBERS.get(task, {})
    settings = TwinSettings.from_address(address, **defaults)
    sfreq = address.number("sfreq", 250.0, low=50.0, high=20000.0)
    seed = int(address.number("seed", 0, low=0))
    session_seed = int(address.number("session_seed", 0, low=0))
    wanted = address.options.get("channels", _DEFAULT_MONTAGE.get(task, "16"))
    names = tuple(MONTAGES[wanted].split() if wanted in MONTAGES else wanted.replace("+", ",").split(","))
    head = make_head(names, reference=address.options.get("reference", "mastoids"))
    limbs = tuple(dict.fromkeys(filter(None, address.options.get("emg", "").replace("+", ",").split(","))))
    for limb in limbs:
        check_choice("emg", limb, [word for word in CLASSES if word not in ("rest", "both_hands")])
    places: list[tuple[float, float, float]] = [tuple(map(float, place)) for place in head.positions]  # type: ignore[misc]
    info = StreamInfo(
        name=f"sim-{task}",
        sfreq=sfreq,
        ch_names=(*head.ch_names, *(f"EMG {limb}" for limb in limbs)),
        ch_types=("eeg",) * len(head.ch_names) + ("emg",) * len(limbs),
        positions=(*places, *((float("nan"),) * 3 for _ in limbs)),
        source_id=f"sim-{task}-{seed}",
        device="bcikit simulated user",
        reference=head.reference,
        line_freq=settings.mains_hz or None,
        capabilities=Capabilities(full_scale=187500.0, markers=True),
    )
    planned = [text for text in address.options.get("incidents", "").split(",") if text.strip()]
    twin = Twin(
        head,
        settings,
        sfreq,
        seed=seed,
        session_seed=session_seed,
        incidents=tuple(Incident.parse(text) for text in planned),
        masses=check_choice("model", address.options.get("model", "oscillator"), _MODELS) == "jansen-rit",
        limbs=limbs,
    )
    return SimSource(
        twin,
        info=info,
        chunk=int(address.number("chunk", max(1, round(0.04 * sfreq)), low=1)),
        duration=address.number("duration", float("inf"), low=0.0),
        live=address.flag("live", default=False),
        speed=address.number("speed", 0.0, low=0.0, high=1000.0),
        schedule=_own_schedule(task, address, sfreq, (seed, session_seed)),
    )


def _own_schedule(task: str, address: Address, sfreq: float, seeds: tuple[int, int]) -> Iterator[Event] | None:
    if not address.flag("schedule", default=False):
        alone = [name for name in ("trials", "seconds", "classes") if name in address.options]
        if alone:
            raise ArgumentError(
                f"{', '.join(alone)} of sim:{task} means nothing without its own schedule: add schedule=1; a session "
                "brings its trials itself."
            )
        return None
    plan = SchedulePlan(
        sfreq=sfreq,
        trials=int(address.number("trials", {"p300": 360, "rest": 4}.get(task, 40), low=1)),
        seconds=address.number("seconds", 0.0, low=0.0),
        classes=tuple(address.options.get("classes", "left_hand,right_hand").split(",")),
        rng=np.random.default_rng([*seeds, 1]),
    )
    return schedule(task, plan)
