from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bcikit.session import SessionConfig, planning, shipped_config
from bcikit.session.conductor import Conductor
from bcikit.session.earlier import Earlier

SHORT = {
    "calibration_runs": 1,
    "feedback_runs": 1,
    "trials_per_run": 10,
    "eyes_open": 0.0,
    "eyes_closed": 0.0,
    "between_runs": 2.0,
    "beep": 0.5,
    "cue": 1.0,
    "feedback": 2.25,
    "stop": 5.0,
    "rest": [1.0, 1.5],
}


@pytest.fixture
def opened_by_sessions(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Return a function that tells what sessions open by a function of that name from then on, as they open it."""

    def watch(name: str) -> list[Any]:
        found: list[Any] = []
        opening = getattr(planning, name)

        def opened(address: str) -> Any:
            found.append(opening(address))
            return found[-1]

        monkeypatch.setattr(planning, name, opened)
        return found

    return watch


@pytest.fixture
def painted() -> None:
    """Asked for by tests whose reports are to hold real pictures."""


@pytest.fixture(autouse=True)
def _pictures(request: pytest.FixtureRequest) -> None:
    if "painted" not in request.fixturenames:
        request.getfixturevalue("undrawn")


@pytest.fixture
def short_config(tmp_path: Path):
    """Return a function that makes a short session of motor imagery with the simulated user."""

    def make(folder: str = "session", *, seed: int = 1, **changes: Any) -> SessionConfig:
        config = shipped_config("motor-imagery", seed=seed, settings=SHORT)
        recording = config.recording.model_copy(
            update={"folder": str(tmp_path / folder) if folder else "", "enabled": bool(folder)}
        )
        # Blocks of 160 ms, four times as long as usual, cost a third less.
        source = config.source.model_copy(update={"address": f"{config.source.address}&chunk=40"})
        return config.model_copy(update={"recording": recording, "source": source, **changes})

    return make


@pytest.fixture
def deciding_as(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractContextManager[None]]:
    """Return what lets sessions that begin within it decide as an older version did (see `Earlier`)."""

    @contextmanager
    def deciding(**otherwise: bool) -> Iterator[None]:
        then = Earlier(**otherwise)
        with monkeypatch.context() as patch:
            patch.setattr(planning, "Conductor", lambda **parts: Conductor(**{**parts, "earlier": then}))
            yield

    return deciding
