"""Decoders by name, the same in the API, on the command line and in session files."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bcikit import plugins
from bcikit.decoding.estimator import Decoder
from bcikit.signal import ArgumentError, DoubtWarning, PluginError, check_choice, check_range


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
        return _entry_of(plugins.find("decoders", name))

    def __iter__(self) -> Iterator[str]:
        return iter(plugins.names("decoders"))

    def __len__(self) -> int:
        return len(plugins.names("decoders"))


def _entry_of(plugin: plugins.Plugin) -> Entry:
    if plugin.shipped:
        return Entry(
            paradigm=plugin.settings["paradigm"],
            where=plugin.where,
            what=plugin.what,
            defaults=plugin.settings.get("defaults", {}),
        )
    found = plugin.load()
    if not (isinstance(found, type) and issubclass(found, Decoder)):
        raise PluginError(f"the decoder {plugin.name!r} of {plugin.package} is no class of Decoder: {found!r}.")
    paradigm = check_choice(f"paradigm of {found.__qualname__}", getattr(found, "paradigm", "any"), PARADIGMS)
    return Entry(paradigm=paradigm, where=plugin.where, what=(found.__doc__ or "").strip().partition("\n")[0])


DECODERS: Mapping[str, Entry] = _Entries()
"""Every decoder by its name. One of another package is a class of `Decoder`, with its ``paradigm`` as an attribute."""


def decoder_names(paradigm: str | None = None) -> tuple[str, ...]:
    """Return the names of the decoders of one paradigm, or of all.

    One of another package that cannot be used has no paradigm: it is left out of one's names with a `DoubtWarning`.

    Raises
    ------
    ArgumentError
        If there is no such paradigm.
    """
    if paradigm is None:
        return tuple(DECODERS)
    check_choice("paradigm", paradigm, PARADIGMS)
    found = []
    for name in DECODERS:
        try:
            if DECODERS[name].paradigm == paradigm:
                found.append(name)
        except (PluginError, ArgumentError) as error:
            warnings.warn(f"a decoder is left out: {error}", DoubtWarning, stacklevel=2)
    return tuple(found)


def decoders_at(where: str) -> list[tuple[str, Entry]]:
    """Return the names and entries of the decoders at one place (``module:class``); no other one is loaded."""
    return [(plugin.name, _entry_of(plugin)) for plugin in plugins.plugins("decoders") if plugin.where == where]


def check_decoder(argument: str, name: str, paradigm: str) -> None:
    """Refuse what is no decoder of a paradigm; no other one than that of this name is loaded.

    Raises
    ------
    ArgumentError
        If it is none, with the names of those that are.
    PluginError
        If it is of another package and cannot be used.
    """
    if name not in DECODERS or DECODERS[name].paradigm != paradigm:
        check_choice(argument, name, decoder_names(paradigm))


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
