// Hides: how a result comes about: what is sent for a fill, which try of it it is, what is shown while it is on its way,
// and the panel in which several tries of one fill stand side by side.

import { Draft } from "./draft.js";
import * as engine from "./engine.js";
import { EngineError } from "./failure.js";
import { grown } from "./frames.js";
import { hush, say, showProgress, warn } from "./notices.js";
import { BadInput, megabytes } from "./picture.js";
import { details, readAnswer, sameBytes, thumbnail } from "./results.js";

const FORM = 2000; // bytes that a request has beside its files
const TRIES = 4; // that stand side by side
const TRY = 200; // CSS pixels of the longer side of one

export class Filler {
  constructor(editor, panel) {
    this.editor = editor;
    this.panel = panel;
    this.list = panel.querySelector("ol");
    this.current = null; // {task, cancelled} while fills are under way, one after the other
    this.warnings = []; // of the engine, about them
    this.draft = new Draft(editor.stage);
  }

  /** Fills what is marked; without marks it fills again what the result on show filled, as another try. */
  async fill() {
    const { editor } = this;
    if (this.current || !editor.marks) return;
    editor.brush.end();
    const { results, marks } = editor;
    const again = !editor.share;
    if (again && !results.shown.work) {
      throw new BadInput("Nothing is marked yet. Paint over what should be filled, then press Fill.");
    }
    await this.working(async () => {
      const sent = again ? null : marks.snapshot();
      const box = again ? results.shown.box : marks.extent();
      const work = await this.work(again);
      const version = await this.ask(work, box, editor.settings);
      if (version) await this.receive(version, sent);
    });
  }

  /** Extends the canvas of the version on show by `sides`: {left, top, right, bottom}. @returns {Promise<boolean>} */
  async extend(sides) {
    const { editor } = this;
    if (this.current || !editor.marks) return false;
    editor.brush.end();
    const parent = editor.results.shown;
    const { width, height } = grown(parent.frame, sides);
    if (width * height > editor.limits.max_pixels) {
      const most = `more than the ${Math.round(editor.limits.max_pixels / 1e6)} million that ${engine.WORDS.taker} takes`;
      throw new BadInput(`The new size, ${width} × ${height} pixels, is ${most}. Extend it by less.`);
    }
    let version = null;
    await this.working(async () => {
      await editor.fileOf(parent);
      const work = await editor.results.workOf({ parent, mask: null, sketch: null, avoid: null, sides });
      version = await this.ask(work, null, editor.settings);
      if (version) await this.receive(version, null);
    });
    return Boolean(version);
  }

  /** Fills until nothing is marked, as marks can come while a fill is under way. */
  async fillAll() {
    if (this.current) return; // whose end looks for more
    while (this.editor.share && this.editor.marking.fillsAtOnce) await this.fill();
  }

  /** Asks for more tries of the result on show, until there are four, and shows them side by side. */
  async tryMore() {
    const { editor } = this;
    const { work, box, options } = editor.results.shown;
    if (editor.lack("has_tries")) throw new BadInput(editor.lack("has_tries"));
    if (!work) throw new BadInput("Fill first; then other tries of the same fill can be made.");
    this.panel.hidden = false;
    this.refresh();
    if (this.current) return;
    await this.working(async () => {
      while (this.tries(work).length < TRIES && !this.panel.hidden) {
        const version = await this.ask(work, box, options);
        this.refresh();
        if (!version) return;
      }
      say("Choose the try that you like.");
    });
  }

  async working(work) {
    const { marks } = this.editor;
    hush();
    say("Filling.");
    this.current = { task: null, cancelled: false };
    this.warnings = [];
    this.editor.onChange();
    try {
      await work();
      if (marks === this.editor.marks) warn(this.editor.photo, this.warnings); // after receive(), which hushes
    } catch (error) {
      // What becomes of a fill whose photo is gone, which opening another one cancels, is no news.
      if (marks === this.editor.marks || !(error instanceof EngineError)) throw error;
    } finally {
      this.current = null;
      this.draft.clear();
      showProgress(null);
      this.editor.onChange();
    }
  }

  /**
   * What is sent besides options: {parent, mask, sketch, avoid}, or {parent, sides} where the canvas is extended; the
   * same object for the same marks.
   */
  async work(again) {
    const { editor } = this;
    if (again && editor.results.shown.work.sides) return editor.results.shown.work;
    if (!editor.model) editor.learnModels();
    const { shown } = editor.results;
    const avoid = editor.lack("takes_avoid") ? null : await editor.marks.encode("avoid");
    const lines = () => (editor.lack("takes_sketch") ? null : editor.marks.encode("sketch"));
    const [parent, mask, sketch] = again
      ? [shown.parent, shown.work.mask, shown.work.sketch]
      : [shown, await editor.marks.encode("mask"), await lines()];
    const image = await editor.fileOf(parent);
    const bytes = [image, mask, sketch, avoid].reduce((sum, blob) => sum + (blob?.size ?? 0), FORM);
    if (bytes > editor.limits.max_bytes) {
      const most = `more than the ${megabytes(editor.limits.max_bytes)} that ${engine.WORDS.taker} takes`;
      throw new BadInput(`Photo and mask together have ${megabytes(bytes)}, ${most}. Make it smaller, or ${engine.WORDS.remedy}.`);
    }
    return editor.results.workOf({ parent, mask, sketch, avoid });
  }

