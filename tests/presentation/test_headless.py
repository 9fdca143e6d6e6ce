"""The screen in memory: a flip is one only where the picture has changed."""

import numpy as np
import pytest

pytest.importorskip("PySide6")

from PySide6.QtCore import QRectF

from bcikit.outputs import open_output
from bcikit.paradigms.scene import Alert, Cue, Hands, Matrix, Meter, Road, Scene, Target, Targets, Words
from bcikit.presentation.eyes import perceive
from bcikit.presentation.qt.painter import StagePainter
from bcikit.signal import ArgumentError, Event

LETTERS = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D")), wanted="A"),))
MENU = Scene(
    name="gaze",
    elements=(Targets(targets=(Target(item="up", words=Words("Up"), frequency=10.0),), wanted="up"),),
)


def tell(output, name, time, scene=None, **values):
    event = Event(name=name, time=time, sample=round(250 * time), **values)
    output.inform({"type": "show", "event": event.to_dict(), "scene": None if scene is None else scene.to_dict()})
    output.tick(time)


def flips(output):
    return [(item["name"], round(item["shown"] - item["time"], 3)) for item in output.heard() if item["type"] == "flip"]


def play(output):
    tell(output, "phase/flash", 1.0, LETTERS)
    for number in range(4):
        items = ["A", "B"] if number % 2 else ["C"]
        tell(output, "stimulus/flash", 2.0 + 0.2 * number, duration=0.1, data={"items": items})
    tell(output, "phase/gaze", 4.0, MENU)
    flicker = {"targets": [{"item": "up", "frequency": 10.0, "phase": 0.0}], "depth": 0.6}
    tell(output, "stimulus/flicker", 5.0, duration=2.0, data=flicker)
    tell(output, "cue/left_hand", 8.0, Scene(name="cue", elements=(Hands(asked="left"),)))


def test_what_is_painted_is_reported_with_the_frame_that_showed_it(qapp):
    with open_output("frames:") as output:
        assert output.heard()[0] == {
            "type": "hello", "client": "frames", "refresh": 60.0, "delay": 0.1, "display": "memory",
        }  # fmt: skip
        play(output)
        found = flips(output)
        assert [name for name, _ in found] == [
            "phase/flash", *["stimulus/flash"] * 4, "phase/gaze", "stimulus/flicker", "cue/left_hand",
        ]  # fmt: skip
        # On the first frame after the plan and its delay.
        assert all(0.09 <= late <= 0.12 for _, late in found), found
        assert output.state()["unpainted"] == 0


@pytest.mark.parametrize(("seen_at", "pixels"), [("", 24.2), ("?height_cm=60&distance_cm=100", 17.3)])
def test_a_target_has_its_visual_angle_at_the_size_and_distance_that_are_told(qapp, seen_at, pixels):
    with open_output(f"frames:{seen_at}") as output:
        tell(output, "phase/gaze", 4.0, MENU)
        flicker = {"targets": [{"item": "up", "frequency": 10.0, "phase": 0.0}], "depth": 0.6}
        tell(output, "stimulus/flicker", 5.0, duration=4.0, data=flicker)
        pictures = []
        for number in range(12):
            output.show.frame(6.0 + number / 60)
            pictures.append(output._picture().reshape(180, 320, 4))
        flickers = (np.stack(pictures) != pictures[0]).any(axis=(0, 3))
        # 3.3 degrees in a picture of 180 pixels: 2 d tan(1.65 degrees) of its height.
        for axis in (0, 1):
            assert flickers.any(axis=axis).sum() == pytest.approx(pixels, abs=2.0)


def test_a_scene_that_flips_and_paints_nothing_is_not_seen(qapp, monkeypatch):
    monkeypatch.setattr(StagePainter, "_draw", lambda self, painter, shape, *more: QRectF())
    with open_output("frames:") as output:
        play(output)
        assert [name for name, _ in flips(output) if name.startswith(("stimulus/", "cue/"))] == []
        assert output.state()["unpainted"] >= 6


def test_letters_outside_the_matrix_light_nothing(qapp):
    with open_output("frames:") as output:
        tell(output, "phase/flash", 1.0, LETTERS)
        output.heard()
        tell(output, "stimulus/flash", 2.0, duration=0.1, data={"items": ["Z"]})
        assert flips(output) == []


def test_blank_shows_nothing_and_mute_sounds_nothing(qapp):
    with open_output("frames:?blank=1") as blank, open_output("frames:?mute=1") as mute:
        for output in (blank, mute):
            play(output)
            tell(output, "stimulus/tone", 9.0, duration=0.1, data={"frequency": 800.0})
        assert [name for name, _ in flips(blank)] == ["stimulus/tone"]
        heard = mute.heard()
        assert "stimulus/tone" not in [item["name"] for item in heard if item["type"] == "flip"]
        sounded = next(item for item in heard if item["type"] == "sounded")
        assert (sounded["audible"], sounded["why"]) == (False, "the screen in memory is mute")
    with pytest.raises(ArgumentError, match="blank"):
        open_output("frames:?blank=yes")


def test_the_ball_stands_where_it_went_and_a_wrong_goal_is_seen_as_wrong(qapp):
    event = Event(name="feedback/error", time=1.0)
    for gone, wrong in (("left", False), ("right", True)):
        scene = Scene(elements=(Meter(steer=True, wanted="left", gone=gone), Cue()))
        assert (perceive(event, scene) is not None) is wrong


def test_a_warning_is_painted_and_sounded(qapp):
    with open_output("frames:") as output:
        scene = Scene(name="drive", elements=(Road(level="drowsy"), Alert(level="drowsy", words=Words("Stop"))))
        tell(output, "advice/drowsy", 1.0, scene)
        about = {
            item["type"]: item["shown"] - item["time"] for item in output.heard() if item.get("name") == "advice/drowsy"
        }
    assert about.keys() == {"flip", "sounded"}
    assert all(0.0 < late <= 0.2 for late in about.values())
