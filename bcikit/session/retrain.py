"""A model of recordings that are there already: calibrations of this session, or of earlier ones together."""

from bcikit.decoding import Model
from bcikit.decoding.trials import Epochs
from bcikit.processing import Pipeline
from bcikit.session.config import SessionConfig
from bcikit.session.from_config import columns_of, paradigm_of, window_of
from bcikit.session.training import Progress, apply_pipeline, fit_model, load_runs, no_progress


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
    runs = load_runs(config, progress)
    first = runs[0].info
    info = first.pick(columns_of(config, first))
    pipeline = Pipeline.from_config(config.pipeline.steps)
    filtered = apply_pipeline(runs, info, pipeline, progress)
    return fit_model(
        config,
        filtered,
        cues=config.calibration.events,
        window=window_of(config, paradigm_of(config)),
        pipeline=pipeline,
        progress=progress,
    )
