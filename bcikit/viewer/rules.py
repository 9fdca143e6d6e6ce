"""The words for rules and states: what they mean and what to do, for a person who never read a manual."""

from bcikit.viewer.status import Status
from bcikit.viewer.words import tr


def _noop(text: str) -> str:
    """Mark a word for the catalogue; it is translated when it is shown."""
    return text


RULES: dict[str, tuple[str, str]] = {
    "A-CONF": (_noop("The decoder is not sure enough"), _noop("Go on; concentrate on the task")),
    "A-MARGIN": (_noop("Two answers are too close"), _noop("Go on; concentrate on the task")),
    "A-REJECT": (_noop("The decoder gave no answer"), _noop("Go on; concentrate on the task")),
    "A-KOFN": (_noop("The answer did not last long enough"), _noop("Hold the thought a little longer")),
    "A-DWELL": (_noop("The answer did not last long enough"), _noop("Hold the thought a little longer")),
    "A-RFR": (_noop("Pause after the last movement"), _noop("Wait two seconds")),
    "A-QUAL": (_noop("A needed electrode is bad"), _noop("Mend the electrode marked ■ B")),
    "A-TTL": (_noop("The command was too old"), _noop("Close other programs")),
    "A-IDLE": (_noop("The idle test has not been passed"), _noop("Let the person rest and repeat the test")),
    "A-DM": (_noop("The release switch is not held"), _noop("Press and hold the release switch")),
    "A-RATE": (_noop("Too fast or too often"), _noop("Wait")),
    "A-DOSE": (_noop("The dose of this session is reached"), _noop("End the session or take a break")),
    "A-STATE": (_noop("The system is not active"), _noop("Arm and start it")),
    "A-STOP": (_noop("Someone pressed STOP"), _noop("Find out why, then acknowledge")),
    "H-STALL": (_noop("No data arrive"), _noop("Check the cable and the battery of the headset")),
    "H-LOSS": (_noop("Data are being lost"), _noop("Move the headset nearer to the receiver")),
    "H-LAT": (_noop("The data come too late"), _noop("Close other programs")),
    "H-RATE": (_noop("The sampling rate is wrong"), _noop("Restart the amplifier")),
    "H-JIT": (_noop("The data come unevenly"), _noop("Use a cable instead of a wireless link")),
    "H-BAT": (_noop("The battery is low"), _noop("Charge or change the battery")),
    "H-CPU": (_noop("The computer is too slow"), _noop("Close other programs")),
    "H-DISK": (_noop("The disk is full or cannot be written"), _noop("Free some space")),
    "Q-RAIL": (_noop("The signal is at the end of its range"), _noop("Press the electrode on; add gel")),
    "Q-FLAT": (_noop("The signal is flat"), _noop("Check plug and contact of the electrode")),
    "Q-NAN": (_noop("The device sends no valid numbers"), _noop("Check the plug; restart the amplifier")),
    "Q-AMP": (_noop("Much larger than the other electrodes"), _noop("Press the electrode on; add gel")),
    "Q-HF": (_noop("Noisy, or tense muscles"), _noop("Relax jaw and neck; press the electrode on")),
    "Q-COR": (_noop("Unlike its neighbours"), _noop("Press the electrode on; add gel")),
    "Q-LINE": (_noop("Hum from the mains"), _noop("Check the ground electrode; move cables away from mains")),
    "Q-IMP": (_noop("Poor contact"), _noop("Part the hair; add gel; press the electrode on")),
    "Q-P2P": (_noop("Large movement in the signal"), _noop("Sit still; check the electrode")),
    "Q-EOG": (_noop("Blinks"), _noop("Look at one point; blink between trials")),
    "Q-EMG": (_noop("Tense muscles"), _noop("Relax jaw and neck")),
    "Q-BRIDGE": (_noop("Gel joins two electrodes"), _noop("Dry the skin between them")),
    "Q-DRIFT": (_noop("The signal drifts"), _noop("Wait until the gel has settled")),
    "Q-MONT": (_noop("Too few good electrodes"), _noop("Mend the electrodes marked ■ B")),
}
"""Rule to what it means and what to do."""

STATES: dict[str, tuple[str, str]] = {
    "": (_noop("Watching only"), _noop("No engine is connected; nothing can move")),
    "OFFLINE": (_noop("Offline"), _noop("No source is open")),
    "SELFTEST": (_noop("Self-test"), _noop("Wait")),
    "STANDBY": (_noop("Standby"), _noop("Arm it when the person is ready")),
    "CALIBRATING": (_noop("Calibrating"), _noop("Nothing moves while it learns")),
    "ARMED": (_noop("Armed"), _noop("Start it")),
    "ACTIVE": (_noop("Active"), _noop("Press STOP or the space bar to stop")),
    "DEGRADED": (_noop("Held"), _noop("It goes on by itself when the signal is good for 5 seconds")),
    "SAFE_STOP": (_noop("Stopped, safe"), _noop("Mend the cause, then acknowledge")),
    "ESTOP": (_noop("Emergency stop"), _noop("Release the emergency stop, then acknowledge")),
    "FATAL": (_noop("Fault"), _noop("Restart")),
    "PAUSED": (_noop("Paused"), _noop("Press Resume")),
    "FINISHED": (_noop("Finished"), _noop("The report is ready")),
}
"""State to its name and what to do."""

STATE_LEVEL = {
    "ACTIVE": "GOOD",
    "ARMED": "GOOD",
    "CALIBRATING": "GOOD",
    "FINISHED": "GOOD",
    "DEGRADED": "WARN",
    "PAUSED": "WARN",
    "SAFE_STOP": "BAD",
    "ESTOP": "BAD",
    "FATAL": "BAD",
}
"""State to level; states that are neither good nor bad are left out."""


def rule_text(rule: str) -> tuple[str, str]:
    """Return what a rule means and what to do, in the language of the interface."""
    base = rule.split(":")[0].upper()
    what, advice = RULES.get(base, (rule, ""))
    return tr(what), tr(advice) if advice else ""


def state_text(state: str) -> tuple[str, str]:
    """Return the name of a state and what to do, in the language of the interface."""
    name, advice = STATES.get(state, (state, ""))
    return tr(name), tr(advice) if advice else ""


def why_nothing_moves(status: Status) -> tuple[str, str]:
    """Return why nothing moves now and what to do; two empty texts where the newest decision was let through."""
    if status.state not in ("ACTIVE", ""):
        name, advice = state_text(status.state)
        if status.state in ("DEGRADED", "SAFE_STOP") and status.verdict.get("reasons"):
            rules = [r for r in status.verdict["reasons"] if r.startswith(("H-", "Q-", "A-QUAL", "A-STOP"))]
            if rules:
                what, advice = rule_text(rules[0])
                return f"{name}: {what} ({rules[0]})", advice
        return name, advice
    if status.verdict and not status.verdict.get("allowed"):
        reasons = status.verdict.get("reasons") or ()
        if reasons:
            what, advice = rule_text(str(reasons[0]))
            return f"{what} ({reasons[0]})", advice
    if not status.verdict:
        return state_text("")[1] if not status.state else tr("No decision yet"), ""
    return "", ""
