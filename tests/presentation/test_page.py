"""The page in a real browser: drawn as the window draws, over https with a code, and markers of other pages."""

import json
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("websockets")
pytest.importorskip("PySide6")
from PySide6.QtGui import QImage, QPainter
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bcikit.outputs import open_output
from bcikit.outputs.door import CODE_SECONDS, TRIES, TokenDoor
from bcikit.outputs.reports import checked_report
from bcikit.paradigms import make_paradigm, paradigm_names
from bcikit.paradigms.frames import Refresh
from bcikit.paradigms.scene import Matrix, Scene, Target, Targets, Words
from bcikit.presentation.layout import Viewing, drawn
from bcikit.presentation.qt.painter import StagePainter
from bcikit.presentation.rehearsal import rehearse
from bcikit.presentation.show import Show
from bcikit.session.flips import SampleTimes
from bcikit.signal import ArgumentError, Chunk, Event, HostClock
from tests.callers import connect as call
from tests.presentation.test_scene import SHORT

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
import chromium  # noqa: E402

JSPSYCH = ROOT / "tools" / "web" / "node_modules" / "jspsych"
needs_chromium = pytest.mark.skipif(
    chromium.PROGRAM is None or os.name != "posix", reason="no Chromium on this machine: apt-get install chromium"
)
CLOCK = HostClock()


def tell(output, event, scene=None):
    message = {"type": "show", "time": event.time, "event": event.to_dict(), "scene": None}
    if scene is not None:
        message |= {"scene": scene.to_dict(), "drawn": drawn(scene, Viewing())}
    output.inform(message)


def heard(output, kind, count=1, seconds=60.0):
    found, deadline = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        found += [item for item in output.heard() if item["type"] == kind]
        time.sleep(0.02)
    assert len(found) >= count, f"{len(found)} of {count} reports of the kind {kind}"
    return found


