"""A visit: everything the window knows of the patient in front of it, made for one patient and gone with the visit.

It is kept on disk after every step, so that a crash, a closed lid or a pulled cable leads back to where one was.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

from bcikit.paradigms import make_paradigm
from bcikit.signal import DataError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.rebuild import known_fields, rebuild

STEPS = ("patient", "consent", "device", "electrodes", "protocol", "calibration", "session", "report")
"""The steps of a visit, in order."""

LONGEST = timedelta(hours=12)
"""A visit that is older is of another day: sleep, alcohol, skin and the tests of that day say nothing of this one."""


@cache
def _own_threshold(protocol: str) -> float | None:
    threshold = getattr(make_paradigm(protocol).settings, "threshold", None)
    return None if threshold is None else float(threshold)


@dataclass
class Training:
    """What belongs to one training, as a visit keeps it while another one is chosen.

    Attributes
    ----------
    calibrations, parts, notes : list of str
    first_movement : str
    reopened : int
        As in `Visit`.
    """

    calibrations: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first_movement: str = ""
    reopened: int = 0


@dataclass
class Visit:
    """Everything that belongs to one patient on one day.

    Pages show this object and keep nothing beside it; another patient is another object with other pages.

    Attributes
    ----------
    subject : str
        Pseudonymous code; "" before a patient was chosen and confirmed.
    step : str
        One of `STEPS`.
    operator : str
        Code of the therapist.
    started, confirmed : str
        When the patient came, and when it was confirmed who it is; ISO 8601 with the time zone.
    simulated : bool
        True for the simulated patient: no person is in front of the window.
    birth_year : int or None
        Year of birth.
    affected_side : str
        "", "left", "right" or "both".
    consent, screening : dict
        Records of the safety room.
    tests : dict
        Address of a device to what its test found in this visit.
    device : str
        Address of the device that was tested and chosen.
    stop_box : str
        Address of the stop box; "" where there is none.
    electrodes : dict
        Electrode to its level when the page said "Go"; empty while it did not.
    electrodes_for : str
        Device that was measured for that.
    protocol : str
        Name of a paradigm.
    settings : dict
        Settings that replace those of the paradigm.
    difficulty : float
        Threshold that the therapist set during the training; 0 where it is that of `settings`.
    current : dict
        The patient's own current: what was felt, what was comfortable, and who tried it.
    trial : dict
        Allocation in a controlled trial, sealed; empty outside one.
    orthosis : str
        Driver and port of the device that moves the hand; "" for the picture of a hand.
    model : str
        Model file that decides.
    model_note : str
        Where the model comes from, for people.
    recentre : bool
        True where the model is of another day and is to be centred on today's rest.
    verdict : dict
        `CalibrationVerdict` on the model, where it was learned in this visit; else empty.
    calibrations, parts : list of str
        Session folders of calibrations and of the parts of the training; what was cut off goes on in a new part.
    notes : list of str
        Of the therapist.
    idle : dict
        Idle test of this visit: ``activations``, ``seconds`` and ``of``, what was tested; empty before.
    stop_tested : bool
        Whether the stop key was pressed and stopped the engine in this visit.
    first_movement : str
        When the first assisted movement of this visit was; "" before.
    running : str
        Handshake file of the engine that runs; "" if none does.
    running_step : str
        Step that started it: "calibration" or "session".
    patient_shown : bool
        Whether the patient's window was open.
    reopened : int
        How often the window came back to a training that ran without it.
    others : dict
        What is trained (`trained`) to its training in this visit, for what is not chosen now.
    """

    subject: str = ""
    step: str = "patient"
    operator: str = ""
    started: str = ""
    confirmed: str = ""
    simulated: bool = False
    birth_year: int | None = None
    affected_side: str = ""
    consent: dict[str, Any] = field(default_factory=dict)
    screening: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    stop_box: str = ""
    electrodes: dict[str, str] = field(default_factory=dict)
    electrodes_for: str = ""
    protocol: str = "motor-imagery"
    settings: dict[str, Any] = field(default_factory=dict)
    difficulty: float = 0.0
    current: dict[str, Any] = field(default_factory=dict)
    trial: dict[str, Any] = field(default_factory=dict)
    orthosis: str = ""
    model: str = ""
    model_note: str = ""
    recentre: bool = False
    verdict: dict[str, Any] = field(default_factory=dict)
    calibrations: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    idle: dict[str, Any] = field(default_factory=dict)
    stop_tested: bool = False
    first_movement: str = ""
    running: str = ""
    running_step: str = ""
    patient_shown: bool = False
    reopened: int = 0
    others: dict[str, Training] = field(default_factory=dict)

    @property
    def under_way(self) -> bool:
        """True if a visit was left in the middle."""
        return bool(self.subject) and self.step != "patient"

    @property
    def outdated(self) -> bool:
        """True if it began longer ago than a working day: what ages was asked and tested then, not now."""
        try:
            began = datetime.fromisoformat(self.started)
        except ValueError:
            return False
        return datetime.now().astimezone() - began.astimezone() > LONGEST

    @property
    def recorded(self) -> bool:
        """True if something was measured in this visit."""
        return bool(self.calibrations or self.parts or self.running or self.others)

    @property
    def decides(self) -> str:
        """What decides over movements now: an idle test speaks of this device and model and of no other."""
        kept = ("threshold", "movement", "classes", "gate.")
        chosen = {key: value for key, value in self.settings.items() if key.startswith(kept)}
        threshold = self.difficulty or chosen.get("threshold") or _own_threshold(self.protocol)
        return json.dumps([self.device, self.protocol, self.model, {**chosen, "threshold": threshold}], sort_keys=True)

    @property
    def idle_now(self) -> dict[str, Any]:
        """The idle test, where it speaks of what decides now, or of what moved as easily or more so; else empty."""
        *now, chosen = json.loads(self.decides)
        threshold = float(chosen.pop("threshold") or 0.0)
        try:
            *then, tested = json.loads(self.idle["of"])
            easiest = float(tested.pop("threshold") or 0.0)
        except (KeyError, TypeError, ValueError, AttributeError):
            return {}
        return self.idle if [*now, chosen] == [*then, tested] and threshold >= easiest else {}

    @property
    def trained(self) -> str:
        """What is trained: with another protocol or other movements it is another training."""
        classes = self.settings.get("classes", ())
        return " ".join([self.protocol, *map(str, classes), str(self.settings.get("movement", ""))]).strip()

    def take_model(self, path: str, *, note: str = "") -> None:
        """Let another model decide, or none; `note` says where one of another day comes from."""
        self.model, self.model_note, self.recentre = path, note, bool(note)
        self.verdict = {}

    def change_training(self, before: str) -> None:
        """Put aside the training of what was trained `before`, and take up that of what is trained now, if any."""
        found = self.others.pop(self.trained, Training())
        left = Training()
        for one in fields(Training):
            setattr(left, one.name, getattr(self, one.name))
            setattr(self, one.name, getattr(found, one.name))
        if left != Training():
            self.others[before] = left

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for this user's eyes only."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(self), indent=1).encode(), private=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what was saved; a new visit where nothing was, or where it cannot be read."""
        return cls.read(path) or cls()

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what was saved; None where nothing was, or where it cannot be read."""
        try:
            values = read_json(path)
        except (OSError, ValueError):
            return None
        if not isinstance(values, dict) or values.get("step") not in STEPS:
            return None
        try:
            return rebuild(cls, known_fields(cls, values))
        except DataError:
            return None
