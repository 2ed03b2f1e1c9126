// Hides: the cheapest cut of a grid of pixels between two sides (Boykov and Kolmogorov, "An Experimental Comparison of
// Min-Cut/Max-Flow Algorithms", PAMI 2004): two trees of pixels grow from both sides until they meet, the path is
// filled with flow, and what it cuts off looks for another way to its side.

const FREE = -1; // of a pixel's parent: it belongs to no tree
const ROOT = 8; // its parent is its side
const ORPHAN = 9; // its parent was cut off
const FAR = 1 << 29;
/** Steps to the eight neighbours; that of `number` leads back along that of 7 - `number`. */
export const STEPS = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];

export class Grid {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    const count = width * height;
    this.ends = new Float32Array(count); // what is left between a pixel and its side: above 0 first, below 0 second
    this.room = new Float32Array(8 * count); // of each pixel towards each neighbour
    this.offsets = STEPS.map(([right, down]) => down * width + right);
    this.second = new Uint8Array(count); // the tree that a pixel is in
    this.parent = new Int8Array(count).fill(FREE);
    this.stamp = new Int32Array(count);
    this.depth = new Int32Array(count);
    this.time = 0;
    this.active = new Int32Array(count); // a ring
    this.isActive = new Uint8Array(count);
    this.head = 0;
    this.waiting = 0;
    this.orphans = [];
  }

  /** The cost of parting a pixel from a neighbour; to be said for one of both. */
  join(pixel, step, cost) {
    this.room[8 * pixel + step] = cost;
    this.room[8 * (pixel + this.offsets[step]) + 7 - step] = cost;
  }

  /** @returns {Uint8Array} 1 for each pixel on the first side of the cheapest cut */
  cut() {
    for (let pixel = 0; pixel < this.ends.length; pixel += 1) {
      if (this.ends[pixel] === 0) continue;
      this.second[pixel] = Number(this.ends[pixel] < 0);
      this.parent[pixel] = ROOT;
      this.depth[pixel] = 1;
      this.wake(pixel);
    }
    while (this.waiting) {
      const pixel = this.active[this.head];
      const met = this.parent[pixel] === FREE ? null : this.grow(pixel);
      if (met) {
        this.time += 1;
        this.push(...met);
        this.adopt();
        continue; // the same pixel may find more
      }
      this.isActive[pixel] = 0;
      this.head = (this.head + 1) % this.active.length;
      this.waiting -= 1;
    }
    return this.parent.map((parent, pixel) => Number(parent !== FREE && !this.second[pixel]));
  }

  wake(pixel) {
    if (this.isActive[pixel]) return;
    this.isActive[pixel] = 1;
    this.active[(this.head + this.waiting) % this.active.length] = pixel;
    this.waiting += 1;
  }

  /** Takes free neighbours into the pixel's tree. @returns {number[]?} [pixel, step] from the first tree to the second */
  grow(pixel) {
    const { room, parent, second, offsets } = this;
    const side = second[pixel];
    for (let step = 0; step < 8; step += 1) {
      const next = pixel + offsets[step];
      // A pixel at the edge has no room towards what is beyond, and nothing there leads to it.
      if (!(side ? this.back(pixel, step) : room[8 * pixel + step])) continue;
      if (parent[next] === FREE) {
        second[next] = side;
        parent[next] = 7 - step;
        this.stamp[next] = this.stamp[pixel];
        this.depth[next] = this.depth[pixel] + 1;
        this.wake(next);
      } else if (second[next] !== side) return side ? [next, 7 - step] : [pixel, step];
      else if (this.stamp[next] <= this.stamp[pixel] && this.depth[next] > this.depth[pixel]) {
        parent[next] = 7 - step; // a shorter way
        this.stamp[next] = this.stamp[pixel];
        this.depth[next] = this.depth[pixel] + 1;
      }
    }
    return null;
  }

  /** Room from the neighbour towards the pixel. */
  back(pixel, step) {
    const next = pixel + this.offsets[step];
    return next < 0 || next >= this.ends.length ? 0 : this.room[8 * next + 7 - step];
  }

  /** Sends as much as fits along the path through a step between the trees. */
  push(from, step) {
    const to = from + this.offsets[step];
    const { ends, parent, offsets, room } = this;
    let most = room[8 * from + step];
    let pixel = from;
    for (; parent[pixel] !== ROOT; pixel += offsets[parent[pixel]]) {
      most = Math.min(most, this.back(pixel, parent[pixel]));
    }
    most = Math.min(most, ends[pixel]);
    for (pixel = to; parent[pixel] !== ROOT; pixel += offsets[parent[pixel]]) {
      most = Math.min(most, room[8 * pixel + parent[pixel]]);
    }
    most = Math.min(most, -ends[pixel]);
    this.send(from, step, most);
    this.drain(from, most, false);
    this.drain(to, most, true);
  }

  /** Sends along one step. @returns {boolean} whether it is full now */
  send(pixel, step, amount) {
    const at = 8 * pixel + step;
    this.room[at] -= amount;
    this.room[8 * (pixel + this.offsets[step]) + 7 - step] += amount;
    if (this.room[at] > 1e-6) return false;
    this.room[at] = 0;
    return true;
  }

  drain(start, amount, isSecond) {
    const { ends, parent, offsets } = this;
    let pixel = start;
    while (parent[pixel] !== ROOT) {
      const step = parent[pixel];
      const next = pixel + offsets[step];
      const full = isSecond ? this.send(pixel, step, amount) : this.send(next, 7 - step, amount);
      if (full) this.orphan(pixel);
      pixel = next;
    }
    ends[pixel] += isSecond ? amount : -amount;
    if (Math.abs(ends[pixel]) > 1e-6) return;
    ends[pixel] = 0;
    this.orphan(pixel);
  }

  orphan(pixel) {
    this.parent[pixel] = ORPHAN;
    this.orphans.push(pixel);
  }

  adopt() {
    while (this.orphans.length) {
      const pixel = this.orphans.pop();
      const step = this.newParent(pixel);
      if (step >= 0) {
        this.parent[pixel] = step;
        continue;
      }
      this.letGo(pixel);
    }
  }

  /** The step to the neighbour with the shortest way to the side, or -1. */
  newParent(pixel) {
    const { second, parent, offsets } = this;
    const side = second[pixel];
    let [best, shortest] = [-1, FAR];
    for (let step = 0; step < 8; step += 1) {
      if (!(side ? this.room[8 * pixel + step] : this.back(pixel, step))) continue;
      const next = pixel + offsets[step];
      if (second[next] !== side || parent[next] === FREE) continue;
      const length = this.wayFrom(next);
      if (length >= shortest) continue;
      [best, shortest] = [step, length];
    }
    if (best >= 0) {
      this.stamp[pixel] = this.time;
      this.depth[pixel] = shortest + 1;
    }
    return best;
  }

  /** Length of the way to the side, FAR where it is cut; pixels on it remember it until the next path is filled. */
  wayFrom(start) {
    const { parent, stamp, depth, offsets, time } = this;
    let length = 0;
    let pixel = start;
    for (;;) {
      if (stamp[pixel] === time) {
        length += depth[pixel];
        break;
      }
      length += 1;
      if (parent[pixel] === ROOT) {
        stamp[pixel] = time;
        depth[pixel] = 1;
        break;
      }
      if (parent[pixel] === ORPHAN) return FAR;
      pixel += offsets[parent[pixel]];
    }
    let left = length;
    for (pixel = start; stamp[pixel] !== time; pixel += offsets[parent[pixel]]) {
      stamp[pixel] = time;
      depth[pixel] = left;
      left -= 1;
    }
    return length;
  }

  letGo(pixel) {
    const { second, parent, offsets } = this;
    const side = second[pixel];
    for (let step = 0; step < 8; step += 1) {
      const next = pixel + offsets[step];
      if (next < 0 || next >= parent.length || second[next] !== side || parent[next] === FREE) continue;
      if (side ? this.room[8 * pixel + step] : this.back(pixel, step)) this.wake(next);
      if (parent[next] < ROOT && next + offsets[parent[next]] === pixel) this.orphan(next);
    }
    parent[pixel] = FREE;
  }
}
