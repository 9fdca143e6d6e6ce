"""The digital twin and the device under test."""

from typing import TYPE_CHECKING

from bcikit.face import face

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

__getattr__, __dir__ = face(__name__, _WHERE)
