// A hand, palm up, seen by its owner: one smooth skin over a skeleton of palm, thumb and four fingers of three joints each.
import {
  BufferGeometry, CylinderGeometry, Float32BufferAttribute, Group, Matrix4, Mesh, MeshLambertMaterial, Vector3,
} from "/vendor/three.js";
import { blend, rod, surface } from "/surface.js";

const SKIN = new MeshLambertMaterial({ vertexColors: true });
const CLOTH = new MeshLambertMaterial({ color: 0x2f6d7e });
const CUFF = new MeshLambertMaterial({ color: 0x3f8496 });
const CELL = 0.0045; // metres; the normals are exact, so that finer looks no better

// Modelled with the thumb towards -x. Place of the knuckle, lengths of the three bones, thickness at the knuckle and spread
// of each finger, in metres and radians; the index finger first.
const FINGERS = [
  { x: -0.032, z: -0.046, bones: [0.041, 0.025, 0.019], r: 0.0098, spread: 0.12 },
  { x: -0.0105, z: -0.051, bones: [0.046, 0.029, 0.021], r: 0.0101, spread: 0.03 },
  { x: 0.011, z: -0.048, bones: [0.042, 0.027, 0.021], r: 0.0096, spread: -0.05 },
  { x: 0.0315, z: -0.040, bones: [0.033, 0.020, 0.018], r: 0.0084, spread: -0.15 },
];
const THUMB = { bones: [0.038, 0.029, 0.022], r: 0.0122 };
const OPEN = [0.16, 0.22, 0.16]; // bend of each joint of an open, relaxed hand
const CLOSED = [1.02, 1.22, 0.78]; // around the ball
const WRIST = [0, -0.003, 0.052];

function lerp(a, b, share) {
  return a + (b - a) * share;
}

/** The bones, in the order palm, fingers, thumb; each finger is a list of its three. */
function skeletonOf() {
  const root = new Group();
  const chain = (lengths) => {
    const bones = lengths.map(() => new Group());
    bones.forEach((bone, index) => {
      if (index > 0) {
        bone.position.z = -lengths[index - 1];
        bones[index - 1].add(bone);
      }
    });
    bones[0].rotation.order = "YXZ";
    root.add(bones[0]);
    return bones;
  };
  const fingers = FINGERS.map((finger) => {
    const bones = chain(finger.bones);
    bones[0].position.set(finger.x, 0.003, finger.z);
    return bones;
  });
  const thumb = chain(THUMB.bones);
  thumb[0].position.set(-0.034, 0.006, 0.024);
  return { root, fingers, thumb, all: [...fingers.flat(), ...thumb] };
}

/** Bend the joints; `share` runs from 0 (open) to 1 (closed). */
function bend({ fingers, thumb }, share) {
  fingers.forEach((bones, index) => {
    // Fingers close one shortly after the other, the little finger first.
    const own = Math.min(1, Math.max(0, share * 1.15 - 0.05 * (3 - index)));
    bones.forEach((bone, joint) => (bone.rotation.x = lerp(OPEN[joint], CLOSED[joint], own)));
    bones[0].rotation.y = FINGERS[index].spread * (1 - 0.75 * own);
  });
  const [base, middle, tip] = thumb;
  base.rotation.set(lerp(0.24, 0.78, share), lerp(0.86, 0.34, share), lerp(0, -0.75, share));
  middle.rotation.x = lerp(0.12, 0.42, share);
  tip.rotation.x = lerp(0.10, 0.62, share);
}

/** Start and end of each bone of a chain, in the space of the palm. */
function segments(bones, lengths) {
  return bones.map((bone, index) => {
    const from = new Vector3().setFromMatrixPosition(bone.matrixWorld);
    const to = new Vector3(0, 0, -lengths[index]).applyMatrix4(bone.matrixWorld);
    return [from.toArray(), to.toArray()];
  });
}

function chainDistance(p, chain, r) {
  let found = Infinity;
  chain.forEach(([from, to], index) => {
    const own = rod(p, from, to, r * (1 - 0.09 * index), r * (1 - 0.09 * (index + 1)));
    found = index === 0 ? own : blend(found, own, 0.004);
  });
  return found;
}

function palmDistance(p) {
  // Flatter than it is wide.
  const q = [p[0], p[1] * 1.22, p[2]];
  let found = rod(q, WRIST, [0, -0.004, 0.16], 0.0245, 0.0275);
  for (const { x, z } of FINGERS) found = blend(found, rod(q, [x * 0.55, -0.002, 0.036], [x, 0.003, z], 0.0145, 0.0108), 0.014);
  found = blend(found, rod(q, [-0.018, 0.006, 0.036], [-0.031, 0.009, 0.012], 0.0145, 0.0130), 0.010);
  return blend(found, rod(q, [0.022, 0.003, 0.036], [0.031, 0.003, -0.012], 0.0135, 0.0115), 0.010);
}

