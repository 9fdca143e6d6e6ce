"""What moves: commands reach the outputs while the session is active, and a stop does from any thread, at once."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bcikit.outputs import Output
from bcikit.paradigms.scene import Scene
from bcikit.presentation.layout import Viewing, drawn
from bcikit.recording.lateness import Lateness
from bcikit.safety import SafetySystem, State
from bcikit.safety.machine import LATCHED, Transition
from bcikit.session.command_life import CommandLife
from bcikit.session.listener import Listener
from bcikit.session.summary import to_json
from bcikit.signal import BciError
from bcikit.signal.messages import Decided, Happened, Input, Message, Presented, Raw, Sent, StateChanged, record

BUSY_SECONDS = 0.2
"""How long a stop waits for an output that is in the middle of something; then whoever pressed is told so."""

STOPS = frozenset({"stop", "estop"})
"""Orders by which a person stops."""


def state_of(output: Output) -> dict[str, Any]:
    """Return the state of an output, ready for JSON; one that cannot say it says why, and the session goes on."""
    try:
        found = dict(output.state())
        to_json(found)
    except Exception as error:  # noqa: BLE001 - a stranger's code, asked for what is only shown
        return {"problem": f"its state cannot be told ({type(error).__name__}: {error})"}
    return found


class Held:
    """An output: moved by the session's thread alone, stopped by any.

    Parameters
    ----------
    output : Output
        Which.
    pressed : threading.Event
        Set from a stop until the session's own thread has taken it: nothing moves meanwhile.
    """

    def __init__(self, output: Output, pressed: threading.Event) -> None:
        self.output = output
        self._pressed = pressed
        self._lock = threading.Lock()
        self._owed = ""

    def do(self, call: Callable[[Output], object], *, moves: bool = False) -> bool:
        """Call it with the output; what moves is left out after a stop, and False is returned."""
        with self._lock:
            if moves and self._pressed.is_set():
                return False
            try:
                call(self.output)
            except (BciError, OSError):
                raise
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                raise BciError(f"the output {self.output.scheme}: failed ({said}).") from error
        owed, self._owed = self._owed, ""
        if owed:
            # It was in the middle of something when somebody pressed.
            self.output.stop(owed)
        return True

    def stop_now(self, reason: str) -> None:
        """Stop it, in whatever thread.

        Raises
        ------
        BciError
            If it is busy; it is stopped as soon as it is not.
        """
        if self.output.stops_from_any_thread:
            self.output.stop(reason)
            return
        self._owed = reason
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise BciError(f"the output {self.output.scheme}: is busy; it stops when it no longer is")
        try:
            self._owed = ""
            self.output.stop(reason)
        finally:
            self._lock.release()

    def unsafe(self) -> str:
        """Return why it is not known to have stopped; empty if it is. Of an output that any thread may stop."""
        state = self.output.state()
        if state.get("safe") is True:
            return ""
        return f"the output {self.output.scheme}: is not known to have stopped: {state.get('problem') or 'it moves on'}"


class Outputs(Listener):
    """Hands commands to the outputs, and has them let go whenever the session is not active.

    A stop does not wait for the session's own thread, which may train a decoder, wait for a slow source or hang in a
    paradigm: `at_once` takes it in the thread of the channel's door. From then on nothing is moved any more, until that
    thread has taken the order too and the state is latched.

    Parameters
    ----------
    outputs : sequence of Output
        Where to.
    safety : SafetySystem
        Its quality is told once a second.
    viewing : Viewing, optional
        How the person sees the picture: targets have their visual angle by it.

    Attributes
    ----------
    held_back : int
        Commands that were not carried out because a stop was on its way.
    """

    def __init__(self, outputs: Sequence[Output], *, safety: SafetySystem, viewing: Viewing | None = None) -> None:
        self._pressed = threading.Event()
        self._held = [Held(output, self._pressed) for output in outputs]
        self._viewing = viewing or Viewing()
        self._safety = safety
        self._last_quality = float("-inf")
        self._life = CommandLife()
        self._lateness = Lateness()
        self.held_back = 0
        self._switch = False
        self._held_until = float("-inf")
        # Of the machine itself, not of the news about it: what moves lets go within the step that ends ACTIVE.
        safety.listen(self._follow)

    def at_once(self, order: Mapping[str, Any]) -> None:
        """Take an order in the thread that it came through: a stop, and the dead-man switch; all others can wait.

        Raises
        ------
        BciError
            If an output did not take a stop; all others have.
        """
        do = order["do"]
        if do == "stop" or (do == "estop" and order["pressed"]):
            self.stop_now(str(order.get("reason") or "operator stop"))
        elif do == "deadman":
            # First of all: from here on nothing renews a switch that was let go.
            lasts = self._safety.settings.dead_man_s
            self._held_until = time.monotonic() + lasts if order["held"] else float("-inf")
            for held in self._held:
                if held.output.stops_from_any_thread:
                    held.output.hold(held=order["held"])

    def renew_switch(self) -> None:
        """Tell outputs that a stop reaches from any thread that the dead-man switch is still held.

        A guard wants to hear it every few hundredths of a second; chunks, and who holds it, may be slower. Who holds it
        must have said so recently enough by the wall's clock: the session's stands still between two chunks.
        """
        for held in self._held:
            if held.output.stops_from_any_thread and self._is_held() and not self._pressed.is_set():
                held.do(lambda output: output.hold(held=True))
                if not self._is_held():
                    # Let go in that moment, in another thread, whose word is the last.
                    held.do(lambda output: output.hold(held=False))

    def _is_held(self) -> bool:
        """Whether the switch is held, as the session knows it and as it was last said."""
        return self._safety.switches.dead_man_held and time.monotonic() <= self._held_until

    def stop_now(self, reason: str) -> None:
        """Stop every output from any thread; what can touch a person first.

        Raises
        ------
        BciError
            If an output did not take it; all others have.
        """
        self._pressed.set()
        problems = []
        for held in sorted(self._held, key=lambda one: not one.output.stops_from_any_thread):
            try:
                held.stop_now(reason)
            except Exception as error:  # noqa: BLE001 - the next output must be stopped; who pressed is told
                problems.append(f"{type(error).__name__}: {error}" if not isinstance(error, BciError) else str(error))
        # All have been told; one that answers by itself is asked whether it did, which takes a while if it hangs.
        problems += filter(None, [held.unsafe() for held in self._held if held.output.stops_from_any_thread])
        if problems:
            raise BciError("; ".join(problems))

    def let_go(self, reason: str) -> None:
        """Have every output let go.

        Raises
        ------
        BciError, OSError
            If an output failed; all others have let go.
        """
        self._life.drop()
        self._each(lambda output: output.safe(reason))

    def _each(self, call: Callable[[Output], object]) -> None:
        """Call it with every output; the first error is raised once all have heard: who fails holds up no other."""
        errors = []
        for held in self._held:
            try:
                held.do(call)
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)
        if errors:
            raise errors[0]

    def _follow(self, step: Transition) -> None:
        """Let go unless the session is active; after a stop until a person has undone it."""
        if step.target is not State.ACTIVE:
            self._life.drop()
        undone = step.source in LATCHED and step.target not in LATCHED and not self._pressed.is_set()

        def follow(output: Output) -> None:
            if step.target in LATCHED:
                output.stop(step.reason or str(step.target))
            elif step.target is not State.ACTIVE:
                output.safe(str(step.target))
            if undone:
                output.release(step.actor, step.reason)

        self._each(follow)

    def take(self, message: Message) -> None:
        """Move, let go, and tell the outputs what they show."""
        match message:
            case Raw():
                self._tick(message.time)
                self._tell_quality(message.time)
            case Input(kind="silence"):
                # What expired is let go while nothing comes, too.
                self._tick(message.time)
            case Input(kind="order"):
                self._take_order(message.values)
            case Input(kind="screen"):
                self._take_screen(message.values)
            case Presented():
                self._show(message)
            case Happened():
                self._inform("event", record(message))
            case Decided():
                self._inform("decision", message.decision.to_dict())
                self._inform("verdict", message.verdict.to_dict())
            case Sent():
                self._move(message)
            case StateChanged():
                # They have let go already.
                self._inform("state", {"state": message.state, "time": message.time})

    def _take_screen(self, report: Mapping[str, Any]) -> None:
        """Tell when something that was planned was shown; of two screens the first counts."""
        if report.get("type") == "flip":
            name, sample, planned = str(report["name"]), int(report["sample"]), float(report["time"])
            again = self._lateness.late_of(name, sample) is not None
            late = self._lateness.take(report)
            if late is not None and not again:
                self._inform("shown", {"event": name, "sample": sample, "planned": planned, "shown": planned + late})
        else:
            self._lateness.take(report)

    def _take_order(self, order: Mapping[str, Any]) -> None:
        do = order.get("do")
        if do in STOPS:
            # The machine takes it now, and its state holds everything from here on.
            self._pressed.clear()
        elif do == "deadman":
            for held in self._held:
                if not held.output.stops_from_any_thread:
                    held.do(lambda output: output.hold(held=order["held"]))

    def _move(self, message: Sent) -> None:
        command = self._life.begin(message.command, self._safety.settings)
        carried = [held.do(lambda output: output.send(command), moves=True) for held in self._held]
        if not all(carried):
            self._life.drop()
            self.held_back += 1

    def _show(self, message: Presented) -> None:
        values = {"time": message.time, "event": message.event.to_dict(), "scene": message.scene}
        if message.scene is not None and any(held.output.draws for held in self._held):
            values["drawn"] = drawn(Scene.from_dict(message.scene), self._viewing)
        self._inform("show", values)

    def _tick(self, now: float) -> None:
        """Let go of what expired; renew what lasts longer than a command may live, and the switch while it is held."""
        again = self._life.renewed(now)
        switch = self._is_held()
        self.renew_switch()
        for held in self._held:
            if (switch and not held.output.stops_from_any_thread) or (self._switch and not switch):
                held.do(lambda output: output.hold(held=switch))
            if again is not None:
                held.do(lambda output: output.renew(again), moves=True)
            held.do(lambda output: output.tick(now))
        self._switch = switch

    def _tell_quality(self, now: float) -> None:
        if not self._held or now - self._last_quality < 1.0:
            return
        self._last_quality = now
        levels = {name: item.level for name, item in self._safety.quality().items()}
        worst = max(levels.values(), default=None)
        channels = {name: level.name for name, level in levels.items()}
        summary = None if worst is None else worst.name
        self._inform("quality", {"time": now, "summary": summary, "channels": channels})

    def _inform(self, kind: str, values: Mapping[str, Any]) -> None:
        self._each(lambda output: output.inform({"type": kind, **values}))
