"""`screen:` is the patient's own window: a process that draws what the session shows, and reports when it was seen."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

from bcikit.outputs.websocket import WebSocketOutput
from bcikit.safety.levels import Reading, Severity
from bcikit.signal import Address, MissingDependencyError, SourceError, check_choice, check_range

_CLOSE_SECONDS = 5.0
OPEN_SECONDS = 60.0
"""A computer that is busy may take long to start a window."""
PLACES = ("second", "beside", "full", "window")
DELAY = 0.1
"""Seconds from the plan to the screen: more than a chunk takes to come, and a frame to be drawn."""


class ScreenOutput(WebSocketOutput):
    """Opens the patient's window in a process of its own, over a WebSocket of this machine that nobody else can join.

    Parameters
    ----------
    place : str
        "second" (full screen on the second display; beside the therapist's window where there is one display only),
        "beside", "full" or "window".
    language : str
        "en" or "zh".
    patch : bool
        Show the patch for a photodiode.
    delay : float
        Seconds from the plan to the screen; `bcikit validate timing` measures what comes on top.
    blank : bool
        The window shows nothing: the control that a study of a simulated user needs.
    height_cm, distance_cm : float
        Height of the picture and its distance from the eyes, by which targets have their visual angle; a session gives
        those of its table ``[screen]``.
    """

    scheme: ClassVar[str] = "screen"
    body: ClassVar[str] = ""
    draws: ClassVar[bool] = False
    real_time: ClassVar[bool] = True
    options: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "place": str,
        "language": str,
        "patch": lambda text: bool(int(text)),
        "delay": float,
        "blank": lambda text: bool(int(text)),
        "height_cm": float,
        "distance_cm": float,
    }

    def __init__(
        self,
        *,
        place: str = "second",
        language: str = "en",
        patch: bool = False,
        delay: float = DELAY,
        blank: bool = False,
        height_cm: float = 30.0,
        distance_cm: float = 70.0,
    ) -> None:
        check_choice("place", place, PLACES)
        check_choice("language", language, ("en", "zh"))
        check_range("delay", delay, low=0.02, high=0.4, unit="s")
        check_range("height_cm", height_cm, low=0.0, high=1000.0, low_open=True, unit="cm")
        check_range("distance_cm", distance_cm, low=0.0, high=2000.0, low_open=True, unit="cm")
        if find_spec("PySide6") is None:
            raise MissingDependencyError("PySide6", "gui", "The patient's window")
        super().__init__(port=0, screen=True)
        command = [sys.executable, "-m", "bcikit.presentation", "--place", place, "--language", language]
        command += ["--height-cm", str(height_cm), "--distance-cm", str(distance_cm)]
        command += ["--delay", str(delay), *(["--patch"] if patch else []), *(["--blank"] if blank else [])]
        # The token in the environment, where other users of the machine cannot read it.
        environment = {**os.environ, "BCIKIT_SCREEN": f"ws://127.0.0.1:{self.port}/ws?token={self.token}"}
        self._window = subprocess.Popen(command, env=environment)  # noqa: S603 - our own module
        self._await_window()

    def _await_window(self) -> None:
        """Wait until the window has joined: a session whose person sees nothing must not begin."""
        deadline = time.monotonic() + OPEN_SECONDS
        while not self._clients:
            if self._window.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise SourceError("screen: the patient's window could not be opened; is there a display?")
            time.sleep(0.02)

    @classmethod
    def can_show(cls, address: Address) -> bool:  # noqa: ARG003
        """Return True: it is what the person looks at."""
        return True

    def trouble(self) -> Reading | None:
        """Return that the window is gone, as long as it is: whoever sits before it sees nothing any more."""
        if self._window.poll() is None:
            return None
        return Reading(rule="ST-TIMING", severity=Severity.DEGRADE, value="the patient's window is gone", limit="open")

    def state(self) -> dict[str, Any]:
        """Return whether the window is open."""
        found = {key: value for key, value in super().state().items() if key not in ("url", "code", "wrong_codes")}
        return {**found, "open": self._window.poll() is None}

    def close(self) -> None:
        """Close the window; it goes by itself when the session's line ends."""
        super().close()
        try:
            self._window.wait(timeout=_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._window.terminate()
            try:
                self._window.wait(timeout=_CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                self._window.kill()
                self._window.wait()
