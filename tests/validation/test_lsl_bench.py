"""The bench on a stream of another process: what waits in it is of the set-up before, and its faults are named."""

import json
import re
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bcikit.validation import Judgement, Profile, validate

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


def named(stem):
    """Return the name of a stream that no other suite on this machine has."""
    return f"{stem}-{uuid.uuid4().hex[:8]}"


@contextmanager
def outlet(name, rate=250, fault="none"):
    """Run an amplifier that streams over LSL; give a function that plugs something in."""
    script = Path(__file__).with_name("outlet.py")
    command = [sys.executable, str(script), name, str(rate), fault]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"

        def plug(kind, size=0.0, hertz=0.0, channel=-1):
            process.stdin.write(f"{kind} {size} {hertz} {channel}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "connected\n"

        yield plug
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
            process.stdout.close()


def operator(plug, seconds):
    """Return somebody who reads what to connect and takes their time."""

    def ask(text):
        what = text.split(":", 1)[1]
        size = float(found.group(1)) if (found := re.search(r"([0-9.e+]+) uV peak", what)) else 0.0
        hertz = float(found.group(1)) if (found := re.search(r"([0-9.]+) Hz", what)) else 0.0
        only = int(found.group(1)) - 1 if (found := re.search(r"on channel (\d+) only", what)) else -1
        # It runs on with what was connected before until the plug is in.
        time.sleep(seconds)
        plug("sine" if " sine " in f" {what}" and size else "short", size, hertz, only)
        return True

    return ask


@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=pytest.mark.soak)])
def test_each_take_is_of_its_own_set_up_however_long_the_operator_takes(seconds):
    profile = replace(Profile.load("research"), durations={"sine": 1.5, "noise": 3})
    name = named("slow-hand")
    with outlet(name, 1000) as plug:
        report = validate(
            f"lsl:name={name}",
            profile=profile,
            tests=("V-NOISE", "V-GAIN"),
            ask=operator(plug, seconds),
        )
    gain = report.value("V-GAIN", "gain")
    assert gain.value == pytest.approx(1.0, abs=max(0.01, gain.uncertainty))
    assert report.outcome("V-NOISE").judgement is Judgement.PASS
    assert report.value("V-NOISE", "noise_rms").value == pytest.approx(0.12, abs=0.04)


def found_by(fault, *, seconds=25.0):
    profile = replace(Profile.load("research"), durations={"timing": seconds})
    name = named(f"faulty-{fault}")
    with outlet(name, 250, fault):
        return validate(f"lsl:name={name}", profile=profile, tests=("V-RATE", "V-JIT", "V-LOSS", "V-RESID"))


def told(report):
    return {m.quantity for m in report.outcome("V-RESID").measurements if m.judgement is Judgement.UNEXPLAINED}


def test_samples_that_a_stream_without_counter_loses_are_no_pass():
    report = found_by("loses")
    assert report.exit_code == 1
    # A rate that is low by one in 500 is within the limit of a device that does not say how good its clock is.
    assert report.outcome("V-LOSS").judgement is not Judgement.PASS


@pytest.mark.parametrize(
    ("fault", "name"), [("millivolts", "unit_scale"), ("repeats", "repeated"), ("grid", "stamp_grid")]
)
def test_a_fault_of_the_stream_is_named(fault, name):
    report = found_by(fault, seconds=12.0)
    assert name in told(report)
    assert report.exit_code == 1


def test_a_millivolt_stream_fails_the_command_of_a_stranger(tmp_path):
    name = named("stranger")
    with outlet(name, 250, "millivolts"):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "bcikit",
                "validate",
                f"lsl:name={name}",
                "--quick",
                "--out",
                str(tmp_path),
                "--json",
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    residual = next(test for test in json.loads(done.stdout)["tests"] if test["test"] == "V-RESID")
    assert "unit_scale" in {m["quantity"] for m in residual["measurements"]}
