"""Set-ups of the tests: what is connected, for how long, in which order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bcikit.signal import StreamInfo
from bcikit.simulation.stimulus import Stimulus
from bcikit.validation.profile import Profile

SetUps = Callable[[StreamInfo, Profile], list[Stimulus]]
"""Gives the set-ups of a test for a stream and a profile."""

AMPLITUDE_UV = 1000.0
"""Peak of the sine of most tests: 1 mV, far above noise, far below full scale."""


def columns(info: StreamInfo) -> list[int]:
    """Return the columns that carry a voltage."""
    kinds = ("eeg", "eog", "emg", "ecg", "ref", "bio")
    return [index for index, kind in enumerate(info.ch_types) if kind in kinds]


def alone(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a sine on one channel after the other."""
    seconds = profile.seconds("sine", 4.0)
    return [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=AMPLITUDE_UV, frequency=10.0, channel=index)
        for index in range(len(columns(info)))
    ]


def levels(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: ten amplitudes up to 80 % of full scale."""
    top = 0.8 * (info.capabilities.full_scale or 187500.0)
    steps = [top * 10 ** (-5.2 * (9 - step) / 9) for step in range(10)]
    seconds = profile.seconds("sine", 4.0)
    return [Stimulus(kind="sine", seconds=seconds, amplitude_uv=level, frequency=10.0) for level in steps]


def near_full_scale(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a sine 1 dB below full scale on one channel after the other."""
    level = (info.capabilities.full_scale or 187500.0) * 10 ** (-1 / 20)
    seconds = profile.seconds("thd", 10.0)
    return [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=level, frequency=10.0, channel=index)
        for index in range(len(columns(info)))
    ]


def frequencies(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a sine at frequencies up to 0.45 of the rate."""
    fixed = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    shares = [share / 100 * info.sfreq for share in range(10, 46, 5)]
    values = sorted({round(f, 3) for f in [*fixed, *shares] if f <= 0.45 * info.sfreq})
    return [Stimulus(kind="sine", seconds=_long(profile, f), amplitude_uv=AMPLITUDE_UV, frequency=f) for f in values]


def offsets(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a sine on direct voltages of both signs."""
    del info
    step = profile.seconds("offset_step_mv", 20.0)
    count = int(200 // step)
    return [
        Stimulus(
            kind="sine",
            seconds=profile.seconds("offset", 4.0),
            amplitude_uv=AMPLITUDE_UV,
            frequency=10.0,
            offset_uv=1e3 * step * index,
        )
        for index in range(-count, count + 1)
    ]


def one(kind: str, name: str, default: float, **values: Any) -> SetUps:
    """Return a function that gives one set-up whose time the profile may change."""

    def made(info: StreamInfo, profile: Profile) -> list[Stimulus]:
        del info
        return [Stimulus(kind=kind, seconds=profile.seconds(name, default), **values)]

    return made


def common(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: mains on all inputs together, and what it takes to refer it to the input."""
    mains = info.line_freq or 50.0
    wave = Stimulus(kind="common", seconds=profile.seconds("cmrr", 20.0), amplitude_uv=1e6 * 2**0.5, frequency=mains)
    # What a differential sine of that frequency becomes: gain at 10 Hz, and the response from there to mains.
    together = [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=AMPLITUDE_UV, frequency=frequency)
        for frequency, seconds in ((10.0, profile.seconds("skew", 10.0)), (mains, _long(profile, mains)))
    ]
    return [wave, *together, *alone(info, profile)]


def _long(profile: Profile, frequency: float) -> float:
    """Return how long a sine of the frequency response is recorded."""
    return max(profile.seconds("cycles", 20.0) / frequency, 4.0)


def resistors(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: the same resistor on all inputs, several values."""
    del info
    values = (1e3, 5e3, 1e4, 5e4, 1e5, 3.3e5, 2e6)
    return [Stimulus(kind="resistors", seconds=profile.seconds("impedance", 2.0), ohms=value) for value in values]


def one_resistor(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a resistor on one input after the other."""
    seconds = profile.seconds("impedance", 2.0)
    return [Stimulus(kind="resistors", seconds=seconds, ohms=5e4, channel=index) for index in range(len(columns(info)))]


def above(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a tone above half the rate, and the gains."""
    tone = round(0.92 * info.sfreq, 1)
    seconds = profile.seconds("sine", 4.0)
    return [
        Stimulus(kind="sine", seconds=seconds, amplitude_uv=AMPLITUDE_UV, frequency=tone),
        *alone(info, profile),
    ]


def two_tones(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: two tones together."""
    # Together 1 dB below full scale; no product of theirs falls on another.
    level = (info.capabilities.full_scale or 187500.0) * 10 ** (-1 / 20) / 2
    low, high = round(0.124 * info.sfreq, 1), round(0.148 * info.sfreq, 1)
    seconds = profile.seconds("thd", 10.0)
    return [Stimulus(kind="two-tone", seconds=seconds, amplitude_uv=level, frequency=low, second=high)]


def twice(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a sine at the beginning and at the end of the run."""
    del info
    once = Stimulus(kind="sine", seconds=profile.seconds("skew", 10.0), amplitude_uv=AMPLITUDE_UV, frequency=10.0)
    return [once, replace(once, again=1)]


def eyes(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: open and closed eyes."""
    del info
    seconds = profile.seconds("eyes", 60.0)
    return [Stimulus(kind="eyes-open", seconds=seconds), Stimulus(kind="eyes-closed", seconds=seconds)]


def electrodes(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: a pair of electrodes, and the gains."""
    return [Stimulus(kind="electrodes", seconds=profile.seconds("drift", 1800.0)), *alone(info, profile)]


def run_down(info: StreamInfo, profile: Profile) -> list[Stimulus]:
    """Return set-ups: noise and gain, fresh and after two hours."""
    del info
    long, short = profile.seconds("noise", 120.0), profile.seconds("sine", 4.0)
    return [
        stimulus
        for after in (0.0, 7200.0)
        for stimulus in (
            Stimulus(kind="short", seconds=long, after=after),
            Stimulus(kind="sine", seconds=short, amplitude_uv=AMPLITUDE_UV, frequency=10.0, channel=0, after=after),
        )
    ]
