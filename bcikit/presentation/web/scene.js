// What is seen: two hands on a table, a ball to grasp, and the menu. On a screen the table and the shadows on it are the page's
// background, so that only what moves is drawn; in a headset they are part of the room.
import {
  CanvasTexture, CircleGeometry, Color, DirectionalLight, Group, HemisphereLight, Mesh, MeshBasicMaterial, MeshLambertMaterial,
  MeshStandardMaterial, PerspectiveCamera, PlaneGeometry, Scene, SphereGeometry, TorusGeometry, Vector3, WebGLRenderer,
} from "/vendor/three.js";
import { Board } from "/board.js";
import { Hand } from "/hand.js";
import { Menu } from "/menu.js";

const WALL = 0xe4ebee;
const MAT = { x: 0.45, z: 0.225 }; // half axes in metres
const COARSEST = 0.5;
// A soft round shadow, from its middle to its edge; light that comes from a whole window throws no sharper one.
const FADE = [[0, "rgba(48, 36, 26, 0.4)"], [0.35, "rgba(48, 36, 26, 0.28)"], [0.7, "rgba(48, 36, 26, 0.1)"], [1, "rgba(48, 36, 26, 0)"]];

/** Whether there is no graphics card: smoothing edges then costs more than it is worth. */
function drawnBySoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const name = gl?.getParameter(gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(String(name));
}

export function buildScene(canvas) {
  const renderer = new WebGLRenderer({ canvas, alpha: true, antialias: !drawnBySoftware(), powerPreference: "high-performance" });
  renderer.xr.enabled = true;

  const scene = new Scene();
  const camera = new PerspectiveCamera(42, 1, 0.05, 10);
  camera.position.set(0, 0.44, 0.52);
  camera.lookAt(0, 0.045, -0.06);
  camera.updateMatrixWorld();

  scene.add(new HemisphereLight(0xffffff, 0xd8c4ae, 1.9));
  const sun = new DirectionalLight(0xfff3e4, 1.9);
  sun.position.set(-0.6, 1.2, 0.35);
  scene.add(sun);

  const board = new Board();
  scene.add(board.mesh);
  const world = new Group();
  scene.add(world);
  const room = roomOf();
  world.add(room);
  const shade = shadow();

  const left = new Hand("left");
  const right = new Hand("right");
  const hands = new Group();
  for (const [hand, side] of [[left, -1], [right, 1]]) {
    hand.group.position.set(side * 0.15, 0.03, 0.03);
    hand.group.rotation.y = side * 0.18;
    const below = new Group();
    below.position.copy(hand.group.position).setY(0.002);
    below.rotation.y = hand.group.rotation.y;
    below.add(patch(shade, 0.21, 0.30, 0.012, -0.055), patch(shade, 0.19, 0.46, 0.016, 0.21));
    room.add(below);
    hands.add(hand.group);
  }
  world.add(hands);

  const ball = new Mesh(new SphereGeometry(0.027, 32, 24), new MeshStandardMaterial({ color: 0x2a93a5, roughness: 0.45 }));
  const ring = new Mesh(
    new TorusGeometry(0.0385, 0.0022, 10, 48),
    new MeshBasicMaterial({ color: 0x12606f, depthTest: false }),
  );
  ring.visible = false;
  ring.quaternion.copy(camera.quaternion);
  ball.shade = patch(shade, 0.11, 0.09, 0, 0);
  world.add(ball.shade, ball, ring);

  const menu = new Menu();
  menu.group.position.set(0, 0.014, -0.04); // 70 cm away, where 4 cm are 3.3 degrees
  menu.group.quaternion.copy(camera.quaternion);
  world.add(menu.group);

  const finest = Math.min(window.devicePixelRatio, 2);
  const ratios = { hands: finest, menu: finest }; // pixels drawn for each of the screen's, across, while something moves
  const stage = { renderer, canvas, scene, room, camera, world, hands, left, right, ball, ring, menu, board, finest, ratios };
  window.addEventListener("resize", () => fit(stage));
  fit(stage);
  return stage;
}

/** The table as it stands in a headset's room. */
function roomOf() {
  const table = new Mesh(new CircleGeometry(1.6, 64).rotateX(-Math.PI / 2), new MeshLambertMaterial({ color: 0xc9a27a }));
  table.position.z = -0.35;
  const mat = new Mesh(
    new CircleGeometry(1, 64).rotateX(-Math.PI / 2).scale(MAT.x, 1, MAT.z),
    new MeshLambertMaterial({ color: 0xeef1ef }),
  );
  mat.position.y = 0.001;
  const room = new Group();
  room.add(table, mat);
  room.visible = false;
  return room;
}

