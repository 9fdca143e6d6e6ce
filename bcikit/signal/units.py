"""Units: one inside, microvolts; adapters convert at the edge."""

from bcikit.signal.errors import ArgumentError

MICROVOLT = "uV"
"""The unit of every EEG sample inside bcikit."""

_FACTORS = {
    "uv": 1.0,
    "microvolt": 1.0,
    "microvolts": 1.0,
    "v": 1e6,
    "volt": 1e6,
    "volts": 1e6,
    "mv": 1e3,
    "millivolt": 1e3,
    "millivolts": 1e3,
    "nv": 1e-3,
    "nanovolt": 1e-3,
    "nanovolts": 1e-3,
}


def microvolts_per(unit: str, *, where: str = "the stream") -> float:
    """Return how many microvolts one `unit` is.

    Parameters
    ----------
    unit : str
        "uV", "µV", "microvolts", "mV", "V", "nV" and their long forms, in any case.
    where : str
        Who states the unit, for the error.

    Returns
    -------
    float
        The factor to multiply samples with.

    Raises
    ------
    ArgumentError
        If the unit is unknown or missing; the message says how to state it.
    """
    key = unit.strip().replace("\u00b5", "u").replace("\u03bc", "u").lower()
    try:
        return _FACTORS[key]
    except KeyError:
        said = f"the unit {unit!r}, which is not a voltage" if unit.strip() else "no unit"
        raise ArgumentError(
            f"{where} states {said}. Say which it is with unit=uV, unit=mV, unit=V or unit=nV "
            "(in an address: '...?unit=uV')."
        ) from None
