"""Other programs are told when the screen showed a cue: a recorder of LSL in another process has its time."""

import json
import subprocess
import sys
import uuid

from bcikit.outputs.lsl import LslOutput
from bcikit.safety import GateSettings, SafetySystem
from bcikit.session.outputs import Outputs
from bcikit.signal import Event, HostClock, StreamInfo
from bcikit.signal.messages import Happened, Input
from tests.stalls import wait_for

RECORDER = """
import json, sys, pylsl
inlets = {}
for what in ("markers", "shown"):
    found = pylsl.resolve_byprop("name", f"{sys.argv[1]}-{what}", 1, 60)
    inlets[what] = pylsl.StreamInlet(found[0])
    inlets[what].open_stream(60)
print("up", flush=True)
got = {what: inlet.pull_sample(60) for what, inlet in inlets.items()}
got["again"] = inlets["shown"].pull_sample(0.3)
got["type"] = inlets["shown"].info().type()
print(json.dumps(got), flush=True)
"""


def test_a_recorder_in_another_process_has_the_plan_and_the_flip() -> None:
    name = f"shown-{uuid.uuid4().hex[:6]}"
    info = StreamInfo(name="x", sfreq=250.0, ch_names=("C3", "C4"))
    output = LslOutput(name)
    told = Outputs([output], safety=SafetySystem(GateSettings(), info))
    child = subprocess.Popen([sys.executable, "-c", RECORDER, name], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        while child.stdout.readline().strip() != "up":
            assert child.poll() is None
        # An inlet is open a moment before its outlet keeps samples for it.
        wait_for(lambda: all(output._texts[what].have_consumers() for what in ("markers", "shown")))
        now = HostClock().now()
        flip = {"type": "flip", "client": "s", "name": "cue/left", "sample": 500, "time": now, "shown": now + 0.1}
        told.take(Happened(event=Event(name="cue/left", time=now, sample=500, source="paradigm")))
        told.take(Input(kind="screen", values={"type": "hello", "client": "s", "refresh": 60.0, "correction": 0.02}))
        told.take(Input(kind="screen", values=flip))
        # A second page that shows the same, later: what was seen first counts.
        told.take(Input(kind="screen", values={**flip, "client": "t", "shown": now + 3.0}))
        said, _ = child.communicate(timeout=120)
    finally:
        child.kill()
        child.wait(10)
        output.close()
    got = json.loads(said)
    assert got["markers"][0] == got["shown"][0] == ["cue/left"]
    assert abs(got["shown"][1] - got["markers"][1] - 0.12) < 1e-6
    assert got["again"] == [None, None]
    assert got["type"] == "bcikit-shown", "who takes the first stream of markers gets the markers"
