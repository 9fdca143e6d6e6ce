// Reference client of bcikit for browsers and Node: receives commands and lets go in time.
// The rules are the same in every language; clients/README.md in the source tree states them.

export const VERSION = 1;
const DRIFT = 1e-4; // share by which the estimate of the shortest way may grow, so that drifting clocks are followed
const SILENCE = 3; // seconds without a sign of life (there is one a second) after which a connection is taken for lost
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const isNumber = (value, low = -Infinity, high = Infinity) => typeof value === "number" && value >= low && value <= high;

function finite(key, value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`${key} is too large`);
  return value;
}

/** Return a message, or null if it is none: strict JSON in UTF-8 (a string or bytes); of two equal names the last one counts. */
export function read(text) {
  let message;
  try {
    message = JSON.parse(typeof text === "string" ? text : UTF8.decode(text), finite);
  } catch {
    return null;
  }
  const good =
    message !== null && typeof message === "object" && message.v === VERSION &&
    Number.isSafeInteger(message.seq) && message.seq >= 1 && isNumber(message.t_mono) && isNumber(message.ttl_ms) &&
    typeof message.type === "string" && typeof message.sender === "string";
  if (!good) return null;
  if (message.type === "command") {
    const { value } = message;
    const known = value === null || value === undefined || typeof value === "string" || isNumber(value);
    if (typeof message.name !== "string" || !isNumber(message.ttl_ms, 0, 60_000) || !known) return null;
  }
  return message;
}

/** Decides which command is in force. Times are seconds on any clock that only goes forward. */
export class Receiver {
  constructor() {
    this.counts = { accepted: 0, out_of_order: 0, stale: 0, malformed: 0, expired: 0 };
    this.state = "";
    this.reset();
  }

  /** Forget the connection: call it when a new one begins or the old one is lost. */
  reset() {
    this._gone = [];
    this._sender = null;
    this._begin(null);
  }

  _begin(sender) {
    if (this._sender !== null) this._gone = [...this._gone.slice(-15), this._sender];
    this._sender = sender;
    this.command = null;
    this._sequence = 0;
    this._way = null;
    this._heard = 0;
    this._expires = 0;
  }

  /** Take one message that arrived at `now`; returns it if it was understood and in order, else null. */
  feed(text, now) {
    const message = read(text);
    if (message === null) {
      this.counts.malformed += 1;
      return null;
    }
    if (this._gone.includes(message.sender) || (message.sender === this._sender && message.seq <= this._sequence)) {
      this.counts.out_of_order += 1;
      return null;
    }
    if (message.sender !== this._sender) this._begin(message.sender);
    this._sequence = message.seq;
    if (typeof message.state === "string") this.state = message.state;
    // The answer to "clock" tells the host's clock, which need not be the one that the session runs on.
    if (message.type === "clock") return message;
    const way = now - message.t_mono;
    const grown = this._way === null ? way : this._way + DRIFT * (now - this._heard);
    this._way = Math.min(way, grown);
    this._heard = now;
    if (message.type === "command") {
      const left = message.ttl_ms / 1000 - (way - this._way);
      if (left <= 0 || message.informational !== false) {
        this.counts.stale += 1;
        return null;
      }
      this.counts.accepted += 1;
      this.command = message;
      this._expires = now + left;
    } else if (message.type === "safe") {
      this.command = null;
    }
    return message;
  }

  /** Return the command in force, or null; call it every frame. */
  tick(now) {
    if (this.command !== null && now >= this._expires) {
      this.command = null;
      this.counts.expired += 1;
    }
    return this.command;
  }
}

/**
 * Connect to bcikit and stay connected. In Node pass `WebSocket` from the package "ws".
 * @param {string} url ws://host:port/ws?token=...
 * @param {{name?: string, onMessage?: Function, onLink?: Function, WebSocket?: Function, now?: Function}} options
 */
export class Connection {
  constructor(url, options = {}) {
    this.url = url;
    this.receiver = new Receiver();
    this.now = options.now ?? (() => performance.now() / 1000);
    this.hostOffset = null; // host clock minus this clock, from the quickest answer so far
    this._best = Infinity;
    this._marks = []; // markers that wait for the clocks to be compared
    this._options = options;
    this._wait = 0.25;
    this._closed = false;
    this._open();
  }

  _open() {
    const Socket = this._options.WebSocket ?? globalThis.WebSocket;
    const socket = new Socket(this.url);
    this._socket = socket;
    this._lastHeard = this.now();
    socket.onopen = () => {
      this._wait = 0.25;
      this.receiver.reset();
      // It may be another host, or one that was started anew: its clock is not known yet.
      this._best = Infinity;
      this.hostOffset = null;
      this.send({ type: "hello", client: this._options.name ?? "javascript" });
      this._askTime();
      this._options.onLink?.(true);
    };
    socket.onmessage = (event) => {
      const now = this.now();
      this._lastHeard = now;
      const message = this.receiver.feed(event.data, now);
      if (message === null) return;
      if (message.type === "clock") {
        this._placeClock(message, now);
        for (const [name, marker] of this._marks.splice(0)) this.mark(name, marker);
      }
      this._options.onMessage?.(message, now);
    };
    socket.onclose = () => this._lost();
    socket.onerror = () => {};
    clearInterval(this._watch);
    this._watch = setInterval(() => {
      // A network that went away closes nothing: its silence has to tell.
      if (this.now() - this._lastHeard > SILENCE) this._lost();
    }, 500);
  }

  _lost() {
    const socket = this._socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    clearInterval(this._watch);
    clearTimeout(this._clockTimer);
    this.receiver.reset();
    this._options.onLink?.(false);
    if (this._closed) return;
    this._timer = setTimeout(() => this._open(), this._wait * 1000);
    this._wait = Math.min(this._wait * 2, 2);
  }

  _askTime() {
    this.send({ type: "clock", t: this.now() });
    clearTimeout(this._clockTimer);
    this._clockTimer = setTimeout(() => this._askTime(), this._best < 0.005 ? 5000 : 500);
  }

  /** Seconds by which `hostOffset` may be wrong at most: half of the quickest way there and back. */
  get uncertainty() {
    return this._best / 2;
  }

  _placeClock(message, now) {
    const trip = now - message.data.t_client;
    if (trip <= this._best) {
      this._best = trip;
      this.hostOffset = message.t_mono - (message.data.t_client + now) / 2;
    } else {
      this._best *= 1.01; // follow drift slowly
    }
  }

  /**
   * Put a marker of an experiment into the recording, on the sample that was taken at its time.
   * @param {string} name
   * @param {{time?: number, value?: number | string, duration?: number, data?: object}} options `time` in seconds on the
   * clock of this connection (performance.now() / 1000 in a browser); now if left out
   * @returns {boolean} whether it was sent; before the clocks are compared it waits, and is sent then
   */
  mark(name, { time = this.now(), ...more } = {}) {
    if (this.hostOffset === null || this._socket?.readyState !== 1) {
      this._marks.push([name, { time, ...more }]);
      return false;
    }
    this.send({ type: "marker", client: this._options.name ?? "javascript", name, t: time + this.hostOffset, uncertainty: this.uncertainty, ...more });
    return true;
  }

  /** Tell bcikit something: "timing", "ack"; "stop" stops the session, and nothing that is sent moves anything. */
  send(message) {
    if (this._socket?.readyState === 1) this._socket.send(JSON.stringify(message));
  }

  close() {
    this._closed = true;
    clearTimeout(this._timer);
    this._lost();
  }
}
