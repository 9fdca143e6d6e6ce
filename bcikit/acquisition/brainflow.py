"""BrainFlow boards as sources: any board BrainFlow knows, the synthetic, playback and streaming boards included."""

import contextlib
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.live import LiveSource, Reconnect
from bcikit.acquisition.profile import DeviceProfile, profile_for_board, read_profile
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.unix_clock import UnixClock
from bcikit.signal import ArgumentError, Chunk, Event, SourceError, StreamInfo, check_int, check_range
from bcikit.signal.address import Address

_PARAMETERS = (
    "serial_port", "mac_address", "ip_address", "ip_address_aux", "ip_address_anc", "ip_port", "ip_port_aux",
    "ip_port_anc", "ip_protocol", "other_info", "timeout", "serial_number", "file", "file_aux", "file_anc",
)  # fmt: skip
_NUMBERS = frozenset({"ip_port", "ip_port_aux", "ip_port_anc", "ip_protocol", "timeout"})
_OWN = ("master_board", "aux", "buffer", "config", "dejitter", "modulus", "profile", "reconnect", "streamer")

_POLL = 0.002
"""Seconds between two looks into BrainFlow's buffer, which cannot be waited for."""

_MAX_BUFFER = 86_400 * 250
"""BrainFlow refuses more samples than these."""

