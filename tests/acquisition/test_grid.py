"""A second device on the first one's grid."""

import itertools
import os
from dataclasses import replace

import numpy as np
import pytest

from bcikit.acquisition import LslOutlet, SynchronisedSource, open_source, read_recording
from bcikit.acquisition.file import FileSource
from bcikit.acquisition.grid import GridResampler
from bcikit.recording import Session, read_session, record
from bcikit.safety import QualityMonitor
from bcikit.safety.levels import QualityLevel
from bcikit.session.watch import SessionWatch
from bcikit.signal import ArgumentError, Bad, Capabilities, Chunk, Health, Recording, StreamInfo, StreamLostError


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
        for chunk in source:
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


@pytest.mark.parametrize("scales", [(1e3, 187500.0), (187500.0, 1e3), (1e3, None)])
def test_no_device_is_judged_by_the_full_scale_of_another(scales):
    parts = []
    for name, channel, scale in zip("AB", ("C3", "C4"), scales, strict=True):
        part = recording(250.0, name, (channel,), seconds=8.0)
        capable = part.info.replace(capabilities=Capabilities(full_scale=scale))
        # An ordinary offset of the electrodes of an amplifier with a wide range.
        parts.append(FileSource(Recording.from_arrays(capable, part.data + (0.0 if scale == 1e3 else 5e3))))
    with SynchronisedSource(parts) as source:
        monitor = QualityMonitor(source.info)
        for chunk in source:
            monitor.update(chunk)
    assert monitor.windows
    assert not {"Q-RAIL", "Q-DRIFT"} & {rule for found in monitor.quality().values() for rule in found.rules}


@pytest.mark.parametrize("scales", [(187500.0, None), (187500.0, 1e3), (None, 187500.0)])
def test_an_electrode_near_the_full_scale_of_its_own_device_is_bad_live_and_in_the_session(scales, tmp_path):
    parts = []
    for name, channel, scale in zip("AB", ("C3", "C4"), scales, strict=True):
        part = recording(250.0, name, (channel,), seconds=8.0)
        capable = part.info.replace(capabilities=Capabilities(full_scale=scale))
        high = 172e3 if scale == 187500.0 else 0.0
        parts.append(FileSource(Recording.from_arrays(capable, part.data + high)))
    source = SynchronisedSource(parts)
    assert source.info.full_scales == scales
    folder = record(source, tmp_path / "session").path
    for read in (read_session(folder), read_recording(folder)):
        assert read.info.full_scales == scales
        monitor = QualityMonitor(read.info)
        for chunk in read.chunks if isinstance(read, Session) else read.chunks(10):
            monitor.update(chunk)
        found = monitor.quality()
        bad = {name for name, one in found.items() if {"Q-RAIL", "Q-DRIFT"} <= set(one.rules)}
        assert bad == {"C3" if scales[0] == 187500.0 else "C4"}
        assert all(found[name].level is QualityLevel.BAD for name in bad)


@pytest.mark.parametrize("eeg", ["A", "B"])
def test_a_device_without_eeg_has_no_say_in_the_full_scale(eeg):
    parts = []
    for name in ("A", "B"):
        kind, scale = ("eeg", 1e3) if name == eeg else ("emg", 5e4)
        one = info(250.0, name).replace(ch_types=(kind,), capabilities=Capabilities(full_scale=scale))
        parts.append(FileSource(Recording.from_arrays(one, np.zeros((1000, 1)))))
    joined = SynchronisedSource(parts).info
    assert joined.capabilities.full_scale == 1e3
    assert joined.full_scales == ((1e3, 5e4) if eeg == "A" else (5e4, 1e3))


class Measured(FileSource):
    """A device that measures one of its electrodes and its battery."""

    ohms = 0.0

    def status(self):
        return replace(super().status(), impedances={"Cz": self.ohms}, battery=self.ohms / 1e3)


def test_the_impedances_of_all_devices_are_told_by_the_names_of_the_joined_channels():
    parts = [Measured(recording(250.0, name, ("C3", "Cz"))) for name in "AB"]
    parts[0].ohms, parts[1].ohms = 40e3, 5e3
    source = SynchronisedSource([*parts, FileSource(recording(250.0, "C", ("Pz",)))])
    status = source.status()
    assert status.impedances == {"Cz": 40e3, "B:Cz": 5e3}
    assert status.impedances.keys() <= set(source.info.ch_names)
    assert [one.battery for one in (status, *status.joined)] == [40.0, 5.0, None]
    assert status.joined[0].impedances == {"Cz": 5e3}
    watch = SessionWatch(source, None)
    told = dict(finding for second in range(3) for finding in watch.took(0.0, float(second)))
    assert told["impedance"] == {"ohms": {"Cz": 40e3, "B:Cz": 5e3}}
    assert told["battery"] == {"percent": 5.0}


