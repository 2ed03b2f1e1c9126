// Hides: how marks of dust come on the mask: found on the version on show, added to what is marked, one step of undo.

import { findDust } from "./engine.js";
import { say } from "./notices.js";
import { BadInput, readPicture } from "./picture.js";
import { decodeInto } from "./png.js";
import { Layer } from "./tiles.js";

/** Marks the dust of the version on show; what is marked stays, and all can be edited before the fill. */
export async function markDust(editor) {
  const { marks, photo } = editor;
  const { frame } = marks;
  if (editor.lack("finds_dust")) throw new BadInput(editor.lack("finds_dust"));
  say("Looking for dust, hairs and scratches.");
  const { mask, count } = await findDust(await editor.fileOf(editor.results.shown), photo.name);
  if (marks !== editor.marks) return; // another photo was opened meanwhile
  if (!count) {
    say("No dust found. What is left can be painted over.");
    return;
  }
  const found = await readMask(mask, frame);
  editor.alter(["mask"], (layer) => layer.add(found.tiles));
  say(`${count === 1 ? "1 mark" : `${count} marks`} of dust found. Erase what is none, then fill.`);
}

async function readMask(blob, { width, height }) {
  const file = new File([blob], "dust.png", { type: blob.type });
  const { raster } = await readPicture(file, { max_bytes: Infinity, max_pixels: Infinity });
  const layer = new Layer(width, height, [0, 0, 0]);
  layer.begin();
  decodeInto(layer, raster.full);
  layer.commit();
  raster.close();
  return layer;
}
