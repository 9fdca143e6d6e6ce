"""What is known of a training, kept beside it: so that its report can be made again at any later day."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from bcikit.clinic.headsets import DeviceTest
from bcikit.clinic.moved import here
from bcikit.clinic.visit import Visit
from bcikit.recording import installed_versions
from bcikit.signal import DataError
from bcikit.signal.disk import write_whole
from bcikit.signal.documents import read_json
from bcikit.signal.rebuild import known_fields, rebuild

NAME = "training.json"
"""File in the folder of each part."""

NAMED = re.compile(r"(.+)-\d{8}-\d{6}-(calibration|session)(?:-\d+)?")
"""What a session folder is called: code, day and time, and what was done."""


@dataclass
class TrainingRecord:
    """A training as its report needs it.

    Attributes
    ----------
    subject, operator : str
        Codes.
    recorded_as : str
        Code under which it was recorded, where that was corrected since; else "".
    started : str
        When the visit began, ISO 8601 with the zone.
    simulated : bool
        True where no person was there.
    birth_year : int or None
        Year of birth.
    affected_side, hand : str
        Affected side, and the hand that was trained; "" where none was.
    device, serial : str
        What measured, and what tells it from others of its kind.
    battery : float or None
        Charge at the test, per cent.
    electrodes : dict
        Electrode to its level when the page said "Go".
    trial : dict
        Trial, number and, where it was unblinded, who did it; empty outside a trial.
    protocol : str
        Name of the paradigm.
    settings : dict
        What was chosen.
    model : str
        Where the model came from.
    current : dict
        Comfortable current, who found it, when.
    idle : dict
        Idle test.
    stop_tested : bool
        Whether the stop key was tested.
    first_movement : str
        When the first movement of the visit was.
    parts, calibrations : list of str
        Session folders.
    notes : list of str
        Of the therapist.
    reopened : int
        How often the window came back.
    scopes : list of str
        What the patient agreed to.
    software : str
        Name and version.
    """

    subject: str = ""
    operator: str = ""
    started: str = ""
    simulated: bool = False
    birth_year: int | None = None
    affected_side: str = ""
    hand: str = ""
    device: str = ""
    serial: str = ""
    battery: float | None = None
    electrodes: dict[str, str] = field(default_factory=dict)
    trial: dict[str, Any] = field(default_factory=dict)
    protocol: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    current: dict[str, Any] = field(default_factory=dict)
    idle: dict[str, Any] = field(default_factory=dict)
    stop_tested: bool = False
    first_movement: str = ""
    parts: list[str] = field(default_factory=list)
    calibrations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reopened: int = 0
    scopes: list[str] = field(default_factory=list)
    software: str = ""
    recorded_as: str = ""

    @classmethod
    def of_visit(cls, visit: Visit) -> Self:
        """Return the record of a visit as it stands."""
        values = visit.tests.get(visit.device)
        test = DeviceTest.from_dict(values) if values else None
        classes = visit.settings.get("classes", [])
        hand = str(visit.settings.get("movement", "")) or ", ".join(str(name) for name in classes)
        return cls(
            subject=visit.subject,
            operator=visit.operator,
            started=visit.started,
            simulated=visit.simulated,
            birth_year=visit.birth_year,
            affected_side=visit.affected_side,
            hand=hand,
            device=test.name if test else visit.device,
            serial=test.serial if test else visit.device,
            battery=test.battery if test else None,
            electrodes=dict(visit.electrodes),
            trial={key: value for key, value in visit.trial.items() if key in ("trial", "number", "unblinded")},
            protocol=visit.protocol,
            settings=dict(visit.settings),
            model=visit.model_note,
            current=dict(visit.current),
            idle=dict(visit.idle_now),
            stop_tested=visit.stop_tested,
            first_movement=visit.first_movement,
            parts=list(visit.parts),
            calibrations=list(visit.calibrations),
            notes=list(visit.notes),
            reopened=visit.reopened,
            scopes=list(visit.consent.get("scopes", ())),
            software=f"bcikit {installed_versions().get('bcikit', '')}",
        )

    def save(self) -> None:
        """Write it beside each part that is there; what was agreed to stays where the visit does not know it."""
        if not self.scopes and self.parts:
            self.scopes = self.load(Path(self.parts[0])).scopes
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        for folder in map(Path, self.parts):
            if folder.is_dir():
                write_whole(folder / NAME, text.encode())

    @classmethod
    def load(cls, folder: Path, *, subject: str = "", protocol: str = "") -> Self:
        """Return the record beside a part; what is known of an older one that has none.

        The catalogue says whose it is (`subject`): a code may have been corrected since, or two entries joined.
        """
        try:
            values = read_json(folder / NAME)
            if isinstance(values, dict):
                record = rebuild(cls, known_fields(cls, values))
                # The folders may have been moved since, all together.
                record.parts = [here(part, folder.parent) for part in record.parts]
                if subject and not record.simulated and subject != record.subject:
                    record.subject, record.recorded_as = subject, record.recorded_as or record.subject
                return record
        except (OSError, ValueError, DataError):
            pass
        return cls(subject=subject, protocol=protocol, parts=[str(folder)])
