"""Whether the table "decoder" fits what it is used with: told before anything starts, with the way out."""

from collections.abc import Mapping, Sequence
from typing import Any

from bcikit.decoding import Model
from bcikit.decoding.adaptation import could_update
from bcikit.paradigms import Paradigm
from bcikit.processing import Pipeline
from bcikit.safety import GateSettings
from bcikit.session.config import SessionConfig
from bcikit.session.decoder_settings import DecoderSection
from bcikit.session.models import as_written
from bcikit.session.rehearsal import Rehearsal
from bcikit.signal import BciError, StreamInfo

LEFT = 0.25
"""Share of a rhythm's power below which its filters are said to take it away."""


def check_model(model: Model, paradigm: Paradigm, pipeline: Pipeline, config: SessionConfig, *, name: str) -> list[str]:
    """Return what of a model that is there should be known.

    Parameters
    ----------
    name : str
        What it is called: its path.

    Raises
    ------
    BciError
        If it decides other classes than the paradigm has, or was trained behind other filters than the session has.
    """
    idle = config.gate.get("idle_label")
    for words, odd in (
        ("the paradigm also asks for", set(paradigm.classes) - set(model.classes)),
        ("the paradigm knows nothing of", set(model.classes) - {*paradigm.classes, idle}),
    ):
        if odd:
            raise BciError(
                f"The model {name} decides between {', '.join(model.classes)}; {words} {', '.join(sorted(odd))}. Take "
                "a model of these classes, or calibrate."
            )
    if not model.sheet.filters:
        return [f"the model {name} does not say behind which filters it was trained; it must be these"]
    trained = as_written(model.sheet.filters)
    if trained != pipeline.to_config():
        here = _steps(pipeline.to_config())
        raise BciError(
            f"The model {name} was trained behind {_steps(trained)}; pipeline.steps has {here}. "
            "What it would see is nothing that it knows: take its steps, or calibrate."
        )
    return []


def _steps(steps: Sequence[Any]) -> str:
    """Return steps as a session file has them, without what is empty."""
    shown = []
    for step in steps:
        said = ", ".join(
            f"{key} {value}" for key, value in step.items() if key != "step" and value not in (None, [], ())
        )
        shown.append(f"{step['step']} ({said})" if said else str(step["step"]))
    return "; ".join(shown) or "no filters"


def check_idle(config: SessionConfig, paradigm: Paradigm, model: Model | None) -> None:
    """Refuse a class of wanting nothing that is not the one that is meant: that would be an action.

    Raises
    ------
    BciError
        With the classes there are.
    """
    idle = config.gate.get("idle_label")
    if idle is None:
        assumed = GateSettings.model_fields["idle_label"].default
        if paradigm.idle not in (None, assumed):
            raise BciError(
                f"idle_label is left out, which means {assumed!r}; the gate would take {paradigm.idle!r}, the class of "
                f"wanting nothing, for an action. Say gate.idle_label = {paradigm.idle!r}."
            )
        return
    classes = dict.fromkeys((*paradigm.classes, *(() if model is None else model.classes)))
    if classes and idle not in classes:
        known = f"which of {', '.join(classes)} it is, or leave it out"
        meant = f"gate.idle_label = {paradigm.idle!r}" if paradigm.idle else known
        raise BciError(
            f"idle_label is {idle!r}, which nothing decides for; the gate would take the class of wanting nothing for "
            f"an action. Say {meant}."
        )


def check_followed(section: DecoderSection, decoder: Any) -> None:
    """Refuse to follow by a decoder that cannot, before a calibration block was gone through for it.

    Raises
    ------
    BciError
        With the decoders that can.
    """
    others = [kind.upper() for kind in getattr(decoder, "types", ("eeg",)) if kind != "eeg"]
    if section.recentre and others:
        raise BciError(f"recentre: that would mix EEG with {', '.join(others)}, by which this decoder decides, too.")
    if section.adapt and not could_update(decoder):
        raise BciError(
            f"adapt: {section.trained[0]} cannot learn window by window; allowed: csp-lda, tangent-lr, mdm, acm-svm "
            'with classifier "lr" or "lda". Leave out adapt, or take one of them.'
        )


def check_targets(section: DecoderSection, paradigm: Paradigm) -> None:
    """Refuse a table of targets in the decoder's parameters that are not those of the paradigm.

    Raises
    ------
    BciError
        With the targets of both.
    """
    for key in ("lags", "frequencies"):
        known = section.parameters.get(key)
        if not isinstance(known, Mapping):
            continue
        classes = set(paradigm.classes)
        if not set(known) <= classes or len(classes - set(known)) > 1:
            raise BciError(
                f"parameters: {key} are of {', '.join(map(str, known))}; the paradigm {paradigm.name} has "
                f"{', '.join(paradigm.classes)}. Give those of its targets in decoder.parameters."
            )
    for key, shown in paradigm.shown_values().items():
        known = section.parameters.get(key)
        if known is not None and not _alike(known, shown):
            many = isinstance(shown, Mapping)
            right = ", ".join(f"{name} = {at:.6g}" for name, at in shown.items()) if many else f"{shown:.6g}"
            raise BciError(
                f"parameters: {key} is not that of {paradigm.name}{', whose targets have' if many else ':'} {right}. "
                f"Give that as {key} in decoder.parameters."
            )


