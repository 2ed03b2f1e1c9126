// Hides: what the editor holds (photo, marks, versions, the fill under way) and what each command does to it. Knows
// nothing of buttons and keys: it calls `onChange` after every change of state.

import { Brush } from "./brush.js";
import * as engine from "./engine.js";
import { EngineError } from "./failure.js";
import { Filler } from "./filler.js";
import { firstFrame, sameFrame } from "./frames.js";
import { History } from "./history.js";
import { Marking } from "./marking.js";
import { Marks } from "./marks.js";
import { lackOf, Models } from "./models.js";
import { ask, complain, hush, say, warn } from "./notices.js";
import { BadInput, readPicture } from "./picture.js";
import { details, Results, sameBytes } from "./results.js";
import { Retouch } from "./retouch.js";
import { Session } from "./session.js";
import { Sources } from "./sources.js";

const SETTINGS = { temperature: 1, feather: 0, texture: "auto" };

export class Editor {
  constructor(stage, { strip, sourcesPanel, triesPanel, retouchPanel, ...calls }) {
    Object.assign(this, { stage, ...calls }); // onChange, onOpened, onSaved, onQueue, onPlace, onReframe
    this.marking = new Marking(this);
    const onStroke = (change, stroke) => {
      if (stroke.name === "retouch") this.retouch.stroke(stroke);
      else this.marking.stroke(change, stroke);
    };
    const onStart = () => this.brush.target === "retouch" || this.showMarks(true);
    this.brush = new Brush(stage, { onStart, onStroke });
    this.retouch = new Retouch(this, retouchPanel);
    this.results = new Results(strip, (version) => this.attempt(() => this.choose(version)));
    this.sources = new Sources(stage, sourcesPanel, (places) => this.marking.protect(places));
    this.filler = new Filler(this, triesPanel);
    this.history = new History();
    this.session = new Session();
    this.limits = { max_bytes: Infinity, max_pixels: Infinity, loss: "" };
    this.models = new Models();
    this.marks = null; // of the photo, once there is one
    this.settings = this.ownSettings();
    this.marksOn = true;
    this.comparing = false;
    this.peeking = false; // the version before is on show while a key or button is held
    this.queue = null; // of the photos that wait, see queue.js, as it is kept
    this.opening = 0; // counts the files that were to be opened
    this.reading = null; // AbortController of the file that is on its way
    this.turn = 0; // counts what is put on show, so that a slow decoding cannot overtake
  }

  /** The model that fills: {name, takes_sketch, ...}; null while none is known. */
  get model() {
    return this.models.find(this.settings.model);
  }

  /** Those of a new photo. */
  ownSettings() {
    return { ...SETTINGS, model: this.models.remembered };
  }

  get layers() {
    return this.marks?.layers ?? null;
  }

  get share() {
    return this.marks?.share ?? 0;
  }

  /** Runs a command; what the user must know of its failure is shown, everything else stays an error. */
  async attempt(command, retry = null) {
    try {
      await command();
    } catch (error) {
      if (!(error instanceof BadInput || error instanceof EngineError)) throw error;
      if (error.code === "cancelled") say("Cancelled.");
      else {
        say("");
        complain(error.message, retry);
      }
    }
    this.changed();
  }

  /** After every change of state: what is shown of it, and what a reload brings back. */
  changed() {
    this.onChange();
    if (this.photo) this.session.keep(this);
  }

  /** Asks the engine for its limits and its model; opens the picture that it was started with, or earlier work. */
  async begin() {
    this.limits = await engine.start();
    this.learnModels();
    const { image } = this.limits;
    const kept = await this.session.load();
    const file = image ? await engine.startImage(image.name) : null;
    if (kept && (!file || (await sameBytes(file, kept.versions[0].blob)))) await this.restore(kept);
    else if (file) await this.open(file);
  }

  /** Asks for the models, unless they are known; a failure shows itself with the next fill. */
  async learnModels() {
    await this.models.learn();
    this.onChange();
  }

