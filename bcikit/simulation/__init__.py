"""The digital twin and the device under test."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bcikit.simulation.fit import Fit, fit_twin
    from bcikit.simulation.incidents import Incident
    from bcikit.simulation.person import Person
    from bcikit.simulation.settings import TwinSettings
    from bcikit.simulation.stimulus import Stimulus
    from bcikit.simulation.truth import Truth
    from bcikit.simulation.twin import Twin

_WHERE = {
    "Fit": "fit",
    "Incident": "incidents",
    "Person": "person",
    "Stimulus": "stimulus",
    "Truth": "truth",
    "Twin": "twin",
    "TwinSettings": "settings",
    "fit_twin": "fit",
}

__all__ = ["Fit", "Incident", "Person", "Stimulus", "Truth", "Twin", "TwinSettings", "fit_twin"]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.simulation' has no attribute {name!r}")
    return getattr(import_module(f"bcikit.simulation.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
