"""The report: one HTML file with everything in it, for people who were not there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bcikit.paradigms.score import judged
from bcikit.reporting import render
from bcikit.session import details, plots
from bcikit.session.desynchronisation import erd_curves
from bcikit.signal import BciError, Event, Recording

CUE_CHANNELS = ("C3", "Cz", "C4")
MOST_CLASSES = 12
"""A confusion matrix of more classes cannot be read."""
OF_MOVEMENT = ("motor-imagery", "rehabilitation", "imagery-steering")
"""Kinds of paradigm whose cues ask for a movement: others have no desynchronisation to draw."""
_BLIND = "The trial of this session is blinded: what was decided, what moved and what triggered it is left out here."
_TELLS = frozenset({"online_accuracy", "n_undecided", "details", "trials", "gate", "outputs", "safety"})
"""What beside the picture of the hand tells whether the decoder moved it."""
BANDS = {"mu (8-13 Hz)": (8.0, 13.0), "beta (13-30 Hz)": (13.0, 30.0)}


def write_report(
    path: Path,
    result: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    recording: Recording | None = None,
    events: Sequence[Event] = (),
) -> Path:
    """Write ``report.html``.

    Parameters
    ----------
    path : Path
        File to write.
    result : mapping
        Content of ``result.json``.
    config : mapping
        Configuration of the session.
    recording : Recording, optional
        The raw signal, for the curves of desynchronisation.
    events : sequence of Event
        Events of the session, for the same.

    Returns
    -------
    Path
        The file.
    """
    import tomli_w

    # The session file, or the paradigm's own: then only the paradigm has said so, in its results.
    blind = bool(((config.get("paradigm") or {}).get("settings") or {}).get("blind"))
    blind = blind or (result.get("details") or {}).get("arm") == "sealed"
    if blind:
        result, config = _sealed(result, config)
    page = render(
        "bcikit.session",
        "report.html",
        title=result.get("title") or "bcikit session",
        subtitle=_subtitle(result),
        cards=_cards(result),
        meaning=[_BLIND] if blind else _meaning(result),
        parts=_parts(result, recording, events),
        made_with=_made_with(result),
        config=tomli_w.dumps(_without_none(config)),
    )
    path.write_text(page, encoding="utf-8")
    return path


def _sealed(result: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return result and configuration of a blinded session without what tells its arm."""
    paradigm = config.get("paradigm") or {}
    settings = {key: value for key, value in (paradigm.get("settings") or {}).items() if key != "yoked_delays"}
    settings |= {"arm": "sealed"} if "arm" in settings else {}
    left = {key: value for key, value in result.items() if key not in _TELLS}
    changed = {**config, "paradigm": {**paradigm, "settings": settings}}
    name = str(paradigm.get("name", ""))
    if name.endswith(".toml"):
        # A file that holds the arm may be called by it, and the session is called by its file.
        changed["paradigm"]["name"] = "sealed"
        session = config.get("session") or {}
        if session.get("name") == Path(name).stem:
            changed["session"] = {**session, "name": "sealed"}
        if left.get("title") == Path(name).stem:
            left["title"] = "sealed"
    return left, changed


def percent(value: float | None) -> str:
    """Return a share as people write it."""
    return "-" if value is None else f"{100 * value:.0f} %"


def _subtitle(result: Mapping[str, Any]) -> str:
    parts = [
        f"subject {result.get('subject', '-')}",
        str(result.get("started", "")),
        f"{details.seconds(result.get('duration_s', 0.0))} of signal",
        str(result.get("source", "")),
    ]
    return " \u00b7 ".join(part for part in parts if part)


