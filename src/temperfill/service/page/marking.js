// Hides: what commands do to the marks: strokes and shapes that are finished, snapped to an object, filled at once; marks
// as wholes: cleared, inverted, grown and shrunk, loaded and saved.

import { complain, say } from "./notices.js";
import { snapToObject } from "./objects.js";
import { stem } from "./picture.js";
import { encodeLayer } from "./png.js";
import { Resizing } from "./resizing.js";
import { download } from "./saving.js";

const NAMES = { mask: "Mask", sketch: "Lines", avoid: "Protection" };
const MUCH = 0.95; // share of the photo above which a mask is probably inverted

export class Marking {
  constructor(editor) {
    this.editor = editor;
    this.snaps = false; // what is marked is snapped to the object there
    this.fillsAtOnce = false; // each mark is filled when it is finished
    this.resizing = null; // Resizing while the mask grows or shrinks
  }

  /** A finished stroke. @param {{name: string, value: number, points: number[][], size: number}} stroke */
  stroke(change, { name, value, points, size }) {
    this.editor.finish([change]);
    if (name === "mask") this.marked({ points, size }, value);
  }

  /** A finished shape: what its line goes around is marked, or no longer. */
  shape(points, value) {
    this.editor.alter(["mask"], (layer) => layer.fillPolygon(points, value));
    this.marked({ points, size: 0 }, value);
  }

  /** After a stroke or shape on the mask. */
  marked(mark, value) {
    this.editor.attempt(async () => {
      if (this.snaps) await this.snap(mark, value);
      if (this.fillsAtOnce && value) this.editor.fillAtOnce();
    });
  }

  /** Puts the object that was meant in the place of the rough mark. */
  async snap(mark, value) {
    const { editor } = this;
    const { layers, history } = editor;
    const rough = history.done.at(-1);
    say("Looking for the object.");
    const found = await snapToObject(editor.results.shown.raster, mark);
    if (layers !== editor.layers) return; // another photo was opened meanwhile
    if (!found) {
      say("No object stands apart there. The mark stays as it was drawn.");
      return;
    }
    if (rough && rough === history.done.at(-1)) history.takeBack();
    editor.alter(["mask"], (layer) => layer.stamp(found.box, found.bytes, value));
    say(value ? "Snapped to the object. Mark more, or erase what is too much." : "The object is no longer marked.");
  }

  /** Starts to grow or shrink the mask. @returns {Promise<boolean>} whether there is one */
  async resize() {
    const { editor } = this;
    if (this.resizing) return false;
    editor.brush.end();
    this.resizing = new Resizing(editor.layers.mask);
    const begun = await this.resizing.begin();
    if (!begun) {
      this.resizing = null;
      complain("Nothing is marked yet that could grow or shrink.");
    }
    return begun;
  }

  showResized(by) {
    this.resizing?.show(by);
    this.editor.stage.redraw("marks");
  }

  endResizing(keeps) {
    if (!this.resizing) return;
    const { by } = this.resizing;
    this.editor.finish([this.resizing.end(keeps)]);
    this.resizing = null;
    if (keeps && by) say(`Mask ${by < 0 ? "shrunk" : "grown"} by ${Math.abs(by)} pixels.`);
  }

  clear(name) {
    this.editor.alter([name], (layer) => layer.clear());
    say(`${NAMES[name]} cleared.`);
  }

  invert() {
    this.editor.alter(["mask"], (layer) => layer.invert());
    say(`Mask inverted: ${percent(this.editor.share)} of the photo is marked.`);
  }

  async load(name, file) {
    const { marks } = this.editor;
    const { what, change } = await marks.read(name, file);
    if (marks !== this.editor.marks) return; // another photo was opened meanwhile
    this.editor.alter([name], change);
    const invert = { label: "Invert", run: () => this.invert() };
    if (!this.editor.layers[name].count()) complain(`${what} marks nothing: white marks, black does not.`);
    else if (name === "mask" && this.editor.share > MUCH) {
      complain(`${what} marks ${percent(this.editor.share)} of the photo. White is what will be filled.`, invert);
    } else say(`${NAMES[name]} loaded from ${file.name}.`);
  }

  async save(name) {
    const file = `${stem(this.editor.photo.name)}-${name}.png`;
    download(await encodeLayer(this.editor.layers[name]), file);
    say(`Saved as ${file}.`);
  }

  /** Protects places, a dab of the brush on each, so that the next fill copies from elsewhere. */
  protect(places) {
    const size = this.editor.brush.sizes.avoid;
    this.editor.alter(["avoid"], (layer) => {
      for (const [column, row] of places) layer.paint(column + 0.5, row + 0.5, column + 0.5, row + 0.5, size, 1);
    });
    say("Protected. Fill again, and it is copied from elsewhere.");
  }
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
