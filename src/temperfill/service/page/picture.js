// Hides: what picture files are: how their kind and size are told from the first bytes, how they are decoded upright, and
// that the engine has to make PNG of those that browsers cannot show.

import { lack, preview, WORDS } from "./engine.js";
import { EngineError } from "./failure.js";

const FORMATS = {
  jpeg: "JPEG",
  png: "PNG",
  webp: "WebP",
  avif: "AVIF",
  gif: "GIF",
  bmp: "BMP",
  tiff: "TIFF",
  "x-portable-anymap": "PPM",
  heic: "HEIC",
};
const UNSHOWN = new Set(["image/tiff", "image/x-portable-anymap", "image/heic"]);
/** What the engine calls it when the fault is the picture's. */
const FAULTS = new Set(["unsupported_picture", "invalid", "animated", "too_large", "out_of_memory"]);
const REFUSED = {
  pdf: "is a PDF document, not a picture",
  svg: "is a drawing (SVG), not a photo",
};
const EXTENSIONS = {
  "image/jpeg": ["jpg", "jpeg", "jfif"],
  "image/png": ["png"],
  "image/webp": ["webp"],
  "image/tiff": ["tif", "tiff"],
  "image/x-portable-anymap": ["ppm", "pgm", "pbm"],
  "image/heic": ["heic", "heif", "hif"],
  "image/avif": ["avif"],
  "image/gif": ["gif"],
  "image/bmp": ["bmp"],
};
const HEADER = 1 << 20; // bytes looked at; size and orientation of a photo stand long before
const PREVIEW = 2048; // longest side of the copy that is drawn while the whole photo is seen

/** What the user must be told; nothing was changed. */
export class BadInput extends Error {}

/** A decoded picture: the full bitmap, and for large ones a smaller copy that keeps drawing fast. */
export class Raster {
  constructor(full, small, opaque) {
    Object.assign(this, { full, small, opaque, width: full.width, height: full.height });
    this.frame = null; // of the version that it is of, see frames.js
  }

  /** The bitmap to draw when one image pixel takes `scale` device pixels. */
  at(scale) {
    return this.small && this.small.width >= this.width * scale ? this.small : this.full;
  }

  close() {
    for (const each of [this.full, this.small]) each?.close?.(); // a canvas has no such thing
  }
}

/** Decodes bytes upright. @returns {Promise<Raster>}; throws BadInput for what is no intact picture. */
export async function decode(blob, name) {
  let full;
  try {
    full = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new BadInput(`${name} is damaged: the browser cannot decode it. Try another copy of the file.`);
  }
  const opaque = blob.type === "image/jpeg";
  const longest = Math.max(full.width, full.height);
  if (longest <= 1.5 * PREVIEW) return new Raster(full, null, opaque);
  const shrink = PREVIEW / longest;
  const size = { resizeWidth: Math.round(full.width * shrink), resizeHeight: Math.round(full.height * shrink) };
  return new Raster(full, await createImageBitmap(full, { ...size, resizeQuality: "medium" }), opaque);
}

/**
 * What browsers can show of a picture file: itself, or a PNG from the engine.
 * @returns {Promise<{shown: Blob, depth: number}>} depth: bits of each colour, where they are more than the 8 of PNG
 */
export async function visible(blob, name, signal) {
  if (!UNSHOWN.has(blob.type)) return { shown: blob, depth: 8 };
  try {
    return await preview(blob, name, signal);
  } catch (error) {
    if (!(error instanceof EngineError && FAULTS.has(error.code))) throw error;
    throw new BadInput(`${name} cannot be opened. ${error.message}`);
  }
}

/**
 * Reads a file that the user gave.
 * @param {{max_bytes: number, max_pixels: number}} limits of the engine
 * @param {AbortSignal?} signal ends the conversion of a file that browsers cannot show
 * @returns {Promise<{blob: Blob, shown: Blob, depth: number, name: string, raster: Raster}>} the file's own bytes, held
 *     in memory, and what is drawn of it
 */
