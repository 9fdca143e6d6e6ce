"""Crash-safe session files, exports, the catalogue, de-identification."""

from bcikit.recording.find import find_session
from bcikit.recording.recover import Recovery, recover
from bcikit.recording.session import ReadTrack, Session, read_session
from bcikit.recording.versions import installed_versions
from bcikit.recording.writer import SessionWriter

__all__ = [
    "ReadTrack",
    "Recovery",
    "Session",
    "SessionWriter",
    "find_session",
    "installed_versions",
    "read_session",
    "recover",
]
