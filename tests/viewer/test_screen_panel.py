"""The small copy of what the person sees, in the therapist's window."""

from PySide6.QtCore import QPoint, QRect

from bcikit.paradigms import make_paradigm
from bcikit.presentation.director import Director
from bcikit.signal import Command, Event, HostClock
from bcikit.signal.messages import Presented, Sent, Snapshot, StateChanged
from bcikit.ui.theme import DARK
from bcikit.viewer.screen_panel import ScreenPanel
from bcikit.viewer.window import ViewerWindow


def presented(director, name, **values):
    event = Event(name=name, time=HostClock().now(), **values)
    scene, _ = director.on_event(event)
    return Presented(event=event, scene=None if scene is None else scene.to_dict())


def test_the_panel_shows_what_the_person_sees_from_the_snapshot_on(qtbot) -> None:
    panel = ScreenPanel()
    qtbot.addWidget(panel)
    panel.resize(400, 300)
    panel.show()
    director = Director(make_paradigm("motor-imagery"))
    panel.take(Snapshot(messages=(presented(director, "cue/left_hand"),), time=0.0))
    qtbot.waitUntil(lambda: "left hand" in panel.copy.words(), timeout=60_000)
    assert panel.table()[1] == ["Imagine closing your left hand"]
    data = {"class": "left_hand"}
    panel.take(Sent(command=Command(sequence=1, time=0.0, ttl=5.0, name="close", value=1.0, data=data)))
    qtbot.waitUntil(lambda: panel.copy.show_.closure["left"] > 0.5, timeout=60_000)
    assert panel.copy.show_.closure["right"] == 0.0
    panel.take(StateChanged(state="SAFE_STOP", time=1.0))
    qtbot.waitUntil(lambda: panel.copy.show_.closure["left"] < 0.1, timeout=60_000)
    panel.take(presented(director, "paradigm/end"))
    qtbot.waitUntil(lambda: "Well done" in panel.copy.words(), timeout=60_000)


def test_the_copy_comes_to_the_front_with_the_first_scene_and_covers_no_control(qtbot) -> None:
    window = ViewerWindow(DARK, preset="clinic", use_saved=False)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    director = Director(make_paradigm("motor-imagery"))
    assert window.screen_panel.visibleRegion().isEmpty()
    window.take_message(presented(director, "cue/left_hand"))
    qtbot.waitUntil(lambda: not window.screen_panel.visibleRegion().isEmpty(), timeout=60_000)
    copy, stop = window.screen_panel, window.strip.stop
    places = [QRect(part.mapToGlobal(QPoint(0, 0)), part.size()) for part in (copy, stop)]
    assert not places[0].intersects(places[1])
    # The therapist looks at something else, and keeps it.
    window.show_panel("hand")
    window.take_message(presented(director, "cue/right_hand"))
    qtbot.wait(50)
    assert window.screen_panel.visibleRegion().isEmpty()
