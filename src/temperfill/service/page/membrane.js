// Hides: how values on the rim of an area go on inside it as smoothly as can be: the membrane through them (Laplace's
// equation with the rim given; Perez et al. 2003, section 2), from coarse to fine.

export const OUTSIDE = 0; // of no account
export const RIM = 1; // given
export const INSIDE = 2; // wanted
const SWEEPS = 12; // of each size
const RELAXATION = 1.6; // over-relaxation of a sweep
const SMALLEST = 3; // pixels of a side below which nothing is shrunk

/**
 * @param {Float32Array} values one for each pixel; those of RIM are read, those of INSIDE are written
 * @param {Uint8Array} kinds OUTSIDE, RIM or INSIDE
 */
export function spread(values, kinds, width, height) {
  if (Math.min(width, height) > SMALLEST && kinds.includes(INSIDE)) {
    const small = halved(values, kinds, width, height);
    spread(small.values, small.kinds, small.width, small.height);
    for (let at = 0; at < kinds.length; at += 1) {
      if (kinds[at] === INSIDE) values[at] = between(small, (at % width) / 2 - 0.25, Math.floor(at / width) / 2 - 0.25);
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) relax(values, kinds, width, height);
}

function halved(values, kinds, width, height) {
  const small = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  small.values = new Float32Array(small.width * small.height);
  small.kinds = new Uint8Array(small.width * small.height);
  for (let row = 0; row < small.height; row += 1) {
    for (let column = 0; column < small.width; column += 1) {
      let [sum, count, kind] = [0, 0, OUTSIDE];
      for (const [x, y] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
        if (2 * column + x >= width || 2 * row + y >= height) continue;
        const at = (2 * row + y) * width + 2 * column + x;
        if (kinds[at] === RIM) [sum, count] = [sum + values[at], count + 1];
        else if (kinds[at] === INSIDE) kind = INSIDE;
      }
      const own = row * small.width + column;
      small.kinds[own] = count ? RIM : kind;
      small.values[own] = count ? sum / count : 0;
    }
  }
  return small;
}

/** The value of a half as large plane between its pixels; those outside do not count. */
function between({ values, kinds, width, height }, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  let [sum, weight] = [0, 0];
  for (const [right, down] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
    const column = Math.min(Math.max(left + right, 0), width - 1);
    const row = Math.min(Math.max(top + down, 0), height - 1);
    const share = (right ? x - left : 1 - x + left) * (down ? y - top : 1 - y + top);
    if (kinds[row * width + column] === OUTSIDE) continue;
    sum += share * values[row * width + column];
    weight += share;
  }
  return weight ? sum / weight : 0;
}

/** Draws each pixel inside towards the mean of its neighbours; where the picture ends there is none. */
function relax(values, kinds, width, height) {
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const at = row * width + column;
      if (kinds[at] !== INSIDE) continue;
      let [sum, count] = [0, 0];
      if (column > 0 && kinds[at - 1]) [sum, count] = [sum + values[at - 1], count + 1];
      if (column + 1 < width && kinds[at + 1]) [sum, count] = [sum + values[at + 1], count + 1];
      if (row > 0 && kinds[at - width]) [sum, count] = [sum + values[at - width], count + 1];
      if (row + 1 < height && kinds[at + width]) [sum, count] = [sum + values[at + width], count + 1];
      if (count) values[at] += RELAXATION * (sum / count - values[at]);
    }
  }
}
