// Hides: how what the network filled is brought to the tone of its surroundings, as temperfill.inpainter.tone does and says.

import { between, blend } from "./pixels.js";

const SMOOTH = 0.05, MOST = 0.15, GRID = 128, AROUND = 2;
const NEAR = 8; // parts of a hole nearer than about this many pixels count as one

// Changes planes (Float32Array, 3 channels in [0, 1]) where the mask is 1, by itself for every connected part of the hole.
export function matchTone(planes, mask, width, height) {
  const { labels, columns, boxes } = parts(mask, width, height);
  const labelOf = (x, y) => (mask[y * width + x] ? labels[Math.floor(y / NEAR) * columns + Math.floor(x / NEAR)] : 0);
  boxes.forEach((box, index) => matchPart(planes, mask, width, height, box, (x, y) => labelOf(x, y) === index + 1));
}

// The connected parts on a grid of coarse cells, numbered from 1 on, with the boxes of their pixels: left, top, right, bottom.
function parts(mask, width, height) {
  const columns = Math.ceil(width / NEAR), rows = Math.ceil(height / NEAR);
  const cells = new Uint8Array(columns * rows), labels = new Int32Array(columns * rows), boxes = [];
  mask.forEach((value, i) => (cells[Math.floor(i / width / NEAR) * columns + Math.floor((i % width) / NEAR)] |= value));
  for (let start = 0; start < cells.length; start++) {
    if (!cells[start] || labels[start]) continue;
    boxes.push([width, height, 0, 0]);
    labels[start] = boxes.length;
    for (const waiting = [start]; waiting.length; ) {
      const cell = waiting.pop(), x = cell % columns, y = Math.floor(cell / columns);
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, rows - 1); v++) {
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, columns - 1); u++) {
          const next = v * columns + u;
          if (cells[next] && !labels[next]) labels[next] = boxes.length, waiting.push(next);
        }
      }
    }
  }
  mask.forEach((value, i) => {
    if (!value) return;
    const x = i % width, y = Math.floor(i / width), box = boxes[labels[Math.floor(y / NEAR) * columns + Math.floor(x / NEAR)] - 1];
    box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y); box[2] = Math.max(box[2], x + 1); box[3] = Math.max(box[3], y + 1);
  });
  return { labels, columns, boxes };
}

function matchPart(planes, mask, width, height, [left, top, right, bottom], own) {
  left = Math.max(left - AROUND, 0); top = Math.max(top - AROUND, 0);
  right = Math.min(right + AROUND, width); bottom = Math.min(bottom + AROUND, height);
  const block = Math.ceil(Math.max(right - left, bottom - top) / GRID);
  const columns = Math.ceil((right - left) / block), rows = Math.ceil((bottom - top) / block);
  const sums = new Float64Array(4 * columns * rows); // of three weighted differences and of the weights
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const found = difference(planes, mask, width, height, x, y, [left, top, right, bottom], own);
      if (!found) continue;
      const cell = Math.floor((y - top) / block) * columns + Math.floor((x - left) / block);
      for (let c = 0; c < 3; c++) sums[4 * cell + c] += found.weight * found.believed * found.change[c];
      sums[4 * cell + 3] += found.weight;
    }
  }
  const rim = [...Array(columns * rows).keys()].filter((cell) => sums[4 * cell + 3] > 0);
  if (!rim.length) return;
  const changes = new Float32Array(3 * columns * rows);
  for (let cell = 0; cell < columns * rows; cell++) {
    const mean = [0, 0, 0, 0];
    for (const other of rim) {
      const dx = (cell % columns) - (other % columns), dy = Math.floor(cell / columns) - Math.floor(other / columns);
      const near = (dx * dx + dy * dy + 0.25) ** -1.5;
      for (let c = 0; c < 4; c++) mean[c] += near * sums[4 * other + c];
    }
    for (let c = 0; c < 3; c++) changes[3 * cell + c] = Math.min(Math.max(mean[c] / mean[3], -MOST), MOST);
  }
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (!own(x, y)) continue;
      const down = between(y - top, block * rows, rows), across = between(x - left, block * columns, columns);
      for (let c = 0; c < 3; c++) {
        const change = blend((row, column) => changes[3 * (row * columns + column) + c], down, across);
        const place = (c * height + y) * width + x;
        planes[place] = Math.min(Math.max(planes[place] + change, 0), 1);
      }
    }
  }
}

// How both sides of the rim differ in the 3x3 around a pixel, and how far that is to be trusted; null away from the rim.
function difference(planes, mask, width, height, x, y, [left, top, right, bottom], own) {
  const sides = [0, 1].map(() => ({ count: 0, sum: [0, 0, 0], squares: 0 })); // known, filled
  for (let v = Math.max(y - 1, top); v < Math.min(y + 2, bottom); v++) {
    for (let u = Math.max(x - 1, left); u < Math.min(x + 2, right); u++) {
      const missing = mask[v * width + u];
      if (missing && !own(u, v)) continue;
      const side = sides[missing];
      side.count++;
      for (let c = 0; c < 3; c++) {
        const value = planes[(c * height + v) * width + u];
        side.sum[c] += value;
        side.squares += value * value;
      }
    }
  }
  if (!sides[0].count || !sides[1].count) return null;
  const [known, filled] = sides.map(({ count, sum }) => sum.map((value) => value / count));
  const variance = sides.map(({ count, squares }, i) => squares / count - [known, filled][i].reduce((a, m) => a + m * m, 0));
  const change = known.map((value, c) => value - filled[c]);
  const largest = Math.max(...change.map(Math.abs));
  return {
    change,
    weight: 1 / (Math.max(variance[0], 0) + Math.max(variance[1], 0) + SMOOTH ** 2),
    believed: Math.max(1 - (largest / MOST) ** 4, 0) ** 2,
  };
}
