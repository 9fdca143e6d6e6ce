"""The words everything shares: StreamInfo, Chunk, Health, Event, Decision, Clock, errors and units."""

from bcikit.signal.address import Address
from bcikit.signal.checks import check_channels, check_choice, check_int, check_range
from bcikit.signal.chunk import Chunk, concatenate
from bcikit.signal.clock import Clock, HostClock, SampleClock
from bcikit.signal.decision import Command, Decision, Verdict
from bcikit.signal.errors import (
    ArgumentError,
    BciError,
    ConfigError,
    DataError,
    MissingDependencyError,
    ModelError,
    PluginError,
    RecordingError,
    SafetyError,
    SourceError,
    StreamChangedError,
    StreamLostError,
    install_hint,
)
from bcikit.signal.event import Event, label_of, marks_bad
from bcikit.signal.health import DISCONTINUITY, Bad, Flag, Health
from bcikit.signal.info import CHANNEL_TYPES, Capabilities, StreamInfo
from bcikit.signal.notes import DoubtWarning, Note
from bcikit.signal.recording import Recording
from bcikit.signal.ring import Ring
from bcikit.signal.units import MICROVOLT, microvolts_per

__all__ = [
    "CHANNEL_TYPES",
    "DISCONTINUITY",
    "MICROVOLT",
    "Address",
    "ArgumentError",
    "Bad",
    "BciError",
    "Capabilities",
    "Chunk",
    "Clock",
    "Command",
    "ConfigError",
    "DataError",
    "Decision",
    "DoubtWarning",
    "Event",
    "Flag",
    "Health",
    "HostClock",
    "MissingDependencyError",
    "ModelError",
    "Note",
    "PluginError",
    "Recording",
    "RecordingError",
    "Ring",
    "SafetyError",
    "SampleClock",
    "SourceError",
    "StreamChangedError",
    "StreamInfo",
    "StreamLostError",
    "Verdict",
    "check_channels",
    "check_choice",
    "check_int",
    "check_range",
    "concatenate",
    "install_hint",
    "label_of",
    "marks_bad",
    "microvolts_per",
]


def __dir__() -> list[str]:
    return sorted(__all__)