def qt_places(scene, language):
    show = Show(Refresh(60.0))
    show.scene = scene
    stage = StagePainter(Viewing(language=language))
    image = QImage(1280, 800, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    stage.paint(painter, 1280, 800, show, 0.0, patch=False)
    painter.end()
    return {key: (box.x(), box.y(), box.width(), box.height()) for key, box in stage.places.items()}


def one_of_each():
    """Return a scene of each name of each paradigm."""
    found = {}
    for name in paradigm_names():
        for _, scene in rehearse(make_paradigm({"base": name, "instructions": 5.0, **SHORT.get(name, {})})):
            found.setdefault((name, scene.name), scene)
    return [scene for scene in dict.fromkeys(found.values()) if scene.elements]


@needs_chromium
@pytest.mark.slow
def test_both_renderers_draw_every_scene_at_the_same_places(qapp):
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        tell(output, Event(name="paradigm/start", time=CLOCK.now(), sample=0), Scene(name="wait"))
        page.until("!document.getElementById('stage').hidden")
        for scene in one_of_each():
            for language in ("en", "zh"):
                here = json.dumps({"drawn": drawn(scene, Viewing()), "scene": scene.to_dict()})
                page.value(
                    f"(() => {{ const s = {here}; bcikit.presenter.scene = s.scene; bcikit.presenter.drawn = s.drawn; "
                    f"bcikit.presenter.value = 0; bcikit.scenes.language = '{language}'; "
                    "bcikit.scenes.draw(bcikit.presenter, 0); })()"
                )
                there = page.value("bcikit.scenes.places")
                wanted = qt_places(scene, language)
                assert there.keys() == wanted.keys()
                for key, box in wanted.items():
                    # Letters of two engines differ by a little; everything else stands where it stands.
                    slack = 24.0 if key.startswith(("item:", "words", "line", "title", "name", "alert-w")) else 1.0
                    slack = max(slack, 0.06 * box[2]) if slack > 1 else slack
                    assert there[key] == pytest.approx(box, abs=slack), (scene.name, language, key)
        assert page.errors == []


@needs_chromium
def test_the_page_shows_the_letters_lights_them_and_reports_each_flip(stalls):
    scene = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D")), wanted="A", written="HI"),))
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        waited = stalls()
        tell(output, Event(name="phase/flash", time=CLOCK.now(), sample=1), scene)
        page.until("bcikit.presenter.scene !== null")
        heard(output, "flip")
        before = page.picture()
        flash = {"items": ["A", "B"], "target": True}
        tell(output, Event(name="stimulus/flash", time=CLOCK.now(), sample=2, duration=5.0, data=flash))
        flip = heard(output, "flip")[0]
        assert (flip["name"], flip["sample"]) == ("stimulus/flash", 2)
        busy = waited.seconds
        assert 0.0 <= flip["uncertainty"] < 0.5 + busy
        assert -flip["uncertainty"] < flip["shown"] - flip["time"] < 2.0 + busy
        after = page.picture()
        assert after != before
        assert page.value("[...bcikit.presenter.lit.keys()].join()") == "A,B"
        # Who joins later sees the newest scene.
        page.call("Page.reload")
        page.until("window.bcikit?.presenter?.scene !== null && window.bcikit?.presenter !== undefined")
        assert page.value("bcikit.presenter.scene.elements[0].written") == "HI"


@pytest.mark.slow
@needs_chromium
def test_flashes_keep_the_rhythm_of_the_pages_own_frames():
    scene = Scene(name="flash", elements=(Matrix(rows=(("A", "B"), ("C", "D"))),))
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        tell(output, Event(name="phase/flash", time=CLOCK.now(), sample=1), scene)
        page.until("bcikit.presenter.scene !== null")
        # By the clocks as they are compared in that frame: on a busy machine they are compared anew meanwhile.
        stamp = "stamps.push(t / 1000 + bcikit.link.hostOffset)"
        keep = f"(function keep(t) {{ {stamp}; requestAnimationFrame(keep); }})(performance.now())"
        page.value(f"window.stamps = []; {keep}")
        time.sleep(2.0)
        output.heard()
        begin = CLOCK.now() + 0.5
        for number in range(30):
            planned = begin + 0.2 * number
            data = {"items": ["A"], "target": None}
            event = Event(name="stimulus/flash", time=planned, sample=10 + number, duration=0.1, data=data)
            threading.Timer(max(0.0, planned - CLOCK.now()), tell, (output, event)).start()
        flips = heard(output, "flip", 30)
        shown = np.array([flip["shown"] for flip in flips])
        stamps = np.array(page.value("stamps"))
    # Each onset is the stamp of a frame of the page, and not just any time ...
    away = np.abs(shown[:, None] - stamps[None, :]).min(axis=1)
    assert np.std(away) <= 0.002
    # ... and what is late by a frame that the machine dropped is reported as it is.
    late = shown - np.array([flip["time"] for flip in flips])
    assert late.min() > 0.05


@needs_chromium
def test_a_flicker_on_the_page_is_that_of_its_frames_and_is_reported():
    targets = [{"item": "up", "frequency": 6.0, "phase": 0.0}, {"item": "down", "frequency": 5.0, "phase": 0.0}]
    shown = tuple(Target(item=t["item"], words=Words(t["item"]), frequency=t["frequency"]) for t in targets)
    with open_output("ws:127.0.0.1:0?screen=1") as output, chromium.open_page(output.url) as page:
        page.until(chromium.READY)
        tell(output, Event(name="phase/gaze", time=CLOCK.now(), sample=1), Scene(elements=(Targets(targets=shown),)))
        page.until("bcikit.presenter.scene !== null")
        event = Event(
            name="stimulus/flicker", time=CLOCK.now(), sample=2, duration=6.0, data={"targets": targets, "depth": 0.6}
        )
        tell(output, event)
        page.until("bcikit.presenter.flicker !== null || bcikit.presenter.refresh < 12")
        if page.value("bcikit.presenter.refresh") >= 12:
            frames = heard(output, "frames")[0]
            assert len(frames["times"]) == 120
            assert np.diff(frames["times"]).min() > 0
        # A stop ends it at once.
        output.safe("stop")
        page.until("bcikit.presenter.flicker === null")


def test_a_page_that_is_closed_is_told_to_safety_as_long_as_it_is_and_nobody_stands_in_for_it():
    with open_output("ws:127.0.0.1:0?screen=1") as output:
        url = f"ws://127.0.0.1:{output.port}/ws?token={output.token}"
        assert output.trouble() is None
        # A program that listens beside it: it shows nothing to anybody.
        with connect(url) as other:
            other.send(json.dumps({"type": "hello", "client": "experiment"}))
            heard(output, "hello")
            for _ in range(2):
                with connect(url) as line:
                    line.send(json.dumps({"type": "hello", "client": "page", "refresh": 60.0}))
                    heard(output, "hello")
                    assert output.trouble() is None
                deadline = time.monotonic() + 60.0
                found = None
                while found is None and time.monotonic() < deadline:
                    found = output.trouble()
                    time.sleep(0.02)
                assert found.value == "no page shows the session"
                assert [output.trouble() for _ in range(3)] == [found] * 3


# ---- https, the code, other pages ----------------------------------------------------------------------------------
@pytest.fixture
def secure(tmp_path):
    pytest.importorskip("trustme")
    with open_output(f"ws:127.0.0.1:0?tls=1&name=clinic.test&authority={tmp_path}") as output:
        yield output, tmp_path / "bcikit-ca.pem"


def ask(output, path, trust, *, host=None):
    context = ssl.create_default_context(cafile=str(trust))
    request = urllib.request.Request(f"https://127.0.0.1:{output.port}{path}")
    if host is not None:
        request.add_header("Host", host)

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), Stay)
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def test_a_code_lets_in_once_and_a_wrong_one_does_not(secure):
    output, trust = secure
    assert ask(output, "/", trust)[0] == 200
    assert b"BEGIN CERTIFICATE" in ask(output, "/bcikit-ca.pem", trust)[1]
    assert ask(output, "/enter?code=00000000", trust)[0] == 403
    code = output.door.code
    status, _, headers = ask(output, f"/enter?code={code}", trust)
    assert status == 303
    assert "Secure" in headers["Set-Cookie"]
    assert "HttpOnly" in headers["Set-Cookie"]
    assert ask(output, f"/enter?code={code}", trust)[0] == 403
    cookie = headers["Set-Cookie"].partition(";")[0]
    context = ssl.create_default_context(cafile=str(trust))
    url = f"wss://127.0.0.1:{output.port}/ws"
    with call(url, ssl=context, headers={"Cookie": cookie}) as line:
        assert json.loads(line.recv(timeout=60))["type"] == "safe"
    for headers in ({}, {"Cookie": "bcikit=wrong"}, {"Cookie": cookie, "Origin": "https://evil.example"}):
        with pytest.raises(InvalidStatus) as caught, call(url, ssl=context, headers=headers):
            pass
        assert caught.value.response.status_code == 403
    assert "svg" in output.qr()


