// Hides: what the engine shows of a thick hole before it is finished, drawn over the photo.

export class Draft {
  constructor(stage) {
    this.stage = stage;
    this.parts = new Map(); // box as text to {bitmap, box}; the last one for each place
    stage.overlays.unshift((context, view) => this.draw(context, view));
  }

  /** @param {Blob} blob transparent outside the hole; box: top, left, bottom, right in image pixels */
  async show({ blob, box }) {
    const bitmap = await createImageBitmap(blob);
    this.parts.get(String(box))?.bitmap.close();
    this.parts.set(String(box), { bitmap, box });
    this.stage.redraw("overlay");
  }

  clear() {
    for (const { bitmap } of this.parts.values()) bitmap.close();
    this.parts.clear();
    this.stage.redraw("overlay");
  }

  draw(context, view) {
    context.imageSmoothingQuality = "medium";
    for (const { bitmap, box: [top, left, bottom, right] } of this.parts.values()) {
      const [x0, y0] = view.toStage(left, top);
      const [x1, y1] = view.toStage(right, bottom);
      context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0);
    }
  }
}
