// Hides: how the canvas is extended: the edges that are dragged or moved by keys, the panel with their numbers, and the
// preview of what will be new.

import { grown } from "./frames.js";
import { say } from "./notices.js";

const SIDES = ["left", "top", "right", "bottom"];
/** Of each side: the axis that it moves on, and the direction in which it grows. */
const OUTWARDS = { left: [0, -1], top: [1, -1], right: [0, 1], bottom: [1, 1] };
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] };
const STEP = 10; // image pixels of an arrow key; ten times as many with Shift
const MOST = 100_000;
const ROOM = 0.7; // of the scale at which the photo fits: so much smaller it is shown, to have room around it
const INSET = 30; // CSS pixels from the stage's edge up to which a handle stays in sight

export class Extending {
  /**
   * @param {HTMLElement} panel with a number for each side and the buttons
   * @param {HTMLElement} area holds the stage and takes the edges' handles
   * @param {{onLeave: function}} calls onLeave: another tool is to be taken
   */
  constructor(editor, panel, area, { onLeave }) {
    Object.assign(this, { editor, panel, stage: editor.stage, onLeave });
    this.isOpen = false;
    this.sides = noSides();
    this.shown = 0; // scale at which the photo is shown to have room around it, 0 where it was not changed
    this.handles = Object.fromEntries(SIDES.map((side) => [side, this.handle(side, area)]));
    panel.addEventListener("submit", (event) => {
      event.preventDefault();
      this.apply();
    });
    for (const side of SIDES) {
      panel.elements[side].addEventListener("input", ({ target }) => {
        if (target.validity.valid) this.set(side, Number(target.value));
      });
    }
    panel.addEventListener("keydown", (event) => this.key(event));
    this.stage.overlays.push((context, view) => this.draw(context, view));
  }

  open() {
    if (this.isOpen) return;
    const { view } = this.stage;
    this.isOpen = true;
    this.sides = noSides();
    if (view.fitted) view.zoomTo(view.fittingScale() * ROOM);
    this.shown = view.scale;
    this.panel.hidden = false;
    this.stage.moved();
    this.show();
    say("Drag an edge of the photo outwards, then press Extend (Enter).");
  }

  close() {
    if (!this.isOpen) return;
    const { view } = this.stage;
    const held = [this.panel, ...Object.values(this.handles)].some((each) => each.contains(document.activeElement));
    this.isOpen = false;
    this.panel.hidden = true;
    if (held) this.stage.element.focus(); // a hidden field takes keys until the next frame
    if (view.scale === this.shown) view.fit();
    this.stage.moved();
    this.show();
  }

  set(side, pixels) {
    this.sides[side] = Math.min(Math.max(Math.round(pixels), 0), MOST);
    this.show();
  }

  /** Brings numbers, handles and preview up to date. */
  show() {
    for (const side of SIDES) {
      const field = this.panel.elements[side];
      if (field !== document.activeElement || Number(field.value) !== this.sides[side]) field.value = this.sides[side];
      this.handles[side].setAttribute("aria-valuenow", String(this.sides[side]));
    }
    const { width, height } = this.editor.marks ? grown(this.editor.marks.frame, this.sides) : {};
    this.panel.querySelector("output").textContent = width ? `${width} × ${height}` : "";
    this.place();
    this.stage.redraw("overlay");
  }

