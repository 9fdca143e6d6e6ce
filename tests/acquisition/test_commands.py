"""devices, record, play and doctor as their users call them; bad input is one line and exit code 2."""

import json
import os
import signal
import subprocess
import sys
import threading
import uuid

import numpy as np
import pytest
import pyxdf

from bcikit.recording import read_session
from tests.stalls import wait_for


def test_record_writes_what_pyxdf_reads(command_line, tmp_path):
    code, out, _ = command_line("record", "brainflow:synthetic", "--duration", 2, "--out", tmp_path / "out")
    assert code == 0
    assert out.startswith(f"{read_session(tmp_path / 'out').recording.n_times} samples in ")
    assert "0 lost" in out
    streams, _ = pyxdf.load_xdf(str(tmp_path / "out" / "signals.xdf"))
    stream = next(item for item in streams if item["info"]["name"][0] == "synthetic")
    assert stream["time_series"].shape[1] == 16
    assert stream["time_series"].shape[0] == pytest.approx(500, abs=3)


def test_record_several_streams(command_line, tmp_path):
    folder = tmp_path / "both"
    code, _, err = command_line(
        "record", "brainflow:synthetic", "--also", "sim:motor-imagery?seed=1&live=1", "--duration", 1, "--out", folder
    )
    assert code == 0, err
    streams, _ = pyxdf.load_xdf(str(folder / "signals.xdf"))
    sizes = {item["info"]["name"][0]: len(item["time_stamps"]) for item in streams}
    assert sizes["synthetic"] > 200
    assert sizes["sim-motor-imagery"] > 150


def test_what_was_recorded_stays_when_the_stream_ends(command_line, playback, tmp_path):
    folder = tmp_path / "kept"
    address = playback(500).write(tmp_path / "table.tsv")
    code, _, err = command_line("record", address, "--out", folder)
    assert (code, err) == (0, "")
    streams, _ = pyxdf.load_xdf(str(folder / "signals.xdf"))
    main = next(item for item in streams if item["info"]["name"][0] == "playback")
    assert len(main["time_stamps"]) == 500
    assert json.loads((folder / "session.json").read_text())["status"] == "complete"


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_whoever_ends_it_politely_gets_a_closed_session(sender, tmp_path):
    silent = f"silent-{uuid.uuid4()}"
    sender(name=silent).tell("silence", on=True)
    cases = {
        "terminated": ("brainflow:synthetic", signal.SIGTERM),
        "before the first sample": (f"lsl:source_id={silent}&timeout=60", signal.SIGINT),
    }
    running = {}
    # A shell that starts the suite in the background has it ignore Ctrl-C, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        for name, (address, kind) in cases.items():
            command = [sys.executable, "-m", "bcikit", "record", address, "--out", str(tmp_path / name)]
            running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True), kind
        signal.signal(signal.SIGINT, before)
        for name, (process, kind) in running.items():
            file = tmp_path / name / ("health.jsonl" if "before" in name else "signals.xdf")
            wanted = 20 if "before" in name else 100_000
            wait_for(lambda file=file, wanted=wanted: file.exists() and file.stat().st_size > wanted)
            process.send_signal(kind)
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, ""), name
            assert "samples in" in out
    finally:
        signal.signal(signal.SIGINT, before)
        for process, _ in running.values():
            process.kill()
            process.communicate(timeout=60)
    for name in cases:
        session = read_session(tmp_path / name)
        assert session.status == "stopped"
        assert bool(session.chunks) == ("before" not in name)
        streams, _ = pyxdf.load_xdf(str(tmp_path / name / "signals.xdf"))
        assert all("footer" in stream for stream in streams)


def test_a_stream_that_was_asked_for_and_is_gone_is_not_done(command_line, monkeypatch, tmp_path):
    from bcikit.signal import SourceError
    from bcikit.simulation.source import SimSource

    def lost(self, timeout):
        raise SourceError("the cable is out.")

    monkeypatch.setattr(SimSource, "pull", lost)
    folder = tmp_path / "kept"
    words = ("record", "brainflow:synthetic", "--also", "sim:motor-imagery?seed=1&live=1", "--duration", 1)
    code, _, err = command_line(*words, "--out", folder)
    assert code == 1
    assert "sim-motor-imagery: the cable is out. The other streams go on." in err.replace("\n", " ")
    session = read_session(folder)
    assert session.recording.n_times == pytest.approx(250, abs=3)
    assert [event.name for event in session.events if event.source == "sim-motor-imagery"] == ["stream/failed"]


