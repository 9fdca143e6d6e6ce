"""What a therapist may change of a protocol: the paradigm's own limits, the patient's own current, and their words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from bcikit.paradigms import make_paradigm, read_paradigm
from bcikit.paradigms.outline import Adjustable, setting
from bcikit.safety.guard.fes import FesCommand, FesError, FesLimits
from bcikit.signal import BciError
from bcikit.ui.words import tr

_CURRENT = ("assist.amplitude_ma", "assist.pulse_us", "assist.frequency_hz", "assist.area_cm2")
_CEILING = FesLimits()
_CONFIDENCE = 0.7
FEWEST_OF_A_CLASS = 10
"""Calibration trials of each class: with fewer, a decoder of two classes learns nothing that lasts."""


@dataclass(frozen=True)
class TherapistLimit:
    """One number a therapist may change, with what is proposed.

    Attributes
    ----------
    of : Adjustable
        Key, limits, step and unit, as the paradigm states them.
    start : float
        What is proposed: the paradigm's own value.
    """

    of: Adjustable
    start: float

    @property
    def decimals(self) -> int:
        """Digits after the point that the step asks for."""
        return 0 if float(self.of.step).is_integer() else 2 if self.of.step < 0.1 else 1

    @property
    def whole(self) -> bool:
        """True for counts, which the paradigm wants as whole numbers."""
        return self.decimals == 0 and not self.of.unit

    def words(self) -> str:
        """Return the limits as a person reads them."""
        unit = f" {self.of.unit}" if self.of.unit else ""
        return tr("{low:g} to {high:g}").format(low=self.of.low, high=self.of.high) + unit

    def problem(self, value: float) -> str:
        """Return why a value is refused; "" if it is not."""
        if self.of.low <= value <= self.of.high:
            return ""
        return tr("{name}: {value:g} is refused; allowed: {limits}.").format(
            name=field_name(self.of.key), value=value, limits=self.words()
        )


def limits_of(
    protocol: str, *, stimulates: bool, felt: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, TherapistLimit]:
    """Return what may be changed of a protocol, by key.

    Parameters
    ----------
    protocol : str
        Name of a paradigm.
    stimulates : bool
        Whether the numbers of a current are among them.
    felt : mapping
        The patient's own comfortable current as the visit keeps it, with the pulses and the electrode it was found
        with: no more current is asked for, nor wider or more frequent pulses, nor a smaller electrode.
    """
    paradigm = make_paradigm(protocol)
    found = {}
    for one in paradigm.adjustable:
        if one.key in _CURRENT and not stimulates:
            continue
        start = setting(paradigm.settings, one.key)
        adjusted = _accepted(protocol, one)
        if one.key in _CURRENT and start is not None and felt.get("amplitude_ma") is not None:
            most = felt.get(one.key.removeprefix("assist."), start)
            if one.key == "assist.area_cm2":
                start = max(one.low, most)
                adjusted = replace(adjusted, low=start)
            else:
                start = min(adjusted.high, most)
                adjusted = replace(adjusted, low=min(one.low, start), high=start)
        found[one.key] = TherapistLimit(adjusted, _CONFIDENCE if start is None else start)
    return found


@cache
def _accepted(protocol: str, one: Adjustable) -> Adjustable:
    """Return the limits within which the paradigm takes the number, all others as proposed."""
    table, _, key = one.key.rpartition(".")
    if table == "gate":
        return one
    high = one.high
    while high > one.low:
        value = round(high) if float(one.step).is_integer() and not one.unit else high
        own = {key: value} if not table else {table: {**read_paradigm(protocol)[table], key: value}}
        try:
            make_paradigm({"base": protocol, **own})
        except BciError:
            high -= one.step
            continue
        break
    return replace(one, high=high)


def field_name(key: str) -> str:
    """Return what a setting is called in the language of the interface."""
    return {
        "calibration_runs": tr("Calibration runs"),
        "calibration_sequences": tr("Flashes of a calibration letter"),
        "feedback_runs": tr("Training runs"),
        "runs": tr("Training runs"),
        "rounds": tr("Rounds"),
        "trials_per_run": tr("Trials a run"),
        "between_runs": tr("Pause between runs"),
        "threshold": tr("Difficulty (threshold)"),
        "gate.confidence": tr("Difficulty (threshold)"),
        "assist.seconds": tr("Length of the help"),
        "assist.amplitude_ma": tr("Current"),
        "assist.pulse_us": tr("Pulse width"),
        "assist.frequency_hz": tr("Frequency"),
        "assist.area_cm2": tr("Smaller electrode"),
        "blocks": tr("Training blocks"),
        "block": tr("Length of a block"),
        "between_blocks": tr("Pause between blocks"),
        "baseline": tr("Baseline"),
        "repeats": tr("Repeats"),
        "max_selections": tr("Choices"),
        "max_sequences": tr("Most flashes of a choice"),
        "pause": tr("Pause after a choice"),
        "depth": tr("Contrast of the flicker"),
        "blank": tr("Pause between flickers"),
        "drive": tr("Length of the drive"),
        "classes": tr("Movements"),
        "movement": tr("Hand"),
    }.get(key, key)


def problems(limits: Mapping[str, TherapistLimit], values: Mapping[str, float], *, classes: int = 2) -> list[str]:
    """Return why values are refused: each by itself, and what they add up to; empty if none is.

    Parameters
    ----------
    limits : mapping of str to Limit
        Of `limits_of`.
    values : mapping
        Key to its value.
    classes : int
        Classes that the calibration shares its trials among.
    """
    found = [text for key, limit in limits.items() if (text := limit.problem(float(values[key])))]
    if found:
        return found
    if "assist.amplitude_ma" in limits:
        found += _stimulation_problems({key.removeprefix("assist."): value for key, value in values.items()})
    if {"calibration_runs", "trials_per_run"} <= limits.keys():
        each = values["calibration_runs"] * values["trials_per_run"] / max(1, classes)
        if each < FEWEST_OF_A_CLASS:
            words = tr("The calibration has {each:.0f} trials of each movement; it needs {least}: more runs or trials.")
            found.append(words.format(each=each, least=FEWEST_OF_A_CLASS))
    return found


def _stimulation_problems(values: dict[str, Any]) -> list[str]:
    try:
        command = FesCommand.from_data(values)
    except FesError as error:
        return [str(error)]
    found = []
    if command.charge_uc > _CEILING.charge_uc:
        found.append(
            tr("Charge of a pulse {value:.1f} µC, at most {limit:g}: lower the current or the pulse width.").format(
                value=command.charge_uc, limit=_CEILING.charge_uc
            )
        )
    if command.density > _CEILING.density_max:
        words = tr(
            "Current density {value:.2f} mA/cm², at most {limit:g}: lower the current or take larger electrodes."
        )
        found.append(words.format(value=command.density, limit=_CEILING.density_max))
    return found