def _cards(result: Mapping[str, Any]) -> list[dict[str, str]]:
    cards = []
    accuracy = result.get("online_accuracy")
    if accuracy is not None:
        low, high = result["accuracy_interval"]
        tone = {True: "good", False: "bad", None: ""}[result.get("above_chance")]
        label = f"online accuracy, 95 % interval {100 * low:.0f} to {100 * high:.0f} %"
        cards.append({"value": percent(accuracy), "label": label, "tone": tone})
        if result.get("chance_upper") is not None:
            bound = f"a guesser reaches in 95 of 100 sessions at most this ({result['n_trials']} trials)"
            cards.append({"value": percent(result["chance_upper"]), "label": bound, "tone": ""})
    lost = result.get("lost_samples", 0)
    cards.append({"value": str(lost), "label": "samples lost", "tone": "good" if lost == 0 else "bad"})
    latency = result.get("latency_ms", {})
    if latency.get("n"):
        label = f"newest sample to verdict, median; 99 % within {latency['p99']:.1f} ms"
        cards.append({"value": f"{latency['p50']:.1f} ms", "label": label, "tone": ""})
    gate = result.get("gate", {})
    if gate.get("n"):
        cards.append(
            {"value": f"{gate['allowed']} of {gate['n']}", "label": "decisions that the gate let through", "tone": ""}
        )
    return cards


def _guessing(result: Mapping[str, Any]) -> str:
    k = len(result["classes"])
    if result["chance_level"] > 1.0 / k:
        return f"Always saying the commonest class ({percent(result['chance_level'])} of the trials)"
    return f"Guessing among {k} classes"


def _meaning(result: Mapping[str, Any]) -> list[str]:
    lines = []
    accuracy = result.get("online_accuracy")
    own = (result.get("details") or {}).get("meaning")
    known = result.get("calibration") or {}
    if own:
        lines += own
    elif accuracy is None and known.get("balanced_accuracy") is not None and known.get("chance_upper") is not None:
        share, bound = known["balanced_accuracy"], known.get("balanced_chance_upper", known["chance_upper"])
        better = "is better than" if share > bound else "is within"
        lines.append(
            "A decoder was calibrated; nothing was decoded with it yet. In cross-validation its balanced accuracy over "
            f"{known.get('n_trials', '-')} trials is {percent(share)}, which {better} what guessing gives (up to "
            f"{percent(bound)})."
        )
    elif accuracy is None:
        lines.append("No trial with a known target was decoded, so no accuracy can be stated.")
    elif result.get("above_chance") is None:
        asked = [name for name, row in zip(result["classes"], result["confusion"], strict=False) if any(row)]
        lines.append(
            f"Only trials of {' and '.join(asked)} were the decoder's: {result['n_correct']} of {result['n_trials']} "
            "were decoded as asked for. Who always says that one is right, too: no accuracy against chance can be "
            "stated."
        )
    elif result["above_chance"]:
        lines.append(
            f"{result['n_correct']} of {result['n_trials']} trials were decoded as asked for. "
            f"{_guessing(result)} stays below {percent(result['chance_upper'])} in 95 of 100 sessions of this length: "
            "the decoder did better than chance."
        )
    else:
        lines.append(
            f"{result['n_correct']} of {result['n_trials']} trials were decoded as asked for. That is within what "
            f"guessing gives (up to {percent(result['chance_upper'])} in 95 of 100 sessions of this length): do not "
            "rely on this decoder. More calibration trials, better contact or another pair of classes may help."
        )
    if result.get("n_undecided"):
        lines.append(f"{result['n_undecided']} trials ended without a decision; they count as wrong.")
    if result.get("n_not_judged"):
        lines.append(
            f"{result['n_not_judged']} trials were skipped, or the therapist or the plan of the arm decided them; they "
            "count neither for nor against the decoder."
        )
    if not result.get("complete", True):
        lines.append(f"The session did not run to its end: {result['ended']}.")
    return lines