@pytest.mark.slow
def test_a_second_stream_that_is_gone_does_not_stop_the_first(command_line, sender, tmp_path):
    name = f"also-{uuid.uuid4()}"
    other = sender(name=name)
    folder = tmp_path / "kept"
    threading.Timer(4.0, other.process.kill).start()
    address = f"lsl:source_id={name}&reconnect=0&timeout=60"
    code, _, err = command_line("record", "brainflow:synthetic", "--also", address, "--duration", 6, "--out", folder)
    assert code == 1, "the promise of 0 is that all that was asked for is there"
    assert f"{name}: " in err
    assert "is gone" in err
    session = read_session(folder)
    assert session.status == "complete"
    assert session.recording.n_times == pytest.approx(1500, abs=3)
    assert sum(chunk.n_times for chunk in session.extra[name].chunks) > 50
    (failed,) = (event for event in session.events if event.name == "stream/failed")
    assert failed.source == name
    assert "is gone" in failed.data["error"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("foo:bar", "scheme is 'foo'; allowed: brainflow"),
        ("nonsense", "no address of a source"),
        ("brainflow:", "which board"),
        ("brainflow:synthetik", "Did you mean 'synthetic'"),
        ("brainflow:synthetic?colour=red", "is 'colour'; allowed"),
        ("brainflow:synthetic?buffer=many", "must be a number"),
        ("brainflow:synthetic?buffer=1000000000", "buffer of brainflow:synthetic"),
        ("brainflow:cyton", "needs a serial_port"),
        ("brainflow:cyton?serial_port=/dev/none", "port cannot be opened"),
        ("brainflow:playback", "needs file, master_board"),
        ("brainflow:playback?master_board=synthetic&file=/gone.tsv", "no file '/gone.tsv'"),
        ("brainflow:streaming?master_board=synthetic", "needs ip_address, ip_port"),
        ("brainflow:synthetic?profile=/gone.toml", "/gone.toml"),
        ("lsl:", "which stream"),
        ("lsl:name=nobody&timeout=0.5", "No LSL stream with name='nobody'"),
        ("lsl:name=x&wait=1", "is 'wait'; allowed"),
        ("file:", "which file"),
        ("file:/gone.edf", "no file '/gone.edf'"),
        ("brainflow:synthetic?trigger=T1", "needs the channel T1"),
        ("brainflow:synthetic?grammar=latin", "grammar is 'latin'"),
    ],
)
def test_bad_sources(command_line, tmp_path, source, message):
    code, out, err = command_line("record", source, "--duration", 1, "--out", tmp_path / "out")
    assert code == 2
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in out + err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("*.xdf"))


def test_a_folder_that_holds_something_is_not_written_over(command_line, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    code, _, err = command_line("record", "brainflow:synthetic", "--duration", 1, "--out", tmp_path)
    assert code == 2
    assert "not empty" in err


def test_devices(command_line, sender):
    name = f"dev-{uuid.uuid4()}"
    sender(name=name, source_id=name)
    listed = []

    def seen():
        """List once more where a busy machine did not answer within the second that the command listens."""
        code, out, _ = command_line("devices", "--json")
        assert code == 0
        listed[:] = [row["address"] for row in json.loads(out)]
        return f"lsl:source_id={name}" in listed

    wait_for(seen)
    assert "brainflow:synthetic" in listed


def test_devices_lists_every_board(command_line):
    from bcikit.acquisition.brainflow_boards import board_names

    code, out, _ = command_line("devices", "--boards", "--json")
    assert code == 0
    listed = {row["address"].removeprefix("brainflow:") for row in json.loads(out)}
    assert listed >= set(board_names()) - {"playback", "streaming"}
    assert len(listed) >= 60


def test_doctor(command_line):
    code, out, _ = command_line("doctor", "--json")
    findings = {item["check"]: item for item in json.loads(out)}
    assert {"Python", "liblsl", "BrainFlow", "Qt and its libraries", "display", "LSL discovery", "clock"} <= set(
        findings
    )
    assert all(item["fix"] for item in findings.values() if item["state"] != "ok")
    assert code == int(any(item["state"] == "failed" for item in findings.values()))
    assert findings["BrainFlow"]["state"] == findings["liblsl"]["state"] == findings["LSL discovery"]["state"] == "ok"


def test_doctor_names_the_fix(command_line, monkeypatch):
    from bcikit.cli import checkup

    def broken(name):
        raise OSError("liblsl.so: cannot open shared object file")

    monkeypatch.setitem(checkup.CHECKS, "liblsl", broken)
    monkeypatch.setattr(checkup, "missing_libraries", lambda: ["EGL"])
    code, out, _ = command_line("doctor")
    assert code == 1
    assert "FAILED" in out
    assert "cannot open shared object" in out
    if sys.platform == "linux":
        assert "libegl1" in out or "libglvnd" in out or "EGL" in out


@pytest.mark.slow
def test_play_into_open_source(tmp_path):
    from bcikit import open_source
    from bcikit.acquisition import LslTextInlet

    name = f"play-{uuid.uuid4()}"
    index = np.arange(512)
    rows = [f"{1.5e9 + i / 256:.4f},{i},{-i},3,4,5,{7 if i == 256 else 0}" for i in index]
    file = tmp_path / "muse.csv"
    file.write_text("timestamps,TP9,AF7,AF8,TP10,Right AUX,Marker\n" + "\n".join(rows) + "\n")
    command = [sys.executable, "-m", "bcikit", "play", str(file), "--lsl", name, "--wait", "60", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as player:
        try:
            inlet = LslTextInlet(f"{name}-markers", timeout=60)
            with open_source(f"lsl:source_id=bcikit-play-{name}&timeout=60&reconnect=0") as source:
                chunks = []
                while sum(chunk.n_times for chunk in chunks) < 500:
                    chunk = source.pull(2.0)
                    assert chunk is not None
                    chunks.append(chunk)
            data = np.concatenate([chunk.data for chunk in chunks])
            np.testing.assert_array_equal(np.diff(data[:, 0]), 1.0)
            np.testing.assert_array_equal(data[:, 1], -data[:, 0])
            ((time, text),) = inlet.pull(2.0)
            inlet.close()
            assert text == "7"
            times = np.concatenate([chunk.times for chunk in chunks])
            row = int(np.argmin(np.abs(times - time)))
            assert data[row, 0] == 256
            assert source.info.ch_names == ("TP9", "AF7", "AF8", "TP10", "Right AUX")
            assert source.info.sfreq == 256.0
            assert player.wait(60) == 0
        finally:
            player.kill()


@pytest.mark.parametrize("words", [("/gone.edf",), ("{folder}",)])
def test_play_bad_files(command_line, tmp_path, words):
    code, _, err = command_line("play", *(word.format(folder=tmp_path) for word in words))
    assert code == 2
    assert err.startswith("error: ")
