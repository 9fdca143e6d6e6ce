"""Opens a source by its address; other packages add schemes by an entry point."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points

from bcikit.acquisition.address import Address
from bcikit.acquisition.source import Source
from bcikit.signal import check_choice

ENTRY_POINT_GROUP = "bcikit.sources"
"""Each entry point is ``scheme = "module:function"``; the function takes an `Address` and returns a `Source`."""

Opener = Callable[[Address], Source]


@cache
def schemes() -> tuple[str, ...]:
    """Return the schemes that are installed, in alphabetical order."""
    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)}))


def open_source(address: str | Address) -> Source:
    """Open a source: connect, so that its `info` is known, but do not start it yet.

    Parameters
    ----------
    address : str or Address
        ``brainflow:synthetic``, ``brainflow:cyton?serial_port=/dev/ttyUSB0``, ``lsl:name=EEG``,
        ``lsl:source_id=abc``, ``file:recording.edf``, ``sim:motor-imagery?seed=1``, ``dut:gain=1.02``.

    Returns
    -------
    Source
        Start it with ``with`` or with `Source.start`.

    Raises
    ------
    ArgumentError
        If the scheme, or an option, is unknown.
    SourceError
        If the device, stream or file cannot be opened.
    """
    parsed = Address.parse(address) if isinstance(address, str) else address
    check_choice("scheme", parsed.scheme, schemes())
    point = next(iter(entry_points(group=ENTRY_POINT_GROUP, name=parsed.scheme)))
    opener: Opener = point.load()
    return opener(parsed)
