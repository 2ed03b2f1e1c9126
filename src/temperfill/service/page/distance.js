// Hides: how far each pixel is from what is marked (Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled
// Functions", 2012: exact, in time proportional to the pixels).

export const FARTHEST = 128; // pixels; what is farther counts as this far
const MOST = FARTHEST ** 2;

/**
 * Squares of the distances to the nearest pixel that is `value`.
 * @param {Uint8Array} bytes 0 or 1 for each pixel
 * @returns {Uint16Array} at most FARTHEST squared
 */
export function distances(bytes, width, height, value) {
  const result = new Uint16Array(bytes.length);
  for (let x = 0; x < width; x += 1) column(bytes, result, x, width, height, value);
  const line = new Float64Array(width);
  const peaks = new Int32Array(width);
  const borders = new Float64Array(width + 1);
  for (let y = 0; y < height; y += 1) {
    const row = result.subarray(y * width, (y + 1) * width);
    line.set(row);
    envelope(line, row, peaks, borders);
  }
  return result;
}

/** Within a column: how far the nearest one above or below is. */
function column(bytes, result, x, width, height, value) {
  let far = FARTHEST;
  for (let y = 0, at = x; y < height; y += 1, at += width) {
    far = bytes[at] === value ? 0 : Math.min(far + 1, FARTHEST);
    result[at] = far * far;
  }
  far = FARTHEST;
  for (let y = height - 1, at = x + y * width; y >= 0; y -= 1, at -= width) {
    far = bytes[at] === value ? 0 : Math.min(far + 1, FARTHEST);
    result[at] = Math.min(result[at], far * far);
  }
}

/** The lower envelope of the parabolas that stand on a row. */
function envelope(line, row, peaks, borders) {
  let last = 0;
  peaks[0] = 0;
  borders[0] = -Infinity;
  for (let x = 1; x < line.length; x += 1) {
    let border;
    for (;;) {
      const peak = peaks[last];
      border = (line[x] + x * x - line[peak] - peak * peak) / (2 * (x - peak));
      if (border > borders[last]) break;
      last -= 1;
    }
    last += 1;
    peaks[last] = x;
    borders[last] = border;
  }
  const end = last;
  for (let x = 0, at = 0; x < line.length; x += 1) {
    while (at < end && borders[at + 1] < x) at += 1;
    row[x] = Math.min((x - peaks[at]) ** 2 + line[peaks[at]], MOST);
  }
}
