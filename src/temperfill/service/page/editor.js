// Hides: what the editor holds (photo, marks, versions, the fill under way) and what each command does to it. Knows
// nothing of buttons and keys: it calls `onChange` after every change of state.

import { Brush } from "./brush.js";
import { Fill } from "./fill.js";
import { ask, complain, hush, say, showProgress } from "./notices.js";
import { BadInput, megabytes, readPicture, stem, withExtension } from "./picture.js";
import { decodeInto, encodeLayer } from "./png.js";
import { heat, readAnswer, Results } from "./results.js";
import { askModel, ServerError, start, startImage } from "./server.js";
import { Sources } from "./sources.js";
import { Layer } from "./tiles.js";
import { Undo } from "./undo.js";

const COLOURS = { mask: [224, 0, 110], sketch: [0, 229, 255] };
const NAMES = { mask: "Mask", sketch: "Lines" };
const LOADING = 1500; // ms between two questions to a server that still loads its model
const FORM = 2000; // bytes that a request has beside its files
const MUCH = 0.95; // share of the photo above which a mask is probably inverted

export class Editor {
  constructor(stage, { strip, sourcesPanel, onChange }) {
    this.stage = stage;
    this.onChange = onChange;
    this.brush = new Brush(stage, { onStart: () => this.showMarks(true), onStroke: (change) => this.finish([change]) });
    this.results = new Results(strip, (version) => this.attempt(() => this.show(version)));
    this.sources = new Sources(stage, sourcesPanel);
    this.undo = new Undo();
    this.limits = { max_bytes: Infinity, max_pixels: Infinity };
    this.model = null; // {name, takes_sketch, ...} of the server, null while it is not known
    this.layers = null; // {mask, sketch} once there is a photo
    this.share = 0; // of the photo that is marked
    this.marksOn = true;
    this.comparing = false;
    this.fillUnderWay = null;
    this.opening = 0; // counts the files that were to be opened
    this.reading = null; // AbortController of the file that is on its way
    this.turn = 0; // counts what is put on show, so that a slow decoding cannot overtake
  }

  /** Runs a command; what the user must know of its failure is shown, everything else stays an error. */
  async attempt(command, retry = null) {
    try {
      await command();
    } catch (error) {
      if (!(error instanceof BadInput || error instanceof ServerError)) throw error;
      if (error.code === "cancelled") say("Cancelled.");
      else {
        say("");
        complain(error.message, retry);
      }
    }
    this.onChange();
  }

  /** Asks the server for its limits and its model, and opens the picture that it was started with, if any. */
  async begin() {
    this.limits = await start();
    this.learnModel();
    const { image } = this.limits;
    if (image) await this.open(await startImage(image.name));
  }

  /** Asks for the model until the server has loaded it; other failures show themselves with the next fill. */
  async learnModel() {
    while (!this.model) {
      try {
        this.model = await askModel();
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        if (error.code !== "loading") return;
        await new Promise((resolve) => setTimeout(resolve, LOADING));
      }
    }
    this.onChange();
  }

  /** Why the model cannot use something, "takes_sketch", "takes_temperature" or "has_sources"; null where it can. */
  lack(ability) {
    if (!this.model) return ability === "takes_sketch" ? "The server's model is not known yet." : null;
    if (this.model[ability] ?? ability !== "takes_sketch") return null;
    const words = {
      takes_sketch: "takes no lines, only a mask",
      takes_temperature: "has no temperature",
      has_sources: "cannot tell where it copies from",
    };
    return `The model “${this.model.name}” ${words[ability]}.`;
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
    const results = this.results.unsaved;
    if (results || this.share || this.fillUnderWay) {
      const lost = results ? "The results that are not saved, and the marks," : "Your marks";
      if (!(await ask(`Open ${picture.name} instead? ${lost} will be gone.`, "Replace"))) {
        picture.raster.close();
        say("");
        return;
      }
    }
    this.fillUnderWay?.cancel();
    const { width, height } = picture.raster;
    this.photo = { name: picture.name, width, height };
    this.layers = { mask: new Layer(width, height, COLOURS.mask), sketch: new Layer(width, height, COLOURS.sketch) };
    this.brush.setLayers(this.layers);
    this.undo = new Undo();
    this.share = 0;
    this.comparing = false;
    this.results.reset(picture);
    this.sources.close();
    if (this.brush.tool === "sources") this.brush.tool = "mask";
    hush();
    await this.show(this.results.input);
    this.showMarks(true);
    const words = picture.blob.type === "image/heic" ? " Results are saved as JPEG or PNG: HEIC can only be read." : "";
    say(`${picture.name} is open. Paint over what should be filled.${words}`);
    if (picture.depth > 8) {
      complain(`${picture.name} has ${picture.depth} bits for each colour. Here it is read, filled and saved with 8.`);
    }
  }