_BATTERY_SECONDS = 10.0
"""The battery is the median over this time (H-BAT): single values jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrainFlowSettings:
    """What bcikit, not BrainFlow, needs to know of a board; `open_brainflow` describes each."""

    aux: bool = False
    buffer: int | None = None
    config: tuple[str, ...] = ()
    streamer: str = ""
    modulus: int | None = None
    reconnect: float | None = None
    dejitter: bool = True
    profile: DeviceProfile | None = None


def open_brainflow(address: Address) -> "BrainFlowSource":
    """Open ``brainflow:BOARD?option=value``.

    The board is BrainFlow's name without "_BOARD", in any case, or its number: ``brainflow:synthetic``,
    ``brainflow:cyton?serial_port=/dev/ttyUSB0``, ``brainflow:muse-2?serial_number=Muse-1234``,
    ``brainflow:playback?file=recording.csv&master_board=cyton``,
    ``brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port=6677``. Options are the fields of
    BrainFlow's ``BrainFlowInputParams`` and these: ``aux`` (the channels that are no biosignals, too), ``buffer``
    (samples BrainFlow keeps), ``config`` (a string for the board, several with ``;``), ``streamer`` (BrainFlow's own
    streamer), ``profile`` (a device profile file), ``modulus`` (of the packet counter), ``reconnect`` (seconds until a
    lost link is given up) and ``dejitter``.

    Raises
    ------
    ArgumentError
        If the board or an option is unknown.
    SourceError
        If the device cannot be opened.
    """
    address.check_options((*_PARAMETERS, *_OWN))
    if not address.body:
        raise ArgumentError("brainflow: which board? 'brainflow:synthetic'; 'bcikit devices --boards' lists all.")
    options = address.options
    board = boards.board_id(address.body, what="board")
    master = boards.board_id(options["master_board"], what="master_board") if "master_board" in options else None
    parameters: dict[str, Any] = {
        key: check_int(key, options[key], low=0) if key in _NUMBERS else options[key]  # type: ignore[arg-type]
        for key in _PARAMETERS
        if key in options
    }
    settings = BrainFlowSettings(
        aux=address.flag("aux", default=False),
        buffer=int(address.number("buffer", 0, low=1, high=_MAX_BUFFER)) if "buffer" in options else None,
        config=tuple(part for part in options.get("config", "").split(";") if part),
        streamer=options.get("streamer", ""),
        modulus=int(address.number("modulus", 0, low=4)) if "modulus" in options else None,
        reconnect=address.number("reconnect", 0, low=0) if "reconnect" in options else None,
        dejitter=address.flag("dejitter", default=True),
        profile=read_profile(options["profile"]) if "profile" in options else None,
    )
    return BrainFlowSource(board, master_board=master, parameters=parameters, settings=settings)


class BrainFlowSource(LiveSource):
    """A BrainFlow board.

    Losses are counted from the packet counter where its modulus is known (device profile or option), else from the
    times. BrainFlow drops the oldest samples without a word when its buffer is full: that is flagged as an overflow.

    Parameters
    ----------
    board : int
        BrainFlow's id of the board.
    master_board : int or None
        For the playback and the streaming board: the board whose data they give.
    parameters : dict
        Fields of ``BrainFlowInputParams``.
    settings : BrainFlowSettings
        The rest.
    """

    _exclusive = True

    def __init__(
        self,
        board: int,
        *,
        master_board: int | None = None,
        parameters: dict[str, Any] | None = None,
        settings: BrainFlowSettings | None = None,
    ) -> None:
        self._settings = settings or BrainFlowSettings()
        self._board, self._master, self._parameters = board, master_board, dict(parameters or {})
        self._where = f"brainflow:{boards.short_name(boards.board_name(board))}"
        boards.check_master(board, master_board, self._parameters, address=self._where)
        described = board if master_board is None else master_board
        descr = boards.describe(described)
        profile = self._settings.profile or profile_for_board(boards.board_name(described))
        self._rows, info = boards.stream_info(
            descr, aux=self._settings.aux, name=self._where.removeprefix("brainflow:")
        )
        info = info.replace(source_id=self._source_id())
        if profile is not None and not (self._settings.aux and profile.channels):
            info = profile.describe(info)
        self._packet_row = descr.get("package_num_channel")
        self._time_row = int(descr["timestamp_channel"])
        self._marker_row = descr.get("marker_channel")
        self._battery_row = descr.get("battery_channel")
        self._resistance_rows = [int(row) for row in descr.get("resistance_channels", [])]
        counter, info = self._counter(profile, info)
        self.trigger = None if profile is None else profile.trigger
        give_up = self._settings.reconnect
        if give_up is None:
            # A file that is over does not come back.
            give_up = 0.0 if board == boards.library().BoardIds.PLAYBACK_FILE_BOARD.value else 60.0
        assembler = Assembler(info, counter=counter, stamped_on_arrival=True, dejitter=self._settings.dejitter)
        super().__init__(info, assembler, reconnect=Reconnect(give_up=give_up))
        self._buffer = self._settings.buffer or max(1000, math.ceil(60 * info.sfreq))
        self._unix = UnixClock()
        self._fill = 0.0
        self._marks: list[tuple[int, float]] = []
        self._received = self._given = self._dropped = 0
        self._batteries: list[tuple[float, float]] = []
        self._resistances: tuple[float, ...] | None = None
        self._shim: Any = None
        self._shim = boards.prepare(board, self._parameters, master_board, where=self._where)

    def _source_id(self) -> str:
        for key in ("serial_number", "mac_address", "serial_port", "ip_address", "file"):
            if self._parameters.get(key):
                return f"{self._where}:{self._parameters[key]}"
        return self._where

    def _counter(self, profile: DeviceProfile | None, info: StreamInfo) -> tuple[PacketCounter | None, StreamInfo]:
        modulus = self._settings.modulus or info.capabilities.packet_modulus
        if modulus is None or self._packet_row is None:
            return None, info.replace(capabilities=replace(info.capabilities, packet_modulus=None))
        shape = None if profile is None else profile.counter
        counter = PacketCounter(
            modulus,
            info.sfreq,
            step=1 if shape is None else shape.step,
            samples_per_packet=1 if shape is None else shape.samples_per_packet,
        )
        return counter, info.replace(capabilities=replace(info.capabilities, packet_modulus=modulus))

    def start(self) -> None:
        """Start the stream; see `Source.start`."""
        if self._shim is None:
            self._shim = boards.prepare(self._board, self._parameters, self._master, where=self._where)
        self._start(self._shim)
        self._begin()

    def _start(self, shim: Any) -> None:
        for text in self._settings.config:
            boards.call(f"{self._where} config {text!r}", partial(shim.config_board, text))
        boards.call(self._where, lambda: shim.start_stream(self._buffer, self._settings.streamer))

    def _receive(self, timeout: float) -> list[Chunk]:
        try:
            return self._take(timeout)
        except boards.library().BrainFlowError:
            # The session is gone: an attempt to open it again failed, or the driver gave it up.
            self._link_lost = True
            return []

    def _take(self, timeout: float) -> list[Chunk]:
        shim = self._shim
        end = self._now() + timeout
        count = int(shim.get_board_data_count())
        while count == 0:
            left = end - self._now()
            if left <= 0:
                return []
            time.sleep(min(_POLL, left))
            count = int(shim.get_board_data_count())
        # Of a buffer that holds 100 samples, BrainFlow gives 100 when it is full: what came before is gone.
        overflow = count >= self._buffer
        self._fill = count / self._buffer
        rows = shim.get_board_data()
        arrival = self._arrival = self._now()
        offset = self._unix.refresh()
        stamps = rows[self._time_row] + offset
        data = np.ascontiguousarray(rows[self._rows].T, dtype=np.float64)
        packets = None if self._packet_row is None else rows[self._packet_row]
        self._take_extras(rows, arrival)
        self._received += rows.shape[1]
        return self._place_marks(self._assembler.add(data, stamps, arrival, packets=packets, overflow=overflow))

    def _overdue(self) -> list[Chunk]:
        return self._place_marks(super()._overdue())

    def _take_extras(self, rows: Any, arrival: float) -> None:
        """Read markers, battery and impedance from the same block."""
        if self._marker_row is not None:
            for column in np.flatnonzero(rows[self._marker_row]):
                value = float(rows[self._marker_row][column])
                if math.isfinite(value):
                    self._marks.append((self._received + int(column), value))
        if self._battery_row is not None:
            self._batteries.append((arrival, float(rows[self._battery_row][-1])))
            while self._batteries[0][0] < arrival - _BATTERY_SECONDS:
                self._batteries.pop(0)
        if self._resistance_rows:
            self._resistances = tuple(float(rows[row][-1]) for row in self._resistance_rows)

    def _place_marks(self, chunks: list[Chunk]) -> list[Chunk]:
        """Put the board's markers on the samples they came with, once these are given."""
        tally = self._assembler.tally
        dropped = tally.repeated + tally.reordered
        # Packets that came twice or late are not given; the columns after them move up.
        self._given += dropped - self._dropped
        self._dropped = dropped
        for chunk in chunks:
            stop = self._given + chunk.n_times
            while self._marks and self._marks[0][0] < stop:
                column, value = self._marks.pop(0)
                row = max(0, column - self._given)
                number = int(value) if value.is_integer() else value
                self._events.append(
                    Event(
                        name=str(number),
                        time=float(chunk.times[row]),
                        sample=chunk.first_sample + row,
                        value=number,
                        source="brainflow",
                    )
                )
            self._given = stop
        return chunks

    def insert_marker(self, value: float) -> None:
        """Have the board put a marker on its next sample.

        Raises
        ------
        ArgumentError
            If the value is 0 or no finite number, which BrainFlow would drop or take as it is.
        """
        check_range("marker", value)
        if value == 0:
            raise ArgumentError("marker is 0, which means 'no marker'; use any other number.")
        boards.call(self._where, lambda: self._shim.insert_marker(float(value)))

    def impedances(self) -> tuple[float, ...] | None:
        """Return the newest resistances in ohm, in the order of the device; None where it has none."""
        return self._resistances

    def _eeg_names(self) -> list[str]:
        return [self.info.ch_names[column] for column in self.info.indices(ch_type="eeg")]

    def battery(self) -> float | None:
        """Return the charge in per cent, the median of the last ten seconds; None where the device does not tell."""
        return float(np.median([value for _, value in self._batteries])) if self._batteries else None

    def config_board(self, text: str) -> str:
        """Send a string to the board and return its answer."""
        return str(boards.call(f"{self._where} config {text!r}", lambda: self._shim.config_board(text)))

    def status(self) -> StreamStatus:
        """Return the health of the stream up to now."""
        return replace(
            super().status(),
            offset=self._unix.offset,
            offset_uncertainty=self._unix.uncertainty,
            buffer_fill=self._fill,
            battery=self.battery(),
            impedances=dict(zip(self._eeg_names(), self._resistances or (), strict=False)),
        )

    def _reopen(self) -> object:
        # One object for both sessions: BrainFlow knows a session by its parameters, and an object that is thrown away
        # releases whatever session has its parameters then.
        shim = self._shim
        _release(shim)
        boards.call(self._where, shim.prepare_session)
        try:
            self._start(shim)
        except SourceError:
            _release(shim)
            raise
        return shim

    def _adopt(self, link: object) -> None:
        """Nothing to do: it is the same object."""

    def _discard(self, link: object) -> None:
        _release(link)

    def stop(self) -> None:
        """Stop the stream; `start` may begin again."""
        running = self._running
        super().stop()
        if running and self._shim is not None:
            with contextlib.suppress(boards.library().BrainFlowError):
                self._shim.stop_stream()

    def close(self) -> None:
        """Stop and release the board."""
        self.stop()
        if self._shim is not None:
            _release(self._shim)
            self._shim = None


def _release(shim: Any) -> None:
    with contextlib.suppress(boards.library().BrainFlowError):
        if shim.is_prepared():
            shim.release_session()
