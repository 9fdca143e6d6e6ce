// Which frame shows which stimulus: the same rules as bcikit.presentation.presenter and .show. It draws nothing, so that
// it can light any object of a scene: letters on a canvas, a mesh in three.js.
import { fits, targetLuminance } from "./flicker.js";

const OTHER = 0.05; // share by which a rate is that of another screen
const ANEW = 1; // seconds without a stimulus after which the next one may fall on any frame
export const DELAY = 0.1; // seconds from planned time to screen, the same for all
const MOST_TIMES = 120;
const CLOSING = ["close", "stimulate", "reward"];
const SIDES = { left_hand: "left", left: "left", right_hand: "right", right: "right", both_hands: "both", fists: "both", both_fists: "both" };

export class Presenter {
  /**
   * @param {{delay?: number, display?: string, report?: Function, sound?: Function}} options `report` takes "hello", "flip",
   * "frames", "sounded"; `sound` sounds what an event asks for: whether it is heard, null where there is nothing to hear.
   */
  constructor(options = {}) {
    this.delay = options.delay ?? DELAY;
    this.report = options.report ?? (() => {});
    this.sound = options.sound ?? (() => null);
    this.display = options.display ?? ""; // by which its correction is kept
    this.refresh = 60;
    this.scene = null;
    this.drawn = null;
    this.lit = new Map();
    this.value = 0;
    this.position = 0;
    this.height = 0;
    this.closure = { left: 0, right: 0 };
    this.since = 0;
    this.patch = false;
    this.changed = true;
    this.dropped = 0;
    this.flicker = null;
    this._waiting = [];
    this._zero = null;
    this._anchor = null;
    this._newest = 0;
    this._last = null;
    this._lastTime = null;
    this._times = [];
    this._known = false;
  }

  /** Take a "show" message; times in it are of the host's clock, and so is `now` everywhere here. */
  take(message) {
    const { event, scene, drawn } = message;
    if (event.name === "feedback/update" && !scene) {
      if (typeof event.value === "number") this.value = event.value;
      if (typeof event.data?.position === "number") this.position = event.data.position;
      if (typeof event.data?.height === "number") this.height = event.data.height;
      this.changed = true;
      return;
    }
    this._waiting.push({ frame: this._frameFor(event.time + this.delay), event, scene, drawn });
    this._waiting.sort((a, b) => a.frame - b.frame);
  }

  _frameFor(time) {
    this._zero ??= time;
    if (this._anchor === null || Math.abs(time - this._newest) > ANEW) this._anchor = [time, Math.round((time - this._zero) * this.refresh)];
    this._newest = time;
    return this._anchor[1] + Math.round((time - this._anchor[0]) * this.refresh);
  }

  /** The refresh rate that was measured; what waits is placed anew. */
  measured(refresh) {
    if (this._known && Math.abs(refresh - this.refresh) < 0.001 * refresh) return;
    const first = !this._known; // a page that was loaded again says so
    this._known = true;
    const waiting = this._waiting;
    const old = this.refresh;
    this.refresh = refresh;
    this._waiting = [];
    this._anchor = null;
    if (this._zero !== null && this._last !== null) {
      // The newest frame is number 0, at its own time: by a rate that was too low its number had run ahead, and what is
      // planned would be shown early for ever. What flickers goes on where it was, for as long as it was to.
      this._zero = this._lastTime;
      if (this.flicker !== null) this.flicker.onset = -Math.round(((this._last - this.flicker.onset) / old) * refresh);
      this._last = 0;
    } else {
      this._zero = this._last = null;
    }
    // A screen of another rate, and no better estimate of the same: shown too slowly, a flicker turns into another one.
    if (Math.abs(refresh - old) > OTHER * old && this.flicker?.targets.some((target) => !fits(target, refresh))) this.flicker = null;
    for (const item of waiting) this._waiting.push({ ...item, frame: this._frameFor(item.event.time + this.delay) });
    this.greet(first);
  }

  /** Say what screen this is, once its rate is known; a session that is joined anew has not heard it. */
  greet(first = true) {
    if (!this._known) return;
    this.report({ type: "hello", refresh: this.refresh, delay: this.delay, first, ...(this.display ? { display: this.display } : {}) });
  }

  /** The host's clock went back, as it does with a host that was started anew: what it had planned is over, what waits is placed anew. */
  _restart(now) {
    // What is due long after now is of the clock before.
    const waiting = this._waiting.filter(({ event }) => event.time <= now + ANEW);
    this._zero = now;
    this._last = this._lastTime = this._anchor = this.flicker = null;
    this.lit.clear();
    this.since = Math.min(this.since, now);
    this._times = [];
    this._waiting = waiting.map((item) => ({ ...item, frame: this._frameFor(item.event.time + this.delay) }));
    this.changed = true;
  }

