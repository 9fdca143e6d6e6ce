"""What is reachable now: LSL streams, serial ports, boards that need no port."""

from dataclasses import dataclass
from pathlib import Path

from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.lsl_meta import channel_type
from bcikit.acquisition.lsl_resolve import tell_apart
from bcikit.plugins import plugins
from bcikit.signal.address import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Something a source could be opened on.

    Attributes
    ----------
    address : str
        What `open_source` takes.
    what : str
        "LSL stream", "serial port", "simulated board".
    detail : str
        Channels, rate, host; or what the port says of itself.
    content : str
        LSL's type of the stream ("EEG", "Markers"); "" where nothing says it before it is opened.
    n_channels : int
        Channels; 0 where that is not known before it is opened.
    sfreq : float
        Nominal rate in Hz; 0 where it is irregular or not known.
    """

    address: str
    what: str
    detail: str
    content: str = ""
    n_channels: int = 0
    sfreq: float = 0.0


def reachable_devices(*, wait: float = 1.0) -> list[Device]:
    """Return the LSL streams on the network, the serial ports, the synthetic board, and what plug-ins find.

    A source of another package is asked where the object behind its entry point has an attribute ``discover``: a
    function that takes the seconds it may wait and returns a list of `Device`.

    Parameters
    ----------
    wait : float
        Seconds to listen for LSL streams.
    """
    return [*_lsl_streams(wait), *_serial_ports(), *_simulated(), *_of_plugins(wait)]


def _lsl_streams(wait: float) -> list[Device]:
    pylsl = lsl()

    found = []
    streams = sorted(pylsl.resolve_streams(wait), key=lambda item: (item.name(), item.hostname(), item.uid()))
    for stream, apart in zip(streams, tell_apart(streams), strict=True):
        rate = stream.nominal_srate()
        pace = f"{rate:g} Hz" if rate else "irregular"
        text = stream.channel_format() == 3
        markers = text or (not rate and channel_type("", stream.type()) == "stim")
        if not rate and not markers:
            pace = "no rate stated: behind the address, '&sfreq=HZ'"
        found.append(
            Device(
                address=str(Address("lsl", "", apart)),
                what="LSL markers" if markers else "LSL stream",
                detail=", ".join(
                    (stream.name(), stream.type(), f"{stream.channel_count()} channels", pace, stream.hostname())
                ),
                content="" if text else stream.type(),
                n_channels=stream.channel_count(),
                sfreq=rate,
            )
        )
    return found


def _serial_ports() -> list[Device]:
    """Return the serial ports; pyserial tells more of each, where it is installed."""
    try:
        from serial.tools import list_ports
    except ImportError:
        paths = [p for pattern in ("ttyUSB*", "ttyACM*", "cu.usb*") for p in sorted(Path("/dev").glob(pattern))]
        return [_port(str(path), "") for path in paths]
    return [
        _port(str(port.device), " ".join(part for part in (port.manufacturer, port.product) if part))
        for port in list_ports.comports()
        if port.vid is not None
    ]


def _port(path: str, said: str) -> Device:
    # The dongle of OpenBCI's Cyton is an FTDI chip; nothing else about a port tells what hangs on it.
    board = "cyton" if "ftdi" in said.lower() else "BOARD"
    return Device(address=f"brainflow:{board}?serial_port={path}", what="serial port", detail=said or "unknown device")


def _simulated() -> list[Device]:
    from importlib.util import find_spec

    if find_spec("brainflow") is None:
        return []
    return [
        Device(
            address="brainflow:synthetic",
            what="simulated board",
            detail="16 channels, 250 Hz; sines, not EEG, for trying out",
        )
    ]


def _of_plugins(wait: float) -> list[Device]:
    """Return what sources of other packages find; one that fails is a row that says why."""
    found: list[Device] = []
    for plugin in plugins("sources"):
        if plugin.shipped:
            continue
        try:
            discover = getattr(plugin.load(), "discover", None)
            found += [] if discover is None else list(discover(wait))
        except Exception as error:  # noqa: BLE001 - a stranger's code; the others are listed all the same
            found.append(Device(address=f"{plugin.name}:", what="cannot be asked", detail=f"{plugin.package}: {error}"))
    return found
