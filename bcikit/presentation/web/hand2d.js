// A hand of five fingers of three joints that bend, seen from the front: as bcikit.presentation.qt.hand draws it.
const FINGERS = [
  [-0.4, -0.4, -9, [0.4, 0.27, 0.2], 0.205],
  [-0.14, -0.49, -3, [0.46, 0.3, 0.22], 0.22],
  [0.13, -0.48, 3, [0.43, 0.29, 0.21], 0.215],
  [0.38, -0.38, 10, [0.33, 0.22, 0.18], 0.185],
];
const JOINTS = [72, 92, 62];
const SKIN = "#d9a07a";
const EDGE = "#7a4a2e";
const RADIANS = Math.PI / 180;

/** Draw a hand into a box; `closure` is 0 (open) to 1 (closed). The left one has its thumb on the right. */
export function drawHand(pen, [x, y, w, h], closure, left) {
  const size = Math.min(w / 1.9, h / 2.45);
  pen.save();
  pen.translate(x + w / 2, y + (h + 0.62 * size) / 2 + 0.1 * size);
  if (left) pen.scale(-1, 1);
  pen.translate(0.08 * size, 0);
  pen.lineCap = "round";
  pen.lineJoin = "round";
  const rim = Math.max(1.5, size * 0.02);
  const body = (bx, by, bw, bh, r) => {
    pen.beginPath();
    pen.roundRect(bx * size, by * size, bw * size, bh * size, r * size);
    pen.fillStyle = SKIN;
    pen.strokeStyle = EDGE;
    pen.lineWidth = rim;
    pen.fill();
    pen.stroke();
  };
  body(-0.26, 0.3, 0.52, 0.42, 0.1);
  body(-0.52, -0.5, 1.04, 1, 0.26);
  for (const [fx, fy, direction, bones, width] of FINGERS) chain(pen, finger(fx, fy, direction, bones, size, closure), width * size, rim);
  const base = [-0.44 * size, 0.16 * size, 0];
  const reach = ([px, py], degrees, length) => {
    const angle = degrees * RADIANS;
    return [px + Math.sin(angle) * length * size, py - Math.cos(angle) * length * size, 0];
  };
  const middle = reach(base, -58 + 88 * closure, 0.36);
  chain(pen, [base, middle, reach(middle, -32 + 112 * closure, 0.28)], 0.23 * size, rim);
  pen.restore();
}

function finger(x, y, direction, bones, size, closure) {
  const spread = direction * RADIANS * (1 - 0.7 * closure);
  let [px, py, bent] = [x * size, y * size, 0];
  const points = [[px, py, 0]];
  bones.forEach((bone, index) => {
    bent += JOINTS[index] * RADIANS * closure;
    const seen = bone * size * Math.cos(bent);
    [px, py] = [px + Math.sin(spread) * seen, py - Math.cos(spread) * seen];
    points.push([px, py, Math.sin(Math.min(bent, Math.PI / 2))]);
  });
  return points;
}

function chain(pen, points, width, rim) {
  const line = (from, to, colour, wide) => {
    pen.beginPath();
    pen.moveTo(from[0], from[1]);
    pen.lineTo(to[0], Math.abs(to[0] - from[0]) + Math.abs(to[1] - from[1]) > 0.5 ? to[1] : to[1] + 0.5);
    pen.strokeStyle = colour;
    pen.lineWidth = wide;
    pen.stroke();
  };
  for (let index = 1; index < points.length; index += 1) {
    line(points[index - 1], points[index], EDGE, width + 2 * rim);
    line(points[index - 1], points[index], lighter(points[index][2]), width);
  }
  if (points.length > 2 && points[points.length - 1][2] < 0.5) {
    pen.beginPath();
    points.forEach(([px, py], index) => (index ? pen.lineTo(px, py) : pen.moveTo(px, py)));
    pen.strokeStyle = SKIN;
    pen.lineWidth = width;
    pen.stroke();
  }
}

/** The skin, lighter where it points at the viewer. */
function lighter(towards) {
  const share = 1 + 0.12 * towards;
  return `rgb(${[217, 160, 122].map((part) => Math.min(255, Math.round(part * share))).join()})`;
}
