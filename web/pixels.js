// Hides: arithmetic on pictures, apart from the page. Pictures are {width, height, data}, data 4 bytes per pixel as of ImageData;
// holes are one byte per pixel, 1 = fill. Planes are Float32Array, channel by channel, in [0, 1].

const MULTIPLE = 4; // of the network's sides
const SMALLEST = 12; // side that the network takes
const THICK = 128; // largest circle in a hole, pixels across, that the network fills well; it loses its colour in thicker ones
const SHRUNK = 96; // to how many pixels across a thicker one is shrunk, at most

// The part of a picture to look at: the hole with as much around it as the hole is wide, at least `least` pixels a side.
export function surroundings(hole, width, height, least) {
  const inner = bounds(hole, width, height);
  if (!inner) return null;
  const side = Math.max(3 * Math.max(inner.width, inner.height), least);
  const [x0, x1] = stretch(inner.x, inner.x + inner.width, side, width);
  const [y0, y1] = stretch(inner.y, inner.y + inner.height, side, height);
  return { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
}

// The smallest box that holds the hole.
function bounds(hole, width, height) {
  let left = width, top = height, right = 0, bottom = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (hole[y * width + x]) {
        left = Math.min(left, x); right = Math.max(right, x + 1);
        top = Math.min(top, y); bottom = Math.max(bottom, y + 1);
      }
    }
  }
  return right === 0 ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

function stretch(low, high, side, length) {
  if (side >= length) return [0, length];
  const start = Math.min(Math.max(Math.round((low + high - side) / 2), 0), length - side);
  return [start, start + side];
}

// How many times smaller the network must see a picture so that the hole is not too thick for it.
export function shrinkage(hole, width, height) {
  const box = bounds(hole, width, height);
  const across = box ? thickness(hole, width, box) : 0;
  return across > THICK ? Math.ceil(across / SHRUNK) : 1;
}

// Pixels across of the largest circle in the hole, to within 8 %: twice the longest way out, in steps of 3 along rows and
// columns and of 4 along diagonals (Borgefors 1986). What lies outside of the box is known.
function thickness(hole, width, box) {
  const stride = box.width + 2, away = new Int32Array(stride * (box.height + 2));
  const pass = (order, steps) => {
    for (const y of order(box.height)) {
      for (const x of order(box.width)) {
        const cell = (y + 1) * stride + x + 1;
        if (!hole[(box.y + y) * width + box.x + x]) continue;
        let least = away[cell] || Infinity;
        for (const [step, cost] of steps) least = Math.min(least, away[cell + step] + cost);
        away[cell] = least;
      }
    }
  };
  const before = [[-1, 3], [-stride, 3], [-stride - 1, 4], [-stride + 1, 4]];
  pass((length) => Array(length).keys(), before);
  pass((length) => Array.from({ length }, (_, i) => length - 1 - i), before.map(([step, cost]) => [-step, cost]));
  return (2 / 3) * away.reduce((most, value) => Math.max(most, value), 0);
}

// Planes for the network: the box, shrunk by averaging `factor` times, and further until its longest side is `limit`, padded
// by its edge.
export function planes(picture, hole, box, limit, factor = 1) {
  const scale = Math.min(1 / factor, limit / Math.max(box.width, box.height));
  const width = Math.max(1, Math.round(box.width * scale)), height = Math.max(1, Math.round(box.height * scale));
  const across = weights(box.width, width), down = weights(box.height, height);
  const [W, H] = [width, height].map((side) => Math.max(SMALLEST, Math.ceil(side / MULTIPLE) * MULTIPLE));
  const image = new Float32Array(3 * W * H), mask = new Float32Array(W * H);
  for (let y = 0; y < H; y++) {
    const rows = down[Math.min(y, height - 1)];
    for (let x = 0; x < W; x++) {
      const columns = across[Math.min(x, width - 1)];
      const sum = [0, 0, 0];
      let missing = 0;
      for (const [row, share] of rows) {
        for (const [column, part] of columns) {
          const place = (box.y + row) * picture.width + box.x + column;
          // A shrunk pixel is missing if any of its pixels is, so that known ones hold nothing of the hole.
          missing |= hole[place];
          for (let c = 0; c < 3; c++) sum[c] += share * part * picture.data[4 * place + c];
        }
      }
      mask[y * W + x] = missing;
      for (let c = 0; c < 3; c++) image[(c * H + y) * W + x] = sum[c] / 255;
    }
  }
  return { image, mask, width: W, height: H, inner: [width, height] };
}

// For each of `to` cells of a line of `from` pixels, the pixels that it covers with their shares.
function weights(from, to) {
  return Array.from({ length: to }, (_, cell) => {
    const low = (cell * from) / to, high = ((cell + 1) * from) / to, found = [];
    for (let pixel = Math.floor(low); pixel < Math.min(Math.ceil(high - 1e-9), from); pixel++) {
      found.push([pixel, (Math.min(high, pixel + 1) - Math.max(low, pixel)) / (high - low)]);
    }
    return found;
  });
}

// A copy of the picture with the hole of the box filled from the network's output; no other byte changes.
export function paste(picture, hole, box, filled, size) {
  const data = new Uint8ClampedArray(picture.data);
  const [W, H] = [size.width, size.height], [width, height] = size.inner;
  for (let y = 0; y < box.height; y++) {
    const rows = between(y, box.height, height);
    for (let x = 0; x < box.width; x++) {
      const place = (box.y + y) * picture.width + box.x + x;
      if (!hole[place]) continue;
      const columns = between(x, box.width, width);
      for (let c = 0; c < 3; c++) {
        data[4 * place + c] = Math.round(255 * blend((row, column) => filled[(c * H + row) * W + column], rows, columns));
      }
      data[4 * place + 3] = 255;
    }
  }
  return { width: picture.width, height: picture.height, data };
}

// The two cells whose centres lie around a pixel's, and how far the pixel is towards the second.
export function between(pixel, pixels, cells) {
  const place = Math.min(Math.max(((pixel + 0.5) * cells) / pixels - 0.5, 0), cells - 1);
  const first = Math.floor(place);
  return [first, Math.min(first + 1, cells - 1), place - first];
}

// The value between four cells, of rows and columns as from `between`.
export function blend(at, [above, below, low], [before, after, right]) {
  const upper = at(above, before) * (1 - right) + at(above, after) * right;
  const lower = at(below, before) * (1 - right) + at(below, after) * right;
  return upper * (1 - low) + lower * low;
}
