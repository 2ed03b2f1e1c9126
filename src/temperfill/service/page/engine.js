// Hides: who does the work, here a server by its HTTP interface. This file is all that knows of it: another with the same
// names makes the page run on another engine. Every address is below the page's own, every failure is an EngineError.

import { EngineError } from "./failure.js";

const POLL = 400; // ms between two questions about progress
const PATIENCE = 3000; // ms that the server has to confirm a cancellation before the connection is closed
const TURNS = 20; // of asking a busy server for a preview
const PAUSE = 1500; // ms between two of them
const UNREACHABLE =
  "The server does not answer. Check that it still runs; the photo, your strokes and all results are kept here.";

/** What is said to take too long, and a remedy beside more time. */
const SLOW = {
  "v1/inpaint": ["The fill", "Mark a smaller area"],
  "v1/extend": ["Extending", "Extend it by less"],
  "v1/sources": ["Looking for the sources", "Mark a smaller area"],
  "v1/convert": ["Writing the file", "Choose another format"],
  "v1/preview": ["Making the picture visible", "Make it smaller"],
  "v1/dust": ["Looking for dust", "Make the picture smaller"],
};

// Servers that want a token get it from the page's own address, .../#token=TOKEN, which browsers send nowhere.
const TOKEN = new URLSearchParams(window.location.hash.slice(1)).get("token");

