"""Monitors that warn early, a gate that fails closed, a guard that outlives everything.

Names are loaded when they are first used, so that the guard process gets by with the standard library.
"""

from typing import TYPE_CHECKING

from bcikit.face import face

if TYPE_CHECKING:
    from bcikit.safety.arming import ArmRequest
    from bcikit.safety.audit import AuditLog, verify_audit
    from bcikit.safety.consent import Consent, Screening
    from bcikit.safety.guard.client import GuardClient
    from bcikit.safety.levels import Alarm, Level, QualityLevel, Reading, Severity
    from bcikit.safety.machine import State, StateMachine
    from bcikit.safety.quality import QualityMonitor
    from bcikit.safety.settings import GateSettings
    from bcikit.safety.stream import StreamMonitor
    from bcikit.safety.system import SafetySystem

_WHERE = {
    "Alarm": "levels",
    "ArmRequest": "arming",
    "AuditLog": "audit",
    "Consent": "consent",
    "GateSettings": "settings",
    "GuardClient": "guard.client",
    "Level": "levels",
    "QualityLevel": "levels",
    "QualityMonitor": "quality",
    "Reading": "levels",
    "SafetySystem": "system",
    "Screening": "consent",
    "Severity": "levels",
    "State": "machine",
    "StateMachine": "machine",
    "StreamMonitor": "stream",
    "verify_audit": "audit",
}

__all__ = [
    "Alarm",
    "ArmRequest",
    "AuditLog",
    "Consent",
    "GateSettings",
    "GuardClient",
    "Level",
    "QualityLevel",
    "QualityMonitor",
    "Reading",
    "SafetySystem",
    "Screening",
    "Severity",
    "State",
    "StateMachine",
    "StreamMonitor",
    "verify_audit",
]

__getattr__, __dir__ = face(__name__, _WHERE)