def test_a_name_that_was_made_to_point_here_is_refused(secure):
    output, trust = secure
    assert ask(output, "/", trust, host=f"evil.example:{output.port}")[0] == 421
    assert ask(output, "/", trust, host=f"clinic.test:{output.port}")[0] == 200


def test_codes_grow_old_and_guessing_makes_new_ones():
    now = [0.0]
    door = TokenDoor("t" * 20, names=["localhost"], clock=lambda: now[0])
    first = door.code
    assert door.code == first
    now[0] = CODE_SECONDS
    assert door.code != first
    second = door.code
    for _ in range(TRIES):
        assert door.enter("code=1").status == 403
    assert door.enter(f"code={second}").status == 403
    assert door.wrong == TRIES + 1


@pytest.mark.parametrize("address", ["ws:0.0.0.0:0", "ws:192.0.2.7:0"])
def test_the_network_is_served_only_with_the_word_for_it(address):
    with pytest.raises(ArgumentError, match="open=network"):
        open_output(address)


@needs_chromium
def test_over_https_by_host_name_the_page_may_enter_a_headset(secure):
    output, _ = secure
    options = ("--host-resolver-rules=MAP clinic.test 127.0.0.1", "--ignore-certificate-errors")
    with chromium.open_page(f"https://clinic.test:{output.port}/", options=options) as page:
        page.until("window.bcikit !== undefined && !document.getElementById('code').hidden")
        assert page.value("window.isSecureContext") is True
        assert page.value("'xr' in navigator && navigator.xr !== undefined") is True
        # The code is asked for; a wrong one is refused, the right one lets in.
        page.call("Page.navigate", url=f"https://clinic.test:{output.port}/enter?code=11111111")
        page.until("document.body.innerText.includes('wrong')")
        page.call("Page.navigate", url=f"https://clinic.test:{output.port}/enter?code={output.door.code}")
        page.until("window.bcikit?.page.linked === true")
        assert page.value("document.getElementById('code').hidden") is True
        assert page.errors == []


