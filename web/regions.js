// Hides: distances in holes, and rims that fade by them. The rule is that of temperfill.regions. Holes are one byte for each pixel of a picture, 1 = missing.

/**
 * Fades, over `radius` pixels inside the rim of a hole, from the nearest known pixel to what was filled.
 * @param {Uint8ClampedArray} filled changed in place; four bytes for each pixel, as in `known`
 * @param {Uint8Array?} avoid known, but not to be faded from
 */
export function feather(filled, known, hole, avoid, width, height, radius) {
  const box = radius > 0 ? around(hole, width, height, radius) : null;
  if (!box) return;
  const { squares, places } = nearest(box, (at) => hole[at] === 0, width);
  eachPixel(box, width, (at, own) => {
    if (!hole[at] || squares[own] > radius * radius || avoid?.[places[own]]) return;
    const share = Math.sqrt(squares[own]) / (radius + 1);
    for (let channel = 0; channel < 3; channel += 1) {
      const near = known[4 * places[own] + channel];
      filled[4 * at + channel] = Math.round(share * filled[4 * at + channel] + (1 - share) * near);
    }
  });
}

/** The box that holds a hole and `margin` pixels around it; null without a hole. */
function around(hole, width, height, margin) {
  const first = hole.indexOf(1);
  if (first < 0) return null;
  let [left, right] = [width, 0];
  const top = Math.floor(first / width);
  const bottom = Math.floor(hole.lastIndexOf(1) / width) + 1;
  for (let row = top; row < bottom; row += 1) {
    const line = hole.subarray(row * width, (row + 1) * width);
    const start = line.indexOf(1);
    if (start < 0) continue;
    left = Math.min(left, start);
    right = Math.max(right, line.lastIndexOf(1) + 1);
  }
  const [x, y] = [Math.max(left - margin, 0), Math.max(top - margin, 0)];
  return { x, y, width: Math.min(right + margin, width) - x, height: Math.min(bottom + margin, height) - y };
}

/** Calls `use` with the places of a box's pixels in the picture and in the box. */
function eachPixel(box, width, use) {
  for (let row = 0; row < box.height; row += 1) {
    for (let column = 0; column < box.width; column += 1) {
      use((box.y + row) * width + box.x + column, row * box.width + column);
    }
  }
}

/**
 * For each pixel of a box the nearest one of a kind: its squared distance, and its place in the picture.
 * Felzenszwalb and Huttenlocher 2012: first along columns, then the lower envelope of parabolas along rows.
 */
function nearest(box, isOf, width) {
  const squares = new Float64Array(box.width * box.height).fill(Infinity);
  const places = new Int32Array(box.width * box.height).fill(-1);
  const columnOrder = [...Array(box.height).keys()];
  for (let column = 0; column < box.width; column += 1) {
    for (const order of [columnOrder, [...columnOrder].reverse()]) {
      let seed = -Infinity;
      for (const row of order) {
        const at = (box.y + row) * width + box.x + column;
        if (isOf(at)) seed = row;
        const square = (row - seed) ** 2;
        const own = row * box.width + column;
        if (square >= squares[own]) continue;
        squares[own] = square;
        places[own] = (box.y + seed) * width + box.x + column;
      }
    }
  }
  for (let row = 0; row < box.height; row += 1) envelope(squares, places, row * box.width, box.width);
  return { squares, places };
}

/** Takes over, along one row, what is nearer by way of another column. */
function envelope(squares, places, start, width) {
  const high = squares.slice(start, start + width);
  const from = places.slice(start, start + width);
  const tops = []; // columns whose parabolas are lowest somewhere, and from where on
  const ends = [];
  const meet = (one, other) => (high[other] + other ** 2 - high[one] - one ** 2) / (2 * (other - one));
  for (let column = 0; column < width; column += 1) {
    if (high[column] === Infinity) continue;
    while (tops.length && meet(tops.at(-1), column) <= ends.at(-1)) {
      tops.pop();
      ends.pop();
    }
    ends.push(tops.length ? meet(tops.at(-1), column) : -Infinity);
    tops.push(column);
  }
  for (let column = 0, top = 0; column < width && tops.length; column += 1) {
    while (top + 1 < tops.length && ends[top + 1] < column) top += 1;
    squares[start + column] = high[tops[top]] + (column - tops[top]) ** 2;
    places[start + column] = from[tops[top]];
  }
}