def _parts(result: Mapping[str, Any], recording: Recording | None, events: Sequence[Event]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any] | None] = [_findings(result, recording)]
    trials = result.get("trials", [])
    rows = [trial for trial in trials if trial.get("class") in result.get("classes", ())]
    decoded = [row for row in rows if judged(row)]
    if decoded:
        pictures = [
            _picture(
                plots.accuracy_plot(decoded, result["chance_level"], result.get("chance_upper")),
                "Accuracy over the trials against chance",
            ),
        ]
        if len(result["classes"]) <= MOST_CLASSES:
            matrix = plots.confusion_plot(result["confusion"], result["classes"])
            pictures.append(_picture(matrix, "Confusion matrix"))
        parts.append(_part("Decoding", pictures=pictures))
    parts.append(_calibration(result.get("calibration")))
    if recording is not None and result.get("kind") in OF_MOVEMENT:
        parts.append(_desynchronisation(result, recording, events))
    parts.append(_outputs(result))
    parts.append(_gate(result))
    parts.append(_early_warning(result))
    parts += [_health(result), _shown(result)]
    if rows:
        parts.append(_trial_table(rows))
    return [part for part in parts if part is not None]


def _findings(result: Mapping[str, Any], recording: Recording | None) -> dict[str, Any] | None:
    """Return what the paradigm found out, in its own words."""
    found = result.get("details") or {}
    rows = details.rows(found)
    if not rows:
        return None
    # A session that was ended before its first sample has a recording without any.
    begin = (
        int(recording.samples[0]) / recording.info.sfreq if recording is not None and recording.samples.size else 0.0
    )
    drawn = [_picture(url, alt) for url, alt in details.pictures(found, begin)]
    part = _part("Results of the paradigm", pictures=drawn, note=str(found.get("note", "")))
    part["tables"].append({"head": (), "rows": rows})
    alarms = details.alarm_table(found, begin)
    if alarms:
        part["tables"].append({"head": ("after", "level", "KSS (estimate)", "warning", "why"), "rows": alarms})
    return part


