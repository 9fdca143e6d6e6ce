"""BrainFlow boards as sources: any board BrainFlow knows, the synthetic, playback and streaming boards included."""

import bisect
import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.assembler import RATE_TOLERANCE, Assembler
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.counter_learner import CounterLearner
from bcikit.acquisition.gains import Gains
from bcikit.acquisition.live import LiveSource, Reconnect
from bcikit.acquisition.openbci import DaisyCheck
from bcikit.acquisition.port_lock import PortLock
from bcikit.acquisition.profile import DeviceProfile, profile_for_board, read_profile
from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.unix_clock import UnixClock
from bcikit.signal import ArgumentError, Chunk, Event, SourceError, StreamInfo, check_range
from bcikit.signal.address import Address

_PARAMETERS = (
    "serial_port", "mac_address", "ip_address", "ip_address_aux", "ip_address_anc", "ip_port", "ip_port_aux",
    "ip_port_anc", "ip_protocol", "other_info", "timeout", "serial_number", "file", "file_aux", "file_anc",
)  # fmt: skip
_NUMBERS = frozenset({"ip_port", "ip_port_aux", "ip_port_anc", "ip_protocol", "timeout"})
_OWN = ("master_board", "aux", "buffer", "config", "dejitter", "modulus", "profile", "reconnect", "sfreq", "streamer")

_POLL = 0.002
"""Seconds between two looks into BrainFlow's buffer, which cannot be waited for."""

_MAX_BUFFER = 86_400 * 250
"""BrainFlow refuses more samples than these."""

_DAY = 86_400.0
"""Seconds by which stamps may differ from now: more is no time at all."""

_SIMULATED_RATE = 0.2
"""Share by which the rate of a board that plays something may be wrong."""

_LET_GO = 5.0
"""Seconds that a driver has to stop or to let go of a device."""

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
    sfreq: float | None = None
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
    streamer), ``profile`` (a device profile file), ``modulus`` (of the packet counter), ``sfreq`` (samples a
    second, where the device's rate is not the one BrainFlow states), ``reconnect`` (seconds until a lost link is given
    up) and ``dejitter``.

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
        key: int(address.number(key, 0, low=0)) if key in _NUMBERS else options[key]
        for key in _PARAMETERS
        if key in options
    }
    settings = BrainFlowSettings(
        aux=address.flag("aux", default=False),
        buffer=int(address.number("buffer", 0, low=1, high=_MAX_BUFFER)) if "buffer" in options else None,
        config=tuple(part for part in options.get("config", "").split(";") if part),
        streamer=options.get("streamer", ""),
        modulus=int(address.number("modulus", 0, low=4)) if "modulus" in options else None,
        sfreq=address.number("sfreq", 0, low=0.1) if "sfreq" in options else None,
        reconnect=address.number("reconnect", 0, low=0) if "reconnect" in options else None,
        dejitter=address.flag("dejitter", default=True),
        profile=read_profile(options["profile"]) if "profile" in options else None,
    )
    return BrainFlowSource(board, master_board=master, parameters=parameters, settings=settings)


open_brainflow.paths = ("file", "file_anc", "file_aux", "profile")  # type: ignore[attr-defined]


