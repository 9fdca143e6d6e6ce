"""The page in a headset that is not there: controllers, hands, both eyes, and stimuli on any object of a scene."""

import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from bcikit.outputs import open_output
from bcikit.outputs.reports import checked_report
from bcikit.paradigms import make_paradigm
from bcikit.paradigms.scene import Matrix, Scene
from bcikit.presentation.layout import Viewing, drawn
from bcikit.session.flips import Flips
from bcikit.signal import Event, HostClock

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
import chromium  # noqa: E402

FAKE = Path(__file__).with_name("fake_xr.js").read_text(encoding="utf-8")
CLOCK = HostClock()
LETTERS = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D")), wanted="A"),))

needs_chromium = pytest.mark.skipif(
    chromium.PROGRAM is None or os.name != "posix", reason="no Chromium on this machine: apt-get install chromium"
)


def tell(output, name, scene=None, **values):
    event = Event(name=name, time=CLOCK.now(), **values)
    message = {"type": "show", "time": event.time, "event": event.to_dict(), "scene": None}
    if scene is not None:
        message |= {"scene": scene.to_dict(), "drawn": drawn(scene, Viewing())}
    output.inform(message)


class Ear:
    """Keeps what came back, and waits for what is to come."""

    def __init__(self, output):
        self.output = output
        self.items = []

    def wait(self, fits, seconds=60.0):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.items += self.output.heard()
            found = [item for item in self.items if fits(item)]
            if found:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"not heard; came: {sorted({item['type'] for item in self.items})}")


@pytest.fixture
def worn():
    """Return what an output hears, and its page in a headset, with letters on the board."""
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        page.call("Page.enable")
        page.call("Page.addScriptToEvaluateOnNewDocument", source=FAKE)
        page.call("Page.reload")
        page.until(f"window.fake !== undefined && ({chromium.READY})")
        ear = Ear(output)
        tell(output, "phase/flash", LETTERS, sample=1)
        page.until("bcikit.presenter.scene !== null && !document.getElementById('enter').hidden")
        page.value("document.getElementById('enter').click()")
        page.until(
            "bcikit.stage.renderer.xr.isPresenting && bcikit.headset.space !== null && bcikit.stage.board.mesh.visible"
        )
        yield ear, page
        assert page.errors == []


@needs_chromium
def test_a_controllers_pose_and_what_it_selects_reach_the_session(worn):
    ear, page = worn
    # Straight ahead of the letter A: the upper left quarter of the board.
    page.value("void (window.right = fake.hold('right', [-0.34, 1.555, 0], [0, 0, 0, 1]))")
    pose = ear.wait(lambda item: item["type"] == "pose")
    assert (pose["hand"], pose["kind"], pose["position"]) == ("right", "controller", [-0.34, 1.555, 0.0])
    assert abs(pose["t"] - CLOCK.now()) < 30.0
    before = CLOCK.now()
    for kind in ("selectstart", "select", "selectend"):
        page.value(f"fake.press('{kind}', window.right)")
    select = ear.wait(lambda item: item.get("name") == "input/select")
    assert select["data"]["item"] == "A"
    assert select["data"]["position"] == [-0.34, 1.555, 0.0]
    assert before - 0.2 < select["t"] < CLOCK.now() + 0.2
    ear.wait(lambda item: item.get("name") == "input/select-end")
    # It is drawn where it is, and turned aside it points at nothing.
    assert page.value("bcikit.headset.group.children.length") == 1
    assert page.value("bcikit.headset.group.children[0].position.toArray()") == pytest.approx([-0.34, 1.555, 0.0])
    page.value("void (window.aside = fake.hold('left', [0, 1.5, 0], [0, 0.7071, 0, 0.7071]))")
    page.value("fake.press('squeeze', window.aside)")
    squeeze = ear.wait(lambda item: item.get("name") == "input/squeeze")
    assert squeeze["data"]["hand"] == "left"
    assert "item" not in squeeze["data"]


@needs_chromium
def test_the_session_knows_which_display_is_seen_also_after_the_line_was_cut(worn):
    ear, page = worn
    ear.wait(lambda item: item.get("display") == "headset")
    ear.items.clear()
    page.value("void bcikit.link._socket.close()")
    assert ear.wait(lambda item: "display" in item and item["first"])["display"] == "headset"
    page.value("void fake.session.end()")
    # Whatever its rate is: it may be that of the headset.
    page.value("void (bcikit.presenter.measured = () => {})")
    ear.wait(lambda item: item.get("display", "").startswith("browser "))


