// Hides: how an object is told from what is around it by colours and edges (Rother, Kolmogorov and Blake, "GrabCut",
// SIGGRAPH 2004): two mixtures of Gaussians say what either is coloured like, the cheapest cut along edges parts them,
// and the mixtures are learned again.

import { Grid, STEPS } from "./flow.js";

/** What is known of a pixel before; what is only probable can change. */
export const KNOWN = { outside: 0, inside: 1, maybeOutside: 2, maybeInside: 3 };

const PARTS = 5; // Gaussians of a mixture
const ROUNDS = 5; // of learning and cutting
const EDGE = 50; // weight of edges against colours, as in the paper
const SURE = 9 * EDGE;
const SMALL = 0.1; // of the largest piece, below which another is none of the object
const SPREAD = 0.01; // added to variances, so that flat colours have one

/**
 * The object that is roughly marked, in one piece without holes for each place where it is known to be.
 * @param {{width: number, height: number, rgb: Uint8Array}} picture three bytes for each pixel
 * @param {Uint8Array} known of KNOWN for each pixel
 * @returns {Uint8Array} 1 for each pixel of the object
 */
export function findObject(picture, known) {
  const found = grabCut(picture, known);
  const { width, height } = picture;
  const { labels, sizes, sure } = pieces(found, 1, known, width, height);
  const largest = Math.max(...sizes);
  const stays = sizes.map((size, label) => (sure.some(Boolean) ? sure[label] : size >= SMALL * largest));
  const object = Uint8Array.from(labels, (label) => Number(label > 0 && stays[label - 1]));
  const gaps = pieces(object, 0, known, width, height);
  return object.map((value, at) => (gaps.labels[at] && !gaps.open[gaps.labels[at] - 1] ? 1 : value));
}

/** Connected pieces of pixels with a value: a label from 1 on for each pixel, and what is known of each piece. */
function pieces(bytes, value, known, width, height) {
  const labels = new Int32Array(bytes.length);
  const [sizes, sure, open] = [[], [], []];
  const stack = [];
  const visit = (at) => {
    if (bytes[at] !== value || labels[at]) return;
    labels[at] = sizes.length;
    stack.push(at);
  };
  for (let start = 0; start < bytes.length; start += 1) {
    if (bytes[start] !== value || labels[start]) continue;
    sizes.push(0);
    sure.push(false);
    open.push(false);
    visit(start);
    while (stack.length) {
      const at = stack.pop();
      const [x, y] = [at % width, Math.floor(at / width)];
      sizes[sizes.length - 1] += 1;
      if (known[at] === KNOWN.inside) sure[sure.length - 1] = true;
      if (x === 0 || y === 0 || x === width - 1 || y === height - 1) open[open.length - 1] = true;
      if (x) visit(at - 1);
      if (x < width - 1) visit(at + 1);
      if (y) visit(at - width);
      if (y < height - 1) visit(at + width);
    }
  }
  return { labels, sizes, sure, open };
}

function grabCut(picture, known) {
  const { width, height, rgb } = picture;
  const colours = Float32Array.from(rgb);
  const inside = known.map((what) => what & 1);
  const joins = edgeCosts(width, height, colours);
  const mixtures = [0, 1].map((side) => new Mixture(colours, inside, side));
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round) for (const [side, mixture] of mixtures.entries()) mixture.learn(colours, inside, side);
    const now = cutOnce(picture, colours, known, joins, mixtures);
    const changed = now.some((value, at) => value !== inside[at]);
    inside.set(now);
    if (!changed) break;
  }
  return inside;
}

function cutOnce({ width, height }, colours, known, joins, [outer, inner]) {
  const grid = new Grid(width, height);
  for (let pixel = 0; pixel < known.length; pixel += 1) {
    if (known[pixel] === KNOWN.outside) grid.ends[pixel] = -SURE;
    else if (known[pixel] === KNOWN.inside) grid.ends[pixel] = SURE;
    else grid.ends[pixel] = outer.cost(colours, 3 * pixel) - inner.cost(colours, 3 * pixel);
  }
  for (const { step, costs } of joins) {
    for (let pixel = 0; pixel < known.length; pixel += 1) if (costs[pixel]) grid.join(pixel, step, costs[pixel]);
  }
  return grid.cut();
}

/** What it costs to part each pixel from its neighbours to the right and below: little where colours differ. */
function edgeCosts(width, height, colours) {
  const joins = [4, 5, 6, 7].map((step) => ({ step, costs: new Float32Array(width * height) }));
  let [sum, count] = [0, 0];
  for (const { step, costs } of joins) {
    const [right, down] = STEPS[step];
    for (let y = 0; y + down < height; y += 1) {
      for (let x = Math.max(-right, 0); x + Math.max(right, 0) < width; x += 1) {
        const at = y * width + x;
        costs[at] = difference(colours, 3 * at, 3 * (at + down * width + right));
        sum += costs[at];
        count += 1;
      }
    }
  }
  const sharpness = count / (2 * Math.max(sum, 1e-6));
  for (const { step, costs } of joins) {
    const [right, down] = STEPS[step];
    const weight = EDGE / Math.hypot(right, down);
    for (let y = 0; y + down < height; y += 1) {
      for (let x = Math.max(-right, 0); x + Math.max(right, 0) < width; x += 1) {
        const at = y * width + x;
        costs[at] = weight * Math.exp(-sharpness * costs[at]);
      }
    }
  }
  return joins;
}

