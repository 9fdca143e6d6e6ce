"""Steps on chunks, and the Pipeline: filters, re-reference, artefacts, features, windows."""

from bcikit.processing.bandpower import BANDS, BandPower
from bcikit.processing.covariance import Covariance
from bcikit.processing.iir import Bandpass, Comb, Highpass, Lowpass, Notch
from bcikit.processing.offline import apply_zero_phase
from bcikit.processing.pipeline import Pipeline
from bcikit.processing.power import LogPower
from bcikit.processing.reference import Pick, Rereference
from bcikit.processing.registry import STEPS
from bcikit.processing.step import Step
from bcikit.processing.window import Window, WindowBuffer

__all__ = [
    "BANDS",
    "STEPS",
    "BandPower",
    "Bandpass",
    "Comb",
    "Covariance",
    "Highpass",
    "LogPower",
    "Lowpass",
    "Notch",
    "Pick",
    "Pipeline",
    "Rereference",
    "Step",
    "Window",
    "WindowBuffer",
    "apply_zero_phase",
]
