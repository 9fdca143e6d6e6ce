"""Limits of functional electrical stimulation: what a single command may ask for, and what a train may add up to.

Anchors: IEC 60601-2-10 limits the energy of a pulse into 500 ohm to 300 mJ and asks for special attention above
2 mA rms a square centimetre. The other numbers are the project's own and stricter. This checks commands; it does not
replace the limits of a certified stimulator, and stimulators for research are outside that standard.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from bcikit.safety.guard.protocol import DEADLINE_S, finite

HARD_MAX_MA = 50.0
FORBIDDEN_SITES = frozenset({"head", "eyes", "mouth", "neck-front", "chest", "upper-back", "heart"})
"""Never across or through these (AS 60601.2.10)."""


LEAST_DUTY_S = 60.0
DUTY_S = 300.0
"""The share of time on is that of the last five minutes, or since a pause of a minute; of a minute at least."""


class FesError(Exception):
    """A stimulation command is outside its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FesLimits:
    """Ceilings of one channel; a clinician sets lower ones, nobody sets higher ones.

    Attributes
    ----------
    amplitude_ma : float
        Peak current, at most 50.
    pulse_us : float
        Width of one phase, at most 400.
    frequency_hz : float
        At most 50.
    density_warn, density_max : float
        mA rms a cm²: 1 is a warning, 2 a refusal.
    charge_uc : float
        Charge of one phase in microcoulomb, at most 20.
    energy_mj : float
        Energy of a pulse into 500 ohm in millijoule, at most 300 (IEC 60601-2-10).
    ramp_s : float
        Shortest rise to the amplitude; never faster than 20 % in 100 ms. Pulses that grow wider or more frequent have
        a ramp, too: neither current nor charge jumps up.
    train_s : float
        Longest train, at most 5.
    refractory_s : float
        Pause between trains, at least 3.
    duty : float
        Largest share of time on, at most 0.3, in any five minutes.
    total_s : float
        Time on in a session, at most 1800.
    """

    amplitude_ma: float = 30.0
    pulse_us: float = 400.0
    frequency_hz: float = 50.0
    density_warn: float = 1.0
    density_max: float = 2.0
    charge_uc: float = 20.0
    energy_mj: float = 300.0
    ramp_s: float = 0.5
    train_s: float = 5.0
    refractory_s: float = 3.0
    duty: float = 0.3
    total_s: float = 1800.0

    def __post_init__(self) -> None:
        highest = {
            "amplitude_ma": HARD_MAX_MA,
            "pulse_us": 400.0,
            "frequency_hz": 50.0,
            "density_warn": 1.0,
            "density_max": 2.0,
            "charge_uc": 20.0,
            "energy_mj": 300.0,
            "train_s": 5.0,
            "duty": 0.3,
            "total_s": 1800.0,
        }
        lowest = {"ramp_s": 0.5, "refractory_s": 3.0}
        for item in fields(self):
            value = getattr(self, item.name)
            if not finite(value) or value <= 0:
                raise FesError(f"{item.name} is {value!r}; it must be a positive number")
            if value > highest.get(item.name, math.inf):
                raise FesError(f"{item.name} is {value:g}; the hard limit is {highest[item.name]:g}")
            if value < lowest.get(item.name, 0.0):
                raise FesError(f"{item.name} is {value:g}; at least {lowest[item.name]:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FesCommand:
    """One stimulation command: symmetric biphasic pulses.

    Attributes
    ----------
    amplitude_ma, pulse_us, frequency_hz : float
        Peak current, width of a phase, pulses a second.
    area_cm2 : float
        Area of the smaller electrode.
    site : str
        Where the electrodes are ("forearm", "lower-leg").
    ramp_s : float
        Seconds of the rise to the amplitude, where that is longer than the limits ask for. A train ends at once.
    """

    amplitude_ma: float
    pulse_us: float
    frequency_hz: float
    area_cm2: float
    site: str = "forearm"
    ramp_s: float = 0.0

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return the command in the data of a message; raises `FesError` if a number is missing or impossible."""
        values: dict[str, float] = {}
        for name in ("amplitude_ma", "pulse_us", "frequency_hz", "area_cm2", "ramp"):
            value = data.get(name, 0.0 if name == "ramp" else None)
            if not isinstance(value, int | float) or not finite(value) or value < 0:
                raise FesError(f"{name} is {value!r}; it must be a number")
            values[name] = float(value)
        site = data.get("site", "forearm")
        if not isinstance(site, str):
            raise FesError(f"site is {site!r}")
        return cls(ramp_s=values.pop("ramp"), site=site, **values)

    @property
    def rms_ma(self) -> float:
        """Root mean square current: peak times the square root of 2 x width x frequency."""
        return self.amplitude_ma * math.sqrt(2.0 * self.pulse_us * 1e-6 * self.frequency_hz)

    @property
    def density(self) -> float:
        """Milliampere rms a square centimetre."""
        return self.rms_ma / self.area_cm2 if self.area_cm2 > 0 else math.inf

    @property
    def charge_uc(self) -> float:
        """Charge of one phase in microcoulomb."""
        return self.amplitude_ma * self.pulse_us * 1e-3

    @property
    def energy_mj(self) -> float:
        """Energy of one pulse (both phases) into 500 ohm in millijoule."""
        return (self.amplitude_ma * 1e-3) ** 2 * 500.0 * 2.0 * self.pulse_us * 1e-6 * 1e3

    def problems(self, limits: FesLimits) -> list[str]:
        """Return every limit the command breaks, with value and limit."""
        found = []
        for name, value, limit, unit in (
            ("amplitude", self.amplitude_ma, limits.amplitude_ma, "mA"),
            ("pulse width", self.pulse_us, limits.pulse_us, "us"),
            ("frequency", self.frequency_hz, limits.frequency_hz, "Hz"),
            ("current density", self.density, limits.density_max, "mA rms/cm2"),
            ("charge a phase", self.charge_uc, limits.charge_uc, "uC"),
            ("energy a pulse", self.energy_mj, limits.energy_mj, "mJ"),
        ):
            if not value <= limit:
                found.append(f"{name} {value:.4g} {unit} is above {limit:g} {unit}")
        if self.site in FORBIDDEN_SITES:
            found.append(f"never at the site {self.site!r}")
        return found

    def warnings(self, limits: FesLimits) -> list[str]:
        """Return what is allowed but needs attention."""
        if self.density > limits.density_warn:
            return [f"current density {self.density:.3g} mA rms/cm2 is above {limits.density_warn:g}"]
        return []


@dataclass
class FesTrain:
    """Adds up what a channel delivers: ramp, length of the train, pause, share of time, total.

    Parameters
    ----------
    limits : FesLimits
        Ceilings.
    """

    limits: FesLimits
    trains: int = 0
    on_s: float = 0.0
    _command: FesCommand | None = field(default=None, repr=False)
    _start: float = field(default=-math.inf, repr=False)
    _ramp: float = field(default=-math.inf, repr=False)
    """When the ramp that is gone through now would have begun at zero."""
    _longest: float = field(default=0.0, repr=False)
    """Seconds after which the train ends, whatever is asked."""
    _plan: float = field(default=math.inf, repr=False)
    """Seconds that the train was planned to be."""
    _planned: bool = field(default=False, repr=False)
    """Whether the last train ended as planned, and nobody let go since: who goes on asking gets no current."""
    _end: float = field(default=-math.inf, repr=False)
    _now: float = field(default=-math.inf, repr=False)
    _first: float = field(default=math.inf, repr=False)
    _past: deque[tuple[float, float]] = field(default_factory=deque, repr=False)
    """From when to when trains were on, those of the last `DUTY_S` seconds."""

    def command(self, command: FesCommand, now: float, *, seconds: float = math.inf) -> None:
        """Start a train or go on with the running one.

        Parameters
        ----------
        seconds : float
            How long a train that starts is planned to be; it is `FesLimits.train_s` at most, and held to it. Who goes
            on asking then gets no current until the pause is over; that is no fault until `FesLimits.train_s`, nor
            while a renewal of the plan may still be on its way.

        Raises
        ------
        FesError
            If the command, the length, the pause, the duty or the total is outside its limits.
        """
        problems = command.problems(self.limits)
        if problems:
            raise FesError("; ".join(problems))
        self._advance(now)
        if self._command is not None and now - self._start > self._longest:
            self._end_train()
            if not self._planned:
                raise FesError(f"train longer than {self.limits.train_s:g} s")
        if self._command is None:
            if self._planned and now - self._end < self.limits.refractory_s:
                if now - self._start > max(self.limits.train_s, self._plan + DEADLINE_S):
                    raise FesError(f"train longer than {self.limits.train_s:g} s")
                return
            # No renewal comes later than that: it would be stale.
            plan = max(seconds, 0.0)
            longest = min(plan + DEADLINE_S, self.limits.train_s)
            self._check_start(now, longest)
            self._start = self._ramp = now
            self._plan = plan
            self._longest = longest
            self._planned = False
            self.trains += 1
        elif command != self._command:
            self._change(self._command, command, now)
        self._command = command

    def _check_start(self, now: float, longest: float) -> None:
        limits = self.limits
        pause = now - self._end
        if pause < limits.refractory_s:
            raise FesError(f"pause of {pause:.2f} s since the last train; at least {limits.refractory_s:g} s")
        if self.on_s >= limits.total_s:
            raise FesError(f"{self.on_s:.0f} s of stimulation in this session; at most {limits.total_s:g} s")
        while self._past and self._past[0][1] <= now - DUTY_S:
            self._past.popleft()
        # What was saved in a long pause is not made up for: after a minute without current it begins anew.
        if pause >= LEAST_DUTY_S:
            self._first = now
        # Over at least a minute: the first train of a session is not a duty of 100 %.
        for span in (min(max(LEAST_DUTY_S, now - self._first), DUTY_S), DUTY_S):
            on = sum(end - max(start, now - span) for start, end in self._past if end > now - span)
            whole = on + longest
            if whole / span > limits.duty:
                # The train that is asked for is counted as if it were over; without it the numbers may keep the limit.
                raise FesError(
                    f"with {longest:.1f} s more, on for {whole:.1f} s of {span:.0f} s; at most {limits.duty:.0%}"
                )

    def _change(self, old: FesCommand, new: FesCommand, now: float) -> None:
        """Begin a ramp where neither current, charge of a phase nor charge a second is more than it is now."""
        shares = [1.0]
        if new.pulse_us > 0:
            shares.append(old.pulse_us / new.pulse_us)
            if new.frequency_hz > 0:
                shares.append(old.pulse_us * old.frequency_hz / (new.pulse_us * new.frequency_hz))
        reached = min(self._level(old, now) * min(shares), new.amplitude_ma)
        full = reached >= new.amplitude_ma
        self._ramp = -math.inf if full else now - reached / new.amplitude_ma * self._ramp_s(new)

    def current(self, now: float) -> float:
        """Return the current in mA, on its ramp; a train that is too long, or one too many, ends by itself."""
        self._advance(now)
        if self._command is None:
            return 0.0
        if now - self._start > self._longest:
            self._end_train()
            return 0.0
        if self.on_s >= self.limits.total_s:
            self.stop()
            return 0.0
        return self._level(self._command, now)

    def _level(self, command: FesCommand, now: float) -> float:
        return command.amplitude_ma * min(1.0, max(0.0, now - self._ramp) / self._ramp_s(command))

    def _end_train(self) -> None:
        self.stop()
        self._planned = self._plan <= self.limits.train_s

    def stop(self) -> None:
        """End the train."""
        self._planned = False
        if self._command is not None:
            self._command = None
            self._end = min(self._now, self._start + self._longest)
            self._past.append((self._start, self._end))

    def _ramp_s(self, command: FesCommand) -> float:
        # 20 % in 100 ms is a full ramp in half a second.
        return max(self.limits.ramp_s, command.ramp_s, 0.5)

    def _advance(self, now: float) -> None:
        if self._command is not None and now > self._now > -math.inf:
            # A train ends at its limit, even where nobody looked at that moment.
            self.on_s += max(0.0, min(now, self._start + self._longest) - self._now)
        self._now = max(self._now, now)


def refusal(seconds: float, every: float, count: int, limits: FesLimits | None = None) -> str:
    """Return why a row of trains would not be stimulated to its end, and from which one on; "" if it would.

    Parameters
    ----------
    seconds, every : float
        Length of a train, and from the start of one to that of the next.
    count : int
        How many.
    limits : FesLimits, optional
        Ceilings; those of the drivers if left out.
    """
    train = FesTrain(limits or FesLimits())
    command = FesCommand(amplitude_ma=0.0, pulse_us=0.0, frequency_hz=1.0, area_cm2=1.0)
    for number in range(count):
        try:
            train.command(command, number * every, seconds=seconds)
        except FesError as error:
            return f"train {number + 1}: {error}"
        train.current(number * every + seconds)
        train.stop()
    return ""
