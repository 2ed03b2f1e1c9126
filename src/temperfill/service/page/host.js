// Hides: how an exported model fills pictures of any size, in windows around their holes: as temperfill/export/host.py does
// and says. Planes are {width, height, data} with a byte per pixel, 1 = set; boxes {top, left, bottom, right}.

const WHOLE = 640 * 640, CONTEXT = 128, WINDOW = 512, LIMIT = 768, CELL = 4, THICK = 128, SHRUNK = 96, THIN = 48, GRID = 8;

// The bytes (RGBA) of a picture with its hole filled. `run` takes the model's inputs by name, each {type, data, dims}, and gives
// the bytes of its output, or a promise of them; `image` has 4 bytes per pixel; `mask`, and `sketch` and `avoid` among the
// options, have one, above 127 = set. `onWindow` is told after each window how many of how many are done.
export async function fill(run, image, mask, { sketch, avoid, temperature = 1, onWindow } = {}) {
  const { width, height } = image, result = Uint8Array.from(image.data);
  const missing = plane(width, height, (x, y) => mask[y * width + x] > 127), found = windows(missing);
  for (const [number, { box, own, factor }] of found.entries()) {
    const w = box.right - box.left, h = box.bottom - box.top, place = (i) => (box.top + Math.floor(i / w)) * width + box.left + (i % w);
    const bytes = (value) => ({ type: "uint8", data: new Uint8Array(w * h).map((_, i) => value(place(i), i)), dims: [h, w] });
    const near = new Uint8Array(4 * w * h), row = (y) => 4 * ((box.top + y) * width + box.left);
    for (let y = 0; y < h; y++) near.set(result.subarray(row(y), row(y) + 4 * w), 4 * y * w);
    const inputs = { image: { type: "uint8", data: near, dims: [h, w, 4] }, mask: bytes((_, i) => 255 * own.data[i]) };
    inputs.hidden = bytes((at, i) => (missing.data[at] && !own.data[i] ? 255 : 0));
    inputs.temperature = { type: "float32", data: Float32Array.of(temperature), dims: [1] };
    inputs.factor = { type: "int64", data: BigInt64Array.of(BigInt(factor)), dims: [1] };
    for (const [name, given] of Object.entries({ sketch, avoid })) inputs[name] = bytes((at) => given?.[at] ?? 0);
    const composite = await run(inputs);
    for (let y = 0; y < h; y++) result.set(composite.subarray(4 * y * w, 4 * (y + 1) * w), row(y));
    own.data.forEach((set, i) => set && (missing.data[place(i)] = 0));
    onWindow?.(number + 1, found.length);
  }
  return result;
}

// Boxes, the holes that are filled in them, and by how much they are shrunk first (0: the model finds out), in order.
export function windows(hole) {
  const { width, height } = hole, whole = { top: 0, left: 0, bottom: height, right: width };
  if (width * height <= WHOLE && Math.max(width, height) <= 2 * LIMIT) return hole.data.includes(1) ? [{ box: whole, own: hole, factor: 0 }] : [];
  const found = groups(hole).flatMap(pieces).map(({ box, part }) => {
    let window = surroundings(box, hole, 2 * CONTEXT + CELL, WINDOW);
    const across = 2 * Math.sqrt(squared(cut(part, -1, -1, part.width + 2, part.height + 2), Infinity).reduce((a, b) => Math.max(a, b), 0));
    const factor = Math.max(across > THICK ? Math.ceil(across / SHRUNK) : 1, Math.ceil(Math.max(window.bottom - window.top, window.right - window.left) / (LIMIT + CELL)));
    if (factor > 1) window = surroundings(window, hole, CELL, WINDOW * factor);
    const own = cut(part, window.left - box.left, window.top - box.top, window.right - window.left, window.bottom - window.top);
    return { box: window, own, factor };
  });
  return inOrder(found, hole);
}

// Those whose hole touches nothing known only after what lies between.
function inOrder(found, hole) {
  const missing = cut(hole, 0, 0, hole.width, hole.height), ordered = [];
  for (let waiting = found; waiting.length; waiting = found) {
    found = [];
    for (const each of waiting) {
      const { box, own } = each, set = (x, y) => x >= 0 && y >= 0 && x < own.width && y < own.height && own.data[y * own.width + x];
      const touches = own.data.some((_, i) => {
        const x = i % own.width, y = Math.floor(i / own.width), isKnown = !missing.data[(box.top + y) * missing.width + box.left + x];
        return isKnown && (set(x - 1, y) || set(x + 1, y) || set(x, y - 1) || set(x, y + 1));
      });
      (touches ? ordered : found).push(each);
      if (touches) own.data.forEach((is, i) => is && (missing.data[(box.top + Math.floor(i / own.width)) * missing.width + box.left + (i % own.width)] = 0));
    }
    if (found.length === waiting.length) return [...ordered, ...found]; // nothing is known at all
  }
  return ordered;
}

// Parts of a hole that are filled in one window: those whose windows overlap, while theirs stays small enough.
function groups(hole) {
  const found = [], sides = [["top", "bottom", hole.height], ["left", "right", hole.width]];
  for (const { box, part } of parts(hole)) {
    let best = null, nearest = 2 * CONTEXT, joined = box;
    for (const group of found) {
      const old = group.box, both = union(old, box);
      const side = Math.max(...sides.map(([low, high, size]) => Math.min(both[high] + CONTEXT, size) - Math.max(both[low] - CONTEXT, 0)));
      const gap = Math.max(old.top - box.bottom, old.left - box.right, box.top - old.bottom, box.left - old.right);
      if (side <= LIMIT && gap < nearest) [best, nearest, joined] = [group, gap, both];
    }
    if (!best) found.push((best = { members: [] }));
    Object.assign(best, { box: joined, members: [...best.members, { box, part }] });
  }
  return found.map(({ box, members }) => {
    const part = plane(box.right - box.left, box.bottom - box.top, () => 0);
    for (const each of members) {
      const start = (each.box.top - box.top) * part.width + each.box.left - box.left;
      each.part.data.forEach((set, i) => set && (part.data[start + Math.floor(i / each.part.width) * part.width + (i % each.part.width)] = 1));
    }
    return { box, part };
  });
}