  /** Why engine or model cannot use something, "takes_sketch", "has_sources" and so on; null where they can. */
  lack(ability, model = this.model) {
    return engine.lack(ability) ?? lackOf(model, ability);
  }

  /** Whether opening another photo would lose anything. */
  get hasWork() {
    return this.results.unsaved || this.share > 0 || Boolean(this.filler.current);
  }

  async open(file) {
    this.opening += 1;
    const { opening } = this;
    this.reading?.abort();
    this.reading = new AbortController();
    say(`Opening ${file.name || "the picture"}.`);
    const picture = await readPicture(file, this.limits, this.reading.signal).catch((error) => {
      if (opening === this.opening) throw error;
    });
    if (opening !== this.opening) return; // a later file is on its way
    if (this.hasWork) {
      const lost = this.results.unsaved ? "The result that is not saved" : "What you marked";
      if (!(await ask(`Open ${picture.name} instead? ${lost} will be gone.`, "Replace"))) {
        picture.raster.close();
        say("");
        return;
      }
    }
    this.place({ name: picture.name }, firstFrame(picture.raster));
    this.settings = this.ownSettings();
    this.results.reset(picture);
    this.onOpened(file);
    this.session.begin();
    await this.show(this.results.shown);
    this.showMarks(true);
    const words = picture.blob.type === "image/heic" ? " Results are saved as JPEG or PNG: HEIC can only be read." : "";
    say(`${picture.name} is open. Paint over what should be filled.${words}`);
    if (picture.depth > 8) {
      complain(`${picture.name} has ${picture.depth} bits for each colour. Here it is read, filled and saved with 8.`);
    }
  }

  /** Closes the photo and forgets what the browser keeps of it; `then` starts over. */
  async close(then) {
    if (this.hasWork && !(await ask(`Close ${this.photo.name}? What is not saved will be gone.`, "Close"))) return;
    this.photo = null; // so that nothing is kept again
    await this.session.forget();
    then();
  }

  /** Brings back what `Session.load` found. */
  async restore({ photo, versions, shown, frame, marks, settings, queue, files }) {
    this.place(photo, frame);
    this.marks.content = marks;
    this.settings = { ...this.ownSettings(), ...settings };
    this.results.restore(versions, shown);
    this.marks.reframe(this.results.shown.frame);
    await this.show(this.results.shown);
    this.showMarks(true);
    if (queue) this.onQueue(queue, files);
    say(`${photo.name} is open as you left it.`);
  }

  /** Gives a photo its place on the stage, with nothing marked. */
  place(photo, frame) {
    this.filler.cancel();
    this.photo = photo;
    this.stage.leavePhoto();
    this.marks = new Marks(frame);
    this.brush.setLayers(this.layers);
    this.history = new History();
    this.comparing = false;
    this.filler.close();
    this.sources.close();
    this.retouch.forget();
    this.onPlace();
    hush();
  }

  /** Shows another version, which undo takes back. */
  async choose(version) {
    if (version === this.results.shown) return;
    this.history.push(this.follow(version), { versions: [this.results.shown, version] });
    await this.show(version);
  }

  /** Puts all marks into the frame of a version. @returns {Array} changes, for undo */
  follow(version) {
    if (sameFrame(version.frame, this.marks.frame)) return [];
    this.onReframe();
    this.marking.endResizing(false);
    const changes = this.marks.reframe(version.frame);
    this.brush.setLayers(this.layers);
    return changes;
  }

  async show(version) {
    this.turn += 1;
    const { turn } = this;
    const [raster, before] = await this.results.rasters(version);
    if (turn !== this.turn) return;
    if (version !== this.results.shown) this.sources.clear(this.sourcesHint(version));
    this.results.show(version);
    const shown = this.peeking && before ? before : raster;
    this.stage.showPhoto(shown, this.comparing && !this.peeking ? before : null, version.frame);
    this.filler.refresh();
    this.changed();
  }

