"""What a person sees on the tab key: each room lists its public names and nothing else, and each can be had."""

from importlib import import_module
from pathlib import Path

import pytest

import bcikit

WINDOWS = {"ui", "viewer"}
ROOMS = sorted({path.parent.name for path in Path(bcikit.__path__[0]).glob("*/__init__.py")} - WINDOWS)


@pytest.mark.parametrize("name", ["", *ROOMS])
def test_a_room_lists_its_public_names(name: str) -> None:
    if name in WINDOWS:
        pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    room = import_module(f"bcikit.{name}".rstrip("."))
    assert room.__doc__
    assert dir(room) == sorted(room.__all__)
    assert len(set(room.__all__)) == len(room.__all__)
    for public in room.__all__:
        assert getattr(room, public) is not None
    with pytest.raises(AttributeError):
        _ = room.no_such_name
