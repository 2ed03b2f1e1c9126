// Hides: where a result is written: among the downloads, or where the browser lets pages write, over the photo's own file
// or into a folder.

import * as engine from "./engine.js";
import { EngineError } from "./failure.js";
import { say, showWriting, warn } from "./notices.js";
import { stem, withExtension } from "./picture.js";

const TYPES = { "": null, png: "image/png", jpeg: "image/jpeg", webp: "image/webp", tiff: "image/tiff" };
let folder = null; // that was chosen; it stays so for later photos

/** What the page may do here, by the value of the choice. */
export const placesToSave = () => ({
  "": true,
  file: "showSaveFilePicker" in window,
  folder: "showDirectoryPicker" in window,
});

/**
 * Writes the version on show.
 * @param {{format: string, quality: string, place: string}} wanted empty for the photo's own, and for downloads
 */
export async function save(editor, { format, quality, place }) {
  const version = editor.results.shown;
  const [photo] = editor.results.versions;
  const write = await placeFor(place, editor.photo.name, TYPES[format] ?? photo.blob.type);
  if (!write) {
    say("Not saved.");
    return;
  }
  let [words, warnings] = ["", []];
  say("Writing the file.");
  let blob = await editor.fileOf(version);
  showWriting();
  try {
    const made = { model: editor.models.makerOf(version), unmarked: !editor.results.isFilled(version) };
    const work = { image: blob, original: photo.blob, name: photo.name, ...made };
    ({ blob, warnings } = await engine.convert(work, { format, quality }, editor.limits));
  } catch (error) {
    if (!(error instanceof EngineError) || error.code !== "unreachable") throw error;
    words = " The server does not answer, so it is written without loss instead.";
  } finally {
    showWriting(null);
  }
  const name = await write(blob);
  version.saved = true;
  editor.session.update(version);
  editor.onSaved();
  say(`Saved as ${name}.${words}`);
  warn(editor.photo, warnings);
}

/** The function that writes to a place; the place is asked for first, as browsers allow it only after a click. */
async function placeFor(place, photoName, type) {
  const filled = (blob) => withEnd(withExtension(photoName, blob.type));
  if (!place) {
    return (blob) => {
      download(blob, filled(blob));
      return filled(blob);
    };
  }
  try {
    if (place === "folder") folder ??= await window.showDirectoryPicker({ mode: "readwrite" });
    const file = place === "file" ? await window.showSaveFilePicker({ suggestedName: withExtension(photoName, type) }) : null;
    return async (blob) => {
      const target = file ?? (await folder.getFileHandle(filled(blob), { create: true }));
      const stream = await target.createWritable();
      await stream.write(blob);
      await stream.close();
      return target.name;
    };
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    return null; // the user closed the dialog of the browser
  }
}

function withEnd(name) {
  return `${stem(name)}-filled${name.slice(stem(name).length)}`;
}

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
