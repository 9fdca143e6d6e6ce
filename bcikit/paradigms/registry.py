"""Paradigms by name: the kinds, the shipped files, and how one becomes the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcikit import plugins
from bcikit.paradigms.base import Paradigm
from bcikit.paradigms.films import is_film_file
from bcikit.paradigms.settings import Defaults, ParadigmSettings, SettingsTable
from bcikit.signal import ConfigError, PluginError, check_choice
from bcikit.signal.documents import read_toml
from bcikit.signal.settings import check_settings

CONFIGS = Path(__file__).parent / "configs"
_HEAD = ("kind", "base", "defaults")
_DEEPEST = 5


def paradigm_names() -> tuple[str, ...]:
    """Return the names of paradigms that are ready to run: the shipped files, and the kinds of other packages."""
    return tuple(sorted({path.stem for path in CONFIGS.glob("*.toml")} | set(_kinds_of_others())))


def paradigm_class(kind: str) -> type[Paradigm]:
    """Return the class that runs a kind of paradigm."""
    found = plugins.load("paradigms", kind)
    if not (isinstance(found, type) and issubclass(found, Paradigm)):
        package = plugins.find("paradigms", kind).package
        raise PluginError(f"the paradigm {kind!r} of {package} is no class of Paradigm: {found!r}.")
    return found


def _kinds_of_others() -> tuple[str, ...]:
    return tuple(plugin.name for plugin in plugins.plugins("paradigms") if not plugin.shipped)


def read_paradigm(name: str | Path) -> dict[str, Any]:
    """Return the table of a shipped paradigm, or of a TOML file.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    ArgumentError
        If no paradigm has this name.
    """
    text = str(name).removeprefix("paradigm:")
    if text.endswith(".toml"):
        return from_folder(read_toml(Path(text)), Path(text).absolute().parent)
    check_choice("paradigm", text, paradigm_names())
    if not (CONFIGS / f"{text}.toml").is_file():
        return {"kind": text}
    return read_toml(CONFIGS / f"{text}.toml", where=f"paradigm:{text}")


def from_folder(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the table of a paradigm with the files that it names, its base and its film, counted from `folder`."""
    found = dict(table)
    base, film = found.get("base"), found.get("video")
    if isinstance(base, str) and base.endswith(".toml"):
        found["base"] = str(folder / base.removeprefix("paradigm:"))
    if is_film_file(film):
        found["video"] = str(folder / str(film))
    return found


def whole_table(name: str | Path) -> dict[str, Any]:
    """Return the table of `read_paradigm` on top of all that its ``base`` says.

    Raises
    ------
    ConfigError
        If a file cannot be read, or files build on each other in a circle.
    ArgumentError
        If no paradigm has this name.
    """
    return _on_base(read_paradigm(name), str(name))[0]


def with_settings(table: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a paradigm with settings in place of its own.

    Those of one thing (``assist``) one by one; a table that lists what there is (events, goals) is replaced whole.
    """
    known = plugins.names("paradigms")
    fields = paradigm_class(str(table["kind"])).Settings.model_fields if table.get("kind") in known else {}
    found = {**table, **settings}
    for key, value in settings.items():
        kind, own = fields[key].annotation if key in fields else None, table.get(key)
        one = isinstance(kind, type) and issubclass(kind, SettingsTable)
        if one and isinstance(value, Mapping) and isinstance(own, Mapping):
            found[key] = {**own, **value}
    return found


def make_paradigm(name_or_table: str | Path | Mapping[str, Any], *, name: str = "") -> Paradigm:
    """Return a paradigm, not configured yet.

    Parameters
    ----------
    name_or_table : str, Path or mapping
        Name of a shipped paradigm ("motor-imagery", "paradigm:p300-speller"), path of a TOML file, or a table. A table
        has the key ``kind``, or ``base``: the name of a shipped paradigm, or a file, whose settings it changes.
    name : str
        Name in reports; that of the file or of the base if empty.

    Raises
    ------
    ConfigError
        If a setting is wrong; every problem is listed with its key.
    """
    if isinstance(name_or_table, Mapping):
        where, table = "the paradigm", dict(name_or_table)
    else:
        where = str(name_or_table)
        name, table = name or Path(where.removeprefix("paradigm:")).stem, read_paradigm(name_or_table)
    table, base = _on_base(table, where)
    name = name or Path(base.removeprefix("paradigm:")).stem
    if "kind" not in table:
        raise ConfigError(where, [f"kind: is missing; allowed: {', '.join(plugins.names('paradigms'))}"])
    if str(table["kind"]) not in plugins.names("paradigms"):
        raise ConfigError(where, [f"kind = {table['kind']!r}: allowed: {', '.join(plugins.names('paradigms'))}"])
    kind = paradigm_class(str(table["kind"]))
    values = {key: value for key, value in table.items() if key not in _HEAD}
    defaults = table.get("defaults", {})
    problems: list[str] = []
    settings: ParadigmSettings | None = None
    try:
        settings = check_settings(kind.Settings, values, where=where)
    except ConfigError as error:
        problems += error.problems
    if isinstance(defaults, Mapping):
        try:
            check_settings(Defaults, defaults, where=where)
        except ConfigError as error:
            problems += [f"defaults.{problem}" for problem in error.problems]
    else:
        problems.append(f"defaults is {defaults!r}; it must be a table.")
    if problems or settings is None:
        raise ConfigError(where, problems)
    return kind(settings, name=name, defaults=defaults)


def _on_base(table: dict[str, Any], where: str) -> tuple[dict[str, Any], str]:
    """Return a table on top of what its ``base`` says, and the base's name; a base may have a base of its own."""
    first = ""
    for _ in range(_DEEPEST):
        if "base" not in table:
            return table, first
        base = table["base"]
        if not isinstance(base, str):
            raise ConfigError(where, [f"base is {base!r}; it must be the name of a paradigm or of a TOML file."])
        first = first or base
        table = _merge(read_paradigm(base), {key: value for key, value in table.items() if key != "base"})
    raise ConfigError(
        where, [f"base = {first!r}: files build on each other more than {_DEEPEST} deep, or in a circle."]
    )


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
