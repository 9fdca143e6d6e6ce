"""Sources and outputs of other packages that do not keep their promises."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bcikit.acquisition import Source, open_source
from bcikit.outputs import Output
from bcikit.recording import read_session, record
from bcikit.session import Engine
from bcikit.session.outputs import Held, state_of
from bcikit.signal import BciError, Chunk, SourceError


class Bent(Source):
    """A source that keeps its promises for three chunks."""

    def __init__(self, inner: Source, bend: Any) -> None:
        self._inner, self._bend, self._n = inner, bend, 0
        self.info, self.live = inner.info, inner.live

    def start(self) -> None:
        self._inner.start()

    def stop(self) -> None:
        self._inner.stop()

    def close(self) -> None:
        self._inner.close()

    @property
    def ended(self) -> bool:
        return self._inner.ended

    def pull_events(self) -> list[Any]:
        return self._inner.pull_events()

    def status(self) -> Any:
        return self._inner.status()

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        chunk = self._inner.pull(timeout)
        self._n += 1
        return chunk if chunk is None or self._n <= 3 else self._bend(chunk)


def fails(_: Chunk) -> Chunk:
    raise ValueError("checksum")


def without_a_time(chunk: Chunk) -> Chunk:
    times = chunk.times.copy()
    times[3] = np.nan
    return replace(chunk, times=times)


BENT = [
    (lambda chunk: replace(chunk, data=chunk.data.astype(np.float32)), "data are float32"),
    (lambda chunk: replace(chunk, data=np.asfortranarray(chunk.data)), "no rows in order"),
    (lambda chunk: replace(chunk, data=chunk.data[:, 1:].copy()), r"data have the shape \(40, 15\); \(n, 16\)"),
    (lambda chunk: replace(chunk, times=chunk.times[1:]), r"of the shape \(39,\); float64 of \(40,\)"),
    (without_a_time, "a time is no number"),
    (fails, "its source failed .ValueError: checksum"),
]


@pytest.mark.parametrize(("bend", "words"), BENT)
def test_a_source_that_breaks_its_promise_is_named_and_what_came_before_stays(bend, words, tmp_path: Path) -> None:
    source = Bent(open_source("sim:rest?seed=1&chunk=40"), bend)
    with pytest.raises(SourceError, match=f"'sim-rest': .*{words}"):
        record(source, tmp_path / "kept", duration=5.0)
    assert read_session(tmp_path / "kept").recording.n_times == 120


@pytest.mark.usefixtures("undrawn")
def test_a_session_with_such_a_source_ends_in_order(short_config) -> None:
    config = short_config()
    ended = Engine(config, source=Bent(open_source(config.source.address), without_a_time)).run()
    assert "a time is no number" in ended.values["ended"]
    assert not ended.values["complete"]
    assert (Path(config.recording.folder) / "result.json").is_file()


class Stranger(Output):
    """An output of a stranger."""

    scheme = "stranger"

    def __init__(self, said: Any) -> None:
        self._said = said

    def send(self, command: Any) -> None:
        raise ValueError("no lamp")

    def safe(self, reason: str = "") -> None:
        """Let go."""

    def close(self) -> None:
        """Close nothing."""

    def state(self) -> Any:
        if isinstance(self._said, Exception):
            raise self._said
        return self._said


@pytest.mark.parametrize("said", [None, {"lamp": object()}, RuntimeError("no line")])
def test_an_output_that_cannot_tell_its_state_costs_no_result(said) -> None:
    assert "its state cannot be told" in state_of(Stranger(said))["problem"]
    assert state_of(Stranger({"lamp": 1})) == {"lamp": 1}


def test_an_output_that_fails_is_named() -> None:
    held = Held(Stranger({}), threading.Event())
    with pytest.raises(BciError, match=r"the output stranger: failed .ValueError: no lamp"):
        held.do(lambda output: output.send(None))
