"""Emulators of devices on the wire: BrainFlow's own driver reads them, so a test covers the whole chain.

The packets follow the makers' public descriptions: OpenBCI's "Cyton Data Format" and "Cyton SDK" (also spoken by the
Ganglion behind a WiFi shield). Channel 1 carries the number of each sample, in steps of the converter, so that a
receiver can tell every sample it got; `Emulator.taken` says when each was taken.

As a program, for a device in a process of its own::

    python -m bcikit.testing cyton '{"block": 10, "stalls": [[5, 0.8]]}'

prints the address to open, then a line of JSON each time the stream starts.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import HostClock, SourceError
from bcikit.signal.terminal import open_terminal
from bcikit.testing.link_plan import LinkPlan

Signal = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Microvolts, shape (n, n_channels), of samples taken at the given seconds since the start of the stream."""

_STEP = 0.0005
"""Seconds between two looks at a link that stands still, or at a device that nobody started."""

_LONGEST = 0.02
"""Seconds between two looks at one that waits for its next block."""

_POLITE = 10.0
"""Seconds in which the process of an emulator ends by itself before it is ended by force."""


class Emulator(ABC):
    """A device on the wire, in a thread of its own. Use it as a context manager.

    Parameters
    ----------
    plan : LinkPlan
        What happens to its samples.
    signal : callable or None
        What its channels measure; None counts samples on channel 1 and gives sines on the others.
    """

    kind: str
    sfreq: float
    n_channels: int

    def __init__(self, plan: LinkPlan | None = None, *, signal: Signal | None = None) -> None:
        self.plan = plan or LinkPlan()
        self.rate = self.plan.rate or self.sfreq
        self.address = ""
        self.started: float | None = None
        self.starts: list[tuple[float, int]] = []
        self.commands: list[str] = []
        self.gains = np.full(self.n_channels, self.default_gain)
        self.on_start: Callable[[float, int], None] = lambda _time, _sample: None
        self._signal = signal
        self._now = HostClock().now
        self._streaming = False
        self._counted_from = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._rng = np.random.default_rng(self.plan.seed)
        self._lost = np.array(self.plan.lost, dtype=np.int64).reshape(-1, 2)
        self._ready: tuple[int, bytes] | None = None

    boards = "On Board ADS1299 Device ID: 0x3E\r\n"
    default_gain = 24.0
    reference_volts = 4.5

    @property
    def microvolts_per_step(self) -> NDArray[np.float64]:
        """One step of the converter of each channel, microvolts: ``Vref / gain / (2^23 - 1)``."""
        return np.asarray(1e6 * self.reference_volts / self.gains / (2**23 - 1), dtype=np.float64)

    def taken(self, k: "NDArray[np.int64] | int") -> NDArray[np.float64]:
        """Return when samples were taken, seconds on LSL's clock.

        Raises
        ------
        SourceError
            If the stream was never started.
        """
        if self.started is None:
            raise SourceError(f"The emulated {self.kind} was never started.")
        return np.asarray(self.started + np.asarray(k) / self.rate, dtype=np.float64)

    def connect(self, signal: Signal | None) -> None:
        """Have the channels measure something else from the next sample on, as a generator that is plugged in."""
        with self._lock:
            self._signal, self._ready = signal, None

    def wait_started(self, timeout: float = 30.0) -> float:
        """Wait for the driver to start the stream and return the time of sample 0."""
        end = time.monotonic() + timeout
        while self.started is None:
            if time.monotonic() > end:
                raise SourceError(f"Nobody started the emulated {self.kind} within {timeout:g} s.")
            time.sleep(0.002)
        return self.started

    # -- the stream ---------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        with self._lock:
            now = self._now()
            if self.started is None:
                self.started = now
            self._next = int(np.ceil((now - self.started) * self.rate))
            if self.plan.restart_counter:
                self._counted_from = self._next
            self._streaming = True
            self.starts.append((now, self._next))
            self._held: list[tuple[float, NDArray[np.int64]]] = []
            self._ready = None
            self._drained = now
        self.on_start(self.started, self._next)

    def _end(self) -> None:
        with self._lock:
            self._streaming = False

    def _codes(self, k: NDArray[np.int64]) -> NDArray[np.int64]:
        seconds = k / self.rate
        if self._signal is None:
            codes = np.empty((k.size, self.n_channels))
            codes[:, 0] = k % 2**22
            for channel in range(1, self.n_channels):
                sine = 50.0 * np.sin(2 * np.pi * (3.0 + channel) * seconds + channel)
                codes[:, channel] = sine / self.microvolts_per_step[channel]
        else:
            codes = self._signal(seconds) / self.microvolts_per_step
        return np.clip(np.rint(codes), -(2**23), 2**23 - 1).astype(np.int64)

    def _run(self) -> None:
        wait = _STEP
        while not self._over.wait(wait):
            with self._lock:
                wait = self._deliver(self._now()) if self._streaming else _STEP

    def _deliver(self, now: float) -> float:
        """Send what is due and return in how many seconds to look again.

        The next block is planned and its packets are written ahead: a device sends in the moment, and what the
        emulator needs to write them would be a delay that no plan states.
        """
        assert self.started is not None
        plan = self.plan
        due = int((now - self.started) * self.rate) + 1
        while self._next <= due:
            k = np.arange(self._next, self._next + plan.block)
            self._next += plan.block
            wait = plan.latency + (float(self._rng.exponential(plan.jitter)) if plan.jitter else 0.0)
            self._held.append((self.started + float(k[-1]) / self.rate + wait, k))
        since = now - self.started
        if any(begin <= since < begin + length for begin, length in plan.stalls):
            self._drained = now
            return _STEP
        if plan.silent_after is not None and since >= plan.silent_after:
            self._held.clear()
            return _STEP
        while self._held and self._held[0][0] <= now:
            moment, k = self._held[0]
            if plan.drain and now - moment > 0.02 and now - self._drained < k.size / plan.drain:
                return _STEP
            self._drained = max(self._drained + k.size / plan.drain, now - 0.01) if plan.drain else now
            self._held.pop(0)
            if data := self._written(k):
                self._send(data)
        if not self._held:
            return _STEP
        moment, k = self._held[0]
        self._ready = int(k[0]), self._written(k)
        return min(_LONGEST, max(0.0, moment - self._now()))

    def _written(self, k: NDArray[np.int64]) -> bytes:
        """Return the packets of a block."""
        if self._ready is not None and self._ready[0] == k[0]:
            return self._ready[1]
        codes = self._codes(k)
        counts = self.plan.counter(k - self._counted_from if self.plan.restart_counter else k)
        parts = []
        first, count = self._lost.T
        dropped = np.any((k[:, None] >= first) & (k[:, None] < first + count), axis=1)
        for row, sample in enumerate(k.tolist()):
            if dropped[row]:
                continue
            packet = self._packet(int(counts[row]), codes[row], broken=sample in self.plan.broken)
            if sample in self.plan.noise:
                parts.append(b"\x00\x37\x13")
            parts.append(packet * (2 if sample in self.plan.repeated else 1))
        return b"".join(parts)

    def _packet(self, count: int, codes: NDArray[np.int64], *, broken: bool) -> bytes:
        """Return the bytes of one sample; OpenBCI's packet of eight channels where nothing else is said."""
        return _openbci_packet(count % 256, codes[:8], broken=broken)

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Put bytes on the wire."""

    @abstractmethod
    def _open(self) -> None:
        """Make the wire, set `address`, and start what answers commands."""

    @abstractmethod
    def _shut(self) -> None:
        """Take the wire away."""

    def _thread(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"emulated-{self.kind}-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def __enter__(self) -> Self:
        self._open()
        self._thread(self._run, "samples")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._streaming = False
        self._shut()
        for thread in self._threads:
            thread.join(5.0)

    def _obey(self, text: str) -> str:
        """Take OpenBCI's one-letter commands and return the answer to each, as one text."""
        answers = []
        at = 0
        while at < len(text):
            letter = text[at]
            size = 9 if letter == "x" else 2 if letter in "~/" else 1
            command = text[at : at + size]
            at += size
            self.commands.append(command)
            answers.append(self._answer(command))
        return "".join(answers)

    def _answer(self, command: str) -> str:
        letter = command[0]
        if letter == "b":
            self._begin()
            return ""
        if letter == "s":
            self._end()
            return ""
        if letter == "v":
            self._end()
            return f"OpenBCI V3 8-16 channel\r\n{self.boards}Firmware: v3.1.2\r\n$$$"
        if letter == "d":
            with self._lock:
                self.gains[:], self._ready = self.default_gain, None
            return "updating channel settings to default$$$"
        if letter == "x" and len(command) == 9 and command[-1] == "X":
            channel = "12345678QWERTYUI".find(command[1])
            if 0 <= channel < self.n_channels and command[3] in "0123456":
                with self._lock:
                    self.gains[channel], self._ready = (1, 2, 4, 6, 8, 12, 24)[int(command[3])], None
                return f"Success: Channel set for {channel + 1}$$$"
            return "Failure: too many chars$$$"
        if letter == "~" and len(command) == 2:
            return self._set_rate(command[1])
        return "Success: default$$$" if letter == "/" else "$$$"

    def _set_rate(self, digit: str) -> str:
        """Obey ``~0`` to ``~6``: 16,000 Hz halved with each step."""
        if not digit.isdigit() or int(digit) > 6:
            return "Failure: sampling value out of bounds$$$"
        self.rate = 16_000.0 / 2 ** int(digit)
        return f"Success: Sample rate is {self.rate:g}Hz$$$"


