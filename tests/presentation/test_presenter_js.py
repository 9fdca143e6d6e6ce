"""The presenter of the page against that of the window: the same messages and frames, the same pictures and flips."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bcikit.paradigms import make_paradigm
from bcikit.paradigms.frames import Refresh
from bcikit.presentation.lines import LINE, break_lines
from bcikit.presentation.rehearsal import rehearse
from bcikit.presentation.show import Show
from bcikit.session.flips import Flips
from bcikit.signal import Event
from tests.presentation.test_scene import SHORT

WEB = Path(__file__).parents[2] / "bcikit" / "presentation" / "web"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine: apt-get install nodejs")

SCRIPT = """
import { readFileSync } from "node:fs";
import { Presenter, lightObjects } from "%s/presenter.js";
const { messages, frames, refresh } = JSON.parse(readFileSync(0, "utf-8"));
const flips = [];
const presenter = new Presenter({
  report: (message) => message.type === "flip" && flips.push(message), sound: () => true,
});
presenter.refresh = refresh;
const seen = [];
const light = {};
for (const now of frames) {
  while (messages.length > 0 && messages[0].time <= now) {
    const message = messages.shift();
    message.type === "safe" ? presenter.safe() : presenter.take(message);
  }
  presenter.frame(now);
  lightObjects(presenter, { up: "up", A: "A" }, (object, level) => (light[object] = level));
  const lit = [...presenter.lit.keys()].sort();
  seen.push({ lit, levels: presenter.levels(), scene: presenter.scene?.name ?? "blank", light: { ...light } });
}
console.log(JSON.stringify({ flips, seen, dropped: presenter.dropped }));
"""


def node(script):
    """Return what a script of Node that imports the page's modules says, as JSON."""
    command = ["node", "--input-type=module", "-e", script % WEB.as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def both(messages, frames, refresh=60.0):
    """Return what each presenter shows in each frame, and the flips of each."""
    asked = json.dumps({"messages": messages, "frames": frames, "refresh": refresh})
    done = subprocess.run(
        ["node", "--input-type=module", "-e", SCRIPT % WEB.as_posix()],
        input=asked,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    show, waiting, flips, seen = Show(Refresh(refresh)), list(messages), [], []
    for now in frames:
        while waiting and waiting[0]["time"] <= now:
            show.take(waiting.pop(0), now)
        flips += [flip.report() for flip in show.frame(now) if flip.event.sample is not None]
        seen.append({"lit": sorted(show.lit), "levels": show.levels(), "scene": show.scene.name})
    return json.loads(done.stdout), flips, seen


def messages_of(name, seconds):
    found = []
    for event, scene in rehearse(make_paradigm({"base": name, **SHORT.get(name, {})}), seconds=seconds):
        values = {"time": event.time, "event": event.to_dict(), "scene": scene.to_dict()}
        found.append({"type": "show", **values})
    return found


@pytest.mark.parametrize(
    ("name", "refresh"),
    [
        ("p300-speller", 60.0),
        ("ssvep-menu", 60.0),
        ("motor-imagery", 60.0),
        ("p300-speller", 30.0),
        ("ssvep-menu", 144.0),
        ("code-menu", 60.0),
        ("code-menu", 144.0),
    ],
)
def test_page_and_window_show_the_same_in_every_frame(name, refresh):
    messages = messages_of(name, 40.0)
    rng = np.random.default_rng(0)
    # Frames as a screen has them: nearly regular, and some dropped.
    count = round(38 * refresh)
    gaps = np.where(rng.random(count) < 0.01, 2 / refresh, 1 / refresh)
    frames = np.cumsum(gaps) + rng.normal(0, 0.03 / refresh, count)
    there, flips, here = both(messages, np.sort(frames).tolist(), refresh)
    assert [(flip["name"], flip["sample"]) for flip in there["flips"]] == [(f["name"], f["sample"]) for f in flips]
    assert [flip["shown"] for flip in there["flips"]] == pytest.approx([flip["shown"] for flip in flips])
    for page, window in zip(there["seen"], here, strict=True):
        assert page["scene"] == window["scene"]
        assert page["lit"] == window["lit"]
        assert page["levels"] == pytest.approx(window["levels"])


def test_a_flicker_may_light_any_object():
    targets = [{"item": "up", "frequency": 15.0, "phase": 0.0}]
    event = Event(name="stimulus/flicker", time=1.0, sample=5, duration=2.0, data={"targets": targets, "depth": 1.0})
    message = {"type": "show", "time": 1.0, "event": event.to_dict(), "scene": None}
    frames = [0.9 + number / 60 for number in range(200)]
    there, _, _ = both([message], frames)
    light = np.array([frame["light"]["up"] for frame in there["seen"]])
    assert light[:5] == pytest.approx(0.5)
    assert light.max() == pytest.approx(1.0, abs=0.01)
    assert light.min() == pytest.approx(0.0, abs=0.01)
    # Four frames a period at 60 Hz.
    assert light[30:60] == pytest.approx(light[34:64], abs=1e-6)
    assert light[-5:] == pytest.approx(0.5)


def test_a_flicker_that_a_screen_cannot_show_does_not_leave_the_one_before():
    messages = []
    for number, frequency in enumerate((15.0, 40.0)):
        data = {"targets": [{"item": "up", "frequency": frequency, "phase": 0.0}], "depth": 1.0}
        event = Event(name="stimulus/flicker", time=1.0 + number, sample=number, duration=4.0, data=data)
        messages.append({"type": "show", "time": event.time, "event": event.to_dict(), "scene": None})
    frames = [0.9 + number / 60 for number in range(160)]
    there, _, here = both(messages, frames)
    assert [frame["levels"] for frame in there["seen"][80:]] == [{}] * 80
    assert [frame["levels"] for frame in here[80:]] == [{}] * 80


@pytest.mark.parametrize(
    ("target", "refresh", "levels"),
    [
        ({"frequency": 15.0, "phase": 0.0, "mode": "frame-period"}, 60.0, {0.1, 0.9}),
        ({"frequency": 12.0, "phase": 1.0, "mode": "frame-period"}, 60.0, {0.1, 0.9}),
        ({"frequency": 40.0, "phase": 0.0, "mode": "frame-period"}, 60.0, {0.5}),
        ({"frequency": 40.0, "phase": 0.0}, 60.0, {0.5}),
        ({"frequency": 1.0, "phase": 0.0, "code": "110100", "rate": 120.0}, 60.0, {0.5}),
        ({"frequency": 1.0, "phase": 0.0, "code": "110100", "rate": 60.0}, 59.94, {0.1, 0.9}),
    ],
)
def test_whole_periods_are_square_and_what_a_screen_cannot_show_is_not_shown_otherwise(target, refresh, levels):
    data = {"targets": [{"item": "up", **target}], "depth": 0.8}
    event = Event(name="stimulus/flicker", time=1.0, sample=5, duration=1.0, data=data)
    message = {"type": "show", "time": 1.0, "event": event.to_dict(), "scene": None}
    there, _, here = both([message], [1.1 + number / refresh for number in range(50)], refresh)
    seen = [frame["levels"].get("up", 0.5) for frame in there["seen"]]
    assert seen == pytest.approx([frame["levels"].get("up", 0.5) for frame in here])
    assert {round(level, 6) for level in seen[:45]} == levels
    if target.get("mode") and len(levels) > 1:
        ups = np.flatnonzero(np.diff(seen[:45]) > 0)
        assert set(np.diff(ups)) == {round(refresh / target["frequency"])}


@pytest.mark.parametrize("name", ["stimulus/flicker", "stimulus/flash"])
def test_a_stop_calls_off_what_would_begin_a_moment_later(name):
    targets = [{"item": "up", "frequency": 15.0, "phase": 0.0}]
    data = {"targets": targets, "depth": 0.8, "items": ["up"]}
    event = Event(name=name, time=1.0, sample=5, duration=1.0, data=data)
    messages = [
        {"type": "show", "time": 1.0, "event": event.to_dict(), "scene": None},
        {"type": "safe", "time": 1.05},
    ]
    there, _, here = both(messages, [1.0 + number / 60 for number in range(60)])
    for seen in (*there["seen"], *here):
        assert (seen["lit"], seen["levels"]) == ([], {})
    alone, _, _ = both(messages[:1], [1.0 + number / 60 for number in range(60)])
    assert any(seen["lit"] or seen["levels"] for seen in alone["seen"])


def test_the_menu_of_whole_periods_says_so_to_its_renderers():
    settings = {**SHORT.get("ssvep-menu", {}), "stimulation": "frame-period"}
    settings["targets"] = [{"name": name, "frequency": f} for name, f in (("up", 10.0), ("down", 12.0), ("left", 15.0))]
    seen = [event for event, _ in rehearse(make_paradigm({"base": "ssvep-menu", **settings}), seconds=60.0)]
    flickers = [event for event in seen if event.name == "stimulus/flicker"]
    assert flickers
    assert {target["mode"] for event in flickers for target in event.data["targets"]} == {"frame-period"}


def test_page_and_window_break_words_by_one_rule_and_where_the_writer_did():
    texts = ["line one\nline two\nline three", "a  \n\n b", "one two three four", "请想象握紧右手", "", "\n"]
    found = [break_lines(text, 90.0, 60.0, 30.0, lambda words, size: 0.5 * size * len(words)) for text in texts]
    assert [lines for _, lines in found[:2]] == [["line one", "line two", "line three"], ["a", "b"]]
    assert found[0][0] * LINE * 3 <= 60.0, "three lines fit into the box"
    script = f"""
    import {{ readFileSync }} from "node:fs";
    import {{ breakLines }} from "{WEB.as_posix()}/stage2d.js";
    const texts = JSON.parse(readFileSync(0, "utf-8"));
    const widthOf = (words, size) => 0.5 * size * words.length;
    console.log(JSON.stringify(texts.map((text) => breakLines(text, 90, 60, 30, widthOf))));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [(pytest.approx(size), lines) for size, lines in found] == [tuple(one) for one in json.loads(done.stdout)]


FILM = """
import { Stage2D } from "%s/stage2d.js";
const asked = [];
const written = [];
let later = null;
globalThis.window = {};
globalThis.Image = class { decode() { return Promise.resolve(); } };
globalThis.setTimeout = (action) => (later = action);
console.error = () => {};
globalThis.fetch = async (url) => (asked.push(url), { json: () => JSON.parse("There is no such page.") });
const pen = new Proxy({}, {
  get: (_, key) => (...given) => (key === "fillText" && written.push(given[0]), { width: 9 }), set: () => true,
});
const stage = new Stage2D({ clientWidth: 160, clientHeight: 90, getContext: () => pen }, "en", "No film");
const drawn = { en: [{ id: "film", do: "film", name: "/clinic/lift.gif", box: [0, 0, 1600, 900] }] };
const seen = [];
for (let number = 0; number < 20; number += 1) {
  stage.draw({ drawn, lit: new Map(), since: 0, levels: () => ({}) }, number / 60);
  await new Promise((done) => setImmediate(done));
  if (number === 9) {
    seen.push(asked.length);
    later();
  }
}
console.log(JSON.stringify({ asked: [...seen, asked.length], url: asked[0], written: [...new Set(written)] }));
"""


def test_a_film_that_cannot_be_had_is_asked_for_once_more_after_a_while_and_told():
    """Asked for in every frame, it would take the page's time, and nobody would know why the person sees nothing."""
    found = node(FILM)
    assert found == {"asked": [1, 2], "url": "/film/%2Fclinic%2Flift.gif.json", "written": ["No film"]}


MEASURED = """
import { Presenter } from "%s/presenter.js";
const [second, frequency] = process.argv.slice(1).map(Number);
const presenter = new Presenter({ report: () => {}, sound: () => true });
presenter.measured(60);
const code = [1, 0, 1, 1, 0, 0, 1];
const targets = frequency ? [{ item: "a", frequency, phase: 0 }] : [{ item: "a", code, rate: 30 }];
const shown = [];
for (let number = 0; number < 900; number += 1) {
  const now = 100 + number / 60;
  const event = { name: "stimulus/flicker", time: now, sample: 1, duration: 2, data: { targets } };
  if (number === 600) presenter.take({ event });
  if (number === 660) presenter.measured(second);
  presenter.frame(now);
  const level = presenter.levels().a;
  if (presenter.flicker !== null) shown.push(level);
}
console.log(JSON.stringify(shown));
"""


@pytest.mark.parametrize("frequency", [0, 10])
@pytest.mark.parametrize("second", [59.5, 60.5])
def test_a_rate_that_is_measured_anew_changes_no_flicker_and_lets_it_end_in_time(second, frequency):
    command = ["node", "--input-type=module", "-e", MEASURED % WEB.as_posix(), "--", str(second), str(frequency)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    # Two seconds as asked, and each level a number: a negative frame has no bit of a code.
    assert 118 <= len(shown) <= 123
    assert all(isinstance(level, int | float) and 0 <= level <= 1 for level in shown)
    if frequency:
        assert np.ptp(np.diff(shown)) < 1.0


def test_on_a_screen_that_is_too_slow_a_flicker_is_not_gone_on_with():
    command = ["node", "--input-type=module", "-e", MEASURED % WEB.as_posix(), "--", "30", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) < 60


TOO_LOW = """
import { Presenter } from "%s/presenter.js";
const shown = [];
const presenter = new Presenter({ report: (one) => one.type === "flip" && shown.push(one.shown), sound: () => true });
presenter.measured(40);
for (let number = 0; number < 330; number += 1) {
  if (number === 300) {
    presenter.measured(60);
    presenter.take({ event: { name: "stimulus/flash", time: 105, sample: 1, duration: 0.1, data: { items: ["a"] } } });
  }
  presenter.frame(100 + number / 60);
}
console.log(JSON.stringify([presenter.delay, ...shown]));
"""


def test_after_a_rate_that_was_measured_too_low_nothing_is_shown_early():
    command = ["node", "--input-type=module", "-e", TOO_LOW % WEB.as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    delay, shown = json.loads(done.stdout)
    assert shown - 105 == pytest.approx(delay, abs=1 / 60)


SPOKEN = """
const scene = { elements: [
  { kind: "matrix", rows: [], labels: [["NO", { en: "NO", zh: "不" }]], suggestions: ["水"] },
  { kind: "targets", targets: [{ item: "t1", words: { en: "Tea", zh: "茶" } }] },
] };
const said = [];
globalThis.location = { search: "?lang=zh" };
globalThis.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
globalThis.speechSynthesis = { cancel() {}, getVoices: () => [1], speak: (one) => said.push([one.lang, one.text]) };
const { sound } = await import("%s/sounds.js");
const choose = (item) => sound({ name: `select/${item}`, data: { item } }, scene, "zh");
const heard = ["left_hand", "_", "<", "NO", "t1", "#1", "#2", "A"].map(choose);
heard.push(sound({ name: "select/undo", data: { text: "" } }, scene, "zh"));
console.log(JSON.stringify([said, heard]));
"""


def test_a_choice_is_spoken_by_its_words_and_one_that_is_taken_back_asks_for_no_sound():
    command = ["node", "--input-type=module", "-e", SPOKEN % WEB.as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    said, heard = json.loads(done.stdout)
    assert {language for language, _ in said} == {"zh-CN"}
    assert [text for _, text in said] == ["左手", "空格", "退格", "不", "茶", "水", "A"]
    assert heard == [*[True] * 6, None, True, None]


REJOINED = """
import { Connection } from "%s/bcikit-client.js";
const sockets = [];
class Socket {
  constructor() { this.readyState = 1; this.sent = []; sockets.push(this); }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() {}
}
const link = new Connection("ws://there", { WebSocket: Socket, now: () => 50 });
const head = { v: 1, type: "clock", seq: 1, ttl_ms: 0 };
const answer = (t_mono) => ({ data: JSON.stringify({ ...head, sender: `${t_mono}`, t_mono, data: { t_client: 50 } }) });
const found = [];
const join = (t_mono) => {
  const socket = sockets.at(-1);
  socket.onopen();
  found.push(link.hostOffset);
  link.mark("one");
  found.push(socket.sent.filter(({ type }) => type === "marker").length);
  socket.onmessage(answer(t_mono));
  found.push(link.hostOffset, socket.sent.filter(({ type }) => type === "marker").map(({ t }) => t));
};
join(5050);
sockets.at(-1).onclose();
setTimeout(() => { join(60); console.log(JSON.stringify(found)); process.exit(0); }, 400);
"""


def test_after_joining_again_no_time_is_told_by_the_clock_of_the_host_before():
    command = ["node", "--input-type=module", "-e", REJOINED % WEB.as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [None, 0, 5000, [5050], None, 0, 10, [60]]


BACK = """
import { Presenter } from "%s/presenter.js";
const shown = [];
const reports = { flip: (one) => shown.push(one.shown - one.time) };
const presenter = new Presenter({ report: (one) => reports[one.type]?.(one), sound: () => true });
presenter.measured(60);
const take = (name, time, duration, data) => presenter.take({ event: { name, time, sample: 1, duration, data } });
const flash = (time) => take("stimulus/flash", time, 900, { items: ["a"] });
const flicker = (time) => take("stimulus/flicker", time, 2, { targets: [{ item: "a", frequency: 10, phase: 0 }] });
flash(5000);
flicker(5001);
for (let number = 0; number < 120; number += 1) presenter.frame(5000 + number / 60);
flash(5002); // the host goes down before it is shown
// What was sent meanwhile comes before the clocks are compared.
flash(100);
const before = shown.length;
const kept = [];
for (let number = 0; number < 600; number += 1) {
  const now = 100.05 + number / 60;
  presenter.frame(now);
  if (number === 0) kept.push(presenter.lit.size, presenter.flicker === null);
  // The first of each run of flashes says where its frames lie.
  if (number > 60 && number %% 20 === 0) flash(now);
  if (number === 400) flicker(now);
}
const dropped = presenter.dropped;
flicker(111);
for (const now of [111, 111.1, 111.1 + 1 / 60, 111.1 + 4 / 60]) presenter.frame(now);
const later = presenter.dropped - dropped;
console.log(JSON.stringify({ delay: presenter.delay, shown: shown.slice(before), kept, dropped, later }));
"""


def test_a_page_that_outlives_its_host_shows_by_the_clock_of_the_next_one():
    command = ["node", "--input-type=module", "-e", BACK % WEB.as_posix()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kept"] == [0, True], "nothing stays lit or flickers by a time that does not come any more"
    assert len(found["shown"]) == 29, "and what the host before had planned does not come hours later"
    assert found["shown"] == pytest.approx([found["delay"]] * 29, abs=1.01 / 60)
    assert (found["dropped"], found["later"]) == (0, 2)


BLOCKS = """
import { Presenter } from "%s/presenter.js";
const blocks = [];
const presenter = new Presenter({ report: (one) => one.type === "frames" && blocks.push(one), sound: () => true });
presenter.measured(60);
const targets = [{ item: "a", frequency: 10, phase: 0 }];
// A choice ends the first one early; the second one lasts until its time is over.
const plan = [["flicker", 101], ["off", 103.2], ["flicker", 105.9]];
for (let number = 0; number < 720; number += 1) {
  const now = 100 + number / 60;
  while (plan.length > 0 && plan[0][1] <= now) {
    const [name, time] = plan.shift();
    presenter.take({ event: { name: `stimulus/${name}`, time, sample: number, duration: 4, data: { targets } } });
  }
  presenter.frame(now);
}
console.log(JSON.stringify(blocks));
"""


def test_the_dark_time_between_two_flickers_is_no_dropped_frame():
    blocks = node(BLOCKS)
    times = np.concatenate([block["times"] for block in blocks])
    # Each flicker to its end, and nothing of the time between.
    assert len(times) == pytest.approx(60 * (2.2 + 4.0), abs=3)
    assert (np.diff(times) > 0.1).sum() == 1
    assert max(np.diff(block["times"]).max() for block in blocks) < 0.02
    flips = Flips(make_paradigm("ssvep-menu"), 250.0, 250.0)
    assert [flips.take(block) for block in blocks] == [None] * len(blocks)
    assert flips.dropped == 0


JOINED = """
import { SceneStimuli } from "%s/stimuli.js";
const said = [];
const link = { hostOffset: 0, send: (message) => said.push(message) };
const stimuli = new SceneStimuli(link, {}, { client: "scene" });
const joined = { type: "safe", data: { reason: "joined" } };
stimuli.hear(joined);
for (let number = 0; number < 60; number += 1) stimuli.frame(1e5 + (1000 * number) / 60);
stimuli.hear({ type: "safe", data: { reason: "stop" } });
stimuli.hear(joined);
console.log(JSON.stringify(said));
"""


def test_a_scene_that_joins_again_says_again_what_screen_it_is():
    said = node(JOINED)
    assert [(one["type"], one["client"], one["first"]) for one in said] == [("hello", "scene", True)] * 2
    assert [one["refresh"] for one in said] == pytest.approx([60.0, 60.0])
