"""Faults of a stream, injected into any source: what cables, radios and drivers do on a bad day."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bcikit.acquisition import Address, Source, open_source
from bcikit.signal import (
    ArgumentError,
    Bad,
    Chunk,
    Command,
    Decision,
    Event,
    Flag,
    Health,
    StreamLostError,
    Verdict,
    check_choice,
    check_range,
)
from bcikit.simulation.planned import LATEST, LONGEST, parse_planned

KINDS = {
    "drop": "samples are lost; the index of the samples goes on, so the loss is known",
    "repeat": "the device sends the sample before the fault again and again",
    "reorder": "packets of ten samples come in the wrong order, each value at another's place",
    "stall": "nothing comes, then everything at once",
    "nan": "the channel is not a number",
    "rail": "the channel is at full scale",
    "flat": "the channel does not change",
    "clock": "the time stamps jump by the strength, in seconds",
    "flip": "one in a hundred values has its highest bits flipped",
    "disconnect": "the stream is gone and does not come back",
}
"""What can be injected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    at : float
        Seconds from the first sample to its start.
    length : float
        Seconds it lasts.
    channel : int
        Which channel, for the kinds that hit one.
    strength : float
        Seconds of a jump of the clock; microvolts of a rail.
    """

    kind: str
    at: float
    length: float = 1.0
    channel: int = 0
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_choice("fault", self.kind, KINDS)
        check_range("at", self.at, low=0.0, high=LATEST, unit="s")
        check_range("length", self.length, low=0.0, high=LONGEST, low_open=True, unit="s")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Return the fault that ``kind@at~length*channel`` stands for; raises `ArgumentError` if it stands for none."""
        return cls(**parse_planned(text, what="fault", length=1.0))


