"""Frames, presentation and photodiode: on a fake display clock, on a virtual screen, and on known signals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit.paradigms import make_paradigm
from bcikit.paradigms.frames import Refresh, feasibility, luminance, measured_frequency
from bcikit.presentation.presenter import Presenter
from bcikit.presentation.timing import TimingResult, measure_timing
from bcikit.signal import ArgumentError, DataError, Event, HostClock, StreamInfo


# ---- another screen ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "after"), [(144.0, 60.0), (60.0, 144.0)])
def test_on_a_screen_of_another_rate_nothing_is_shown_early_and_no_frame_counts_as_dropped(before, after):
    presenter = Presenter(Refresh(before))
    flicker = {"item": "a", "frequency": 10.0, "phase": 0.0}
    presenter.on_event(Event(name="stimulus/flicker", time=100.0, sample=0, data={"targets": [flicker], "depth": 1.0}))
    for number in range(round(20 * before)):
        presenter.on_frame(100.0 + number / before)
    # One is planned already when the window comes to the other screen, one comes after it.
    presenter.on_event(Event(name="stimulus/flash", time=120.0, sample=1))
    presenter.change(Refresh(after))
    flips, levels = [], []
    for number in range(1, round(2 * after)):
        now = 120.0 + number / after
        if number == round(after):
            presenter.on_event(Event(name="stimulus/flash", time=now, sample=2))
        flips += presenter.on_frame(now)
        levels.append(presenter.levels()["a"])
    assert [flip.event.sample for flip in flips] == [1, 2]
    assert all(abs(flip.shown - flip.event.time - presenter.delay) <= 1 / after for flip in flips)
    # Between the last frame there and the first here lie 23 ms at most.
    assert presenter.dropped <= 2
    assert measured_frequency(np.arange(len(levels)) / after, np.array(levels)) == pytest.approx(10.0, rel=0.02)


def test_after_a_rate_that_was_taken_too_low_nothing_is_shown_early():
    presenter = Presenter(Refresh(40.0))
    for number in range(300):
        presenter.on_frame(100.0 + number / 60)
    presenter.change(Refresh(60.0))
    presenter.on_event(Event(name="stimulus/flash", time=105.0, sample=1))
    (flip,) = [flip for number in range(300, 330) for flip in presenter.on_frame(100.0 + number / 60)]
    assert flip.shown - 105.0 == pytest.approx(presenter.delay, abs=1 / 60)


def test_a_flicker_that_the_other_screen_cannot_show_is_not_shown():
    presenter = Presenter(Refresh(144.0))
    flicker = {"item": "a", "frequency": 40.0, "phase": 0.0}
    presenter.on_event(Event(name="stimulus/flicker", time=0.0, sample=0, data={"targets": [flicker]}))
    for number in range(30):
        presenter.on_frame(number / 144)
    assert presenter.flickers
    presenter.change(Refresh(60.0))
    assert not presenter.flickers


# ---- frequencies ---------------------------------------------------------------------------------------------------
def test_what_a_screen_can_show():
    screen = Refresh(60.0)
    for frequency in (60 / 7, 10.0, 12.0, 7.5, 8.57, 30.0):
        assert feasibility(frequency, screen, "frame-period").possible
    assert feasibility(8.57, screen, "frame-period").shown == pytest.approx(60 / 7)
    refused = feasibility(13.0, screen, "frame-period")
    assert not refused.possible
    assert "12, 15" in refused.reason
    assert feasibility(13.0, screen).possible
    aliased = feasibility(35.0, screen)
    assert not aliased.possible
    assert "25 Hz" in aliased.reason
    with pytest.raises(ArgumentError, match="half of the refresh rate"):
        luminance(0, 35.0, screen)


@settings(max_examples=30, deadline=None)
@given(st.floats(3.0, 28.0), st.floats(0.0, 6.28), st.floats(0.1, 1.0))
def test_a_sampled_sinusoid_has_its_frequency_depth_and_phase(frequency, phase, depth):
    frames = np.arange(300)
    shown = luminance(frames, frequency, Refresh(60.0), phase=phase, depth=depth)
    assert shown.min() >= (1 - depth) / 2 - 1e-9
    assert shown.max() <= (1 + depth) / 2 + 1e-9
    assert shown[0] == pytest.approx((1 + depth * np.sin(phase)) / 2)
    assert measured_frequency(frames / 60.0, shown) == pytest.approx(frequency, rel=1e-3)


def test_whole_frame_periods_are_square_and_exact():
    shown = luminance(np.arange(70), 60 / 7, Refresh(60.0), depth=1.0, mode="frame-period")
    assert set(shown.tolist()) == {0.0, 1.0}
    assert np.array_equal(shown[:7], shown[7:14])


# ---- presentation --------------------------------------------------------------------------------------------------
def frames_of(rate, seconds, *, start=100.0, drop=(), jitter=0.0, seed=0):
    """Return the times of the frames of a fake display."""
    rng = np.random.default_rng(seed)
    times = start + np.arange(int(seconds * rate)) / rate
    keep = np.ones(len(times), dtype=bool)
    keep[list(drop)] = False
    return times[keep] + rng.normal(0.0, jitter, keep.sum()).clip(-0.3 / rate, 0.3 / rate) * (jitter > 0)


@pytest.mark.parametrize("rate", [60.0, 59.94, 75.0, 144.0])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.5, 0.99])
def test_flashes_keep_their_rhythm_on_any_display_clock(rate, phase):
    sfreq = 250.0
    paradigm = make_paradigm({"base": "p300-speller", "refresh": rate, "max_selections": 0})
    paradigm.configure(StreamInfo(name="test", sfreq=sfreq, ch_names=("Pz",)), seed=0)
    paradigm.start(0, 100.0)
    presenter = Presenter(Refresh(rate), delay=0.1)
    times = frames_of(rate, 30.0, start=100.0 + phase / rate, jitter=0.0003)
    chunk, told = 10, 0
    for shown in times:
        # The engine hears of samples in chunks, up to 40 ms late.
        newest = int((shown - 100.0) * sfreq) // chunk * chunk
        while told < newest:
            told += chunk
            for event in paradigm.advance(told - 1, 100.0 + (told - 1) / sfreq):
                presenter.on_event(event)
        presenter.on_frame(shown)
    report = presenter.report("stimulus/flash")
    assert report["n"] > 100
    assert report["late"] == 0
    assert report["dropped"] == 0
    assert report["soa_sd"] <= 0.002
    assert report["worst"] <= 1.0 / rate + 0.002


def test_dropped_frames_are_counted_and_what_is_late_is_said():
    presenter = Presenter(Refresh(60.0), delay=0.0)
    presenter.on_event(Event(name="stimulus/flash", time=100.0))
    presenter.on_event(Event(name="stimulus/flash", time=100.5))
    for shown in frames_of(60.0, 1.0, drop=(29, 30, 31)):
        presenter.on_frame(float(shown))
    report = presenter.report()
    assert report["n"] == 2
    assert report["dropped"] == 3
    assert report["late"] == 1
    assert report["worst"] == pytest.approx(2 / 60, abs=1e-6)


def test_flicker_follows_the_clock_over_dropped_frames_and_ends_by_itself():
    presenter = Presenter(Refresh(60.0), delay=0.0)
    data = {"targets": [{"item": "up", "frequency": 10.0, "phase": 0.0}], "depth": 0.6}
    presenter.on_event(Event(name="stimulus/flicker", time=100.0, duration=4.0, data=data))
    times, levels = [], []
    for shown in frames_of(60.0, 5.0, drop=(50, 51, 130)):
        presenter.on_frame(float(shown))
        level = presenter.levels().get("up")
        if level is not None:
            times.append(shown)
            levels.append(level)
    assert times[-1] - times[0] == pytest.approx(4.0, abs=0.02)
    assert measured_frequency(np.array(times), np.array(levels)) == pytest.approx(10.0, rel=1e-3)


@pytest.mark.slow
def test_on_a_virtual_screen_the_flicker_has_its_frequency(qtbot):
    from bcikit.paradigms.scene import Scene, Target, Targets, Words
    from bcikit.presentation.qt.view import SceneView

    targets = [{"item": "up", "frequency": 60 / 7, "phase": 0.0}, {"item": "left", "frequency": 12.0, "phase": 1.0}]
    shown = tuple(Target(item=t["item"], words=Words(t["item"]), frequency=t["frequency"]) for t in targets)
    scene = Scene(name="gaze", elements=(Targets(targets=shown),))
    wrong = []
    # A machine that stands still for a moment spoils three seconds; it does not do so every time.
    for _ in range(4):
        flips, log = [], []
        window = SceneView(refresh=Refresh(60.0), delay=0.05, patch=True, on_flip=flips.append)
        window._on_frame = lambda time, show=window.show_, seen=log: seen.append((time, show.levels()))
        qtbot.addWidget(window)
        window.show()
        event = Event(
            name="stimulus/flicker", time=HostClock().now(), duration=3.0, data={"targets": targets, "depth": 0.6}
        )
        window.take({"type": "show", "event": event.to_dict(), "scene": scene.to_dict()})
        qtbot.waitUntil(lambda shown=window, seen=log: len(seen) > 0 and not shown.show_.levels(), timeout=60_000)
        assert [flip.event.name for flip in flips] == ["stimulus/flicker"]
        picture = window.grab().toImage()
        assert picture.pixelColor(10, picture.height() - 10).lightness() > 200
        window.close()
        log = [(time, levels) for time, levels in log if levels]
        times = np.array([time for time, _ in log])
        measured = [measured_frequency(times, np.array([levels[t["item"]] for _, levels in log])) for t in targets]
        wrong = [abs(found / t["frequency"] - 1) for found, t in zip(measured, targets, strict=True)]
        if max(wrong) <= 1e-3:
            break
    assert max(wrong) <= 1e-3


# ---- photodiode ----------------------------------------------------------------------------------------------------
def diode(offset, *, sd=0.0, drift=0.0, n=60, sfreq=1000.0, noise=0.01, lose=(), seed=0):
    """Return a photodiode on a screen whose light comes `offset` seconds after the markers."""
    rng = np.random.default_rng(seed)
    markers = 1.0 + 0.5 * np.arange(n) + rng.uniform(0, 0.05, n)
    times = np.arange(int((markers[-1] + 2) * sfreq)) / sfreq
    signal = rng.normal(0.0, noise, len(times))
    for index, marker in enumerate(markers):
        if index not in lose:
            light = marker + offset + drift * marker / 60 + rng.normal(0.0, sd)
            # Light rises within 2 ms and stays for 100 ms.
            signal += np.clip((times - light) / 0.002 + 0.5, 0, 1) - np.clip((times - light - 0.1) / 0.002 + 0.5, 0, 1)
    return signal, times, markers


def test_offset_and_jitter_are_found_within_their_uncertainty(tmp_path):
    inside = 0
    for seed in range(40):
        signal, times, markers = diode(0.047, sd=0.003, seed=seed, sfreq=500.0)
        found = measure_timing(signal, times, markers)
        inside += abs(found.offset - 0.047) <= found.uncertainty * 1.25
        assert found.sd == pytest.approx(0.003, rel=0.5)
        assert (found.n, found.missed, found.extra) == (60, 0, 0)
    assert inside >= 36
    found.save(tmp_path / "timing.json")
    assert TimingResult.load(tmp_path / "timing.json") == found


def test_drift_lost_light_and_a_missing_diode():
    drifting = measure_timing(*diode(0.03, drift=0.01, n=240))
    assert drifting.drift == pytest.approx(0.01, abs=0.002)
    lost = measure_timing(*diode(0.03, lose=(3, 4)))
    assert lost.missed == 2
    signal, times, markers = diode(0.03, lose=tuple(range(60)))
    with pytest.raises(DataError, match="no flashes"):
        measure_timing(signal, times, markers)
    with pytest.raises(DataError, match="holds no timing"):
        TimingResult.load(__import__("pathlib").Path("/nowhere.json"))
