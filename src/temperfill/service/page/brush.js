// Hides: how pointer and keys become strokes: which layer a tool writes to, brush sizes, straight lines, the ring that
// shows what a dab covers, and the pen that is moved by arrow keys.

import { snap } from "./shapes.js";
import { Layer } from "./tiles.js";

/** Tool: the layer that it paints on; "retouch" takes strokes that are no marks, see retouch.js. */
const TARGETS = { mask: "mask", sketch: "sketch", sources: "avoid", heal: "retouch", clone: "retouch" };
const LARGEST = 1000; // image pixels, or half of a small photo
const SLIDER = 100; // steps of the size slider
const ERASER_BUTTON = 32; // of a pen, in PointerEvent.buttons

export class Brush {
  /** @param {function} onStroke receives each finished change and its stroke; onStart is called when one begins */
  constructor(stage, { onStart, onStroke }) {
    Object.assign(this, { stage, onStart, onStroke });
    this.tool = "mask";
    this.layers = null; // {mask, sketch, avoid, retouch}
    this.sizes = { mask: 40, sketch: 3, avoid: 40, retouch: 40 };
    this.chosen = new Set(); // the layers whose size the user has chosen
    this.erases = false; // the tool takes marks away
    this.largest = LARGEST;
    this.stroke = null; // {layer, value} while drawing
    this.last = null; // [layer, column, row] where the last stroke ended
    this.pointer = null; // stage point of the hovering pointer
    this.pen = null; // {column, row, down} of the pen moved by keys
    this.waiting = []; // who waits for the end of the stroke
    this.ring = stage.element.querySelector(".ring");
  }

  setLayers(layers) {
    this.layers = { ...layers, retouch: new Layer(layers.mask.width, layers.mask.height, [0, 0, 0]) };
    this.last = null;
    this.pen = null;
    const longest = Math.max(layers.mask.width, layers.mask.height);
    this.largest = Math.max(Math.min(LARGEST, Math.round(longest / 2)), 8);
    const wide = Math.max(Math.round(longest / 20), 4);
    const usual = { mask: wide, sketch: Math.max(Math.round(longest / 300), 2), avoid: wide, retouch: wide };
    for (const name of Object.keys(usual)) {
      if (!this.chosen.has(name)) this.sizes[name] = usual[name];
      else this.sizes[name] = Math.min(this.sizes[name], this.largest);
    }
  }

  get isPainting() {
    return this.tool in TARGETS;
  }

  /** What the tool paints on, "mask", "sketch", "avoid" or "retouch"; "mask" for other tools. */
  get target() {
    return TARGETS[this.tool] ?? "mask";
  }

  /** The marks that the tool works on; the mask for tools that make none. */
  get marks() {
    return this.target === "retouch" ? "mask" : this.target;
  }

  /** The value that an event of the pointer writes: Alt turns marking into erasing and back, so does a pen's eraser. */
  valueOf(event) {
    const turned = Boolean(event.altKey) || Boolean(event.buttons & ERASER_BUTTON);
    return Number(this.erases === turned);
  }

  /** Resolves once no stroke is being drawn. */
  async rest() {
    while (this.stroke) await new Promise((resolve) => this.waiting.push(resolve));
  }

