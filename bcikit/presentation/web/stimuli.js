// P300 and SSVEP on any objects of a scene of your own (three.js, or anything that takes a level of light): flashes and flicker
// locked to its frames, each flip reported, so that bcikit cuts its windows at what was seen.
import { FrameClock } from "./flicker.js";
import { Presenter, lightObjects } from "./presenter.js";

/** Give a three.js mesh a level of light (0 to 1); its material shines by itself and is not tone-mapped. */
export function lightMesh(mesh, level) {
  const { color, emissive } = mesh.material;
  (emissive ?? color).setRGB(level, level, level, "srgb-linear");
}

export class SceneStimuli {
  /**
   * @param {object} link a Connection; give its messages to `hear`
   * @param {Record<string, object>} objects item of the paradigm ("A", "up") to an object of the scene
   * @param {{paint?: Function, delay?: number, display?: string, client?: string}} options `paint(object, level, item)`, for
   * three.js if left out
   */
  constructor(link, objects, { paint = lightMesh, delay, display = "a scene of its own", client = "page" } = {}) {
    Object.assign(this, { link, objects, paint });
    this.clock = new FrameClock();
    this.presenter = new Presenter({ delay, display, report: (message) => link.send({ client, ...message }) });
  }

  /** Take a message of the connection (its `onMessage`). */
  hear(message) {
    if (message.type === "inform" && message.name === "show") this.presenter.take(message.data);
    if (message.type !== "safe") return;
    this.presenter.safe();
    if (message.data?.reason === "joined") this.presenter.greet();
  }

  /**
   * Go on to a frame: call it first in the loop of animation.
   * @param {number} stamp milliseconds, as the loop has it
   * @param {object} [frame] the XRFrame in a headset: it knows when the frame will be seen
   */
  frame(stamp, frame) {
    const time = (frame?.predictedDisplayTime ?? stamp) / 1000;
    this.clock.frame(time);
    if (!this.clock.known || this.link.hostOffset === null) return;
    this.presenter.measured(this.clock.refresh);
    this.presenter.frame(time + this.link.hostOffset);
    lightObjects(this.presenter, this.objects, this.paint);
  }
}
