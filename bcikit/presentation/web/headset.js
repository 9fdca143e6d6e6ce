// What a headset brings: controllers and hands, drawn and reported as typed input, and what each eye was shown.
import { CylinderGeometry, Group, Mesh, MeshBasicMaterial, MeshLambertMaterial, SphereGeometry } from "/vendor/three.js";

const POSES = 10; // reports of a pose a second
const EYES = 1; // seconds between two reports of the eyes
const BODY = new MeshLambertMaterial({ color: 0x39424c });
const RAY = new MeshBasicMaterial({ color: 0x2a93a5 });
const JOINT = new MeshLambertMaterial({ color: 0xd9a07a });
const ACTIONS = { selectstart: "select-start", select: "select", selectend: "select-end", squeezestart: "squeeze-start", squeeze: "squeeze", squeezeend: "squeeze-end" };

const rounded = (values) => values.map((value) => Math.round(value * 1e5) / 1e5);
const numbers = ({ position: p, orientation: o }) => ({ position: rounded([p.x, p.y, p.z]), orientation: rounded([o.x, o.y, o.z, o.w]) });

/** A controller as it is seen: a handle, and a ray along which it points (-z). */
function controllerModel() {
  const group = new Group();
  group.add(new Mesh(new CylinderGeometry(0.016, 0.022, 0.12, 16).rotateX(Math.PI / 2), BODY));
  const ray = new Mesh(new CylinderGeometry(0.0015, 0.0015, 1.4, 6).rotateX(Math.PI / 2), RAY);
  ray.position.z = -0.76;
  group.add(ray);
  return group;
}

/** The direction in which an orientation looks: its -z. */
function ahead({ x, y, z, w }) {
  return [-2 * (x * z + w * y), -2 * (y * z - w * x), -(1 - 2 * (x * x + y * y))];
}

export class Headset {
  /** @param {{scene: object, board: object}} stage @param {object} link the Connection @param {object} scenes the Stage2D */
  constructor(stage, link, scenes) {
    Object.assign(this, { stage, link, scenes });
    this.group = new Group();
    this.stage.scene.add(this.group);
    this.space = null;
    this._leave();
  }

  _leave() {
    this.group.clear();
    this.models = new Map();
    this.poses = [];
    this.eyes = new Map();
    this._told = this._begin = this._frames = 0;
  }

  /** Follow a session that has begun, with the space that everything is placed in. */
  enter(session, space) {
    this._leave();
    this.space = space;
    for (const type of Object.keys(ACTIONS)) session.addEventListener(type, (event) => this._act(type, event));
    session.addEventListener("end", () => {
      this._leave();
      this.space = null;
    });
  }

  /** Something was pressed, or a hand pinched: an event of the recording, on its sample, with where it pointed. */
  _act(type, { inputSource, frame, timeStamp }) {
    const pose = frame?.getPose(inputSource.targetRaySpace, this.space);
    const data = { hand: inputSource.handedness, kind: inputSource.hand ? "hand" : "controller" };
    if (pose) {
      const { position, orientation } = pose.transform;
      const item = this.pointedAt(position, orientation);
      Object.assign(data, numbers(pose.transform), item === null ? {} : { item });
    }
    this.link.mark(`input/${ACTIONS[type]}`, { time: (timeStamp || performance.now()) / 1000, data });
  }

  /** Name of the item of the scene at which a ray points, null where it points at none. */
  pointedAt(position, orientation) {
    const [dx, dy, dz] = ahead(orientation);
    const { mesh, wide } = this.stage.board;
    const far = (mesh.position.z - position.z) / dz;
    if (!mesh.visible || !(far > 0)) return null;
    const { clientWidth: across, clientHeight: down } = this.scenes.canvas;
    const x = ((position.x + far * dx - mesh.position.x) / wide + 0.5) * across;
    const y = ((mesh.position.y - position.y - far * dy) / wide) * across + down / 2;
    let [nearest, best] = [null, Infinity];
    for (const [id, [left, top, w, h]] of Object.entries(this.scenes.places)) {
      const away = Math.hypot(x - left - w / 2, y - top - h / 2);
      if (!/^(item|target):/.test(id) || away > Math.max(w, h, 0.05 * across) || away >= best) continue;
      [nearest, best] = [id.slice(id.indexOf(":") + 1), away];
    }
    return nearest;
  }

  /** Draw and report what the frame brings; `time` in seconds of this page, `refresh` frames a second. */
  frame(frame, time, refresh) {
    if (this.space === null) return;
    const due = time - this._told >= 1 / POSES;
    if (due) this._told = time;
    const seen = new Set();
    for (const source of frame.session.inputSources) {
      seen.add(source);
      const model = this._modelOf(source);
      const pose = frame.getPose(source.targetRaySpace, this.space);
      model.visible = Boolean(pose);
      if (!pose) continue;
      if (source.hand) this._joints(frame, source, model);
      else this._place(model, pose.transform);
      if (due && this.link.hostOffset !== null) {
        const what = { hand: source.handedness, kind: source.hand ? "hand" : "controller", t: time + this.link.hostOffset };
        this.link.send({ client: "webxr", type: "pose", ...what, ...numbers(pose.transform) });
      }
    }
    for (const [source, model] of this.models) {
      if (seen.has(source)) continue;
      this.group.remove(model);
      this.models.delete(source);
    }
    this._look(frame, time, refresh);
  }

  _modelOf(source) {
    if (!this.models.has(source)) {
      const model = source.hand ? new Group() : controllerModel();
      this.models.set(source, model);
      this.group.add(model);
    }
    return this.models.get(source);
  }

  _place(object, { position, orientation }) {
    object.position.set(position.x, position.y, position.z);
    object.quaternion.set(orientation.x, orientation.y, orientation.z, orientation.w);
  }

  /** Draw the joints of a hand, each as large as the headset says. */
  _joints(frame, source, model) {
    let number = 0;
    for (const joint of source.hand.values()) {
      const pose = frame.getJointPose(joint, this.space);
      if (model.children.length <= number) model.add(new Mesh(new SphereGeometry(1, 12, 8), JOINT));
      const ball = model.children[number];
      ball.visible = Boolean(pose);
      if (pose) {
        this._place(ball, pose.transform);
        ball.scale.setScalar(pose.radius || 0.008);
      }
      number += 1;
    }
  }

  /** Count what each eye was shown. */
  _look(frame, time, refresh) {
    this._frames += 1;
    this._begin ||= time;
    const layer = frame.session.renderState.baseLayer;
    for (const view of frame.getViewerPose(this.space)?.views ?? []) {
      const port = layer?.getViewport(view);
      const eye = this.eyes.get(view.eye) ?? { eye: view.eye, frames: 0 };
      this.eyes.set(view.eye, { ...eye, frames: eye.frames + 1, width: port?.width ?? 0, height: port?.height ?? 0 });
    }
    const seconds = time - this._begin;
    if (seconds < EYES) return;
    const about = { seconds, refresh, frames: this._frames, eyes: [...this.eyes.values()] };
    this.link.send({ client: "webxr", type: "eyes", ...about });
    // An eye that was shown something is counted from then on, also where it is shown nothing more.
    for (const eye of this.eyes.values()) eye.frames = 0;
    this._begin = time;
    this._frames = 0;
  }
}
