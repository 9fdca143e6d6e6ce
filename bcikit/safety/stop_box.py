r"""Stop boxes: a button of hardware that says again and again that it is not pressed; whoever falls silent has stopped.

Protocol of a box on a serial line or USB (a CDC device; ASCII, 115200 baud, 8N1): the box writes
``$SEQ,R*CC\n`` while its button is released and ``$SEQ,P*CC\n`` while it is pressed, at least every 50 ms, and at once
when that changes. SEQ is a number, another one with each line (a counter to 255); CC is the CRC-8 (polynomial 0x07) of
what stands between ``$`` and ``*``, two hex digits, as in `bcikit.safety.guard.serial_fes`. Nothing is written to the
box. A damaged or repeated line counts as none; no line for 200 ms, or one that cannot be read, counts as pressed.

A button without a processor goes to an input of the computer (``gpio:``): normally closed, so that a wire that breaks
reads as pressed.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from bcikit import plugins
from bcikit.safety.guard.drivers import DriverError
from bcikit.safety.guard.serial_fes import parse_frame
from bcikit.signal import Address, ArgumentError, MissingDependencyError, PluginError, SafetyError

PERIOD_S = 0.05
"""Longest time between two lines of a box."""

LIFE_S = 0.2
"""A box that says nothing for so long is lost, and that is a stop."""

FIRST_S = 2.0
"""How long a session waits for the first word of its box before it starts."""

LOOK_S = 0.01
AGAIN_S = 0.25
"""Seconds between two tries to reach a box that was lost."""

Told = Callable[[bool, bool, str], object]
"""Called with: pressed, lost, and what happened in words."""


class StopBox(ABC):
    """A button that stops; a thread of its own listens to it from `start` to `close`.

    Attributes
    ----------
    status : str
        "unknown" (nothing heard yet), "released", "pressed" or "lost".
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = "unknown"
        self.presses = 0
        self.losses = 0
        self._told: Told | None = None
        self._lock = threading.Lock()
        self._known = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bcikit stop box", daemon=True)

    @classmethod
    @abstractmethod
    def from_address(cls, address: Address) -> Self:
        """Return the box that an address names; nothing is opened yet."""

    @abstractmethod
    def _open(self) -> None:
        """Reach the box anew; what it said before is forgotten. Whatever is raised means that it is lost."""

    @abstractmethod
    def _listen(self) -> bool | None:
        """Return whether the button is, or was for a moment, pressed; None if nothing new was said for `LOOK_S`.

        Whatever is raised means that the box is lost.
        """

    @abstractmethod
    def _shut(self) -> None:
        """Give back every handle; may be called twice."""

    def start(self) -> None:
        """Begin to listen, and wait for the first word.

        Raises
        ------
        SafetyError
            If the box says nothing, or is pressed: release it first.
        """
        self._thread.start()
        self._known.wait(FIRST_S)
        if self.status in ("unknown", "lost"):
            raise SafetyError(f"the stop box {self.name} says nothing; is it connected, and the address right?")
        if self.status == "pressed":
            raise SafetyError(f"the stop box {self.name} is pressed; release it first.")

    def tell(self, told: Told) -> None:
        """Call `told` at each change, from the box's thread; at once, if the box is pressed or lost already."""
        with self._lock:
            self._told = told
            status = self.status
        if status in ("pressed", "lost"):
            told(True, status == "lost", self._words(status, ""))  # noqa: FBT003

    def state(self) -> dict[str, Any]:
        """Return how the box is, and how often it was pressed and lost; ready for JSON."""
        return {"address": self.name, "status": self.status, "presses": self.presses, "losses": self.losses}

    def close(self) -> None:
        """Listen no more; may be called twice."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._shut()

    def _work(self) -> None:
        heard, there = time.monotonic(), False
        while not self._closing.is_set():
            try:
                if not there:
                    self._open()
                    there = True
                said = self._listen()
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a box, it is lost, and that is a stop
                self._shut()
                there = False
                # The first word may take a moment: a device that was just plugged in is not there yet.
                if self.status != "unknown":
                    self._is("lost", str(getattr(error, "strerror", None) or error))
                self._closing.wait(AGAIN_S)
                continue
            now = time.monotonic()
            if said is not None:
                heard = now
                self._is("pressed" if said else "released")
            elif now - heard > LIFE_S and self.status != "unknown":
                self._is("lost", f"silent for {LIFE_S * 1000:.0f} ms")

    def _is(self, status: str, why: str = "") -> None:
        with self._lock:
            before, self.status, told = self.status, status, self._told
        self._known.set()
        if status == before:
            return
        self.presses += status == "pressed"
        self.losses += status == "lost"
        if told is not None and not (before == "unknown" and status == "released"):
            told(status != "released", status == "lost", self._words(status, why))

    def _words(self, status: str, why: str) -> str:
        return f"the stop box {self.name} is {status}" + (f": {why}" if why else "")


class SerialStopBox(StopBox):
    """A box that speaks the protocol above on a serial line or USB.

    Parameters
    ----------
    port : str
        "/dev/ttyACM0", "/dev/serial/by-id/...", "COM3".
    """

    def __init__(self, port: str) -> None:
        try:
            import serial
        except ImportError:
            raise MissingDependencyError("serial", "outputs", "A serial stop box") from None
        super().__init__(f"serial:{port}")
        self._serial: Any = serial
        self._port = port
        self._line: Any = None
        self._pending = b""
        self._sequence = ""

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Return the box at a serial port."""
        address.check_options(())
        if not address.body:
            raise ArgumentError("a serial stop box needs its port, as in 'serial:/dev/ttyACM0'.")
        return cls(address.body)

    def _open(self) -> None:
        try:
            self._line = self._serial.Serial(self._port, 115200, timeout=LOOK_S, exclusive=True)
            self._line.reset_input_buffer()
        except ValueError as error:
            raise OSError(str(error)) from None
        self._pending, self._sequence = b"", ""

    def _listen(self) -> bool | None:
        self._pending += self._line.read(max(1, self._line.in_waiting))
        *lines, self._pending = self._pending.split(b"\n")
        # A line that never ends is none.
        self._pending = self._pending[-256:]
        words: set[str] = set()
        for line in lines:
            try:
                fields = parse_frame(line)
            except DriverError:
                continue
            if len(fields) == 2 and fields[0] != self._sequence:
                self._sequence = fields[0]
                words.add(fields[1])
        if words - {"R"}:
            return True
        return False if words else None

    def _shut(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()


class GpioStopBox(StopBox):
    """A button, normally closed, at an input of the computer that the system shows as a file.

    Parameters
    ----------
    file : str
        That reads "0" or "1", such as ``/sys/class/gpio/gpio17/value``; a number alone is that of the input.
    released : str
        What it reads while the button is released: "1", or "0" for an input that is inverted. Anything else is pressed.
    """

    def __init__(self, file: str, *, released: str = "1") -> None:
        super().__init__(f"gpio:{file}")
        self._file = Path(f"/sys/class/gpio/gpio{file}/value") if file.isdigit() else Path(file)
        self._released = released

    @classmethod
    def from_address(cls, address: Address) -> Self:
        """Return the button at an input."""
        address.check_options(("released",))
        if not address.body:
            raise ArgumentError("a button needs its input, as in 'gpio:17' or 'gpio:/sys/class/gpio/gpio17/value'.")
        released = address.options.get("released", "1")
        if released not in ("0", "1"):
            raise ArgumentError(f"released is {released!r}; allowed: 0, 1.")
        return cls(address.body, released=released)

    def _open(self) -> None:
        self._file.read_bytes()

    def _listen(self) -> bool | None:
        time.sleep(LOOK_S / 2)
        return self._file.read_bytes().strip() != self._released.encode()

    def _shut(self) -> None:
        """Nothing is kept open."""


def open_stop_box(text: str) -> StopBox:
    """Return the stop box of an address: ``serial:/dev/ttyACM0``, ``gpio:17``, or one that another package brings.

    Raises
    ------
    ArgumentError
        If there is no such kind, or the rest is not as it wants it.
    PluginError
        If what another package brings is no `StopBox`.
    """
    address = Address.parse(text)
    found = plugins.load("stop_boxes", address.scheme)
    if not (isinstance(found, type) and issubclass(found, StopBox)):
        package = plugins.find("stop_boxes", address.scheme).package
        raise PluginError(f"the stop box {address.scheme!r} of {package} is no class of StopBox: {found!r}.")
    box: StopBox = found.from_address(address)
    return box


__all__ = ["GpioStopBox", "SerialStopBox", "StopBox", "open_stop_box"]
