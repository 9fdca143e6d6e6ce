"""What is wrong in the tables that other rooms check, so that one look at a broken file lists every mistake in it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bcikit.paradigms.registry import make_paradigm, whole_table, with_settings
from bcikit.processing import Pipeline
from bcikit.safety import GateSettings
from bcikit.signal import BciError, ConfigError
from bcikit.signal.settings import check_settings


def attempt(problems: list[str], key: str, part: Callable[[], object]) -> None:
    """Run one check and add what it finds to `problems`, each with the key of its table."""
    try:
        part()
    except ConfigError as error:
        problems += [f"{key}.{problem}" for problem in error.problems]
    except BciError as error:
        problems.append(f"{key}: {error}")


def part_problems(values: Mapping[str, Any], *, folder: Path | None = None) -> list[str]:
    """Return the problems of gate, pipeline and paradigm in the tables of a session file that may itself be wrong.

    What is no table at all is left to the check of the file.

    Parameters
    ----------
    values : mapping
        As read from TOML.
    folder : Path, optional
        From which the path of a paradigm's file counts.
    """
    problems: list[str] = []
    gate, pipeline, paradigm = (_table(values, key) for key in ("gate", "pipeline", "paradigm"))
    if gate is not None:
        attempt(problems, "gate", lambda: check_settings(GateSettings, gate, where="gate"))
    if pipeline is not None and isinstance(pipeline.get("steps"), list):
        attempt(problems, "pipeline.steps", lambda: Pipeline.from_config(pipeline["steps"]))
    if paradigm is not None and isinstance(paradigm.get("name", ""), str):
        attempt(problems, "paradigm", lambda: _paradigm(paradigm, folder))
    return problems


def _table(values: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = values.get(key)
    return found if isinstance(found, Mapping) else None


def _paradigm(table: Mapping[str, Any], folder: Path | None) -> None:
    name = str(table.get("name", "motor-imagery"))
    if name.endswith(".toml") and folder is not None:
        name = str(folder / name)
    settings = table.get("settings", {})
    make_paradigm(with_settings(whole_table(name), settings if isinstance(settings, Mapping) else {}))
