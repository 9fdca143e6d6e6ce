import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.signal import Bad, Chunk, DataError, Flag, Health, concatenate


def make_chunk(n_times: int = 10, n_channels: int = 3, *, lost: int = 0, bad: bool = False) -> Chunk:
    rng = np.random.default_rng(1)
    mask = None
    if bad:
        mask = np.zeros((n_times, n_channels), np.uint8)
        mask[n_times // 2, 1] = Bad.NAN
    return Chunk(
        rng.standard_normal((n_times, n_channels)),
        np.arange(n_times) / 100.0,
        40,
        Health(lost=lost, mask=mask, flags=Flag.GAP if lost else Flag.NONE),
    ).check()


@given(st.lists(st.integers(1, 7), max_size=20), st.booleans(), st.integers(0, 3))
def test_any_split_joins_to_the_same_chunk(sizes: list[int], bad: bool, lost: int) -> None:
    chunk = make_chunk(25, bad=bad, lost=lost)
    joined = concatenate(chunk.split(sizes))
    np.testing.assert_array_equal(joined.data, chunk.data)
    np.testing.assert_array_equal(joined.times, chunk.times)
    assert joined.first_sample == chunk.first_sample
    assert joined.health.lost == lost
    assert joined.health.flags == chunk.health.flags
    if bad:
        np.testing.assert_array_equal(joined.health.mask, chunk.health.mask)
    else:
        assert joined.health.mask is None


def test_slice_keeps_what_was_lost_with_the_first_piece_only() -> None:
    chunk = make_chunk(lost=5)
    assert chunk.slice(0, 4).health.lost == 5
    assert chunk.slice(0, 4).health.discontinuous
    assert chunk.slice(4, 10).health.lost == 0
    assert not chunk.slice(4, 10).health.discontinuous
    assert chunk.slice(4, 10).first_sample == 44


def test_slice_without_bad_samples_is_clean_again() -> None:
    chunk = make_chunk(bad=True)
    assert chunk.slice(0, 3).health.mask is None
    assert chunk.slice(3, 7).health.mask is not None


def test_concatenate_refuses_what_does_not_follow() -> None:
    chunk = make_chunk()
    with pytest.raises(DataError, match="ends before sample 44, the next starts at 45"):
        concatenate([chunk.slice(0, 4), chunk.slice(5, 10)])
    with pytest.raises(DataError, match="at least one"):
        concatenate([])


@pytest.mark.parametrize(
    ("data", "times", "match"),
    [
        (np.zeros((4, 2), np.float32), np.zeros(4), "float64"),
        (np.zeros((2, 4)).T, np.zeros(4), "C-contiguous"),
        (np.zeros((4, 2)), np.zeros(3), "times"),
    ],
)
def test_check_names_what_is_wrong(data: np.ndarray, times: np.ndarray, match: str) -> None:
    with pytest.raises(DataError, match=match):
        Chunk(data, times).check()


def test_health_counts_bad_samples_a_channel() -> None:
    chunk = make_chunk(bad=True)
    assert chunk.health.bad_per_channel(3).tolist() == [0, 1, 0]
    assert Health().bad_per_channel(2).tolist() == [0, 0]
    assert Health().clean
    assert Health(flags=Flag.START).clean
    assert not chunk.health.clean
    assert chunk.health.with_mask(np.zeros((10, 3), np.uint8)).mask is None
