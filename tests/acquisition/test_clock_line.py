"""The line of the clock model against plain least squares, and each of its limits to the digit."""

import math

import numpy as np
import pytest

from bcikit.acquisition.clock_model import ClockModel, Stamps, _Block, _Line
from bcikit.signal.errors import ArgumentError

RNG = np.random.default_rng(5)
LONG = 1e12
"""A window in which nothing is forgotten."""


def fitted(x, y, weights, prior):
    """Return mean x, mean y, slope, centred sum of x squared and variance of the residuals, by their definitions."""
    mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
    dx, dy = x - mean_x, y - mean_y
    sxx = np.sum(weights * dx * dx)
    slope = np.sum(weights * dx * dy) / (sxx + prior)
    return mean_x, mean_y, slope, sxx, np.average((dy - slope * dx) ** 2, weights=weights)


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 100])
def test_the_sums_of_a_block(n):
    k, y = np.arange(n, dtype=float), RNG.normal(size=n)
    block = _Block(k, y)
    assert (block.n, block.k, block.kk) == (n, k.sum(), (k * k).sum())
    assert (block.y, block.ky, block.yy) == pytest.approx((y.sum(), (k * y).sum(), (y * y).sum()))


@pytest.mark.parametrize("prior", [True, False])
def test_a_line_is_weighted_least_squares(prior):
    line = _Line(700.0)
    xs, ys, weights = np.zeros(0), np.zeros(0), np.zeros(0)
    for first, n in ((0.0, 5), (5.0, 7), (20.0, 40)):
        y = RNG.normal(size=n) + 0.1 * np.arange(n)
        line.add(first, _Block(np.arange(n, dtype=float), y), 0.5)
        weights = np.concatenate([0.5 * weights, np.ones(n)])
        xs, ys = np.concatenate([xs, first + np.arange(n)]), np.concatenate([ys, y])
    expected = fitted(xs, ys, weights, 700.0 if prior else 0.0)
    assert (*line.solve(prior=prior), line.variance(prior=prior)) == pytest.approx(expected)
    assert (line.blocks, line.weight) == (1.75, weights.sum())
    if prior:
        assert (*line.solve(), line.variance()) == pytest.approx(expected)


def test_a_line_through_nothing_or_one_point():
    line = _Line(700.0)
    assert line.solve() == line.solve(prior=False) == (0.0, 0.0, 0.0, 0.0)
    assert (line.blocks, line.variance()) == (0.0, 0.0)
    line.add(3.0, _Block(np.zeros(1), np.array([2.0])), 1.0)
    assert line.solve(prior=False) == (3.0, 2.0, 0.0, 0.0)
    line.add(4.0, _Block(np.zeros(1), np.array([5.0])), 1.0)
    assert line.variance() == 0.0, "two points say nothing of how they stray"
    line.add(5.0, _Block(np.zeros(1), np.array([2.0])), 1.0)
    assert line.variance(prior=False) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"sfreq": 0.0}, r"sfreq is 0.0; .* \(0, inf\] Hz"),
        ({"sfreq": 9, "window": 0.99}, r"window is 0.99; .*\[1, inf\] s"),
    ],
)
def test_a_model_without_rate_or_window_is_refused(given, text):
    with pytest.raises(ArgumentError, match=text):
        ClockModel(**given)
    assert ClockModel(1e-3, window=1.0).window == 1.0


def test_a_model_before_the_first_stamp():
    model = ClockModel(100.0)
    assert (model.sfreq, model.window, model.made, model.resets, model.backlog) == (100.0, 60.0, Stamps.SENDER, 0, 0.0)
    assert (model.ready, model.settled, model.jitter, model.uncertainty(0)) == (False, False, 0.0, math.inf)
    state = model.state()
    assert (state.rate, state.drift_ppm, state.drift_uncertainty_ppm) == (100.0, 0.0, math.inf)
    assert (state.jitter, state.resets, state.seconds) == (0.0, 0, 0.0)
    assert model.wrong_rate(0.01) is None
    model.take(7, np.array([3.0]))
    assert model.ready
    assert model.predict(7) == 3.0