  async show(version) {
    this.turn += 1;
    const { turn } = this;
    const [raster, before] = await this.results.rasters(version);
    if (turn !== this.turn) return;
    if (version !== this.results.shown) this.sources.clear(this.sourcesHint(version));
    this.results.show(version);
    this.stage.showPhoto(raster, this.comparing ? before : null);
    this.onChange();
  }

  showMarks(on) {
    this.marksOn = on;
    this.stage.showMarks(on && this.layers ? [this.layers.mask, this.layers.sketch] : []);
    this.onChange();
  }

  // Marks ------------------------------------------------------------------------------------------------------------

  /** Notes finished changes of layers as one step of undo. */
  finish(changes) {
    if (this.undo.push(changes)) this.measure();
    this.stage.redraw("marks");
    this.onChange();
  }

  measure() {
    const { mask } = this.layers;
    this.share = mask.count() / (mask.width * mask.height);
  }

  travel(direction) {
    if (this.brush.stroke) this.brush.end();
    if (!this.undo[direction]()) return;
    this.measure();
    this.showMarks(true);
    say(direction === "undo" ? "Undone." : "Redone.");
  }

  /** Changes whole layers at once: `change` is called with each. */
  alter(names, change) {
    this.brush.end();
    const layers = names.map((name) => this.layers[name]);
    const done = layers.map((layer) => {
      layer.begin();
      change(layer);
      return layer.commit();
    });
    this.finish(done);
    this.showMarks(true);
  }

  clear(name) {
    this.alter([name], (layer) => layer.clear());
    say(`${NAMES[name]} cleared.`);
  }

  invert() {
    this.alter(["mask"], (layer) => layer.invert());
    say(`Mask inverted: ${percent(this.share)} of the photo is marked.`);
  }

  async loadMarks(name, file) {
    const what = `The ${name === "mask" ? "mask" : "sketch"} ${file.name}`;
    const { layers } = this;
    const { raster } = await readPicture(file, { max_bytes: Infinity, max_pixels: Infinity });
    const { width, height } = layers.mask;
    if (raster.width !== width || raster.height !== height) {
      raster.close();
      const sizes = `is ${raster.width} × ${raster.height} pixels but the photo is ${width} × ${height}`;
      const remedy = "Draw it at the photo's size; your strokes are kept.";
      throw new BadInput(`${what} ${sizes} (width × height, upright). ${remedy}`);
    }
    if (layers !== this.layers) return; // another photo was opened meanwhile
    this.alter([name], (layer) => decodeInto(layer, raster.full));
    raster.close();
    const invert = { label: "Invert", run: () => this.invert() };
    if (!layers[name].count()) complain(`${what} marks nothing: white marks, black does not.`);
    else if (name === "mask" && this.share > MUCH) {
      complain(`${what} marks ${percent(this.share)} of the photo. White is what will be filled.`, invert);
    } else say(`${NAMES[name]} loaded from ${file.name}.`);
  }

  async saveMarks(name) {
    const file = `${stem(this.photo.name)}-${name}.png`;
    download(await encodeLayer(this.layers[name]), file);
    say(`Saved as ${file}.`);
  }

  // Fills and versions -----------------------------------------------------------------------------------------------

