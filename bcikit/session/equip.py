"""What a session's table "decoder" asks of its paradigm and of its model, the same live and on replay."""

from bcikit.decoding import Model
from bcikit.paradigms import Paradigm
from bcikit.paradigms.support import ErrorCheck
from bcikit.session.config import SessionConfig
from bcikit.session.models import ERROR
from bcikit.signal import BciError


def prepare_paradigm(paradigm: Paradigm, config: SessionConfig) -> None:
    """Tell a paradigm, before it is configured, when evidence is enough and whether there is a model already.

    Raises
    ------
    BciError
        If the paradigm does not know what to do with it.
    """
    section = config.decoder
    if section.stop is not None:
        if not paradigm.takes_stopping:
            raise BciError(f"stop: {paradigm.name} has no choices that windows add up to; leave out decoder.stop.")
        paradigm.stopping = section.stop.stopping()
    if section.correct and not paradigm.takes_errors:
        raise BciError(f"correct: {paradigm.name} has no choice that could be taken back; leave out decoder.correct.")
    # Where a model is there already, a calibration block would teach nobody anything.
    paradigm.skip_calibration = section.start != "calibrate" or bool(section.model or config.calibration.files)


def attach_errors(paradigm: Paradigm, config: SessionConfig, model: Model | None) -> None:
    """Give a paradigm the decoder of error potentials, where the session has one."""
    if model is None:
        return
    sheet = model.sheet
    counts = sheet.n_trials
    share = counts[ERROR] / sum(counts.values()) if counts.get(ERROR) else 0.5
    paradigm.error_check = ErrorCheck(
        decider=model,
        tmin=sheet.tmin,
        tmax=sheet.tmax,
        threshold=config.decoder.error_threshold,
        mode=config.decoder.error_mode,
        training_share=share,
        filters=tuple(sheet.filters),
    )
