"""What a session watches beside the signal, and how a window finds the sessions that run."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bcikit.acquisition.watchdog import Pulse
from bcikit.safety import Severity
from bcikit.session.channel import ChannelServer
from bcikit.session.running import ENV_FOLDER, find_running, registered, running
from bcikit.session.watch import DISK_FAULT_BYTES, DISK_WARN_BYTES, SPAN, SessionWatch
from bcikit.signal import ArgumentError


def source(**status):
    told = {"battery": None, "buffer_fill": 0.0, "impedances": {}, "joined": (), **status}
    return SimpleNamespace(status=lambda: SimpleNamespace(**told))


def watched(watch, seconds=3.0, *, busy=0.01):
    found = []
    for second in range(int(seconds * 10)):
        found += list(watch.took(busy, second / 10))
    return found


def test_what_the_driver_says_is_handed_on_and_what_it_does_not_know_is_not():
    device = source(
        battery=12.0, buffer_fill=0.9, impedances={"C3": 5000.0, "C4": float("nan"), "Cz": -1.0, "Pz": float("inf")}
    )
    found = dict(watched(SessionWatch(device, None)))
    assert found["battery"] == {"percent": 12.0}
    assert found["buffer"] == {"fill": 0.9}
    assert found["impedance"] == {"ohms": {"C3": 5000.0, "Pz": 1e9}}, "an open circuit is told as a number"
    assert found["load"]["share"] == pytest.approx(0.1, abs=0.02)
    assert {kind for kind, _ in watched(SessionWatch(source(battery=float("nan")), None))} == {"load"}


def test_the_worst_of_joined_devices_is_handed_on():
    def device(**about):
        return SimpleNamespace(**{"battery": None, "buffer_fill": 0.0, "pulse": Pulse.ALIVE, **about})

    found = watched(SessionWatch(source(battery=80.0, joined=(device(battery=5.0, buffer_fill=0.9), device())), None))
    assert dict(found) | {"load": 0} == {"battery": {"percent": 5.0}, "buffer": {"fill": 0.9}, "load": 0}
    (told,) = [values for kind, values in watched(SessionWatch(source(joined=(device(battery=7.0),)), None), 1.5)
               if kind == "battery"]  # fmt: skip
    assert told == {"percent": 7.0}, "the first one need not know its own"
    gone = device(battery=4.0, buffer_fill=1.0, pulse=Pulse.LOST)
    found = watched(SessionWatch(source(battery=80.0, joined=(gone,)), None))
    assert dict(found) | {"load": 0} == {"battery": {"percent": 80.0}, "load": 0}, (
        "one that was given up spoils nothing"
    )


def test_a_load_is_that_of_the_last_seconds_only():
    watch = SessionWatch(source(), None)
    watched(watch, 3 * SPAN, busy=0.09)
    later = [3 * SPAN + second / 10 for second in range(int(20 * SPAN))]
    shares = [values["share"] for time in later for kind, values in watch.took(0.001, time) if kind == "load"]
    assert shares[-1] == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize(
    ("free", "severity"), [(DISK_FAULT_BYTES - 1, Severity.FAULT), (DISK_WARN_BYTES - 1, Severity.WARN)]
)
def test_a_disk_that_runs_full_is_a_finding(tmp_path, monkeypatch, free, severity):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    findings = [values for kind, values in watched(SessionWatch(source(), tmp_path)) if kind == "finding"]
    assert {(finding["rule"], finding["severity"]) for finding in findings} == {("H-DISK", int(severity))}


def test_trouble_behind_an_output_is_a_finding_at_once():
    trouble = SimpleNamespace(rule="O-GONE", severity=Severity.FAULT, value="gone", limit="there")
    outputs = [SimpleNamespace(trouble=lambda: None), SimpleNamespace(trouble=lambda: trouble)]
    ((kind, values),) = list(SessionWatch(source(), None, outputs).took(0.0, 0.0))
    assert (kind, values["rule"], values["value"]) == ("finding", "O-GONE", "gone")


def test_a_session_that_runs_is_found_by_its_name_and_a_killed_one_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_FOLDER, str(tmp_path))
    with pytest.raises(ArgumentError, match=r"session:x is not one that runs here; these do: none"):
        find_running("x")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    assert ended.wait(timeout=60) == 0
    server = ChannelServer()
    try:
        with registered(server, "a run"):
            (file,) = tmp_path.glob("*.json")
            assert file.stat().st_mode & 0o077 == 0
            told = json.loads(file.read_text())
            for name, pid in (("dead", ended.pid), ("odd", -1)):
                (tmp_path / f"{name}.json").write_text(json.dumps(told | {"pid": pid}))
            (tmp_path / "broken.json").write_text("{")
            (found,) = running()
            assert (found.title, found.name) == ("a run", file.stem)
            assert not (tmp_path / "dead.json").exists()
            assert find_running("a run") == find_running() == find_running(file.stem) == found
            (tmp_path / "second.json").write_text(json.dumps(told | {"title": "another", "pid": os.getpid()}))
            with pytest.raises(ArgumentError, match=r"session: is not one.*a run.*another"):
                find_running()
        assert not file.exists()
    finally:
        server.close()
