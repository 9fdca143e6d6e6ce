"""Every step by the name it has in a configuration."""

from bcikit.processing.artefacts import Blinks, Muscle
from bcikit.processing.asr import Asr
from bcikit.processing.bandpower import BandPower
from bcikit.processing.connectivity import Connectivity
from bcikit.processing.covariance import Covariance
from bcikit.processing.envelope import Envelope
from bcikit.processing.iir import Bandpass, Comb, Highpass, Lowpass, Notch
from bcikit.processing.interpolate import Interpolate
from bcikit.processing.line import LineRemoval
from bcikit.processing.power import LogPower
from bcikit.processing.reference import Pick, Rereference
from bcikit.processing.resample import Decimate, Resample
from bcikit.processing.spatial import Bipolar, Laplacian, OcularRegression, Rest, SpatialFilter, Unmix
from bcikit.processing.spectrum import AlphaFrequency, Erd, Lateralisation, PowerRatio, Psd
from bcikit.processing.standardise import Standardise
from bcikit.processing.step import Step

_CLASSES: tuple[type[Step], ...] = (
    AlphaFrequency,
    Asr,
    BandPower,
    Bandpass,
    Bipolar,
    Blinks,
    Comb,
    Connectivity,
    Covariance,
    Decimate,
    Envelope,
    Erd,
    Highpass,
    Interpolate,
    Laplacian,
    Lateralisation,
    LineRemoval,
    LogPower,
    Lowpass,
    Muscle,
    Notch,
    OcularRegression,
    Pick,
    PowerRatio,
    Psd,
    Rereference,
    Resample,
    Rest,
    SpatialFilter,
    Standardise,
    Unmix,
)

STEPS: dict[str, type[Step]] = {kind.name: kind for kind in sorted(_CLASSES, key=lambda kind: kind.name)}
"""The class of each step by its name in TOML ("bandpass", "notch", ...)."""
