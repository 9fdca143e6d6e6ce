"""Units: one inside, microvolts; adapters convert at the edge."""

from bcikit.signal.errors import ArgumentError

MICROVOLT = "uV"
"""The unit of every EEG sample inside bcikit."""

_FACTORS = {
    "uv": 1.0,
    "uvolt": 1.0,
    "uvolts": 1.0,
    "microv": 1.0,
    "mcv": 1.0,
    "microvolt": 1.0,
    "microvol": 1.0,  # EDF has room for eight letters
    "microvolts": 1.0,
    "v": 1e6,
    "volt": 1e6,
    "volts": 1e6,
    "mv": 1e3,
    "mvolt": 1e3,
    "mvolts": 1e3,
    "milliv": 1e3,
    "millivolt": 1e3,
    "millivol": 1e3,
    "millivolts": 1e3,
    "nv": 1e-3,
    "nvolt": 1e-3,
    "nvolts": 1e-3,
    "nanov": 1e-3,
    "nanovolt": 1e-3,
    "nanovolts": 1e-3,
}

_MICRO = (
    "\u00b5",  # micro sign
    "\u03bc",  # Greek mu
    "\u00c2\u00b5",  # micro sign in UTF-8, taken for Latin-1
    "\u00ce\u00bc",  # Greek mu in UTF-8, taken for Latin-1
    "\u00e6",  # micro sign in cp437 and cp850, taken for Latin-1
    "\u0083\u00ca",  # Greek mu in Shift JIS, taken for Latin-1
    "\u00a6\u00cc",  # Greek mu in GBK, taken for Latin-1
)

_OTHER = frozenset(
    {
        "%", "1", "1/min", "a", "a.u.", "ad", "adu", "arb", "arbitrary", "arbitrary_units", "aru", "au", "bar", "bs",
        "binary", "bit", "bits", "boolean", "bpm", "c", "celsius", "cm", "cmh2o", "code", "count", "counts",
        "db", "deg", "deg/s", "degc", "degree_c", "degrees", "dps", "event", "f", "fahrenheit", "g", "gauss",
        "h", "hpa", "hz", "index", "k", "kelvin", "kg", "khz", "kohm", "kohms", "l", "l/m", "l/min", "l/s",
        "lux", "m", "m/s", "m/s2", "m/s^2", "mbar", "mg", "microsiemens", "min", "ml", "mm", "mmhg", "mmol/l",
        "mohm", "ms", "n", "n/a", "na", "none", "ns", "ohm", "ohm/s", "ohms", "pa", "percent", "pixel",
        "pixels", "px", "rad", "rad/s", "rpm", "s", "sec", "seconds", "steps", "t", "torr", "ua", "uh", "unit",
        "unitless", "units", "ups", "us", "usec", "usiemens", "ut", "w", "x", "y", "z",
    }
)  # fmt: skip
"""Units in lower case that are certainly no voltage."""


def _key(unit: str) -> str:
    """Return a unit in small letters, its micro sign an "u", whatever code page it went through."""
    text = unit.strip()
    for sign in sorted(_MICRO, key=len, reverse=True):
        if text.startswith(sign):
            text = "u" + text[len(sign) :]
            break
    return text.strip("[]() ").lower()


def microvolts_per(unit: str, *, where: str = "the stream") -> float:
    """Return how many microvolts one `unit` is.

    Parameters
    ----------
    unit : str
        "uV", "µV", "microvolts", "mV", "V", "nV" and their long forms, in any case; a micro sign that was read in
        another code page counts as one.
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
    try:
        return _FACTORS[_key(unit)]
    except KeyError:
        said = f"the unit {unit!r}, which is not a voltage" if unit.strip() else "no unit"
        raise ArgumentError(
            f"{where} states {said}. Say which it is with unit=uV, unit=mV, unit=V or unit=nV "
            "(in an address: '...?unit=uV')."
        ) from None


def is_voltage(unit: str) -> bool:
    """Return whether a unit is a voltage that `microvolts_per` knows."""
    return _key(unit) in _FACTORS


def is_other(unit: str) -> bool:
    """Return whether a unit is known to be no voltage: degrees, per cent, ohms, counts."""
    key = _key(unit)
    return key in _OTHER or key.lstrip("\u00b0\u00c2\u00ba") in _OTHER