def check_types(decoder: Any, info: StreamInfo) -> None:
    """Refuse a decoder that decides by channels of the body, too, where none is used.

    Raises
    ------
    BciError
        With the way out.
    """
    body = [kind for kind in getattr(decoder, "types", ("eeg",)) if kind != "eeg"]
    if body and not set(body) & set(info.ch_types):
        raise BciError(
            f"it decides by {' or '.join(kind.upper() for kind in body)}, too, and no such channel is used; record "
            f'one and use it (source.types = ["eeg", "{body[0]}"]), or take another decoder.'
        )


def check_targeted(decoder: Any, found: Rehearsal) -> None:
    """Refuse a decoder that knows targets alone for a calibration that has trials of no target, too.

    Raises
    ------
    BciError
        With the way out.
    """
    known = getattr(decoder, "frequencies", None)
    if not getattr(decoder, "only_targets", False) or not isinstance(known, Mapping):
        return
    odd = [name for name, count in (found.trained_on or {}).items() if count and name not in known]
    if odd:
        raise BciError(
            f"it decides between targets alone, and the calibration has trials of {', '.join(odd)}, which has no "
            "frequency; take fbcca-lda, fb-tangent or ssvep-stack, or idle_share = 0 in paradigm.settings."
        )


def _alike(known: Any, shown: float | Mapping[str, float]) -> bool:
    """Return whether values of targets are those that are shown, as far as people round them."""
    if isinstance(shown, Mapping):
        # As a list they stand in the order of the classes, which is checked by nobody's name.
        if not isinstance(known, Mapping):
            return True
        return all(value is None or name not in shown or _alike(value, shown[name]) for name, value in known.items())
    return isinstance(known, int | float) and abs(known - shown) <= 2e-3 * max(1.0, abs(shown))


def check_owner(section: DecoderSection, paradigm: Paradigm) -> None:
    """Refuse what a table says of a decoder to a paradigm that brings what decides: it would change nothing.

    Raises
    ------
    BciError
        With the keys, and the way out.
    """
    idle = _idle_keys(section, paradigm)
    if idle:
        raise BciError(
            f"{paradigm.name} brings what decides; {idle} for a trained model (for an SSVEP menu: paradigm settings "
            'decoder = "" and calibration_rounds). Leave out what changes nothing.'
        )


def _idle_keys(section: DecoderSection, paradigm: Paradigm) -> str:
    """Return the stated keys that a paradigm without a trained model has no use for, as the begin of a sentence."""
    if section.follows or section.start != "calibrate":
        return "start, recentre and adapt are"
    proposed, default = paradigm.defaults, DecoderSection()
    own = {default.name, proposed.get("decoder"), getattr(paradigm.settings, "decoder", None)}
    said = {
        "name": section.name not in own,
        "encoder": section.encoder,
        "model": section.model,
        "parameters": section.parameters not in ({}, proposed.get("decoder_parameters")),
        "reject": section.reject,
        "tmin": "tmin" in section.model_fields_set and section.tmin != default.tmin,
        "tmax": "tmax" in section.model_fields_set and section.tmax != default.tmax,
    }
    keys = [key for key, stated in said.items() if stated]
    return f"{', '.join(keys)} {'is' if len(keys) == 1 else 'are'}" if keys else ""


def check_begun(section: DecoderSection, model: Model, paradigm: Paradigm, *, name: str) -> None:
    """Refuse a decoder named beside a model that is another one: it would not be what decides.

    Parameters
    ----------
    name : str
        What the model is called: its path.

    Raises
    ------
    BciError
        With both.
    """
    wanted, there = section.trained[0], model.sheet.decoder
    if wanted not in (DecoderSection().name, paradigm.defaults.get("decoder"), "auto", there):
        key = "encoder" if section.encoder else "name"
        raise BciError(
            f"{key}: {section.encoder or wanted} would not be what decides: the model {name} is {there}. "
            f"Leave out {key}, or calibrate."
        )


