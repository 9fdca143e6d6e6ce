"""LSL in and out: metadata, units, markers on samples, streams that must be refused."""

import threading
import time
import uuid

import numpy as np
import pytest

from bcikit import open_source
from bcikit.acquisition import LslOutlet, LslTextInlet, LslTextOutlet, lsl_resolve
from bcikit.acquisition.devices import reachable_devices
from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.lsl_meta import channel_texts
from bcikit.processing import BandPower, Pipeline
from bcikit.signal import (
    ArgumentError,
    Capabilities,
    Chunk,
    DataError,
    HostClock,
    SourceError,
    StreamInfo,
)
from tests.stalls import wait_for


def unique(word):
    return f"{word}-{uuid.uuid4()}"


def pulled(source, seconds, *, until=None):
    """Return what came within some seconds; with `until`, until that is so, within a minute."""
    chunks, events = [], []
    end = time.monotonic() + (60.0 if until else seconds)
    while time.monotonic() < end and not (until and until(chunks, events)):
        chunk = source.pull(0.1)
        events += source.pull_events()
        if chunk is not None:
            chunks.append(chunk)
    return chunks, events


def test_metadata_goes_out_and_comes_back():
    info = StreamInfo(
        name=unique("meta"),
        sfreq=200.0,
        ch_names=("C3", "Cz", "EOG", "STI"),
        ch_types=("eeg", "eeg", "eog", "stim"),
        positions=((-0.05, 0.0, 0.06), (0.0, 0.0, 0.09), (float("nan"),) * 3, (float("nan"),) * 3),
        reference="A1",
        line_freq=50.0,
        device="Amplifier 8",
        capabilities=Capabilities(full_scale=187500.0),
    )
    with LslOutlet(info, source_id="meta-1") as outlet:
        source = open_source(f"lsl:name={outlet.name}")
        found = source.info
        source.close()
    for field in ("name", "sfreq", "ch_names", "ch_types", "reference", "line_freq", "device", "unit"):
        assert getattr(found, field) == getattr(info, field), field
    assert found.source_id == "meta-1"
    assert found.capabilities.full_scale == 187500.0
    np.testing.assert_allclose(found.positions_array(), info.positions_array(), atol=1e-7)


def test_every_bit_arrives_with_its_time():
    info = StreamInfo(name=unique("bits"), sfreq=100.0, ch_names=("a", "b"))
    rng = np.random.default_rng(0)
    now = HostClock().now()
    data = rng.normal(0, 1e-3, (200, 2)) * np.pi
    times = now - 2.0 + np.arange(200) / 100.0
    with LslOutlet(info) as outlet, open_source(f"lsl:source_id={outlet.source_id}&dejitter=false") as source:
        # The outlet takes note of its listener a moment after that one thinks that it listens.
        wait_for(lambda: outlet.has_consumers)
        for at in range(0, 200, 20):
            outlet.push(Chunk(data[at : at + 20], times[at : at + 20], at))
        all_came = lambda chunks, _: sum(chunk.n_times for chunk in chunks) >= 200  # noqa: E731
        chunks, events = pulled(source, 0.5, until=all_came)
    offsets = [event for event in events if event.name == "stream/clock-offset"]
    # One clock; an answer that took long on a busy machine is worth less, and says so.
    assert offsets
    unsure = max(event.data["uncertainty"] for event in offsets)
    assert all(abs(event.value) <= event.data["uncertainty"] for event in offsets)
    assert min(event.data["uncertainty"] for event in offsets) > 0
    np.testing.assert_array_equal(np.concatenate([chunk.data for chunk in chunks]), data)
    np.testing.assert_allclose(np.concatenate([chunk.times for chunk in chunks]), times, atol=2e-3 + unsure)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("microvolts", 1.0), ("uV", 1.0), ("V", 1e6), ("mV", 1e3), ("-6", 1.0), ("0", 1e6), ("-3", 1e3)],
)
def test_units_become_microvolts(sender, unit, factor):
    name = unique("unit")
    sender(name=name, unit=unit)
    with open_source(f"lsl:source_id={name}") as source:
        chunk = source.pull(60.0)
    assert chunk.data[0, 1] - chunk.data[0, 0] == pytest.approx(1000 * factor)


