// A headset that is not there: as much of the WebXR device API as a browser with one has, moved by the test (`window.fake`).
(() => {
  class Rigid {
    constructor([x, y, z] = [0, 0, 0], [qx, qy, qz, qw] = [0, 0, 0, 1]) {
      this.position = { x, y, z, w: 1 };
      this.orientation = { x: qx, y: qy, z: qz, w: qw };
    }
    get matrix() {
      const { x, y, z, w } = this.orientation;
      const p = this.position;
      return new Float32Array([
        1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y), 0,
        2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x), 0,
        2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y), 0,
        p.x, p.y, p.z, 1,
      ]);
    }
    get inverse() {
      return new Rigid([-this.position.x, -this.position.y, -this.position.z]);
    }
  }
  const projection = new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1.001, -1, 0, 0, -0.1001, 0]);
  const fake = { blind: "", poses: new Map(), session: null, frames: 0 };
  window.fake = fake;

  class Frame {
    constructor(session, time) {
      Object.assign(this, { session, predictedDisplayTime: time });
    }
    getViewerPose() {
      const views = ["left", "right"].filter((eye) => eye !== fake.blind).map((eye) => ({
        eye, projectionMatrix: projection, transform: new Rigid([eye === "left" ? -0.03 : 0.03, 1.45, 0.2]),
      }));
      return { views, transform: new Rigid([0, 1.45, 0.2]) };
    }
    getPose(space) {
      return fake.poses.has(space) ? { transform: fake.poses.get(space) } : null;
    }
    getJointPose(joint) {
      return { transform: fake.poses.get(joint), radius: 0.009 };
    }
  }

  class Session extends EventTarget {
    constructor() {
      super();
      this.inputSources = [];
      this.renderState = { depthNear: 0.1, depthFar: 100, layers: undefined, baseLayer: null };
      this.visibilityState = "visible";
      this.environmentBlendMode = "opaque";
    }
    updateRenderState(state) {
      Object.assign(this.renderState, state);
    }
    async requestReferenceSpace(type) {
      return Object.assign(new EventTarget(), { type });
    }
    requestAnimationFrame(done) {
      return requestAnimationFrame((time) => {
        fake.frames += 1;
        if (fake.session === this) done(time, new Frame(this, time));
      });
    }
    cancelAnimationFrame(id) {
      cancelAnimationFrame(id);
    }
    async end() {
      fake.session = null;
      this.dispatchEvent(new Event("end"));
    }
  }

  window.XRWebGLBinding = undefined;
  window.XRWebGLLayer = class {
    constructor(session, gl) {
      Object.assign(this, { framebuffer: null, framebufferWidth: 640, framebufferHeight: 320, fixedFoveation: 0, ignoreDepthValues: true });
      void gl;
    }
    getViewport({ eye }) {
      return { x: eye === "left" ? 0 : 320, y: 0, width: 320, height: 320 };
    }
  };
  window.WebGL2RenderingContext.prototype.makeXRCompatible = async () => {};
  const xr = new EventTarget();
  xr.isSessionSupported = async (mode) => mode === "immersive-vr";
  xr.requestSession = async () => (fake.session = new Session());
  Object.defineProperty(navigator, "xr", { value: xr, configurable: true });

  /** Put a controller, or a hand of 25 joints, into the room; returns it. */
  fake.hold = (handedness, position, orientation, { hand = false } = {}) => {
    const source = { handedness, targetRayMode: "tracked-pointer", targetRaySpace: {}, gripSpace: {}, profiles: [] };
    fake.poses.set(source.targetRaySpace, new Rigid(position, orientation));
    if (hand) {
      source.hand = new Map(Array.from({ length: 25 }, (_, index) => [`joint-${index}`, { index }]));
      for (const joint of source.hand.values()) {
        fake.poses.set(joint, new Rigid([position[0] + 0.01 * joint.index, position[1], position[2]]));
      }
    }
    fake.session.inputSources.push(source);
    return source;
  };
  /** Press, as a browser tells it. */
  fake.press = (type, inputSource) => {
    const event = new Event(type);
    fake.session.dispatchEvent(Object.assign(event, { inputSource, frame: new Frame(fake.session, performance.now()) }));
  };
})();
