// Hides: the answer to "where did it come from": asking the engine about one filled pixel, the very pixel that was
// copied, the list of attention heads, and what is drawn of them over the photo.

import { sources } from "./engine.js";
import { EngineError } from "./failure.js";

// Told apart with any colour vision (Okabe and Ito), and by the number of the head beside.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff"];

export class Sources {
  /** @param {function} onProtect receives the places [column, row] that must not be copied from */
  constructor(stage, panel, onProtect) {
    this.stage = stage;
    this.onProtect = onProtect;
    this.panel = panel;
    this.text = panel.querySelector("#sources-text");
    this.list = panel.querySelector("#sources-heads");
    this.button = panel.querySelector("[data-sources=protect]");
    this.button.addEventListener("click", () => this.onProtect(this.places()));
    this.controller = null;
    this.clear();
    stage.overlays.push((context, view) => this.draw(context, view));
  }

  open(hint) {
    this.panel.hidden = false;
    if (!this.heads.length) this.text.textContent = hint;
  }

  close() {
    this.panel.hidden = true;
    this.clear();
  }

  /** Forgets the answer, as when another version is on show. */
  clear(hint = "") {
    this.controller?.abort();
    this.point = null; // [column, row] of the pixel asked about
    this.heads = []; // as the engine tells them, with `on`: whether their boxes are shown
    this.copy = null; // {row, column, share} of the pixel that was copied, if it was
    this.lit = -1; // the head pointed at in the list
    this.button.hidden = true;
    this.list.replaceChildren();
    this.text.textContent = hint;
    this.stage.redraw("overlay");
  }

  /** Asks about a pixel; the first of some versions that filled it answers. Throws EngineError. */
  async ask(versions, column, row) {
    this.clear("Looking…");
    this.point = [column, row];
    const controller = new AbortController();
    this.controller = controller;
    try {
      const { copy, heads } = await this.answer(versions, { column, row }, controller.signal);
      if (controller.signal.aborted) return;
      this.copy = copy;
      this.heads = heads.map((head) => ({ ...head, on: this.isDrawn }));
      this.text.textContent = this.sentence(row, column);
      this.button.hidden = !this.places().length;
      this.describe();
    } catch (error) {
      if (error instanceof EngineError && error.code === "cancelled") return;
      this.clear("Click a filled place.");
      throw error;
    } finally {
      this.stage.redraw("overlay");
    }
  }

  async answer([version, ...others], place, signal) {
    const { parent, work: { mask, sketch, avoid } } = version;
    const { temperature, texture, seed, model } = version.options;
    const options = { ...place, temperature, texture, seed, ...(model && { model }) };
    try {
      return await sources({ image: parent.blob, name: parent.name, mask, sketch, avoid, options }, signal);
    } catch (error) {
      if (error.code !== "invalid" || !others.length) throw error; // else: beside its marks, though within their box
      return this.answer(others, place, signal);
    }
  }

  /** Whether the network drew most of it. */
  get isDrawn() {
    return !this.copy || this.copy.share < 0.5;
  }

  sentence(row, column) {
    const asked = `Row ${row}, column ${column}`;
    if (!this.copy) return `${asked}: drawn by the network, from these places. The boxes show what each head copied.`;
    const from = `row ${this.copy.row}, column ${this.copy.column}`;
    const share = percent(this.copy.share);
    if (this.isDrawn) return `${asked} was drawn by the network, from these places; ${share} of it is texture from ${from}.`;
    return `${asked} was copied from ${from} (${share}). The network drew the rest from the places below.`;
  }

  /** Where it came from, [column, row]: the pixel that was copied, else the middle of each head's heaviest place. */
  places() {
    if (this.copy) return [[this.copy.column, this.copy.row]];
    const boxes = this.heads.filter(({ matches }) => matches.length).map(({ matches }) => matches[0].box);
    return boxes.map(([top, left, bottom, right]) => [Math.floor((left + right) / 2), Math.floor((top + bottom) / 2)]);
  }

