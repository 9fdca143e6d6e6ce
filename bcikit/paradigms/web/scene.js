// The room: a table, soft light, two hands, a ball to grasp, and the menu in front.
import {
  BasicShadowMap, CircleGeometry, Color, DirectionalLight, Fog, Group, HemisphereLight, Mesh, MeshLambertMaterial,
  MeshStandardMaterial, PCFShadowMap, PerspectiveCamera, Scene, SphereGeometry, TorusGeometry, WebGLRenderer,
} from "/vendor/three.js";
import { Hand } from "/hand.js";
import { Menu } from "/menu.js";

const WALL = 0xdfe7ea;

/** Without a graphics card every pixel costs: fewer of them, so that frames still come in time. */
function drawnBySoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const name = gl?.getParameter(gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(String(name));
}

export function buildScene(canvas) {
  const software = drawnBySoftware();
  const renderer = new WebGLRenderer({ canvas, antialias: !software, powerPreference: "high-performance" });
  renderer.setPixelRatio(software ? 0.6 : Math.min(window.devicePixelRatio, 2));
  renderer.shadowMap.enabled = true;
  renderer.shadowMap.type = software ? BasicShadowMap : PCFShadowMap;
  renderer.shadowMap.autoUpdate = false; // only when something moved
  renderer.xr.enabled = true;

  const scene = new Scene();
  scene.background = new Color(WALL);
  scene.fog = new Fog(WALL, 1.1, 2.4);
  const camera = new PerspectiveCamera(42, 1, 0.05, 10);
  camera.position.set(0, 0.44, 0.52);
  camera.lookAt(0, 0.045, -0.06);

  scene.add(new HemisphereLight(0xffffff, 0xc9b8a4, 1.5));
  const sun = new DirectionalLight(0xfff1e0, 2.1);
  sun.position.set(-0.6, 1.2, 0.35);
  sun.castShadow = true;
  sun.shadow.mapSize.set(software ? 512 : 1024, software ? 512 : 1024);
  Object.assign(sun.shadow.camera, { left: -0.6, right: 0.6, top: 0.6, bottom: -0.6, near: 0.2, far: 3 });
  sun.shadow.radius = 5;
  sun.shadow.bias = -0.0006;
  scene.add(sun);

  const world = new Group();
  scene.add(world);
  const table = new Mesh(
    new CircleGeometry(1.6, 64).rotateX(-Math.PI / 2),
    new MeshLambertMaterial({ color: 0xc9a27a }),
  );
  table.position.z = -0.35;
  table.receiveShadow = true;
  const mat = new Mesh(
    new CircleGeometry(0.36, 64).rotateX(-Math.PI / 2).scale(1.25, 1, 0.62),
    new MeshLambertMaterial({ color: 0xeef1ef }),
  );
  mat.position.set(0, 0.001, 0.0);
  mat.receiveShadow = true;
  world.add(table, mat);

  const left = new Hand("left");
  const right = new Hand("right");
  left.group.position.set(-0.15, 0.03, 0.03);
  right.group.position.set(0.15, 0.03, 0.03);
  left.group.rotation.y = -0.18;
  right.group.rotation.y = 0.18;
  const hands = new Group();
  hands.add(left.group, right.group);
  world.add(hands);

  const ball = new Mesh(new SphereGeometry(0.027, 32, 24), new MeshStandardMaterial({ color: 0x2a93a5, roughness: 0.5 }));
  ball.castShadow = true;
  const ring = new Mesh(
    new TorusGeometry(0.040, 0.0028, 12, 48).rotateX(-Math.PI / 2),
    new MeshStandardMaterial({ color: 0x1f7a8c, emissive: 0x1f7a8c, emissiveIntensity: 0.25 }),
  );
  ring.visible = false;
  world.add(ball, ring);

  const menu = new Menu();
  menu.group.position.set(0, 0.022, -0.045);
  menu.group.lookAt(camera.position); // 70 cm away, where 4 cm are 3.3 degrees
  world.add(menu.group);

  const fit = () => {
    if (renderer.xr.isPresenting) return;
    renderer.setSize(window.innerWidth, window.innerHeight, false);
    camera.aspect = window.innerWidth / window.innerHeight;
    camera.updateProjectionMatrix();
  };
  window.addEventListener("resize", fit);
  fit();
  const room = [table, mat];
  return { renderer, scene, room, camera, world, hands, left, right, ball, ring, menu };
}

/** Draw coarser where the machine is too slow for its screen (no graphics card), finer again never: no to and fro. */
export function spare(stage, gap, refresh) {
  const ratio = stage.renderer.getPixelRatio();
  if (stage.renderer.xr.isPresenting || ratio <= 0.5 || gap < 1.6 / refresh) return false;
  stage.renderer.setPixelRatio(Math.max(0.5, ratio * 0.75));
  return true;
}

/** Put the ball where the grasping hand holds it, or on its way to a side while steering. */
export function placeBall(stage, steering) {
  const { ball, ring, left, right } = stage;
  if (steering !== null) {
    ball.position.set(steering * 0.3, 0.03, -0.16);
    ball.scale.set(1, 1, 1);
    ball.rotation.z = -steering * 8;
    return;
  }
  const hand = left.closure > right.closure ? left : right;
  const share = hand.closure;
  ball.position.set(hand.group.position.x, 0.062 - 0.004 * share, hand.group.position.z - 0.034 + 0.010 * share);
  ball.scale.set(1 - 0.06 * share, 1 - 0.16 * share, 1 - 0.06 * share);
  ring.position.set(hand.group.position.x, 0.006, -0.15);
}