async function request(path, options = {}) {
  const headers = { ...(TOKEN ? { Authorization: `Bearer ${TOKEN}` } : {}), ...options.headers };
  let response;
  try {
    response = await fetch(new URL(path, document.baseURI), { cache: "no-store", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw new EngineError("Cancelled.", "cancelled");
    throw new EngineError(UNREACHABLE, "unreachable");
  }
  if (response.ok) return response;
  throw await failure(response, path);
}

/** The body of a reply; a connection that breaks here is the same as one that never was. */
async function body(response, kind) {
  try {
    return await response[kind]();
  } catch (error) {
    if (error.name === "AbortError") throw new EngineError("Cancelled.", "cancelled");
    throw new EngineError(UNREACHABLE, "unreachable");
  }
}

async function failure(response, path) {
  const { error } = await response.json().catch(() => ({}));
  const said = error?.message ? sentence(error.message) : `The server answered with status ${response.status}.`;
  const { status } = response;
  if (status === 401) {
    return new EngineError("This server wants its token: open the page as …/#token=TOKEN.", "unauthorized", status);
  }
  if (status === 503 && (error?.code ?? "busy") === "busy") {
    const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    const wait = seconds > 0 ? `in ${seconds} seconds` : "a little later";
    const text = `The server is busy with other pictures. Try again ${wait}; nothing is lost.`;
    return new EngineError(text, "busy", status);
  }
  if (status === 504) {
    const [work, remedy] = SLOW[path] ?? ["This", "Try again"];
    const text = `${work} took longer than the server allows. ${remedy}, or start the server with a longer time limit.`;
    return new EngineError(text, "timeout", status);
  }
  if (status === 409) return new EngineError("Cancelled.", "cancelled", status);
  return new EngineError(said, error?.code ?? "failed", status);
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed[0].toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

async function json(path, options) {
  return body(await request(path, options), "json");
}

/** What the page says of its engine. */
export const WORDS = {
  place: `Pictures go to this server only: ${window.location.host}.`,
  taker: "this server",
  answer: "The server's answer",
  remedy: "start the server with a higher limit",
  another: "Choose another model in the options, or start the server with one that does.",
  unknown: "The server's model is not known yet.",
};

/**
 * Limits of the engine, what saving leaves out in a sentence, and the picture to begin with.
 * @returns {Promise<{max_bytes: number, max_pixels: number, loss: string, image: {name: string}?, output: Object?}>}
 *     output: the place to which the server saves that picture: {save, done}
 */
export async function start() {
  const { max_bytes, max_pixels, keeps_metadata, image, saves } = await json("start");
  const loss = keeps_metadata === false ? "This server leaves out what the camera noted (EXIF)." : "";
  return { max_bytes, max_pixels, loss, image, output: saves ? { save: saveInPlace, done: finish } : null };
}

/** Why this engine cannot do something, whatever its model; null where it can. */
export const lack = () => null;

/**
 * The models that can be chosen, and the name of the one that fills otherwise; while that is loaded, fails with the code
 * "loading". @returns {Promise<{models: {name: string, terms: string, takes_sketch: boolean}[], current: string}>}
 */
export const askModels = () => json("v1/models");

/** The picture to begin with. @returns {Promise<File>} */
export async function startImage(name) {
  const blob = await body(await request("start/image"), "blob");
  return new File([blob], name, { type: blob.type });
}

/** A name for a job. Random enough to be unique; works on pages without TLS, unlike crypto.randomUUID. */
function newJob() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {{image: Blob, name: string, mask: Blob?, sketch: Blob?, avoid: Blob?, options: Object}} work options: the
 *     text fields
 */
function asForm({ image, name, mask, sketch, avoid, options }) {
  const form = new FormData();
  form.append("image", image, name);
  if (mask) form.append("mask", mask, "mask.png");
  if (sketch) form.append("sketch", sketch, "sketch.png");
  if (avoid) form.append("avoid", avoid, "avoid.png");
  for (const [key, value] of Object.entries(options)) form.append(key, String(value));
  return form;
}

/** What the server says of its answer, in sentences; see X-Warnings in docs/use/service.md. */
function warnings(response) {
  return JSON.parse(response.headers.get("X-Warnings") ?? "[]").map(sentence);
}

/**
 * Fills. @param {Object} work see `asForm`
 * @param {function} onProgress receives {state, ahead, done, total}, first with the state "sending"
 * @param {function} onDraft receives what is shown before the result, {blob, box: [top, left, bottom, right]}
 * @returns {{result: Promise<{blob: Blob, seconds: number?, warnings: string[]}>, cancel: function}} after `cancel` the
 *     result fails with the code "cancelled"
 */
export const fill = (work, listeners) => begin("v1/inpaint", asForm(work), listeners);

/** Extends the canvas by `work.sides`: {left, top, right, bottom}; otherwise as `fill`, without marks. */
export const extend = ({ sides, ...work }, listeners) =>
  begin("v1/extend", asForm({ ...work, options: { ...work.options, ...sides } }), listeners);

function begin(path, form, { onProgress, onDraft }) {
  const job = newJob();
  const connection = new AbortController();
  onProgress({ state: "sending", ahead: 0, done: 0, total: 0 });
  let ended = false;
  const result = answer(path, form, job, connection.signal).finally(() => {
    ended = true;
  });
  follow(job, () => ended, { onProgress, onDraft });
  return { result, cancel: () => cancelJob(job, connection) };
}

async function answer(path, form, job, signal) {
  const init = { method: "POST", body: form, headers: { "X-Job": job }, signal };
  const response = await request(path, init);
  const blob = await body(response, "blob");
  if (!blob.type.startsWith("image/")) throw new EngineError("The server's answer is not a picture.", "failed");
  const seconds = Number.parseFloat(response.headers.get("X-Seconds") ?? "") || null;
  return { blob, seconds, warnings: warnings(response) };
}

/** Asks for progress and drafts until the fill has ended. */
async function follow(job, hasEnded, { onProgress, onDraft }) {
  let drafts = 0;
  while (!hasEnded()) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    if (hasEnded()) return;
    try {
      const state = await json(`v1/jobs/${job}`);
      if (hasEnded()) return;
      if (state.state === "queued" || state.state === "running") onProgress(state);
      if (state.drafts > drafts) {
        drafts = state.drafts;
        const part = await draft(job);
        if (!hasEnded()) await onDraft(part);
      }
    } catch (error) {
      // Not known yet while the photo is on its way; a server that is gone shows itself in the request proper.
      if (!(error instanceof EngineError)) throw error;
    }
  }
}

async function draft(job) {
  const response = await request(`v1/jobs/${job}/draft`);
  const box = response.headers.get("X-Box").split(",").map(Number);
  return { blob: await body(response, "blob"), box };
}

/** Asks the server to stop; where it does not answer in time, closing the connection does the same. */
async function cancelJob(job, connection) {
  const close = setTimeout(() => connection.abort(), PATIENCE);
  try {
    await request(`v1/jobs/${job}`, { method: "DELETE" });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    clearTimeout(close);
    connection.abort();
  }
}

/**
 * A picture as PNG, for the page to show; a busy server is asked again, so that no finished fill is lost to it.
 * @returns {Promise<{shown: Blob, depth: number}>} depth: bits of each colour in the file, where more than 8
 */
export async function preview(image, name, signal) {
  const form = new FormData();
  form.append("image", image, name);
  for (let turn = 1; ; turn += 1) {
    try {
      const response = await request("v1/preview", { method: "POST", body: form, signal });
      const shown = await body(response, "blob");
      return { shown, depth: Number.parseInt(response.headers.get("X-Depth") ?? "8", 10) };
    } catch (error) {
      if (error.code !== "busy" || turn === TURNS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/**
 * Marks of dust, hairs and scratches on a picture.
 * @returns {Promise<{mask: Blob, count: number}>} mask: PNG of the picture's size, white marks dust
 */
export async function findDust(image, name) {
  const form = new FormData();
  form.append("image", image, name);
  const response = await request("v1/dust", { method: "POST", body: form });
  return { mask: await body(response, "blob"), count: Number(response.headers.get("X-Marks")) };
}

/**
 * @param {{model: string?, unmarked: boolean}} work model: that made a part of the image; unmarked: none did, and the
 *     file must not say so
 */
function asPair({ image, original, name, model, unmarked }, limits) {
  const form = new FormData();
  form.append("image", image, "result.png");
  if (model) form.append("model", model);
  if (unmarked) form.append("unmarked", "true");
  if (image.size + original.size < limits.max_bytes) form.append("original", original, name);
  return form;
}

/** A picture as a file that loses nothing, of its own depth and mode: PNG, or TIFF where PNG does not hold it. */
export async function lossless(image, name) {
  const form = new FormData();
  form.append("image", image, name);
  form.append("format", "lossless");
  return body(await request("v1/convert", { method: "POST", body: form }), "blob");
}

/** Has the server write a result, where it was started with a place for it. */
async function saveInPlace(work, limits) {
  const response = await request("v1/output", { method: "POST", body: asPair(work, limits) });
  const { name: saved } = await body(response, "json");
  return { name: saved, warnings: warnings(response) };
}

/** Ends the server that was started to edit one picture. */
const finish = () => request("v1/output/done", { method: "POST" });

/**
 * A result as a file in the format that is asked for, with the metadata of the original.
 * @param {{format: string, quality: string}} options empty for those of the original
 * @returns {Promise<{blob: Blob, warnings: string[]}>}
 */
export async function convert(work, { format, quality }, limits) {
  const form = asPair(work, limits);
  if (format) form.append("format", format);
  if (quality) form.append("quality", quality);
  const response = await request("v1/convert", { method: "POST", body: form });
  return { blob: await body(response, "blob"), warnings: warnings(response) };
}

/** Where the pixel at the options row and column came from: {copy: {row, column, share}?, heads: [{temperature, ...}]}. */
export async function sources(work, signal) {
  const form = asForm(work);
  return json("v1/sources", { method: "POST", body: form, signal });
}
