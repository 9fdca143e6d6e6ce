"""The lower envelope of late arrivals: what it takes for the clock, and what for the link, to the digit."""

import math

import numpy as np
import pytest

from bcikit.acquisition.clock_model import ClockModel, Stamps
from bcikit.acquisition.envelope import LatenessEnvelope, _deviation

PERIOD = 0.125
"""Four samples to half a second, so that a bin is four samples."""


def envelope(bins=0, late=0.0, **options):
    """Return an envelope that has seen so many bins, all samples late alike or by a function of their index."""
    one = LatenessEnvelope(PERIOD, **options)
    return feed(one, 0, bins, late)


def feed(one, first, bins, late=0.0):
    for number in range(first, first + bins):
        x = 4 * number + np.arange(4.0)
        one.add(float(x[0]), np.array([late(k) for k in x]) if callable(late) else np.full(4, late))
    return one


def lines(one):
    return [(item.x, item.late, item.second, item.valid, item.on_time) for item in one._bins]


def test_an_envelope_before_anything():
    one = LatenessEnvelope(0.01)
    assert (one.x0, one.level, one.slope, one.spread, one.doubt, one.empty, one.length) == (0, 0, 0, 0.002, 0, True, 0)
    assert (one.rate, one.fallen, one.closed, one.has_shown(0)) == (0.0, 0.0, [], False)
    assert one.at(7.0) == 0.0
    # The spread of the first arrivals, the wait of a thread, and nothing else, at k = 2.
    assert one.uncertainty(0.0) == pytest.approx(2 * math.hypot(0.002, 0.0008))
    # By how much the rate may be off is not known: a hundredth.
    far = 2 * math.hypot(0.002, 0.0008, 500 * 300e-6 * 0.01, 0.5 * 500 * 0.01 * 0.01)
    assert one.uncertainty(500.0) == pytest.approx(far)
    assert one.pace(1) is None
    assert one.steady_pace() is None


@pytest.mark.parametrize(("sfreq", "size"), [(0.5, 1), (1.0, 1), (8.0, 4), (250.0, 125), (1000.0, 500)])
def test_a_bin_is_half_a_second_and_one_sample_at_least(sfreq, size):
    one = LatenessEnvelope(1 / sfreq)
    one.add(0.0, np.zeros(size))
    assert one.length == 1
    one.add(float(size), np.zeros(3 * size))
    assert one.length == 4


@pytest.mark.parametrize(("window", "bins"), [(60.0, 120), (5.0, 10), (1.0, 8), (3.0, 8)])
def test_bins_of_the_window_are_kept_and_eight_at_least(window, bins):
    one = feed(LatenessEnvelope(PERIOD, window=window), 0, 130)
    assert (len(one._bins), one.length) == (bins, 130)
    assert len(feed(LatenessEnvelope(PERIOD), 0, 130)._bins) == 120


def test_each_bin_is_its_least_late_sample_however_the_samples_come():
    late = np.array([0.5, 0.2, 0.4, 0.3, 0.1, 0.6, 0.1, 0.9, 0.7, 0.8, 0.3])
    expected = [(1.0, 0.2), (4.0, 0.1)]
    for cuts in ([11], [4, 4, 3], [1] * 11, [3, 5, 3], [6, 5], [2, 7, 2]):
        one, at = LatenessEnvelope(PERIOD), 0
        for n in cuts:
            one.add(float(100 + at), late[at : at + n])
            at += n
        assert [(item.x - 100, item.late) for item in one._bins] == expected, cuts
        assert one.length == 2
        one.add(111.0, np.array([0.05]))
        assert (one._bins[-1].x - 100, one._bins[-1].late) == (11.0, 0.05)
        assert one.closed == [(101.0, 0.2), (104.0, 0.1), (111.0, 0.05)]


def test_the_second_least_late_is_known_where_samples_come_one_by_one():
    one = LatenessEnvelope(PERIOD)
    for x, late in enumerate((0.5, 0.2, 0.4, 0.3, 0.199, 0.6, 0.3, 0.9)):
        one.add(float(x), np.array([late]))
    assert [(item.late, item.second) for item in one._bins] == [(0.2, 0.3), (0.199, 0.3)]
    # The wait is that of an exponential distribution with this median; of the least of two bins, half of it.
    assert one._wait == pytest.approx(0.1005 / math.log(2.0) / 2)
    assert envelope(2)._wait == 0.0


