// Hides: how a mask or sketch of any size is kept. A layer is a sparse grid of tiles with one byte (0 or 1) for each
// pixel; tiles that were never touched take no memory, and tiles are replaced rather than changed between two strokes,
// so that undo keeps references instead of copies.

import { polygonSpans, strokeSpans } from "./shapes.js";

export const TILE = 256;
const FULL = new Uint8Array(TILE * TILE).fill(1); // shared by all wholly marked tiles; never written to

export class Layer {
  /** @param {number[]} colour red, green, blue of its display, 0 to 255 */
  constructor(width, height, colour) {
    this.colour = colour;
    this.take({ width, height, tiles: new Map() });
  }

  /** Becomes a layer of a size that holds these tiles. */
  take({ width, height, tiles }) {
    this.width = width;
    this.height = height;
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
    this.tiles = new Map(tiles); // index of a tile to its bytes; absent = empty
    this.pictures = new Map(); // index of a tile to its canvas, made when it is shown
    this.before = null; // while a change is made: the tiles as they were
  }

  /** Starts a change; ends with commit or abort. */
  begin() {
    this.before = new Map();
  }

  /** Ends a change. @returns what undo needs, or null where no pixel changed. */
  commit() {
    const before = new Map();
    const after = new Map();
    for (const [index, old] of this.before) {
      const now = this.tiles.get(index) ?? null;
      if (sameBytes(old, now)) continue;
      before.set(index, old);
      after.set(index, now);
    }
    this.before = null;
    return before.size ? { layer: this, before, after } : null;
  }

  abort() {
    const before = this.before;
    this.before = null;
    this.restore(before);
  }

  /** Puts tiles back as one side of a change has them. */
  restore(tiles) {
    for (const [index, bytes] of tiles) this.put(index, bytes);
  }

  /** Sets all pixels whose centre lies within size / 2 of the segment; see `snap` of shapes.js for exact ends. */
  paint(x0, y0, x1, y1, size, value) {
    for (const span of strokeSpans([x0, y0], [x1, y1], size, this.width, this.height)) this.fillRow(...span, value);
  }

  /** Sets all pixels whose centre lies within a closed line of points. */
  fillPolygon(points, value) {
    for (const span of polygonSpans(points, this.width, this.height)) this.fillRow(...span, value);
  }

  /** Within a change: sets what is 1 in `bytes`, one for each pixel of a box (left, top, right, bottom). */
  stamp([left, top, right, bottom], bytes, value) {
    const width = right - left;
    for (let row = top; row < bottom; row += 1) {
      const line = bytes.subarray((row - top) * width, (row - top + 1) * width);
      for (let from = line.indexOf(1); from >= 0; ) {
        const end = line.indexOf(0, from);
        const to = end < 0 ? width : end;
        this.fillRow(row, left + from, left + to - 1, value);
        from = end < 0 ? -1 : line.indexOf(1, to);
      }
    }
  }

  /** 0 or 1 for each pixel of a box (left, top, right, bottom). */
  read([left, top, right, bottom]) {
    const width = right - left;
    const bytes = new Uint8Array(width * (bottom - top));
    for (let row = top; row < bottom; row += 1) {
      const first = Math.floor(row / TILE) * this.columns;
      for (let x = left; x < right; ) {
        const column = Math.floor(x / TILE);
        const end = Math.min((column + 1) * TILE, right);
        const tile = this.tiles.get(first + column);
        const start = (row % TILE) * TILE - column * TILE;
        if (tile) bytes.set(tile.subarray(start + x, start + end), (row - top) * width + x - left);
        x = end;
      }
    }
    return bytes;
  }

  fillRow(row, left, right, value) {
    const tileRow = Math.floor(row / TILE);
    const offset = (row % TILE) * TILE;
    for (let column = Math.floor(left / TILE); column * TILE <= right; column += 1) {
      const index = tileRow * this.columns + column;
      const present = this.tiles.get(index);
      if (present === undefined && value === 0) continue;
      if (present === FULL && value === 1) continue;
      const from = offset + Math.max(left - column * TILE, 0);
      const to = offset + Math.min(right - column * TILE, TILE - 1) + 1;
      this.writable(index).fill(value, from, to);
    }
  }

  /** The bytes of a tile, free to be changed until the change ends. */
  writable(index) {
    const now = this.tiles.get(index) ?? null;
    if (!this.before.has(index)) this.before.set(index, now);
    if (!now || now === FULL || now === this.before.get(index)) {
      this.put(index, now ? now.slice() : new Uint8Array(TILE * TILE));
    } else this.pictures.get(index)?.stale();
    return this.tiles.get(index);
  }

  put(index, bytes) {
    if (bytes) this.tiles.set(index, bytes);
    else this.tiles.delete(index);
    this.pictures.get(index)?.stale();
  }

  /** Within a change: gives every tile new content; `content` takes the old bytes or null and returns the new. */
  replaceAll(content) {
    for (let index = 0; index < this.columns * this.rows; index += 1) {
      const old = this.tiles.get(index) ?? null;
      if (!this.before.has(index)) this.before.set(index, old);
      this.put(index, content(old, index));
    }
  }

  clear() {
    this.replaceAll(() => null);
  }

