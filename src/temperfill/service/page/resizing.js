// Hides: how the mask grows and shrinks while a slider is moved: the distances are computed once, each position of the
// slider is a threshold on them.

import { FARTHEST } from "./distance.js";
import { compute } from "./offpage.js";
import { around } from "./shapes.js";

export const MOST_GROWTH = FARTHEST - 1; // pixels

export class Resizing {
  /** @param {Layer} layer within a change from `begin` on, until `end` */
  constructor(layer) {
    this.layer = layer;
    this.by = 0;
  }

  /** @returns {Promise<boolean>} whether there is something to grow or shrink */
  async begin() {
    const { layer } = this;
    const extent = layer.extent();
    if (!extent) return false;
    this.box = around(extent, MOST_GROWTH, layer.width, layer.height);
    const [left, top, right, bottom] = this.box;
    this.bytes = layer.read(this.box);
    const ask = (value) => compute("distances", this.bytes, right - left, bottom - top, value);
    [this.outwards, this.inwards] = await Promise.all([ask(1), ask(0)]);
    layer.begin();
    return true;
  }

  /** Shows the mask grown by some pixels, shrunk by a negative number of them. */
  show(by) {
    this.by = by;
    const { layer, box, bytes, outwards, inwards } = this;
    const least = by * by;
    const now = by < 0 ? inwards.map((far) => Number(far > least)) : outwards.map((far) => Number(far <= least));
    layer.stamp(box, by ? now.map((value) => 1 - value) : bytes.map((value) => 1 - value), 0);
    layer.stamp(box, by ? now : bytes, 1);
  }

  /** @returns the change for undo, or null */
  end(keeps) {
    if (keeps) return this.layer.commit();
    this.layer.abort();
    return null;
  }
}
