// Hides: how pointer and keys become a shape around a part of the photo: a rectangle or a line that is drawn by dragging,
// or the corners of a polygon, one after the other.

export const SHAPES = ["rectangle", "lasso", "polygon"];
const NEAR = 10; // CSS pixels from the first corner in which a polygon closes
const DENSE = 2; // device pixels between two points of a lasso

export class Selecting {
  /** @param {function} onShape receives the points of each finished shape and the value that it marks with */
  constructor(stage, onShape) {
    this.stage = stage;
    this.onShape = onShape;
    this.kind = null; // of SHAPES while a shape is drawn
    this.points = []; // in image pixels
    this.value = 1;
    this.pointer = null; // image point up to which the next side of a polygon is shown
    stage.overlays.push((context, view) => this.draw(context, view));
  }

  /** Whether a shape waits for more corners. */
  get isOpen() {
    return this.points.length > 0;
  }

  /** The pointer goes down. @param {string} kind of SHAPES */
  begin(kind, at, value) {
    const point = this.stage.view.toImage(...at);
    if (kind === "polygon" && this.isOpen) {
      if (this.closes(at)) this.close();
      else this.points.push(point);
    } else {
      this.cancel();
      Object.assign(this, { kind, value, points: [point] });
    }
    this.pointer = null;
    this.stage.redraw("overlay");
  }

  closes(at) {
    const { view } = this.stage;
    const near = ([column, row]) => {
      const [x, y] = view.toStage(column, row);
      return Math.hypot(x - at[0], y - at[1]) < NEAR * view.ratio;
    };
    return this.points.length > 2 && (near(this.points[0]) || near(this.points.at(-1)));
  }

  move(stagePoints) {
    if (!this.isOpen) return;
    const points = stagePoints.map((at) => this.stage.view.toImage(...at));
    if (this.kind === "rectangle") this.points = [this.points[0], points.at(-1)];
    else if (this.kind === "polygon") this.points.splice(-1, 1, points.at(-1));
    else for (const point of points) this.trace(point);
    this.stage.redraw("overlay");
  }

  trace(point) {
    const [x, y] = this.points.at(-1);
    if (Math.hypot(point[0] - x, point[1] - y) * this.stage.view.scale >= DENSE) this.points.push(point);
  }

  /** The pointer goes up; a polygon goes on. */
  end() {
    if (this.isOpen && this.kind !== "polygon") this.close();
  }

  hover(at) {
    if (this.kind !== "polygon" || !this.isOpen) return;
    this.pointer = at && this.stage.view.toImage(...at);
    this.stage.redraw("overlay");
  }

  /** A corner by keys; one at the place of the last closes the shape, as the second one does of a rectangle. */
  enter(kind, point, value) {
    const last = this.points.at(-1);
    if (this.isOpen && this.kind === kind && String(last) === String(point)) this.close();
    else if (this.isOpen && this.kind === kind) {
      this.points.push(point);
      if (kind === "rectangle") this.close();
    } else {
      this.cancel();
      Object.assign(this, { kind, value, points: [point] });
    }
    this.stage.redraw("overlay");
  }

  /** Takes the last corner back. */
  back() {
    this.points.pop();
    this.stage.redraw("overlay");
  }

  cancel() {
    this.points = [];
    this.stage.redraw("overlay");
  }

  close() {
    const { points, value } = this;
    this.cancel();
    const shape = this.kind === "rectangle" ? corners(points) : points;
    if (shape.length > 2) this.onShape(shape, value);
  }

  draw(context, view) {
    if (!this.isOpen) return;
    const open = this.pointer ? [...this.points, this.pointer] : this.points;
    const line = this.kind === "rectangle" ? corners(open) : open;
    context.beginPath();
    for (const point of line) context.lineTo(...view.toStage(...point));
    if (this.kind === "rectangle") context.closePath();
    for (const [width, colour] of [[3, "rgb(0 0 0 / 60%)"], [1.5, "#fff"]]) {
      context.lineWidth = width * view.ratio;
      context.strokeStyle = colour;
      context.stroke();
    }
    if (this.kind === "polygon") for (const point of this.points) dot(context, view, point);
  }
}

/** The corners of a rectangle of whole pixels between two points. */
function corners(points) {
  const [[x0, y0], [x1, y1]] = [points[0], points.at(-1)].map((point) => point.map(Math.round));
  return x0 === x1 || y0 === y1 ? [] : [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

function dot(context, view, point) {
  context.beginPath();
  context.arc(...view.toStage(...point), 3.5 * view.ratio, 0, 2 * Math.PI);
  context.fillStyle = "#fff";
  context.fill();
  context.stroke();
}
