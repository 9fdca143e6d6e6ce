"""Every reason not to trust times is said in words, once, with its size."""

import pytest

from bcikit.acquisition.status import StreamStatus
from bcikit.acquisition.trust import TimeTrust
from bcikit.acquisition.watchdog import Pulse
from bcikit.signal import Event


def status(name="amp", **more):
    return StreamStatus(name=name, **{"pulse": Pulse.ALIVE, "rate": 250.0, **more})


def event(name, **told):
    more = {key: told.pop(key) for key in ("sample", "value") if key in told}
    return Event(name=name, time=1.0, source="keys", data=told, **more)


@pytest.mark.parametrize(
    ("events", "state", "said"),
    [
        ([event("stream/markers-back", said="keys is back.")] * 2, {}, ["keys is back."]),
        ([event("stream/board", said="two boards are mixed up.")], {}, ["two boards are mixed up."]),
        ([event("stream/failed")], {}, ["keys is gone. Its channels are marked from there on."]),
        ([event("go", uncertainty=0.001)] * 3, {}, ["keys: 3 markers lie on no sample of amp."]),
        ([event("go", sample=4, uncertainty=s) for s in (0.2, 0.08)], {}, ["keys: markers are known to 200 ms only."]),
        ([event("go", sample=4, uncertainty=0.01)], {}, []),
        ([], {"time_uncertainty": 0.12}, ["amp: the times of its samples are known to 120 ms only."]),
        (
            [],
            {"overflows": 3},
            ["amp: a buffer was full 3 times; what was lost there is an estimate."],
        ),
        (
            [],
            {"joined": (status("emg", pulse=Pulse.LOST),)},
            ["emg: nothing came from it any more; its channels are marked."],
        ),
    ],
)  # fmt: skip
def test_reasons_for_doubt(events, state, said):
    trust = TimeTrust()
    trust.see(events)
    assert trust.doubts(status(**state), samples=10) == said


def test_what_needs_no_action_is_a_note_and_no_sample_is_a_doubt():
    trust = TimeTrust()
    trust.see([event("stream/markers-gone", said="keys is gone.")])
    doubts = trust.doubts(status(), samples=0)
    assert doubts == ["amp: no sample came."]
    assert trust.header(status(time_uncertainty=float("inf")), doubts) == {
        "stamps": "sender",
        "uncertainty": None,
        "doubts": doubts,
        "notes": ["keys is gone."],
    }
