"""The clinic window: from the patient to the report, with a mouse."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.clinic.record import TrainingRecord
    from bcikit.clinic.start import Clinic
    from bcikit.clinic.visit import Visit
    from bcikit.clinic.window import ClinicWindow

_WHERE = {"Clinic": "start", "ClinicWindow": "window", "TrainingRecord": "record", "Visit": "visit"}

__all__ = ["Clinic", "ClinicWindow", "TrainingRecord", "Visit"]


def __getattr__(name: str) -> Any:
    """Load a public name, and with it Qt, only where it is used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.clinic' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.clinic.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