function shadow() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const pen = canvas.getContext("2d");
  const fade = pen.createRadialGradient(32, 32, 2, 32, 32, 32);
  for (const [at, colour] of FADE) fade.addColorStop(at, colour);
  pen.fillStyle = fade;
  pen.fillRect(0, 0, 64, 64);
  return new MeshBasicMaterial({ map: new CanvasTexture(canvas), transparent: true, depthWrite: false });
}

function patch(material, width, depth, x, z) {
  const mesh = new Mesh(new PlaneGeometry(width, depth).rotateX(-Math.PI / 2), material);
  mesh.position.set(x, 0, z);
  return mesh;
}

/** Fit the picture to the window, and the page's background to the picture. */
function fit({ renderer, camera, canvas, room }) {
  if (renderer.xr.isPresenting) return;
  renderer.setSize(window.innerWidth, window.innerHeight, false);
  camera.aspect = window.innerWidth / window.innerHeight;
  camera.updateProjectionMatrix();
  // In hundredths of the window's height, from the middle of its upper edge: a picture keeps to its height.
  const places = (mesh) => {
    mesh.updateWorldMatrix(true, false);
    const { array } = mesh.geometry.attributes.position;
    const seen = Array.from({ length: array.length / 3 }, (_, index) => {
      const p = new Vector3().fromArray(array, 3 * index).applyMatrix4(mesh.matrixWorld).project(camera);
      return [p.x * 50 * camera.aspect, 50 - p.y * 50];
    });
    const [x, y] = [0, 1].map((axis) => seen.map((p) => p[axis]));
    const [left, right, top, bottom] = [Math.min(...x), Math.max(...x), Math.min(...y), Math.max(...y)];
    const values = [(right - left) / 2, (bottom - top) / 2, (left + right) / 2, (top + bottom) / 2];
    return values.map((value) => `${value.toFixed(2)}vh`);
  };
  const [, mat, ...below] = room.children;
  const [matX, matY, , middle] = places(mat);
  for (const [name, value] of [["x", matX], ["y", matY], ["middle", middle]]) canvas.style.setProperty(`--mat-${name}`, value);
  const stops = FADE.map(([at, colour]) => `${colour} ${100 * at}%`).join(", ");
  const shades = below.flatMap((group) => group.children).map((mesh) => {
    const [across, down, x, y] = places(mesh);
    // Somewhat smaller than the box around a patch that is turned.
    return `radial-gradient(calc(0.8 * ${across}) calc(0.85 * ${down}) at calc(50% + ${x}) ${y}, ${stops})`;
  });
  canvas.style.setProperty("--shades", shades.join(", "));
}

/** In a headset everything is drawn; on a screen the background is the page's. */
export function enterRoom({ scene, room, menu }, inside) {
  scene.background = inside ? new Color(WALL) : null;
  room.visible = inside;
  menu.board.visible = inside;
}

/** Draw with as many pixels as there are, or as few as keep the pace while something moves. */
export function refine({ renderer, menu, ratios, finest }, still) {
  const ratio = still ? finest : ratios[menu.group.visible ? "menu" : "hands"];
  if (!renderer.xr.isPresenting && renderer.getPixelRatio() !== ratio) renderer.setPixelRatio(ratio);
}

/** Draw coarser where the machine is too slow for its screen (no graphics card), finer again never: no to and fro. */
export function spare({ renderer, menu, ratios }, gap, refresh) {
  const view = menu.group.visible ? "menu" : "hands";
  if (renderer.xr.isPresenting || ratios[view] <= COARSEST || gap < 1.6 / refresh) return false;
  ratios[view] = Math.max(COARSEST, ratios[view] * 0.75);
  return true;
}

/** Put the ball where the grasping hand holds it, or on its way to a side while steering. */
export function placeBall(stage, steering) {
  const { ball, ring, left, right } = stage;
  ball.shade.visible = steering !== null;
  if (steering !== null) {
    ball.position.set(steering * 0.3, 0.03, -0.16);
    ball.shade.position.set(ball.position.x + 0.006, 0.003, -0.158);
    ball.scale.set(1, 1, 1);
    ball.rotation.z = -steering * 8;
    return;
  }
  const hand = left.closure > right.closure ? left : right;
  const share = hand.closure;
  ball.position.set(hand.group.position.x * 1.01, 0.0665 - 0.003 * share, hand.group.position.z - 0.032 + 0.004 * share);
  ball.scale.set(1 - 0.05 * share, 1 - 0.08 * share, 1 - 0.05 * share);
  ring.position.copy(ball.position);
}