def test_a_line_lies_under_nearly_all_of_the_least_late():
    rng = np.random.default_rng(4)
    late = {4 * number: float(wait) for number, wait in enumerate(rng.exponential(0.0005, 30))}
    one = envelope(30, lambda k: late.get(int(k), 9.0))
    x, y = np.array(list(late), dtype=float), np.array(list(late.values()))
    dx, dy = x - x.mean(), y - y.mean()
    # The prior of the slope is 300 ppm, weighed by how much the least late differ: that of the fit before.
    before = envelope(29, lambda k: late.get(int(k), 9.0))
    sigma = max(before.spread, 0.0004)
    prior = (sigma / (300e-6 * PERIOD)) ** 2
    slope = (dx @ dy) / (dx @ dx + prior)
    rest = dy - slope * dx
    assert one.slope == pytest.approx(slope)
    assert one.x0 == x.mean()
    assert one.level == pytest.approx(y.mean() + np.quantile(rest, 0.02))
    assert one.spread == pytest.approx(max(0.0004, 1.4826 * np.median(np.abs(rest - np.median(rest)))))
    assert one.rate == pytest.approx(slope / PERIOD)
    error = sigma / math.sqrt(dx @ dx + prior)
    far = 2 * math.hypot(one.spread, 0.0, error * 50, 0.0008)
    assert one.uncertainty(one.x0 + 50) == pytest.approx(far)
    assert one.uncertainty(one.x0) == one.uncertainty(one.x0 - 5) == pytest.approx(2 * math.hypot(one.spread, 0.0008))
    assert one.at(one.x0 + 10) == pytest.approx(one.level + 10 * slope)


def test_the_deviation_is_that_of_the_median():
    assert _deviation(np.array([1.0, 2.0, 3.0, 4.0, 100.0])) == pytest.approx(1.4826)
    assert _deviation(np.array([-3.0, -1.0, 1.0, 9.0])) == pytest.approx(1.4826 * 2.0)


def test_arrivals_agree_within_what_any_machine_can():
    assert envelope(10).spread == 0.0004
    assert envelope(3).spread == 0.002
    assert envelope(4).spread == 0.0004


def test_before_the_rate_is_known_what_may_have_run_away_is_added():
    share = 0.0008 * PERIOD
    for bins, known in ((7, False), (8, True)):
        one = envelope(bins, lambda k: share * k)
        x = 4.0 * bins + 40
        certain = (one.spread, one._slope_error * (x - one.x0), 0.0008)
        # The line is drawn towards the nominal rate: by that it may run away, from its first point on.
        more = 0.0 if known else max((share - one.slope) * x, share * (4 * bins - 1) - one.at(4 * bins - 1))
        assert one.uncertainty(x) == pytest.approx(2 * math.hypot(*certain, 0.5 * more))
        assert (one.uncertainty(x) > 2 * math.hypot(*certain) + 1e-9) is not known
        # At its beginning, the newest sample says how far it ran away.
        last = 4 * bins - 1
        newest = 0.0 if known else share * last - one.at(last)
        assert one.uncertainty(0.0) == pytest.approx(2 * math.hypot(one.spread, 0.0008, 0.5 * newest))
    # The newest sample is late by more than that: of one bin, nobody knows why.
    one = LatenessEnvelope(PERIOD)
    one.add(0.0, np.array([0.0, 0.0, 0.3]))
    assert one.uncertainty(2.0) == pytest.approx(2 * math.hypot(0.002, 2 * one._slope_error, 0.0008, 0.15))
    assert one.uncertainty(-5.0) == pytest.approx(2 * math.hypot(0.002, 0.0008, 0.15))
    # A line that follows one that has shown its rate knows it.
    new = LatenessEnvelope(PERIOD, before=envelope(20))
    new.add(0.0, np.array([0.0, 0.0, 0.3]))
    assert new._unknown == pytest.approx(300e-6 * PERIOD)
    feed(new, 1, 3)
    assert new._unknown == 0.0


@pytest.mark.parametrize(("bins", "rate"), [(7, 0.0), (8, 0.008)])
def test_a_rate_is_believed_after_eight_half_seconds(bins, rate):
    one = envelope(bins, lambda k: 0.008 * PERIOD * k)
    assert one.rate == pytest.approx(rate, rel=0.02)


