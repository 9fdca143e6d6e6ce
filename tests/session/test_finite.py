"""No number of a file may be NaN or infinite: such a limit never holds, and such a time never ends."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from pydantic import BaseModel

import bcikit
from bcikit.paradigms import make_paradigm
from bcikit.signal import BciError

ROOMS = ("acquisition", "decoding", "paradigms", "safety", "session", "simulation", "validation")


def models() -> list[type[BaseModel]]:
    """Return what is read from files of people: models that refuse unknown keys."""
    found: dict[str, type[BaseModel]] = {}
    for room in ROOMS:
        root = Path(bcikit.__file__).parent / room
        for item in pkgutil.walk_packages([str(root)], f"bcikit.{room}."):
            source = root.parent / Path(*item.name.split(".")[1:])
            file = source / "__init__.py" if item.ispkg else source.with_suffix(".py")
            if "ConfigDict" not in file.read_text(encoding="utf-8"):
                continue
            for kind in vars(importlib.import_module(item.name)).values():
                if inspect.isclass(kind) and issubclass(kind, BaseModel) and kind.model_config.get("extra") == "forbid":
                    found[f"{kind.__module__}.{kind.__name__}"] = kind
    return list(found.values())


def test_models_of_files_take_finite_numbers_only() -> None:
    kinds = models()
    assert len(kinds) > 12
    assert [kind.__name__ for kind in kinds if kind.model_config.get("allow_inf_nan", True)] == []


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("pause = [{0}, {0}]", "pause"),
        ("yoked_delays = [{0}]", "yoked_delays"),
        ("[assist]\nseconds = {0}", "assist.seconds"),
        ("[difficulty]\nstep = {0}", "difficulty.step"),
    ],
)
def test_a_paradigm_with_such_a_number_is_refused(line: str, named: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('kind = "rehabilitation"\n' + line.format(value), encoding="utf-8")
    with pytest.raises(BciError, match=named):
        make_paradigm(file)
