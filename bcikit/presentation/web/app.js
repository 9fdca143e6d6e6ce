// The patient's page: draws what bcikit says, lets go when it falls silent, and reports when frames were shown.
import { Connection } from "/bcikit-client.js";
import { fits, Flicker, FrameClock } from "/flicker.js";
import { Headset } from "/headset.js";
import { Presenter } from "/presenter.js";
import { silence, sound } from "/sounds.js";
import { Stage2D } from "/stage2d.js";
import { buildScene, enterRoom, placeBall, refine, spare } from "/scene.js";
import { language, stateWords, title, words, wordsFor } from "/words.js";

const $ = (id) => document.getElementById(id);
const stage = buildScene($("view"));
const frames = new FrameClock();
const page = {
  frame: 0, changed: true, drawn: false, stillSince: 0, still: false, moved: 0, command: null, heard: null, linked: false, flicker: null, steering: null,
  cue: "", late: 0, lastAck: 0, reports: 0, selected: "",
};
const asked = new URLSearchParams(location.search);
const display = `browser ${screen.width}x${screen.height}`;
// What was shown or sounded at a time says how well the page knows the time; what was drawn late in its frame, so much less.
const report = (message) => {
  const uncertainty = link.uncertainty + (message.type === "flip" ? page.late : 0);
  link.send({ client: "page", ...("shown" in message ? { uncertainty } : {}), ...message });
};
const presenter = new Presenter({ display, report, sound: hearing });
const scenes = new Stage2D($("stage"), language, words.noFilm);
scenes.patch = asked.get("patch") === "1";
window.bcikit = { page, stage, frames, presenter, scenes };

