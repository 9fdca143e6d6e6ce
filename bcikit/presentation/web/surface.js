// Turns a signed distance into a mesh: one vertex for each cell that the surface passes through ("surface nets").

/** Smallest of two distances, with a fillet of about `k` metres between the bodies (polynomial smooth minimum). */
export function blend(a, b, k) {
  const h = Math.max(k - Math.abs(a - b), 0) / k;
  return Math.min(a, b) - (h * h * k) / 4;
}

/** Distance of p from a rod from a to b whose radius runs from `r0` to `r1`; negative inside. */
export function rod(p, a, b, r0, r1) {
  const [abx, aby, abz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
  const [apx, apy, apz] = [p[0] - a[0], p[1] - a[1], p[2] - a[2]];
  const t = Math.min(1, Math.max(0, (apx * abx + apy * aby + apz * abz) / (abx * abx + aby * aby + abz * abz)));
  return Math.hypot(apx - t * abx, apy - t * aby, apz - t * abz) - (r0 + t * (r1 - r0));
}

/**
 * Mesh of the surface on which `distance` is zero.
 * @param {(p: number[]) => number} distance signed, in metres
 * @param {number[]} low corner of the box, and `high` the opposite one
 * @param {number} cell edge of a cell
 * @returns {{positions: number[], normals: number[], indices: number[]}}
 */
export function surface(distance, low, high, cell) {
  const size = low.map((edge, axis) => Math.ceil((high[axis] - edge) / cell) + 1);
  const step = [1, size[0], size[0] * size[1]];
  const values = sample(distance, low, size, step, cell);
  const vertexOf = new Int32Array(values.length).fill(-1);
  const positions = [];
  const indices = [];
  for (let z = 0; z < size[2] - 1; z += 1) {
    for (let y = 0; y < size[1] - 1; y += 1) {
      for (let x = 0; x < size[0] - 1; x += 1) {
        const at = x + y * step[1] + z * step[2];
        const middle = crossing(values, at, step);
        if (middle === null) continue;
        vertexOf[at] = positions.length / 3;
        positions.push(low[0] + (x + middle[0]) * cell, low[1] + (y + middle[1]) * cell, low[2] + (z + middle[2]) * cell);
        join(values, vertexOf, indices, at, step, [x, y, z]);
      }
    }
  }
  return { positions, normals: slopes(distance, positions, cell / 4), indices };
}

/** Distances at the corners of all cells; far from the surface one for a whole block is enough. */
function sample(distance, low, size, step, cell) {
  const values = new Float32Array(size[0] * size[1] * size[2]);
  const block = 4;
  const far = block * cell * 0.9;
  for (let z0 = 0; z0 < size[2]; z0 += block) {
    for (let y0 = 0; y0 < size[1]; y0 += block) {
      for (let x0 = 0; x0 < size[0]; x0 += block) {
        const centre = [x0, y0, z0].map((edge, axis) => low[axis] + (edge + (block - 1) / 2) * cell);
        const about = distance(centre);
        for (let z = z0; z < Math.min(z0 + block, size[2]); z += 1) {
          for (let y = y0; y < Math.min(y0 + block, size[1]); y += 1) {
            for (let x = x0; x < Math.min(x0 + block, size[0]); x += 1) {
              const p = [low[0] + x * cell, low[1] + y * cell, low[2] + z * cell];
              values[x + y * step[1] + z * step[2]] = Math.abs(about) > far ? about : distance(p);
            }
          }
        }
      }
    }
  }
  return values;
}

/** Mean of where the surface crosses the edges of the cell, in parts of it; null if it does not. */
function crossing(values, at, step) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let corner = 0; corner < 8; corner += 1) {
    const from = at + (corner & 1) + ((corner >> 1) & 1) * step[1] + ((corner >> 2) & 1) * step[2];
    for (let axis = 0; axis < 3; axis += 1) {
      if ((corner >> axis) & 1) continue;
      const a = values[from];
      const b = values[from + step[axis]];
      if (a < 0 === b < 0) continue;
      const t = a / (a - b);
      for (let other = 0; other < 3; other += 1) sum[other] += other === axis ? t : (corner >> other) & 1;
      count += 1;
    }
  }
  return count === 0 ? null : sum.map((value) => value / count);
}

/** Join the four cells around each edge of this cell's first corner that the surface crosses. */
function join(values, vertexOf, indices, at, step, place) {
  for (let axis = 0; axis < 3; axis += 1) {
    const inside = values[at] < 0;
    const u = (axis + 1) % 3;
    const v = (axis + 2) % 3;
    if (inside === values[at + step[axis]] < 0 || place[u] === 0 || place[v] === 0) continue;
    const [a, b, c, d] = [at, at - step[u], at - step[u] - step[v], at - step[v]].map((cell) => vertexOf[cell]);
    indices.push(...(inside ? [a, b, c, a, c, d] : [a, c, b, a, d, c]));
  }
}

function slopes(distance, positions, reach) {
  const normals = [];
  for (let i = 0; i < positions.length; i += 3) {
    const p = positions.slice(i, i + 3);
    const slope = [0, 1, 2].map((axis) => {
      const there = p.map((value, other) => (other === axis ? value + reach : value));
      const back = p.map((value, other) => (other === axis ? value - reach : value));
      return distance(there) - distance(back);
    });
    const length = Math.hypot(...slope) || 1;
    normals.push(...slope.map((value) => value / length));
  }
  return normals;
}
