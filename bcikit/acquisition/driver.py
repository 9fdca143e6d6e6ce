"""The base for sources of your own hardware: you read blocks, it makes the times, the losses and the way back."""

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.assembler import RATE_TOLERANCE, Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.live import LiveSource, Reconnect, changed
from bcikit.acquisition.watchdog import Watchdog
from bcikit.signal import BciError, Chunk, Event, SourceError, StreamChangedError, StreamInfo, check_int

_STILL_SECONDS = 2.0
"""Seconds for which the stamps of a device may stand still while samples come; a slow one sends a block a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a driver had in hand at once.

    Attributes
    ----------
    data : ndarray of float64, shape (n, n_channels)
        In the unit of the link's `StreamInfo`; NaN (or masked) where there is no value. It is copied: a driver may use
        one buffer for all blocks.
    counter : ndarray, shape (n,), or None
        Packet counter of each sample, where the device has one: it alone tells losses exactly.
    stamps : ndarray of float64, shape (n,), or None
        Stamps in seconds that the device or its sender made, for a `DriverSource` with ``stamped=True``; a clock that
        is not the host's is noticed, mapped and said. Without them samples are dated by the counter and by when blocks
        come.
    events : sequence of Event
        Buttons and triggers. Their times are on the clock of `stamps`, and mapped with them; without stamps, on the
        host's.
    overflow : bool
        The driver's buffer was full: samples before these may be gone.
    """

    data: NDArray[np.float64]
    counter: NDArray[np.float64] | None = None
    stamps: NDArray[np.float64] | None = None
    events: Sequence[Event] = ()
    overflow: bool = False


class Link(ABC):
    """An open connection to a device.

    Attributes
    ----------
    info : StreamInfo
        What it streams. After a reconnect it must be the same.
    """

    info: StreamInfo

    @abstractmethod
    def read(self, timeout: float) -> Block | None:
        """Return what came, waiting at most `timeout` seconds; None where nothing did.

        Raises
        ------
        TimeoutError, BlockingIOError
            As None: what sockets say where nothing came.
        SourceError, OSError, EOFError
            If the connection is gone. Any other error is a fault of the driver and ends the source.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the connection back; it may be gone already."""