# ---- markers of an experiment in a page ----------------------------------------------------------------------------
EXPERIMENT = """<!doctype html><title>experiment</title><body><div id="target"></div>
<script src="/jspsych.js"></script><script src="/plugin.js"></script>
<script type="module">
import { Connection } from "/client.js";
const query = new URLSearchParams(location.search);
const url = `ws://127.0.0.1:${query.get("port")}/ws?token=${query.get("token")}`;
const link = new Connection(url, { name: "experiment" });
window.sent = [];
const mark = (name, data) => {
  const time = performance.now() / 1000;
  window.sent.push([name, time]);
  link.mark(name, { time, data });
};
const jsPsych = initJsPsych({ display_element: "target", on_finish: () => { window.done = true; } });
window.link = link;
await jsPsych.run(Array.from({ length: 8 }, (_, index) => ({
  type: jsPsychHtmlKeyboardResponse, stimulus: `trial ${index}`, choices: "NO_KEYS", trial_duration: 150,
  on_start: () => mark("trial", { index }),
})));
</script>"""


@needs_chromium
@pytest.mark.skipif(not JSPSYCH.is_dir(), reason="no jsPsych: npm ci --prefix tools/web")
def test_markers_of_a_jspsych_page_land_on_their_samples(tmp_path, stalls):
    modules = JSPSYCH.parent
    parts = {
        "jspsych.js": modules / "jspsych" / "dist" / "index.browser.js",
        "plugin.js": modules / "@jspsych" / "plugin-html-keyboard-response" / "dist" / "index.browser.js",
        "client.js": ROOT / "bcikit" / "presentation" / "web" / "bcikit-client.js",
    }
    for name, path in parts.items():
        (tmp_path / name).write_bytes(path.read_bytes())
    (tmp_path / "index.html").write_text(EXPERIMENT, encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    sfreq, places = 500.0, SampleTimes(500.0)
    try:
        with open_output(f"ws:127.0.0.1:0?origin={origin}") as output:
            start, waited = CLOCK.now(), stalls()
            with chromium.open_page(f"{origin}/?port={output.port}&token={output.token}") as page:
                page.until("window.done === true && window.link.hostOffset !== null")
                found = heard(output, "marker", 8)
                busy = waited.seconds
                sent = page.value("window.sent.map(([, time]) => time + window.link.hostOffset)")
            for first in range(0, round((CLOCK.now() - start) * sfreq) + 500, 10):
                places.add(Chunk(np.zeros((10, 1)), start + np.arange(first, first + 10) / sfreq, first))
        assert [marker["data"]["index"] for marker in found] == list(range(8))
        for marker, time_ in zip(found, sent, strict=True):
            assert 0.0 < marker["uncertainty"] < 0.2 + busy
            event = places.marker(marker)
            assert abs(event.sample - (time_ - start) * sfreq) <= 0.5 + 2 * sfreq * marker["uncertainty"]
            assert event.source == "page"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "marker", "name": "a"},
        {"type": "marker", "name": "", "t": 1.0},
        {"type": "marker", "name": "a\nb", "t": 1.0},
        {"type": "marker", "name": "a", "t": float("nan")},
        {"type": "marker", "name": "a", "t": 1.0, "data": {"x": "y" * 5000}},
        {"type": "flip", "name": "cue/x", "sample": -1, "time": 1.0, "shown": 1.0},
        {"type": "flip", "name": "cue/x", "sample": True, "time": 1.0, "shown": 1.0},
        {"type": "frames", "refresh": 0.0, "times": []},
        {"type": "frames", "refresh": 60.0, "times": [1.0, "2"]},
        {"type": "command", "name": "close"},
        {"type": ["marker"]},
    ],
)
def test_what_is_no_report_is_dropped(message):
    assert checked_report(message) is None
