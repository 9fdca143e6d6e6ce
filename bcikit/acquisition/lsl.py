"""LSL streams as sources: blocking pulls into a prepared buffer, no polling."""

import contextlib
import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import lsl_resolve
from bcikit.acquisition.assembler import Assembler
from bcikit.acquisition.clock_model import Stamps
from bcikit.acquisition.counter import PacketCounter
from bcikit.acquisition.foreign import StampMap
from bcikit.acquisition.live import LiveSource, Reconnect, changed
from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.lsl_meta import read_info
from bcikit.acquisition.lsl_pull import BlockPuller
from bcikit.acquisition.profile import DeviceProfile, profile_for_lsl, read_profile
from bcikit.acquisition.status import StreamStatus
from bcikit.signal import ArgumentError, Chunk, Event, SourceError, StreamChangedError, StreamInfo, check_channels
from bcikit.signal.address import Address

_OWN = ("buffer", "counter", "dejitter", "modulus", "profile", "reconnect", "sfreq", "timeout", "unit")
_CORRECTION_PERIOD = 1.0
"""Seconds between two questions for the time correction; liblsl answers from its own background measurement."""

_OFFSET_PERIOD = 10.0
"""Seconds between two events that record the correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LslSettings:
    """How an LSL stream is received; `open_lsl` describes each."""

    timeout: float = 5.0
    buffer: float = 60.0
    unit: str | None = None
    counter: str | None = None
    modulus: int = 256
    sfreq: float | None = None
    dejitter: bool = True
    reconnect: float = 60.0
    profile: DeviceProfile | None = None


def open_lsl(address: Address) -> "LslSource":
    """Open ``lsl:name=EEG``, ``lsl:source_id=abc``, ``lsl:type=EEG&hostname=lab`` or, short for a name, ``lsl:EEG``.

    Any of a stream's properties may be named: name, source_id, type, hostname, uid, session_id, channels, rate. Further
    options: ``timeout`` (seconds to look for it), ``unit`` (of the voltages, where the stream states none), ``counter``
    (label of a channel that carries a packet counter) and its ``modulus``, ``buffer`` (seconds kept for a slow reader),
    ``profile`` (a device profile file), ``sfreq`` (samples a second, where the stream states none or a wrong number),
    ``reconnect`` (seconds until a lost link is given up) and ``dejitter``.

    Raises
    ------
    ArgumentError
        If an option or the unit is unknown.
    SourceError
        If no stream fits, or more than one.
    """
    address.check_options((*lsl_resolve.KEYS, *_OWN))
    options = address.options
    wanted = {key: options[key] for key in lsl_resolve.KEYS if key in options}
    if address.body:
        wanted.setdefault("name", address.body)
    if not wanted:
        raise ArgumentError("lsl: which stream? 'lsl:name=EEG', 'lsl:type=EEG', 'lsl:source_id=...'.")
    settings = LslSettings(
        timeout=address.number("timeout", 5.0, low=0.1),
        buffer=address.number("buffer", 60.0, low=1.0),
        unit=options.get("unit"),
        counter=options.get("counter"),
        modulus=int(address.number("modulus", 256, low=4)),
        sfreq=address.number("sfreq", 0, low=0.1) if "sfreq" in options else None,
        dejitter=address.flag("dejitter", default=True),
        reconnect=address.number("reconnect", 60.0, low=0.0),
        profile=read_profile(options["profile"]) if "profile" in options else None,
    )
    return LslSource(wanted, settings=settings)


open_lsl.paths = ("profile",)  # type: ignore[attr-defined]


class LslSource(LiveSource):
    """A stream of samples on the LSL network.

    Stamps are brought to this host's clock by LSL's `time_correction`, then smoothed; stamps of another clock (UNIX
    time, milliseconds, nothing that can be told) are found out and mapped, and that is said. A stream whose outlet goes
    is looked for anew, by its source id, else as it was asked for (some senders make an id for each run), and taken
    again only if it is the same: name, channel names, count, rate and units.

    Parameters
    ----------
    wanted : dict
        Properties the stream must have: name, source_id, type, hostname.
    settings : LslSettings
        How it is received.
    """

    def __init__(self, wanted: dict[str, str], *, settings: LslSettings | None = None) -> None:
        settings = settings or LslSettings()
        self._settings = settings
        self._wanted = dict(wanted)
        stream = lsl_resolve.find_one(self._wanted, timeout=settings.timeout)
        inlet = lsl_resolve.open_inlet(stream, buffered=settings.buffer)
        full = lsl_resolve.full_info(inlet, stream.name(), timeout=settings.timeout)
        info, factors = self._read(full)
        self._name, self._asked = stream.name(), dict(wanted)
        profile = self._profile(full)
        counter = self._counter(info, profile)
        self.trigger = None if profile is None else profile.trigger
        super().__init__(
            info,
            Assembler(info, counter=counter, dejitter=settings.dejitter),
            reconnect=Reconnect(give_up=settings.reconnect),
        )
        self._subscribed = False
        self._factors = factors
        self._lost_error = lsl().util.LostError
        self._scaled = bool((factors != 1.0).any())
        self._correction_at = self._offset_told = float("-inf")
        self._clock = lsl_resolve.ClockOffset()
        self._map = StampMap(1.0 / info.sfreq)
        self._pending: deque[tuple[Any, Any]] = deque()
        if info.source_id:
            self._wanted = {"source_id": info.source_id}
        self._use(inlet, full.uid())

    def _profile(self, full: Any) -> DeviceProfile | None:
        acquisition = full.desc().child("acquisition")
        return self._settings.profile or profile_for_lsl(
            full.name(), acquisition.child_value("manufacturer"), acquisition.child_value("model")
        )

    def _read(self, full: Any) -> tuple[StreamInfo, Any]:
        profile = self._profile(full)
        known, types = (None, None) if profile is None else (profile.unit, profile.types)
        info, factors = read_info(
            full, unit=self._settings.unit, fallback=known, types=types, sfreq=self._settings.sfreq
        )
        return (info if profile is None else profile.describe(info)), factors

    def _counter(self, info: StreamInfo, profile: DeviceProfile | None) -> PacketCounter | None:
        shape = None if profile is None else profile.counter
        label = self._settings.counter or (shape.channel if shape is not None else None)
        self._counter_column: int | None = None
        if label is None:
            return None
        self._counter_column = check_channels([label], info.ch_names, who="the packet counter")[0]
        if shape is not None and self._settings.counter is None:
            return PacketCounter(
                shape.modulus, info.sfreq, step=shape.step, samples_per_packet=shape.samples_per_packet
            )
        return PacketCounter(self._settings.modulus, info.sfreq)

    def _use(self, inlet: Any, uid: str) -> None:
        self._inlet = inlet
        self._uid = uid
        self._puller = BlockPuller(inlet, self.info.n_channels)
        self._clock = lsl_resolve.ClockOffset()
        self._correct(self._now(), timeout=self._settings.timeout)

    def _correct(self, now: float, *, timeout: float) -> None:
        self._correction_at = now
        if not self._clock.ask(self._inlet, now, timeout=timeout):
            return
        if now - self._offset_told >= _OFFSET_PERIOD:
            self._offset_told = now
            self._events.append(
                Event(
                    name="stream/clock-offset",
                    time=now,
                    value=self._clock.value,
                    source="acquisition",
                    data={"uncertainty": self._clock.uncertainty},
                )
            )

    def start(self) -> None:
        """Start the stream; what was sent before is dropped."""
        if self._inlet is None:
            self._adopt(self._reopen())
        # Only now, so that a sender that waits for a listener does not talk to one that is not ready.
        lsl_resolve.subscribe(self._inlet, self.info.name, timeout=self._settings.timeout)
        if self._subscribed:
            self._inlet.flush()
        self._subscribed = True
        self._begin()

    def _receive(self, timeout: float) -> list[Chunk]:
        try:
            samples, stamps = self._puller.pull(timeout)
        except self._lost_error:
            self._link_lost = True
            return []
        if stamps.shape[0] == 0:
            return []
        arrival = self._arrival = self._now()
        if arrival - self._correction_at > _CORRECTION_PERIOD:
            self._correct(arrival, timeout=0.0)
        data = samples * self._factors if self._scaled else samples.astype(np.float64)
        column = self._counter_column
        packets = None if column is None else samples[:, column].astype(np.float64)
        self._pending.append((data, packets))
        known = self._map.clock is not None
        chunks: list[Chunk] = []
        for times, at in self._map.map(stamps, self._clock.value, arrival):
            if not known:
                known = self._tell_clock(at)
            self._tell_behind(times, at)
            block, numbers = self._pending.popleft()
            chunks += self._assembler.add(block, times, at, packets=numbers)
        return chunks

    def _tell_clock(self, arrival: float) -> bool:
        """Say whose clock the stamps are of where it is not the expected one."""
        clock = self._map.clock
        assert clock is not None
        if clock.name != "host":
            if clock.name == "arrival":
                self._assembler.clock.learn(Stamps.ARRIVAL)
            data = {"clock": clock.name, "unit": clock.unit, "said": f"{self.info.name}: {clock.words}."}
            self._events.append(Event(name="stream/foreign-clock", time=arrival, source="acquisition", data=data))
        return True

    def _tell_behind(self, times: NDArray[np.float64], arrival: float) -> None:
        """Say it where all samples come long after their stamps."""
        behind = self._map.behind(times, arrival)
        if behind is not None:
            said = (
                f"{self.info.name}: every sample comes {behind:.1f} s or more after its stamp: the link is slow, or "
                "the sender's clock is wrong and all times with it."
            )
            data = {"clock": "behind", "unit": "seconds", "said": said}
            self._events.append(Event(name="stream/foreign-clock", time=arrival, source="acquisition", data=data))

    def status(self) -> StreamStatus:
        """Return the health of the stream up to now."""
        status = super().status()
        return replace(
            status,
            offset=self._clock.value,
            offset_uncertainty=self._clock.uncertainty,
            time_uncertainty=math.hypot(status.time_uncertainty, self._clock.uncertainty, self._map.uncertainty),
        )

    def _reopen(self) -> object:
        settings = self._settings
        stream = self._find_again()
        if not self._link_lost and stream.uid() == self._uid:
            raise SourceError(f"lsl:{self.info.name} is there and silent.")
        inlet = lsl_resolve.open_inlet(stream, buffered=settings.buffer)
        full = lsl_resolve.full_info(inlet, stream.name(), timeout=settings.timeout)
        try:
            info, factors = self._read(full)
        except (SourceError, ArgumentError) as error:
            raise StreamChangedError(f"lsl:{self.info.name} came back as another stream: {error}") from None
        changes = changed(self.info, info)
        if not changes and not np.array_equal(factors, self._factors):
            changes = ["unit of the channels"]
        if changes:
            raise StreamChangedError(
                f"lsl:{self.info.name} came back with another {' and another '.join(changes)}; it is not mapped onto "
                "the old channels. Start the session again with the stream as it is now."
            )
        lsl_resolve.subscribe(inlet, self.info.name, timeout=settings.timeout)
        # The first answer takes its time; asked here, it does not hold up the thread that pulls.
        lsl_resolve.time_correction(inlet, timeout=settings.timeout)
        return inlet, full.uid()

    def _find_again(self) -> Any:
        """Return the stream by its id, or, where that is gone, the one stream that fits what was asked for."""
        try:
            return lsl_resolve.find_one(self._wanted, timeout=1.0, wave=0.0)
        except SourceError:
            if "source_id" in self._asked or self._asked == self._wanted:
                raise
        # Some senders make an id for each run: the name, and all that `changed` compares, must then be the same.
        return lsl_resolve.find_one({**self._asked, "name": self._name}, timeout=1.0)

    def _adopt(self, link: object) -> None:
        assert isinstance(link, tuple)
        self._use(*link)
        self._pending.clear()
        self._map = StampMap(1.0 / self.info.sfreq)

    def _discard(self, link: object) -> None:
        assert isinstance(link, tuple)
        link[0].close_stream()

    def close(self) -> None:
        """Stop and close the inlet."""
        self.stop()
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            with contextlib.suppress(Exception):
                inlet.close_stream()
