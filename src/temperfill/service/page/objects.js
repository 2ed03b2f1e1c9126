// Hides: how a rough stroke or shape becomes the mask of the object there: the part of the photo that is looked at, small
// enough to be quick, what is known of its pixels beforehand, and how the answer gets the photo's size.

import { KNOWN } from "./grabcut.js";
import { compute } from "./offpage.js";
import { around, bounds, polygonSpans, strokeSpans } from "./shapes.js";

const SIDE = 320; // pixels of the longer side of what is looked at
const ROOM = 0.3; // of a shape's longer side, looked at around it
const ROOM_OF_STROKE = 0.8; // a stroke lies within its object rather than around it
const RIM = 0.1; // of what is looked at around a stroke: surely outside
const COVER = 0.3; // share of a pixel of the small mask from which one of the photo is in: its soft edge is covered, too

/**
 * @param {Raster} raster what is on show
 * @param {{points: number[][], size: number}} mark size of the brush; 0 for a shape around the object
 * @returns {Promise<{box: number[], bytes: Uint8Array}?>} what the object covers in a box, null where none stands apart
 */
export async function snapToObject(raster, { points, size }) {
  const extent = bounds(points);
  const longer = Math.max(extent[2] - extent[0], extent[3] - extent[1], size);
  const box = around(extent, longer * (size ? ROOM_OF_STROKE : ROOM) + size / 2, raster.width, raster.height);
  const picture = shrink(raster, box);
  if (!picture) return null;
  const { width, height, scale } = picture;
  const small = points.map(([x, y]) => [(x - box[0]) * scale, (y - box[1]) * scale]);
  const known = new Uint8Array(width * height);
  const set = (spans, what) => {
    for (const [row, left, right] of spans) known.fill(what, row * width + left, row * width + right + 1);
  };
  if (size) {
    inner(known, picture, box, raster);
    strokes(small, (from, to) => set(strokeSpans(from, to, size * scale, width, height), KNOWN.maybeInside));
    strokes(small, (from, to) => set(strokeSpans(from, to, Math.max((size * scale) / 2, 1.5), width, height), KNOWN.inside));
  } else set(polygonSpans(small, width, height), KNOWN.maybeInside);
  const found = await compute("findObject", { width, height, rgb: picture.rgb }, known);
  return found.includes(1) ? { box, bytes: enlarge(found, picture, box) } : null;
}

function strokes(points, draw) {
  points.forEach((point, at) => draw(points[Math.max(at - 1, 0)], point));
}

/** What lies around a stroke may belong to the object, but for a rim, unless the photo ends there. */
function inner(known, { width, height }, [left, top, right, bottom], raster) {
  const rim = Math.round(RIM * Math.max(width, height));
  const [x0, y0] = [left > 0 ? rim : 0, top > 0 ? rim : 0];
  const [x1, y1] = [right < raster.width ? width - rim : width, bottom < raster.height ? height - rim : height];
  for (let row = y0; row < y1; row += 1) known.fill(KNOWN.maybeOutside, row * width + x0, row * width + x1);
}

/** A box of the photo with SIDE pixels at most: three bytes for each. */
function shrink(raster, [left, top, right, bottom]) {
  if (right - left < 2 || bottom - top < 2) return null;
  const scale = Math.min(SIDE / Math.max(right - left, bottom - top), 1);
  const [width, height] = [right - left, bottom - top].map((side) => Math.max(Math.round(side * scale), 2));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(raster.full, left, top, right - left, bottom - top, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let at = 0; at < width * height; at += 1) rgb.set(data.subarray(4 * at, 4 * at + 3), 3 * at);
  return { width, height, rgb, scale };
}

/** A small mask at the photo's size, its steps smoothed. */
export function enlarge(found, { width, height }, [left, top, right, bottom]) {
  const [columns, rows] = [right - left, bottom - top];
  if (columns === width && rows === height) return found;
  const bytes = new Uint8Array(columns * rows);
  const across = Array.from({ length: columns }, (_, x) => between(x, columns, width));
  for (let y = 0; y < rows; y += 1) {
    const [upper, lower, down] = between(y, rows, height);
    for (let x = 0; x < columns; x += 1) {
      const [one, other, right1] = across[x];
      const above = found[upper * width + one] * (1 - right1) + found[upper * width + other] * right1;
      const below = found[lower * width + one] * (1 - right1) + found[lower * width + other] * right1;
      bytes[y * columns + x] = Number(above * (1 - down) + below * down > COVER);
    }
  }
  return bytes;
}

/** The two pixels of `few` between which a pixel of `many` lies, and how far it is from the first. */
function between(at, many, few) {
  const place = Math.min(Math.max(((at + 0.5) * few) / many - 0.5, 0), few - 1);
  const first = Math.floor(place);
  return [first, Math.min(first + 1, few - 1), place - first];
}
