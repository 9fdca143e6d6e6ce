"""A Source gives chunks: BrainFlow, LSL, files, simulations, behind one contract and one address."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bcikit.acquisition.registry import open_source
from bcikit.acquisition.source import Interactive, Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse, Watchdog
from bcikit.signal.address import Address

if TYPE_CHECKING:
    from bcikit.acquisition.devices import Device, reachable_devices
    from bcikit.acquisition.file import FileSource, read_address, read_recording, standard_names
    from bcikit.acquisition.formats import Format, Reading
    from bcikit.acquisition.marked import MarkedSource
    from bcikit.acquisition.outlet import LslOutlet, LslTextOutlet
    from bcikit.acquisition.player import Player
    from bcikit.acquisition.synchronised import SynchronisedSource
    from bcikit.acquisition.text_inlet import LslTextInlet
    from bcikit.acquisition.trust import TimeTrust

_WHERE = {
    "Device": "devices",
    "FileSource": "file",
    "Format": "formats",
    "LslOutlet": "outlet",
    "LslTextInlet": "text_inlet",
    "LslTextOutlet": "outlet",
    "MarkedSource": "marked",
    "Player": "player",
    "Reading": "formats",
    "SynchronisedSource": "synchronised",
    "TimeTrust": "trust",
    "reachable_devices": "devices",
    "read_address": "file",
    "read_recording": "file",
    "standard_names": "file",
}

__all__ = [
    "Address",
    "Device",
    "FileSource",
    "Format",
    "Interactive",
    "LslOutlet",
    "LslTextInlet",
    "LslTextOutlet",
    "MarkedSource",
    "Player",
    "Pulse",
    "Reading",
    "Source",
    "StreamStatus",
    "SynchronisedSource",
    "TimeTrust",
    "Watchdog",
    "open_source",
    "reachable_devices",
    "read_address",
    "read_recording",
    "standard_names",
]


def __getattr__(name: str) -> Any:
    """Load what needs a driver or a file format when it is first used."""
    if name not in _WHERE:
        raise AttributeError(f"module 'bcikit.acquisition' has no attribute {name!r}")
    value = getattr(import_module(f"bcikit.acquisition.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
