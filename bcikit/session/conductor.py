"""The conductor: joins pipeline, decoder, gate and paradigm on the sample clock.

It is the same object live, faster than live and on replay: it is handed chunks with their arrival times and whatever
else came from outside, and asks nobody what time it is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bcikit.decoding import AdaptiveModel, Model
from bcikit.paradigms import Decider, Paradigm, WindowRequest
from bcikit.paradigms.outline import STILL
from bcikit.paradigms.support import ERROR_POTENTIAL
from bcikit.presentation.director import Director
from bcikit.processing import Pipeline, Regrid, WindowBuffer
from bcikit.recording.lateness import REFUSED
from bcikit.safety import SafetySystem, Severity, State
from bcikit.safety.arming import ArmRequest
from bcikit.safety.idle import IdleTest
from bcikit.safety.machine import LATCHED
from bcikit.safety.person import drowsiness
from bcikit.session.command_life import shortened
from bcikit.session.earlier import AS_IN_RUN, DROPPED, FOLLOWS, GOOD_ONLY, OWN, STILL_AT, TAKES_BACK, Earlier
from bcikit.session.flips import HOLD, Flips, SampleTimes
from bcikit.session.following import Follower
from bcikit.session.idle_block import KIND, IdleBlock
from bcikit.session.listener import Listener
from bcikit.session.orders import checked_order
from bcikit.session.side_path import SidePath
from bcikit.session.stages import StageMeter
from bcikit.session.standstill import Standstill, nothing_can_come
from bcikit.session.training import Trainer
from bcikit.signal import (
    ArgumentError,
    BciError,
    Chunk,
    Decision,
    Event,
    Recording,
    SafetyError,
    StreamInfo,
    Verdict,
    check_choice,
)
from bcikit.signal.messages import (
    Alarmed,
    Decided,
    Filtered,
    Happened,
    Input,
    Message,
    ModelChosen,
    Presented,
    Raw,
    Sent,
    StateChanged,
)

RULES = "3"
"""Number of the rules by which a session is decided. It grows where the same recording gives other decisions or
verdicts and no `Earlier` knows how it was: then a replay that differs says why."""

BUFFER_SECONDS = 30.0
"""Filtered signal that is kept for windows."""

AUTOMATIC = "automatic"
"""Operator of a session that nobody attends; only the profile "simulation" lets it arm."""

EYES_CLOSED = "eyes/closed"
"""Marker of whoever sees the eyes (an eye tracker, a page, a person): flicker that is on is stopped by it (ST-EYES)."""

EYES_SECONDS = 1.0

DROWSY_SECONDS = 35.0
"""A sleepiness score holds until the next one may come: a paradigm asks every 30 s at the least."""

RETRY_SECONDS = 1.0
"""Between two attempts to arm an unattended session that safety refuses."""


class Conductor:
    """Runs a session, chunk by chunk.

    Parameters
    ----------
    info : StreamInfo
        The source's stream.
    columns : sequence of int
        Channels that are used.
    pipeline : Pipeline
        Not configured yet.
    paradigm : Paradigm
        Not configured yet.
    safety : SafetySystem
        For the stream `info` picked by `columns`.
    seed : int
        Seed of the paradigm.
    decider : Decider or None
        What decides; None where it is trained in the session.
    trainer : callable or None
        Makes the decider at the end of the calibration block.
    listeners : sequence of Listener
        Who is told.
    operator : str
        Who arms; `AUTOMATIC` where nobody does and the profile allows it.
    request : ArmRequest, optional
        What the operator brings to calibrate and to arm: consent, screening.
    idle_test : float
        Seconds of rest before the first run in which false activations are counted; 0 for none.
    meter : StageMeter or None
        Takes the time of each stage; what is decided is the same.
    judge : callable or None
        Stands in for the gate where a recording is evaluated and nothing can move.
    earlier : Earlier, optional
        What an older version did otherwise, where a session that it recorded is replayed.
    """

    def __init__(
        self,
        *,
        info: StreamInfo,
        columns: Sequence[int],
        pipeline: Pipeline,
        paradigm: Paradigm,
        safety: SafetySystem,
        seed: int,
        decider: Decider | None = None,
        trainer: Trainer | None = None,
        listeners: Sequence[Listener] = (),
        operator: str = AUTOMATIC,
        request: ArmRequest | None = None,
        idle_test: float = 0.0,
        meter: StageMeter | None = None,
        judge: Callable[[Decision], Verdict] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self._earlier = earlier or Earlier()
        self._columns = list(columns)
        self._all = self._columns == list(range(info.n_channels))
        self.info = info if self._all else info.pick(self._columns)
        self.filtered_info = pipeline.configure(self.info)
        # Where a step changes the rate, paradigm and windows count samples of the output; all else those of the source.
        self._grid = Regrid.of(pipeline, self.info, self.filtered_info)
        self._earlier.prepare(paradigm, safety)
        # What stands in for the gate counts no votes.
        paradigm.votes = safety.settings.k if judge is None else 1
        paradigm.configure(self.filtered_info, seed=seed)
        if safety.settings.idle_max_per_min is not None:
            paradigm.keep_tested()
        self.pipeline = pipeline
        self.paradigm = paradigm
        self.safety = safety
        self.listeners = list(listeners)
        self._meter = meter
        self._judged_by = judge
        self.operator = operator
        self._request = request or ArmRequest()
        self.decider: Decider | None = paradigm.decider() or decider
        self._trainer = trainer if self.decider is None else None
        self._follower: Follower | None = None
        check = paradigm.error_check
        self._takes_back = False
        self._side = None if check is None else SidePath(self.info, check.filters, sfreq=self.filtered_info.sfreq)
        self._buffer = WindowBuffer(self.filtered_info.n_channels, self.filtered_info.sfreq, BUFFER_SECONDS)
        self._collected: list[Chunk] = []
        self._cues: list[Event] = []
        self._begin: int | None = None
        self._started = False
        self._state = ""
        self._alarms: dict[str, Alarmed] = {}
        self._sequence = -1
        self._sample = -1
        self._time = 0.0
        self.now = 0.0
        self._attended = operator != AUTOMATIC
        self._acting = False
        self._wants_go = False
        self._next_try = float("-inf")
        self._still = Standstill()
        self.idle = IdleBlock(idle_test)
        self.flips = Flips(paradigm, self.filtered_info.sfreq, info.sfreq)
        self._sample_times = SampleTimes(info.sfreq)
        self._director = Director(paradigm)
        self._delay = round(paradigm.settings.display_delay * self.filtered_info.sfreq)
        self._late = False
        self.backlog_s = 0.0
        """Longest time, in seconds, that samples lay in the driver's buffer while nobody was shown anything."""
        self.trained = False
        """Whether the decoder was trained while the newest chunk was taken: that time is no load of the signal."""
        self.interrupted = 0
        """Trials that were cut off and do not count."""
        self.dropped_cues = 0
        """Cues of the source that came while the protocol stood still, and began no trial."""
        self.n_samples = 0
        """Samples that came."""
        self._doors: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "backlog": self._take_backlog,
            "battery": self._take_battery,
            "buffer": self._take_buffer,
            "event": self._take_event,
            "finding": self._take_finding,
            "impedance": self._take_impedance,
            "load": self._take_load,
            "order": self._take_order,
            "marker": self._take_marker,
            "screen": self._take_screen,
            "silence": self._take_silence,
        }
        self._follow_person()

    @property
    def finished(self) -> bool:
        """True once the paradigm is over."""
        return self.paradigm.finished

    @property
    def stands_still(self) -> bool:
        """True while the paradigm's clock stands still: paused, stopped or not armed."""
        return bool(self._still)

    @property
    def strange(self) -> float | None:
        """Share of the newest windows unlike those that the model learned from; None where that is not known."""
        return None if self._follower is None else self._follower.strange

    # ---- what comes in -----------------------------------------------------------------------------------------
    def on_chunk(self, chunk: Chunk, now: float, *, stopwatch: Callable[[], float] | None = None) -> None:
        """Take the next chunk.

        Parameters
        ----------
        chunk : Chunk
            As the source gave it, with all its channels.
        now : float
            When it arrived, in seconds on the host clock.
        stopwatch : callable, optional
            Returns the seconds since the chunk arrived; only measured, never decided upon.
        """
        self._tell(Raw(chunk=chunk, time=now))
        self.trained = False
        if not chunk.n_times:
            return
        self._sample_times.add(chunk)
        self.n_samples += chunk.n_times
        used = chunk if self._all else self._pick(chunk)
        self.now = max(self.now, now)
        self.safety.on_chunk(used, self.now)
        self._lap("safety")
        filtered = self.pipeline.process(used)
        self._tell(Filtered(chunk=filtered, time=self.now))
        self._buffer.append(filtered)
        if self._side is not None:
            self._side.take(used)
        if self._trainer is not None:
            self._collected.append(filtered)
        self._sample = self._grid.newest(used.end_sample - 1)
        # The newest sample behind a step that changes the rate is not always of the newest that came.
        since = used.end_sample - 1 - (self._sample * self._grid.ratio + self._grid.offset)
        self._time = float(used.times[-1]) - since / self.info.sfreq
        for event in self.pipeline.pull_events():
            self._emit(event)
        self._follow_safety()
        if not self._late:
            self._still.end("backlog", self._grid.onto(used.first_sample))
        self._start_paradigm(used)
        self._rest(stopwatch)
        self._try_go()
        self._hold(self._grid.onto(used.first_sample))
        self._run_paradigm(stopwatch)
        self._late = False
        self._follow_safety()
        self._hold(self._sample + 1)

    def take_input(self, kind: str, values: Mapping[str, Any]) -> None:
        """Take what came from outside beside the samples; it is told first, so that a replay can repeat it.

        Parameters
        ----------
        kind : str
            "silence" (nothing came until ``now``), "event" (a marker of the source), "order" (of a person, see
            `bcikit.session.orders`), "load" (``share`` of the time that processing took), "finding" (of a
            monitor outside the signal: ``rule``, ``severity``, ``value``, ``limit``, ``hold``), "battery"
            (``percent``), "buffer" (``fill`` of the driver's, 0 to 1), "impedance" (``ohms`` by channel), "backlog"
            (the next chunk was taken while nobody was shown anything; ``seconds`` late, 0 for the first that was not,
            with its ``sample``), "screen" (what a renderer
            reports, see `bcikit.session.flips`), "marker" (of a page: ``name``, and ``t`` in s on the host clock).
        values : mapping
            Ready for JSON.

        Raises
        ------
        ArgumentError
            If there is no such kind.
        """
        take = self._doors[check_choice("kind of input", kind, self._doors)]
        if kind == "order":
            try:
                values = checked_order(dict(values))
            except ArgumentError as error:
                self._emit(self._event("operator/refused", {"do": "order", "reason": str(error)}))
                return
        self._tell(Input(kind=kind, values=values, time=float(values["now"]) if kind == "silence" else self.now))
        take(values)
        self._follow_safety()

    def _take_silence(self, values: Mapping[str, Any]) -> None:
        self.now = max(self.now, float(values["now"]))
        self.safety.on_silence(self.now)
        self._follow_safety()
        self._hold(self._sample + 1)

    def _take_load(self, values: Mapping[str, Any]) -> None:
        self.safety.on_load(float(values["share"]), self.now)

    def _take_finding(self, values: Mapping[str, Any]) -> None:
        self.safety.report(
            values["rule"],
            Severity(values["severity"]),
            self.now,
            value=values["value"],
            limit=values["limit"],
            hold_s=values["hold"],
        )

    def _take_battery(self, values: Mapping[str, Any]) -> None:
        self.safety.stream.on_battery(float(values["percent"]), self.now)

    def _take_buffer(self, values: Mapping[str, Any]) -> None:
        self.safety.stream.on_buffer(float(values["fill"]), self.now)

    def _take_impedance(self, values: Mapping[str, Any]) -> None:
        self.safety.watch.on_impedance(values["ohms"])

    def _take_backlog(self, values: Mapping[str, Any]) -> None:
        if not values["seconds"]:
            # Cues of the chunk that comes now are of now; what was lost before it is none of the protocol's time.
            self._still.end("backlog", self._grid.onto(int(values["sample"])))
            return
        if not self._still.because_of("backlog"):
            self._emit(self._event("session/backlog", dict(values)))
        self._late = True
        self.backlog_s = max(self.backlog_s, float(values["seconds"]))
        if self._begin_still("backlog") and self._started:
            self._interrupt()

    def _take_event(self, values: Mapping[str, Any]) -> None:
        event = Event.from_dict(values)
        if event.name == EYES_CLOSED and self.safety.watch.dose.running:
            # Behind closed lids all of the retina sees the flicker.
            self.safety.report("ST-EYES", Severity.FAULT, self.now, value="closed", limit="open", hold_s=EYES_SECONDS)
        if event.source in OWN:
            # Of a session that is played, or a page that says so: nothing of this session said it.
            event = replace(event, source=f"source/{event.source}".rstrip("/"))
        # It steers, shows and teaches nothing by its name alone; a paradigm that heeds it makes events of its own.
        self._tell(Happened(event=event))
        heard = self._grid.event(event)
        if self._still.covers(heard.sample) and not self._earlier.late_cues:
            # The samples that it is about will be none of the protocol's.
            if self.paradigm.heeds(event):
                self.dropped_cues += 1
                self._emit(self._event(DROPPED, {"event": event.name}))
            return
        for follow in self.paradigm.on_source_event(self._still.in_paradigm(heard)):
            self._emit(self._in_source(follow))

    def _take_marker(self, values: Mapping[str, Any]) -> None:
        self._take_event(self._sample_times.marker(values).to_dict())

    def _take_screen(self, values: Mapping[str, Any]) -> None:
        dropped = self.flips.dropped
        found = self.flips.take(values)
        if found is not None:
            severity, value, limit = found
            self.safety.report("ST-TIMING", severity, self.now, value=value, limit=limit, hold_s=HOLD)
        if self.flips.dropped > dropped and self._started:
            frames = self.flips.dropped - dropped
            self.paradigm.on_dropped(frames)
            self._emit(self._event("presentation/dropped", {"frames": frames}))

    def _take_order(self, order: Mapping[str, Any]) -> None:
        do = str(order["do"])
        reason = str(order.get("reason", ""))
        who = str(order.get("who", "operator"))
        if do == "note":
            self._emit(self._note(order))
        elif do != "deadman" or order["held"] != self.safety.switches.dead_man_held:
            # A held switch is renewed many times a second; only its changes are events.
            self._emit(self._event(f"operator/{do}", {key: value for key, value in order.items() if key != "do"}))
        if do == "stop":
            self._wants_go = False
            self.safety.control.stop(reason or "operator stop", who=who, now=self.now)
        elif do == "deadman":
            self.safety.switches.dead_man(self.now, held=order["held"])
        elif do == "estop":
            self._wants_go = self._wants_go and not order["pressed"]
            self.safety.switches.estop(self.now, pressed=order["pressed"], lost=bool(order.get("lost")), reason=reason)
        elif do in ("acknowledge", "arm", "start", "teststop"):
            self._order_safety(do, who, reason)
        elif do == "idletest":
            self._want_rest(float(order["seconds"]))
        elif do == "pause":
            self._pause()
        elif do == "resume":
            self._resume()
        elif do in ("skip", "override", "difficulty"):
            values = {key: value for key, value in order.items() if key not in ("do", "who", "reason")}
            self._order_paradigm(do, values)
        self._follow_safety()
        self._hold(self._sample + 1)

    def _order_paradigm(self, do: str, values: dict[str, Any]) -> None:
        """Do what a person orders of the paradigm; what fails there, which anybody may have written, is an event."""
        # While its clock stands still, nothing may be planned from a time on that it has not come to.
        stands = bool(self._still) and not (do == "skip" and self._earlier.skips_ahead)
        sample = max(self._still.seen, 0) if stands else self._sample - self._still.skew
        try:
            if do == "difficulty" and self.idle.running:
                raise SafetyError("the idle test is on, and speaks of one difficulty")
            events = self.paradigm.on_operator(do, sample, self._time, **values)
        except Exception as error:  # noqa: BLE001 - an order must not end the session
            reason = str(error) if isinstance(error, BciError) else f"{type(error).__name__}: {error}"
            threshold = getattr(self.paradigm, "threshold", None) if do == "difficulty" else None
            # What goes on instead, for a window that has not heard of it.
            kept = {} if threshold is None else {"threshold": threshold}
            self._emit(self._event("operator/refused", {"do": do, "reason": reason, **kept}))
            return
        for event in events:
            found = self._in_source(event)
            if self._still and event.name.startswith("therapist/"):
                # What is planned goes by the clock that stands still; that a person said it was now.
                found = replace(found, time=self._time, sample=max(self._grid.back(self._sample), 0))
            if event.name == "therapist/skip" and not self._earlier.skips_ahead:
                found = replace(found, data={**found.data, STILL_AT: stands})
            self._emit(found)

    def _want_rest(self, seconds: float) -> None:
        if self.decider is None or self.safety.state is not State.STANDBY or self._still.because_of(KIND):
            self._refused("idletest", "an idle test begins in STANDBY, once a decoder is there, and while none is on")
            return
        self.idle = IdleBlock(seconds)
        self._stand_still(KIND)

    def _pause(self) -> None:
        if not self._still.because_of("pause"):
            self._stand_still("pause")
            self._wants_go = False
            self.safety.control.finish("paused", now=self.now)

    def _resume(self) -> None:
        if self._still.because_of("pause"):
            self._still.end("pause", self._sample + 1)
            if self.decider is not None:
                self._go()
            elif self._started:
                self._order_safety("start", self.operator, "")

    def _stand_still(self, reason: str) -> None:
        """Stop the paradigm's clock; a trial that a stop cuts off, or a person who attends, will be done again."""
        if self._begin_still(reason) and self._started and (self._attended or reason == "safety"):
            self._interrupt()

    def _begin_still(self, reason: str) -> bool:
        """Stop the paradigm's clock; return whether it went until now."""
        begun = self._still.begin(reason)
        if begun:
            self._cut(self._still.seen + 1 + self._still.skew)
        return begun

    def _cut(self, stop: int) -> None:
        """Let what was to be learned of samples from `stop` on teach nothing: the person was not asked for it then."""
        if self._follower is not None and not self._earlier.learns_all:
            self._follower.cut(stop)

    def _interrupt(self) -> None:
        for event in self.paradigm.interrupt(self._still.seen + 1):
            self._emit(self._in_source(event))

    def _hold(self, next_sample: int) -> None:
        """Hold the paradigm while nothing can come of it: nobody trains in vain, and a stop stops the protocol, too."""
        if not self._started or self._judged_by is not None:
            # What was recorded was recorded to its end, and nothing can move by it.
            return
        state = self.safety.state
        vain = self._attended and nothing_can_come(state, learns=self.decider is None, acting=self._acting)
        if vain or state in LATCHED:
            self._stand_still("safety")
        else:
            self._still.end("safety", next_sample)

    def _order_safety(self, do: str, who: str, reason: str) -> None:
        """Do what a person orders of the safety room; a refusal is an event, not an error."""
        try:
            if do == "acknowledge":
                self.safety.control.acknowledge(who, reason, now=self.now)
            elif do == "teststop":
                self.safety.control.test_stop(who=who, now=self.now)
            elif do == "arm":
                if self.decider is None:
                    # From ARMED nothing leads to a calibration: the session would stand still for ever.
                    raise SafetyError("Not armed: nothing decides yet. It is armed once it has learned.")
                self.safety.control.arm(replace(self._request, operator=who), now=self.now)
            elif self.decider is None:
                self.safety.control.calibrate(replace(self._request, operator=who), now=self.now)
            else:
                self.safety.control.start(now=self.now)
        except SafetyError as error:
            # How long it still takes is told, so that a window can count it down, or ask again.
            waits = {"acknowledge": self.safety.control.stop_clears_in, "arm": self.safety.control.judges_in}
            left = {"left": round(waits[do], 3)} if waits.get(do) or do == "acknowledge" else {}
            self._emit(self._event("operator/refused", {"do": do, "reason": str(error), **left}))

    # ---- inside ------------------------------------------------------------------------------------------------
    def _lap(self, stage: str) -> None:
        if self._meter is not None:
            self._meter.lap(stage)

    def _tell(self, message: Message) -> None:
        for listener in self.listeners:
            listener.take(message)

    @property
    def stopped_by(self) -> str:
        """Return the rule that stopped the session, in a latched state; "" in any other, and where nothing can move."""
        stopped = self._judged_by is None and self.safety.state in LATCHED
        stops = self.safety.ledger.tally.stops if stopped else ()
        return str(stops[-1][1]) if stops else ""

    def _pick(self, chunk: Chunk) -> Chunk:
        mask = chunk.health.mask
        health = chunk.health.with_mask(None if mask is None else mask[:, self._columns].copy(order="C"))
        return Chunk(chunk.data[:, self._columns].copy(order="C"), chunk.times, chunk.first_sample, health)

    def _start_paradigm(self, chunk: Chunk) -> None:
        if self._started:
            return
        if self._begin is None:
            # Whatever the first chunk was cut to, the protocol begins once the filters have settled.
            settled = chunk.first_sample + round(self.pipeline.settling * self.info.sfreq)
            self._begin = self._grid.onto(settled)
        if self._sample < self._begin:
            return
        self._started = True
        self._still.seen = self._begin - 1
        self._tell_follows()
        if self.decider is None:
            if self.safety.state is not State.CALIBRATING:
                self._order_safety("start", self.operator, "")
        elif self.idle.wanted:
            self._still.begin(KIND)
        else:
            self._go()
        self.paradigm.start(self._begin, self._time - (self._sample - self._begin) / self.filtered_info.sfreq)

    def _go(self, *, at_once: bool = True) -> None:
        """Let the gate open from now on, where nobody has to do it by hand."""
        if self.safety.state is State.CALIBRATING:
            self.safety.control.finish("calibrated", now=self.now)
        if self.operator == AUTOMATIC:
            self._wants_go = True
            if at_once:
                self._try_go()

    def _try_go(self) -> None:
        """Arm and start an unattended session as soon as safety allows it; until then nothing moves."""
        if not self._wants_go or self.safety.state is not State.STANDBY or self.now < self._next_try:
            return
        if self._still.because_of(KIND):
            return
        try:
            self.safety.control.arm(operator=AUTOMATIC, now=self.now)
            self.safety.control.start(now=self.now)
            self._wants_go = False
        except SafetyError as error:
            self._next_try = self.now + RETRY_SECONDS
            self._tell(Happened(event=self._event("operator/refused", {"do": "arm", "reason": str(error)})))

    def _follow_blocks(self, event: Event) -> None:
        """Hold the gate shut between runs: a run is what is armed, a pause is not."""
        if event.name != "block/start" or self.decider is None:
            return
        self._acting = event.data.get("kind") not in STILL
        if not self._acting:
            self._wants_go = False
            self.safety.control.finish(str(event.data.get("name", "pause")), now=self.now)
        else:
            self._go()

    def _rest(self, stopwatch: Callable[[], float] | None) -> None:
        """Run the idle test: decide as in a run while the participant rests, and count what would have moved."""
        if not self._still.because_of(KIND):
            return
        test = self.safety.control.idle_test
        if not self.idle.running:
            self._begin_rest()
        elif self.safety.state is not State.CALIBRATING or test is None:
            # Stopped, or paused: it begins anew once a person has undone that.
            self._emit(self._event("idle-test/end", self.idle.end(test, complete=False)))
            self._cut(self._sample + 1)
            self._forget()
        else:
            for request in self.idle.due(self._sample + 1 - self._still.skew):
                decision = self._decode(request)
                if not decision.probabilities and not self._earlier.blind_rest:
                    # What could decide nothing could not have acted either.
                    test.skip(self.now)
                if not self._earlier.single_windows:
                    decision = self.paradigm.at_rest(decision, request)
                self._judge(decision, request, stopwatch)
            if self.idle.over(test, self.now):
                self._end_rest(test)

    def _begin_rest(self) -> None:
        rest = self.paradigm.resting()
        if self.safety.state is not State.STANDBY or self._still.because_of("pause") or self.now < self._next_try:
            return
        if rest is None:
            self._refused("idletest", f"{self.paradigm.name} decides on nothing while nothing is shown")
            self._still.end(KIND, self._sample + 1)
            self.idle.wanted = False
            return
        try:
            self.safety.control.calibrate(replace(self._request, operator=self.operator), idle_test=True, now=self.now)
        except SafetyError as error:
            self._next_try = self.now + RETRY_SECONDS
            self._refused("idletest", str(error))
            return
        length, rate = rest
        hop = max(1, round(self.filtered_info.sfreq / rate))
        self.idle.begin(self._sample + 1 - self._still.skew, self.now, n_times=length, hop=hop)
        if self.safety.settings.idle_max_per_min is not None:
            # It speaks of what decides now, and not of what did when the session began.
            self.paradigm.keep_tested()
        about = {
            "seconds": self.idle.seconds,
            AS_IN_RUN: not self._earlier.single_windows,
            GOOD_ONLY: not self._earlier.blind_rest,
        }
        self._emit(self._event("idle-test/start", about))
        self._forget()
        self._emit(replace(self._event("phase/rest", {}), duration=self.idle.seconds, source="paradigm"))

    def _end_rest(self, test: IdleTest) -> None:
        self.safety.control.finish("idle test over", now=self.now)
        # One that ran out of patience has measured too little, and says so.
        ended = self.idle.end(test, complete=test.seconds >= self.idle.seconds)
        self._emit(self._event("idle-test/end", ended))
        self._forget()
        self._still.end(KIND, self._sample + 1)
        self._go()

    def _forget(self) -> None:
        """Let what windows of the idle test said count for nothing after it, and what was before for nothing in it."""
        if not self._earlier.single_windows:
            self.paradigm.forget()

    def _refused(self, do: str, reason: str) -> None:
        self._emit(self._event("operator/refused", {"do": do, "reason": reason}))

    def _run_paradigm(self, stopwatch: Callable[[], float] | None) -> None:
        if not self._started:
            return
        while not self._still:
            sample = self._still.seen = self._sample - self._still.skew
            events = self.paradigm.advance(sample, self._time)
            for event in events:
                self._emit(self._in_source(event))
            requests = self.paradigm.windows_due(sample + 1)
            for request in requests:
                if self._follower is not None:
                    self._follower.before(request.stop_sample + self._still.skew)
                self._decide(request, stopwatch)
            if not events and not requests:
                break
        if self._follower is not None:
            self._follower.upto(self._sample + 1)
            for name, sample, data in self._follower.news():
                event = Event(name=name, time=self._time, sample=sample, source="decoder", data=data)
                self._emit(self._grid.event_back(event))

    def _decide(self, request: WindowRequest, stopwatch: Callable[[], float] | None) -> None:
        decision = self.paradigm.interpret(self._decode(request), request)
        decision, verdict = self._judge(decision, request, stopwatch)
        self._watch_driver(decision)
        commands, events = self.paradigm.on_decision(decision, verdict, request)
        for event in events:
            self._emit(self._in_source(event))
        self._send(commands, verdict)

    def _watch_driver(self, decision: Decision) -> None:
        """Tell the operator of a person who grows sleepy, as a paradigm of vigilance estimates it."""
        score = decision.data.get("kss")
        found = drowsiness(int(score)) if isinstance(score, float) and math.isfinite(score) else None
        if found is not None:
            self.safety.report(
                found.rule, found.severity, self.now, value=found.value, limit=found.limit, hold_s=DROWSY_SECONDS
            )

    def _judge(
        self, decision: Decision, request: WindowRequest, stopwatch: Callable[[], float] | None
    ) -> tuple[Decision, Verdict]:
        """Return a decision on the source's grid and the gate's verdict on it; both are told."""
        if not self._grid.same:
            decision = replace(decision, sample=self._grid.back(decision.sample))
        self._lap("decode")
        undo = request.kind == ERROR_POTENTIAL and not self._earlier.errors_act
        if undo and not self._takes_back:
            self._takes_back = True
            self._emit(self._event(TAKES_BACK, {}))
        if self._judged_by is None:
            verdict = self.safety.decide(decision, self.now, undo=undo)
        else:
            verdict = self._judged_by(decision)
        self._lap("gate")
        latency = None if stopwatch is None else stopwatch()
        self._tell(
            Decided(
                decision=decision,
                verdict=verdict,
                kind=request.kind,
                trial=request.trial,
                final=request.final,
                latency=latency,
            )
        )
        return decision, verdict

    def _decode(self, request: WindowRequest) -> Decision:
        """Return a decision whatever happens: what fails decides nothing, with the reason."""
        shift = self._shown_later(request)
        stop = request.stop_sample + self._still.skew + (shift or 0)
        time = self._time - (self._sample + 1 - stop) / self.filtered_info.sfreq
        classes = self.paradigm.classes

        def nothing(reason: str) -> Decision:
            age = max(0.0, self.now - time)
            return Decision(time=time, sample=stop - 1, classes=classes, reason=reason, age=age)

        decider = self.paradigm.decider_for(request) or self.decider
        if decider is None:
            return nothing("no-model")
        if self._still.spans(request.start_sample, request.stop_sample):
            return nothing("paused")
        if shift is None:
            # What was not seen cannot have been responded to.
            return nothing("not-shown")
        try:
            aside = self._side is not None and request.kind == ERROR_POTENTIAL
            window = (self._side if aside and self._side is not None else self._buffer).get(stop, request.n_times)
        except ArgumentError:
            return nothing("not-enough-data")
        try:
            return decider.decide(window, now=self.now)
        except BciError as error:
            return nothing(f"error: {error}")
        except Exception as error:  # noqa: BLE001 - a decoder may come from anybody; the gate must see it fail
            self.safety.report("A-DEC", Severity.FAULT, self.now, value=f"{type(error).__name__}: {error}")
            return nothing(f"error: {type(error).__name__}: {error}")

    def _shown_later(self, request: WindowRequest) -> int | None:
        """Return by how many samples a window moves because its stimulus was shown so; None if it was not shown."""
        if request.locked is None:
            return 0
        shift = self.flips.shift(self._grid.back(request.locked + self._still.skew))
        return None if shift is None else shift - self._delay * self.flips.active

    def _shown_by(self, event: Event) -> int | None:
        """Return by how many samples the window after a cue or label moves; None if nobody saw what it is about."""
        locked = event.data.get("locked")
        planned = locked if isinstance(locked, int) else event.sample
        if event.source != "paradigm" or planned is None or event.sample is None:
            return 0
        shift = self.flips.shift(planned)
        already = round((event.sample - planned) * self.filtered_info.sfreq / self.info.sfreq)
        return None if shift is None else shift - already * self.flips.active

    def _send(self, commands: Sequence[Any], verdict: Verdict) -> None:
        if not verdict.allowed:
            # A paradigm may not move anything that the gate refused.
            return
        for command in commands:
            self._tell(Sent(command=shortened(command, self.safety.settings)))

    def _emit(self, event: Event) -> None:
        # What flickered in a recording that is evaluated was seen.
        drawn = self._judged_by is None
        if drawn and event.name == "stimulus/off":
            self.safety.stimulus(self.now, on=False)
        elif (
            drawn
            and event.name == "stimulus/flicker"
            and (self.flips.unfit or not self.safety.stimulus(self.now, on=True))
        ):
            # Whoever draws shows mid-grey: the state does not allow flicker, or its dose is used up.
            event = replace(event, name=REFUSED)
        scene, shown = self._director.on_event(event)
        self.flips.plan(event, scene=scene is not None)
        if shown:
            # Before the event itself: whoever looks at the screen sees what it brings.
            self._tell(Presented(event=event, scene=None if scene is None else scene.to_dict()))
        self._tell(Happened(event=event))
        self.interrupted += event.name == "trial/end" and bool(event.data.get("interrupted"))
        heard = self._earlier.learns_all or not event.data.get("practice")
        if self._follower is not None and heard:
            self._follower.on_event(self._grid.event(event), partial(self._shown_by, event))
        self._follow_blocks(event)
        if self._trainer is None or event.data.get("practice"):
            return
        self._cues.append(event)
        if event.name == "trial/end" and event.data.get("interrupted"):
            self._cues = [cue for cue in self._cues if cue.data.get("trial") != event.data.get("trial")]
        if event.name == "calibration/end":
            self._train()

    def _train(self) -> None:
        assert self._trainer is not None
        cues = tuple(self._grid.event(cue) for cue in self.flips.moved(self._cues))
        recording = Recording.from_chunks(self.filtered_info, self._collected, events=cues)
        self.decider = self._trainer(recording)
        # That may have taken seconds, in which the samples waited.
        self.safety.stream.looked_away()
        self.trained = True
        self._trainer = None
        self._collected = []
        self._cues = []
        self._tell(model_message(self.decider, self.now))
        self._follow_person()
        self._tell_follows()
        if self.idle.wanted:
            self.safety.control.finish("calibrated", now=self.now)
            self._still.begin(KIND)
        else:
            # Not at once: what a person ordered while the decoder trained is heard before anything may move.
            self._go(at_once=False)

    def _follow_person(self) -> None:
        """Let a decider that learns have what there is to learn from now on."""
        if not isinstance(self.decider, AdaptiveModel | Model):
            return
        wanted = self.paradigm.calibration
        self._follower = Follower(
            self.decider,
            labels={} if wanted is None else wanted.events,
            tmax=0.0 if wanted is None else wanted.tmax,
            n_times=self.decider.sheet.n_times,
            sfreq=self.filtered_info.sfreq,
            window=self._buffer.get,
        )

    def _tell_follows(self) -> None:
        if isinstance(self.decider, AdaptiveModel) and not self._earlier.learns_all:
            self._emit(self._event(FOLLOWS, {}))

    def _follow_safety(self) -> None:
        state = str(self.safety.state)
        if state != self._state:
            self._state = state
            self._tell(StateChanged(state=state, time=self.now, rule=self.stopped_by))
            scene = self._director.on_stop(stopped=self.safety.state in LATCHED)
            if scene is not None:
                self._tell(Presented(event=self._event("session/screen", {"state": state}), scene=scene.to_dict()))
        alarms = {alarm.rule: Alarmed(**alarm.to_dict()) for alarm in self.safety.alarms()}
        for alarm in alarms.values():
            # Values change with every chunk; what a person must know anew is the rest.
            if _news(self._alarms.get(alarm.rule)) != _news(alarm):
                self._alarms[alarm.rule] = alarm
                self._tell(alarm)
        for rule in sorted(self._alarms.keys() - alarms.keys()):
            # It is over and seen: whoever was told of it must not go on showing it.
            self._tell(replace(self._alarms.pop(rule), active=False, acknowledged=True))

    def _in_source(self, event: Event) -> Event:
        """Return an event of the paradigm with its sample in the source."""
        found = self._grid.event_back(self._still.in_stream(event))
        locked = event.data.get("locked")
        if not isinstance(locked, int):
            return found
        return replace(found, data={**found.data, "locked": self._grid.back(locked + self._still.skew)})

    def results(self) -> dict[str, Any]:
        """Return the results of the paradigm, whose samples are those of the source, as in its events."""
        return {
            key: [self._row(row) for row in value] if isinstance(value, list) else value
            for key, value in self.paradigm.results().items()
        }

    def _row(self, row: Any) -> Any:
        if not isinstance(row, Mapping) or not isinstance(row.get("sample"), int):
            return row
        return {**row, "sample": self._grid.back(self._still.stream_sample(row["sample"]))}

    def _note(self, order: Mapping[str, Any]) -> Event:
        """Return what a person noted, at the time that it is about: notes are written later than what they tell of."""
        event = self._event("operator/note", {key: value for key, value in order.items() if key != "do"})
        time = float(order.get("time", self._time))
        back = round((self._time - time) * self.info.sfreq)
        return replace(
            event,
            time=time,
            sample=max(0, (event.sample or 0) - back),
            value=str(order["text"]) or None,
            duration=max(0.0, float(order.get("duration", 0.0))),
        )

    def _event(self, name: str, data: dict[str, Any]) -> Event:
        return Event(
            name=name, time=self._time, sample=max(self._grid.back(self._sample), 0), source="operator", data=data
        )


def _news(alarm: Alarmed | None) -> Any:
    return alarm and (alarm.level, alarm.active, alarm.acknowledged, alarm.count, alarm.channels)


def model_message(model: Any, time: float) -> ModelChosen:
    """Return what is said of the model that decides from now on."""
    sheet = getattr(model, "sheet", None)
    if sheet is None:
        return ModelChosen(time=time, model=model)
    return ModelChosen(
        decoder=sheet.decoder,
        classes=tuple(sheet.classes),
        data=sheet.data,
        guesses=sheet.guesses,
        time=time,
        model=model,
    )
