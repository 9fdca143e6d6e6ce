"""Marker texts, their samples, and trigger channels."""

import time
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bcikit import open_source
from bcikit.acquisition.lsl_library import lsl
from bcikit.acquisition.marker_grammar import event_of
from bcikit.acquisition.placer import SamplePlacer, placed_within
from bcikit.acquisition.trigger import TriggerDecoder
from bcikit.signal import ArgumentError, Chunk


def unity(text):
    event = event_of(text, 1.0, source="Unity")
    return event.name, event.value, dict(event.data)


def test_unity_grammar():
    assert unity("mi,2,1,4.0") == ("unity/mi", 1, {"n_classes": 2, "length": 4.0, "predict": False})
    assert unity("mi,2,-1,4.0") == ("unity/mi", None, {"n_classes": 2, "length": 4.0, "predict": True})
    assert unity("ssvep,3,2,1.5,10,12,15") == (
        "unity/ssvep",
        2,
        {"n_classes": 3, "length": 1.5, "predict": False, "frequencies": [10.0, 12.0, 15.0]},
    )
    assert unity("p300,s,9,3,3") == (
        "unity/p300",
        3,
        {"n_classes": 9, "flashed": [3], "predict": False, "is_target": True},
    )
    assert unity("p300,m,9,3,1,4,7")[2]["is_target"] is False
    assert unity("p300,m,9,-1,1,4,7")[2] == {"n_classes": 9, "flashed": [1, 4, 7], "predict": True, "is_target": None}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Trial Started", "unity/trial/start"),
        ("Trial Ends", "unity/trial/end"),
        ("Training Complete", "unity/training/complete"),
        ("Train Classifier", "unity/classifier/train"),
        ("Update Classifier", "unity/classifier/update"),
        ("Done with all RS collection", "unity/resting/done"),
    ],
)
def test_unity_states(text, name):
    assert event_of(text, 0.0, source="U").name == name


def test_numbers_and_plain_names():
    assert event_of("7", 0.0, source="m").name == "7"
    assert event_of("2.5", 0.0, source="m").value == 2.5
    assert event_of("nan", 0.0, source="m").name == "nan"
    assert event_of("mi,two,1,4", 0.0, source="m").name == "mi,two,1,4"
    assert event_of(" 7 ", 0.0, source="m").name == "7"
    assert event_of("Trial Started", 0.0, source="m", grammar="plain").name == "Trial Started"
    with pytest.raises(ArgumentError, match="grammar"):
        event_of("x", 0.0, source="m", grammar="latin")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("01", 1), ("1.0", 1), ("1e3", 1000), ("1_1", "1_1"), ("12_30", "12_30"), ("1e25", "1e25"), ("inf", "inf"),
        ("1700000000123456789", "1700000000123456789"), ("9007199254740992", 2**53),
    ],
)  # fmt: skip
def test_what_was_sent_is_the_name_and_its_value_a_number_that_is_one(text, value):
    event = event_of(text, 0.0, source="m")
    assert (event.name, event.value, type(event.value)) == (text, value, type(value))


@settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=20),
    lost=st.lists(st.integers(0, 30), min_size=20, max_size=20),
    share=st.floats(0.0, 1.0),
)
def test_a_marker_lies_within_half_a_sample_of_its_time(sizes, lost, share):
    placer, index = SamplePlacer(250.0), 0
    for size, gone in zip(sizes, lost, strict=False):
        index += gone
        placer.feed(Chunk(np.zeros((size, 1)), 10 + (index + np.arange(size)) / 250.0, index))
        index += size
    first = lost[0]
    time = 10 + (first + share * (index - 1 - first)) / 250.0
    sample = placer.place(time)
    assert abs(10 + sample / 250.0 - time) <= 0.5 / 250.0 + 1e-9


def test_a_marker_waits_for_its_sample():
    placer = SamplePlacer(100.0)
    assert placer.place(1.0) is None
    placer.feed(Chunk(np.zeros((10, 1)), 1 + np.arange(10) / 100, 0))
    assert placer.place(1.2) is None
    assert placer.place(0.95) == -5


@pytest.mark.parametrize("uncertainty", [0.0, 1e-6, 5e-4, 2e-3, 8e-3, 0.1])
def test_the_uncertainty_of_a_place_covers_95_percent(uncertainty):
    rng = np.random.default_rng(4)
    off = rng.uniform(-0.002, 0.002, 100_000) + rng.normal(0.0, uncertainty / 2, 100_000)
    covered = np.mean(np.abs(off) <= placed_within(uncertainty, 250.0))
    assert covered == pytest.approx(0.95, abs=0.003)
    assert placed_within(float("inf"), 250.0) == float("inf")


