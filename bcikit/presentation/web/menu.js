// The SSVEP menu: targets around the middle, each with its name, and a ring around the one to look at.
import {
  CanvasTexture, Group, LinearSRGBColorSpace, Mesh, MeshBasicMaterial, PlaneGeometry, RingGeometry, SRGBColorSpace,
} from "/vendor/three.js";
import { title } from "/words.js";

const SIDE = 0.0404; // metres; 3.3 degrees at 70 cm
const GREY = 0.5;
const PLACES = { up: [0, 0.1], down: [0, -0.105], left: [-0.19, 0], right: [0.19, 0] };

const EDGE = new MeshBasicMaterial({ color: 0x4d5d69 });
const RING = new MeshBasicMaterial({ color: 0x12606f });

function label(text) {
  const canvas = document.createElement("canvas");
  canvas.width = 512;
  canvas.height = 128;
  const pen = canvas.getContext("2d");
  pen.font = "600 72px 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = "#1d2a33";
  pen.fillText(title(text), 256, 64);
  const texture = new CanvasTexture(canvas);
  texture.colorSpace = SRGBColorSpace;
  const plane = new Mesh(
    new PlaneGeometry(SIDE * 2.8, SIDE * 0.7),
    new MeshBasicMaterial({ map: texture, transparent: true, depthWrite: false }),
  );
  plane.position.y = -SIDE * 1.02;
  return plane;
}

export class Menu {
  constructor() {
    this.group = new Group();
    this.group.visible = false;
    this.board = new Mesh(new PlaneGeometry(0.56, 0.36), new MeshBasicMaterial({ color: 0xb9c6cc }));
    this.board.position.z = -0.004;
    this.board.visible = false; // on a screen the page's background does
    this._items = new Map();
    this._order = "";
  }

  /** Show these items (objects with `item`); places by name where the name is a direction, else in a row. */
  lay(items) {
    const order = items.map((item) => item.item).join("|");
    if (order === this._order) return;
    this._order = order;
    this.group.clear();
    this.group.add(this.board);
    this._items.clear();
    items.forEach((item, index) => {
      const place = PLACES[item.item] ?? [(index - (items.length - 1) / 2) * SIDE * 2, 0];
      const holder = new Group();
      holder.position.set(place[0], place[1], 0);
      const face = new Mesh(new PlaneGeometry(SIDE, SIDE), new MeshBasicMaterial({ toneMapped: false }));
      // The edge keeps a target in sight while it is as bright as what is behind it.
      const edge = new Mesh(new PlaneGeometry(SIDE * 1.06, SIDE * 1.06), EDGE);
      edge.position.z = -0.001;
      const ring = new Mesh(new RingGeometry(SIDE * 0.86, SIDE * 0.97, 4, 1, Math.PI / 4), RING);
      ring.position.z = -0.002;
      ring.visible = false;
      holder.add(face, edge, ring, label(item.item));
      this.group.add(holder);
      this._items.set(item.item, { face, ring });
    });
    this.grey();
  }

  show(on) {
    this.group.visible = on;
  }

  /** Ring the item to look at, or none. */
  ring(name) {
    for (const [item, { ring }] of this._items) ring.visible = item === name;
  }

  /** Everything at rest: mid-grey, never black or white. */
  grey() {
    for (const { face } of this._items.values()) face.material.color.setRGB(GREY, GREY, GREY, LinearSRGBColorSpace);
  }

  /** Set the luminance of each target; linear light, which the renderer turns into the screen's values. */
  light(targets, levels) {
    targets.forEach((target, index) => {
      const level = levels[index];
      this._items.get(target.item)?.face.material.color.setRGB(level, level, level, LinearSRGBColorSpace);
    });
  }
}
