"""Where one was: kept on disk after every step, so that a crash, a closed lid or a pulled cable leads back to it."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

STEPS = ("patient", "consent", "device", "electrodes", "protocol", "calibration", "session", "report")
"""The steps of a session, in order."""


@dataclass
class ClinicState:
    """Everything the clinic window must know to go on.

    Attributes
    ----------
    step : str
        One of `STEPS`.
    operator, subject : str
        Pseudonymous codes.
    consent, screening : dict
        Records of the safety room.
    device : str
        Address of the source.
    protocol : str
        Name of a shipped paradigm.
    settings : dict
        Settings that replace those of the paradigm.
    model : str
        Model file that decides.
    calibrations, parts : list of str
        Session folders of calibrations and of the parts of the session; what was cut off goes on in a new part.
    notes : list of str
        Of the therapist.
    running : str
        Handshake file of the engine that runs; "" if none does.
    running_step : str
        Step that started it: "calibration" or "session".
    patient_shown : bool
        Whether the patient's window was open.
    reopened : int
        How often the window came back to a training that ran without it.
    """

    step: str = "patient"
    operator: str = ""
    subject: str = ""
    consent: dict[str, Any] = field(default_factory=dict)
    screening: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    electrodes_ok: bool = False
    protocol: str = "motor-imagery"
    settings: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    calibrations: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    running: str = ""
    running_step: str = ""
    patient_shown: bool = False
    reopened: int = 0

    @property
    def under_way(self) -> bool:
        """True if there is something to go back to."""
        return bool(self.subject) and self.step != "patient"

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for this user's eyes only."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        with draft.open("w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what was saved; a new state where nothing was, or where it cannot be read."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        known = {entry.name for entry in fields(cls)}
        if not isinstance(values, dict) or values.get("step") not in STEPS:
            return cls()
        return cls(**{key: value for key, value in values.items() if key in known})
