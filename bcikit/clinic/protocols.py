"""Protocols that the clinic window offers, and the sessions that are made of them."""

import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from bcikit.clinic.arms import arm_settings, untrainable
from bcikit.clinic.people import SIMULATED
from bcikit.clinic.visit import Visit
from bcikit.decoding import Model
from bcikit.paradigms import Paradigm, make_paradigm, read_paradigm
from bcikit.paradigms.outline import Outline, outline_of
from bcikit.recording.erase import GUARD_LOG
from bcikit.safety.settings import GateSettings
from bcikit.session.config import SessionConfig, config_from
from bcikit.session.shipped import shipped_config, with_options
from bcikit.signal import Address, BciError
from bcikit.signal.documents import json_of
from bcikit.signal.settings import check_settings
from bcikit.ui.words import tr

PAIRS: tuple[tuple[str, ...], ...] = (("left_hand", "right_hand"), ("right_hand", "feet"), ("left_hand", "feet"))
"""Pairs of movements that motor imagery may tell apart."""

_RUNS = {"motor-imagery": "feedback_runs", "rehabilitation": "runs"}
_FLICKER = ("p300-speller", "ssvep-menu")
_TABLES = ("assist", "gate")
TOUCH = ("fes", "robot")
"""Profiles of what touches a patient."""
REST_SECONDS = 60.0
"""Rest with open eyes, by which a model of another day is centred on today."""


def protocol_names() -> dict[str, str]:
    """Return names of protocols to what they are called."""
    return {
        "motor-imagery": tr("Motor imagery with a virtual hand"),
        "action-observation": tr("Action observation and attempted movement"),
        "motor-imagery-fes": tr("Attempted hand opening with functional electrical stimulation"),
        "neurofeedback-smr": tr("Neurofeedback of the sensorimotor rhythm"),
        "neurofeedback-alpha": tr("Neurofeedback of the alpha rhythm"),
        "p300-speller": tr("Communication: letters by P300"),
        "ssvep-menu": tr("Communication: menu by flicker (SSVEP)"),
        "eyes-open-closed": tr("Check: eyes open, eyes closed"),
        "resting-state": tr("Resting state"),
        "driving-vigilance": tr("Vigilance in a driving simulator"),
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
        "p300-speller": tr("Rows and columns of letters flash; the patient counts the flashes of one letter."),
        "ssvep-menu": tr("Fields flicker, each at its own rate; the patient looks at one of them."),
        "eyes-open-closed": tr(
            "Two minutes of rest. In most people closed eyes raise the alpha rhythm at the back; the report says by "
            "how much. A few healthy people show none."
        ),
        "resting-state": tr("The patient sits still and looks at a cross; nothing is decided."),
        "driving-vigilance": tr("A long drive in the simulator; drowsiness is warned of, nothing is steered."),
    }[protocol]


@cache
def _plain(protocol: str) -> Paradigm:
    return make_paradigm(protocol)


@cache
def _helps_by(protocol: str) -> str:
    # Asked with every message of a session.
    return str(read_paradigm(protocol).get("assist", {}).get("command", ""))


def kind_of(protocol: str) -> str:
    """Return the kind of paradigm of a protocol."""
    return _plain(protocol).kind


def stimulates(protocol: str) -> bool:
    """Return whether a protocol sends current through a muscle."""
    return _helps_by(protocol) == "stimulate"


def moves(protocol: str) -> bool:
    """Return whether a protocol helps by moving the hand: on the screen, or with an orthosis where there is one."""
    return _helps_by(protocol) == "move"


def flickers(protocol: str) -> bool:
    """Return whether a protocol flickers or flashes."""
    return kind_of(protocol) in _FLICKER


def needs_stop_test(visit: Visit) -> bool:
    """Return whether the gate asks for the test of the stop key before this visit's session is armed.

    It does where something touches the patient, and where the stimulus is one that somebody must be able to stop.
    """
    if visit.simulated or profile_of(visit) in TOUCH or not flickers(visit.protocol):
        return profile_of(visit) in TOUCH
    from bcikit.session.from_config import paradigm_of, stimulus_result

    try:
        config = build(visit, folder="", settings=visit.settings, phase="session")
        return stimulus_result(config, paradigm_of(config)) == "RESTRICTED"
    except BciError:
        return True


def learns(protocol: str) -> bool:
    """Return whether the protocol needs a calibration of its own step."""
    return kind_of(protocol) in _RUNS


