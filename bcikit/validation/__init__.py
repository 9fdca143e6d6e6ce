"""The device bench: tests, limits, uncertainty, report, and a pytest plugin."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.validation.catalogue import TESTS, BenchTest
    from bcikit.validation.profile import Profile, profile_names
    from bcikit.validation.results import Judgement, Limit, Measurement, Outcome
    from bcikit.validation.run import Report, validate
    from bcikit.validation.sinefit import SineFit, sine_fit

_WHERE = {
    "TESTS": "catalogue",
    "BenchTest": "catalogue",
    "Judgement": "results",
    "Limit": "results",
    "Measurement": "results",
    "Outcome": "results",
    "Profile": "profile",
    "Report": "run",
    "SineFit": "sinefit",
    "profile_names": "profile",
    "sine_fit": "sinefit",
    "validate": "run",
}

__all__ = [
    "TESTS",
    "BenchTest",
    "Judgement",
    "Limit",
    "Measurement",
    "Outcome",
    "Profile",
    "Report",
    "SineFit",
    "profile_names",
    "sine_fit",
    "validate",
]

__getattr__, __dir__ = face(__name__, _WHERE)
