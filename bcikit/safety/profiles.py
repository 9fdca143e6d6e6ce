"""Thresholds of the quality rules, by kind of electrode."""

from dataclasses import dataclass, replace

from bcikit.signal import check_choice

QUALITY_RULES = (
    "Q-NAN",
    "Q-RAIL",
    "Q-FLAT",
    "Q-AMP",
    "Q-HF",
    "Q-COR",
    "Q-LINE",
    "Q-IMP",
    "Q-P2P",
    "Q-EOG",
    "Q-EMG",
    "Q-BRIDGE",
    "Q-DRIFT",
)
"""Rules a channel can break, in the order of the rows of every table of the monitor."""

CONTACT_RULES = ("Q-NAN", "Q-RAIL", "Q-FLAT", "Q-IMP", "Q-LINE")
"""Those that say whether an electrode measures a body at all."""

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityProfile:
    """Thresholds of the quality rules; pairs are (WARN, BAD), infinity switches a step off.

    Attributes
    ----------
    name : str
        "eeg-wet", "eeg-dry" or "synthetic".
    window_s, hop_s : float
        Length of the window judged and distance between two, seconds.
    bad_after, good_after : int
        Windows in a row until a rule counts, and until it is over (hysteresis).
    rail : pair
        Share of full scale (OpenBCI GUI: 0.75, 0.90).
    flat_uv : pair
        Standard deviation below which a channel is flat, microvolts.
    amplitude_z, hf_z : pair
        Robust z across channels of amplitude and of the high-frequency share (PREP: 5).
    hf_ratio : float
        A channel whose amplitude above 50 Hz is below this share of that under 50 Hz is never noisy.
    correlation : float
        Least 98th percentile of |r| with the other channels, 1 to 45 Hz (PREP: 0.4).
    correlation_share : float
        BAD if it was lower than that in more than this share of the last 30 s.
    line : pair
        Power within 1 Hz of the mains over power from 1 to 100 Hz.
    line_uv : float
        Mains amplitude that is BAD by itself, microvolts rms.
    impedance_ohm : pair
        Electrode impedance.
    p2p_uv : pair
        Peak to peak from 1 to 30 Hz in the window; tuned on half of the real recordings, where blinks reach 400 at the
        forehead of people whose EEG is good.
    blink_uv : float
        Peak to peak from 1 to 10 Hz at the forehead that counts as a blink.
    blinks_per_min : float
        More are a sign of fatigue.
    emg_z : float
        z of the log power in the muscle band against the channel's own past.
    bridge_uv2 : float
        Variance of the difference of two channels below which they may be bridged, 0.5 to 30 Hz (MNE: 16; EEGLAB: 5).
    drift_uv_s : pair
        Slope over 10 s.
    disabled : frozenset of str
        Rules that make no sense for this kind of signal.
    """

    name: str
    window_s: float = 2.0
    hop_s: float = 0.5
    bad_after: int = 2
    good_after: int = 5
    rail: Pair = (0.75, 0.90)
    flat_uv: Pair = (0.5, 0.1)
    amplitude_z: Pair = (3.0, 5.0)
    hf_z: Pair = (3.0, 5.0)
    hf_ratio: float = 0.5
    correlation: float = 0.4
    correlation_share: float = 0.2
    line: Pair = (0.3, 0.6)
    line_uv: float = 50.0
    impedance_ohm: Pair = (10e3, 30e3)
    p2p_uv: Pair = (450.0, 800.0)
    blink_uv: float = 75.0
    blinks_per_min: float = 20.0
    emg_z: float = 4.0
    bridge_uv2: float = 5.0
    drift_uv_s: Pair = (5.0, 50.0)
    disabled: frozenset[str] = frozenset()


_WET = QualityProfile(name="eeg-wet")
PROFILES: dict[str, QualityProfile] = {
    "eeg-wet": _WET,
    "eeg-dry": replace(
        _WET,
        name="eeg-dry",
        impedance_ohm=(500e3, 1500e3),
        p2p_uv=(300.0, 600.0),
        line=(0.5, 0.8),
        drift_uv_s=(20.0, 200.0),
        # Dry electrodes stand apart from each other; what unites wet ones says little here.
        disabled=frozenset({"Q-BRIDGE"}),
    ),
    # BrainFlow's synthetic board: uncorrelated sines, one a channel, up to 80 Hz and over 1 mV.
    "synthetic": replace(
        _WET,
        name="synthetic",
        p2p_uv=(float("inf"), float("inf")),
        disabled=frozenset({"Q-AMP", "Q-HF", "Q-COR", "Q-EMG", "Q-EOG", "Q-P2P", "Q-BRIDGE", "Q-DRIFT"}),
    ),
}
"""The profiles by name."""


def quality_profile(name: str) -> QualityProfile:
    """Return the profile of this name."""
    return PROFILES[check_choice("quality profile", name, PROFILES)]


def body_profile(profile: QualityProfile) -> QualityProfile:
    """Return what EMG and EOG channels are judged by: contact and mains, nothing that only an EEG has to be.

    Loud, fast, alone and drifting is what a muscle or an eye may be; not a number, at the rail, flat, without contact
    or drowned in hum is what no electrode may be.
    """
    return replace(profile, name=f"{profile.name}, body", disabled=frozenset(QUALITY_RULES).difference(CONTACT_RULES))