def test_an_oscillator_that_is_no_quartz_is_followed_at_once():
    """The prior of 300 ppm gives way to one of a hundredth where the slope is sure to be another."""
    assert envelope(4, lambda k: 0.008 * PERIOD * k).slope == pytest.approx(0.008 * PERIOD, rel=0.01)
    quartz = envelope(4, lambda k: 0.0008 * PERIOD * k).slope
    sxx, prior = 80.0, (0.002 / (300e-6 * PERIOD)) ** 2
    assert quartz == pytest.approx(0.0008 * PERIOD * sxx / (sxx + prior), rel=0.01)


@pytest.mark.parametrize(
    ("bins", "share", "quartz"),
    # In two seconds, by what arrivals differ by at the least; then, by three times what a quartz may be off.
    [(4, 0.0017, True), (4, 0.0019, False), (8, 0.00085, True), (8, 0.00095, False)],
)
def test_what_is_no_quartz_is_off_by_more_than_one_may_be(bins, share, quartz):
    assert (envelope(bins, lambda k: share * PERIOD * k).slope < 0.99 * share * PERIOD) is quartz


def test_two_half_seconds_give_a_line():
    one = envelope(2, lambda k: 0.0001 * k)
    sxx, prior = 8.0, (0.002 / (300e-6 * PERIOD)) ** 2
    assert (one.x0, one.slope) == (2.0, pytest.approx(0.0001 * sxx / (sxx + prior)))
    assert envelope(1, lambda k: 0.0001 * k).slope == 0.0


def test_a_line_follows_the_line_before_it():
    old = envelope(30, lambda k: 0.001 * PERIOD * k)
    new = LatenessEnvelope(PERIOD, before=old)
    assert new.slope == new._usual == pytest.approx(0.001 * PERIOD, rel=0.02)
    assert new.rate == pytest.approx(0.001, rel=0.02)
    assert new.has_shown(0)
    assert new.spread == 0.002, "the first arrivals differ by no less than any"
    assert (new.level, new.x0, new.length, new.empty) == (0.0, 0.0, 0, True)
    feed(new, 0, 6, lambda k: 0.5 + 0.001 * PERIOD * k)
    assert new.slope == pytest.approx(0.001 * PERIOD, rel=0.02), "it has not to be found again"
    rough = envelope(0)
    rough.spread = 0.03
    assert LatenessEnvelope(PERIOD, before=rough).spread == 0.03
    assert not LatenessEnvelope(PERIOD, before=envelope(19)).has_shown(0)


@pytest.mark.parametrize(("seen", "newest", "shown"), [(19, 0, False), (20, 0, True), (25, 6, False), (26, 6, True)])
def test_a_rate_has_shown_after_ten_seconds_on_the_line(seen, newest, shown):
    assert envelope(seen).has_shown(newest) is shown


def test_a_sample_that_came_too_early_pulls_the_line_down_at_once():
    one = envelope(10)
    one.add(40.0, np.array([-0.0007]))
    assert one.level == 0.0, "by less than arrivals differ"
    one.add(41.0, np.array([-0.0009]))
    assert one.level == pytest.approx(-0.0009)
    three = envelope(3)
    three.add(12.0, np.array([-0.0039]))
    assert three.level == 0.0, "of three bins, arrivals differ by as much as is usual"
    two = envelope(2)
    two.add(8.0, np.array([-0.0001]))
    assert two.level == pytest.approx(-0.0001)
    young = envelope(1, 0.1)
    young.add(4.0, np.array([0.0999]))
    assert young.level == pytest.approx(0.0999), "at the beginning, by whatever it is"
    assert all(item.valid for item in one._bins)


@pytest.mark.parametrize(("early", "valid"), [(0.0049, True), (0.0051, False)])
def test_what_came_before_a_much_earlier_sample_was_late(early, valid):
    one = envelope(10)
    one.add(40.0, np.array([-early]))
    assert one.level == pytest.approx(-early)
    assert {item.valid for item in one._bins} == {valid}
    one = envelope(10)
    one.spread = 0.001
    one.add(40.0, np.array([-0.0079]))
    assert {item.valid for item in one._bins} == {True}, "eight spreads"
    one.add(41.0, np.array([-0.0161]))
    assert {item.valid for item in one._bins} == {False}


def test_only_what_was_late_is_left_out():
    one = envelope(10, lambda k: 0.002 * (k >= 20))
    one.add(40.0, np.array([-0.0055]))
    assert [item.valid for item in one._bins] == [item.late - one.at(item.x) < 0.005 for item in one._bins]