  /** Puts the handles along the edges of what will be, as far as these are in sight. */
  place() {
    const { view } = this.stage;
    for (const side of SIDES) this.handles[side].hidden = !this.isOpen;
    if (!this.isOpen) return;
    const css = ([x, y]) => [x / view.ratio, y / view.ratio];
    const { left, top, right, bottom } = this.sides;
    const [x0, y0] = css(view.toStage(-left, -top));
    const [x1, y1] = css(view.toStage(view.imageWidth + right, view.imageHeight + bottom));
    const seen = (low, high, room) => [Math.max(low, 0), Math.min(high, room)];
    const across = seen(x0, x1, view.width / view.ratio);
    const down = seen(y0, y1, view.height / view.ratio);
    const near = (value, room) => Math.min(Math.max(value, INSET), room - INSET);
    const rest = { left: near(x0, view.width / view.ratio), right: near(x1, view.width / view.ratio) };
    Object.assign(rest, { top: near(y0, view.height / view.ratio), bottom: near(y1, view.height / view.ratio) });
    for (const side of SIDES) {
      const isUpright = OUTWARDS[side][0] === 0;
      const [low, high] = isUpright ? down : across;
      const { style } = this.handles[side];
      style[isUpright ? "left" : "top"] = `${rest[side]}px`;
      style[isUpright ? "top" : "left"] = `${low}px`;
      style[isUpright ? "height" : "width"] = `${Math.max(high - low, 0)}px`;
    }
  }

  handle(side, area) {
    const handle = document.createElement("div");
    const [axis, outwards] = OUTWARDS[side];
    handle.className = `edge ${axis ? "level" : "upright"}`;
    handle.dataset.side = side;
    handle.tabIndex = 0;
    handle.hidden = true;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", `Pixels that come to the ${side}`);
    handle.setAttribute("aria-valuemin", "0");
    handle.setAttribute("aria-valuemax", String(MOST));
    handle.setAttribute("aria-orientation", axis ? "vertical" : "horizontal");
    let from = null; // {at, pixels} while it is dragged
    const at = (event) => (axis ? event.clientY : event.clientX);
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      handle.setPointerCapture(event.pointerId);
      from = { at: at(event), pixels: this.sides[side] };
    });
    handle.addEventListener("pointermove", (event) => {
      const { view } = this.stage;
      if (from) this.set(side, from.pixels + ((at(event) - from.at) * outwards * view.ratio) / view.scale);
    });
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => (from = null));
    handle.addEventListener("keydown", (event) => this.key(event, side));
    area.append(handle);
    return handle;
  }

  /** A key in the panel, or on the handle of a side. */
  key(event, side = null) {
    const { key, shiftKey } = event;
    const arrow = side && ARROWS[key];
    if (key === "Escape") this.onLeave();
    else if (side && key === "Enter") this.apply();
    else if (side && key === "Home") this.set(side, 0);
    else if (arrow && arrow[0] === OUTWARDS[side][0]) {
      this.set(side, this.sides[side] + arrow[1] * OUTWARDS[side][1] * STEP * (shiftKey ? 10 : 1));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Extends by what is shown; the numbers stay where it does not come to an end. */
  apply() {
    const { editor } = this;
    if (!this.panel.reportValidity()) return;
    const sides = { ...this.sides };
    if (!Object.values(sides).some(Boolean)) {
      say("Nothing to extend yet: drag an edge of the photo outwards, or give a number.");
      return;
    }
    const work = async () => {
      if (!(await editor.filler.extend(sides)) || !this.isOpen) return;
      this.shown = 0; // the result stays where its preview was
      this.onLeave();
    };
    editor.attempt(work, { label: "Try again", run: () => this.apply() });
  }

  draw(context, view) {
    if (!this.isOpen || !Object.values(this.sides).some(Boolean)) return;
    const { left, top, right, bottom } = this.sides;
    const [x0, y0] = view.toStage(-left, -top);
    const [x1, y1] = view.toStage(view.imageWidth + right, view.imageHeight + bottom);
    const [a0, b0] = view.toStage(0, 0);
    const [a1, b1] = view.toStage(view.imageWidth, view.imageHeight);
    context.beginPath();
    context.rect(x0, y0, x1 - x0, y1 - y0);
    context.rect(a0, b0, a1 - a0, b1 - b0);
    context.fillStyle = "rgb(224 0 110 / 40%)"; // as the mask: this will be filled
    context.fill("evenodd");
    context.lineWidth = 1.5 * view.ratio;
    context.strokeStyle = "#fff";
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.setLineDash([5 * view.ratio, 4 * view.ratio]);
    context.strokeStyle = "#000";
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.setLineDash([]);
  }
}

const noSides = () => ({ left: 0, top: 0, right: 0, bottom: 0 });