  invert() {
    this.replaceAll((old) => {
      if (old === null) return FULL;
      return old === FULL ? null : old.map((value) => 1 - value);
    });
  }

  /** Within a change: takes away what other tiles, a map like this layer's, have marked. */
  subtract(tiles) {
    this.replaceAll((old, index) => {
      const other = tiles.get(index);
      if (!old || !other) return old;
      return old === other ? null : old.map((value, at) => value & (1 - other[at]));
    });
  }

  /** Within a change: marks what other tiles, a map like this layer's, have marked, too. */
  add(tiles) {
    this.replaceAll((old, index) => {
      const other = tiles.get(index);
      if (!old || !other) return old ?? other ?? null;
      return old.map((value, at) => value | other[at]);
    });
  }

  /** Left, top, right and bottom of what is marked, exactly; null without any. */
  extent() {
    let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
    for (const [index, bytes] of this.tiles) {
      const [x, y, width, height] = this.box(index);
      for (let row = 0; row < height; row += 1) {
        const line = bytes.subarray(row * TILE, row * TILE + width);
        const first = line.indexOf(1);
        if (first < 0) continue;
        left = Math.min(left, x + first);
        right = Math.max(right, x + line.lastIndexOf(1) + 1);
        top = Math.min(top, y + row);
        bottom = Math.max(bottom, y + row + 1);
      }
    }
    return right < 0 ? null : [left, top, right, bottom];
  }

  /** Marked pixels. */
  count() {
    let total = 0;
    for (const [index, bytes] of this.tiles) {
      const [, , width, height] = this.box(index);
      if (bytes === FULL) {
        total += width * height;
        continue;
      }
      for (let row = 0; row < height; row += 1) {
        for (let at = row * TILE; at < row * TILE + width; at += 1) total += bytes[at];
      }
    }
    return total;
  }

  /** Left, top, width and height of a tile's part of the picture. */
  box(index) {
    const left = (index % this.columns) * TILE;
    const top = Math.floor(index / this.columns) * TILE;
    return [left, top, Math.min(TILE, this.width - left), Math.min(TILE, this.height - top)];
  }

  /** Writes a row into `target` from `offset` on, as 0 and 255. */
  readRow(row, target, offset) {
    const first = Math.floor(row / TILE) * this.columns;
    const start = (row % TILE) * TILE;
    for (let column = 0; column < this.columns; column += 1) {
      const bytes = this.tiles.get(first + column);
      const left = column * TILE;
      const width = Math.min(TILE, this.width - left);
      for (let x = 0; x < width; x += 1) target[offset + left + x] = bytes && bytes[start + x] ? 255 : 0;
    }
  }

  /** Left, top, right and bottom of the tiles that hold marks, in image pixels; null without any. */
  bounds() {
    if (!this.tiles.size) return null;
    const boxes = [...this.tiles.keys()].map((index) => this.box(index));
    const side = (pick, of) => boxes.reduce((far, box) => pick(far, of(box)), of(boxes[0]));
    return [
      side(Math.min, ([left]) => left),
      side(Math.min, ([, top]) => top),
      side(Math.max, ([left, , width]) => left + width),
      side(Math.max, ([, top, , height]) => top + height),
    ];
  }

  /**
   * Draws what lies in a region of the stage (left, top, right, bottom in device pixels). Tile borders are rounded to
   * device pixels, so none shows a seam.
   */
  draw(context, view, region) {
    context.imageSmoothingEnabled = view.scale < 2;
    context.imageSmoothingQuality = "medium";
    context.fillStyle = `rgb(${this.colour.join(" ")})`;
    for (const [index, bytes] of this.tiles) {
      const [left, top, width, height] = this.box(index);
      const [x0, y0] = view.toStage(left, top).map(Math.round);
      const [x1, y1] = view.toStage(left + width, top + height).map(Math.round);
      if (x1 <= region[0] || y1 <= region[1] || x0 >= region[2] || y0 >= region[3]) continue;
      if (bytes === FULL) {
        context.fillRect(x0, y0, x1 - x0, y1 - y0);
        continue;
      }
      if (!this.pictures.has(index)) this.pictures.set(index, new TilePicture(this.colour));
      const canvas = this.pictures.get(index).of(bytes);
      context.drawImage(canvas, 0, 0, width, height, x0, y0, x1 - x0, y1 - y0);
    }
  }
}

/** A tile as a canvas in the layer's colour, drawn anew after changes. */
class TilePicture {
  constructor(colour) {
    this.canvas = new OffscreenCanvas(TILE, TILE);
    this.context = this.canvas.getContext("2d");
    this.data = this.context.createImageData(TILE, TILE);
    this.ink = new Uint32Array(new Uint8Array([...colour, 255]).buffer)[0];
    this.current = false;
  }

  stale() {
    this.current = false;
  }

  of(bytes) {
    if (!this.current) {
      const pixels = new Uint32Array(this.data.data.buffer);
      for (let at = 0; at < bytes.length; at += 1) pixels[at] = bytes[at] ? this.ink : 0;
      this.context.putImageData(this.data, 0, 0);
      this.current = true;
    }
    return this.canvas;
  }
}

function sameBytes(one, other) {
  if (one === other) return true;
  const [a, b] = [one ?? other, one && other];
  return b ? a.every((value, at) => value === b[at]) : a.every((value) => value === 0);
}