@pytest.mark.parametrize("window", [1.0, 60.0])
@pytest.mark.parametrize("n", [1, 7, 40, 300])
def test_times_of_a_sender_are_the_line_through_its_stamps(n, window):
    """Against plain least squares with forgetting and the prior of 300 ppm at a jitter of 5 ms."""
    sfreq, first = 250.0, 1000
    period = 1 / sfreq
    model = ClockModel(sfreq, window=window)
    prior = (0.005 / (300e-6 * period)) ** 2
    xs, ys, weights, origin = np.zeros(0), np.zeros(0), np.zeros(0), 0.0
    for block in range(12):
        x = block * n + np.arange(n)
        late = RNG.normal(0, 0.0002, n) + 100e-6 * period * x
        times = model.update(first + block * n, 5.0 + x * period + late)
        origin = late[0] if block == 0 else origin
        weights = np.concatenate([weights * math.exp(-n * period / window), np.ones(n)])
        xs, ys = np.concatenate([xs, x]), np.concatenate([ys, late - origin])
        mean_x, mean_y, slope, _, _ = fitted(xs, ys, weights, prior)
        expected = 5.0 + origin + x * period + mean_y + slope * (x - mean_x)
        np.testing.assert_allclose(times, expected, atol=1e-9)
        index = first + block * n
        assert model.predict(index) == pytest.approx(expected[0], abs=1e-9)
        stamps = 5.0 + x * period + late
        np.testing.assert_allclose(model.lateness(index, np.arange(n), stamps), stamps - expected, atol=1e-9)


@pytest.mark.parametrize("n", [1, 5])
def test_what_is_told_of_a_sender_is_least_squares_over_all(n):
    sfreq = 100.0
    period = 1 / sfreq
    for blocks, prior in ((2, 1.0), (3, 1.0), (29, 1.0), (30, 0.0), (50, 0.0)):
        model = ClockModel(sfreq, window=1.0)
        x = np.arange(blocks * n)
        late = np.random.default_rng(2).normal(0, 0.001, x.size) - 0.0002 * x
        for start in range(0, x.size, n):
            model.take(start, 5.0 + (x * period + late)[start : start + n])
        prior *= (0.005 / (300e-6 * period)) ** 2
        _, _, slope, sxx, variance = fitted(x, late, np.ones(x.size), prior)
        variance *= x.size >= 3
        state = model.state()
        assert state.rate == pytest.approx(1 / (period + slope))
        assert state.drift_ppm == pytest.approx(1e6 * (period / (period + slope) - 1.0))
        expected = math.inf if blocks < 3 else 2e6 * math.sqrt(variance * n / sxx) / period
        assert state.drift_uncertainty_ppm == pytest.approx(expected, rel=1e-7)
        assert state.jitter == pytest.approx(math.sqrt(variance))
        assert state.seconds == pytest.approx(x.size * period)


def blocks_of(model, count, n=16, *, late=0.0, first=0, sfreq=128.0):
    """Feed so many blocks that are late by so much (or by turns), and return the next index."""
    for number in range(count):
        x = first + number * n + np.arange(n)
        by = late if np.isscalar(late) else late[number % len(late)]
        model.take(int(x[0]), 10.0 + x / sfreq + by)
    return first + count * n


def test_the_jitter_is_believed_after_thirty_blocks():
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 1)
    assert model.uncertainty(0) == pytest.approx(2 * 0.005)
    first = blocks_of(model, 3, first=first)
    assert model.uncertainty(0) == pytest.approx(2 * (0.005 / 2) / 2)
    first = blocks_of(model, 26, first=first)
    assert not model.settled
    assert model.uncertainty(0) == pytest.approx(2 * (0.005 / math.sqrt(30)) / math.sqrt(30))
    blocks_of(model, 1, first=first)
    assert model.settled
    assert model.uncertainty(0) == pytest.approx(0.0, abs=1e-9)


