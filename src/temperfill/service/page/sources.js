// Hides: the answer to "where did it come from": asking the server about one filled pixel, the list of attention heads,
// and the boxes over the photo.

import { ServerError, sources } from "./server.js";

// Told apart with any colour vision (Okabe and Ito), and by the number of the head beside.
const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff"];

export class Sources {
  constructor(stage, panel) {
    this.stage = stage;
    this.panel = panel;
    this.text = panel.querySelector("#sources-text");
    this.list = panel.querySelector("#sources-heads");
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
    this.heads = []; // as the server tells them, with `on`: whether their boxes are shown
    this.lit = -1; // the head pointed at in the list
    this.list.replaceChildren();
    this.text.textContent = hint;
    this.stage.redraw("overlay");
  }

  /** Asks about a pixel of a result; throws ServerError. */
  async ask(version, column, row) {
    this.clear("Looking…");
    this.point = [column, row];
    const controller = new AbortController();
    this.controller = controller;
    const { parent, mask, sketch, temperature, mask_dilate } = version;
    const options = { row, column, temperature, mask_dilate };
    const question = { image: parent.blob, name: parent.name, mask, sketch, options };
    try {
      const heads = await sources(question, controller.signal);
      if (controller.signal.aborted) return;
      this.heads = heads.map((head) => ({ ...head, on: true }));
      this.text.textContent = `Row ${row}, column ${column}: the places that each attention head copied from.`;
      this.describe();
    } catch (error) {
      if (error instanceof ServerError && error.code === "cancelled") return;
      this.clear("Click a filled place.");
      throw error;
    } finally {
      this.stage.redraw("overlay");
    }
  }

  describe() {
    const make = (name, properties, ...children) => {
      const element = Object.assign(document.createElement(name), properties);
      element.append(...children);
      return element;
    };
    this.list.replaceChildren(
      ...this.heads.map((head, index) => {
        const box = make("input", { type: "checkbox", checked: true });
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
    for (const [width, colour] of [[5, "#000"], [2, "#fff"]]) {
      context.lineWidth = width * view.ratio;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(x, y, 7 * view.ratio, 0, 2 * Math.PI);
      context.stroke();
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
