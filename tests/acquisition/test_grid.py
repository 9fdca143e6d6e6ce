"""A second device on the first one's grid."""

import numpy as np
import pytest

from bcikit.acquisition import SynchronisedSource
from bcikit.acquisition.file import FileSource
from bcikit.acquisition.grid import GridResampler
from bcikit.signal import ArgumentError, Bad, Chunk, Health, Recording, StreamInfo


def wave(times):
    return 20 * np.sin(2 * np.pi * 9.7 * times) + 5 * np.cos(2 * np.pi * 22 * times)


def info(sfreq, name="second", channels=("x",)):
    return StreamInfo(name=name, sfreq=sfreq, ch_names=channels)


@pytest.mark.parametrize("rate", [128.0, 256.0, 499.7, 1000.0])
def test_values_are_those_of_the_signal_at_the_times_of_the_grid(rate):
    resampler = GridResampler(info(rate), 250.0)
    own = np.arange(int(4 * rate)) / rate + 0.00123
    for part in np.array_split(own, 37):
        resampler.feed(Chunk(wave(part)[:, None].copy(), part, round((part[0] - own[0]) * rate)))
    grid = np.arange(250, 750) / 250.0
    values, bad = resampler.at(grid)
    assert bad is None
    assert np.sqrt(np.mean((values[:, 0] - wave(grid)) ** 2)) < 0.02 * np.std(wave(grid))


def test_frequencies_above_the_coarser_grid_do_not_alias():
    resampler = GridResampler(info(2000.0), 250.0)
    times = np.arange(6000) / 2000.0
    resampler.feed(Chunk(np.sin(2 * np.pi * 230 * times)[:, None].copy(), times, 0))
    values, _ = resampler.at(np.arange(300, 500) / 250.0)
    assert np.abs(values).max() < 0.05


def test_lost_and_bad_samples_are_marked_around_where_they_are():
    resampler = GridResampler(info(250.0), 250.0)
    times = np.arange(500) / 250.0
    data = wave(times)[:, None].copy()
    data[400] = np.nan
    mask = np.zeros((250, 1), np.uint8)
    mask[150] = Bad.NAN
    resampler.feed(Chunk(data[:200].copy(), times[:200], 0))
    resampler.feed(Chunk(data[250:].copy(), times[250:], 250, Health(lost=50, mask=mask)))
    _, bad = resampler.at(times[10:490])
    marked = np.flatnonzero(bad[:, 0]) + 10
    assert set(range(200, 250)) <= set(marked.tolist())
    assert 400 in marked
    assert marked.min() >= 192
    assert not ((marked > 258) & (marked < 392)).any()


def recording(sfreq, name, channels, seconds=4.0):
    times = np.arange(int(seconds * sfreq)) / sfreq
    data = np.column_stack([wave(times) * (1 + column) for column in range(len(channels))])
    return Recording.from_arrays(info(sfreq, name, channels), data)


def test_two_sources_become_one():
    first = FileSource(recording(250.0, "A", ("x", "y")))
    second = FileSource(recording(256.0, "B", ("x", "z")))
    with SynchronisedSource([first, second]) as source:
        assert source.info.ch_names == ("x", "y", "B:x", "z")
        chunks = []
        while (chunk := source.pull(0.5)) is not None:
            chunks.append(chunk.check())
        assert set(source.statuses()) == {"A", "B"}
    data = np.concatenate([chunk.data for chunk in chunks])
    assert data.shape == (1000, 4)
    inner = slice(100, 900)
    np.testing.assert_allclose(data[inner, 2], data[inner, 0], atol=0.5)
    np.testing.assert_allclose(data[inner, 3], data[inner, 1], atol=1.0)
    bad = np.concatenate([np.zeros(c.data.shape, np.uint8) if c.health.mask is None else c.health.mask for c in chunks])
    assert not bad[:, :2].any()
    assert not bad[inner].any()


def test_one_source_is_no_several():
    with pytest.raises(ArgumentError, match="two or more"):
        SynchronisedSource([FileSource(recording(250.0, "A", ("x",)))])
