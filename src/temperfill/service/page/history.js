// Hides: how far back undo reaches. One history holds everything that can be taken back: marks, fills and settings.
// Changes of marks are lists of tiles by reference, see tiles.js.

const MOST_STEPS = 200;
const MOST_TILES = 2400; // each up to 64 KiB

export class History {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  /**
   * Notes one step.
   * @param {Array} changes of layers; nulls, layers without change, are left out
   * @param {{versions: Array?, settings: Array?}} more what was on show and how fills were made, before and after
   * @returns {boolean} whether there was anything to note
   */
  push(changes, more = {}) {
    const kept = changes.filter(Boolean);
    if (!kept.length && !more.versions && !more.settings) return false;
    this.done.push({ changes: kept, ...more });
    this.undone = [];
    while (this.done.length > 1 && (this.done.length > MOST_STEPS || this.weight() > MOST_TILES)) this.done.shift();
    return true;
  }

  /** Notes new settings; moving one slider, or typing a number, is one step. */
  pushSettings(before, after) {
    const names = Object.keys(after).filter((name) => before[name] !== after[name]);
    if (!names.length) return;
    const last = this.done.at(-1);
    const goesOn = last?.names && String(last.names) === String(names) && !this.undone.length;
    if (goesOn) last.settings = [last.settings[0], after];
    else this.push([], { settings: [before, after], names });
  }

  weight() {
    return this.done.reduce((sum, { changes }) => changes.reduce((more, { before }) => more + before.size, sum), 0);
  }

  /** Takes back the last step. @returns {{version: Object?, settings: Object?}?} what else is to be put back, or null */
  undo() {
    return this.move(this.done, this.undone, 0);
  }

  /** Takes back the last step for good, as another one comes instead. */
  takeBack() {
    this.undo();
    this.undone.pop();
  }

  redo() {
    return this.move(this.undone, this.done, 1);
  }

  move(from, to, side) {
    const step = from.pop();
    if (!step) return null;
    const changes = side ? step.changes : step.changes.toReversed();
    for (const change of changes) change.layer.restore(change[["before", "after"][side]]);
    to.push(step);
    return { version: step.versions?.[side] ?? null, settings: step.settings?.[side] ?? null };
  }
}