class FaultInjector(Source):
    """Wraps a source and spoils what it delivers.

    What a fault hits is decided by the index of the sample, so it is exact and does not depend on the chunks; the
    health of the chunk says only what a real adapter could know: lost samples, not a rail or a flipped bit.

    Parameters
    ----------
    source : Source
        What to wrap; it is closed with the injector.
    faults : sequence of Fault
        All of them.
    seed : int
        Draws which values are flipped.
    """

    def __init__(self, source: Source, faults: tuple[Fault, ...], *, seed: int = 0) -> None:
        self.source = source
        self.info = source.info
        self.live = source.live
        self.faults = faults
        for fault in faults:
            check_range("channel of a fault", fault.channel, low=0, high=source.info.n_channels - 1)
        self._seed = seed
        self._held: dict[int, NDArray[np.float64]] = {}
        self._stalled: list[Chunk] = []
        self._ready: list[Chunk] = []
        self._missing = 0
        self._origin: int | None = None

    @property
    def ended(self) -> bool:
        """True once the wrapped source has ended and nothing is held back."""
        return self.source.ended and not self._stalled and not self._ready

    def start(self) -> None:
        """Begin to stream."""
        self.source.start()

    def stop(self) -> None:
        """Stop streaming."""
        self.source.stop()

    def close(self) -> None:
        """Close the wrapped source."""
        self.source.close()

    def pull_events(self) -> list[Event]:
        """Return the markers of the wrapped source."""
        return self.source.pull_events()

    def on_event(self, event: Event) -> None:
        """Show a simulated user a cue, a phase or a stimulus."""
        self._tell("on_event", event)

    def on_decision(self, decision: Decision, verdict: Verdict) -> None:
        """Show a simulated user what was decoded."""
        self._tell("on_decision", decision, verdict)

    def on_command(self, command: Command) -> None:
        """Show a simulated user what moved."""
        self._tell("on_command", command)

    def _tell(self, method: str, *words: object) -> None:
        listener: Callable[..., None] | None = getattr(self.source, method, None)
        if listener is not None:
            listener(*words)

    def pull(self, timeout: float = 1.0) -> Chunk | None:
        """Return what the wrapped source delivers, spoiled.

        Where a fault takes a chunk away it goes on until the timeout. A stall of a source that is faster than life is
        one silence a chunk: its time is that of the samples, and nobody waits for it.
        """
        begin = time.monotonic()
        left, taken = timeout, bool(self._stalled)
        while not self._ready:
            # What a stall held back comes after the last chunk, too; and a last one that was lost is a silence.
            chunk = None if taken and self.source.ended else self.source.pull(left)
            taken = True
            if chunk is None:
                self._ready, self._stalled = self._stalled, []
                break
            self._take(chunk)
            left = max(0.0, timeout - (time.monotonic() - begin))
            if left == 0.0 or (self._stalled and not self.live):
                break
        return self._ready.pop(0) if self._ready else None

    def _take(self, chunk: Chunk) -> None:
        """Put what is left of a chunk where it can be given, or hold it back."""
        if self._origin is None:
            self._origin = chunk.first_sample
        for fault in self.faults:
            if fault.kind == "disconnect" and self._seconds(chunk.end_sample) > fault.at:
                raise StreamLostError(f"{self.info.name}: the link was lost at {fault.at:g} s (injected fault).")
        pieces = self._spoil(chunk)
        if self._stalls(chunk):
            self._stalled += pieces
            return
        self._ready += [*self._stalled, *pieces]
        self._stalled = []

    def _seconds(self, sample: int) -> float:
        return (sample - (self._origin or 0)) / self.info.sfreq

    def _stalls(self, chunk: Chunk) -> bool:
        end = self._seconds(chunk.end_sample)
        return any(f.kind == "stall" and f.at < end <= f.at + f.length for f in self.faults)

    def _rows(self, chunk: Chunk, fault: Fault) -> slice:
        """Return the rows of a chunk that a fault hits."""
        begin = (self._origin or 0) + round(fault.at * self.info.sfreq)
        end = begin + max(1, round(fault.length * self.info.sfreq))
        start = min(max(begin - chunk.first_sample, 0), chunk.n_times)
        return slice(start, max(start, min(end - chunk.first_sample, chunk.n_times)))

    def _spoil(self, chunk: Chunk) -> list[Chunk]:
        """Return what is left of a chunk: itself, spoiled pieces, or nothing."""
        data, times, flags = chunk.data.copy(), chunk.times, chunk.health.flags
        keep = np.ones(chunk.n_times, dtype=bool)
        for number, fault in enumerate(self.faults):
            rows = self._rows(chunk, fault)
            if fault.kind == "clock" and self._seconds(chunk.end_sample) > fault.at:
                first = min(max(round((fault.at - self._seconds(chunk.first_sample)) * self.info.sfreq), 0), len(times))
                times = times.copy()
                times[first:] += fault.strength
                if self._seconds(chunk.first_sample) <= fault.at:
                    flags |= Flag.CLOCK
            elif fault.kind == "drop":
                keep[rows] = False
            elif rows.stop > rows.start:
                self._values(data, rows, fault, number, chunk.first_sample)
        wrong = np.isnan(data)
        health = chunk.health
        if wrong.any():
            # Every adapter sees that a value is not a number.
            mask = np.zeros(data.shape, np.uint8) if health.mask is None else health.mask.copy()
            mask[wrong] |= np.uint8(Bad.NAN)
            health = health.with_mask(mask)
        return self._pieces(replace(chunk, data=data, times=times, health=health), keep, flags)

    def _values(self, data: NDArray[np.float64], rows: slice, fault: Fault, number: int, first: int) -> None:
        """Spoil the values of the rows that a fault hits, in place."""
        column = fault.channel
        if fault.kind in ("repeat", "flat"):
            if number not in self._held:
                self._held[number] = data[max(rows.start - 1, 0)].copy()
            held = self._held[number]
            if fault.kind == "repeat":
                data[rows] = held
            else:
                data[rows, column] = held[column]
        elif fault.kind == "nan":
            data[rows, column] = np.nan
        elif fault.kind == "rail":
            scale = self.info.capabilities.full_scale
            data[rows, column] = 187500.0 if scale is None else scale
        elif fault.kind == "reorder":
            block = data[rows]
            order = np.arange(len(block))
            swapped = len(order) // 20 * 20
            order[:swapped] = order[:swapped].reshape(-1, 2, 10)[:, ::-1].ravel()
            data[rows] = block[order]
        elif fault.kind == "flip":
            # Which value is hit depends on its index alone.
            for row in range(rows.start, rows.stop):
                rng = np.random.default_rng((self._seed, first + row))
                hit = rng.uniform(size=data.shape[1]) < 0.01
                data[row, hit] = -data[row, hit] + 187500.0 * 0.5

    def _pieces(self, chunk: Chunk, keep: NDArray[np.bool_], flags: Flag) -> list[Chunk]:
        """Return the runs of samples that were kept, each saying how many were lost before it."""
        health = chunk.health
        if keep.all() and not self._missing:
            return [replace(chunk, health=Health(health.lost, health.mask, health.age, flags))]
        pieces = []
        lost = self._missing + health.lost
        kept = np.flatnonzero(keep)
        runs = np.split(kept, np.flatnonzero(np.diff(kept) > 1) + 1) if len(kept) else []
        last = -1
        for run in runs:
            lost += int(run[0]) - last - 1
            last = int(run[-1])
            piece = chunk.slice(int(run[0]), last + 1)
            mask = piece.health.mask
            pieces.append(
                replace(
                    piece,
                    data=np.ascontiguousarray(piece.data),
                    health=Health(lost, mask, health.age, flags | (Flag.GAP if lost else Flag.NONE)),
                )
            )
            lost, flags = 0, flags & ~Flag.START
        self._missing = chunk.n_times - 1 - last if runs else lost + chunk.n_times
        return pieces


def open_faults(address: Address) -> FaultInjector:
    """Open ``dut:faults?do=nan@3~1*2,drop@5~0.1&source=sim:motor-imagery?seed=1``.

    An ampersand in the address of the wrapped source must be written as ``%26``.
    """
    address.check_options(["do", "source", "seed"])
    if "source" not in address.options:
        raise ArgumentError(
            "dut:faults needs source=ADDRESS, as in 'dut:faults?do=nan@3~1&source=brainflow:synthetic'."
        )
    faults = tuple(Fault.parse(text) for text in address.options.get("do", "").split(",") if text.strip())
    seed = int(address.number("seed", 0, low=0))
    source = open_source(address.options["source"])
    try:
        return FaultInjector(source, faults, seed=seed)
    except ArgumentError:
        source.close()
        raise
