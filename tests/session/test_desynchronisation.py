"""What a movement does to the mu rhythm, in numbers: as it was made, whatever lies between and is missing."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.recording import SessionWriter, read_session
from bcikit.session.desynchronisation import erd_curves, reactions
from bcikit.signal import Event, Recording, StreamInfo

SFREQ, TRIAL, TRIALS = 250.0, 10.0, 12


def made(*, c3: float, c4: float, hand: str = "right_hand", names: tuple[str, ...] = ("Fz", "c3", "C4")):
    """Return a recording whose mu rhythm has these shares of its power from 2 s after the cue of each trial."""
    times = np.arange(round(TRIAL * TRIALS * SFREQ)) / SFREQ
    rng = np.random.default_rng(0)
    data = rng.standard_normal((len(times), len(names))) * 0.01
    moving = (times % TRIAL >= 5.0) & (times % TRIAL < 8.2)
    for name, share in (("C3", c3), ("C4", c4)):
        column = [one.upper() for one in names].index(name)
        data[:, column] += np.where(moving, np.sqrt(share), 1.0) * 10 * np.sin(2 * np.pi * 10.3 * times)
    info = StreamInfo(name="x", sfreq=SFREQ, ch_names=names)
    recording = Recording(info=info, data=data, times=times, samples=np.arange(len(times)) + 1000, events=[])
    events = []
    for number in range(TRIALS):
        cue = 1000 + round((number * TRIAL + 3.0) * SFREQ)
        events += [
            Event(name=f"cue/{hand}", time=0.0, sample=cue),
            Event(name="phase/attempt", time=0.0, sample=cue + round(2 * SFREQ), data={"class": hand}),
        ]
    return recording, events


@pytest.mark.parametrize(("hand", "sign"), [("right_hand", 1.0), ("left_hand", -1.0)])
def test_it_is_the_change_opposite_to_the_hand(hand: str, sign: float) -> None:
    found = reactions(*made(c3=0.25, c4=0.75, hand=hand))
    assert found.keys() == {hand}
    assert found[hand].erd == pytest.approx(-75.0 if hand == "right_hand" else -25.0, abs=3.0)
    assert found[hand].laterality == pytest.approx(sign * 0.5, abs=0.03)
    assert found[hand].trials == TRIALS


def test_a_trial_with_a_hole_or_a_bad_sample_does_not_count() -> None:
    recording, events = made(c3=0.25, c4=0.75)
    recording.data[round(4.0 * SFREQ), 1] = np.nan
    left = np.ones(len(recording.samples), dtype=bool)
    left[round(16.0 * SFREQ) : round(16.1 * SFREQ)] = False
    holed = Recording(
        info=recording.info,
        data=recording.data[left],
        times=recording.times[left],
        samples=recording.samples[left],
        events=[],
    )
    found = reactions(holed, events)["right_hand"]
    assert found.trials == TRIALS - 2
    assert found.erd == pytest.approx(-75.0, abs=4.0)


def test_a_flat_electrode_has_no_reaction() -> None:
    recording, events = made(c3=0.25, c4=0.75)
    recording.data[:, 2] = 0.0
    assert reactions(recording, events) == {}


def test_what_help_does_to_the_signal_is_not_taken() -> None:
    recording, events = made(c3=0.25, c4=0.75)
    helped = []
    for event in events:
        helped.append(event)
        if event.name == "phase/attempt":
            helped.append(Event(name="assist/start", time=0.0, sample=event.sample + round(2.0 * SFREQ)))
            row = event.sample - 1000 + round(2.1 * SFREQ)
            recording.data[row : row + round(2 * SFREQ), 1] *= 40
    assert reactions(recording, helped)["right_hand"].erd == pytest.approx(-75.0, abs=5.0)
    at_once = [
        Event(name="assist/start", time=0.0, sample=event.sample - 300) if event.name == "assist/start" else event
        for event in helped
    ]
    assert reactions(recording, at_once) == {}, "too short to tell"


def test_where_the_electrodes_are_not_nothing_is_said() -> None:
    recording, events = made(c3=0.25, c4=0.75)
    assert reactions(recording.pick([0, 2]), events) == {}
    assert reactions(recording, []) == {}


def test_a_simulated_user_desynchronises_opposite_to_the_hand() -> None:
    data, times, samples, events = [], [], [], []
    address = "sim:motor-imagery?seed=3&ability=1&channels=8&schedule=1&trials=16&inattention=0&confusion=0"
    with open_source(address) as source:
        info = source.info
        while not source.ended:
            chunk = source.pull(1.0)
            if chunk is not None and chunk.n_times:
                data.append(chunk.data)
                times.append(chunk.times)
                samples.append(chunk.first_sample + np.arange(chunk.n_times))
            events += source.pull_events()
    recording = Recording(
        info=info,
        data=np.concatenate(data),
        times=np.concatenate(times),
        samples=np.concatenate(samples),
        events=[],
    )
    said = []
    for event in events:
        said.append(event)
        if event.name.startswith("cue/"):
            hand = event.name.removeprefix("cue/")
            said.append(Event(name="phase/imagery", time=event.time, sample=event.sample, data={"class": hand}))
    found = reactions(recording, said)
    assert found.keys() == {"left_hand", "right_hand"}
    assert all(one.erd < -20 and one.laterality > 0.1 for one in found.values()), found


def filtered_whole(data: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the power of a band, the recording filtered in one piece, as Pfurtscheller's recipe says it."""
    from scipy.signal import butter, sosfiltfilt

    return sosfiltfilt(butter(4, (low, high), btype="bandpass", fs=SFREQ, output="sos"), data, axis=0) ** 2


