// Hides: the very pixels of a PNG file, with 8 or 16 bits for each value and all of its channels, which a canvas would
// round or convert to its own colours; and the file that is written of them, with what the first one said of its colours.

import { Deflater } from "./deflate.js";
import { chunk, SIGNATURE } from "./png.js";

const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // by colour type; palettes are not read here
const COLOUR_TYPES = { 1: 0, 2: 4, 3: 2, 4: 6 };
const COLOURS = new Set(["cICP", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB"]); // chunks that say what values mean
const BAND = 1 << 20; // values that are compressed at once, about
const HEADER = 12; // bytes of a chunk beside its content

/**
 * @typedef {Object} Pixels
 * @property {number} width
 * @property {number} height
 * @property {number} channels 1: grey, 2: grey and opacity, 3: colours, 4: colours and opacity
 * @property {number} depth bits of each value, 8 or 16
 * @property {Uint8Array|Uint16Array} values row by row
 * @property {{type: string, bytes: Uint8Array}[]} before chunks that stand before the pixels
 * @property {{type: string, bytes: Uint8Array}[]} after
 */

/** @returns {Promise<Pixels?>} null for a file that is read in another way: not PNG, a palette, interlaced, turned */
export async function readPixels(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (!SIGNATURE.every((value, at) => bytes[at] === value)) return null;
  const parts = chunksOf(bytes);
  const header = new DataView(parts[0].content.slice().buffer);
  const [width, height, depth, kind] = [header.getUint32(0), header.getUint32(4), header.getUint8(8), header.getUint8(9)];
  const channels = CHANNELS[kind];
  const isKeyed = parts.some(({ type }) => type === "tRNS");
  if (!channels || depth < 8 || header.getUint8(12) || isKeyed || parts.some(isTurned)) return null;
  const first = parts.findIndex(({ type }) => type === "IDAT");
  const own = parts.filter(({ type }) => type !== "IDAT" && type !== "IEND");
  const kept = new Map(own.map((part) => [part, { type: part.type, bytes: part.bytes.slice() }]));
  const others = (from, to) => parts.slice(from, to).map((part) => kept.get(part)).filter(Boolean);
  const data = new Blob(parts.filter(({ type }) => type === "IDAT").map(({ content }) => content));
  const raw = new Uint8Array(await new Response(data.stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  const rows = unfiltered(raw, height, (width * channels * depth) / 8, (channels * depth) / 8);
  const values = depth === 8 ? rows : wide(rows);
  return { width, height, channels, depth, values, before: others(1, first), after: others(first, parts.length) };
}

function chunksOf(bytes) {
  const view = new DataView(bytes.buffer);
  const parts = [];
  for (let at = SIGNATURE.length; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + HEADER + length;
    parts.push({ type, content: bytes.subarray(at + 8, at + 8 + length), bytes: bytes.subarray(at, end) });
    at = end;
  }
  return parts;
}

/** Whether EXIF asks for a rotation. */
function isTurned({ type, content }) {
  if (type !== "eXIf") return false;
  const view = new DataView(content.slice().buffer);
  const little = view.getUint16(0) === 0x4949;
  const start = view.getUint32(4, little);
  for (let entry = 0; entry < view.getUint16(start, little); entry += 1) {
    const at = start + 2 + 12 * entry;
    if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little) > 1;
  }
  return false;
}

/** Takes the filters of PNG away: each byte was told by what lies left of it, above it, or both. */
function unfiltered(raw, height, stride, step) {
  const rows = new Uint8Array(height * stride);
  for (let row = 0; row < height; row += 1) {
    const filter = raw[row * (stride + 1)];
    const line = raw.subarray(row * (stride + 1) + 1, (row + 1) * (stride + 1));
    const now = rows.subarray(row * stride, (row + 1) * stride);
    const above = row ? rows.subarray((row - 1) * stride, row * stride) : new Uint8Array(stride);
    now.set(line);
    if (filter === 1) for (let at = step; at < stride; at += 1) now[at] += now[at - step];
    else if (filter === 2) for (let at = 0; at < stride; at += 1) now[at] += above[at];
    else if (filter > 2) average(now, above, step, filter === 4);
  }
  return rows;
}

function average(now, above, step, isPaeth) {
  for (let at = 0; at < now.length; at += 1) {
    const [left, corner] = at < step ? [0, 0] : [now[at - step], above[at - step]];
    now[at] += isPaeth ? paeth(left, above[at], corner) : (left + above[at]) >> 1;
  }
}

function paeth(left, up, corner) {
  const a = Math.abs(up - corner);
  const b = Math.abs(left - corner);
  const c = Math.abs(left + up - 2 * corner);
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

function wide(bytes) {
  const values = new Uint16Array(bytes.length / 2);
  for (let at = 0; at < values.length; at += 1) values[at] = (bytes[2 * at] << 8) | bytes[2 * at + 1];
  return values;
}

/** What a browser shows of a picture, for files whose pixels cannot be had otherwise: 8 bits, in its own colours. */
export async function shownPixels(blob) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  let opaque = true;
  for (let at = 3; at < data.length && opaque; at += 4) opaque = data[at] === 255;
  const channels = opaque ? 3 : 4;
  const values = new Uint8Array(width * height * channels);
  for (let at = 0; at < width * height; at += 1) {
    for (let channel = 0; channel < channels; channel += 1) values[at * channels + channel] = data[4 * at + channel];
  }
  return { width, height, channels, depth: 8, values, before: [], after: [] };
}

/**
 * @param {Pixels} picture
 * @param {boolean} isPart of another file: only what says what colours mean goes with it
 * @param {function?} report is told the share that is done
 * @returns {Blob} PNG
 */
export function writePixels({ width, height, channels, depth, values, before, after }, isPart, report = () => {}) {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, depth);
  header.setUint8(9, COLOUR_TYPES[channels]);
  const stream = new Deflater();
  const rows = Math.max(Math.floor(BAND / (width * channels)), 1);
  for (let top = 0; top < height; top += rows) {
    const band = values.subarray(top * width * channels, (top + rows) * width * channels);
    stream.push(filtered(band, width * channels, channels, Math.min(rows, height - top)));
    report(Math.min((top + rows) / height, 1));
  }
  const kept = (parts) => parts.filter(({ type }) => !isPart || COLOURS.has(type)).map(({ bytes }) => bytes);
  const body = [chunk("IHDR", new Uint8Array(header.buffer)), ...kept(before), chunk("IDAT", stream.finish()), ...kept(after)];
  return new Blob([new Uint8Array(SIGNATURE), ...body, chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

/** Rows of bytes, each byte told by what lies left of it, which compresses photos well and is quick. */
function filtered(values, count, channels, height) {
  const size = values.BYTES_PER_ELEMENT;
  const step = channels * size;
  const stride = count * size + 1;
  const bytes = new Uint8Array(stride * height);
  for (let row = 0; row < height; row += 1) {
    const line = values.subarray(row * count, (row + 1) * count);
    const now = bytes.subarray(row * stride + 1, (row + 1) * stride);
    if (size === 1) now.set(line);
    else for (let at = 0; at < count; at += 1) [now[2 * at], now[2 * at + 1]] = [line[at] >> 8, line[at]];
    for (let at = now.length - 1; at >= step; at -= 1) now[at] -= now[at - step];
    bytes[row * stride] = 1;
  }
  return bytes;
}
