"""A cascade of second-order sections on chunks: the one place where filters meet gaps and bad samples."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import DISTURBING, Continuity, LastGood, Settling, merge_mask, unusable
from bcikit.processing.engines import CascadeEngine, make_engine
from bcikit.signal import Bad, Chunk

TOLERANCE = 0.01
"""A cascade has settled when its response to a disturbance stays below this share of its peak."""

GAP_POLICIES = ("bridge", "reset")
"""What happens at a gap: see `Cascade`."""

_LONGEST = 1_000_000


class Cascade:
    """Filters the signal channels of a stream and keeps the health rules.

    * A sample that is not finite or is railed never enters: the last good value of the channel stands in.
    * A sample that was repeated or filled in enters as it is.
    * Either way the channel's output is marked `Bad.AFFECTED` until the cascade has settled.
    * At a start the state is the steady state for the first good sample, so that an offset makes no step.
    * At a gap, "reset" starts again; "bridge" runs the cascade over a straight line from the last to the next sample
      if no more than `longest_bridge` samples are missing, and starts again if more are or nobody knows how many.

    Parameters
    ----------
    sos : ndarray, shape (n_sections, 6)
        The sections.
    n_channels : int
        Channels of the stream.
    columns : list of int or None
        Channels to filter; None for all. The others pass unchanged.
    gap : str
        "reset" or "bridge".
    longest_bridge : int
        Longest gap in samples that is bridged.
    engine : str
        See `make_engine`.
    """

    def __init__(
        self,
        sos: NDArray[np.float64],
        n_channels: int,
        *,
        columns: list[int] | None = None,
        gap: str = "reset",
        longest_bridge: int = 0,
        engine: str = "auto",
    ) -> None:
        self.columns = columns
        self.n_channels = n_channels if columns is None else len(columns)
        self.engine: CascadeEngine = make_engine(sos, self.n_channels, engine=engine)
        self.settling_samples = settling_samples(sos)
        self._bridge_limit = longest_bridge if gap == "bridge" else 0
        self._steady = steady_state(sos)
        self._hold = LastGood(self.n_channels)
        # The engine notes the newest good row itself, where it has it at hand.
        self._hold.last = self.engine.last
        self._settling = Settling(self.n_channels, self.settling_samples)
        self._continuity = Continuity()
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._continuity.reset()
        self._restart()

    def _restart(self) -> None:
        self._hold.reset()
        self._settling.disturb()
        self.engine.state = np.zeros((self.engine.n_sections, 2, self.n_channels))

    def process(self, chunk: Chunk) -> Chunk:
        """Return the filtered chunk."""
        data = chunk.data if self.columns is None else np.ascontiguousarray(chunk.data[:, self.columns])
        n_times = data.shape[0]
        if n_times == 0:
            return chunk
        health = chunk.health
        first = chunk.first_sample
        if (
            self._continuity.expected == first
            and health.mask is None
            and not self._settling.active
            and not health.lost
            and not health.flags
        ):
            # What a clean stream costs: every line here is paid for each chunk, cold.
            out = self.engine.run_finite(data)
            if out is not None:
                self._continuity.expected = first + n_times
                if self.columns is None:
                    return Chunk(out, chunk.times, first, health)
                return self._put_back(chunk, out, None)
        return self._process_disturbed(chunk, data, self._continuity.check(chunk))

    def _process_disturbed(self, chunk: Chunk, data: NDArray[np.float64], lost: int | None) -> Chunk:
        """Filter a chunk that is not clean, or that follows one, or a gap."""
        mask = chunk.health.mask
        if mask is not None and self.columns is not None:
            mask = mask[:, self.columns]
        bad = unusable(data, mask)
        if lost is None or lost < 0 or lost > self._bridge_limit:
            self._restart()
        elif lost:
            self._cross_gap(data[0], bad[0], lost)
        fresh = ~self._hold.known
        filled = self._hold.fill(data, bad)
        begin = np.zeros(self.n_channels, dtype=np.int64)
        if fresh.any():
            begin = self._start_channels(filled, bad, fresh)
        out = self.engine.run(filled)
        if begin.any():
            out = np.where(np.arange(out.shape[0])[:, None] < begin, 0.0, out)
        disturbed = bad if mask is None else bad | ((mask & DISTURBING) != 0)
        affected = self._settling.mark(out.shape[0], disturbed if disturbed.any() else None)
        marked = merge_mask(mask, ~np.isfinite(data), Bad.NAN, data.shape)
        marked = merge_mask(marked, affected, Bad.AFFECTED, data.shape)
        return self._put_back(chunk, out, marked)

    def _start_channels(
        self, filled: NDArray[np.float64], bad: NDArray[np.bool_], fresh: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Give channels without a past the steady state of their first good sample; return where each begins."""
        begin = np.zeros(self.n_channels, dtype=np.int64)
        state = self.engine.state
        for column in np.flatnonzero(fresh):
            good = np.flatnonzero(~bad[:, column])
            begin[column] = good[0] if good.size else bad.shape[0]
            if good.size:
                first = filled[good[0], column]
                filled[: good[0], column] = first
                state[:, :, column] = self._steady * first
        self.engine.state = state
        return begin

    def _cross_gap(self, first: NDArray[np.float64], bad: NDArray[np.bool_], lost: int) -> None:
        """Run over a short gap on a straight line to the first sample after it."""
        before = self._hold.last
        target = np.where(bad | ~self._hold.known, before, first)
        weight = np.arange(1, lost + 1)[:, None] / (lost + 1)
        self.engine.run(np.ascontiguousarray(before + weight * (target - before)))
        self._settling.disturb()

    def _put_back(self, chunk: Chunk, out: NDArray[np.float64], mask: NDArray[np.uint8] | None) -> Chunk:
        """Return the chunk with its filtered channels put among the others."""
        if self.columns is None:
            return Chunk(out, chunk.times, chunk.first_sample, chunk.health.with_mask(mask))
        data = chunk.data.copy()
        data[:, self.columns] = out
        whole = chunk.health.mask
        if mask is not None:
            whole = np.zeros(data.shape, np.uint8) if whole is None else whole.copy()
            whole[:, self.columns] = mask
        return Chunk(data, chunk.times, chunk.first_sample, chunk.health.with_mask(whole))


