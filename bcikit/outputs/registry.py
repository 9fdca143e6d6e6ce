"""Opens an output by its address, the same words in the API, on the command line and in files."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from bcikit.outputs.base import Output
from bcikit.signal import ArgumentError, check_choice

_HERE = "bcikit.outputs"

SCHEMES = {
    "guard": (f"{_HERE}.guard:GuardOutput", "driver", ("driver", "dead_man", "log")),
    "hand": (f"{_HERE}.hand:HandOutput", "", ("rate",)),
    "lsl": (f"{_HERE}.lsl:LslOutput", "name", ("name", "source_id")),
    "osc": (f"{_HERE}.osc:OscOutput", "host:port", ("host", "port")),
    "serial": (f"{_HERE}.serial:SerialOutput", "port", ("port", "baudrate")),
    "udp": (f"{_HERE}.udp:UdpOutput", "host:port", ("host", "port")),
    "ws": (f"{_HERE}.websocket:WebSocketOutput", "host:port", ("host", "port", "token")),
}
"""Scheme: class, what the body means, options."""

_NUMBERS: dict[str, Callable[[str], Any]] = {"rate": float, "baudrate": int, "dead_man": lambda text: bool(int(text))}


def output_schemes() -> tuple[str, ...]:
    """Return the schemes of outputs."""
    return tuple(sorted(SCHEMES))


def open_output(address: str) -> Output:
    """Open an output.

    Parameters
    ----------
    address : str
        ``hand:``, ``lsl:NAME``, ``udp:HOST:PORT``, ``osc:HOST:PORT``, ``ws:HOST:PORT?token=...``,
        ``serial:/dev/ttyUSB0?baudrate=115200``, ``guard:...``; options follow a question mark as in addresses of
        sources.

    Raises
    ------
    ArgumentError
        If the scheme, an option or a value is not allowed.
    """
    scheme, _, rest = address.partition(":")
    check_choice("scheme of an output", scheme, SCHEMES)
    place, body_means, allowed = SCHEMES[scheme]
    body, _, query = rest.partition("?")
    options = _options(address, body, body_means, query)
    for key in options:
        check_choice(f"option of {scheme}:", key, allowed)
    values: dict[str, Any] = {}
    for key, text in options.items():
        # A port is a number on a network and a name on a serial line.
        convert = int if key == "port" and scheme != "serial" else _NUMBERS.get(key, str)
        try:
            values[key] = convert(text)
        except ValueError:
            raise ArgumentError(f"{address!r}: {key} is {text!r}; it must be a number.") from None
    module, _, name = place.partition(":")
    output: Output = getattr(import_module(module), name)(**values)
    return output


def _options(address: str, body: str, means: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    if body and not means:
        raise ArgumentError(f"{address!r}: nothing may stand after the colon but options, as in '?key=value'.")
    if body and means == "host:port":
        host, _, port = body.rpartition(":")
        options |= {"host": host, "port": port} if host else {"port": port} if port.isdigit() else {"host": port}
    elif body:
        options[means] = body
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ArgumentError(f"{address!r}: the options {query!r} must be like 'key=value&key=value'.")
        options[key] = value
    return options