function difference(colours, one, other) {
  const [red, green, blue] = [0, 1, 2].map((at) => colours[one + at] - colours[other + at]);
  return red * red + green * green + blue * blue;
}

/** A mixture of Gaussians over colours. */
class Mixture {
  constructor(colours, inside, side) {
    this.parts = [];
    const own = [];
    for (let pixel = 0; pixel < inside.length; pixel += 1) if (inside[pixel] === side) own.push(pixel);
    this.fit(colours, own, byMeans(colours, own));
  }

  /** Learns from the pixels of a side, each for the part that explains it best. */
  learn(colours, inside, side) {
    const own = [];
    for (let pixel = 0; pixel < inside.length; pixel += 1) if (inside[pixel] === side) own.push(pixel);
    this.fit(colours, own, own.map((pixel) => this.best(colours, 3 * pixel)));
  }

  best(colours, at) {
    let [best, least] = [0, Infinity];
    for (const [number, part] of this.parts.entries()) {
      const cost = part.cost(colours, at);
      if (cost < least) [best, least] = [number, cost];
    }
    return best;
  }

  fit(colours, own, numbers) {
    const groups = Array.from({ length: PARTS }, () => []);
    own.forEach((pixel, at) => groups[numbers[at]].push(pixel));
    this.parts = groups.filter((group) => group.length).map((group) => new Gaussian(colours, group, own.length));
  }

  /** Negative logarithm of the likelihood of the colour at an offset; 0 for a side without pixels. */
  cost(colours, at) {
    let sum = 0;
    for (const part of this.parts) sum += Math.exp(-part.cost(colours, at));
    return this.parts.length ? -Math.log(Math.max(sum, 1e-38)) : 0;
  }
}

class Gaussian {
  constructor(colours, pixels, all) {
    this.mean = [0, 0, 0];
    for (const pixel of pixels) for (let at = 0; at < 3; at += 1) this.mean[at] += colours[3 * pixel + at];
    this.mean = this.mean.map((sum) => sum / pixels.length);
    const spread = [0, 0, 0, 0, 0, 0]; // rr, rg, rb, gg, gb, bb
    for (const pixel of pixels) {
      const [red, green, blue] = this.mean.map((value, at) => colours[3 * pixel + at] - value);
      [red * red, red * green, red * blue, green * green, green * blue, blue * blue].forEach((value, at) => {
        spread[at] += value / pixels.length;
      });
    }
    for (const at of [0, 3, 5]) spread[at] += SPREAD;
    this.invert(spread);
    this.constant = 0.5 * Math.log(this.determinant) - Math.log(pixels.length / all);
  }

  invert([rr, rg, rb, gg, gb, bb]) {
    const [a, b, c] = [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg];
    this.determinant = Math.max(rr * a + rg * b + rb * c, 1e-9);
    const rest = [a, b, c, rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg];
    this.inverse = rest.map((value) => value / this.determinant);
  }

  cost(colours, at) {
    const [a, b, c, d, e, f] = this.inverse;
    const red = colours[at] - this.mean[0];
    const green = colours[at + 1] - this.mean[1];
    const blue = colours[at + 2] - this.mean[2];
    const far = a * red * red + d * green * green + f * blue * blue + 2 * (b * red * green + c * red * blue + e * green * blue);
    return this.constant + 0.5 * far;
  }
}

/** The number of the nearest of PARTS means (Lloyd) for each pixel, from means far from each other. */
function byMeans(colours, pixels) {
  if (!pixels.length) return [];
  const colour = (pixel) => [0, 1, 2].map((at) => colours[3 * pixel + at]);
  const means = [colour(pixels[0])];
  const apart = pixels.map(() => Infinity);
  while (means.length < PARTS) {
    const last = means.at(-1);
    let far = 0;
    pixels.forEach((pixel, at) => {
      apart[at] = Math.min(apart[at], distance(colours, 3 * pixel, last));
      if (apart[at] > apart[far]) far = at;
    });
    means.push(colour(pixels[far]));
  }
  let numbers = [];
  for (let round = 0; round < 10; round += 1) {
    numbers = pixels.map((pixel) => nearest(colours, 3 * pixel, means));
    const sums = means.map(() => [0, 0, 0, 0]);
    pixels.forEach((pixel, at) => {
      const sum = sums[numbers[at]];
      for (let part = 0; part < 3; part += 1) sum[part] += colours[3 * pixel + part];
      sum[3] += 1;
    });
    sums.forEach((sum, number) => {
      if (sum[3]) means[number] = sum.slice(0, 3).map((value) => value / sum[3]);
    });
  }
  return numbers;
}

function nearest(colours, at, means) {
  let [best, least] = [0, Infinity];
  for (const [number, mean] of means.entries()) {
    const far = distance(colours, at, mean);
    if (far < least) [best, least] = [number, far];
  }
  return best;
}

function distance(colours, at, [red, green, blue]) {
  return (colours[at] - red) ** 2 + (colours[at + 1] - green) ** 2 + (colours[at + 2] - blue) ** 2;
}
