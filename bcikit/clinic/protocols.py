"""Protocols that the clinic window offers, and the sessions that are made of them."""

from collections.abc import Mapping
from typing import Any

from bcikit.clinic.limits import LIMITS
from bcikit.paradigms import make_paradigm, read_paradigm
from bcikit.session.config import SessionConfig, config_from
from bcikit.session.shipped import shipped_config, with_options
from bcikit.ui.words import tr

PAIRS: dict[str, tuple[str, ...]] = {
    "left_hand / right_hand": ("left_hand", "right_hand"),
    "right_hand / feet": ("right_hand", "feet"),
    "left_hand / feet": ("left_hand", "feet"),
}
"""Pairs of movements that motor imagery may tell apart."""

_RUNS = {"motor-imagery": "feedback_runs", "rehabilitation": "runs"}
_TRIAL_SECONDS = {"motor-imagery": 10.5, "rehabilitation": 16.0}
_NO_DECISIONS = ("neurofeedback", "blocks")


def protocol_names() -> dict[str, str]:
    """Return names of protocols to what they are called."""
    return {
        "motor-imagery": tr("Motor imagery with a virtual hand"),
        "action-observation": tr("Action observation and attempted movement"),
        "motor-imagery-fes": tr("Hand opening with functional electrical stimulation (simulated)"),
        "neurofeedback-smr": tr("Neurofeedback of the sensorimotor rhythm"),
        "neurofeedback-alpha": tr("Neurofeedback of the alpha rhythm"),
        "eyes-open-closed": tr("Check: eyes open, eyes closed"),
    }


def protocol_title(protocol: str) -> str:
    """Return what a protocol is called, or its name where this window does not offer it."""
    return protocol_names().get(protocol.removeprefix("paradigm:"), protocol)


def protocol_sentence(protocol: str) -> str:
    """Return one sentence that says what happens."""
    return {
        "motor-imagery": tr("The patient imagines two movements in turn; the hand on the screen follows."),
        "action-observation": tr("The patient watches a movement, then tries it; the hand on the screen helps."),
        "motor-imagery-fes": tr(
            "The patient tries to open the hand; when the brain shows it, the muscle is stimulated."
        ),
        "neurofeedback-smr": tr(
            "The hand closes while 12 to 15 Hz over the motor strip is strong; nothing to calibrate."
        ),
        "neurofeedback-alpha": tr("The hand closes while 8 to 12 Hz at the back is strong; nothing to calibrate."),
        "eyes-open-closed": tr(
            "Two minutes of rest: closed eyes must raise the alpha rhythm, or the signal is no EEG."
        ),
    }[protocol]


def kind_of(protocol: str) -> str:
    """Return the kind of paradigm of a protocol."""
    return make_paradigm(protocol).kind


def learns(protocol: str) -> bool:
    """Return whether the protocol needs a calibration."""
    return kind_of(protocol) not in _NO_DECISIONS


def needed_channels(protocol: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the electrodes that a protocol listens to: without them it cannot work."""
    kind = kind_of(protocol)
    if kind == "rehabilitation":
        return ("C3", "C4")
    if kind == "motor-imagery":
        classes = settings.get("classes", ("left_hand", "right_hand"))
        return ("C3", "C4", "Cz") if any("feet" in name for name in classes) else ("C3", "C4")
    return ()


def trials_of(protocol: str, settings: Mapping[str, Any], *, phase: str = "session") -> int:
    """Return how many trials, blocks or phases a calibration or a session has."""
    kind = kind_of(protocol)
    if kind == "neurofeedback":
        return int(settings.get("blocks", 4))
    if kind == "blocks":
        return 0
    runs = settings.get("calibration_runs" if phase == "calibration" else _RUNS[kind], 1)
    return int(runs) * int(settings.get("trials_per_run", 20))


def minutes_of(protocol: str, settings: Mapping[str, Any]) -> float:
    """Return about how long the training takes, in minutes."""
    kind = kind_of(protocol)
    if kind == "neurofeedback":
        blocks = int(settings.get("blocks", 4))
        pauses = (blocks - 1) * float(settings.get("between_blocks", 60))
        return (float(settings.get("baseline", 120)) + blocks * float(settings.get("block", 270)) + pauses) / 60
    if kind == "blocks":
        return 2.0 * float(settings.get("repeats", 1))
    runs = int(settings.get(_RUNS[kind], 3))
    pauses = (runs - 1) * float(settings.get("between_runs", 30))
    return (trials_of(protocol, settings) * _TRIAL_SECONDS[kind] + pauses) / 60


def remaining(protocol: str, settings: Mapping[str, Any], *, done: int) -> dict[str, Any]:
    """Return the settings of what is left of a training after `done` trials; all of it after the last."""
    chosen = dict(settings)
    left = trials_of(protocol, settings) - done
    kind = kind_of(protocol)
    if done <= 0 or left <= 0:
        return chosen
    if kind == "neurofeedback":
        chosen["blocks"] = left
    elif kind in _RUNS:
        classes = max(2, len(settings.get("classes", (1, 2))))
        runs = -(-left // int(settings.get("trials_per_run", 20)))
        chosen[_RUNS[kind]] = runs
        chosen["trials_per_run"] = max(classes, -(-(left // runs) // classes) * classes)
    return chosen


def build(
    protocol: str,
    *,
    source: str,
    subject: str,
    operator: str,
    folder: str,
    settings: Mapping[str, Any],
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
    settings : mapping
        What the therapist chose: settings of the paradigm, "assist.NAME" and "gate.NAME".
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
    chosen = {key: value for key, value in settings.items() if "." not in key}
    assist = {key.removeprefix("assist."): value for key, value in settings.items() if key.startswith("assist.")}
    if assist:
        chosen["assist"] = {**read_paradigm(protocol).get("assist", {}), **assist}
    if kind in _RUNS:
        chosen[_RUNS[kind] if phase == "calibration" else "calibration_runs"] = 0
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
    values["gate"] |= {key.removeprefix("gate."): value for key, value in settings.items() if key.startswith("gate.")}
    if model and phase == "session":
        values["decoder"]["model"] = model
    return config_from(values, where=protocol)


def starting_values(protocol: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the values of the fields of a protocol: those chosen, else those proposed."""
    return {limit.key: float(settings.get(limit.key, limit.start)) for limit in LIMITS[protocol]}