def decode(decoder, levels, sizes=(1000,), start=0):
    levels = np.asarray(levels, dtype=float)
    found, at = [], 0
    for size in [*sizes, len(levels)]:
        part = levels[at : at + size]
        samples = start + at + np.arange(len(part))
        found += decoder.decode(part, samples, samples / 1000.0)
        at += size
    return [(event.sample, event.value) for event in found]


@pytest.mark.parametrize("sizes", [(1000,), (1,) * 40, (7, 3, 9, 1, 5)])
def test_trigger_debounce(sizes):
    # A bounce of one sample at 5 and at 21; the true edge at 10; a change from 3 to 9 without rest between.
    levels = [0] * 5 + [3] + [0] * 4 + [3] * 5 + [9] * 6 + [0] + [9] * 3 + [0] * 10
    assert decode(TriggerDecoder("T", 1000.0, debounce=0.002), levels, sizes) == [(10, 3), (15, 9)]


def test_trigger_without_debounce_takes_every_change():
    assert decode(TriggerDecoder("T", 1000.0, debounce=0.0), [0, 1, 0, 2, 2, 0]) == [(1, 1), (3, 2)]


def test_trigger_mask_and_resting_level():
    decoder = TriggerDecoder("T", 1000.0, debounce=0.0, mask=0xFF)
    assert decode(decoder, [65280, 65280, 65285, 65285, 65280]) == [(2, 5)]


def test_level_at_the_start_did_not_happen_now():
    assert decode(TriggerDecoder("T", 1000.0, debounce=0.0), [4, 4, 0, 4]) == [(3, 4)]


def test_a_trigger_channel_by_its_address(tmp_path):
    level = np.zeros(1000, dtype=int)
    level[100:150] = 5
    level[98] = 5  # a bounce before it
    level[300:302] = 9  # too short
    level[500:600] = 256 + 12
    file = tmp_path / "amp.csv"
    rows = [f"{i / 1000:.3f},{i},{value}" for i, value in enumerate(level)]
    file.write_text("time,Cz,TRG\n" + "\n".join(rows) + "\n")
    with open_source(f"file:{file}?unit=uV&trigger=trg&trigger_mask=0xFF&debounce=0.01&chunk=37") as source:
        events = []
        while not source.ended:
            source.pull()
            events += source.pull_events()
    assert [(event.name, event.value, event.sample, event.source) for event in events] == [
        ("trigger/5", 5, 100, "TRG"),
        ("trigger/12", 12, 500, "TRG"),
    ]


@pytest.mark.parametrize(
    ("format", "rows", "values"),
    [
        ("int32", [[7], [-2]], [7, -2]),
        ("int32", [[1, 5], [2, 0]], ["1 5", "2 0"]),
        ("float32", [[1.5], [3.0]], [1.5, 3]),
        ("string", [["7"], ["go"]], [7, "go"]),
        ("string", [["go", "1"], ["stop", ""]], ["go 1", "stop"]),
    ],
)
def test_numeric_and_text_markers_lie_on_samples(format, rows, values):  # noqa: A002
    pylsl = lsl()
    name = f"marks-{uuid.uuid4()}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", len(rows[0]), 0.0, format, name))
    with open_source(f"sim:motor-imagery?seed=1&live=1&markers={name}") as source:
        moments, found, chunks = [], [], []
        end = time.monotonic() + 60
        while len(found) < 2 and time.monotonic() < end:
            chunk = source.pull(0.5)
            chunks += [] if chunk is None else [chunk]
            if len(chunks) in (5, 10) and len(moments) < len(chunks) // 5:
                moments.append(pylsl.local_clock())
                outlet.push_sample(rows[len(moments) - 1], moments[-1])
            found += [event for event in source.pull_events() if event.source == name]
    assert [event.value for event in found] == values
    assert [event.name for event in found] == [str(value) for value in values]
    times = np.concatenate([chunk.times for chunk in chunks])
    samples = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in chunks])
    for event, moment in zip(found, moments, strict=True):
        assert abs(times[np.searchsorted(samples, event.sample)] - moment) <= 0.5 / source.info.sfreq + 1e-3
