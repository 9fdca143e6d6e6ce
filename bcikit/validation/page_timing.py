"""The page in a browser, timed as the window is: flashes with a patch, each with the time of its frame."""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bcikit.outputs.websocket import WebSocketOutput
from bcikit.paradigms.scene import Matrix, Scene, Target, Targets, Words
from bcikit.presentation.layout import Viewing, drawn
from bcikit.presentation.presenter import DELAY
from bcikit.signal import Event, HostClock, SourceError

JOIN_SECONDS = 120.0
"""Time to open the page."""
PATIENCE = 30.0
"""Longest wait for what the page has to report; one on a busy computer is late."""

LEAD = 0.5
FLICKER = 5.0
"""Seconds of a slow flicker, in which every frame is reported and dropped ones are counted."""


def show_on_page(
    n_stimuli: int, spacing: float, *, pull: Callable[[], None], say: Callable[[str], object] = sys.stderr.write
) -> tuple[dict[str, Any], list[float], str]:
    """Show flashes on a page that somebody opens; return the report, when the patch became bright, and the display.

    Parameters
    ----------
    n_stimuli : int
        Flashes.
    spacing : float
        Seconds from one to the next.
    pull : callable
        Called again and again: takes what the photodiode's device has.
    say : callable
        Told the address to open.

    Raises
    ------
    SourceError
        If nobody opens the page, or it reports nothing.
    """
    with WebSocketOutput(port=0, screen=True) as page:
        say(f"Open this page on the display that is to be measured, full screen:\n{page.url}&patch=1\n")
        heard: list[dict[str, Any]] = []

        def listen(until: Callable[[], bool], seconds: float) -> bool:
            deadline = time.monotonic() + seconds
            while not until() and time.monotonic() < deadline:
                pull()
                heard.extend(page.heard())
                time.sleep(0.005)
            return until()

        def hello() -> dict[str, Any] | None:
            return next((item for item in reversed(heard) if item["type"] == "hello" and "refresh" in item), None)

        clock = HostClock()
        scene = Scene(name="timing", elements=(Matrix(rows=(("+",),)),))
        if not listen(lambda: page.state()["clients"] > 0, JOIN_SECONDS):
            raise SourceError(f"Nobody opened the page within {JOIN_SECONDS:.0f} s.")
        _tell(page, Event(name="phase/flash", time=clock.now(), sample=0), scene)
        if not listen(lambda: hello() is not None, JOIN_SECONDS):
            raise SourceError("The page was opened and tells no refresh rate; is it in front, and not covered?")
        begin = clock.now() + LEAD
        for number in range(n_stimuli):
            planned = begin + number * spacing
            listen(lambda at=planned: clock.now() >= at, LEAD + spacing)  # type: ignore[misc]
            data = {"items": ["+"], "target": None}
            _tell(page, Event(name="stimulus/flash", time=planned, sample=number, duration=0.1, data=data))

        def flips() -> list[dict[str, Any]]:
            return [item for item in heard if item["type"] == "flip" and item["name"] == "stimulus/flash"]

        listen(lambda: len(flips()) >= n_stimuli, PATIENCE)
        _flicker(page, clock)
        listen(lambda: False, FLICKER + 1.0)
        listen(lambda: any(item["type"] == "frames" for item in heard), PATIENCE)
        told = hello() or {}
        return _report(flips(), heard, told), [f["shown"] for f in flips()[::2]], str(told.get("display", ""))


def _tell(page: WebSocketOutput, event: Event, scene: Scene | None = None) -> None:
    values: dict[str, Any] = {"type": "show", "time": event.time, "event": event.to_dict(), "scene": None}
    if scene is not None:
        values |= {"scene": scene.to_dict(), "drawn": drawn(scene, Viewing())}
    page.inform(values)


def _flicker(page: WebSocketOutput, clock: HostClock) -> None:
    target = {"item": "+", "frequency": 2.0, "phase": 0.0}
    scene = Scene(name="timing", elements=(Targets(targets=(Target(item="+", words=Words("+"), frequency=2.0),)),))
    data = {"targets": [target], "depth": 0.1}
    _tell(page, Event(name="stimulus/flicker", time=clock.now(), sample=0, duration=FLICKER, data=data), scene)


def _report(flips: list[dict[str, Any]], heard: list[dict[str, Any]], told: dict[str, Any]) -> dict[str, Any]:
    late = np.array([flip["shown"] - flip["time"] - DELAY for flip in flips])
    times = np.concatenate([[], *(item["times"] for item in heard if item["type"] == "frames")])
    refresh = float(told.get("refresh", 60.0))
    steps = np.round(np.diff(times) * refresh).astype(int)
    if len(late) < 2:
        raise SourceError("The page reported no flashes; is it in front, and not covered?")
    return {
        "n": len(flips),
        "offset_mean": float(late.mean()),
        "offset_sd": float(late.std()),
        "worst": float(np.abs(late).max()),
        "soa_sd": float(np.diff(late).std()),
        "frames": len(times),
        "dropped": int(np.maximum(steps - 1, 0).sum()),
        "late": int((late > 1.5 / refresh).sum()),
        "refresh_hz": refresh,
    }