def test_the_uncertainty_is_that_of_the_jitter():
    model = ClockModel(128.0, window=LONG)
    blocks_of(model, 20, late=(0.02, -0.02))
    # The stamps of one block err alike; the prior leaves nothing of a slope in so few.
    assert model.jitter == pytest.approx(0.02, rel=0.01)
    assert model.uncertainty(0) == pytest.approx(2 * model.jitter / math.sqrt(20))
    blocks_of(model, 40, late=(0.02, -0.02), first=320)
    assert model.uncertainty(0) == pytest.approx(2 * model.jitter / math.sqrt(30))


def test_what_may_have_run_away_before_the_rate_is_known_is_in_the_uncertainty():
    model = ClockModel(100.0, window=LONG)
    x = np.arange(50)
    for start in range(0, 50, 10):
        model.take(1000 + start, 5.0 + 1.01 * x[start : start + 10] / 100.0)
    late = 0.0001 * x
    prior = (0.005 / (300e-6 * 0.01)) ** 2
    mean_x, _, drawn, _, variance = fitted(x, late, np.ones(50), prior)
    jitter = max(math.sqrt(variance), 0.005 / math.sqrt(5))
    for index in (1000, 1050, 1400):
        away = (0.0001 - drawn) * max(0.0, index - 1000 - mean_x)
        assert model.uncertainty(index) == pytest.approx(2 * jitter / math.sqrt(5) + away)
    assert model.uncertainty(1400) > model.uncertainty(1000) + 0.03


@pytest.mark.parametrize(("late", "taken"), [(0.049, True), (0.0501, False), (-0.2, True)])
def test_a_block_that_is_late_as_a_whole_moves_no_line(late, taken):
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 40)
    before = model.predict(first)
    blocks_of(model, 1, late=late, first=first)
    assert (model.predict(first) != before) is taken
    one = 10.0 + (first + 16 + np.arange(16)) / 128.0 + 0.0501
    one[3] -= 0.01
    before = model.predict(first)
    model.take(first + 16, one)
    assert model.predict(first) != before, "one sample of it was in time"


def test_lateness_is_measured_by_the_jitter_that_is_usual():
    for late, taken in ((0.155, True), (0.165, False)):
        model = ClockModel(128.0, window=LONG)
        first = blocks_of(model, 60, late=(0.02, -0.02))
        before = model.predict(first)
        blocks_of(model, 1, late=late, first=first)
        assert (model.predict(first) != before) is taken


def test_before_the_jitter_is_known_nothing_is_late():
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 30)
    before = model.predict(first)
    blocks_of(model, 1, late=0.2, first=first)
    assert model.predict(first) > before + 0.001


def test_late_blocks_are_believed_after_two_seconds_in_a_row():
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 40)
    first = blocks_of(model, 15, late=0.3, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0)
    # One in time, and the count begins anew.
    first = blocks_of(model, 1, first=first)
    first = blocks_of(model, 15, late=0.3, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0)
    first = blocks_of(model, 1, late=0.3, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0 + 0.3), "the old line is forgotten"
    state = model.state()
    assert (state.drift_ppm, state.jitter) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert state.seconds == pytest.approx(first / 128.0)
    # As soon as the new jitter is known.
    first = blocks_of(model, 30, late=0.3, first=first)
    first = blocks_of(model, 15, late=0.6, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0 + 0.3), "what was late before is not counted"


def test_times_that_would_go_back_go_slower():
    model = ClockModel(100.0)
    times = model.update(0, 50.0 + np.arange(10) / 100.0)
    assert times[-1] == pytest.approx(50.09)
    model.restart(clock_reset=True)
    assert not model.ready
    after = model.update(10, 20.0 + np.arange(10) / 100.0)
    np.testing.assert_allclose(after, 50.09 + 0.005 * np.arange(1, 11))
    # A line that is back by less than all of a block is met again within it.
    model.restart()
    almost = model.update(20, after[-1] - 0.02 + np.arange(10) / 100.0)
    floor = after[-1] + 0.005 * np.arange(1, 11)
    np.testing.assert_allclose(almost, np.maximum(floor, after[-1] - 0.02 + np.arange(10) / 100.0))
    assert model.resets == 1


