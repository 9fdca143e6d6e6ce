"""The clinic window: from the patient to the report, with a mouse."""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.clinic.record import TrainingRecord
    from bcikit.clinic.start import Clinic
    from bcikit.clinic.visit import Visit
    from bcikit.clinic.window import ClinicWindow

_WHERE = {"Clinic": "start", "ClinicWindow": "window", "TrainingRecord": "record", "Visit": "visit"}

__all__ = ["Clinic", "ClinicWindow", "TrainingRecord", "Visit"]

__getattr__, __dir__ = face(__name__, _WHERE)
