"""What each test measures, in which unit, and how a limit in another unit of the same kind is converted."""

import difflib

QUANTITIES: dict[str, dict[str, str]] = {
    "V-NOISE": {"noise_rms": "uV", "noise_pp": "uV", "noise_tone": "uV", "noise_density": "nV/√Hz"},
    "V-GAIN": {"gain": "1", "gain_error": "%", "gain_match": "%"},
    "V-LIN": {"linearity": "% FS"},
    "V-THD": {"thd": "dB", "sinad": "dB", "sfdr": "dB", "enob": "bit"},
    "V-FREQ": {"response_min": "%", "response_max": "%", "bandwidth": "Hz"},
    "V-FLAT": {"flat_min": "%", "flat_max": "%"},
    "V-ALIAS": {"alias": "dB"},
    "V-IMD": {"imd": "dB"},
    "V-SETTLE": {"settling": "s"},
    "V-IMAP": {"impedance_map": "1"},
    "V-REP": {"gain_repeat": "%"},
    "V-STEP": {"rise_time": "ms", "overshoot": "%", "sag": "%", "swing": "uV"},
    "V-CMRR": {"cmrr": "dB"},
    "V-XTALK": {"crosstalk": "dB"},
    "V-SKEW": {"skew": "ms", "skew_samples": "samples"},
    "V-OFFS": {"offset_range": "mV"},
    "V-IMP": {"impedance_error": "%", "impedance_spread": "%"},
    "V-TEST": {
        "test_amplitude": "%", "test_period": "%", "known_frequency": "%", "known_rms": "%", "known_dc": "%",
    },
    "V-RATE": {"clock": "ppm", "rate": "Hz", "allan_1": "ppm", "allan_10": "ppm", "allan_100": "ppm"},
    "V-JIT": {"jitter_sd": "ms", "jitter_p999": "ms", "longest_step": "ms"},
    "V-LOSS": {"loss": "%", "lost": "samples", "longest_gap": "ms"},
    "V-TRIG": {"trigger_delay": "ms", "trigger_sd": "ms", "trigger_p95": "ms", "trigger_drift": "ms/min"},
    "V-E2E": {"e2e_p95": "ms", "e2e_median": "ms", "e2e_answered": "%", "e2e_false": "1/min"},
    "V-DRIFT": {"drift": "uV/min", "drift_rms": "uV"},
    "V-PHANT": {"phantom_r": "1"},
    "V-MOT": {"motion_pp": "uV"},
    "V-BIO": {"alpha_ratio": "1"},
    "V-RESID": {"unexplained": "1"},
    "V-BATT": {"noise_change": "%", "gain_change": "%"},
}  # fmt: skip
"""Unit of each quantity of each test."""

_SCALES: dict[str, tuple[str, float]] = {
    "nV": ("V", 1e-9), "uV": ("V", 1e-6), "mV": ("V", 1e-3), "V": ("V", 1.0),
    "ns": ("s", 1e-9), "us": ("s", 1e-6), "ms": ("s", 1e-3), "s": ("s", 1.0), "min": ("s", 60.0),
    "mHz": ("Hz", 1e-3), "Hz": ("Hz", 1.0), "kHz": ("Hz", 1e3),
    "1": ("1", 1.0), "": ("1", 1.0), "%": ("1", 1e-2), "ppm": ("1", 1e-6), "ppb": ("1", 1e-9),
    "nV/√Hz": ("V/√Hz", 1e-9), "uV/√Hz": ("V/√Hz", 1e-6),
    "uV/s": ("V/s", 1e-6), "uV/min": ("V/s", 1e-6 / 60), "mV/min": ("V/s", 1e-3 / 60), "uV/h": ("V/s", 1e-6 / 3600),
    "ms/min": ("s/s", 1e-3 / 60), "ms/h": ("s/s", 1e-3 / 3600), "us/s": ("s/s", 1e-6),
    "1/min": ("1/s", 1 / 60), "1/s": ("1/s", 1.0), "1/h": ("1/s", 1 / 3600),
    "dB": ("dB", 1.0), "bit": ("bit", 1.0), "bits": ("bit", 1.0), "samples": ("samples", 1.0), "% FS": ("FS", 1e-2),
    "ppm FS": ("FS", 1e-6), "ohm": ("ohm", 1.0), "kohm": ("ohm", 1e3), "Mohm": ("ohm", 1e6),
}  # fmt: skip
"""Dimension and size of each unit."""

_SPELLINGS = {"µ": "u", "μ": "u", "Ω": "ohm", "sqrt(Hz)": "√Hz", "rtHz": "√Hz", " per ": "/"}


def factor(unit: str, wanted: str) -> float | None:
    """Return what a number in `unit` is multiplied with to be one in `wanted`; None where that cannot be."""
    for spelling, plain in _SPELLINGS.items():
        unit = unit.replace(spelling, plain)
    own, other = _SCALES.get(unit.strip()), _SCALES.get(wanted)
    if own is None or other is None or own[0] != other[0]:
        return None
    return own[1] / other[1]


def near(word: str, known: list[str]) -> str:
    """Return what somebody who wrote `word` may have meant, as the end of a sentence."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


DURATIONS = (
    "cmrr", "cycles", "drift", "e2e", "eyes", "impedance", "internal", "motion", "noise", "off", "offset",
    "offset_step_mv", "phantom", "sine", "skew", "step", "thd", "timing", "trigger",
)  # fmt: skip
"""Names of the recordings whose length a profile may state, and of the step of V-OFFS."""

EXPECTED = {"frequency": None, "rms": None, "dc": None, "square": 2}
"""What a maker may say of the device's own test signal, and how many numbers that is; None: one for each channel."""