  /** Go on to the frame of `now` (seconds on the host's clock); returns the events that begin with it. */
  frame(now, command = null) {
    if (this._lastTime !== null && now < this._lastTime - ANEW) this._restart(now);
    this._zero ??= now;
    let number = Math.round((now - this._zero) * this.refresh);
    if (this._last !== null) {
      number = Math.max(number, this._last + 1);
      if (this.flicker !== null) this.dropped += number - this._last - 1;
    }
    this._last = number;
    const begun = [];
    while (this._waiting.length > 0 && this._waiting[0].frame <= number) {
      const item = this._waiting.shift();
      this._begin(item, number, now);
      begun.push(item.event);
      const { name, sample, time } = item.event;
      const audible = this.sound(item.event, this.scene);
      // What is to be heard has taken place when it was heard.
      const heard = name === "stimulus/tone" || name.startsWith("sound/");
      if (Number.isInteger(sample) && (audible || !heard)) this.report({ type: "flip", name, sample, time, shown: now });
    }
    for (const [item, end] of this.lit) {
      if (end <= now + 0.5 / this.refresh) {
        this.lit.delete(item);
        this.changed = true;
      }
    }
    if (begun.length > 0 || this.flicker !== null || this._moves()) this.changed = true;
    if (this.flicker !== null && number - this.flicker.onset >= this.flicker.seconds * this.refresh) this.flicker = null;
    this._count(now);
    this._move(now, command);
    return begun;
  }

  _begin({ event, scene, drawn }, number, now) {
    if (scene) {
      const timed = (one) => JSON.stringify((one?.elements ?? []).filter(({ kind }) => kind === "rest" || kind === "film"));
      const kinds = (one) => (one?.elements ?? []).map(({ kind }) => kind).join();
      if (kinds(scene) !== kinds(this.scene)) this.value = this.position = this.height = 0;
      if (timed(scene) !== timed(this.scene)) this.since = now;
      this.scene = scene;
      this.drawn = drawn ?? null;
    }
    if (event.name === "stimulus/flash") {
      this.lit = new Map((event.data?.items ?? []).map((item) => [item, now + event.duration]));
      this.patch = !this.patch;
    } else if (event.name === "stimulus/flicker") {
      const targets = event.data?.targets ?? [];
      if (targets.length > 0 && targets.every((target) => fits(target, this.refresh))) {
        // Never longer than asked for, even if nobody says that it is over.
        const seconds = Math.min(event.duration || 4, 6);
        this.flicker = { targets, onset: number, seconds, depth: Math.min(Math.max(event.data.depth ?? 0.6, 0), 1) };
      } else {
        // What the screen cannot show is not shown, and it is not the one before either.
        this.flicker = null;
      }
      this.patch = true;
    } else if (event.name === "stimulus/lead-brake" || event.name === "stimulus/video") {
      this.patch = true;
    } else if (["stimulus/off", "trial/end", "label/cruise"].includes(event.name)) {
      this.flicker = event.name === "stimulus/off" ? null : this.flicker;
      this.patch = false;
    }
  }

  /** Nothing is lit and nothing flickers from now on. */
  safe() {
    this.lit.clear();
    this.flicker = null;
    // What was planned a moment ago would begin now; a scene that was to come with it stays.
    const lights = ({ event }) => event.name === "stimulus/flicker" || event.name === "stimulus/flash";
    this._waiting = this._waiting
      .filter((item) => !lights(item) || item.scene)
      .map((item) => (lights(item) ? { ...item, event: { ...item.event, name: "stimulus/off" } } : item));
    this.changed = true;
  }

  /** Luminance 0 to 1 of each target in this frame, by its name; empty where nothing flickers. */
  levels() {
    if (this.flicker === null || this._last === null) return {};
    const { targets, onset, depth } = this.flicker;
    const frame = this._last - onset;
    return Object.fromEntries(
      targets.map((target) => [target.item, targetLuminance(frame, target, this.refresh, depth)]),
    );
  }

  /** Minutes and seconds that are left of a break of `seconds`. */
  countdown(seconds, now) {
    const left = Math.max(0, Math.round(seconds - (now - this.since)));
    return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  }

  _count(now) {
    if (this.flicker !== null) this._times.push(now);
    // The end of a flicker ends its block: the dark time until the next one is no frame that was dropped.
    if (this._times.length >= MOST_TIMES || (this.flicker === null && this._times.length > 0)) {
      this.report({ type: "frames", refresh: this.refresh, times: this._times });
      this._times = [];
    }
  }

  _moves() {
    return (this.scene?.elements ?? []).some(({ kind }) => ["film", "road", "rest"].includes(kind));
  }

  _move(now, command) {
    const seconds = this._lastTime === null ? 0 : Math.min(now - this._lastTime, 0.1);
    this._lastTime = now;
    const closes = command !== null && CLOSING.includes(command.name);
    const share = typeof command?.value === "number" ? Math.min(1, Math.max(0, command.value)) : 1;
    const side = SIDES[String(command?.data?.class ?? "")] ?? "right";
    for (const hand of ["left", "right"]) {
      const wanted = closes && (side === hand || side === "both") ? share : 0;
      const step = (wanted - this.closure[hand]) * Math.min(1, 12 * seconds);
      if (Math.abs(wanted - this.closure[hand]) > 0.002) this.changed = true;
      this.closure[hand] = Math.abs(step) < 0.0005 ? wanted : this.closure[hand] + step;
    }
  }
}

/**
 * Light objects of any scene by what a presenter says: call it each frame.
 * @param {Presenter} presenter
 * @param {Record<string, object>} objects item to anything
 * @param {(object: object, level: number, item: string) => void} paint `level` is a luminance of 0 to 1; 0.5 is rest
 */
export function lightObjects(presenter, objects, paint) {
  const levels = presenter.levels();
  for (const [item, object] of Object.entries(objects)) paint(object, levels[item] ?? (presenter.lit.has(item) ? 1 : 0.5), item);
}
