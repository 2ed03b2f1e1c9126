// Hides: how the photo and its results are kept (results without loss, beside them what browsers can show of them; only
// what is on show is decoded) and the strip of thumbnails to switch between them.

import { WORDS } from "./engine.js";
import { firstFrame, sameFrame } from "./frames.js";
import { copied, patch } from "./patches.js";
import { decode, visible } from "./picture.js";

const THUMBNAIL = 56; // CSS pixels of the longer side
const AROUND = 0.5; // of the filled place, shown around it
const SMALLEST = 96; // image pixels of a thumbnail's side

export class Results {
  /**
   * @param {HTMLElement} strip the element around the list
   * @param {function} onChoose receives the version that was clicked
   */
  constructor(strip, onChoose) {
    this.strip = strip;
    this.list = strip.querySelector("ol");
    this.onChoose = onChoose;
    this.versions = [];
    this.shown = null; // what is on show, and what the next fill starts from
  }

  /** Starts over with a photo as `readPicture` gives it. */
  reset({ blob, shown, name, raster }) {
    this.forget();
    const frame = firstFrame(raster);
    this.shown = this.append({ blob, shown, name, frame, parent: null, title: "Photo", saved: true }, raster);
    this.mark();
  }

  /** Takes over versions that were kept; see `kept` of session.js. Their pictures are decoded when they are shown. */
  restore(versions, shown) {
    this.forget();
    for (const version of versions) this.append({ ...version }, null);
    const byId = new Map(this.versions.map((version) => [version.id, version]));
    const works = new Map();
    for (const version of this.versions) {
      version.parent = byId.get(version.parent) ?? null;
      if (!version.work) continue;
      const { id } = version.work;
      if (!works.has(id)) works.set(id, { ...version.work, parent: byId.get(version.work.parent) });
      version.work = works.get(id);
    }
    for (const { retouch } of this.versions) {
      if (!retouch) continue;
      retouch.base = byId.get(retouch.base);
      retouch.tiles = new Map([...(byId.get(retouch.previous)?.retouch.tiles ?? []), ...retouch.own]);
    }
    this.shown = byId.get(shown) ?? this.versions[0];
    this.mark();
  }

  forget() {
    for (const version of this.versions) version.raster?.close();
    this.versions = [];
    this.list.replaceChildren();
  }

  /** The work of a fill; the same object for the same marks on the same version. */
  async workOf(work) {
    for (const { work: known } of this.versions) {
      if (known && known.parent === work.parent && (await sameFiles(known, work))) return known;
    }
    return { ...work, id: 1 + Math.max(0, ...this.versions.map((version) => version.work?.id ?? 0)) };
  }

  /** Versions of one work: what tries of it gave. */
  tries(work) {
    return this.versions.filter((version) => work && version.work === work);
  }

  /**
   * Adds the answer to a fill, once `readAnswer` has decoded it.
   * @param {{blob: Blob, shown: Blob, name: string, parent: Object, work: Object, options: Object, frame: Object,
   *     box: number[]?, seconds: number?}} result work: what was sent, see Filler.work; options: the fields of the form
   */
  add(result, raster) {
    const version = this.append({ ...result, title: `Result ${this.number()}`, saved: false }, raster);
    this.mark(); // also where it is not put on show, as other tries
    return version;
  }

  /** Of the next result; strokes of a brush that follow one another count as one. */
  number() {
    return this.versions.filter(({ retouch }) => !retouch?.previous).length;
  }

  /**
   * What the next stroke of a retouching brush goes on with: {base, tiles, previous}. Strokes on one another belong
   * together until a file was made of them, as for a fill.
   */
  runOn(version) {
    if (!version.retouch || version.blob) return { base: version, tiles: new Map(), previous: null };
    return { ...version.retouch, previous: version.id };
  }

  /** Adds what a stroke made of the version on show. @param {Map<number, Blob>} own changed tiles; box: the stroke's */
  async retouch({ base, tiles, previous }, own, box) {
    const { shown } = this;
    const isFirst = previous === null;
    const raster = isFirst ? copied(shown.raster) : shown.raster;
    if (!isFirst) shown.raster = null; // its canvas goes on as that of the new version
    await patch(raster, own);
    const { name, frame } = base;
    const retouch = { base, own, previous, tiles: new Map([...tiles, ...own]) };
    const content = { blob: null, shown: null, name, frame, parent: base, retouch, saved: false };
    const title = isFirst ? `Retouch ${this.number()}` : shown.title;
    return this.append({ ...content, title, box: isFirst ? box : union(shown.box, box) }, raster);
  }

  /** The versions of strokes that a version goes on with, and itself. */
  runOf(version) {
    const before = version.retouch && this.versions[version.retouch.previous ?? -1];
    return before ? [...this.runOf(before), version] : [version];
  }

  /** Whether the strip shows a version: of strokes that belong together the last one, and the one on show. */
  isListed(version) {
    if (version === this.shown) return true;
    return !version.gone && !this.versions.some(({ retouch, gone }) => retouch?.previous === version.id && !gone);
  }

  append(content, raster) {
    const id = this.versions.length;
    const version = { id, gone: false, ...content, raster };
    version.small ??= thumbnail(raster, version.box, THUMBNAIL);
    version.button = this.entry(version);
    this.versions.push(version);
    return version;
  }

