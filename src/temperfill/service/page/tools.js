// Hides: what pointer and keys do with the tool at hand: the brush, shapes, the tool that asks where a place came from,
// and the divider, which can always be taken.

import { say } from "./notices.js";
import { SHAPES, Selecting } from "./selecting.js";

const GRIP = 18; // CSS pixels around the divider in which it can be taken
const DRAG = 4; // CSS pixels from which a click is a stroke
const PAN = 60; // CSS pixels of a key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Tools {
  /** @param {function} onDivider receives the divider's new place, a share of the photo's width */
  constructor(editor, onDivider) {
    Object.assign(this, { editor, onDivider, stage: editor.stage, brush: editor.brush });
    this.selecting = new Selecting(this.stage, (points, value) => editor.marking.shape(points, value));
    this.owner = null; // what the drag at hand moves: the divider, a shape, or the brush
    this.pressed = null; // {point, event} of the tool that asks, until it is known whether it asks or protects
  }

  get isShape() {
    return SHAPES.includes(this.brush.tool);
  }

  /** Before another tool is taken. */
  leave() {
    this.brush.end();
    this.selecting.cancel();
  }

  begin(point, event) {
    const { stage, brush, editor: { retouch } } = this;
    if (stage.before && Math.abs(point[0] - stage.dividerX()) < GRIP * stage.view.ratio) this.owner = "divider";
    else if (brush.tool === "sources") this.pressed = { point, event };
    else if (retouch.isOn && !retouch.begin(stage.view.toImage(...point), event.altKey)) return;
    else if (this.isShape) {
      this.owner = "shape";
      this.editor.showMarks(true);
      brush.pen = null;
      this.selecting.begin(brush.tool, point, brush.valueOf(event));
    } else {
      this.owner = "brush";
      brush.begin(point, event);
    }
  }

  move(points) {
    const { view } = this.stage;
    const protects = this.pressed && isFar(points.at(-1), this.pressed.point, view) && !this.editor.lack("takes_avoid");
    if (protects) {
      this.owner = "brush";
      this.brush.begin(this.pressed.point, this.pressed.event);
      this.pressed = null;
    }
    if (this.owner === "divider") this.onDivider(view.toImage(...points.at(-1))[0] / view.imageWidth);
    else if (this.owner === "shape") this.selecting.move(points);
    else if (this.owner === "brush") this.brush.move(points);
  }

  end() {
    if (this.pressed) this.ask(this.stage.view.toImage(...this.pressed.point));
    else if (this.owner === "shape") this.selecting.end();
    else this.brush.end();
    this.pressed = null;
    this.owner = null;
  }

  abort() {
    if (this.owner === "shape") this.selecting.back(); // a polygon keeps its other corners
    else this.brush.abort();
    this.pressed = null;
    this.owner = null;
  }

  hover(point) {
    this.brush.hover(point);
    if (this.editor.retouch.isOn) this.stage.redraw("overlay"); // its source goes along
    this.selecting.hover(point);
  }

  ask(point) {
    const [column, row] = point.map(Math.floor);
    this.editor.attempt(() => this.editor.askSources(column, row));
  }

  /** A key while the photo has the focus. @returns {boolean} whether it was for the tool */
  key({ key, shiftKey, repeat }) {
    const { brush, selecting, stage } = this;
    const arrow = ARROWS[key];
    if (selecting.isOpen && (key === "Escape" || key === "Backspace")) {
      if (key === "Escape") selecting.cancel();
      else selecting.back();
    } else if (arrow && brush.tool === "pan") {
      stage.view.panBy(...arrow.map((side) => -PAN * side * stage.view.ratio));
      stage.moved();
    } else if (arrow) this.nudge(arrow, shiftKey);
    else if (key !== "Enter" || brush.tool === "pan" || repeat) return false;
    else this.enter();
    return true;
  }

  nudge(arrow, isFar) {
    this.brush.nudge(...arrow, isFar);
    const { column, row } = this.brush.keyboardPen();
    if (this.isShape) this.selecting.hover(this.stage.view.toStage(column, row));
  }

  enter() {
    const { brush, selecting, editor: { retouch } } = this;
    if (selecting.isOpen && !brush.pen) {
      selecting.close(); // its corners were clicked
      return;
    }
    const { column, row } = brush.keyboardPen();
    if (this.isShape) selecting.enter(brush.tool, [column, row], Number(!brush.erases));
    else if (brush.tool === "sources") this.ask([column, row]);
    else if (retouch.isOn && !brush.pen.down && !retouch.begin([column, row], false)) return;
    else say(brush.togglePen() ? "Pen down." : "Pen lifted.");
  }
}

const isFar = ([x0, y0], [x1, y1], view) => Math.hypot(x1 - x0, y1 - y0) > DRAG * view.ratio;
