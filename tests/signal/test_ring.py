import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bcikit.signal import ArgumentError, Ring


@given(st.integers(1, 30), st.lists(st.integers(0, 45), max_size=15), st.integers(0, 5))
def test_newest_is_what_was_appended_last(length: int, sizes: list[int], back: int) -> None:
    ring = Ring(length, 2)
    history = np.empty((0, 2))
    value = 0
    for size in sizes:
        rows = np.arange(value, value + 2 * size, dtype=float).reshape(size, 2)
        value += 2 * size
        ring.append(rows)
        history = np.concatenate([history, rows])
        held = min(len(history), length)
        assert len(ring) == held
        n = max(0, held - back)
        if n + back <= held:
            expected = history[len(history) - n - back : len(history) - back]
            np.testing.assert_array_equal(ring.newest(n, back=back), expected)


def test_window_is_a_read_only_view() -> None:
    ring = Ring(8, 1)
    ring.append(np.arange(11.0)[:, None])
    view = ring.newest(8)
    assert view.base is not None
    assert view.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1.0
    ring.append(np.array([[99.0]]))
    assert ring.newest(1)[0, 0] == 99.0


def test_too_much_is_refused() -> None:
    ring = Ring(8, 1)
    ring.append(np.zeros((3, 1)))
    with pytest.raises(ArgumentError, match="holds 3 of 8"):
        ring.newest(4)
    ring.clear()
    assert len(ring) == 0
