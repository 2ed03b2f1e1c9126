// Hides: what a stroke of the clone or healing brush makes of pixels, in a worker. It holds the pixels that strokes began
// on; what strokes have changed are tiles, each a PNG file, so that nothing is lost and little memory is taken.

import { INSIDE, OUTSIDE, RIM, spread } from "./membrane.js";
import { readPixels, shownPixels, writePixels } from "./pixels.js";
import { bounds } from "./shapes.js";

export const TILE = 128;
let picture = null; // Pixels that strokes begin on

/** Takes the pixels of a file. @returns {Promise<boolean>} false for a file that cannot be read exactly */
export async function holdPixels(blob) {
  const read = await readPixels(blob);
  picture = read ?? picture;
  return Boolean(read);
}

/** Takes what a browser shows of a file. */
export async function holdShown(blob) {
  picture = await shownPixels(blob);
}

/**
 * The whole picture as a file.
 * @param {Map<number, Blob>} tiles that were changed
 * @param {function} report is told the share that is done
 * @returns {Promise<Blob>}
 */
export async function retouchedFile(tiles, report) {
  const { width, height } = picture;
  return writePixels({ ...picture, values: await read([0, 0, width, height], tiles) }, false, report);
}

/**
 * One stroke.
 * @param {{tiles: Map<number, Blob>, points: number[][], size: number, soft: number, offset: number[], heals: boolean}}
 *     stroke offset: from a place to that which it is copied from, right and down; soft: share of the brush's radius
 *     over which it fades
 * @returns {Promise<Map<number, Blob>>} tiles that it changed
 */
export async function retouchStroke({ tiles, points, size, soft, offset, heals }) {
  const { width, height, channels, depth } = picture;
  const box = boxOf(points, size);
  if (box[2] <= box[0] || box[3] <= box[1]) return new Map();
  const cover = coverage(points, size, soft, box);
  const [right, down] = offset;
  const from = [box[0] + right, box[1] + down, box[2] + right, box[3] + down];
  const inside = [Math.max(from[0], 0), Math.max(from[1], 0), Math.min(from[2], width), Math.min(from[3], height)];
  if (inside[2] <= inside[0] || inside[3] <= inside[1]) return new Map();
  const area = { width: box[2] - box[0], height: box[3] - box[1] };
  const target = await read(box, tiles);
  const source = new target.constructor(target.length);
  place(source, area.width, await read(inside, tiles), inside, from, channels);
  eachPixel(area, (at, column, row) => {
    const [x, y] = [column + from[0], row + from[1]];
    if (x < 0 || y < 0 || x >= width || y >= height) cover[at] = 0;
  });
  const copied = heals ? healed(source, target, cover, area, channels) : source;
  const before = target.slice();
  blend(target, copied, cover, channels, 2 ** depth - 1, heals);
  return changedTiles(before, target, box, tiles);
}

/** The box of a stroke and the rim around it. */
function boxOf(points, size) {
  const [left, top, right, bottom] = bounds(points);
  const reach = size / 2 + 2;
  const inside = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    inside(Math.floor(left - reach), picture.width),
    inside(Math.floor(top - reach), picture.height),
    inside(Math.ceil(right + reach), picture.width),
    inside(Math.ceil(bottom + reach), picture.height),
  ];
}

/** How far a stroke covers each pixel of a box, 0 to 1. */
function coverage(points, size, soft, [left, top, right, bottom]) {
  const width = right - left;
  const near = new Float32Array(width * (bottom - top)).fill(Infinity); // squared distances to the stroke's line
  const radius = size / 2;
  points.forEach(([x1, y1], number) => {
    const [x0, y0] = points[Math.max(number - 1, 0)];
    const [along, across] = [x1 - x0, y1 - y0];
    const length = along * along + across * across;
    const reach = radius + 1;
    for (let row = Math.max(Math.floor(Math.min(y0, y1) - reach), top); row < Math.min(Math.max(y0, y1) + reach, bottom); row += 1) {
      for (let column = Math.max(Math.floor(Math.min(x0, x1) - reach), left); column < Math.min(Math.max(x0, x1) + reach, right); column += 1) {
        const [x, y] = [column + 0.5 - x0, row + 0.5 - y0];
        const share = length ? Math.min(Math.max((x * along + y * across) / length, 0), 1) : 0;
        const far = (x - share * along) ** 2 + (y - share * across) ** 2;
        const at = (row - top) * width + column - left;
        if (far < near[at]) near[at] = far;
      }
    }
  });
  const fade = Math.max(radius * soft, 1);
  return near.map((far) => {
    const share = Math.min(Math.max((radius + 0.5 - Math.sqrt(far)) / fade, 0), 1);
    return share * share * (3 - 2 * share);
  });
}