def test_times_that_come_too_soon_after_the_last_are_half_a_period_apart_at_least():
    model = ClockModel(100.0)
    last = model.update(0, 50.0 + np.arange(10) / 100.0)[-1]
    model.restart()
    times = model.update(10, last + 0.002 + np.arange(3) / 100.0)
    np.testing.assert_allclose(times, last + np.array([0.005, 0.012, 0.022]))


def test_times_that_are_ahead_of_the_last_are_the_line():
    model = ClockModel(100.0)
    model.update(0, 50.0 + np.arange(10) / 100.0)
    model.restart()
    np.testing.assert_allclose(model.update(10, 50.097 + np.arange(5) / 100.0), 50.097 + np.arange(5) / 100.0)


def test_a_restart_forgets_the_line_and_keeps_the_count_of_resets():
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 40)
    blocks_of(model, 10, late=0.3, first=first)
    model.restart(clock_reset=True)
    state = model.state()
    assert (state.seconds, state.resets, state.jitter, model.uncertainty(0)) == (0.0, 1, 0.0, math.inf)
    first = blocks_of(model, 40, late=5.0)
    blocks_of(model, 15, late=5.3, first=first)
    assert model.predict(first) == pytest.approx(15.0 + first / 128.0), "what was late before is not counted"
    model.restart(clock_reset=True)
    assert model.resets == 2


def test_learning_how_stamps_arise_begins_anew_once():
    model = ClockModel(100.0)
    model.take(0, np.array([5.0]))
    model.learn(Stamps.SENDER)
    assert model.ready
    model.learn(Stamps.ARRIVAL)
    assert (model.ready, model.made, model.resets) == (False, Stamps.ARRIVAL, 0)


def test_raw_stamps_are_kept_from_going_back_only():
    model = ClockModel(100.0)
    assert model.raw(np.array([1.0, 3.0, 2.0, 4.0])).tolist() == [1.0, 3.0, 3.0, 4.0]
    assert model.raw(np.array([2.0, 5.0])).tolist() == [4.0, 5.0]
    assert model.raw(np.array([-9.0])).tolist() == [5.0]


def test_the_ramp_is_as_long_as_it_is_asked_for():
    model = ClockModel(100.0)
    for n in (1, 256, 257, 300, 700, 10):
        assert model.k(n).tolist() == list(range(n))
        assert model.k(n).dtype == np.float64
    stamps = np.arange(1000) / 100.0
    np.testing.assert_allclose(model.update(0, stamps), stamps, atol=1e-9)


def sender_off_by(share, seconds, *, n=4, sfreq=100.0, noise=0.0):
    model = ClockModel(sfreq)
    x = np.arange(round(seconds * sfreq / n) * n)
    stamps = 5.0 + x / (sfreq * (1 + share)) + np.random.default_rng(1).normal(0, noise, x.size)
    for start in range(0, x.size, n):
        model.take(start, stamps[start : start + n])
    return model


@pytest.mark.parametrize(
    ("share", "seconds", "sure", "found"),
    [
        (0.02, 8.0, True, True),
        (-0.02, 8.0, True, True),
        (0.009, 8.0, True, False),
        (-0.009, 8.0, True, False),
        (0.02, 4.2, True, True),
        (0.02, 4.0, True, False),
        (0.02, 1.2, False, True),
        (0.02, 1.0, False, False),
        (0.02, 1.2, True, False),
        # Of half the rate, as many samples take twice as long.
        (-0.5, 2.4, True, True),
        (-0.5, 1.8, True, False),
        (1.0, 8.4, True, True),
        (1.0, 7.6, True, False),
    ],
)
def test_when_the_rate_of_a_sender_is_known_to_be_wrong(share, seconds, sure, found):
    rate = sender_off_by(share, seconds).wrong_rate(0.01, sure=sure)
    assert rate == (pytest.approx(100.0 * (1 + share)) if found else None)
    if sure:
        assert sender_off_by(share, seconds).wrong_rate(0.01) == rate


