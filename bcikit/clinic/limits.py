"""What a therapist may change of a protocol, and how far."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bcikit.safety.guard.fes import FesCommand, FesError, FesLimits
from bcikit.ui.words import tr


@dataclass(frozen=True)
class Limit:
    """One number a therapist may change.

    Attributes
    ----------
    key : str
        Setting of the paradigm; "assist.seconds" is in its table "assist", "gate.confidence" in that of the gate.
    low, high, step, start : float
        What is allowed, and what is proposed.
    unit : str
        For the field.
    """

    key: str
    low: float
    high: float
    step: float
    start: float
    unit: str = ""

    @property
    def decimals(self) -> int:
        """Digits after the point that the step asks for."""
        return 0 if float(self.step).is_integer() else 2 if self.step < 0.1 else 1

    @property
    def whole(self) -> bool:
        """True for counts, which the paradigm wants as whole numbers."""
        return self.decimals == 0 and not self.unit

    def words(self) -> str:
        """Return the limits as a person reads them."""
        return tr("{low:g} to {high:g}").format(low=self.low, high=self.high) + (f" {self.unit}" if self.unit else "")

    def problem(self, value: float) -> str:
        """Return why a value is refused; "" if it is not."""
        if self.low <= value <= self.high:
            return ""
        return tr("{name}: {value:g} is refused; allowed: {limits}.").format(
            name=field_name(self.key), value=value, limits=self.words()
        )


_CEILING = FesLimits()
_RUNS = (Limit("calibration_runs", 1, 4, 1, 2), Limit("trials_per_run", 10, 40, 2, 20))
_FES = (
    # Whoever sets more than the ceiling does it at the stimulator's own limits, not here.
    Limit("assist.amplitude_ma", 1, _CEILING.amplitude_ma, 1, 15, "mA"),
    Limit("assist.pulse_us", 50, _CEILING.pulse_us, 50, 300, "µs"),
    Limit("assist.frequency_hz", 10, _CEILING.frequency_hz, 5, 35, "Hz"),
    Limit("assist.area_cm2", 4, 100, 1, 25, "cm²"),
)
_REHABILITATION = (
    *_RUNS,
    Limit("runs", 1, 6, 1, 3),
    Limit("between_runs", 5, 300, 5, 60, "s"),
    Limit("threshold", 0.6, 0.9, 0.05, 0.7),
    Limit("assist.seconds", 1, _CEILING.train_s, 0.5, 3, "s"),
)
_NEUROFEEDBACK = (
    Limit("blocks", 1, 8, 1, 4),
    Limit("block", 60, 600, 30, 270, "s"),
    Limit("between_blocks", 10, 180, 10, 60, "s"),
    Limit("baseline", 30, 300, 30, 120, "s"),
)
LIMITS: dict[str, tuple[Limit, ...]] = {
    "motor-imagery": (
        *_RUNS,
        Limit("feedback_runs", 1, 6, 1, 3),
        Limit("between_runs", 5, 180, 5, 30, "s"),
        Limit("gate.confidence", 0.6, 0.9, 0.05, 0.7),
    ),
    "action-observation": _REHABILITATION,
    "motor-imagery-fes": (*_REHABILITATION, *_FES),
    "neurofeedback-smr": _NEUROFEEDBACK,
    "neurofeedback-alpha": _NEUROFEEDBACK,
    "eyes-open-closed": (Limit("repeats", 1, 5, 1, 1),),
}
"""Protocol to what may be changed."""


def field_name(key: str) -> str:
    """Return what a setting is called in the language of the interface."""
    return {
        "calibration_runs": tr("Calibration runs"),
        "feedback_runs": tr("Training runs"),
        "runs": tr("Training runs"),
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
    }[key]


def problems(protocol: str, values: Mapping[str, float]) -> list[str]:
    """Return why values are refused: each by itself, and what the current adds up to; empty if none is.

    Parameters
    ----------
    protocol : str
        Name of a protocol.
    values : mapping
        Key of a `Limit` to its value.
    """
    found = [text for limit in LIMITS[protocol] if (text := limit.problem(float(values[limit.key])))]
    if "assist.amplitude_ma" in values and not found:
        found += _stimulation_problems({key.removeprefix("assist."): value for key, value in values.items()})
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