  /** Decoded pictures of the version and of what it was made from. */
  async rasters(version) {
    for (const each of [version, version.parent].filter(Boolean)) {
      each.raster ??= await this.decoded(each);
      each.raster.frame = each.frame;
    }
    return [version.raster, version.parent?.raster ?? null];
  }

  async decoded({ shown, title, retouch }) {
    if (shown) return decode(shown, title);
    retouch.base.raster ??= await this.decoded(retouch.base);
    const raster = copied(retouch.base.raster);
    await patch(raster, retouch.tiles);
    return raster;
  }

  /** To be called once the version is on the stage: frees what is not in sight. */
  show(version) {
    this.shown = version;
    version.gone = false; // undo brings back what was deleted
    for (const each of this.versions) {
      if (each === version || each === version.parent) continue;
      each.raster?.close();
      each.raster = null;
    }
    this.mark();
  }

  /** The neighbour of the version on show, or itself at an end. */
  neighbour(step) {
    const there = this.versions.filter((version) => this.isListed(version));
    const at = there.indexOf(this.shown) + step;
    return there[Math.min(Math.max(at, 0), there.length - 1)];
  }

  /** The fills on the way to a version that may have made a pixel of it, the latest first. */
  fillersOf(version, column, row) {
    const found = [];
    for (let each = version; each?.parent; each = each.parent) {
      const [left, top, right, bottom] = each.box ?? [0, 0, 0, 0];
      const isInside = column >= left && column < right && row >= top && row < bottom;
      if (isInside && each.work && sameFrame(each.frame, version.frame)) found.push(each);
    }
    return found;
  }

  /** Whether a network made a part of a version. */
  isFilled(version) {
    return Boolean(version?.work) || Boolean(version?.parent && this.isFilled(version.parent));
  }

  /** Whether the version on show has work in it that no saved file has. */
  get unsaved() {
    const leadsTo = (version) => version && (version === this.shown || leadsTo(version.parent));
    return Boolean(this.shown?.parent) && !this.versions.some((version) => version.saved && leadsTo(version));
  }

  entry(version) {
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: version.small, alt: "" });
    button.append(picture, document.createElement("span"));
    button.addEventListener("click", () => this.onChoose(version));
    const item = document.createElement("li");
    item.append(button);
    this.list.append(item);
    return button;
  }

  /** Brings the strip up to date. */
  mark() {
    for (const version of this.versions) {
      const { button } = version;
      button.setAttribute("aria-current", String(version === this.shown));
      button.parentElement.hidden = !this.isListed(version);
      button.querySelector("span").textContent = version.title.replace("Result ", "");
      button.title = version.parent ? `${version.title}, from ${version.parent.title}, ${details(version)}` : version.title;
      button.setAttribute("aria-label", button.title);
    }
    this.shown?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

/** What a version was made with, in words. */
export function details({ options, retouch }) {
  if (retouch) return "by hand";
  if (!options) return "";
  const seed = options.seed ? `, try ${options.seed + 1}` : "";
  const model = options.model ? `${options.model}, ` : "";
  return `${model}temperature ${heat({ options })}${seed}`;
}

/** A picture of a box (left, top, right, bottom) and what is around it, or of all, as a data URL. */
export function thumbnail(raster, box, longest) {
  const [left, top, right, bottom] = around(raster, box);
  const source = box ? raster.full : raster.at(0);
  const zoom = source.width / raster.width;
  const shrink = (longest * Math.max(window.devicePixelRatio || 1, 2)) / Math.max(right - left, bottom - top);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round((right - left) * shrink), 1);
  canvas.height = Math.max(Math.round((bottom - top) * shrink), 1);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const part = [left, top, right - left, bottom - top].map((value) => value * zoom);
  context.drawImage(source, ...part, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL(raster.opaque ? "image/jpeg" : "image/png");
}

function around({ width, height }, box) {
  if (!box) return [0, 0, width, height];
  const [left, top, right, bottom] = box;
  const grow = (low, high, size) => {
    const length = Math.min(Math.max((high - low) * (1 + 2 * AROUND), SMALLEST), size);
    const start = Math.min(Math.max((low + high - length) / 2, 0), size - length);
    return [start, start + length];
  };
  const [x0, x1] = grow(left, right, width);
  const [y0, y1] = grow(top, bottom, height);
  return [x0, y0, x1, y1];
}

const union = (one, other) => one.map((value, at) => (at < 2 ? Math.min : Math.max)(value, other[at]));

/** @returns {Promise<{shown: Blob, raster: Raster}>} what is drawn of the answer to a fill */
export async function readAnswer(blob) {
  const { shown } = await visible(blob, WORDS.answer);
  return { shown, raster: await decode(shown, WORDS.answer) };
}

export async function sameBytes(one, other) {
  if (!one || !other || one.size !== other.size) return one === other;
  const [a, b] = await Promise.all([one, other].map(async (blob) => new Uint8Array(await blob.arrayBuffer())));
  return a.every((value, at) => value === b[at]);
}

async function sameFiles(one, other) {
  for (const name of ["mask", "sketch", "avoid"]) {
    if (!(await sameBytes(one[name] ?? null, other[name] ?? null))) return false;
  }
  return JSON.stringify(one.sides ?? null) === JSON.stringify(other.sides ?? null);
}

const heat = ({ options }) => Number(options.temperature).toFixed(2);