  describe() {
    const make = (name, properties, ...children) => {
      const element = Object.assign(document.createElement(name), properties);
      element.append(...children);
      return element;
    };
    this.list.replaceChildren(
      ...this.heads.map((head, index) => {
        const box = make("input", { type: "checkbox", checked: head.on });
        const swatch = make("span", { className: "swatch", textContent: String(index + 1) });
        swatch.style.backgroundColor = COLOURS[index % COLOURS.length];
        swatch.style.color = index % COLOURS.length === 4 ? "#fff" : "#000";
        const temperature = make("small", {}, `temperature ${round(head.temperature)}`);
        const title = make("label", {}, box, swatch, `Head ${index + 1}`, temperature);
        const shares = head.matches.map(({ weight }) => make("li", { textContent: percent(weight) }));
        const weights = make("ol", {}, ...shares);
        box.addEventListener("change", () => {
          head.on = box.checked;
          this.stage.redraw("overlay");
        });
        const group = make("section", {}, title, weights);
        const light = (on) => () => {
          this.lit = on ? index : -1;
          this.stage.redraw("overlay");
        };
        for (const name of ["pointerenter", "focusin"]) group.addEventListener(name, light(true));
        for (const name of ["pointerleave", "focusout"]) group.addEventListener(name, light(false));
        return group;
      }),
    );
  }

  draw(context, view) {
    if (!this.point) return;
    const shown = [...this.heads.entries()].filter(
      ([index, head]) => head.on && head.matches.length && (this.lit < 0 || this.lit === index),
    );
    for (const [index, { matches }] of shown) {
      // The heaviest last, so that it lies above the others.
      for (const match of [...matches].reverse()) this.drawBox(context, view, match, index);
    }
    for (const [index, { matches: [{ box, weight }] }] of shown) {
      const [x, y] = view.toStage(box[1], box[0]).map(Math.round);
      drawLabel(context, view, x, y, `${index + 1}: ${percent(weight)}`, index);
    }
    const [x, y] = view.toStage(this.point[0] + 0.5, this.point[1] + 0.5);
    const ends = this.copy ? view.toStage(this.copy.column + 0.5, this.copy.row + 0.5) : null;
    for (const [width, colour] of [[5, "#000"], [2, "#fff"]]) {
      context.lineWidth = width * view.ratio;
      context.strokeStyle = colour;
      drawRing(context, x, y, 7 * view.ratio);
      if (ends) drawArrow(context, ends, [x, y], view.ratio);
    }
  }

  drawBox(context, view, { box: [top, left, bottom, right], weight }, index) {
    const [x0, y0] = view.toStage(left, top).map(Math.round);
    const [x1, y1] = view.toStage(right, bottom).map(Math.round);
    const colour = COLOURS[index % COLOURS.length];
    const heaviest = this.heads[index].matches[0].weight || 1; // more opaque the more was copied
    context.globalAlpha = 0.35 + 0.65 * Math.sqrt(weight / heaviest);
    for (const [width, ink] of [[4, "rgb(0 0 0 / 75%)"], [2, colour]]) {
      context.lineWidth = width * view.ratio;
      context.strokeStyle = ink;
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.globalAlpha = 1;
  }
}

function drawRing(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}

/** From a square around the place that was copied to the ring around the pixel asked about. */
function drawArrow(context, [x0, y0], [x1, y1], ratio) {
  const side = 8 * ratio;
  context.strokeRect(x0 - side, y0 - side, 2 * side, 2 * side);
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 4 * side) return;
  const [right, down] = [(x1 - x0) / length, (y1 - y0) / length];
  const [tipX, tipY] = [x1 - right * 10 * ratio, y1 - down * 10 * ratio];
  context.beginPath();
  context.moveTo(x0 + right * side * 1.5, y0 + down * side * 1.5);
  context.lineTo(tipX, tipY);
  for (const turn of [-1, 1]) {
    context.moveTo(tipX, tipY);
    context.lineTo(tipX - (right - turn * down * 0.6) * side, tipY - (down + turn * right * 0.6) * side);
  }
  context.stroke();
}

/** The head's number and the share of its heaviest place. */
function drawLabel(context, view, x, y, text, index) {
  context.font = `600 ${12 * view.ratio}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 8 * view.ratio;
  const height = 17 * view.ratio;
  const top = y - height < 0 ? y : y - height;
  context.fillStyle = COLOURS[index % COLOURS.length];
  context.fillRect(x - view.ratio, top, width, height);
  context.fillStyle = index % COLOURS.length === 4 ? "#fff" : "#000";
  context.textBaseline = "middle";
  context.fillText(text, x + 3 * view.ratio, top + height / 2 + 0.5);
}

const round = (value) => String(Number(Number(value).toPrecision(3)));

const percent = (weight) => (weight < 0.001 ? "< 0.1 %" : `${(100 * weight).toFixed(1)} %`);
