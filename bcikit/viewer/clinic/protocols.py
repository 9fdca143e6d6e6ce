"""Protocols a therapist may choose, and within which limits each may be changed."""

from dataclasses import dataclass
from typing import Any

from bcikit.paradigms import make_paradigm
from bcikit.session.config import SessionConfig, config_from
from bcikit.session.shipped import shipped_config, with_options
from bcikit.viewer.words import tr

PAIRS: dict[str, tuple[str, ...]] = {
    "left_hand / right_hand": ("left_hand", "right_hand"),
    "right_hand / feet": ("right_hand", "feet"),
    "left_hand / feet": ("left_hand", "feet"),
}
"""Pairs of movements that motor imagery may tell apart."""


@dataclass(frozen=True)
class Limit:
    """One number a therapist may change.

    Attributes
    ----------
    key : str
        Setting of the paradigm.
    low, high, step, start : float
        What is allowed.
    unit : str
        For the field.
    """

    key: str
    low: float
    high: float
    step: float
    start: float
    unit: str = ""


LIMITS: dict[str, tuple[Limit, ...]] = {
    "motor-imagery": (
        Limit("calibration_runs", 1, 4, 1, 2),
        Limit("feedback_runs", 1, 6, 1, 3),
        Limit("trials_per_run", 10, 40, 2, 20),
        Limit("between_runs", 5, 180, 5, 30, "s"),
    ),
    "rehabilitation": (
        Limit("calibration_runs", 1, 4, 1, 2),
        Limit("runs", 1, 6, 1, 3),
        Limit("trials_per_run", 10, 40, 2, 20),
        Limit("threshold", 0.6, 0.9, 0.05, 0.7),
        Limit("between_runs", 5, 300, 5, 60, "s"),
    ),
}
"""Kind of paradigm to what may be changed."""

FEEDBACK_RUNS = {"motor-imagery": "feedback_runs", "rehabilitation": "runs"}
NAMES = ("motor-imagery", "action-observation", "motor-imagery-fes")
"""Shipped paradigms that the clinic window offers."""


def field_name(key: str) -> str:
    """Return what a setting is called in the language of the interface."""
    return {
        "calibration_runs": tr("Calibration runs"),
        "feedback_runs": tr("Training runs"),
        "runs": tr("Training runs"),
        "trials_per_run": tr("Trials a run"),
        "between_runs": tr("Pause between runs"),
        "threshold": tr("Difficulty (threshold)"),
    }[key]


def protocol_names() -> dict[str, str]:
    """Return names of protocols to what they are called."""
    return {
        "motor-imagery": tr("Motor imagery with a virtual hand"),
        "action-observation": tr("Action observation and attempted movement"),
        "motor-imagery-fes": tr("Hand opening with functional electrical stimulation (simulated)"),
    }


def kind_of(protocol: str) -> str:
    """Return the kind of paradigm of a protocol."""
    return make_paradigm(protocol).kind


def minutes_of(kind: str, settings: dict[str, Any]) -> float:
    """Return about how long the training takes, in minutes."""
    seconds = 10.5 if kind == "motor-imagery" else 16.0
    runs = float(settings.get(FEEDBACK_RUNS[kind], 3))
    return (
        runs * float(settings.get("trials_per_run", 20)) * seconds + (runs - 1) * settings.get("between_runs", 30)
    ) / 60


def build(
    protocol: str,
    *,
    source: str,
    subject: str,
    operator: str,
    folder: str,
    settings: dict[str, Any],
    phase: str,
    model: str = "",
    seed: int = 1,
) -> SessionConfig:
    """Return the configuration of a calibration or of a session.

    Parameters
    ----------
    protocol : str
        Name of a shipped paradigm.
    source : str
        Address of the device.
    phase : str
        "calibration" (nothing moves, a model comes out) or "session" (with the model).
    model : str
        Model file of the session.

    Raises
    ------
    BciError
        If a setting is out of its limits, or the parts do not fit.
    """
    kind = kind_of(protocol)
    chosen = dict(settings)
    if phase == "calibration":
        chosen[FEEDBACK_RUNS[kind]] = 0
    else:
        chosen["calibration_runs"] = 0
    if kind == "motor-imagery":
        # The baselines belong to research protocols; a therapy session begins with the first trial.
        chosen.setdefault("eyes_open", 0.0)
        chosen.setdefault("eyes_closed", 0.0)
    if source.startswith("sim:"):
        source = with_options(source, seed=seed)
    base = shipped_config(protocol, source=source, seed=seed, settings=chosen, subject=subject)
    values = base.to_dict()
    values["session"]["operator"] = operator
    values["session"]["name"] = phase
    values["recording"] = {"enabled": True, "folder": folder}
    if model and phase == "session":
        values["decoder"]["model"] = model
    return config_from(values, where=protocol)
