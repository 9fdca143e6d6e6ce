"""Code menu: every target shows the same pseudo-random code, each shifted in time; the one looked at is chosen."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from bcikit.paradigms.base import Decider
from bcikit.paradigms.settings import Name, ParadigmSettings, SettingsTable
from bcikit.paradigms.ssvep import IDLE, SsvepMenu, SsvepSettings
from bcikit.signal import ArgumentError, StreamInfo

M_SEQUENCE = "000001000011000101001111010001110010010110111011001101010111111"
"""m-sequence of x^6 + x + 1: 63 bits, whose circular shifts hardly correlate (-1/63)."""


class CodeTarget(SettingsTable):
    """One target of the menu.

    Attributes
    ----------
    name : str
        What it chooses.
    lag : int
        Bits by which its code is ahead.
    """

    name: Name
    lag: Annotated[int, Field(ge=0, lt=len(M_SEQUENCE))]


class CodeSettings(SsvepSettings):
    """Settings of a menu of codes; what is not here is as in `SsvepSettings`. Times are seconds.

    Attributes
    ----------
    targets : list of table
        Name and lag of each.
    bit_frames : int
        Frames that a bit is shown.
    cycles : int
        Cycles of the code in a window; the next window comes a cycle later.
    """

    targets: Annotated[tuple[CodeTarget, ...], Field(min_length=2, max_length=31)]  # type: ignore[assignment]
    bit_frames: Annotated[int, Field(ge=1, le=8)] = 1
    cycles: Annotated[int, Field(ge=1, le=8)] = 3
    growing: bool = False
    decoder: str = ""
    depth: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5

    @field_validator("targets")
    @classmethod
    def _possible(cls, targets: tuple[CodeTarget, ...]) -> tuple[CodeTarget, ...]:  # type: ignore[override]
        """Check the targets by themselves."""
        names = [target.name for target in targets]
        problems = []
        if len(set(names)) != len(names) or IDLE in names:
            problems.append(f'targets must have different names, none of them "{IDLE}"')
        if len({target.lag for target in targets}) != len(names):
            problems.append("targets must differ in lag")
        if problems:
            raise ValueError("; ".join(problems))
        return targets

    @model_validator(mode="after")
    def _windows(self) -> Self:
        problems = []
        if self.decoder or self.growing:
            problems.append('a code menu needs a trained decoder (decoder = "") and windows of one length')
        if self.cycles * self.period + self.latency > self.flicker:
            least = self.cycles * self.period + self.latency
            problems.append(f"flicker must be at least {least:g} s for {self.cycles} cycles")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    window_keys: ClassVar[str] = "cycles, bit_frames"

    @property
    def window_seconds(self) -> tuple[float, float]:
        """First window and step, in whole cycles."""
        return self.cycles * self.period, self.period

    def without_effect(self) -> dict[str, str]:
        """Return what is about frequencies, and about windows that are no whole cycles."""
        why = "the windows of a code menu are whole cycles (cycles, bit_frames)"
        own = dict.fromkeys(("first", "every"), why) | {"stimulation": "a code menu shows bits"}
        own["baseline"] = "it is for a decoder without training, and a code menu has a trained one"
        found = super().without_effect()
        # A decoder that needs no training is refused as such.
        found.pop("calibration_rounds", None)
        return {**found, **own}

    @property
    def rate(self) -> float:
        """Bits a second."""
        return self.refresh / self.bit_frames

    @property
    def period(self) -> float:
        """Seconds of a cycle."""
        return len(M_SEQUENCE) / self.rate


class CodeMenu(SsvepMenu):
    """Cue, codes with dynamic stopping, choice, dark gap: as the SSVEP menu, with one code in place of frequencies.

    Bin et al. 2011 (J Neural Eng 8(2)): all targets share a pseudo-random code, and the response of each is that of
    the others, shifted; so a template from any target serves all.
    """

    kind: ClassVar[str] = "code-menu"
    Settings: ClassVar[type[ParadigmSettings]] = CodeSettings
    settings: CodeSettings
    takes_errors = False

    @property
    def frequencies(self) -> dict[str, float]:
        """Cycles a second of each target's code."""
        return {target.name: 1.0 / self.settings.period for target in self.settings.targets}

    @property
    def rhythms(self) -> dict[str, tuple[float, float]]:
        """None: a code is as broad as the screen is fast."""
        return {}

    def configure(self, info: StreamInfo, *, seed: int) -> None:
        """Prepare; refuses a stream that cannot follow the fastest change of bits, which is half their rate."""
        if info.sfreq <= self.settings.rate:
            raise ArgumentError(
                f"{self.name}: the code has {self.settings.rate:g} bits a second; {info.name!r} needs more than "
                f"{self.settings.rate:g} Hz and has {info.sfreq:g} Hz."
            )
        super().configure(info, seed=seed)

    def shown_values(self) -> dict[str, Any]:
        """Return the cycle of the code, and how far that of each target is ahead, in seconds."""
        s = self.settings
        return {"period": s.period, "lags": {target.name: target.lag / s.rate for target in s.targets}}

    def decider(self) -> Decider | None:
        """Return None: a code menu is calibrated."""
        return None

    def shown_targets(self) -> list[dict[str, Any]]:
        """Return the code of each target."""
        s = self.settings
        return [
            {
                "item": target.name,
                "frequency": 1.0 / s.period,
                "phase": 0.0,
                "code": M_SEQUENCE[target.lag :] + M_SEQUENCE[: target.lag],
                "rate": s.rate,
            }
            for target in s.targets
        ]

    def stimuli(self) -> list[dict[str, Any]]:
        """Return each target for the stimulus analyser: as many flashes a second as the code has."""
        flashes = M_SEQUENCE.count("01") / self.settings.period
        return [{**one, "frequency": flashes, "rate": self.settings.rate} for one in super().stimuli()]