def test_a_stream_without_unit_is_refused_and_can_be_told(sender):
    name = unique("nounit")
    sender(name=name, unit="")
    with pytest.raises(ArgumentError, match=r"channel 'E1'.*no unit.*unit=uV"):
        open_source(f"lsl:source_id={name}")
    with open_source(f"lsl:source_id={name}&unit=mV") as source:
        chunk = source.pull(60.0)
    assert chunk.data[0, 1] - chunk.data[0, 0] == pytest.approx(1e6)


def test_text_and_irregular_streams_are_no_sources():
    text, features = unique("text"), unique("features")
    info = StreamInfo(name=features, sfreq=0.0, ch_names=("x",), unit="1")
    with LslTextOutlet(text), LslOutlet(info, irregular=True, type="features"):
        with pytest.raises(SourceError, match="markers="):
            open_source(f"lsl:name={text}")
        with pytest.raises(SourceError, match="no sampling rate"):
            open_source(f"lsl:name={features}")


def test_a_stream_without_channels_is_refused():
    """To liblsl's inlet it is a division by zero, which no program survives."""
    pylsl = lsl()
    name = unique("empty")
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "EEG", 0, 250.0, "float32", name))
    with pytest.raises(SourceError, match="has no channels"):
        open_source(f"lsl:name={name}")
    with pytest.raises(SourceError, match="has no channels"):
        LslTextInlet(name, timeout=5.0)
    del outlet


def test_two_streams_of_one_name_are_not_guessed(sender, monkeypatch):
    name = unique("twins")
    first, second = unique("a"), unique("b")
    sender(name=name, source_id=first)
    sender(name=name, source_id=second)
    with monkeypatch.context() as patch:
        # On one machine the second is heard half a second later, on a busy one later still.
        patch.setitem(lsl_resolve.find_one.__kwdefaults__, "wave", 20.0)
        with pytest.raises(SourceError, match=r"2 LSL streams.*Say which by source_id"):
            open_source(f"lsl:name={name}")
    open_source(f"lsl:source_id={second}").close()


def test_packet_counter_in_a_channel(sender):
    name = unique("counter")
    other = sender(name=name, names=["COUNT", "x"], channel_type="EEG", block=5, jitter=0.004)
    with open_source(f"lsl:source_id={name}&counter=COUNT&modulus=1000") as source:
        before, _ = pulled(source, 0.5)
        other.tell("skip", n=17)
        lost = lambda chunks, _: sum(chunk.health.lost for chunk in chunks)  # noqa: E731
        after, _ = pulled(source, 0.7, until=lost)
        status = source.status()
    assert status.lost == 17
    assert [chunk.health.lost for chunk in before + after if chunk.health.lost] == [17]


def test_a_late_answer_does_not_replace_a_clock_offset_that_is_known_better(monkeypatch):
    none = (0.0, float("inf"))
    answers = [none, (0.003, 1e-4), (-0.07, 0.09), none, (0.5, 0.1), (0.0031, 2e-4), (0.0032, 1e-4), (0.004, 0.0015)]
    given = iter(answers)
    monkeypatch.setattr(lsl_resolve, "time_correction", lambda inlet, *, timeout: next(given))
    clock = lsl_resolve.ClockOffset()
    taken = [(clock.ask(None, 100.0 + second, timeout=0.0), clock.value) for second in range(len(answers) - 1)]
    # One that contradicts what was known is believed; so is one that is known as well.
    assert [value for _, value in taken] == [0.0, 0.003, 0.003, 0.003, 0.5, 0.0031, 0.0032]
    assert [was for was, _ in taken] == [False, True, False, False, True, True, True]
    assert clock.uncertainty < 2e-4
    # Clocks go apart: after a quarter of a minute, a rough answer is better than an old one.
    assert clock.ask(None, 121.0, timeout=0.0)


def test_a_profile_says_which_channels_are_voltages(sender, tmp_path):
    name = unique("types")
    profile = tmp_path / "p.toml"
    profile.write_text('name = "Acme"\ntypes = ["eeg", "stim", "misc", "eog"]\n[counter]\nmodulus = 1000\n')
    other = sender(name=name, unit="volts", block=5)
    with open_source(f"lsl:source_id={name}&profile={profile}&counter=E3") as source:
        pulled(source, 0.3)
        chunks, _ = pulled(source, 0.3, until=lambda chunks, _: chunks)
        other.tell("skip", n=17)
        more, _ = pulled(source, 0.5, until=lambda chunks, _: sum(chunk.health.lost for chunk in chunks))
        status = source.status()
    first = chunks[0].data[0]
    k = first[1] - 1000
    assert 0 <= k < 1000
    np.testing.assert_allclose(first, [1e6 * k, 1000 + k, 2000 + k, 1e6 * (3000 + k)])
    assert status.lost == 17
    assert more


