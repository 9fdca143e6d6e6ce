"""Crash-safe session files, exports, the catalogue, de-identification."""

from typing import TYPE_CHECKING

from bcikit.face import face
from bcikit.recording.bids import BidsLabels, export_bids
from bcikit.recording.deidentify import Deidentifier
from bcikit.recording.edf import export_edf
from bcikit.recording.features import export_features
from bcikit.recording.fif import export_fif
from bcikit.recording.find import find_session
from bcikit.recording.importing import convert_file, import_file, import_recording, notes_of
from bcikit.recording.recorder import Recorded, record
from bcikit.recording.recover import Recovery, recover
from bcikit.recording.seal import is_sealed, seal, unseal
from bcikit.recording.session import ReadTrack, Session, read_session
from bcikit.recording.tables import export_decisions
from bcikit.recording.versions import installed_versions
from bcikit.recording.view import ExportView
from bcikit.recording.writer import SessionWriter

if TYPE_CHECKING:
    from bcikit.recording.catalogue import Catalogue
    from bcikit.recording.result import SessionResult, read_result, result_schema

__all__ = [
    "BidsLabels",
    "Catalogue",
    "Deidentifier",
    "ExportView",
    "ReadTrack",
    "Recorded",
    "Recovery",
    "Session",
    "SessionResult",
    "SessionWriter",
    "convert_file",
    "export_bids",
    "export_decisions",
    "export_edf",
    "export_features",
    "export_fif",
    "find_session",
    "import_file",
    "import_recording",
    "installed_versions",
    "is_sealed",
    "notes_of",
    "read_result",
    "read_session",
    "record",
    "recover",
    "result_schema",
    "seal",
    "unseal",
]

__getattr__, __dir__ = face(
    __name__, {"Catalogue": "catalogue", "SessionResult": "result", "read_result": "result", "result_schema": "result"}
)
