"""Steps on chunks, and the Pipeline: filters, re-reference, artefacts, features, windows."""

from bcikit.processing.artefacts import Blinks, Muscle
from bcikit.processing.asr import Asr, calibrate_asr
from bcikit.processing.bandpower import BANDS, BandPower
from bcikit.processing.connectivity import Connectivity
from bcikit.processing.covariance import Covariance
from bcikit.processing.envelope import Envelope
from bcikit.processing.epochs import EpochCutter, EventEpoch
from bcikit.processing.iir import Bandpass, Comb, Highpass, Lowpass, Notch
from bcikit.processing.interpolate import Interpolate
from bcikit.processing.line import LineRemoval, detect_line_freq
from bcikit.processing.linear import with_montage
from bcikit.processing.offline import apply_zero_phase
from bcikit.processing.pipeline import Pipeline
from bcikit.processing.power import LogPower
from bcikit.processing.reference import Pick, Rereference
from bcikit.processing.registry import step_class
from bcikit.processing.regrid import Regrid
from bcikit.processing.resample import Decimate, Resample
from bcikit.processing.spatial import Bipolar, Laplacian, OcularRegression, Rest, SpatialFilter, Unmix
from bcikit.processing.spectrum import AlphaFrequency, Erd, Lateralisation, PowerRatio, Psd, learn_reference
from bcikit.processing.standardise import Standardise
from bcikit.processing.step import Step
from bcikit.processing.window import Window, WindowBuffer

__all__ = [
    "BANDS",
    "AlphaFrequency",
    "Asr",
    "BandPower",
    "Bandpass",
    "Bipolar",
    "Blinks",
    "Comb",
    "Connectivity",
    "Covariance",
    "Decimate",
    "Envelope",
    "EpochCutter",
    "Erd",
    "EventEpoch",
    "Highpass",
    "Interpolate",
    "Laplacian",
    "Lateralisation",
    "LineRemoval",
    "LogPower",
    "Lowpass",
    "Muscle",
    "Notch",
    "OcularRegression",
    "Pick",
    "Pipeline",
    "PowerRatio",
    "Psd",
    "Regrid",
    "Rereference",
    "Resample",
    "Rest",
    "SpatialFilter",
    "Standardise",
    "Step",
    "Unmix",
    "Window",
    "WindowBuffer",
    "apply_zero_phase",
    "calibrate_asr",
    "detect_line_freq",
    "learn_reference",
    "step_class",
    "with_montage",
]


def __dir__() -> list[str]:
    return sorted(__all__)
