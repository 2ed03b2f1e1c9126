// Hides: how the photo, the marks and what floats above them reach the screen: three canvases with one device pixel for
// each of theirs, each drawn anew at most once a frame and only when something on it changed.

import { View } from "./view.js";

const MASK_OPACITY = 0.5;
const OUTLINE = 1; // CSS pixels around the mask
const CHECK = 8; // CSS pixels of a square behind transparent photos

export class Stage {
  constructor(element) {
    this.element = element;
    this.view = new View();
    this.photo = null; // Raster on show
    this.before = null; // Raster left of the divider, or null without comparison
    this.divider = 0.5; // of the photo's width
    this.marks = []; // mask and lines, or nothing while they are hidden
    this.overlays = []; // functions (context, view) drawn above all
    this.onView = () => {};
    this.contexts = {};
    for (const name of ["photo", "marks", "overlay"]) {
      this.contexts[name] = element.querySelector(`canvas[data-layer=${name}]`).getContext("2d");
    }
    this.pending = new Set();
    this.observe();
  }

  observe() {
    const resized = ([entry]) => {
      const ratio = window.devicePixelRatio || 1;
      const { width: cssWidth, height: cssHeight } = entry.contentRect;
      const exact = entry.devicePixelContentBoxSize?.[0];
      // An emulated pixel ratio, as in tools for developers, is not part of the exact size.
      const isExact = exact && Math.abs(exact.inlineSize - cssWidth * ratio) < 2;
      const width = isExact ? exact.inlineSize : Math.round(cssWidth * ratio);
      const height = isExact ? exact.blockSize : Math.round(cssHeight * ratio);
      if (!width || !height) return;
      for (const { canvas } of Object.values(this.contexts)) Object.assign(canvas, { width, height });
      this.view.resize(width, height, ratio);
      this.moved();
      this.paint(); // in this very frame: setting their size has emptied the canvases
    };
    const observer = new ResizeObserver(resized);
    try {
      observer.observe(this.element, { box: "device-pixel-content-box" });
    } catch {
      observer.observe(this.element); // Safari: rounded CSS pixels
    }
  }

  showPhoto(photo, before) {
    const resized = photo && (photo.width !== this.view.imageWidth || photo.height !== this.view.imageHeight);
    this.photo = photo;
    this.before = before;
    if (resized) this.view.setImage(photo.width, photo.height);
    this.moved();
  }

  showMarks(layers) {
    this.marks = layers;
    this.redraw("marks");
  }

  /** After every change of the view. */
  moved() {
    this.redraw("photo", "marks", "overlay");
    this.onView(this.view);
  }

  redraw(...names) {
    if (!this.pending.size && names.length) requestAnimationFrame(() => this.paint());
    for (const name of names) this.pending.add(name);
  }

  paint() {
    const names = [...this.pending];
    this.pending.clear();
    for (const name of names) {
      const context = this.contexts[name];
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      if (!this.photo) continue;
      context.save();
      if (name === "photo") this.paintPhoto(context);
      else if (name === "marks") this.paintMarks(context);
      else for (const overlay of this.overlays) overlay(context, this.view);
      context.restore();
    }
  }

  paintPhoto(context) {
    const { view } = this;
    context.fillStyle = checks(context, view.ratio);
    context.fillRect(...this.frame());
    this.paintRaster(context, this.photo);
    if (!this.before) return;
    context.beginPath();
    context.rect(0, 0, this.dividerX(), view.height);
    context.clip();
    context.fillRect(...this.frame());
    this.paintRaster(context, this.before);
  }

  /** Where the photo lies: x, y, width, height in device pixels. */
  frame() {
    const { left, top, scale, imageWidth, imageHeight } = this.view;
    return [left, top, Math.round(imageWidth * scale), Math.round(imageHeight * scale)];
  }

  dividerX() {
    return Math.round(this.view.left + this.divider * this.view.imageWidth * this.view.scale);
  }

  /** Draws only what is in sight, so that zooming into a large photo costs no more than a small one. */
  paintRaster(context, raster) {
    const { view } = this;
    const source = raster.at(view.scale);
    const shrink = source.width / raster.width;
    const [x0, y0] = view.toImage(0, 0).map((value) => Math.max(Math.floor(value) - 1, 0));
    const end = view.toImage(view.width, view.height);
    const x1 = Math.min(Math.ceil(end[0]) + 1, raster.width);
    const y1 = Math.min(Math.ceil(end[1]) + 1, raster.height);
    if (x1 <= x0 || y1 <= y0) return;
    context.imageSmoothingEnabled = view.scale < 3;
    context.imageSmoothingQuality = view.scale < 1 ? "high" : "medium";
    const [left, top] = view.toStage(x0, y0);
    const [width, height] = [(x1 - x0) * view.scale, (y1 - y0) * view.scale];
    const part = [x0, y0, x1 - x0, y1 - y0].map((value) => value * shrink);
    context.drawImage(source, ...part, left, top, width, height);
  }

  /** The mask as a tint with an outline, for photos that have the tint's colour themselves; the lines above it. */
  paintMarks(context) {
    if (!this.marks.length) return;
    const [mask, lines] = this.marks;
    if (mask.tiles.size) {
      const { width, height } = this.view;
      const shape = new OffscreenCanvas(width, height);
      mask.draw(shape.getContext("2d"), this.view);
      const reach = OUTLINE * this.view.ratio;
      for (const [right, down] of [[-1, -1], [1, -1], [-1, 1], [1, 1]]) {
        context.drawImage(shape, right * reach, down * reach);
      }
      context.globalCompositeOperation = "source-in";
      context.fillStyle = "#fff";
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = "destination-out";
      context.drawImage(shape, 0, 0);
      context.globalCompositeOperation = "source-over";
      context.globalAlpha = MASK_OPACITY;
      context.drawImage(shape, 0, 0);
      context.globalAlpha = 1;
    }
    lines.draw(context, this.view);
  }
}

function checks(context, ratio) {
  const side = Math.round(CHECK * ratio);
  const tile = new OffscreenCanvas(2 * side, 2 * side);
  const pen = tile.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, 2 * side, 2 * side);
  pen.fillStyle = "#ccc";
  pen.fillRect(0, 0, side, side);
  pen.fillRect(side, side, side, side);
  return context.createPattern(tile, "repeat");
}
