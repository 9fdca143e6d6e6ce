"""What a paradigm says of itself before it begins: how long, how many trials, what dose, and what may be changed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcikit.signal import StreamInfo

if TYPE_CHECKING:
    from bcikit.paradigms.base import Paradigm

LONGEST = 4 * 3600.0
"""Seconds after which a paradigm without an end is taken to have none."""

STILL = ("break", "baseline", "instructions", "practice")
"""Kinds of blocks in which the gate is shut: nothing is armed in them."""

_RATE = 1000.0
"""Samples a second that it is run through at: more than any screen has frames, of which codes have one a bit."""
_NAMES = (
    ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC5", "FC1", "FC2", "FC6", "T7", "C3", "Cz", "C4", "T8"),
    ("CP5", "CP1", "CP2", "CP6", "P7", "P3", "Pz", "P4", "P8", "PO3", "POz", "PO4", "O1", "Oz", "O2"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustable:
    """One number that whoever runs a session may change, and how far.

    Attributes
    ----------
    key : str
        Setting of the paradigm; "assist.seconds" is in its table "assist", "gate.confidence" in that of the gate.
    low, high, step : float
        What is allowed.
    unit : str
        "s", "mA", ...; "" for counts and shares.
    """

    key: str
    low: float
    high: float
    step: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a session of a paradigm comes to, if every trial lasts as long as it can.

    Attributes
    ----------
    seconds : float or None
        Length; None where it goes on until somebody ends it, or begins with events from outside.
    calibration_trials, trials : int
        Trials that the decoder learns from, and those of the training.
    calibration_seconds : float
        Of `seconds`, what the calibration takes.
    dose_seconds : float
        Longest time that something can assist, if it does in every trial of a movement.
    armed_seconds, run_seconds : float
        Time in which something may move, without calibration and pauses: in all, and that of the longest run.
    """

    seconds: float | None
    calibration_trials: int = 0
    trials: int = 0
    calibration_seconds: float = 0.0
    dose_seconds: float = 0.0
    armed_seconds: float = 0.0
    run_seconds: float = 0.0

    @property
    def minutes(self) -> float | None:
        """Length in minutes."""
        return None if self.seconds is None else self.seconds / 60.0


def outline(paradigm: "Paradigm", *, seed: int = 0) -> Outline:
    """Return what a paradigm comes to: its own timeline is run through without any decision.

    Parameters
    ----------
    paradigm : Paradigm
        Configured or not; a copy of it is run, nothing of it changes.
    seed : int
        Pauses are random: the length is that of this seed.
    """
    copy = type(paradigm)(paradigm.settings, name=paradigm.name, defaults=paradigm.defaults)
    if copy.open_ended or getattr(copy, "outside", False):
        return Outline(seconds=None)
    names = tuple(dict.fromkeys((*_NAMES[0], *_NAMES[1], *_wanted(paradigm))))
    copy.configure(StreamInfo(name="outline", sfreq=_RATE, ch_names=names), seed=seed)
    copy.start(0, 0.0)
    return _run(copy, float(getattr(getattr(copy.settings, "assist", None), "seconds", 0.0)))


def _run(copy: "Paradigm", help_seconds: float) -> Outline:
    counts = {"calibration": 0, "feedback": 0}
    ends = {"calibration": 0.0}
    runs = [0.0]
    begun = 0.0
    helped = 0
    idle = getattr(copy.settings, "idle", None)
    # Where only what was decided counts, nothing decided would never end.
    most = getattr(copy.settings, "max_selections", None)
    sample, last = 0, 0.0
    while not copy.finished:
        following = copy.next_sample
        if following is None or following > LONGEST * _RATE:
            return Outline(seconds=None, calibration_trials=counts["calibration"], trials=counts["feedback"])
        sample = max(sample, following)
        for event in copy.advance(sample, sample / _RATE):
            last = max(last, event.time)
            if event.name == "trial/end" and not event.data.get("practice"):
                kind = str(event.data.get("kind", ""))
                counts[kind] = counts.get(kind, 0) + 1
                helped += kind == "feedback" and event.data.get("class") != idle
            elif event.name == "calibration/end":
                ends["calibration"] = event.time
            elif event.name == "block/start":
                begun = event.time
            elif event.name == "block/end" and event.data.get("kind") not in (*STILL, "calibration"):
                runs.append(event.time - begun)
        copy.windows_due(sample + 1)
        if most is not None and counts["feedback"] >= most:
            break
    return Outline(
        seconds=last,
        calibration_trials=counts["calibration"],
        trials=counts["feedback"],
        calibration_seconds=ends["calibration"],
        dose_seconds=helped * help_seconds,
        armed_seconds=sum(runs),
        run_seconds=max(runs),
    )


def _wanted(paradigm: "Paradigm") -> tuple[str, ...]:
    """Return channels that the settings name."""
    found: list[str] = []
    for key in ("channels", "channel", "reward_channels", "inhibit_channels"):
        value: Any = getattr(paradigm.settings, key, ())
        found += [value] if isinstance(value, str) and value else list(value) if isinstance(value, list | tuple) else []
    return tuple(found)


def setting(settings: Any, key: str) -> float | None:
    """Return the number behind a key such as "assist.seconds"; None where the settings have none."""
    for part in key.split("."):
        settings = getattr(settings, part, None)
    return float(settings) if isinstance(settings, int | float) and not isinstance(settings, bool) else None


def outline_of(name: str, settings: dict[str, Any]) -> Outline:
    """Return the outline of a shipped paradigm with some settings changed.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """
    from bcikit.paradigms.registry import make_paradigm

    return outline(make_paradigm({**settings, "base": name}))
