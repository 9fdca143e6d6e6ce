"""A Source gives chunks: BrainFlow, LSL, files, simulations, behind one contract and one address."""

from typing import TYPE_CHECKING

from bcikit.acquisition.registry import open_source
from bcikit.acquisition.source import Interactive, Source
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.watchdog import Pulse, Watchdog
from bcikit.face import face
from bcikit.signal.address import Address

if TYPE_CHECKING:
    from bcikit.acquisition.devices import Device, reachable_devices
    from bcikit.acquisition.driver import Block, DriverSource, Link
    from bcikit.acquisition.file import FileSource, read_address, read_recording, standard_names
    from bcikit.acquisition.formats import FileHints, Format
    from bcikit.acquisition.live import Reconnect
    from bcikit.acquisition.marked import MarkedSource
    from bcikit.acquisition.outlet import LslOutlet, LslTextOutlet
    from bcikit.acquisition.player import Player
    from bcikit.acquisition.synchronised import SynchronisedSource
    from bcikit.acquisition.text_inlet import LslTextInlet
    from bcikit.acquisition.trust import TimeTrust

_WHERE = {
    "Block": "driver",
    "DriverSource": "driver",
    "Link": "driver",
    "Reconnect": "live",
    "Device": "devices",
    "FileSource": "file",
    "Format": "formats",
    "LslOutlet": "outlet",
    "LslTextInlet": "text_inlet",
    "LslTextOutlet": "outlet",
    "MarkedSource": "marked",
    "Player": "player",
    "FileHints": "formats",
    "SynchronisedSource": "synchronised",
    "TimeTrust": "trust",
    "reachable_devices": "devices",
    "read_address": "file",
    "read_recording": "file",
    "standard_names": "file",
}

__all__ = [
    "Address",
    "Block",
    "Device",
    "DriverSource",
    "FileHints",
    "FileSource",
    "Format",
    "Interactive",
    "Link",
    "LslOutlet",
    "LslTextInlet",
    "LslTextOutlet",
    "MarkedSource",
    "Player",
    "Pulse",
    "Reconnect",
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

__getattr__, __dir__ = face(__name__, _WHERE)
