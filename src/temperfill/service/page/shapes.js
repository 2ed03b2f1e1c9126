// Hides: which pixels a shape covers: those whose centre lies in it, row by row.

/** First and last column of each row within `size` / 2 of a segment, in a picture of this size. */
export function* strokeSpans([x0, y0], [x1, y1], size, width, height) {
  const radius = size / 2;
  const top = Math.max(Math.ceil(Math.min(y0, y1) - radius - 0.5), 0);
  const bottom = Math.min(Math.floor(Math.max(y0, y1) + radius - 0.5), height - 1);
  for (let row = top; row <= bottom; row += 1) {
    const [low, high] = rowSpan(row + 0.5, x0, y0, x1, y1, radius);
    const left = Math.max(Math.ceil(low - 0.5), 0);
    const right = Math.min(Math.floor(high - 0.5), width - 1);
    if (left <= right) yield [row, left, right];
  }
}

/** Spans [row, first column, last column] of what a closed line of points goes around. */
export function* polygonSpans(points, width, height) {
  const heights = points.map(([, y]) => y);
  const top = Math.max(Math.ceil(Math.min(...heights) - 0.5), 0);
  const bottom = Math.min(Math.floor(Math.max(...heights) - 0.5), height - 1);
  for (let row = top; row <= bottom; row += 1) {
    const crossings = crossingsAt(points, row + 0.5);
    let turns = 0;
    for (let at = 0; at + 1 < crossings.length; at += 1) {
      turns += crossings[at][1];
      if (!turns) continue; // a line that crosses itself goes around all that it encloses
      const left = Math.max(Math.ceil(crossings[at][0] - 0.5), 0);
      const right = Math.min(Math.ceil(crossings[at + 1][0] - 0.5) - 1, width - 1);
      if (left <= right) yield [row, left, right];
    }
  }
}

/** Where a closed line crosses a height, from left to right, and whether it goes down (1) or up (-1) there. */
function crossingsAt(points, y) {
  const found = [];
  points.forEach(([x0, y0], at) => {
    const [x1, y1] = points[(at + 1) % points.length];
    if (y0 <= y === y1 <= y) return;
    found.push([x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), y1 > y0 ? 1 : -1]);
  });
  return found.sort(([one], [other]) => one - other);
}

/** Left, top, right and bottom of points. */
export function bounds(points) {
  const [columns, rows] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...columns), Math.min(...rows), Math.max(...columns), Math.max(...rows)];
}

/** A box grown by a margin, within a picture, in whole pixels. */
export function around([left, top, right, bottom], margin, width, height) {
  const inside = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    inside(Math.floor(left - margin), width),
    inside(Math.floor(top - margin), height),
    inside(Math.ceil(right + margin), width),
    inside(Math.ceil(bottom + margin), height),
  ];
}

/** The point to draw through so that a dab of `size` covers whole pixels: a centre for odd sizes, a corner for even. */
export function snap(value, size) {
  return size % 2 ? Math.floor(value) + 0.5 : Math.round(value);
}

/** First and last x of the row at y within `radius` of the segment; the first is above the last where there is none. */
function rowSpan(y, x0, y0, x1, y1, radius) {
  let low = Infinity;
  let high = -Infinity;
  const include = (x) => {
    low = Math.min(low, x);
    high = Math.max(high, x);
  };
  for (const [x, centre] of [[x0, y0], [x1, y1]]) {
    const half = Math.sqrt(radius * radius - (y - centre) ** 2);
    if (half >= 0) {
      include(x - half);
      include(x + half);
    }
  }
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length === 0) return [low, high];
  const [across, down] = [(-(y1 - y0) / length) * radius, ((x1 - x0) / length) * radius];
  const one = [[x0 + across, y0 + down], [x1 + across, y1 + down]];
  const other = [[x1 - across, y1 - down], [x0 - across, y0 - down]];
  const corners = [...one, ...other, one[0]];
  for (let side = 0; side < 4; side += 1) {
    const [[ax, ay], [bx, by]] = corners.slice(side, side + 2);
    if (ay !== by && Math.min(ay, by) <= y && y <= Math.max(ay, by)) include(ax + ((y - ay) / (by - ay)) * (bx - ax));
  }
  return [low, high];
}