/** The source with a tone of its own: that of where it lands, as it is around the stroke. */
function healed(source, target, cover, { width, height }, channels) {
  const colours = channels - ((channels + 1) % 2); // without opacity
  const kinds = new Uint8Array(cover.length);
  eachPixel({ width, height }, (at, column, row) => {
    if (cover[at]) kinds[at] = INSIDE;
    else {
      const sides = [column > 0 && at - 1, column + 1 < width && at + 1, row > 0 && at - width, row + 1 < height && at + width];
      kinds[at] = sides.some((side) => side !== false && cover[side]) ? RIM : OUTSIDE;
    }
  });
  const result = Float32Array.from(source);
  if (!kinds.includes(RIM)) return result;
  for (let channel = 0; channel < colours; channel += 1) {
    const values = new Float32Array(cover.length);
    for (let at = 0; at < cover.length; at += 1) {
      if (kinds[at] === RIM) values[at] = target[at * channels + channel] - source[at * channels + channel];
    }
    spread(values, kinds, width, height);
    for (let at = 0; at < cover.length; at += 1) result[at * channels + channel] += values[at];
  }
  return result;
}

/** Lays what was copied over the target; healing leaves its opacity. */
function blend(target, copied, cover, channels, most, heals) {
  const alpha = channels % 2 ? -1 : channels - 1;
  const colours = alpha < 0 ? channels : alpha;
  for (let at = 0; at < cover.length; at += 1) {
    const share = cover[at];
    if (!share) continue;
    const first = at * channels;
    let [under, over] = [1 - share, share];
    if (alpha > 0 && !heals) {
      under *= target[first + alpha];
      over *= copied[first + alpha];
      if (!(under + over)) continue;
      target[first + alpha] = Math.round(under + over);
    }
    for (let channel = first; channel < first + colours; channel += 1) {
      const value = (under * target[channel] + over * copied[channel]) / (under + over);
      target[channel] = Math.min(Math.max(Math.round(value), 0), most);
    }
  }
}

/** Files of the tiles in which a box has changed. */
async function changedTiles(before, after, box, tiles) {
  const { width, height, channels } = picture;
  const found = new Map();
  for (const index of indicesIn(box, width)) {
    const own = boxOfTile(index, width, height);
    const part = [Math.max(own[0], box[0]), Math.max(own[1], box[1]), Math.min(own[2], box[2]), Math.min(own[3], box[3])];
    if (sameIn(part, before, after, box, channels)) continue;
    const values = await read(own, tiles);
    place(values, own[2] - own[0], after, box, own, channels);
    found.set(index, writePixels({ ...picture, values, width: own[2] - own[0], height: own[3] - own[1] }, true));
  }
  return found;
}

function sameIn([left, top, right, bottom], one, other, box, channels) {
  const stride = (box[2] - box[0]) * channels;
  for (let row = top; row < bottom; row += 1) {
    const start = (row - box[1]) * stride + (left - box[0]) * channels;
    for (let at = start; at < start + (right - left) * channels; at += 1) if (one[at] !== other[at]) return false;
  }
  return true;
}

/** Values of a box: of the picture, and of tiles over it. */
async function read(box, tiles) {
  const { width, height, channels } = picture;
  const values = new picture.values.constructor((box[2] - box[0]) * (box[3] - box[1]) * channels);
  place(values, box[2] - box[0], picture.values, [0, 0, width, height], box, channels);
  for (const index of indicesIn(box, width)) {
    if (!tiles.has(index)) continue;
    const tile = await readPixels(tiles.get(index));
    place(values, box[2] - box[0], tile.values, boxOfTile(index, width, height), box, channels);
  }
  return values;
}

/** Copies what lies in both boxes from the values of one to those of the other, whose rows have `width` pixels. */
function place(target, width, values, from, to, channels) {
  const rows = Math.floor(target.length / (width * channels));
  const [left, right] = [Math.max(from[0], to[0]), Math.min(from[2], to[0] + width)];
  if (right <= left) return;
  for (let row = Math.max(from[1], to[1]); row < Math.min(from[3], to[1] + rows); row += 1) {
    const start = ((row - from[1]) * (from[2] - from[0]) + left - from[0]) * channels;
    target.set(values.subarray(start, start + (right - left) * channels), ((row - to[1]) * width + left - to[0]) * channels);
  }
}

function* indicesIn([left, top, right, bottom], width) {
  const columns = Math.ceil(width / TILE);
  for (let row = Math.floor(top / TILE); row * TILE < bottom; row += 1) {
    for (let column = Math.floor(left / TILE); column * TILE < right; column += 1) yield row * columns + column;
  }
}

/** Left, top, right and bottom of a tile of a picture. */
export function boxOfTile(index, width, height) {
  const columns = Math.ceil(width / TILE);
  const [left, top] = [(index % columns) * TILE, Math.floor(index / columns) * TILE];
  return [left, top, Math.min(left + TILE, width), Math.min(top + TILE, height)];
}

function eachPixel({ width, height }, use) {
  for (let row = 0; row < height; row += 1) for (let column = 0; column < width; column += 1) use(row * width + column, column, row);
}