def _openbci_packet(count: int, codes: NDArray[np.int64], *, broken: bool) -> bytes:
    """Return 33 bytes: 0xA0, counter, eight channels of 24 bits, three axes of 16 bits, 0xC0 (OpenBCI data format)."""
    values = np.zeros(8, dtype=np.int64)
    values[: codes.size] = codes
    unsigned = values & 0xFFFFFF
    data = np.column_stack([unsigned >> 16, unsigned >> 8, unsigned]) & 0xFF
    return b"\xa0" + bytes([count]) + data.astype(np.uint8).tobytes() + bytes(6) + (b"\x00" if broken else b"\xc0")


class CytonEmulator(Emulator):
    """OpenBCI's Cyton on a serial port: a pseudo-terminal, so it needs Linux or macOS."""

    kind = "cyton"
    sfreq = 250.0
    n_channels = 8

    def _open(self) -> None:
        self._master, self._slave, self.port = open_terminal(f"the emulated {self.kind}")
        self.address = f"brainflow:{self.kind}?serial_port={self.port}"
        self._thread(self._listen, "commands")

    def _shut(self) -> None:
        import os

        self._threads[0].join(5.0)
        for handle in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(handle)

    def _listen(self) -> None:
        import os
        import select

        while not self._over.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if not ready:
                continue
            try:
                text = os.read(self._master, 256).decode("latin-1")
            except OSError:
                continue
            answer = self._obey(text)
            if answer:
                self._send(answer.encode())

    def _send(self, data: bytes) -> None:
        import os

        view = memoryview(data)
        while view and not self._over.is_set():
            try:
                view = view[os.write(self._master, view) :]
            except BlockingIOError:
                # Nobody reads: a port keeps some kilobytes and then makes its writer wait.
                time.sleep(0.001)
                if not self._streaming:
                    return
            except OSError:
                return