@pytest.mark.parametrize(("blocks", "found"), [(10, False), (11, True)])
def test_a_rate_is_found_of_more_than_ten_blocks(blocks, found):
    model = ClockModel(100.0, window=1e17)
    for start in range(0, blocks * 100, 100):
        model.take(start, (start + np.arange(100)) / 98.0)
    assert (model.wrong_rate(0.001) is not None) is found


@pytest.mark.parametrize(("ratio", "found"), [(5.5, True), (4.8, False)])
def test_a_rate_is_found_beyond_five_times_its_uncertainty(ratio, found):
    def off(noise):
        model = ClockModel(100.0)
        for number in range(200):
            x = 4 * number + np.arange(4)
            model.take(4 * number, 5.0 + x / 98.0 + noise * (-1) ** number)
        state = model.state()
        return model, abs(state.drift_ppm) / state.drift_uncertainty_ppm

    noise, now = 0.1, ratio
    for _ in range(4):
        noise *= now / ratio
        model, now = off(noise)
    assert now == pytest.approx(ratio, rel=0.02)
    assert (model.wrong_rate(0.001) is not None) is found


def test_a_rate_of_a_sample_in_five_seconds_is_found_too():
    assert sender_off_by(0.02, 300.0, n=1, sfreq=0.2).wrong_rate(0.01) == pytest.approx(0.204)


def test_stamps_that_fall_are_no_rate():
    model = ClockModel(100.0)
    for start in range(0, 1000, 4):
        model.take(start, 5.0 - (start + np.arange(4)) / 100.0)
    assert model.wrong_rate(0.01) is None


def test_before_the_first_stamp_the_line_is_the_nominal_one():
    model = ClockModel(100.0)
    for _ in range(2):
        assert model.predict(7) == pytest.approx(0.07)
        blocks_of(model, 3, first=1000)
        model.restart()


def test_a_block_that_is_late_by_the_limit_is_late():
    model = ClockModel(128.0, window=LONG)
    x = np.arange(640)
    for first in range(0, 640, 16):
        model.take(first, (x[first : first + 16] - 640) / 128.0)
    # At the time 0 the sum is exact: the least late sample is late by 0.05 s to the bit.
    model.take(640, np.arange(16) / 128.0 + np.where(np.arange(16), 0.06, 0.05))
    assert model.predict(640) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(("late", "taken"), [(0.045, True), (0.06, False)])
def test_lateness_is_measured_from_the_line_as_it_runs(late, taken):
    """A sender that is slow by a hundredth: ten seconds on, its line is 0.1 s away from where it began."""
    model = ClockModel(128.0, window=LONG)
    x = np.arange(1280)
    for first in range(0, 1280, 16):
        model.take(first, 10.0 + 1.01 * x[first : first + 16] / 128.0)
    before = model.predict(1280)
    model.take(1280, 10.0 + 1.01 * (1280 + np.arange(16)) / 128.0 + late)
    assert (model.predict(1280) != before) is taken


def test_nothing_is_late_yet_when_the_jitter_is_first_known():
    model = ClockModel(128.0, window=LONG)
    first = blocks_of(model, 31)
    assert model.settled
    first = blocks_of(model, 15, late=0.3, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0)
    first = blocks_of(model, 1, late=0.3, first=first)
    assert model.predict(first) == pytest.approx(10.0 + first / 128.0 + 0.3)


def test_the_tolerance_of_a_rate_is_a_share_of_it():
    model = sender_off_by(0.02, 20.0)
    share = abs(model.state().drift_ppm) / 1e6
    assert model.wrong_rate(share * (1 - 4e-7)) == pytest.approx(102.0)
    assert model.wrong_rate(share * (1 + 4e-7)) is None


@pytest.mark.parametrize(("seconds", "found"), [(0.9, False), (1.2, True)])
def test_a_doubt_takes_a_second_of_single_samples_too(seconds, found):
    rate = sender_off_by(0.02, seconds, n=1).wrong_rate(0.01, sure=False)
    assert (rate is not None) is found
