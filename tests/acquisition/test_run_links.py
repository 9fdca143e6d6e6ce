"""`bcikit run` over links that lie: exit code, words and report say what a time is worth, as `record` does."""

import json
import os
import re
import signal
import sys
import threading
import time
import uuid

import numpy as np
import pytest

from bcikit.acquisition import lsl_resolve
from bcikit.cli.app import main
from bcikit.recording import read_session
from bcikit.testing import EmulatorProcess, LinkPlan
from tests.acquisition.wire import numbered

REST = """
kind = "blocks"
title = "Rest"
phases = [{{ phase = "eyes-open", seconds = {seconds}, text = "Rest", text_zh = "休息" }}]
[defaults]
sim = "sim:rest"
pipeline = [{{ step = "bandpass", l_freq = 1.0, h_freq = 40.0, order = 4 }}]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Return a function that runs a session: exit code, all that was printed as one line, folder."""

    def one(address, *, seconds=2.0, during=None):
        file, folder = tmp_path / "rest.toml", tmp_path / uuid.uuid4().hex[:8]
        over = threading.Event()

        def wait():
            """Act once a second or so was recorded, however long the machine took to get there."""
            signals = folder / "signals.xdf"
            while not over.wait(0.05):
                if signals.exists() and signals.stat().st_size > 10_000:
                    during()
                    return

        thread = threading.Thread(target=wait)
        if during is not None:
            thread.start()
        file.write_text(REST.format(seconds=seconds), encoding="utf-8")
        monkeypatch.setattr(
            sys, "argv", ["bcikit", "run", str(file), "--source", address, "--headless", "--out", str(folder)]
        )
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        over.set()
        if during is not None:
            thread.join(30.0)
        said = capsys.readouterr()
        return code, " ".join(f"{said.out} {said.err}".split()), folder

    return one


