"""Scenes of a whole session of a paradigm, without a decoder."""

from collections.abc import Callable

import pytest

from bcikit.paradigms import Paradigm, make_paradigm
from bcikit.paradigms.scene import Scene
from bcikit.presentation.rehearsal import rehearse
from bcikit.signal import Event


@pytest.fixture
def played() -> Callable[..., list[tuple[Event, Scene]]]:
    """Return a function that plays a shipped paradigm, or an own one, with settings."""

    def run(name: str | Paradigm, **settings: object) -> list[tuple[Event, Scene]]:
        return rehearse(make_paradigm({"base": name, **settings}) if isinstance(name, str) else name)

    return run
