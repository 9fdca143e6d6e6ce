"""What hands hold: the dead-man switch and the emergency stop of hardware."""

from bcikit.safety.levels import Reading, Severity
from bcikit.safety.machine import State
from bcikit.safety.situation import Situation


class Switches:
    """The two switches of hardware of a `SafetySystem`.

    Parameters
    ----------
    situation : Situation
        Where the session stands.
    stop_box : bool
        Whether there is an emergency stop of hardware, which is to be tested then.

    Attributes
    ----------
    stop_pressed : bool
        Whether the emergency stop is pressed now, or cannot be read.
    stop_box_tested : bool
        Whether it was pressed and released in this session; True where there is none.
    """

    def __init__(self, situation: Situation, *, stop_box: bool) -> None:
        self._here = situation
        self._held_until = float("-inf")
        self.stop_pressed = False
        self.stop_box_tested = not stop_box

    @property
    def dead_man_held(self) -> bool:
        """Whether the dead-man switch was said to be held, recently enough to believe it."""
        return self._here.now <= self._held_until

    def dead_man(self, now: float, *, held: bool) -> None:
        """Take note of the dead-man switch; letting go while something may move is a stop.

        "Held" lasts `GateSettings.dead_man_s`; whoever reads the switch says so again and again. Silence of the one who
        reads it (a frozen window, a broken line) is letting go.
        """
        at = self._here.tick(now)
        self._held_until = at + self._here.settings.dead_man_s if held else float("-inf")
        self.check("released")

    def check(self, why: str = "") -> None:
        """Stop where something may move and the dead-man switch is not held."""
        at = self._here.now
        moving = self._here.machine.state in (State.ARMED, State.ACTIVE, State.DEGRADED)
        if self._here.settings.dead_man and moving and not self.dead_man_held:
            why = why or f"not renewed for {self._here.settings.dead_man_s:g} s"
            reading = Reading(rule="A-DM", severity=Severity.FAULT, value=why, limit="held")
            self._here.ledger.alarm(reading, at)
            self._here.stop_for("A-DM", f"dead-man switch {why}")

    def estop(self, now: float, *, pressed: bool, lost: bool = False, reason: str = "") -> None:
        """Take note of the emergency stop; a line that cannot be read counts as pressed.

        Parameters
        ----------
        pressed : bool
            Whether it is pressed, or cannot be read.
        lost : bool
            Whether it cannot be read: a stop, and no test of the button.
        reason : str
            What happened, in words.
        """
        at = self._here.tick(now)
        self.stop_pressed = pressed
        self.stop_box_tested = self.stop_box_tested or (pressed and not lost)
        if pressed and self._here.machine.state not in (State.ESTOP, State.FATAL):
            self._here.ledger.alarm(Reading(rule="A-ESTOP", severity=Severity.FAULT, value=reason), at)
            self._here.go(State.ESTOP, "A-ESTOP", reason or "emergency stop")
