r"""A stimulator on a serial line: an example of a driver, its protocol, and a simulated device to test it with.

Protocol (ASCII, 115200 baud, 8N1). Each line is ``$SEQ,WORD[,ARG...]*CC\n`` where CC is the CRC-8 (polynomial 0x07) of
what stands between ``$`` and ``*``, two hex digits. The device answers ``$SEQ,OK*CC`` or ``$SEQ,ERR,REASON*CC``.

==================  ==================================================
word and arguments  meaning
==================  ==================================================
``S,mA,us,Hz``      stimulate with this amplitude, pulse width, rate
``K``               keep-alive; at least every 100 ms while stimulating
``Z``               zero: no current, at once
==================  ==================================================

The device goes to zero by itself when it hears nothing valid for 150 ms, or a line with a wrong CRC.
"""

import contextlib
import math
import os
import threading
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from bcikit.safety.guard.drivers import Driver, DriverError, fes_apply
from bcikit.safety.guard.fes import FesCommand, FesLimits, FesTrain
from bcikit.signal.terminal import open_terminal

KEEP_ALIVE_S = 0.05
DEVICE_DEADLINE_S = 0.15
ANSWER_S = 1.0
"""A device that answers nothing for so long while it should stimulate is not believed to do what it was told."""


def crc8(data: bytes) -> int:
    """Return the CRC-8 with polynomial 0x07 and start value 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def frame(text: str) -> bytes:
    """Return a line of the protocol."""
    return f"${text}*{crc8(text.encode()):02X}\n".encode()


def parse_frame(line: bytes) -> list[str]:
    """Return the fields of a line.

    Raises
    ------
    DriverError
        If it is damaged.
    """
    text = line.strip()
    body, star, check = text[1:].rpartition(b"*")
    if not text.startswith(b"$") or not star or len(text) > 80:
        raise DriverError("not a line of the protocol")
    try:
        if int(check, 16) != crc8(body):
            raise DriverError("wrong CRC")
        return body.decode("ascii").split(",")
    except ValueError:
        raise DriverError("not a line of the protocol") from None


class SerialFes(Driver):
    """Drives a stimulator that speaks the protocol above.

    Parameters
    ----------
    port : str
        Serial port ("/dev/ttyUSB0", "COM3").
    limits : FesLimits
        Ceilings, set by a clinician.
    """

    channels: ClassVar[int | None] = 1

    def __init__(self, port: str, *, limits: FesLimits | None = None) -> None:
        try:
            import serial
        except ImportError:
            from bcikit.signal import install_hint

            raise DriverError(f"the serial stimulator needs pyserial: {install_hint('outputs')}") from None
        try:
            self._port = serial.Serial(port, 115200, timeout=0.0, write_timeout=0.05, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise DriverError(f"serial port {port!r}: {error}") from None
        self._train = FesTrain(limits or FesLimits())
        self._parameters: FesCommand | None = None
        self._sequence = 0
        self._sent_at = float("-inf")
        self._asked = math.inf
        self._sent: tuple[float, float, float] | None = None
        self._pending = b""
        self._answered = 0.0
        self._errors = 0
        self.current_ma = 0.0
        self.safe()

    @classmethod
    def from_port(cls, port: str) -> Self:
        """Open the stimulator at a serial port.

        Raises
        ------
        DriverError
            If none is named, or it cannot be opened.
        """
        if not port:
            raise DriverError("the serial stimulator needs its port, as in 'serial-fes:/dev/ttyUSB0'")
        return cls(port)

    def apply(self, name: str, value: float | str | None, data: Mapping[str, Any], now: float) -> None:  # noqa: ARG002
        """Take "stimulate" with the parameters of `FesCommand` in `data`, or "rest"."""
        self.current_ma = fes_apply(self._train, name, data, now)
        self._parameters = FesCommand.from_data(data) if name == "stimulate" else None
        self.tick(now)

    def tick(self, now: float) -> None:
        """Follow the ramp, keep the device alive, and hear what it answers."""
        answered = self._answered
        self._listen()
        if self._answered > answered:
            self._asked = math.inf
        self.current_ma = self._train.current(now)
        if self.current_ma <= 0.0 or self._parameters is None:
            if self._sent is not None and self._sent[0] > 0.0:
                self._zero()
            return
        # Down to what the line can say: never more than what was asked for.
        wanted = (
            math.floor(10 * self.current_ma + 1e-9) / 10,
            self._parameters.pulse_us,
            self._parameters.frequency_hz,
        )
        if wanted != self._sent or now - self._sent_at >= KEEP_ALIVE_S:
            self._write("S," + ",".join(f"{number:g}" for number in wanted) if wanted != self._sent else "K")
            self._sent, self._sent_at = wanted, now
            self._asked = min(self._asked, now)
        if now - self._asked > ANSWER_S:
            raise DriverError(f"the stimulator does not answer for {ANSWER_S:g} s")

    def safe(self) -> None:
        """Send zero."""
        self._train.stop()
        self._parameters = None
        self._asked = math.inf
        self._zero()

    def ready(self) -> bool:
        """Return whether the device answered zero within 100 ms."""
        before = self._answered
        self._zero()
        limit = time.monotonic() + 0.1
        while time.monotonic() < limit:
            self._listen()
            if self._answered > before:
                return True
            time.sleep(0.002)
        return False

    def state(self) -> dict[str, Any]:
        """Return the current asked for, the time of use, and how the line is."""
        return {
            "driver": "serial-fes",
            "current_ma": self.current_ma,
            "on_s": self._train.on_s,
            "trains": self._train.trains,
            "errors": self._errors,
            "output": self.current_ma,
        }

    def close(self) -> None:
        """Send zero and close the port."""
        try:
            self.safe()
        finally:
            self._port.close()

    def _zero(self) -> None:
        self.current_ma = 0.0
        self._sent = (0.0, 0.0, 0.0)
        self._write("Z")

    def _write(self, text: str) -> None:
        self._sequence += 1
        self._port.write(frame(f"{self._sequence},{text}"))

    def _listen(self) -> None:
        waiting = self._port.in_waiting
        if not waiting:
            return
        self._pending += self._port.read(waiting)
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            try:
                fields = parse_frame(line)
            except DriverError:
                self._errors += 1
                continue
            if fields[1:2] == ["OK"]:
                self._answered += 1
            else:
                self._errors += 1
                raise DriverError(f"the stimulator says {','.join(fields[1:])}")


class SimulatedStimulator:
    """The other end of the line: a device of the protocol on a pseudo terminal (POSIX only).

    Attributes
    ----------
    port : str
        Name to give to `SerialFes`.
    current_ma : float
        What it delivers.
    """

    def __init__(self) -> None:
        self._master, self._slave, self.port = open_terminal("the simulated stimulator")
        self.current_ma = 0.0
        self.zero_at = 0.0
        self.lines: list[list[str]] = []
        self._heard = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated stimulator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and give back the terminal."""
        self._stop.set()
        self._thread.join(timeout=2.0)
        os.close(self._master)
        os.close(self._slave)

    def _run(self) -> None:
        pending = b""
        while not self._stop.wait(0.002):
            with contextlib.suppress(OSError):
                pending += os.read(self._master, 4096)
            *lines, pending = pending.split(b"\n")
            for line in lines:
                self._obey(line)
            if self.current_ma > 0 and time.monotonic() - self._heard > DEVICE_DEADLINE_S:
                self._zero()

    def _zero(self) -> None:
        if self.current_ma > 0:
            self.zero_at = time.monotonic()
        self.current_ma = 0.0

    def _obey(self, line: bytes) -> None:
        try:
            fields = parse_frame(line)
            sequence, word = fields[0], fields[1]
            if word == "S":
                self.current_ma = float(fields[2])
            elif word == "Z":
                self._zero()
            elif word != "K":
                raise DriverError(f"unknown word {word}")
        except (DriverError, ValueError, IndexError):
            self._zero()
            os.write(self._master, frame("0,ERR,line"))
            return
        self._heard = time.monotonic()
        self.lines.append(fields)
        os.write(self._master, frame(f"{sequence},OK"))
