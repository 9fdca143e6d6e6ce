"""Helpers for simulated users."""

from collections.abc import Callable

import pytest

from bcikit.acquisition import open_source
from bcikit.signal import Recording


@pytest.fixture
def simulate() -> Callable[..., Recording]:
    """Return a function that runs a simulated source to its end and gives the recording."""

    def run(address: str) -> Recording:
        with open_source(address) as source:
            chunks, events = [], []
            for chunk in source:
                chunks.append(chunk)
                events += source.pull_events()
        return Recording.from_chunks(source.info, chunks, events=tuple(events))

    return run
