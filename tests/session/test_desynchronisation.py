"""What a movement does to the mu rhythm, in numbers: as it was made, whatever lies between and is missing."""

import numpy as np
import pytest

from bcikit.acquisition import open_source
from bcikit.session.desynchronisation import reactions
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