@needs_chromium
def test_hands_are_drawn_joint_by_joint_and_both_eyes_are_counted(worn):
    ear, page = worn
    page.value("void fake.hold('left', [0.1, 1.2, -0.3], [0, 0, 0, 1], { hand: true })")
    page.until("bcikit.headset.group.children[0]?.children.length === 25")
    joints = page.value("bcikit.headset.group.children[0].children.map((ball) => ball.position.x)")
    assert joints == pytest.approx([0.1 + 0.01 * number for number in range(25)], abs=1e-6)
    assert ear.wait(lambda item: item["type"] == "pose")["kind"] == "hand"
    eyes = ear.wait(lambda item: item["type"] == "eyes")
    assert {item["eye"]: item["width"] for item in eyes["eyes"]} == {"left": 320, "right": 320}
    assert {item["frames"] for item in eyes["eyes"]} == {eyes["frames"]}
    flips = Flips(make_paradigm("p300-speller"), 250.0, 250.0)
    assert flips.take(eyes) is None
    # An eye that is shown nothing is found, and closes the gate for a moment.
    page.value("void (fake.blind = 'right')")
    one = ear.wait(lambda item: item["type"] == "eyes" and min(eye["frames"] for eye in item["eyes"]) < item["frames"])
    _, found, _ = flips.take(one)
    assert found.startswith("the right eye was not shown")
    page.value("void fake.session.end()")
    page.until("!bcikit.stage.renderer.xr.isPresenting && bcikit.headset.group.children.length === 0")


@needs_chromium
def test_flashes_and_flicker_light_any_mesh_of_a_scene_and_are_reported():
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        script = """(async () => {
          const { SceneStimuli } = await import("/stimuli.js");
          const { Mesh, MeshBasicMaterial, MeshLambertMaterial, SphereGeometry } = await import("/vendor/three.js");
          const { Connection } = await import("/bcikit-client.js");
          const meshes = {
            A: new Mesh(new SphereGeometry(1, 4, 4), new MeshBasicMaterial()),
            up: new Mesh(new SphereGeometry(1, 4, 4), new MeshLambertMaterial()),
          };
          window.meshes = meshes;
          window.seen = { A: new Set(), up: new Set() };
          const onMessage = (message) => stimuli.hear(message);
          const link = new Connection(bcikit.link.url, { name: "scene", onMessage });
          const stimuli = new SceneStimuli(link, meshes, { client: "scene" });
          window.stimuli = stimuli;
          const loop = (stamp) => {
            stimuli.frame(stamp);
            seen.A.add(Math.round(100 * meshes.A.material.color.r));
            seen.up.add(Math.round(100 * meshes.up.material.emissive.r));
            requestAnimationFrame(loop);
          };
          requestAnimationFrame(loop);
        })()"""
        page.call("Runtime.evaluate", expression=script, awaitPromise=True)
        page.until("window.stimuli?.clock.known && stimuli.link.hostOffset !== null")
        ear = Ear(output)
        tell(output, "stimulus/flash", sample=5, duration=0.5, data={"items": ["A"], "target": True})
        flip = ear.wait(lambda item: item["type"] == "flip" and item["client"] == "scene")
        assert (flip["name"], flip["sample"]) == ("stimulus/flash", 5)
        page.until("seen.A.has(100) && seen.A.has(50)")
        targets = [{"item": "up", "frequency": 5.0, "phase": 0.0}]
        tell(output, "stimulus/flicker", sample=9, duration=5.0, data={"targets": targets, "depth": 1.0})
        page.until("seen.up.size > 4 || stimuli.clock.refresh < 10")
        output.safe("stop")
        page.until("stimuli.presenter.flicker === null && Math.round(100 * meshes.up.material.emissive.r) === 50")
        assert page.errors == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "pose", "hand": "left", "kind": "hand", "t": 1.0, "position": [0, 0], "orientation": [0, 0, 0, 1]},
        {
            "type": "pose",
            "hand": "left",
            "kind": "hand",
            "t": 1.0,
            "position": [0, 0, "1"],
            "orientation": [0, 0, 0, 1],
        },
        {"type": "eyes", "seconds": 1.0, "refresh": 90.0, "frames": 90, "eyes": []},
        {"type": "eyes", "seconds": 1.0, "refresh": 90.0, "frames": 90, "eyes": [{"eye": "left", "frames": -1}]},
        {"type": "eyes", "seconds": 1.0, "refresh": 90.0, "frames": 90, "eyes": "both"},
    ],
)
def test_what_is_no_pose_and_no_eye_is_dropped(message):
    assert checked_report(message) is None
