"""How a session comes by its decoder: a model file, recordings of earlier runs, or its own calibration block."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.decoding import Epochs, Model, epochs, make_decoder
from bcikit.decoding.auto import CANDIDATES
from bcikit.decoding.registry import DECODERS
from bcikit.paradigms import Decider, make_paradigm
from bcikit.processing import Pipeline, WindowBuffer
from bcikit.safety.watch import BODY
from bcikit.session.config import SessionConfig
from bcikit.session.following import rest_stops
from bcikit.signal import ArgumentError, DataError, Recording, StreamInfo, label_of

Trainer = Callable[[Recording], Decider]
"""Makes a decider of the calibration block: filtered signal with the events of the paradigm."""

Progress = Callable[[str, int, int], None]
"""Called with what is going on, steps done and steps in all."""


def no_progress(what: str, done: int, total: int) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class CueWindow:
    """Window of a decision after the cue, in seconds."""

    tmin: float
    tmax: float


def load_runs(config: SessionConfig, progress: Progress = no_progress) -> list[Recording]:
    """Return the calibration recordings with the events that start a class named as the paradigm names its cues.

    A session folder is a recording, too, also one that was cut off: what it holds whole counts.

    Raises
    ------
    DataError
        If a recording holds none of the events.
    """
    from bcikit.acquisition import read_recording
    from bcikit.recording import read_session

    runs = []
    files = config.calibration.files
    for number, name in enumerate(files):
        progress("Reading recordings", number, len(files))
        recording = read_session(name).recording if Path(name).is_dir() else read_recording(name)
        if not any(label_of(event, config.calibration.events) for event in recording.events):
            found = ", ".join(sorted({event.name for event in recording.events})) or "none at all"
            wanted = ", ".join(config.calibration.events)
            raise DataError(f"{name} has none of the events {wanted} (calibration.events); it has {found}.")
        runs.append(recording)
    progress("Reading recordings", len(files), len(files))
    return runs


def least_trials(config: SessionConfig, sfreq: float, decoder: Any = None) -> int:
    """Return how many trials of each class the decoder of a session needs, 0 for none.

    Raises
    ------
    ArgumentError
        If there is no such decoder, or a parameter of it is unknown or missing.
    """
    return int(getattr(unfitted(config, sfreq, decoder), "min_trials", 5))


def unfitted(config: SessionConfig, sfreq: float, decoder: Any) -> Any:
    """Return the decoder that a session trains: the one that is given, or the one that its configuration names."""
    if decoder is not None:
        return decoder
    name, parameters = config.decoder.trained
    if name == "auto" and not {"task", "candidates"} & parameters.keys():
        parameters = {**parameters, "task": _task_of(config)}
    return make_decoder(name, sfreq=sfreq, **parameters)


def _task_of(config: SessionConfig) -> str:
    """Return whose decoders "auto" compares in a session: those of the paradigm's own decoder.

    Raises
    ------
    ArgumentError
        If there are none to compare.
    """
    paradigm = make_paradigm(config.paradigm.name)
    proposed = str(paradigm.defaults.get("decoder", "csp-lda"))
    found = "ssvep" if paradigm.kind == "ssvep-menu" else DECODERS[proposed].paradigm if proposed in DECODERS else ""
    if found in CANDIDATES:
        return found
    allowed = ", ".join(CANDIDATES)
    raise ArgumentError(
        f"decoder.name is 'auto', and {config.paradigm.name} does not say whose decoders are to be compared; set "
        f"decoder.parameters.task: {allowed}."
    )


def _types_of(decoder: Any) -> tuple[str, ...]:
    return getattr(decoder, "types", ("eeg",))


def fit_model(
    config: SessionConfig,
    filtered: Recording | Sequence[Recording],
    *,
    cues: Mapping[str, str],
    window: CueWindow,
    pipeline: Pipeline,
    decoder: Any = None,
    progress: Progress = no_progress,
) -> tuple[Model, Epochs]:
    """Train the decoder of a session.

    Parameters
    ----------
    config : SessionConfig
        Names the decoder and its parameters.
    filtered : Recording or sequence of Recording
        What the pipeline made of the calibration; each is one run.
    cues : mapping of str to str
        Name of an event to its class.
    window : CueWindow
        Seconds after the cue.
    pipeline : Pipeline
        Kept in the model's sheet.
    decoder : object, optional
        Unfitted, in place of the one that the configuration names.

    Returns
    -------
    Model, Epochs
        Attached to the stream of the first recording; and what it learned from.

    Raises
    ------
    DataError
        If there are too few trials or only one class.
    """
    runs = [filtered] if isinstance(filtered, Recording) else list(filtered)
    decoder = unfitted(config, runs[0].info.sfreq, decoder)
    trials = epochs(runs, events=cues, tmin=window.tmin, tmax=window.tmax, types=_types_of(decoder))
    rest = rest_epochs(runs, trials) if config.decoder.recentre == "rest" else None
    model = Model.fit(
        decoder,
        trials,
        reject=config.decoder.reject,
        filters=pipeline.to_config(),
        intended_use=f"session {config.session.name}, paradigm {config.paradigm.name}",
        seed=config.session.seed,
        rest=rest,
        progress=lambda done, total: progress("Training the decoder", done, total),
    )
    return model.attach(runs[0].info), trials


def rest_epochs(runs: Sequence[Recording], like: Epochs) -> NDArray[np.float64]:
    """Return the windows of rest in some runs, in the channels and the length of their epochs.

    Returns
    -------
    ndarray, shape (n, n_channels, n_times)
        Without those that hold untrue samples; empty where the runs have no phase of rest.
    """
    found = []
    for run in runs:
        columns = run.info.index_of(like.ch_names, who="rest")
        buffer = WindowBuffer(run.info.n_channels, run.info.sfreq, run.n_times / run.info.sfreq + 1.0)
        for chunk in run.chunks(4096):
            buffer.append(chunk)
        for event in run.events:
            for stop in rest_stops(event, n_times=like.n_times, sfreq=like.sfreq):
                try:
                    window = buffer.get(stop, like.n_times)
                except ArgumentError:
                    continue
                if not window.n_lost and not window.bad[columns].any() and np.isfinite(window.data).all():
                    found.append(window.data[columns].copy())
    return np.array(found) if found else np.empty((0, len(like.ch_names), like.n_times))


def apply_pipeline(
    runs: Sequence[Recording], info: StreamInfo, pipeline: Pipeline, progress: Progress = no_progress
) -> list[Recording]:
    """Return the runs as the pipeline makes them live: same channels, same code, state from the start of each run.

    Raises
    ------
    DataError
        If a run has another rate than the stream.
    """
    done = []
    for number, run in enumerate(runs):
        progress("Filtering", number, len(runs))
        if run.info.sfreq != info.sfreq:
            raise DataError(
                f"{run.info.name} has {run.info.sfreq:g} Hz, the stream has {info.sfreq:g} Hz. A decoder must be "
                "trained at the rate at which it runs: resample one of them, or record again."
            )
        picked = run.pick(run.info.index_of(info.ch_names, who="calibration with this stream"))
        done.append(pipeline.apply(picked))
        pipeline.reset()
    progress("Filtering", len(runs), len(runs))
    return done


def calibration_summary(model: Model, trials: Epochs | None) -> dict[str, Any]:
    """Return what the report says of the calibration."""
    sheet = model.sheet
    summary: dict[str, Any] = {"decoder": sheet.decoder, "channels": len(sheet.ch_names)}
    if sheet.why:
        summary["why"] = sheet.why
    if sheet.n_trials:
        summary["trials"] = dict(sheet.n_trials)
    if sheet.scores:
        summary |= {key: value for key, value in sheet.scores.items() if isinstance(value, float | int | str)}
    if trials is not None and trials.dropped:
        summary["trials left out"] = len(trials.dropped)
    return summary


def required_channels(
    model: Model | None, info: StreamInfo, *, config: SessionConfig, decoder: Any = None, trains: bool = True
) -> tuple[str, ...]:
    """Return the channels that must be good for a decision to count.

    Without a model yet: those of muscles and eyes that the decoder will learn by; none of the EEG is named: all count.

    Parameters
    ----------
    model : Model or None
        What decides, where that is known.
    info : StreamInfo
        The stream with the channels that are used.
    config : SessionConfig
        Names the decoder that is trained.
    decoder : object, optional
        Unfitted, in place of the one that the configuration names.
    trains : bool
        Whether anything is trained.
    """
    if model is not None:
        return model.sheet.ch_names
    other = [kind for kind in BODY if info.indices(ch_type=kind)]
    if not trains or not other:
        return ()
    types = _types_of(unfitted(config, info.sfreq, decoder))
    return tuple(
        name for name, kind in zip(info.ch_names, info.ch_types, strict=True) if kind in other and kind in types
    )
