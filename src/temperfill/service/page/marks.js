// Hides: the marks on a photo: the mask of what is filled, the lines that it follows, and what is protected from being
// copied; how they are changed as wholes, read from files and written to them.

import { moveInto, sameFrame } from "./frames.js";
import { BadInput, readPicture } from "./picture.js";
import { decodeInto, encodeLayer } from "./png.js";
import { Layer } from "./tiles.js";

const COLOURS = { mask: [224, 0, 110], sketch: [0, 229, 255], avoid: [0, 150, 90] };
const FILLED = ["mask", "sketch"]; // what a fill uses up
const FILES = { mask: "mask", sketch: "sketch", avoid: "protection" };

export class Marks {
  constructor(frame) {
    this.frame = frame; // of the version that they lie on, see frames.js
    const layer = (name) => [name, new Layer(frame.width, frame.height, COLOURS[name])];
    this.layers = Object.fromEntries(Object.keys(COLOURS).map(layer));
    this.share = 0; // of the photo that is to be filled
  }

  measure() {
    const { mask } = this.layers;
    this.share = mask.count() / (mask.width * mask.height);
  }

  /** Changes whole layers at once: `change` is called with each and its name. @returns {Array} changes, for undo */
  alter(names, change) {
    return names.map((name) => {
      const layer = this.layers[name];
      layer.begin();
      change(layer, name);
      return layer.commit();
    });
  }

  /** What a fill is sent, to be taken away once it is done. Tiles are replaced rather than changed, so this stays. */
  snapshot() {
    return Object.fromEntries(FILLED.map((name) => [name, new Map(this.layers[name].tiles)]));
  }

  /** Takes away what was sent; what was painted since stays. @returns {Array} changes, for undo */
  without(sent) {
    return this.alter(FILLED, (layer, name) => layer.subtract(sent[name]));
  }

  /** Lets all that is marked keep its place on the photo in another frame. @returns {Array} changes, for undo */
  reframe(frame) {
    if (sameFrame(frame, this.frame)) return [];
    const before = this.state;
    for (const [name, layer] of Object.entries(this.layers)) {
      const moved = new Layer(frame.width, frame.height, COLOURS[name]);
      moveInto(moved, frame, layer, this.frame);
      layer.take(moved);
    }
    this.frame = frame;
    this.measure();
    return [{ layer: { restore: (state) => this.take(state) }, before, after: this.state }];
  }

  get state() {
    const { content, frame } = this;
    return { content, frame, size: Object.values(content).reduce((sum, tiles) => sum + tiles.size, 0) };
  }

  take({ content, frame: { width, height, ...place } }) {
    this.frame = { width, height, ...place };
    for (const [name, layer] of Object.entries(this.layers)) layer.take({ width, height, tiles: content[name] });
  }

  /** Left, top, right and bottom of the mask; null without any. */
  extent() {
    return this.layers.mask.extent();
  }

  /** A layer as PNG, null where it is empty. @returns {Promise<Blob?>} */
  async encode(name) {
    const layer = this.layers[name];
    return layer.count() ? encodeLayer(layer) : null;
  }

  /** Reads a layer from a file. @returns {Promise<{what: string, change: function}>} for `alter` */
  async read(name, file) {
    const what = `The ${FILES[name]} ${file.name}`;
    const { raster } = await readPicture(file, { max_bytes: Infinity, max_pixels: Infinity });
    const { width, height } = this.layers[name];
    if (raster.width !== width || raster.height !== height) {
      raster.close();
      const sizes = `is ${raster.width} × ${raster.height} pixels but the photo is ${width} × ${height}`;
      const remedy = "Draw it at the photo's size; your strokes are kept.";
      throw new BadInput(`${what} ${sizes} (width × height, upright). ${remedy}`);
    }
    const change = (layer) => {
      decodeInto(layer, raster.full);
      raster.close();
    };
    return { what, change };
  }

  /** The tiles of all layers, to be kept. */
  get content() {
    return Object.fromEntries(Object.entries(this.layers).map(([name, layer]) => [name, new Map(layer.tiles)]));
  }

  set content(tiles) {
    for (const [name, map] of Object.entries(tiles)) {
      for (const [index, bytes] of map) this.layers[name]?.put(index, bytes);
    }
    this.measure();
  }
}