  rested() {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  get size() {
    return this.sizes[this.target];
  }

  set size(size) {
    this.sizes[this.target] = Math.min(Math.max(Math.round(size), 1), this.largest);
    this.chosen.add(this.target);
    this.showRing();
  }

  /** Position on the slider, 0 to 100, logarithmic. */
  get slider() {
    return (SLIDER * Math.log(this.size)) / Math.log(this.largest);
  }

  set slider(value) {
    this.size = this.largest ** (value / SLIDER);
  }

  step(direction) {
    const { size } = this;
    this.size = direction > 0 ? Math.max(size + 1, size * 1.12) : Math.min(size - 1, size / 1.12);
  }

  begin(point, event) {
    const name = this.target;
    this.end();
    this.onStart();
    const at = this.snapped(point);
    const from = event.shiftKey && this.last?.[0] === name ? this.last.slice(1) : at;
    this.pen = null;
    this.start(name, this.valueOf(event));
    if (from !== at) this.stroke.points.push(from);
    this.line(from, at);
  }

  start(name, value) {
    this.stroke = { name, layer: this.layers[name], value, points: [], size: this.size };
    this.stroke.layer.begin();
  }

  move(points) {
    if (!this.stroke) return;
    for (const point of points) this.line(this.last.slice(1), this.snapped(point));
  }

  line(from, to) {
    const { name, layer, value } = this.stroke;
    const reach = this.size / 2;
    layer.paint(...from, ...to, this.size, value);
    this.stroke.points.push(to);
    this.last = [name, ...to];
    const low = [0, 1].map((axis) => Math.min(from[axis], to[axis]) - reach);
    const high = [0, 1].map((axis) => Math.max(from[axis], to[axis]) + reach);
    if (name === "retouch") this.stage.redraw("overlay");
    else this.stage.redrawMarks([...low, ...high]);
  }

  end() {
    if (!this.stroke) return;
    const { stroke } = this;
    const change = stroke.layer.commit();
    if (stroke.name === "retouch") change?.layer.restore(change.before); // its points are all that counts
    this.stroke = null;
    if (this.pen) this.pen.down = false;
    this.showRing();
    this.onStroke(change, stroke);
    this.rested();
  }

  abort() {
    this.stroke?.layer.abort();
    this.stroke = null;
    this.last = null;
    this.stage.redraw("marks");
    this.rested();
  }

  snapped(point) {
    return this.stage.view.toImage(...point).map((value) => snap(value, this.size));
  }

  hover(point) {
    this.pointer = point;
    if (point && this.pen && !this.pen.down) this.pen = null;
    this.showRing();
  }

  /** Moves the pen of the keyboard; steps are a quarter of the brush, four brushes with `far`, at least a pixel. */
  nudge(right, down, far) {
    const pen = this.keyboardPen();
    const step = Math.max(Math.round(this.size * (far ? 4 : 0.25)), 1);
    const from = [pen.column, pen.row];
    pen.column = Math.min(Math.max(pen.column + right * step, 0), this.layers.mask.width);
    pen.row = Math.min(Math.max(pen.row + down * step, 0), this.layers.mask.height);
    this.stage.view.reveal(pen.column, pen.row);
    this.stage.moved();
    if (pen.down) this.line(...[from, [pen.column, pen.row]].map((at) => at.map((value) => snap(value, this.size))));
  }

  /** Puts the keyboard's pen down or lifts it. @returns {boolean} whether it is down now */
  togglePen() {
    const pen = this.keyboardPen();
    if (pen.down) {
      this.end();
      return false;
    }
    this.onStart();
    this.start(this.target, Number(!this.erases));
    pen.down = true;
    const at = [pen.column, pen.row].map((value) => snap(value, this.size));
    this.line(at, at);
    this.showRing();
    return true;
  }

  keyboardPen() {
    if (!this.pen) {
      const { view } = this.stage;
      const [column, row] = view.toImage(...(this.pointer ?? [view.width / 2, view.height / 2])).map(Math.round);
      this.pen = { column, row, down: false };
    }
    return this.pen;
  }

  /** Puts the ring where a dab would fall; an element rather than a drawing, so that following the pointer is cheap. */
  showRing() {
    const { view, element } = this.stage;
    const at = this.pen ? view.toStage(this.pen.column, this.pen.row) : this.pointer;
    this.ring.hidden = !at || !this.layers || !(this.isPainting || this.pen);
    if (this.ring.hidden) return;
    const [x, y] = this.isPainting ? view.toStage(...this.snapped(at)) : at;
    const radius = this.isPainting ? Math.max((this.size / 2) * view.scale, 1.5 * view.ratio) : 6 * view.ratio;
    this.ring.classList.toggle("crossed", Boolean(this.pen) || radius < 4 * view.ratio);
    this.ring.classList.toggle("down", Boolean(this.pen?.down));
    const css = (pixels) => `${pixels / view.ratio}px`;
    this.ring.style.width = css(2 * radius);
    this.ring.style.height = css(2 * radius);
    this.ring.style.transform = `translate(${css(x - radius)}, ${css(y - radius)})`;
  }
}
