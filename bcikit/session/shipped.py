"""A session around a shipped paradigm: what its file proposes, ready to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bcikit.paradigms import Paradigm, make_paradigm, read_paradigm
from bcikit.session.config import ANONYMOUS, SessionConfig, config_from
from bcikit.session.table_problems import part_problems
from bcikit.signal import BciError, ConfigError
from bcikit.signal.documents import read_toml


def shipped_config(
    name: str,
    *,
    source: str = "",
    seed: int = 0,
    live: bool = False,
    settings: dict[str, Any] | None = None,
    subject: str = ANONYMOUS,
) -> SessionConfig:
    """Return a session that runs a shipped paradigm as its file proposes.

    Parameters
    ----------
    name : str
        "paradigm:motor-imagery", the name alone, or the path of a paradigm's TOML file.
    source : str
        Address of the source; the paradigm's simulated user if empty.
    seed : int
        Seed of the trials and of the simulated user.
    live : bool
        Let the simulated user run at its own pace instead of as fast as it can.
    settings : dict, optional
        Settings of the paradigm to replace.
    subject : str
        Pseudonymous code.

    Raises
    ------
    ConfigError
        If the paradigm's file is wrong, with every problem in it.
    BciError
        If no source is given and the paradigm proposes no simulated user.
    """
    paradigm = _checked(name)
    if name.endswith(".toml"):
        # Whole, so that the session is the same to whoever reads it in another folder.
        name = str(Path(name).absolute())
    if not source:
        if "sim" not in paradigm.defaults:
            raise BciError(f"{name} proposes no simulated user; name a source with --source.")
        source = with_options(str(paradigm.defaults["sim"]), seed=seed, **({"live": 1} if live else {}))
    return config_around(paradigm, source=source, name=name, seed=seed, settings=settings, subject=subject)


def config_around(
    paradigm: Paradigm,
    *,
    source: str,
    name: str = "",
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    subject: str = ANONYMOUS,
) -> SessionConfig:
    """Return a session around a paradigm, with what it proposes for the rest.

    Parameters
    ----------
    paradigm : Paradigm
        Its table "defaults" is what it proposes.
    source : str
        Address of the source.
    name : str
        What the session file calls it; its own name if empty.
    seed, settings, subject
        As for `shipped_config`.
    """
    defaults = paradigm.defaults
    values: dict[str, Any] = {
        "session": {"name": paradigm.name, "seed": seed, "subject": subject},
        "source": {"address": source},
        "paradigm": {"name": name or paradigm.name, "settings": settings or {}},
        "decoder": {"name": defaults.get("decoder", "csp-lda"), "parameters": defaults.get("decoder_parameters", {})},
        "outputs": [{"address": address} for address in _several(defaults.get("output", "hand:"))],
        "gate": defaults.get("gate", {}),
    }
    if "pipeline" in defaults:
        values["pipeline"] = {"steps": defaults["pipeline"]}
    return config_from(values, where=name or paradigm.name)


def _checked(name: str) -> Paradigm:
    """Return the paradigm of a file; a wrong file is refused with what is wrong in its defaults, too."""
    try:
        return make_paradigm(name)
    except ConfigError as error:
        defaults = read_paradigm(name).get("defaults")
        proposed = defaults if isinstance(defaults, Mapping) else {}
        tables = {"gate": proposed.get("gate"), "pipeline": {"steps": proposed.get("pipeline")}}
        more = [f"defaults.{problem}" for problem in part_problems(tables)]
        raise ConfigError(error.where, [*error.problems, *more]) from None


def is_paradigm_file(path: str | Path) -> bool:
    """Return whether a TOML file describes a paradigm, and not a whole session."""
    path = Path(path)
    if path.suffix != ".toml" or not path.is_file():
        return False
    return bool({"kind", "base"} & read_toml(path).keys())


def with_options(address: str, **options: object) -> str:
    """Return an address with options that it does not state itself."""
    body, _, query = address.partition("?")
    stated = {part.partition("=")[0] for part in query.split("&") if part}
    more = [f"{key}={value}" for key, value in options.items() if key not in stated]
    parts = [part for part in (query, *more) if part]
    return body + ("?" + "&".join(parts) if parts else "")


def _several(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