def _outputs(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what stood behind the gate and what it did."""
    rows: list[tuple[str, str]] = []
    for output in result.get("outputs", ()):
        rows.append(("output", str(output["address"])))
        if output.get("reach"):
            rows.append(("who else can listen", str(output["reach"])))
        driver = (output.get("guard") or {}).get("driver", {})
        if "commands" in output and "trips" not in output:
            rows.append(("commands received", str(output["commands"])))
        if "trips" in output:
            rows.append(("commands handed to the guard", str(output["commands"])))
            rows.append(("the guard went safe by itself", "; ".join(output["trips"]) or "never"))
        if "current_ma" in driver:
            # A stranger's driver need not tell them.
            rows.append(("trains of pulses", str(driver.get("trains", "-"))))
            rows.append(("dose: stimulated in all", f"{driver['on_s']:.1f} s" if "on_s" in driver else "-"))
            rows.append(("highest current seen", f"{output['highest_output']:.1f} mA"))
    return _part("Outputs", rows=rows) if rows else None


def _calibration(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not values:
        return None
    rows = []
    for key, value in values.items():
        label, write = details.CALIBRATION_LABELS.get(key, (key.replace("_", " "), _short))
        rows.append((label, "-" if value is None else write(value)))
    return _part("Calibration", rows=rows, note="Scores are cross-validated: no trial was used to judge itself.")


def _desynchronisation(
    result: Mapping[str, Any], recording: Recording, events: Sequence[Event]
) -> dict[str, Any] | None:
    classes = result.get("classes", ())
    cues: dict[str, list[int]] = {}
    for event in events:
        label = event.name.removeprefix("cue/")
        if event.name.startswith("cue/") and label in classes and event.sample is not None:
            cues.setdefault(label, []).append(event.sample)
    eeg = recording.info.indices(ch_type="eeg")
    names = [name for name in CUE_CHANNELS if _has(recording, name)]
    if not cues or not names or recording.info.sfreq < 70:
        return None
    pictures = []
    try:
        for band, edges in BANDS.items():
            times, curves = erd_curves(recording, cues, channels=names, band=edges, tmin=-2.0, tmax=5.0)
            if curves:
                pictures.append(_picture(plots.erd_plot(times, curves, names, band), f"Change of {band} power"))
        all_names = [recording.info.ch_names[index] for index in eeg]
        times, curves = erd_curves(recording, cues, channels=all_names, band=BANDS["mu (8-13 Hz)"], tmin=-2.0, tmax=5.0)
        shown = (times >= 0.5) & (times <= 3.0)
        means = {label: values[:, shown].mean(axis=1) for label, values in curves.items()}
        head = plots.erd_map(means, recording.info.positions_array()[eeg], all_names)
        if head is not None:
            pictures.append(_picture(head, "Head maps of the change of mu power, 0.5 to 3 s after the cue"))
    except (BciError, ValueError) as error:
        return _part("Desynchronisation (ERD)", lines=[f"Cannot be drawn: {error}"])
    note = "Percent change against the time before the cue; blue and below zero is desynchronisation."
    return _part("Desynchronisation (ERD)", pictures=pictures, note=note) if pictures else None


def _has(recording: Recording, name: str) -> bool:
    return name.lower() in {channel.lower() for channel in recording.info.ch_names}


def _gate(result: Mapping[str, Any]) -> dict[str, Any] | None:
    gate = result.get("gate", {})
    if not gate.get("n"):
        return None
    lines = [f"{gate['allowed']} decisions were let through, {gate['refused']} were refused."]
    pictures = [_picture(plots.bars(gate["reasons"]), "Refusals by rule")] if gate["reasons"] else []
    note = "A decision can be refused by several rules at once."
    rules = [(rule, _rule(rule), count) for rule, count in gate["reasons"].items()]
    alarms = [(a["rule"], a["level"].lower(), a["what"], a["do"]) for a in result["alarms"][:20]]
    part = _part("Safety gate", lines=lines, pictures=pictures, note=note)
    if rules:
        part["tables"].append({"head": ("rule", "why nothing moved", "times"), "rows": rules})
    if alarms:
        part["tables"].append({"head": ("alarm", "level", "what", "what to do"), "rows": alarms})
    return part


def _early_warning(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a later session is compared with: time in each state, alarms by rule, actions, stops."""
    safety = result.get("safety", {})
    states = safety.get("time_in_state_s", {})
    if not states:
        return None
    per_hour = safety.get("rules_per_hour", {})
    wait, rate = safety.get("mean_time_to_acknowledge_s"), safety.get("activations_per_min")
    rows: list[tuple[str, str]] = [(f"time in {state}", f"{seconds:.0f} s") for state, seconds in states.items()]
    rows.append(("actions let through", str(safety["activations"]) + (f", {rate:.1f} a minute" if rate else "")))
    rows.append(("latched stops", ", ".join(str(stop["rule"]) for stop in safety["stops"]) or "none"))
    if wait is not None:
        rows.append(("mean time until a stop was acknowledged", f"{wait:.0f} s"))
    part = _part("Early warning", rows=rows)
    alarms = [
        (rule, _rule(rule), count, f"{per_hour[rule]:.1f}" if rule in per_hour else "-")
        for rule, count in safety.get("rules", {}).items()
    ]
    if alarms:
        part["tables"].append({"head": ("alarm", "what", "times", "an hour"), "rows": alarms})
    return part


def _rule(name: str) -> str:
    from bcikit.safety.rules import RULES

    return RULES[name].what if name in RULES else ""


def _health(result: Mapping[str, Any]) -> dict[str, Any]:
    latency, age = result.get("latency_ms", {}), result.get("age_ms", {})
    rows: list[tuple[Any, ...]] = [
        ("samples received", result.get("n_samples", 0)),
        ("samples lost", result.get("lost_samples", 0)),
        ("bad samples (all channels)", result.get("n_bad_samples", 0)),
        ("silences", result.get("n_silences", 0)),
        ("trials cut off, which do not count", result.get("interrupted_trials", 0)),
    ]
    if result.get("dropped_cues"):
        rows.append(("cues that came while the protocol stood still, and began no trial", result["dropped_cues"]))
    if result.get("backlog_s"):
        rows.append(("longest time in which nobody was shown anything", f"{result['backlog_s']:.1f} s"))
    idle = result.get("idle_test") or {}
    if idle.get("per_minute") is not None:
        rows.append(("false activations a minute at rest (idle test)", f"{idle['per_minute']:.2f}"))
    rows += [("doubt", doubt) for doubt in (result.get("timing") or {}).get("doubts", [])]
    for name, values in (("newest sample to verdict", latency), ("age of samples at arrival", age)):
        if values.get("n"):
            text = f"{values['p50']:.2f} / {values['p99']:.2f} / {values['max']:.2f} ms"
            rows.append((f"{name}, median / 99 % / max", text))
    return _part("Health of the signal and latency", rows=rows)


def _shown(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how the screens kept the plan; None where there was none."""
    shown = result.get("presentation")
    if not shown:
        return None
    rows: list[tuple[Any, ...]] = [
        ("frames a second", ", ".join(f"{name} {rate:.1f}" for name, rate in shown["refresh_hz"].items())),
        ("cues and stimuli that were shown", shown["flips"]),
        ("cues, stimuli, phases or warnings that were not", shown["not_shown"]),
        ("frames dropped while something was locked to them", shown["dropped_frames"]),
    ]
    if shown["delay_s"] is not None:
        rows.append(
            ("from plan to screen", f"{1e3 * shown['delay_s']:.1f} ms, spread {1e3 * shown['jitter_s']:.1f} ms")
        )
    sounds = shown.get("sounds") or {}
    if sounds.get("heard") or sounds.get("not_heard"):
        rows.append(("sounds heard, not heard", f"{sounds['heard']}, {sounds['not_heard']}"))
    for key, what in (("painted_s", "painted"), ("sounded_s", "sounded")):
        late = [item[key] for item in shown.get("warnings", ()) if item[key] is not None]
        if late:
            rows.append((f"slowest warning, from the change of level until it was {what}", f"{1e3 * max(late):.0f} ms"))
    return _part("What the person was shown", rows=rows)


def decided(row: Mapping[str, Any]) -> str:
    """Return what was decided in a trial, and what an error potential made of it."""
    holds = row.get("predicted") or "none"
    return f"{row['undone']}, taken back: {holds}" if row.get("undone") else holds


def _trial_table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    table = [
        (
            row.get("trial", number) + 1 if isinstance(row.get("trial"), int) else number + 1,
            row["class"],
            decided(row),
            "yes" if row.get("correct") else "no",
            f"{row.get('confidence', 0):.2f}",
            "let through" if row.get("allowed") else ", ".join(row.get("reasons", ())) or "refused",
        )
        for number, row in enumerate(rows)
    ]
    part = _part("Every trial")
    part["tables"].append({"head": ("trial", "asked for", "decided", "right", "probability", "gate"), "rows": table})
    return part


def _part(
    title: str,
    *,
    lines: Sequence[str] = (),
    pictures: Sequence[Mapping[str, str]] = (),
    rows: Sequence[tuple[Any, ...]] = (),
    note: str = "",
) -> dict[str, Any]:
    tables = [{"head": (), "rows": rows}] if rows else []
    return {"title": title, "lines": lines, "pictures": pictures, "tables": tables, "note": note}


def _picture(url: str, alt: str) -> dict[str, str]:
    return {"url": url, "alt": alt}


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_short(item)}" for key, item in list(value.items())[:12])
    if isinstance(value, list | tuple):
        shown = ", ".join(_short(item) for item in value[:12])
        return shown + (f", ... ({len(value)})" if len(value) > 12 else "")
    return str(value)


def _made_with(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    made = [("versions", ", ".join(f"{name} {value}" for name, value in result.get("versions", {}).items()))]
    for key, name in (("decoder", "decoder"), ("model_fingerprint", "data fingerprint of the model"), ("seed", "seed")):
        if result.get(key) is not None:
            made.append((name, str(result[key])))
    made.append(("decisions, SHA-256", str(result.get("decisions_sha256", ""))))
    head = result.get("safety", {}).get("audit_head")
    if head:
        made.append(("newest record of the audit log, SHA-256", str(head)))
    return made


def _without_none(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _without_none(value) for key, value in values.items() if value is not None}
    if isinstance(values, list | tuple):
        return [_without_none(value) for value in values if value is not None]
    return values
