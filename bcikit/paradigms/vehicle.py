"""A simple car-following simulator: two cars in a row, the first one brakes now and then."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Braking:
    """One braking of the car in front.

    Attributes
    ----------
    seconds : float
        When, from the start of the drive.
    deceleration : float
        m/s^2, positive.
    reaction : float
        Seconds from the brake light to the pedal of the modelled driver.
    """

    seconds: float
    deceleration: float
    reaction: float


def plan_brakings(
    count: int,
    rng: np.random.Generator,
    *,
    gap: tuple[float, float],
    deceleration: float,
    reaction: tuple[float, float],
    lead_in: float = 5.0,
) -> tuple[Braking, ...]:
    """Return brakings at random times with lognormal reaction times.

    Parameters
    ----------
    count : int
        How many.
    gap : pair of float
        Shortest and longest time between two, in seconds.
    deceleration : float
        m/s^2.
    reaction : pair of float
        Median in seconds and geometric spread (1.2 is 20 %), as measured in simulators (Haufe 2011: about 0.7 s).
    lead_in : float
        Seconds before the first gap begins.
    """
    plan = []
    time = lead_in
    median, spread = reaction
    for _ in range(count):
        time += float(rng.uniform(*gap))
        foot = float(np.clip(median * math.exp(rng.normal(0.0, math.log(spread))), 0.3, 2.0))
        plan.append(Braking(seconds=time, deceleration=deceleration, reaction=foot))
    return tuple(plan)


def closest_distance(*, speed: float, gap: float, reaction: float) -> float:
    """Return the smallest distance between two cars that brake equally hard, the second `reaction` seconds later.

    Both drive at `speed` (m/s), `gap` metres apart, and need the same way to stop, so they come to rest
    ``gap - speed * reaction`` apart. Below 0 they would have collided.

    Parameters
    ----------
    speed, gap, reaction : float
        m/s, m, s.
    """
    return gap - speed * reaction
