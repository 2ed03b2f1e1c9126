// Hides: how the photo, the marks and what floats above them reach the screen: three canvases with one device pixel for
// each of theirs, each drawn anew at most once a frame and only when something on it changed.

import { sameFrame, shift } from "./frames.js";
import { View } from "./view.js";

const MASK_OPACITY = 0.5;
const OUTLINE = 1; // CSS pixels around the mask
const CHECK = 8; // CSS pixels of a square behind transparent photos

export class Stage {
  constructor(element) {
    this.element = element;
    this.view = new View();
    this.frame = null; // of the version on show, see frames.js
    this.photo = null; // Raster on show
    this.before = null; // Raster left of the divider, or null without comparison
    this.divider = 0.5; // of the photo's width
    this.marks = null; // layers {mask, sketch, avoid}, or nothing while they are hidden
    this.overlays = []; // functions (context, view) drawn above all
    this.onView = () => {};
    this.contexts = {};
    for (const name of ["photo", "marks", "overlay"]) {
      this.contexts[name] = element.querySelector(`canvas[data-layer=${name}]`).getContext("2d");
    }
    this.pending = new Map(); // name of a canvas to the region to draw anew, null for all of it
    this.scheduled = false;
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

  /** Shows a version's raster, and another left of the divider; both in the frame of the version. */
  showPhoto(photo, before, frame) {
    const { view, frame: was } = this;
    Object.assign(this, { photo, before, frame });
    if (was && !sameFrame(was, frame)) view.moveImage(frame.width, frame.height, ...shift(was, frame));
    else if (frame.width !== view.imageWidth || frame.height !== view.imageHeight) view.setImage(frame.width, frame.height);
    this.moved();
  }

  /** Before another photo comes. */
  leavePhoto() {
    this.frame = null;
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
    for (const name of names) this.pending.set(name, null);
    this.schedule();
  }

  /** Marks changed within a box (left, top, right, bottom in image pixels) and nowhere else. */
  redrawMarks(box) {
    const [x0, y0, x1, y1] = this.onStage(box);
    const before = this.pending.get("marks");
    if (before === null) return; // all of them already
    const [a0, b0, a1, b1] = before ?? [x0, y0, x1, y1];
    this.pending.set("marks", [Math.min(x0, a0), Math.min(y0, b0), Math.max(x1, a1), Math.max(y1, b1)]);
    this.schedule();
  }

  schedule() {
    if (!this.scheduled) requestAnimationFrame(() => this.paint());
    this.scheduled = true;
  }

  paint() {
    const work = [...this.pending];
    this.pending.clear();
    this.scheduled = false;
    for (const [name, region] of work) {
      const context = this.contexts[name];
      const [x0, y0, x1, y1] = region ?? [0, 0, this.view.width, this.view.height];
      context.save();
      context.beginPath();
      context.rect(x0, y0, x1 - x0, y1 - y0);
      context.clip();
      context.clearRect(x0, y0, x1 - x0, y1 - y0);
      if (this.photo && name === "photo") this.paintPhoto(context);
      else if (this.photo && name === "marks") this.paintMarks(context, region);
      else if (this.photo) for (const overlay of this.overlays) overlay(context, this.view);
      context.restore();
    }
  }

  paintPhoto(context) {
    const { view } = this;
    this.paintRaster(context, this.photo);
    if (!this.before) return;
    context.beginPath();
    context.rect(0, 0, this.dividerX(), view.height);
    context.clip();
    context.clearRect(0, 0, this.dividerX(), view.height); // it may be smaller
    this.paintRaster(context, this.before);
  }

  dividerX() {
    return Math.round(this.view.left + this.divider * this.view.imageWidth * this.view.scale);
  }

  /** Draws only what is in sight, so that zooming into a large photo costs no more than a small one. */
  paintRaster(context, raster, view = this.view) {
    const source = raster.at(view.scale);
    const shrink = source.width / raster.width;
    const [right, down] = shift(raster.frame, this.frame);
    const inside = (value, far, size) => Math.min(Math.max(value - far, 0), size);
    const [begin, end] = [view.toImage(0, 0), view.toImage(view.width, view.height)];
    const [x0, x1] = [Math.floor(begin[0]) - 1, Math.ceil(end[0]) + 1].map((x) => inside(x, right, raster.width));
    const [y0, y1] = [Math.floor(begin[1]) - 1, Math.ceil(end[1]) + 1].map((y) => inside(y, down, raster.height));
    if (x1 <= x0 || y1 <= y0) return;
    const [left, top] = view.toStage(x0 + right, y0 + down);
    const [width, height] = [(x1 - x0) * view.scale, (y1 - y0) * view.scale];
    if (!raster.opaque) {
      context.fillStyle = checks(context, view.ratio);
      context.fillRect(...[left, top, width, height].map(Math.round));
    }
    context.imageSmoothingEnabled = view.scale < 3;
    context.imageSmoothingQuality = "medium";
    const part = [x0, y0, x1 - x0, y1 - y0].map((value) => value * shrink);
    context.drawImage(source, ...part, left, top, width, height);
  }

  /** The marks within `region` of the stage, or all: lines above the mask. */
  paintMarks(context, region) {
    if (!this.marks) return;
    const { mask, sketch, avoid } = this.marks;
    const part = region ?? [0, 0, this.view.width, this.view.height];
    for (const layer of [avoid, mask]) {
      const bounds = layer.bounds();
      // What lies just outside the part has its outline inside.
      if (bounds) this.paintMask(context, layer, crossing(this.grown(part), this.onStage(bounds)));
    }
    sketch.draw(context, this.view, part);
  }

  /** A tint with an outline, for photos that have the tint's colour themselves. */
  paintMask(context, mask, region) {
    const [left, top, right, bottom] = region;
    if (right <= left || bottom <= top) return;
    const size = { width: right - left, height: bottom - top };
    this.shape ??= new OffscreenCanvas(1, 1);
    this.tinted ??= new OffscreenCanvas(1, 1);
    for (const canvas of [this.shape, this.tinted]) Object.assign(canvas, size); // which also clears them
    const pen = this.shape.getContext("2d");
    pen.translate(-left, -top);
    mask.draw(pen, this.view, region);
    const ink = this.tinted.getContext("2d");
    const reach = OUTLINE * this.view.ratio;
    for (const [x, y] of [[-1, -1], [1, -1], [-1, 1], [1, 1]]) ink.drawImage(this.shape, x * reach, y * reach);
    ink.globalCompositeOperation = "source-in";
    ink.fillStyle = "#fff";
    ink.fillRect(0, 0, size.width, size.height);
    ink.globalCompositeOperation = "destination-out";
    ink.drawImage(this.shape, 0, 0);
    ink.globalCompositeOperation = "source-over";
    ink.globalAlpha = MASK_OPACITY;
    ink.drawImage(this.shape, 0, 0);
    context.drawImage(this.tinted, left, top);
  }

  /** A box of image pixels as the region of the stage that shows it and the mask's outline around it. */
  onStage([left, top, right, bottom]) {
    return this.grown([...this.view.toStage(left, top), ...this.view.toStage(right, bottom)]);
  }

  grown([left, top, right, bottom]) {
    const margin = Math.ceil((OUTLINE + 1) * this.view.ratio);
    return [Math.floor(left) - margin, Math.floor(top) - margin, Math.ceil(right) + margin, Math.ceil(bottom) + margin];
  }
}

function crossing(one, other) {
  const pick = (at) => (at < 2 ? Math.max : Math.min)(one[at], other[at]);
  return [0, 1, 2, 3].map(pick);
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
