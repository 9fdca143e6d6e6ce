// Frame-locked flicker: luminance is a function of the number of the frame, and the number follows the display's clock.

/** Finds the display's refresh rate from the times of its frames, and counts what was dropped. */
export class FrameClock {
  constructor() {
    this.refresh = 60;
    this.known = false;
    this.median = 0;
    this.dropped = 0;
    this.total = 0;
    this._recent = [];
    this._last = null;
  }

  /** Find the rate anew, because what is drawn has changed; until it is known, the rate so far counts. */
  forget() {
    this._recent = [];
  }

  /** Take the time of a frame in seconds; `counts` is false if this one or the one before it drew nothing. */
  frame(time, counts = true) {
    if (counts && this._last !== null) {
      const gap = time - this._last;
      this.total += 1;
      // A window that is covered gets a frame a second: that is nobody's rate. A slow machine's is told, however low.
      if (gap > 0 && gap < 0.9) {
        this._recent.push(gap);
        if (this._recent.length > 240) this._recent.shift();
      }
      if (this.known && gap > 1.5 / this.refresh) this.dropped += Math.round(gap * this.refresh) - 1;
    }
    this._last = time;
    if (this._recent.length >= 10 && this.total % 10 === 0) this._measure();
  }

  _measure() {
    const sorted = [...this._recent].sort((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    this.median = median;
    // The mean over whole frames is more exact than any one gap.
    let time = 0;
    let frames = 0;
    for (const gap of this._recent) {
      const count = Math.max(1, Math.round(gap / median));
      if (count <= 3) {
        time += gap;
        frames += count;
      }
    }
    if (frames > 0) this.refresh = frames / time;
    this.known = true;
  }
}

/** Luminance 0 to 1 of a frame: sampled sinusoid, L(n) = (1 + d sin(2 pi f n / R + phi)) / 2. */
export function luminance(frame, frequency, refresh, phase, depth) {
  return (1 + depth * Math.sin((2 * Math.PI * frequency * frame) / refresh + phase)) / 2;
}

/** Whether a screen can show a target: every bit of its code, or its frequency. */
export function fits(target, refresh) {
  return target.code ? target.rate <= refresh * 1.01 : 2 * target.frequency <= refresh * (1 + 1e-9);
}

/** Luminance of a target: of its code, bit floor(n rate / R), of its frequency, or of whole frames a period. */
export function targetLuminance(frame, target, refresh, depth) {
  if (target.code) {
    const bit = target.code[Math.floor((frame * target.rate) / refresh + 1e-6) % target.code.length];
    return (1 + depth * (bit === "1" ? 1 : -1)) / 2;
  }
  if (target.mode === "frame-period") {
    const period = Math.max(2, Math.round(refresh / target.frequency));
    const shift = ((target.phase ?? 0) / (2 * Math.PI)) * period;
    return (1 + depth * ((frame + shift) % period < period / 2 ? 1 : -1)) / 2;
  }
  return luminance(frame, target.frequency, refresh, target.phase ?? 0, depth);
}

/** One flicker from its first frame to its last, with a record of what was shown when. */
export class Flicker {
  constructor(targets, refresh, depth) {
    this.targets = targets;
    this.refresh = refresh;
    this.depth = depth;
    this.times = [];
    this.numbers = [];
  }

  /** Return the luminance of each target for the frame at `time` (seconds). */
  levels(time) {
    if (this.times.length === 0) this._onset = time;
    // Counted by the clock: a dropped frame leaves a hole and does not slow the flicker down.
    const number = Math.round((time - this._onset) * this.refresh);
    this.times.push(time);
    this.numbers.push(number);
    return this.targets.map((target) => targetLuminance(number, target, this.refresh, this.depth));
  }

  /** What is reported back: enough to measure frequency, jitter and dropped frames. */
  report(hostOffset) {
    const holes = this.numbers.slice(1).map((number, index) => number - this.numbers[index] - 1);
    return {
      refresh: this.refresh,
      depth: this.depth,
      frames: this.times.length,
      dropped: holes.reduce((sum, hole) => sum + Math.max(0, hole), 0),
      onset_host: hostOffset === null ? null : this._onset + hostOffset,
      targets: this.targets.map((target) => ({ item: target.item, frequency: target.frequency, phase: target.phase })),
      numbers: this.numbers.slice(0, 1200),
      times_ms: this.times.slice(0, 1200).map((time) => Math.round((time - this._onset) * 1e6) / 1e3),
    };
  }
}