class CytonDaisyEmulator(CytonEmulator):
    """OpenBCI's Cyton with its Daisy: 16 channels at 125 Hz, two packets a sample, the odd one first."""

    kind = "cyton-daisy"
    boards = "On Board ADS1299 Device ID: 0x3E\r\nOn Daisy ADS1299 Device ID: 0x3E\r\n"
    sfreq = 125.0
    n_channels = 16

    def _packet(self, count: int, codes: NDArray[np.int64], *, broken: bool) -> bytes:
        first = _openbci_packet((2 * count + 1) % 256, codes[:8], broken=broken)
        return first + _openbci_packet((2 * count + 2) % 256, codes[8:], broken=broken)


class EmulatorProcess:
    """An emulator in a process of its own, which can be stopped like a device that hangs. Use as a context manager.

    Parameters
    ----------
    kind : str
        "cyton", "cyton-daisy" or "ganglion-wifi".
    plan : LinkPlan
        What happens to its samples.
    """

    def __init__(self, kind: str, plan: LinkPlan | None = None) -> None:
        self.kind, self.plan = kind, plan or LinkPlan()
        self.address = ""
        self.starts: list[tuple[float, int]] = []
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bcikit.testing", self.kind, self.plan.to_json()]
        self.process = subprocess.Popen(  # noqa: S603 - this interpreter, this module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            self.__exit__()
            raise SourceError(f"The emulated {self.kind} did not start.")
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        return self

    def _read(self, lines: "IO[str]") -> None:
        for line in lines:
            told = json.loads(line)
            self.starts.append((float(told["started"]), int(told["sample"])))

    def wait_started(self, timeout: float = 30.0) -> float:
        """Wait for the driver to start the stream and return the time of sample 0 on LSL's clock."""
        end = time.monotonic() + timeout
        while not self.starts:
            if time.monotonic() > end:
                raise SourceError(f"Nobody started the emulated {self.kind} within {timeout:g} s.")
            time.sleep(0.005)
        return self.starts[0][0]

    def __exit__(self, *_: object) -> None:
        process = self.process
        if process is None:
            return
        assert process.stdin is not None
        # It ends by itself when nobody speaks to it any more; one that was frozen does not.
        process.stdin.close()
        try:
            process.wait(_POLITE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        assert process.stdout is not None
        if self._reader is not None:
            self._reader.join(5.0)
        process.stdout.close()
