"""Trial timelines and what a decision does: rehabilitation, communication, VR, driving."""

from bcikit.paradigms.base import Calibration, Decider, Paradigm, WindowRequest
from bcikit.paradigms.registry import make_paradigm, paradigm_class, paradigm_names, read_paradigm
from bcikit.paradigms.settings import ParadigmSettings
from bcikit.paradigms.trials import Section, Trial, TrialParadigm

__all__ = [
    "Calibration",
    "Decider",
    "Paradigm",
    "ParadigmSettings",
    "Section",
    "Trial",
    "TrialParadigm",
    "WindowRequest",
    "make_paradigm",
    "paradigm_class",
    "paradigm_names",
    "read_paradigm",
]


def __dir__() -> list[str]:
    return sorted(__all__)