const token = asked.get("token") ?? "";
const link = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws?token=${encodeURIComponent(token)}`, {
  name: navigator.userAgent.slice(0, 120),
  onLink: (on) => {
    page.linked = on;
    document.body.classList.toggle("linked", on);
    if (on) {
      $("code").hidden = true;
      if (frames.known) link.send({ client: "page", type: "hello", refresh: frames.refresh, delay: presenter.delay, display: presenter.display, first: true });
    } else {
      presenter.safe();
      askForCode();
    }
    page.lastAck = 0;
    showLink(on);
    if (!on) {
      say(words.waiting);
      endFlicker();
      look(false);
    }
  },
  onMessage: (message, now) => hear(message, now),
});
const headset = new Headset(stage, link, scenes);
Object.assign(window.bcikit, { link, headset });

document.documentElement.lang = language;
$("enter").textContent = words.enter;
showLink(false);
say(words.waiting);

/** Who has no token, or an old one, is asked for the code that stands on the therapist's screen. */
async function askForCode() {
  if (token !== "" || page.everLinked) return;
  const [label, button] = words.code;
  $("code").querySelector("label").textContent = label;
  $("code").querySelector("button").textContent = button;
  $("code").hidden = false;
}

function showLink(on) {
  $("link").className = on ? "on" : "off";
  $("link").querySelector("b").textContent = on ? words.connected : words.notConnected;
}

function say([small, large]) {
  $("phase").textContent = small;
  $("instruction").textContent = large;
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").className = "on";
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => ($("toast").className = ""), 1800);
}

function hear(message, now) {
  if (message.state) $("safety").textContent = stateWords(message.state);
  if (message.type === "safe") {
    endFlicker();
    presenter.safe();
  }
  if (message.type === "inform" && message.name === "show") onShow(message.data);
  if (message.type === "inform" && message.name === "event") onEvent(message.data);
  if (message.type === "command") page.heard = { now, frame: page.frame };
  if (message.type === "command" && message.name === "select") {
    page.selected = String(message.value);
    toast(words.chosen + title(message.value));
  }
}

/** From its first scene on, a session is seen as its scenes. */
function onShow(shown) {
  page.everLinked = true;
  presenter.take(shown);
  if (!$("stage").hidden) return;
  $("stage").hidden = false;
  document.body.classList.add("scenes");
}

/** Sound what an event asks for, and say whether it was heard. */
function hearing(event, scene) {
  const audible = sound(event, scene, language);
  if (audible === null) return null;
  const { name, sample, time } = event;
  report({ type: "sounded", name, sample, time, shown: link.now() + link.hostOffset, audible, ...(audible ? {} : { why: silence(event) }) });
  return audible;
}

/** Draw the frame of the scenes; returns whether the session is seen that way. */
function drawScenes(time) {
  if ($("stage").hidden || link.hostOffset === null) return false;
  const now = time + link.hostOffset;
  page.late = Math.max(0, link.now() - time);
  if (frames.known) presenter.measured(frames.refresh);
  presenter.frame(now, page.command);
  if (presenter.changed) {
    scenes.draw(presenter, now);
    presenter.changed = false;
    stage.board.refresh();
  }
  return true;
}

function onEvent(event) {
  const name = event.name ?? "";
  page.changed = true;
  if (name.startsWith("cue/")) page.cue = name.slice(4);
  if (name === "trial/end" || name === "phase/rest") page.cue = "";
  const words = wordsFor(name, page.cue);
  if (words) say(words);
  if (name === "phase/gaze" && event.data?.targets) {
    stage.menu.lay(event.data.targets);
    look(true);
  }
  if (["phase/fixation", "phase/prepare", "phase/imagery", "phase/attempt"].includes(name)) {
    look(false);
  }
  if (name === "phase/fixation") stage.ring.visible = true;
  if (name.startsWith("cue/")) {
    stage.ring.visible = false;
  }
  stage.menu.ring(page.cue);
  if (name === "feedback/start") $("meter").className = "on";
  if (name === "feedback/update" && typeof event.value === "number") {
    $("meter-fill").style.transform = `scaleX(${Math.min(1, Math.max(0, event.value))})`;
    if (typeof event.data?.position === "number") page.steering = event.data.position;
  }
  if (name === "feedback/end" || name === "trial/end") {
    $("meter").className = "";
    page.steering = null;
  }
  if (name === "stimulus/flicker") startFlicker(event);
  if (name === "stimulus/off") endFlicker();
  if (name === "assist/start") toast(words.helped);
}

function startFlicker(event) {
  const targets = event.data?.targets ?? [];
  if (targets.length === 0) return;
  stage.menu.lay(targets);
  look(true);
  const unfit = targets.find((target) => !fits(target, frames.refresh));
  if (frames.known && unfit) {
    // Shown too slowly, a flicker turns into another one: better none.
    say(words.tooSlow);
    link.send({ type: "timing", client: "webxr", refresh: frames.refresh, frames: 0, refused: unfit.code ? `${unfit.rate} bits/s` : `${unfit.frequency} Hz` });
    return;
  }
  const depth = Math.min(Math.max(event.data.depth ?? 0.6, 0), 1);
  page.flicker = new Flicker(targets, frames.refresh, depth);
  // Never longer than asked for, even if nobody says that it is over.
  page.flickerEnds = link.now() + Math.min(event.duration || 4, 6);
}

/** Turn from the hands to the menu, or back; in front of the menu nothing else moves or shines. */
function look(atMenu) {
  page.changed = true;
  // The menu takes less to draw than the room, so the rate of the frames is found anew.
  if (atMenu !== stage.menu.group.visible) frames.forget();
  stage.menu.show(atMenu);
  stage.canvas.className = atMenu ? "menu" : "";
  for (const part of [stage.hands, stage.ball]) part.visible = !atMenu;
  stage.ball.shade.visible = false;
  if (atMenu) stage.ring.visible = false;
}

function endFlicker() {
  if (page.flicker === null) return;
  const report = page.flicker.report(link.hostOffset);
  page.flicker = null;
  stage.menu.grey();
  if (report.frames > 1) {
    link.send({ type: "timing", client: "webxr", ...report });
    page.reports += 1;
  }
}

/** Which hands a command is for, by the class that was decided. */
function handsFor(command) {
  const what = String(command?.data?.class ?? "");
  if (what.includes("left")) return [stage.left];
  if (what.includes("both") || what.includes("fist")) return [stage.left, stage.right];
  return [stage.right];
}

function obey(command) {
  stage.left.target = 0;
  stage.right.target = 0;
  if (command === null) return;
  const closes = command.name === "close" || command.name === "stimulate" || command.name === "reward";
  const value = typeof command.value === "number" ? Math.min(1, Math.max(0, command.value)) : 1;
  if (closes) for (const hand of handsFor(command)) hand.target = value;
}

/** Call `done` with the time when what was drawn just now is finished, not only asked for. */
function whenDrawn(done) {
  const gl = stage.renderer.getContext();
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  const ask = () => {
    if (fence !== null && gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) setTimeout(ask, 1);
    else done(link.now());
  };
  setTimeout(ask, 1);
}

/** Tell bcikit when a command was first seen: when it was heard, how many frames later it was drawn, and when that was done. */
function acknowledge(command) {
  const { hostOffset } = link;
  if (command.seq === page.lastAck || hostOffset === null) return;
  page.lastAck = command.seq;
  const { now: heard, frame } = page.heard;
  const later = page.frame - frame;
  whenDrawn((now) => {
    const what = { seq: command.seq, t: now + hostOffset, heard: heard + hostOffset, frames: later };
    link.send({ type: "ack", client: "webxr", ...what });
  });
}

const WARM_UP = 46; // frames
const STILL = 0.5; // seconds after which what rests is drawn once more, as finely as the screen can show it

let last = null;
stage.renderer.setAnimationLoop((stamp, frame) => {
  // The stamp is the time of the display's frame, the same clock as performance.now(); a headset knows when it will be seen.
  const time = (frame?.predictedDisplayTime ?? stamp) / 1000;
  if (frame) headset.frame(frame, time, frames.refresh);
  const seconds = last === null ? 0 : Math.min(time - last, 0.1);
  last = time;
  page.frame += 1;
  page.command = link.receiver.tick(link.now());
  obey(page.command);
  const hands = [stage.left, stage.right];
  const before = hands.map((hand) => hand.closure);
  const moving = hands.map((hand) => hand.step(seconds)).includes(true);
  const closing = hands.some((hand, index) => hand.closure > before[index]);
  if (moving) page.moved += 1;
  if (page.flicker !== null) {
    if (link.now() >= page.flickerEnds) endFlicker();
    else stage.menu.light(page.flicker.targets, page.flicker.levels(time));
  }
  if (drawScenes(time) && !stage.renderer.xr.isPresenting) {
    frames.frame(time);
    if (closing && page.command !== null) acknowledge(page.command);
    return;
  }
  const atMenu = stage.menu.group.visible;
  if (!atMenu) placeBall(stage, page.steering);
  // What looks the same is not drawn again: nothing is then under way that a movement would have to wait for. The first
  // frames are all drawn, so that the pace is known before anybody waits for it.
  const draw = moving || atMenu || page.changed || frames.total < WARM_UP || stage.renderer.xr.isPresenting;
  const counts = page.drawn && draw;
  frames.frame(time, counts);
  if (draw) {
    page.stillSince = time;
    page.still = false;
    refine(stage, false);
    stage.renderer.render(stage.scene, stage.camera);
    if (counts && frames.total % 15 === 14 && spare(stage, frames.median, 60)) frames.forget();
  } else if (!page.still && time - page.stillSince > STILL) {
    page.still = true;
    refine(stage, true);
    stage.renderer.render(stage.scene, stage.camera);
  }
  page.drawn = draw;
  page.changed = false;
  if (closing && page.command !== null) acknowledge(page.command);
  if (draw && frames.total % 60 === 0 && frames.known) {
    $("frames").textContent = frames.refresh.toFixed(1) + words.frames;
  }
});
window.addEventListener("resize", () => (page.changed = presenter.changed = true));

// The keys that stop in every window stop from this page, too: before anything else sees them, and also while somebody
// writes (F12, Ctrl+Shift+Space). What came of it is said by the state that the session then sends.
window.addEventListener("keydown", (event) => {
  const chord = event.key === "F12" || (event.code === "Space" && event.ctrlKey && event.shiftKey);
  const writing = event.target instanceof HTMLInputElement;
  if (!chord && event.key !== "Escape" && (event.code !== "Space" || writing)) return;
  event.preventDefault();
  if (event.repeat) return;
  link.send({ type: "stop", client: "page" });
}, { capture: true });

// A headset's browser offers to step in; the table then stands in front of the chair.
const enter = $("enter");
async function stepIn() {
  const presenting = stage.renderer.xr.getSession();
  if (presenting !== null) return presenting.end();
  try {
    const session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["local-floor", "hand-tracking"] });
    session.addEventListener("end", () => inRoom(false));
    await stage.renderer.xr.setSession(session);
    headset.enter(session, stage.renderer.xr.getReferenceSpace());
    inRoom(true);
  } catch (error) {
    toast(words.noHeadset);
    console.warn(error);
  }
}

function inRoom(inside) {
  // Another display, with a correction of its own.
  presenter.display = inside ? "headset" : display;
  enter.textContent = inside ? words.leave : words.enter;
  stage.world.position.set(0, inside ? 0.85 : 0, inside ? -0.5 : 0);
  enterRoom(stage, inside);
  stage.board.hang(inside && !$("stage").hidden ? $("stage") : null);
  frames.forget();
  page.changed = true;
  // Also where its rate is that of the display before.
  presenter.greet(false);
}

if (navigator.xr && (await navigator.xr.isSessionSupported("immersive-vr").catch(() => false))) {
  enter.hidden = false;
  enter.addEventListener("click", stepIn);
}