@pytest.mark.parametrize(("late", "on_time"), [(0.0031, True), (0.02, False)])
def test_a_bin_that_is_late_is_not_on_the_line(late, on_time):
    one = feed(envelope(20), 20, 1, late)
    assert one._bins[-1].valid is one._bins[-1].on_time is on_time
    assert len(one.closed) == 20 + on_time
    one = feed(envelope(1), 1, 1, 0.5)
    assert one._bins[-1].valid, "of two bins, nobody knows which is late"
    assert not feed(envelope(2), 2, 1, 0.5)._bins[-1].valid, "of three, it is the third"


def test_how_late_a_bin_may_be_grows_with_the_time_since_the_last():
    """Until the rate is known, it may be off by a hundredth; then, by three times its error."""
    for bins, gap, late, valid in (
        (4, 1, 0.0032 + 0.01 * PERIOD * 4 - 0.0001, True),
        (4, 1, 0.0032 + 0.01 * PERIOD * 4 + 0.0001, False),
        (4, 10, 0.0032 + 0.01 * PERIOD * 40 - 0.0001, True),
        (4, 10, 0.0032 + 0.01 * PERIOD * 40 + 0.0001, False),
    ):
        one = feed(envelope(bins), bins - 1 + gap, 1, late)
        assert one._bins[-1].valid is valid, (bins, gap, late)
    for bins, gap in ((8, 10), (30, 40)):
        error = envelope(bins)._slope_error
        limit = 0.0032 + 3 * error * 4 * gap
        assert feed(envelope(bins), bins - 1 + gap, 1, limit - 1e-4)._bins[-1].valid
        assert not feed(envelope(bins), bins - 1 + gap, 1, limit + 1e-4)._bins[-1].valid
    # A bin that was not on the line is not the last one.
    one = feed(feed(envelope(4), 4, 1, 0.5), 5, 1, 0.0032 + 0.01 * PERIOD * 8 - 0.0001)
    assert one._bins[-1].valid


def test_bins_that_are_late_alike_are_believed_after_two_seconds():
    one = feed(envelope(30), 30, 3, 0.3)
    assert one.at(132.0) == pytest.approx(0.0, abs=1e-6)
    one.doubt = 0.5
    feed(one, 33, 1, 0.3)
    assert one.at(136.0) == pytest.approx(0.3, abs=1e-4)
    assert [item.valid for item in one._bins] == [False] * 30 + [True] * 4
    assert [item.on_time for item in one._bins] == [True] * 30 + [False] * 4
    assert (one.doubt, one._late) == (0.0, pytest.approx(0.0, abs=1e-6))
    assert one.spread == 0.0004


@pytest.mark.parametrize(
    ("late", "believed"),
    [
        ((0.3, 0.3, 0.3, 0.3), True),
        ((0.3, 0.302, 0.301, 0.3), True),
        # Falling: the link catches up.
        ((0.3, 0.2999, 0.2998, 0.2992), True),
        ((0.3, 0.299, 0.298, 0.297), False),
        # They differ by more than what is late.
        ((0.3, 0.3, 0.35, 0.3), False),
        ((0.3, 0.3, 0.0, 0.3), False),
    ],
)
def test_what_is_late_and_not_alike_is_the_link(late, believed):
    one = envelope(30)
    for number, by in enumerate(late):
        feed(one, 30 + number, 1, by)
    assert (one.at(136.0) > 0.2) is believed
    assert one._bins[-1].valid is believed


def test_where_all_is_late_nobody_knows_which_is_wrong():
    one = envelope(30)
    for number, by in enumerate((0.3, 0.2, 0.15, 0.1)):
        assert one._late == 0.0
        feed(one, 30 + number, 1, by)
    assert one._late == pytest.approx(0.1, abs=1e-4)
    certain = 2 * math.hypot(one.spread, one._wait, one._slope_error * (140 - one.x0), 0.0008)
    assert one.uncertainty(140.0) == pytest.approx(certain + one._late)
    one.doubt = 0.7
    assert one.uncertainty(140.0) == pytest.approx(certain + 0.7)
    feed(one, 34, 1, 0.0)
    assert (one._late, one.doubt) == (0.0, 0.0)


def test_how_much_less_late_samples_come_than_the_first():
    assert envelope(3, 0.1).fallen == -0.1
    assert envelope(3, lambda k: -0.01 * k).fallen == pytest.approx(0.11)


