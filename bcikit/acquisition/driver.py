"""The base for sources of your own hardware: you read blocks, it makes the times, the losses and the way back."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition.assembler import RATE_TOLERANCE, Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.live import LiveSource, Reconnect, changed
from bcikit.acquisition.watchdog import Watchdog
from bcikit.signal import Chunk, Event, SourceError, StreamChangedError, StreamInfo, check_int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What a driver had in hand at once.

    Attributes
    ----------
    data : ndarray of float64, shape (n, n_channels)
        In the unit of the link's `StreamInfo`; NaN where there is no value.
    counter : ndarray, shape (n,), or None
        Packet counter of each sample, where the device has one: it alone tells losses exactly.
    stamps : ndarray of float64, shape (n,), or None
        Stamps in seconds that the device or its sender made, for a `DriverSource` with ``stamped=True``; a clock that
        is not the host's is noticed, mapped and said. Without them samples are dated by the counter and by when blocks
        come.
    events : sequence of Event
        Buttons and triggers, with their times on the same clock.
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
        SourceError, OSError
            If the connection is gone.
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
        self._link: Link | None = self._open()
        info = self._link.info
        counter = None
        if modulus is not None:
            counter = PacketCounter(modulus, info.sfreq, samples_per_packet=samples_per_packet)
        scale = full_scale if full_scale is not None else info.capabilities.full_scale
        assembler = Assembler(
            info,
            counter=counter,
            stamped_on_arrival=not stamped,
            rate_tolerance=rate_tolerance,
            full_scale=None if scale is None else np.full(info.n_channels, float(scale)),
        )
        super().__init__(info, assembler, reconnect=reconnect, watchdog=watchdog)

    def _open(self) -> Link:
        try:
            return self._connect()
        except OSError as error:
            raise SourceError(f"the device cannot be opened: {error}.") from error

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
        except (SourceError, OSError):
            self._link_lost = True
            return []
        if block is None:
            return []
        arrival = self._now()
        self._events.extend(block.events)
        data = np.ascontiguousarray(block.data, dtype=np.float64)
        self._check(block, data.shape)
        if not data.shape[0]:
            return []
        self._arrival = arrival
        stamps = np.full(data.shape[0], arrival) if block.stamps is None else np.asarray(block.stamps, dtype=np.float64)
        return self._assembler.add(data, stamps, arrival, packets=block.counter, overflow=block.overflow)

    def _check(self, block: Block, shape: tuple[int, ...]) -> None:
        """Refuse a block that is not what the source was said to give: taking it would bend times or channels."""
        problem = ""
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
    with contextlib.suppress(OSError, SourceError):
        link.close()
