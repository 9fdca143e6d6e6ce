"""The lane of the road: where it is interrupted at a time, in perspective."""

NEAR, FAR = 710.0, 380.0
"""Where the road begins and ends on the stage, from the driver to the horizon."""
PERIOD = 9.0
"""Metres from one stripe to the next."""
EYE = 6.0
"""Metres from the driver's eye to the near end of the picture; sets the perspective."""


def gaps(now: float, speed_kmh: float) -> list[tuple[float, float]]:
    """Return top and height, in units of the stage, of each gap between two stripes.

    Parameters
    ----------
    now : float
        Seconds.
    speed_kmh : float
        Speed of the car.
    """
    driven = (now * speed_kmh / 3.6) % PERIOD

    def height_of(metres: float) -> float:
        return FAR + (NEAR - FAR) * EYE / (EYE + max(metres, 0.0))

    found = []
    for number in range(12):
        start = number * PERIOD - driven
        stop = start + PERIOD / 2
        if stop > 0:
            low, high = height_of(start), height_of(stop)
            if low - high >= 1.0:
                found.append((high, low - high))
    return found