def result_of(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def reported(folder, words):
    """Return whether the report says it, too."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    return words in re.sub(r"\s+", " ", text)


def unique(what):
    return f"{what}-{uuid.uuid4().hex[:8]}"


def hung(device, length):
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("a process is frozen otherwise there")
    os.kill(device.process.pid, signal.SIGSTOP)
    time.sleep(length)
    os.kill(device.process.pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.parametrize(("plan", "hang", "ended"), [
    (LinkPlan(block=5, stalls=((1.5, 0.8),)), 0.0, 0),
    # So much is lost that safety stops the session, which nobody attends: it is not complete, and says so.
    (LinkPlan(block=25, jitter=0.001, lost=((300, 256), (900, 30))), 0.0, 2),
    (LinkPlan(block=5), 5.0, 2),
], ids=["stall", "laps lost, bursts", "hangs"])  # fmt: skip
def test_a_link_whose_counter_says_all_is_no_doubt(run, plan, hang, ended):
    with EmulatorProcess("cyton", plan) as device:
        stop = (lambda: hung(device, hang)) if hang else None
        code, said, folder = run(device.address, seconds=10.0 if hang else 4.0, during=stop)
    assert code == ended, said
    assert ("stopped (H-LOSS)" in said) == (ended == 2)
    session = read_session(folder)
    k = numbered(session.chunks, "cyton")
    index = np.concatenate([np.arange(chunk.first_sample, chunk.end_sample) for chunk in session.chunks])
    assert np.array_equal(index - index[0], k - k[0])
    assert int(k[-1] - k[0] + 1 - k.size) == session.recording.lost
    assert (session.recording.lost > 0) == bool(plan.lost or hang)
    assert result_of(folder)["timing"]["doubts"] == []


@pytest.mark.parametrize(("stamps", "code", "words"), [
    ("device", 1, "stamps are of no clock that this host knows"),
    pytest.param("seconds", 1, "stamps are of no clock that this host knows", marks=pytest.mark.slow),
    pytest.param("future", 1, "stamps are of no clock that this host knows", marks=pytest.mark.slow),
    pytest.param("ms", 0, "", marks=pytest.mark.slow),
    pytest.param("garbage-first", 0, "", marks=pytest.mark.slow),
])  # fmt: skip
def test_stamps_of_other_clocks(run, sender, stamps, code, words):
    name = unique(stamps)
    sender(name=name, stamps=stamps)
    found, said, folder = run(f"lsl:source_id={name}")
    assert found == code, said
    assert words in said
    doubts = result_of(folder)["timing"]["doubts"]
    assert bool(doubts) == bool(code)
    assert not code or reported(folder, words)
    # It is an alarm while the session runs, too, not a surprise at its end.
    alarms = folder / "alarms.jsonl"
    told = alarms.exists() and "stamps of no known clock" in alarms.read_text(encoding="utf-8")
    assert told == bool(code)


@pytest.mark.slow
@pytest.mark.parametrize("step", [0.5, -90.0])
def test_a_senders_clock_that_is_set_is_a_doubt(run, sender, step):
    name = unique("set")
    other = sender(name=name)
    code, said, folder = run(f"lsl:source_id={name}", seconds=5.0, during=lambda: other.tell("step", seconds=step))
    assert code == 1, said
    assert "its clock was set 1 times" in said
    assert reported(folder, "its clock was set 1 times")
    assert read_session(folder).recording.lost == 0


@pytest.mark.slow
def test_a_rate_that_is_not_the_stated_one_ends_the_session(run):
    with EmulatorProcess("cyton", LinkPlan(rate=160.0)) as device:
        code, said, folder = run(device.address, seconds=30.0)
        assert code == 2
        assert "states 250 Hz and gives 1" in said
        assert "sfreq=1" in said
        assert not result_of(folder)["complete"]
        assert reported(folder, "states 250 Hz and gives 1")
        told, said, _ = run(f"{device.address}&sfreq=160&config=x1020110X", seconds=2.0)
        assert told == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 3.0])
def test_a_board_that_delivers_nothing_or_no_more_ends_the_session(run, after):
    with EmulatorProcess("cyton", LinkPlan(silent_after=after)) as device:
        code, said, folder = run(f"{device.address}&reconnect=1", seconds=30.0)
    assert code == 2
    assert "is gone" in said
    assert "Check that the device is on" in said
    assert reported(folder, "is gone")


@pytest.mark.slow
def test_a_sender_that_dies_ends_the_session(run, sender):
    name = unique("dies")
    other = sender(name=name)
    code, said, folder = run(f"lsl:source_id={name}&reconnect=1", seconds=30.0, during=other.process.kill)
    assert code == 2
    assert "is gone" in said
    assert reported(folder, "is gone")


@pytest.mark.slow
def test_markers_of_another_clock_are_placed_or_told(run, sender):
    name = unique("marks")
    other = sender(name=name, markers=f"{name}-m")
    over = threading.Event()
    sent = []

    def mark():
        while not over.wait(0.25):
            sent.append(float(other.tell("mark", text=f"m{len(sent)}", stamps="ms")))

    thread = threading.Thread(target=mark)
    thread.start()
    code, said, folder = run(f"lsl:source_id={name}&markers={name}-m", seconds=2.5)
    over.set()
    thread.join()
    start, rate = json.loads(other.tell("taken"))
    assert code == 0, said
    session = read_session(folder)
    first = session.chunks[0].first_sample - round((float(session.chunks[0].times[0]) - start) * rate)
    marks = [event for event in session.events if event.source == f"{name}-m"]
    assert len(marks) >= 5
    for event in marks:
        stamp = sent[int(event.name[1:])]
        assert event.sample - first == pytest.approx((stamp - start) * rate, abs=1.0 + event.data["uncertainty"] * rate)


@pytest.mark.parametrize(("address", "words"), [
    ("brainflow:cyton?serial_port=/dev/ttyNOPE", "the port cannot be opened"),
    ("brainflow:streaming?master_board=cyton&ip_address=225.1.1.1&ip_port=abc", "it must be a number"),
    pytest.param("lsl:name=nobody-at-all", "No LSL stream with name='nobody-at-all'", marks=pytest.mark.slow),
])  # fmt: skip
def test_what_cannot_be_opened_is_said_at_the_beginning(run, address, words):
    code, said, folder = run(address)
    assert code == 2
    assert words in said
    assert not folder.exists()


def test_two_streams_of_one_name_are_not_guessed(run, sender, monkeypatch):
    name = unique("two")
    for letter in "ab":
        sender(name=name, source_id=f"{name}-{letter}")
    # On one machine the second is heard half a second later, on a busy one later still.
    monkeypatch.setitem(lsl_resolve.find_one.__kwdefaults__, "wave", 20.0)
    code, said, _ = run(f"lsl:name={name}")
    assert code == 2
    assert f"source_id={name}-a" in said
    assert f"source_id={name}-b" in said


@pytest.mark.slow
def test_a_port_in_use_and_a_file_that_ends(run, playback, tmp_path):
    code, said, folder = run(playback(500).write(tmp_path / "played.csv"), seconds=30.0)
    assert code == 2
    assert "the stream ended" in said
    assert read_session(folder).recording.n_times == 500
    with EmulatorProcess("cyton", LinkPlan()) as device:
        from bcikit import open_source

        with open_source(device.address) as source:
            assert source.pull(5.0) is not None
            code, said, _ = run(device.address)
            assert source.status().lost == 0
    assert code == 2
    assert "in use" in said


@pytest.mark.slow
@pytest.mark.parametrize(("lie", "words"), [("set", "its clock was set 1 times"), ("gone", "is gone"), ("", "")])
def test_a_second_device_that_lies_is_a_doubt_too(run, sender, lie, words):
    first, second = unique("first"), unique("second")
    sender(name=first)
    other = sender(name=second, names=["A", "B"])

    def act():
        if lie == "set":
            other.tell("step", seconds=0.5)
        elif lie == "gone":
            other.process.kill()

    address = f"lsl:source_id={first}&join=lsl:source_id={second}%26reconnect=1"
    code, said, folder = run(address, seconds=6.0, during=act)
    assert code == (1 if lie else 0), said
    doubts = result_of(folder)["timing"]["doubts"]
    assert len(doubts) == (1 if lie else 0)
    assert not lie or (words in said and second in doubts[0])
