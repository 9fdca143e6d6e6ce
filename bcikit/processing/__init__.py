"""Steps on chunks, and the Pipeline: filters, re-reference, artefacts, features, windows."""

from bcikit.processing.iir import Bandpass, Comb, Highpass, Lowpass, Notch
from bcikit.processing.pipeline import Pipeline
from bcikit.processing.reference import Pick, Rereference
from bcikit.processing.registry import STEPS
from bcikit.processing.step import Step
from bcikit.processing.window import Window, WindowBuffer

__all__ = [
    "STEPS",
    "Bandpass",
    "Comb",
    "Highpass",
    "Lowpass",
    "Notch",
    "Pick",
    "Pipeline",
    "Rereference",
    "Step",
    "Window",
    "WindowBuffer",
]
