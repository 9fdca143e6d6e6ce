"""Opens an output by its address, the same words in the API, on the command line and in files."""

from bcikit import plugins
from bcikit.outputs.base import Output
from bcikit.signal import Address, PluginError


def output_class(scheme: str) -> type[Output]:
    """Return the class behind a scheme.

    Raises
    ------
    ArgumentError
        If no output has this scheme; the message says which are near.
    PluginError
        If the output of another package cannot be loaded, or is none.
    """
    found = plugins.load("outputs", scheme)
    if not (isinstance(found, type) and issubclass(found, Output)):
        package = plugins.find("outputs", scheme).package
        raise PluginError(f"the output {scheme!r} of {package} is no class of Output: {found!r}.")
    return found


def open_output(address: str | Address) -> Output:
    """Open an output.

    Parameters
    ----------
    address : str or Address
        ``hand:``, ``lsl:NAME``, ``udp:HOST:PORT``, ``osc:HOST:PORT``, ``ws:HOST:PORT?token=...``,
        ``serial:/dev/ttyUSB0?baudrate=115200``, ``guard:...``; options follow a question mark as in addresses of
        sources.

    Raises
    ------
    ArgumentError
        If the scheme, an option or a value is not allowed.
    """
    parsed = Address.parse(address) if isinstance(address, str) else address
    parsed.check_whole()
    return output_class(parsed.scheme).from_address(parsed)
