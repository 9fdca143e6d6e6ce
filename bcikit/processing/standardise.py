"""Running standardisation: each channel by its own running mean and standard deviation."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bcikit.processing.bridge import Continuity, merge_mask, unusable
from bcikit.processing.linear import signal_columns
from bcikit.processing.step import Step
from bcikit.signal import ArgumentError, Bad, Chunk, StreamInfo, check_range


@dataclass(kw_only=True, eq=False)
class Standardise(Step):
    """Subtracts an exponentially forgetting mean and divides by the standard deviation around it.

    Parameters
    ----------
    time_constant : float
        Seconds in which the weight of a sample falls to 1/e.

    Notes
    -----
    ``mean += a (x - mean)``, ``var += a ((x - mean)^2 - var)`` with ``a = 1 - exp(-1 / (time_constant sfreq))``, the
    first samples weighted alike until there are enough of them (``a = 1 / n``). A sample that is not finite or is
    railed enters neither and gives 0, marked. The statistics outlive a gap of any length: they are slow by purpose. The
    first `time_constant` after a start is marked `Bad.AFFECTED`. Channels that are no voltages pass unchanged, unless
    the stream has no voltage at all: features are standardised, every one.
    """

    name: ClassVar[str] = "standardise"
    time_constant: float = 10.0
    _moments: "Moments | None" = field(init=False, repr=False, default=None)
    _columns: list[int] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        check_range("time_constant", self.time_constant, low=0.0, low_open=True, high=3600.0, unit="s")

    def configure(self, info: StreamInfo) -> StreamInfo:
        """Set the rate of forgetting."""
        if info.sfreq <= 0:
            raise ArgumentError(f"standardise needs a stream with a fixed sampling rate; {info.name!r} has none.")
        self._columns = signal_columns(info) or list(range(info.n_channels))
        self._moments = Moments(len(self._columns), self.time_constant * info.sfreq)
        # e^-5 of the weight is left then: below 1 %.
        self.settling = 5 * self.time_constant
        return info.replace(unit="1") if len(self._columns) == info.n_channels else info

    def reset(self) -> None:
        """Forget the statistics."""
        if self._moments is not None:
            self._moments.reset()

    def process(self, chunk: Chunk) -> Chunk:
        """Return the standardised chunk."""
        if self._moments is None:
            raise ArgumentError("standardise is not configured; call configure(info) first.")
        if not chunk.n_times:
            return chunk
        if self._moments.continuity.check(chunk) is None:
            self._moments.restart()
        data = chunk.data[:, self._columns]
        mask = chunk.health.mask
        some = None if mask is None else mask[:, self._columns]
        bad = unusable(data, some)
        out = chunk.data.copy()
        values, young = self._moments.run(data, bad)
        out[:, self._columns] = values
        whole = np.zeros(out.shape, dtype=bool)
        whole[:, self._columns] = young
        nan = np.zeros(out.shape, dtype=bool)
        nan[:, self._columns] = ~np.isfinite(data)
        marked = merge_mask(merge_mask(mask, nan, Bad.NAN, out.shape), whole, Bad.AFFECTED, out.shape)
        return Chunk(out, chunk.times, chunk.first_sample, chunk.health.with_mask(marked))


class Moments:
    """Running mean and variance, sample by sample, over channels at once.

    Parameters
    ----------
    n_channels : int
        Channels.
    length : float
        Samples in which the weight of a sample falls to 1/e.
    """

    def __init__(self, n_channels: int, length: float) -> None:
        self._rate = 1.0 - float(np.exp(-1.0 / length))
        self._young = round(length)
        self.continuity = Continuity()
        self._mean = np.zeros(n_channels)
        self._var = np.zeros(n_channels)
        self._seen = np.zeros(n_channels)

    def reset(self) -> None:
        """Forget everything, the place in the stream, too."""
        self.continuity.reset()
        self.restart()

    def restart(self) -> None:
        """Forget the statistics."""
        self._mean[:] = self._var[:] = self._seen[:] = 0.0

    def run(
        self, data: NDArray[np.float64], bad: NDArray[np.bool_], *, limit: float = float("inf")
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return standardised samples, and which of them stand on too few.

        Bad samples do not enter and give 0. Samples beyond `limit` standard deviations give their score, but enter
        only while there are too few.
        """
        out = np.empty(data.shape)
        young = np.empty(data.shape, dtype=bool)
        mean, var, seen = self._mean, self._var, self._seen
        old = not (seen < self._young).any()
        for row, values in enumerate(np.where(bad, 0.0, data)):
            good = ~bad[row]
            seen += good
            rate = self._rate if old else np.maximum(self._rate, 1.0 / np.maximum(seen, 1.0))
            weight = rate * good
            before = values - mean
            young[row] = seen <= self._young
            if limit < float("inf"):
                weight = weight * (young[row] | (before**2 <= limit**2 * var))
            mean += weight * before
            # (x - old mean)(x - new mean) keeps the variance unbiased by the move of the mean (Welford).
            var += weight * (before * (values - mean) - var)
            out[row] = (values - mean) * good / np.sqrt(np.maximum(var, 1e-12))
        return out, young
