"""What the quirks of a simulated amplifier do to samples, markers and readings."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bcikit.signal import Event
from bcikit.simulation.stimulus import Stimulus

Values = NDArray[np.float64]


class QuirkMemory(dict[str, object]):
    """What a quirk remembers between blocks; `rng` draws what is random."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def rows(self, name: str, count: int, width: int) -> Values:
        """Return `count` remembered rows, zeros at first."""
        kept = self.get(name)
        return kept if isinstance(kept, np.ndarray) else np.zeros((count, width))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuirkBlock:
    """Samples on their way through the device.

    Attributes
    ----------
    data : ndarray, shape (n_times, n_channels)
        Microvolts, before the converter.
    index : ndarray, shape (n_times,)
        Index of each sample since the device was started.
    t : ndarray, shape (n_times,)
        Seconds since the set-up was made.
    sfreq : float
        Nominal rate.
    stimulus : Stimulus
        What is connected.
    full_scale : float
        Microvolts.
    lsb : float
        Step of the converter, microvolts.
    """

    data: Values
    index: NDArray[np.int64]
    t: Values
    sfreq: float
    stimulus: Stimulus
    full_scale: float
    lsb: float


def one_in(block: QuirkBlock, every: float) -> NDArray[np.bool_]:
    """Return whether a sample is one in `every`, the same for any cut of the stream."""
    return np.asarray(block.index % max(2, round(every)) == max(2, round(every)) // 2)


def shift(block: QuirkBlock, memory: QuirkMemory, count: int) -> Values:
    """Return the samples of `count` samples ago."""
    before = memory.rows("shift", count, block.data.shape[1])
    joined = np.concatenate([before, block.data])
    memory["shift"] = joined[-count:].copy() if count else joined[:0]
    return joined[: len(block.data)]


def sos(block: QuirkBlock, memory: QuirkMemory, sections: Values) -> Values:
    """Filter a block in second-order sections."""
    from scipy.signal import sosfilt

    state = memory.get("zi")
    if not isinstance(state, np.ndarray):
        state = np.zeros((len(sections), 2, block.data.shape[1]))
    out, memory["zi"] = sosfilt(sections, block.data, axis=0, zi=state)
    return np.asarray(out)


def notch(hz: float) -> Callable[[QuirkBlock, float, QuirkMemory], Values]:
    """Return a notch."""

    def change(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
        from scipy.signal import iirnotch, tf2sos

        return sos(block, memory, tf2sos(*iirnotch(hz, size, block.sfreq)))

    return change


def ring(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Add a resonance."""
    from scipy.signal import iirpeak, tf2sos

    return block.data + size * sos(block, memory, tf2sos(*iirpeak(33.0, 12.0, block.sfreq)))


def dead(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Take off what is near zero."""
    del memory
    x = block.data
    return np.asarray(np.sign(x) * np.maximum(np.abs(x) - size, 0.0))


def crossover(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Jump at zero."""
    del memory
    x = block.data
    return np.asarray(x + size * np.sign(x) * (np.abs(x) > size))


def hysteresis(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Follow only when pushed."""
    # Play: the output follows only when it is pushed at one end of a gap.
    level = memory.rows("level", 1, block.data.shape[1])[0].copy()
    out = np.empty_like(block.data)
    for row, x in enumerate(block.data):
        level = np.clip(level, x - size / 2, x + size / 2)
        out[row] = level
    memory["level"] = level[None]
    return out


def slew(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Limit the slope."""
    level = memory.rows("level", 1, block.data.shape[1])[0].copy()
    step = size / block.sfreq
    out = np.empty_like(block.data)
    for row, x in enumerate(block.data):
        level = level + np.clip(x - level, -step, step)
        out[row] = level
    memory["level"] = level[None]
    return out


def agc(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Lower the gain with the size."""
    size_now = float(memory.get("power", 0.0) or 0.0)  # type: ignore[arg-type]
    keep = float(np.exp(-len(block.data) / block.sfreq))
    size_now = keep * size_now + (1 - keep) * float(np.mean(block.data**2))
    memory["power"] = size_now
    return np.asarray(block.data * (1 - size * np.sqrt(size_now) / (np.sqrt(size_now) + 500.0)))


def imd(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Bend what is fast."""
    # The faster the signal moves the more it bends: small at 10 Hz, large where two fast tones beat.
    slope = block.data - shift(block, memory, 1)
    return np.asarray(block.data + size * 40 * slope * slope / block.full_scale)


def flips(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Flip a bit."""
    out = block.data.copy()
    rows = np.flatnonzero(one_in(block, size))
    out[rows, memory.rng.integers(0, out.shape[1], len(rows))] += block.lsb * 2.0**9
    return out


def swaps(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Let two samples change places."""
    del memory
    out = block.data.copy()
    rows = np.flatnonzero(one_in(block, size)[:-1])
    out[rows], out[rows + 1] = block.data[rows + 1], block.data[rows]
    return out


def repeat(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Repeat a sample."""
    before = shift(block, memory, 1)
    return np.where(one_in(block, size)[:, None], before, block.data)


def blocks(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Repeat a block."""
    before = shift(block, memory, 10)
    again = (block.index % round(size)) >= round(size) - 10
    return np.where(again[:, None], before, block.data)


def bridge(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Draw straight lines."""
    del memory
    out = block.data.copy()
    for start in np.flatnonzero(one_in(block, size)[:-9]):
        out[start : start + 9] = np.linspace(out[start], out[start + 8], 9)
    return out


def leak(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Put a sample of one channel into another."""
    del memory
    out = block.data.copy()
    if out.shape[1] > 1:
        rows = one_in(block, size)
        out[rows, 1] = block.data[rows, 0]
    return out


def column(block: QuirkBlock, column: int, values: Values) -> Values:
    """Return the block with one channel changed."""
    out = block.data.copy()
    out[:, column % out.shape[1]] = values
    return out


def bursts(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Add bursts of mains."""
    del memory
    seconds = block.index / block.sfreq
    on = np.mod(seconds, 4.0) < 0.4
    comb = sum(np.sin(2 * np.pi * 50.0 * k * seconds) / k for k in (1, 2))
    return np.asarray(block.data + (size * on * comb)[:, None])


def popcorn(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Step the baseline."""
    del memory
    on = np.mod(block.index / block.sfreq, 14.0) > 7.0
    return column(block, 0, block.data[:, 0] + size * on)


def clicks(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Add a click."""
    del memory
    return np.asarray(block.data + (size * one_in(block, 10 * block.sfreq))[:, None])


def stuck(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Hold a bit at zero."""
    del memory
    codes = np.round(block.data / block.lsb).astype(np.int64)
    return np.asarray((codes & ~np.int64(1 << int(size))) * block.lsb)


def wrap(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Overflow."""
    del memory
    limit = size * block.full_scale
    return np.asarray(np.mod(block.data + limit, 2 * limit) - limit)


def since(block: QuirkBlock, seconds: float) -> NDArray[np.bool_]:
    """Return whether a sample is later than so many seconds."""
    return np.asarray(block.index / block.sfreq >= seconds)


def modulated(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Add noise that grows and fades."""
    wave = 0.5 * (1 + np.sin(2 * np.pi * 0.3 * block.index / block.sfreq))
    return np.asarray(block.data + (size * wave)[:, None] * memory.rng.standard_normal(block.data.shape))


def halved(block: QuirkBlock, size: float, memory: QuirkMemory) -> Values:
    """Make every second sample up."""
    # Every second sample is made up from its neighbours, as a resampler of a slower device does.
    del memory
    out = block.data.copy()
    odd = np.flatnonzero(block.index % 2 == 1)
    odd = odd[(odd > 0) & (odd < len(out) - 1)]
    out[odd] = (1 - size) * out[odd] + size * 0.5 * (block.data[odd - 1] + block.data[odd + 1])
    return out


def lost(k: int, event: Event, size: float) -> list[Event]:
    """Lose a marker."""
    return [] if k % max(2, round(1 / size)) == 1 else [event]


def double(k: int, event: Event, size: float) -> list[Event]:
    """Give a marker twice."""
    again = k % max(1, round(1 / size)) == 0
    return [event, replace(event, time=event.time + 0.01)] if again else [event]


def bimodal(k: int, event: Event, size: float) -> list[Event]:
    """Move a third of the markers."""
    return [replace(event, time=event.time + 1e-3 * size * (k % 3 == 0))]


def early(k: int, event: Event, size: float) -> list[Event]:
    """Give a marker early."""
    del k
    return [replace(event, time=event.time - 1e-3 * size)]


def drifting(k: int, event: Event, size: float) -> list[Event]:
    """Give a marker later and later, at two a second."""
    return [replace(event, time=event.time + 1e-3 * size * k / 120)]


def swapped(ohms: Values, size: float) -> Values:
    """Let readings change places."""
    out = ohms.copy()
    for pair in range(min(int(size), len(ohms) // 2)):
        out[[2 * pair, 2 * pair + 1]] = ohms[[2 * pair + 1, 2 * pair]]
    return out
