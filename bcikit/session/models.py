"""Where a session's model comes from when it is not calibrated: earlier sessions of the person, or other people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bcikit.decoding import Epochs, Model
from bcikit.decoding.adaptation import AdaptiveModel
from bcikit.decoding.population import population_folder
from bcikit.decoding.sheet import ModelSheet
from bcikit.decoding.store import read_sheet
from bcikit.paradigms import Decider, Paradigm
from bcikit.processing import Pipeline
from bcikit.recording import Catalogue
from bcikit.recording.header import read_header
from bcikit.recording.layout import HEADER
from bcikit.session.config import ANONYMOUS, SessionConfig
from bcikit.session.decoder_settings import DecoderSection, is_path
from bcikit.session.side_path import SidePath
from bcikit.signal import ArgumentError, BciError, ModelError, RecordingError, StreamInfo

MODEL = "model.skops"
"""What a session began to decide with, in its folder."""

AFTER = "model-after.skops"
"""What it had become at the end, where it followed the person."""

ERROR_MODEL = "error-model.skops"
"""The decoder of error potentials that it used."""

ERROR = "error"
"""The class of an error potential."""


def starting_model(config: SessionConfig, paradigm: Paradigm, info: StreamInfo) -> tuple[Model, Path] | None:
    """Return the model a session begins with, attached, and where it was; None where it is calibrated or needs none.

    A `DecoderSection.reject` that the session states, 0 too, takes the place of the model's.

    Raises
    ------
    BciError
        If there is no such model, or it does not fit the stream, with what to do.
    """
    section = config.decoder
    if paradigm.decider() is not None:
        return None
    if section.model:
        path = Path(section.model)
    elif section.start == "calibrate":
        return None
    else:
        path = find_model(config, paradigm, info)
    model = Model.load(path).attach(info)
    if "reject" in section.model_fields_set:
        model.sheet = model.sheet.replace(reject=section.reject)
    return model, path


def find_model(config: SessionConfig, paradigm: Paradigm, info: StreamInfo) -> Path:
    """Return the newest model of this person, or the newest of other people that fits, for the classes of a paradigm.

    Raises
    ------
    BciError
        If there is none.
    """
    section = config.decoder
    wanted = set(paradigm.classes)
    if section.start == "population":
        found = [(path, sheet) for path, sheet in _populations(section) if set(sheet.classes) == wanted]
        filters = as_written(config.pipeline.steps)
        fitting = [path for path, sheet in found if not sheet.withdrawn and _fits(sheet, info, filters)]
        if found:
            # Where none fits, it is told of the newest why not.
            return fitting[-1] if fitting else found[-1][0]
        raise BciError(
            f'start = "population": there is no model of other people for {", ".join(paradigm.classes)} in '
            f"{section.models or population_folder()}. Make one with: bcikit train --across FOLDER --paradigm ..."
        )
    subject = config.session.subject
    own = [path for path, sheet in _own(section, subject) if set(sheet.classes) == wanted]
    if own:
        return own[-1]
    raise BciError(
        f'start = "last": there is no earlier model of {subject} for {", ".join(paradigm.classes)} in '
        f'{_searched(section)} Run a session with start = "calibrate" first.'
    )


def _searched(section: DecoderSection) -> str:
    """Return where models of a person are looked for, as it ends a sentence."""
    if section.models:
        return f"{section.models}."
    # Only the clinic enters sessions there.
    return (
        "the clinic's catalogue of this user. What `bcikit run` records is found with decoder.models = "
        '"FOLDER", the folder that its session folders are in.'
    )


def notes_on_nobody(config: SessionConfig) -> list[str]:
    """Return that models of a person are looked for by a code that everybody has, where it is so."""
    section = config.decoder
    sought = ['start = "last"'] if section.start == "last" and not section.model else []
    sought += ['correct = "errp"'] if section.correct and not section.error_model else []
    if not sought or config.session.subject != ANONYMOUS or (section.models and Path(section.models).is_file()):
        return []
    return [
        f"session.subject is left out: {' and '.join(sought)} takes the newest model of any session without a code, "
        "also of another person or of a simulated user. Name the person in the session that trains "
        "(bcikit run --subject CODE) and in this one."
    ]


def _fits(sheet: ModelSheet, info: StreamInfo, filters: Sequence[Any]) -> bool:
    """Return whether a model of other people can decide the windows of a stream that went through some filters."""
    try:
        sheet.columns(info)
    except ModelError:
        return False
    return as_written(sheet.filters) == filters


def without_calibration(section: DecoderSection, model: Model, trials: Epochs) -> dict[str, Any]:
    """Return what a model of other people would have made of the trials of a calibration; empty where there is none.

    The newest model counts that knows such windows: classes, filters, rate, length and channels, and that can be used:
    one whose people withdrew, or that cannot be loaded here, is passed over. It is re-centred on the windows before
    each, as a session without calibration does.

    Parameters
    ----------
    section : DecoderSection
        Says where such models are.
    model : Model
        What the calibration gave.
    trials : Epochs
        What it learned from.
    """
    from bcikit.decoding.evaluation.transfer import followed_probabilities
    from bcikit.decoding.population import on_channels

    here = {name.lower() for name in trials.ch_names}
    for path, sheet in reversed(_populations(section)):
        if sheet.withdrawn or not {name.lower() for name in sheet.ch_names} <= here:
            continue
        try:
            if _kind(sheet) != _kind(model.sheet):
                continue
            others = Model.load(path)
            found = followed_probabilities(others, on_channels(trials, sheet.ch_names).X).argmax(axis=1)
        except Exception:  # noqa: BLE001, S112 - a file of anybody; the session must not end for a number of its report
            continue
        right = float(np.mean(np.asarray(others.classes)[found] == trials.y))
        return {"without_calibration": right, "people_without_calibration": len(sheet.people)}
    return {}


def expected_here(section: DecoderSection, sheet: ModelSheet) -> Mapping[str, Any]:
    """Return what a model of other people promises; empty where it promises it to who is re-centred, and nobody is."""
    return {} if sheet.expected.get("followed", True) and not section.recentre else sheet.expected


def notes_on_promise(section: DecoderSection, sheet: ModelSheet) -> list[str]:
    """Return that what a model of other people promises does not hold here, where it is so."""
    if not sheet.people or not sheet.expected or expected_here(section, sheet):
        return []
    return [
        "decoder.recentre is left out: what this model of other people promises is of people who were re-centred, and "
        'is not stated. With recentre = "windows" the session follows its person as they were.'
    ]


def _kind(sheet: ModelSheet) -> tuple[Any, ...]:
    """Return what must be equal for two models to decide the same windows."""
    return sorted(sheet.classes), as_written(sheet.filters), sheet.sfreq, sheet.n_times, sheet.unit


def as_written(steps: Iterable[Any]) -> list[dict[str, Any]]:
    """Return steps as a pipeline writes them, since a file may leave defaults out; one that is not registered stays."""
    found: list[dict[str, Any]] = []
    for step in map(dict, steps):
        try:
            found += Pipeline.from_config([step]).to_config()
        except BciError:
            # A program brought it, or it is not installed here.
            found.append(step)
    return found


def find_error_model(config: SessionConfig, info: StreamInfo, *, sfreq: float) -> Model | None:
    """Return the decoder of error potentials, attached behind its own filters; None where none is asked for.

    Parameters
    ----------
    config : SessionConfig
        Says where it is.
    info : StreamInfo
        The used channels, unfiltered.
    sfreq : float
        Rate of the session's pipeline.

    Raises
    ------
    BciError
        If there is none for this person.
    """
    section = config.decoder
    if not section.correct:
        return None
    if section.error_model:
        path = Path(section.error_model)
    else:
        subject = config.session.subject
        found = [path for path, sheet in _own(section, subject) if ERROR in sheet.classes]
        if not found:
            raise BciError(
                f'correct = "errp": there is no decoder of error potentials of {subject} in '
                f"{_searched(section)} Record one with: bcikit run paradigm:error-potential --source ADDRESS "
                f"--subject {subject}"
            )
        path = found[-1]
    model = Model.load(path)
    model.attach(SidePath(info, model.sheet.filters, sfreq=sfreq).info)
    if ERROR not in model.classes:
        raise BciError(f"{path} decides between {', '.join(model.classes)}; an error decoder needs 'error'.")
    return model


def following(model: Model, section: DecoderSection) -> Decider:
    """Return what decides: the model, or the model that follows the person as the section says.

    Raises
    ------
    BciError
        If this model cannot follow in this way.
    """
    if not section.follows:
        return model
    return AdaptiveModel(
        model, rate=section.adapt_rate, recentre=section.recentre, labelled=section.adapt == "labelled"
    )


def _own(section: DecoderSection, subject: str) -> list[tuple[Path, ModelSheet]]:
    """Return the readable models of a person, the newest last."""
    if is_path(section.models):
        root = Path(section.models)
        if root.is_file():
            return list(_readable([root]))
        return list(_readable(_in_folder(root, subject)))
    return list(_readable(_in_catalogue(section.models, subject)))


def _populations(section: DecoderSection) -> list[tuple[Path, ModelSheet]]:
    root = Path(section.models) if is_path(section.models) else population_folder()
    paths = [root] if root.is_file() else sorted(root.rglob("*.skops"))
    found = [(path, sheet) for path, sheet in _readable(paths) if sheet.people]
    return sorted(found, key=lambda pair: pair[1].created)


def _in_folder(root: Path, subject: str) -> list[Path]:
    """Return the models of the sessions of a person below a folder, in the order in which they were begun."""
    sessions = []
    for header in root.rglob(HEADER):
        try:
            values = read_header(header.parent)
        except RecordingError:
            continue
        about = dict(values.get("config") or {}).get("session") or {}
        if about.get("subject") == subject:
            sessions.append((str(values.get("started", "")), header.parent))
    return [path for _, folder in sorted(sessions) for path in _of_session(folder)]


def _in_catalogue(url: str, subject: str) -> list[Path]:
    try:
        with Catalogue(url or None) as catalogue:
            dated = [(entry.created, Path(entry.path)) for entry in catalogue.models(subject)]
            dated += [
                (entry.started, path) for entry in catalogue.sessions(subject) for path in _of_session(Path(entry.path))
            ]
    except ArgumentError:
        # Nobody of this code was seen yet.
        return []
    return [path for _, path in sorted(dated)]


def _of_session(folder: Path) -> Sequence[Path]:
    """Return what a session leaves to the next one: what its model had become."""
    return [folder / AFTER] if (folder / AFTER).is_file() else [folder / MODEL]


def _readable(paths: Sequence[Path]) -> Iterator[tuple[Path, ModelSheet]]:
    for path in paths:
        try:
            yield path, read_sheet(path)
        except ModelError:
            continue