def test_what_is_read_around_a_trial_gives_the_numbers_of_the_whole() -> None:
    from scipy.ndimage import uniform_filter1d

    recording, events = made(c3=0.25, c4=0.75)
    # An electrode's own voltage, and a sample that was none: what a filter would carry far.
    recording.data[:] += [4e4, -3e5, 2e5]
    recording.data[round(61.0 * SFREQ), 2] = np.nan
    cues = {"right_hand": [event.sample for event in events if event.name.startswith("cue/")], "never": [0]}
    for band in ((8.0, 13.0), (13.0, 30.0)):
        times, found = erd_curves(recording, cues, channels=["c4", "C3"], band=band, tmin=-2.0, tmax=5.0)
        power = uniform_filter1d(
            filtered_whole(np.nan_to_num(recording.data[:, [2, 1]]), *band), round(0.5 * SFREQ), axis=0
        )
        rows = [sample - 1000 for sample in cues["right_hand"]]
        trials = np.array([power[row - 500 : row + 1250] for row in rows])
        # That of the sample that was none counts for the other electrode alone.
        assert rows[6] - 500 == round(61.0 * SFREQ)
        mean = np.stack([np.delete(trials, 6, axis=0)[:, :, 0].mean(axis=0), trials[:, :, 1].mean(axis=0)], axis=1)
        want = 100 * (mean / mean[times < -0.5].mean(axis=0) - 1)
        assert list(found) == ["right_hand"]
        np.testing.assert_allclose(found["right_hand"], want.T, rtol=1e-6, atol=1e-6)
    recording.data[round(61.0 * SFREQ), 2] = 2e5
    power = filtered_whole(recording.data[:, 1:], 8.0, 13.0)
    before = np.mean([power[row - 500 : row - 125].mean(axis=0) for row in rows], axis=0)
    during = np.mean([power[row + 625 : row + 1250].mean(axis=0) for row in rows], axis=0)
    assert reactions(recording, events)["right_hand"].erd == pytest.approx(100 * (during[0] / before[0] - 1), rel=1e-7)


def test_curves_are_of_trials_without_a_gap_or_a_bad_sample() -> None:
    clean, events = made(c3=0.25, c4=0.75)
    samples = [event.sample for event in events if event.name.startswith("cue/")]

    def curves(recording: Recording, of: list[int]) -> dict[str, np.ndarray]:
        cues = {"right_hand": of, "hole": samples[4:5], "bad": samples[7:8]}
        return erd_curves(recording, cues, channels=["C3", "C4"], band=(8.0, 13.0), tmin=-2.0, tmax=5.0)[1]

    torn = made(c3=0.25, c4=0.75)[0]
    bad = samples[7] - 1000
    torn.data[bad + 250 : bad + 750, 1] = np.nan
    left = np.ones(torn.n_times, dtype=bool)
    left[samples[4] - 1000 + 100 : samples[4] - 1000 + 400] = False
    torn = replace(torn, data=torn.data[left], times=torn.times[left], samples=torn.samples[left])
    found = curves(torn, samples)
    assert found.keys() == {"right_hand", "bad"}
    assert np.isnan(found["bad"][0]).all()
    assert np.isfinite(found["bad"][1]).all(), "the other electrode had no bad sample"
    whole = [sample for at, sample in enumerate(samples) if at not in (4, 7)]
    np.testing.assert_allclose(found["right_hand"][0], curves(clean, whole)["right_hand"][0], atol=2.0)
    # No trial looks like a power of nothing.
    assert found["right_hand"][0].min() > -85.0


def test_curves_of_a_session_that_stays_in_its_file_are_the_same_in_little_memory(tmp_path: Path) -> None:
    recording, events = made(c3=0.25, c4=0.75, names=("C3", "C4", *(f"E{at}" for at in range(30))))
    with SessionWriter(tmp_path / "s", info=recording.info) as writer:
        for again in range(3):
            for chunk in recording.chunks(1000):
                sample = chunk.first_sample + again * recording.n_times
                writer.chunk(replace(chunk, first_sample=sample, times=chunk.times + 120.0 * again), 1.0)
    cues = {"right_hand": [event.sample for event in events if event.name.startswith("cue/")][:4]}
    names = recording.info.ch_names
    whole = read_session(tmp_path / "s").recording
    want = erd_curves(whole, cues, channels=names, band=(8.0, 13.0), tmin=-2.0, tmax=5.0)[1]
    size = whole.data.nbytes
    tracemalloc.start()
    try:
        left = read_session(tmp_path / "s", lazy=True).recording
        found = erd_curves(left, cues, channels=names, band=(8.0, 13.0), tmin=-2.0, tmax=5.0)[1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found["right_hand"], want["right_hand"])
    assert reactions(left, events) == reactions(whole, events) != {}
    assert peak < size / 3, f"{peak / 1e6:.1f} of {size / 1e6:.1f} MB"