export async function readPicture(file, limits, signal) {
  const name = file.name || "The picture";
  if (!file.size) throw new BadInput(`${name} is empty (0 bytes). Choose a picture file.`);
  if (file.size > limits.max_bytes) {
    const sizes = `has ${megabytes(file.size)}, more than the ${megabytes(limits.max_bytes)} that ${WORDS.taker} takes`;
    throw new BadInput(`${name} ${sizes}. Save it smaller, or ${WORDS.remedy}.`);
  }
  const bytes = await file.arrayBuffer().catch(() => {
    throw new BadInput(`${name} cannot be read. Is it a folder, or was it moved?`);
  });
  const header = new Uint8Array(bytes, 0, Math.min(bytes.byteLength, HEADER));
  const kind = kindOf(header);
  if (!(kind in FORMATS)) {
    const known = `Open a ${Object.values(FORMATS).slice(0, -1).join(", ")} or HEIC file.`;
    throw new BadInput(`${name} ${REFUSED[kind] ?? "is not a picture that can be opened here"}. ${known}`);
  }
  checkPixels(name, ...(sizeOf(kind, header) ?? [0, 0]), limits);
  const blob = new Blob([bytes], { type: `image/${kind}` });
  const { shown, depth: told } = await visible(blob, name, signal);
  const depth = kind === "png" && header[24] === 16 && lack("keeps_depth") ? 16 : told;
  const raster = await decode(shown, name);
  checkPixels(name, raster.width, raster.height, limits);
  return { blob, shown, depth, name: withExtension(file.name || "picture", blob.type), raster };
}

function checkPixels(name, width, height, limits) {
  if (width * height <= limits.max_pixels) return;
  const count = `${width} × ${height} pixels, ${millions(width * height)} million`;
  const most = `more than the ${millions(limits.max_pixels)} million that ${WORDS.taker} takes`;
  throw new BadInput(`${name} has ${count}, ${most}. Make it smaller, or ${WORDS.remedy}.`);
}

const millions = (pixels) => (pixels < 1e7 ? (pixels / 1e6).toFixed(2) : Math.round(pixels / 1e6));

export function megabytes(bytes) {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e7 ? `${(bytes / 1e6).toPrecision(2)} MB` : `${Math.round(bytes / 1e6)} MB`;
}

/** Name without its extension. */
export function stem(name) {
  return name.replace(/\.[^.]{1,5}$/, "") || "picture";
}

/** The name with an extension that fits the type; a fitting one that it has stays as it is written. */
export function withExtension(name, type) {
  const fitting = EXTENSIONS[type] ?? ["png"];
  const own = /\.([^.]{1,5})$/.exec(name)?.[1];
  return own && fitting.includes(own.toLowerCase()) ? name : `${stem(name)}.${fitting[0]}`;
}

function kindOf(bytes) {
  const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  const start = text(0, 4);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "jpeg";
  if (start === "\x89PNG") return "png";
  if (start === "RIFF" && text(8, 12) === "WEBP") return "webp";
  if (start === "GIF8") return "gif";
  if (text(0, 2) === "BM") return "bmp";
  if (start === "%PDF") return "pdf";
  if (/^P[1-6f]\s/.test(start)) return "x-portable-anymap";
  if (/^(II[*+]\0|MM\0[*+])/.test(start)) return "tiff";
  if (text(4, 8) === "ftyp") {
    const brands = text(8, 32);
    if (/avif|avis/.test(brands)) return "avif";
    if (/he[iv][cmsx]|mif1|msf1/.test(brands)) return "heic";
  }
  if (/<svg/i.test(text(0, 512))) return "svg";
  return "";
}

/** Width and height that the header declares, as stored; null where this does not know. */
function sizeOf(kind, bytes) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (kind === "png") return [data.getUint32(16), data.getUint32(20)];
    if (kind === "gif") return [data.getUint16(6, true), data.getUint16(8, true)];
    if (kind === "bmp") return [Math.abs(data.getInt32(18, true)), Math.abs(data.getInt32(22, true))];
    if (kind === "jpeg") return jpegSize(data);
    if (kind === "webp") return webpSize(data);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return null; // shorter than its header: decoding will say so
    throw error;
  }
}

function jpegSize(data) {
  for (let at = 2; ; ) {
    if (data.getUint8(at) !== 0xff) return null;
    const marker = data.getUint8(at + 1);
    if (marker === 0xff) at += 1; // padding
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [data.getUint16(at + 7), data.getUint16(at + 5)];
    } else if (marker === 0xda || marker === 0xd9) return null;
    else at += 2 + data.getUint16(at + 2);
  }
}

function webpSize(data) {
  const kind = data.getUint8(15);
  if (kind === 0x58) {
    const low = (at) => data.getUint16(at, true) + (data.getUint8(at + 2) << 16) + 1;
    return [low(24), low(27)];
  }
  if (kind === 0x4c) {
    const bits = data.getUint32(21, true);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  return [data.getUint16(26, true) & 0x3fff, data.getUint16(28, true) & 0x3fff];
}