def test_nan_from_a_sender_is_marked(sender):
    name = unique("nan")
    other = sender(name=name)
    with open_source(f"lsl:source_id={name}") as source:
        pulled(source, 0.3)
        other.tell("bad", channel=2, value="nan")
        bad = lambda chunks, _: sum(int(c.health.mask[:, 2].sum()) for c in chunks if c.health.mask is not None) >= 10  # noqa: E731
        chunks, _ = pulled(source, 0.5, until=bad)
    masks = [chunk.health.mask for chunk in chunks if chunk.health.mask is not None]
    assert sum(int((mask[:, 2] & 1).sum()) for mask in masks) == 10
    assert not any(mask[:, [0, 1, 3]].any() for mask in masks)


def test_markers_of_another_process_lie_within_half_a_sample(sender):
    name = unique("marked")
    other = sender(name=name, markers=f"{name}-m", jitter=0.001)
    sent = []
    with open_source(f"lsl:source_id={name}&markers={name}-m") as source:
        chunks, _ = pulled(source, 0.5, until=lambda chunks, _: len(chunks) > 2)
        events = []
        for number in range(8):
            sent.append(float(other.tell("mark", text="Trial Started" if number == 0 else f"mi,2,{number},4")))
            more, found = pulled(source, 0.11)
            chunks += more
            events += found
        # Of the marker, and of the sample it lies on.
        all_marked = lambda _, found: sum(e.name.startswith("unity/") for e in [*events, *found]) >= 8  # noqa: E731
        more, found = pulled(source, 0.5, until=all_marked)
        chunks += more
        events += found
    markers = [event for event in events if event.name.startswith("unity/")]
    assert [event.name for event in markers] == ["unity/trial/start", *["unity/mi"] * 7]
    assert [event.value for event in markers][1:] == list(range(1, 8))
    times = np.concatenate([chunk.times for chunk in chunks])
    samples = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    for event, stamp in zip(markers, sent, strict=True):
        assert event.time == pytest.approx(stamp, abs=1e-3 + event.data["uncertainty"])
        at = times[np.searchsorted(samples, event.sample)]
        assert abs(at - event.time) <= 0.5 / 250 + 1e-9


def test_texts_and_an_inlet_that_finds_its_sender_again():
    name = unique("states")
    outlet = LslTextOutlet(name, type="bcikit-status", source_id=name)
    with LslTextInlet(name) as inlet:
        wait_for(lambda: outlet.has_consumers)
        now = HostClock().now()
        outlet.push('{"type": "äöü"}', now)
        ((at, text, unsure),) = inlet.pull_dated(60.0)
        assert (at, text) == (pytest.approx(now, abs=0.02 + unsure), '{"type": "äöü"}')
        assert inlet.pull() == []
        outlet.close()
        end = time.monotonic() + 60
        while inlet.connected and time.monotonic() < end:
            inlet.pull(0.1)
        assert not inlet.connected
        with LslTextOutlet(name, source_id=name) as again:
            while not inlet.connected and time.monotonic() < end:
                inlet.pull(0.1)
                time.sleep(0.05)
            wait_for(lambda: again.has_consumers)
            again.push("back")
            assert [text for _, text in inlet.pull(60.0)] == ["back"]


def lost_inlet(name):
    """Return an inlet whose sender is gone."""
    with LslTextOutlet(name, source_id=name) as outlet:
        inlet = LslTextInlet(name, timeout=60.0)
        wait_for(lambda: outlet.has_consumers)
    wait_for(lambda: inlet.pull() == [] and not inlet.connected)
    return inlet


