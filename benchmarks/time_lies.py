"""Links, boards and files that lie: what is mapped, what is refused with the way out, what is told."""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np
from time_links import Row, Sender, judge, pulled, refused, wire

from bcikit import open_source, read_recording
from bcikit.acquisition import brainflow_boards as boards
from bcikit.acquisition.profile import profile_for_board
from bcikit.recording import read_session
from bcikit.testing import EmulatorProcess, LinkPlan


def told(what, met, said):
    """Return a row of what has no markers."""
    return Row(what, said=said, met=bool(met), outcome="done")


def gain():
    """Set another gain by config= and count samples that are marked though they are sound."""
    with EmulatorProcess("cyton", LinkPlan()) as device, open_source(f"{device.address}&config=x1020110X") as source:
        chunks = [chunk for chunk, _ in pulled(source, 3.0, lambda _: None)]
    marked = sum(int(np.count_nonzero(chunk.health.mask)) for chunk in chunks if chunk.health.mask is not None)
    n = sum(chunk.n_times for chunk in chunks)
    return told("wire: config= sets another gain", n > 500 and not marked, f"{marked} of {n} samples marked as railed")


def profiles():
    """Count the boards of BrainFlow that have no profile."""
    names = {name: number for name, number in boards.board_names().items() if name not in ("playback", "streaming")}
    without = [name for name, number in names.items() if profile_for_board(boards.board_name(number)) is None]
    return told("boards without a profile", not without, f"{len(without)} of {len(names)}")


def markers(kind):
    """Stamp markers on another clock, and see where they lie."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    other = Sender(name=name, markers=f"{name}-m")
    try:
        with open_source(f"lsl:name={name}&markers={name}-m") as source:
            sent, chunks, marks, left = [], [], [], list(np.arange(1.0, 5.0, 0.1))
            began = time.monotonic()
            while (spent := time.monotonic() - began) < 7.0:
                if left and spent > left[0]:
                    left.pop(0)
                    sent.append(float(other.tell("mark", text=f"m{len(sent)}", stamps=kind)))
                chunk = source.pull(0.05)
                chunks += [] if chunk is None else [chunk]
                marks += [event for event in source.pull_events() if event.source == f"{name}-m"]
            start, rate = (float(value) for value in other.tell("taken").strip("[]").split(","))
    finally:
        other.close()
    first = chunks[0].first_sample - round((chunks[0].times[0] - start) * rate)
    errors = np.array([event.sample - first for event in marks]) - (np.array(sent[: len(marks)]) - start) * rate
    row = Row(f"LSL: markers stamped with {kind}", errors, rate, len(sent) - len(marks), 0)
    row.moments, row.stated = np.array(sent), np.array([event.data["uncertainty"] * rate for event in marks])
    row.uncertainty = float(np.median(row.stated)) / rate
    row.covered = float(np.mean(np.abs(errors) <= row.stated))
    # A stamp of UNIX time is mapped to the millisecond of its text at best.
    return judge(row)


def xdf(what, *, rate, nominal, burst):
    """Write stamps as a program does that stamps bursts as they arrive, and compare times with the truth and pyxdf."""
    from pyxdf import load_xdf

    from tests.formats.writers import Xdf

    n = 60 * rate
    taken = 100.0 + np.arange(n) / rate
    stamps = taken[np.minimum(n - 1, np.arange(n) // burst * burst + burst - 1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xdf"
        data = np.random.default_rng(0).normal(0, 20, (n, 2)).astype("f4")
        Xdf().stream("EEG", "EEG", nominal, stamps, data, labels=("C3", "C4"), units=("uV", "uV")).write(path)
        recording = read_recording(path, accept=["rate"])
        theirs = load_xdf(str(path))[0][0]["time_stamps"]
    row = Row(what, (recording.times - taken) * rate if recording.n_times == n else np.zeros(0), rate, recording.lost)
    row.pyxdf = float(np.abs((theirs - taken) * rate).max())
    row.met = row.errors.size > 0 and row.lost == 0 and float(np.abs(row.errors).max()) <= max(1.0, burst)
    return row


def one_id(first, second, how):
    """Open one of two streams that cannot be told apart by what was asked for."""
    name, same = f"bench-{uuid.uuid4().hex[:6]}", f"same-{uuid.uuid4().hex[:6]}"
    senders = [Sender(name=name, source_id=same, **settings) for settings in (first, second)]
    try:
        return refused("LSL: two streams of one id", lambda: open_source(f"lsl:source_id={same}"), how)
    finally:
        for one in senders:
            one.close()


def gone():
    """End a sender for good."""
    other = Sender()

    def run():
        with open_source(f"lsl:source_id={other.name}&reconnect=3") as source:
            pulled(source, 1.0, lambda _: None)
            other.close()
            pulled(source, 60.0, lambda _: None)

    return refused("LSL: the sender is gone for good", run, "is gone")


def returned():
    """Restart a sender under a new id, with a marker 50 ms after it is back."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    other = Sender(name=name, source_id=uuid.uuid4().hex, markers=f"{name}-m")
    try:
        with open_source(f"lsl:name={name}&markers={name}-m") as source:
            pulled(source, 1.0, lambda _: None)
            other.tell("close-markers")
            other.tell("open-markers", source_id=uuid.uuid4().hex)
            time.sleep(0.05)
            other.tell("mark", text="first")
            names, began = [], time.monotonic()
            while time.monotonic() - began < 15 and "first" not in names and "stream/markers-back" not in names:
                source.pull(0.1)
                names += [event.name for event in source.pull_events()]
    finally:
        other.close()
    said = "received" if "first" in names else "told as missed" if "stream/markers-back" in names else "silent"
    return told("LSL: marker 50 ms after its sender is back under a new id", said != "silent", said)