// Connected parts, those nearer than about a cell of the grid as one: boxes of whole cells, and what is in them.
function parts(hole) {
  const columns = Math.ceil(hole.width / GRID), rows = Math.ceil(hole.height / GRID), labels = new Int32Array(columns * rows), found = [];
  hole.data.forEach((set, i) => set && (labels[Math.floor(i / hole.width / GRID) * columns + Math.floor((i % hole.width) / GRID)] = -1));
  labels.forEach((_, first) => {
    if (labels[first] !== -1) return;
    const label = found.length + 1, box = { top: rows, left: columns, bottom: 0, right: 0 };
    labels[first] = label;
    for (const waiting = [first]; waiting.length; ) {
      const cell = waiting.pop(), x = cell % columns, y = Math.floor(cell / columns);
      Object.assign(box, union(box, { top: y, left: x, bottom: y + 1, right: x + 1 }));
      for (const [v, u] of [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((along) => [y + down, x + along]))) {
        const next = v * columns + u;
        if (v >= 0 && u >= 0 && u < columns && labels[next] === -1) labels[next] = label, waiting.push(next);
      }
    }
    found.push({ top: box.top * GRID, left: box.left * GRID, bottom: Math.min(box.bottom * GRID, hole.height), right: Math.min(box.right * GRID, hole.width) });
  });
  const is = (x, y, number) => hole.data[y * hole.width + x] && labels[Math.floor(y / GRID) * columns + Math.floor(x / GRID)] === number + 1;
  return found.map((box, number) => ({ box, part: plane(box.right - box.left, box.bottom - box.top, (x, y) => is(box.left + x, box.top + y, number)) }));
}

// A part of a hole taken apart if it is long: what is thin along a grid, what is thick as it is, that one last.
function pieces({ box, part }) {
  const { width, height } = part, half = LIMIT / 2 - CONTEXT, found = [];
  if (Math.max(width, height) <= 2 * half) return [{ box, part }];
  const depth = squared(cut(part, -1, -1, width + 2, height + 2), THIN + 1);
  const away = squared(plane(width, height, (x, y) => depth[(y + 1) * (width + 2) + x + 1] <= THIN ** 2), 2 * THIN + 1);
  const [thick, thin] = [true, false].map((is) => plane(width, height, (x, y) => part.data[y * width + x] && away[y * width + x] <= (2 * THIN) ** 2 === is));
  for (let y = 0; y < height; y += half) for (let x = 0; x < width; x += half) found.push([x, y, cut(thin, x, y, half, half)]);
  found.push(...parts(thick).map((each) => [each.box.left, each.box.top, each.part]));
  return found.filter(([, , own]) => own.data.includes(1)).map(([x, y, own]) => {
    const b = bounds(own), top = box.top + y, left = box.left + x;
    return { box: { top: top + b.top, left: left + b.left, bottom: top + b.bottom, right: left + b.right }, part: cut(own, b.left, b.top, b.right - b.left, b.bottom - b.top) };
  });
}

// A box with this much context, and at least `side` long where the picture allows.
function surroundings(box, { width, height }, context, side) {
  const [[top, bottom], [left, right]] = [[box.top, box.bottom, height], [box.left, box.right, width]].map(([low, high, size]) => {
    const length = Math.min(Math.ceil(Math.max(high - low + context, side) / CELL) * CELL, size);
    const start = Math.min(Math.max(Math.floor((low + high - length) / 2), 0), size - length), first = start - (start % CELL);
    return [first, start + length < size ? first + length : size];
  });
  return { top, left, bottom, right };
}

// Squared distances to the nearest place that is not set, right up to `most` pixels; more where none is as near.
function squared({ width, height, data }, most) {
  const down = new Float64Array(data.length), result = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) down[i] = data[i] ? (i < width ? 1e4 : down[i - width] + 1) : 0;
  for (let i = data.length - 1 - width; i >= 0; i--) down[i] = Math.min(down[i], down[i + width] + 1);
  for (let i = 0; i < data.length; i++) {
    let least = down[i] ** 2;
    for (let x = i % width, step = 1; step * step < least && step <= most && step < width; step++) {
      if (x >= step) least = Math.min(least, down[i - step] ** 2 + step * step);
      if (x + step < width) least = Math.min(least, down[i + step] ** 2 + step * step);
    }
    result[i] = least;
  }
  return result;
}

const union = (a, b) => ({ top: Math.min(a.top, b.top), left: Math.min(a.left, b.left), bottom: Math.max(a.bottom, b.bottom), right: Math.max(a.right, b.right) });

function bounds({ width, height, data }) {
  const box = { top: height, left: width, bottom: 0, right: 0 };
  data.forEach((set, i) => set && Object.assign(box, union(box, { top: Math.floor(i / width), left: i % width, bottom: Math.floor(i / width) + 1, right: (i % width) + 1 })));
  return box;
}

const cut = ({ width, height, data }, left, top, w, h) =>
  plane(w, h, (x, y) => x + left >= 0 && y + top >= 0 && x + left < width && y + top < height && data[(y + top) * width + x + left]);

const plane = (width, height, value) =>
  ({ width, height, data: new Uint8Array(width * height).map((_, i) => (value(i % width, Math.floor(i / width)) ? 1 : 0)) });