@pytest.mark.parametrize("share", [0.02, -0.02, 0.3])
def test_an_even_pace_is_that_of_the_device(share):
    one = envelope(12, lambda k: share * PERIOD * k)
    assert one.pace(6) == pytest.approx(share)
    assert one.pace(12) == pytest.approx(share)
    assert one.pace(13) is None


def test_a_pace_must_run_away_by_more_than_the_link():
    # Over 12 bins, samples 0 to 44: the stamps run away by 5.5 s times the share.
    assert envelope(12, lambda k: 0.0074 * PERIOD * k).pace(12) == pytest.approx(0.0074)
    assert envelope(12, lambda k: 0.0072 * PERIOD * k).pace(12) is None
    # A link that chokes is late, but not evenly so: by a sixth of it at most.
    for shake, even in ((0.015, True), (0.025, False)):
        one = envelope(
            12, lambda k, s=shake: 0.02 * PERIOD * k + s * (k == 20) * (1 if k % 4 == 0 else 0) + s * (20 < k < 24)
        )
        assert (one.pace(12) is not None) is even, shake


def test_a_pace_needs_time_on_the_host_s_clock():
    # What lay in a buffer comes at once: at the host's clock, no time went by.
    one = envelope(6, lambda k: -PERIOD * k)
    assert one.pace(6) is None
    for share, known in ((-0.1, True), (-0.3, False)):
        # Five bins of half a second, less what it is faster: two seconds are needed.
        one = envelope(6, lambda k, s=share: s * PERIOD * k)
        assert (one.pace(6) is not None) is known, share


def test_no_pace_is_measured_over_a_long_loss():
    def with_gap(bins):
        one = envelope(6, lambda k: 0.02 * PERIOD * k)
        return feed(one, 6 + bins, 6, lambda k: 0.02 * PERIOD * k)

    assert with_gap(3).pace(12) == pytest.approx(0.02)
    assert with_gap(4).pace(12) is None
    assert with_gap(4).pace(6) == pytest.approx(0.02)


def test_what_catches_up_is_not_fast():
    one = envelope(30)
    feed(one, 30, 8, lambda k: 0.5 - 0.03 * PERIOD * (k - 120))
    assert not all(item.on_time for item in one._bins)
    assert one.pace(8) is None
    slow = feed(envelope(30), 30, 8, lambda k: 0.5 + 0.03 * PERIOD * (k - 120))
    assert slow.pace(8) == pytest.approx(0.03), "a slow device is late, and evenly so"


def test_a_steady_pace_is_that_of_most_half_seconds():
    def stalls(k):
        return 0.03 * PERIOD * k + 0.4 * (80 <= k < 80 + 4 * stalled)

    for stalled, found in ((0, True), (12, True), (13, True), (14, False)):
        one = envelope(40, stalls)
        assert (one.steady_pace() == pytest.approx(0.03, rel=0.2)) is found, stalled
    assert envelope(39, lambda k: 0.03 * PERIOD * k).steady_pace() is None
    # In all, it runs away by three times what one stall may be: 0.12 s over 19.5 s.
    assert envelope(40, lambda k: 0.0062 * PERIOD * k).steady_pace() == pytest.approx(0.0062)
    assert envelope(40, lambda k: 0.0061 * PERIOD * k).steady_pace() is None
    assert envelope(40, lambda k: -0.03 * PERIOD * k).steady_pace() == pytest.approx(-0.03)


def arrivals(seconds, share=0.0, *, late=lambda k: 0.0, sfreq=8.0, n=1):
    """Return a model of arrivals that has seen so many seconds of samples whose rate is off."""
    model = ClockModel(sfreq, made=Stamps.ARRIVAL)
    for first in range(0, round(seconds * sfreq), n):
        x = first + np.arange(n)
        model.take(first, 5.0 + x / sfreq * (1 + share) + np.array([late(k) for k in x]))
    return model


