"""Decoders by name, the same in the API, on the command line and in session files."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bcikit import plugins
from bcikit.decoding.estimator import Decoder
from bcikit.signal import ArgumentError, PluginError, check_choice, check_range


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a decoder is, and what it is for.

    Attributes
    ----------
    paradigm : str
        One of `PARADIGMS`.
    where : str
        ``module:class``.
    what : str
        One line for a person.
    defaults : mapping
        Parameters that differ from the class's own.
    """

    paradigm: str
    where: str
    what: str
    defaults: Mapping[str, Any] = field(default_factory=dict)


PARADIGMS = ("motor-imagery", "ssvep", "p300", "errp", "braking", "cvep", "any")


class _Entries(Mapping[str, Entry]):
    """What the registry of plug-ins says of decoders, read when asked."""

    def __getitem__(self, name: str) -> Entry:
        if name not in plugins.names("decoders"):
            raise KeyError(name)
        plugin = plugins.find("decoders", name)
        if plugin.shipped:
            return Entry(
                paradigm=plugin.settings["paradigm"],
                where=plugin.where,
                what=plugin.what,
                defaults=plugin.settings.get("defaults", {}),
            )
        found = plugin.load()
        if not (isinstance(found, type) and issubclass(found, Decoder)):
            raise PluginError(f"the decoder {name!r} of {plugin.package} is no class of Decoder: {found!r}.")
        paradigm = check_choice(f"paradigm of {found.__qualname__}", getattr(found, "paradigm", "any"), PARADIGMS)
        return Entry(paradigm=paradigm, where=plugin.where, what=(found.__doc__ or "").strip().partition("\n")[0])

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("decoders"))

    def __len__(self) -> int:
        return len(plugins.names("decoders"))


DECODERS: Mapping[str, Entry] = _Entries()
"""Every decoder by its name. One of another package is a class of `Decoder`, with its ``paradigm`` as an attribute."""


def decoder_names(paradigm: str | None = None) -> tuple[str, ...]:
    """Return the names of the decoders of one paradigm, or of all.

    Raises
    ------
    ArgumentError
        If there is no such paradigm.
    """
    if paradigm is not None:
        check_choice("paradigm", paradigm, PARADIGMS)
    return tuple(name for name, entry in DECODERS.items() if paradigm in (None, entry.paradigm))


def decoder_class(name: str) -> type[Decoder]:
    """Return the class behind a name."""
    found: type[Decoder] = plugins.load("decoders", name)
    return found


def split_name(name: str) -> tuple[str, dict[str, Any]]:
    """Return the registered name and the parameters that a name stands for: ``encoder=ADDRESS`` has one."""
    kind, mark, encoder = name.partition("=")
    return (kind, {"encoder": encoder}) if kind == "encoder" and mark else (name, {})


def parameters_of(name: str) -> Mapping[str, inspect.Parameter]:
    """Return the parameters that a decoder takes."""
    return inspect.signature(decoder_class(split_name(name)[0])).parameters


def make_decoder(name: str, *, sfreq: float, **params: Any) -> Decoder:
    """Return an unfitted decoder.

    Parameters
    ----------
    name : str
        One of `decoder_names`; ``encoder=ADDRESS`` is "encoder" with this network.
    sfreq : float
        Sampling rate in Hz of the epochs it will see; used by decoders with filters or reference signals.
    **params
        Parameters of the class (see its page in the documentation).

    Returns
    -------
    Decoder
        A scikit-learn classifier on ``(n_epochs, n_channels, n_times)``.

    Raises
    ------
    ArgumentError
        If the name or a parameter is unknown, or one that must be given is missing.
    """
    check_range("sfreq", sfreq, low=0.0, low_open=True, unit="Hz")
    accepted = parameters_of(name)
    name, said = split_name(name)
    factory: Callable[..., Decoder] = decoder_class(name)
    values = {**DECODERS[name].defaults, **params, **said}
    for key in values:
        check_choice(f"parameter of {name}", key, tuple(accepted))
    if "sfreq" in accepted:
        values["sfreq"] = sfreq
    missing = [key for key, value in accepted.items() if value.default is inspect.Parameter.empty and key not in values]
    if missing:
        raise ArgumentError(f"decoder {name!r} needs the parameter{'s' * (len(missing) > 1)} {', '.join(missing)}.")
    return factory(**values)