class BrainFlowSource(LiveSource):
    """A BrainFlow board.

    Losses are counted from the packet counter; where nobody says how it runs, that is learned from the stream, and
    losses before are counted from the times. What ``config`` sets is sent when the board is opened, so that rate, gains
    and full scale are those of the board as it is. BrainFlow drops the oldest samples without a word when its buffer is
    full: that is flagged as an overflow.

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
        self._simulated = board in boards.simulated()
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
        self._file_rows: int | None = None
        self._loops, self._skipped = False, 0
        if board == boards.library().BoardIds.PLAYBACK_FILE_BOARD.value:
            self._file_rows = boards.check_playback(
                self._parameters["file"], descr, master=boards.board_name(described)
            )
        port = self._parameters.get("serial_port")
        self._lock = PortLock(port) if port else None
        self._shim: Any = None
        self._stuck = False
        try:
            self._shim = boards.prepare(board, self._parameters, master_board, where=self._where)
            gains = None
            if profile is not None and profile.gain is not None and not self._settings.aux:
                gains = Gains(profile.gain, info.n_channels)
            self._gains = gains
            for text in self._settings.config:
                self._configure(self._shim, text)
            info = self._as_it_is(info)
        except BaseException:
            self._let_go()
            raise
        counter, info = self._counter(profile, info)
        self._learner = CounterLearner(info.sfreq) if counter is None and self._packet_row is not None else None
        self.trigger = None if profile is None else profile.trigger
        give_up = self._settings.reconnect
        if give_up is None:
            # A file that is over does not come back.
            give_up = 0.0 if self._file_rows is not None else 60.0
        assembler = Assembler(
            info,
            counter=counter,
            stamped_on_arrival=profile is None or profile.stamps == "arrival",
            dejitter=self._settings.dejitter,
            # The boards that play something keep the time of a sleeping thread.
            rate_tolerance=_SIMULATED_RATE if self._simulated else RATE_TOLERANCE,
            full_scale=None if self._gains is None else self._gains.full_scale,
        )
        assembler.dropped = []
        # What only plays something has nothing on its way that opening it again would throw away.
        patience = {"patience": 0.0} if self._simulated else {}
        super().__init__(info, assembler, reconnect=Reconnect(give_up=give_up, **patience))
        self._buffer = self._settings.buffer or max(1000, math.ceil(60 * info.sfreq))
        ids = boards.library().BoardIds
        known = {ids.CYTON_BOARD.value: False, ids.CYTON_DAISY_BOARD.value: True}
        self._daisy = DaisyCheck(daisy=known[board]) if board in known else None
        self._unix = UnixClock()
        self._fill = 0.0
        self._marks: list[tuple[int, float]] = []
        self._received = self._given = self._dropped = self._begun = 0
        self._batteries: list[tuple[float, float]] = []
        self._resistances: tuple[float, ...] | None = None

    def _configure(self, shim: Any, text: str) -> str:
        """Send a string to the board, and follow what it does to the gains."""
        what = f"{self._where} config {text!r}"
        if self._file_rows is not None:
            share = boards.check_playback_config(what, text)
            self._skipped = self._skipped if share is None else self._file_rows * share // 100
            self._loops = {"loopback_true": True, "loopback_false": False}.get(text, self._loops)
        answer = str(boards.call(what, partial(shim.config_board, text)))
        if answer.lower().startswith(("failure", "invalid")):
            raise SourceError(f"{what}: the board says {answer.strip()!r}.")
        if self._gains is not None:
            self._gains.apply(text)
        return answer

    def _as_it_is(self, info: StreamInfo) -> StreamInfo:
        """Return the description with the rate and the full scale of the board as it is configured."""
        sfreq = self._settings.sfreq
        if sfreq is None:
            with contextlib.suppress(SourceError):
                sfreq = float(boards.call(self._where, self._shim.get_board_sampling_rate))
        if sfreq:
            info = info.replace(sfreq=sfreq)
        if self._gains is not None:
            scales = [float(scale) for scale in self._gains.full_scale]
            info = info.replace(
                capabilities=replace(info.capabilities, full_scale=max(scales)),
                full_scales=tuple(scales) if len(set(scales)) > 1 else None,
            )
        return info

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
        if self._stuck:
            raise SourceError(
                f"{self._where}: the driver hangs since it was asked to stop. Unplug the device, end this program and "
                "start it again."
            )
        if self._shim is None:
            port = self._parameters.get("serial_port")
            self._lock = PortLock(port) if port else None
            self._shim = boards.prepare(self._board, self._parameters, self._master, where=self._where)
            for text in self._settings.config:
                self._configure(self._shim, text)
        self._begun = self._received
        if boards.call(self._where, self._shim.is_prepared):
            self._start(self._shim)
        else:
            # It was stopped while its link was lost, and the session was released then.
            self._reopen()
        self._begin()

    def _start(self, shim: Any) -> None:
        self._asked_at = self._now()
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
        if self._received == 0:
            self._check_fit(rows, stamps, arrival)
        self._take_extras(rows, arrival)
        self._received += rows.shape[1]
        if self._daisy is not None and not self._daisy.done and (said := self._daisy.feed(data)):
            said = f"{self.info.name}: {said}"
            self._events.append(Event(name="stream/board", time=arrival, source="acquisition", data={"said": said}))
        chunks = self._assembler.add(data, stamps, arrival, packets=packets, overflow=overflow)
        if self._learner is not None and packets is not None:
            self._learn(packets, stamps, arrival)
        return self._place_marks(chunks)

    def _check_fit(self, rows: Any, stamps: Any, arrival: float) -> None:
        """Refuse samples of another board than was said: their columns mean other things."""
        if self._file_rows is None and not np.all(np.abs(stamps - arrival) < _DAY):
            said = f"master_board={boards.board_name(self._master)}" if self._master is not None else "this board"
            raise SourceError(
                f"{self._where}: the samples are not those of {said}: row {self._time_row} should be UNIX time and "
                f"is {rows[self._time_row][0]:g}. Name the board that sends them."
            )

    def _learn(self, packets: Any, stamps: Any, arrival: float) -> None:
        """Find out how the packet counter runs where nobody says."""
        assert self._learner is not None
        counter = self._learner.feed(packets, float(stamps[-1]))
        if counter is not None and self._assembler.empty:
            self._assembler.follow(counter)
            self._learner = None
            data = {"modulus": counter.modulus, "step": counter.step, "samples": counter.samples_per_packet}
            self._events.append(Event(name="stream/counter", time=arrival, source="acquisition", data=data))

    @property
    def ended(self) -> bool:
        """True once all of a file that is played was given; with ``reconnect=`` it is opened again instead."""
        if self._file_rows is None or self._loops or self._reconnect.give_up > 0:
            return False
        given = self._assembler.empty and not self._ready
        return given and self._received - self._begun >= self._file_rows - self._skipped

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
        dropped = self._assembler.dropped
        assert dropped is not None
        for chunk in chunks:
            stop = self._given + chunk.n_times
            while self._marks:
                column, value = self._marks[0]
                # Packets that came twice or late are not given; the columns after them move up.
                place = column - self._dropped - bisect.bisect_left(dropped, column)
                if place >= stop:
                    break
                self._marks.pop(0)
                row = max(0, place - self._given)
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
        done = 0
        while done < len(dropped) and dropped[done] - self._dropped - done < self._given:
            done += 1
        del dropped[:done]
        self._dropped += done
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
        """Send a string to the board and return its answer; gains it sets are followed."""
        answer = self._configure(self._shim, text)
        if self._gains is not None:
            self._assembler.set_full_scale(self._gains.full_scale)
        return answer

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
            for text in self._settings.config:
                self._configure(shim, text)
            self._start(shim)
        except BaseException:
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
            self._stuck = self._stuck or not _in_time(self._shim.stop_stream)

    def close(self) -> None:
        """Stop and release the board."""
        self.stop()
        self._let_go()

    def _let_go(self) -> None:
        shim, self._shim = self._shim, None
        if shim is not None:
            self._stuck = self._stuck or not _in_time(partial(_release, shim))
        if self._lock is not None and not self._stuck:
            # A driver that does not come back still has the port.
            self._lock.release()
            self._lock = None


def _in_time(call: Callable[[], object]) -> bool:
    """Return whether a driver came back from what it was asked; a session ends though one hangs."""
    found: list[Exception] = []

    def run() -> None:
        try:
            with contextlib.suppress(boards.library().BrainFlowError):
                call()
        except Exception as error:  # noqa: BLE001 - raised by the thread that asked
            found.append(error)

    thread = threading.Thread(target=run, name="bcikit-let-go", daemon=True)
    thread.start()
    thread.join(_LET_GO)
    if found:
        raise found[0]
    return not thread.is_alive()


def _release(shim: Any) -> None:
    with contextlib.suppress(boards.library().BrainFlowError):
        if shim.is_prepared():
            shim.release_session()
