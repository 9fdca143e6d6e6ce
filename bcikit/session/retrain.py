"""A model of recordings that are there already: calibrations of this session, or of earlier ones together."""

from collections.abc import Sequence
from typing import Any

from bcikit.decoding import Model
from bcikit.decoding.trials import Epochs
from bcikit.paradigms import Paradigm
from bcikit.processing import Pipeline
from bcikit.session.config import SessionConfig
from bcikit.session.from_config import columns_of, paradigm_of, window_of
from bcikit.session.training import Progress, apply_pipeline, fit_model, load_runs, no_progress
from bcikit.signal import Recording


def model_from_files(config: SessionConfig, progress: Progress = no_progress) -> tuple[Model, Epochs]:
    """Train the decoder of a session on its `calibration.files`, each of which is one run.

    Returns
    -------
    Model, Epochs
        Attached to the stream of the first recording; and what it learned from.

    Raises
    ------
    DataError
        If a recording holds no cue, or there are too few trials or only one class.
    """
    return model_from_runs(config, load_runs(config, progress), progress=progress)


def model_from_runs(
    config: SessionConfig,
    runs: Sequence[Recording],
    *,
    paradigm: Paradigm | None = None,
    decoder: Any = None,
    pipeline: Pipeline | None = None,
    progress: Progress = no_progress,
) -> tuple[Model, Epochs]:
    """Train the decoder of a session on runs that are read already; see `model_from_files`.

    Parameters
    ----------
    config : SessionConfig
        Of the session.
    runs : sequence of Recording
        As they were recorded, from `load_runs`.
    paradigm, decoder, pipeline : object, optional
        What a program gave in place of what the configuration names; the decoder unfitted.
    """
    first = runs[0].info
    pipeline = Pipeline.from_config(config.pipeline.steps) if pipeline is None else pipeline
    return fit_model(
        config,
        apply_pipeline(runs, first.pick(columns_of(config, first)), pipeline, progress),
        cues=config.calibration.events,
        window=window_of(config, paradigm or paradigm_of(config)),
        pipeline=pipeline,
        decoder=decoder,
        progress=progress,
    )