  /**
   * Asks for the next try of a work and adds it to the versions.
   * @returns {Promise<Object?>} the version; null where another photo was opened, or nothing changed
   */
  async ask(work, box, settings) {
    const { editor } = this;
    const { marks, results } = editor;
    const before = results.tries(work);
    const { model: wanted, ...options } = settings;
    const model = editor.models.nameFor(wanted);
    if (model) options.model = model;
    const { models } = editor;
    // A fill that began before the models were known does not name its own.
    const alike = before.filter((version) => models.find(version.options.model) === models.find(model));
    options.seed = 1 + Math.max(-1, ...alike.map((version) => version.options.seed));
    if (editor.lack("takes_temperature", editor.models.find(wanted))) options.temperature = 1;
    const { parent, mask, sketch, avoid, sides } = work;
    const frame = sides ? grown(parent.frame, sides) : parent.frame;
    const fields = { ...options, format: "lossless" };
    if (sides) delete fields.feather; // the photo keeps all its pixels
    const sent = { image: parent.blob, name: parent.name, mask, sketch, avoid, sides, options: fields };
    const { blob, seconds, warnings } = await this.run(sent);
    if (marks !== editor.marks) return null; // another photo was opened meanwhile
    const { shown, raster } = await readAnswer(blob);
    const gone = marks !== editor.marks;
    if (gone || raster.width !== frame.width || raster.height !== frame.height) {
      raster.close();
      if (gone) return null;
      throw new BadInput(`${engine.WORDS.answer} has another size than the photo. The photo and your strokes are kept.`);
    }
    for (const same of before) {
      if (!(await sameBytes(same.blob, blob))) continue;
      raster.close();
      const advice = editor.lack("takes_temperature") ? "Mark it otherwise" : "Try another temperature";
      say(`Nothing changed from ${same.title}: here the network decides alone. ${advice}.`);
      return null;
    }
    const content = { blob, shown, name: parent.name, parent, work, options, frame, box, seconds };
    const version = results.add(content, raster);
    version.crop = thumbnail(raster, box, TRY);
    editor.session.add(version);
    // What this file has no place for is not lost: what is saved has the metadata of the photo.
    this.warnings.push(...warnings.filter((text) => !text.startsWith("The result.")));
    return version;
  }

  async run(work) {
    const { current, draft } = this;
    if (current.cancelled) throw new EngineError("Cancelled.", "cancelled");
    draft.clear();
    const { left, top } = work.sides ?? { left: 0, top: 0 };
    // Boxes are those of the result, which is not on the stage yet.
    const onDraft = ({ blob, box: [y0, x0, y1, x1] }) => draft.show({ blob, box: [y0 - top, x0 - left, y1 - top, x1 - left] });
    current.task = engine[work.sides ? "extend" : "fill"](work, { onProgress: showProgress, onDraft });
    return current.task.result;
  }

  /** Puts a result on show; the marks that were sent have done their work. */
  async receive(version, sent) {
    const { editor } = this;
    await editor.brush.rest();
    const before = editor.results.shown;
    const changes = editor.follow(version);
    if (sent) changes.push(...editor.marks.without(sent));
    editor.finish(changes, { versions: [before, version] });
    await editor.show(version);
    const time = version.seconds ? ` after ${version.seconds.toFixed(1)} seconds` : "";
    const advice = editor.lack("has_tries") ? "Paint on, or save it" : "Paint on, fill again for another try, or save it";
    say(`${version.title} is ready${time}. ${advice}.`);
  }

  async cancel() {
    if (!this.current) return;
    say("Cancelling.");
    this.current.cancelled = true;
    await this.current.task?.cancel();
  }

  /** Tries that were not deleted. */
  tries(work) {
    return this.editor.results.tries(work).filter((version) => !version.gone);
  }

  /** Brings the panel of tries up to date; it closes with the last version that they belong to. */
  refresh() {
    if (this.panel.hidden) return;
    const { results } = this.editor;
    const tries = this.tries(results.shown?.work).slice(-TRIES);
    if (!tries.length) {
      this.close();
      return;
    }
    const { box, frame } = tries[0];
    const { view } = this.editor.stage;
    const [, middle] = view.toStage(0, box ? (box[1] + box[3]) / 2 : frame.height / 2);
    this.panel.classList.toggle("above", middle > view.height / 2); // beside the filled place rather than over it
    this.list.replaceChildren(...tries.map((version) => this.entry(version)));
  }

  entry(version) {
    const { editor } = this;
    const button = document.createElement("button");
    const picture = Object.assign(document.createElement("img"), { src: version.crop ?? version.small, alt: "" });
    const label = Object.assign(document.createElement("span"), { textContent: version.title.replace("Result ", "") });
    button.append(picture, label);
    button.title = `${version.title}, ${details(version)}`;
    button.setAttribute("aria-label", button.title);
    button.setAttribute("aria-current", String(version === editor.results.shown));
    button.addEventListener("click", () => editor.attempt(() => editor.choose(version)));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  close() {
    this.panel.hidden = true;
    this.list.replaceChildren();
  }
}
