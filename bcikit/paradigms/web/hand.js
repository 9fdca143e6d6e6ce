// A hand made of simple bodies: palm, thumb and four fingers of three joints each, palm up, seen by its owner.
import {
  CapsuleGeometry, CylinderGeometry, ExtrudeGeometry, Group, Mesh, MeshLambertMaterial, Shape, SphereGeometry,
} from "/vendor/three.js";

const SKIN = new MeshLambertMaterial({ color: 0xd7a085 });
const NAIL = new MeshLambertMaterial({ color: 0xe9c3b2 });
const CLOTH = new MeshLambertMaterial({ color: 0x3d6f80 });

// Place of the knuckle, lengths of the three bones, thickness and spread of each finger, in metres and radians.
const FINGERS = [
  { x: -0.031, z: -0.047, bones: [0.040, 0.024, 0.019], r: 0.0092, spread: 0.10 },
  { x: -0.010, z: -0.052, bones: [0.045, 0.028, 0.020], r: 0.0096, spread: 0.03 },
  { x: 0.011, z: -0.050, bones: [0.041, 0.026, 0.020], r: 0.0092, spread: -0.04 },
  { x: 0.031, z: -0.043, bones: [0.032, 0.019, 0.017], r: 0.0080, spread: -0.13 },
];
const REST = [0.22, 0.26, 0.16]; // bend of each joint of an open, relaxed hand
const FIST = [1.45, 1.62, 1.0];

function bone(length, radius) {
  const body = new Mesh(new CapsuleGeometry(radius, length, 6, 14).rotateX(-Math.PI / 2).translate(0, 0, -length / 2), SKIN);
  body.castShadow = true;
  return body;
}

function chain(bones, radius) {
  const joints = [];
  let parent = null;
  for (const [index, length] of bones.entries()) {
    const joint = new Group();
    const thin = radius * (1 - 0.09 * index);
    joint.add(bone(length, thin));
    if (parent) {
      joint.position.z = -bones[index - 1];
      parent.add(joint);
    }
    if (index === bones.length - 1) {
      const nail = new Mesh(new SphereGeometry(thin * 0.72, 12, 8), NAIL);
      nail.scale.set(0.95, 0.35, 1.25);
      nail.position.set(0, -thin * 0.8, -length * 0.98);
      joint.add(nail);
    }
    joints.push(joint);
    parent = joint;
  }
  return joints;
}

function palm() {
  const outline = new Shape();
  outline.moveTo(-0.030, 0.045);
  outline.bezierCurveTo(-0.046, 0.030, -0.046, -0.020, -0.040, -0.046);
  outline.bezierCurveTo(-0.020, -0.058, 0.016, -0.058, 0.038, -0.042);
  outline.bezierCurveTo(0.044, -0.020, 0.042, 0.025, 0.028, 0.045);
  outline.closePath();
  const shape = new ExtrudeGeometry(outline, {
    depth: 0.010, bevelEnabled: true, bevelThickness: 0.009, bevelSize: 0.006, bevelSegments: 6, curveSegments: 16,
  });
  // Drawn in x and z; the height of the palm is y.
  const body = new Mesh(shape.rotateX(Math.PI / 2).translate(0, 0.005, 0), SKIN);
  body.castShadow = true;
  const group = new Group();
  group.add(body);
  for (const [x, z, rx, ry, rz] of [[-0.026, 0.012, 0.021, 0.012, 0.032], [0.027, 0.010, 0.015, 0.009, 0.032], [0, -0.040, 0.034, 0.007, 0.011]]) {
    const pad = new Mesh(new SphereGeometry(1, 20, 14), SKIN);
    pad.scale.set(rx, ry, rz);
    pad.position.set(x, 0.010, z);
    group.add(pad);
  }
  return group;
}

/** One hand. `closure` runs from 0 (open) to 1 (fist); `step` moves it towards `target`. */
export class Hand {
  constructor(side) {
    this.side = side;
    this.closure = 0;
    this.target = 0;
    this.group = new Group();
    this._tilt = new Group();
    this.group.add(this._tilt);
    this._tilt.add(palm());
    this._fingers = FINGERS.map((finger) => {
      const joints = chain(finger.bones, finger.r);
      joints[0].position.set(finger.x, 0.004, finger.z);
      joints[0].rotation.order = "YXZ";
      joints[0].rotation.y = finger.spread;
      this._tilt.add(joints[0]);
      return { joints, spread: finger.spread };
    });
    this._thumb = chain([0.036, 0.026, 0.020], 0.0108);
    this._thumb[0].position.set(-0.036, 0.006, 0.022);
    this._thumb[0].rotation.order = "YXZ";
    this._tilt.add(this._thumb[0]);
    const wrist = new Mesh(new CylinderGeometry(0.024, 0.027, 0.07, 24).rotateX(Math.PI / 2).scale(1.1, 0.72, 1), SKIN);
    wrist.position.set(0, -0.001, 0.072);
    const sleeve = new Mesh(new CylinderGeometry(0.034, 0.046, 0.26, 28).rotateX(Math.PI / 2).scale(1.1, 0.85, 1), CLOTH);
    sleeve.position.set(0, -0.001, 0.215);
    sleeve.castShadow = true;
    this.group.add(wrist, sleeve);
    if (side === "left") this.group.scale.x = -1; // modelled as a right hand with the palm up, thumb outwards
    this.group.scale.x *= -1;
    this.pose();
  }

  /** Move towards the target; the time constant of 60 ms looks like muscle and shows at once. */
  step(seconds) {
    const before = this.closure;
    this.closure += (this.target - this.closure) * (1 - Math.exp(-seconds / 0.06));
    if (Math.abs(this.target - this.closure) < 1e-4) this.closure = this.target;
    this.pose();
    return this.closure !== before;
  }

  pose() {
    const share = this.closure;
    for (const [index, { joints, spread }] of this._fingers.entries()) {
      // Fingers close one shortly after the other, the little finger first.
      const own = Math.min(1, Math.max(0, share * 1.15 - 0.05 * (3 - index)));
      joints.forEach((joint, number) => {
        joint.rotation.x = REST[number] + (FIST[number] - REST[number]) * own;
      });
      joints[0].rotation.y = spread * (1 - own);
    }
    const [base, middle, tip] = this._thumb;
    base.rotation.y = 0.85 - 0.75 * share;
    base.rotation.x = 0.25 + 0.45 * share;
    base.rotation.z = -0.9 * share;
    middle.rotation.x = 0.15 + 0.55 * share;
    tip.rotation.x = 0.12 + 0.75 * share;
  }
}