  /** Fills from the input with all marks. @param {{temperature: number}} options and more fields of POST /v1/inpaint */
  async fill(options) {
    if (this.fillUnderWay || !this.layers) return;
    this.brush.end();
    if (!this.share) throw new BadInput("Nothing is marked yet. Paint over what should be filled, then press Fill.");
    const fill = new Fill((state) => showProgress(state));
    const { layers } = this;
    this.fillUnderWay = fill;
    hush();
    say("Filling.");
    this.onChange();
    try {
      const work = await this.prepare(options);
      const { blob, seconds } = await fill.run(work);
      if (layers !== this.layers) return; // another photo was opened meanwhile
      const answer = await readAnswer(blob);
      if (layers !== this.layers) {
        answer.raster.close();
        return;
      }
      const { parent, mask, sketch } = work;
      const { temperature, mask_dilate } = options;
      await this.receive({ blob, seconds, parent, mask, sketch, temperature, mask_dilate }, answer);
    } catch (error) {
      // What becomes of a fill whose photo is gone, which opening another one cancels, is no news.
      if (layers === this.layers || !(error instanceof ServerError)) throw error;
    } finally {
      this.fillUnderWay = null;
      showProgress(null);
      this.onChange();
    }
  }

  async prepare(options) {
    if (!this.model) this.learnModel();
    const parent = this.results.input;
    const [mask, sketch] = await Promise.all([
      encodeLayer(this.layers.mask),
      this.lack("takes_sketch") || !this.layers.sketch.count() ? null : encodeLayer(this.layers.sketch),
    ]);
    const bytes = parent.blob.size + mask.size + (sketch?.size ?? 0) + FORM;
    if (bytes > this.limits.max_bytes) {
      const sizes = `${megabytes(bytes)}, more than the ${megabytes(this.limits.max_bytes)} that this server takes`;
      throw new BadInput(`Photo and mask together have ${sizes}. Write results as JPEG, or raise the server's limit.`);
    }
    // Another try of the same fill is to be another one, where texture is copied.
    const seed = this.results.made(parent).length;
    return { parent, image: parent.blob, name: parent.name, mask, sketch, options: { ...options, seed } };
  }

  async receive(result, { shown, raster }) {
    if (raster.width !== this.photo.width || raster.height !== this.photo.height) {
      raster.close();
      throw new BadInput("The server's answer has another size than the photo. The photo and your strokes are kept.");
    }
    const named = withExtension(this.photo.name, result.blob.type);
    const name = `${stem(named)}-filled${named.slice(stem(named).length)}`;
    const version = this.results.add({ ...result, shown, name }, raster);
    if (!this.brush.stroke) this.showMarks(false);
    await this.show(version);
    const { seconds } = result;
    const time = seconds ? ` after ${seconds.toFixed(1)} seconds` : "";
    say(`${version.title} is ready${time}. Fill again at another temperature, continue with it, or save it.`);
  }

  async cancel() {
    if (this.fillUnderWay) {
      say("Cancelling.");
      await this.fillUnderWay.cancel();
    }
  }

  /** Makes the version on show the one that the next fill starts from, with empty marks. */
  continueWithShown() {
    const version = this.results.shown;
    this.results.continueWith(version);
    this.alter(["mask", "sketch"], (layer) => layer.clear());
    say(`The next fill starts from ${version.title}.`);
  }

  save() {
    const version = this.results.shown;
    download(version.blob, version.name);
    version.saved = true;
    say(`Saved as ${version.name}.`);
  }

  async compare(on) {
    this.comparing = on;
    await this.show(this.results.shown);
  }

  sourcesHint(version = this.results.shown) {
    if (this.lack("has_sources")) return this.lack("has_sources");
    if (!version?.parent) return "Fill first, then click a place that was filled.";
    return `Click a filled place of ${version.title} (temperature ${heat(version)}).`;
  }

  async askSources(column, row) {
    const version = this.results.shown;
    if (!version.parent) throw new BadInput("This is the photo itself. Choose a result below, or fill first.");
    if (column < 0 || row < 0 || column >= this.photo.width || row >= this.photo.height) return;
    await this.sources.ask(version, column, row);
  }
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
