// Hides: a larger canvas for a photo whose new part is to be filled, with the edge of the photo mirrored behind it, so that a
// network sees known pixels on both sides. The rule is that of temperfill.images.canvas, which says why.

const MIRRORED = 256; // pixels of the photo that stand behind the new part, as far as it has so many

/**
 * @param {{width: number, height: number, data: Uint8ClampedArray}} photo four bytes for each pixel
 * @param {{left: number, top: number, right: number, bottom: number}} sides pixels that come to each
 * @returns {{photo: Object, hole: Uint8Array, mirrored: Uint8Array, box: Object}} hole and mirrored have one byte for each
 *     pixel of the canvas, 1 = new, and 1 = mirrored; box: {left, top, width, height} of what was asked for
 */
export function extended({ width, height, data }, { left, top, right, bottom }) {
  const [columns, rows] = [places(width, left, right), places(height, top, bottom)];
  const canvas = { width: columns.length, height: rows.length, data: new Uint8ClampedArray(4 * columns.length * rows.length) };
  const box = { left: margin(width, left), top: margin(height, top), width: left + width + right, height: top + height + bottom };
  const [hole, mirrored] = [new Uint8Array(columns.length * rows.length), new Uint8Array(columns.length * rows.length)];
  const [x, y] = [box.left + left, box.top + top];
  rows.forEach((row, down) => {
    columns.forEach((column, along) => {
      const at = down * columns.length + along;
      const isNew = row < 0 || column < 0;
      hole[at] = Number(isNew);
      mirrored[at] = Number(!isNew && !(along >= x && along < x + width && down >= y && down < y + height));
      if (isNew) canvas.data[4 * at + 3] = 255;
      else for (let channel = 0; channel < 4; channel += 1) canvas.data[4 * at + channel] = data[4 * (row * width + column) + channel];
    });
  });
  return { photo: canvas, hole, mirrored, box };
}

/** The part of a canvas that was asked for. */
export function cut(data, width, { left, top, ...size }) {
  const part = new Uint8ClampedArray(4 * size.width * size.height);
  for (let row = 0; row < size.height; row += 1) {
    const start = 4 * ((top + row) * width + left);
    part.set(data.subarray(start, start + 4 * size.width), 4 * row * size.width);
  }
  return { ...size, data: part };
}

const margin = (length, added) => (added ? Math.min(MIRRORED, length) : 0);

/** For each row or column of the canvas that of the photo which stands there, or -1. */
function places(length, before, after) {
  const own = [...Array(length).keys()];
  const ahead = own.slice(0, margin(length, before)).reverse();
  const behind = own.slice(length - margin(length, after)).reverse();
  return [...ahead, ...Array(before).fill(-1), ...own, ...Array(after).fill(-1), ...behind];
}
