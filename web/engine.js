// Hides: who does the work, here the browser itself: a worker with onnxruntime-web fills, canvases write files, nothing is
// sent anywhere. It has the names of the engine that asks a server, and takes its place where the page is built.

import { EngineError } from "./failure.js";

const ROOT = new URL("../", import.meta.url); // of all that is built
/** What this engine cannot do. */
const LACKS = {
  has_sources: "This page cannot tell where it copied from; “temperfill serve” can.",
  finds_dust: "This page finds no dust; “temperfill serve” and “temperfill dust” do.",
  chooses_model: "This page has one model; “temperfill serve” has a choice.",
  has_tries: "Here all tries of a fill are the same; they differ where “temperfill serve” copies texture.",
  copies_texture: "Here the network draws all texture; “temperfill serve” can copy it.",
  writes_tiff: "Browsers write no TIFF; “temperfill serve” does.",
  keeps_depth: "Browsers read 8 bits for each colour.",
  keeps_quality: "Browsers do not say how a JPEG was compressed.",
};
const WRITTEN = new Set(["image/png", "image/jpeg", "image/webp"]);
const QUALITY = "95"; // of lossy files, unless asked otherwise
const MOST = 64e6; // pixels; a picture and its result take 8 bytes of memory for each

/** What the page says of its engine. */
export const WORDS = {
  place: `${window.isSecureContext ? "Once loaded, the page works offline, and pictures" : "Pictures"} stay on this device.`,
  taker: "this page",
  answer: "The result",
  remedy: "fill it with “temperfill inpaint”",
  another: "",
  unknown: "The model is not known yet.",
};

// Either device can be insisted on in the page's own address, .../#device=wasm or .../#device=webgpu.
const DEVICE = new URLSearchParams(window.location.hash.slice(1)).get("device");

/** Limits of the engine, what saving leaves out, and the picture to begin with; see the engine that asks a server. */
export async function start() {
  // Without it, as on pages without TLS, everything works but a visit without network.
  navigator.serviceWorker?.register(new URL("offline.js", ROOT)).catch(() => {});
  const loss =
    "What the camera noted (EXIF) and the colour profile are left out: the file is upright, in sRGB, with 8 bits for each colour.";
  return { max_bytes: Infinity, max_pixels: MOST, loss, image: null };
}

/** Why this engine cannot do something, whatever its model; null where it can. */
export const lack = (ability) => LACKS[ability] ?? null;

/** The one model that there is: {name, terms, takes_sketch, takes_temperature, takes_avoid}. */
export async function askModels() {
  const response = await fetch(new URL("model.json", ROOT)).catch(() => null);
  if (!response?.ok) throw new EngineError("The model cannot be loaded. Load the page again.", "unreachable");
  const model = await response.json();
  return { models: [model], current: model.name };
}

/** There is none: the page is opened without a picture. */
export async function startImage() {
  throw new EngineError("There is no picture to begin with.", "not_found");
}

let worker = null; // kept between fills, with the network in it

/** Fills; see the engine that asks a server. Progress begins with the states "loading" and "starting". */
export function fill(work, { onProgress }) {
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const own = worker;
  let stop;
  const result = new Promise((resolve, reject) => {
    // What a runtime holds after a failure or in the middle of its work is of no use.
    stop = (message, code) => {
      own.terminate();
      if (worker === own) worker = null;
      reject(new EngineError(message, code));
    };
    own.onerror = (event) => stop(failure(event.message || "its program cannot be loaded"), "failed");
    own.onmessage = ({ data: { kind, ...rest } }) => {
      if (kind === "progress") onProgress({ ahead: 0, ...rest });
      else if (kind === "done") resolve(rest);
      else stop(failure(rest.text), "failed");
    };
  });
  onProgress({ state: "starting", ahead: 0, done: 0, total: 0 });
  own.postMessage({ ...work, device: DEVICE });
  return { result, cancel: () => stop("Cancelled.", "cancelled") };
}

/** Extends the canvas by `work.sides`: {left, top, right, bottom}; otherwise as `fill`, without marks. */
export const extend = fill;

function failure(text) {
  const said = `The fill failed: ${text.replace(/\.?$/, ".")}`;
  return /memory|alloc|abort|unreachable/i.test(text) ? `${said} Mark a smaller area.` : said;
}

/** Shows what browsers are not known to show, where this one does after all. */
export async function preview(image) {
  const bitmap = await createImageBitmap(image).catch(() => {
    const text = "This browser shows no such files. Make a PNG or JPEG of it, or open it in “temperfill serve”.";
    throw new EngineError(text, "unsupported_picture");
  });
  bitmap.close();
  return { shown: image, depth: 8 };
}

/** A result as a file in the format that is asked for; without one that of the original, if browsers write it. */
export async function convert({ image, original }, { format, quality }) {
  const own = WRITTEN.has(original.type) ? original.type : "image/png";
  const type = format ? `image/${format}` : own;
  if (type === image.type) return { blob: image, warnings: [] };
  const bitmap = await createImageBitmap(image);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  if (type === "image/jpeg") {
    context.fillStyle = "#fff"; // behind transparent places
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const blob = await canvas.convertToBlob({ type, quality: Number(quality || QUALITY) / 100 });
  if (blob.type === type) return { blob, warnings: [] };
  throw new EngineError("This browser does not write files of this format. Choose another.", "unsupported_format");
}

/** Nobody but the browser reads pictures here. */
export const lossless = async () => null;

/** Finding dust is not done here. */
export async function findDust() {
  throw new EngineError(LACKS.finds_dust, "not_supported");
}

/** Cannot be told here; see `lack`. */
export async function sources() {
  throw new EngineError(LACKS.has_sources, "not_supported");
}
