"""From recordings to the outcome of a test: while the bench runs, and again from what it kept."""

import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bcikit.signal import DataError
from bcikit.validation.catalogue import BenchTest
from bcikit.validation.profile import Profile
from bcikit.validation.results import Judgement, Measurement, Outcome, worst
from bcikit.validation.takes import Context, Take


def evaluate(test: BenchTest, takes: Sequence[Take], profile: Profile) -> Outcome:
    """Return what the recordings of a test come to under a profile.

    Parameters
    ----------
    test : BenchTest
        The test.
    takes : sequence of Take
        One a set-up, in the order in which the test asks for them.
    profile : Profile
        Limits, instruments, what is expected.
    """
    blank = Outcome(
        test=test.test,
        title=test.title,
        judgement=Judgement.INCONCLUSIVE,
        takes=tuple(take.key for take in takes),
    )
    context = Context(instruments=profile.instruments, expected=dict(profile.expected))
    try:
        if test.needs not in ("stream", "impedance"):
            _check_numbers(takes)
        # Of an amplifier that gives nothing at all a ratio is no number, which is judged as "not reached".
        with np.errstate(divide="ignore", invalid="ignore"):
            measurements, curves = test.compute(list(takes), context)
    except DataError as error:
        return replace(blank, reason=f"could not be measured: {error}")
    except Exception as error:  # noqa: BLE001 - one test that breaks must not take the report of the others along
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"
        return replace(blank, judgement=Judgement.ERROR, reason=f"the test itself failed: {said}")
    judged = [item for measurement in measurements for item in _judge(test.test, measurement, profile)]
    judgements = [item.judgement for item in judged]
    measured = {item.quantity for item in judged}
    without = [item.quantity for item in profile.limits_of(test.test) if item.quantity not in measured]
    reason = ""
    if without:
        judgements.append(Judgement.INCONCLUSIVE)
        reason = f"not measured, though there is a limit: {', '.join(dict.fromkeys(without))}"
    return replace(blank, judgement=worst(judgements), measurements=tuple(judged), reason=reason, curves=curves)


def _check_numbers(takes: Sequence[Take]) -> None:
    """Refuse what cannot be computed with; V-RESID names the channels."""
    for take in takes:
        bad = int(np.count_nonzero(~np.isfinite(take.data[:, take.signals])))
        if bad:
            raise DataError(f"{bad} samples of the recording {take.key} are no numbers.")


def _judge(test: str, measurement: Measurement, profile: Profile) -> list[Measurement]:
    """Return the measurement once for each of its limits, the plain one where there is none."""
    limits = profile.limits_of(test, measurement.quantity)
    if not limits:
        # A test may have found something by itself.
        return [measurement]
    return [measurement.judged(limit) for limit in limits]
