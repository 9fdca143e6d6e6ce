"""The words everything shares: StreamInfo, Chunk, Health, Event, Decision, Clock, errors and units.

A word is loaded when it is first used: errors and addresses need no numpy.
"""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.signal.address import Address
    from bcikit.signal.checks import check_channels, check_choice, check_int, check_range
    from bcikit.signal.chunk import Chunk, concatenate
    from bcikit.signal.clock import HostClock
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
        StreamEndedError,
        StreamLostError,
        install_hint,
    )
    from bcikit.signal.event import Event, label_of, marks_bad
    from bcikit.signal.health import DISCONTINUITY, Bad, Flag, Health
    from bcikit.signal.info import CHANNEL_TYPES, Capabilities, StreamInfo
    from bcikit.signal.notes import DoubtWarning, Note, gathered_doubts
    from bcikit.signal.recording import Recording
    from bcikit.signal.ring import Ring
    from bcikit.signal.units import MICROVOLT, is_other, is_voltage, microvolts_per

_WHERE = {
    "Address": "address",
    "ArgumentError": "errors",
    "Bad": "health",
    "BciError": "errors",
    "CHANNEL_TYPES": "info",
    "Capabilities": "info",
    "Chunk": "chunk",
    "Command": "decision",
    "ConfigError": "errors",
    "DISCONTINUITY": "health",
    "DataError": "errors",
    "Decision": "decision",
    "DoubtWarning": "notes",
    "gathered_doubts": "notes",
    "Event": "event",
    "Flag": "health",
    "Health": "health",
    "HostClock": "clock",
    "MICROVOLT": "units",
    "MissingDependencyError": "errors",
    "ModelError": "errors",
    "Note": "notes",
    "PluginError": "errors",
    "Recording": "recording",
    "RecordingError": "errors",
    "Ring": "ring",
    "SafetyError": "errors",
    "SourceError": "errors",
    "StreamChangedError": "errors",
    "StreamInfo": "info",
    "StreamEndedError": "errors",
    "StreamLostError": "errors",
    "Verdict": "decision",
    "check_channels": "checks",
    "check_choice": "checks",
    "check_int": "checks",
    "check_range": "checks",
    "concatenate": "chunk",
    "install_hint": "errors",
    "is_other": "units",
    "is_voltage": "units",
    "label_of": "event",
    "marks_bad": "event",
    "microvolts_per": "units",
}

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
    "SourceError",
    "StreamChangedError",
    "StreamEndedError",
    "StreamInfo",
    "StreamLostError",
    "Verdict",
    "check_channels",
    "check_choice",
    "check_int",
    "check_range",
    "concatenate",
    "gathered_doubts",
    "install_hint",
    "is_other",
    "is_voltage",
    "label_of",
    "marks_bad",
    "microvolts_per",
]

__getattr__, __dir__ = face(__name__, _WHERE)
