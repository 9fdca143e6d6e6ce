"""GateSettings: every limit of the gate, by profile, inside hard limits that no configuration can leave."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bcikit.safety.consent import Scope

Profile = Literal["simulation", "vr", "fes", "robot", "vehicle-sim"]

REAL_ACTUATORS: frozenset[str] = frozenset({"fes", "robot"})
"""Profiles behind which something can touch a person."""

_PROFILES: dict[str, dict[str, Any]] = {
    # Only pictures move: it may arm itself, and a busy computer is no reason to end a demonstration.
    "simulation": {
        "k": 1,
        "n": 1,
        "ttl_s": 0.5,
        "dead_man": False,
        "stall_fault_s": 2.0,
        "gap_fault_s": 0.5,
        "jitter_fault_s": 0.1,
        "step_fault_s": 0.25,
        "need_all": False,
        "advisory_stops": False,
        "run_max_s": 3600.0,
        "idle_max_per_min": None,
        "scopes": (),
    },
    "vr": {
        "k": 2,
        "n": 3,
        "ttl_s": 0.5,
        "dead_man": False,
        "need_all": False,
        "session_max_s": 1200.0,
        "idle_max_per_min": None,
        "scopes": ("acquire", "vr"),
    },
    "fes": {"k": 5, "n": 8, "ttl_s": 0.25, "dead_man": True, "idle_max_per_min": 1.0, "scopes": ("acquire", "fes")},
    # Measured (docs/safety.md): with 5 of 8, simulated users at rest start 0.18 movements a minute, with 7 of 8 0.08.
    "robot": {
        "k": 7,
        "n": 8,
        "ttl_s": 0.25,
        "dead_man": True,
        "idle_max_per_min": 0.2,
        "scopes": ("acquire", "robot"),
    },
    "vehicle-sim": {
        "k": 7,
        "n": 8,
        "ttl_s": 0.25,
        "dead_man": False,
        "confirm": True,
        "idle_max_per_min": 1.0 / 30.0,
        "scopes": ("acquire",),
    },
}

# What a profile with a real actuator must keep, whatever a file says: field -> (low, high).
_REAL_LIMITS: dict[str, tuple[float, float]] = {
    "confidence": (0.6, 0.999),
    "margin": (0.1, 0.9),
    "k": (3, 64),
    "ttl_s": (0.02, 0.25),
    "refractory_s": (1.0, 60.0),
    "action_max_s": (0.05, 5.0),
    "age_max_s": (0.02, 0.4),
    "stall_fault_s": (0.05, 0.5),
    "loss_fault": (0.0, 0.05),
    "gap_fault_s": (0.0, 0.1),
    "rate_degraded": (0.0, 0.01),
    "rate_fault": (0.0, 0.05),
    "jitter_fault_s": (0.0, 0.05),
    "drift_fault_ppm": (0.0, 500.0),
    "step_fault_s": (0.0, 0.05),
    "vote_s": (0.05, 5.0),
    "degraded_recover_s": (5.0, 60.0),
    "degraded_max_s": (0.0, 30.0),
    "stop_clear_s": (5.0, 60.0),
    "armed_idle_s": (1.0, 120.0),
    "dead_man_s": (0.1, 0.5),
    "idle_max_per_min": (0.0, 1.0),
}

Seconds = Annotated[float, Field(ge=0.0, le=10.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class GateSettings(BaseModel):
    """Limits of the gate and of the monitors that feed it.

    A profile fills in what is not stated. Defaults are the project's own unless a source is named in `docs/safety.md`.
    Values must be of their own type: a number in quotes, or "yes" for true, is a mistake to be told, not to be mended.

    Attributes
    ----------
    profile : str
        "simulation" (nothing but pictures; may arm itself), "vr", "fes", "robot" or "vehicle-sim". An output to a real
        vehicle does not exist.
    quality : str
        Profile of the quality rules: "eeg-wet", "eeg-dry" or "synthetic".
    confidence : float or None
        Least probability to act (A-CONF). None takes 0.70 for two classes, 0.65 for three, 0.60 for more.
    margin : float
        Least distance between the largest and the second probability (A-CONF).
    k, n : int
        So many of so many newest decisions must agree (A-KOFN).
    vote_s : float
        Decisions older than this, in seconds, do not vote.
    idle_label : str
        A class that means rest; it is never an action.
    confirm : bool
        Whether an action needs a second, separate confirmation (the class decided again after `refractory_s`).
    refractory_s : float
        Seconds between the end of one action and the start of the next (A-RFR).
    renew_s : float
        The same label within this many seconds continues an action instead of starting another.
    action_max_s : float
        Longest action; it must then pause for the refractory time.
    ttl_s : float
        Time to live of the commands an allowed decision may cause (A-TTL).
    age_warn_s, age_max_s : float
        Age of the newest sample at the gate: caution, refusal (H-LAT).
    stall_warn_s, stall_fault_s : float
        Seconds without a new sample: caution, SAFE_STOP (H-STALL).
    loss_warn, loss_degraded, loss_fault : float
        Shares of lost samples: in 60 s caution, in 5 s DEGRADED, in 5 s SAFE_STOP (H-LOSS).
    gap_fault_s : float
        A single gap longer than this is a SAFE_STOP (H-LOSS).
    rate_warn, rate_degraded, rate_fault : float
        Relative error of the sampling rate (H-RATE).
    jitter_warn_s, jitter_fault_s : float
        Standard deviation of sample times around their line (H-JIT).
    drift_warn_ppm, drift_fault_ppm, step_fault_s : float
        Drift and jump of the device clock against the host's (H-DRIFT).
    cpu_warn, cpu_fault : float
        Processing time over hop (H-CPU; BCI2000 aborts at 1.1).
    min_good : float
        Least share of the needed channels that are not BAD (Q-MONT).
    accept_warn : bool
        Whether a needed channel in WARN may still act (A-QUAL).
    need_all : bool
        Whether every needed channel must be usable (A-QUAL), or `min_good` of them.
    degraded_recover_s, degraded_max_s : float
        DEGRADED ends after so long good, becomes SAFE_STOP after so long bad.
    stop_clear_s : float
        The cause of a stop must be gone this long before it can be acknowledged.
    armed_idle_s : float
        ARMED without a start falls back to STANDBY after this.
    idle_max_per_min, idle_test_s : float or None, float
        Most false activations a minute at rest, and the length of rest over which they must have been measured
        (A-IDLE). None asks for no idle test.
    dead_man : bool
        Whether a dead-man switch must be held (A-DM).
    dead_man_s : float
        Seconds for which "held" is believed; a switch that is not renewed by then counts as released.
    advisory_stops : bool
        Whether unusual rhythmic activity (P-RHYTHM) stops all output, or is shown only.
    scopes : tuple of str
        What the participant must have consented to.
    run_max_s, session_max_s : float
        Longest run and session (P-TIME).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    profile: Profile = "simulation"
    quality: Literal["eeg-wet", "eeg-dry", "synthetic"] = "eeg-wet"
    confidence: Annotated[float, Field(ge=0.5, le=0.999)] | None = None
    margin: Annotated[float, Field(ge=0.0, le=0.9)] = 0.2
    k: Annotated[int, Field(ge=1, le=64)] = 1
    n: Annotated[int, Field(ge=1, le=64)] = 1
    vote_s: Annotated[float, Field(gt=0.0, le=30.0)] = 3.0
    idle_label: Annotated[str, Field(min_length=1)] = "rest"
    confirm: bool = False
    refractory_s: Annotated[float, Field(ge=0.0, le=60.0)] = 2.0
    renew_s: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    action_max_s: Annotated[float, Field(gt=0.0, le=30.0)] = 5.0
    ttl_s: Annotated[float, Field(ge=0.02, le=0.5)] = 0.5
    age_warn_s: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    age_max_s: Annotated[float, Field(gt=0.0, le=1.0)] = 0.4
    stall_warn_s: Annotated[float, Field(ge=0.05, le=2.0)] = 0.25
    stall_fault_s: Annotated[float, Field(ge=0.05, le=2.0)] = 0.5
    loss_warn: Share = 0.001
    loss_degraded: Share = 0.01
    loss_fault: Share = 0.05
    gap_fault_s: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    rate_warn: Share = 0.001
    rate_degraded: Share = 0.01
    rate_fault: Share = 0.05
    jitter_warn_s: Seconds = 0.005
    jitter_fault_s: Seconds = 0.020
    drift_warn_ppm: Annotated[float, Field(gt=0.0, le=1e4)] = 50.0
    drift_fault_ppm: Annotated[float, Field(gt=0.0, le=1e4)] = 200.0
    step_fault_s: Annotated[float, Field(gt=0.0, le=10.0)] = 0.020
    cpu_warn: Annotated[float, Field(gt=0.0, le=1.1)] = 0.75
    cpu_fault: Annotated[float, Field(gt=0.0, le=1.1)] = 1.1
    min_good: Annotated[float, Field(ge=0.25, le=1.0)] = 0.75
    accept_warn: bool = True
    need_all: bool = True
    degraded_recover_s: Annotated[float, Field(ge=1.0, le=60.0)] = 5.0
    degraded_max_s: Annotated[float, Field(gt=0.0, le=120.0)] = 30.0
    stop_clear_s: Annotated[float, Field(ge=0.0, le=60.0)] = 5.0
    armed_idle_s: Annotated[float, Field(gt=0.0, le=600.0)] = 120.0
    idle_max_per_min: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    idle_test_s: Annotated[float, Field(ge=300.0, le=3600.0)] = 300.0
    dead_man: bool = False
    dead_man_s: Annotated[float, Field(ge=0.1, le=2.0)] = 0.5
    advisory_stops: bool = True
    # A TOML file has lists, no tuples.
    scopes: Annotated[tuple[Scope, ...], Field(strict=False)] = ()
    run_max_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 480.0
    session_max_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 3600.0

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, values: Any) -> Any:
        if isinstance(values, Mapping):
            return {**_PROFILES.get(str(values.get("profile", "simulation")), {}), **values}
        return values

    @model_validator(mode="after")
    def _keep_hard_limits(self) -> Self:
        problems: list[str] = []
        if self.k > self.n:
            problems.append(f"k={self.k} of n={self.n}: k cannot be more than n")
        for low, high in (
            ("age_warn_s", "age_max_s"),
            ("stall_warn_s", "stall_fault_s"),
            ("loss_degraded", "loss_fault"),
            ("rate_degraded", "rate_fault"),
            ("cpu_warn", "cpu_fault"),
        ):
            if getattr(self, low) > getattr(self, high):
                problems.append(f"{low}={getattr(self, low):g} is above {high}={getattr(self, high):g}")
        if self.profile in REAL_ACTUATORS:
            problems += self._real_problems()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _real_problems(self) -> list[str]:
        problems = []
        for name, (low, high) in _REAL_LIMITS.items():
            value = getattr(self, name)
            if value is None and name == "confidence":
                continue
            if value is None or not low <= value <= high:
                problems.append(
                    f"{name}={value} is outside the hard limits [{low:g}, {high:g}] of profile {self.profile}"
                )
        if 2 * self.k <= self.n:
            problems.append(f"k={self.k} of n={self.n}: profile {self.profile} needs a majority")
        if not self.advisory_stops:
            problems.append(f"advisory_stops=false: profile {self.profile} stops at unusual activity")
        if not self.need_all:
            problems.append(f"need_all=false: profile {self.profile} needs every channel it decodes")
        if not self.dead_man:
            problems.append(f"dead_man=false: profile {self.profile} needs a dead-man switch")
        missing = sorted(set(_PROFILES[self.profile]["scopes"]) - set(self.scopes))
        if missing:
            problems.append(f"scopes lacks {', '.join(missing)}: profile {self.profile} needs that consent")
        if self.quality == "synthetic":
            problems.append(f"quality='synthetic' is for the synthetic board, not for profile {self.profile}")
        return problems

    def confidence_for(self, n_classes: int) -> float:
        """Return the least probability for this many classes."""
        if self.confidence is not None:
            return self.confidence
        return 0.70 if n_classes <= 2 else 0.65 if n_classes == 3 else 0.60

    @property
    def own_scopes(self) -> tuple[Scope, ...]:
        """What the profile itself needs consent to."""
        return tuple(_PROFILES[self.profile]["scopes"])

    @property
    def real(self) -> bool:
        """True if something behind the gate can touch a person."""
        return self.profile in REAL_ACTUATORS
