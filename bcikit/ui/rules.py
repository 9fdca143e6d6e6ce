"""The words for rules and states: what they mean and what to do, for a person who never read a manual."""

from bcikit.safety.rules import RULES
from bcikit.ui.status import Status
from bcikit.ui.words import tr


def _noop(text: str) -> str:
    """Mark a word for the catalogue; it is translated when it is shown."""
    return text


STATES: dict[str, tuple[str, str]] = {
    "": (_noop("Watching only"), _noop("No engine is connected; nothing can move")),
    "UNHEARD": (_noop("Not heard"), _noop("What moves is not known: press STOP if in doubt")),
    "FAILED": (_noop("Did not begin"), _noop("Read the message, mend the cause, start again")),
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
    "UNHEARD": "WARN",
    "FAILED": "BAD",
}
"""State to level; states that are neither good nor bad are left out."""


def rule_text(rule: str) -> tuple[str, str]:
    """Return what a rule means and what to do, in the language of the interface."""
    words = RULES.get(rule.split(":")[0])
    return (rule, "") if words is None else (tr(words.what), tr(words.do))


def state_text(state: str, *, watching: bool = False) -> tuple[str, str]:
    """Return the name of a state and what to do, in the language of the interface; who only watches cannot do it."""
    name, advice = STATES.get(state, (state, ""))
    if watching and state == "ACTIVE":
        return tr(name), tr("No STOP here: this only watches")
    return tr(name), tr(advice) if advice else ""


def why_nothing_moves(status: Status) -> tuple[str, str]:
    """Return why nothing moves now and what to do; two empty texts where the newest decision was let through."""
    if status.state not in ("ACTIVE", ""):
        name, advice = state_text(status.state)
        if status.state in ("SAFE_STOP", "ESTOP", "FATAL") and status.state_rule:
            what, advice = rule_text(status.state_rule)
            return f"{name}: {what} ({status.state_rule})", advice
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
