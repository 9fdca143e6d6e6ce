"""Opens a source by its address; other packages add schemes by an entry point of the group ``bcikit.sources``.

The entry point is a function that takes an `Address` and returns a `Source`. Its attribute ``paths``, where it has one,
names the options that are paths ("body" for what stands before the question mark), and ``addresses`` those that are
addresses of sources: in a session file, relative paths count from its folder.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bcikit import plugins
from bcikit.acquisition.source import Source
from bcikit.signal.address import Address
from bcikit.signal.errors import ArgumentError

if TYPE_CHECKING:
    from bcikit.acquisition.profile import TriggerProfile

MARKER_OPTIONS = ("markers", "grammar", "trigger", "trigger_mask", "debounce")
"""Options that every scheme takes; see `open_source`."""

JOIN_OPTION = "join"
"""The address of a second device, whose channels are brought onto the grid of the first; see `SynchronisedSource`."""

Opener = Callable[[Address], Source]


def open_source(address: str | Address) -> Source:
    """Open a source: connect, so that its `info` is known, but do not start it yet.

    Parameters
    ----------
    address : str or Address
        ``brainflow:synthetic``, ``brainflow:cyton?serial_port=/dev/ttyUSB0``, ``lsl:name=EEG``,
        ``lsl:source_id=abc``, ``file:recording.edf``, ``sim:motor-imagery?seed=1``, ``dut:gain=1.02``.
        Every scheme takes these options, too: ``markers`` (names of LSL marker streams, with commas between, placed
        on the samples), ``grammar`` ("auto", "plain", "unity": what their texts mean), ``trigger`` (a channel that
        carries hardware triggers) with ``debounce`` (seconds a level must hold) and ``trigger_mask`` (its bits), and
        ``join`` (the address of a second device, an "&" in it written "%26": its channels on the grid of the first).

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
    parsed.check_whole()
    opener: Opener = plugins.load("sources", parsed.scheme)
    plain = _for_opener(parsed)
    source = first = opener(plain)
    try:
        profile = getattr(source, "trigger", None)
        if JOIN_OPTION in parsed.options:
            source = _joined(source, plain, parsed.options[JOIN_OPTION], parsed.options.get("trigger"))
        if profile is None and not any(key in parsed.options for key in MARKER_OPTIONS):
            return source
        return _marked(source, parsed, profile, first=first, masked="trigger_mask" in plain.options)
    except BaseException:
        source.close()
        raise


def _for_opener(address: Address) -> Address:
    """Return the address without what is done here; a mask goes to the reader of a file that reads codes itself."""
    plain = address
    for key in (*MARKER_OPTIONS, JOIN_OPTION):
        plain = plain.without_option(key)
    mask = address.options.get("trigger_mask")
    if mask is None or address.scheme != "file":
        return plain
    if "trigger" in address.options:
        from bcikit.acquisition.formats import format_of

        path = Path(address.body)
        if not path.exists() or "trigger_mask" not in format_of(path).options:
            return plain
    return plain.with_option("trigger_mask", mask)


def check_apart(first: Address, source: Source, second: Address, other: Source, *, what: str) -> None:
    """Refuse one device under two addresses: its channels would look like those of two.

    Raises
    ------
    ArgumentError
        Saying which.
    """
    same = bool(source.info.source_id) and (source.info.source_id, source.info.name) == (
        other.info.source_id,
        other.info.name,
    )
    if first == second or (same and first.scheme == second.scheme and first.scheme in ("lsl", "brainflow")):
        raise ArgumentError(f"{what} is {second}, which is the first device ({first}) once more; name another one.")


def _joined(source: Source, first: Address, address: str, trigger: str | None) -> Source:
    from bcikit.acquisition.synchronised import SynchronisedSource

    second = Address.parse(address)
    if first == second:
        check_apart(first, source, second, source, what=JOIN_OPTION)
    other = open_source(second)
    try:
        check_apart(first, source, second, other, what=JOIN_OPTION)
        return SynchronisedSource([source, other], levels=[trigger] if trigger else [])
    except BaseException:
        other.close()
        raise


def _marked(
    source: Source, address: Address, profile: "TriggerProfile | None", *, first: Source, masked: bool
) -> Source:
    """Return the source with the markers that its address, or its device profile, asks for.

    With `masked`, the reader of the first device, which is a file then, has taken the mask.
    """
    from bcikit.acquisition.file import whole_number
    from bcikit.acquisition.marked import MarkedSource
    from bcikit.acquisition.trigger import TriggerDecoder

    options = address.options
    channel = options.get("trigger") or (profile.channel if profile is not None else None)
    decoder = None
    if channel is None:
        for key in ("debounce", "trigger_mask"):
            # The reader of a file has taken its mask.
            if key in options and (key, address.scheme) != ("trigger_mask", "file"):
                raise ArgumentError(
                    f"{key} of {address.scheme}:{address.body} changes nothing without trigger=: name the channel "
                    "that carries the triggers, or leave it out."
                )
    else:
        (column,) = source.info.index_of([channel], who=f"trigger of {address.scheme}:{address.body}")
        name = source.info.ch_names[column]
        mask = profile.mask if profile is not None else None
        if "trigger_mask" in options:
            mask = whole_number("trigger_mask", options["trigger_mask"])
        decoded = name in getattr(source, "decoded", ())
        if decoded and "trigger_mask" in options and name not in first.info.ch_names:
            raise ArgumentError(
                f"trigger_mask of {address.scheme}:{address.body} changes nothing: the codes of {name!r} are read with "
                f"the second device. Say it in the address of that: {JOIN_OPTION}=...?trigger_mask="
                f"{options['trigger_mask']}, after an option '%26' in place of '?'."
            )
        if not decoded or ("trigger_mask" in options and not masked):
            decoder = TriggerDecoder(
                name,
                source.info.sfreq,
                debounce=address.number("debounce", profile.debounce if profile is not None else 0.002, low=0.0),
                mask=mask,
            )
        elif "debounce" in options:
            raise ArgumentError(
                f"debounce of {address.scheme}:{address.body} changes nothing: the codes of {name!r} are read with the "
                "file, each level that differs. Leave it out."
            )
    streams = tuple(name for name in options.get("markers", "").split(",") if name)
    return MarkedSource(source, streams=streams, grammar=options.get("grammar", "auto"), trigger=decoder)