def test_a_sender_that_does_not_answer_holds_nobody_up(monkeypatch):
    name = unique("mute")
    asked, answers = threading.Event(), threading.Event()
    subscribe = lsl_resolve.subscribe
    tries = []

    def late(inlet, who, *, timeout):
        tries.append(timeout)
        asked.set()
        assert answers.wait(60.0)
        if len(tries) == 1:
            raise SourceError("it does not answer")
        subscribe(inlet, who, timeout=60.0)

    with lost_inlet(name) as inlet, LslTextOutlet(name, source_id=name) as again:
        monkeypatch.setattr(lsl_resolve, "subscribe", late)
        wait_for(lambda: inlet.pull() == [] and asked.is_set())
        # A pull that waited for the answer would not come back before it is given.
        assert inlet.pull_dated(0.0) == []
        assert tries == [2.0]
        answers.set()
        wait_for(lambda: inlet.pull() == [] and inlet.connected)
        assert len(tries) == 2
        wait_for(lambda: again.has_consumers)
        again.push("back")
        assert [text for _, text in inlet.pull(60.0)] == ["back"]
        assert [event.name for event in inlet.events] == ["stream/markers-gone", "stream/markers-back"]


def test_of_two_senders_that_come_back_none_is_guessed(monkeypatch):
    name = unique("both")
    inlet = lost_inlet(name)
    with inlet, LslTextOutlet(name, source_id=f"{name}-1"):
        second = LslTextOutlet(name, source_id=f"{name}-2")
        # Both are known before anybody chooses.
        inlet._resolver = lsl().ContinuousResolver(pred=lsl_resolve.predicate({"name": name}))
        wait_for(lambda: len(inlet._resolver.results()) == 2)
        for _ in range(3):
            assert inlet.pull() == []
        assert inlet._attempt is None
        told = [event.data["said"] for event in inlet.events if event.name == "stream/markers-gone"]
        assert len(told) == 2
        assert "2 streams are called that and none is taken" in told[1]
        second.close()
        wait_for(lambda: inlet.pull() == [] and inlet.connected)


def test_features_go_out_with_their_names_and_times():
    pylsl = lsl()
    name = unique("features")
    pipeline = Pipeline([BandPower(window=1.0, hop=0.25, bands={"alpha": (8.0, 13.0), "beta": (13.0, 30.0)})])
    with open_source("sim:motor-imagery?seed=1&channels=C3,C4") as source:
        info = pipeline.configure(source.info)
        with LslOutlet(info, name=name, type="features", irregular=True) as outlet:
            (stream,) = pylsl.resolve_byprop("name", name, 1, 60.0)
            inlet = pylsl.StreamInlet(stream, recover=False)
            inlet.open_stream(60.0)
            wait_for(lambda: outlet.has_consumers)
            sent = []
            while sum(chunk.n_times for chunk in sent) < 8:
                sent.append(pipeline.process(source.pull()))
                outlet.push(sent[-1])
            values, stamps = inlet.pull_chunk(60.0, 64, min_samples=8)
            channels = channel_texts(inlet.info(5.0))
            inlet.close_stream()
    assert stream.nominal_srate() == 0.0
    assert [item["label"] for item in channels] == list(info.ch_names)
    np.testing.assert_array_equal(values[:8], np.concatenate([chunk.data for chunk in sent])[:8])
    np.testing.assert_allclose(stamps[:8], np.concatenate([chunk.times for chunk in sent])[:8], atol=1e-9)


def test_outlets_refuse_what_does_not_fit():
    info = StreamInfo(name=unique("fit"), sfreq=100.0, ch_names=("a", "b"))
    outlet = LslOutlet(info)
    with pytest.raises((ArgumentError, DataError), match="2 channels, the chunk 3"):
        outlet.push(Chunk(np.zeros((1, 3)), np.zeros(1)))
    outlet.close()
    with pytest.raises(SourceError, match="closed"):
        outlet.push(Chunk(np.zeros((1, 2)), np.zeros(1)))
    with pytest.raises(ArgumentError, match="format"):
        LslOutlet(info, format="int16")


def test_a_stream_of_numbers_without_a_rate_is_listed_and_taken_with_one():
    name = unique("uneven")
    info = StreamInfo(name="uneven", sfreq=100.0, ch_names=("a", "b"), ch_types=("eeg", "eeg"))
    with LslOutlet(info, name=name, source_id=name, type="EEG", irregular=True):
        with pytest.raises(SourceError, match=rf"'sfreq=250' of the address.*markers={name}"):
            open_source(f"lsl:name={name}")
        with open_source(f"lsl:name={name}&sfreq=100") as source:
            assert source.info.sfreq == 100.0
        listed = []
        wait_for(lambda: listed.extend(item for item in reachable_devices(wait=1.0) if name in item.detail) or listed)
        (device,) = listed
        assert device.what == "LSL stream"
        assert "sfreq=HZ" in device.detail
