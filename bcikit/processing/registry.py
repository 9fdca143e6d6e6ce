"""Every step by the name it has in a configuration."""

from bcikit.processing.bandpower import BandPower
from bcikit.processing.covariance import Covariance
from bcikit.processing.iir import Bandpass, Comb, Highpass, Lowpass, Notch
from bcikit.processing.power import LogPower
from bcikit.processing.reference import Pick, Rereference
from bcikit.processing.step import Step

_CLASSES: tuple[type[Step], ...] = (
    BandPower,
    Bandpass,
    Comb,
    Covariance,
    Highpass,
    LogPower,
    Lowpass,
    Notch,
    Pick,
    Rereference,
)

STEPS: dict[str, type[Step]] = {kind.name: kind for kind in _CLASSES}
"""The class of each step by its name in TOML ("bandpass", "notch", ...)."""