def test_a_model_of_arrivals_is_its_envelope():
    model = ClockModel(8.0, made=Stamps.ARRIVAL)
    alone = LatenessEnvelope(PERIOD)
    rng, origin = np.random.default_rng(3), 0.0
    for first in range(0, 80, 2):
        late = rng.exponential(0.001, 2)
        model.take(100 + first, 5.0 + (first + np.arange(2)) * PERIOD + late)
        origin = late[0] if first == 0 else origin
        alone.add(float(first), late - origin)
    x = 80
    assert model.predict(100 + x) == pytest.approx(5.0 + origin + x * PERIOD + alone.at(x), abs=1e-9)
    assert model.uncertainty(100 + x) == pytest.approx(alone.uncertainty(x))
    times = model.times(100 + x, 2)
    assert np.diff(times) == pytest.approx(PERIOD + alone.slope)
    # Every bin on the line is a point of the rate that is told.
    state = model.state()
    points = np.array(alone.closed)
    dx = points[:, 0] - points[:, 0].mean()
    slope = dx @ (points[:, 1] - points[:, 1].mean()) / (dx @ dx)
    assert state.drift_ppm == pytest.approx(1e6 * (PERIOD / (PERIOD + slope) - 1), rel=1e-6)
    assert state.seconds == 10.0
    assert state.jitter == model.jitter > 0


@pytest.mark.parametrize(("bins", "measured"), [(7, False), (8, True)])
def test_the_rate_of_arrivals_is_told_without_a_prior_after_eight_half_seconds(bins, measured):
    drift = arrivals(bins / 2, 0.002).state().drift_ppm
    assert (drift == pytest.approx(1e6 * (1 / 1.002 - 1), rel=1e-6)) is measured


def test_the_jitter_of_arrivals_is_what_blocks_stray_from_the_line():
    model = ClockModel(64.0, made=Stamps.ARRIVAL)
    model.take(0, 5.0 + np.arange(8) / 64.0)
    assert model.jitter == 0.0
    model.take(8, 5.0 + np.arange(8, 16) / 64.0 + 0.05)
    # In ten seconds it is forgotten to 1/e; a block of 8 is an eighth of a second.
    assert model.jitter**2 == pytest.approx(0.0125 * 0.05**2)
    model.take(16, 5.0 + np.arange(16, 24) / 64.0 + 0.4)
    before = 0.0125 * 0.05**2
    assert model.jitter**2 == pytest.approx(before + 0.0125 * (0.1**2 - before)), (
        "a stall counts for a tenth of a second"
    )
    model.restart()
    assert model.jitter == 0.0
    # A block of more than ten seconds is all that counts.
    long = ClockModel(8.0, made=Stamps.ARRIVAL)
    x = np.arange(96)
    long.take(0, 5.0 + x * PERIOD + 0.05 * (x % 4 > 0))
    assert long.jitter == pytest.approx(0.0375, rel=1e-3)


def test_a_block_of_a_wild_link_that_is_early_counts_for_a_tenth_of_a_second_too():
    model = arrivals(2.0)
    model._envelope.spread = 1.0
    before = model.jitter
    model.take(16, np.array([5.0 + 16 * PERIOD - 0.5]))
    assert model.predict(16) > 5.0 + 16 * PERIOD - 0.1, "within what its arrivals differ by"
    assert model.jitter**2 == pytest.approx(before**2 + 0.0125 * (0.01 - before**2))


def test_the_jitter_is_measured_at_the_middle_of_a_block():
    assert arrivals(60.0, 0.005, n=8).jitter < 0.001


def test_the_window_of_a_model_is_that_of_its_envelope():
    model = ClockModel(8.0, window=5.0, made=Stamps.ARRIVAL)
    for index in range(100):
        model.take(index, np.array([5.0 + index * PERIOD]))
    assert len(model._envelope._bins) == 10


def test_a_rate_that_only_most_half_seconds_show():
    stalled = arrivals(20.0, 0.015, late=lambda k: 0.4 * (96 <= k < 112))
    assert stalled._envelope.pace(20) is None
    assert stalled.wrong_rate(0.01) == pytest.approx(8.0 / 1.015)
    assert arrivals(0.5).wrong_rate(0.01) is None


def test_arrivals_are_settled_after_two_seconds():
    assert not arrivals(2.0).settled
    assert arrivals(2.125).settled


def test_a_doubt_is_in_the_uncertainty_until_a_sample_is_on_the_line():
    model = arrivals(10.0)
    certain = model.uncertainty(80)
    model.doubt(0.3)
    model.doubt(0.2)
    assert model.uncertainty(80) == pytest.approx(certain + 0.3)
    for index in range(80, 85):
        model.take(index, np.array([5.0 + index * PERIOD]))
    assert model.uncertainty(85) < 0.01


