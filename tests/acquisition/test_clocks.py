"""Clocks of other programs: senders in processes of their own, whose true times are known, recorded by the command."""

import json
import time
import uuid

import numpy as np
import pytest
from typer.testing import CliRunner

from bcikit import open_source
from bcikit.acquisition import reachable_devices
from bcikit.acquisition.trust import TimeTrust
from bcikit.cli.app import app
from bcikit.recording import read_session
from bcikit.signal import SourceError


def unique(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


class Truth:
    """Error of each sample's time, in samples: channel 0 counts to 1000, so the newest second tells which lap it is."""

    def __init__(self, other, chunks):
        start, self.rate = json.loads(other.tell("taken"))
        times = np.concatenate([chunk.times for chunk in chunks])
        counts = np.concatenate([chunk.data[:, 0] for chunk in chunks])
        self.position = (times - start) * self.rate
        self.error = (self.position - counts + 500) % 1000 - 500
        self.index = np.concatenate([np.arange(c.first_sample, c.end_sample) for c in chunks])
        self.misplaced = int(np.count_nonzero((self.index - self.index[0] - counts + counts[0]) % 1000))

    def beyond(self, uncertainty, *, late=0.0):
        """Return the largest error beyond what is stated (seconds), in samples, of a sender that stamps so late.

        Where stamps arise on the way, a first block that a busy machine holds back is not seen for what it is until
        others come: the first half second is left out.
        """
        first = round(0.5 * self.rate) if late else 0
        return float(np.abs(self.error[first:] - late).max()) - uncertainty * self.rate


def pulled(source, seconds, *, at=(), do=lambda moment: None, until=None):
    """Return what came within some seconds; with `until`, until that is so, and within a minute more at most."""
    chunks, events, left = [], [], list(at)
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds + (60.0 if until else 0.0):
        if until and spent > seconds and until(chunks, events):
            break
        if left and spent > left[0]:
            do(left.pop(0))
        chunk = source.pull(0.1)
        events += source.pull_events()
        if chunk is not None:
            chunks.append(chunk.check())
    return chunks, events


def record(tmp_path, address, *options, seconds=3.0):
    folder = tmp_path / uuid.uuid4().hex[:8]
    result = CliRunner().invoke(app, ["record", address, "--out", str(folder), "--duration", str(seconds), *options])
    return result, folder


@pytest.mark.parametrize("block", [10, 25])
def test_bursts_stamped_when_they_are_sent_do_not_bias_the_time(sender, block):
    name = unique("bursts")
    other = sender(name=name, block=block, stamps="now")
    with open_source(f"lsl:source_id={name}") as source:
        chunks, _ = pulled(source, 4.0)
        status = source.status()
        truth = Truth(other, chunks)
    assert status.stamps == "arrival"
    assert status.lost == 0
    assert truth.misplaced == 0
    # This sender hands a block over one period after its newest sample was taken.
    assert abs(np.median(truth.error) - 1.0) < 0.5 + status.time_uncertainty * truth.rate
    assert truth.beyond(status.time_uncertainty, late=1.0) < 1.0


@pytest.mark.slow
def test_a_sender_that_stalls_and_catches_up_loses_nothing_and_moves_no_time(sender):
    name = unique("stall")
    other = sender(name=name, block=10, stamps="now")
    with open_source(f"lsl:source_id={name}") as source:
        hold = lambda moment: other.tell("hold", on=moment < 2.5)  # noqa: E731
        chunks, _ = pulled(source, 6.0, at=(2.0, 2.8), do=hold)
        status = source.status()
        truth = Truth(other, chunks)
    assert status.lost == 0
    assert truth.misplaced == 0
    assert truth.beyond(status.time_uncertainty, late=1.0) < 1.0


@pytest.mark.parametrize("step", [0.3, pytest.param(-90.0, marks=pytest.mark.slow)])
def test_a_senders_clock_that_is_set_moves_no_time_and_is_a_doubt(sender, step):
    name = unique("set")
    other = sender(name=name, block=10)
    trust = TimeTrust()
    with open_source(f"lsl:source_id={name}") as source:
        stepped = lambda *_: source.status().clock_steps  # noqa: E731
        step_it = lambda _: other.tell("step", seconds=step)  # noqa: E731
        chunks, events = pulled(source, 3.5, at=(1.5,), do=step_it, until=stepped)
        status = source.status()
        truth = Truth(other, chunks)
    trust.see(events)
    assert status.lost == 0
    assert truth.misplaced == 0
    assert truth.beyond(status.time_uncertainty) < 1.0
    assert "its clock was set 1 times" in trust.doubts(status, samples=1)[0]


@pytest.mark.parametrize(("kind", "code", "said"), [
    ("unix", 0, "UNIX time in seconds"),
    ("ms", 0, "UNIX time in milliseconds"),
    ("same", 1, "stamps are of no clock"),
    ("device", 1, "stamps are of no clock"),
    pytest.param("constant", 1, "stamps are of no clock", marks=pytest.mark.slow),
    pytest.param("falling", 1, "stamps are of no clock", marks=pytest.mark.slow),
    pytest.param("seconds", 1, "stamps are of no clock", marks=pytest.mark.slow),
    pytest.param("future", 1, "stamps are of no clock", marks=pytest.mark.slow),
    pytest.param("us", 0, "UNIX time in microseconds", marks=pytest.mark.slow),
    pytest.param("ns", 0, "UNIX time in nanoseconds", marks=pytest.mark.slow),
    ("garbage-first", 0, ""),
])  # fmt: skip
def test_stamps_of_other_clocks_are_mapped_and_that_is_said(sender, tmp_path, kind, code, said):
    name = unique(kind)
    other = sender(name=name, block=10, stamps=kind)
    result, folder = record(tmp_path, f"lsl:source_id={name}", seconds=3.0)
    assert result.exit_code == code, result.output
    assert said in result.output
    session = read_session(folder)
    assert abs(session.recording.n_times - 750) <= 10
    truth = Truth(other, session.chunks)
    assert truth.misplaced == 0
    timing = session.header["timing"]
    assert truth.beyond(timing["uncertainty"], late=float(code)) < 1.0
    assert bool(timing["doubts"]) == (code == 1)


def test_a_stream_beside_the_first_that_lies_is_a_doubt_too(sender, tmp_path):
    name = unique("also")
    sender(name=name, stamps="future")
    result, folder = record(tmp_path, "brainflow:synthetic", "--also", f"lsl:source_id={name}", seconds=2.5)
    assert result.exit_code == 1
    (doubt,) = (line for line in result.output.replace("\n", " ").split("doubt: ")[1:])
    assert name in doubt
    assert json.loads((folder / "session.json").read_text())["timing"]["doubts"][0].startswith(name)


@pytest.mark.slow
@pytest.mark.parametrize("eeg", ["lsl", "unix"])
@pytest.mark.parametrize("kind", ["unix", "ms"])
def test_markers_of_other_clocks_lie_on_their_samples(sender, eeg, kind):
    name = unique("marks")
    other = sender(name=name, stamps=eeg, markers=f"{name}-m")
    sent = []
    with open_source(f"lsl:source_id={name}&markers={name}-m") as source:
        chunks, events = pulled(
            source,
            3.5,
            at=np.arange(1.0, 3.0, 0.23),
            until=lambda _, events: sum(event.source == f"{name}-m" for event in events) >= len(sent) == 9,
            do=lambda moment: sent.append(float(other.tell("mark", text=f"m{len(sent)}", stamps=kind))),
        )
        start, rate = json.loads(other.tell("taken"))
    marks = [event for event in events if event.name.startswith("m")]
    assert [event.name for event in marks] == [f"m{n}" for n in range(len(sent))]
    first = round((chunks[0].times[0] - start) * rate)
    for event, stamp in zip(marks, sent, strict=True):
        assert event.time == pytest.approx(stamp, abs=0.003)
        stated = event.data["uncertainty"] * rate
        assert event.sample + first == pytest.approx((stamp - start) * rate, abs=1.0 + stated)
        assert 0 < event.data["uncertainty"] < 0.02
    told = [
        event for event in events if event.name == "stream/foreign-clock" and event.data.get("stream") == f"{name}-m"
    ]
    assert len(told) == 1
    # What is said of a marker stream is no marker of it.
    assert len([event for event in events if event.source == f"{name}-m"]) == len(sent)


@pytest.mark.slow
def test_a_rate_that_is_not_the_stated_one_ends_the_recording(sender, tmp_path):
    name = unique("rate")
    sender(name=name, rate=250.0, pace=160.0)
    began = time.monotonic()
    result, _ = record(tmp_path, f"lsl:source_id={name}", seconds=60.0)
    assert result.exit_code != 0
    assert "states 250 Hz and gives 160 samples" in str(result.exception)
    assert time.monotonic() - began < 40


def test_markers_whose_sender_was_gone_are_told(sender, tmp_path):
    name = unique("gone")
    other = sender(name=name, markers=f"{name}-m")
    with open_source(f"lsl:source_id={name}&markers={name}-m") as source:
        told = lambda name: lambda _, events: name in [event.name for event in events]  # noqa: E731
        pulled(source, 1.0)
        other.tell("close-markers")
        _, events = pulled(source, 0.0, until=told("stream/markers-gone"))
        events += pulled(source, 0.3)[1]
        other.tell("open-markers", source_id=unique("random"))
        events += pulled(source, 0.5, until=told("stream/markers-back"))[1]
        names = [event.name for event in events]
        assert names.count("stream/markers-gone") == 1
        back = next(event for event in events if event.name == "stream/markers-back")
        assert back.data["missed"] > 0.2
        other.tell("mark", text="again")
        _, events = pulled(source, 0.2, until=lambda _, events: "again" in [event.name for event in events])
    assert "again" in [event.name for event in events]


def test_a_sender_with_a_new_id_each_run_is_found_again_by_its_name(sender):
    name = unique("random-id")
    other = sender(name=name, source_id=unique("first"))
    with open_source(f"lsl:name={name}") as source:
        pulled(source, 1.0)
        other.tell("close")
        other.tell("reopen", source_id=unique("second"))
        chunks, events = pulled(source, 1.0, until=lambda chunks, _: chunks and source.status().reconnects)
        status = source.status()
    assert chunks
    assert status.reconnects == 1
    assert "stream/reconnected" in [event.name for event in events]


@pytest.mark.slow
def test_streams_of_one_id_are_told_apart_by_what_differs(sender):
    name, same = unique("twin"), unique("same-id")
    sender(name=name, source_id=same, names=["C3", "C4"])
    sender(name=name, source_id=same, names=["C3", "C4", "Cz"])
    with pytest.raises(SourceError, match=r"2 LSL streams .*channels=2.*channels=3|.*channels=3.*channels=2"):
        open_source(f"lsl:source_id={same}")
    with open_source(f"lsl:name={name}&channels=3") as source:
        assert source.info.n_channels == 3
    found = [device.address for device in reachable_devices(wait=1.5) if same in device.address]
    assert len(set(found)) == 2
    for address in found:
        with open_source(address) as source:
            assert source.pull(3.0) is not None


def test_the_duration_is_wall_time_where_nothing_comes(sender, tmp_path):
    name = unique("silent")
    other = sender(name=name)
    other.tell("silence", on=True)
    began = time.monotonic()
    result, folder = record(tmp_path, f"lsl:source_id={name}&reconnect=30", seconds=3.0)
    assert result.exit_code == 1, result.output
    assert "no sample came" in result.output
    assert time.monotonic() - began < 20
    assert read_session(folder).header["timing"]["doubts"]