  showMarks(on) {
    this.marksOn = on;
    this.stage.showMarks(on && this.marks ? this.layers : null);
    this.onChange();
  }

  // Marks ------------------------------------------------------------------------------------------------------------

  /** Notes finished changes of layers as one step of undo. */
  finish(changes, more = {}) {
    if (this.history.push(changes, more)) {
      this.marks.measure();
      hush(); // what was complained about is in the past
    }
    this.stage.redraw("marks");
    this.changed();
  }

  /** Takes new settings of fills. */
  set(changes) {
    const before = this.settings;
    this.settings = { ...before, ...changes };
    this.history.pushSettings(before, this.settings);
    this.models.remembered = this.settings.model;
    this.changed();
  }

  async travel(direction) {
    if (this.brush.stroke) this.brush.end();
    const step = this.history[direction]();
    if (!step) return;
    this.marks.measure();
    if (step.settings) {
      this.settings = step.settings;
      this.models.remembered = this.settings.model;
    }
    this.showMarks(true);
    if (step.version) await this.show(step.version);
    say(direction === "undo" ? "Undone." : "Redone.");
    this.changed();
  }

  alter(names, change) {
    this.brush.end();
    this.finish(this.marks.alter(names, change));
    this.showMarks(true);
  }

  /** Fills what was just marked; what is marked while a fill is under way is filled after it. */
  fillAtOnce() {
    this.attempt(() => this.filler.fillAll());
  }

  // Versions ---------------------------------------------------------------------------------------------------------

  /** Takes the version on show out of the strip; undo brings it back. */
  async delete() {
    const version = this.results.shown;
    if (!version.parent) return;
    const next = version.parent.gone ? this.results.neighbour(-1) : version.parent;
    for (const each of this.results.runOf(version)) {
      each.gone = true;
      this.session.update(each);
    }
    await this.choose(next);
    say(`${version.title} deleted. Undo brings it back.`);
  }

  /** Gives the version on show another name; none gives back the one that it had. */
  rename(title) {
    const version = this.results.shown;
    version.title = title.trim() || `Result ${version.id}`;
    this.session.update(version);
    this.results.mark();
    this.changed();
  }

  /** The file of a version; one that was retouched gets its own only now. @returns {Promise<Blob>} */
  async fileOf(version) {
    if (!version.blob) {
      version.blob = version.shown = await this.retouch.file(version);
      this.session.update(version);
    }
    return version.blob;
  }

  async compare(on) {
    this.comparing = on;
    const { box } = this.results.shown;
    if (on && box) this.stage.divider = (box[0] + box[2]) / 2 / this.marks.frame.width;
    await this.show(this.results.shown);
  }

  /** Shows what was before for as long as a key or button is held. */
  async peek(on) {
    if (this.peeking === on || !this.results.shown?.parent) return;
    this.peeking = on;
    await this.show(this.results.shown);
  }

  sourcesHint(version = this.results.shown) {
    const protect = this.lack("takes_avoid") ? "" : " Drag over what must not be copied from.";
    const lack = this.lack("has_sources", this.models.find(version?.options?.model));
    if (lack) return lack + protect;
    if (!version?.parent) return `After a fill, click a place to see where it came from.${protect}`;
    return `Click a filled place of ${version.title} (${details(version)}).${protect}`;
  }

  async askSources(column, row) {
    const version = this.results.shown;
    if (!version.parent) throw new BadInput("This is the photo itself. Choose a result below, or fill first.");
    const { width, height } = this.marks.frame;
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    const fillers = this.results.fillersOf(version, column, row);
    if (!fillers.length) {
      const text = "This place was not filled. Click a filled one.";
      throw new BadInput(version.work?.sides ? "What extending added cannot tell where it came from." : text);
    }
    await this.sources.ask(fillers, column, row);
  }
}