def test_one_source_is_no_several():
    with pytest.raises(ArgumentError, match="two or more"):
        SynchronisedSource([FileSource(recording(250.0, "A", ("x",)))])


def test_an_address_joins_a_second_device(tmp_path):
    for name, sfreq in (("a", 250.0), ("b", 256.0)):
        times = np.arange(int(4 * sfreq)) / sfreq
        rows = "\n".join(f"{time:.6f},{value:.6f}" for time, value in zip(times, wave(times), strict=True))
        (tmp_path / f"{name}.csv").write_text(f"time,{name}\n{rows}\n")
    second = f"file:{tmp_path / 'b.csv'}?unit=uV%26chunk=50"
    with open_source(f"file:{tmp_path / 'a.csv'}?unit=uV&join={second}") as source:
        assert source.info.ch_names == ("a", "b")
        data = np.concatenate([chunk.data for chunk in source])
    assert data.shape == (1000, 2)
    np.testing.assert_allclose(data[100:900, 1], data[100:900, 0], atol=0.5)


def test_what_has_its_own_pace_is_not_joined_with_what_has_none(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("time,a\n" + "\n".join(f"{i / 250},{i}" for i in range(50)) + "\n")
    with pytest.raises(ArgumentError, match="speed=1"):
        open_source(f"brainflow:synthetic?join=file:{file}?unit=uV")
    with open_source("brainflow:synthetic") as source:
        assert source.pull(60.0) is not None


class Dying(FileSource):
    """A source that is gone for good after its third chunk."""

    def pull(self, timeout=1.0):
        if self._samples >= 3 * self._chunk:
            raise StreamLostError("'B' is gone.")
        return super().pull(timeout)


def test_a_second_device_that_dies_costs_only_its_own_columns():
    first = FileSource(recording(250.0, "A", ("x", "y")))
    second = Dying(recording(256.0, "B", ("z",)), chunk=128)
    with SynchronisedSource([first, second]) as source:
        chunks = [chunk.check() for chunk in source]
        events = source.pull_events()
    data = np.concatenate([chunk.data for chunk in chunks])
    np.testing.assert_array_equal(data[:, :2], recording(250.0, "A", ("x", "y")).data)
    bad = np.concatenate([np.zeros(c.data.shape, np.uint8) if c.health.mask is None else c.health.mask for c in chunks])
    assert not bad[:, :2].any()
    assert not bad[50:300, 2].any()
    assert (bad[400:, 2] == Bad.FILLED).all()
    assert [(event.name, event.source) for event in events] == [("stream/failed", "B")]


class Paced(FileSource):
    """A source with a pace: it gives what was sampled until now by a test's clock, until it falls silent."""

    def __init__(self, given, now, silent=float("inf"), **options):
        super().__init__(given, **options)
        self.live, self._time, self._silent = True, now, silent

    def pull(self, timeout=1.0):
        if (self._samples + self._chunk) / self.info.sfreq > min(self._time(), self._silent):
            return None
        return super().pull(timeout)


def test_a_second_device_that_falls_silent_delays_the_first_for_a_second_only():
    ticks = itertools.count()

    def now():
        return 0.0005 * next(ticks)

    first = Paced(recording(250.0, "A", ("x",), seconds=8.0), now, chunk=10)
    second = Paced(recording(200.0, "B", ("z",), seconds=8.0), now, silent=2.0, chunk=8)
    source = SynchronisedSource([first, second])
    source._now = now
    source.start()
    waits = []
    while not waits or waits[-1][0] < 6.0:
        chunk = source.pull(0.02)
        if chunk is not None:
            waits.append((now(), now() - chunk.end_sample / 250.0))
    waited = [at for at, wait in waits if wait > 0.2]
    assert waited, "it waits for one that may only be late"
    assert 2.0 < waited[0] < waited[-1] < 3.4


def pulses(rate, seconds, *spans):
    """Return levels at a rate: each span is (start, stop, level) in seconds."""
    times = np.arange(int(seconds * rate)) / rate
    levels = np.zeros(times.shape)
    for start, stop, level in spans:
        levels[(times >= start - 1e-9) & (times < stop - 1e-9)] = level
    return times, levels


@pytest.mark.parametrize("rate", [100.0, 500.0, 1000.0])
def test_a_trigger_is_held_not_interpolated(rate):
    second = StreamInfo(name="second", sfreq=rate, ch_names=("x", "TRIG"), ch_types=("eeg", "stim"))
    resampler = GridResampler(second, 250.0)
    times, levels = pulses(rate, 4.0, (1.0, 1.04, 100), (2.0, 2.1, 7), (2.1, 2.2, 9))
    for part in np.array_split(np.arange(len(times)), 37):
        resampler.feed(Chunk(np.column_stack([wave(times[part]), levels[part]]), times[part], int(part[0])))
    grid = np.arange(125, 875) / 250.0
    values, bad = resampler.at(grid)
    assert bad is None
    np.testing.assert_array_equal(
        values[:, 1], pulses(250.0, 4.0, (1.0, 1.04, 100), (2.0, 2.1, 7), (2.1, 2.2, 9))[1][125:875]
    )


def test_a_pulse_shorter_than_a_step_of_the_grid_is_given_once():
    second = StreamInfo(name="second", sfreq=2000.0, ch_names=("TRIG",), ch_types=("stim",))
    resampler = GridResampler(second, 250.0)
    times, levels = pulses(2000.0, 4.0, (1.001, 1.0015, 3), (2.0, 2.0005, 5))
    resampler.feed(Chunk(levels[:, None], times, 0))
    values = np.concatenate([resampler.at(part)[0][:, 0] for part in np.array_split(np.arange(125, 875) / 250.0, 33)])
    places = np.flatnonzero(values) + 125
    assert [(int(place), values[place - 125]) for place in places] == [(251, 3), (500, 5)]


def test_a_level_stays_over_lost_samples_and_is_marked():
    second = StreamInfo(name="second", sfreq=250.0, ch_names=("TRIG",), ch_types=("stim",))
    resampler = GridResampler(second, 250.0)
    times = np.arange(600) / 250.0
    resampler.feed(Chunk(np.full((200, 1), 4.0), times[:200], 0))
    resampler.feed(Chunk(np.full((350, 1), 4.0), times[250:], 250, Health(lost=50)))
    values, bad = resampler.at(times[20:560])
    assert (values == 4.0).all()
    np.testing.assert_array_equal(np.flatnonzero(bad[:, 0]) + 20, np.arange(200, 250))


@pytest.mark.parametrize("channel", ["TRG", "trg", "Aux"])
def test_the_trigger_of_a_joined_device_gives_the_codes_that_were_sent(tmp_path, channel):
    rows = "\n".join(f"{time:.6f},{value:.6f}" for time, value in zip(*pulses(250.0, 4.0), strict=True))
    (tmp_path / "a.csv").write_text(f"time,Cz\n{rows}\n")
    spans = ((0.0, 0.5, 2), (1.0, 1.04, 100), (2.001, 2.002, 7), (3.0, 3.5, 9))
    rows = "\n".join(f"{time:.6f},{value:.6f},1" for time, value in zip(*pulses(1000.0, 4.0, *spans), strict=True))
    (tmp_path / "b.csv").write_text(f"time,{channel.replace('trg', 'TRG')},Oz\n{rows}\n")
    second = f"file:{tmp_path / 'b.csv'}?unit=uV"
    with open_source(f"file:{tmp_path / 'a.csv'}?unit=uV&trigger={channel}&join={second}") as source:
        events = []
        while not source.ended:
            source.pull()
            events += source.pull_events()
    # A level that is there when a stream begins did not begin with it.
    assert [(event.value, event.sample) for event in events] == [(100, 250), (7, 501), (9, 750)]


@pytest.mark.parametrize("address", ["sim:rest?seed=1", "brainflow:synthetic"])
def test_a_device_is_not_joined_to_itself(address, tmp_path):
    with pytest.raises(ArgumentError, match=r"is the first device .* once more"):
        open_source(f"{address}{'&' if '?' in address else '?'}join={address.replace('&', '%26')}")
    if address.startswith("sim"):
        with pytest.raises(ArgumentError, match=r"also is .* once more"):
            record(address, tmp_path / "twice", also=[address])
        assert not (tmp_path / "twice").exists()


def test_one_lsl_stream_under_two_addresses_is_one_device():
    name = f"twin-{os.getpid()}"
    address = f"lsl:name={name}&join=lsl:source_id={name}"
    with LslOutlet(info(250.0), name=name, source_id=name), pytest.raises(ArgumentError, match="once more"):
        open_source(address)
