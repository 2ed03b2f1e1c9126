// Hides: that versions of a photo can have different sizes once its canvas was extended. A frame says where a version lies,
// in pixels of the photo as it was opened: {left, top, width, height}.

/** The frame of a photo that was just opened. */
export const firstFrame = ({ width, height }) => ({ left: 0, top: 0, width, height });

/** A frame that is larger by `sides`: {left, top, right, bottom}. */
export const grown = ({ left, top, width, height }, sides) => ({
  left: left - sides.left,
  top: top - sides.top,
  width: width + sides.left + sides.right,
  height: height + sides.top + sides.bottom,
});

export const sameFrame = (one, other) => ["left", "top", "width", "height"].every((name) => one[name] === other[name]);

/** How far to the right and down what lies in one frame lies in another. */
export const shift = (from, to) => [from.left - to.left, from.top - to.top];

/** Copies what a layer holds into an empty one, both with frames; what lies outside the latter is left out. */
export function moveInto(target, to, layer, from) {
  const extent = layer.extent();
  if (!extent) return;
  const [right, down] = shift(from, to);
  const [left, top] = [Math.max(extent[0], -right), Math.max(extent[1], -down)];
  const box = [left, top, Math.min(extent[2], to.width - right), Math.min(extent[3], to.height - down)];
  if (box[2] <= left || box[3] <= top) return;
  target.begin();
  target.stamp([left + right, top + down, box[2] + right, box[3] + down], layer.read(box), 1);
  target.commit();
}