def test_a_restart_keeps_rate_and_spread_of_the_machine():
    model = arrivals(10.0, 0.001)
    model.restart()
    model.take(80, np.array([50.0]))
    assert np.diff(model.times(80, 2)) == pytest.approx(PERIOD * 1.001, rel=1e-5)


@pytest.mark.parametrize(
    ("seconds", "share", "sure", "found"),
    [
        (3.0, 0.06, True, True),
        (2.5, 0.06, True, False),
        (3.0, 0.049, True, False),
        (6.0, 0.03, True, True),
        (5.5, 0.03, True, False),
        (6.0, 0.019, True, False),
        (10.0, 0.012, True, True),
        (9.5, 0.012, True, False),
        (10.0, 0.009, True, False),
        (3.0, 0.03, False, True),
        (2.5, 0.03, False, False),
        # Fast: it must be plain that it is no link that catches up.
        (6.0, -0.03, True, True),
        (3.0, -0.06, True, False),
        (3.0, -0.06, False, False),
        (4.0, -0.03, False, True),
    ],
)
def test_when_the_rate_of_arrivals_is_known_to_be_wrong(seconds, share, sure, found):
    rate = arrivals(seconds, share).wrong_rate(0.01, sure=sure)
    assert rate == (pytest.approx(8.0 / (1 + share)) if found else None)


def test_what_may_have_waited_in_the_link_is_no_fast_device():
    model = arrivals(6.0, -0.03)
    assert model.wrong_rate(0.01) is not None
    model = ClockModel(8.0, made=Stamps.ARRIVAL)
    model.backlog = 0.2
    for index in range(48):
        model.take(index, np.array([5.0 + index * PERIOD * 0.97]))
    assert model.wrong_rate(0.01) is None, "it fell by 0.17 s, and 0.2 s may have waited"
    for index in range(48, 80):
        model.take(index, np.array([5.0 + index * PERIOD * 0.97]))
    assert model.wrong_rate(0.01) == pytest.approx(8.0 / 0.97)


def test_a_wrong_rate_is_looked_for_once_a_bin():
    model = arrivals(6.0, 0.03)
    assert model.wrong_rate(0.01) == model.wrong_rate(0.5), "what was found of this bin"
    assert model.wrong_rate(0.01, sure=False) == pytest.approx(8.0 / 1.03)
    for index in range(48, 52):
        model.take(index, np.array([5.0 + index * PERIOD * 1.03]))
    assert model.wrong_rate(0.5) is None
    model.restart()
    assert model.wrong_rate(0.01) is None


def test_a_rate_that_was_seen_for_long_is_left_by_no_oscillator():
    model = arrivals(30.0)
    for index in range(240, 264):
        model.take(index, np.array([5.0 + index * PERIOD + 0.06 * PERIOD * (index - 240)]))
    assert model.wrong_rate(0.01) is None


def test_what_a_sample_was_before_an_earlier_one_came_is_the_second():
    one = LatenessEnvelope(PERIOD)
    for x, late in enumerate((0.5, 0.3, 0.2, 0.9)):
        one.add(float(x), np.array([late]))
    assert [(item.late, item.second) for item in one._bins] == [(0.2, 0.3)]


def test_the_wait_of_the_earliest_is_in_the_uncertainty():
    one = LatenessEnvelope(PERIOD)
    for x in range(24):
        one.add(float(x), np.array([(0.0, 0.01, 0.02, 0.02)[x % 4]]))
    wait = 0.01 / math.log(2.0) / 6
    assert one._wait == pytest.approx(wait)
    assert one.uncertainty(one.x0) == pytest.approx(2 * math.hypot(one.spread, wait, 0.0008))
    assert wait > 2 * one.spread


def wild(k):
    """Stamps on arrival of a link that chokes, is late as a whole, catches up, and is believed in the end."""
    base = 0.0004 * math.sin(7.0 * k) ** 2 + 0.0003 * PERIOD * k
    return base + 0.3 * (60 <= k < 68) + (0.3 - 0.004 * (k - 100)) * (100 <= k < 116) + 0.2 * (k >= 150)


