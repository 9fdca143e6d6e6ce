"""Trial timelines and what a decision does: rehabilitation, communication, VR, driving; and the outputs."""

from bcikit.paradigms.base import Calibration, Decider, Paradigm, WindowRequest
from bcikit.paradigms.outputs import Output, open_output, output_schemes
from bcikit.paradigms.registry import make_paradigm, paradigm_class, paradigm_names, read_paradigm

__all__ = [
    "Calibration",
    "Decider",
    "Output",
    "Paradigm",
    "WindowRequest",
    "make_paradigm",
    "open_output",
    "output_schemes",
    "paradigm_class",
    "paradigm_names",
    "read_paradigm",
]
