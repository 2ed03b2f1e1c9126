// Hides: how far back undo reaches. Changes are lists of tiles by reference, see tiles.js.

const MOST_STEPS = 200;
const MOST_TILES = 2400; // each up to 64 KiB

export class Undo {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  /** Notes one step: the changes of one or more layers; nulls, layers without change, are left out. */
  push(changes) {
    const kept = changes.filter(Boolean);
    if (!kept.length) return false;
    this.done.push(kept);
    this.undone = [];
    while (this.done.length > 1 && (this.done.length > MOST_STEPS || this.weight() > MOST_TILES)) this.done.shift();
    return true;
  }

  weight() {
    return this.done.flat().reduce((sum, change) => sum + change.before.size, 0);
  }

  undo() {
    return this.move(this.done, this.undone, "before");
  }

  redo() {
    return this.move(this.undone, this.done, "after");
  }

  move(from, to, side) {
    const step = from.pop();
    if (!step) return false;
    for (const change of step) change.layer.restore(change[side]);
    to.push(step);
    return true;
  }
}
