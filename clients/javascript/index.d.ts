// Types of the package; the rules of the messages are in the JSON Schema that a session serves at /schema/v1.json.

export interface Envelope {
  v: number;
  type: "command" | "inform" | "safe" | "heartbeat" | "clock";
  sender: string;
  seq: number;
  t_mono: number;
  ttl_ms: number;
  informational: boolean;
  name: string;
  value: number | string | null;
  state: string;
  data: Record<string, unknown>;
}

export interface BciEvent {
  name: string;
  time: number;
  sample: number | null;
  value: number | string | null;
  duration: number;
  data: Record<string, unknown>;
}

export interface Show {
  event: BciEvent;
  scene: { version: number; name: string; elements: Array<Record<string, unknown>> } | null;
  drawn?: { back: string; en: Array<Record<string, unknown>>; zh: Array<Record<string, unknown>> };
}

export const VERSION: number;
export function read(text: string | Uint8Array): Envelope | null;

export class Receiver {
  counts: Record<"accepted" | "out_of_order" | "stale" | "malformed" | "expired", number>;
  state: string;
  command: Envelope | null;
  reset(): void;
  feed(text: string | Uint8Array, now: number): Envelope | null;
  tick(now: number): Envelope | null;
}

export interface ConnectionOptions {
  name?: string;
  onMessage?: (message: Envelope, now: number) => void;
  onLink?: (linked: boolean) => void;
  WebSocket?: new (url: string) => unknown;
  now?: () => number;
}

export interface Marker {
  /** Seconds on the connection's clock; now if left out. */
  time?: number;
  value?: number | string;
  duration?: number;
  data?: Record<string, unknown>;
}

export class Connection {
  constructor(url: string, options?: ConnectionOptions);
  receiver: Receiver;
  /** The host's clock minus this one in seconds, null until it is known. */
  hostOffset: number | null;
  now: () => number;
  mark(name: string, marker?: Marker): boolean;
  send(message: Record<string, unknown>): void;
  close(): void;
}

export class FrameClock {
  refresh: number;
  known: boolean;
  median: number;
  dropped: number;
  total: number;
  frame(time: number, counts?: boolean): void;
  forget(): void;
}

export function luminance(frame: number, frequency: number, refresh: number, phase: number, depth: number): number;

export interface FlickerTarget {
  item: string;
  frequency: number;
  phase: number;
  /** Bits that are shown one after the other, `rate` of them a second, in place of the frequency. */
  code?: string;
  rate?: number;
  /** Bright for half of each period and dark for the other, in whole frames; a sinusoid where it is left out. */
  mode?: "frame-period";
}

/** Whether a screen can show a target: every bit of its code, or its frequency. */
export function fits(target: FlickerTarget, refresh: number): boolean;
export function targetLuminance(frame: number, target: FlickerTarget, refresh: number, depth: number): number;

/** One flicker from its first frame to its last, with a record of what was shown when. */
export class Flicker {
  constructor(targets: FlickerTarget[], refresh: number, depth: number);
  targets: FlickerTarget[];
  /** Luminance of each target in the frame at `time` (seconds). */
  levels(time: number): number[];
  report(hostOffset: number | null): Record<string, unknown>;
}

export const DELAY: number;

export class Presenter {
  constructor(options?: {
    delay?: number;
    display?: string;
    report?: (message: Record<string, unknown>) => void;
    sound?: (event: BciEvent, scene: Show["scene"]) => boolean | null;
  });
  refresh: number;
  lit: Map<string, number>;
  closure: { left: number; right: number };
  changed: boolean;
  dropped: number;
  take(show: Show): void;
  measured(refresh: number): void;
  greet(first?: boolean): void;
  frame(now: number, command?: Envelope | null): BciEvent[];
  levels(): Record<string, number>;
  safe(): void;
}

export function lightObjects<T>(
  presenter: Presenter,
  objects: Record<string, T>,
  paint: (object: T, level: number, item: string) => void,
): void;

/** A mesh of three.js, as far as it is needed. */
export interface Lightable {
  material: {
    color: { setRGB(r: number, g: number, b: number, space?: string): unknown };
    emissive?: { setRGB(r: number, g: number, b: number, space?: string): unknown };
  };
}

export function lightMesh(mesh: Lightable, level: number): void;

/** P300 and SSVEP on any objects of a scene, each flip reported. */
export class SceneStimuli<T = Lightable> {
  constructor(
    link: Connection,
    objects: Record<string, T>,
    options?: { paint?: (object: T, level: number, item: string) => void; delay?: number; display?: string; client?: string },
  );
  presenter: Presenter;
  clock: FrameClock;
  hear(message: Envelope): void;
  frame(stamp: number, frame?: { predictedDisplayTime?: number }): void;
}