@pytest.mark.parametrize(("far", "late"), [(1000.0, 0.0), (0.0, 40.0), (0.0, -40.0), (5000.0, 3.0)])
def test_where_the_count_and_the_clock_begin_changes_nothing(far, late):
    one, other = LatenessEnvelope(PERIOD), LatenessEnvelope(PERIOD)
    for k in range(240):
        one.add(float(k), np.array([wild(k)]))
        other.add(k + far, np.array([wild(k) + late]))
        assert [item.valid for item in one._bins] == [item.valid for item in other._bins], k
        assert other.level == pytest.approx(one.level + late, abs=1e-9), k
        assert other.x0 == pytest.approx(one.x0 + far)
        assert (other.slope, other.spread) == pytest.approx((one.slope, one.spread), abs=1e-9)
        assert other.uncertainty(k + far + 5.0) == pytest.approx(one.uncertainty(k + 5.0), rel=1e-6), k
        assert other._late == pytest.approx(one._late, abs=1e-9), k
        if k % 20 == 19:
            assert (other.pace(6) is None) is (one.pace(6) is None), k
    assert not all(item.valid for item in one._bins)
    assert one.at(240.0) > 0.2


def test_a_steady_pace_is_the_median_of_all_slopes():
    from scipy.stats import theilslopes

    rng = np.random.default_rng(8)
    strays = rng.normal(0.0, 0.004, 45)
    for late in (0.0, 40.0):
        one = envelope(45, lambda k, late=late: late + 0.03 * PERIOD * k + strays[int(k) // 4])
        x, y = np.array([item.x for item in one._bins]), np.array([item.late for item in one._bins])
        assert one.steady_pace() == pytest.approx(theilslopes(y, x)[0] / PERIOD, rel=1e-9)


@pytest.mark.parametrize(("stalled", "found"), [(14, True), (15, False)])
def test_two_thirds_of_the_half_seconds_show_a_rate(stalled, found):
    one = envelope(42, lambda k: 0.03 * PERIOD * k + 0.4 * (80 <= k < 80 + 4 * stalled))
    assert (one.steady_pace() is not None) is found


def test_a_line_that_falls_at_its_end_is_not_believed():
    # By more than three tenths of what a bin may be late, at the last alone.
    for last, believed in ((0.2995, True), (0.298, False)):
        one = envelope(30)
        for number, by in enumerate((0.3, 0.3, 0.3, last)):
            feed(one, 30 + number, 1, by)
        assert one._bins[-1].valid is believed, last
    one = envelope(30)
    for number, by in enumerate((0.3, 0.298, 0.298, 0.3)):
        feed(one, 30 + number, 1, by)
    assert one._bins[-1].valid, "it fell in between, and ended where it began"


def test_a_device_that_is_no_quartz_is_known_again_at_once():
    """What it was before is its usual rate: to be near that is no other rate, and it is left as slowly as any."""
    old = envelope(15, lambda k: 0.002 * PERIOD * k)
    new = LatenessEnvelope(PERIOD, before=old)
    usual = new._usual
    feed(new, 0, 5, lambda k: 0.0021 * PERIOD * k)
    x = np.array([item.x for item in new._bins])
    sxx = float(np.sum((x - x.mean()) ** 2))
    prior = (0.0004 / (300e-6 * PERIOD)) ** 2
    assert usual == pytest.approx(0.002 * PERIOD, rel=0.01)
    assert new.slope == pytest.approx((0.0021 * PERIOD * sxx + usual * prior) / (sxx + prior), rel=1e-6)
    assert new._slope_error == pytest.approx(0.0004 / math.sqrt(sxx + prior))


@pytest.mark.parametrize(("share", "even"), [(5.8, False), (6.4, True)])
def test_a_pace_is_even_within_a_sixth_of_what_ran_away(share, even):
    def late(k):
        return 0.02 * PERIOD * k + shake * (20 <= k < 24)

    shake = 0.02
    for _ in range(30):
        one = envelope(12, late)
        x, y = np.array([item.x for item in one._bins]), np.array([item.late for item in one._bins])
        slope, level = np.polyfit(x, y, 1)
        now = abs(slope) * np.ptp(x) / np.abs(y - slope * x - level).max()
        shake *= (now / share) ** 0.5
    assert now == pytest.approx(share, rel=0.005)
    assert (one.pace(12) is not None) is even


@pytest.mark.parametrize("share", [0.008, -0.008])
def test_bins_are_late_alike_by_the_line_as_it_runs(share):
    one = envelope(30, lambda k: share * PERIOD * k)
    feed(one, 30, 4, lambda k: 0.3 + share * PERIOD * k)
    assert [item.valid for item in one._bins][-5:] == [False] + [True] * 4
    assert one.at(136.0) == pytest.approx(0.3 + share * PERIOD * 136.0, abs=0.001)