class DriverSource(LiveSource):
    """A source for a device of yours.

    The clock, gaps, losses by counter, flags of bad samples, stalls, and getting a lost link back are those of every
    live source.

    Parameters
    ----------
    connect : callable
        Returns a new `Link`, raising `SourceError` or `OSError` where the device is not there. It is called to open,
        and again, from another thread, to get a lost link back.
    modulus : int, optional
        The counter of the device has so many values; needed where blocks have a `counter`.
    samples_per_packet : int
        Samples that share one value of the counter.
    full_scale : float, optional
        Largest absolute value that the device can give, in the unit of the stream: what reaches it is flagged as
        railed.
    stamped : bool
        Blocks carry `Block.stamps`.
    rate_tolerance : float
        Share of the nominal rate by which the real one may differ; beyond it, `pull` raises.
    reconnect : Reconnect, optional
        How a lost link is had back.
    watchdog : Watchdog, optional
        When a stream counts as late, stalled and lost.

    Raises
    ------
    SourceError
        If the device cannot be opened.
    """

    _exclusive = True

    def __init__(
        self,
        connect: Callable[[], Link],
        *,
        modulus: int | None = None,
        samples_per_packet: int = 1,
        full_scale: float | None = None,
        stamped: bool = False,
        rate_tolerance: float = RATE_TOLERANCE,
        reconnect: Reconnect | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        if modulus is not None:
            check_int("modulus", modulus, low=2)
        self._connect, self._counted, self._stamped = connect, modulus is not None, stamped
        self._newest: float = math.nan
        self._ran_at: float | None = None
        self._happened: list[Event] = []
        self._link: Link | None = self._open()
        info = self._link.info
        counter = None
        if modulus is not None:
            counter = PacketCounter(modulus, info.sfreq, samples_per_packet=samples_per_packet)
        assembler = Assembler(
            info,
            counter=counter,
            stamped_on_arrival=not stamped,
            rate_tolerance=rate_tolerance,
            full_scale=None if full_scale is None else np.full(info.n_channels, float(full_scale)),
        )
        super().__init__(info, assembler, reconnect=reconnect, watchdog=watchdog)

    def _open(self) -> Link:
        try:
            return self._connect()
        except BciError:
            raise
        except (OSError, EOFError) as error:
            raise SourceError(f"the device cannot be opened: {error}.") from error
        except Exception as error:  # a stranger's code
            raise SourceError(f"the device cannot be opened: its driver failed ({_said(error)}).") from error

    def start(self) -> None:
        """Begin to stream."""
        if self._link is None:
            self._asked_at = self._now()
            self._link = self._open()
        self._begin()

    def _receive(self, timeout: float) -> list[Chunk]:
        if self._link is None:
            self._link_lost = True
            return []
        try:
            block = self._link.read(max(timeout, 0.0))
        except (TimeoutError, BlockingIOError):
            return []
        except (SourceError, OSError, EOFError):
            self._link_lost = True
            return []
        except BciError:
            raise
        except Exception as error:  # a stranger's code
            raise SourceError(f"{self.info.name!r}: its driver failed ({_said(error)}).") from error
        if block is None:
            return []
        arrival = self._now()
        if not isinstance(block, Block):
            raise SourceError(f"{self.info.name!r}: read() gave a {type(block).__name__}; it must be a Block or None.")
        # Blocks may be held back until it shows what a pause was: by then a driver may have filled its buffer anew.
        data, stamps, packets = self._copied(block.data), self._copied(block.stamps), self._copied(block.counter)
        assert data is not None
        self._check(block, data.shape)
        self._happened.extend(block.events)
        if not data.shape[0]:
            self._tell_happened()
            return []
        self._arrival = arrival
        if stamps is None:
            stamps = np.full(data.shape[0], arrival)
        else:
            self._check_runs(stamps, arrival)
        chunks = self._assembler.add(data, stamps, arrival, packets=packets, overflow=block.overflow)
        self._tell_happened()
        return chunks

    def _tell_happened(self) -> None:
        """Give the events of the device on the host's clock, once a stamp has told how far that is from its own."""
        shift = self._assembler.shift if self._stamped else 0.0
        if shift is not None:
            self._events += [replace(event, time=event.time + shift) for event in self._happened]
            self._happened.clear()

    def _copied(self, values: Any) -> NDArray[np.float64] | None:
        """Return numbers of a driver as an array of their own; what is masked is NaN."""
        if values is None:
            return None
        try:
            if np.iscomplexobj(values):
                raise TypeError("complex numbers")
            own = np.array(values, dtype=np.float64, order="C")
            if isinstance(values, np.ma.MaskedArray):
                own[np.ma.getmaskarray(values)] = np.nan
            return own
        except (TypeError, ValueError) as error:
            raise SourceError(f"{self.info.name!r}: a block holds what are no numbers ({error}).") from None

    def _check_runs(self, stamps: NDArray[np.float64], arrival: float) -> None:
        """Refuse stamps that stand still while samples come: they tell no time."""
        newest = float(np.fmax.reduce(stamps))
        if self._ran_at is None or not (math.isnan(newest) or newest == self._newest):
            self._newest, self._ran_at = newest, arrival
        elif arrival - self._ran_at > _STILL_SECONDS:
            raise SourceError(
                f"{self.info.name!r}: its stamps stand still (at {newest:g}) while samples come. Have the driver give "
                "stamps that run, or leave them out (stamped=False): then samples are dated by when they come."
            )

    def _check(self, block: Block, shape: tuple[int, ...]) -> None:
        """Refuse a block that is not what the source was said to give: taking it would bend times or channels."""
        problem = ""
        for event in block.events:
            # Worded for what a stranger's driver gives in spite of the types.
            if not math.isfinite(getattr(event, "time", math.nan)):
                problem = f"{event!r} is no event with a time"
        if len(shape) != 2 or shape[1] != self.info.n_channels:
            problem = f"data have the shape {shape}; (n, {self.info.n_channels}) is expected"
        columns = (
            ("counter", block.counter, self._counted, "modulus="),
            ("stamps", block.stamps, self._stamped, "stamped="),
        )
        for name, values, wanted, option in columns:
            if (values is not None) != wanted:
                problem = f"{name} must be given where the source was made with {option}, and only there"
            elif values is not None and np.shape(values) != shape[:1]:
                problem = f"{name} have the shape {np.shape(values)}; {shape[:1]} is expected"
        if problem:
            raise SourceError(f"{self.info.name!r}: a block is not what the source was said to give: {problem}.")

    def _reopen(self) -> object:
        old, self._link = self._link, None
        if old is not None:
            _close(old)
        self._asked_at = self._now()
        link = self._open()
        if link.info != self.info:
            _close(link)
            changes = changed(self.info, link.info) or ["description"]
            raise StreamChangedError(
                f"{self.info.name!r} came back with another {' and another '.join(changes)}; it is not mapped onto the "
                "old channels. Start the session again with the device as it is now."
            )
        return link

    def _adopt(self, link: object) -> None:
        assert isinstance(link, Link)
        self._link = link

    def _discard(self, link: object) -> None:
        assert isinstance(link, Link)
        _close(link)

    def stop(self) -> None:
        """Stop streaming and give the connection back; `start` opens a new one."""
        super().stop()
        link, self._link = self._link, None
        if link is not None:
            _close(link)


def _close(link: Link) -> None:
    # Whatever a stranger's code says: the connection is given up, and what was taken is whole.
    with contextlib.suppress(Exception):
        link.close()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
