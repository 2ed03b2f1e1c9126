// Hides: the clone and the healing brush: where they copy from, what is shown while a stroke is drawn, and how strokes,
// one after the other, become versions.

import * as engine from "./engine.js";
import { EngineError } from "./failure.js";
import { complain, say, showWriting } from "./notices.js";
import { compute } from "./offpage.js";
import { BadInput } from "./picture.js";
import { bounds } from "./shapes.js";

const TOOLS = ["heal", "clone"];
const WORDS = { heal: "Healed.", clone: "Copied." };
const BUTTON = "press “Set the source” and then the place.";
const NO_SOURCE = window.matchMedia("(pointer: coarse)").matches
  ? `First say where to copy from: ${BUTTON}`
  : `First say where to copy from: hold Alt and click there, or ${BUTTON}`;

export class Retouch {
  constructor(editor, panel) {
    Object.assign(this, { editor, panel, stage: editor.stage });
    this.source = null; // [column, row], in pixels of the photo as it was opened
    this.offset = null; // from a place to that which it is copied from, once a stroke has begun
    this.picking = false; // the next click says the source
    this.waiting = []; // strokes that are being computed, shown as they were drawn
    this.work = Promise.resolve(); // of the strokes so far
    this.held = null; // version whose pixels the worker holds
    this.soft = panel.querySelector("input");
    this.stage.overlays.push((context, view) => this.draw(context, view));
  }

  get isOn() {
    return TOOLS.includes(this.editor.brush.tool);
  }

  /** After another tool was taken. */
  show() {
    const { tool } = this.editor.brush;
    this.panel.hidden = !this.isOn;
    this.pick(false);
    if (!this.isOn) return;
    this.panel.querySelector("h2").textContent = tool === "heal" ? "Heal" : "Clone";
    const what = tool === "heal" ? "The texture is copied; tone and colour are those of where it lands." : "All is copied as it is.";
    this.panel.querySelector("p").textContent = what;
    say(this.source ? "Paint; the cross shows where it is copied from." : NO_SOURCE);
    const { results, marks } = this.editor;
    this.after(() => marks === this.editor.marks && this.hold(results.runOn(results.shown).base)); // before it is needed
  }

  /** Another photo: its places are others. */
  forget() {
    Object.assign(this, { source: null, offset: null, held: null, waiting: [] });
  }

  /** Lets the next click say the source, or no longer. */
  pick(on) {
    this.picking = on;
    this.panel.querySelector("[data-action=set-source]").setAttribute("aria-pressed", String(on));
    if (on) say("Click or tap where it is to be copied from.");
    this.stage.redraw("overlay");
  }

  /**
   * The pointer or the pen goes down at an image point.
   * @param {boolean} sets with the key that says the source
   * @returns {boolean} whether a stroke begins
   */
  begin(point, sets) {
    const place = this.inPhoto(point);
    if (sets || this.picking) {
      this.source = place;
      this.offset = null;
      this.pick(false);
      say("Source set. Paint where it is to be copied to.");
      return false;
    }
    if (!this.source) complain(NO_SOURCE);
    else if (this.editor.filler.current) complain("A fill is under way: retouch once it is done, or cancel it.");
    else {
      this.offset ??= this.source.map((value, axis) => Math.round(value - place[axis]));
      return true;
    }
    return false;
  }

  inPhoto([column, row]) {
    const { left, top } = this.editor.marks.frame;
    return [column + left, row + top];
  }

  /** A finished stroke. */
  stroke({ points, size }) {
    const { marks, brush } = this.editor;
    const stroke = { points, size, soft: Number(this.soft.value) / 100, offset: this.offset, heals: brush.tool === "heal" };
    const entry = { stroke, marks, tool: brush.tool };
    this.waiting.push(entry);
    this.after(() => this.editor.attempt(() => this.apply(entry))).finally(() => {
      this.waiting = this.waiting.filter((other) => other !== entry);
      this.stage.redraw("overlay");
    });
  }

  /** Does something once the strokes so far are done. */
  after(work) {
    const done = this.work.then(work);
    this.work = done.catch(() => {});
    return done;
  }

