// Hides: what is drawn of a version that was retouched: a copy of what its strokes began on, with the changed tiles over it.

import { Raster } from "./picture.js";
import { boxOfTile } from "./retouching.js";

/** A raster of its own with the same picture. */
export function copied(raster) {
  const [full, small] = [raster.full, raster.small].map((source) => source && copyOf(source));
  return new Raster(full, small, raster.opaque);
}

function copyOf(source) {
  const canvas = new OffscreenCanvas(source.width, source.height);
  canvas.getContext("2d").drawImage(source, 0, 0);
  return canvas;
}

/** Draws tiles, each a picture file, on a raster from `copied`. */
export async function patch(raster, tiles) {
  const { width, height, full, small } = raster;
  for (const [index, blob] of tiles) {
    const bitmap = await createImageBitmap(blob);
    const [left, top, right, bottom] = boxOfTile(index, width, height);
    const context = full.getContext("2d");
    context.clearRect(left, top, right - left, bottom - top);
    context.drawImage(bitmap, left, top);
    bitmap.close();
    if (small) shrink(full, small, [left, top, right, bottom]);
  }
}

/** Draws a box of the full picture on the small one, in whole pixels of the latter. */
function shrink(full, small, [left, top, right, bottom]) {
  const scale = small.width / full.width;
  const [x, y] = [Math.floor(left * scale), Math.floor(top * scale)];
  const size = [Math.ceil(right * scale) - x, Math.ceil(bottom * scale) - y];
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "medium";
  context.clearRect(x, y, ...size);
  context.drawImage(full, x / scale, y / scale, size[0] / scale, size[1] / scale, x, y, ...size);
}