def steady_state(sos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the state of a cascade that has seen the value 1 for ever, shape (n_sections, 2).

    Each section in transposed direct form II: its output is its gain at 0 Hz times its input.
    """
    state = np.empty((sos.shape[0], 2))
    level = 1.0
    for section, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        out = level * (b0 + b1 + b2) / (1.0 + a1 + a2)
        state[section, 1] = b2 * level - a2 * out
        state[section, 0] = b1 * level - a1 * out + state[section, 1]
        level = out
    return state


def impulse_response(sos: NDArray[np.float64], *, floor: float = 1e-6) -> NDArray[np.float64]:
    """Return the impulse response of a cascade until it stays below `floor` times its peak, shape (n,)."""
    return _impulse_response(np.ascontiguousarray(sos, dtype=np.float64).tobytes(), floor)


@lru_cache(maxsize=64)
def _impulse_response(raw: bytes, floor: float) -> NDArray[np.float64]:
    # A session designs its filters for plan, conductor, windows and model: their answer is found once.
    from scipy.signal import sosfilt

    sos = np.frombuffer(raw).reshape(-1, 6).copy()
    poles = np.concatenate([np.abs(np.roots(section[3:])) for section in sos])
    radius = min(float(poles.max(initial=0.0)), 1 - 1e-9)
    slowest = 64 if radius <= 0 else 64 + 2 * int(np.log(floor) / np.log(radius))
    impulse = np.zeros(min(slowest, _LONGEST))
    impulse[0] = 1.0
    response: NDArray[np.float64] = sosfilt(sos, impulse)
    loud = np.flatnonzero(np.abs(response) > floor * np.abs(response).max())
    response = response[: loud[-1] + 1]
    response.flags.writeable = False
    return response


def settling_samples(sos: NDArray[np.float64], *, tolerance: float = TOLERANCE) -> int:
    """Return after how many samples the answer to a disturbance stays below `tolerance` of its peak.

    A wrong sample is an impulse, a wrong level a step; the slower of both counts. For a notch the share is taken of
    the ringing that follows, since the impulse itself passes.
    """
    response = impulse_response(sos)
    step = np.cumsum(response)
    slowest = 0
    for answer in (response, step - step[-1]):
        tail = np.abs(answer[1:])
        if tail.size and tail.max() > 0:
            slowest = max(slowest, int(np.flatnonzero(tail > tolerance * tail.max())[-1]) + 1)
    return slowest


def mean_delay(sos: NDArray[np.float64]) -> float:
    """Return the group delay in samples, averaged over frequency with the power that the cascade lets through.

    By Parseval that is where the energy of the impulse response lies: ``sum(n h[n]^2) / sum(h[n]^2)``.
    """
    energy = impulse_response(sos) ** 2
    return float(np.arange(energy.size) @ energy / energy.sum())