  async apply({ stroke, marks, tool }) {
    const { editor } = this;
    const { results } = editor;
    const { shown } = results;
    if (marks !== editor.marks) return;
    const run = results.runOn(shown);
    await this.hold(run.base);
    const own = await compute("retouchStroke", { ...stroke, tiles: run.tiles });
    if (marks !== editor.marks || shown !== results.shown) return;
    if (!own.size) throw new BadInput("Nothing was copied: the source lies outside of the photo there, or looks the same.");
    const [left, top, right, bottom] = bounds(stroke.points);
    const reach = stroke.size / 2;
    const version = await results.retouch(run, own, [left - reach, top - reach, right + reach, bottom + reach]);
    editor.finish([], { versions: [shown, version] });
    await editor.show(version);
    editor.session.add(version);
    say(WORDS[tool]);
  }

  /** Gives the worker the pixels of a version: exactly, if they can be had. */
  async hold(version) {
    if (this.held === version) return;
    if (this.waiting.length) say("Reading the photo.");
    const { blob, shown, name } = version;
    this.held = null;
    if (!(await compute("holdPixels", blob))) {
      const exact = await engine.lossless(blob, name).catch((error) => {
        if (!(error instanceof EngineError)) throw error;
        return null; // without its server, the browser's own pixels will do
      });
      if (!exact || !(await compute("holdPixels", exact))) await compute("holdShown", shown);
    }
    this.held = version;
  }

  /** The file of a version whose strokes have none yet. @returns {Promise<Blob>} */
  async file(version) {
    return this.after(async () => {
      showWriting(0);
      await this.hold(version.retouch.base);
      return compute("retouchedFile", version.retouch.tiles, showWriting);
    }).finally(() => showWriting(null));
  }

  // What is shown -----------------------------------------------------------------------------------------------------

  draw(context, view) {
    const { brush } = this.editor;
    const drawn = brush.stroke?.name === "retouch" ? [{ ...brush.stroke, offset: this.offset, soft: Number(this.soft.value) / 100 }] : [];
    for (const stroke of [...this.waiting.map((entry) => entry.stroke), ...drawn]) this.preview(context, view, stroke);
    if (this.isOn && this.source) this.cross(context, view, this.sourceNow());
  }

  /** Where is copied from now: beside the brush once it is known how far, else where it was set. */
  sourceNow() {
    const { brush, marks: { frame } } = this.editor;
    const at = brush.pen ? [brush.pen.column, brush.pen.row] : brush.pointer && this.stage.view.toImage(...brush.pointer);
    if (this.offset && at) return at.map((value, axis) => value + this.offset[axis]);
    return [this.source[0] - frame.left, this.source[1] - frame.top];
  }

  /** The stroke as a soft shape, filled with the photo moved by the offset; healing changes its tone afterwards. */
  preview(context, view, { points, size, soft, offset }) {
    this.shape ??= new OffscreenCanvas(1, 1);
    Object.assign(this.shape, { width: view.width, height: view.height }); // which also clears it
    const pen = this.shape.getContext("2d");
    const fade = (size / 2) * soft;
    pen.filter = fade * view.scale > 1 ? `blur(${(fade * view.scale) / 3}px)` : "none";
    pen.lineWidth = Math.max((size - fade) * view.scale, 1);
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    for (const point of [points[0], ...points]) pen.lineTo(...view.toStage(...point));
    pen.stroke();
    pen.filter = "none";
    pen.globalCompositeOperation = "source-in";
    const moved = Object.assign(Object.create(view), { left: view.left - offset[0] * view.scale, top: view.top - offset[1] * view.scale });
    this.stage.paintRaster(pen, this.stage.photo, moved);
    context.drawImage(this.shape, 0, 0);
  }

  cross(context, view, [column, row]) {
    const [x, y] = view.toStage(column, row);
    const arm = 9 * view.ratio;
    context.beginPath();
    for (const [right, down] of [[arm, 0], [0, arm]]) {
      context.moveTo(x - right, y - down);
      context.lineTo(x + right, y + down);
    }
    for (const [width, colour] of [[3, "rgb(0 0 0 / 70%)"], [1.5, "#fff"]]) {
      context.lineWidth = width * view.ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}
