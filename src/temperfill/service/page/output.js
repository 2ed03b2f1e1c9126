// Hides: saving to the place that the server was started with (temperfill edit --output), and the end of the work there.

import { ask, say, showWriting, warn } from "./notices.js";

/** Whether the photo at hand is the one that has a place; others are saved as usual. */
export const hasPlace = ({ limits, photo }) => Boolean(limits.output) && photo?.name === limits.image?.name;

/** Writes the version on show to its place, in the photo's own format or that of the place. */
export async function saveInPlace(editor) {
  const version = editor.results.shown;
  const [photo] = editor.results.versions;
  say("Writing the file.");
  const made = { model: editor.models.makerOf(version), unmarked: !editor.results.isFilled(version) };
  const work = { image: await editor.fileOf(version), original: photo.blob, name: photo.name, ...made };
  showWriting();
  const saved = editor.limits.output.save(work, editor.limits);
  const { name, warnings } = await saved.finally(() => showWriting(null));
  version.saved = true;
  editor.session.update(version);
  say(`Saved as ${name}.`);
  warn(editor.photo, warnings);
}

/** Ends the work, and with it the server. */
export async function finish(editor) {
  if (editor.filler.current) editor.filler.cancel();
  if (editor.results.unsaved && !(await ask("The result is not saved (Ctrl+S). Finish without it?", "Finish"))) return;
  await editor.limits.output.done();
  document.querySelector("#finished").showModal();
  window.close(); // where a program opened the window
}
