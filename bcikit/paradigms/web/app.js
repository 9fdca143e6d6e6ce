// The patient's page: draws what bcikit says, lets go when it falls silent, and reports when frames were shown.
import { Connection } from "/bcikit-client.js";
import { Flicker, FrameClock } from "/flicker.js";
import { buildScene, placeBall, spare } from "/scene.js";
import { wordsFor } from "/words.js";

const $ = (id) => document.getElementById(id);
const stage = buildScene($("view"));
const frames = new FrameClock();
const page = { moved: 0, command: null, linked: false, flicker: null, steering: null, lastAck: 0, reports: 0, selected: "" };
window.bcikit = { page, stage, frames };

const token = new URLSearchParams(location.search).get("token") ?? "";
const link = new Connection(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws?token=${encodeURIComponent(token)}`, {
  name: navigator.userAgent.slice(0, 120),
  onLink: (on) => {
    page.linked = on;
    $("link").className = on ? "on" : "off";
    $("link").querySelector("b").textContent = on ? "Connected" : "Not connected";
    if (!on) {
      say(["Please wait", "Connecting to the therapist's computer"]);
      endFlicker();
      look(false);
    }
  },
  onMessage: (message) => hear(message),
});
window.bcikit.link = link;

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

function hear(message) {
  if (message.state) $("safety").textContent = { ACTIVE: "Session running", STANDBY: "At rest" }[message.state] ?? message.state.toLowerCase().replaceAll("_", " ");
  if (message.type === "safe") endFlicker();
  if (message.type === "inform" && message.name === "event") onEvent(message.data);
  if (message.type === "command" && message.name === "select") {
    page.selected = String(message.value);
    toast(`Chosen: ${message.value}`);
  }
}

function onEvent(event) {
  const name = event.name ?? "";
  const words = wordsFor(name);
  if (words) say(words);
  if (["phase/fixation", "phase/prepare", "phase/imagery", "phase/attempt"].includes(name)) {
    look(false);
  }
  if (name === "phase/fixation") stage.ring.visible = true;
  if (name.startsWith("cue/")) {
    stage.ring.visible = false;
    stage.menu.ring(name.slice(4));
  }
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
  if (name === "assist/start") toast("The hand is helped now");
}

function startFlicker(event) {
  const targets = event.data?.targets ?? [];
  if (targets.length === 0) return;
  stage.menu.lay(targets);
  look(true);
  const fastest = Math.max(...targets.map((target) => target.frequency));
  if (frames.known && frames.refresh < 2 * fastest) {
    // Shown too slowly, a flicker turns into another one: better none.
    say(["Please call your therapist", "This screen is too slow for the targets"]);
    link.send({ type: "timing", client: "webxr", refresh: frames.refresh, frames: 0, refused: `${fastest} Hz` });
    return;
  }
  const depth = Math.min(Math.max(event.data.depth ?? 0.6, 0), 1);
  page.flicker = new Flicker(targets, frames.refresh, depth);
  // Never longer than asked for, even if nobody says that it is over.
  page.flickerEnds = link.now() + Math.min(event.duration || 4, 6);
}

/** Turn from the hands to the menu, or back; in front of the menu nothing else moves or shines. */
function look(atMenu) {
  stage.menu.show(atMenu);
  for (const part of [stage.hands, stage.ball, ...stage.room]) part.visible = !atMenu;
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

let last = null;
stage.renderer.setAnimationLoop((stamp) => {
  // The stamp is the time of the display's frame, the same clock as performance.now().
  const time = stamp / 1000;
  const seconds = last === null ? 0 : Math.min(time - last, 0.1);
  last = time;
  frames.frame(time);
  page.command = link.receiver.tick(link.now());
  obey(page.command);
  const left = stage.left.step(seconds);
  const right = stage.right.step(seconds);
  if (left || right) page.moved += 1;
  if (page.flicker !== null) {
    if (link.now() >= page.flickerEnds) endFlicker();
    else stage.menu.light(page.flicker.targets, page.flicker.levels(time));
  }
  if (!stage.menu.group.visible) placeBall(stage, page.steering);
  stage.renderer.shadowMap.needsUpdate = left || right || page.steering !== null || frames.total < 3;
  if (frames.total % 15 === 14) spare(stage, frames.median, 60);
  stage.renderer.render(stage.scene, stage.camera);
  if ((left || right) && page.command !== null && page.command.seq !== page.lastAck && link.hostOffset !== null) {
    page.lastAck = page.command.seq;
    link.send({ type: "ack", client: "webxr", seq: page.command.seq, t: link.now() + link.hostOffset });
  }
  if (frames.total % 60 === 0 && frames.known) {
    $("frames").textContent = `${frames.refresh.toFixed(1)} frames a second`;
  }
});

// A headset's browser offers to step in; the table then stands in front of the chair.
const enter = $("enter");
if (navigator.xr && (await navigator.xr.isSessionSupported("immersive-vr").catch(() => false))) {
  enter.hidden = false;
  enter.addEventListener("click", async () => {
    const session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["local-floor"] });
    stage.world.position.set(0, 0.85, -0.5);
    session.addEventListener("end", () => stage.world.position.set(0, 0, 0));
    await stage.renderer.xr.setSession(session);
  });
}
