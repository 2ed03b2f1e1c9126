// Hides: one fill in the browser, from the files that the page has to the file of the result, in a worker so that the page
// stays responsive. A message is the work of a fill, see `fill` of engine.js; answers are {kind: "progress", state, done,
// total}, {kind: "done", blob, seconds, warnings, device} and {kind: "failed", text}.

import { cut, extended } from "./canvas.js";
import { fill as fillWindows } from "./host.js";
import { Network } from "./network.js";
import { feather } from "./regions.js";

const ALTERED = "This browser alters pictures that pages read (a protection against being recognised), also those saved here.";
const ROUNDED = "Browsers round the colours of partly transparent pixels, also outside of the mask.";

const tell = (state, done = 0, total = 0) => postMessage({ kind: "progress", state, done, total });
const network = new Network(tell);

self.onmessage = async ({ data }) => {
  try {
    postMessage({ kind: "done", ...(await fill(data)) });
  } catch (error) {
    postMessage({ kind: "failed", text: String(error?.message || error) });
  }
};

async function fill({ image, options, device, ...marks }) {
  const start = performance.now();
  const photo = await pixelsOf(image);
  const use = { device: device ?? (await network.device()), warnings: [] };
  const filled = await (marks.sides ? extend(photo, marks.sides, options, use) : fillHole(photo, marks, options, use));
  const blob = await fileOf(filled);
  const warnings = [...use.warnings, ...(isFaithful() ? [] : [ALTERED]), ...(isPartlyTransparent(photo) ? [ROUNDED] : [])];
  return { blob, warnings, device: use.device, seconds: (performance.now() - start) / 1000 };
}

async function fillHole(photo, { mask, sketch, avoid }, options, use) {
  const { width, height } = photo;
  const [hole, lines, shunned] = await Promise.all([mask, sketch, avoid].map((file) => file && marksOf(file)));
  const data = await compute(photo, hole, { sketch: asBytes(lines), avoid: asBytes(shunned) }, options, use);
  feather(data, photo.data, hole, shunned, width, height, Number(options.feather));
  return { width, height, data };
}

async function extend(photo, sides, options, use) {
  const canvas = extended(photo, sides);
  const data = await compute(canvas.photo, canvas.hole, { avoid: asBytes(canvas.mirrored) }, options, use);
  return cut(data, canvas.photo.width, canvas.box);
}

async function compute(photo, hole, marks, options, use) {
  tell("running", 0, 1);
  const filled = await fillWindows((inputs) => network.run(inputs, use), photo, asBytes(hole), {
    ...marks,
    temperature: Number(options.temperature),
    onWindow: (done, total) => tell("running", done, total),
  });
  return new Uint8ClampedArray(filled.buffer);
}

/** Marks as the model takes them, 255 = set. */
const asBytes = (marks) => marks?.map((value) => 255 * value);

/** A picture file upright as {width, height, data}, data as of ImageData. */
async function pixelsOf(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  // A canvas that is too large for a browser stays empty.
  if (file.type === "image/jpeg" && data[3] === 0) throw new Error(`${width} × ${height} pixels are too large for this browser`);
  return { width, height, data };
}

/** One byte for each pixel of a file with marks, 1 = marked. */
async function marksOf(file) {
  const { data } = await pixelsOf(file);
  return Uint8Array.from({ length: data.length / 4 }, (_, at) => Number(data[4 * at] > 127));
}

async function fileOf({ width, height, data }) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Whether pixels come back from a canvas as they were put there. */
function isFaithful() {
  const context = new OffscreenCanvas(16, 16).getContext("2d");
  const put = new ImageData(16, 16);
  put.data.forEach((_, at) => (put.data[at] = at % 4 === 3 ? 255 : (at * 37) % 256));
  context.putImageData(put, 0, 0);
  return context.getImageData(0, 0, 16, 16).data.every((value, at) => value === put.data[at]);
}

function isPartlyTransparent({ data }) {
  for (let at = 3; at < data.length; at += 4) if (data[at] > 0 && data[at] < 255) return true;
  return false;
}
