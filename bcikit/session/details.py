"""What a paradigm found out, in words with units, for the report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bcikit.session.plots import Curve, course_plot

Row = tuple[str, str]


def share(value: float) -> str:
    """Return a share in percent."""
    return f"{100 * value:.0f} %"


def seconds(value: float) -> str:
    """Return a duration."""
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} min"


def milliseconds(value: float) -> str:
    """Return a duration in ms."""
    return f"{1e3 * value:.0f} ms"


def number(unit: str = "", digits: int = 2) -> Callable[[Any], str]:
    """Return a function that writes a number with its unit."""

    def write(value: Any) -> str:
        text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
        return f"{text} {unit}".strip()

    return write


def spread(unit: Callable[[float], str]) -> Callable[[Sequence[float | None]], str]:
    """Return a function that writes many numbers as their median and range."""

    def write(values: Sequence[float | None]) -> str:
        known = sorted(float(value) for value in values if value is not None)
        if not known:
            return "none"
        middle = known[len(known) // 2] if len(known) % 2 else (known[len(known) // 2 - 1] + known[len(known) // 2]) / 2
        return f"median {unit(middle)}, {unit(known[0])} to {unit(known[-1])} ({len(known)})"

    return write


def each(unit: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return a function that writes a list or table, value by value."""

    def write(values: Any) -> str:
        if isinstance(values, Mapping):
            return ", ".join(f"{key}: {unit(value)}" for key, value in values.items())
        return ", ".join("-" if value is None else unit(value) for value in values) or "none"

    return write


def interval(unit: Callable[[float], str]) -> Callable[[Sequence[float]], str]:
    """Return a function that writes the bounds of an interval."""
    return lambda bounds: f"{unit(bounds[0])} to {unit(bounds[1])}"


def _lead(value: Mapping[str, Any]) -> str:
    if value.get("quartiles") is None:
        return "none"
    low, high = value["quartiles"]
    return f"median {milliseconds(value['median'])} (quartiles {milliseconds(low)} to {milliseconds(high)})"


_bits = number("bit/min (Wolpaw 2002: all answers equally likely, errors spread evenly, pauses counted)", 1)

LABELS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "accuracy": ("likeliest class of the deciding window is right", share),
    "accuracy_gated": ("right and let through by the gate", share),
    "n_allowed": ("trials that the gate let through", str),
    "n_calibration_trials": ("calibration trials", str),
    "seconds_to_decision": ("cue to the deciding window's end, mean", seconds),
    "itr": ("information transfer rate", _bits),
    "hits": ("targets reached", str),
    "hit_rate": ("hits", share),
    "hit_interval": ("hits, 95 % interval", interval(share)),
    "straightness": ("straightness of the way (1 is straight)", number()),
    "arm": ("arm of the trial", str),
    "false_triggers": ("movements triggered in idle trials", str),
    "n_idle_trials": ("idle trials", str),
    "n_left_out": (
        "trials that the therapist or the plan of the arm decided, or that were skipped: no hit and no miss",
        str,
    ),
    "seconds_to_assist": ("cue (with the film, where one is watched) to assistance, mean of hits", seconds),
    "assist_delays": ("cue (with the film, where one is watched) to assistance", spread(seconds)),
    "assists": ("assistances", str),
    "assist_seconds": ("dose: assistance asked for in all", seconds),
    "contingency_latency": ("newest sample of the decision to command", spread(milliseconds)),
    "threshold": ("threshold of the evidence at the end", number()),
    "baseline_power": ("power of the trained band at rest, artefacts left out", number("uV\u00b2")),
    "block_power": ("power of the trained band, block by block, artefacts left out", each(number("uV\u00b2"))),
    "power_slope_per_block": ("change of the power a block", number("uV\u00b2")),
    "share_above": ("time above the threshold, block by block, artefacts left out", each(share)),
    "rewards": ("rewards", str),
    "artefact_free": ("time free of artefacts", share),
    "rule": ("rule of the feedback", str),
    "text": ("text written", lambda text: text or "nothing"),
    "copy_text": ("text asked for", str),
    "undone": ("selections taken back by an error potential", str),
    "choices_judged": ("choices that were looked at for an error potential", str),
    "choices_taken_back": ("of them taken back", str),
    "taken_back_wrongly": ("taken back though they were right", str),
    "errors_left": ("wrong and not taken back", str),
    "mean_sequences": ("sequences of flashes a selection, mean", number(digits=1)),
    "seconds_per_selection": ("time a trial, with the time to look and all pauses, decided or not", seconds),
    "items_per_minute": ("selections a minute", number(digits=2)),
    "letters_per_minute": ("letters a minute", number(digits=2)),
    "chosen": ("chosen", each(str)),
    "target_accuracy": ("right choices while looking at a target", share),
    "false_choices": ("choices while looking at none", str),
    "seconds_per_choice": ("time a trial, with the time to look and all pauses, chosen or not", seconds),
    "n_warnings": ("warnings that must be given (KSS 8 and above)", str),
    "seconds_to_first_warning": ("first such warning, from the start of the drive", seconds),
    "share_of_time": ("time in each level", each(share)),
    "unusable_windows": ("windows that could not be judged", share),
    "take_over_ready": ("time ready to take over the wheel", share),
    "index": ("index", str),
    "before_pedal": ("detected before the pedal", share),
    "lead_time": ("lead before the pedal, of the hits", _lead),
    "metres_gained": ("way gained by the lead, mean of the hits", number("m", 1)),
    "false_brakes": ("false brakes", str),
    "false_brakes_per_hour": ("false brakes an hour", number(digits=1)),
    "false_brakes_interval": ("false brakes an hour, 95 % interval", interval(number(digits=1))),
    "seconds_driven": ("driven", seconds),
    "seconds": ("time in each phase", each(seconds)),
}
"""Key of a paradigm's results to what it is called and how its value is written."""

