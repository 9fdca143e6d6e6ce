"""Columns and raster: no peak is lost at any zoom, any split gives the same picture, gaps stay empty."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bcikit.viewer.columns import PixelColumns, raster


def picture(columns: PixelColumns, *, height: int = 200, gain: float = 0.5) -> np.ndarray:
    n = columns.low.shape[0]
    image = np.zeros((height, columns.n_columns), np.uint32)
    lane = height / n
    raster(
        image,
        columns,
        columns.newest + 1 - columns.n_columns,
        columns.newest + 1,
        channels=np.arange(n),
        centre=((np.arange(n) + 0.5) * lane).astype(np.float32),
        offset=np.zeros(n, np.float32),
        gain=np.full(n, gain, np.float32),
        colours=np.full(n, 0xFFFFFFFF, np.uint32),
        background=0xFF000000,
        reach=height,
    )
    return image


@pytest.mark.parametrize("width", [16, 100, 333, 800, 1600, 4000])
@pytest.mark.parametrize("at", [0, 7, 9999, 19998])
def test_a_one_sample_spike_in_ten_seconds_at_2000_hz_is_seen_at_every_width(width: int, at: int) -> None:
    data = np.zeros((20000, 1), np.float32)
    data[at] = 100.0
    columns = PixelColumns(1, width, 20000)
    columns.append(data, 0)
    assert np.nanmax(columns.high) == 100.0
    image = picture(columns)
    # 100 uV at half a pixel a microvolt: the row 50 above the middle is reached.
    assert (image[50] == 0xFFFFFFFF).any()


@settings(max_examples=40, deadline=None)
@example(sizes=[1, 2], width=3, window=2, first=0)  # a line that begins before the window
@given(
    sizes=st.lists(st.integers(1, 70), min_size=1, max_size=25),
    width=st.integers(2, 120),
    window=st.integers(2, 300),
    first=st.integers(0, 10**7),
)
def test_any_split_gives_the_same_columns(sizes: list[int], width: int, window: int, first: int) -> None:
    data = np.random.default_rng(sum(sizes)).standard_normal((sum(sizes), 2)).astype(np.float32)
    whole, split = PixelColumns(2, width, window), PixelColumns(2, width, window)
    start = max(0, len(data) - window)
    whole.append(data[start:], first + start)
    at = 0
    for size in sizes:
        split.append(data[at : at + size], first + at)
        at += size
    assert whole.newest == split.newest
    # The oldest two columns may hold samples from before the window.
    inner = np.arange(whole.newest + 3 - width, whole.newest + 1)
    inner = inner[inner >= whole.column_of(first + start) + 2] % width
    np.testing.assert_allclose(whole.low[:, inner], split.low[:, inner], atol=1e-5)
    np.testing.assert_allclose(whole.high[:, inner], split.high[:, inner], atol=1e-5)


def test_lost_samples_leave_a_hole_and_bad_ones_are_left_out() -> None:
    columns = PixelColumns(1, 100, 1000)
    columns.append(np.ones((200, 1), np.float32), 0)
    columns.append(np.ones((200, 1), np.float32), 500)
    assert np.isnan(columns.low[0, 20:50]).all()
    assert (columns.low[0, :20] == 1).all()
    assert (columns.low[0, 50:70] == 1).all()
    data = np.full((10, 1), np.nan, np.float32)
    data[3] = 5
    columns.append(data, 700)
    assert columns.high[0, 70] == 5


def test_slow_streams_are_drawn_as_straight_lines_between_samples() -> None:
    columns = PixelColumns(1, 100, 10)
    columns.append(np.arange(5, dtype=np.float32)[:, None], 0)
    columns.append(np.arange(5, 10, dtype=np.float32)[:, None], 5)
    middle = columns.low[0, 5:85]
    assert not np.isnan(middle).any()
    assert (np.diff(middle) >= 0).all()


def test_a_column_number_and_its_first_sample_fit() -> None:
    columns = PixelColumns(1, 333, 20000)
    for column in (0, 1, 57, 332, 100000):
        sample = columns.sample_of(column)
        assert columns.column_of(sample) == column
        assert sample == 0 or columns.column_of(sample - 1) == column - 1


def test_a_jump_back_begins_anew() -> None:
    columns = PixelColumns(1, 50, 500)
    columns.append(np.ones((400, 1), np.float32), 1000)
    columns.append(np.full((100, 1), 2, np.float32), 0)
    assert columns.newest == columns.column_of(99)
    assert np.nanmax(columns.high) == 2


def test_a_picture_of_no_channel_is_background() -> None:
    columns = PixelColumns(1, 20, 200)
    columns.append(np.ones((200, 1), np.float32), 0)
    image = np.zeros((10, 20), np.uint32)
    empty = np.zeros(0, np.float32)
    raster(
        image, columns, 0, 20, channels=np.zeros(0, np.int64), centre=empty, offset=empty, gain=empty,
        colours=np.zeros(0, np.uint32), background=7, reach=1.0,
    )  # fmt: skip
    assert (image == 7).all()