def _paradigm_settings(protocol: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the paradigm among those that a therapist chose; "assist.x" becomes its table."""
    chosen: dict[str, Any] = {key: value for key, value in settings.items() if "." not in key}
    assist = {key.removeprefix("assist."): value for key, value in settings.items() if key.startswith("assist.")}
    if assist:
        chosen["assist"] = assist
    if kind_of(protocol) == "motor-imagery":
        # The baselines belong to research protocols; a therapy session begins with the first trial.
        chosen.setdefault("eyes_open", 0.0)
        chosen.setdefault("eyes_closed", 0.0)
    return chosen


def of_phase(protocol: str, settings: Mapping[str, Any], phase: str, *, rest: bool = False) -> dict[str, Any]:
    """Return the paradigm's settings for "calibration" or "session" alone.

    A calibration of motor imagery begins with a minute of rest, and so does a session with the model of another day
    (`rest`): the model is moved from the rest of then to that of now. Attempted movements rest in every trial.
    """
    chosen = _paradigm_settings(protocol, settings)
    if learns(protocol):
        chosen[_RUNS[kind_of(protocol)] if phase == "calibration" else "calibration_runs"] = 0
        if kind_of(protocol) == "motor-imagery" and (rest or phase == "calibration"):
            chosen["eyes_open"] = REST_SECONDS
    return chosen


def outline_of_phase(protocol: str, settings: Mapping[str, Any], *, phase: str = "session") -> Outline:
    """Return what a calibration or a training comes to; the paradigm itself says it."""
    return _outline(protocol, json.dumps(of_phase(protocol, settings, phase), sort_keys=True))


@lru_cache(maxsize=64)
def _outline(protocol: str, settings: str) -> Outline:
    return outline_of(protocol, json_of(settings))


def needed_channels(protocol: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the electrodes without which a protocol cannot work."""
    return make_paradigm({**of_phase(protocol, settings, "session"), "base": protocol}).needs


def trials_of(protocol: str, settings: Mapping[str, Any], *, phase: str = "session") -> int:
    """Return how many trials, blocks or choices a calibration or a training has."""
    try:
        found = outline_of_phase(protocol, settings, phase=phase)
    except BciError:
        return 0
    return found.calibration_trials if phase == "calibration" else found.trials


def remaining(protocol: str, settings: Mapping[str, Any], *, done: int) -> dict[str, Any]:
    """Return the settings of what is left of a training after `done` trials; all of it after the last.

    Runs are alike and have as many trials of each class: where that does not come out even, it is a few trials more
    than are left, never fewer.
    """
    chosen = dict(settings)
    left = trials_of(protocol, settings) - done
    kind = kind_of(protocol)
    if done <= 0 or left <= 0:
        return chosen
    if kind == "neurofeedback":
        chosen["blocks"] = left
    elif kind == "p300-speller":
        chosen["max_selections"] = left
    elif kind == "ssvep-menu":
        chosen["rounds"] = -(-left // trials_of(protocol, {**settings, "rounds": 1}))
    elif kind in _RUNS:
        classes = max(2, len(settings.get("classes", (1, 2))))
        fewest = -(-left // int(settings.get("trials_per_run", 20)))
        # Shorter runs may come out even where the longest do not.
        each = {runs: -(-left // (runs * classes)) * classes for runs in range(fewest, 2 * fewest + 1)}
        runs = min(each, key=lambda number: number * each[number])
        chosen[_RUNS[kind]], chosen["trials_per_run"] = runs, each[runs]
    return chosen


def profile_of(visit: Visit) -> str:
    """Return the profile of the gate.

    "simulation" only for who is none, "fes" where current flows, "robot" where a device moves the hand, else "vr".
    """
    if visit.simulated:
        return "simulation"
    if stimulates(visit.protocol):
        return "fes"
    return "robot" if visit.orthosis and moves(visit.protocol) else "vr"


def forbidden_reason(visit: Visit) -> str:
    """Return why this visit forbids the protocol; "" if it does not. The engine asks the same again."""
    from bcikit.clinic.forms import forbidden
    from bcikit.safety.consent import Screening

    if visit.simulated:
        return ""
    scopes = dict.fromkeys(visit.consent.get("scopes", ()), True)
    found = forbidden(Screening.model_validate(visit.screening), scopes)
    wanted = [profile_of(visit)]
    wanted += ["stimulate"] if flickers(visit.protocol) else []
    names = {
        "fes": tr("Electrical current is not allowed today: {why}."),
        "robot": tr("A device that moves the hand is not allowed today: {why}."),
        "vr": tr("Training with the screen is not allowed today: {why}."),
        "stimulate": tr("Flashing or flickering light is not allowed today: {why}."),
    }
    return " ".join(names[what].format(why=found[what]) for what in wanted if what in found)


def _gate(visit: Visit, base: Mapping[str, Any], settings: Mapping[str, Any], longest: float | None) -> dict[str, Any]:
    gate = dict(base)
    gate |= {key.removeprefix("gate."): value for key, value in settings.items() if key.startswith("gate.")}
    gate["profile"] = profile_of(visit)
    if gate["profile"] in TOUCH:
        # What the paradigm proposes for pictures has no say where something touches the patient.
        for key in ("idle_label", "confidence", "margin"):
            gate.pop(key, None)
    elif longest is not None:
        gate["run_max_s"] = min(3600.0, max(float(gate.get("run_max_s", 480.0)), 1.5 * longest))
        gate["session_max_s"] = 3600.0
    return gate


def too_long(visit: Visit, settings: Mapping[str, Any]) -> str:
    """Return why the gate would end a training before it is complete; "" where it would not (rule P-TIME)."""
    try:
        found = outline_of_phase(visit.protocol, settings)
        values = _gate(
            visit, read_paradigm(visit.protocol).get("defaults", {}).get("gate", {}), settings, found.seconds
        )
        gate = check_settings(GateSettings, values, where="gate")
    except BciError as error:
        return str(error)
    if found.run_seconds > gate.run_max_s:
        words = tr("A run of {minutes:.0f} minutes is too long; after {most:.0f} everything stops: fewer trials a run.")
        return words.format(minutes=found.run_seconds / 60, most=gate.run_max_s / 60)
    if found.armed_seconds > gate.session_max_s:
        words = tr(
            "{minutes:.0f} minutes of training are too long; after {most:.0f} everything stops: fewer or shorter runs."
        )
        return words.format(minutes=found.armed_seconds / 60, most=gate.session_max_s / 60)
    return ""


def build(
    visit: Visit,
    *,
    folder: str,
    settings: Mapping[str, Any],
    phase: str,
    seed: int = 1,
) -> SessionConfig:
    """Return the configuration of a calibration or of a session of a visit.

    Parameters
    ----------
    visit : Visit
        Whose; its device, protocol, model and current.
    folder : str
        Where it is recorded.
    settings : mapping
        What the therapist chose: settings of the paradigm, "assist.NAME" and "gate.NAME".
    phase : str
        "calibration" (nothing moves, a model comes out) or "session" (with the model).

    Raises
    ------
    BciError
        If a setting is out of its limits, or the parts do not fit.
    """
    protocol, source = visit.protocol, visit.device
    simulated = Address.parse(source).scheme in ("sim", "dut", "file")
    if simulated and not visit.simulated:
        raise BciError(tr("That is a simulation or a recording, not this patient. Choose the headset."))
    earlier = phase == "session" and bool(visit.model) and visit.recentre
    chosen = of_phase(protocol, settings, phase, rest=earlier)
    if phase == "session" and kind_of(protocol) == "rehabilitation":
        chosen |= _arm_of(visit, chosen)
    if source.startswith("sim:"):
        source = with_options(source, seed=seed)
    base = shipped_config(protocol, source=source, seed=seed, settings=chosen, subject=visit.subject)
    values = base.to_dict()
    values["session"]["operator"] = visit.operator
    values["session"]["name"] = phase
    if visit.simulated:
        values["session"]["notes"] = f"{SIMULATED} PATIENT: not of a person"
    values["recording"] = {"enabled": True, "folder": folder}
    longest = _outline(protocol, json.dumps(chosen, sort_keys=True)).seconds
    values["gate"] = _gate(visit, values["gate"], settings, longest)
    if visit.stop_box:
        values["arming"] = {**values.get("arming", {}), "stop_box": visit.stop_box}
    if phase == "calibration":
        values["decoder"]["recentre"] = "rest"
    if phase == "session":
        if visit.model:
            values["decoder"]["model"] = visit.model
        if earlier:
            values["decoder"] |= following(visit)
        if profile_of(visit) in TOUCH:
            driver = visit.orthosis if profile_of(visit) == "robot" else str(visit.current.get("port", ""))
            if not driver:
                raise BciError(tr("Choose the stimulator and find the patient's comfortable current first."))
            if visit.idle_now:
                # It was measured in this visit, with what decides now: a part that goes on does not ask for it again.
                values["arming"] = {**values.get("arming", {}), "idle_test": 0}
            log = f"{folder}{GUARD_LOG}"
            values["outputs"] = [{"address": f"guard:{driver}?dead_man=1&log={log}"}]
    return config_from(values, where=protocol)


def _arm_of(visit: Visit, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the paradigm is told of a visit's allocation; where it does not take that, nothing tells why."""
    arm = arm_settings(visit)
    try:
        _outline(visit.protocol, json.dumps({**chosen, **arm}, sort_keys=True))
    except BciError:
        # What is wrong without the arm, too, may be said.
        _outline(visit.protocol, json.dumps(chosen, sort_keys=True))
        raise BciError(untrainable()) from None
    return arm


def following(visit: Visit) -> dict[str, str]:
    """Return how the model of another day follows today: by rest where it knows that of its training, and by cues.

    Where something touches the patient it does not learn from cues: what the idle test was made with must be what
    decides after it.
    """
    try:
        centre = "rest" if "rest" in Model.load(visit.model).centres else "windows"
    except BciError:
        centre = "windows"
    return {"recentre": centre, "adapt": "" if profile_of(visit) in TOUCH else "labelled"}


def training_config(visit: Visit, folders: Sequence[str]) -> SessionConfig:
    """Return the configuration that learns from several calibrations of a visit together."""
    chosen = of_phase(visit.protocol, visit.settings, "calibration")
    base = shipped_config(visit.protocol, source=visit.device, settings=chosen, subject=visit.subject)
    values = base.to_dict()
    wanted = make_paradigm({**chosen, "base": visit.protocol}).calibration
    values["decoder"]["recentre"] = "rest"
    values["calibration"] = {"files": list(folders), "events": dict(wanted.events) if wanted is not None else {}}
    return config_from(values, where=visit.protocol)