/** Skin of the open hand, and how much each of its points follows the bones of its finger; both hands share it. */
function skinOf(bones) {
  bones.root.updateMatrixWorld(true);
  const chains = FINGERS.map((finger, index) => ({ r: finger.r, parts: segments(bones.fingers[index], finger.bones) }));
  chains.push({ r: THUMB.r, parts: segments(bones.thumb, THUMB.bones) });
  const distance = (p) => {
    const palm = palmDistance(p);
    return Math.min(...chains.map(({ parts, r }) => blend(palm, chainDistance(p, parts, r), 0.008)));
  };
  const { positions, normals, indices } = surface(distance, [-0.115, -0.036, -0.165], [0.062, 0.062, 0.10], CELL);
  const colours = [];
  const moving = [];
  for (let i = 0; i < positions.length; i += 3) {
    const p = positions.slice(i, i + 3);
    const near = chains.map(({ parts, r }) => chainDistance(p, parts, r));
    const finger = near.indexOf(Math.min(...near));
    const { parts, r } = chains[finger];
    const away = [palmDistance(p), ...parts.map(([from, to]) => rod(p, from, to, r, r * 0.85))];
    const pull = away.map((d) => Math.exp(-Math.max(0, d - Math.min(...away)) / 0.0035));
    const total = pull.reduce((sum, value) => sum + value, 0);
    const weights = pull.map((value) => value / total);
    if (weights[0] < 0.999) moving.push({ at: i, bone: 3 * finger, weights });
    // A little redder at the tips and on the balls of thumb and little finger, paler in the hollow.
    const tip = Math.exp(-Math.hypot(...p.map((value, axis) => value - parts[2][1][axis])) / 0.016);
    const ball = Math.exp(-Math.hypot(p[0] + 0.026, p[2] - 0.022) / 0.02) + Math.exp(-Math.hypot(p[0] - 0.03, p[2] - 0.016) / 0.02);
    const red = Math.min(1, 0.8 * tip + 0.35 * ball);
    colours.push(lerp(0.78, 0.80, red), lerp(0.50, 0.38, red), lerp(0.365, 0.275, red));
  }
  const back = bones.all.map((bone) => bone.matrixWorld.clone().invert());
  return { positions, normals, indices, colours, moving, back };
}

let skin = null;

/** One hand. `closure` runs from 0 (open) to 1 (closed); `step` moves it towards `target`. */
export class Hand {
  constructor(side) {
    this.side = side;
    this.closure = 0;
    this.target = 0;
    this.group = new Group();
    this._bones = skeletonOf();
    bend(this._bones, 0);
    skin ??= skinOf(this._bones);
    this._skin = new BufferGeometry();
    for (const [name, values] of [["position", skin.positions], ["normal", skin.normals], ["color", skin.colours]]) {
      this._skin.setAttribute(name, new Float32BufferAttribute(values, 3));
    }
    this._skin.setIndex(skin.indices);
    const mesh = new Mesh(this._skin, SKIN);
    mesh.frustumCulled = false;
    const sleeve = new Mesh(new CylinderGeometry(0.048, 0.0355, 0.24, 40).rotateX(Math.PI / 2).scale(1.1, 0.82, 1), CLOTH);
    sleeve.position.set(0, -0.002, 0.225);
    const cuff = new Mesh(new CylinderGeometry(0.0385, 0.0375, 0.026, 40).rotateX(Math.PI / 2).scale(1.1, 0.82, 1), CUFF);
    cuff.position.set(0, -0.002, 0.110);
    this.group.add(mesh, sleeve, cuff);
    if (side === "right") this.group.scale.x = -1;
  }

  /** Move towards the target; the time constant of 60 ms looks like muscle and shows at once. */
  step(seconds) {
    const before = this.closure;
    this.closure += (this.target - this.closure) * (1 - Math.exp(-seconds / 0.06));
    if (Math.abs(this.target - this.closure) < 1e-3) this.closure = this.target;
    if (this.closure !== before) this.pose();
    return this.closure !== before;
  }

  /** Bend the skin with the bones. Here and not by the graphics card: there may be none, and only one hand moves. */
  pose() {
    bend(this._bones, this.closure);
    this._bones.root.updateMatrixWorld(true);
    const turns = this._bones.all.map((bone, index) => new Matrix4().multiplyMatrices(bone.matrixWorld, skin.back[index]).elements);
    const { position, normal } = this._skin.attributes;
    for (const { at, bone, weights } of skin.moving) {
      for (const [to, from, shift] of [[position.array, skin.positions, 1], [normal.array, skin.normals, 0]]) {
        const [x, y, z] = [from[at], from[at + 1], from[at + 2]];
        let [px, py, pz] = [weights[0] * x, weights[0] * y, weights[0] * z];
        for (let part = 0; part < 3; part += 1) {
          const w = weights[1 + part];
          const e = turns[bone + part];
          px += w * (e[0] * x + e[4] * y + e[8] * z + shift * e[12]);
          py += w * (e[1] * x + e[5] * y + e[9] * z + shift * e[13]);
          pz += w * (e[2] * x + e[6] * y + e[10] * z + shift * e[14]);
        }
        to[at] = px;
        to[at + 1] = py;
        to[at + 2] = pz;
      }
    }
    position.needsUpdate = true;
    normal.needsUpdate = true;
  }
}
