"""What decides whether a chunk needs the careful way."""

import numpy as np
import pytest

from bcikit.processing import BandPower, Covariance
from bcikit.processing.bridge import finite
from bcikit.signal import Bad, Recording


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_found(value) -> None:
    data = np.random.default_rng(0).standard_normal((8, 5))
    assert finite(data)
    data[3, 4] = value
    assert not finite(data)
    assert not finite(data[:, ::2])


def test_values_whose_squares_overflow_are_finite() -> None:
    data = np.full((8, 5), 1e300)
    assert finite(data)
    data[0, 0] = np.nan
    assert not finite(data)
    assert finite(np.empty((0, 5)))


@pytest.mark.parametrize("step", [BandPower(window=1.0, hop=0.1), Covariance(window=1.0, hop=0.1)])
@pytest.mark.parametrize("chunk", [1, 7, 25, 400])
def test_updates_are_marked_exactly_while_a_bad_sample_is_in_the_window(streams, step, chunk) -> None:
    got = step.apply(streams.with_nan(streams.clean(5), 601, 2), chunk_size=chunk)
    stops = (np.asarray(got.samples) + 1) * step.n_hop
    marked = (got.mask == int(Bad.AFFECTED)).any(axis=1)
    spoilt = streams.with_nan(streams.clean(5), 601, 2)
    rows = np.flatnonzero(~np.isfinite(spoilt.data).all(axis=1))
    want = [bool(((rows < stop) & (rows >= stop - step.n_window)).any()) for stop in stops]
    assert any(want)
    assert not all(want)
    np.testing.assert_array_equal(marked, want)


def test_band_power_under_a_large_offset_is_that_of_the_window(info) -> None:
    """The window is applied by differences of neighbours, which must not cost precision."""
    from scipy import signal

    data = np.random.default_rng(0).standard_normal((2000, 8)) * 10 + 1e5
    got = BandPower(window=1.0, hop=0.1, bands={"alpha": (8, 13)}).apply(Recording.from_arrays(info, data))
    freqs, density = signal.periodogram(data[-250:, :7], 250, "hann", detrend=False, axis=0)
    inside = (freqs >= 8) & (freqs < 13)
    np.testing.assert_allclose(got.data[-1], density[inside].sum(axis=0) * freqs[1], rtol=1e-9)
