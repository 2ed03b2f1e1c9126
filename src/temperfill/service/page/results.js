// Hides: how the photo and its results are kept (files stay as bytes, beside them what browsers can show of them; only
// what is on show is decoded) and the strip of thumbnails to switch between them.

import { decode, visible } from "./picture.js";

const THUMBNAIL = 56; // CSS pixels of the longer side

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
    this.input = null; // the version that the next fill starts from
    this.shown = null;
  }

  /** Starts over with a photo as `readPicture` gives it. */
  reset({ blob, shown, name, raster }) {
    for (const version of this.versions) version.raster?.close();
    this.versions = [];
    this.list.replaceChildren();
    this.input = this.append({ blob, shown, name, parent: null, title: "Photo" }, raster);
    this.shown = this.input;
    this.mark();
  }

  /**
   * Adds the answer to a fill, once `readAnswer` has decoded it.
   * @param {{blob: Blob, shown: Blob, name: string, parent: Object, mask: Blob, temperature: number,
   *     mask_dilate: string, seconds: number?}} result mask_dilate: pixels by which the hole was grown, of the mask as it
   *     was painted
   */
  add(result, raster) {
    const title = `Result ${this.versions.length}`;
    const version = this.append({ ...result, title }, raster);
    version.saved = false;
    return version;
  }

  append(content, raster) {
    const version = { saved: true, ...content, raster, width: raster.width, height: raster.height };
    version.button = this.thumbnail(version);
    this.versions.push(version);
    return version;
  }

  /** Decoded pictures of the version and of what it was made from. */
  async rasters(version) {
    for (const each of [version, version.parent].filter(Boolean)) {
      each.raster ??= await decode(each.shown, each.title);
    }
    return [version.raster, version.parent?.raster ?? null];
  }

  /** To be called once the version is on the stage: frees what is not in sight. */
  show(version) {
    this.shown = version;
    const needed = new Set([version, version.parent, this.input]);
    for (const each of this.versions) {
      if (needed.has(each)) continue;
      each.raster?.close();
      each.raster = null;
    }
    this.mark();
  }

  /** The versions that were made from a version. */
  made(parent) {
    return this.versions.filter((version) => version.parent === parent);
  }

  continueWith(version) {
    this.input = version;
    this.mark();
  }

  /** The neighbour of the version on show, or itself at an end. */
  neighbour(step) {
    const at = this.versions.indexOf(this.shown) + step;
    return this.versions[Math.min(Math.max(at, 0), this.versions.length - 1)];
  }

  get unsaved() {
    return this.versions.filter((version) => !version.saved).length;
  }

  thumbnail(version) {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    const label = document.createElement("span");
    const ratio = Math.max(window.devicePixelRatio || 1, 2);
    const source = version.raster.at(0);
    const shrink = (THUMBNAIL * ratio) / Math.max(source.width, source.height);
    canvas.width = Math.max(Math.round(source.width * shrink), 1);
    canvas.height = Math.max(Math.round(source.height * shrink), 1);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    label.textContent = version.parent ? `${version.title.replace("Result ", "")} · ${heat(version)}` : version.title;
    button.append(canvas, label);
    button.addEventListener("click", () => this.onChoose(version));
    const item = document.createElement("li");
    item.append(button);
    this.list.append(item);
    return button;
  }

  /** Brings the strip up to date: which version is on show, and which one the next fill starts from. */
  mark() {
    this.strip.hidden = this.versions.length < 2;
    for (const version of this.versions) {
      const { button } = version;
      const isInput = version === this.input;
      button.setAttribute("aria-current", String(version === this.shown));
      button.classList.toggle("input", isInput);
      const made = version.parent ? `, temperature ${heat(version)}, from ${version.parent.title}` : "";
      button.title = `${version.title}${made}${isInput ? "; the next fill starts here" : ""}`;
      button.setAttribute("aria-label", button.title);
    }
    this.shown?.button.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

/** @returns {Promise<{shown: Blob, raster: Raster}>} what is drawn of the answer to a fill */
export async function readAnswer(blob) {
  const { shown } = await visible(blob, "The server's answer");
  return { shown, raster: await decode(shown, "The server's answer") };
}

export const heat = (version) => version.temperature.toFixed(2);