def in_use():
    """Open a port that is read already."""
    with EmulatorProcess("cyton", LinkPlan()) as device, open_source(device.address) as source:
        pulled(source, 0.5, lambda _: None)
        row = refused("port in use", lambda: open_source(device.address), "in use")
        row.met &= source.status().lost == 0
    return row


STREAMER = """
import sys, time
from bcikit import open_source
with open_source("brainflow:synthetic?streamer=streaming_board://225.1.1.1:" + sys.argv[1]) as source:
    print("up", flush=True)
    while True:
        source.pull(0.2)
"""


def streamer_gone():
    """End the process whose board another streams from."""
    port = 6900 + os.getpid() % 90
    sender = subprocess.Popen([sys.executable, "-c", STREAMER, str(port)], stdout=subprocess.PIPE, text=True)
    sender.stdout.readline()
    address = f"brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port={port}&reconnect=3"
    received = []

    def run():
        with open_source(address) as source:
            received.extend(pulled(source, 2.0, lambda _: None))
            sender.kill()
            pulled(source, 60.0, lambda _: None)

    try:
        row = refused("streaming board: its sender is gone for good", run, "is gone")
    finally:
        sender.kill()
        sender.wait(10)
    row.said = f"{sum(chunk.n_times for chunk, _ in received)} samples before; {row.said}"
    row.met &= bool(received)
    return row


def played():
    """Play a file of BrainFlow's to its end."""
    n = 400
    descr = boards.describe(boards.board_names()["synthetic"])
    values = np.zeros((n, int(descr["num_rows"])))
    values[:, descr["package_num_channel"]] = np.arange(n) % 256
    values[:, descr["timestamp_channel"]] = 1.7e9 + np.arange(n) / 250.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "played.csv"
        np.savetxt(file, values, delimiter="\t", fmt="%.6f")
        out, began = Path(folder) / "out", time.monotonic()
        address = f"brainflow:playback?master_board=synthetic&file={file}"
        command = [sys.executable, "-m", "bcikit", "record", address, "--duration", "60", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        recorded = read_session(out).recording.n_times
        said = f"{recorded} of {n} samples, exit code {done.returncode} after {time.monotonic() - began:.0f} s"
    return told("playback: the file ends", recorded == n and done.returncode == 0, said)


def exported():
    """Export a recording whose real rate is half of what it states, and let MNE say how long it is."""
    import mne

    from tests.formats.writers import Xdf

    stamps = 100.0 + np.arange(6250) / 250.0
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "a.xdf", Path(folder) / "a.edf"
        data = np.random.default_rng(0).normal(0, 20, (stamps.size, 2)).astype("f4")
        Xdf().stream("EEG", "EEG", 500, stamps, data, labels=("C3", "C4"), units=("uV", "uV")).write(path)
        command = [sys.executable, "-m", "bcikit", "export", f"{path}?sfreq=250", "--edf", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        raw = mne.io.read_raw_edf(out, verbose="ERROR") if out.exists() else None
        length = 0.0 if raw is None else raw.n_times / raw.info["sfreq"]
    said = f"{length:g} s of 25 s, exit code {done.returncode}"
    return told("export of 25 s at 250 Hz that say 500", abs(length - 25.0) <= 1.0 and done.returncode == 0, said)


def rows(seconds):
    """Yield the rows."""
    yield judge(
        wire("wire: config= sets 500 Hz", "cyton", LinkPlan(block=5), seconds, options="&config=~5", rate=500.0)
    )
    yield gain()
    yield profiles()
    for kind in ("unix", "ms"):
        yield markers(kind)
    yield xdf("XDF: bursts of 12 with equal stamps", rate=256, nominal=256, burst=12)
    yield xdf("XDF: 240 of nominal 250 Hz", rate=240, nominal=250, burst=1)
    yield returned()
    yield one_id({"names": ["C3", "C4"]}, {"names": ["C3", "C4", "Cz"]}, "channels=2")
    yield gone()
    yield streamer_gone()
    yield played()
    yield exported()
    yield in_use()
    abc = "brainflow:streaming?master_board=synthetic&ip_address=225.1.1.1&ip_port=abc"
    yield refused("ip_port=abc", lambda: open_source(abc), "ip_port", "abc")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "synthetic.csv"
        file.write_text("".join("\t".join(["1.0"] * 32) + "\n" for _ in range(50)))
        wrong = f"brainflow:playback?master_board=cyton&file={file}"
        yield refused("playback: another master_board", lambda: open_source(wrong), "32 columns", "master_board")
