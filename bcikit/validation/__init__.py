"""The device bench: tests, limits, uncertainty, report, and a pytest plugin."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Load what is asked for: pytest loads this package in every project where bcikit is installed."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.validation' has no attribute {name!r}")
    value = getattr(import_module(f"bcikit.validation.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