def check_used(config: SessionConfig, paradigm: Paradigm, found: Rehearsal, *, trains: bool) -> list[str]:
    """Return which keys would change nothing in this session, or let nothing come of it.

    Parameters
    ----------
    config : SessionConfig
        Of the session.
    paradigm : Paradigm
        Of the session.
    found : Rehearsal
        What it will ask for.
    trains : bool
        Whether the session trains its model itself.
    """
    section = config.decoder
    stated, problems = section.model_fields_set, []
    if found.complete and not found.most_within and paradigm.calibration is None:
        idle = _idle_keys(section, paradigm)
        return [f"{idle} for what is decided, and in {paradigm.name} nothing is; leave it out."] if idle else []
    if section.recentre == "rest" and not (found.rests_before if trains else found.rests):
        where = "calibration" if trains else "session"
        problems.append(
            f"recentre: no phase of rest of the {where} is as long as a window, {found.window_s:g} s; lengthen it in "
            'paradigm.settings, or take recentre = "windows".'
        )
    for key, on in (("adapt", section.adapt), ("recentre", section.recentre == "windows")):
        if on and found.complete and not found.labelled:
            problems.append(f"{key}: no event of the session says what was asked for; there is nothing to learn from.")
    if "adapt_rate" in stated and section.adapt_rate != 0.05 and not section.follows:
        problems.append("adapt_rate: is for recentre and adapt; say one of them, or leave it out.")
    if not section.correct:
        default = DecoderSection()
        problems += [
            f'{key}: is for correct = "errp"; say so, or leave it out.'
            for key in ("error_threshold", "error_mode")
            if getattr(section, key) != getattr(default, key)
        ]
    return problems + ([] if section.stop is None else _check_stop(config, found))


def check_past_gate(section: DecoderSection, gate: GateSettings) -> list[str]:
    """Return which keys would let something act that the gate did not let through, or not as it is then."""
    problems = []
    if gate.real and section.correct and section.error_mode == "correct":
        problems.append(
            f"error_mode: the second best would act without passing the gate, which {gate.profile} does not allow; "
            'take error_mode = "veto".'
        )
    if gate.idle_max_per_min is not None and section.adapt:
        problems.append(
            f"adapt: the model would go on learning after its idle test, and the profile {gate.profile} allows to act "
            "by what was tested; leave out adapt (recentre may stay)."
        )
    return problems


def _check_stop(config: SessionConfig, found: Rehearsal) -> list[str]:
    stop, problems = config.decoder.stop, []
    assert stop is not None
    if found.complete and 0 < found.evidence_s < stop.min_seconds:
        problems.append(
            f"stop: min_seconds is {stop.min_seconds:g}, and the paradigm looks for {found.evidence_s:.3g} s at most: "
            "nothing would ever be decided."
        )
    if stop.error_cost != 1.0 and not stop.time_cost:
        problems.append("stop: error_cost is weighed against time_cost, which is 0; say both, or leave it out.")
    return problems


def notes_on_electrodes(paradigm: Paradigm, info: StreamInfo) -> list[str]:
    """Return which electrodes a paradigm is made for that are not among the channels that are used."""
    # "C3-M1" is C3, too; a channel without a known place may be anywhere.
    there = {name.partition("-")[0].strip().casefold() for name in info.ch_names}
    missing = [name for name in paradigm.needs if name.casefold() not in there]
    if not missing:
        return []
    return [
        f"{paradigm.name} is made for {', '.join(paradigm.needs)}; no channel that is used is called "
        f"{', '.join(missing)} (source.channels): without an electrode there, or next to it, its decisions are guesses"
    ]


def notes_on_rhythms(paradigm: Paradigm, pipeline: Pipeline, info: StreamInfo) -> list[str]:
    """Return which rhythms that a paradigm looks for are filtered away before they come to it.

    Parameters
    ----------
    info : StreamInfo
        Before the pipeline.
    """
    if not paradigm.rhythms:
        return []
    import numpy as np

    from bcikit.processing.describe import filter_response

    freqs, response = filter_response(pipeline, info)
    notes = []
    for key, (low, high) in paradigm.rhythms.items() if len(freqs) else ():
        at = np.linspace(low, high, 50)
        left = float(np.mean(np.interp(at, freqs, np.abs(response) ** 2)))
        if left < LEFT:
            what = f"{low:g} Hz" if low == high else f"{low:g} to {high:g} Hz"
            notes.append(
                f"paradigm.settings.{key}: the filters (pipeline.steps) leave {left:.1%} of the power at {what}: "
                "widen them, or what is measured there is mostly something else"
            )
    return notes


def notes_on_stop(config: SessionConfig, gate: GateSettings | None, *, n_classes: int) -> list[str]:
    """Return what of a rule of stopping the gate will undo."""
    stop = config.decoder.stop
    if stop is None or gate is None or stop.confidence >= gate.confidence_for(n_classes):
        return []
    return [
        f"decoder.stop.confidence is {stop.confidence:g}: what is decided below the gate's "
        f"{gate.confidence_for(n_classes):g} is refused"
    ]
