// Hides: one fill in the browser, from the files that the page has to the file of the result, in a worker so that the page
// stays responsive. A message is the work of a fill, see `fill` of engine.js; answers are {kind: "progress", state, done,
// total}, {kind: "done", blob, seconds, warnings, device} and {kind: "failed", text}.

import { Network } from "./network.js";
import { paste, planes, shrinkage, surroundings } from "./pixels.js";
import { dilate, feather } from "./regions.js";
import { matchTone } from "./tone.js";

const SIDE = 512; // of what the network sees, pixels
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

async function fill({ image, mask, sketch, avoid, options, device }) {
  const start = performance.now();
  const photo = await pixelsOf(image);
  const { width, height } = photo;
  const [hole, lines, shunned] = await Promise.all([mask, sketch, avoid].map((file) => file && marksOf(file)));
  const wide = dilate(hole, width, height, Number(options.mask_dilate));
  const { data, used } = await fillHole(photo, wide, { lines, shunned }, device);
  feather(data, photo.data, wide, shunned, width, height, Number(options.feather));
  const blob = await fileOf(data, width, height);
  const warnings = [...used.warnings, ...(isFaithful() ? [] : [ALTERED]), ...(isPartlyTransparent(photo) ? [ROUNDED] : [])];
  return { blob, warnings, device: used.device, seconds: (performance.now() - start) / 1000 };
}

/** The picture with its hole filled, by way of a window around all of it. */
async function fillHole(photo, hole, { lines, shunned }, device) {
  const { width, height } = photo;
  const factor = shrinkage(hole, width, height);
  const box = surroundings(hole, width, height, SIDE * factor); // what is shrunk may as well see more
  const seen = planes(photo, hole, box, SIDE, factor);
  const plane = (marks) => marks && planes(photo, marks, box, SIDE, factor).mask;
  const inputs = { image: seen.image, mask: seen.mask, sketch: plane(lines), avoid: plane(shunned) };
  const used = await network.run(inputs, seen.width, seen.height, device);
  matchTone(used.composite, seen.mask, seen.width, seen.height);
  return { data: paste(photo, hole, box, used.composite, seen).data, used };
}

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

async function fileOf(data, width, height) {
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
