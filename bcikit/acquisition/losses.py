"""What is missing after a pause or a lost link: what the counter says against what the times say."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LossEvidence:
    """What is known of samples that came after a pause. All numbers are in samples.

    Attributes
    ----------
    late : float
        By how much the least late of them is later than it would be if none were missing.
    trust : float
        To which counter and times must agree for both to be believed.
    missing : int or None
        What the counter says, less whole laps; None where there is none, or it began anew.
    lap : float
        After how many the counter has the same value again.
    lost_link : bool
        The link was lost and had back, so the device may have been started anew.
    begins : bool
        The counter stands where it begins when a stream is started.
    goes_on : bool
        The counter was seen to go on over a lost link before.
    on_arrival : bool
        Stamps are made on arrival: a busy machine makes them late, and nothing makes them early.
    asked : float
        `late` of a sample at the moment at which the device was asked to stream again: it gave none before.
    """

    late: float
    trust: float
    missing: int | None = None
    lap: float = math.inf
    lost_link: bool = False
    begins: bool = False
    goes_on: bool = False
    on_arrival: bool = False
    asked: float = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is missing before the samples that came.

    Attributes
    ----------
    lost : int
        How many.
    by_time : bool
        The times had to say, or how often the counter wrapped.
    anew : bool
        The line through the times begins anew.
    doubt : float
        Samples to which `lost` is known.
    goes_on : bool
        The counter went on while the link was lost, and cannot have begun where it stands.
    """

    lost: int
    by_time: bool = False
    anew: bool = False
    doubt: float = 0.0
    goes_on: bool = False


def weigh(seen: LossEvidence) -> Loss:
    """Return what is missing.

    A counter that goes on is exact up to whole laps, and the times say how many. Where the times do not fit it, one of
    three things happened: all of the samples come late (a busy machine: the counter is right), the device was started
    anew (its counter stands at its beginning: the times are right), or its counter stood still meanwhile (the same).
    A sample that was taken before the device was asked to stream decides against the first. What cannot be told apart
    is `Loss.doubt`.
    """
    late, trust = seen.late, seen.trust
    counted = None
    if seen.missing is not None:
        near = min(trust, 0.25 * seen.lap)
        counted = _with_laps(seen, round((late - seen.missing) / seen.lap))
        if abs(late - counted) <= near:
            # The device never stopped, so its line goes on, too.
            return Loss(lost=counted, by_time=counted > seen.missing, goes_on=seen.lost_link and not seen.begins)
        if not seen.lost_link and seen.missing == 0 and late > 0:
            # The very next packet, and what passed are no whole laps: the device paused.
            return Loss(lost=0, anew=True)
        counted = _with_laps(seen, math.floor((late - seen.missing + near) / seen.lap))
        possible = seen.on_arrival and late > seen.missing and counted >= seen.asked - trust
        if possible and (seen.goes_on or not seen.begins):
            return Loss(lost=counted, by_time=True, doubt=late - counted)
    if late <= trust and not seen.lost_link:
        return Loss(lost=0, by_time=True, doubt=trust)
    # How late even the least late of them is, nobody knows: at most since the device was asked, and where its counter
    # may have gone on, as much as that differs.
    least = [late - number for number in (seen.asked, counted) if number is not None and late > number > -math.inf]
    doubt = max(trust, min(least, default=0.0))
    return Loss(lost=max(0, round(late)), by_time=True, anew=seen.lost_link or abs(late) > trust, doubt=doubt)


def _with_laps(seen: LossEvidence, laps: int) -> int:
    assert seen.missing is not None
    return seen.missing + round(max(0, laps) * seen.lap)
