"""Everything about a simulated user that can be set, with its limits."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from bcikit.acquisition import Address
from bcikit.signal import check_range

TASKS = ("motor-imagery", "ssvep", "p300", "cvep", "errp", "readiness", "vigilance", "rest")
"""Bodies of ``sim:`` addresses. Every user can do every task; the word chooses montage and schedule."""


def _number(default: float, low: float, high: float, text: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSettings:
    """A simulated user: brain, body and person. Each number is an option of a ``sim:`` address, too."""

    # brain
    background_uv: float = _number(5.5, 0.0, 100.0, "Aperiodic activity, rms of 1 to 40 Hz, mean channel")
    exponent: float = _number(1.3, 0.0, 2.0, "Slope of the aperiodic power: 1 over frequency to this")
    alpha_hz: float = _number(10.0, 7.0, 13.5, "Individual alpha frequency")
    alpha_uv: float = _number(5.0, 0.0, 100.0, "Occipital alpha, eyes open, rms at its best site")
    eyes_closed_gain: float = _number(2.8, 1.0, 10.0, "Alpha amplitude with closed eyes over open eyes")
    mu_uv: float = _number(5.0, 0.0, 100.0, "Mu rhythm over each hand area at rest, rms under the electrode")
    beta_uv: float = _number(2.0, 0.0, 100.0, "Beta rhythm over hand and foot areas at rest, rms")
    theta_uv: float = _number(2.0, 0.0, 100.0, "Frontal midline theta, rms")
    # imagery
    ability: float = _number(0.85, 0.0, 1.0, "Skill of motor imagery: 0 cannot, 1 the best")
    erd: float = _number(0.75, 0.0, 0.98, "Fall of the mu amplitude over the other hand at ability 1")
    laterality: float = _number(0.8, 0.0, 1.0, "0: both hemispheres alike; 1: only the other side reacts")
    rebound: float = _number(0.5, 0.0, 3.0, "Rise of beta after imagery, share of its rest amplitude")
    onset_s: float = _number(0.45, 0.1, 3.0, "Mean time from the cue to the start of imagery")
    confusion: float = _number(0.02, 0.0, 1.0, "Share of trials in which the wrong class is imagined")
    # evoked
    phase_lock: float = _number(1.0, 0.0, 1.0, "1: the flicker's phase is the same in every trial; 0: it is random")
    ssvep_uv: float = _number(3.2, 0.0, 50.0, "Fundamental of the response to a 10 Hz flicker, amplitude at Oz")
    p300_uv: float = _number(10.0, 0.0, 50.0, "P300 to a rare attended stimulus, peak at Pz")
    brake_uv: float = _number(15.0, 0.0, 50.0, "P300 to the brake light of the car in front, peak at Pz")
    p300_ms: float = _number(340.0, 200.0, 800.0, "Mean latency of the P300")
    jitter_ms: float = _number(30.0, 0.0, 200.0, "Spread of the latency of late potentials between trials")
    habituation: float = _number(0.3, 0.0, 0.95, "Share of the P300 that is lost over a few hundred targets")
    cvep_uv: float = _number(5.0, 0.0, 50.0, "Response to one flash of a code, peak at Oz")
    errp_uv: float = _number(9.0, 0.0, 50.0, "Error potential after wrong feedback, peak at FCz")
    readiness_uv: float = _number(8.0, 0.0, 50.0, "Readiness potential at the movement, peak at Cz")
    # body and world
    blink_per_min: float = _number(12.0, 0.0, 80.0, "Blinks a minute")
    blink_uv: float = _number(120.0, 0.0, 1000.0, "Peak of a blink at the nearest electrode")
    saccade_per_min: float = _number(6.0, 0.0, 200.0, "Horizontal eye movements a minute")
    saccade_uv: float = _number(30.0, 0.0, 500.0, "Step of an eye movement at the nearest electrode")
    emg_per_min: float = _number(1.0, 0.0, 60.0, "Bursts of jaw or neck muscles a minute")
    emg_uv: float = _number(15.0, 0.0, 1000.0, "Muscle burst, rms at the nearest electrode")
    attempt_uv: float = _number(20.0, 0.0, 1000.0, "Muscle at an attempt, rms on the EMG channel (`emg`); 0: paralysed")
    heart_bpm: float = _number(68.0, 30.0, 200.0, "Heart rate")
    heart_uv: float = _number(1.5, 0.0, 100.0, "R wave on the scalp")
    sweat_uv: float = _number(3.0, 0.0, 1000.0, "Slow skin potentials below 0.3 Hz, rms")
    mains_hz: float = _number(50.0, 0.0, 60.0, "Mains frequency; 0 for none")
    mains_uv: float = _number(2.0, 0.0, 1000.0, "Mains, amplitude on a middling electrode; harmonics follow")
    noise_uv: float = _number(0.5, 0.0, 100.0, "Noise of electrodes and amplifier, rms over the whole band")
    offset_mv: float = _number(0.0, 0.0, 300.0, "Electrode offsets, standard deviation")
    # person
    inattention: float = _number(0.03, 0.0, 1.0, "Share of trials in which the user does nothing")
    refusal: float = _number(0.0, 0.0, 1.0, "Chance a minute that the user gives up and does nothing more")
    learning: float = _number(0.0, 0.0, 1.0, "How much ability grows with practice and good feedback")
    fatigue: float = _number(0.0, 0.0, 20.0, "How far vigilance falls in an hour")
    practised: float = _number(0.0, 0.0, 1e6, "Trials of practice before the first sample")
    drift: float = _number(
        0.0, 0.0, 60.0, "Turn of the spatial patterns among neighbouring electrodes, degrees a minute"
    )
    session: float = _number(0.0, 0.0, 3.0, "How much cap and rhythms of a session differ from those of session 0")
    pops_per_min: float = _number(0.0, 0.0, 600.0, "Electrode pops a minute, all channels together")

    def __post_init__(self) -> None:
        for item in fields(self):
            low, high = item.metadata["low"], item.metadata["high"]
            object.__setattr__(self, item.name, check_range(item.name, getattr(self, item.name), low=low, high=high))

    @classmethod
    def from_address(cls, address: Address, **defaults: float) -> Self:
        """Return the settings that the options of an address ask for; other options are left alone.

        Parameters
        ----------
        defaults : float
            Numbers that take the place of the usual ones where the address says nothing.
        """
        values = dict(defaults)
        for item in fields(cls):
            if item.name in address.options:
                low, high = item.metadata["low"], item.metadata["high"]
                values[item.name] = address.number(item.name, 0.0, low=low, high=high)
        return cls(**values)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all options."""
        return tuple(item.name for item in fields(cls))

    @classmethod
    def table(cls) -> list[tuple[str, float, float, float, str]]:
        """Return name, default, lowest, highest and meaning of each option."""
        standard = cls()
        return [
            (
                item.name,
                float(getattr(standard, item.name)),
                item.metadata["low"],
                item.metadata["high"],
                item.metadata["text"],
            )
            for item in fields(cls)
        ]

    def to_dict(self) -> dict[str, float]:
        """Return a JSON-ready dictionary."""
        return asdict(self)
