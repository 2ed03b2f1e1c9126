// Hides: where the photo lies on the stage. One device pixel of the stage is the unit everywhere here, so that
// at scale 1 an image pixel is exactly one device pixel, on any screen.

const LARGEST_SCALE = 48; // device pixels for one image pixel
const KEPT_IN_SIGHT = 64; // CSS pixels of the photo that panning cannot push off the stage

export class View {
  constructor() {
    this.width = 1; // of the stage
    this.height = 1;
    this.ratio = 1; // device pixels for one CSS pixel
    this.imageWidth = 0;
    this.imageHeight = 0;
    this.scale = 1;
    this.left = 0; // where the photo's upper left corner lies; whole numbers, for crisp pixels
    this.top = 0;
    this.fitted = true; // follows the stage's size until the user zooms or pans
  }

  resize(width, height, ratio) {
    const middle = this.toImage(this.width / 2, this.height / 2);
    const grown = ratio / this.ratio;
    Object.assign(this, { width, height, ratio });
    if (this.fitted) {
      this.fit();
      return;
    }
    this.scale *= grown;
    this.place(width / 2 - middle[0] * this.scale, height / 2 - middle[1] * this.scale);
  }

  setImage(width, height) {
    this.imageWidth = width;
    this.imageHeight = height;
    this.fit();
  }

  /** The photo gets another size, and what lay at a point lies further right and down in it; on the stage it stays. */
  moveImage(width, height, right, down) {
    const { left, top, scale, fitted } = this;
    this.setImage(width, height);
    if (fitted) return;
    Object.assign(this, { scale, fitted });
    this.place(left - right * scale, top - down * scale);
  }

  /** The scale at which the whole photo is seen; small photos grow to twice their size at most. */
  fittingScale() {
    const margin = 2 * 16 * this.ratio;
    const room = [Math.max(this.width - margin, 16), Math.max(this.height - margin, 16)];
    const scale = Math.min(room[0] / (this.imageWidth || 1), room[1] / (this.imageHeight || 1));
    return Math.min(scale, 2 * this.ratio);
  }

  fit() {
    this.fitted = true;
    this.scale = this.fittingScale();
    this.left = Math.round((this.width - this.imageWidth * this.scale) / 2);
    this.top = Math.round((this.height - this.imageHeight * this.scale) / 2);
  }

  /** Sets the scale; the image point under the stage point (x, y) stays there. */
  zoomTo(scale, x = this.width / 2, y = this.height / 2) {
    const smallest = Math.min(this.fittingScale() / 2, 1);
    const [column, row] = this.toImage(x, y);
    this.scale = Math.min(Math.max(scale, smallest), LARGEST_SCALE);
    this.fitted = false;
    this.place(x - column * this.scale, y - row * this.scale);
  }

  panBy(right, down) {
    this.fitted = false;
    this.place(this.left + right, this.top + down);
  }

  place(left, top) {
    const kept = KEPT_IN_SIGHT * this.ratio;
    const inside = (value, size, room) => Math.round(Math.min(Math.max(value, kept - size), room - kept));
    this.left = inside(left, this.imageWidth * this.scale, this.width);
    this.top = inside(top, this.imageHeight * this.scale, this.height);
  }

  /** Brings an image point into sight, for those who move by keys. */
  reveal(column, row) {
    const margin = 48 * this.ratio;
    const [x, y] = this.toStage(column, row);
    const push = (value, room) => Math.min(Math.max(value, margin), room - margin) - value;
    const [right, down] = [push(x, this.width), push(y, this.height)];
    if (right || down) this.panBy(right, down);
  }

  /** Stage point to image point (column, row), fractions of pixels included. */
  toImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  toStage(column, row) {
    return [this.left + column * this.scale, this.top + row * this.scale];
  }

  get percent() {
    return this.scale * 100;
  }
}
