"""The WebXR page in headless Chromium, driven over its debugging protocol; for the benchmark and the tests."""

import base64
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from bcikit.signal import Command, HostClock

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

BAR_S = 0.1
"""Within this a decision is to be seen, 95 times of 100."""

TTL_S = 0.5
READY = "window.bcikit?.page.linked && bcikit.frames.known && bcikit.link.hostOffset !== null"
"""True on the page when it can be measured."""


class Page:
    """A page in a browser.

    Attributes
    ----------
    errors : list of str
        What was thrown on the page so far.
    """

    def __init__(self, line: Any) -> None:
        self._line = line
        self._number = 0
        self.errors: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the debugging protocol and return its answer."""
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._line.recv(timeout=120))
            if answer.get("method") == "Runtime.exceptionThrown":
                self.errors.append(answer["params"]["exceptionDetails"].get("exception", {}).get("description"))
            if answer.get("id") == self._number:
                found: dict[str, Any] = answer.get("result", {})
                return found

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript is on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True).get("result", {}).get("value")

    def until(self, expression: str, seconds: float = 200.0) -> Any:
        """Wait until an expression is true and return it.

        Raises
        ------
        AssertionError
            If it does not come true.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.value(expression)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{expression} did not come true; errors: {self.errors}")

    def picture(self) -> bytes:
        """Return what the page shows, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def open_page(url: str, *, width: int = 1280, height: int = 800, options: tuple[str, ...] = ()) -> Iterator[Page]:
    """Open a page in a browser of its own, without a screen and without a graphics card."""
    if PROGRAM is None or os.name != "posix":
        raise RuntimeError("no Chromium on this machine")
    # As on a machine without a graphics card: the page is put together, and WebGL is drawn, by the processor.
    plain = ("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader")
    more = ("--remote-debugging-port=0", "--disable-dev-shm-usage", "--no-first-run", f"--window-size={width},{height}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        process = subprocess.Popen(
            [PROGRAM, *plain, *options, *more, f"--user-data-dir={home}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with connect(_debugger(Path(home)), max_size=None, open_timeout=60) as line:
                page = Page(line)
                page.call("Runtime.enable")
                page.call("Page.enable")
                # The size of the page; a window's edges take some of it.
                page.call(
                    "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
                )
                page.call("Page.navigate", url=url)
                yield page
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)


def _debugger(home: Path) -> str:
    """Return where the browser's only page is driven."""
    told = home / "DevToolsActivePort"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if told.exists() and told.read_text().strip():
            port = told.read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=60) as answer:
                pages = [tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page"]
            if pages:
                return str(pages[0])
        time.sleep(0.05)
    raise TimeoutError("Chromium does not answer")


def decisions(output: Any, count: int, *, seed: int = 0) -> list[dict[str, float]]:
    """Send commands at any moment between two frames to a page whose hand is open.

    Returns
    -------
    list of dict
        Seconds until each was ``heard`` by the page, and ``seen``: when the pixels of the first frame in which the hand
        had closed further were finished; and how many ``frames`` of the display after it was heard that was.
    """
    rng = random.Random(seed)
    clock = HostClock()
    found = []
    for number in range(1, count + 1):
        known = len(output.reports)
        sent = clock.now()
        data = {"class": "right_hand"}
        output.send(Command(sequence=number, time=sent, ttl=TTL_S, name="close", value=0.9, data=data))
        deadline = sent + 5.0
        acks: list[Any] = []
        while not acks and clock.now() < deadline:
            time.sleep(0.002)
            acks = [item for item in list(output.reports)[known:] if item["type"] == "ack"]
        if not acks:
            raise TimeoutError("the hand did not move")
        ack = acks[0]
        found.append({"seen": ack["t"] - sent, "heard": ack["heard"] - sent, "frames": ack["frames"]})
        # The hand opens again, in about six time constants.
        output.safe("again")
        time.sleep(0.4 + rng.uniform(0.0, 0.05))
    return found