CALIBRATION_LABELS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "channels": ("channels", str),
    "why": ("decoder that was chosen, and why", str),
    "trials": ("trials a class", each(str)),
    "split": ("folds of the cross-validation", str),
    "n_trials": ("trials", str),
    "accuracy": ("accuracy", share),
    "balanced_accuracy": ("balanced accuracy (mean over the classes)", share),
    "kappa": ("Cohen's kappa", number()),
    "auc": ("area under the ROC curve", number()),
    "nmcc": ("correlation of Matthews, scaled to 0 to 1", number()),
    "itr": ("information transfer rate", number("bit/min", 1)),
    "ece": ("calibration error of the probabilities (ECE, 0 is best)", number(digits=3)),
    "ece_if_perfect": ("the same of a perfect decoder with as many trials", number(digits=3)),
    "ece_limit": ("which a perfect decoder exceeds in one of twenty cases", number(digits=3)),
    "calibration_error": ("calibration error without what few trials add to it", number(digits=3)),
    "brier": ("Brier score (0 is best)", number(digits=3)),
    "chance_level": ("guessing, or always saying the commonest class, is right in", share),
    "chance_upper": ("a guesser reaches in 95 of 100 calibrations at most", share),
    "balanced_chance_upper": ("balanced accuracy that a guesser reaches in 95 of 100 calibrations at most", share),
    "without_calibration": ("right on these trials without calibration, by a model of other people", share),
    "without_calibration_expected": (
        "expected without calibration (nine of ten people lie between the last two)",
        lambda value: ", ".join(f"{one:.2f}" for one in value),
    ),
    "people_without_calibration": ("people in that model", str),
}
"""The same for the numbers of a calibration."""

_DRAWN = ("alarms", "course", "threshold_course", "baseline", "note", "meaning", "aim", "limits")


def rows(details: Mapping[str, Any]) -> list[Row]:
    """Return what is known, one line each; what is drawn or empty is left out."""
    found = []
    # Without trials, that none was let through says nothing.
    empty = {key for key in ("n_calibration_trials", "n_allowed") if not details.get(key)}
    empty -= {"n_allowed"} if details.get("accuracy") is not None else set()
    for key, value in details.items():
        if key in _DRAWN or key in empty or value is None or value in ({}, [], ()):
            continue
        label, write = LABELS.get(key, (key.replace("_", " "), str))
        found.append((label, write(value)))
    return found


def alarm_table(details: Mapping[str, Any], begin: float) -> list[tuple[str, ...]]:
    """Return the warnings of the vigilance monitor: when, what, why; `begin` is the time of the first sample."""
    return [
        (
            seconds(float(alarm["seconds"]) - begin),
            str(alarm["level"]),
            f"{alarm['kss']:.1f}",
            _given(alarm),
            str(alarm["reason"]),
        )
        for alarm in details.get("alarms", ())
    ]


def _given(alarm: Mapping[str, Any]) -> str:
    held = ", ".join(alarm.get("held_back", ()))
    return ("must be given" if alarm["must"] else "may be given") + (f", held back: {held}" if held else "")


def pictures(details: Mapping[str, Any], begin: float = 0.0) -> list[tuple[str, str]]:
    """Return pictures of what changed over the session: address and description; `begin` as for the alarms."""
    made = []
    course = details.get("course")
    if course:
        times = [(point["seconds"] - begin) / 60 for point in course]
        curves = [Curve(times, [point["kss"] for point in course], "estimated KSS")]
        may, must = details.get("limits") or (7.0, 8.0)
        levels = {f"may be told ({may:g})": may, f"must be warned ({must:g})": must}
        made.append(
            (
                course_plot(
                    curves, xlabel="minutes from the start", ylabel="KSS (estimate)", lines=levels, ylim=(1, 9)
                ),
                "Sleepiness over the drive",
            )
        )
    threshold = details.get("threshold_course")
    if threshold:
        times = [(point["seconds"] - begin) / 60 for point in threshold]
        curves = [Curve(times, [point["threshold"] for point in threshold], "threshold", steps=True)]
        made.append(
            (
                course_plot(curves, xlabel="minutes from the start", ylabel="threshold, uV\u00b2"),
                "Course of the threshold",
            )
        )
        later = [point for point in threshold if "share_above" in point]
        shares = [((point["seconds"] - begin) / 60, point["share_above"]) for point in later]
        if shares:
            curves = [Curve([time for time, _ in shares], [100 * value for _, value in shares], "time above it")]
            aim: dict[str, float] = {}
            if details.get("aim"):
                low, high = details["aim"]
                aim = {f"aim, at least {share(low)}": 100 * low, f"aim, at most {share(high)}": 100 * high}
            made.append(
                (
                    course_plot(curves, xlabel="minutes from the start", ylabel="% of time", lines=aim, ylim=(0, 100)),
                    "Time above the threshold between two adaptations",
                )
            )
    return made
